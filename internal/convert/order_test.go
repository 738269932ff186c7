package convert

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/internal/quant"
	"github.com/cortexsdr/cortex/loader"
)

// The channels that are active most often come first, and their weights are what they would be otherwise.
func TestHotFirst(t *testing.T) {
	src := small(t, nil)
	c, err := NewCalibration(src, defaults)
	require.NoError(t, err)
	defer c.Close()
	p, _, err := planOf(src)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	active := map[string][]int{} // by product and channel: how often it is active, by a sort of the scores
	for i := range p.Steps {
		s := &p.Steps[i]
		if !isProduct(*s) {
			continue
		}
		n := int(s.W[0].Shape[0])
		norm := make([]float64, n)
		for _, w := range s.W {
			for k, v := range values(t, src, w.Tensor) {
				norm[k%n] += float64(v) * float64(v)
			}
		}
		loud := make([]float64, n)
		for j := range loud {
			loud[j] = math.Exp(rng.NormFloat64())
		}
		count := make([]int, n)
		for range 20 {
			x := make([]float32, 3*n)
			for k := range x {
				x[k] = float32(rng.NormFloat64() * loud[k%n])
			}
			c.Add(s.Matrices(), x)
			for ; len(x) > 0; x = x[n:] {
				rank := make([]int, n)
				for j := range rank {
					rank[j] = j
				}
				score := func(j int) float64 { return math.Abs(float64(x[j])) * math.Sqrt(norm[j]) }
				slices.SortFunc(rank, func(i, j int) int { return cmp.Compare(score(j), score(i)) })
				for _, share := range activeShares {
					for _, j := range rank[:int(math.Round(share*float64(n)))] {
						count[j]++
					}
				}
			}
		}
		active[s.W[0].Name] = count
	}
	o := defaults
	o.Calibration = c
	plain, _ := run(t, src, o)
	o.HotFirst = true
	hot, _ := run(t, src, o)

	file := func(path string) *loader.Source {
		src, err := loader.Open(path)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, src.Close()) })
		return src
	}
	for i, was := range file(plain).Products {
		require.Nil(t, was.Order)
		is := file(hot).Products[i]
		count := active[is.Matrices[0].Name]
		require.Len(t, count, is.Channels)
		most, drops := count[is.Order[0]], 0
		for j, v := range is.Order {
			slack := 1 // scores are rounded
			if is.Matrices[0].Outputs > normRuns*normRows {
				slack = 10 // and norms sampled
			}
			require.LessOrEqual(t, count[v], most+slack)
			if count[v] < most {
				most = count[v]
				drops++
			}
			require.Equal(t, was.Norm[v], is.Norm[j])
		}
		require.Greater(t, drops, 10)
	}
	a, b := open(t, plain), open(t, hot)
	for i, x := range a.Tensors() {
		y := b.Tensors()[i]
		require.Equal(t, x.Name, y.Name)
		require.Equal(t, values(t, a, x), values(t, b, y), x.Name)
	}

	// What has an order can be converted, calibrated or not.
	again, _ := run(t, b, defaults)
	for name, d := range distances(t, b, open(t, again)) {
		require.Less(t, d, 0.1, name)
	}
	o.Calibration = nil
	o.Kind = quant.SDR8
	plain, _ = run(t, b, o)
	for _, p := range file(plain).Products {
		require.Nil(t, p.Order)
	}
}
