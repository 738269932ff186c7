package cortex_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/examples/tales"
	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/cortexsdr/cortex/internal/convert"
	"github.com/cortexsdr/cortex/internal/quant"
	"github.com/cortexsdr/cortex/loader"
)

// channelsFile writes the built-in model channel by channel.
func channelsFile(t *testing.T) string {
	src, err := loader.FromBytes(tales.Name, tales.GGUF)
	require.NoError(t, err)
	from, err := convert.FromLoader(src)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "tales.cortex")
	_, err = convert.Convert(ctx, from, path, convert.Options{Kind: quant.SDR8, Output: quant.SDR8, Embedding: format.Q8_0, Threads: 2, Memory: 1 << 30})
	require.NoError(t, err)
	return path
}

// What a file says of its calibration is believed only where it makes sense.
func TestOddCalibration(t *testing.T) {
	path := channelsFile(t)
	src, err := loader.Open(path)
	require.NoError(t, err)
	none := map[string][]container.Threshold{}
	for _, p := range src.Products {
		none[p.Matrices[0].Name] = []container.Threshold{}
	}
	require.NoError(t, src.Close())
	set := func(levels, ratios []float64) {
		require.NoError(t, container.Update([]string{path}, []gguf.KV{{Key: cortex.KeySparsityLevels, Value: levels}, {Key: cortex.KeySparsityRatios, Value: ratios}}, none))
	}
	open := func(o cortex.Options) error {
		o.Threads = 2
		m, err := cortex.Open(path, &o)
		if err != nil {
			return err
		}
		defer func() { require.NoError(t, m.Close()) }()
		collect(t, newSession(t, m), "Once", greedy(3))
		return nil
	}
	for _, c := range []struct{ levels, ratios []float64 }{
		{[]float64{-0.5}, []float64{1}}, {[]float64{0.5, 0.4}, []float64{1, 1}}, {[]float64{2}, []float64{1}}, {[]float64{0.5}, []float64{-1}},
	} {
		set(c.levels, c.ratios)
		require.ErrorIs(t, open(cortex.Options{Sparsity: cortex.SparsityAuto}), format.ErrFormat, "%v", c)
	}
	set([]float64{0.5}, []float64{1})
	require.NoError(t, open(cortex.Options{Sparsity: 0.5}), "without thresholds the norms choose")
	require.ErrorIs(t, open(cortex.Options{Sparsity: 0.5, SparsityRule: cortex.SparsityCalibrated}), cortex.ErrOptions)
	set(nil, nil)
	require.ErrorIs(t, open(cortex.Options{Sparsity: cortex.SparsityAuto}), cortex.ErrOptions)
}

// A Plan that no model has made says nothing, and says so at once.
func TestForecastOfNothing(t *testing.T) {
	require.Zero(t, cortex.Plan{}.Forecast(10).Prompt)
}

// Products that are stored channel by channel are measured and traced as others are.
func TestChannelsAreMeasuredAndTraced(t *testing.T) {
	path := channelsFile(t)
	o := cortex.Options{Threads: 2, ContextLength: 256, BatchSize: 64}
	_, p, err := cortex.Measure(path, &o)
	require.NoError(t, err)
	require.Positive(t, p.MemoryBytesPerSecond)
	require.Positive(t, p.PromptTokensPerSecond)

	var used int64
	o.Trace = func(_ int, bytes int64) { used += bytes }
	m, err := cortex.Open(path, &o)
	require.NoError(t, err)
	defer m.Close()
	collect(t, newSession(t, m), "Once", greedy(1))
	require.Greater(t, used, p.BytesPerToken/2, "all but the embedding")
}
