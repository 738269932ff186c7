package kernels

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The references are tested against packers: a packer draws numbers within the
// range of its type, writes the block that stands for them bit by bit from the
// description of the format, and says what the weights are.

// A packer fills a block and returns its weights.
type packer func(r *rand.Rand, w []byte) []float64

var packers = map[string]packer{
	"Q4_0": func(r *rand.Rand, w []byte) []float64 {
		return pack32(r, w[2:], nil, 4, -8, putHalf(r, w), 0)
	},
	"Q4_1": func(r *rand.Rand, w []byte) []float64 {
		return pack32(r, w[4:], nil, 4, 0, putHalf(r, w), putHalf(r, w[2:]))
	},
	"Q5_0": func(r *rand.Rand, w []byte) []float64 {
		return pack32(r, w[6:], w[2:6], 5, -16, putHalf(r, w), 0)
	},
	"Q5_1": func(r *rand.Rand, w []byte) []float64 {
		return pack32(r, w[8:], w[4:8], 5, 0, putHalf(r, w), putHalf(r, w[2:]))
	},
	"Q8_0": func(r *rand.Rand, w []byte) []float64 {
		d, v := putHalf(r, w), make([]float64, 32)
		for i := range v {
			q := r.IntN(256) - 128
			w[2+i] = byte(q)
			v[i] = d * float64(q)
		}
		return v
	},
	"IQ4_NL": func(r *rand.Rand, w []byte) []float64 {
		return packLevels(r, w[2:], iq4Levels, putHalf(r, w))
	},
	"MXFP4": func(r *rand.Rand, w []byte) []float64 {
		e := r.IntN(255)
		w[0] = byte(e)
		return packLevels(r, w[1:], e2m1Levels, math.Ldexp(1, e-127))
	},
	"Q2_K": func(r *rand.Rand, w []byte) []float64 {
		d, m, v := putHalf(r, w[80:]), putHalf(r, w[82:]), make([]float64, 256)
		for g := range 16 {
			scale, minimum := r.IntN(16), r.IntN(16)
			w[g] = byte(scale | minimum<<4)
			for j := range 16 {
				i, q := g*16+j, r.IntN(4)
				w[16+i/128*32+i%32] |= byte(q << (2 * (i / 32 % 4)))
				v[i] = d*float64(scale*q) - m*float64(minimum)
			}
		}
		return v
	},
	"Q3_K": func(r *rand.Rand, w []byte) []float64 {
		d, v := putHalf(r, w[108:]), make([]float64, 256)
		for g := range 16 {
			scale := r.IntN(64)
			w[96+g%8] |= byte(scale & 15 << (4 * (g / 8)))
			w[104+g%4] |= byte(scale >> 4 << (2 * (g / 4)))
			for j := range 16 {
				i, q := g*16+j, r.IntN(8)
				w[32+i/128*32+i%32] |= byte(q & 3 << (2 * (i / 32 % 4)))
				w[i%32] |= byte(q >> 2 << (i / 32))
				v[i] = d * float64((scale-32)*(q-4))
			}
		}
		return v
	},
	"Q4_K": func(r *rand.Rand, w []byte) []float64 { return packK45(r, w, w[16:], nil) },
	"Q5_K": func(r *rand.Rand, w []byte) []float64 { return packK45(r, w, w[48:], w[16:48]) },
	"Q6_K": func(r *rand.Rand, w []byte) []float64 {
		d, v := putHalf(r, w[208:]), make([]float64, 256)
		for g := range 16 {
			scale := r.IntN(256) - 128
			w[192+g] = byte(scale)
			for j := range 16 {
				i, q := g*16+j, r.IntN(64)
				half, k := i/128, i%128
				w[half*64+k%64] |= byte(q & 15 << (4 * (k / 64)))
				w[128+half*32+k%32] |= byte(q >> 4 << (2 * (k / 32)))
				v[i] = d * float64(scale*(q-32))
			}
		}
		return v
	},
	"IQ4_XS": func(r *rand.Rand, w []byte) []float64 {
		d, v := putHalf(r, w), []float64(nil)
		for g := range 8 {
			scale := r.IntN(64)
			w[4+g/2] |= byte(scale & 15 << (4 * (g % 2)))
			w[2+g/4] |= byte(scale >> 4 << (2 * (g % 4)))
			v = append(v, packLevels(r, w[8+16*g:], iq4Levels, d*float64(scale-32))...)
		}
		return v
	},
	"TQ1_0": func(r *rand.Rand, w []byte) []float64 {
		d, v := putHalf(r, w[52:]), make([]float64, 256)
		first := 0
		for _, part := range []struct{ at, bytes, digits int }{{0, 32, 5}, {32, 16, 5}, {48, 4, 4}} {
			for j := range part.bytes {
				number := 0
				for l := range part.digits {
					q := r.IntN(3)
					number = 3*number + q
					v[first+l*part.bytes+j] = d * float64(q-1)
				}
				if part.digits == 4 {
					number *= 3
				}
				w[part.at+j] = byte((number*256 + 242) / 243) // a fraction, rounded up
			}
			first += part.bytes * part.digits
		}
		return v
	},
	"TQ2_0": func(r *rand.Rand, w []byte) []float64 {
		d, v := putHalf(r, w[64:]), make([]float64, 256)
		for i := range v {
			q := r.IntN(3)
			w[i/128*32+i%32] |= byte(q << (2 * (i / 32 % 4)))
			v[i] = d * float64(q-1)
		}
		return v
	},
}

// putHalf draws a binary16 number, stores it and returns its value.
func putHalf(r *rand.Rand, w []byte) float64 {
	h := f32ToF16(float32(r.NormFloat64()))
	binary.LittleEndian.PutUint16(w, h)
	return float64(f16ToF32(h))
}

// pack32 packs 32 weights of 4 bits, or of 5 with the fifth in high.
func pack32(r *rand.Rand, low, high []byte, bits, offset int, d, m float64) []float64 {
	v := make([]float64, 32)
	for i := range v {
		q := r.IntN(1 << bits)
		low[i%16] |= byte(q & 15 << (i / 16 * 4))
		if high != nil {
			high[i/8] |= byte(q >> 4 << (i % 8))
		}
		v[i] = d*float64(q+offset) + m
	}
	return v
}

// packK45 packs a block of Q4_K or, with fifth bits in high, of Q5_K.
func packK45(r *rand.Rand, w, low, high []byte) []float64 {
	d, m, v := putHalf(r, w), putHalf(r, w[2:]), make([]float64, 256)
	for g := range 8 {
		scale, minimum := r.IntN(64), r.IntN(64)
		if g < 4 {
			w[4+g] |= byte(scale)
			w[8+g] |= byte(minimum)
		} else {
			w[8+g] |= byte(scale&15 | minimum&15<<4)
			w[g] |= byte(scale >> 4 << 6)
			w[4+g] |= byte(minimum >> 4 << 6)
		}
		for j := range 32 {
			q := r.IntN(16)
			if high != nil {
				q = r.IntN(32)
				high[j] |= byte(q >> 4 << g)
			}
			low[g/2*32+j] |= byte(q & 15 << (g % 2 * 4))
			v[g*32+j] = d*float64(scale*q) - m*float64(minimum)
		}
	}
	return v
}

var (
	iq4Levels  = []float64{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
	e2m1Levels = []float64{0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6}
)

func packLevels(r *rand.Rand, w []byte, levels []float64, d float64) []float64 {
	v := make([]float64, 32)
	for i := range v {
		q := r.IntN(16)
		w[i%16] |= byte(q << (i / 16 * 4))
		v[i] = d * levels[q]
	}
	return v
}

// exactSums changes activations in the layout Q8x32Sums so that neither the scale
// nor the scaled sum of a block is rounded: products are then those of the weights
// and the rounded activations in every block. The sums must be even or below 2048.
func exactSums(a *Acts) {
	if a.Layout != Q8x32Sums {
		return
	}
	for b := 0; b < len(a.F); b += 32 {
		x := a.F[b:][:32]
		bits, _ := maxBits(x)
		scale := 127 / float64(math.Float32frombits(bits))
		for i, v := range x {
			x[i] = float32(math.RoundToEven(scale*float64(v)) / 64)
		}
	}
}

func TestReferences(t *testing.T) {
	for typ, p := range products {
		if p.layout == Float {
			continue
		}
		t.Run(typ, func(t *testing.T) {
			require.Contains(t, packers, typ)
			r := rand.New(rand.NewPCG(1, 2))
			for range 50 {
				const blocks = 3
				n := blocks * p.block
				var w []byte
				var weights []float64
				for range blocks {
					block := make([]byte, p.blockBytes)
					weights = append(weights, packers[typ](r, block)...)
					w = append(w, block...)
				}
				a := NewActs(p.layout, 1, n)
				copy(a.F, floats(r, n))
				exactSums(a)
				a.Quantize(0, 1)
				want, sum := 0.0, 0.0
				for i, v := range weights {
					product := v * float64(a.D[i/p.block]) * float64(a.Q[i])
					want += product
					sum += math.Abs(product)
				}
				if sum > math.MaxFloat32/4 { // MXFP4 reaches beyond float32
					continue
				}
				var y [1]float32
				p.quant.rows[0].fn(y[:], w, a.Q, a.D, a.S, shape{1, 1, 1, n})
				require.NoError(t, close32(y[0], float32(want), 4*eps*sum))
			}
		})
	}
}

func TestFloatReferences(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x := floats(r, 9)
	a := NewActs(Float, 1, 9)
	copy(a.F, x)
	for typ, w := range map[string][]byte{
		"F32":  asBytes([]float32{1, 2, -3, 0.5, 0, 0, 0, 0, 4}),
		"F16":  asBytes([]uint16{0x3c00, 0x4000, 0xc200, 0x3800, 0, 0, 0, 0, 0x4400}),
		"BF16": asBytes([]uint16{0x3f80, 0x4000, 0xc040, 0x3f00, 0, 0, 0, 0, 0x4080}),
	} {
		p, ok := ProductOf(typ)
		require.True(t, ok)
		want := x[0] + 2*x[1] - 3*x[2] + 0.5*x[3] + 4*x[8]
		for _, row := range p.float.rows {
			if row.isa.have {
				var y [1]float32
				row.fn(y[:], w, x, shape{1, 1, 1, len(x)})
				require.InDelta(t, want, y[0], 1e-5, "%s_%s", typ, row.isa.name)
			}
		}
	}
}

// TestDamagedWeights multiplies blocks of random bytes, in which scales may be
// infinite or NaN: rows must not crash.
func TestDamagedWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for typ, p := range products {
		if p.layout == Float {
			continue
		}
		for _, row := range p.quant.rows {
			if !row.isa.have {
				continue
			}
			n := 3 * p.block
			a := randomActs(r, p.layout, 1, n)
			for _, special := range []uint16{0x7c00, 0xfc00, 0x7e00, 0x7c01} {
				w := make([]byte, 2*p.RowBytes(n))
				for i := range w {
					w[i] = byte(r.Uint32())
				}
				for i := 0; i < len(w); i += p.blockBytes {
					for _, at := range halvesAt[typ] {
						binary.LittleEndian.PutUint16(w[i+at:], special)
					}
				}
				y := []float32{1, 1}
				require.NotPanics(t, func() { row.fn(y, w, a.Q, a.D, a.S, shape{2, 2, 1, n}) })
				if len(halvesAt[typ]) > 0 {
					require.False(t, finite(y[0]) || finite(y[1]), "%s_%s hides the damage: %v", typ, row.isa.name, y)
				}
			}
		}
	}
}

func finite(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }

func TestMatVecMisuse(t *testing.T) {
	p, ok := ProductOf("Q4_0")
	require.True(t, ok)
	_, ok = ProductOf("Q9_9")
	require.False(t, ok)
	require.Equal(t, "Q4_0", p.String())
	require.Equal(t, 36, p.RowBytes(64))
	require.Panics(t, func() { p.RowBytes(65) })

	a, y := NewActs(Q8x32, 1, 64), make([]float32, 2)
	w := make([]byte, 72, 100)
	require.NotPanics(t, func() { p.MatVec(y, w, a, 0) })
	require.Panics(t, func() { p.MatVec(y, w[:71], a, 0) }, "weights are too short, whatever their capacity")
	require.Panics(t, func() { p.MatVec(y, w, a, 1) }, "no such token")
	require.Panics(t, func() { p.MatVec(y, w, NewActs(Q8x256, 1, 256), 0) }, "wrong layout")
	require.NotPanics(t, func() { p.MatVec(nil, nil, a, 0) })
	y[0], y[1] = 1, 1
	p.MatVec(y, nil, NewActs(Q8x32, 1, 0), 0)
	require.Equal(t, []float32{0, 0}, y, "a sum of nothing")

	// Float weights take activations of any layout.
	f, _ := ProductOf("F16")
	require.NotPanics(t, func() { f.MatVec(y, make([]byte, 2*64*2), a, 0) })
}

func TestMatVecTokens(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for typ, p := range products {
		t.Run(typ, func(t *testing.T) {
			const n, rows = 512, 3
			a := NewActs(p.layout, 3, n)
			copy(a.F, floats(r, len(a.F)))
			a.Quantize(0, 3)
			var w []byte
			if p.layout == Float {
				w = asBytes(floats(r, rows*n))[:rows*p.RowBytes(n)]
				if typ == "F16" {
					w = asBytes(halves(r, rows*n))
				}
			} else {
				w = randomWeights(r, p, rows, n)
			}
			for token := range 3 {
				one := NewActs(p.layout, 1, n)
				copy(one.F, a.F[token*n:])
				one.Quantize(0, 1)
				var got, want [rows]float32
				p.MatVec(got[:], w, a, token)
				p.MatVec(want[:], w, one, 0)
				require.Equal(t, fmt.Sprint(want), fmt.Sprint(got))
			}
			var y [rows]float32
			require.Zero(t, testing.AllocsPerRun(10, func() {
				a.Quantize(1, 2)
				p.MatVec(y[:], w, a, 1)
			}))
		})
	}
}
