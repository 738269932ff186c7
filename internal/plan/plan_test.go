package plan

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cortexsdr/cortex/format"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var errBad = errors.New("bad")

// tensors of a model with one tiny layer.
var tensors = map[string]format.Tensor{
	"embd.weight":    {Name: "embd.weight", Type: format.F32, Shape: []int64{4, 10}, Offset: 0, Size: 160},
	"blk.0.norm":     {Name: "blk.0.norm", Type: format.F32, Shape: []int64{4}, Offset: 160, Size: 16},
	"blk.0.a.weight": {Name: "blk.0.a.weight", Type: format.F16, Shape: []int64{4, 6}, Part: 1, Offset: 64, Size: 48},
	"blk.0.b.weight": {Name: "blk.0.b.weight", Type: format.F16, Shape: []int64{4, 2, 1}, Part: 1, Offset: 128, Size: 16},
	"blk.0.b.bias":   {Name: "blk.0.b.bias", Type: format.F32, Shape: []int64{2}, Part: 1, Offset: 192, Size: 8},
}

func builder() *Builder {
	return NewBuilder(
		func(name string) (format.Tensor, bool) { t, ok := tensors[name]; return t, ok },
		func(tensor, detail string) error { return errors.Join(errBad, errors.New(tensor+": "+detail)) })
}

func TestBuilder(t *testing.T) {
	b := builder()
	x, h, y, z := b.Slot("x", 4), b.Slot("h", 4), b.Slot("y", 6), b.Slot("z", 2)
	b.Embed(x, "embd.weight", 10)
	for range b.Layers(1) {
		b.Norm(h, x, b.Name("norm"))
		b.MatMul(h, Product{y, b.Name("a")}, Product{z, b.Name("b")})
	}
	out := b.Slot("out", 10)
	b.MatMul(x, Product{out, "embd"})
	p, err := b.Plan()
	require.NoError(t, err)

	require.Equal(t, 1, p.Layers)
	require.Equal(t, []SlotInfo{{"x", 4}, {"h", 4}, {"y", 6}, {"z", 2}, {"out", 10}}, p.Slots)
	require.Equal(t, []Block{
		{Tensor: "embd.weight", Size: 160, Lookup: true, RowBytes: 16},
		{Tensor: "blk.0.a.weight", Part: 1, Offset: 64, Size: 48, RowBytes: 8},
		{Tensor: "blk.0.b.weight", Part: 1, Offset: 128, Size: 16, RowBytes: 8},
		{Tensor: "embd.weight", Size: 160, RowBytes: 16},
	}, p.Blocks)
	require.Equal(t, int64(3*16+48+16+160), p.BytesPerPass(3), "three rows of the embedding, every matrix once")

	var ops []string
	for _, s := range p.Steps {
		ops = append(ops, s.Op.String())
	}
	require.Equal(t, []string{"embed", "norm", "matmul", "matmul"}, ops)
	require.Equal(t, []int{-1, 0, 0, 1}, []int{p.Steps[0].Layer, p.Steps[1].Layer, p.Steps[2].Layer, p.Steps[3].Layer})
	require.Nil(t, p.Steps[2].V[0], "a has no bias")
	require.Equal(t, "blk.0.b.bias", p.Steps[2].V[1].Name)
	require.True(t, b.Used("blk.0.b.bias"))
	require.False(t, b.Used("blk.0.c"))
	require.True(t, b.Has("embd.weight"))
	require.False(t, b.Has("blk.0.c"))
}

// Cut matrices are covered row by row, once and in order.
func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.Int64Range(1, 500), 1, 5).Draw(t, "rows")
		find := func(name string) (format.Tensor, bool) {
			if name == "embd.weight" {
				return format.Tensor{Name: name, Type: format.F32, Shape: []int64{4, 10}, Size: 160}, true
			}
			var i int
			if n, err := fmt.Sscanf(name, "m%d.weight", &i); n != 1 || err != nil {
				return format.Tensor{}, false
			}
			return format.Tensor{Name: name, Type: format.F32, Shape: []int64{4, rows[i]}, Part: i, Offset: 1000, Size: 16 * rows[i]}, true
		}
		b := NewBuilder(find, func(tensor, detail string) error { return errBad })
		x := b.Slot("x", 4)
		b.Embed(x, "embd.weight", 10)
		var products []Product
		for i, n := range rows {
			products = append(products, Product{b.Slot("y", int(n)), fmt.Sprint("m", i)})
		}
		b.MatMul(x, products...)
		p, err := b.Plan()
		require.NoError(t, err)
		read := p.BytesPerPass(3)
		most := rapid.Int64Range(1, 10_000).Draw(t, "bytes")
		p.Cut(most, 16)
		require.Equal(t, read, p.BytesPerPass(3))
		require.Equal(t, Block{Tensor: "embd.weight", Size: 160, Lookup: true, RowBytes: 16}, p.Blocks[0])
		next := 1
		for i, w := range p.Steps[1].W {
			require.Equal(t, next, w.Block)
			require.Zero(t, w.BlockRows%16)
			at := int64(0)
			for j := range w.Blocks() {
				blk := p.Blocks[w.Block+j]
				want := min(int64(w.BlockRows), rows[i]-at)
				require.Equal(t, Block{Tensor: w.Name, Part: i, Offset: 1000 + 16*at, Size: 16 * want, RowBytes: 16}, blk)
				require.LessOrEqual(t, blk.Size, max(most, 16*16))
				at += want
			}
			require.Equal(t, rows[i], at)
			next += w.Blocks()
		}
		require.Len(t, p.Blocks, next)
	})
}

func TestBuilderNamesTheFirstBadTensor(t *testing.T) {
	for _, c := range []struct {
		build func(b *Builder, x Slot)
		want  string
	}{
		{func(b *Builder, x Slot) { b.Embed(x, "none", 10) }, "none: missing"},
		{func(b *Builder, x Slot) { b.Embed(x, "embd.weight", 11) }, "embd.weight: shape [4 10], want [4 11]"},
		{func(b *Builder, x Slot) { b.Norm(x, x, "none"); b.Embed(x, "also none", 1) }, "none: missing"},
		{func(b *Builder, x Slot) { b.Norm(x, x, "embd.weight") }, "embd.weight: shape [4 10], want [4]"},
		{func(b *Builder, x Slot) { b.MatMulAdd(x, x, "embd") }, "embd.weight: shape [4 10], want [4 4]"},
		{func(b *Builder, x Slot) {
			for range b.Layers(1) {
				b.MatMul(x, Product{x, b.Name("b")})
			}
		}, "blk.0.b.weight: shape [4 2 1], want [4 4]"},
	} {
		b := builder()
		c.build(b, b.Slot("x", 4))
		_, err := b.Plan()
		require.ErrorIs(t, err, errBad)
		require.ErrorContains(t, err, c.want)
	}
}

// The number of layers comes from a file, which may claim any.
func TestLayersEndAtTheFirstError(t *testing.T) {
	b := builder()
	x := b.Slot("x", 4)
	tried := 0
	for range b.Layers(1 << 24) {
		tried++
		b.Norm(x, x, b.Name("norm"))
	}
	require.Equal(t, 2, tried, "there is one layer")
	_, err := b.Plan()
	require.ErrorContains(t, err, "blk.1.norm: missing")
}
