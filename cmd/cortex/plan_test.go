package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/testmodel"
)

// plan says what is streamed and how long that takes, for people and as JSON, and run says it in short.
func TestPlan(t *testing.T) {
	paths, err := testmodel.WriteFiles(t.TempDir(), "m", testmodel.Config{Name: "m", Layers: 3, Dim: 512, Heads: 8, KVHeads: 2, FF: 1024, Vocab: 2000, Type: format.F16})
	require.NoError(t, err)
	limit := []string{"--memory", "40MiB", "-c", "256", "-b", "32", "-t", "2"}
	out := cortexOK(t, append([]string{"plan", paths[0]}, limit...)...)
	for _, part := range []string{"streaming ring", "GB/s, measured with", "per token (", "for a prompt of 128 tokens", "nothing is streamed"} {
		require.Contains(t, out, part)
	}

	out = cortexOK(t, append([]string{"plan", paths[0], "--json", "-p", "64"}, limit...)...)
	var j forecastJSON
	require.NoError(t, json.Unmarshal([]byte(out), &j))
	require.True(t, j.Plan.Streamed)
	require.Positive(t, j.Plan.DiskRate)
	require.InEpsilon(t, float64(j.Plan.StreamedPerToken)/j.Plan.DiskRate, j.Forecast.DiskSeconds, 1e-6)
	require.Equal(t, 64, j.Forecast.PromptTokens)
	require.GreaterOrEqual(t, j.Forecast.PromptSeconds, 0.999*j.Forecast.DiskSeconds, "it reads the weights, too")
	require.NotEmpty(t, j.Forecast.Advice)

	r := cortexIn(context.Background(), "", append([]string{"run", paths[0], "a b", "-n", "3", "--json", "--ignore-eos", "--status"}, limit...)...)
	require.Zero(t, r.status)
	require.Contains(t, r.err, "are read for every token at")
	require.Contains(t, r.err, "per token; pinned")
	require.Contains(t, r.out, `"forecast":{"seconds_per_token":`)

	require.Contains(t, cortexOK(t, "plan"), "tales")
	require.Equal(t, exitUsage, cortexIn(context.Background(), "", "plan", "-p", "-1").status)
}

// What run has recorded can be replayed.
func TestCacheReplay(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace")
	cortexOK(t, "run", "tales", "Once", "-n", "4", "--ignore-eos", "--cache-trace", trace)
	out := cortexOK(t, "cache-replay", trace)
	for _, name := range []string{"pin + ring", "LRU", "LFU with decay", "segmented LRU", "Belady"} {
		require.Regexp(t, `(?m)^`+regexp.QuoteMeta(name)+` +\d+\.\d %`, out)
	}
	require.Contains(t, out, "LRU             0.0 %", "a scan of more than the cache holds")
	require.Equal(t, exitUsage, cortexIn(context.Background(), "", "cache-replay").status)
	require.NotZero(t, cortexIn(context.Background(), "", "cache-replay", "plan_test.go").status)
}
