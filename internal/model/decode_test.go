package model

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/testmodel"
)

// Tokens that pass the model a few at a time have the same logits, to the bit, as
// one by one; also those whose pass began with others that were then forgotten.
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
	var files []file
	for i, typ := range []format.Type{format.Q4_0, format.F16, format.Q4_K, format.Q8_0, format.BF16, format.Q6_K, format.F32} {
		for _, kvType := range []KVType{KVF16, KVF32, KVQ8} {
			c := testmodel.Tiny()[i%len(testmodel.Tiny())]
			c.Type = typ
			m := open(t, c, 1+i%3, 64)
			f := file{m: m, ids: randomIDs(tokens, m.Vocab), kv: newKV(t, m, tokens, kvType)}
			one := newKV(t, m, tokens, kvType)
			f.want = logitsOf(t, m, one, f.ids[:first], 1)
			logitsOf(t, m, f.kv, f.ids[:first], 1)
			for _, id := range f.ids[first:] {
				f.want = append(f.want, logitsOf(t, m, one, []int32{id}, 1)...)
			}
			files = append(files, f)
		}
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
			got := logitsOf(t, f.m, f.kv, pass, n)
			require.Equal(rt, f.want[at-first+1:][:good], got[:good], "KV %v, %d tokens from %d on", f.kv.typ, n, at)
			f.kv.Truncate(at + good)
		}
	})
}
