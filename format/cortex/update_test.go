package cortex_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/format/gguf"
)

func TestUpdate(t *testing.T) {
	paths := write(t, filepath.Join(t.TempDir(), "m.cortex"), cortex.Options{Shards: 2}, small())
	before, err := cortex.Parse(parts(t, paths...)...)
	require.NoError(t, err)
	for round := range 3 {
		list := []cortex.Threshold{{Sparsity: 0.2, Keep: 0.8, Value: float32(round)}, {Sparsity: 0.5, Keep: 0.4, Value: 7}}
		thresholds := map[string][]cortex.Threshold{"q": list, "gate": list[:1], "tiny": nil, "pruned4": nil, "pruned8": nil}
		set := []gguf.KV{{Key: "cortex.answer", Value: uint32(round)}, {Key: "cortex.new", Value: []float32{1, 2}}}
		if round == 2 { // as if the last one had been interrupted
			f, err := os.OpenFile(paths[0], os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.Write([]byte("what was written last"))
			require.NoError(t, err)
			require.NoError(t, f.Close())
			_, err = cortex.Parse(parts(t, paths...)...)
			require.ErrorIs(t, err, format.ErrFormat)
		}
		require.NoError(t, cortex.Update(paths, set, thresholds))
		require.NoError(t, verify(paths...))
		f, err := cortex.Parse(parts(t, paths...)...)
		require.NoError(t, err)
		for i, p := range f.Products {
			want := before.Products[i]
			want.Thresholds = thresholds[p.Matrices[0].Name]
			if len(want.Thresholds) == 0 {
				require.Empty(t, p.Thresholds)
				p.Thresholds, want.Thresholds = nil, nil
			}
			require.Equal(t, want, p)
		}
		require.Equal(t, before.Tensors, f.Tensors)
		n, err := f.Uint("cortex.answer")
		require.NoError(t, err)
		require.Equal(t, uint64(round), n)
		list2, err := f.Floats("cortex.new")
		require.NoError(t, err)
		require.Equal(t, []float64{1, 2}, list2)
		words, err := f.Strings("words")
		require.NoError(t, err)
		require.Equal(t, []string{"one", "two", ""}, words)
	}
}

func TestUpdateRefuses(t *testing.T) {
	paths := write(t, filepath.Join(t.TempDir(), "m.cortex"), cortex.Options{}, small())
	before := parts(t, paths...)
	bad := []cortex.Threshold{{Sparsity: 0.5}, {Sparsity: 0.4}}
	require.ErrorIs(t, cortex.Update(paths, nil, nil), format.ErrMissing)
	require.ErrorIs(t, cortex.Update(paths, nil, map[string][]cortex.Threshold{"q": bad, "gate": nil, "tiny": nil}), format.ErrFormat)
	require.Equal(t, before, parts(t, paths...))
}

// Only one at a time writes a set, be it anew or be it changed.
func TestUpdateLocks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the standard library cannot lock files there")
	}
	for _, o := range []cortex.Options{{}, {Shards: 2}} {
		path := filepath.Join(t.TempDir(), "m.cortex")
		paths := write(t, path, o, small())
		thresholds := map[string][]cortex.Threshold{"q": nil, "gate": nil, "tiny": nil, "pruned4": nil, "pruned8": nil}
		before := parts(t, paths...)
		w := begin(t, path, o, small(), 1)
		err := cortex.Update(paths, nil, thresholds)
		require.ErrorIs(t, err, cortex.ErrLocked)
		var e *format.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, path+".journal", e.File)
		_, err = cortex.NewWriter(path, o)
		require.ErrorIs(t, err, cortex.ErrLocked)
		require.Equal(t, before, parts(t, paths...))

		require.NoError(t, w.Suspend())
		require.NoError(t, cortex.Update(paths, nil, thresholds))
		require.FileExists(t, path+".journal", "the next writer goes on with it")
		require.NoError(t, begin(t, path, o, small(), 1).Abort())
		require.NoError(t, cortex.Update(paths, nil, thresholds))
		require.NoFileExists(t, path+".journal")
	}
}
