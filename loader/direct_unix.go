//go:build linux || darwin

package loader

import (
	"errors"
	"os"
	"syscall"
)

// reopenDirect returns nil: an open file can be switched.
func reopenDirect(*os.File) *os.File { return nil }

// refusesDirect reports whether an error says that a file system has no direct reads.
func refusesDirect(err error) bool { return errors.Is(err, syscall.EINVAL) }
