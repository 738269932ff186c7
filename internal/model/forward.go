package model

import (
	"context"
	"errors"
	"fmt"

	"github.com/cortexsdr/cortex/cache"
	"github.com/cortexsdr/cortex/loader"
)

// ErrContextFull says that a sequence has no room for more tokens.
var ErrContextFull = errors.New("the context is full")

// Pass says what Forward is to do.
type Pass struct {
	IDs []int32 // the tokens, which follow those in the KV cache

	// Want is the number of tokens, counted from the last, whose logits are
	// computed and handed to Each: i is the token's index in IDs, logits has
	// Vocab values and is valid during the call only. An error ends the pass.
	Want int
	Each func(i int, logits []float32) error

	// Observe, if not nil, is called before every step that is a product with the
	// index of the step in the plan and the inputs of some tokens, [tokens][width
	// of the input's slot], which are valid during the call only.
	Observe func(step int, x []float32)

	// Sparse leaves out channels as SetSparsity said.
	Sparse bool

	// Hidden hands the normalized residual stream, Dim values, to Each in
	// place of the logits.
	Hidden bool

	// Checkpoint, if not nil, is of a layout of Model.CheckpointLayout for this
	// pass. Every layer that is finished is committed, and the pass begins behind
	// those that are. Want is 1 then, and Hidden false.
	Checkpoint *cache.Checkpoint

	// Progress, if not nil, is called after every layer with the number of
	// tokens done: those of finished batches, and of the running batch the
	// share of its layers that is finished.
	Progress func(tokens float64)
}

// manyTokens is the number of tokens from which on a pass uses products of many
// vectors at once. Below it, making the weights ready would cost more than it saves.
const manyTokens = 16

func tilingFor(tokens int) tiling {
	if tokens >= manyTokens {
		return manyAtOnce
	}
	return oneByOne
}

// Forward runs tokens through the model and appends their keys and values to
// kv. It stops within a layer when ctx ends. After an error, kv holds the
// batches that were finished; see layerMajor for when there are none before the end.
func (m *Model) Forward(ctx context.Context, kv *KV, p *Pass) error {
	if len(p.IDs) > kv.cap-kv.n {
		return fmt.Errorf("%w: %d tokens after %d, room for %d", ErrContextFull, len(p.IDs), kv.n, kv.cap)
	}
	for _, id := range p.IDs {
		if id < 0 || int(id) >= m.Vocab {
			return fmt.Errorf("token %d is not in the vocabulary of %d", id, m.Vocab)
		}
	}
	if p.Checkpoint != nil || m.byLayers(p) {
		return m.layerMajor(ctx, kv, p)
	}
	for from := 0; from < len(p.IDs); from += m.exec.batch {
		if err := m.batch(ctx, kv, p, from, min(from+m.exec.batch, len(p.IDs))); err != nil {
			return err
		}
	}
	return nil
}

// take waits for the model's turn, which give ends.
func (m *Model) take(ctx context.Context) error {
	select {
	case <-m.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *Model) give() { m.turn <- struct{}{} }

// batch runs the tokens from up to to (exclusive) of a pass.
func (m *Model) batch(ctx context.Context, kv *KV, p *Pass, from, to int) error {
	if err := m.take(ctx); err != nil {
		return err
	}
	defer m.give()
	e := m.exec
	first := max(from, len(p.IDs)-p.Want) // whose logits are computed
	if err := m.walk(p, max(0, to-first)); err != nil {
		return err
	}
	e.begin(ctx, kv, p, from, to, kv.n)
	e.fillAngles()
	for i := range e.steps[:e.tail] {
		s := &e.steps[i]
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.runStep(s); err != nil {
			return err
		}
		if p.Progress != nil && s.Layer >= 0 && e.steps[i+1].Layer > s.Layer {
			p.Progress(float64(from) + float64(e.n)*float64(s.Layer+1)/float64(m.Layers))
		}
	}
	if err := e.runTail(p, first, first-from, to); err != nil {
		return err
	}
	kv.n += to - from
	return nil
}

// walk says to a loader that reads ahead what is to come: all layers once, and
// what follows for the logits of n tokens.
func (m *Model) walk(p *Pass, n int) error {
	if m.stream == nil {
		return nil
	}
	rounds := 0
	if !p.Hidden {
		rounds = ceil(n, m.exec.tailBatch())
	}
	m.stream.Repeat(m.tail, rounds)
	return m.stream.Unlend() // what a failed pass has left
}

// begin makes tokens from up to to of a pass, the first at position pos, those
// that steps run for.
func (e *exec) begin(ctx context.Context, kv *KV, p *Pass, from, to, pos int) {
	e.ctx, e.kv, e.ids, e.pos, e.n = ctx, kv, p.IDs[from:to], pos, to-from
	e.observe = p.Observe
	e.sparse = p.Sparse && e.sparsity.Level > 0
	if e.m.stream != nil {
		var active loader.Shares
		if e.sparse && e.n <= channelVectors { // of many tokens, any of them is active for one
			active = e.active
		}
		e.m.stream.Selective(e.n, active)
	}
	e.many = tilingFor(len(p.IDs)) // of the whole pass, so that batches do not change the result
}

// fillAngles works out the angles of the tokens' positions.
func (e *exec) fillAngles() {
	dim := e.m.RoPE.Dim
	for t := range e.n {
		fillAngles(e.angles[t*dim:][:dim], e.freqs, e.scale, e.pos+t)
	}
}

// tailBatch is the number of tokens whose logits are computed together.
func (e *exec) tailBatch() int { return min(tailRows, e.batch) }

// runTail runs the steps after the last layer for tokens first up to to of the
// pass, whose residual streams lie in the slot from token at on.
func (e *exec) runTail(p *Pass, first, at, to int) error {
	e.many = tilingFor(p.Want)
	last := len(e.steps)
	if p.Hidden {
		last--
	}
	x, out := e.steps[e.tail].In[0], e.steps[last-1].Out[0]
	for ; first < to; first, at = first+e.n, at+e.n {
		e.n = min(to-first, e.tailBatch())
		for t := range e.n {
			copy(e.slot(x, t), e.slot(x, at+t)) // t never passes what is still to be read
		}
		for i := e.tail; i < last; i++ {
			if err := e.ctx.Err(); err != nil {
				return err
			}
			if err := e.runStep(&e.steps[i]); err != nil {
				return err
			}
		}
		for t := range e.n {
			if err := p.Each(first+t, e.slot(out, t)); err != nil {
				return err
			}
		}
	}
	return nil
}
