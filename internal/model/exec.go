package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/plan"
	"github.com/cortexsdr/cortex/internal/workers"
	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
)

// exec walks the plan. It holds everything that a pass needs, so that a pass
// allocates nothing, and serves one pass at a time.
type exec struct {
	m     *Model
	batch int // most tokens of a pass
	steps []step
	tail  int                  // the first step after the last layer
	parts []section            // the steps before it
	rows  []int                // tokens that each slot has room for, by plan.Slot
	most  [kernels.Layouts]int // values of the largest input of a product, by kernels.Layout
	gemm  gemmSizes
	channelSizes
	gateSizes

	// What follows exists from start to close.
	pool                                                   *workers.Pool
	buf                                                    *loader.Buffer
	slots                                                  [][]float32                   // by plan.Slot: [rows][width]
	packed                                                 [kernels.Layouts]kernels.Acts // the input of a product, by kernels.Layout
	scratch                                                [][]float32                   // one per worker
	prompts                                                gemmBuffers
	channel                                                channelWork
	gates                                                  gateWork
	att                                                    attention
	freqs                                                  []float64 // angle per position of each pair
	scale                                                  float64   // factor on cosine and sine
	angles                                                 []float32 // [batch][RoPE.Dim]: cosines and sines
	tile                                                   [plan.Ops]func(tile, worker int)
	pack                                                   func(tile, worker int)
	packAll                                                func(tile, worker int)
	prepare, encode, accumulate, accumulateFew, finishSums func(tile, worker int) // see channels.go
	chooseRows, multiplyRows, mask                         func(tile, worker int) // see gate.go
	looked                                                 error                  // why a row could not be looked up
	ahead                                                  atomic.Pointer[ahead]  // what idle workers fetch
	sparsity                                               Sparsity
	active                                                 loader.Shares // of the plan's blocks, with it

	// The pass, and the step of it that is being run.
	ctx     context.Context
	kv      *KV
	ids     []int32
	pos     int // position of the first token
	n       int // tokens
	many    tiling
	sparse  bool // channels are left out
	step    *step
	round   *round
	held    bool                        // weights are kept when a step has run, for the tokens that follow
	observe func(step int, x []float32) // that of the Pass
	packAs  kernels.Layout
	packBy  *kernels.GEMM
}

// step is a plan.Step with what it needs to run.
type step struct {
	plan.Step
	at       int // its index in the plan
	mats     []matrix
	rounds   []round   // of a product
	vec      []float32 // a norm's weights
	channels *channels // of a product that is stored channel by channel
	ahead    *ahead    // what is fetched for the product that follows
	gate     *gate     // by which rows are left out; nil if none are
}

// round is what is held and multiplied together: all of a step's matrices where
// they are resident, one block of one of them where they are streamed.
type round struct {
	blocks []block
	tiles  [2]int // of all blocks, by tiling
}

// block is a matrix, or some of its rows.
type block struct {
	*matrix
	index int // in plan.Blocks
	row   int // its first row
	rows  int
	first [2]int // its first tile's number in the round, by tiling
	data  []byte // while the round runs
}

// tiling is how the products of a pass are computed, and so how their matrices
// are cut: one vector after the other, or many at once (see gemm.go).
type tiling int

const (
	oneByOne tiling = iota
	manyAtOnce
)

// matrix is one matrix of a step, cut into tiles of rows.
type matrix struct {
	at       int // its index among those of the step
	product  *kernels.Product
	gemm     *kernels.GEMM // nil if there is nothing better than the product
	in, out  int           // columns and rows
	rowBytes int
	perTile  [2]int // rows, by tiling
	bias     []float32
}

// tailRows is the number of tokens whose logits are computed at a time.
const tailRows = 16

// scratchValues is the size of a worker's scratch: a tile of results.
const scratchValues = 4096

// newExec checks that there is a kernel for every step and works out the sizes.
func newExec(m *Model, batch int) (*exec, error) {
	e := &exec{m: m, batch: batch, rows: make([]int, len(m.Plan.Slots)), att: newAttention(&m.Config)}
	e.channelSizes.tokens = batch
	if !m.streamed {
		e.channelSizes.tokens = min(batch, channelTokens)
	}
	e.channelSizes.vectors = min(batch, channelVectors)
	for at, ps := range m.Plan.Steps {
		room := batch
		if ps.Layer == m.Layers {
			room = min(batch, tailRows) // the steps after the last layer see only the tokens whose logits are wanted
		}
		for _, list := range [][]plan.Slot{ps.In, ps.Out} {
			for _, s := range list {
				e.rows[s] = max(e.rows[s], room)
			}
		}
		st := step{Step: ps, at: at}
		for _, w := range ps.W {
			mat := matrix{at: len(st.mats), in: int(w.Shape[0]), out: int(w.Rows()), rowBytes: int(w.RowBytes())}
			var ok bool
			if mat.product, ok = product(w.Tensor); !ok {
				return nil, unsupported(m.src, w.Tensor)
			}
			if ps.Op == plan.Embed {
				if err := checkDecoder(m.src, w.Tensor); err != nil {
					return nil, err
				}
			} else {
				if mat.gemm = mat.product.GEMM(); mat.gemm != nil {
					e.gemm.add(mat.gemm, room, mat.in)
				}
				l := mat.product.Layout()
				e.most[l] = max(e.most[l], room*mat.in)
				if mat.in%l.Block() != 0 {
					return nil, m.src.TensorError(w.Name, fmt.Sprintf("rows of %d values are not whole blocks of %d", mat.in, l.Block()))
				}
			}
			st.mats = append(st.mats, mat)
		}
		if ps.C != nil {
			var err error
			if st.channels, err = e.newChannels(ps.C); err != nil {
				return nil, err
			}
			m.Layout.Vectors += int64(ps.C.Product.Channels)*(4+4) + 2*int64(len(ps.C.Order))
		}
		for _, v := range ps.V {
			if v == nil {
				continue
			}
			m.Layout.Vectors += 4 * v.Shape[0]
			if err := checkDecoder(m.src, v.Tensor); err != nil {
				return nil, err
			}
		}
		e.steps = append(e.steps, st)
	}
	if err := e.checkRoPE(); err != nil {
		return nil, err
	}
	e.findGates()
	e.cutSections()
	m.Layout.Activations, m.Layout.PerWorker = e.bytes(), e.workerBytes()
	return e, nil
}

// checkDecoder makes sure that the tensor's values can be decoded to float32.
func checkDecoder(src *loader.Source, t format.Tensor) error {
	if format.Dequantize(nil, nil, t.Type) != nil {
		return unsupported(src, t)
	}
	return nil
}

func unsupported(src *loader.Source, t format.Tensor) error {
	return &format.Error{File: src.Name(), Tensor: t.Name, Offset: t.Offset,
		Detail: fmt.Sprintf("no kernel for type %v", t.Type), Err: format.ErrUnsupported}
}

// ropeDivisors is the tensor that carries Llama 3's scaling of the frequencies.
const ropeDivisors = "rope_freqs.weight"

func (e *exec) checkRoPE() error {
	t, ok := e.m.src.Tensor(ropeDivisors)
	if !ok {
		return nil
	}
	if len(t.Shape) != 1 || t.Shape[0] != int64(e.m.RoPE.Dim/2) {
		return e.m.src.TensorError(ropeDivisors, fmt.Sprintf("shape %v, want [%d]", t.Shape, e.m.RoPE.Dim/2))
	}
	return checkDecoder(e.m.src, t)
}

// bytes returns the size of the buffer that start allocates, but for the
// workers' scratch.
func (e *exec) bytes() (n int64) {
	for s, info := range e.m.Plan.Slots {
		n += loader.SizeOf[float32](e.rows[s] * info.Width)
	}
	for l := kernels.Q8x32; int(l) < kernels.Layouts; l++ {
		n += loader.SizeOf[int8](e.most[l]) + loader.SizeOf[float32](e.most[l]/l.Block()) + loader.SizeOf[int16](e.most[l]/l.SumBlock())
	}
	return n + loader.SizeOf[float32](e.batch*e.m.RoPE.Dim) + e.gemm.packedBytes() + e.channelSizes.bytes() + e.gateSizes.bytes()
}

// workerBytes returns what start allocates for each worker.
func (e *exec) workerBytes() int64 {
	return loader.SizeOf[float32](scratchValues) + e.gemm.workerBytes() + e.channelSizes.workerBytes() + e.gateSizes.workerBytes() + e.att.workerBytes(&e.m.Config)
}

// start allocates the buffers and reads the pinned vectors.
func (e *exec) start(pool *workers.Pool) (err error) {
	e.pool = pool
	e.buf, err = loader.NewBuffer(e.bytes() + int64(pool.Workers())*e.workerBytes())
	if err != nil {
		return fmt.Errorf("activations: %w", err)
	}
	for s, info := range e.m.Plan.Slots {
		e.slots = append(e.slots, loader.Take[float32](e.buf, e.rows[s]*info.Width))
	}
	for l := kernels.Q8x32; int(l) < kernels.Layouts; l++ {
		e.packed[l] = kernels.Acts{
			Layout: l,
			Q:      loader.Take[int8](e.buf, e.most[l]),
			D:      loader.Take[float32](e.buf, e.most[l]/l.Block()),
			S:      loader.Take[int16](e.buf, e.most[l]/l.SumBlock()),
		}
	}
	e.angles = loader.Take[float32](e.buf, e.batch*e.m.RoPE.Dim)
	for range pool.Workers() {
		e.scratch = append(e.scratch, loader.Take[float32](e.buf, scratchValues))
	}
	e.prompts = e.gemm.take(e.buf, pool.Workers())
	e.channel = e.channelSizes.take(e.buf, pool.Workers())
	e.gates = e.gateSizes.take(e.buf, pool.Workers())
	e.att.take(e.buf, &e.m.Config, pool.Workers())
	var divisors []float32
	if t, ok := e.m.src.Tensor(ropeDivisors); ok {
		if divisors, err = e.m.vectorOf(t); err != nil {
			return err
		}
	}
	e.freqs, e.scale = e.m.RoPE.frequencies(divisors)
	for i := range e.steps {
		if err := e.startStep(&e.steps[i]); err != nil {
			return err
		}
	}
	if !e.m.streamed {
		if err := e.planAhead(); err != nil {
			return err
		}
	}
	e.tile = [plan.Ops]func(tile, worker int){
		plan.Embed:     e.embedTile,
		plan.Norm:      e.normTile,
		plan.MatMul:    e.matMulTile,
		plan.MatMulAdd: e.matMulTile,
		plan.RoPE:      e.ropeTile,
		plan.StoreKV:   e.storeTile,
		plan.Attention: e.attentionTile,
		plan.SiLUMul:   e.siluMulTile,
	}
	e.pack, e.packAll = e.packTile, e.packAllTile
	e.prepare, e.encode, e.accumulate, e.accumulateFew, e.finishSums = e.prepareTile, e.encodeTile, e.accumulateTile, e.accumulateShare, e.finishTile
	e.chooseRows, e.multiplyRows, e.mask = e.chooseRowsTile, e.rowsTile, e.maskTile
	return nil
}

// Tiles of about tileBytes of weights are large enough to hide the cost of
// handing them out and small enough to share evenly, and keep one call of a
// kernel, during which a goroutine cannot be stopped, far below 100 µs. They are
// multiplied with at most tileVectors vectors by one call.
const (
	tileBytes   = 64 << 10
	tileVectors = 8
)

// startStep reads the step's vectors and cuts its matrices into tiles.
func (e *exec) startStep(s *step) (err error) {
	if s.Op == plan.Norm {
		s.vec, err = e.m.vectorOf(s.V[0].Tensor)
		return err
	}
	if s.Op == plan.Embed {
		return nil
	}
	if s.channels != nil {
		return s.channels.start(e, s)
	}
	for i := range s.mats {
		mat, w := &s.mats[i], s.W[i]
		if s.V[i] != nil {
			if mat.bias, err = e.m.vectorOf(s.V[i].Tensor); err != nil {
				return err
			}
		}
		// Tiles are shared out block by block where there are several.
		share := (w.BlockRows + 4*e.pool.Workers() - 1) / (4 * e.pool.Workers())
		rows := min(share, tileBytes/mat.rowBytes, scratchValues/tileVectors)
		mat.perTile[oneByOne] = max(1, rows/kernels.RowGroup) * kernels.RowGroup
		mat.perTile[manyAtOnce] = mat.perTile[oneByOne]
		if mat.gemm != nil {
			mat.perTile[manyAtOnce] = mat.gemm.TileRows(w.BlockRows, e.pool.Workers())
		}
		for b := range w.Blocks() {
			if len(s.rounds) == 0 || e.m.streamed {
				s.rounds = append(s.rounds, round{})
			}
			row := b * w.BlockRows
			s.rounds[len(s.rounds)-1].add(block{matrix: mat, index: w.Block + b, row: row, rows: min(w.BlockRows, mat.out-row)})
		}
	}
	return nil
}

// add appends a block to a round.
func (r *round) add(b block) {
	for t, n := range b.perTile {
		b.first[t] = r.tiles[t]
		r.tiles[t] += (b.rows + n - 1) / n
	}
	r.blocks = append(r.blocks, b)
}

func (e *exec) close() error {
	if e.buf == nil {
		return nil
	}
	e.slots, e.scratch, e.angles, e.channel, e.gates = nil, nil, nil, channelWork{}, gateWork{}
	e.ahead.Store(nil)
	return e.buf.Close()
}

// runStep runs one step for the tokens of the pass.
func (e *exec) runStep(s *step) error {
	e.step = s
	tiles := e.n // most steps have one tile per token
	switch s.Op {
	case plan.MatMul, plan.MatMulAdd:
		return e.multiply(s)
	case plan.Embed:
		tiles = 1
	case plan.StoreKV:
		if err := e.enterKV(); err != nil {
			return err
		}
		tiles = e.storeTiles()
	case plan.Attention:
		tiles = e.attentionTiles()
	}
	e.fetchAhead(s)
	if err := e.pool.Run(tiles, e.tile[s.Op]); err != nil {
		return e.explain(err)
	}
	if s.Op == plan.Embed {
		return e.looked
	}
	return nil
}

// multiply runs a step that is a product, a round of blocks after the other.
func (e *exec) multiply(s *step) error {
	if e.observe != nil {
		e.observe(s.at, e.slots[s.In[0]][:e.n*e.m.Plan.Slots[s.In[0]].Width])
	}
	if s.channels != nil {
		return e.multiplyChannels(s)
	}
	e.fetchAhead(s)
	if err := e.packInput(s); err != nil {
		return err
	}
	if s.gate != nil && e.sparse {
		return e.multiplyGated(s)
	}
	return e.runRounds(s)
}

func (e *exec) runRounds(s *step) error {
	for i := range s.rounds {
		if err := e.ctx.Err(); err != nil {
			return err // a round may wait for the disk
		}
		if err := e.runRound(&s.rounds[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *exec) runRound(r *round) (err error) {
	defer func() { // also when a tile panics: the loader must not believe that the blocks are in use
		if !e.held {
			e.release(r)
		}
	}()
	for i := range r.blocks {
		b := &r.blocks[i]
		if b.data != nil {
			continue // held since earlier tokens
		}
		if b.data, err = e.m.load.Acquire(b.index); err != nil {
			return err
		}
	}
	for i := range r.blocks {
		e.m.read.Add(e.gates.bytes(&r.blocks[i]))
		if e.m.Trace != nil {
			e.m.Trace(r.blocks[i].index, int64(len(r.blocks[i].data)))
		}
	}
	e.round = r
	tiles, run := r.tiles[e.many], e.tile[e.step.Op]
	if e.gates.rows != nil {
		tiles, run = ceil(len(e.gates.within(r.blocks[0].row, r.blocks[0].row+r.blocks[0].rows)), tileRows), e.multiplyRows
	}
	if err := e.pool.Run(tiles, run); err != nil {
		return e.explain(err)
	}
	return nil
}

// release gives the blocks of a round back that are held.
func (e *exec) release(r *round) {
	for i := range r.blocks {
		if b := &r.blocks[i]; b.data != nil {
			b.data = nil
			e.m.load.Release(b.index)
		}
	}
}

// explain turns a fault in a mapped file into the loader's error.
func (e *exec) explain(err error) error {
	var fault *workers.FaultError
	if errors.As(err, &fault) {
		if known := e.m.src.Fault(fault.Addr); known != nil {
			return known
		}
	}
	return err
}

// slot returns the values of token t in a slot.
func (e *exec) slot(s plan.Slot, t int) []float32 {
	w := e.m.Plan.Slots[s].Width
	return e.slots[s][t*w:][:w]
}

// embedTile looks up the rows of all tokens: it is little work, and rows that are
// read from the disk come one by one.
func (e *exec) embedTile(_, _ int) {
	e.looked = nil
	w, size := &e.step.W[0], int64(e.step.mats[0].rowBytes)
	for t := range e.n {
		if e.looked = e.ctx.Err(); e.looked != nil {
			return
		}
		e.m.read.Add(size)
		if i := slices.Index(e.ids[:t], e.ids[t]); i >= 0 {
			copy(e.slot(e.step.Out[0], t), e.slot(e.step.Out[0], i)) // rather than read it again
			continue
		}
		row, err := e.m.load.Lookup(w.Block, int64(e.ids[t])*size, size)
		if err != nil {
			e.looked = err
			return
		}
		if err := format.Dequantize(e.slot(e.step.Out[0], t), row, w.Type); err != nil {
			panic(err) // newExec has made sure that the type is known
		}
	}
}

func (e *exec) normTile(t, _ int) {
	kernels.RMSNorm(e.slot(e.step.Out[0], t), e.slot(e.step.In[0], t), e.step.vec, e.m.NormEps)
}

// packInput brings a product's input into every layout that its matrices read.
func (e *exec) packInput(s *step) error {
	var done [kernels.Layouts]bool
	for i := range s.mats {
		if e.many == manyAtOnce && s.mats[i].gemm != nil {
			if err := e.packGEMM(s, i); err != nil {
				return err
			}
			continue
		}
		l := s.mats[i].product.Layout()
		if done[l] {
			continue
		}
		done[l] = true
		a := &e.packed[l]
		a.Layout, a.M, a.N, a.F = l, e.n, s.mats[i].in, e.slots[s.In[0]]
		if l == kernels.Float {
			continue
		}
		e.packAs = l
		if err := e.pool.Run(e.n, e.pack); err != nil {
			return err
		}
	}
	return nil
}

func (e *exec) packTile(t, _ int) { e.packed[e.packAs].Quantize(t, t+1) }

// tile returns the block that a tile of the round belongs to, and its rows from
// up to to, counted from the block's first.
func (r *round) tile(tile int, t tiling) (b *block, from, to int) {
	i := len(r.blocks) - 1
	for r.blocks[i].first[t] > tile {
		i--
	}
	b = &r.blocks[i]
	from = (tile - b.first[t]) * b.perTile[t]
	return b, from, min(from+b.perTile[t], b.rows)
}

func (e *exec) matMulTile(tile, worker int) {
	s := e.step
	b, from, to := e.round.tile(tile, e.many)
	w := b.data[from*b.rowBytes : to*b.rowBytes]
	from, to = b.row+from, b.row+to
	if e.many == manyAtOnce && b.gemm != nil {
		e.gemmTile(b.matrix, from, to, w, worker)
		return
	}
	a := &e.packed[b.product.Layout()]
	rows, slot := to-from, s.Out[b.at]
	width := e.m.Plan.Slots[slot].Width
	for t := 0; t < e.n; t += tileVectors {
		n := min(tileVectors, e.n-t)
		out := e.slots[slot][t*width+from:]
		y, stride := out, width
		if s.Op == plan.MatMulAdd {
			y, stride = e.scratch[worker], rows
		}
		b.product.MatVecs(y, stride, w, rows, a, t, t+n)
		for k := range n {
			b.finish(s.Op, out[k*width:][:rows], y[k*stride:][:rows], from, to)
		}
	}
}

// finish adds the bias to the results of rows from up to to of one token, and
// them to the residual stream where the step says so.
func (mat *matrix) finish(op plan.Op, out, y []float32, from, to int) {
	if mat.bias != nil {
		kernels.Add(y, mat.bias[from:to])
	}
	if op == plan.MatMulAdd {
		kernels.Add(out, y)
	}
}

func (e *exec) ropeTile(t, _ int) {
	dim := e.m.RoPE.Dim
	for _, s := range e.step.In {
		kernels.RoPE(e.slot(s, t), e.angles[t*dim:][:dim], e.m.KeyDim)
	}
}

func (e *exec) siluMulTile(t, _ int) {
	gate := e.slot(e.step.In[0], t)
	kernels.SiLUMul(gate, gate, e.slot(e.step.In[1], t))
}
