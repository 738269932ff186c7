package model

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/internal/testmodel"
	"github.com/cortexsdr/cortex/loader"
)

// Tokens that pass the model a few at a time have the same logits, to the bit, as
// one by one, whatever wrong ones were behind them and then forgotten.
func TestFewTokensAreTheSameAsOne(t *testing.T) {
	const tokens = 2*pageTokens + 100 // more than a chunk of attention
	// All but the last tokens are a prompt, which is not what is tested.
	const first = tokens - 40
	type file struct {
		m    *Model
		ids  []int32
		kv   *KV
		want [][]float32 // from the last of the prompt on
	}
	run := func(t require.TestingT, f *file, kv *KV, ids []int32, want int, sparse bool) (out [][]float32) {
		p := &Pass{IDs: ids, Want: want, Sparse: sparse, Each: func(_ int, logits []float32) error {
			out = append(out, slices.Clone(logits))
			return nil
		}}
		require.NoError(t, f.m.Forward(context.Background(), kv, p))
		return out
	}
	var files []*file
	add := func(m *Model, kvType KVType) {
		f := &file{m: m, ids: randomIDs(tokens, m.Vocab), kv: newKV(t, m, tokens, kvType)}
		one := newKV(t, m, tokens, kvType)
		f.want = run(t, f, one, f.ids[:first], 1, false)
		run(t, f, f.kv, f.ids[:first], 1, false)
		for _, id := range f.ids[first:] {
			f.want = append(f.want, run(t, f, one, []int32{id}, 1, true)...)
		}
		files = append(files, f)
	}
	for i, typ := range []format.Type{format.Q4_0, format.F16, format.Q4_K, format.Q8_0, format.BF16, format.Q6_K, format.F32} {
		c := testmodel.Tiny()[i%len(testmodel.Tiny())]
		c.Type = typ
		for kvType := KVF16; kvType <= KVQ4; kvType++ {
			add(open(t, c, 1+i%3, 64), kvType)
		}
	}
	for i, sp := range []Sparsity{{}, {Level: 0.5, Selection: SelectNorm}, {Level: 0.3, Selection: SelectMagnitude}} {
		path, _ := writeChannels(t, channelModels()[i%len(channelModels())], container.SDR4, 0, 1)
		src, err := loader.Open(path)
		require.NoError(t, err)
		m := start(t, src, 2, 64)
		m.SetSparsity(sp)
		add(m, KVF16)
	}
	rapid.Check(t, func(rt *rapid.T) {
		f := files[rapid.IntRange(0, len(files)-1).Draw(rt, "file")]
		f.kv.Truncate(first)
		for f.kv.Len() < tokens {
			at := f.kv.Len()
			n := rapid.IntRange(1, min(MaxDecode, tokens-at)).Draw(rt, "tokens")
			good := rapid.IntRange(1, n).Draw(rt, "good ones")
			pass := append([]int32(nil), f.ids[at:at+n]...)
			for j := good; j < n; j++ {
				pass[j] = int32((int(pass[j]) + 1) % f.m.Vocab)
			}
			got := run(rt, f, f.kv, pass, n, true)
			require.Equal(rt, f.want[at-first+1:][:good], got[:good], "KV %v, %d tokens from %d on", f.kv.typ, n, at)
			f.kv.Truncate(at + good)
		}
	})
}
