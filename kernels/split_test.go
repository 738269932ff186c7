package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestProductBits checks that every row of every product gives the same bits
// for however many rows and vectors it is called at once.
func TestProductBits(t *testing.T) {
	for typ, p := range products {
		n := 3 * p.block
		switch p.block {
		case 1: // a float
			n = 75
		case 32:
			productBits(t, typ, p, 35*32) // bodies that take 16 blocks at once, for rows of 1024 and more values
		}
		productBits(t, typ, p, n)
	}
}

func productBits(t *testing.T, typ string, p *Product, n int) {
	r := rand.New(rand.NewPCG(3, 4))
	const rows, m = 35, 10
	a := NewActs(p.layout, m, n)
	copy(a.F, floats(r, m*n))
	a.Quantize(0, m)
	w := asBytes(floats(r, rows*n))
	if p.layout != Float {
		w = randomWeights(r, p, rows, n)
	} else if p.blockBytes == 2 {
		w = asBytes(halves(r, rows*n))
	}
	rowBytes := p.RowBytes(n)
	test := func(level *isa, product func(y []float32, sh shape, r, t int)) {
		t.Run(fmt.Sprintf("%s/n=%d/isa=%s", typ, n, level.name), func(t *testing.T) {
			available(t, level)
			var want [m][rows]float32
			for v := range m {
				for r := range rows {
					product(want[v][r:][:1], shape{1, 1, 1, n}, r, v)
				}
			}
			for _, size := range []int{1, 2, 3, 5, 7, 8, 9, 13, 15, 16, 17, 31, 32, 33, 34, 35} {
				for _, vectors := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10} {
					var got [m][rows]float32
					flat := as[float32](out(got[:]))
					for v := 0; v < m; v += vectors {
						for r := 0; r < rows; r += size {
							product(flat[v*rows+r:], shape{rows, min(size, rows-r), min(vectors, m-v), n}, r, v)
						}
					}
					require.Equal(t, asBytes(want[:]), asBytes(got[:]), "%d rows and %d vectors at a time", size, vectors)
				}
			}
		})
	}
	if p.layout == Float {
		for _, row := range p.float.rows {
			test(row.isa, func(y []float32, sh shape, r, t int) {
				row.fn(y[:(sh.m-1)*sh.stride+sh.rows], w[r*rowBytes:][:sh.rows*rowBytes], a.F[t*n:][:sh.m*n], sh)
			})
		}
		return
	}
	scales, sums := n/p.block, n/p.layout.SumBlock()
	for _, row := range p.quant.rows {
		test(row.isa, func(y []float32, sh shape, r, t int) {
			row.fn(y[:(sh.m-1)*sh.stride+sh.rows], w[r*rowBytes:][:sh.rows*rowBytes],
				a.Q[t*n:][:sh.m*n], a.D[t*scales:][:sh.m*scales], a.S[t*sums:][:sh.m*sums], sh)
		})
	}
}

// TestMatVecs checks that the exported functions agree.
func TestMatVecs(t *testing.T) {
	const rows, m, stride = 20, 6, 23
	for typ, p := range products {
		n := 2 * p.block
		a := NewActs(p.layout, m+2, n)
		r := rand.New(rand.NewPCG(3, 4))
		copy(a.F, floats(r, len(a.F)))
		a.Quantize(0, m+2)
		w := make([]byte, rows*p.RowBytes(n))
		if p.layout != Float {
			w = randomWeights(r, p, rows, n)
		}
		want, got := make([]float32, m*stride), make([]float32, m*stride)
		p.MatVecs(got, stride, w, rows, a, 1, m+1)
		for v := range m {
			p.MatVec(want[v*stride:][:rows], w, a, v+1)
		}
		require.Equal(t, asBytes(want), asBytes(got), typ)
		require.Panics(t, func() { p.MatVecs(got, rows-1, w, rows, a, 1, m+1) }, "results on top of each other")
		require.Panics(t, func() { p.MatVecs(got[:(m-1)*stride+rows-1], stride, w, rows, a, 1, m+1) }, "no room for the results")
		require.Panics(t, func() { p.MatVecs(got, stride, w[1:], rows, a, 1, m+1) }, "too few weights")
		require.Panics(t, func() { p.MatVecs(got, stride, w, rows, a, 3, m+3) }, "too few vectors")
		require.Panics(t, func() { p.MatVecs(got, stride, w, rows, a, 1, 0) }, "vectors backwards")
		require.NotPanics(t, func() { p.MatVecs(nil, 0, nil, 0, a, 0, m); p.MatVecs(nil, rows, w, rows, a, 1, 1) })
	}
}
