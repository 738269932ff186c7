package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBenchMarkdown(t *testing.T) {
	out := cortexOK(t, "bench", "-p", "8,4", "-n", "2", "-d", "0,16", "-r", "2", "-t", "1,2")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 2+2*6)
	require.Regexp(t, `^\| model +\| +size \| +params \| backend +\| threads \| +test \| +t/s \|$`, lines[0])
	for i, test := range []string{"pp8", "pp4", "tg2", "pp8 @ d16", "pp4 @ d16", "tg2 @ d16"} {
		require.Regexp(t, `^\| llama Q8_0 +\| +6\.9 MiB \| +6\.82 M \| CPU [^|]*\| +1 \| +`+test+` \| +[\d.]+ ± [\d.]+ \|$`, lines[2+i])
		require.Regexp(t, `\| +2 \| +`+test+` \|`, lines[8+i])
	}
	for _, line := range lines {
		require.Equal(t, len([]rune(lines[0])), len([]rune(line)), line)
	}
}

func TestBenchJSONAndCSV(t *testing.T) {
	var results []benchResult
	require.NoError(t, json.Unmarshal([]byte(cortexOK(t, "bench", "-p", "8", "-n", "2", "-r", "3", "-o", "json")), &results))
	require.Len(t, results, 2)
	for i, r := range results {
		require.Equal(t, []int{8, 0}[i], r.Prompt)
		require.Equal(t, []int{0, 2}[i], r.Gen)
		require.Len(t, r.SamplesTS, 3)
		for _, ts := range r.SamplesTS {
			require.Positive(t, ts)
		}
		require.InEpsilon(t, (r.SamplesTS[0]+r.SamplesTS[1]+r.SamplesTS[2])/3, r.AvgTS, 1e-9)
		require.Equal(t, int64(6819072), r.Params)
	}

	rows, err := csv.NewReader(strings.NewReader(cortexOK(t, "bench", "-p", "8", "-n", "2", "-r", "1", "--no-warmup", "-o", "csv"))).ReadAll()
	require.NoError(t, err, "all rows have as many fields")
	require.Len(t, rows, 3)
	require.Equal(t, "build_commit", rows[0][0])
}

func TestBenchInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.Equal(t, exitInterrupted, cortexIn(ctx, "", "bench").status)
}

func TestMeanStddev(t *testing.T) {
	mean, stddev := meanStddev([]float64{1, 2, 3, 4})
	require.Equal(t, 2.5, mean)
	require.InDelta(t, 1.2909944, stddev, 1e-6)
	mean, stddev = meanStddev([]float64{7})
	require.Equal(t, 7.0, mean)
	require.Zero(t, stddev)
}
