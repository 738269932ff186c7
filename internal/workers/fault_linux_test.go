package workers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A mapped file that is truncated gives an error, whichever worker reads the lost page, and the pool goes on.
func TestTruncatedMapping(t *testing.T) {
	const pages = 8
	page := os.Getpagesize()
	for _, n := range sizes() {
		for bad := range n {
			t.Run(fmt.Sprintf("workers=%d/bad=%d", n, bad), func(t *testing.T) {
				name := filepath.Join(t.TempDir(), "file")
				require.NoError(t, os.WriteFile(name, make([]byte, pages*page), 0o600))
				f, err := os.Open(name)
				require.NoError(t, err)
				defer f.Close()
				data, err := unix.Mmap(int(f.Fd()), 0, pages*page, unix.PROT_READ, unix.MAP_SHARED)
				require.NoError(t, err)
				defer func() { require.NoError(t, unix.Munmap(data)) }()

				p := newPool(t, n)
				sums := make([]int, n)
				require.NoError(t, p.Run(pages, func(tile, worker int) { sums[worker] += int(data[tile*page]) }))

				require.NoError(t, os.Truncate(name, int64(page)))
				const offset = 123
				err = failOne(p, bad, func() { sums[bad] += int(data[3*page+offset]) })
				var fault *FaultError
				require.ErrorAs(t, err, &fault)
				require.Equal(t, uintptr(unsafe.Pointer(&data[3*page]))+offset, fault.Addr)
				require.Contains(t, err.Error(), fmt.Sprintf("%#x", fault.Addr))
				checkRun(t, p, 50)
			})
		}
	}
}
