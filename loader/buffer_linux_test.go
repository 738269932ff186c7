package loader

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A buffer is memory of the process, not memory that it shares with others.
func TestBufferIsPrivate(t *testing.T) {
	b, err := NewBuffer(32 << 20)
	require.NoError(t, err)
	defer b.Close()
	before := resident(t)
	data := Take[byte](b, 32<<20)
	for i := 0; i < len(data); i += 4096 {
		data[i] = 1
	}
	after := resident(t)
	require.Greater(t, after["RssAnon"]-before["RssAnon"], int64(30<<10))
	require.Less(t, after["RssShmem"]-before["RssShmem"], int64(1<<10))
}

// resident returns the process's memory by kind, in KiB.
func resident(t *testing.T) map[string]int64 {
	text, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	kinds := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		var n int64
		if name, value, ok := strings.Cut(line, ":"); ok && strings.HasPrefix(name, "Rss") {
			_, err := fmt.Sscan(value, &n)
			require.NoError(t, err)
			kinds[name] = n
		}
	}
	if _, ok := kinds["RssShmem"]; !ok {
		t.Skip("this kernel does not tell kinds of memory apart")
	}
	return kinds
}
