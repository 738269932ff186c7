package model

import (
	"errors"
	"fmt"
	"math"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/cortexsdr/cortex/internal/plan"
)

// Config holds a model's hyper-parameters, as its GGUF metadata gives them.
type Config struct {
	Arch          string // general.architecture
	Name          string // general.name
	Layers        int
	Dim           int // width of the residual stream
	Heads         int // query heads
	KVHeads       int // key and value heads; Heads is a multiple of it
	KeyDim        int // values per query and key head
	ValueDim      int // values per value head
	FF            int // width of the feed-forward layer
	Vocab         int
	ContextLength int // tokens that the model was trained for
	NormEps       float32
	RoPE          RoPE
	Windows       []int // by layer: positions that a token attends to, itself included; 0, or no entry, is all
}

// architectures maps general.architecture to the function that writes the plan.
var architectures = map[string]func(b *plan.Builder, c *Config){
	"llama": llama,
}

// limit bounds every hyper-parameter, far above any real model, so that no
// product of a few of them overflows.
const limit = 1 << 24

// readConfig reads and checks the hyper-parameters from metadata. vocab is the number of
// tokens of its tokenizer.
func readConfig(f *gguf.Metadata, vocab int) (*Config, error) {
	r := reader{f: f}
	arch := r.text("general.architecture", "")
	if r.err == nil && architectures[arch] == nil {
		r.err = keyError(f, "general.architecture", fmt.Sprintf("architecture %q is not supported", arch), format.ErrUnsupported)
	}
	if r.err != nil {
		return nil, r.err
	}
	key := func(s string) string { return arch + "." + s }
	c := &Config{Arch: arch, Name: r.text("general.name", "")}
	c.Layers = r.int(key("block_count"), required)
	c.Dim = r.int(key("embedding_length"), required)
	c.FF = r.int(key("feed_forward_length"), required)
	c.ContextLength = r.int(key("context_length"), required)
	c.Heads = r.int(key("attention.head_count"), required)
	c.KVHeads = r.int(key("attention.head_count_kv"), c.Heads)
	headDim := 0
	if c.Heads > 0 {
		headDim = c.Dim / c.Heads
	}
	c.KeyDim = r.int(key("attention.key_length"), headDim)
	c.ValueDim = r.int(key("attention.value_length"), headDim)
	c.NormEps = float32(r.float(key("attention.layer_norm_rms_epsilon"), required))
	c.Vocab = vocab

	factor := "rope.scaling.factor"
	if old := "rope.scale_linear"; !r.has(key(factor)) && r.has(key(old)) {
		factor = old
	}
	c.RoPE = RoPE{
		Dim:        r.int(key("rope.dimension_count"), c.KeyDim),
		Base:       r.float(key("rope.freq_base"), 10000),
		Scaling:    r.text(key("rope.scaling.type"), "linear"),
		Factor:     r.float(key(factor), 1),
		ExtFactor:  r.float(key("rope.scaling.yarn_ext_factor"), 1),
		AttnFactor: r.float(key("rope.scaling.attn_factor"), 1),
		OrigCtx:    r.int(key("rope.scaling.original_context_length"), c.ContextLength),
		BetaFast:   r.float(key("rope.scaling.yarn_beta_fast"), 32),
		BetaSlow:   r.float(key("rope.scaling.yarn_beta_slow"), 1),
	}
	if r.err != nil {
		return nil, r.err
	}

	for _, check := range []struct {
		ok       bool
		key, why string
		kind     error
	}{
		{c.Dim%c.Heads == 0 || r.has(key("attention.key_length")), "attention.head_count", "does not divide embedding_length", format.ErrFormat},
		{c.Heads%c.KVHeads == 0, "attention.head_count_kv", "does not divide head_count", format.ErrFormat},
		{c.NormEps >= 0 && !math.IsInf(float64(c.NormEps), 0), "attention.layer_norm_rms_epsilon", "is not a small positive number", format.ErrFormat},
		{c.RoPE.Dim%2 == 0 && c.RoPE.Dim <= c.KeyDim, "rope.dimension_count", "is not an even number up to the head's width", format.ErrFormat},
		{c.RoPE.Base > 1, "rope.freq_base", "is not a number above 1", format.ErrFormat},
		{c.RoPE.Factor > 0, factor, "is not a positive number", format.ErrFormat},
		{c.RoPE.Scaling == "none" || c.RoPE.Scaling == "linear" || c.RoPE.Scaling == "yarn", "rope.scaling.type", "is none of none, linear, yarn", format.ErrUnsupported},
		{r.int(key("expert_count"), 0) == 0, "expert_count", "mixtures of experts are not supported", format.ErrUnsupported},
	} {
		if !check.ok {
			return nil, keyError(f, key(check.key), check.why, check.kind)
		}
	}
	return c, nil
}

// keyError is Metadata.KeyError for a fault of the given kind.
func keyError(f *gguf.Metadata, key, detail string, kind error) error {
	err := f.KeyError(key, detail)
	var e *format.Error
	if errors.As(err, &e) {
		e.Err = kind
	}
	return err
}

// required marks a key without a default.
const required = -1

// reader reads metadata keys and remembers the first error.
type reader struct {
	f   *gguf.Metadata
	err error
}

// int reads a positive integer, or 0 where that is the default; a list is
// accepted if all its entries are equal.
func (r *reader) int(key string, def int) int {
	var list []int64
	var err error
	if def == required {
		list, err = r.f.Ints(key)
	} else {
		list, err = gguf.Or(r.f.Ints, key, []int64{int64(def)})
	}
	if err == nil && len(list) == 0 {
		err = r.f.KeyError(key, "is an empty list")
	}
	for _, v := range list {
		if err == nil && v != list[0] {
			err = r.f.KeyError(key, "layers of different shape are not supported")
		}
		if err == nil && (v < 0 || v > limit || v == 0 && def != 0) {
			err = r.f.KeyError(key, fmt.Sprintf("is %d, want 1 to %d", v, limit))
		}
	}
	if err != nil {
		r.fail(err)
		return 1
	}
	return int(list[0])
}

func (r *reader) has(key string) bool {
	_, ok := r.f.Get(key)
	return ok
}

func (r *reader) float(key string, def float64) float64 {
	var v float64
	var err error
	if def == required {
		v, err = r.f.Float(key)
	} else {
		v, err = gguf.Or(r.f.Float, key, def)
	}
	if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
		err = r.f.KeyError(key, fmt.Sprintf("is %v, want a finite number", v))
	}
	if err != nil {
		r.fail(err)
	}
	return v
}

func (r *reader) text(key, def string) string {
	v, err := gguf.Or(r.f.String, key, def)
	if err != nil {
		r.fail(err)
	}
	return v
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}
