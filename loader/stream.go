package loader

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Stream serves the blocks of a model that is larger than the memory it may
// take. Some blocks are pinned: read once, by Warm, and kept. The others pass
// through a ring of buffers, which requests in flight fill ahead of Acquire along the
// order of the blocks, over and over: after the last block comes the first
// again, unless Repeat says otherwise. Acquiring another block than the one that
// comes next is allowed; what was read ahead is then read in vain.
//
// Nothing is left in the page cache where the system can be told so (see
// directFile), and nothing is read through the mapping.
//
// Acquire, Release, Repeat and Lookup are for one goroutine at a time. Close may be
// called from any, but not during Warm, Lookup or Read.
type Stream struct {
	src    *Source
	order  []Extent
	layout StreamLayout
	files  []*directFile // by part
	buf    *Buffer
	pins   [][]byte // by block: the span of a pinned one
	pinned []int    // pinned blocks, by their place in the files
	lent   []int    // pinned blocks whose memory is lent
	row    []byte   // what Lookup returns
	cycle  []int    // streamed blocks, in order
	place  []int    // by block: its index in cycle, -1 for others

	blockBytes, rowBytes atomic.Int64 // read so far
	made                 atomic.Int64 // requests of blockBytes

	batch   *batch  // of the ring's reads; nil where goroutines make them
	disk    Disk    // what Warm has found
	reading reading // how the ring is filled

	readers sync.WaitGroup

	mu     sync.Mutex
	room   sync.Cond     // a slot is free, or reading goes on after a pause
	ready  sync.Cond     // a read has ended
	check  sync.Cond     // there are unchecked blocks
	slots  []slot        // read n goes to slot n % len(slots)
	pos    int           // index in cycle of the next block that is read
	rest   []request     // of the block that is being read, those that have not been made
	depth  int           // most requests in flight
	asked  repeat        // by the last call of Repeat
	todo   repeat        // of the walk that is being read
	next   int           // the number of the next read
	taken  int           // of the next one that is acquired
	freed  int           // of the next one that is released
	busy   int           // requests in flight
	checks int           // blocks that are compared with their checksums, or wait for that
	since  time.Time     // when the first of them was made, after a time without any
	worked time.Duration // time with requests in flight, before since
	paused bool          // no read is to begin
	closed bool

	vectors  int    // in a walk
	active   Shares // of channels, for each of them
	byRuns   []bool // by block: it is read by runs, and waits for the selection of them
	sel      selection
	requests []request // memory for rest

	unchecked []*slot // in the order in which they were read
}

// repeat says how often the blocks from an index in cycle on are read.
type repeat struct{ from, times int }

type slot struct {
	mem   []byte
	block int   // what it is for, where its read has begun
	size  int64 // bytes that are read of it
	left  int64 // of these, those that have not been read
	whole bool  // all of it is read, or
	by    int   // the channels of the selection of this number
	done  bool  // it has been read, or
	err   error // that failed
}

// NewStream returns a loader for the given blocks of src, which must be mapped,
// named in the order in which they will be acquired, with a layout of
// [LayOutStream] for them. Close must be called, before src is closed.
func NewStream(src *Source, order []Extent, layout StreamLayout) (*Stream, error) {
	if !src.Mapped() {
		return nil, errors.New("loader: only files can be streamed")
	}
	if err := src.checkExtents(order); err != nil {
		return nil, err
	}
	s := &Stream{src: src, order: order, layout: layout, pins: make([][]byte, len(order)), place: make([]int, len(order)),
		byRuns: make([]bool, len(order))}
	s.room.L, s.ready.L, s.check.L = &s.mu, &s.mu, &s.mu
	for _, p := range src.parts {
		s.files = append(s.files, newDirectFile(p.file))
	}
	var err error
	if s.buf, err = NewBuffer(layout.Bytes()); err != nil {
		for _, f := range s.files {
			f.Close()
		}
		return nil, fmt.Errorf("%w for streamed weights", err)
	}
	s.buf.HugePages()
	mem := Take[byte](s.buf, int(layout.Bytes())) // in whole pages, so every piece is aligned
	take := func(n int64) (b []byte) {
		b, mem = mem[:n:n], mem[n:]
		return b
	}
	s.row = take(layout.RowBytes)
	for range layout.Slots {
		s.slots = append(s.slots, slot{mem: take(layout.SlotBytes)})
	}
	for i, e := range order {
		s.place[i] = -1
		switch {
		case e.Row > 0:
		case layout.Pinned[i]:
			_, n := e.span()
			s.pins[i] = take(n)
			s.pinned = append(s.pinned, i)
		default:
			s.place[i] = len(s.cycle)
			s.cycle = append(s.cycle, i)
		}
	}
	s.asked = repeat{len(s.cycle), 1}
	s.todo = s.asked
	slices.SortFunc(s.pinned, func(a, b int) int { return order[a].compare(order[b]) })
	return s, nil
}

func (e Extent) compare(o Extent) int {
	return cmp.Or(cmp.Compare(e.Part, o.Part), cmp.Compare(e.Offset, o.Offset))
}

// read reads the span of a block, or of a row, to the front of mem.
func (s *Stream) read(e Extent, mem []byte) error {
	_, size := e.span()
	if err := s.readPiece(e, mem, 0, size); err != nil {
		return err
	}
	return s.src.Check(e, e.of(mem))
}

// readPiece reads size bytes of the span from byte at on, to the same place in mem.
func (s *Stream) readPiece(e Extent, mem []byte, at, size int64) error {
	from, _ := e.span()
	need := min(size, e.Offset+e.Size-from-at) // the last page may be cut off by the end of the file
	n, err := s.files[e.Part].read(mem[at:at+size], from+at, int(need))
	if err != nil {
		return s.src.errorAt(e.Part, max(e.Offset, from+at+int64(n)), err)
	}
	return nil
}

// of returns the bytes of a block, or of a row, in its span.
func (e Extent) of(span []byte) []byte {
	from, _ := e.span()
	return span[e.Offset-from:][:e.Size:e.Size]
}

// slot returns where read n goes.
func (s *Stream) slot(n int) *slot { return &s.slots[n%len(s.slots)] }

// Repeat says how often, in the walk that begins with the next Acquire, the
// blocks from block from to the last are acquired, as a whole each time: 0 is not
// at all. Without it they are once, as all others.
func (s *Stream) Repeat(from, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked.from, _ = slices.BinarySearch(s.cycle, from)
	s.asked.times = times
	if s.asked.from == len(s.cycle) {
		s.asked.times = 1 // they are all pinned
	}
	switch {
	case s.pos == s.asked.from && len(s.rest) == 0 && times == 0:
		s.pos, s.todo = 0, repeat{len(s.cycle), 1}
		s.room.Broadcast()
	case s.pos <= s.asked.from:
		s.todo = s.asked
	} // otherwise the ring is ahead of that, and Acquire sets it right
}

// step moves on to the block that is read next.
func (s *Stream) step() {
	s.pos++
	if s.pos == s.todo.from && s.todo.times == 0 {
		s.pos = len(s.cycle)
	}
	if s.pos < len(s.cycle) {
		return
	}
	s.sel.passed = true
	if s.todo.times--; s.todo.times > 0 {
		s.pos = s.todo.from
	} else {
		s.pos, s.todo = 0, repeat{len(s.cycle), 1}
	}
}

// readable reports whether there is something to read, and room for it.
func (s *Stream) readable() bool {
	return !s.paused && s.next != s.freed+len(s.slots) && (len(s.rest) > 0 || s.known(s.cycle[s.pos]))
}

// begin starts reading the next block.
func (s *Stream) begin() {
	slot := s.slot(s.next)
	slot.block = s.cycle[s.pos]
	e := s.order[slot.block]
	_, span := e.span()
	s.requests, slot.whole = e.requests(s.requests[:0], !s.awaits(slot.block) || s.sel.all, s.sel.index, s.disk.Gap, s.reading.request(span))
	s.rest = s.requests
	slot.by, slot.left, s.depth = s.sel.number, 0, s.reading.readers
	for _, r := range s.rest {
		slot.left += r.size
	}
	slot.size = slot.left
	if !slot.whole {
		s.depth = max(s.depth, runRequests)
	}
	if len(s.rest) > 1 {
		s.room.Broadcast()
	}
}

// take takes the next request, which there must be. It is in flight from then on, until finish.
func (s *Stream) take() (*slot, request) {
	if len(s.rest) == 0 {
		s.begin()
	}
	slot, r := s.slot(s.next), s.rest[0]
	if s.rest = s.rest[1:]; len(s.rest) == 0 {
		s.next++
		s.step()
	}
	if s.busy++; s.busy == 1 {
		s.since = time.Now()
	}
	return slot, r
}

// finish is told how a request ended.
func (s *Stream) finish(slot *slot, r request, err error) {
	s.blockBytes.Add(r.size)
	s.made.Add(1)
	if s.busy--; s.busy == 0 {
		s.worked += time.Since(s.since)
	}
	slot.left -= r.size
	slot.err = cmp.Or(slot.err, err)
	switch {
	case slot.left > 0:
	case slot.err == nil && slot.whole && s.order[slot.block].Checked && !s.closed:
		s.checks++
		s.unchecked = append(s.unchecked, slot)
		s.check.Signal()
	default:
		slot.done = true
	}
	if slot.done || s.busy+s.checks == 0 {
		s.ready.Broadcast()
	}
}

// readAhead is the life of a goroutine that fills the ring, of several.
func (s *Stream) readAhead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for !s.closed && (s.busy >= s.depth || !s.readable()) {
			s.room.Wait()
		}
		if s.closed {
			return
		}
		slot, r := s.take()
		e := s.order[slot.block]
		s.mu.Unlock()
		err := s.readPiece(e, slot.mem, r.at, r.size)
		s.mu.Lock()
		s.finish(slot, r, err)
	}
}

// checkBlocks is the life of a goroutine that compares blocks with their checksums.
func (s *Stream) checkBlocks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for !s.closed && len(s.unchecked) == 0 {
			s.check.Wait()
		}
		if len(s.unchecked) == 0 {
			return
		}
		slot := s.unchecked[0]
		s.unchecked = append(s.unchecked[:0], s.unchecked[1:]...)
		e := s.order[slot.block]
		s.mu.Unlock()
		err := s.src.Check(e, e.of(slot.mem))
		s.mu.Lock()
		s.checks--
		slot.err, slot.done = err, true
		s.ready.Broadcast()
	}
}

// Acquire returns the bytes of block i of the order, which is no table. They are
// valid until Release(i) and must not be written to; see [Stream.Select] for which of
// them are read. Blocks may be held
// together, as many as the ring has slots, if they are released in the order in
// which they were acquired.
//
// An error wraps [ErrTruncated], [ErrClosed] or one of the system. The block is
// read anew when it is acquired again; those that are held must be released before.
func (s *Stream) Acquire(i int) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, ErrClosed
	case s.pins[i] != nil:
		if slices.Contains(s.lent, i) {
			panic("loader: a block is acquired whose memory is lent")
		}
		return s.order[i].of(s.pins[i]), nil
	case s.place[i] < 0:
		panic("loader: a table is looked up, not acquired")
	}
	idle := s.taken == s.next && len(s.rest) == 0 // nothing has been read ahead
	if s.awaits(i) && (!s.sel.covers(i) || idle && s.sel.passed) {
		s.choose(i, i+1, nil)
	}
	if s.paused || s.comes() != i || s.stale() {
		s.seek(i)
	}
	slot := s.slot(s.taken)
	for !s.closed && !slot.done {
		s.ready.Wait()
	}
	switch {
	case s.closed:
		return nil, ErrClosed
	case slot.err != nil:
		s.paused = true // until it is known where to go on
		return nil, slot.err
	}
	s.taken++
	return s.order[i].of(slot.mem), nil
}

// comes returns the block that is acquired next if there is no seek.
func (s *Stream) comes() int {
	if s.taken < s.next {
		return s.slot(s.taken).block
	}
	return s.cycle[s.pos]
}

// stale reports whether the next block is being read, or has been, for channels that
// are not those that are wanted now.
func (s *Stream) stale() bool {
	begun := s.taken < s.next || len(s.rest) > 0
	slot := s.slot(s.taken)
	return begun && !slot.whole && slot.by != s.sel.number
}

// seek has the ring filled anew, from block i on.
func (s *Stream) seek(i int) {
	s.paused = true
	for s.busy+s.checks > 0 {
		s.ready.Wait()
	}
	s.pos, s.next, s.taken, s.freed, s.todo = s.place[i], 0, 0, 0, s.asked
	s.rest, s.sel.passed = nil, false
	for j := range s.slots {
		s.slots[j].done, s.slots[j].err = false, nil
	}
	s.paused = false
	s.room.Broadcast()
}

// Release gives block i back.
func (s *Stream) Release(i int) {
	if s.place[i] < 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.freed == s.taken || s.slot(s.freed).block != i {
		panic("loader: release of a block that is not the first held")
	}
	s.slot(s.freed).done, s.slot(s.freed).err = false, nil
	s.freed++
	s.room.Signal()
}

// Lookup returns a row of table i: size bytes from byte at on. They are valid
// until the next call and must not be written to.
func (s *Stream) Lookup(i int, at, size int64) ([]byte, error) {
	e := s.order[i]
	e.Offset, e.Size = e.Offset+at, size
	// A tied embedding is also a matrix, whose blocks may be pinned.
	j, ok := slices.BinarySearchFunc(s.pinned, e, func(b int, e Extent) int { return s.order[b].compare(e) })
	if !ok {
		j--
	}
	if j >= 0 {
		b := s.order[s.pinned[j]]
		if b.Part == e.Part && e.Offset+e.Size <= b.Offset+b.Size && !slices.Contains(s.lent, s.pinned[j]) {
			return b.of(s.pins[s.pinned[j]])[e.Offset-b.Offset:][:size:size], nil
		}
	}
	if err := s.read(e, s.row); err != nil {
		return nil, err
	}
	_, n := e.span()
	s.rowBytes.Add(n)
	return e.of(s.row), nil
}

// Read returns a copy of any bytes of the source, read as blocks are. It may be
// called from any goroutine until Close.
func (s *Stream) Read(e Extent) ([]byte, error) {
	_, size := e.span()
	mem := make([]byte, size+directAlign)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(mem)))) & (directAlign - 1)
	if err := s.read(e, mem[skip:]); err != nil {
		return nil, err
	}
	return e.of(mem[skip:]), nil
}

// BytesRead returns how many bytes of blocks that are not pinned, and of rows,
// have been asked of the system so far, what was read ahead included.
func (s *Stream) BytesRead() (blocks, rows int64) { return s.blockBytes.Load(), s.rowBytes.Load() }

// BytesAhead returns how many of the bytes of blocks that have been read lie in the ring, for what is acquired next.
func (s *Stream) BytesAhead() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	end := s.next
	if len(s.rest) > 0 {
		end++ // the read that has begun
	}
	for i := s.taken; i < end; i++ {
		slot := s.slot(i)
		n += slot.size - slot.left
	}
	return n
}

// Settle waits until the ring is full, or its reading has failed.
func (s *Stream) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed && (s.busy+s.checks > 0 || s.readable()) {
		s.ready.Wait()
	}
}

// Peek returns the bytes of block i if they are in memory, pinned or in the ring, and otherwise nil. They are valid until
// the next Acquire.
func (s *Stream) Peek(i int) []byte {
	if s.pins[i] != nil && !slices.Contains(s.lent, i) {
		return s.order[i].of(s.pins[i])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := s.taken; n < s.next; n++ {
		if slot := s.slot(n); slot.block == i && slot.whole && slot.done && slot.err == nil {
			return s.order[i].of(slot.mem)
		}
	}
	return nil
}

// Requests returns how many requests the ring has made.
func (s *Stream) Requests() int64 { return s.made.Load() }

// DiskTime returns for how long the ring has been reading: the time with at least
// one request in flight.
func (s *Stream) DiskTime() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy > 0 {
		return s.worked + time.Since(s.since)
	}
	return s.worked
}

// Close ends the reading and frees all buffers. An Acquire that waits fails with
// ErrClosed; blocks that are held are invalid. A second Close does nothing.
func (s *Stream) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.readers.Wait()
		return nil
	}
	s.closed = true
	s.room.Broadcast()
	s.ready.Broadcast()
	s.check.Broadcast()
	s.mu.Unlock()
	s.readers.Wait()
	if s.batch != nil {
		s.batch.close()
		s.batch = nil
	}
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	s.files = nil
	return errors.Join(append(errs, s.buf.Close())...)
}
