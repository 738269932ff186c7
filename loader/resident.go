package loader

import (
	"fmt"
)

// Extent is a run of bytes of one part of the source: a weight block as the
// executor reads it.
type Extent struct {
	Part         int
	Offset, Size int64
}

// Resident serves blocks straight from the source's mapping or bytes: every
// block is resident as soon as the system has paged it in, and releasing one
// costs nothing. It is safe for concurrent use.
type Resident struct {
	src   *Source
	order []Extent
}

// NewResident returns a loader for the given blocks of src, named in the order
// in which they will be acquired. It fails if a block lies outside its part.
func NewResident(src *Source, order []Extent) (*Resident, error) {
	for i, e := range order {
		if e.Part < 0 || e.Part >= len(src.parts) || e.Offset < 0 || e.Size < 0 ||
			e.Offset > int64(len(src.parts[e.Part].data))-e.Size {
			return nil, fmt.Errorf("loader: block %d lies outside the file: %+v", i, e)
		}
	}
	return &Resident{src: src, order: order}, nil
}

// Acquire returns the bytes of block i of the order. They are valid until
// Release(i) and must not be written to.
func (r *Resident) Acquire(i int) ([]byte, error) {
	e := r.order[i]
	data := r.src.parts[e.Part].data
	if data == nil && e.Size > 0 {
		return nil, ErrClosed
	}
	return data[e.Offset : e.Offset+e.Size : e.Offset+e.Size], nil
}

// Release gives block i back.
func (r *Resident) Release(i int) {}

// warmChunk is how many bytes are paged in between two calls of the progress function.
const warmChunk = 64 << 20

// Warm pages in every block of the order, once each, so that the first token
// does not wait for the disk piecemeal, and calls progress (which may be nil)
// with the bytes done and the bytes in all.
func (r *Resident) Warm(progress func(done, total int64)) error {
	if progress == nil {
		progress = func(done, total int64) {}
	}
	var done, total int64
	var once []int // blocks; one that is read twice in a pass (a tied embedding) counts once
	seen := map[Extent]bool{}
	for i, e := range r.order {
		if !seen[e] {
			seen[e] = true
			once = append(once, i)
			total += e.Size
		}
	}
	return r.src.Protect(func() error {
		for _, i := range once {
			b, err := r.Acquire(i)
			if err != nil {
				return err
			}
			for len(b) > 0 {
				n := min(len(b), warmChunk)
				if r.src.Mapped() {
					populate(b[:n])
				}
				b, done = b[n:], done+int64(n)
				progress(done, total)
			}
		}
		return nil
	})
}

// touch reads one byte of every page of b. It is not inlined, so that the
// compiler cannot drop the reads.
//
//go:noinline
func touch(b []byte) (sum byte) {
	const page = 4096 // the smallest page of any supported system
	for i := 0; i < len(b); i += page {
		sum += b[i]
	}
	return sum
}
