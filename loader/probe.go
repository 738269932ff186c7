package loader

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Disk is what Warm has found out about the disk that the blocks come from.
type Disk struct {
	BytesPerSecond float64 // of reads as they fill the ring; 0 if nothing was read
	Request        int64   // bytes of a request, at most
	Readers        int     // requests in flight
	Gap            int64   // between runs of channels, bytes that are read sooner than another request; 0 if there are no runs
}

// Disk returns what Warm has found out.
func (s *Stream) Disk() Disk { return s.disk }

// A reading is a way to read blocks: each one by so many requests of about the same size, so
// many of which are in flight, each by a goroutine of its own while the disk is measured.
type reading struct{ requests, readers int }

// request returns the size of the requests for a span.
func (r reading) request(span int64) int64 {
	return alignUp((span + int64(r.requests) - 1) / int64(r.requests))
}

// readings are the ways that Warm tries, the best guess first. A block is about 2 MiB (see
// model.DefaultStreamBlock), and larger requests are of no use: systems cut them into less than that.
//
// GB/s of direct reads, median of 3 runs of 256 MiB each, of a virtual disk (bench/limits disk):
//
//	         1 reader  2 readers  4 readers  8 readers
//	256 KiB      1.00       1.10       1.32       2.19
//	512 KiB      1.05       1.18       2.60       2.56
//	1 MiB        1.26       2.79       2.45       2.13
//	2 MiB        2.71       2.72       2.75       2.47
//	4 MiB        2.88       2.62       2.55       2.51
var readings = []reading{{1, 4}, {1, 8}, {4, 8}, {1, 2}, {1, 1}}

const (
	// trialBytes are read in one way at a time, or less if that takes longer than trialTime.
	trialBytes = 64 << 20
	trialTime  = 60 * time.Millisecond
	// probeTime is the most that all trials together take, the last one of which may be longer by a request.
	probeTime = 800 * time.Millisecond
	// rounds is how often a way that is not clearly worse than another is tried.
	rounds = 3
	// worse is the share of the best way's speed below which a way is not tried again.
	worse = 0.85
	// better is by how much a way must be faster than the one that stands before it in the list:
	// disks are not so steady that less would mean anything, and few requests at once, which are at the end,
	// do worse when readers wait for a processor that multiplies.
	better = 1.2
)

// checkers is how many goroutines compare blocks with their checksums.
const checkers = 2

// trial is what is known of a way.
type trial struct {
	reading
	rates []float64 // of each time that it was tried, in bytes per second
	bytes int64     // of the last time
	took  time.Duration
}

// rate is the median: others may have used the disk for a moment.
func (t *trial) rate() float64 {
	n := len(t.rates)
	if n == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t.rates))
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Warm reads the pinned blocks, calls progress (which may be nil) with the bytes
// done and the bytes in all, and then has the ring filled. Meanwhile it finds out how the
// disk is read best, for a second at most. Only if little is pinned, blocks are read for that alone.
func (s *Stream) Warm(progress func(done, total int64)) error {
	if progress == nil {
		progress = func(done, total int64) {}
	}
	for i := range s.slots {
		commit(s.slots[i].mem)
	}
	var done int64
	w := warming{s: s, blocks: append(s.pinned[:len(s.pinned):len(s.pinned)], s.cycle...), report: func(n int64) {
		done += n
		progress(done, s.layout.PinnedBytes)
	}}
	best, err := w.probe()
	if err != nil {
		return err
	}
	read := s.pinned[:min(w.next, len(s.pinned))]
	if err := s.checkPins(read); err != nil {
		return err
	}
	if w.next < len(s.pinned) {
		rest := trial{reading: best.reading} // its speed says little: memory is committed meanwhile
		if err := w.read(&rest, len(s.pinned), time.Time{}); err != nil {
			return err
		}
		if err := s.checkPins(s.pinned[len(read):]); err != nil {
			return err
		}
	}
	_, size, _ := sizes(s.order)
	s.reading = best.reading
	s.disk = Disk{BytesPerSecond: best.rate(), Request: best.request(size), Readers: best.readers}
	s.depth = best.readers
	readers := min(best.readers, len(s.slots)*best.requests)
	depth := readers
	has := func(what func(e *Extent) bool) bool {
		return slices.ContainsFunc(s.cycle, func(i int) bool { return what(&s.order[i]) })
	}
	byRuns := has(func(e *Extent) bool { return e.Runs.Bytes > 0 })
	if byRuns {
		readers, depth = max(readers, runReaders), max(depth, runRequests)
	}
	if depth > 0 && !slices.ContainsFunc(s.files, func(f *directFile) bool { return f.direct() == nil }) {
		s.batch = newBatch(depth)
	}
	if byRuns {
		if s.disk.Gap = s.layout.Gap; s.disk.Gap == 0 {
			if s.disk.Gap, err = s.measureGap(best.rate()); err != nil {
				return err
			}
		}
	}
	if s.batch != nil {
		s.readers.Go(func() { s.readBatches(depth) })
	} else {
		for range readers {
			s.readers.Go(s.readAhead)
		}
	}
	if has(func(e *Extent) bool { return e.Checked }) {
		for range checkers {
			s.readers.Go(s.checkBlocks)
		}
	}
	return nil
}

// readPins reads pinned blocks to their places.
func (s *Stream) readPins(blocks []int) error {
	w := warming{s: s, blocks: blocks, report: func(int64) {}}
	if err := w.read(&trial{reading: s.reading}, len(blocks), time.Time{}); err != nil {
		return err
	}
	return s.checkPins(blocks)
}

// checkPins compares pinned blocks with their checksums.
func (s *Stream) checkPins(blocks []int) error {
	errs := make([]error, warmers)
	var wait sync.WaitGroup
	for part := range errs {
		wait.Go(func() {
			for i := part; i < len(blocks) && errs[part] == nil; i += warmers {
				e := s.order[blocks[i]]
				errs[part] = s.src.Check(e, e.of(s.pins[blocks[i]]))
			}
		})
	}
	wait.Wait()
	return cmp.Or(errs...)
}

// warming reads blocks one after the other.
type warming struct {
	s      *Stream
	blocks []int
	report func(bytes int64) // of pinned blocks

	mu   sync.Mutex
	next int   // index in blocks
	last int   // the one before which reading ends
	at   int64 // where in its span the next request begins
	end  bool  // no block is to be begun any more
}

// probe tries the ways and returns the best one. It ends early where blocks do.
func (w *warming) probe() (*trial, error) {
	trials := make([]trial, len(readings))
	for i, r := range readings {
		trials[i].reading = r
	}
	best := &trials[0]
	var took time.Duration
	for round := range rounds {
		most := 0.0
		for i := range trials {
			most = max(most, trials[i].rate())
		}
		var left []*trial
		for i := range trials {
			if t := &trials[i]; round == 0 || t.rate() >= worse*most {
				left = append(left, t)
			}
		}
		if round > 0 && len(left) == 1 {
			break
		}
		for _, t := range left {
			if w.next == len(w.blocks) || took > probeTime {
				break
			}
			if err := w.try(t); err != nil {
				return nil, err
			}
			took += t.took
		}
	}
	for i := range trials {
		if trials[i].rate() > better*best.rate() {
			best = &trials[i]
		}
	}
	return best, nil
}

// try reads some blocks in one way and takes the time. Their memory is committed before: the first touch of a page
// can take longer than reading it, and happens once only.
func (w *warming) try(t *trial) error {
	last, bytes := w.next, int64(0)
	for ; last < len(w.blocks) && bytes < trialBytes; last++ {
		block := w.blocks[last]
		_, span := w.s.order[block].span()
		commit(w.s.pins[block])
		bytes += span
	}
	err := w.read(t, last, time.Now().Add(trialTime))
	if t.bytes > 0 && t.took > 0 {
		t.rates = append(t.rates, float64(t.bytes)/t.took.Seconds())
	}
	return err
}

// read reads blocks in one way, up to the one before last, or until it is time, which the zero time never is.
func (w *warming) read(t *trial, last int, until time.Time) (err error) {
	type result struct {
		bytes  int64
		pinned bool
		err    error
	}
	results := make(chan result)
	var readers sync.WaitGroup
	w.end, w.last, t.bytes = false, last, 0
	start := time.Now()
	for range t.readers {
		readers.Go(func() {
			for {
				block, at, size := w.take(t.reading, until)
				if size == 0 {
					return
				}
				mem := w.s.pins[block]
				pinned := mem != nil
				if !pinned { // read in vain, into whatever slot
					mem = w.s.slots[block%len(w.s.slots)].mem
				}
				if until.IsZero() {
					commit(mem[at : at+size]) // while others read
				}
				err := w.s.readPiece(w.s.order[block], mem, at, size)
				results <- result{size, pinned, err}
			}
		})
	}
	go func() {
		readers.Wait()
		close(results)
	}()
	defer func() { // the report may panic, and no goroutine must be left behind
		w.stop()
		for range results {
		}
	}()
	for r := range results {
		if r.err != nil {
			w.stop()
			err = cmp.Or(err, r.err)
			continue
		}
		t.bytes += r.bytes
		if r.pinned {
			w.report(r.bytes)
		}
	}
	t.took = time.Since(start)
	return err
}

// take returns what is to be read next, size 0 if that is nothing.
func (w *warming) take(r reading, until time.Time) (block int, at, size int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at == 0 {
		w.end = w.end || w.next == w.last || !until.IsZero() && time.Now().After(until)
		if w.end {
			return 0, 0, 0
		}
	}
	block, at = w.blocks[w.next], w.at
	_, span := w.s.order[block].span()
	size = min(r.request(span), span-at)
	if w.at += size; w.at == span {
		w.at = 0
		w.next++
	}
	return block, at, size
}

// stop has no block begun any more.
func (w *warming) stop() {
	w.mu.Lock()
	w.end = true
	w.mu.Unlock()
}

// commit has the system provide the memory of b, which may be overwritten.
func commit(b []byte) {
	const page = 4096 // the smallest of any supported system
	for i := 0; i < len(b); i += page {
		b[i] = 0
	}
}
