package model

import (
	"math/bits"
	"slices"

	"github.com/cortexsdr/cortex/internal/plan"
	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
)

// A gated MLP is down·(silu(gate·h) * (up·h)). Passes that leave channels out have only some of the hidden units take part in the product with
// down. Where the gate is known first, it tells most of them before up is multiplied: the units with the largest |silu(gate)|
// times the norm of down's weights, as many as there are channels of down. Of up, whose weights then lie in rows, those of the other units are
// not read; the units are 0.

// gate is what a step needs to leave out rows.
type gate struct {
	slot plan.Slot // the gate's values
	down *channels // the product of which the rows are the channels
	norm []float32 // of its weights, by row
}

// gateSizes is the memory that gates need.
type gateSizes struct {
	units  int // the most rows, 0 if there is no gate
	packed int // bytes of a group of rows
}

// tileRows is how many active rows a tile has.
const tileRows = 2 * kernels.RowGroup

// gateWork is that memory.
type gateWork struct {
	ones   []float32
	bits   []uint64    // of rows that are active for any of the tokens
	union  []int32     // these rows
	rows   []int32     // the same while the step runs in which only these are multiplied, otherwise nil
	scores [][]float32 // by worker
	sets   [][]int32   // by worker
	packed [][]byte    // by worker: rows that are multiplied together
}

// findGates finds the steps of which rows may be left out.
func (e *exec) findGates() {
	for i := range e.steps {
		s := &e.steps[i]
		if s.Op != plan.MatMul || len(s.In) < 2 || len(s.W) != 1 {
			continue
		}
		for j := range e.steps[i+1:] {
			down := &e.steps[i+1+j]
			if down.Op == plan.MatMulAdd && down.In[0] == s.In[1] {
				if down.channels != nil {
					s.gate = &gate{s.In[1], down.channels, down.channels.ByValue(down.channels.Norm)}
					e.m.Layout.Vectors += 4 * int64(len(down.channels.Order)) // a copy of the norms
					e.units = max(e.units, int(s.W[0].Rows()), fewVectors*kernels.RowGroup)
					e.gateSizes.packed = max(e.gateSizes.packed, kernels.RowGroup*s.mats[0].rowBytes)
				}
				break
			}
		}
	}
}

func (s gateSizes) bytes() int64 {
	if s.units == 0 {
		return 0
	}
	return loader.SizeOf[float32](s.units) + loader.SizeOf[uint64](ceil(s.units, 64)) + loader.SizeOf[int32](s.units)
}

func (s gateSizes) workerBytes() int64 {
	if s.units == 0 {
		return 0
	}
	return loader.SizeOf[float32](s.units) + loader.SizeOf[int32](s.units) + loader.SizeOf[byte](s.packed)
}

func (s gateSizes) take(buf *loader.Buffer, workers int) (w gateWork) {
	if s.units == 0 {
		return w
	}
	w.ones = loader.Take[float32](buf, s.units)
	for i := range w.ones {
		w.ones[i] = 1
	}
	w.bits = loader.Take[uint64](buf, ceil(s.units, 64))
	w.union = loader.Take[int32](buf, s.units)
	for range workers {
		w.scores = append(w.scores, loader.Take[float32](buf, s.units))
		w.sets = append(w.sets, loader.Take[int32](buf, s.units))
		w.packed = append(w.packed, loader.Take[byte](buf, s.packed))
	}
	return w
}

// multiplyGated runs a step of which rows are left out. Those of many tokens are all multiplied: hardly one is active for none of them.
func (e *exec) multiplyGated(s *step) error {
	defer func() { e.gates.rows = nil }() // also when a tile panics: other products have all their rows
	few := e.fewRows()
	if few {
		if err := e.pool.Run(e.n, e.chooseRows); err != nil {
			return err
		}
		e.gates.unite(e.channel.active[:e.n], int(s.W[0].Rows()))
	}
	if e.m.stream != nil {
		var rows []int32
		if few && !e.held {
			rows = e.gates.rows
		}
		e.m.stream.Select(s.W[0].Block, s.W[0].Block+s.W[0].Blocks(), rows)
	}
	if err := e.runRounds(s); err != nil {
		return err
	}
	return e.pool.Run(e.n, e.mask)
}

// fewRows reports whether only active rows are multiplied in this pass.
func (e *exec) fewRows() bool { return e.many == oneByOne && e.n <= fewVectors }

// unite makes rows the union of sets of rows below n.
func (w *gateWork) unite(sets [][]int32, n int) {
	w.rows = w.union[:0]
	if len(sets) == 1 {
		w.rows = append(w.rows, sets[0]...)
		return
	}
	words := w.bits[:ceil(n, 64)]
	clear(words)
	for _, set := range sets {
		for _, i := range set {
			words[i/64] |= 1 << (i % 64)
		}
	}
	for i, word := range words {
		for ; word != 0; word &= word - 1 {
			w.rows = append(w.rows, int32(64*i+bits.TrailingZeros64(word)))
		}
	}
}

// bytes returns how many bytes of a block are read.
func (w *gateWork) bytes(b *block) int64 {
	if w.rows == nil {
		return int64(len(b.data))
	}
	return int64(len(w.within(b.row, b.row+b.rows)) * b.rowBytes)
}

// chooseRowsTile chooses the active rows of one token.
func (e *exec) chooseRowsTile(t, worker int) {
	e.channel.active[t] = e.activeRows(e.channel.sets[t], t, worker)
}

// activeRows returns those of a token, ascending, in the memory of set.
func (e *exec) activeRows(set []int32, t, worker int) []int32 {
	g := e.step.gate
	gate := e.slot(g.slot, t)
	score := e.gates.scores[worker][:len(gate)]
	kernels.SiLUMul(score, gate, e.gates.ones[:len(gate)])
	return kernels.SelectTop(set, score, g.norm, e.sparsity.keep(g.down))
}

// maskTile makes those units of a token 0 that are not active.
func (e *exec) maskTile(t, worker int) {
	var set []int32
	if e.fewRows() {
		set = e.channel.active[t]
	} else {
		set = e.activeRows(e.gates.sets[worker], t, worker)
	}
	up := e.slot(e.step.Out[0], t)
	from := 0
	for _, i := range set {
		clear(up[from:i])
		from = int(i) + 1
	}
	clear(up[from:])
}

// within returns the active rows from row from up to to.
func (w *gateWork) within(from, to int) []int32 {
	i, _ := slices.BinarySearch(w.rows, int32(from))
	j, _ := slices.BinarySearch(w.rows, int32(to))
	return w.rows[i:j]
}

// rowsTile multiplies some active rows of the block that is held. As kernels are made for rows that follow each other, rows are brought
// together first; while some are multiplied, the next are fetched.
func (e *exec) rowsTile(tile, worker int) {
	b := &e.round.blocks[0]
	rows := e.gates.within(b.row, b.row+b.rows)
	rows = rows[tile*tileRows : min((tile+1)*tileRows, len(rows))]
	row := func(i int32) []byte { return b.data[(int(i)-b.row)*b.rowBytes:][:b.rowBytes] }
	a := &e.packed[b.product.Layout()]
	w, y := e.gates.packed[worker][:kernels.RowGroup*b.rowBytes], e.gates.scores[worker][:e.n*kernels.RowGroup]
	for len(rows) > 0 {
		n := min(kernels.RowGroup, len(rows))
		for k, i := range rows[:n] {
			copy(w[k*b.rowBytes:], row(i))
		}
		for _, i := range rows[n:min(n+kernels.RowGroup, len(rows))] {
			kernels.Prefetch(row(i))
		}
		b.product.MatVecs(y, kernels.RowGroup, w, kernels.RowGroup, a, 0, e.n) // of the last group, some for nothing
		for t := range e.n {
			up := e.slot(e.step.Out[0], t)
			for k, i := range rows[:n] {
				up[i] = y[t*kernels.RowGroup+k]
				if b.bias != nil {
					up[i] += b.bias[i]
				}
			}
		}
		rows = rows[n:]
	}
}
