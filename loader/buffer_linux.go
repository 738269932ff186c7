package loader

import "golang.org/x/sys/unix"

// allocate returns zeroed memory that is the process's own, and is counted as such.
func allocate(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
}

func hugeMemory(b []byte) {
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // advice only: kernels without huge pages refuse it
}

func free(b []byte) error { return unix.Munmap(b) }
