//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package cortex

import (
	"os"
	"syscall"
)

// lock locks a file until it is closed, also by the end of the process. It fails at once if another has locked it.
func lock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
