package loader

import (
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// cached returns how many bytes of a part lie in the page cache.
func (p *part) cached(t *testing.T) (n int) {
	pages := make([]byte, (len(p.data)+directAlign-1)/directAlign)
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(unsafe.SliceData(p.data))), uintptr(len(p.data)),
		uintptr(unsafe.Pointer(unsafe.SliceData(pages))))
	require.Zero(t, errno)
	for _, in := range pages {
		n += int(in&1) * directAlign
	}
	return n
}

// Streaming leaves nothing in the page cache, and what was read through the mapping
// before can be given back.
func TestStreamLeavesThePageCacheAlone(t *testing.T) {
	if unix.Getpagesize() != directAlign {
		return // counting pages of another size is not worth it
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	write(t, path, 2_000_000, nil, "a", "b")
	src, err := Open(path)
	require.NoError(t, err)
	defer src.Close()
	p := &src.parts[0]
	require.NoError(t, unix.Fsync(int(p.file.Fd())))
	src.ForgetHead()
	if p.cached(t) > 0 {
		t.Log("the file system keeps its files in memory") // tmpfs
		return
	}
	touch(p.data[:100])
	require.NotZero(t, p.cached(t))
	for end := time.Now().Add(10 * time.Second); ; src.ForgetHead() {
		time.Sleep(50 * time.Millisecond) // it may still be reading ahead
		if p.cached(t) == 0 {
			break
		}
		require.True(t, time.Now().Before(end))
	}

	s := newStream(t, src, order(src, 300_000), 1<<20, 1<<20)
	defer s.Close()
	require.NoError(t, s.Warm(nil))
	for range 2 {
		require.NoError(t, s.walk())
	}
	_, err = s.Lookup(0, 0, 16)
	require.NoError(t, err)
	b, err := s.Read(Extent{Offset: src.Tensors[1].Offset + 5, Size: 100_000})
	require.NoError(t, err)
	require.Zero(t, p.cached(t))
	require.Equal(t, src.Data(src.Tensors[1])[5:][:100_000], b)
	src.ForgetHead()

	for _, f := range s.files { // nor do reads that the system wants to be buffered
		f.buffered.Store(setDirect(f.file, false))
	}
	for range 2 {
		require.NoError(t, s.walk())
	}
	s.settled(t)
	require.Less(t, p.cached(t), len(p.data)/4*3, "not more than the system reads ahead, which may be 8 MiB and what it is reading")
}
