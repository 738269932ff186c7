package loader

import (
	"cmp"
	"fmt"
	"hash/crc32"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cortexsdr/cortex/format"
)

// Extent is a run of bytes of one part of the source: a weight block as the
// executor reads it.
type Extent struct {
	Part         int
	Offset, Size int64
	// Row, if not 0, marks a table of which single rows of as many bytes are
	// looked up, and which is not acquired as a whole.
	Row int64
	// Checked says that the CRC-32C of the bytes is CRC; they are compared when they
	// are read to be streamed, and not where they are mapped.
	Checked bool
	CRC     uint32
	Runs    Runs // of a block of a product
}

// Check compares the bytes of an extent with its checksum, if it has one.
func (s *Source) Check(e Extent, data []byte) error {
	if e.Checked && crc32.Checksum(data, format.Castagnoli) != e.CRC {
		return s.errorAt(e.Part, e.Offset, format.ErrChecksum)
	}
	return nil
}

// checkExtents returns an error if a block lies outside its part.
func (s *Source) checkExtents(order []Extent) error {
	for i, e := range order {
		if e.Part < 0 || e.Part >= len(s.parts) || e.Offset < 0 || e.Size < 0 || e.Row < 0 ||
			e.Offset > int64(len(s.parts[e.Part].data))-e.Size {
			return fmt.Errorf("loader: block %d lies outside the file: %+v", i, e)
		}
	}
	return nil
}

// Resident serves blocks straight from the source's mapping or bytes: every
// block is resident as soon as the system has paged it in, and releasing one
// costs nothing. It is safe for concurrent use.
type Resident struct {
	src   *Source
	order []Extent
}

// NewResident returns a loader for the given blocks of src, named in the order
// in which they will be acquired. It fails if a block lies outside its part. Mapped
// files are read in pages of 2 MiB from now on, where the system can.
func NewResident(src *Source, order []Extent) (*Resident, error) {
	if err := src.checkExtents(order); err != nil {
		return nil, err
	}
	for _, p := range src.parts {
		if p.mapped != nil {
			hugePages(p.mapped)
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

// Lookup returns size bytes of block i from byte at on. They must not be
// written to.
func (r *Resident) Lookup(i int, at, size int64) ([]byte, error) {
	b, err := r.Acquire(i)
	if err != nil {
		return nil, err
	}
	return b[at:][:size:size], nil
}

// Close does nothing: the bytes are the source's.
func (r *Resident) Close() error { return nil }

const (
	// warmChunk is how many bytes are paged in between two calls of the progress function.
	warmChunk = 32 << 20
	// warmers is the most goroutines that page in: the time goes into entering pages that are in memory
	// already into the page table, or else the disk sets the pace, and serves a few requests at once best.
	warmers = 4
)

// Warm pages in every block of the order, once each, so that the first token
// does not wait for the disk piecemeal, and calls progress (which may be nil)
// with the bytes done and the bytes in all.
func (r *Resident) Warm(progress func(done, total int64)) error {
	if progress == nil {
		progress = func(done, total int64) {}
	}
	var done, total int64
	var chunks [][]byte
	seen := map[Extent]bool{} // a block that is read twice in a pass (a tied embedding) counts once
	for i, e := range r.order {
		e.Row = 0
		if seen[e] {
			continue
		}
		seen[e] = true
		total += e.Size
		b, err := r.Acquire(i)
		if err != nil {
			return err
		}
		for len(b) > 0 {
			n := min(len(b), warmChunk)
			chunks = append(chunks, b[:n])
			b = b[n:]
		}
	}

	type result struct {
		bytes int64
		err   error
	}
	var next atomic.Int64
	var running sync.WaitGroup
	results := make(chan result)
	for range min(warmers, runtime.GOMAXPROCS(0), len(chunks)) {
		running.Go(func() {
			err := r.src.Protect(func() error {
				for i := next.Add(1) - 1; i < int64(len(chunks)); i = next.Add(1) - 1 {
					if r.src.Mapped() {
						populate(chunks[i])
					}
					results <- result{bytes: int64(len(chunks[i]))}
				}
				return nil
			})
			if err != nil {
				results <- result{err: err}
			}
		})
	}
	go func() {
		running.Wait()
		close(results)
	}()
	stop := func() { next.Store(int64(len(chunks))) }
	defer func() { // progress may panic, and no goroutine must be left behind
		stop()
		for range results {
		}
	}()
	var failure error
	for res := range results {
		if res.err != nil {
			stop()
			failure = cmp.Or(failure, res.err)
			continue
		}
		done += res.bytes
		progress(done, total)
	}
	return failure
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
