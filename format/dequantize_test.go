package format

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"
)

// block builds one block by hand: bits go where the layout of the type puts them, value by value, and the value that
// each must decode to is computed in float64 from the same numbers. The code under test does the reverse, and
// sub-block by sub-block, so a mistake in one is not repeated in the other.
type block struct {
	*rand.Rand
	bytes []byte
	want  []float64
	mag   []float64 // size of the terms that each value is the sum of, for the rounding error
}

// put adds the low bits of v to a byte, from bit shift up.
func (b *block) put(at, shift, v int) { b.bytes[at] |= byte(v << shift) }

// scale stores a random half-precision number and returns it.
func (b *block) scale(at int) float64 {
	h := float16.Fromfloat32(float32(b.NormFloat64()))
	binary.LittleEndian.PutUint16(b.bytes[at:], h.Bits())
	return float64(h.Float32())
}

// value sets value i of the block to the sum of the terms.
func (b *block) value(i int, terms ...float64) {
	for _, x := range terms {
		b.want[i] += x
		b.mag[i] += math.Abs(x)
	}
}

// twoBits stores the low two bits of q for value i of 256.
func (b *block) twoBits(at, i, q int) { b.put(at+i/128*32+i%32, i%128/32*2, q&3) }

// scalesK stores eight pairs of a 6-bit scale and minimum in 12 bytes.
func (b *block) scalesK(at int) (scale, min [8]int) {
	for s := range 8 {
		scale[s], min[s] = b.IntN(64), b.IntN(64)
		if s < 4 {
			b.put(at+s, 0, scale[s])
			b.put(at+4+s, 0, min[s])
			continue
		}
		b.put(at+4+s, 0, scale[s]&15)
		b.put(at+4+s, 4, min[s]&15)
		b.put(at+s-4, 6, scale[s]>>4)
		b.put(at+s, 6, min[s]>>4)
	}
	return scale, min
}

// half adds a 4-bit quant of value i of 32, whose quants begin at byte at.
func (b *block) half(at, i, q int) { b.put(at+i%16, i/16*4, q&15) }

// decoded builds a random block of each type.
var decoded = map[Type]func(b *block){
	F32: func(b *block) {
		x := float32(b.NormFloat64())
		binary.LittleEndian.PutUint32(b.bytes, math.Float32bits(x))
		b.value(0, float64(x))
	},
	F64: func(b *block) {
		x := b.NormFloat64()
		binary.LittleEndian.PutUint64(b.bytes, math.Float64bits(x))
		b.value(0, x)
	},
	F16: func(b *block) { b.value(0, b.scale(0)) },
	BF16: func(b *block) {
		x := math.Float32frombits(math.Float32bits(float32(b.NormFloat64())) &^ 0xffff)
		binary.LittleEndian.PutUint16(b.bytes, uint16(math.Float32bits(x)>>16))
		b.value(0, float64(x))
	},
	I8: func(b *block) {
		q := b.IntN(256) - 128
		b.put(0, 0, q)
		b.value(0, float64(q))
	},
	I16: func(b *block) {
		q := int16(b.Uint32())
		binary.LittleEndian.PutUint16(b.bytes, uint16(q))
		b.value(0, float64(q))
	},
	I32: func(b *block) {
		q := int32(b.Uint32())
		binary.LittleEndian.PutUint32(b.bytes, uint32(q))
		b.value(0, float64(q))
	},
	I64: func(b *block) {
		q := int64(b.Uint64())
		binary.LittleEndian.PutUint64(b.bytes, uint64(q))
		b.value(0, float64(q))
	},
	Q4_0: func(b *block) {
		d := b.scale(0)
		for i := range 32 {
			q := b.IntN(16)
			b.half(2, i, q)
			b.value(i, d*float64(q-8))
		}
	},
	Q4_1: func(b *block) {
		d, m := b.scale(0), b.scale(2)
		for i := range 32 {
			q := b.IntN(16)
			b.half(4, i, q)
			b.value(i, d*float64(q), m)
		}
	},
	Q5_0: func(b *block) {
		d := b.scale(0)
		for i := range 32 {
			q := b.IntN(32)
			b.put(2+i/8, i%8, q>>4)
			b.half(6, i, q)
			b.value(i, d*float64(q-16))
		}
	},
	Q5_1: func(b *block) {
		d, m := b.scale(0), b.scale(2)
		for i := range 32 {
			q := b.IntN(32)
			b.put(4+i/8, i%8, q>>4)
			b.half(8, i, q)
			b.value(i, d*float64(q), m)
		}
	},
	Q8_0: func(b *block) {
		d := b.scale(0)
		for i := range 32 {
			q := b.IntN(256) - 128
			b.put(2+i, 0, q)
			b.value(i, d*float64(q))
		}
	},
	Q2_K: func(b *block) {
		d, dmin := b.scale(80), b.scale(82)
		var scale, min [16]int
		for s := range 16 {
			scale[s], min[s] = b.IntN(16), b.IntN(16)
			b.put(s, 0, scale[s])
			b.put(s, 4, min[s])
		}
		for i := range 256 {
			q := b.IntN(4)
			b.twoBits(16, i, q)
			b.value(i, d*float64(scale[i/16]*q), -dmin*float64(min[i/16]))
		}
	},
	Q3_K: func(b *block) {
		d := b.scale(108)
		var scale [16]int
		for s := range 16 {
			scale[s] = b.IntN(64)
			b.put(96+s%8, s/8*4, scale[s]&15)
			b.put(104+s%4, s/4*2, scale[s]>>4)
		}
		for i := range 256 {
			q := b.IntN(8)
			b.twoBits(32, i, q)
			b.put(i%32, i/32, q>>2)
			b.value(i, d*float64((scale[i/16]-32)*(q-4)))
		}
	},
	Q4_K: func(b *block) {
		d, dmin := b.scale(0), b.scale(2)
		scale, min := b.scalesK(4)
		for i := range 256 {
			q := b.IntN(16)
			b.put(16+i/64*32+i%32, i%64/32*4, q)
			b.value(i, d*float64(scale[i/32]*q), -dmin*float64(min[i/32]))
		}
	},
	Q5_K: func(b *block) {
		d, dmin := b.scale(0), b.scale(2)
		scale, min := b.scalesK(4)
		for i := range 256 {
			q := b.IntN(32)
			b.put(16+i%32, i/32, q>>4)
			b.put(48+i/64*32+i%32, i%64/32*4, q&15)
			b.value(i, d*float64(scale[i/32]*q), -dmin*float64(min[i/32]))
		}
	},
	Q6_K: func(b *block) {
		d := b.scale(208)
		var scale [16]int
		for s := range 16 {
			scale[s] = b.IntN(256) - 128
			b.put(192+s, 0, scale[s])
		}
		for i := range 256 {
			q := b.IntN(64)
			b.put(i/128*64+i%64, i%128/64*4, q&15)
			b.twoBits(128, i, q>>4)
			b.value(i, d*float64(scale[i/16]*(q-32)))
		}
	},
	IQ4_NL: func(b *block) {
		d := b.scale(0)
		for i := range 32 {
			q := b.IntN(16)
			b.half(2, i, q)
			b.value(i, d*nonLinear(q))
		}
	},
	IQ4_XS: func(b *block) {
		d := b.scale(0)
		for s := range 8 {
			scale := b.IntN(64)
			b.put(4+s/2, s%2*4, scale&15)
			b.put(2+s/4, s%4*2, scale>>4)
			for i := range 32 {
				q := b.IntN(16)
				b.half(8+16*s, i, q)
				b.value(32*s+i, d*float64(scale-32)*nonLinear(q))
			}
		}
	},
	TQ1_0: func(b *block) {
		d := b.scale(52)
		digits := make([]int, 256)
		for i := range digits {
			digits[i] = b.IntN(3)
			b.value(i, d*float64(digits[i]-1))
		}
		at := 0
		for _, group := range []struct{ bytes, digits int }{{32, 5}, {16, 5}, {4, 4}} {
			for l := range group.bytes {
				sum := 0 // of five digits, the first one the most significant
				for n := range 5 {
					sum *= 3
					if n < group.digits {
						sum += digits[n*group.bytes+l]
					}
				}
				b.put(at+l, 0, int(math.Ceil(float64(sum)*256/243)))
			}
			at += group.bytes
			digits = digits[group.bytes*group.digits:]
		}
	},
	TQ2_0: func(b *block) {
		d := b.scale(64)
		for i := range 256 {
			q := b.IntN(3)
			b.twoBits(0, i, q)
			b.value(i, d*float64(q-1))
		}
	},
	MXFP4: func(b *block) {
		e := 20 + b.IntN(200)
		b.put(0, 0, e)
		for i := range 32 {
			q := b.IntN(16)
			b.half(1, i, q)
			b.value(i, math.Ldexp(e2m1(q), e-127))
		}
	},
}

// nonLinear gives the values of IQ4_NL.
func nonLinear(q int) float64 {
	return []float64{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}[q]
}

// e2m1 decodes a sign, two bits of exponent with bias 1 and one bit of fraction.
func e2m1(q int) float64 {
	sign := float64(1 - q>>3*2)
	exp, frac := q>>1&3, float64(q&1)
	if exp == 0 {
		return sign * frac / 2
	}
	return sign * math.Ldexp(1+frac/2, exp-1)
}

func newBlock(t Type, seed uint64) *block {
	b := &block{
		Rand:  rand.New(rand.NewPCG(seed, uint64(t))),
		bytes: make([]byte, t.BlockBytes()),
		want:  make([]float64, t.BlockSize()),
		mag:   make([]float64, t.BlockSize()),
	}
	decoded[t](b)
	return b
}

func TestDequantize(t *testing.T) {
	for typ := range decoded {
		t.Run(typ.String(), func(t *testing.T) {
			var src []byte
			var want, mag []float64
			for seed := range uint64(50) {
				b := newBlock(typ, seed)
				src, want, mag = append(src, b.bytes...), append(want, b.want...), append(mag, b.mag...)
			}
			got := make([]float32, len(want))
			require.NoError(t, Dequantize(got, src, typ))
			for i := range want {
				// Two roundings in the scale, the product and the sum, each by half of 2^-23.
				require.InDelta(t, want[i], got[i], 2*0x1p-23*mag[i], "value %d", i)
			}
		})
	}
}

// Every type is either decoded and tested here, or refused by name.
func TestDequantizeKnowsEveryType(t *testing.T) {
	for n := range Type(len(types)) {
		if n.Check() != nil {
			continue
		}
		dst, src := make([]float32, n.BlockSize()), make([]byte, n.BlockBytes())
		err := Dequantize(dst, src, n)
		if decoded[n] != nil {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ErrUnsupported)
		require.ErrorContains(t, err, "tensor type "+n.String()+" (")
	}
	require.Len(t, decoded, 23)
}

func TestDequantizeLengths(t *testing.T) {
	const untouched = 7
	for typ := range decoded {
		values, bytes := typ.BlockSize(), typ.BlockBytes()
		for _, c := range []struct{ values, bytes int }{
			{values, bytes - 1}, {values, bytes + 1}, {values, 0}, {values, 2 * bytes}, {0, bytes}, {values + 1, bytes}, {2*values - 1, 2 * bytes},
		} {
			dst := slices.Repeat([]float32{untouched}, c.values)
			require.ErrorIs(t, Dequantize(dst, make([]byte, c.bytes), typ), ErrFormat, "%v %v", typ, c)
			require.NotContains(t, dst, float32(0))
		}
		require.NoError(t, Dequantize(nil, nil, typ))
	}
	require.EqualError(t, Dequantize(make([]float32, 256), make([]byte, 17), Q4_K),
		"17 bytes of Q4_K for 256 values, but a block is 144 bytes for 256 values")
}

func TestF16(t *testing.T) {
	var b [2]byte
	for h := range 1 << 16 {
		binary.LittleEndian.PutUint16(b[:], uint16(h))
		got, want := f16(b[:]), float16.Frombits(uint16(h)).Float32()
		if want != want {
			require.NotEqual(t, got, got, "%#04x", h)
			continue
		}
		if math.Float32bits(got) != math.Float32bits(want) {
			t.Fatalf("%#04x: got %v, want %v", h, got, want)
		}
	}
}

// The scale of MXFP4 goes below the smallest normal float32, and up to 2^127 as ggml reads it.
func TestHalfE8M0(t *testing.T) {
	for e := range 256 {
		require.Equal(t, float32(math.Ldexp(1, e-128)), halfE8M0(byte(e)))
	}
}

func TestDequantizeDoesNotAllocate(t *testing.T) {
	for typ := range decoded {
		dst, src := make([]float32, 4*typ.BlockSize()), make([]byte, 4*typ.BlockBytes())
		require.Zero(t, testing.AllocsPerRun(10, func() {
			if err := Dequantize(dst, src, typ); err != nil {
				panic(err)
			}
		}), "%v", typ)
	}
}

// FuzzDequantize checks that no bytes make a decoder fail, write outside dst or look at other blocks.
func FuzzDequantize(f *testing.F) {
	for typ := range Type(len(types)) {
		if decoded[typ] == nil {
			f.Add(uint32(typ), []byte{1, 2, 3})
			continue
		}
		f.Add(uint32(typ), append(newBlock(typ, 1).bytes, newBlock(typ, 2).bytes...))
	}
	f.Fuzz(func(t *testing.T, n uint32, src []byte) {
		typ := Type(n)
		values, bytes := typ.BlockSize(), typ.BlockBytes()
		if typ.Check() != nil {
			require.ErrorIs(t, Dequantize(nil, src, typ), ErrUnsupported)
			return
		}
		blocks := len(src) / bytes
		const guard = float32(12345)
		all := slices.Repeat([]float32{guard}, blocks*values+1)
		err := Dequantize(all[:blocks*values:blocks*values], src, typ)
		switch {
		case decoded[typ] == nil:
			require.ErrorIs(t, err, ErrUnsupported)
			return
		case len(src)%bytes != 0:
			require.ErrorIs(t, err, ErrFormat)
			return
		}
		require.NoError(t, err)
		require.Equal(t, guard, all[blocks*values])
		one := make([]float32, values)
		for i := range blocks {
			require.NoError(t, Dequantize(one, src[i*bytes:(i+1)*bytes:(i+1)*bytes], typ))
			for j, x := range one {
				if y := all[i*values+j]; math.Float32bits(x) != math.Float32bits(y) {
					t.Fatalf("value %d of block %d is %v alone and %v among others", j, i, x, y)
				}
			}
		}
	})
}

func BenchmarkDequantize(b *testing.B) {
	const values = 1 << 14
	for typ := range Type(len(decoders)) {
		if decoders[typ] == nil {
			continue
		}
		b.Run(typ.String(), func(b *testing.B) {
			blocks := values / typ.BlockSize()
			src := slices.Repeat(newBlock(typ, 1).bytes, blocks)
			dst := make([]float32, values)
			b.SetBytes(int64(len(dst) * 4))
			for b.Loop() {
				if err := Dequantize(dst, src, typ); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
