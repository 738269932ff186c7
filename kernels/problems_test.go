package kernels

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The problems that the walk gives to each family, and how results are compared.

// Comparisons.

// exact demands the same bytes in all outputs.
func exact(want, got []operand) error {
	for i := range want {
		if want[i].out && !bytes.Equal(want[i].data, got[i].data) {
			for j := range want[i].data {
				if w, g := want[i].data[j], got[i].data[j]; w != g {
					return fmt.Errorf("operand %d, byte %d: got %#x, want %#x", i, j, g, w)
				}
			}
		}
	}
	return nil
}

// within demands that float output i differs at most by bound(j) in element j.
func within(i int, bound func(j int) float64) func(want, got []operand) error {
	return func(want, got []operand) error {
		w, g := as[float32](want[i]), as[float32](got[i])
		for j := range w {
			if math.Float32bits(g[j]) == math.Float32bits(w[j]) {
				continue
			}
			if err := close32(g[j], w[j], bound(j)); err != nil {
				return fmt.Errorf("operand %d, element %d of %d: %w", i, j, len(w), err)
			}
		}
		return nil
	}
}

func close32(got, want float32, bound float64) error {
	g, w := float64(got), float64(want)
	switch {
	case math.Float32bits(got) == math.Float32bits(want), math.IsNaN(g) && math.IsNaN(w):
		return nil
	case math.Abs(g-w) <= bound:
		return nil
	}
	return fmt.Errorf("got %v, want %v, which differ by %.3g, more than %.3g", got, want, math.Abs(g-w), bound)
}

const eps = 0x1p-23

// Operands.

func floats(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func halves(r *rand.Rand, n int) []uint16 {
	x := make([]uint16, n)
	for i := range x {
		x[i] = f32ToF16(float32(r.NormFloat64()))
	}
	return x
}

// upTo are the lengths for operations on any number of values.
func upTo(last int) []int {
	var n []int
	step := 1
	if testing.Short() {
		step = 3
	}
	for i := 0; i <= last; i += step {
		n = append(n, i)
	}
	return append(n, 255, 257, 1023, 4099)
}

// walks lists the walkers of all families.
func walks() []walker {
	var ws []walker
	anyLength := upTo(130)
	ws = append(ws,
		walk[quantizer]{quantizeQ8x32, blocks(32), 4096, quantizeProblem(Q8x32), callQuantize},
		walk[quantizer]{quantizeQ8x32Sums, blocks(32), 4096, quantizeProblem(Q8x32Sums), callQuantize},
		walk[quantizer]{quantizeQ8x256, blocks(256), 4096, quantizeProblem(Q8x256), callQuantize},
		walk[func(y, x, w []float32, eps float32)]{rmsNorm, anyLength[1:], 4096,
			func(r *rand.Rand, n int) problem {
				x, w := floats(r, n), floats(r, n)
				return problem{[]operand{out(make([]float32, n)), in(x), in(w)}, 8 * n, relative(0, 4)}
			},
			func(fn func(y, x, w []float32, eps float32), o []operand) {
				fn(as[float32](o[0]), as[float32](o[1]), as[float32](o[2]), 1e-5)
			}},
		walk[func([]float32) float32]{maximum, anyLength, 4096,
			func(r *rand.Rand, n int) problem {
				x := floats(r, n)
				if n%4 == 1 {
					for i := range x {
						x[i] = float32(math.Inf(-1))
					}
				}
				return problem{[]operand{in(x), out(make([]float32, 1))}, 4 * n, exact}
			},
			func(fn func([]float32) float32, o []operand) { as[float32](o[1])[0] = fn(as[float32](o[0])) }},
		walk[func([]float32, float32) float32]{expSum, anyLength, 4096, expProblem,
			func(fn func([]float32, float32) float32, o []operand) {
				as[float32](o[1])[0] = fn(as[float32](o[0]), 1.5)
			}},
		walk[func(y, gate, up []float32)]{siluMul, anyLength, 4096,
			func(r *rand.Rand, n int) problem {
				gate, up := floats(r, n), floats(r, n)
				for i := range gate {
					switch i % 5 {
					case 1:
						gate[i] *= 50
					case 2:
						gate[i] = []float32{1e30, -1e30, 0, -88.5, 88.5, -103, 200}[i/5%7]
					}
				}
				return problem{[]operand{out(make([]float32, n)), in(gate), in(up)}, 8 * n,
					// A product of less than 2^-126 may be lost.
					within(0, func(i int) float64 {
						g := float64(gate[i])
						return 8*eps*math.Abs(g/(1+math.Exp(-g))*float64(up[i])) + 0x1p-126*max(1, math.Abs(g*float64(up[i])))
					})}
			},
			func(fn func(y, gate, up []float32), o []operand) {
				fn(as[float32](o[0]), as[float32](o[1]), as[float32](o[2]))
			}},
		walk[func(x, cs []float32, headDim int)]{rope, ropeSizes(), 128, ropeProblem(false), callRope},
		walk[func(x, cs []float32, headDim int)]{ropeNeoX, ropeSizes(), 128, ropeProblem(true), callRope},
		walk[func(y, x []float32)]{add, anyLength, 4096,
			func(r *rand.Rand, n int) problem {
				return problem{[]operand{out(floats(r, n)), in(floats(r, n))}, 8 * n, exact}
			},
			func(fn func(y, x []float32), o []operand) { fn(as[float32](o[0]), as[float32](o[1])) }},
		walk[func([]float32, float32)]{scale, anyLength, 4096,
			func(r *rand.Rand, n int) problem {
				return problem{[]operand{out(floats(r, n))}, 4 * n, exact}
			},
			func(fn func([]float32, float32), o []operand) { fn(as[float32](o[0]), 1.7) }},
		walk[func([]uint16, []float32)]{toF16, anyLength, 4096,
			func(r *rand.Rand, n int) problem {
				x := floats(r, n)
				for i := range x {
					switch i % 4 {
					case 1: // any bits at all
						x[i] = math.Float32frombits(r.Uint32())
					case 2: // near the ends of the range of binary16
						x[i] *= []float32{0x1p-24, 0x1p-14, 0x1p15, 0x1p-26}[i/4%4]
					case 3: // exactly between two numbers
						x[i] = f16ToF32(uint16(r.Uint32())&0x7bff) + f16ToF32(uint16(r.Uint32())&0x7bff)
					}
				}
				return problem{[]operand{out(make([]uint16, n)), in(x)}, 4 * n, exact}
			},
			func(fn func([]uint16, []float32), o []operand) { fn(as[uint16](o[0]), as[float32](o[1])) }},
		walk[func([]float32, []uint16)]{fromF16, append(upTo(130), 1<<16), 4096,
			func(r *rand.Rand, n int) problem {
				x := make([]uint16, n)
				first := uint16(r.Uint32())
				for i := range x {
					x[i] = first + uint16(i)
				}
				return problem{[]operand{out(make([]float32, n)), in(x)}, 2 * n, exact}
			},
			func(fn func([]float32, []uint16), o []operand) { fn(as[float32](o[0]), as[uint16](o[1])) }},
	)
	ws = append(ws,
		walk[func([]int32, []float32, []float32, int)]{selectTop, anyLength[1:], 4096, selectProblem,
			func(fn func([]int32, []float32, []float32, int), o []operand) {
				index, k := as[int32](o[0]), (len(o[0].data)/4+1)/2
				fn(index, as[float32](o[2]), as[float32](o[3]), k)
				clear(index[k:])
			}},
		walk[func([]int32, []float32, []float32, uint32) int]{selectAbove, anyLength[1:], 4096, selectProblem,
			func(fn func([]int32, []float32, []float32, uint32) int, o []operand) {
				index := as[int32](o[0])
				n := fn(index, as[float32](o[2]), as[float32](o[3]), math.Float32bits(0.5))
				clear(index[n:])
				as[int32](o[1])[0] = int32(n)
			}})
	ws = append(ws,
		walk[func(y, x []int32)]{addInts, anyLength, 4096,
			func(r *rand.Rand, n int) problem {
				x, y := make([]int32, n), make([]int32, n)
				for i := range x {
					x[i], y[i] = int32(r.Uint32()), int32(r.Uint32())
				}
				return problem{[]operand{out(y), in(x)}, 8 * n, exact}
			},
			func(fn func(y, x []int32), o []operand) { fn(as[int32](o[0]), as[int32](o[1])) }},
		walk[func(y, x, d []float32, index []int32) uint32]{gather, anyLength, 4096, gatherProblem,
			func(fn func(y, x, d []float32, index []int32) uint32, o []operand) {
				var index []int32
				if len(o[4].data) > 0 {
					index = as[int32](o[4])
				}
				as[uint32](o[1])[0] = fn(as[float32](o[0]), as[float32](o[2]), as[float32](o[3]), index)
			}})
	ws = append(ws, walk[func(y []uintptr, channels []int32, base, size uintptr)]{places, anyLength, 4096,
		func(r *rand.Rand, n int) problem {
			channels := make([]int32, n)
			for i := range channels {
				channels[i] = r.Int32()
			}
			return problem{[]operand{out(make([]uintptr, n)), in(channels), in([]uintptr{uintptr(r.Uint64()), uintptr(r.Uint64())})}, 12 * n, exact}
		},
		func(fn func(y []uintptr, channels []int32, base, size uintptr), o []operand) {
			more := as[uintptr](o[2])
			fn(as[uintptr](o[0]), as[int32](o[1]), more[0], more[1])
		}})
	ws = append(ws, attentionWalks()...)
	ws = append(ws, kvQ4Walks()...)
	for _, f := range families {
		switch f := f.(type) {
		case *family[floatMV]:
			ws = append(ws, matvecFloatWalk(products[f.typ]))
		case *family[quantMV]:
			ws = append(ws, matvecQuantWalk(products[f.typ]))
		case *family[*GEMM]:
			ws = append(ws, newGEMMWalk(products[f.typ]))
		case *family[*sdrBody]:
			ws = append(ws, newSDRWalk(sdrs[f.typ]))
		}
	}
	return ws
}

// selectProblem has scores of which many are equal and some are not finite.
func selectProblem(r *rand.Rand, n int) problem {
	x, norm := floats(r, n), make([]float32, n)
	for i := range x {
		norm[i] = r.Float32() + 0.5
		switch r.IntN(8) {
		case 0:
			x[i], norm[i] = float32(r.IntN(3)-1), 1
		case 1:
			x[i] = []float32{float32(math.Inf(-1)), float32(math.NaN()), 0, 0x1p-149}[r.IntN(4)]
		}
	}
	return problem{[]operand{out(make([]int32, n)), out(make([]int32, 1)), in(x), in(norm)}, 8 * n, exact}
}

// gatherProblem takes some or all of n elements.
func gatherProblem(r *rand.Rand, n int) problem {
	x, d := floats(r, n), floats(r, n)
	var index []int32
	for j := range x {
		if r.IntN(50) == 0 {
			x[j] = math.Float32frombits(r.Uint32())
		}
		if r.IntN(2) == 0 {
			index = append(index, int32(j))
		}
	}
	y := make([]float32, len(index))
	if len(index) == 0 || r.IntN(3) == 0 {
		y, index = make([]float32, n), nil
	}
	return problem{[]operand{out(y), out(make([]uint32, 1)), in(x), in(d), in(index)}, 8 * n, exact}
}

// relative is within, bounded by k units in the last place of each element.
func relative(i int, k float64) func(want, got []operand) error {
	return func(want, got []operand) error {
		w := as[float32](want[i])
		return within(i, func(j int) float64 { return k * eps * math.Abs(float64(w[j])) })(want, got)
	}
}

func blocks(block int) []int {
	last := 130
	if block == 256 || testing.Short() {
		last = 12
	}
	var n []int
	for i := 1; i <= last; i++ {
		n = append(n, i*block)
	}
	return append(n, 16*block, 19*block, 32*block, 35*block)
}

func quantizeProblem(l Layout) func(r *rand.Rand, n int) problem {
	return func(r *rand.Rand, n int) problem {
		x := floats(r, n)
		for b := range n / l.Block() {
			x := x[b*l.Block():][:l.Block()]
			switch (b + r.IntN(2)) % 12 {
			case 1: // zero, with signs
				for i := range x {
					x[i] *= 0
				}
			case 2: // magnitudes that occur twice, with both signs
				x[r.IntN(len(x))], x[r.IntN(len(x))] = 7, -7
			case 3: // halves: ties when the largest is 127
				for i := range x {
					x[i] = float32(r.IntN(255)-127) / 2
				}
				x[r.IntN(len(x))] = 127
			case 4: // near the smallest numbers
				for i := range x {
					x[i] *= 0x1p-119
				}
			case 5: // near the largest
				for i := range x {
					x[i] *= 0x1p124
				}
			case 6:
				x[r.IntN(len(x))] = float32(math.Inf(1 - 2*r.IntN(2)))
			case 7:
				x[r.IntN(len(x))] = math.Float32frombits(0x7f800001 | r.Uint32())
			}
		}
		return problem{[]operand{out(make([]int8, n)), out(make([]float32, n/l.Block())),
			out(make([]int16, n/l.SumBlock())), in(x)}, 4 * n, exact}
	}
}

func callQuantize(fn quantizer, o []operand) {
	fn(as[int8](o[0]), as[float32](o[1]), as[int16](o[2]), as[float32](o[3]))
}

func expProblem(r *rand.Rand, n int) problem {
	x := floats(r, n)
	for i := range x {
		switch r.IntN(6) {
		case 0:
			x[i] = float32(math.Inf(-1))
		case 1:
			x[i] *= 30
		case 2:
			x[i] = []float32{1.5, -85.5, -85.9, -101, -102.5, -1e30, -200}[r.IntN(7)]
		}
		x[i] = min(x[i], 1.5)
	}
	return problem{[]operand{out(x), out(make([]float32, 1))}, 4 * n,
		func(want, got []operand) error {
			e := as[float32](want[0])
			// Results below 2^-126 may be lost.
			err := within(0, func(i int) float64 { return 4*eps*float64(e[i]) + 0x1p-126 })(want, got)
			if err != nil {
				return err
			}
			return relative(1, 8)(want, got)
		}}
}

// ropeSizes are heads*1000 + headDim.
func ropeSizes() []int {
	var s []int
	for _, dim := range []int{1, 2, 4, 6, 14, 16, 30, 32, 34, 64, 65, 80, 96, 128, 130, 256} {
		s = append(s, 1000+dim, 3000+dim)
	}
	return s
}

func ropeProblem(neox bool) func(r *rand.Rand, size int) problem {
	return func(r *rand.Rand, size int) problem {
		heads, dim := max(1, size/1000), size%1000
		rot := dim &^ 1
		if r.IntN(2) == 0 && dim > 2 {
			rot = 2 * (1 + r.IntN(dim/2))
		}
		x, cs := floats(r, heads*dim), make([]float32, rot)
		for i := 0; i < rot; i += 2 {
			sin, cos := math.Sincos(r.Float64() * 100)
			cs[i], cs[i+1] = float32(cos), float32(sin)
		}
		bound := func(j int) float64 {
			h, i := j/dim, j%dim
			if i >= rot {
				return 0
			}
			a, b := i&^1, i|1
			if neox {
				a, b = i%(rot/2), i%(rot/2)+rot/2
			}
			return 2 * eps * (math.Abs(float64(x[h*dim+a])) + math.Abs(float64(x[h*dim+b])))
		}
		// headDim travels as an operand, x is copied because it is written.
		return problem{[]operand{out(append([]float32(nil), x...)), in(cs), in([]int64{int64(dim)})},
			8 * len(x), within(0, bound)}
	}
}

func callRope(fn func(x, cs []float32, headDim int), o []operand) {
	x, cs, dim := as[float32](o[0]), as[float32](o[1]), int(binary.NativeEndian.Uint64(o[2].data))
	if mustHeads(x, cs, dim) {
		fn(x, cs, dim)
	}
}

// vectors returns n random values and the operand that holds them.
func vectors(r *rand.Rand, half bool, n int) ([]float32, operand) {
	if !half {
		v := floats(r, n)
		return v, in(v)
	}
	h := halves(r, n)
	v := make([]float32, n)
	for i := range v {
		v[i] = f16ToF32(h[i])
	}
	return v, in(h)
}

// matvecWalk is a walk over a product; its benchmark streams weights that do not
// fit in the cache, a tile at a time, as decoding does.
type matvecWalk[F any] struct {
	walk[F]
	product *Product
}

func (w matvecWalk[F]) bench(b *testing.B) {
	for _, r := range w.fam.rows {
		for _, m := range []int{1, 2, 4, 8} {
			name := fmt.Sprintf("op=matvec/type=%s/isa=%s/n=%d/m=%d", w.fam.typ, r.isa.name, w.size, m)
			for _, from := range []struct {
				name  string
				bytes int
			}{{"cache", 1 << 19}, {"memory", 1 << 28}} {
				b.Run(name+"/from="+from.name, func(b *testing.B) {
					available(b, r.isa)
					if r.isa == ref && from.name == "memory" {
						b.Skip("the reference is not limited by memory")
					}
					p := w.problem(rand.New(rand.NewPCG(1, 2)), -m*w.size)
					tile := p.ops[1].data
					weights := bytes.Repeat(tile, max(1, from.bytes/len(tile)))
					b.SetBytes(int64(len(tile)))
					b.ReportAllocs()
					at := 0
					for b.Loop() {
						p.ops[1].data = weights[at:][:len(tile)]
						w.call(r.fn, p.ops)
						if at += len(tile); at == len(weights) {
							at = 0
						}
					}
				})
			}
		}
	}
}

// randomShape returns a shape for vectors of n values: few rows and vectors or
// more than a body of assembly takes at once.
func randomShape(r *rand.Rand, n int) shape {
	most := 40000
	if r.IntN(10) == 0 {
		most *= 8
	}
	rows := []int{1, 2, 3, 7, 8, 9, 15, 16, 17, 24, 33}[r.IntN(11)]
	m := max(1, r.IntN(12)-2)
	rows = max(1, min(rows, most/max(1, n)))
	m = max(1, min(m, most/max(1, n*rows)))
	return shape{rows + r.IntN(3), rows, m, n}
}

// matvecShape is the shape for tests of a size; a negative size is a benchmark
// with -size/4096 vectors of 4096 values.
func matvecShape(r *rand.Rand, size int) shape {
	if size < 0 {
		return shape{16, 16, -size / 4096, 4096}
	}
	return randomShape(r, size)
}

func callMatVec(o []operand) shape { return as[shape](o[len(o)-1])[0] }

// results returns an operand for the results of a product, with values where
// nothing may be written.
func results(r *rand.Rand, sh shape) operand { return out(floats(r, (sh.m-1)*sh.stride+sh.rows)) }

// matvecBound says how much result i may differ: nothing between the results,
// otherwise 6 units in the last place of what sum returns for a row and a vector.
func matvecBound(sh shape, sum func(row, t int) float64) func(i int) float64 {
	return func(i int) float64 {
		if i%sh.stride >= sh.rows {
			return 0
		}
		return 6 * eps * sum(i%sh.stride, i/sh.stride)
	}
}

func matvecFloatWalk(p *Product) walker {
	return matvecWalk[floatMV]{walk[floatMV]{p.float, upTo(130), 4096,
		func(r *rand.Rand, size int) problem {
			sh := matvecShape(r, size)
			n := sh.n
			x, w := floats(r, sh.m*n), floats(r, sh.rows*n)
			data := asBytes(w)
			if p.blockBytes == 2 {
				h := make([]uint16, len(w))
				for i, v := range w {
					if p.typ == "F16" {
						h[i] = f32ToF16(v)
						w[i] = f16ToF32(h[i])
					} else {
						h[i] = uint16(math.Float32bits(v) >> 16)
						w[i] = bf16ToF32(h[i])
					}
				}
				data = asBytes(h)
			}
			bound := matvecBound(sh, func(row, t int) float64 {
				sum := 0.0
				for j, v := range x[t*n:][:n] {
					sum += math.Abs(float64(v) * float64(w[row*n+j]))
				}
				return sum
			})
			return problem{[]operand{results(r, sh), in(data), in(x), in([]shape{sh})}, len(data), within(0, bound)}
		},
		func(fn floatMV, o []operand) { fn(as[float32](o[0]), o[1].data, as[float32](o[2]), callMatVec(o)) },
	}, p}
}

func matvecQuantWalk(p *Product) walker {
	return matvecWalk[quantMV]{walk[quantMV]{p.quant, blocks(p.block), 4096,
		func(r *rand.Rand, size int) problem {
			sh := matvecShape(r, size)
			n := sh.n
			a, w := randomActs(r, p.layout, sh.m, n), randomWeights(r, p, sh.rows, n)
			bound := matvecBound(sh, func(row, t int) float64 {
				sum := 0.0
				for j, v := range dequantize(p, w[row*p.RowBytes(n):][:p.RowBytes(n)]) {
					sum += math.Abs(v * float64(a.D[(t*n+j)/p.block]) * float64(a.Q[t*n+j]))
				}
				return sum
			})
			return problem{[]operand{results(r, sh), in(w), in(a.Q), in(a.D), in(a.S), in([]shape{sh})},
				len(w), within(0, bound)}
		},
		func(fn quantMV, o []operand) {
			fn(as[float32](o[0]), o[1].data, as[int8](o[2]), as[float32](o[3]), as[int16](o[4]), callMatVec(o))
		},
	}, p}
}

// randomActs returns quantized activations, extreme values among them.
func randomActs(r *rand.Rand, l Layout, m, n int) *Acts {
	a := NewActs(l, m, n)
	for i := range a.F {
		a.F[i] = float32(r.NormFloat64())
		if r.IntN(50) == 0 {
			a.F[i] = float32(4 - 8*r.IntN(2))
		}
	}
	if r.IntN(4) == 0 { // nothing but the extremes: the largest sums
		for i := range a.F {
			a.F[i] = float32(1 - 2*r.IntN(2))
		}
	}
	a.Quantize(0, m)
	return a
}

// halvesAt are the places of binary16 numbers in the blocks of each type.
var halvesAt = map[string][]int{
	"Q4_0": {0}, "Q4_1": {0, 2}, "Q5_0": {0}, "Q5_1": {0, 2}, "Q8_0": {0}, "IQ4_NL": {0}, "MXFP4": {},
	"Q2_K": {80, 82}, "Q3_K": {108}, "Q4_K": {0, 2}, "Q5_K": {0, 2}, "Q6_K": {208}, "IQ4_XS": {0},
	"TQ1_0": {52}, "TQ2_0": {64},
}

// blockPools holds some random blocks of each type, to make rows of: their
// weights are then known without decoding each block anew.
var blockPools = map[*Product]*blockPool{}

type blockPool struct {
	blocks  [][]byte
	weights map[string][]float64 // by block
}

func poolOf(p *Product) *blockPool {
	pool, ok := blockPools[p]
	if !ok {
		pool = &blockPool{weights: map[string][]float64{}}
		r := rand.New(rand.NewPCG(7, 8))
		for range 60 {
			block := randomBlock(r, p)
			pool.blocks = append(pool.blocks, block)
			pool.weights[string(block)] = dequantizeBlock(p, block)
		}
		blockPools[p] = pool
	}
	return pool
}

// randomBlock returns a random block with scales of either sign, some of them
// subnormal or zero; one block in six has only the largest or smallest weights.
func randomBlock(r *rand.Rand, p *Product) []byte {
	block := make([]byte, p.blockBytes)
	for i := range block {
		block[i] = byte(r.Uint32())
	}
	if r.IntN(6) == 0 {
		fill := []byte{0, 0x80, 0xff, 0x7f, 0x88}[r.IntN(5)]
		for i := range block {
			block[i] = fill
		}
	}
	for _, at := range halvesAt[p.typ] {
		f := float32(r.NormFloat64())
		switch r.IntN(20) {
		case 0:
			f = 0
		case 1:
			f *= 0x1p-20
		}
		binary.LittleEndian.PutUint16(block[at:], f32ToF16(f))
	}
	if p.typ == "MXFP4" {
		block[0] = byte(120 + r.IntN(16))
	}
	return block
}

// dequantizeBlock returns the weights of a block: its products with vectors that
// have a single one.
func dequantizeBlock(p *Product, block []byte) []float64 {
	weights := make([]float64, p.block)
	one := NewActs(p.layout, 1, p.block)
	one.D[0] = 1
	var y [1]float32
	sum := int16(1)
	if p.layout == Q8x32Sums {
		sum = int16(f32ToF16(1))
	}
	for j := range weights {
		one.Q[j], one.S[j/p.layout.SumBlock()] = 1, sum
		p.quant.rows[0].fn(y[:], block, one.Q, one.D, one.S, shape{1, 1, 1, p.block})
		one.Q[j], one.S[j/p.layout.SumBlock()] = 0, 0
		weights[j] = float64(y[0])
	}
	return weights
}

// randomWeights returns rows of n weights made of blocks of the pool.
func randomWeights(r *rand.Rand, p *Product, rows, n int) []byte {
	pool := poolOf(p)
	var w []byte
	for range rows * n / p.block {
		w = append(w, pool.blocks[r.IntN(len(pool.blocks))]...)
	}
	return w
}

// dequantize returns the weights of a row that randomWeights made.
func dequantize(p *Product, row []byte) []float64 {
	var weights []float64
	for ; len(row) != 0; row = row[p.blockBytes:] {
		weights = append(weights, poolOf(p).weights[string(row[:p.blockBytes])]...)
	}
	return weights
}
