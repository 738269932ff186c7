package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSplit checks that a result has the same bits however the work is split:
// products of many rows and of single ones.
func TestSplit(t *testing.T) {
	for typ, p := range products {
		r := rand.New(rand.NewPCG(3, 4))
		n := 3 * p.block
		if p.layout == Float {
			n = 75
		}
		a := NewActs(p.layout, 2, n)
		copy(a.F, floats(r, 2*n))
		a.Quantize(0, 2)
		const rows = 11
		w := asBytes(floats(r, rows*n))
		if p.layout != Float {
			w = randomWeights(r, p, rows, n)
		} else if p.blockBytes == 2 {
			w = asBytes(halves(r, rows*n))
		}
		t.Run(typ, func(t *testing.T) {
			whole, part := make([]float32, rows), make([]float32, rows)
			p.MatVec(whole, w, a, 1)
			for size := 1; size < rows; size++ {
				clear(part)
				for i := 0; i < rows; i += size {
					p.MatVec(part[i:min(i+size, rows)], w[i*p.RowBytes(n):], a, 1)
				}
				require.Equal(t, fmt.Sprint(whole), fmt.Sprint(part), "%d rows at a time", size)
			}
		})
	}
}
