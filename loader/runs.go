package loader

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Runs says where the channels of a block of a product lie in it, each of which can be
// read without the others.
type Runs struct {
	Values       int64 // where the first run begins; what lies before it is always read
	Bytes        int64 // of a run, which follow each other; 0 if the block is read as a whole
	First, Count int   // the channel of the first run, and how many there are
}

// selection is the channels of a product that are read.
type selection struct {
	number   int     // of the selections so far
	from, to int     // blocks of the product
	index    []int32 // channels, ascending, or
	all      bool    // of them
	passed   bool    // the ring has begun with the next walk
}

// Shares says, by block, what share of its channels is active about for one vector. Nil says that all are.
type Shares []float32

// of returns the share of the channels of a block that are active for any of some vectors, as if each
// chose its own.
func (s Shares) of(block, vectors int) float64 {
	if s == nil {
		return 1
	}
	return 1 - math.Pow(1-float64(s[block]), float64(vectors))
}

// same reports whether two are the same memory.
func (s Shares) same(o Shares) bool { return unsafe.SliceData(s) == unsafe.SliceData(o) }

// Selective says what shares of the channels of products are active, for each of some vectors, from the next Acquire
// on; they must not change. Blocks of which reading runs saves enough wait until [Stream.Select] has said which of
// them. Others are read as a whole, further ahead.
func (s *Stream) Selective(vectors int, active Shares) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active.same(active) && (s.vectors == vectors || active == nil) {
		return
	}
	s.vectors, s.active = vectors, active
	for i, e := range s.order {
		s.byRuns[i] = e.byRuns(active.of(i, vectors), s.disk.Gap)
	}
	s.sel.number++
	s.sel.from, s.sel.to = 0, 0
	s.room.Broadcast()
}

// Select says which channels are used of the blocks from block from up to to
// (exclusive), which are a product, when they are acquired next: those of index, ascending, or all of
// them if that is nil. The bytes of other channels are undefined then. It must be
// called before the first of them is acquired; a block of a product that is
// acquired without is read as a whole.
func (s *Stream) Select(from, to int, index []int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active != nil {
		s.choose(from, to, index)
	}
}

func (s *Stream) choose(from, to int, index []int32) {
	s.sel.number++
	s.sel.from, s.sel.to, s.sel.passed = from, to, false
	s.sel.index, s.sel.all = append(s.sel.index[:0], index...), index == nil
	s.room.Broadcast()
}

// awaits reports whether block i is not to be read before its selection is known.
func (s *Stream) awaits(i int) bool { return s.byRuns[i] }

func (l *selection) covers(i int) bool { return l.from <= i && i < l.to }

// known reports whether the ring may go on with block i.
func (s *Stream) known(i int) bool { return !s.awaits(i) || s.sel.covers(i) && !s.sel.passed }

// request is some bytes of the span of a block.
type request struct{ at, size int64 }

// requests appends to list what is to be read of a block for the channels of index, or for all of
// them: in requests of at most most bytes, of which two are made one where there are
// at most gap bytes between them. whole reports whether that is all bytes.
func (e Extent) requests(list []request, all bool, index []int32, gap, most int64) (_ []request, whole bool) {
	from, span := e.span()
	add := func(at, end int64) {
		for ; at < end; at += most {
			list = append(list, request{at, min(most, end-at)})
		}
	}
	r := e.Runs
	if all || r.Bytes == 0 {
		add(0, span)
		return list, true
	}
	first := e.Offset - from + r.Values
	begin, end := int64(0), min(span, alignUp(max(1, first))) // something of every block, so that it is waited for
	i, _ := slices.BinarySearch(index, int32(r.First))
	for _, j := range index[i:] {
		if int(j) >= r.First+r.Count {
			break
		}
		at := first + int64(int(j)-r.First)*r.Bytes
		if from := at &^ (directAlign - 1); from-end > gap {
			add(begin, end)
			begin = from
		}
		end = max(end, min(span, alignUp(at+r.Bytes)))
	}
	add(begin, end)
	return list, begin == 0 && end == span
}

// cost returns what share of the values of a block is read about, by runs, if a share of its channels is active,
// none of them more often than others, and what it costs, all values being 1.
func (r Runs) cost(active float64, gap int64) (read, cost float64) {
	pages := int64(0) // what whole pages add to a request
	if r.Bytes%directAlign != 0 {
		pages = directAlign - r.Bytes%directAlign&-(r.Bytes%directAlign)
	}
	// Of the gaps between active channels, those of k others have the share active * (1-active)^k. They are
	// read through if they are short enough.
	read, p := active, active*active
	left := active // gaps that are not
	for k := int64(0); k <= int64(r.Count) && k*r.Bytes-pages <= gap; k++ {
		read += float64(k) * p
		left -= p
		p *= 1 - active
	}
	read = min(1, read+left*float64(pages)/float64(r.Bytes))
	return read, read + left*float64(gap)/float64(r.Bytes)
}

// worthRuns is the cost of runs below which a block is read by them. The disk may have to wait for
// what is read by runs.
const worthRuns = 0.9

// byRuns reports whether a block is read by runs.
func (e Extent) byRuns(active float64, gap int64) bool {
	if e.Runs.Bytes == 0 || active >= 1 {
		return false
	}
	_, cost := e.Runs.cost(active, gap)
	return cost < worthRuns
}

// saves returns about what share of a block's bytes, or of those that the disk would read in that time, need not be read
// where it is pinned.
func (e Extent) saves(active float64, gap int64) float64 {
	if !e.byRuns(active, gap) {
		return 1
	}
	_, cost := e.Runs.cost(active, gap)
	_, span := e.span()
	return max(0, 1-(1-cost)*float64(e.Runs.Bytes)*float64(e.Runs.Count)/float64(span))
}

// Sparse returns how many bytes are read about for a walk along the order with one vector of which
// these shares of the channels are active, where gaps of so many bytes are read through, and how many bytes
// the disk would read as a whole in the time that it takes.
func (l *StreamLayout) Sparse(order []Extent, shares Shares, gap int64) (bytes, cost int64) {
	var less, saved float64
	for i, e := range order {
		if e.Row > 0 || l.Pinned[i] {
			continue
		}
		_, span := e.span()
		bytes += span
		active := shares.of(i, 1)
		if e.byRuns(active, gap) {
			values := float64(e.Runs.Bytes) * float64(e.Runs.Count)
			read, cost := e.Runs.cost(active, gap)
			less += (1 - read) * values
			saved += (1 - cost) * values
		}
	}
	return bytes - int64(less), bytes - int64(saved)
}

const (
	// runRequests is how many requests are in flight where they are small: with twice as many a token takes as
	// long, with half as many a twentieth longer. runReaders is the most goroutines that make them, a thread each, if there
	// are no batches.
	runRequests = 64
	runReaders  = 32
	// costTime is how long requests of each of costSizes are timed.
	costTime = 30 * time.Millisecond
)

var costSizes = []int64{4 << 10, 16 << 10, 64 << 10}

// measureGap finds out how many bytes the disk reads, at the rate that Warm has
// found, in the time that one request more takes: the median of what requests of several
// small sizes show, along the order from a random place, as many at once as there are when runs are read.
func (s *Stream) measureGap(rate float64) (gap int64, err error) {
	var gaps []int64
	for _, size := range costSizes {
		if size > s.layout.SlotBytes {
			break
		}
		perSecond, err := s.timeRequests(size)
		if err != nil {
			return 0, err
		}
		gaps = append(gaps, max(0, int64(rate/perSecond)-size))
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2], nil
}

// timeRequests returns how many requests of so many bytes the disk answers in a second, if as much is left out
// after each.
func (s *Stream) timeRequests(size int64) (perSecond float64, err error) {
	each := int(s.layout.SlotBytes / size) // that have a place of their own in a slot
	perBlock := max(1, s.layout.SlotBytes/(2*size))
	var next, done atomic.Int64
	next.Store(rand.Int64N(int64(len(s.cycle))) * perBlock) //nolint:gosec // a place on a disk
	most := runReaders
	if s.batch != nil {
		most = runRequests
	}
	readers := min(most, each*len(s.slots))
	place := func() (e Extent, from, need int64) {
		i := next.Add(1)
		e = s.order[s.cycle[i/perBlock%int64(len(s.cycle))]]
		from, span := e.span()
		from += min(i%perBlock*2*size, max(0, span-size))
		return e, from, min(size, e.Offset+e.Size-from)
	}
	mem := func(k int) []byte { return s.slots[k/each].mem[int64(k%each)*size:][:size] }
	read := func(k int) error {
		e, from, need := place()
		at, err := s.files[e.Part].read(mem(k), from, int(need))
		if err != nil {
			return s.src.errorAt(e.Part, max(e.Offset, from+int64(at)), err)
		}
		done.Add(1)
		return nil
	}
	start := time.Now()
	if s.batch != nil {
		err = s.timeBatches(readers, func(k int) {
			e, from, _ := place()
			s.batch.add(k, s.files[e.Part].file, mem(k), from)
		}, func(k, bytes int) error {
			if bytes == 0 {
				return read(k)
			}
			done.Add(1)
			return nil
		})
		return float64(done.Load()) / time.Since(start).Seconds(), err
	}
	errs := make([]error, readers)
	var wait sync.WaitGroup
	for k := range readers {
		wait.Go(func() {
			for n := 0; errs[k] == nil && (n == 0 || time.Since(start) < costTime); n++ {
				errs[k] = read(k)
			}
		})
	}
	wait.Wait()
	return float64(done.Load()) / time.Since(start).Seconds(), cmp.Or(errs...)
}
