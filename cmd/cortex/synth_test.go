package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex"
)

// synth makes a model and returns its path.
func synth(t *testing.T, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	require.Empty(t, cortexOK(t, append([]string{"synth", path}, args...)...))
	return path
}

// synthInspect makes a model and returns what inspect says of it.
func synthInspect(t *testing.T, args ...string) inspectJSON {
	t.Helper()
	var r inspectJSON
	require.NoError(t, json.Unmarshal([]byte(cortexOK(t, "inspect", "--json", synth(t, args...))), &r))
	return r
}

func TestSynthRuns(t *testing.T) {
	path := synth(t)
	m, err := cortex.Open(path, nil)
	require.NoError(t, err)
	defer m.Close()
	require.Equal(t, []int{4, 256, 4, 2, 768, 1000, 2048}, func(i cortex.Info) []int {
		return []int{i.Layers, i.Dim, i.Heads, i.KVHeads, i.FeedForward, i.Vocab, i.ContextLength}
	}(m.Info()))
	var ids []int32
	for tok, err := range m.Generate(context.Background(), "", &cortex.GenerateOptions{MaxTokens: 8, IgnoreEnd: true}) {
		require.NoError(t, err)
		ids = append(ids, tok.ID)
	}
	require.Len(t, ids, 8)
}

func TestSynthSameFlagsSameFile(t *testing.T) {
	read := func(args ...string) string {
		data, err := os.ReadFile(synth(t, args...))
		require.NoError(t, err)
		return string(data)
	}
	first := read("--layers", "1")
	require.True(t, first == read("--layers", "1"))
	require.False(t, first == read("--layers", "1", "--seed", "1"))
}

func TestSynthShape(t *testing.T) {
	r := synthInspect(t, "--layers", "1", "--dim", "512", "--heads", "4", "--kv-heads", "1", "--head-dim", "64", "--ff", "256", "--vocab", "777", "-c", "99")
	shapes := map[string][]int64{}
	for _, tensor := range r.Tensors {
		shapes[tensor.Name] = tensor.Shape
	}
	require.Equal(t, []int64{512, 256}, shapes["blk.0.attn_q.weight"])
	require.Equal(t, []int64{512, 64}, shapes["blk.0.attn_k.weight"])
	require.Equal(t, []int64{512, 256}, shapes["blk.0.ffn_up.weight"])
	require.Equal(t, []int64{512, 777}, shapes["output.weight"])
	require.NotContains(t, shapes, "blk.1.attn_q.weight")
	require.Equal(t, 99, r.Model.ContextLength)
}

func TestSynthTypes(t *testing.T) {
	for _, c := range []struct{ args, body, output string }{
		{"--type q4_0", "Q4_0", "Q6_K"},
		{"--type Q4_0 --pure", "Q4_0", "Q4_0"},
		{"--type Q4_0 --dim 288 --heads 4 --ff 256", "Q4_0", "Q8_0"},
		{"--type Q8_0", "Q8_0", "Q8_0"},
		{"--type Q6_K", "Q6_K", "Q6_K"},
		{"--type Q4_K_M", "Q4_K", "Q6_K"},
		{"--type q5_k_m", "Q5_K", "Q6_K"},
		{"--type F16", "F16", "F16"},
		{"--type BF16", "BF16", "BF16"},
		{"--type F32", "F32", "F32"},
		{"--type IQ4_XS --tied", "IQ4_XS", ""},
	} {
		types := map[string]string{}
		for _, tensor := range synthInspect(t, append(strings.Fields(c.args), "--layers", "1")...).Tensors {
			types[tensor.Name] = tensor.Type
		}
		require.Equal(t, c.body, types["blk.0.attn_q.weight"], c.args)
		require.Equal(t, c.output, types["output.weight"], c.args)
		if c.output == "" {
			require.Equal(t, "Q6_K", types["token_embd.weight"], c.args)
		}
	}
}

func TestSynthPresets(t *testing.T) {
	for _, name := range []string{"tiny", "135m", "1b", "8b", "13b", "70b"} {
		c, ok := synthPreset(name)
		require.True(t, ok, name)
		require.Equal(t, "random-"+name, c.Name)
	}
}

func TestSynthOverwrites(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.gguf")
	require.NoError(t, os.WriteFile(path, []byte("precious"), 0o600))

	r := cortexIn(context.Background(), "", "synth", path)
	require.Equal(t, exitError, r.status)
	require.Contains(t, r.err, "exists, --force overwrites it")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "precious", string(data))

	cortexOK(t, "synth", path, "--force", "--layers", "1")
	cortexOK(t, "inspect", path)
	require.Equal(t, exitError, cortexIn(context.Background(), "", "synth", dir, "--force").status)
	requireOnly(t, dir, "model.gguf")
}

func TestSynthErrors(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"", exitUsage, "which file"},
		{"OUT more", exitUsage, `unexpected argument "more"`},
		{"OUT --preset 2b", exitUsage, `not "2b"`},
		{"OUT --type Q4_K_XL", exitUsage, `not "Q4_K_XL"`},
		{"OUT --layers 0", exitUsage, "--layers is at least 1"},
		{"OUT --heads 3", exitUsage, "3 heads"},
		{"OUT --vocab 8", exitUsage, "Vocab 8"},
		{"OUT --preset 135m --type Q6_K", exitUsage, "Q6_K"},
		{"OUT/deeper", exitError, "x: "},
	} {
		r := cortexIn(context.Background(), "", append([]string{"synth"}, strings.Fields(strings.ReplaceAll(c.args, "OUT", filepath.Join(dir, "x")))...)...)
		require.Equal(t, c.status, r.status, "%s: %s", c.args, r.err)
		require.Contains(t, r.err, c.want, c.args)
		requireOneLine(t, r.err)
	}
	requireOnly(t, dir)
}

func TestSynthChecksTheDisk(t *testing.T) {
	dir := t.TempDir()
	if free, err := freeDisk(dir); err != nil || free > 1<<52 {
		t.Skip("the free space is not known here", err)
	}
	r := cortexIn(context.Background(), "", "synth", filepath.Join(dir, "x"), "--preset", "70b", "--type", "F32", "--ff", "2000000000")
	require.Equal(t, exitError, r.status)
	require.Regexp(t, `needs up to [\d.]+ TiB, only [\d.]+ \w+ are free`, r.err)
	requireOnly(t, dir)
}

func TestSynthInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir()
	r := cortexIn(ctx, "", "synth", filepath.Join(dir, "x"))
	require.Equal(t, exitInterrupted, r.status)
	requireOnly(t, dir)
}

func TestSynthStatus(t *testing.T) {
	r := cortexIn(context.Background(), "", "synth", filepath.Join(t.TempDir(), "x"), "--status")
	require.Regexp(t, `: 2\.\d MiB in \d+\.\d s, [\d.]+ \w+/s\n$`, r.err)
}

// requireOnly checks what files are in a folder.
func requireOnly(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.Equal(t, want, names)
}
