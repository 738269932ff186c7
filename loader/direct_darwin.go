package loader

import (
	"os"

	"golang.org/x/sys/unix"
)

// setDirect switches reads past the page cache on or off and reports whether
// they are as wanted.
func setDirect(f *os.File, on bool) bool {
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	arg, ok := 0, false
	if on {
		arg = 1
	}
	err = conn.Control(func(fd uintptr) {
		_, err := unix.FcntlInt(fd, unix.F_NOCACHE, arg)
		ok = err == nil
	})
	return ok && err == nil
}

// forgetCache does nothing: the system has no way to ask for it.
func forgetCache(f *os.File, offset, size int64) {}

// forget gives back the pages of a mapped file from a page's border on to the end of mapped.
func forget(f *os.File, mapped []byte, from int64) {
	_ = unix.Madvise(mapped[from:], unix.MADV_DONTNEED)
}
