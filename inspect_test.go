package cortex_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/examples/tales"
	"github.com/cortexsdr/cortex/format"
)

func TestInspectAgreesWithOpen(t *testing.T) {
	o := &cortex.Options{Threads: 1, ContextLength: 64, MemoryLimit: 1 << 30}
	m, err := cortex.OpenBytes(tales.Name, tales.GGUF, o)
	require.NoError(t, err)
	defer m.Close()
	info, plan, err := cortex.InspectBytes(tales.Name, tales.GGUF, o)
	require.NoError(t, err)
	require.Equal(t, m.Info(), info)
	require.Equal(t, m.Plan(), plan)

	path := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, os.WriteFile(path, tales.GGUF, 0o600))
	info, plan, err = cortex.Inspect(path, o)
	require.NoError(t, err)
	require.Equal(t, path, info.File)
	require.Equal(t, m.Plan(), plan)

	id, ok := m.BOS()
	require.True(t, ok)
	require.Equal(t, m.Tokenize("", cortex.TokenizeOptions{AddSpecial: true}), []int32{id})
}

func TestErrorsNameTheFileOnce(t *testing.T) {
	dir := t.TempDir()
	missing, broken := filepath.Join(dir, "missing.gguf"), filepath.Join(dir, "broken.gguf")
	require.NoError(t, os.WriteFile(broken, []byte("GGUP"), 0o600))
	inspect := func(path string) error { _, _, err := cortex.Inspect(path, nil); return err }
	open := func(path string) error { _, err := cortex.Open(path, nil); return err }

	for verb, call := range map[string]func(string) error{"open ": open, "inspect ": inspect} {
		err := call(missing)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.Equal(t, 1, strings.Count(err.Error(), missing), err.Error())
		require.True(t, strings.HasPrefix(err.Error(), "cortex: open "+missing), err.Error())
		err = call(broken)
		require.ErrorIs(t, err, format.ErrFormat)
		require.Equal(t, 1, strings.Count(err.Error(), broken), err.Error())
		require.True(t, strings.HasPrefix(err.Error(), "cortex: "+verb+broken), err.Error())
	}
	_, _, err := cortex.InspectBytes("m.gguf", tales.GGUF, &cortex.Options{MemoryLimit: 1})
	require.ErrorIs(t, err, cortex.ErrMemoryLimit)
	require.ErrorContains(t, err, "cortex: inspect m.gguf: memory limit too small")
	_, _, err = cortex.InspectBytes("m.gguf", []byte("GGUP"), nil)
	require.ErrorContains(t, err, "cortex: inspect m.gguf: ")
}
