package cortex_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/examples/tales"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata/tales.golden anew, from the kernels in use")

// A real model says the same on every processor: the golden file was written
// with CORTEX_ISA=ref, and every instruction set must give the same tokens.
//
// Instruction sets add in different orders; where that moves an activation over
// the edge between two 8-bit values, logits move by some hundredths. So the
// prompts are ones in whose text the best token always leads by more than that.
func TestTalesSameTokens(t *testing.T) {
	m, err := cortex.OpenBytes(tales.Name, tales.GGUF, &cortex.Options{ContextLength: 128})
	require.NoError(t, err)
	defer m.Close()
	prompts := []string{
		"The old woman said", "A young prince looked at the", "Far away in the mountains", "In a small house went out and",
		"My dear child, came to a", "Long ago came to a",
	}
	if testing.Short() {
		prompts = prompts[:2]
	}
	var got strings.Builder
	for _, p := range prompts {
		fmt.Fprintf(&got, "%q\n", p)
		s := newSession(t, m)
		_, ids := collect(t, s, p, greedy(48))
		fmt.Fprintln(&got, ids)
		require.NoError(t, s.Close())
	}
	const golden = "testdata/tales.golden"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, strings.SplitAfter(string(want), "\n")[:2*len(prompts)], strings.SplitAfter(got.String(), "\n")[:2*len(prompts)])
}
