package model

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/cache"
	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/testmodel"
	"github.com/cortexsdr/cortex/loader"
)

// deepFile writes a model of many layers, so that one of them is little of it.
func deepFile(t testing.TB, tied bool, typ format.Type) string {
	c := testmodel.Config{Name: "deep", Layers: 8, Dim: 128, Heads: 4, KVHeads: 2, FF: 256, Vocab: 1000, Tied: tied, Type: typ}
	paths, err := testmodel.WriteFiles(t.TempDir(), "m", c)
	require.NoError(t, err)
	return paths[0]
}

// A prompt of many batches gives the same bits section by section as batch by
// batch, in whatever memory: with room for all residual streams, some or none.
func TestLayerMajorIsTheSame(t *testing.T) {
	const most = 100
	type file struct {
		path string
		ids  []int32
		want map[int][][]float32 // by tokens before the prompt
	}
	run := func(t require.TestingT, m *Model, ids []int32, before int, hidden bool) (out [][]float32) {
		kv, err := m.NewKV(most+1, KVF16)
		require.NoError(t, err)
		defer func() { require.NoError(t, kv.Close()) }()
		p := &Pass{Each: func(i int, logits []float32) error {
			out = append(out, append([]float32(nil), logits...))
			return nil
		}}
		if before > 0 {
			p.IDs = ids[:before]
			require.NoError(t, m.Forward(context.Background(), kv, p))
		}
		last := 0.0
		p.Progress = func(tokens float64) {
			require.Greater(t, tokens, last)
			last = tokens
		}
		p.IDs, p.Want, p.Hidden = ids[before:most], 1, hidden
		if hidden {
			p.Want = 20
		}
		require.NoError(t, m.Forward(context.Background(), kv, p))
		require.InDelta(t, most-before, last, 1e-9)
		require.Equal(t, most, kv.Len())
		p.Progress = nil
		p.IDs, p.Want, p.Hidden = ids[most:], 1, false
		require.NoError(t, m.Forward(context.Background(), kv, p))
		return out
	}
	var files []file
	for i, typ := range []format.Type{format.Q4_0, format.F16} {
		f := file{path: deepFile(t, i == 1, typ), want: map[int][][]float32{}}
		src, err := loader.Open(f.path)
		require.NoError(t, err)
		m := start(t, src, 2, 16)
		f.ids = randomIDs(most+1, m.Vocab)
		for _, before := range []int{0, 30} {
			f.want[before] = run(t, m, f.ids, before, false)
			f.want[before+1000] = run(t, m, f.ids, before, true)
		}
		files = append(files, f)
	}
	byLayers := 0
	for i, f := range files {
		for j, batch := range []int{7, 16, 33} {
			for k, more := range []int64{0, 200 << 10, 1 << 20} {
				m, end := startStream(t, f.path, streaming{threads: 1 + (i+j+k)%3, batch: batch, block: 16 << 10, more: more, ring: 64 << 10})
				before := 30 * ((i + j + k) % 2)
				if m.byLayers(&Pass{IDs: f.ids[before:most], Want: 1}) {
					byLayers++
				}
				require.Equal(t, f.want[before], run(t, m, f.ids, before, false))
				require.Equal(t, f.want[before+1000], run(t, m, f.ids, before, true))
				end()
			}
		}
	}
	require.Positive(t, byLayers, "no case went section by section")
}

// Whatever the number of batches, a prompt reads what is streamed once, and what
// was lent a second time.
func TestPromptIsReadOnce(t *testing.T) {
	m, end := startStream(t, deepFile(t, false, format.Q4_0), streaming{threads: 2, batch: 8, block: 16 << 10, more: 400 << 10, ring: 64 << 10})
	defer end()
	require.True(t, m.layout.Held)
	kv := newKV(t, m, 64, KVF16)
	before, _ := m.settled()
	logitsOf(t, m, kv, randomIDs(60, m.Vocab), 1)
	after, _ := m.settled()
	lent := int64(7 * 8 * m.Dim * 4)
	require.GreaterOrEqual(t, after-before, m.layout.PassBytes+lent)
	require.LessOrEqual(t, after-before, m.layout.PassBytes+lent+m.layout.SlotBytes)
}

// After a failed prompt everything is released, and the next one gives what it should.
func TestLayerMajorFails(t *testing.T) {
	m, end := startStream(t, deepFile(t, false, format.Q4_0), streaming{threads: 2, batch: 8, block: 16 << 10, more: 400 << 10, ring: 64 << 10})
	defer end()
	require.True(t, m.layout.Held)
	ids := randomIDs(60, m.Vocab)
	kv := newKV(t, m, 128, KVF16)
	want := logitsOf(t, m, kv, ids, 1)
	for stop := 1.0; stop < 60; stop += 7 {
		kv.Truncate(0)
		ctx, cancel := context.WithCancel(context.Background())
		err := m.Forward(ctx, kv, &Pass{IDs: ids, Progress: func(tokens float64) {
			if tokens >= stop {
				cancel()
			}
		}})
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, kv.Len())
		require.Equal(t, want, logitsOf(t, m, kv, ids, 1))
	}
	kv.Truncate(0)
	stop := errors.New("stop")
	require.ErrorIs(t, m.Forward(context.Background(), kv, &Pass{IDs: ids, Want: 1, Each: func(int, []float32) error { return stop }}), stop)
	require.Zero(t, kv.Len())
	require.Equal(t, want, logitsOf(t, m, kv, ids, 1))
}

// A pass that is stopped goes on from its checkpoint, in a new cache and in another
// layout of memory, and gives the same bits.
func TestCheckpointResumes(t *testing.T) {
	const most = 60
	path := deepFile(t, false, format.Q4_0)
	src, err := loader.Open(path)
	require.NoError(t, err)
	resident := start(t, src, 2, 16)
	ids := randomIDs(most, resident.Vocab)
	stream := func(batch int, more int64) *Model {
		m, end := startStream(t, path, streaming{threads: 2, batch: batch, block: 16 << 10, more: more, ring: 64 << 10})
		t.Cleanup(end)
		return m
	}
	small, some, large := stream(16, 0), stream(16, 200<<10), stream(19, 1<<20)
	require.False(t, small.layout.Held)
	require.True(t, some.layout.Held)
	require.True(t, large.layout.Held)
	for _, typ := range []KVType{KVF16, KVQ8, KVQ4} {
		for _, before := range []int{0, 20} {
			file := filepath.Join(t.TempDir(), "checkpoint")
			// run reads the prompt with m until one more layer is done.
			run := func(m *Model, c *cache.Checkpoint, kv *KV) (logits []float32, err error) {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				done := c.Step()
				err = m.Forward(ctx, kv, &Pass{IDs: ids[before:], Want: 1, Checkpoint: c,
					Each: func(_ int, l []float32) error {
						logits = append(logits, l...)
						return nil
					},
					Progress: func(float64) {
						if c.Step() > done {
							cancel()
						}
					}})
				return logits, err
			}
			begin := func(m *Model) *KV {
				kv := newKV(t, m, most, typ)
				if before > 0 {
					logitsOf(t, m, kv, ids[:before], 1)
				}
				return kv
			}
			kv := begin(resident)
			want := logitsOf(t, resident, kv, ids[before:], 1)[0]
			wantKV := kvBytes(t, kv, most)

			kv = begin(resident)
			c, err := cache.CreateCheckpoint(file, resident.CheckpointLayout(kv, most-before, nil))
			require.NoError(t, err)
			models := []*Model{resident, small, some, large, resident, large, some, small}
			require.Len(t, models, resident.Layers)
			for i, m := range models {
				if i > 0 {
					kv = begin(m)
					c, err = cache.OpenCheckpoint(file)
					require.NoError(t, err)
				}
				logits, err := run(m, c, kv)
				require.Equal(t, i+1, c.Step())
				if i < len(models)-1 {
					require.ErrorIs(t, err, context.Canceled)
					require.Equal(t, before, kv.Len())
				} else {
					require.NoError(t, err)
					require.Equal(t, want, logits)
					require.Equal(t, wantKV, kvBytes(t, kv, most))
				}
				require.NoError(t, c.Close())
			}

			// All is done.
			kv = begin(small)
			c, err = cache.OpenCheckpoint(file)
			require.NoError(t, err)
			logits, err := run(small, c, kv)
			require.NoError(t, err)
			require.Equal(t, want, logits)
			require.NoError(t, c.Close())
		}
	}
}

// A pass that was stopped and begins again with the same open checkpoint, and one
// of another layout.
func TestCheckpointAgain(t *testing.T) {
	path := deepFile(t, false, format.Q4_0)
	src, err := loader.Open(path)
	require.NoError(t, err)
	m := start(t, src, 2, 16)
	ids := randomIDs(60, m.Vocab)
	kv := newKV(t, m, 60, KVF16)
	want := logitsOf(t, m, kv, ids, 1)[0]
	kv.Truncate(0)
	file := filepath.Join(t.TempDir(), "checkpoint")
	c, err := cache.CreateCheckpoint(file, m.CheckpointLayout(kv, 60, nil))
	require.NoError(t, err)
	var got []float32
	for stop := 3.0; len(got) == 0; stop += 5 {
		ctx, cancel := context.WithCancel(context.Background())
		err = m.Forward(ctx, kv, &Pass{IDs: ids, Want: 1, Checkpoint: c,
			Each:     func(_ int, l []float32) error { got = append(got, l...); return nil },
			Progress: func(tokens float64) { cancelIf(cancel, tokens > stop) }})
		cancel()
	}
	require.NoError(t, err)
	require.Equal(t, want, got)

	kv.Truncate(0)
	require.ErrorIs(t, m.Forward(context.Background(), kv, &Pass{IDs: ids[:40], Checkpoint: c}), cache.ErrCheckpoint)
	require.NoError(t, c.Close())
	require.Error(t, m.Forward(context.Background(), kv, &Pass{IDs: ids, Checkpoint: c}))
	require.Equal(t, want, logitsOf(t, m, kv, ids, 1)[0])
}

func cancelIf(cancel func(), stop bool) {
	if stop {
		cancel()
	}
}

// kvBytes returns a copy of what a cache holds.
func kvBytes(t require.TestingT, kv *KV, n int) (all []byte) {
	for b, err := range kv.Bytes(n) {
		require.NoError(t, err)
		all = append(all, b...)
	}
	return all
}
