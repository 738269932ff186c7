package model

import (
	"context"
	"errors"
	"fmt"
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
// batches that were finished.
func (m *Model) Forward(ctx context.Context, kv *KV, p *Pass) error {
	if len(p.IDs) > kv.cap-kv.n {
		return fmt.Errorf("%w: %d tokens after %d, room for %d", ErrContextFull, len(p.IDs), kv.n, kv.cap)
	}
	for _, id := range p.IDs {
		if id < 0 || int(id) >= m.Vocab {
			return fmt.Errorf("token %d is not in the vocabulary of %d", id, m.Vocab)
		}
	}
	for from := 0; from < len(p.IDs); from += m.exec.batch {
		if err := m.batch(ctx, kv, p, from, min(from+m.exec.batch, len(p.IDs))); err != nil {
			return err
		}
	}
	return nil
}

// batch runs the tokens from up to to (exclusive) of a pass.
func (m *Model) batch(ctx context.Context, kv *KV, p *Pass, from, to int) error {
	select {
	case <-m.turn:
		defer func() { m.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	e := m.exec
	e.ctx, e.kv, e.ids, e.pos, e.n = ctx, kv, p.IDs[from:to], kv.n, to-from
	e.observe = p.Observe
	e.sparse = p.Sparse && e.sparsity.Level > 0
	e.many = tilingFor(len(p.IDs)) // of the whole pass, so that batches do not change the result
	dim := m.RoPE.Dim
	for t := range e.n {
		fillAngles(e.angles[t*dim:][:dim], e.freqs, e.scale, e.pos+t)
	}

	first := max(from, len(p.IDs)-p.Want) // whose logits are computed
	if m.stream != nil {
		rounds := 0
		if first < to && !p.Hidden {
			rounds = ceil(to-first, min(tailRows, e.batch))
		}
		m.stream.Repeat(m.tail, rounds)
	}

	tail := 0
	for i := range e.steps {
		s := &e.steps[i]
		if s.Layer == m.Layers {
			tail = i
			break
		}
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

	// The logits, of as many tokens at a time as there is room for.
	e.many = tilingFor(p.Want)
	last := len(e.steps)
	if p.Hidden {
		last--
	}
	out := e.steps[last-1].Out[0]
	for ; first < to; first += e.n {
		e.n = min(to-first, tailRows, e.batch)
		for t := range e.n {
			x := e.steps[tail].In[0]
			copy(e.slot(x, t), e.slot(x, first-from+t)) // t never passes what is still to be read
		}
		for i := tail; i < last; i++ {
			if err := ctx.Err(); err != nil {
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
	kv.n += to - from
	return nil
}
