package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func fixedReport() *report {
	r := threePairs()
	r.Pairs[1].NoisyPeer, r.Pairs[1].NoisyCortex = &sample{Rate: 4}, &sample{Rate: 15}
	r.Pairs = r.Pairs[1:2]
	r.Summary = r.summarize()
	return &report{
		Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Machine: machine{OS: "linux/amd64", CPU: "Some CPU", CPUs: 4, Load: 2.5}, Threads: 2,
		Cortex: "cortex v1", Go: "go1.26", ISA: "avx2", Peer: "llama.cpp 0.5", PeerCPU: "haswell", Results: []*result{r},
		PeerCommand: "oracle bench m.gguf", CortexCommand: "peer measure '{}'",
	}
}

func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, writeMarkdown(&b, fixedReport()))
	require.Equal(t, `2026-01-02 03:04 UTC, linux/amd64, Some CPU, 4 CPUs, 2 threads on each side

- cortex v1, kernels avx2, go1.26
- llama.cpp 0.5, kernels haswell

**Warning:** the machine was not idle, with a load of 2.50 in the minute before.

Tokens per second: median (smallest – largest) of the pairs.

| model | test | pairs | peer | cortex | cortex / peer |
| --- | --- | ---: | ---: | ---: | ---: |
| m.gguf | tg8 | 1 | 20.0 (20.0 – 20.0) | 30.0 (30.0 – 30.0) | 1.50 (1.50 – 1.50) |

Seconds until the model is open and until the first token behind the prompt (of one token in tg tests), the file being in memory already; most memory resident, in MB.

| model | test | open: peer | cortex | first token: peer | cortex | memory: peer | cortex | file | KV |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| m.gguf | tg8 | 2.00 | 0.500 | 2.00 | 0.250 | 1000 | 500 | 2000 | 3 |

GB of weights read per second, beside a plain read of the same mapped file with as many threads.

| model | test | plain read | peer | of plain | cortex | of plain |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
| m.gguf | tg8 | 40.0 (40.0 – 40.0) | 20.0 (20.0 – 20.0) | 0.50 (0.50 – 0.50) | 30.0 (30.0 – 30.0) | 0.75 (0.75 – 0.75) |

How many times slower beside a process that keeps one core busy.

| model | test | peer | cortex | cortex / peer then |
| --- | --- | ---: | ---: | ---: |
| m.gguf | tg8 | 5.00 (5.00 – 5.00) | 2.00 (2.00 – 2.00) | 3.75 (3.75 – 3.75) |

The last commands:

    oracle bench m.gguf
    peer measure '{}'
`, b.String())
}

func TestMarkdownLeavesOutWhatWasNotMeasured(t *testing.T) {
	rep := fixedReport()
	r := rep.Results[0]
	r.Pairs[0].Read, r.Pairs[0].NoisyPeer = 0, nil
	r.Summary = r.summarize()
	rep.Machine.Load = 0.1
	var b bytes.Buffer
	require.NoError(t, writeMarkdown(&b, rep))
	for _, text := range []string{"Warning", "GB of weights", "slower"} {
		require.NotContains(t, b.String(), text)
	}
}

func TestWarnings(t *testing.T) {
	rep := fixedReport()
	rep.Machine.Load = -1
	require.Empty(t, rep.warnings())
	rep.Results[0].Summary.Others = 0.25
	require.Equal(t, []string{"other processes took up to 25 % of the CPU time during a run"}, rep.warnings())
}

func TestJSON(t *testing.T) {
	want := fixedReport()
	var b bytes.Buffer
	require.NoError(t, writeJSON(&b, want))
	var got report
	require.NoError(t, json.Unmarshal(b.Bytes(), &got))
	require.Equal(t, want, &got)
	require.Contains(t, b.String(), `"test": "tg8"`)
}

func TestShort(t *testing.T) {
	for want, x := range map[string]float64{"0.05": 0.0512, "9.99": 9.994, "12.3": 12.34, "1234": 1234.4} {
		require.Equal(t, want, short(x))
	}
	require.Equal(t, "0.012", seconds(0.0123))
	require.Equal(t, "1.23", seconds(1.234))
}
