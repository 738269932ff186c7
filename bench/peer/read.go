package main

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cortexsdr/cortex/loader"
)

// readJob is what a process that reads weights has to do.
type readJob struct {
	Model           string
	Threads, Passes int
	Fresh           bool // have the system read the file anew, as cortex asks it to
}

// readResult is what a process that read the weights prints, as JSON.
type readResult struct {
	Bytes int64     `json:"bytes"`
	Rates []float64 `json:"bytes_per_second"` // one for each pass, without the first, which pages the file in
}

// pieceBytes is what a thread reads at a time: few enough that all end together.
const pieceBytes = 1 << 20

// readWeights maps the model as cortex does and reads its weights from end to end, once to have them in memory and then
// Passes times in each way.
func readWeights(ctx context.Context, j readJob) (*readResult, error) {
	src, err := loader.Open(j.Model)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if j.Fresh {
		if err := readFresh(j.Model, src); err != nil {
			return nil, err
		}
	}
	var pieces [][]byte
	var r readResult
	for _, t := range src.Tensors {
		data := src.Data(t)
		r.Bytes += int64(len(data))
		for len(data) > 0 {
			n := min(pieceBytes, len(data))
			pieces = append(pieces, data[:n])
			data = data[n:]
		}
	}
	for pass := range j.Passes + 1 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		best := 0.0
		for _, read := range readers {
			start := time.Now()
			var wg sync.WaitGroup
			var sink atomic.Uint64
			var next atomic.Int64
			for range j.Threads {
				wg.Go(func() {
					var sum uint64
					for i := next.Add(1) - 1; i < int64(len(pieces)); i = next.Add(1) - 1 {
						sum ^= read(pieces[i])
					}
					sink.Add(sum) // so that the compiler cannot leave the reading out
				})
			}
			wg.Wait()
			best = max(best, float64(r.Bytes)/time.Since(start).Seconds())
		}
		if pass > 0 {
			r.Rates = append(r.Rates, best)
		}
	}
	return &r, nil
}

// readFresh empties the page cache of the file, of which src is the mapping, and fills it again in the way of cortex, which
// is in large pages where the file system has them. All that map the file afterwards have these pages.
func readFresh(path string, src *loader.Source) error {
	if err := forgetCached(path); err != nil {
		return err
	}
	var order []loader.Extent
	for _, t := range src.Tensors {
		order = append(order, loader.Extent{Part: t.Part, Offset: t.Offset, Size: t.Size})
	}
	r, err := loader.NewResident(src, order)
	if err != nil {
		return err
	}
	return r.Warm(nil)
}

// readers are the ways to read a piece, of which the faster one counts in every pass. They read one word
// of every cache line, so that memory has to deliver all of them, and return something that depends on
// all words.
var readers = []func(p []byte) uint64{readInOrder, readPages}

const (
	lineBytes = 64
	pageBytes = 4096
	streams   = 4
)

// readInOrder reads line after line.
func readInOrder(p []byte) (sum uint64) {
	for ; len(p) >= lineBytes; p = p[lineBytes:] {
		sum ^= binary.LittleEndian.Uint64(p)
	}
	if len(p) > 0 {
		sum ^= uint64(p[0])
	}
	return sum
}

// readPages goes through several pages at once, because some processors do not fetch ahead from one page into
// the next: on an Intel Sapphire Rapids this is faster than loops over consecutive lines in AVX2 or AVX-512,
// with and without prefetch instructions.
func readPages(p []byte) uint64 {
	var a, b, c, d uint64
	for len(p) >= streams*pageBytes {
		pages := (*[streams * pageBytes]byte)(p)
		for i := 0; i < pageBytes; i += lineBytes {
			a ^= binary.LittleEndian.Uint64(pages[i:])
			b ^= binary.LittleEndian.Uint64(pages[i+pageBytes:])
			c ^= binary.LittleEndian.Uint64(pages[i+2*pageBytes:])
			d ^= binary.LittleEndian.Uint64(pages[i+3*pageBytes:])
		}
		p = p[streams*pageBytes:]
	}
	return a ^ b ^ c ^ d ^ readInOrder(p)
}
