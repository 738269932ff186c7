package loader

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// reopenDirect opens the file once more, for reads past the system's cache, several at a time. It returns nil if
// that is not possible, or the name means another file by now.
func reopenDirect(f *os.File) *os.File {
	name, err := windows.UTF16PtrFromString(f.Name())
	if err != nil {
		return nil
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE,
		nil, windows.OPEN_EXISTING, windows.FILE_FLAG_NO_BUFFERING|windows.FILE_FLAG_OVERLAPPED, 0)
	if err != nil {
		return nil
	}
	direct := os.NewFile(uintptr(h), f.Name())
	a, errA := f.Stat()
	b, errB := direct.Stat()
	if errA != nil || errB != nil || !os.SameFile(a, b) {
		direct.Close()
		return nil
	}
	return direct
}

// setDirect reports whether reads past the cache can be switched: they cannot, for
// a file that is open already.
func setDirect(f *os.File, on bool) bool { return !on }

// refusesDirect reports whether an error says that a file system has no direct reads.
func refusesDirect(err error) bool { return errors.Is(err, windows.ERROR_INVALID_PARAMETER) }

// forgetCache and forget do nothing: the system has no way to ask for it.
func forgetCache(f *os.File, offset, size int64)   {}
func forget(f *os.File, mapped []byte, from int64) {}
