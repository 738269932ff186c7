package loader

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// Whoever reads a mapped model from memory asks for huge pages before the first byte of
// its weights is read.
func TestResidentAsksForHugePages(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skip("this kernel has no huge pages: ", err)
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	write(t, path, 1<<16, nil, "a", "b")
	s, err := Open(path)
	require.NoError(t, err)
	defer s.Close()
	require.NotContains(t, mapFlags(t, s.parts[0].data), " hg")
	_, err = NewResident(s, extents(s))
	require.NoError(t, err)
	require.Contains(t, mapFlags(t, s.parts[0].data), " hg")
}

// mapFlags returns the flags of the mapping that begins where b does.
func mapFlags(t *testing.T, b []byte) string {
	text, err := os.ReadFile("/proc/self/smaps")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(text), fmt.Sprintf("\n%x-", unsafe.Pointer(unsafe.SliceData(b))))
	require.True(t, ok)
	_, flags, ok := strings.Cut(rest, "VmFlags:")
	if !ok {
		t.Skip("this kernel does not show the flags of a mapping")
	}
	flags, _, _ = strings.Cut(flags, "\n")
	return flags
}
