package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/testmodel"
)

// TestMain lets the test binary play both programs that are started: this one, and the
// oracle.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case workMeasure, workRead, workSpin:
			main()
			os.Exit(0)
		case "bench":
			if slices.Contains(os.Args, "--cpu") && !slices.Contains(os.Args, "haswell") {
				fmt.Fprintln(os.Stderr, "oracle: no such library")
				os.Exit(1)
			}
			fmt.Println(`{"peer": "llama.cpp x", "cpu": "haswell", "pp_tokens_per_second": [3, 1, 2], "tg_tokens_per_second": [], ` +
				`"load_seconds": 0.5, "first_token_seconds": 0.75, "peak_rss_bytes": 5}`)
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// smallModel writes a model that takes no time.
func smallModel(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "small.gguf")
	require.NoError(t, os.WriteFile(path, testmodel.Bytes(testmodel.Config{
		Layers: 2, Dim: 64, Heads: 2, FF: 64, Vocab: 300, Type: format.Q8_0}), 0o600))
	return path
}

func TestCompare(t *testing.T) {
	model := smallModel(t)
	f, err := parseFlags([]string{"-m", model, "--pairs", "2", "-t", "2", "-r", "3", "--tests", "pp16,tg5,tg5@20", "--oracle", os.Args[0],
		"--isa", "ref", "--peer-cpu", "haswell", "--bandwidth", "--noise", "-o", "json"})
	require.NoError(t, err)
	require.NoError(t, f.install(t.Context()))
	rep, err := f.compare(t.Context())
	require.NoError(t, err)

	require.Equal(t, "ref", rep.ISA)
	require.Equal(t, "llama.cpp x", rep.Peer)
	require.Contains(t, rep.PeerCommand, "-t 2 -p 0 -n 5 -r 3 --depth 20 --cpu haswell")
	require.Contains(t, rep.CortexCommand, "CORTEX_ISA=ref")
	require.Len(t, rep.Results, 3)
	size, err := os.Stat(model)
	require.NoError(t, err)
	for _, r := range rep.Results {
		require.Equal(t, "small.gguf", r.Model)
		require.Equal(t, size.Size(), r.FileBytes)
		require.Positive(t, r.KVBytes)
		require.Positive(t, r.BytesPerToken)
		require.Equal(t, r.Test.Gen > 0, r.Summary.Bandwidth != nil)
		require.Len(t, r.Pairs, 2)
		for _, p := range r.Pairs {
			require.Equal(t, 2.0, p.Peer.Rate, "the median of the repetitions")
			require.Equal(t, 0.5, p.Peer.Open)
			require.Equal(t, 0.75, p.Peer.FirstToken)
			require.Positive(t, p.Cortex.Rate)
			require.Positive(t, p.Cortex.Open)
			require.Greater(t, p.Cortex.FirstToken, p.Cortex.Open)
			require.Positive(t, p.NoisyCortex.Rate)
			require.Equal(t, 2.0, p.NoisyPeer.Rate)
			if runtime.GOOS == "linux" {
				require.Greater(t, p.Cortex.PeakRSS, int64(5<<20))
				require.Less(t, p.Cortex.PeakRSS, int64(1<<30))
			}
		}
	}

	f.isa = "avx2"
	cmd, err := f.cortexCommand(t.Context(), job{})
	require.NoError(t, err)
	require.Contains(t, commandLine(cmd), "CORTEX_ISA=avx2 OPENBLAS_CORETYPE=Haswell ")

	f.peerCPU = "other"
	_, err = f.compare(t.Context())
	require.ErrorContains(t, err, "no such library")
}

func TestParseFlags(t *testing.T) {
	model := smallModel(t)
	f, err := parseFlags([]string{"-m", model, "-m", model})
	require.NoError(t, err)
	require.Equal(t, &flags{models: []string{model, model}, tests: f.tests, pairs: 5, repetitions: 1, threads: runtime.NumCPU(), output: "md"}, f)
	require.Len(t, f.tests, 4)
	for want, args := range map[string][]string{
		"no model":              {},
		"missing.gguf":          {"-m", "missing.gguf"},
		"unexpected argument":   {"-m", model, "more"},
		"at least 1":            {"-m", model, "-pairs", "0"},
		"is no test":            {"-m", model, "-tests", "xx"},
		"-o is md or json, not": {"-m", model, "-o", "xml"},
	} {
		_, err := parseFlags(args)
		require.ErrorContains(t, err, want)
	}
}

func TestMeasure(t *testing.T) {
	j := job{Model: smallModel(t), Threads: 1, Repetitions: 2}
	for _, j.Test = range []spec{{Prompt: 8}, {Prompt: 8, Depth: 5}, {Gen: 1}, {Gen: 4}, {Gen: 4, Depth: 7}} {
		out, err := measure(t.Context(), j)
		require.NoError(t, err, j.Test)
		want := [2]int{2, 0}
		if j.Test.Gen > 0 {
			want = [2]int{0, 2}
		}
		require.Equal(t, want, [2]int{len(out.Prompt), len(out.Gen)}, j.Test)
	}
	j.Model += ".missing"
	_, err := measure(t.Context(), j)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestMeasureWork counts what goes through the model in each repetition: as many tokens as the test says.
func TestMeasureWork(t *testing.T) {
	m, err := cortex.Open(smallModel(t), &cortex.Options{ContextLength: 64})
	require.NoError(t, err)
	defer m.Close()
	s, err := m.NewSession()
	require.NoError(t, err)
	defer s.Close()
	ids := benchTokens(m, 11)
	for range 3 {
		require.NoError(t, rewind(t.Context(), s, ids))
		require.Equal(t, ids, s.Tokens())
		before := m.Stats()
		require.NoError(t, generate(t.Context(), s, 6))
		after := m.Stats()
		run := after.PromptTokens + after.GeneratedTokens - before.PromptTokens - before.GeneratedTokens
		require.Equal(t, int64(6), run)
	}
	require.ErrorContains(t, generate(t.Context(), s, 60), "tokens generated, not 60", "the context is full before")
}

func TestBenchTokens(t *testing.T) {
	m, err := cortex.Open(smallModel(t), nil)
	require.NoError(t, err)
	defer m.Close()
	ids := benchTokens(m, 4)
	require.Equal(t, []int32{298, 33, 77, 278}, ids, "BOS, then bits 8 and up of 1586005467, 2165703038 and 3027450565, modulo 300")
}

func TestLikeliest(t *testing.T) {
	require.NoError(t, likeliest(0, []float32{1, 3, 2}))
	nan := float32(0)
	nan /= nan
	require.ErrorContains(t, likeliest(0, []float32{nan, 1}), "NaN")
}

func TestReadWeights(t *testing.T) {
	model := smallModel(t)
	r, err := readWeights(t.Context(), readJob{Model: model, Threads: 3, Passes: 2})
	require.NoError(t, err)
	require.Len(t, r.Rates, 2)
	size, err := testmodel.Size(testmodel.Config{Layers: 2, Dim: 64, Heads: 2, FF: 64, Vocab: 300, Type: format.Q8_0})
	require.NoError(t, err)
	require.Equal(t, size, r.Bytes)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = readWeights(ctx, readJob{Model: model, Threads: 1})
	require.ErrorIs(t, err, context.Canceled)
}

func TestEveryLineIsRead(t *testing.T) {
	for _, n := range []int{1, 63, 64, 4096, 4 * 4096, 4*4096 + 1, 9*4096 + 100} {
		p := make([]byte, n)
		for way, read := range readers {
			require.Zero(t, read(p))
			for i := 0; i < n; i += lineBytes {
				p[i] = 1
				require.NotZero(t, read(p), "way %d, byte %d of %d", way, i, n)
				p[i] = 0
			}
		}
	}
}

func TestSpinEndsWithItsStarter(t *testing.T) {
	cmd := exec.Command(os.Args[0], workSpin, "null")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		t.Fatal("ended too early:", err)
	case <-time.After(100 * time.Millisecond):
	}
	require.NoError(t, stdin.Close())
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		require.NoError(t, cmd.Process.Kill())
		t.Fatal("still busy")
	}
	require.Greater(t, cmd.ProcessState.UserTime(), 10*time.Millisecond)
}

func TestRunJSONErrors(t *testing.T) {
	var v output
	err := runJSON(exec.Command(os.Args[0], workMeasure, "{"), &v)
	require.ErrorContains(t, err, "peer: unexpected end of JSON input", "what the process says is in the error")
	err = runJSON(exec.Command(os.Args[0], workMeasure, `{"Model": "no.gguf"}`), &v)
	require.ErrorContains(t, err, "no.gguf")
}

func TestOracleOutput(t *testing.T) {
	var out output
	require.NoError(t, json.NewDecoder(bytes.NewReader([]byte(`{"peer": "p", "cpu": "c", "repack": true, "tg_tokens_per_second": [1.5]}`))).Decode(&out))
	require.Equal(t, output{Peer: "p", CPU: "c", Gen: []float64{1.5}}, out)
}

func TestCommandLine(t *testing.T) {
	cmd := exec.Command("/somewhere/peer", "measure", `{"a":1}`, "-x")
	require.Equal(t, `peer measure '{"a":1}' -x`, commandLine(cmd))
	cmd.Env = append(os.Environ(), "CORTEX_ISA=avx2")
	require.Equal(t, `CORTEX_ISA=avx2 peer measure '{"a":1}' -x`, commandLine(cmd))
}
