package loader

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/format/gguf"
)

// writeCortex writes a set with a product of two matrices and a tensor kept in rows.
func writeCortex(t *testing.T, path string, o cortex.Options) []string {
	w, err := cortex.NewWriter(path, o)
	require.NoError(t, err)
	defer w.Suspend()
	w.SetMetadata([]gguf.KV{{Key: "general.name", Value: "m"}})
	r, err := w.AddRows("rows", format.F32, []int64{1000, 100})
	require.NoError(t, err)
	_, err = r.Write(bytes.Repeat([]byte{1, 2, 3, 4}, 100_000))
	require.NoError(t, err)
	p, err := w.AddProduct(cortex.Product{Type: cortex.SDR8, Channels: 200, BlockChannels: 50,
		Matrices: []cortex.Matrix{{Name: "k", Outputs: 1000}, {Name: "v", Outputs: 500}}})
	require.NoError(t, err)
	for p.Next() < 200 {
		l := p.Layout()
		b := make([]byte, l.Size)
		for i := range b[l.Values:] {
			b[l.Values:][i] = byte(p.Next() + 1)
		}
		require.NoError(t, p.WriteBlock(b))
	}
	require.NoError(t, w.Close())
	return w.Paths()
}

func TestOpenCortex(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	paths := writeCortex(t, filepath.Join(one, "m.cortex"), cortex.Options{Shards: 2, Dirs: []string{one, two}})
	for _, path := range paths { // any shard leads to all
		s, err := Open(path, two, one)
		require.NoError(t, err)
		require.Equal(t, "cortex version 1.0", s.Format)
		require.Equal(t, paths[0], s.Name())
		name, err := s.String("general.name")
		require.NoError(t, err)
		require.Equal(t, "m", name)
		rows, ok := s.Tensor("rows")
		require.True(t, ok)
		require.Equal(t, bytes.Repeat([]byte{1, 2, 3, 4}, 100_000), s.Data(rows))

		p, m, ok := s.Product("v")
		require.True(t, ok)
		require.Equal(t, []int{0, 1}, []int{p, m})
		_, _, ok = s.Product("rows")
		require.False(t, ok)

		var order []Extent
		used := map[int]bool{}
		for _, b := range s.Products[0].Pieces {
			order = append(order, Extent{Part: b.Part, Offset: b.Offset, Size: b.Size})
			used[b.Part] = true
		}
		require.Len(t, used, 2, "the blocks lie in both shards")
		r, err := NewResident(s, order)
		require.NoError(t, err)
		for i, b := range s.Products[0].Pieces {
			data, err := r.Acquire(i)
			require.NoError(t, err)
			require.Equal(t, byte(b.First+1), data[len(data)-1])
		}
		s.ForgetHead()
		require.Equal(t, byte(4), s.Data(rows)[399_999], "it stays readable")
		require.NoError(t, s.Close())
	}
	require.NoError(t, os.Remove(paths[1]))
	_, err := Open(paths[0])
	require.ErrorIs(t, err, format.ErrMissing)
	require.ErrorContains(t, err, "m-00002-of-00002.cortex")
}

func TestCortexFromBytes(t *testing.T) {
	paths := writeCortex(t, filepath.Join(t.TempDir(), "m.cortex"), cortex.Options{})
	data, err := os.ReadFile(paths[0])
	require.NoError(t, err)
	s, err := FromBytes("bytes", data)
	require.NoError(t, err)
	require.Len(t, s.Products, 1)
	_, err = FromBytes("bytes", data[:100_000])
	require.ErrorIs(t, err, format.ErrFormat)
}

func TestFaultsOfProducts(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("truncating a mapped file is tested on linux")
	}
	path := writeCortex(t, filepath.Join(t.TempDir(), "m.cortex"), cortex.Options{})[0]
	s, err := Open(path)
	require.NoError(t, err)
	defer s.Close()
	b := s.Products[0].Pieces[3]
	require.NoError(t, os.Truncate(path, b.Offset+8192))
	r, err := NewResident(s, []Extent{{Part: b.Part, Offset: b.Offset, Size: b.Size}})
	require.NoError(t, err)
	err = r.Warm(nil)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, err, ErrTruncated)
	require.Equal(t, "k+v", e.Tensor)
	require.Greater(t, e.Offset, b.Offset)
}
