package model

import (
	"context"
	"fmt"
	"unsafe"

	"github.com/cortexsdr/cortex/cache"
	"github.com/cortexsdr/cortex/internal/plan"
)

// A prompt is longer than a batch. Where weights are streamed, batch after batch
// through the whole plan would read all of them once per batch. So the batches of
// such a prompt pass the plan section by section: a section's weights are acquired
// for the first batch and released after the last one, while the ring already fills
// with those of the next section.
//
// Between two sections a batch is nothing but its residual stream. Those of all
// batches but one lie in memory that pinned weights of the last steps lend (see
// loader.Stream.Lend), as those are not needed before all layers are done: 64 MiB
// for 4096 tokens of 4096 values. One batch, the last, stays in the executor's slot.
// A prompt with more than there is room for is cut into groups of batches, each of
// which reads the weights once; with a checkpoint it is not, as its file has room for
// all residual streams anyway.
//
// The residual streams between two layers and the keys and values of the finished
// layers are all that is needed to go on: that is what a checkpoint keeps.

// section is a run of steps that ends where only the residual stream is alive.
type section struct {
	from, to int // steps
	layer    int
	keys     int  // the step behind the one that stores keys and values, or from
	rotates  bool // a step needs the positions' angles
	ends     bool // it is the layer's last
}

// cutSections finds the sections: half a layer each in Llama's plan.
func (e *exec) cutSections() {
	for e.tail < len(e.steps)-1 && e.steps[e.tail].Layer < e.m.Layers {
		e.tail++
	}
	x := e.steps[e.tail].In[0]
	alive := map[plan.Slot]bool{x: true} // before step i
	starts := make([]bool, e.tail)
	for i := e.tail - 1; i >= 0; i-- {
		s := &e.steps[i]
		if s.Op != plan.MatMulAdd {
			for _, out := range s.Out {
				delete(alive, out)
			}
		}
		for _, in := range s.In {
			alive[in] = true
		}
		starts[i] = i == 0 || len(alive) == 1 && alive[x] && e.steps[i-1].Layer >= 0
	}
	for i := range e.tail {
		s := &e.steps[i]
		if starts[i] {
			e.parts = append(e.parts, section{from: i, keys: i})
		}
		p := &e.parts[len(e.parts)-1]
		p.to, p.layer = i+1, s.Layer
		p.rotates = p.rotates || s.Op == plan.RoPE
		if s.Op == plan.StoreKV {
			p.keys = i + 1
		}
		p.ends = e.steps[i+1].Layer > s.Layer
	}
}

// blocks returns the blocks of the section, from up to to (exclusive), but for those
// of tables.
func (p *section) blocks(steps []step) (from, to int) {
	for i := range steps[p.from:p.to] {
		s := &steps[p.from+i]
		if s.Op == plan.Embed {
			continue
		}
		add := func(block, n int) {
			if to == 0 {
				from = block
			}
			to = block + n
		}
		for _, w := range s.W {
			add(w.Block, w.Blocks())
		}
		if s.C != nil {
			add(s.C.Block, len(s.C.Pieces))
		}
	}
	return from, to
}

// byLayers reports whether a pass is to go section by section. The tokens whose
// logits are wanted must then be among those of the last batch.
func (m *Model) byLayers(p *Pass) bool {
	n, batch := len(p.IDs), m.exec.batch
	return m.stream != nil && m.layout.Held && n > batch && (p.Hidden || p.Want <= (n-1)%batch+1)
}

// residuals are where the residual streams of a group's batches lie between sections.
type residuals struct {
	own   []float32 // the executor's slot, for the last batch and those that are spilled
	lent  []float32 // for the first ones, one after the other
	batch int       // tokens of a batch
	width int       // values of a token
	file  *cache.Checkpoint
	all   int // batches of the group
}

// room returns how many batches a group may have.
func (r *residuals) room() int { return len(r.lent)/(r.batch*r.width) + 1 }

// of returns the place of a batch with n tokens.
func (r *residuals) of(batch, n int) []float32 {
	if batch < r.room()-1 && batch < r.all-1 {
		return r.lent[batch*r.batch*r.width:][:n*r.width]
	}
	return r.own[:n*r.width]
}

// spilled reports whether a batch shares its place with others and so lies in the
// checkpoint.
func (r *residuals) spilled(batch int) bool { return r.all > r.room() && batch >= r.room()-1 }

// CheckpointLayout returns the layout of a checkpoint for a pass of n tokens with
// kv. A checkpoint with smaller batches will do as well.
func (m *Model) CheckpointLayout(kv *KV, n int, key []byte) cache.CheckpointLayout {
	return cache.CheckpointLayout{Key: key, Pieces: ceil(n, m.exec.batch), PieceBytes: int64(m.exec.batch*m.Dim) * 4,
		Parts: m.Layers, PartBytes: kv.layerSize(kv.n, kv.n+n)}
}

// checkpointBatch returns the number of tokens of a piece of a checkpoint's state,
// or 0 if its layout is not one for a pass of n tokens with kv.
func (m *Model) checkpointBatch(c *cache.Checkpoint, kv *KV, n int) int {
	batch := int(c.PieceBytes / int64(4*m.Dim))
	if batch < 1 || batch > m.exec.batch || c.PieceBytes != int64(4*m.Dim*batch) || c.Pieces != ceil(n, batch) ||
		c.Parts != m.Layers || c.PartBytes != kv.layerSize(kv.n, kv.n+n) {
		return 0
	}
	return batch
}

// layerMajor runs a pass section by section, in one turn of the model. After an
// error kv is as it was.
func (m *Model) layerMajor(ctx context.Context, kv *KV, p *Pass) error {
	if err := m.take(ctx); err != nil {
		return err
	}
	defer m.give()
	e := m.exec
	x := e.steps[e.tail].In[0]
	r := residuals{own: e.slots[x], batch: e.batch, width: m.Plan.Slots[x].Width, file: p.Checkpoint}
	if r.file != nil {
		if r.batch = m.checkpointBatch(r.file, kv, len(p.IDs)); r.batch == 0 || p.Want > 1 || p.Hidden {
			return &cache.CheckpointError{File: r.file.Path(), Err: fmt.Errorf("%w: it was made for batches of %d tokens, there is room for %d",
				cache.ErrCheckpoint, r.file.PieceBytes/int64(4*m.Dim), e.batch)}
		}
	}
	if m.stream != nil {
		if err := m.stream.Unlend(); err != nil { // what a failed pass has left
			return err
		}
		batches := ceil(len(p.IDs), r.batch)
		r.lent = asFloats(m.stream.Lend(m.tail, int64(batches-1)*int64(r.batch*r.width)*4))
	}
	defer func() {
		e.slots[x], e.held = r.own, false
		e.releaseAll()
	}()
	for from, to := 0, 0; from < len(p.IDs); from = to {
		r.all = ceil(len(p.IDs)-from, r.batch)
		if r.file == nil {
			r.all = min(r.all, r.room())
		}
		to = min(from+r.all*r.batch, len(p.IDs))
		if m.stream != nil {
			rounds := 0
			if to == len(p.IDs) && !p.Hidden {
				rounds = ceil(p.Want, e.tailBatch())
			}
			m.stream.Repeat(m.tail, rounds)
		}
		if err := m.group(ctx, kv, p, &r, from, to); err != nil {
			return err
		}
	}
	e.slots[x] = r.own
	if m.stream != nil {
		if err := m.stream.Unlend(); err != nil {
			return err
		}
	}
	if !p.Hidden {
		if err := e.runTail(p, len(p.IDs)-p.Want, e.n-p.Want, len(p.IDs)); err != nil {
			return err
		}
	}
	kv.n += len(p.IDs)
	return nil
}

// group runs the batches from token from up to to of a pass through all layers.
func (m *Model) group(ctx context.Context, kv *KV, p *Pass, r *residuals, from, to int) error {
	e := m.exec
	x := e.steps[e.tail].In[0]
	first := func(b int) int { return from + b*r.batch }
	begin := func(b int) {
		e.begin(ctx, kv, p, first(b), min(first(b)+r.batch, to), kv.n+first(b))
		e.slots[x] = r.of(b, e.n)
	}
	layers := 0 // that are done
	if r.file != nil {
		r.file.Restart()
		layers = r.file.Step()
		if err := m.resume(kv, r, begin, to); err != nil {
			return err
		}
	}
	for i := range e.parts {
		part := &e.parts[i]
		if part.layer < layers {
			continue
		}
		for b := range r.all {
			if err := ctx.Err(); err != nil {
				return err
			}
			begin(b)
			if r.spilled(b) && i > 0 {
				if err := r.file.Load(b, floatBytes(e.slots[x])); err != nil {
					return err
				}
			}
			e.held = m.stream != nil && m.layout.Held && b < r.all-1
			if part.rotates {
				e.fillAngles()
			}
			end := part.to
			if part.layer == m.Layers-1 && !p.Hidden && first(b)+e.n <= len(p.IDs)-p.Want {
				end = part.keys // nobody reads what else the last layer makes of these tokens
			}
			if err := e.runSteps(part.from, end); err != nil {
				return err
			}
			if r.spilled(b) || r.file != nil && part.ends {
				if err := r.file.Store(b, floatBytes(e.slots[x])); err != nil {
					return err
				}
			}
			if p.Progress != nil {
				done := float64(i*r.all+b+1) / float64(len(e.parts)*r.all)
				p.Progress(float64(from) + done*float64(to-from))
			}
			if i == len(e.parts)-1 && p.Hidden {
				wanted := max(first(b), len(p.IDs)-p.Want)
				if err := e.runTail(p, wanted, wanted-first(b), first(b)+e.n); err != nil {
					return err
				}
			}
		}
		if r.file != nil && part.ends {
			if err := kv.show(part.layer, kv.n+to); err != nil {
				return err
			}
			if err := r.file.StorePart(kv.layerBytes(part.layer, kv.n, kv.n+to)...); err != nil {
				return err
			}
			if err := r.file.Commit(); err != nil {
				return err
			}
		}
	}
	return nil
}

// resume reads what the checkpoint has of the finished layers: keys and values,
// and the residual streams that are not to stay in the file.
func (m *Model) resume(kv *KV, r *residuals, begin func(batch int), to int) error {
	if r.file.Step() == 0 {
		return nil
	}
	for layer := range r.file.Step() {
		if err := kv.enter(layer, 0, kv.n, to); err != nil {
			return err
		}
		if err := r.file.LoadPart(layer, kv.layerBytes(layer, kv.n, kv.n+to)...); err != nil {
			return err
		}
	}
	e := m.exec
	x := e.steps[e.tail].In[0]
	for b := range r.all {
		if begin(b); b == r.all-1 || !r.spilled(b) {
			if err := r.file.Load(b, floatBytes(e.slots[x])); err != nil {
				return err
			}
		}
	}
	return nil
}

// runSteps runs steps from up to to (exclusive).
func (e *exec) runSteps(from, to int) error {
	for i := from; i < to; i++ {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		if err := e.runStep(&e.steps[i]); err != nil {
			return err
		}
	}
	return nil
}

// releaseAll gives back what a pass that has failed holds, in the order in which
// it was acquired.
func (e *exec) releaseAll() {
	for i := range e.steps {
		for j := range e.steps[i].rounds {
			e.release(&e.steps[i].rounds[j])
		}
		if c := e.steps[i].channels; c != nil {
			for j := range c.blocks {
				c.give(e, j)
			}
		}
	}
}

// asFloats views memory of whole pages as values.
func asFloats(b []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

// floatBytes views values as memory.
func floatBytes(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
}
