package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestActsSizes(t *testing.T) {
	for _, l := range []Layout{Float, Q8x32, Q8x32Sums, Q8x256} {
		a := NewActs(l, 3, 512)
		bytes := 4*len(a.F) + len(a.Q) + 4*len(a.D) + 2*len(a.S)
		require.Equal(t, ActsBytes(l, 3, 512), int64(bytes), "%v", l)
	}
	require.Panics(t, func() { NewActs(Q8x256, 1, 32) })
	require.Equal(t, "Layout(7)", Layout(7).String())
}

// TestQuantize checks what the contents promise, for any values.
func TestQuantize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := rapid.SampledFrom([]Layout{Q8x32, Q8x32Sums, Q8x256}).Draw(t, "layout")
		n := rapid.IntRange(1, 3).Draw(t, "blocks") * l.Block()
		scale := rapid.SampledFrom([]float64{1, 1e-3, 1e4}).Draw(t, "scale")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		a := NewActs(l, 2, n)
		for i := range a.F {
			a.F[i] = float32(scale * r.NormFloat64())
		}
		a.Quantize(0, 2)
		for b, d := range a.D {
			largest := 0.0
			for j := range l.Block() {
				i := b*l.Block() + j
				// Half a step, and what rounding the scale to binary16 moves.
				limit := math.Abs(float64(d))*0.501 + 127*max(math.Abs(float64(d))*0x1p-11, 0x1p-25)
				require.InDelta(t, a.F[i], float64(d)*float64(a.Q[i]), limit, "value %d", i)
				require.NotEqual(t, int8(-128), a.Q[i])
				largest = max(largest, math.Abs(float64(a.Q[i])))
			}
			require.Equal(t, 127.0, largest, "the largest value uses the whole range")
			if l != Q8x256 {
				require.Equal(t, d, f16ToF32(f32ToF16(d)), "the scale is a binary16 number")
			}
		}
		for i, s := range a.S {
			sum := 0
			for _, q := range a.Q[i*l.SumBlock():][:l.SumBlock()] {
				sum += int(q)
			}
			if l != Q8x32Sums {
				require.Equal(t, sum, int(s))
				continue
			}
			largest := 0.0
			for _, x := range a.F[i*32:][:32] {
				largest = max(largest, math.Abs(float64(x)))
			}
			if want := largest / 127 * float64(sum); math.Abs(want) < 65000 {
				require.InDelta(t, want, f16ToF32(uint16(s)), max(math.Abs(want)*0x1.01p-11, 0x1p-25), "sum %d", i)
			}
		}
	})
}

// Scaled sums have the scale before it is rounded: 66/127 is no binary16 number,
// and with the one that it is rounded to the sum would be 1979. A sum beyond
// binary16 becomes an infinity.
func TestQuantizeScaledSums(t *testing.T) {
	a := NewActs(Q8x32Sums, 1, 32)
	for i := range a.F[:30] {
		a.F[i] = 66
	}
	a.Quantize(0, 1)
	require.Equal(t, float32(30*66), f16ToF32(uint16(a.S[0])))
	require.Equal(t, float32(1979), f16ToF32(f32ToF16(a.D[0]*127*30)))
	for i := range a.F {
		a.F[i] = -2100
	}
	a.Quantize(0, 1)
	require.Equal(t, float32(math.Inf(-1)), f16ToF32(uint16(a.S[0])))
}

func TestQuantizeSigns(t *testing.T) {
	a := NewActs(Q8x256, 1, 256)
	a.F[10], a.F[20] = -2, 2
	a.Quantize(0, 1)
	require.Equal(t, int8(-127), a.Q[10], "the first of the largest becomes -127")
	require.Equal(t, int8(127), a.Q[20])
	require.InDelta(t, 2.0/127, a.D[0], 1e-8)

	a.F[5] = 2
	a.Quantize(0, 1)
	require.Equal(t, int8(-127), a.Q[5])
	require.InDelta(t, -2.0/127, a.D[0], 1e-8)
}

func TestQuantizeSpecial(t *testing.T) {
	for _, l := range []Layout{Q8x32, Q8x32Sums, Q8x256} {
		n := 2 * l.Block()
		for _, c := range []struct {
			v    float32
			d    float32
			name string
		}{
			{0, 0, "zero"},
			{0x1p-120, 0, "tiny"},
			{0x1p-149, 0, "subnormal"},
			{float32(math.Inf(1)), float32(math.NaN()), "infinity"},
			{float32(math.NaN()), float32(math.NaN()), "NaN"},
		} {
			a := NewActs(l, 1, n)
			for i := range a.Q {
				a.Q[i] = 99
			}
			for i := range a.F[l.Block():] {
				a.F[l.Block()+i] = 1
			}
			a.F[3] = c.v
			a.Quantize(0, 1)
			require.Equal(t, math.IsNaN(float64(c.d)), math.IsNaN(float64(a.D[0])), "%v, %s", l, c.name)
			if c.d == 0 {
				require.Zero(t, a.D[0], "%v, %s", l, c.name)
			}
			require.Equal(t, make([]int8, l.Block()), a.Q[:l.Block()], "%v, %s", l, c.name)
			require.Zero(t, a.S[0])
			require.NotZero(t, a.D[1], "the next block is not affected")
		}
	}
}

func TestQuantizeRange(t *testing.T) {
	a, all := NewActs(Q8x32, 4, 64), NewActs(Q8x32, 4, 64)
	r := rand.New(rand.NewPCG(1, 2))
	copy(a.F, floats(r, len(a.F)))
	copy(all.F, a.F)
	a.Quantize(1, 3)
	all.Quantize(0, 4)
	require.Equal(t, make([]int8, 64), a.Q[:64], "vectors outside the range are left alone")
	require.Equal(t, make([]int8, 64), a.Q[192:])
	require.Equal(t, all.Q[64:192], a.Q[64:192])
	require.Equal(t, all.D[2:6], a.D[2:6])
	require.Equal(t, all.S[2:6], a.S[2:6])
	a.Quantize(2, 2)
	require.Panics(t, func() { a.Quantize(3, 5) })
	require.NotPanics(t, func() { NewActs(Float, 1, 3).Quantize(0, 1) })
}
