package cortex_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/format/gguf"
)

func newWriter(t *testing.T) *cortex.Writer {
	w, err := cortex.NewWriter(filepath.Join(t.TempDir(), "m.cortex"), cortex.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Abort()) })
	return w
}

func TestNewWriterRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		o    cortex.Options
	}{
		{"m.gguf", cortex.Options{}},
		{".cortex", cortex.Options{}},
		{"m.cortex", cortex.Options{Shards: -1}},
		{"m.cortex", cortex.Options{Shards: 5000}},
		{"m.cortex", cortex.Options{ShardBytes: -1}},
		{"m.cortex", cortex.Options{Shards: 2, ShardBytes: 1}},
		{"m.cortex", cortex.Options{Dirs: []string{filepath.Join(t.TempDir(), "none")}}},
		{"m.cortex", cortex.Options{Shards: 2, Dirs: []string{t.TempDir(), filepath.Join(t.TempDir(), "none")}}},
	} {
		_, err := cortex.NewWriter(filepath.Join(t.TempDir(), c.name), c.o)
		require.Error(t, err, "%+v", c)
	}
}

func TestWriterRefuses(t *testing.T) {
	w := newWriter(t)
	refuses := func(err error, kind error, want string) {
		t.Helper()
		require.ErrorIs(t, err, kind)
		require.ErrorContains(t, err, want)
		var e *format.Error
		require.ErrorAs(t, err, &e)
	}
	rows := func(name string, typ format.Type, shape ...int64) error {
		_, err := w.AddRows(name, typ, shape)
		return err
	}
	refuses(rows("", format.F32, 1), format.ErrFormat, "the name is empty")
	refuses(rows(string(make([]byte, 70000)), format.F32, 1), format.ErrFormat, "the name has 70000 bytes")
	refuses(rows("a", 99, 1), format.ErrUnsupported, "tensor a: unknown tensor type 99")
	refuses(rows("a", format.Q8_0, 33), format.ErrFormat, "tensor a: row length 33")
	refuses(rows("a", format.F32, 1, 1, 1, 1, 1), format.ErrFormat, "tensor a: 5 dimensions")
	refuses(rows("a", format.F32), format.ErrFormat, "tensor a: no dimensions")

	product := func(change func(p *cortex.Product)) error {
		p := cortex.Product{Type: cortex.SDR4, Table: linear, Channels: 4, Matrices: []cortex.Matrix{{Name: "p", Outputs: 3}, {Name: "q", Outputs: 3}}}
		change(&p)
		_, err := w.AddProduct(p)
		return err
	}
	refuses(product(func(p *cortex.Product) { p.Type = 0 }), format.ErrUnsupported, "tensor p+q: unknown type 0")
	refuses(product(func(p *cortex.Product) { p.Channels = 0 }), format.ErrFormat, "0 channels")
	refuses(product(func(p *cortex.Product) { p.Channels = cortex.MaxChannels + 1 }), format.ErrFormat, "65537 channels")
	refuses(product(func(p *cortex.Product) { p.BlockChannels = 5 }), format.ErrFormat, "blocks of 5 channels")
	refuses(product(func(p *cortex.Product) { p.Matrices = nil }), format.ErrFormat, "a product without matrices")
	refuses(product(func(p *cortex.Product) { p.Matrices[1].Outputs = 0 }), format.ErrFormat, "0 outputs")
	refuses(product(func(p *cortex.Product) { p.Matrices[1].Outputs = math.MaxInt }), format.ErrFormat, "outputs, want 1 to")
	refuses(product(func(p *cortex.Product) { p.Table[8] = 1 }), format.ErrFormat, "the table lacks 64")
	refuses(product(func(p *cortex.Product) { p.Table[0] = 200 }), format.ErrFormat, "value 0 of the table is 200")
	refuses(product(func(p *cortex.Product) { p.Type = cortex.SDR8 }), format.ErrFormat, "which SDR8 has not")
	refuses(product(func(p *cortex.Product) { p.Matrices[1].Name = "p" }), format.ErrFormat, "tensor p: is given twice")
	refuses(product(func(p *cortex.Product) { p.Thresholds = []cortex.Threshold{{Keep: 2}} }), format.ErrFormat, "threshold 0 of 1")

	// What was refused has left nothing behind, and its names are free.
	r, err := w.AddRows("a", format.F32, []int64{3})
	require.NoError(t, err)
	refuses(rows("b", format.F32, 1), format.ErrFormat, "tensor a: the last of its bytes, 12 of 12, are not written")
	refuses(w.Close(), format.ErrFormat, "tensor a: the last of its bytes")
	_, err = r.Write(make([]byte, 13))
	refuses(err, format.ErrFormat, "tensor a: more than its 12 bytes")
	_, err = r.Write(make([]byte, 12))
	require.NoError(t, err)
	refuses(rows("a", format.F32, 1), format.ErrFormat, "tensor a: is given twice")
	require.NoError(t, product(func(p *cortex.Product) {}))
	refuses(w.Close(), format.ErrFormat, "tensor p+q: 1 of its 1 blocks are not written")
	refuses(w.SetThresholds("a", nil), format.ErrMissing, "tensor a: is in no product")
	refuses(w.SetThresholds("q", []cortex.Threshold{{Sparsity: -1}}), format.ErrFormat, "threshold 0 of 1")
	require.NoError(t, w.SetThresholds("q", []cortex.Threshold{{Sparsity: 0.5}}))
}

func TestWriterRefusesBlocks(t *testing.T) {
	w := newWriter(t)
	p, err := w.AddProduct(cortex.Product{Type: cortex.SDR8, Channels: 3, BlockChannels: 2, Matrices: []cortex.Matrix{{Name: "p", Outputs: 3}}})
	require.NoError(t, err)
	block := make([]byte, p.Layout().Size)
	require.ErrorContains(t, p.WriteBlock(block[1:]), "tensor p: block 0 has 191 bytes, want 192")
	block[3] = 0x7c
	require.ErrorContains(t, p.WriteBlock(block), "tensor p: block 0: the scale of channel 1, group 0 is +Inf")
	block[3], block[5] = 0, 1
	require.ErrorContains(t, p.WriteBlock(block), "tensor p: block 0: byte 5 between scales and values is 1, not 0")
	block[5], block[100] = 0, 0x80
	require.ErrorContains(t, p.WriteBlock(block), "tensor p: block 0: a weight is -128")
	block[100] = 0
	require.NoError(t, p.WriteBlock(block))
	require.Equal(t, 2, p.Next())
	require.NoError(t, p.WriteBlock(make([]byte, p.Layout().Size)))
	require.Equal(t, 3, p.Next())
	require.ErrorContains(t, p.WriteBlock(block), "tensor p: more than its 2 blocks")
}

func TestWriterRefusesPackedBlocks(t *testing.T) {
	for _, typ := range []cortex.Type{cortex.SDRW4, cortex.SDRW8} {
		w := newWriter(t)
		rng := rand.New(rand.NewPCG(7, 8))
		var it item
		for len(it.blocks) == 0 || int64(len(it.blocks[0])) == cortex.NewLayout(20, 10).Size { // until it is packed
			it = newProduct(rng, typ, 20, 20, cortex.Matrix{Name: "p", Outputs: 10 * typ.Group()})
		}
		p, err := w.AddProduct(it.product)
		require.NoError(t, err)
		good := it.blocks[0]
		l := cortex.NewPackedLayout(20, 10)
		for _, c := range []struct {
			at   int64
			want string
		}{
			{l.Starts, "tensor p: block 0: the weights of channel 0, group 0 are not where they belong"},
			{l.Starts + 4, "tensor p: block 0: the weights of channel 1, group 0 are not where they belong"},
			{l.Offsets + 2, "tensor p: block 0: the weights of channel 0, group 1 are not where they belong"},
			{int64(len(good)) - 1, "tensor p: block 0: the weights do not end with the block"},
		} {
			bad := append([]byte(nil), good...)
			bad[c.at] ^= 1
			require.ErrorContains(t, p.WriteBlock(bad), c.want)
		}
		full := append([]byte(nil), good...)
		copy(full[l.Values:], bytes.Repeat([]byte{0xff}, len(full)-int(l.Values))) // every output has a weight
		require.Error(t, p.WriteBlock(full))
		require.ErrorContains(t, p.WriteBlock(good[:len(good)-1]), "if it is packed a multiple of 64")
		require.ErrorContains(t, p.WriteBlock(append(append([]byte(nil), good...), make([]byte, 64)...)), "the weights do not end with the block")
		require.NoError(t, p.WriteBlock(good))
	}
}

func TestWriterRefusesMetadata(t *testing.T) {
	w := newWriter(t)
	w.SetMetadata([]gguf.KV{{Key: "a", Value: 1}})
	err := w.Close()
	require.ErrorIs(t, err, format.ErrFormat)
	require.ErrorContains(t, err, "key a: ")
}

// Files that lie at the names, and other shards, do not disturb.
func TestWriteOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.cortex")
	for _, o := range []cortex.Options{{}, {Shards: 2}} {
		old := write(t, path, o, small())
		paths := write(t, path, o, mini())
		require.Equal(t, old, paths)
		check(t, paths, mini())
		require.NoError(t, verify(paths...))
	}
	require.NoError(t, os.Remove(path))
}
