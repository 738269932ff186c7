package model

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/cortexsdr/cortex/internal/plan"
	"github.com/cortexsdr/cortex/internal/testmodel"
	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
)

// writeChannels writes a generated model with every product stored channel by
// channel, rounded to the nearest, and returns its path and what became of the
// weights, [outputs][channels]. blockChannels is that of the products, 0 for the
// format's own. What is behind a gate and is not F32 stays in rows.
func writeChannels(t testing.TB, c testmodel.Config, typ container.Type, blockChannels, shards int) (path string, weights map[string][]float32) {
	t.Helper()
	src, err := loader.FromBytes(c.Name, testmodel.Bytes(c))
	require.NoError(t, err)
	defer src.Close()
	m := start(t, src, 1, 8)
	path = filepath.Join(t.TempDir(), "m.cortex")
	w, err := container.NewWriter(path, container.Options{Shards: shards})
	require.NoError(t, err)
	var meta []gguf.KV
	for _, key := range src.Keys() {
		v, _ := src.Get(key)
		meta = append(meta, gguf.KV{Key: key, Value: v})
	}
	w.SetMetadata(meta)
	weights = map[string][]float32{}
	rows := func(name string) {
		tensor, ok := src.Tensor(name)
		require.True(t, ok)
		r, err := w.AddRows(name, tensor.Type, tensor.Shape)
		require.NoError(t, err)
		_, err = r.Write(src.Data(tensor))
		require.NoError(t, err)
	}
	if _, ok := src.Tensor(ropeDivisors); ok {
		rows(ropeDivisors)
	}
	for _, s := range m.Plan.Steps {
		if up := len(s.W) - 1; s.Gated && s.W[up].Type != format.F32 {
			rows(s.W[up].Name)
			v := make([]float32, s.W[up].Rows()*s.W[up].Shape[0])
			require.NoError(t, format.Dequantize(v, src.Data(s.W[up].Tensor), s.W[up].Type))
			weights[s.W[up].Name] = v
			s.W = s.W[:up]
		}
		for _, v := range s.V {
			if v != nil {
				rows(v.Name)
			}
		}
		if s.Op == plan.Embed {
			rows(s.W[0].Name)
			continue
		}
		if len(s.W) == 0 {
			continue
		}
		p := container.Product{Type: typ, Channels: int(s.W[0].Shape[0]), BlockChannels: min(blockChannels, int(s.W[0].Shape[0]))}
		if typ == container.SDR4 {
			for i := range p.Table {
				p.Table[i] = byte(8 * i)
			}
		}
		var values [][]float32
		for _, m := range s.W {
			p.Matrices = append(p.Matrices, container.Matrix{Name: m.Name, Outputs: int(m.Rows())})
			v := make([]float32, m.Rows()*m.Shape[0])
			data := src.Data(m.Tensor)
			for i := range v { // the test's models are F32
				v[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
			}
			values = append(values, v)
			weights[m.Name] = v // rounded in place below
		}
		pw, err := w.AddProduct(p)
		require.NoError(t, err)
		for pw.Next() < p.Channels {
			l, first := pw.Layout(), pw.Next()
			block := make([]byte, l.Size)
			for j := range l.Channels {
				g := 0
				for i, m := range p.Matrices {
					for o := 0; o < m.Outputs; o += typ.Group() {
						column := make([]*float32, 0, typ.Group())
						for k := o; k < min(o+typ.Group(), m.Outputs); k++ {
							column = append(column, &values[i][k*p.Channels+first+j])
						}
						at := j*l.Groups + g
						scale := roundGroup(column, block[l.Values+int64(at)*container.GroupBytes:][:container.GroupBytes], typ)
						binary.LittleEndian.PutUint16(block[2*at:], scale)
						g++
					}
				}
			}
			require.NoError(t, pw.WriteBlock(block))
		}
	}
	require.NoError(t, w.Close())
	if shards > 1 {
		path = path[:len(path)-len(".cortex")] + "-00001-of-0000" + string(rune('0'+shards)) + ".cortex"
	}
	return path, weights
}

// rewrite begins a new file with all of a file but its products.
func rewrite(t testing.TB, from string) (src *loader.Source, w *container.Writer, path string) {
	t.Helper()
	src, err := loader.Open(from)
	require.NoError(t, err)
	t.Cleanup(func() { src.Close() })
	path = filepath.Join(t.TempDir(), "rewritten.cortex")
	w, err = container.NewWriter(path, container.Options{})
	require.NoError(t, err)
	w.SetMetadata(src.KVs())
	for _, tensor := range src.Tensors {
		r, err := w.AddRows(tensor.Name, tensor.Type, tensor.Shape)
		require.NoError(t, err)
		_, err = r.Write(src.Data(tensor))
		require.NoError(t, err)
	}
	return src, w, path
}

// rewriteChannels writes a file of writeChannels again with most weights of every other block set to 0, as products of
// typ, whose blocks are packed if it is a sparse type and they are smaller then. It returns how many were.
func rewriteChannels(t testing.TB, from string, typ container.Type) (path string, packed int) {
	t.Helper()
	src, w, path := rewrite(t, from)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range src.Products {
		pw, err := w.AddProduct(container.Product{Matrices: p.Matrices, Type: typ, Channels: p.Channels, Table: p.Table, BlockChannels: p.BlockChannels})
		require.NoError(t, err)
		for i, piece := range p.Pieces {
			data := slices.Clone(src.Data(format.Tensor{Part: piece.Part, Offset: piece.Offset, Size: piece.Size}))
			b := kernels.SDRBlock{Channels: piece.Channels, Groups: p.Groups, Table: &p.Table}
			b.Scales, b.Values, _, _ = p.Block(i, data)
			zero := byte(0)
			if typ.Group() == 2*container.GroupBytes {
				zero = 0x88 // see roundGroup
			}
			for k := range b.Values {
				if i%2 == 0 && rng.IntN(10) < 6 {
					b.Values[k] = zero
				}
			}
			if typ.Sparse() {
				kernel, _ := kernels.SDROf(typ.String())
				var small kernels.SDRBlock
				kernel.Pack(&small, &b)
				if block := container.AppendPacked(nil, b.Channels, b.Groups, b.Scales, small.Starts, small.Offsets, small.Values); len(block) < len(data) {
					data = block
					packed++
				}
			}
			require.NoError(t, pw.WriteBlock(data))
		}
	}
	require.NoError(t, w.Close())
	return path, packed
}

// roundGroup rounds weights of a channel to the nearest that a group can hold.
func roundGroup(w []*float32, group []byte, typ container.Type) (scale uint16) {
	most := float32(0)
	for _, v := range w {
		most = max(most, float32(math.Abs(float64(*v))))
	}
	levels := float32(127)
	if typ == container.SDR4 {
		levels = 56 // the table is linear, in steps of 8
		for i := range group {
			group[i] = 0x88 // zeros
		}
	}
	f := float16.Fromfloat32(most / levels)
	d := f.Float32()
	for i, v := range w {
		q := 0.0
		if d > 0 {
			q = float64(*v / d)
		}
		if typ == container.SDR8 {
			n := min(127, max(-127, math.RoundToEven(q)))
			group[i] = byte(int8(n))
			*v = d * float32(n)
			continue
		}
		n := min(7, max(-8, math.RoundToEven(q/8)))
		code := byte(int8(n) + 8)
		if i < 64 {
			group[i] = group[i]&0xf0 | code
		} else {
			group[i-64] = group[i-64]&0x0f | code<<4
		}
		*v = d * float32(8*n)
	}
	return uint16(f)
}

func channelModels() []testmodel.Config {
	return []testmodel.Config{
		{Name: "gqa", Layers: 2, Dim: 192, Heads: 6, KVHeads: 2, FF: 320, Vocab: 500},
		{Name: "biased", Layers: 1, Dim: 128, Heads: 4, KVHeads: 4, FF: 300, Vocab: 400, AttnBias: true, MLPBias: true},
	}
}

// agreeWithRows compares the logits of a model that is stored in channels with those of the same weights in rows.
func agreeWithRows(t *testing.T, c testmodel.Config, typ container.Type, bound float64) {
	path, weights := writeChannels(t, c, typ, 0, 1)
	src, err := loader.Open(path)
	require.NoError(t, err)
	m := start(t, src, 2, 64)
	ids := randomIDs(20, m.Vocab)
	n := naive{m: m, mat: weights}
	want := n.logits(ids)
	got := logitsOf(t, m, newKV(t, m, 32, KVF32), ids, len(ids))
	for i := range want {
		require.Less(t, distance(got[i], want[i]), bound, "token %d", i)
	}
}

// Channel by channel or row by row, the weights being the same: the same logits.
func TestChannelsAgreeWithRows(t *testing.T) {
	for _, c := range channelModels() {
		for _, typ := range []container.Type{container.SDR4, container.SDR8} {
			t.Run(c.Name+typ.String(), func(t *testing.T) {
				agreeWithRows(t, c, typ, 2e-3)
			})
		}
	}
}

// Resident or streamed, dense or sparse, in whatever blocks, order of channels, threads and batches, with weights of 0
// or without them: the same bits.
func TestChannelsAreTheSame(t *testing.T) {
	const tokens = 24
	sparsities := []Sparsity{
		{},
		{Level: 0.5, Selection: SelectNorm},
		{Level: 0.3, Selection: SelectMagnitude},
		{Level: 0.4, Selection: SelectCalibrated, Thresholds: []float32{0.5, 2, 3, 1, 0.1, 0.2, 4, 5, 6},
			Keep: []float32{0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1}},
	}
	run := func(t require.TestingT, m *Model, ids []int32, sp Sparsity) (out [][]float32) {
		kv, err := m.NewKV(tokens, KVF16)
		require.NoError(t, err)
		defer func() { require.NoError(t, kv.Close()) }()
		m.SetSparsity(sp)
		p := &Pass{Sparse: true, Each: func(_ int, logits []float32) error {
			out = append(out, slices.Clone(logits))
			return nil
		}}
		p.IDs, p.Want = ids[:tokens-3], 3
		require.NoError(t, m.Forward(context.Background(), kv, p))
		for i := tokens - 3; i < tokens; i++ {
			p.IDs, p.Want = ids[i:i+1], 1
			require.NoError(t, m.Forward(context.Background(), kv, p))
		}
		return out
	}
	type file struct {
		path string
		ids  []int32
		want [][][]float32
	}
	var files []file
	reordered := func(f file) {
		f.path = reorderChannels(t, f.path)
		src, err := loader.Open(f.path)
		require.NoError(t, err)
		m := start(t, src, 1, 10)
		for i, sp := range sparsities {
			require.Equal(t, f.want[i], run(t, m, f.ids, sp))
		}
		files = append(files, f)
	}
	for i, c := range channelModels() {
		for j, typ := range []container.Type{container.SDR4, container.SDR8} {
			path, _ := writeChannels(t, c, typ, 50+17*i, 1+j)
			src, err := loader.Open(path)
			require.NoError(t, err)
			m := start(t, src, 2, 64)
			f := file{path: path, ids: randomIDs(tokens, m.Vocab)}
			for _, sp := range sparsities {
				f.want = append(f.want, run(t, m, f.ids, sp))
			}
			require.NotEqual(t, f.want[0], f.want[1])
			files = append(files, f)
			reordered(f)
			if i > 0 {
				continue
			}
			dense, _ := rewriteChannels(t, path, typ)
			src, err = loader.Open(dense)
			require.NoError(t, err)
			m, f.want = start(t, src, 2, 64), nil
			for _, sp := range sparsities {
				f.want = append(f.want, run(t, m, f.ids, sp))
			}
			var packed int
			f.path, packed = rewriteChannels(t, path, map[container.Type]container.Type{container.SDR4: container.SDRW4, container.SDR8: container.SDRW8}[typ])
			src, err = loader.Open(f.path)
			require.NoError(t, err)
			require.Positive(t, packed)
			m = start(t, src, 2, 64)
			blocks := 0
			for _, p := range src.Products {
				blocks += len(p.Pieces)
			}
			require.Less(t, packed, blocks, "some are not packed")
			for i, sp := range sparsities {
				require.Equal(t, f.want[i], run(t, m, f.ids, sp))
			}
			files = append(files, f)
		}
	}
	for _, c := range gatedModels() {
		path, _ := writeChannels(t, c, container.SDR4, 50, 1)
		src, err := loader.Open(path)
		require.NoError(t, err)
		m := start(t, src, 2, 64)
		f := file{path: path, ids: randomIDs(tokens, m.Vocab)}
		for _, sp := range sparsities {
			f.want = append(f.want, run(t, m, f.ids, sp))
		}
		files = append(files, f)
		reordered(f)
	}
	rapid.Check(t, func(t *rapid.T) {
		f := files[rapid.IntRange(0, len(files)-1).Draw(t, "file")]
		m, end := startStream(t, f.path, streaming{
			threads: rapid.IntRange(1, 3).Draw(t, "threads"),
			batch:   rapid.IntRange(8, 64).Draw(t, "batch"),
			block:   1,
			more:    rapid.Int64Range(0, 1<<20).Draw(t, "more memory"),
			ring:    rapid.Int64Range(0, 256<<10).Draw(t, "ring"),
			gap:     rapid.Int64Range(0, 16<<10).Draw(t, "gap"), // 0 is measured
		})
		defer end()
		i := rapid.IntRange(0, len(sparsities)-1).Draw(t, "sparsity")
		require.Equal(t, f.want[i], run(t, m, f.ids, sparsities[i]))
		// Another one follows, whose active channels are not those that the ring may hold.
		i = rapid.IntRange(0, len(sparsities)-1).Draw(t, "sparsity")
		stop(t, m, f.ids, rapid.IntRange(0, 40).Draw(t, "step"))
		require.Equal(t, f.want[i], run(t, m, f.ids, sparsities[i]))
	})
}

// stop runs a pass that is cancelled before the product of a step.
func stop(t require.TestingT, m *Model, ids []int32, step int) {
	kv, err := m.NewKV(len(ids), KVF16)
	require.NoError(t, err)
	defer func() { require.NoError(t, kv.Close()) }()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err = m.Forward(ctx, kv, &Pass{IDs: ids[:1], Want: 1, Sparse: true, Each: func(int, []float32) error { return nil },
		Observe: func(at int, _ []float32) {
			if at >= step {
				cancel()
			}
		}})
	if err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
}

// The more channels are left out, the less is read, and nothing is read twice; what a
// token takes allocates nothing.
func TestSparseStreamReadsRuns(t *testing.T) {
	c := testmodel.Config{Name: "wide", Layers: 2, Dim: 512, Heads: 4, KVHeads: 2, FF: 4096, Vocab: 9000}
	path, _ := writeChannels(t, c, container.SDR8, 64, 1)
	m, end := startStream(t, path, streaming{threads: 2, batch: 8, block: 1, more: 100 << 10, ring: 1 << 20, gap: 1})
	defer end()
	require.Positive(t, m.layout.PinnedBytes)
	perToken := func(level float64) (bytes int64) {
		m.SetSparsity(Sparsity{Level: level})
		kv := newKV(t, m, 64, KVF16)
		p := &Pass{IDs: []int32{7}, Want: 1, Sparse: true, Each: func(int, []float32) error { return nil }}
		pass := func() { require.NoError(t, m.Forward(context.Background(), kv, p)) }
		pass()
		before, _ := m.settled()
		const passes = 4
		for range passes {
			pass()
		}
		after, _ := m.settled()
		return (after - before) / passes
	}
	dense := perToken(0)
	require.Equal(t, m.layout.PassBytes, dense)
	last := dense
	for _, level := range []float64{0.25, 0.5, 0.75, 0.95} {
		bytes := perToken(level)
		require.Less(t, bytes, last, "sparsity %v", level)
		about, cost := m.layout.Sparse(m.order, m.exec.active, 1)
		require.InEpsilon(t, about, bytes, 0.25, "sparsity %v", level)
		require.GreaterOrEqual(t, cost, about)
		last = bytes
	}
	require.Less(t, last, dense/5)
	require.Equal(t, dense, perToken(0))
}

func TestSparseStreamedDecodeDoesNotAllocate(t *testing.T) {
	c := testmodel.Config{Name: "even", Layers: 2, Dim: 256, Heads: 4, KVHeads: 2, FF: 512, Vocab: 512}
	path, _ := writeChannels(t, c, container.SDR4, 50, 1)
	m, end := startStream(t, path, streaming{threads: 2, batch: 8, block: 1, ring: 64 << 10, gap: 1})
	defer end()
	m.SetSparsity(Sparsity{Level: 0.5})
	kv := newKV(t, m, 512, KVF16)
	p := &Pass{IDs: []int32{5}, Want: 1, Sparse: true, Each: func(int, []float32) error { return nil }}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if err := m.Forward(context.Background(), kv, p); err != nil {
			t.Fatal(err)
		}
	}))
}
