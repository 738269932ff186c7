//go:build linux && (amd64 || arm64)

package cache

import (
	"os"
	"syscall"
)

// forgetCache gives back the pages of a file that is on the disk. It is advice, so
// that errors do not matter.
func forgetCache(f *os.File) {
	const dontNeed = 4 // POSIX_FADV_DONTNEED
	_, _, _ = syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0)
}
