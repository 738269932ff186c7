package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/internal/perplexity"
)

// story writes a text of some hundred tokens to a file.
func story(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "story.txt")
	require.NoError(t, os.WriteFile(name, []byte(cortexOK(t, "run", "--seed", "1", "-n", "200", "--ignore-eos")), 0o600))
	return name
}

func perplexityOf(t *testing.T, args ...string) perplexityJSON {
	t.Helper()
	var r perplexityJSON
	require.NoError(t, json.Unmarshal([]byte(cortexOK(t, append([]string{"perplexity", "--json"}, args...)...)), &r))
	return r
}

func TestPerplexity(t *testing.T) {
	text := story(t)
	r := perplexityOf(t, "-f", text, "-c", "32")
	require.GreaterOrEqual(t, r.Chunks, 6)
	require.Equal(t, 32, r.Context)
	require.Equal(t, 15*r.Chunks, r.Scored)
	require.Greater(t, r.PPL.Value, 2.0)
	require.Less(t, r.PPL.Value, 200.0, "the model wrote the text itself")
	require.Positive(t, r.PPL.Error)

	out := cortexOK(t, "perplexity", "-f", text, "-c", "32", "--chunks", "2")
	require.Regexp(t, `^\[1\][\d.]+,\[2\][\d.]+,\nFinal estimate: PPL = [\d.]+ ± [\d.]+\n$`, out)
}

func TestSaveLogits(t *testing.T) {
	text, file := story(t), filepath.Join(t.TempDir(), "logits")
	r := perplexityOf(t, "-f", text, "-c", "24", "--chunks", "3", "--save-logits", file)
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	const vocab = 4096
	require.Len(t, raw, r.Scored*vocab*4)

	var ids []int32
	require.NoError(t, json.Unmarshal([]byte(cortexOK(t, "tokenize", "--ids", "--no-parse-special", "-f", text)), &ids))
	var score perplexity.Score
	for i := range r.Scored {
		logits := make([]float32, vocab)
		_, err := binary.Decode(raw[i*vocab*4:], binary.LittleEndian, logits)
		require.NoError(t, err)
		chunk, position := i/perplexity.Scored(24), i%perplexity.Scored(24)
		score.Add(logits, ids[24*chunk+12+position+1])
	}
	require.InEpsilon(t, r.PPL.Value, score.PPL().Value, 1e-9)
}

func TestDivergenceFromItself(t *testing.T) {
	text, base := story(t), filepath.Join(t.TempDir(), "base.kld")
	saved := perplexityOf(t, "-f", text, "-c", "32", "--save-kl-base", base)
	r := perplexityOf(t, "--kl-divergence-base", base)
	require.Equal(t, saved.PPL, r.PPL, "the same model on the same text")
	require.Equal(t, saved.Context, r.Context)
	require.InEpsilon(t, r.PPL.Value, r.Divergence.BasePPL.Value, 1e-4)
	require.Less(t, math.Abs(r.Divergence.KLD.Value), 1e-5, "nothing but the rounding of the file")
	require.Greater(t, r.Divergence.SameTop.Value, 0.99)

	require.Equal(t, 2, perplexityOf(t, "--kl-divergence-base", base, "--chunks", "2").Chunks)
	out := cortexOK(t, "perplexity", "--kl-divergence", "--kl-divergence-base", base)
	for _, want := range []string{"mean KLD", "99.0% KLD", "maximum KLD", "same top token", "PPL(base)"} {
		require.Contains(t, out, want)
	}

	wrong := cortexIn(context.Background(), "", "perplexity", "--kl-divergence-base", base, "-c", "64")
	require.Equal(t, exitUsage, wrong.status)
	require.Contains(t, wrong.err, "context of 32")

	raw, err := os.ReadFile(base)
	require.NoError(t, err)
	binary.LittleEndian.PutUint32(raw[12:], 4095) // a smaller vocabulary
	require.NoError(t, os.WriteFile(base, raw, 0o600))
	wrong = cortexIn(context.Background(), "", "perplexity", "--kl-divergence-base", base)
	require.Equal(t, exitError, wrong.status)
	require.Contains(t, wrong.err, "4095")
}

func TestQuantizationDiverges(t *testing.T) {
	f16, q4 := shared(t, "models", "tales", "tales-f16.gguf"), shared(t, "models", "tales", "tales-q4_0.gguf")
	text := shared(t, "models", "tales", "eval", "the-wind-in-the-willows.txt")
	base := filepath.Join(t.TempDir(), "f16.kld")

	// llama.cpp's perplexities of the first one and two chunks of 128 tokens.
	chunks, want := "2", map[string]float64{f16: 62.495778, q4: 63.923973}
	if testing.Short() {
		chunks, want = "1", map[string]float64{f16: 51.302950, q4: 52.123902}
	}
	full := perplexityOf(t, f16, "-f", text, "-c", "128", "--chunks", chunks, "--save-kl-base", base)
	require.InEpsilon(t, want[f16], full.PPL.Value, 0.0002)

	q8 := perplexityOf(t, "--kl-divergence-base", base)
	require.Less(t, q8.Divergence.KLD.Value, 0.001)
	require.Greater(t, q8.Divergence.SameTop.Value, 0.95)
	cache := perplexityOf(t, f16, "--kl-divergence-base", base, "--cache-type", "q8_0")
	require.Less(t, cache.Divergence.KLD.Value, 0.0002, "a cache of 8 bits costs next to nothing")
	cache = perplexityOf(t, f16, "--kl-divergence-base", base, "--cache-type", "q4_0")
	require.Less(t, cache.Divergence.KLD.Value, 0.01, "one of 4 bits costs a little")
	require.Greater(t, cache.Divergence.KLD.Value, 0.0002)
	coarse := perplexityOf(t, q4, "--kl-divergence-base", base)
	require.InEpsilon(t, want[q4], coarse.PPL.Value, 0.01, "few tokens, and activations are rounded in other places")
	require.Greater(t, coarse.Divergence.KLD.Value, 5*q8.Divergence.KLD.Value, "4 bits are coarser than 8")
	require.GreaterOrEqual(t, coarse.Divergence.KLDP99, coarse.Divergence.KLDP95)
	require.GreaterOrEqual(t, coarse.Divergence.KLDMax, coarse.Divergence.KLDP99)
}

func TestPerplexityInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := cortexIn(ctx, "", "perplexity", "-p", "some words and a few more of them, to make a chunk", "-c", "8",
		"--save-kl-base", filepath.Join(t.TempDir(), "base"))
	require.Equal(t, exitInterrupted, r.status)
	require.Empty(t, r.err)
}
