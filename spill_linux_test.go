package cortex_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/internal/sysmem"
)

// What memory has no room for is not written to files that lie in memory, unless that is asked for.
func TestSpillIsOnDisk(t *testing.T) {
	const memory = "/dev/shm"
	if !sysmem.InMemory(memory) || sysmem.InMemory("/var/tmp") {
		t.Skip("no tmpfs at " + memory + " or no disk at /var/tmp")
	}
	t.Setenv("TMPDIR", memory)
	path := readingFile(t)
	for dir, want := range map[string]string{"": "/var/tmp", memory: memory} {
		m, err := cortex.Open(path, &cortex.Options{Threads: 1, ContextLength: 4096, BatchSize: 64, KVMemory: 1, SpillDir: dir})
		require.NoError(t, err)
		s, err := m.NewSession()
		require.NoError(t, err)
		files, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		var spilled []string
		for _, f := range files {
			if name, err := os.Readlink(filepath.Join("/proc/self/fd", f.Name())); err == nil && strings.Contains(name, "cortex-kv-") {
				spilled = append(spilled, filepath.Dir(name))
			}
		}
		require.Equal(t, []string{want}, spilled)
		require.NoError(t, s.Close())
		require.NoError(t, m.Close())
	}
}
