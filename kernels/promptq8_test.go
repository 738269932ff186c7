//go:build amd64 || arm64

package kernels

import (
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestQ8 compares the products of 8-bit numbers with the references of the
// products with single vectors, which use the same numbers: only the order of
// the additions differs. Weights and activations of the largest magnitudes show
// that no sum of products exceeds its 16 or 32 bits.
func TestQ8(t *testing.T) {
	for typ := range q8Types {
		p := products[typ]
		for _, row := range gemms[typ].rows {
			if !strings.HasPrefix(row.fn.Key(), "q8") {
				continue
			}
			t.Run(typ+"/isa="+row.isa.name, func(t *testing.T) {
				available(t, row.isa)
				g, r := row.fn, rand.New(rand.NewPCG(3, 1))
				n := 800 / p.block * p.block
				const m, rows = 9, 35
				for _, extreme := range []bool{false, true} {
					w := randomWeights(r, p, rows, n)
					x := floats(r, m*n)
					if extreme {
						extremes(r, p, w)
						for i := range x {
							if i%n == 0 || r.IntN(100) == 0 {
								x[i] = 1
							} else {
								x[i] = float32(math.Copysign(1, float64(x[i-1])))
							}
						}
					}
					a := NewActs(p.layout, m, n)
					copy(a.F, x)
					exactSums(a)
					x = a.F
					packed, scratch := make([]byte, g.PackedBytes(m, n)), make([]byte, g.ScratchBytes(n))
					y := make([]float32, m*rows)
					require.Zero(t, testing.AllocsPerRun(1, func() {
						g.Pack(packed, x, m, n, 0, 1)
						g.Run(y, rows, w, rows, packed, m, n, scratch)
					}))

					a.Quantize(0, m)
					weights, want := make([]float32, rows*n), make([]float32, rows)
					dequantRow(weights, w, p.block, p.blockBytes, dequantizers[typ])
					for v := range m {
						j := v * n
						p.quant.rows[0].fn(want, w, a.Q[j:j+n], a.D[j/p.block:(j+n)/p.block],
							a.S[j/p.layout.SumBlock():(j+n)/p.layout.SumBlock()], shape{rows, rows, 1, n})
						for i, f := range want {
							most := 0.0
							for _, v := range weights[i*n:][:n] {
								most = max(most, math.Abs(float64(v)))
							}
							bound := 0.0
							for _, v := range x[j:][:n] {
								bound += 4 * eps * most * math.Abs(float64(v))
							}
							require.NoError(t, close32(y[v*rows+i], f, bound), "row %d, vector %d, extreme %v", i, v, extreme)
						}
					}
				}
			})
		}
	}
}

// TestPutRow compares the assembly that unpacks rows with the Go code that says what
// it means.
func TestPutRow(t *testing.T) {
	available(t, ladder[1])
	for typ, put := range rowPutters {
		p, r := products[typ], rand.New(rand.NewPCG(2, 6))
		for values := p.block; values <= q8Depth; values += p.block {
			g := q8GEMM{
				packing:    q8Packing{p.q8Layout(), 4, 1},
				panels:     1,
				wholeScale: p.layout == Q8x256,
				excess:     runtime.GOARCH == "amd64",
				transpose:  func(panel, q []byte, steps int) {},
			}.of(p)
			const rows = 3
			rowBytes := p.RowBytes(values)
			w := randomWeights(r, p, rows, values)
			got, want := make([]byte, g.scratch().size), make([]byte, g.scratch().size)
			g.putRow = nil
			g.unpackPanels(want, w, rowBytes, rows, values)
			g.putRow = put
			g.unpackPanels(got, w, rowBytes, rows, values)

			at := g.scratch()
			require.Equal(t, want[at.rows:at.d], got[at.rows:at.d], "%s, the numbers of %d", typ, values)
			have := viewF32(got[:at.rows])
			for i, v := range viewF32(want[:at.rows]) {
				if math.Float32bits(v) != math.Float32bits(have[i]) { // whole numbers are bits, too
					require.InDelta(t, v, have[i], 1e-6*math.Abs(float64(v)), "%s, scales and minimums of %d: number %d", typ, values, i)
				}
			}
		}
	}
}

// TestManyVectors checks products of more vectors than are multiplied with one
// unpacking of the weights.
func TestManyVectors(t *testing.T) {
	for typ, fam := range gemms {
		for _, row := range fam.rows[1:] {
			t.Run(typ+"/isa="+row.isa.name, func(t *testing.T) {
				available(t, row.isa)
				g, r := row.fn, rand.New(rand.NewPCG(5, 5))
				const m, n, rows = 1100, 256, 3
				w, _ := gemmWeights(r, g.product, rows, n)
				x, scratch := floats(r, m*n), make([]byte, g.ScratchBytes(n))
				product := func(x []float32) []float32 {
					m := len(x) / n
					packed, y := make([]byte, g.PackedBytes(m, n)), make([]float32, m*rows)
					g.Pack(packed, x, m, n, 0, 1)
					g.Run(y, rows, w, rows, packed, m, n, scratch)
					return y
				}
				whole := product(x)
				for from := 0; from < m; from += 100 {
					require.Equal(t, product(x[from*n:][:100*n]), whole[from*rows:][:100*rows])
				}
			})
		}
	}
}

// extremes makes all weights of a block the smallest or the largest there are.
// The scales stay what they were.
func extremes(r *rand.Rand, p *Product, w []byte) {
	numbers := map[string][][2]int{ // the bytes of a block that hold the numbers
		"Q4_0": {{2, 18}}, "Q4_1": {{4, 20}}, "Q5_0": {{2, 22}}, "Q5_1": {{4, 24}},
		"IQ4_NL": {{2, 18}}, "MXFP4": {{1, 17}}, "Q2_K": {{16, 80}}, "Q3_K": {{0, 96}},
		"Q4_K": {{16, 144}}, "Q5_K": {{16, 176}}, "Q6_K": {{0, 192}}, "IQ4_XS": {{8, 136}},
		"TQ1_0": {{0, 52}}, "TQ2_0": {{0, 64}},
	}
	for i := 0; i < len(w); i += p.blockBytes {
		b := []byte{0x00, 0xff}[r.IntN(2)]
		if p.typ == "MXFP4" {
			b = []byte{0x77, 0xff}[r.IntN(2)]
		}
		if p.typ == "Q8_0" {
			for j := 2; j < 34; j++ {
				w[i+j] = 0x80 ^ b
			}
		}
		for _, part := range numbers[p.typ] {
			for j := part[0]; j < part[1]; j++ {
				w[i+j] = b
			}
		}
	}
}
