package cortex_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/cache"
)

// A disk without room, for a checkpoint or for keys and values, is an error that says so. What
// does not need the room goes on, and everything can be closed.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	defer func() { require.NoError(t, unix.Unmount(dir, 0)) }()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	path := readingFile(t)
	m := reading(t, path)
	want, err := read(ctx, m, longPrompt, "", nil)
	require.NoError(t, err)
	_, err = read(ctx, m, longPrompt, filepath.Join(dir, "checkpoint"), nil)
	require.ErrorIs(t, err, syscall.ENOSPC)
	var e *cache.CheckpointError
	require.ErrorAs(t, err, &e)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	got, err := read(ctx, m, longPrompt, "", nil)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.NoError(t, m.Close())

	m, err = cortex.Open(path, &cortex.Options{Threads: 2, ContextLength: 4096, BatchSize: 64, KVMemory: 1, SpillDir: dir})
	require.NoError(t, err)
	ids := m.Tokenize(longPrompt, cortex.TokenizeOptions{AddSpecial: true})
	require.Greater(t, len(ids), 300)
	s, err := m.NewSession()
	require.NoError(t, err)
	err = s.Eval(ctx, ids, 0, nil)
	require.ErrorIs(t, err, syscall.ENOSPC)
	var spill *cortex.SpillError
	require.ErrorAs(t, err, &spill)
	s.Truncate(0)
	require.NoError(t, s.Eval(ctx, ids[:100], 0, nil), "a text that fits into memory")
	require.NoError(t, m.Close())
	entries, err = os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}
