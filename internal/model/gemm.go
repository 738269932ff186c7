package model

import (
	"github.com/cortexsdr/cortex/internal/plan"
	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
)

// gemmSizes is what the products of many vectors at once need, worked out
// before anything is allocated.
type gemmSizes struct {
	packed  []packedSize // one for each form of packed activations
	scratch int64        // bytes of the largest scratch
	sums    int          // values of the largest tile of results
}

type packedSize struct {
	key   string
	bytes int64
}

// add makes room for the product of m vectors of n values.
func (s *gemmSizes) add(g *kernels.GEMM, m, n int) {
	i := s.index(g.Key())
	if i < 0 {
		i = len(s.packed)
		s.packed = append(s.packed, packedSize{key: g.Key()})
	}
	s.packed[i].bytes = max(s.packed[i].bytes, g.PackedBytes(m, n))
	s.scratch = max(s.scratch, g.ScratchBytes(n))
	s.sums = max(s.sums, m*g.RowTile())
}

func (s *gemmSizes) index(key string) int {
	for i, p := range s.packed {
		if p.key == key {
			return i
		}
	}
	return -1
}

func (s *gemmSizes) packedBytes() (n int64) {
	for _, p := range s.packed {
		n += loader.SizeOf[byte](int(p.bytes))
	}
	return n
}

func (s *gemmSizes) workerBytes() int64 {
	return loader.SizeOf[byte](int(s.scratch)) + loader.SizeOf[float32](s.sums)
}

// gemmBuffers is the memory that gemmSizes has asked for.
type gemmBuffers struct {
	packed  [][]byte // by the index of the key
	scratch [][]byte // by worker
	sums    [][]float32
}

func (s *gemmSizes) take(buf *loader.Buffer, workers int) (b gemmBuffers) {
	for _, p := range s.packed {
		b.packed = append(b.packed, loader.Take[byte](buf, int(p.bytes)))
	}
	for range workers {
		b.scratch = append(b.scratch, loader.Take[byte](buf, int(s.scratch)))
		b.sums = append(b.sums, loader.Take[float32](buf, s.sums))
	}
	return b
}

// packGEMM packs the input of matrix i of a step, unless an earlier matrix of
// the step has had it packed in the same form.
func (e *exec) packGEMM(s *step, i int) error {
	for _, earlier := range s.mats[:i] {
		if earlier.gemm != nil && earlier.gemm.Key() == s.mats[i].gemm.Key() {
			return nil
		}
	}
	e.packBy = s.mats[i].gemm
	return e.pool.Run(e.pool.Workers(), e.packAll)
}

func (e *exec) packAllTile(part, _ int) {
	s := e.step
	e.packBy.Pack(e.packedFor(e.packBy), e.slots[s.In[0]], e.n, s.mats[0].in, part, e.pool.Workers())
}

func (e *exec) packedFor(g *kernels.GEMM) []byte { return e.prompts.packed[e.gemm.index(g.Key())] }

// gemmTile computes rows from up to to of a matrix of the step, whose weights
// are w, for all tokens.
func (e *exec) gemmTile(mat *matrix, from, to int, w []byte, worker int) {
	s, rows, slot := e.step, to-from, e.step.Out[mat.at]
	out, width := e.slots[slot][from:], e.m.Plan.Slots[slot].Width
	y, stride := out, width
	if s.Op == plan.MatMulAdd {
		y, stride = e.prompts.sums[worker], rows
	}
	mat.gemm.Run(y, stride, w, rows, e.packedFor(mat.gemm), e.n, mat.in, e.prompts.scratch[worker])
	for t := range e.n {
		mat.finish(s.Op, out[t*width:][:rows], y[t*stride:][:rows], from, to)
	}
}
