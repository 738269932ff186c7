package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSplit checks that a result has the same bits however the work is split:
// products of many rows and of single ones, attention over any range of vectors
// and of columns.
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

	const count, n, stride = 11, 75, 80
	r := rand.New(rand.NewPCG(5, 6))
	x, p := floats(r, n), floats(r, count)
	k16, k32 := halves(r, count*stride), floats(r, count*stride)
	t.Run("dots", func(t *testing.T) {
		var whole, part [2][count]float32
		DotsF16(whole[0][:], k16, x, stride)
		DotsF32(whole[1][:], k32, x, stride)
		for size := 1; size < count; size++ {
			for i := 0; i < count; i += size {
				end := min(i+size, count)
				DotsF16(part[0][i:end], k16[i*stride:], x, stride)
				DotsF32(part[1][i:end], k32[i*stride:], x, stride)
			}
			require.Equal(t, whole, part, "%d vectors at a time", size)
		}
	})
	t.Run("accum", func(t *testing.T) {
		var whole [2][n]float32
		AccumF16(whole[0][:], k16, p, stride)
		AccumF32(whole[1][:], k32, p, stride)
		for size := 1; size < n; size++ {
			var part [2][n]float32
			for j := 0; j < n; j += size {
				end := min(j+size, n)
				AccumF16(part[0][j:end], k16[j:], p, stride)
				AccumF32(part[1][j:end], k32[j:], p, stride)
			}
			require.Equal(t, whole, part, "%d columns at a time", size)
		}
	})
}
