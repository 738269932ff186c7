//go:build linux || darwin

package main

import (
	"math"

	"golang.org/x/sys/unix"
)

// freeDisk returns the bytes that may still be written in a folder.
func freeDisk(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	if block := int64(st.Bsize); st.Bavail <= uint64(math.MaxInt64/block) {
		return int64(st.Bavail) * block, nil
	}
	return math.MaxInt64, nil
}
