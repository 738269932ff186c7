package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex"
)

// storyFile writes a text of about n bytes that the built-in model tells.
func storyFile(t testing.TB, n int) string {
	t.Helper()
	text := cortexOK(t, "run", "-n", "200", "--seed", "7", "--ignore-eos")
	for len(text) < n {
		text += text
	}
	path := filepath.Join(t.TempDir(), "story.txt")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	return path
}

// talesChannels converts the built-in model.
func talesChannels(t testing.TB, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tales.cortex")
	cortexOK(t, append([]string{"convert", "tales", path}, flags...)...)
	return path
}

// The built-in model stored channel by channel is calibrated: thresholds for every
// level, what they cost, and a sparsity that keeps within a bound.
func TestCalibrate(t *testing.T) {
	text := storyFile(t, 4000)
	model := talesChannels(t, "--type", "sdr8")
	require.NotZero(t, cortexIn(t.Context(), "", "run", model, "--sparsity", "auto").status, "it is not calibrated")
	require.NotZero(t, cortexIn(t.Context(), "", "run", "--sparsity", "0.5").status, "a GGUF file has no channels")

	var levels []calibrationLevel
	out := cortexOK(t, "calibrate", model, "-f", text, "-c", "128", "--levels", "0.2,0.5,0.9", "--json")
	require.NoError(t, json.Unmarshal([]byte(out), &levels))
	require.Len(t, levels, 3)
	for i, l := range levels {
		require.Equal(t, []float64{0.2, 0.5, 0.9}[i], l.Sparsity)
		require.Greater(t, l.Energy, 0.0)
		require.Greater(t, l.PerplexityRatio, 0.9)
		if i > 0 {
			require.Greater(t, l.Energy, levels[i-1].Energy)
		}
	}
	require.Greater(t, levels[2].PerplexityRatio, 1.5, "nine of ten channels are missed")
	cortexOK(t, "verify", model)

	// A calibration that ends early leaves nothing of the one before.
	short := filepath.Join(t.TempDir(), "short.txt")
	require.NoError(t, os.WriteFile(short, []byte("Once upon a time there was a fox."), 0o666))
	again := filepath.Join(t.TempDir(), "again.cortex")
	data, err := os.ReadFile(model)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(again, data, 0o666))
	cortexOK(t, "run", again, "-n", "1", "--sparsity", "auto")
	require.Contains(t, cortexIn(t.Context(), "", "calibrate", again, "-f", short, "-c", "128").err, "one chunk takes 128")
	require.Contains(t, cortexIn(t.Context(), "", "run", again, "-n", "1", "--sparsity", "auto").err, "calibrated model")

	// The largest level within the bound, and none above.
	loose, err := cortex.Open(model, &cortex.Options{Sparsity: cortex.SparsityAuto, MaxPerplexityLoss: 1000})
	require.NoError(t, err)
	defer loose.Close()
	require.InDelta(t, 0.9, loose.Plan().Sparsity, 1e-9)
	loss := levels[1].PerplexityRatio - 1
	if loss > 0 {
		tight, err := cortex.Open(model, &cortex.Options{Sparsity: cortex.SparsityAuto, MaxPerplexityLoss: loss / 2})
		require.NoError(t, err)
		defer tight.Close()
		require.Less(t, tight.Plan().Sparsity, 0.5)
	}

	// What is read of the weights is what is left of the channels.
	perToken := func(sparsity float64) float64 {
		m, err := cortex.Open(model, &cortex.Options{Sparsity: sparsity, SparsityRule: cortex.SparsityNorm})
		require.NoError(t, err)
		defer m.Close()
		var first, last cortex.Stats
		n := 0
		for _, err := range m.Generate(t.Context(), "Once upon a time", &cortex.GenerateOptions{MaxTokens: 9, IgnoreEnd: true}) {
			require.NoError(t, err)
			if last = m.Stats(); n == 0 {
				first = last
			}
			n++
		}
		return float64(last.BytesRead-first.BytesRead) / float64(last.GeneratedTokens-first.GeneratedTokens)
	}
	info, _, err := cortex.Inspect(model, nil)
	require.NoError(t, err)
	require.True(t, info.Calibrated)
	dense := perToken(0)
	var products int64
	for _, c := range info.Types {
		if strings.HasPrefix(c.Type, "SDR") {
			products += c.Bytes
		}
	}
	require.InEpsilon(t, dense-float64(products)/2, perToken(0.5), 0.05)
}

// Of a file whose gates come first, the share that is not read is the one that was asked for, too.
func TestCalibrateGates(t *testing.T) {
	model := talesChannels(t, "--type", "sdr8", "--gate-first", "--calibrate", storyFile(t, 4000))
	perToken := func(sparsity float64) float64 {
		m, err := cortex.Open(model, &cortex.Options{Sparsity: sparsity})
		require.NoError(t, err)
		defer m.Close()
		var first, last cortex.Stats
		n := 0
		for _, err := range m.Generate(t.Context(), "Once upon a time", &cortex.GenerateOptions{MaxTokens: 33, IgnoreEnd: true, Sampling: &cortex.Sampling{}}) {
			require.NoError(t, err)
			if last = m.Stats(); n == 0 {
				first = last
			}
			n++
		}
		return float64(last.BytesRead-first.BytesRead) / float64(last.GeneratedTokens-first.GeneratedTokens)
	}
	dense := perToken(0)
	require.InEpsilon(t, dense/2, perToken(0.5), 0.1)
	require.InEpsilon(t, dense*0.7, perToken(0.3), 0.1)
}

func TestQuality(t *testing.T) {
	text, plot := storyFile(t, 2000), filepath.Join(t.TempDir(), "quality.svg")
	model := talesChannels(t)
	args := []string{"quality", "tales", model, "-f", text, "-c", "128", "-n", "4", "--sparsity", "0,0.4", "--plot", plot}
	var rows []qualityRow
	require.NoError(t, json.Unmarshal([]byte(cortexOK(t, append(args, "--json")...)), &rows))
	require.Len(t, rows, 4, "the built-in model, the other one dense, by magnitude and by norm")
	require.Equal(t, 1.0, rows[0].PPLRatio)
	require.Zero(t, rows[0].KLD)
	require.Equal(t, []string{"", "", "magnitude", "norm"}, []string{rows[0].Rule, rows[1].Rule, rows[2].Rule, rows[3].Rule})
	require.InDelta(t, 1, rows[1].PPLRatio, 0.1)
	for _, r := range rows[2:] {
		require.Greater(t, r.KLD, rows[1].KLD, "what is left out is missed")
		require.Less(t, r.BytesPerToken, rows[1].BytesPerToken)
	}
	for _, r := range rows {
		require.Positive(t, r.Rate)
	}
	svg, err := os.ReadFile(plot)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(svg), "<polyline"))
	require.Contains(t, string(svg), "tales.cortex, norm")

	require.Contains(t, cortexOK(t, "quality", "tales", "-f", text, "-c", "128"), "| tales")
}

func TestCalibrateErrors(t *testing.T) {
	for _, c := range []string{"0", "2"} {
		require.Equal(t, exitUsage, cortexIn(t.Context(), "", "quality", "tales", "-f", "none.txt", "-c", c).status)
		require.Equal(t, exitUsage, cortexIn(t.Context(), "", "calibrate", "m.cortex", "-p", "text", "-c", c).status)
	}
	for _, args := range [][]string{
		{"calibrate"}, {"calibrate", "tales", "-p", "text"}, {"calibrate", "m.cortex"}, {"calibrate", "none.cortex", "-p", "text"},
		{"calibrate", "m.cortex", "-p", "text", "--levels", "0.5,0.4"}, {"calibrate", "m.cortex", "-p", "text", "--levels", "1"},
		{"quality"}, {"quality", "tales"}, {"quality", "tales", "-f", "none.txt"}, {"quality", "tales", "-f", "x", "--rules", "best"},
		{"run", "--sparsity", "much"}, {"run", "--sparsity", "0.95"}, {"run", "--sparsity", "0.5", "--sparsity-rule", "none"},
	} {
		require.NotZero(t, cortexIn(t.Context(), "", args...).status, "%v", args)
	}
}

// No loss is less than any, not the default.
func TestNoLoss(t *testing.T) {
	f := modelFlags{sparsity: "auto", rule: "best"}
	var o cortex.Options
	require.NoError(t, f.sparse(&o))
	require.Positive(t, o.MaxPerplexityLoss)
	require.Less(t, o.MaxPerplexityLoss, cortex.DefaultPerplexityLoss/1000)
}
