package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/format/gguf"
)

// writeContainer writes a .cortex model of two shards that is no model of any architecture, and returns their paths.
func writeContainer(t *testing.T) []string {
	t.Helper()
	w, err := container.NewWriter(filepath.Join(t.TempDir(), "m.cortex"), container.Options{Shards: 2})
	require.NoError(t, err)
	defer w.Suspend()
	w.SetMetadata([]gguf.KV{{Key: "general.architecture", Value: "abacus"}})
	r, err := w.AddRows("beads", format.F32, []int64{4})
	require.NoError(t, err)
	_, err = r.Write(make([]byte, 16))
	require.NoError(t, err)
	p, err := w.AddProduct(container.Product{Type: container.SDR8, Channels: 256, BlockChannels: 64,
		Matrices: []container.Matrix{{Name: "wires", Outputs: 1000}, {Name: "frame", Outputs: 64}}})
	require.NoError(t, err)
	for p.Next() < 256 {
		require.NoError(t, p.WriteBlock(make([]byte, p.Layout().Size)))
	}
	require.NoError(t, w.Close())
	return w.Paths()
}

func TestVerify(t *testing.T) {
	paths := writeContainer(t)
	require.Regexp(t, `^.*m-00001-of-00002\.cortex: [\d.]+ KiB in 2 files, every byte is as it was written\n$`, cortexOK(t, "verify", paths[0]))

	data, err := os.ReadFile(paths[1])
	require.NoError(t, err)
	data[container.HeaderBytes+100] ^= 1
	require.NoError(t, os.WriteFile(paths[1], data, 0o600))
	r := cortexIn(context.Background(), "", "verify", paths[0])
	require.Equal(t, exitError, r.status)
	require.Regexp(t, `^.*m-00002-of-00002\.cortex: tensor wires\+frame: block \d, channels \d+ to \d+: the checksum is .* \(at byte \d+\)\n$`, r.out)
	require.Contains(t, r.err, ": 1 faults")

	r = cortexIn(context.Background(), "", "verify", "--json", paths[0])
	require.Equal(t, exitError, r.status)
	var j verifyJSON
	require.NoError(t, json.Unmarshal([]byte(r.out), &j))
	require.Equal(t, paths, j.Files)
	require.Len(t, j.Faults, 1)
	require.Equal(t, "wires+frame", j.Faults[0].Tensor)

	// A part that lies elsewhere.
	other := filepath.Join(t.TempDir(), filepath.Base(paths[1]))
	require.NoError(t, os.Rename(paths[1], other))
	data[container.HeaderBytes+100] ^= 1
	require.NoError(t, os.WriteFile(other, data, 0o600))
	r = cortexIn(context.Background(), "", "verify", paths[0])
	require.Equal(t, exitError, r.status)
	require.Contains(t, r.err, "shard 2 of 2 is missing: m-00002-of-00002.cortex")
	require.Contains(t, cortexOK(t, "verify", paths[0], "--dirs", filepath.Dir(other)), "in 2 files")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.Equal(t, exitInterrupted, cortexIn(ctx, "", "verify", paths[0], "--dirs", filepath.Dir(other)).status)
	require.Equal(t, exitUsage, cortexIn(context.Background(), "", "verify").status)
	require.Contains(t, cortexIn(context.Background(), "", "verify", shared(t, "models", "tales", "tales-q8_0.gguf")).err, "not a cortex file")
}

// What ends a verification early is told beside the faults that were found before.
func TestSplitFaults(t *testing.T) {
	fault := &format.Error{File: "m.cortex", Err: format.ErrChecksum}
	for _, other := range []error{nil, os.ErrPermission, context.Canceled} {
		faults, err := splitFaults(errors.Join(fault, other))
		require.Equal(t, []*format.Error{fault}, faults)
		require.ErrorIs(t, err, other)
		faults, err = splitFaults(other)
		require.Empty(t, faults)
		require.ErrorIs(t, err, other)
	}
}
