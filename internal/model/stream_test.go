package model

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/testmodel"
	"github.com/cortexsdr/cortex/internal/workers"
	"github.com/cortexsdr/cortex/loader"
)

// streaming says how a model is streamed: in how much memory beyond the least.
type streaming struct {
	threads, batch    int
	block, more, ring int64
	gap               int64 // see loader.StreamLayout
}

// startStream returns a started model of the file that is streamed, and a
// function that ends it.
func startStream(t require.TestingT, path string, o streaming) (m *Model, end func()) {
	src, err := loader.Open(path)
	require.NoError(t, err)
	tokens, err := src.Strings("tokenizer.ggml.tokens")
	require.NoError(t, err)
	m, err = New(src, Options{Vocab: len(tokens), Batch: o.batch, StreamBlock: o.block})
	require.NoError(t, err)
	memory := m.Layout.Weights + o.more
	l := m.Stream(memory, o.ring, 64)
	require.LessOrEqual(t, l.Bytes(), memory)
	m.layout.Gap = o.gap
	pool := workers.New(o.threads, m.Ahead)
	require.NoError(t, m.Start(pool, nil))
	return m, func() {
		require.NoError(t, m.Close())
		pool.Close()
		require.NoError(t, src.Close())
	}
}

// Streamed or resident, in whatever memory and blocks: the same bits.
func TestStreamedIsTheSame(t *testing.T) {
	const tokens = 24
	type file struct {
		path string
		ids  []int32
		want [][]float32 // of a prompt of all tokens but three, and then of each
	}
	run := func(t require.TestingT, m *Model, ids []int32) (out [][]float32) {
		kv, err := m.NewKV(tokens, KVF16)
		require.NoError(t, err)
		defer func() { require.NoError(t, kv.Close()) }()
		p := &Pass{Each: func(_ int, logits []float32) error {
			out = append(out, append([]float32(nil), logits...))
			return nil
		}}
		p.IDs, p.Want = ids[:tokens-3], tailRows+1 // two rounds of logits
		require.NoError(t, m.Forward(context.Background(), kv, p))
		for i := tokens - 3; i < tokens; i++ {
			p.IDs, p.Want = ids[i:i+1], 1
			require.NoError(t, m.Forward(context.Background(), kv, p))
		}
		return out
	}
	var files []file
	for i, typ := range []format.Type{format.Q4_0, format.F16, format.Q6_K, format.F32, format.Q8_0} {
		c := testmodel.Tiny()[i%2]
		c.Type, c.Tied, c.Splits = typ, i%2 == 1, 1+i%3
		paths, err := testmodel.WriteFiles(t.TempDir(), "m", c)
		require.NoError(t, err)
		src, err := loader.Open(paths[0])
		require.NoError(t, err)
		m := start(t, src, 2, 16)
		ids := randomIDs(tokens, m.Vocab)
		files = append(files, file{paths[len(paths)-1], ids, run(t, m, ids)})
	}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(files).Draw(t, "file")
		m, end := startStream(t, f.path, streaming{
			threads: rapid.IntRange(1, 3).Draw(t, "threads"),
			batch:   rapid.IntRange(8, 64).Draw(t, "batch"),
			block:   rapid.Int64Range(1<<10, 64<<10).Draw(t, "block"),
			more:    rapid.Int64Range(0, 1<<20).Draw(t, "more memory"),
			ring:    rapid.Int64Range(0, 256<<10).Draw(t, "ring"),
		})
		defer end()
		require.Equal(t, f.want, run(t, m, f.ids))
	})
}

func streamFile(t testing.TB, splits int) string {
	c := testmodel.Config{Name: "stream", Layers: 3, Dim: 256, Heads: 4, KVHeads: 2, FF: 512, Vocab: 1000, Type: format.Q4_0, Splits: splits}
	paths, err := testmodel.WriteFiles(t.TempDir(), "m", c)
	require.NoError(t, err)
	return paths[0]
}

func TestStreamedDecodeDoesNotAllocate(t *testing.T) {
	m, end := startStream(t, streamFile(t, 1), streaming{threads: 2, batch: 8, block: 16 << 10, more: 100 << 10, ring: 64 << 10})
	defer end()
	require.Positive(t, m.layout.PinnedBytes)
	require.Positive(t, m.layout.PassBytes)
	kv := newKV(t, m, 512, KVF16)
	p := &Pass{IDs: []int32{5}, Want: 1, Each: func(int, []float32) error { return nil }}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if err := m.Forward(context.Background(), kv, p); err != nil {
			t.Fatal(err)
		}
	}))
}

// settled returns the bytes read when the ring is full.
func (m *Model) settled() (blocks, rows int64) {
	for {
		blocks, rows = m.stream.BytesRead()
		time.Sleep(50 * time.Millisecond)
		if now, _ := m.stream.BytesRead(); now == blocks {
			return blocks, rows
		}
	}
}

// Every token reads what has no room, once, and nothing else but a row of the
// embedding.
func TestStreamedBytesPerToken(t *testing.T) {
	m, end := startStream(t, streamFile(t, 3), streaming{threads: 2, batch: 8, block: 16 << 10, more: 100 << 10, ring: 64 << 10})
	defer end()
	require.Positive(t, m.layout.PinnedBytes)
	kv := newKV(t, m, 64, KVF16)
	before, rowsBefore := m.settled()
	require.Equal(t, before, m.BytesAhead(), "nothing has been used yet")
	for i := range int32(10) {
		logitsOf(t, m, kv, []int32{i}, 1)
	}
	after, rowsAfter := m.settled()
	require.Equal(t, 10*m.layout.PassBytes, after-before)
	require.Equal(t, 10*m.layout.PassBytes, after-m.BytesAhead())
	require.Positive(t, rowsAfter-rowsBefore)
	require.LessOrEqual(t, rowsAfter-rowsBefore, 10*m.layout.RowBytes)

	// A prompt in three batches, whose logits are not wanted but for the last token's.
	kv.Truncate(0)
	logitsOf(t, m, kv, randomIDs(24, m.Vocab), 1)
	prompt, _ := m.settled()
	output := int64(0)
	for i := m.tail; i < len(m.order); i++ {
		if !m.layout.Pinned[i] {
			const page = 4096 // direct reads are of whole ones
			e := m.order[i]
			output += (e.Offset+e.Size+page-1)/page*page - e.Offset/page*page
		}
	}
	require.Positive(t, output)
	require.Equal(t, 3*m.layout.PassBytes-2*output, prompt-after)
}

// A file that shrinks between two tokens is an error that names the place, and
// the model goes on when the file is whole again.
func TestTruncatedWhileStreamed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("truncating a mapped file is tested on linux")
	}
	path := streamFile(t, 1)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	m, end := startStream(t, path, streaming{threads: 2, batch: 8, block: 16 << 10})
	defer end()
	kv := newKV(t, m, 64, KVF16)
	want := logitsOf(t, m, kv, []int32{1, 2}, 1)

	require.NoError(t, os.Truncate(path, int64(len(data)/2)))
	for range 2 {
		kv.Truncate(0)
		err = m.Forward(context.Background(), kv, &Pass{IDs: []int32{1, 2}, Want: 1, Each: func(int, []float32) error { return nil }})
		if err == nil { // what lay in the ring was enough to get to the end
			continue
		}
		require.ErrorIs(t, err, loader.ErrTruncated)
		var e *loader.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, path, e.File)
		require.NotEmpty(t, e.Tensor)
		require.GreaterOrEqual(t, e.Offset, int64(len(data)/2))
	}
	require.Error(t, err)

	require.NoError(t, os.WriteFile(path, data, 0o600))
	kv.Truncate(0)
	require.Equal(t, want, logitsOf(t, m, kv, []int32{1, 2}, 1))

	// Closing does not mind a file that has gone.
	require.NoError(t, os.Truncate(path, 0))
	require.NoError(t, os.Remove(filepath.Clean(path)))
}

// A pass that is cancelled leaves the ring in the middle of a walk; the next
// pass begins a new one.
func TestCancelStreamed(t *testing.T) {
	m, end := startStream(t, streamFile(t, 2), streaming{threads: 2, batch: 8, block: 16 << 10, more: 100 << 10, ring: 64 << 10})
	defer end()
	ids := randomIDs(24, m.Vocab)
	want := logitsOf(t, m, newKV(t, m, 64, KVF16), ids, 1)
	kv := newKV(t, m, 64, KVF16)
	for stop := 1.0; stop < 20; stop += 3 {
		ctx, cancel := context.WithCancel(context.Background())
		err := m.Forward(ctx, kv, &Pass{IDs: ids, Progress: func(tokens float64) {
			if tokens >= stop {
				cancel()
			}
		}})
		require.ErrorIs(t, err, context.Canceled)
		kv.Truncate(0)
		require.Equal(t, want, logitsOf(t, m, kv, ids, 1))
		kv.Truncate(0)
	}
}

// Where the results are no numbers, a streamed model is searched too.
func TestDamageOfStreamed(t *testing.T) {
	path := streamFile(t, 1)
	m, end := startStream(t, path, streaming{threads: 1, batch: 8, block: 16 << 10})
	require.NoError(t, m.Damage(context.Background()))
	w, _ := m.src.Tensor("blk.1.ffn_up.weight")
	end()

	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data[w.Offset], data[w.Offset+1] = 0xff, 0xff // the scale of the first block
	require.NoError(t, os.WriteFile(path, data, 0o600))
	m, end = startStream(t, path, streaming{threads: 1, batch: 8, block: 16 << 10})
	defer end()
	var e *format.Error
	require.ErrorAs(t, m.Damage(context.Background()), &e)
	require.Equal(t, w.Name, e.Tensor)
	require.Equal(t, w.Offset, e.Offset)
}
