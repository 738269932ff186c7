package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRMSNorm(t *testing.T) {
	y := make([]float32, 4)
	RMSNorm(y, []float32{1, -1, 7, -7}, []float32{1, 2, 1, 0.5}, 0)
	for i, want := range []float32{0.2, -0.4, 1.4, -0.7} { // the root of the mean square is 5
		require.InDelta(t, want, y[i], 1e-6)
	}
	x := []float32{3, 3}
	RMSNorm(x, x, []float32{1, 1}, 7) // in place, sqrt(9+7) = 4
	require.Equal(t, []float32{0.75, 0.75}, x)
	RMSNorm(nil, nil, nil, 1)
	require.Panics(t, func() { RMSNorm(y[:1], x, x, 0) }, "the capacity does not count")
	require.Panics(t, func() { RMSNorm(y, x, x[:1], 0) })
}

func TestSoftmax(t *testing.T) {
	x := []float32{float32(math.Log(1)), float32(math.Log(2)), float32(math.Log(5)), float32(math.Inf(-1))}
	Softmax(x)
	for i, want := range []float32{0.125, 0.25, 0.625, 0} {
		require.InDelta(t, want, x[i], 1e-7)
	}
	require.Zero(t, x[3])
	Softmax(nil)
	require.Equal(t, float32(math.Inf(-1)), Max(nil))
	require.Zero(t, ExpSum(nil, 0))

	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float32Range(-1e4, 1e4), 1, 200).Draw(t, "x")
		top := Max(x)
		require.Contains(t, x, top)
		at := 0
		for i, v := range x {
			require.LessOrEqual(t, v, top)
			if v == top {
				at = i
			}
		}
		Softmax(x)
		sum := 0.0
		for _, v := range x {
			require.True(t, v >= 0 && v <= x[at])
			sum += float64(v)
		}
		require.InDelta(t, 1, sum, 1e-5)
	})
}

// TestExp measures the exponential functions of the rows of ExpSum.
func TestExp(t *testing.T) {
	for _, row := range expSum.rows {
		if !row.isa.have {
			continue
		}
		worst := 0.0
		for v := float32(0); v > -87; v -= 0.0007 {
			x := [8]float32{v}
			row.fn(x[:], 0)
			want := math.Exp(float64(v))
			ulp := float64(math.Nextafter32(float32(want), 2)) - float64(float32(want))
			worst = max(worst, math.Abs(float64(x[0])-want)/ulp)
		}
		t.Logf("%s: at most %.2f units in the last place", row.isa.name, worst)
		require.Less(t, worst, 2.0, row.isa.name)
	}
}

func TestSiLUMul(t *testing.T) {
	y := make([]float32, 3)
	SiLUMul(y, []float32{0, 1, -1}, []float32{5, 2, 2})
	for i, want := range []float32{0, 1.4621172, -0.5378828} {
		require.InDelta(t, want, y[i], 1e-6)
	}
	require.Panics(t, func() { SiLUMul(y, y, y[:2]) })
}

func TestRoPE(t *testing.T) {
	// A quarter turn of the first pair, half a turn of the second.
	cs := []float32{0, 1, -1, 0}
	x := []float32{1, 2, 3, 4, 5, 10, 20, 30, 40, 50}
	RoPE(x, cs, 5)
	require.Equal(t, []float32{-2, 1, -3, -4, 5, -20, 10, -30, -40, 50}, x)

	x = []float32{1, 2, 3, 4, 5, 10, 20, 30, 40, 50}
	RoPENeoX(x, cs, 5)
	require.Equal(t, []float32{-3, -2, 1, -4, 5, -30, -20, 10, -40, 50}, x)

	for _, f := range []func(x, cs []float32, headDim int){RoPE, RoPENeoX} {
		require.Panics(t, func() { f(x, cs, 3) }, "10 values are not heads of 3")
		require.Panics(t, func() { f(x, cs, 2) }, "more pairs than a head has")
		require.Panics(t, func() { f(x, cs[:3], 5) }, "half a pair")
		require.Panics(t, func() { f(x, cs, 0) })
		require.NotPanics(t, func() { f(nil, cs, 5) })
		require.NotPanics(t, func() { f(x, nil, 5) })
	}
}

func TestAddScale(t *testing.T) {
	y := []float32{1, 2, 3}
	Add(y, []float32{10, 20, 30, 40})
	Scale(y, 2)
	require.Equal(t, []float32{22, 44, 66}, y)
	require.Panics(t, func() { Add(y, y[:2]) })
	Scale(nil, 2)
}

func TestF16Slices(t *testing.T) {
	h, f := make([]uint16, 2), make([]float32, 2)
	F32ToF16(h, []float32{1, -2})
	require.Equal(t, []uint16{0x3c00, 0xc000}, h)
	F16ToF32(f, h)
	require.Equal(t, []float32{1, -2}, f)
	require.Panics(t, func() { F32ToF16(h[:1], f) })
	require.Panics(t, func() { F16ToF32(f[:1], h) })
}

// TestInPlace checks the outputs that may be an input as well, in every row.
func TestInPlace(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := 1; n < 40; n++ {
		x, w, gate, up := floats(r, n), floats(r, n), floats(r, n), floats(r, n)
		for _, row := range rmsNorm.rows {
			if row.isa.have {
				want, got := make([]float32, n), append([]float32(nil), x...)
				row.fn(want, x, w, 1e-5)
				row.fn(got, got, w, 1e-5)
				require.Equal(t, want, got, row.isa.name)
			}
		}
		for _, row := range siluMul.rows {
			if row.isa.have {
				want, got, got2 := make([]float32, n), append([]float32(nil), gate...), append([]float32(nil), up...)
				row.fn(want, gate, up)
				row.fn(got, got, up)
				row.fn(got2, gate, got2)
				require.Equal(t, want, got, row.isa.name)
				require.Equal(t, want, got2, row.isa.name)
			}
		}
	}
}
