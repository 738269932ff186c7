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
	weights [][]byte       // by worker
	next    []atomic.Int32 // by worker: its first piece that nobody has fetched
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
	isProduct := func(s step) bool { return len(s.rounds) > 0 }
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
// they lie in one matrix.
func (e *exec) beginnings(s *step) (*ahead, error) {
	n := e.pool.Workers()
	a := &ahead{weights: make([][]byte, n), next: make([]atomic.Int32, n)}
	r := &s.rounds[0] // the only one
	for w := range n {
		tile, end := e.pool.Share(w, r.tiles[oneByOne])
		if tile == end {
			continue
		}
		b, from, _ := r.tile(tile, oneByOne)
		data, err := e.m.load.Acquire(b.index)
		if err != nil {
			return nil, err
		}
		data = data[from*b.rowBytes:]
		a.weights[w] = data[:min(len(data), aheadBytes)]
		e.m.load.Release(b.index)
	}
	return a, nil
}

// fetchAhead has idle workers fetch what the plan needs after a step.
func (e *exec) fetchAhead(s *step) {
	a := s.ahead
	if a == nil || e.many != oneByOne || e.ahead.Load() == a {
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
	weights, next := a.weights[worker], &a.next[worker]
	if int(next.Load())*pieceBytes >= len(weights) {
		return false
	}
	if at := int(next.Add(1)-1) * pieceBytes; at < len(weights) {
		kernels.Prefetch(weights[at:min(at+pieceBytes, len(weights))])
	}
	return true
}
