package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/testmodel"
)

// The tests start this program as main does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == workEnter || os.Args[1] == workRun) {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"3GB": 3e9, "400MiB": 400 << 20, "1.5GiB": 3 << 29, "12": 12, "7B": 7, "2MB": 2e6} {
		n, err := parseSize(text)
		require.NoError(t, err, text)
		require.Equal(t, want, n, text)
	}
	for _, text := range []string{"", "GB", "-1GB", "x", "3GBs"} {
		_, err := parseSize(text)
		require.Error(t, err, text)
	}
}

// A streamed and a mapped model stay within their limits, as the kernel counts.
func TestLimitHolds(t *testing.T) {
	ctx := context.Background()
	exe, err := exec.LookPath("true")
	if err != nil {
		t.Skip("no program to try a cgroup with")
	}
	var nothing any
	if _, err := in(ctx, 64<<20, &nothing, exe); errors.Is(err, errNoGroup) {
		t.Skip(err)
	}
	paths, err := testmodel.WriteFiles(t.TempDir(), "m", testmodel.Config{Name: "m", Layers: 6, Dim: 512, Heads: 8, KVHeads: 2, FF: 2048, Vocab: 2000, Type: format.F16})
	require.NoError(t, err)
	j := job{Model: paths[0], Limit: 1, Context: 512, Batch: 64, Threads: 2, Prompt: 300, Gen: 4}
	var least *cortex.MemoryError
	_, _, err = cortex.Inspect(j.Model, j.options())
	require.ErrorAs(t, err, &least)
	for _, limit := range []int64{least.Need - 1, least.Need, least.Need + 12<<20, least.Need + 64<<20} {
		j.Limit = limit
		report, err := j.check(ctx)
		require.NoError(t, err, report)
		t.Log(filepath.Base(j.Model), report)
	}
}
