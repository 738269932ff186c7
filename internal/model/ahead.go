package model

import (
	"slices"
	"sync/atomic"

	"github.com/cortexsdr/cortex/kernels"
)

// Between two products of a token lie some microseconds in which memory would
// rest: a barrier, norms, the rounding of activations, attention. Workers that
// have nothing to do then fetch the weights that the plan needs next.

// ahead is what is fetched before a product: the beginning of each worker's share
// of the weights.
type ahead struct {
	weights  [][][]byte     // by worker: some runs of memory
	next     []atomic.Int32 // by worker: its first piece that nobody has fetched
	channels bool           // of a product that is stored channel by channel: if all are active
}

const (
	// aheadBytes is how much of a worker's share is fetched: what memory delivers
	// in the time between two products, and little enough to stay in the second cache.
	aheadBytes = 128 << 10
	// pieceBytes is what is fetched between two looks at whether the wait is over.
	pieceBytes = 1 << 10
)

// planAhead tells every step which weights to fetch: those of the product that
// follows, or of the next token's first. It is for weights that are all resident.
func (e *exec) planAhead() error {
	// What lies behind a gate is read by rows that are not known yet.
	isProduct := func(s step) bool { return s.gate == nil && len(s.rounds) > 0 || s.channels != nil }
	first := slices.IndexFunc(e.steps, isProduct)
	if first < 0 {
		return nil
	}
	start, err := e.beginnings(&e.steps[first])
	next := start
	for i := len(e.steps) - 1; i >= 0 && err == nil; i-- {
		s := &e.steps[i]
		s.ahead = next
		switch {
		case i == first:
			next = start
		case isProduct(*s):
			next, err = e.beginnings(s)
		}
	}
	return err
}

// beginnings returns the beginnings of the workers' shares of a product, as far as
// they lie in one matrix or block.
func (e *exec) beginnings(s *step) (a *ahead, err error) {
	n := e.pool.Workers()
	a = &ahead{weights: make([][][]byte, n), next: make([]atomic.Int32, n), channels: s.channels != nil}
	for w := range n {
		if s.channels != nil {
			a.weights[w], err = e.beginningOfChannels(s.channels, w)
		} else {
			a.weights[w], err = e.beginningOfRows(&s.rounds[0], w) // the only one
		}
		if err != nil {
			return nil, err
		}
	}
	return a, nil
}

// beginningOfRows returns the beginning of a worker's rows.
func (e *exec) beginningOfRows(r *round, worker int) ([][]byte, error) {
	tile, end := e.pool.Share(worker, r.tiles[oneByOne])
	if tile == end {
		return nil, nil
	}
	b, from, _ := r.tile(tile, oneByOne)
	data, err := e.m.load.Acquire(b.index)
	if err != nil {
		return nil, err
	}
	defer e.m.load.Release(b.index)
	data = data[from*b.rowBytes:]
	return [][]byte{data[:min(len(data), aheadBytes)]}, nil
}

// beginningOfChannels returns the beginning of a worker's channels, all of which are active: their
// scales and their weights. Those of packed blocks are not fetched.
func (e *exec) beginningOfChannels(c *channels, worker int) ([][]byte, error) {
	w := &e.channel
	w.block, w.to, w.n = 0, len(c.blocks), 1
	w.inputs[0].All(c.Product.Channels)
	w.shareOut(c, e.pool.Workers())
	share, end := e.pool.Share(worker, len(w.shares))
	if share == end {
		return nil, nil
	}
	s := &w.shares[share]
	if c.Packed(s.block) {
		return nil, nil
	}
	data, err := e.m.load.Acquire(c.Block + s.block)
	if err != nil {
		return nil, err
	}
	defer e.m.load.Release(c.Block + s.block)
	scales, values, _, _ := c.Product.Block(s.block, data)
	b := &c.blocks[s.block]
	from := (s.from - b.First) * b.Groups
	scales, values = scales[2*from:], values[kernels.SDRGroupBytes*from:]
	values = values[:min(len(values), aheadBytes)]
	return [][]byte{scales[:min(len(scales), len(values)/kernels.SDRGroupBytes*2)], values}, nil
}

// fetchAhead has idle workers fetch what the plan needs after a step.
func (e *exec) fetchAhead(s *step) {
	a := s.ahead
	if a == nil || e.many != oneByOne || e.sparse && a.channels || e.ahead.Load() == a {
		return
	}
	for w := range a.next {
		a.next[w].Store(0)
	}
	e.ahead.Store(a)
}

// Ahead is what a worker does while it waits: it fetches a piece of its share of
// the next weights, or, when it has them, of the share of the worker that is busy
// between the products. It reports whether there was one.
func (m *Model) Ahead(worker int) bool {
	a := m.exec.ahead.Load()
	return a != nil && (a.fetch(worker) || worker != 0 && a.fetch(0))
}

func (a *ahead) fetch(worker int) bool {
	next := &a.next[worker]
	if int(next.Load()) >= a.pieces(worker) {
		return false
	}
	n := int(next.Add(1) - 1)
	for _, run := range a.weights[worker] {
		if at := n * pieceBytes; at < len(run) {
			kernels.Prefetch(run[at:min(at+pieceBytes, len(run))])
			break
		}
		n -= ceil(len(run), pieceBytes)
	}
	return true
}

// pieces returns how many pieces a worker's weights have.
func (a *ahead) pieces(worker int) (n int) {
	for _, run := range a.weights[worker] {
		n += ceil(len(run), pieceBytes)
	}
	return n
}
