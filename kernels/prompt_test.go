package kernels

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// A gemmWalk is a walk over a GEMM. The operands of a call are the results, the
// weights, the activations, memory for the packed activations and the four
// numbers of a shape. Scratch memory is large and not among them.
type gemmWalk struct {
	walk[*GEMM]
	product *Product
}

// gemmTokens are numbers of vectors around the sizes of the kernels' tiles.
var gemmTokens = []int{1, 2, 15, 16, 17, 33, 100}

func newGEMMWalk(p *Product) gemmWalk {
	var lengths []int
	for _, blocks := range []int{1, 2, 3, 5, 8, 15, 16, 17, 19} {
		lengths = append(lengths, blocks*p.block)
	}
	switch p.block {
	case 32:
		lengths = append(lengths, 33*32)
	case 1:
		lengths = append(upTo(70)[1:], 1031)
	}
	fam := gemms[p.typ]
	problem := func(r *rand.Rand, n int) problem {
		m := gemmTokens[r.IntN(len(gemmTokens))]
		rows := 1 + r.IntN(fam.rows[0].fn.rowTile)
		for m*rows*n > 1<<16 && m*rows > 4 { // the reference takes a nanosecond for each
			m, rows = (m+1)/2, (rows+1)/2
		}
		stride := rows + r.IntN(2)*r.IntN(20)
		data, weights := gemmWeights(r, p, rows, n)
		x, y := floats(r, m*n), floats(r, (m-1)*stride+rows)
		var packed int64
		for _, row := range fam.rows {
			packed = max(packed, row.fn.PackedBytes(m, n))
		}
		bound := func(i int) float64 {
			t, row := i/stride, i%stride
			if row >= rows {
				return 0 // between the results of two vectors
			}
			return gemmBound(p, weights[row*n:][:n], x[t*n:][:n])
		}
		return problem{[]operand{out(y), in(data), in(x), out(make([]byte, packed)),
			in([]int64{int64(stride), int64(rows), int64(m), int64(n)})}, len(data), within(0, bound)}
	}
	return gemmWalk{walk[*GEMM]{fam, lengths, 0, problem, callGEMM}, p}
}

func callGEMM(g *GEMM, o []operand) {
	var shape [4]int
	for i := range shape {
		shape[i] = int(binary.NativeEndian.Uint64(o[4].data[8*i:]))
	}
	stride, rows, m, n := shape[0], shape[1], shape[2], shape[3]
	packed := o[3].data
	packed = packed[len(packed)-int(g.PackedBytes(m, n)):]
	const parts = 3
	for part := range parts {
		g.Pack(packed, as[float32](o[2]), m, n, part, parts)
	}
	scratch, guard := gemmScratch(int(g.ScratchBytes(n)))
	g.Run(as[float32](o[0]), stride, o[1].data, rows, packed, m, n, scratch)
	if bytes.Count(guard, []byte{canary}) != len(guard) {
		panic("bytes behind the scratch memory were written to")
	}
}

var gemmMemory []byte

// gemmScratch returns scratch memory, with anything in it, and the bytes behind it.
func gemmScratch(size int) (scratch, guard []byte) {
	const behind = 256
	if len(gemmMemory) < size+behind {
		gemmMemory = make([]byte, size+behind)
	}
	at := len(gemmMemory) - size - behind
	guard = gemmMemory[at+size:]
	for i := range guard {
		guard[i] = canary
	}
	return gemmMemory[at : at+size : at+size], guard
}

// gemmBound returns how much a product of these weights and activations may be
// wrong. If the weights are floats, both are rounded to 16 bits. If not, both are
// rounded to 8 bits, or the activations to whole numbers of up to 127 for the
// largest of a block.
func gemmBound(p *Product, w []float64, x []float32) float64 {
	sum, steps, tiny := 0.0, 0.0, 0.0
	for j := 0; j < len(w); j += p.block {
		weights, largest := 0.0, 0.0
		for i, v := range x[j:][:p.block] {
			v, w := math.Abs(float64(v)), math.Abs(w[j+i])
			sum += v * w
			weights += w
			largest = max(largest, v)
			tiny += (v + w) * 0x1p-126 // values below this may be lost
		}
		steps += weights * largest / 254
	}
	if p.layout == Float {
		return 0x1p-15*sum + tiny
	}
	return 0x1.1p-8*sum + steps + tiny
}

// gemmWeights returns rows of n random weights and their values.
func gemmWeights(r *rand.Rand, p *Product, rows, n int) (data []byte, weights []float64) {
	if p.layout != Float {
		data = randomWeights(r, p, rows, n)
		return data, dequantize(p, data)
	}
	weights = make([]float64, rows*n)
	for i := range weights {
		f := float32(r.NormFloat64())
		switch p.typ {
		case "F32":
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(f))
		case "F16":
			h := f32ToF16(f)
			f, data = f16ToF32(h), binary.LittleEndian.AppendUint16(data, h)
		case "BF16":
			h := uint16(math.Float32bits(f) >> 16)
			f, data = bf16ToF32(h), binary.LittleEndian.AppendUint16(data, h)
		}
		weights[i] = float64(f)
	}
	return data, weights
}

// The benchmark multiplies tiles of a matrix that does not fit in the cache
// with a prompt, as prefill does; gmac/s are billions of multiplications and
// additions per second.
func (w gemmWalk) bench(b *testing.B) {
	for _, r := range w.fam.rows {
		for _, m := range []int{128, 512} {
			const n = 2048
			b.Run(fmt.Sprintf("op=gemm/type=%s/isa=%s/n=%d/m=%d", w.fam.typ, r.isa.name, n, m), func(b *testing.B) {
				available(b, r.isa)
				g := r.fn
				rows := g.rowTile
				rnd := rand.New(rand.NewPCG(1, 2))
				tile, _ := gemmWeights(rnd, w.product, rows, n)
				x, y := floats(rnd, m*n), make([]float32, m*rows)
				packed, scratch := make([]byte, g.PackedBytes(m, n)), make([]byte, g.ScratchBytes(n))
				g.Pack(packed, x, m, n, 0, 1)
				b.ReportAllocs()
				for b.Loop() {
					g.Run(y, rows, tile, rows, packed, m, n, scratch)
				}
				b.ReportMetric(float64(m*n*rows)*float64(b.N)/b.Elapsed().Seconds()/1e9, "gmac/s")
			})
		}
	}
}

// TestDequantize compares the references that decode weights with the products
// with single ones.
func TestDequantize(t *testing.T) {
	require.Len(t, dequantizers, len(products))
	for typ, p := range products {
		w, want := gemmWeights(rand.New(rand.NewPCG(1, 2)), p, 4, 3*p.block)
		got := make([]float32, len(want))
		dequantRow(got, w, p.block, p.blockBytes, dequantizers[typ])
		for i, v := range want {
			require.InDelta(t, v, float64(got[i]), 4*eps*(math.Abs(v)+40), "%s, weight %d", typ, i)
		}
	}
}

func TestTileRows(t *testing.T) {
	g := &GEMM{rowTile: 512}
	for _, c := range []struct{ rows, workers, want int }{
		{2048, 1, 512}, {2048, 2, 512}, {2048, 8, 256}, {256, 2, 128}, {5632, 2, 480}, {5632, 3, 480}, {33, 2, 32}, {1, 4, 32}, {32000, 2, 512},
	} {
		per := g.TileRows(c.rows, c.workers)
		require.Equal(t, c.want, per, "%d rows, %d workers", c.rows, c.workers)
	}
}

// TestGEMMLarge checks products whose depth and number of vectors are more than
// the kernels take at a time, and of the most rows.
func TestGEMMLarge(t *testing.T) {
	for typ, fam := range gemms {
		for _, row := range fam.rows[1:] {
			t.Run(typ+"/isa="+row.isa.name, func(t *testing.T) {
				available(t, row.isa)
				g, p, r := row.fn, fam.rows[0].fn.product, rand.New(rand.NewPCG(4, 9))
				n := 1100 / p.block * p.block
				m, rows := 531, g.rowTile
				w, weights := gemmWeights(r, p, rows, n)
				x, y := floats(r, m*n), make([]float32, m*rows)
				packed, scratch := make([]byte, g.PackedBytes(m, n)), make([]byte, g.ScratchBytes(n))
				g.Pack(packed, x, m, n, 0, 1)
				g.Run(y, rows, w, rows, packed, m, n, scratch)
				for range 300 {
					i, j := r.IntN(m), r.IntN(rows)
					x, w, sum := x[i*n:][:n], weights[j*n:][:n], 0.0
					for k, v := range x {
						sum += float64(v) * w[k]
					}
					require.InDelta(t, sum, float64(y[i*rows+j]), gemmBound(p, w, x), "vector %d, row %d", i, j)
				}
			})
		}
	}
}

// TestGEMMSplit checks that a result has the same bits whatever the other
// vectors are, how the rows are split into tiles and how the packing is shared.
func TestGEMMSplit(t *testing.T) {
	for typ, fam := range gemms {
		for _, row := range fam.rows {
			t.Run(typ+"/isa="+row.isa.name, func(t *testing.T) {
				available(t, row.isa)
				g, r := row.fn, rand.New(rand.NewPCG(9, 9))
				n := max(600/g.product.block, 1) * g.product.block
				const m, rows = 37, 50
				w, _ := gemmWeights(r, g.product, rows, n)
				x, whole := floats(r, m*n), make([]float32, m*rows)
				product := func(x []float32, m, from, to, parts int) []float32 {
					packed, scratch := make([]byte, g.PackedBytes(m, n)), make([]byte, g.ScratchBytes(n))
					for part := range parts {
						g.Pack(packed, x, m, n, part, parts)
					}
					y := make([]float32, m*(to-from))
					g.Run(y, to-from, w[from*g.product.RowBytes(n):], to-from, packed, m, n, scratch)
					return y
				}
				whole = product(x, m, 0, rows, 1)
				packed, scratch := make([]byte, g.PackedBytes(m, n)), make([]byte, g.ScratchBytes(n))
				require.Zero(t, testing.AllocsPerRun(1, func() {
					g.Pack(packed, x, m, n, 0, 1)
					g.Run(whole, rows, w, rows, packed, m, n, scratch)
				}))
				for _, size := range []int{1, 2, 15, 16, 17, 33} {
					for t0 := 0; t0 < m; t0 += size {
						count := min(size, m-t0)
						from := (t0 * 7) % rows
						to := min(from+size, rows)
						y := product(x[t0*n:], count, from, to, 1+t0%5)
						for i := range count {
							want := whole[(t0+i)*rows:][from:to]
							require.Equal(t, fmt.Sprint(want), fmt.Sprint(y[i*(to-from):][:to-from]),
								"vector %d of %d from vector %d on, rows %d to %d", i, count, t0, from, to)
						}
					}
				}
			})
		}
	}
}
