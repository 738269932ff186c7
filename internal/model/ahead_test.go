package model

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/internal/plan"
	"github.com/cortexsdr/cortex/internal/testmodel"
	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
)

// Before each product idle workers fetch the beginnings of the workers' shares of
// its weights, piece by piece.
func TestAhead(t *testing.T) {
	c := testmodel.Config{Name: "ahead", Layers: 2, Dim: 256, Heads: 4, KVHeads: 4, FF: 1024, Vocab: 1000, Context: 64, Type: testmodel.Tiny()[0].Type}
	m := open(t, c, 2, 8)
	e := m.exec
	require.False(t, m.Ahead(1), "nothing has run yet")
	var product *step // that comes next
	for range 2 {
		for i := len(e.steps) - 1; i >= 0; i-- {
			s := &e.steps[i]
			if product != nil {
				for w, runs := range s.ahead.weights {
					from, to := e.pool.Share(w, product.rounds[0].tiles[oneByOne])
					if from == to {
						require.Empty(t, runs)
						continue
					}
					require.Len(t, runs, 1)
					weights := runs[0]
					mat, row, _ := product.rounds[0].tile(from, oneByOne)
					data, err := m.load.Acquire(mat.index)
					require.NoError(t, err)
					require.Same(t, &data[row*mat.rowBytes], &weights[0])
					require.LessOrEqual(t, len(weights), aheadBytes)
				}
			}
			if s.Op == plan.MatMul || s.Op == plan.MatMulAdd {
				product = s
			}
		}
	}

	require.Same(t, e.steps[0].ahead, e.steps[len(e.steps)-1].ahead, "what is fetched after a token is not fetched again before the next")

	kv := newKV(t, m, 8, KVF16)
	logitsOf(t, m, kv, []int32{1}, 1)
	a := e.ahead.Load()
	require.Same(t, e.steps[len(e.steps)-1].ahead, a, "the first product of the next token")
	for m.Ahead(1) {
	}
	require.GreaterOrEqual(t, int(a.next[0].Load()), a.pieces(0), "the share of the busy worker too")
	require.GreaterOrEqual(t, int(a.next[1].Load()), a.pieces(1))
}

// What is fetched for a product that is stored channel by channel is the scales and the weights of the
// channels that each worker begins with, unless channels are left out.
func TestAheadOfChannels(t *testing.T) {
	c := testmodel.Config{Name: "ahead", Layers: 2, Dim: 256, Heads: 4, KVHeads: 4, FF: 1024, Vocab: 1000, Context: 64, Type: testmodel.Tiny()[0].Type}
	path, _ := writeChannels(t, c, container.SDR8, 64, 1)
	src, err := loader.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, src.Close()) })
	m := start(t, src, 2, 8)
	e := m.exec
	kv := newKV(t, m, 8, KVF16)
	logitsOf(t, m, kv, []int32{1}, 1)
	last := &e.steps[len(e.steps)-1]
	first := e.steps[slices.IndexFunc(e.steps, func(s step) bool { return s.channels != nil })].channels
	a := e.ahead.Load()
	require.Same(t, last.ahead, a, "the first product of the next token")
	half := e.channel.first(t, first, 2) // what the second worker begins with
	for w, from := range []int{0, half} {
		data, err := m.load.Acquire(first.Block + from/64)
		require.NoError(t, err)
		scales, values, _, _ := first.Product.Block(from/64, data)
		require.Len(t, a.weights[w], 2)
		require.Same(t, &scales[from%64*first.Groups*2], &a.weights[w][0][0])
		require.Same(t, &values[from%64*first.Groups*kernels.SDRGroupBytes], &a.weights[w][1][0])
		require.Len(t, a.weights[w][0], len(a.weights[w][1])/32)
	}
	for m.Ahead(0) {
	}
	require.GreaterOrEqual(t, int(a.next[0].Load()), a.pieces(0))

	e.sparse, e.many = true, oneByOne
	e.ahead.Store(nil)
	e.fetchAhead(last)
	require.Nil(t, e.ahead.Load(), "not known which channels are active")
}

// first returns the channel that the last of some workers begins with if all are active.
func (w *channelWork) first(t *testing.T, c *channels, workers int) int {
	w.block, w.to, w.n = 0, len(c.blocks), 1
	w.inputs[0].All(c.Product.Channels)
	w.shareOut(c, workers)
	n := len(w.shares)
	require.Greater(t, n, 1)
	return w.shares[(n*(workers-1)+workers-1)/workers].from
}
