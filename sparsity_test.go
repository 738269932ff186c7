package cortex_test

import (
	"bytes"
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
	"github.com/cortexsdr/cortex/internal/testmodel"
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

// louder is a source one of whose matrices has other values.
type louder struct{ convert.Source }

func (l louder) ReadRows(dst []float32, t format.Tensor, from, to int, scratch []byte) ([]byte, error) {
	scratch, err := l.Source.ReadRows(dst, t, from, to, scratch)
	if t.Name == "blk.0.attn_q.weight" {
		for i := range dst {
			dst[i] *= 2
		}
	}
	return scratch, err
}

// What is saved belongs to the weights of products, too.
func TestSavedWithOtherProducts(t *testing.T) {
	path := channelsFile(t)
	src, err := loader.FromBytes(tales.Name, tales.GGUF)
	require.NoError(t, err)
	from, err := convert.FromLoader(src)
	require.NoError(t, err)
	other := filepath.Join(t.TempDir(), "tales.cortex")
	_, err = convert.Convert(ctx, louder{from}, other, convert.Options{Kind: quant.SDR8, Output: quant.SDR8, Embedding: format.Q8_0, Threads: 2, Memory: 1 << 30})
	require.NoError(t, err)

	o := cortex.Options{Threads: 1, ContextLength: 256, BatchSize: 32}
	m, err := cortex.Open(path, &o)
	require.NoError(t, err)
	defer m.Close()
	s := newSession(t, m)
	collect(t, s, "Once", greedy(2))
	var saved bytes.Buffer
	require.NoError(t, s.Save(&saved))
	require.NoError(t, newSession(t, m).Restore(bytes.NewReader(saved.Bytes())))
	m2, err := cortex.Open(other, &o)
	require.NoError(t, err)
	defer m2.Close()
	require.ErrorIs(t, newSession(t, m2).Restore(&saved), cortex.ErrSaved)
}

// What is measured without opening a model is forecast with the channels that are left out, as it is for an open one.
func TestMeasureLeavesOutChannels(t *testing.T) {
	from, err := testmodel.New(testmodel.Config{Dim: 64, Heads: 2, KVHeads: 1, Layers: 2, FF: 65536, Vocab: 320, Context: 256, Type: format.F16})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "wide.cortex")
	_, err = convert.Convert(ctx, convert.FromRows("wide", from), path, convert.Options{Kind: quant.SDR8, Output: quant.SDR8, Embedding: format.Q8_0, Threads: 2, Memory: 1 << 30})
	require.NoError(t, err)
	o := cortex.Options{Threads: 1, ContextLength: 256, BatchSize: 32, Sparsity: 0.7}
	o.MemoryLimit = least(t, path, o) + 8<<20
	_, p, err := cortex.Measure(path, &o)
	require.NoError(t, err)
	m, err := cortex.Open(path, &o)
	require.NoError(t, err)
	defer m.Close()
	require.True(t, p.Streamed)
	require.InEpsilon(t, m.Plan().StreamedPerToken, p.StreamedPerToken, 0.25)
	_, dense, err := cortex.Inspect(path, &o)
	require.NoError(t, err)
	require.Less(t, p.StreamedPerToken, dense.StreamedPerToken*3/4, "a channel of 128 KiB is worth a request")
}
