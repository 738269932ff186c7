package model

import (
	"context"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/cache"
	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/testmodel"
	"github.com/cortexsdr/cortex/loader"
)

func smallDeep(t testing.TB, layers int) *Model {
	c := testmodel.Config{Name: "small", Layers: layers, Dim: 32, Heads: 4, KVHeads: 2, FF: 64, Vocab: 300, Type: format.F32}
	paths, err := testmodel.WriteFiles(t.TempDir(), "m", c)
	require.NoError(t, err)
	src, err := loader.Open(paths[0])
	require.NoError(t, err)
	return start(t, src, 2, 128)
}

// A cache that lies in a file for the most part gives the same bits as one in memory,
// with batches, single tokens, steps back, and sessions that are saved and restored.
func TestSpilledKVIsTheSame(t *testing.T) {
	const most = 6*pageTokens - 9
	for _, layers := range []int{3, 4} {
		m := smallDeep(t, layers)
		for _, window := range []int{0, 300} {
			m.Windows = nil
			for range layers {
				m.Windows = append(m.Windows, window)
			}
			rapid.Check(t, func(t *rapid.T) {
				typ := rapid.SampledFrom([]KVType{KVF16, KVQ8, KVQ4}).Draw(t, "type")
				plain, err := m.NewKV(most, typ)
				require.NoError(t, err)
				defer plain.Close()
				spilled := func() *KV {
					memory := rapid.Int64Range(0, m.KVBytes(most, typ)).Draw(t, "memory")
					kv, err := m.NewSpilledKV(most, typ, memory, "")
					require.NoError(t, err)
					require.LessOrEqual(t, int64(len(kv.f16)*2+len(kv.q8)+len(kv.q4)+len(kv.scales)*2), m.SpilledKVBytes(most, typ, memory))
					return kv
				}
				kv := spilled()
				defer func() { require.NoError(t, kv.Close()) }()
				for range rapid.IntRange(2, 6).Draw(t, "passes") {
					switch rapid.IntRange(0, 3).Draw(t, "what") {
					case 0:
						n := rapid.IntRange(0, plain.Len()).Draw(t, "back to")
						plain.Truncate(n)
						kv.Truncate(n)
					case 1:
						other, n := spilled(), kv.Len()
						saved := kvBytes(t, kv, n)
						for b, err := range other.Fill(n) {
							require.NoError(t, err)
							saved = saved[copy(b, saved):]
						}
						other.SetLen(n)
						require.NoError(t, kv.Close())
						kv = other
					}
					left := most - plain.Len()
					n := min(left, rapid.OneOf(rapid.IntRange(1, 3), rapid.IntRange(1, 700)).Draw(t, "tokens"))
					if n == 0 {
						continue
					}
					ids := randomIDs(n, m.Vocab)
					run := func(kv *KV) (out []float32) {
						require.NoError(t, m.Forward(context.Background(), kv, &Pass{IDs: ids, Want: 1, Each: func(_ int, l []float32) error {
							out = append(out, l...)
							return nil
						}}))
						return out
					}
					require.Equal(t, run(plain), run(kv))
				}
			})
		}
	}
}

// A checkpoint of a pass with such a cache.
func TestCheckpointOfSpilledKV(t *testing.T) {
	m := smallDeep(t, 5)
	const most = 4 * pageTokens
	ids := randomIDs(most, m.Vocab)
	plain := newKV(t, m, most, KVF16)
	logitsOf(t, m, plain, ids[:300], 1)
	want := logitsOf(t, m, plain, ids[300:], 1)[0]
	file := t.TempDir() + "/checkpoint"
	for done := 0; ; done++ {
		kv, err := m.NewSpilledKV(most, KVF16, 0, t.TempDir())
		require.NoError(t, err)
		require.NotNil(t, kv.spill)
		logitsOf(t, m, kv, ids[:300], 1)
		var c *cache.Checkpoint
		if done == 0 {
			c, err = cache.CreateCheckpoint(file, m.CheckpointLayout(kv, most-300, nil))
		} else {
			c, err = cache.OpenCheckpoint(file)
		}
		require.NoError(t, err)
		require.Equal(t, done, c.Step())
		ctx, cancel := context.WithCancel(context.Background())
		var got []float32
		err = m.Forward(ctx, kv, &Pass{IDs: ids[300:], Want: 1, Checkpoint: c,
			Each:     func(_ int, l []float32) error { got = append(got, l...); return nil },
			Progress: func(float64) { cancelIf(cancel, c.Step() > done) }})
		cancel()
		if err == nil {
			require.Equal(t, want, got)
			require.Equal(t, kvBytes(t, plain, most), kvBytes(t, kv, most))
		}
		require.NoError(t, c.Close())
		require.NoError(t, kv.Close())
		if err == nil {
			return
		}
		require.ErrorIs(t, err, context.Canceled)
	}
}

// failingSpill fails as it is told to.
type failingSpill struct {
	*os.File
	err error
}

func (f *failingSpill) WriteAt(b []byte, at int64) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return f.File.WriteAt(b, at)
}

func (f *failingSpill) ReadAt(b []byte, at int64) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return f.File.ReadAt(b, at)
}

// A full disk is an error that says so, and nothing is lost when there is room again.
func TestSpillFails(t *testing.T) {
	m := smallDeep(t, 5)
	const most = 4 * pageTokens
	ids := randomIDs(most, m.Vocab)
	plain := newKV(t, m, most, KVF16)
	logitsOf(t, m, plain, ids[:most-2], 1)
	want := logitsOf(t, m, plain, ids[most-2:most-1], 1)
	dir := t.TempDir()
	kv, err := m.NewSpilledKV(most, KVF16, 0, dir)
	require.NoError(t, err)
	f := &failingSpill{File: kv.spill.file.(*os.File), err: syscall.ENOSPC}
	kv.spill.file = f
	fails := func(n int) {
		err := m.Forward(context.Background(), kv, &Pass{IDs: ids[kv.Len() : kv.Len()+n]})
		require.ErrorIs(t, err, syscall.ENOSPC)
		var e *SpillError
		require.ErrorAs(t, err, &e)
	}
	fails(most - 2)
	fails(600)
	f.err = nil
	logitsOf(t, m, kv, ids[kv.Len():most-2], 1)
	f.err = syscall.ENOSPC
	fails(1)
	fails(1)
	f.err = nil
	require.Equal(t, want, logitsOf(t, m, kv, ids[most-2:most-1], 1))
	require.NoError(t, kv.Close())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	_, err = m.NewSpilledKV(most, KVF16, 0, dir+"/none")
	require.ErrorIs(t, err, os.ErrNotExist)
}
