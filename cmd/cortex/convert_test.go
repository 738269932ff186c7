package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/format/gguf"
)

// generates checks that a model can be run.
func generates(t *testing.T, path string) {
	t.Helper()
	m, err := cortex.Open(path, nil)
	require.NoError(t, err)
	defer m.Close()
	n := 0
	for _, err := range m.Generate(context.Background(), "", &cortex.GenerateOptions{MaxTokens: 4, IgnoreEnd: true}) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 4, n)
}

func TestConvert(t *testing.T) {
	dir := t.TempDir()
	in := synth(t, "--layers", "2", "--type", "F16")
	text := filepath.Join(dir, "text.txt")
	require.NoError(t, os.WriteFile(text, []byte("Some words, and a few more of them, to calibrate with."), 0o666))
	for name, args := range map[string][]string{
		"plain": nil, "eight": {"--type", "SDR8"}, "calibrated": {"--calibrate", text, "--bits", "5"}, "rows": {"--embedding-type", "Q5_0", "--output-type", "sdr4"},
		"gate": {"--gate-first"}, "pruned": {"--type", "sdrw4", "--prune", "50%"}, "pattern": {"--type", "sdrw8", "--output-type", "sdrw4", "--prune", "2:4", "--prune-by", "wanda", "--calibrate", text},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(dir, name+".cortex")
			require.Contains(t, cortexOK(t, append([]string{"convert", in, out}, args...)...), "bits per weight")
			generates(t, out)
		})
	}

	before, err := os.ReadFile(filepath.Join(dir, "plain.cortex"))
	require.NoError(t, err)
	require.NotZero(t, cortexIn(t.Context(), "", "convert", in, filepath.Join(dir, "plain.cortex")).status, "exists already")
	cortexOK(t, "convert", in, filepath.Join(dir, "plain.cortex"), "--force", "-t", "1")
	after, err := os.ReadFile(filepath.Join(dir, "plain.cortex"))
	require.NoError(t, err)
	require.True(t, string(before) == string(after))
}

// A model half of whose weights are 0 takes less room and still writes what it did.
func TestConvertPruned(t *testing.T) {
	dir, text := t.TempDir(), story(t)
	var sizes, losses [2]float64
	for i, args := range [][]string{{"--type", "sdr8"}, {"--type", "sdrw8", "--prune", "50%", "--prune-by", "wanda", "--calibrate", text}} {
		out := filepath.Join(dir, strconv.Itoa(i)+".cortex")
		cortexOK(t, append([]string{"convert", "tales", out}, args...)...)
		info, err := os.Stat(out)
		require.NoError(t, err)
		sizes[i] = float64(info.Size())
		losses[i] = perplexityOf(t, "-m", out, "-f", text, "-c", "64").PPL.Value
	}
	require.Less(t, sizes[1], 0.82*sizes[0]) // the output matrix and the embedding are as they were
	require.Less(t, losses[1], 1.3*losses[0])
	require.NotEqual(t, losses[0], losses[1])
}

func TestConvertShards(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	require.NoError(t, os.Mkdir(one, 0o777))
	require.NoError(t, os.Mkdir(two, 0o777))
	cortexOK(t, "convert", synth(t, "--layers", "1", "--type", "F16"), filepath.Join(dir, "m.cortex"), "--shards", "2", "--dirs", one+","+two)
	require.FileExists(t, filepath.Join(two, "m-00002-of-00002.cortex"))
	generates(t, filepath.Join(one, "m-00001-of-00002.cortex"))
}

func TestSynthChannels(t *testing.T) {
	out := filepath.Join(t.TempDir(), "m.cortex")
	cortexOK(t, "synth", out, "--layers", "1", "--type", "SDR4")
	generates(t, out)
}

func TestConvertErrors(t *testing.T) {
	in := synth(t, "--layers", "1", "--type", "F16")
	for _, args := range [][]string{
		{"convert"}, {"convert", in, "out.gguf"}, {"convert", in, "out.cortex", "--type", "Q4_0"}, {"convert", in, "out.cortex", "--embedding-type", "Q6_K"},
		{"convert", in, "out.cortex", "--shards", "many"}, {"convert", in, "out.cortex", "--bits", "-1"}, {"convert", "none.gguf", "out.cortex"},
		{"convert", in, filepath.Join(t.TempDir(), "out.cortex"), "--bits", "2"},
		{"convert", in, "out.cortex", "--prune", "50%"}, {"convert", in, "out.cortex", "--type", "sdrw4", "--prune", "half"}, {"convert", in, "out.cortex", "--type", "sdrw4", "--bits", "4"},
		{"convert", in, "out.cortex", "--type", "sdrw4", "--prune", "50%", "--prune-by", "wanda"}, {"convert", in, "out.cortex", "--type", "sdrw4", "--prune", "50%", "--prune-by", "chance"}, {"convert", in, "out.cortex", "--type", "sdrw4", "--gate-first"}, {"synth", "out.gguf", "--type", "SDR4"},
	} {
		require.NotZero(t, cortexIn(t.Context(), "", args...).status, "%v", args)
	}
	require.NoFileExists(t, "out.cortex")
}

// One command makes what convert and calibrate make, also if it is interrupted while it calibrates.
func TestConvertCalibrates(t *testing.T) {
	text := storyFile(t, 6000)
	two, one := filepath.Join(t.TempDir(), "m.cortex"), filepath.Join(t.TempDir(), "m.cortex") // the name is part of the file
	cortexOK(t, "convert", "tales", two, "--calibrate", text, "--thresholds=false")
	require.NotZero(t, cortexIn(t.Context(), "", "run", two, "-n", "1", "--sparsity", "auto").status, "it is not calibrated")
	cortexOK(t, "calibrate", two, "-f", text)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(one); err == nil {
				cancel()
			}
		}
	}()
	story, err := os.ReadFile(text)
	require.NoError(t, err)
	args := []string{"convert", "tales", one, "--calibrate", "-"}
	require.NotZero(t, cortexIn(ctx, string(story), args...).status)
	require.FileExists(t, one+".journal")
	r := cortexIn(t.Context(), string(story), args...)
	require.Zero(t, r.status, r.err)
	require.Contains(t, r.out, "perplexity ratio")
	want, err := os.ReadFile(two)
	require.NoError(t, err)
	got, err := os.ReadFile(one)
	require.NoError(t, err)
	require.True(t, string(want) == string(got))
	require.NoFileExists(t, one+".journal")
	f, err := container.Parse(gguf.Part{Name: one, Data: got})
	require.NoError(t, err)
	for _, p := range f.Products {
		require.NotNil(t, p.Order)
		for _, th := range p.Thresholds {
			require.Len(t, th.Active, len(p.Pieces))
			active := 0.0
			for b, piece := range p.Pieces {
				active += float64(th.Active[b]) / 255 * float64(piece.Channels) / float64(p.Channels)
			}
			require.InDelta(t, th.Keep, active, 0.005)
		}
	}
	require.NotZero(t, cortexIn(t.Context(), string(story), args...).status, "it is finished and not overwritten")
}

// Texts from the standard input are not taken for each other.
func TestConvertJob(t *testing.T) {
	f := convertFlags{calibrate: "-"}
	a, err := f.job("tales", "a")
	require.NoError(t, err)
	b, err := f.job("tales", "b")
	require.NoError(t, err)
	require.NotEqual(t, a, b)
}
