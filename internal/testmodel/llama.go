package testmodel

import (
	"fmt"
	"math"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

// The spread of what a model computes, in standard deviations; see the package comment.
const (
	// logitSpread is that of the logits of an output row of mean length.
	logitSpread = 4.0
	// scoreGain is that of the elements of queries and keys; attention scores spread by its square. It is large
	// so that attention picks some places of the context out: the mean of all of them hardly changes from token
	// to token, and the model would soon say the same over and over.
	scoreGain = 2.0
	// layerGain is that of what all layers together add to the residual stream. It is well above logitSpread: with
	// tied embeddings the last token's own row is in the stream, and would win if nothing outweighed it.
	layerGain = 12.0
	// biasSpread is small beside the products, which spread by 1 and more.
	biasSpread = 0.3
	normSpread = 0.1
)

// tensor is a tensor of a model and how its values are drawn.
type tensor struct {
	format.Tensor
	mean, std float64
	perToken  bool      // each row is a token's, and has the length that vocab.rowGain gives it
	values    []float32 // the values themselves, if they are not random
}

// arch is what depends on the architecture.
type arch struct {
	meta    func(c Config) []gguf.KV
	tensors func(c Config) []tensor
}

var archs = map[string]arch{
	"llama": {llamaMeta, llamaTensors},
}

func llamaMeta(c Config) []gguf.KV {
	var kv []gguf.KV
	add := func(key string, value any) { kv = append(kv, gguf.KV{Key: c.Arch + "." + key, Value: value}) }
	addFloat := func(key string, value float64) {
		if value != 0 {
			add(key, float32(value))
		}
	}
	add("block_count", uint32(c.Layers))
	add("context_length", uint32(c.Context))
	add("embedding_length", uint32(c.Dim))
	add("feed_forward_length", uint32(c.FF))
	add("attention.head_count", uint32(c.Heads))
	add("attention.head_count_kv", uint32(c.KVHeads))
	addFloat("rope.freq_base", c.RopeTheta)
	addFloat("attention.layer_norm_rms_epsilon", c.RMSEps)
	add("attention.key_length", uint32(c.HeadDim))
	add("attention.value_length", uint32(c.HeadDim))
	add("vocab_size", uint32(c.Vocab))
	add("rope.dimension_count", uint32(c.HeadDim))
	switch r := c.Rope; r.Kind {
	case RopeLinear, RopeYaRN:
		add("rope.scaling.type", string(r.Kind))
		addFloat("rope.scaling.factor", r.Factor)
		if r.OriginalContext > 0 {
			add("rope.scaling.original_context_length", uint32(r.OriginalContext))
		}
		addFloat("rope.scaling.yarn_ext_factor", r.ExtFactor)
		addFloat("rope.scaling.yarn_attn_factor", r.AttnFactor)
		addFloat("rope.scaling.yarn_beta_fast", r.BetaFast)
		addFloat("rope.scaling.yarn_beta_slow", r.BetaSlow)
	}
	return kv
}

func llamaTensors(c Config) []tensor {
	var all []tensor
	add := func(t tensor) *tensor { all = append(all, t); return &all[len(all)-1] }
	vector := func(name string, n int, mean, std float64) *tensor {
		return add(tensor{Tensor: format.Tensor{Name: name, Type: format.F32, Shape: []int64{int64(n)}}, mean: mean, std: std})
	}
	matrix := func(name string, r role, layer, in, out int, gain float64) *tensor {
		return add(tensor{
			Tensor: format.Tensor{Name: name, Type: c.typeOf(name, r, layer, in), Shape: []int64{int64(in), int64(out)}},
			std:    gain / math.Sqrt(float64(in)),
		})
	}

	if c.Rope.Kind == RopeLlama3 {
		vector("rope_freqs.weight", c.HeadDim/2, 0, 0).values = llama3Factors(c)
	}
	embd := plain
	if c.Tied {
		embd = outputMatrix
	}
	matrix("token_embd.weight", embd, 0, c.Dim, c.Vocab, logitSpread).perToken = true
	// What the layers add to the stream adds up as independent numbers do.
	out := layerGain / math.Sqrt(float64(c.Layers))
	heads, kvHeads := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	for i := range c.Layers {
		name := func(s string) string { return fmt.Sprintf("blk.%d.%s", i, s) }
		linear := func(part string, r role, in, out int, gain float64, bias bool) {
			matrix(name(part+".weight"), r, i, in, out, gain)
			if bias {
				vector(name(part+".bias"), out, 0, biasSpread)
			}
		}
		vector(name("attn_norm.weight"), c.Dim, 1, normSpread)
		linear("ffn_down", ffnDown, c.FF, c.Dim, out, c.MLPBias)
		linear("ffn_gate", plain, c.Dim, c.FF, 1, c.MLPBias)
		linear("ffn_up", plain, c.Dim, c.FF, 1, c.MLPBias)
		vector(name("ffn_norm.weight"), c.Dim, 1, normSpread)
		linear("attn_k", plain, c.Dim, kvHeads, scoreGain, c.AttnBias)
		linear("attn_output", plain, heads, c.Dim, out, c.AttnBias)
		linear("attn_q", plain, c.Dim, heads, scoreGain, c.AttnBias)
		linear("attn_v", attnValue, c.Dim, kvHeads, 1, c.AttnBias)
	}
	vector("output_norm.weight", c.Dim, 1, normSpread)
	if !c.Tied {
		matrix("output.weight", outputMatrix, 0, c.Dim, c.Vocab, logitSpread).perToken = true
	}
	return all
}

// llama3Factors returns what Llama 3.1 divides the frequency of each pair of dimensions by: 1 for waves that
// are short beside the original context, Factor for long ones, and something between for those between.
func llama3Factors(c Config) []float32 {
	f := make([]float32, c.HeadDim/2)
	for i := range f {
		wave := 2 * math.Pi * math.Pow(c.RopeTheta, float64(2*i)/float64(c.HeadDim))
		// The number of waves in the original context, on the way from LowFreq to HighFreq.
		smooth := (float64(c.Rope.OriginalContext)/wave - c.Rope.LowFreq) / (c.Rope.HighFreq - c.Rope.LowFreq)
		smooth = min(max(smooth, 0), 1)
		f[i] = float32(1 / ((1-smooth)/c.Rope.Factor + smooth))
	}
	return f
}

// rowGains are the lengths of embedding and output rows, beside the mean one. The first is for tokens that the
// model should not say.
var rowGains = [...]float64{0.1, 0.75, 0.82, 0.89, 0.96, 1.04, 1.11, 1.18, 1.25}

// rowGain returns the index in rowGains for a token's row.
func (v *vocab) rowGain(token int64) int {
	if v.silent[token] {
		return 0
	}
	return 1 + int(mix64(uint64(token))%uint64(len(rowGains)-1))
}
