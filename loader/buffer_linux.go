package loader

import "golang.org/x/sys/unix"

// allocate returns zeroed memory that is the process's own: it is counted as
// such, and may have huge pages, which spare most of the address translation
// when a KV cache is read from end to end.
func allocate(size int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err == nil {
		_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // advice only: kernels without huge pages refuse it
	}
	return b, err
}

func free(b []byte) error { return unix.Munmap(b) }
