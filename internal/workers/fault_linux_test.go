package workers

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// pages is the length of the mappings; all but the first page are lost.
const pages = 8

// truncated returns a mapping of a file that has since been truncated: reading beyond its first page is a bus error.
func truncated(t *testing.T) []byte {
	page := os.Getpagesize()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, make([]byte, pages*page), 0o600))
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	data, err := unix.Mmap(int(f.Fd()), 0, pages*page, unix.PROT_READ, unix.MAP_SHARED)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(data)) })
	require.NoError(t, os.Truncate(name, int64(page)))
	return data
}

// forbidden returns a mapping of which only the first page may be read: reading beyond it is a segmentation fault.
func forbidden(t *testing.T) []byte {
	page := os.Getpagesize()
	data, err := unix.Mmap(-1, 0, pages*page, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(data)) })
	require.NoError(t, unix.Mprotect(data[page:], unix.PROT_NONE))
	return data
}

// reported tells whether a fault at p reaches Go with its address. qemu's user mode reports bus errors with address zero.
func reported(p *byte) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		access, _ := recover().(interface{ Addr() uintptr })
		ok = access != nil && access.Addr() == uintptr(unsafe.Pointer(p))
	}()
	return *p == 0
}

// Reading a lost page gives an error, whichever worker reads it, and the pool goes on.
func TestFault(t *testing.T) {
	for _, kind := range []struct {
		name string
		data func(*testing.T) []byte
	}{{"truncated", truncated}, {"forbidden", forbidden}} {
		for _, n := range sizes() {
			t.Run(fmt.Sprintf("%s/workers=%d", kind.name, n), func(t *testing.T) {
				page := os.Getpagesize()
				data := kind.data(t)
				lost := &data[3*page+123]
				if !reported(lost) {
					t.Skip("this system does not report the addresses of faults of this kind")
				}
				p := newPool(t, n)
				sums := make([]int, n)
				for bad := range n {
					require.NoError(t, p.Run(page, func(tile, worker int) { sums[worker] += int(data[tile]) }))
					err := failOne(p, bad, func() { sums[bad] += int(*lost) })
					var fault *FaultError
					require.ErrorAs(t, err, &fault)
					require.Equal(t, uintptr(unsafe.Pointer(lost)), fault.Addr)
					require.Contains(t, err.Error(), fmt.Sprintf("%#x", fault.Addr))
					checkRun(t, p, 50)
				}
			})
		}
	}
}
