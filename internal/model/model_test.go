package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/testmodel"
	"github.com/cortexsdr/cortex/internal/workers"
	"github.com/cortexsdr/cortex/loader"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a started model of the generated file.
func open(t testing.TB, c testmodel.Config, threads, batch int) *Model {
	t.Helper()
	src, err := loader.FromBytes(c.Name, testmodel.Bytes(c))
	require.NoError(t, err)
	return start(t, src, threads, batch)
}

func start(t testing.TB, src *loader.Source, threads, batch int) *Model {
	t.Helper()
	tokens, err := src.Strings("tokenizer.ggml.tokens")
	require.NoError(t, err)
	m, err := New(src, Options{Vocab: len(tokens), Batch: batch})
	require.NoError(t, err)
	pool := workers.New(threads, m.Ahead)
	require.NoError(t, m.Start(pool, nil))
	t.Cleanup(func() {
		require.NoError(t, m.Close())
		pool.Close()
		require.NoError(t, src.Close())
	})
	return m
}

func newKV(t testing.TB, m *Model, n int, typ KVType) *KV {
	t.Helper()
	kv, err := m.NewKV(n, typ)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, kv.Close()) })
	return kv
}

// logitsOf runs ids and returns the logits of the last want of them.
func logitsOf(t testing.TB, m *Model, kv *KV, ids []int32, want int) (out [][]float32) {
	t.Helper()
	p := &Pass{IDs: ids, Want: want, Each: func(i int, logits []float32) error {
		require.Equal(t, len(ids)-want+len(out), i)
		out = append(out, slices.Clone(logits))
		return nil
	}}
	require.NoError(t, m.Forward(context.Background(), kv, p))
	require.Len(t, out, want)
	return out
}

func randomIDs(n, vocab int) []int32 {
	r := rand.New(rand.NewPCG(uint64(n), uint64(vocab)))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(r.IntN(vocab))
	}
	return ids
}

// A plain forward pass in float64, straight from the formulas, without batches,
// cache, tiles or kernels: what every result is held against.
type naive struct {
	m   *Model
	mat map[string][]float32
}

func (n *naive) tensor(name string) []float32 {
	if n.mat[name] == nil {
		t, ok := n.m.src.Tensor(name)
		if !ok {
			return nil
		}
		v, err := n.m.vectorOf(t)
		if err != nil {
			panic(err)
		}
		n.mat[name] = v
	}
	return n.mat[name]
}

func (n *naive) mul(name string, x []float64) []float64 {
	w, bias := n.tensor(name+".weight"), n.tensor(name+".bias")
	y := make([]float64, len(w)/len(x))
	for r := range y {
		for j, v := range x {
			y[r] += float64(w[r*len(x)+j]) * v
		}
		if bias != nil {
			y[r] += float64(bias[r])
		}
	}
	return y
}

func (n *naive) norm(name string, x []float64) []float64 {
	w, sum, y := n.tensor(name), 0.0, make([]float64, len(x))
	for _, v := range x {
		sum += v * v
	}
	for i, v := range x {
		y[i] = v / math.Sqrt(sum/float64(len(x))+float64(n.m.NormEps)) * float64(w[i])
	}
	return y
}

func (n *naive) logits(ids []int32) (out [][]float64) {
	c := &n.m.Config
	freqs, scale := c.RoPE.frequencies(n.tensor("rope_freqs.weight"))
	rotate := func(x []float64, pos int) {
		for h := 0; h < len(x); h += c.KeyDim {
			for i, f := range freqs {
				sin, cos := math.Sincos(f * float64(pos))
				a, b := x[h+2*i], x[h+2*i+1]
				x[h+2*i], x[h+2*i+1] = scale*(a*cos-b*sin), scale*(a*sin+b*cos)
			}
		}
	}
	keys, values := make([][][]float64, c.Layers), make([][][]float64, c.Layers)
	for pos, id := range ids {
		x := make([]float64, c.Dim)
		for i, v := range n.tensor("token_embd.weight")[int(id)*c.Dim:][:c.Dim] {
			x[i] = float64(v)
		}
		for l := range c.Layers {
			name := func(s string) string { return fmt.Sprintf("blk.%d.%s", l, s) }
			h := n.norm(name("attn_norm.weight"), x)
			q, k := n.mul(name("attn_q"), h), n.mul(name("attn_k"), h)
			rotate(q, pos)
			rotate(k, pos)
			keys[l], values[l] = append(keys[l], k), append(values[l], n.mul(name("attn_v"), h))
			att := make([]float64, c.Heads*c.ValueDim)
			for head := range c.Heads {
				kvHead := head * c.KVHeads / c.Heads
				p, sum := make([]float64, pos+1), 0.0
				for j := range p {
					for i := range c.KeyDim {
						p[j] += q[head*c.KeyDim+i] * keys[l][j][kvHead*c.KeyDim+i]
					}
					p[j] = math.Exp(p[j] / math.Sqrt(float64(c.KeyDim)))
					sum += p[j]
				}
				for j := range p {
					for i := range c.ValueDim {
						att[head*c.ValueDim+i] += p[j] / sum * values[l][j][kvHead*c.ValueDim+i]
					}
				}
			}
			for i, v := range n.mul(name("attn_output"), att) {
				x[i] += v
			}
			h = n.norm(name("ffn_norm.weight"), x)
			gate, up := n.mul(name("ffn_gate"), h), n.mul(name("ffn_up"), h)
			for i, g := range gate {
				gate[i] = g / (1 + math.Exp(-g)) * up[i]
			}
			for i, v := range n.mul(name("ffn_down"), gate) {
				x[i] += v
			}
		}
		output := "output"
		if n.tensor("output.weight") == nil {
			output = "token_embd"
		}
		out = append(out, n.mul(output, n.norm("output_norm.weight", x)))
	}
	return out
}

// distance returns the error of got relative to the spread of want.
func distance(got []float32, want []float64) float64 {
	var diff, norm float64
	for i, w := range want {
		diff += (float64(got[i]) - w) * (float64(got[i]) - w)
		norm += w * w
	}
	return math.Sqrt(diff / norm)
}

// Every shape, in float32, against the naive pass.
func TestForwardEqualsFormulas(t *testing.T) {
	for _, c := range testmodel.Tiny() {
		t.Run(c.Name, func(t *testing.T) {
			m := open(t, c, 2, 8)
			ids := randomIDs(20, m.Vocab) // three batches
			want := (&naive{m: m, mat: map[string][]float32{}}).logits(ids)
			for i, got := range logitsOf(t, m, newKV(t, m, 20, KVF32), ids[:manyTokens-1], manyTokens-1) {
				require.Less(t, distance(got, want[i]), 1e-5, "token %d", i)
			}
			// Products of many vectors may work with 16 bits of the mantissa.
			for i, got := range logitsOf(t, m, newKV(t, m, 20, KVF32), ids, len(ids)) {
				require.Less(t, distance(got, want[i]), 2e-4, "token %d of a prompt", i)
			}
			for i, got := range logitsOf(t, m, newKV(t, m, 20, KVF16), ids, len(ids)) {
				require.Less(t, distance(got, want[i]), 1e-2, "token %d with keys and values in f16", i)
			}
		})
	}
}

// Every type of weights: what is lost is the rounding of activations to 8 bits,
// and none for float weights.
func TestForwardOfEveryType(t *testing.T) {
	for _, typ := range testmodel.Types() {
		t.Run(typ.String(), func(t *testing.T) {
			c := testmodel.Tiny()[1] // tied, so that embedding and output are of the type too
			c.Type = typ
			m := open(t, c, 2, 16)
			ids := randomIDs(6, m.Vocab)
			want := (&naive{m: m, mat: map[string][]float32{}}).logits(ids)
			most := 0.1 // 8-bit rounding, amplified by random layers; a wrong kernel gives about 1
			if typ.BlockSize() == 1 {
				most = 2e-5
			}
			for i, got := range logitsOf(t, m, newKV(t, m, 6, KVF32), ids, len(ids)) {
				require.Less(t, distance(got, want[i]), most, "token %d", i)
			}
		})
	}
}

// The same bits however the work is divided: among workers, into batches, or
// token by token, in a cache of any size.
func TestSameBits(t *testing.T) {
	for _, typ := range []format.Type{format.Q4_0, format.F16, format.Q6_K} {
		if testing.Short() && typ != format.Q4_0 {
			continue
		}
		c := testmodel.Tiny()[1]
		c.Type = typ
		ids := randomIDs(270, c.Vocab) // more than one page
		var want [][]float32
		for _, division := range []struct{ threads, batch, context int }{{1, 512, 270}, {2, 64, 512}, {3, 7, 1000}, {2, 1, 300}} {
			m := open(t, c, division.threads, division.batch)
			got := logitsOf(t, m, newKV(t, m, division.context, KVF16), ids, 3)
			if want == nil {
				want = got
			}
			require.Equal(t, want, got, "%v %+v", typ, division)
		}
	}
}

func TestTruncateAndGoOn(t *testing.T) {
	m := open(t, testmodel.Tiny()[0], 2, 32)
	ids := randomIDs(40, m.Vocab)
	kv := newKV(t, m, 64, KVF16)
	logitsOf(t, m, kv, ids[:30], 1)
	want := logitsOf(t, m, kv, ids[30:], 1)
	kv.Truncate(0)
	logitsOf(t, m, kv, append(slices.Clone(ids[:30]), randomIDs(20, m.Vocab)...), 1)
	kv.Truncate(30)
	require.Equal(t, 30, kv.Len())
	require.Equal(t, want, logitsOf(t, m, kv, ids[30:], 1))
}

func TestForwardRefuses(t *testing.T) {
	m := open(t, testmodel.Tiny()[0], 1, 32)
	kv := newKV(t, m, 8, KVF16)
	ctx := context.Background()
	require.ErrorIs(t, m.Forward(ctx, kv, &Pass{IDs: make([]int32, 9)}), ErrContextFull)
	require.Error(t, m.Forward(ctx, kv, &Pass{IDs: []int32{int32(m.Vocab)}}))
	require.Error(t, m.Forward(ctx, kv, &Pass{IDs: []int32{-1}}))
	require.Zero(t, kv.Len())
	require.NoError(t, m.Forward(ctx, kv, &Pass{IDs: make([]int32, 8)}))

	stop := errors.New("stop")
	kv.Truncate(0)
	require.ErrorIs(t, m.Forward(ctx, kv, &Pass{IDs: []int32{1, 2}, Want: 2, Each: func(int, []float32) error { return stop }}), stop)
}

// A pass ends within the layer in which its context does, and can be repeated.
func TestCancel(t *testing.T) {
	m := open(t, testmodel.Tiny()[0], 2, 8)
	kv := newKV(t, m, 64, KVF16)
	ids := randomIDs(24, m.Vocab)
	ctx, cancel := context.WithCancel(context.Background())
	var reports []float64
	err := m.Forward(ctx, kv, &Pass{IDs: ids, Progress: func(tokens float64) {
		if reports = append(reports, tokens); tokens >= 12 {
			cancel()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []float64{4, 8, 12}, reports)
	require.Equal(t, 8, kv.Len(), "the finished batch stays")
	got := logitsOf(t, m, kv, ids[8:], 1)
	require.Equal(t, logitsOf(t, m, newKV(t, m, 64, KVF16), ids, 1), got)

	<-m.turn // somebody else is at work
	require.ErrorIs(t, m.Forward(ctx, kv, &Pass{IDs: ids[:1]}), context.Canceled)
	m.turn <- struct{}{}
}

// A file that shrinks while it is mapped is an error that names the place.
func TestTruncatedWhileMapped(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("truncating a mapped file is tested on linux")
	}
	c := testmodel.Tiny()[0]
	c.Vocab = 4096 // so that the end of the file lies pages away
	path := filepath.Join(t.TempDir(), "m.gguf")
	data := testmodel.Bytes(c)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	src, err := loader.Open(path)
	require.NoError(t, err)
	m := start(t, src, 2, 8)
	kv := newKV(t, m, 64, KVF16)
	want := logitsOf(t, m, kv, []int32{1, 2}, 1)

	require.NoError(t, os.Truncate(path, int64(len(data)/2)))
	kv.Truncate(0)
	err = m.Forward(context.Background(), kv, &Pass{IDs: []int32{1, 2}, Want: 1, Each: func(int, []float32) error { return nil }})
	require.ErrorIs(t, err, loader.ErrTruncated)
	var e *loader.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, path, e.File)
	require.NotEmpty(t, e.Tensor)
	require.GreaterOrEqual(t, e.Offset, int64(len(data)/2))

	require.NoError(t, os.WriteFile(path, data, 0o600)) // the pool and the model survive
	require.Equal(t, want, logitsOf(t, m, kv, []int32{1, 2}, 1))
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	m := open(t, testmodel.Tiny()[0], 2, 8)
	kv := newKV(t, m, 512, KVF16)
	p := &Pass{IDs: []int32{5}, Want: 1, Each: func(int, []float32) error { return nil }}
	ctx := context.Background()
	require.Zero(t, testing.AllocsPerRun(200, func() {
		if err := m.Forward(ctx, kv, p); err != nil {
			t.Fatal(err)
		}
	}))
}

func BenchmarkDecode(b *testing.B) {
	for _, typ := range []format.Type{format.F16, format.Q8_0, format.Q4_0} {
		b.Run("type="+typ.String(), func(b *testing.B) {
			c := testmodel.Config{Name: "bench", Layers: 4, Dim: 1024, Heads: 16, KVHeads: 4, FF: 2816, Vocab: 8192, Type: typ}
			m := open(b, c, runtime.GOMAXPROCS(0), 8)
			kv := newKV(b, m, 64, KVF16)
			p := &Pass{IDs: []int32{5}, Want: 1, Each: func(int, []float32) error { return nil }}
			b.SetBytes(m.Plan.BytesPerPass(1))
			b.ReportAllocs()
			for b.Loop() {
				kv.Truncate(32)
				if err := m.Forward(context.Background(), kv, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
