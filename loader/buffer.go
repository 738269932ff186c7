package loader

import (
	"fmt"
	"unsafe"
)

// Buffer is zeroed memory outside the Go heap, which the system commits page by
// page as it is written to: for KV caches, activations and streaming rings,
// whose sizes would otherwise drive the garbage collector.
type Buffer struct {
	region []byte
	used   int64
}

// NewBuffer returns a buffer of size bytes.
func NewBuffer(size int64) (*Buffer, error) {
	if size == 0 {
		return &Buffer{}, nil
	}
	if size < 0 || size != int64(int(size)) {
		return nil, fmt.Errorf("loader: cannot allocate %d bytes", size)
	}
	region, err := allocate(int(size))
	if err != nil {
		return nil, fmt.Errorf("loader: allocate %d bytes: %w", size, err)
	}
	return &Buffer{region: region}, nil
}

// HugePages asks for pages of 2 MiB, before anything is written. They spare most of the
// address translation where much is read from end to end, but the first byte that is
// written to one costs clearing all of it.
func (b *Buffer) HugePages() {
	if b.region != nil {
		hugeMemory(b.region)
	}
}

// Close gives the memory back. Slices taken from the buffer are invalid after it.
func (b *Buffer) Close() error {
	if b.region == nil {
		return nil
	}
	err := free(b.region)
	b.region, b.used = nil, 0
	return err
}

// lineBytes is the alignment of taken slices: a cache line.
const lineBytes = 64

// SizeOf returns what Take[T](b, n) uses of a buffer, in bytes.
func SizeOf[T any](n int) int64 {
	var zero T
	return (int64(n)*int64(unsafe.Sizeof(zero)) + lineBytes - 1) / lineBytes * lineBytes
}

// Take returns the next n values of the buffer, aligned to a cache line. T must
// not contain pointers. Taking more than the buffer holds is misuse and panics.
func Take[T any](b *Buffer, n int) []T {
	size := SizeOf[T](n)
	if size == 0 {
		return nil
	}
	bytes := b.region[b.used : b.used+size]
	b.used += size
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(bytes))), n)
}
