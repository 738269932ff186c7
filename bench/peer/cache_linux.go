package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// forgetCached drops the pages of a file from the page cache, except those that a process has mapped.
func forgetCached(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil { // pages that are not on the disk cannot be dropped
		return err
	}
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}
