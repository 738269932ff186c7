//go:build !linux

package loader

import "github.com/edsrzf/mmap-go"

// allocate returns zeroed memory.
func allocate(size int) ([]byte, error) {
	return mmap.MapRegion(nil, size, mmap.RDWR, mmap.ANON, 0)
}

func hugeMemory([]byte) {}

func free(b []byte) error {
	m := mmap.MMap(b)
	return m.Unmap()
}
