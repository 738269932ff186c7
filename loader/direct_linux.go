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
	ok := false
	err = conn.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		if err != nil {
			return
		}
		flags &^= unix.O_DIRECT
		if on {
			flags |= unix.O_DIRECT
		}
		_, err = unix.FcntlInt(fd, unix.F_SETFL, flags)
		ok = err == nil
	})
	return ok && err == nil
}

// forgetCache gives back the page cache of a range of the file. It is advice, so
// that errors do not matter.
func forgetCache(f *os.File, offset, size int64) {
	_ = unix.Fadvise(int(f.Fd()), offset, size, unix.FADV_DONTNEED)
}

// forget gives back the pages of a mapped file from a page's border on to the end of mapped.
func forget(f *os.File, mapped []byte, from int64) {
	_ = unix.Madvise(mapped[from:], unix.MADV_DONTNEED)
	forgetCache(f, from, int64(len(mapped))-from)
}
