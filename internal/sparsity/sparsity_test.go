package sparsity

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Bins are ordered as their scores, and each begins with its lowest.
func TestBins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Float32Range(0, math.MaxFloat32).Draw(t, "a"), rapid.Float32Range(0, math.MaxFloat32).Draw(t, "b")
		if a > b {
			a, b = b, a
		}
		require.LessOrEqual(t, bin(a), bin(b))
		require.LessOrEqual(t, lower(bin(a)), a)
		require.Less(t, bin(a), bins)
		require.Less(t, a, lower(bin(a)+1), "below the next bin")
	})
}

// The thresholds leave out the wanted share of bytes, and more of a product whose
// energy lies in few channels.
func TestThresholds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	flat, peaked := &Histogram{}, &Histogram{}
	norm := make([]float32, 1000)
	for j := range norm {
		norm[j] = 1 + r.Float32()
	}
	x, y := make([]float32, 1000), make([]float32, 1000)
	for range 50 {
		for j := range x {
			x[j] = float32(r.NormFloat64())
			y[j] = float32(math.Exp(2 * r.NormFloat64()))
		}
		flat.Add(x, norm)
		peaked.Add(y, norm)
	}
	share := func(x []float32, threshold float32) float64 {
		n := 0
		for j, v := range x {
			if float32(math.Abs(float64(v)))*norm[j] < threshold {
				n++
			}
		}
		return float64(n) / float64(len(x))
	}
	for _, level := range []float64{0.1, 0.3, 0.5, 0.7} {
		th, energy := Thresholds([]*Histogram{flat, peaked}, []int64{1000, 3000}, level)
		a, b := share(x, th[0]), share(y, th[1])
		require.InDelta(t, level, (a+3*b)/4, 0.04)
		require.Greater(t, b, a)
		require.Greater(t, energy, 0.0)
	}
	th, energy := Thresholds([]*Histogram{flat, peaked}, []int64{1000, 3000}, 0)
	require.Equal(t, []float32{0, 0}, th)
	require.Zero(t, energy)
}

// No numbers, no harm.
func TestHistogramOfNothing(t *testing.T) {
	h := &Histogram{}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	h.Add([]float32{nan, inf, -inf}, []float32{1, 1, 1})
	th, _ := Thresholds([]*Histogram{h}, []int64{1}, 0.5)
	require.Len(t, th, 1)
	require.False(t, th[0] != th[0])
}

func TestBetween(t *testing.T) {
	levels, table := []float64{0.2, 0.4}, [][]float32{{1, 0}, {4, 2}}
	require.Nil(t, Between(levels, table, 0))
	require.Equal(t, []float32{0.5, 0}, Between(levels, table, 0.1))
	require.Equal(t, []float32{1, 0}, Between(levels, table, 0.2))
	require.InDeltaSlice(t, []float32{2, 1}, Between(levels, table, 0.3), 1e-5)
	require.Equal(t, []float32{4, 2}, Between(levels, table, 0.9))
	require.Nil(t, Between(nil, nil, 0.5))
}
