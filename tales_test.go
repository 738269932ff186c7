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
func TestTalesSameTokens(t *testing.T) {
	m, err := cortex.OpenBytes(tales.Name, tales.GGUF, &cortex.Options{ContextLength: 128})
	require.NoError(t, err)
	defer m.Close()
	prompts := []string{
		"Once upon a time", "The fox said to the crow", "There was once a miller who had three sons",
		"\"Open the door!\" cried the wolf,", "In the middle of the forest", "The princess looked into the well and saw",
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
