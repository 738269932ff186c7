package model

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/internal/plan"
	"github.com/cortexsdr/cortex/internal/testmodel"
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
				for w, weights := range s.ahead.weights {
					from, to := e.pool.Share(w, product.rounds[0].tiles[oneByOne])
					if from == to {
						require.Empty(t, weights)
						continue
					}
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
	require.GreaterOrEqual(t, int(a.next[0].Load())*pieceBytes, len(a.weights[0]), "the share of the busy worker too")
	require.GreaterOrEqual(t, int(a.next[1].Load())*pieceBytes, len(a.weights[1]))
}
