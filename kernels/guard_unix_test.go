//go:build linux || darwin

package kernels

import (
	"os"
	"syscall"
)

// guarded returns size bytes, rounded up to whole pages, between as many bytes
// on either side that cannot be touched.
func guarded(size int) ([]byte, error) {
	page := os.Getpagesize()
	size = (size + page - 1) / page * page
	all, err := syscall.Mmap(-1, 0, 3*size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	for _, guard := range [][]byte{all[:size], all[2*size:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			return nil, err
		}
	}
	return all[size : 2*size : 2*size], nil
}
