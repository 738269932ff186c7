package perplexity

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDivergenceOfKnownDistributions(t *testing.T) {
	p, q := []float64{0.5, 0.25, 0.25}, []float64{0.25, 0.5, 0.25}
	var d Divergence
	d.Add(logs(q...), logs(p...), 0)
	d.Add(logs(p...), logs(p...), 1)
	r := d.Report()

	kld := 0.5*math.Log(0.5/0.25) + 0.25*math.Log(0.25/0.5)
	require.Equal(t, 2, r.Count)
	require.InDelta(t, kld/2, r.KLD.Value, 1e-7)
	require.InDelta(t, kld/2, r.KLD.Error, 1e-7, "two values, one of them 0")
	require.InDelta(t, kld, r.KLDMax, 1e-7)
	require.InDelta(t, 0, r.KLDMin, 1e-7)
	require.InDelta(t, kld/2, r.KLDMedian, 1e-7)
	require.Equal(t, 0.5, r.SameTop.Value)
	require.InDelta(t, 0.5, r.SameTop.Error, 1e-12)

	require.InDelta(t, 4, r.PPL.Value, 1e-6, "1/4 and 1/4")
	require.InDelta(t, math.Sqrt(8), r.BasePPL.Value, 1e-6, "1/2 and 1/4")
	require.InDelta(t, math.Log(4/math.Sqrt(8)), r.LogPPLRatio.Value, 1e-6)
	require.InDelta(t, -0.25/2, r.DiffMean.Value, 1e-6)
	require.InDelta(t, math.Sqrt(0.25*0.25/2), r.DiffRMS.Value, 1e-6)
	require.InDelta(t, -0.25, r.DiffMin, 1e-6)
	require.InDelta(t, 0, r.DiffMax, 1e-6)
}

func TestDivergenceIsNotNegative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := genLogits(2).Draw(t, "model")
		// Within the depth that a base file keeps, so that it is a distribution.
		base := rapid.SliceOfN(rapid.Float32Range(-5, 5), len(model), len(model)).Draw(t, "base")
		lse := float32(logSumExp(base))
		for i := range base {
			base[i] -= lse
		}
		var d Divergence
		d.Add(model, base, 0)
		d.Add(base, base, 0)
		r := d.Report()
		require.Greater(t, r.KLDMin, -1e-5)
		require.LessOrEqual(t, r.KLDMin, 1e-5, "a distribution does not diverge from itself")
		require.GreaterOrEqual(t, r.KLDMax, r.KLDMedian)
		require.GreaterOrEqual(t, r.SameTop.Value, 0.5)
	})
}

func TestEmptyReport(t *testing.T) {
	require.Equal(t, Report{}, new(Divergence).Report())
}

func TestQuantile(t *testing.T) {
	for _, c := range []struct {
		values  []float64
		q, want float64
	}{
		{[]float64{7}, 0.99, 7},
		{[]float64{1, 2}, 0.5, 1.5},
		{[]float64{0, 10, 20}, 0.25, 5},
		{[]float64{0, 10, 20}, 0, 0},
		{[]float64{0, 10, 20}, 1, 20},
	} {
		require.InDelta(t, c.want, quantile(c.values, c.q), 1e-12, "%v %v", c.values, c.q)
	}
}
