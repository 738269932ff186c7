package model

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/cortexsdr/cortex/internal/testmodel"
	"github.com/cortexsdr/cortex/loader"
	"github.com/stretchr/testify/require"
)

// file returns the given metadata as a file has them.
func file(t *testing.T, meta map[string]any) *gguf.Metadata {
	t.Helper()
	var kvs []gguf.KV
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		kvs = append(kvs, gguf.KV{Key: k, Value: meta[k]})
	}
	data, err := gguf.AppendMetadata(nil, kvs)
	require.NoError(t, err)
	m, err := gguf.ParseMetadata("m.gguf", data, 0)
	require.NoError(t, err)
	return m
}

// good is the metadata of a model of the least that has to be said.
func good() map[string]any {
	return map[string]any{
		"general.architecture":                   "llama",
		"llama.block_count":                      uint32(2),
		"llama.embedding_length":                 uint32(64),
		"llama.feed_forward_length":              uint32(128),
		"llama.context_length":                   uint32(512),
		"llama.attention.head_count":             uint32(4),
		"llama.attention.layer_norm_rms_epsilon": float32(1e-5),
	}
}

func TestConfigDefaults(t *testing.T) {
	c, err := readConfig(file(t, good()), 100)
	require.NoError(t, err)
	require.Equal(t, &Config{Arch: "llama", Layers: 2, Dim: 64, Heads: 4, KVHeads: 4, KeyDim: 16, ValueDim: 16, FF: 128, Vocab: 100,
		ContextLength: 512, NormEps: 1e-5,
		RoPE: RoPE{Dim: 16, Base: 10000, Scaling: "linear", Factor: 1, ExtFactor: 1, AttnFactor: 1, OrigCtx: 512, BetaFast: 32, BetaSlow: 1}}, c)
}

func TestConfigRefuses(t *testing.T) {
	for _, c := range []struct {
		key   string
		value any // nil: without the key
		kind  error
	}{
		{"general.architecture", nil, format.ErrUnsupported},
		{"general.architecture", "mamba", format.ErrUnsupported},
		{"general.architecture", uint32(1), format.ErrFormat},
		{"llama.block_count", nil, format.ErrMissing},
		{"llama.block_count", uint32(0), format.ErrFormat},
		{"llama.block_count", uint32(math.MaxUint32), format.ErrFormat},
		{"llama.block_count", int32(-1), format.ErrFormat},
		{"llama.block_count", "two", format.ErrFormat},
		{"llama.attention.head_count", uint32(3), format.ErrFormat},
		{"llama.feed_forward_length", []int32{128, 256}, format.ErrFormat},
		{"llama.feed_forward_length", []int32{}, format.ErrFormat},
		{"llama.attention.head_count", uint32(0), format.ErrFormat},
		{"llama.attention.head_count_kv", uint32(3), format.ErrFormat},
		{"llama.attention.layer_norm_rms_epsilon", float32(math.NaN()), format.ErrFormat},
		{"llama.attention.layer_norm_rms_epsilon", float32(-1), format.ErrFormat},
		{"llama.rope.dimension_count", uint32(15), format.ErrFormat},
		{"llama.rope.dimension_count", uint32(18), format.ErrFormat},
		{"llama.rope.freq_base", float32(0), format.ErrFormat},
		{"llama.rope.freq_base", float32(math.Inf(1)), format.ErrFormat},
		{"llama.rope.scaling.factor", float32(0), format.ErrFormat},
		{"llama.rope.scale_linear", float32(-1), format.ErrFormat},
		{"llama.rope.scaling.attn_factor", float32(math.NaN()), format.ErrFormat},
		{"llama.rope.scaling.yarn_beta_fast", float32(math.Inf(-1)), format.ErrFormat},
		{"llama.rope.scaling.type", "magic", format.ErrUnsupported},
		{"llama.expert_count", uint32(8), format.ErrUnsupported},
	} {
		meta := good()
		delete(meta, c.key)
		if c.value != nil {
			meta[c.key] = c.value
		}
		_, err := readConfig(file(t, meta), 100)
		require.ErrorIs(t, err, c.kind, "%s = %v", c.key, c.value)
		var e *format.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, c.key, e.Key)
		require.Equal(t, "m.gguf", e.File)
	}

	meta := good()
	meta["llama.feed_forward_length"] = []int32{128, 128}
	meta["llama.expert_count"] = uint32(0)
	_, err := readConfig(file(t, meta), 100)
	require.NoError(t, err)
}

// renamed is a generated model in which one tensor's name is spoilt.
func renamed(t *testing.T, c testmodel.Config, tensor string) *loader.Source {
	t.Helper()
	data := testmodel.Bytes(c)
	name := append(binary.LittleEndian.AppendUint64(nil, uint64(len(tensor))), tensor...)
	at := bytes.Index(data, name)
	require.Positive(t, at)
	data[at+8] = '?'
	src, err := loader.FromBytes("m.gguf", data)
	require.NoError(t, err)
	return src
}

func TestNewNamesTheTensor(t *testing.T) {
	c := testmodel.Tiny()[0]
	for _, tensor := range []string{"token_embd.weight", "blk.1.ffn_down.weight", "blk.0.attn_norm.weight", "output_norm.weight"} {
		_, err := New(renamed(t, c, tensor), Options{Vocab: c.Vocab})
		require.ErrorIs(t, err, format.ErrMissing)
		var e *format.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, tensor, e.Tensor)
	}
	m, err := New(renamed(t, c, "output.weight"), Options{Vocab: c.Vocab})
	require.NoError(t, err, "then the output is tied")
	require.False(t, m.Uses("?utput.weight"))
	require.True(t, m.Uses("token_embd.weight"))

	src, err := loader.FromBytes("m.gguf", testmodel.Bytes(c))
	require.NoError(t, err)
	_, err = New(src, Options{Vocab: c.Vocab - 1})
	require.ErrorIs(t, err, format.ErrFormat)
	require.ErrorContains(t, err, "token_embd.weight: shape [256 320], want [256 319]")
}

// What no kernel and no decoder can read is refused before anything is read.
func TestNewNamesTheType(t *testing.T) {
	c := testmodel.Tiny()[0]
	for _, tensor := range []string{"token_embd.weight", "blk.1.ffn_down.weight", "blk.0.attn_norm.weight"} {
		src, err := loader.FromBytes("m.gguf", testmodel.Bytes(c))
		require.NoError(t, err)
		for i := range src.Tensors {
			if src.Tensors[i].Name == tensor {
				src.Tensors[i].Type = format.IQ2_XS
			}
		}
		_, err = New(src, Options{Vocab: c.Vocab})
		require.ErrorIs(t, err, format.ErrUnsupported, tensor)
		var e *format.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, tensor, e.Tensor)
		require.ErrorContains(t, err, "IQ2_XS")
	}
}

func TestFrequencies(t *testing.T) {
	r := RoPE{Dim: 8, Base: 10000, Scaling: "none", AttnFactor: 1}
	f, scale := r.frequencies(nil)
	require.InDeltaSlice(t, []float64{1, 0.1, 0.01, 0.001}, f, 1e-15)
	require.Equal(t, 1.0, scale)

	r.Scaling, r.Factor = "linear", 4
	f, _ = r.frequencies([]float32{1, 1, 1, 2})
	require.InDeltaSlice(t, []float64{0.25, 0.025, 0.0025, 0.000125}, f, 1e-15)

	// YaRN's paper: pairs that turn more than BetaFast times in the original
	// context stay, those that turn less than BetaSlow times are stretched.
	r = RoPE{Dim: 128, Base: 10000, Scaling: "yarn", Factor: 16, ExtFactor: 1, AttnFactor: 1, OrigCtx: 4096, BetaFast: 32, BetaSlow: 1}
	plain, _ := (&RoPE{Dim: 128, Base: 10000, AttnFactor: 1}).frequencies(nil)
	f, scale = r.frequencies(nil)
	require.InDelta(t, 0.1*math.Log(16)+1, scale, 1e-12)
	for i := range f {
		switch turns := 4096 * plain[i] / (2 * math.Pi); {
		case turns > 34:
			require.Equal(t, plain[i], f[i], "pair %d", i)
		case turns < 0.9:
			require.InDelta(t, plain[i]/16, f[i], 1e-15, "pair %d", i)
		default:
			require.True(t, plain[i]/16 <= f[i] && f[i] <= plain[i], "pair %d", i)
		}
	}
}
