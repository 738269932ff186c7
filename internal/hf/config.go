package hf

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

// architecture is what the names in config.json's architectures stand for.
type architecture struct {
	gguf  string // GGUF's name of the architecture
	pairs bool   // whether GGUF's rotary embedding turns neighbouring values

	// What holds where config.json does not say.
	kvHeads int // num_key_value_heads; 0: as many as there are query heads
	window  int // sliding_window; 0: none
}

// In all of these tie_word_embeddings is false where config.json does not say.
var architectures = map[string]architecture{
	"LlamaForCausalLM":   {gguf: "llama", pairs: true},
	"MistralForCausalLM": {gguf: "llama", pairs: true, kvHeads: 8, window: 4096},
}

// hfConfig is config.json, as far as it bears on what the model computes.
type hfConfig struct {
	Architectures []string        `json:"architectures"`
	Layers        *int            `json:"num_hidden_layers"`
	Dim           *int            `json:"hidden_size"`
	FF            *int            `json:"intermediate_size"`
	Heads         *int            `json:"num_attention_heads"`
	KVHeads       *int            `json:"num_key_value_heads"`
	HeadDim       *int            `json:"head_dim"`
	Vocab         *int            `json:"vocab_size"`
	ContextLength *int            `json:"max_position_embeddings"`
	SlidingWindow json.RawMessage `json:"sliding_window"` // null is not the same as absent
	NormEps       *float64        `json:"rms_norm_eps"`
	Activation    *string         `json:"hidden_act"`
	AttentionBias bool            `json:"attention_bias"`
	MLPBias       bool            `json:"mlp_bias"`
	Tie           *bool           `json:"tie_word_embeddings"`
	RoPETheta     *float64        `json:"rope_theta"`
	RoPEScaling   *hfRoPE         `json:"rope_scaling"`
	RoPE          *hfRoPE         `json:"rope_parameters"` // newer files have all of the rotary embedding here
	Partial       *float64        `json:"partial_rotary_factor"`
	Quantization  json.RawMessage `json:"quantization_config"`
	Code          map[string]any  `json:"auto_map"`
}

// hfRoPE is rope_scaling or rope_parameters.
type hfRoPE struct {
	Type            string   `json:"rope_type"`
	OldType         string   `json:"type"`
	Theta           *float64 `json:"rope_theta"`
	Partial         *float64 `json:"partial_rotary_factor"`
	Factor          *float64 `json:"factor"`
	LowFreqFactor   *float64 `json:"low_freq_factor"`
	HighFreqFactor  *float64 `json:"high_freq_factor"`
	OrigCtx         *float64 `json:"original_max_position_embeddings"`
	AttentionFactor *float64 `json:"attention_factor"`
	MScale          *float64 `json:"mscale"`
	MScaleAllDim    *float64 `json:"mscale_all_dim"`
	BetaFast        *float64 `json:"beta_fast"`
	BetaSlow        *float64 `json:"beta_slow"`
	Truncate        *bool    `json:"truncate"`
}

// config holds the hyper-parameters after all defaults.
type config struct {
	file string
	arch architecture

	Layers, Dim, FF, Heads, KVHeads, HeadDim, Vocab, ContextLength int

	NormEps                float64
	AttentionBias, MLPBias bool
	Tie                    bool
	RoPETheta              float64
	Scaling                []gguf.KV      // metadata of the rotary embedding's scaling, without the architecture's name
	Llama3                 *llama3Scaling // the scaling for which there is no such metadata, or nil
}

// limit bounds every hyper-parameter, far above any real model, so that no product of a few of them overflows.
const limit = 1 << 24

func (c *config) errorf(kind error, key, text string, args ...any) error {
	return &format.Error{File: c.file, Key: key, Detail: fmt.Sprintf(text, args...), Err: kind}
}

// parseConfig reads and checks config.json.
func parseConfig(file string, data []byte) (*config, error) {
	c := &config{file: file}
	var in hfConfig
	if !utf8.Valid(data) {
		return nil, c.errorf(format.ErrFormat, "", "not valid UTF-8")
	}
	if err := json.Unmarshal(data, &in); err != nil {
		e := &format.Error{File: file, Detail: err.Error(), Err: format.ErrFormat}
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			e.Offset = syntax.Offset
		} else if typ := (*json.UnmarshalTypeError)(nil); errors.As(err, &typ) {
			e.Offset, e.Key = typ.Offset, typ.Field
		}
		return nil, e
	}
	if len(in.Architectures) != 1 {
		return nil, c.errorf(format.ErrUnsupported, "architectures", "%q, want one", in.Architectures)
	}
	var ok bool
	if c.arch, ok = architectures[in.Architectures[0]]; !ok {
		return nil, c.errorf(format.ErrUnsupported, "architectures", "architecture %q is not supported", in.Architectures[0])
	}

	for _, n := range []struct {
		key      string
		in       *int
		to       *int
		required bool
	}{
		{"num_hidden_layers", in.Layers, &c.Layers, true},
		{"hidden_size", in.Dim, &c.Dim, true},
		{"intermediate_size", in.FF, &c.FF, true},
		{"num_attention_heads", in.Heads, &c.Heads, true},
		{"num_key_value_heads", in.KVHeads, &c.KVHeads, false},
		{"head_dim", in.HeadDim, &c.HeadDim, false},
		{"vocab_size", in.Vocab, &c.Vocab, true},
		{"max_position_embeddings", in.ContextLength, &c.ContextLength, true},
	} {
		switch {
		case n.in == nil && n.required:
			return nil, c.errorf(format.ErrMissing, n.key, "missing")
		case n.in == nil:
		case *n.in < 1 || *n.in > limit:
			return nil, c.errorf(format.ErrFormat, n.key, "is %d, want 1 to %d", *n.in, limit)
		default:
			*n.to = *n.in
		}
	}
	if c.KVHeads == 0 {
		c.KVHeads = c.arch.kvHeads
	}
	if c.KVHeads == 0 {
		c.KVHeads = c.Heads
	}
	if c.HeadDim == 0 {
		c.HeadDim = c.Dim / c.Heads
		if c.Dim%c.Heads != 0 {
			return nil, c.errorf(format.ErrFormat, "num_attention_heads", "%d does not divide hidden_size %d", c.Heads, c.Dim)
		}
	}
	if in.NormEps == nil {
		return nil, c.errorf(format.ErrMissing, "rms_norm_eps", "missing")
	}
	c.NormEps = *in.NormEps
	c.AttentionBias, c.MLPBias = in.AttentionBias, in.MLPBias
	c.Tie = in.Tie != nil && *in.Tie
	if err := c.setRoPE(&in); err != nil {
		return nil, err
	}

	// Positions beyond the window would see fewer others than they do without it. Up to there it changes nothing.
	window := c.arch.window
	if in.SlidingWindow != nil {
		window = 0
		if err := json.Unmarshal(in.SlidingWindow, &window); err != nil || window < 0 {
			return nil, c.errorf(format.ErrFormat, "sliding_window", "is %s", in.SlidingWindow)
		}
	}
	if window > 0 {
		c.ContextLength = min(c.ContextLength, window)
	}

	for _, check := range []struct {
		ok       bool
		key, why string
		kind     error
	}{
		{c.Heads%c.KVHeads == 0, "num_key_value_heads", "does not divide num_attention_heads", format.ErrFormat},
		{c.HeadDim%2 == 0, "head_dim", "is odd", format.ErrFormat},
		{c.NormEps > 0 && c.NormEps < 1, "rms_norm_eps", "is not a small positive number", format.ErrFormat},
		{in.Activation == nil || *in.Activation == "silu" || *in.Activation == "swish", "hidden_act", "only silu is supported", format.ErrUnsupported},
		{in.Quantization == nil || string(in.Quantization) == "null", "quantization_config", "quantized weights are not supported", format.ErrUnsupported},
		{in.Code["AutoModelForCausalLM"] == nil, "auto_map", "a model with code of its own is not supported", format.ErrUnsupported},
	} {
		if !check.ok {
			return nil, c.errorf(check.kind, check.key, "%s", check.why)
		}
	}
	return c, nil
}

// setRoPE reads the rotary embedding and its scaling.
func (c *config) setRoPE(in *hfConfig) error {
	key := "rope_scaling"
	c.RoPETheta = 10000
	if in.RoPETheta != nil {
		c.RoPETheta = *in.RoPETheta
	}
	s := hfRoPE{}
	switch {
	case in.RoPE != nil && in.RoPEScaling != nil:
		return c.errorf(format.ErrUnsupported, key, "there is rope_parameters, too")
	case in.RoPE != nil:
		key, s = "rope_parameters", *in.RoPE
		if s.Theta != nil {
			c.RoPETheta = *s.Theta
		}
	case in.RoPEScaling != nil:
		s = *in.RoPEScaling
	}
	if !(c.RoPETheta > 1) || math.IsInf(c.RoPETheta, 0) {
		return c.errorf(format.ErrFormat, "rope_theta", "is %v, not a number above 1", c.RoPETheta)
	}
	for _, p := range []*float64{in.Partial, s.Partial} {
		if p != nil && *p != 1 {
			return c.errorf(format.ErrUnsupported, "partial_rotary_factor", "is %v, only 1 is supported", *p)
		}
	}
	typ := s.Type
	if typ == "" {
		typ = s.OldType
	}
	// need reads a number that has to be there and to be at least 1.
	var err error
	need := func(name string, v *float64) float64 {
		switch {
		case err != nil:
		case v == nil:
			err = c.errorf(format.ErrMissing, key, "%s is missing", name)
		case !(*v >= 1) || *v > limit:
			err = c.errorf(format.ErrFormat, key, "%s is %v, want 1 to %d", name, *v, limit)
		default:
			return *v
		}
		return 1
	}
	add := func(key string, value any) { c.Scaling = append(c.Scaling, gguf.KV{Key: key, Value: value}) }
	switch typ {
	case "", "default":
		if typ == "" && s.Factor != nil {
			return c.errorf(format.ErrMissing, key, "rope_type is missing")
		}
	case "linear":
		add("rope.scaling.type", "linear")
		add("rope.scaling.factor", float32(need("factor", s.Factor)))
	case "yarn":
		factor := need("factor", s.Factor)
		orig := float64(c.ContextLength)
		if s.OrigCtx != nil {
			orig = need("original_max_position_embeddings", s.OrigCtx)
		}
		if s.Truncate != nil && !*s.Truncate {
			return c.errorf(format.ErrUnsupported, key, "truncate is false")
		}
		add("rope.scaling.type", "yarn")
		add("rope.scaling.factor", float32(factor))
		add("rope.scaling.original_context_length", uint32(orig))
		// The reader multiplies by yarnScale itself.
		scale := yarnScale(factor, 1)
		switch {
		case s.AttentionFactor != nil:
			scale = *s.AttentionFactor
		case s.MScale != nil && s.MScaleAllDim != nil && *s.MScale != 0 && *s.MScaleAllDim != 0:
			scale = yarnScale(factor, *s.MScale) / yarnScale(factor, *s.MScaleAllDim)
		}
		if !(scale > 0) || scale > limit {
			return c.errorf(format.ErrFormat, key, "the attention factor is %v", scale)
		}
		if scale != yarnScale(factor, 1) {
			add("rope.scaling.attn_factor", float32(scale/yarnScale(factor, 1)))
		}
		for _, b := range []struct {
			name, key string
			v         *float64
		}{{"beta_fast", "rope.scaling.yarn_beta_fast", s.BetaFast}, {"beta_slow", "rope.scaling.yarn_beta_slow", s.BetaSlow}} {
			if b.v != nil {
				add(b.key, float32(need(b.name, b.v)))
			}
		}
	case "llama3":
		factor, orig := need("factor", s.Factor), need("original_max_position_embeddings", s.OrigCtx)
		low, high := need("low_freq_factor", s.LowFreqFactor), need("high_freq_factor", s.HighFreqFactor)
		if err == nil && high <= low {
			err = c.errorf(format.ErrFormat, key, "high_freq_factor is not above low_freq_factor")
		}
		c.Llama3 = &llama3Scaling{factor: factor, low: low, high: high, orig: orig}
	default:
		return c.errorf(format.ErrUnsupported, key, "scaling %q is not supported", typ)
	}
	return err
}

// yarnScale is the factor on the attention that YaRN's authors propose (Peng et al. 2023, arXiv:2309.00071, section 3.4).
func yarnScale(factor, mscale float64) float64 { return 1 + 0.1*mscale*math.Log(factor) }

// llama3Scaling is that of Llama 3.1 and later: fast frequencies stay, those that turn less than low times in the original context are
// divided by factor, and between low and high turns it is interpolated.
type llama3Scaling struct{ factor, low, high, orig float64 }

// divisors returns what the frequencies are divided by, which is the tensor rope_freqs.weight in GGUF.
func (s *llama3Scaling) divisors(dim int, base float64) []float32 {
	d := make([]float32, dim/2)
	for i := range d {
		turns := s.orig * math.Pow(base, -2*float64(i)/float64(dim)) / (2 * math.Pi)
		keep := min(1, max(0, (turns-s.low)/(s.high-s.low)))
		d[i] = float32(1 / ((1-keep)/s.factor + keep))
	}
	return d
}

// metadata returns the hyper-parameters as GGUF has them.
func (c *config) metadata() []gguf.KV {
	var meta []gguf.KV
	add := func(key string, value any) { meta = append(meta, gguf.KV{Key: c.arch.gguf + "." + key, Value: value}) }
	add("context_length", uint32(c.ContextLength))
	add("embedding_length", uint32(c.Dim))
	add("block_count", uint32(c.Layers))
	add("feed_forward_length", uint32(c.FF))
	add("attention.head_count", uint32(c.Heads))
	add("attention.head_count_kv", uint32(c.KVHeads))
	add("attention.layer_norm_rms_epsilon", float32(c.NormEps))
	if c.HeadDim*c.Heads != c.Dim {
		add("attention.key_length", uint32(c.HeadDim))
		add("attention.value_length", uint32(c.HeadDim))
	}
	add("rope.freq_base", float32(c.RoPETheta))
	add("rope.dimension_count", uint32(c.HeadDim))
	add("vocab_size", uint32(c.Vocab))
	for _, kv := range c.Scaling {
		add(kv.Key, kv.Value)
	}
	return meta
}
