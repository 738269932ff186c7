package testmodel

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// oracle returns the program made by bench/peer/install.sh, through which llama.cpp answers: CORTEX_PEER.
func oracle(t *testing.T) string {
	path := os.Getenv("CORTEX_PEER")
	if path == "" {
		require.NotEqual(t, "1", os.Getenv("CORTEX_REQUIRE_PEER"), "CORTEX_PEER does not name the peer's oracle")
		t.Skip("CORTEX_PEER does not name the peer's oracle, which bench/peer/install.sh makes")
	}
	return path
}

// TestPeer has llama.cpp load a model of every shape and every type and continue a few prompts, and checks that
// what it says is fit for comparing engines: many different tokens, clearly chosen.
func TestPeer(t *testing.T) {
	path := oracle(t)
	if testing.Short() {
		t.Skip("runs the peer on some 30 models")
	}
	for _, c := range variants() {
		t.Run(c.Name, func(t *testing.T) {
			files, err := WriteFiles(t.TempDir(), "m", c)
			require.NoError(t, err)
			out := greedy(t, path, files[0], c)
			t.Log(out)
			require.Greater(t, out.median, 0.05)
			require.Greater(t, out.distinct, 20.0)
			require.Zero(t, out.silent)
		})
	}
}

type outcome struct {
	median, low float64 // logit margins: the median and the smallest of all
	distinct    float64 // different tokens among the 64 of a continuation, on average
	silent      int     // tokens said that should not be
}

func (o outcome) String() string {
	return fmt.Sprintf("median margin %.3f, least %.5f, distinct %.1f, silent %d", o.median, o.low, o.distinct, o.silent)
}

// greedy has the oracle continue some prompts by 64 tokens.
func greedy(t *testing.T, oracle, model string, c Config) outcome {
	c, err := c.complete()
	require.NoError(t, err)
	v := newVocab(c.Tokenizer, c.Vocab, c.Seed)
	const prompts, n = 6, 64
	var in bytes.Buffer
	r := rng(7)
	for i := range prompts {
		fmt.Fprint(&in, v.bos)
		for range 2 * i {
			fmt.Fprint(&in, " ", r.intn(c.Vocab))
		}
		fmt.Fprintln(&in)
	}
	cmd := exec.Command(oracle, "greedy", model, "-n", strconv.Itoa(n), "--margins", "-t", "1")
	cmd.Stdin = &in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", &stderr)

	var o outcome
	var margins []float64
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		ids, ms, ok := strings.Cut(lines.Text(), "\t")
		require.True(t, ok, lines.Text())
		seen := map[string]bool{}
		for _, id := range strings.Fields(ids) {
			seen[id] = true
			i, err := strconv.Atoi(id)
			require.NoError(t, err)
			if v.silent[i] {
				o.silent++
			}
		}
		o.distinct += float64(len(seen)) / prompts
		for _, m := range strings.Fields(ms) {
			f, err := strconv.ParseFloat(m, 64)
			require.NoError(t, err)
			margins = append(margins, f)
		}
	}
	require.Len(t, margins, prompts*n)
	slices.Sort(margins)
	o.median, o.low = margins[len(margins)/2], margins[0]
	return o
}
