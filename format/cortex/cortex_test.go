package cortex_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/format/gguf"
)

// item is a tensor kept in rows or a product, with its bytes.
type item struct {
	rows    format.Tensor
	data    []byte
	product cortex.Product
	blocks  [][]byte
}

// linear is the table of the codes that stand for evenly spaced weights.
var linear = [16]byte{0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120}

func newRows(rng *rand.Rand, name string, typ format.Type, shape ...int64) item {
	size, err := typ.Bytes(shape)
	if err != nil {
		panic(err)
	}
	return item{rows: format.Tensor{Name: name, Type: typ, Shape: shape, Size: size}, data: random(rng, int(size))}
}

func newProduct(rng *rand.Rand, typ cortex.Type, channels, blockChannels int, matrices ...cortex.Matrix) item {
	p := cortex.Product{Matrices: matrices, Type: typ, Channels: channels, BlockChannels: blockChannels}
	if typ == cortex.SDR4 || typ == cortex.SDRW4 {
		p.Table = linear
	}
	groups := 0
	for _, m := range matrices {
		groups += (m.Outputs + typ.Group() - 1) / typ.Group()
	}
	if blockChannels == 0 {
		blockChannels = cortex.DefaultBlockChannels(channels, groups)
	}
	it := item{product: p}
	for first := 0; first < channels; first += blockChannels {
		l := cortex.NewLayout(min(blockChannels, channels-first), groups)
		b := make([]byte, l.Size)
		for i := range l.Channels * groups {
			binary.LittleEndian.PutUint16(b[2*i:], uint16(rng.IntN(0x3c00))|uint16(rng.IntN(2))<<15)
		}
		copy(b[l.Values:], random(rng, int(l.Size-l.Values)))
		if typ.Sparse() {
			b = pack(rng, l, b)
		}
		it.blocks = append(it.blocks, b)
	}
	return it
}

// pack returns a packed block of l of which one byte of five is that of b and the others are left out, or at times b.
func pack(rng *rand.Rand, l cortex.Layout, b []byte) []byte {
	if rng.IntN(3) == 0 {
		return b
	}
	var starts, offsets, values []byte
	le := binary.LittleEndian
	for j := range l.Channels {
		start := len(values)
		starts = le.AppendUint32(starts, uint32(start))
		for g := range l.Groups {
			offsets = le.AppendUint16(offsets, uint16((len(values)-start)/2))
			group := b[int(l.Values)+(j*l.Groups+g)*64:][:64]
			var mask uint64
			var weights []byte
			for k, x := range group {
				if rng.IntN(5) == 0 {
					mask |= 1 << k
					weights = append(weights, x)
				}
			}
			values = append(le.AppendUint64(values, mask), weights...)
			if len(values)%2 > 0 {
				values = append(values, 0)
			}
		}
	}
	packed := cortex.AppendPacked(nil, l.Channels, l.Groups, b[:2*l.Channels*l.Groups], starts, offsets, append(values, make([]byte, 72)...))
	if int64(len(packed)) >= l.Size {
		return b
	}
	return packed
}

func random(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		if b[i] = byte(rng.Uint32()); b[i] == 0x80 {
			b[i] = 0
		}
	}
	return b
}

// shuffled gives the channels of a product an order of their own.
func shuffled(rng *rand.Rand, it item) item {
	it.product.Order = make([]uint16, it.product.Channels)
	for j, v := range rng.Perm(it.product.Channels) {
		it.product.Order[j] = uint16(v)
	}
	return it
}

// small is a model with one of everything.
func small() []item {
	rng := rand.New(rand.NewPCG(1, 2))
	items := []item{
		newRows(rng, "token_embd.weight", format.Q8_0, 64, 1100),
		newRows(rng, "norm.weight", format.F16, 64),
		newProduct(rng, cortex.SDR4, 64, 24, cortex.Matrix{Name: "q", Outputs: 200}, cortex.Matrix{Name: "k", Outputs: 128}, cortex.Matrix{Name: "v", Outputs: 1}),
		newProduct(rng, cortex.SDR8, 300, 100, cortex.Matrix{Name: "gate", Outputs: 640}),
		newRows(rng, "big", format.F32, 1000, 600),
		newProduct(rng, cortex.SDR8, 3, 0, cortex.Matrix{Name: "tiny", Outputs: 5}),
		newRows(rng, "bias", format.F32, 3),
		newProduct(rng, cortex.SDRW4, 100, 9, cortex.Matrix{Name: "pruned4", Outputs: 1000}),
		newProduct(rng, cortex.SDRW8, 100, 9, cortex.Matrix{Name: "pruned8", Outputs: 700}, cortex.Matrix{Name: "pruned8b", Outputs: 1}),
	}
	items[3], items[7] = shuffled(rng, items[3]), shuffled(rng, items[7])
	return items
}

var meta = []gguf.KV{
	{Key: "general.architecture", Value: "llama"},
	{Key: "general.name", Value: "small"},
	{Key: "words", Value: []string{"one", "two", ""}},
	{Key: "cortex.answer", Value: uint32(42)},
}

// add writes an item, or what is left of it.
func add(w *cortex.Writer, it item) error {
	if it.blocks == nil {
		r, err := w.AddRows(it.rows.Name, it.rows.Type, it.rows.Shape)
		if err != nil {
			return err
		}
		for left := it.data[r.Written():]; len(left) > 0; {
			n, err := r.Write(left[:min(len(left), 100_000)])
			if err != nil {
				return err
			}
			left = left[n:]
		}
		return nil
	}
	p, err := w.AddProduct(it.product)
	if err != nil {
		return err
	}
	for p.Next() < it.product.Channels {
		block := 0
		if p.Next() > 0 {
			block = p.Next() / it.product.BlockChannels
		}
		if err := p.WriteBlock(it.blocks[block]); err != nil {
			return err
		}
	}
	return nil
}

// write writes a set and returns the paths of its files.
func write(t testing.TB, path string, o cortex.Options, items []item) []string {
	t.Helper()
	w, err := cortex.NewWriter(path, o)
	require.NoError(t, err)
	defer w.Suspend()
	w.SetMetadata(meta)
	for _, it := range items {
		require.NoError(t, add(w, it))
	}
	require.NoError(t, w.Close())
	return w.Paths()
}

// parts reads files.
func parts(t testing.TB, paths ...string) []gguf.Part {
	t.Helper()
	list := make([]gguf.Part, len(paths))
	for i, p := range paths {
		data, err := os.ReadFile(p)
		require.NoError(t, err)
		list[i] = gguf.Part{Name: p, Data: data}
	}
	return list
}

// check checks that a set holds the items.
func check(t testing.TB, paths []string, items []item) *cortex.File {
	t.Helper()
	files := parts(t, paths...)
	f, err := cortex.Parse(files...)
	require.NoError(t, err)
	products := 0
	for _, it := range items {
		if it.blocks == nil {
			got, ok := f.Tensor(it.rows.Name)
			require.True(t, ok)
			require.Equal(t, it.rows.Shape, got.Shape)
			require.Equal(t, it.rows.Type, got.Type)
			require.Equal(t, it.data, files[got.Part].Data[got.Offset:][:got.Size])
			continue
		}
		for m, matrix := range it.product.Matrices {
			i, j, ok := f.Product(matrix.Name)
			require.True(t, ok)
			require.Equal(t, []int{products, m}, []int{i, j})
		}
		got := f.Products[products]
		require.Equal(t, it.product.Matrices, got.Matrices)
		require.Equal(t, it.product.Table, got.Table)
		require.Equal(t, it.product.Order, got.Order)
		require.Equal(t, len(it.blocks), len(got.Pieces))
		for i, b := range it.blocks {
			c := got.Pieces[i]
			require.Equal(t, b, files[c.Part].Data[c.Offset:][:c.Size])
			require.Equal(t, int64(len(b)) < got.Layout(i).Size, got.Packed(i))
			scales, values, starts, offsets := got.Block(i, b)
			require.Len(t, scales, 2*c.Channels*got.Groups)
			if !got.Packed(i) {
				require.Len(t, values, 64*c.Channels*got.Groups)
				require.Empty(t, starts)
				continue
			}
			require.Len(t, starts, 4*c.Channels)
			require.Len(t, offsets, 2*c.Channels*got.Groups)
			require.Equal(t, b, cortex.AppendPacked(nil, c.Channels, got.Groups, scales, starts, offsets, values))
			require.Equal(t, min(got.BlockChannels, got.Channels-c.First), c.Channels)
		}
		products++
	}
	require.Len(t, f.Products, products)
	return f
}

func TestRoundTrip(t *testing.T) {
	for _, o := range []cortex.Options{{}, {Job: "x"}, {Shards: 1}, {Shards: 3}, {ShardBytes: 300_000}, {Shards: 2, Dirs: []string{t.TempDir(), t.TempDir()}}} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			dir := t.TempDir()
			paths := write(t, filepath.Join(dir, "m.cortex"), o, small())
			f := check(t, paths, small())
			name, err := f.String("general.name")
			require.NoError(t, err)
			require.Equal(t, "small", name)
			require.Equal(t, []string{"general.architecture", "general.name", "words", "cortex.answer"}, f.Keys())
			for _, p := range paths {
				found, err := cortex.Find(p, o.Dirs...) // needed for what lies elsewhere than the first shard
				require.NoError(t, err)
				require.Equal(t, paths, found)
			}
			left, err := filepath.Glob(filepath.Join(filepath.Dir(paths[0]), "*"))
			require.NoError(t, err)
			require.Subset(t, paths, left)
		})
	}
}
