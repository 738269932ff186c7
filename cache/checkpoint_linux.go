package cache

import (
	"errors"
	"os"
	"syscall"
)

// reserveSpace has the file take its disk space, so that a full disk is found
// before the work begins. File systems that cannot do that find it later.
func reserveSpace(f *os.File, size int64) error {
	err := syscall.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINVAL) {
		return nil
	}
	return err
}
