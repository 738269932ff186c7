package testmodel

import (
	"fmt"
	"math"

	"github.com/cortexsdr/cortex/format"
)

// Config is the shape of a model. Fields whose comment names a default may be 0.
type Config struct {
	Name string // general.name; default "random"
	Arch string // default "llama", the only one so far

	Layers  int
	Dim     int // width of the residual stream
	Heads   int
	KVHeads int // default Heads
	HeadDim int // default Dim / Heads
	FF      int // width of the feed-forward part
	Vocab   int // number of tokens
	Context int // default 2048

	Tied     bool // the embedding is the output matrix too
	AttnBias bool // biases on query, key, value and attention output
	MLPBias  bool // biases on gate, up and down

	RMSEps    float64 // default 1e-5
	RopeTheta float64 // default 10000
	Rope      RopeScaling

	// Type is the type of all matrices; vectors are F32. Mix, if set, takes its place: the name of one of
	// llama.cpp's mixes, "Q4_K_M" or "Q5_K_M", in which some matrices have more bits than others, and rows
	// that are no multiple of 256 get a type with smaller blocks. TypeOf, if set, has the first say: it may
	// return another type for the tensor of a name, and true.
	Type   format.Type
	Mix    string
	TypeOf func(tensor string) (format.Type, bool)

	Tokenizer Tokenizer // default BPE
	Pre       string    // tokenizer.ggml.pre of a BPE vocabulary; default "llama-bpe"

	Seed      uint64
	Alignment int // of tensors, in bytes, a power of two; default that of GGUF, 32
	Splits    int // number of files for WriteFiles; default 1
}

// RopeScaling is a way to stretch the rotary embedding beyond the context of the training. Fields that are 0 are
// left out of the file, so that its reader's default holds.
type RopeScaling struct {
	Kind            RopeKind
	Factor          float64
	OriginalContext int // linear does not use it

	LowFreq, HighFreq     float64 // Llama3; defaults 1 and 4
	ExtFactor, AttnFactor float64 // YaRN
	BetaFast, BetaSlow    float64 // YaRN
}

// RopeKind names a kind of scaling.
type RopeKind string

// The kinds of scaling. Llama3 has no metadata: its factors, one for each pair of dimensions, are the tensor
// rope_freqs.weight.
const (
	RopeNone   RopeKind = ""
	RopeLinear RopeKind = "linear"
	RopeLlama3 RopeKind = "llama3"
	RopeYaRN   RopeKind = "yarn"
)

// Types returns the types that matrices of a generated file can have, in the order of their numbers.
func Types() []format.Type {
	var types []format.Type
	for t := format.F32; t <= format.MXFP4; t++ {
		if _, ok := coders[t]; ok {
			types = append(types, t)
		}
	}
	return types
}

// WithType returns c with Type or Mix set by name: ggml's name of a type, or one of the mixes.
func (c Config) WithType(name string) (Config, error) {
	if _, ok := mixes[name]; ok {
		c.Mix = name
		return c, nil
	}
	t, err := format.ParseType(name)
	if err != nil {
		return c, err
	}
	if _, ok := coders[t]; !ok {
		return c, fmt.Errorf("testmodel: cannot make weights of type %v", t)
	}
	c.Type, c.Mix = t, ""
	return c, nil
}

func setDefault[T comparable](p *T, def T) {
	var zero T
	if *p == zero {
		*p = def
	}
}

// complete fills in the defaults and checks the rest.
func (c Config) complete() (Config, error) {
	setDefault(&c.Name, "random")
	setDefault(&c.Arch, "llama")
	setDefault(&c.KVHeads, c.Heads)
	if c.Heads > 0 {
		setDefault(&c.HeadDim, c.Dim/c.Heads)
	}
	setDefault(&c.Context, 2048)
	setDefault(&c.RMSEps, 1e-5)
	setDefault(&c.RopeTheta, 10000)
	setDefault(&c.Rope.LowFreq, 1)
	setDefault(&c.Rope.HighFreq, 4)
	setDefault(&c.Tokenizer, BPE)
	setDefault(&c.Pre, "llama-bpe")
	setDefault(&c.Splits, 1)

	for _, f := range []struct {
		name  string
		value int
	}{
		{"Layers", c.Layers}, {"Dim", c.Dim}, {"Heads", c.Heads}, {"KVHeads", c.KVHeads}, {"HeadDim", c.HeadDim},
		{"FF", c.FF}, {"Vocab", c.Vocab}, {"Context", c.Context}, {"Splits", c.Splits},
	} {
		if f.value <= 0 || f.value > math.MaxInt32 {
			return c, fmt.Errorf("testmodel: %s is %d, want a positive 32-bit number", f.name, f.value)
		}
	}
	least := c.Tokenizer.smallest()
	_, knownArch := archs[c.Arch]
	_, knownMix := mixes[c.Mix]
	switch {
	case !knownArch:
		return c, fmt.Errorf("testmodel: unknown architecture %q", c.Arch)
	case c.Mix != "" && !knownMix:
		return c, fmt.Errorf("testmodel: unknown mix %q", c.Mix)
	case c.Heads%c.KVHeads != 0:
		return c, fmt.Errorf("testmodel: %d heads cannot share %d key-value heads evenly", c.Heads, c.KVHeads)
	case c.HeadDim%2 != 0:
		return c, fmt.Errorf("testmodel: HeadDim %d is odd, but the rotary embedding turns pairs", c.HeadDim)
	case least == 0:
		return c, fmt.Errorf("testmodel: unknown tokenizer %q", c.Tokenizer)
	case c.Vocab < least:
		return c, fmt.Errorf("testmodel: Vocab %d is too small, a %s vocabulary has at least %d tokens", c.Vocab, c.Tokenizer, least)
	case c.Alignment < 0 || c.Alignment&(c.Alignment-1) != 0 || c.Alignment > math.MaxInt32:
		return c, fmt.Errorf("testmodel: Alignment %d is not a power of two", c.Alignment)
	}
	switch k := c.Rope.Kind; k {
	case RopeNone:
	case RopeLinear, RopeLlama3, RopeYaRN:
		if c.Rope.Factor <= 0 {
			return c, fmt.Errorf("testmodel: rope scaling %s needs a positive Factor", k)
		}
		if k != RopeLinear && c.Rope.OriginalContext <= 0 {
			return c, fmt.Errorf("testmodel: rope scaling %s needs OriginalContext", k)
		}
	default:
		return c, fmt.Errorf("testmodel: unknown rope scaling %q", k)
	}
	return c, nil
}

// A mix is one of llama.cpp's file types that use several tensor types.
type mix struct {
	fileType uint32
	base     format.Type
	more     format.Type // of the output matrix, and of attn_v and ffn_down in the layers that moreBits names
}

var mixes = map[string]mix{
	"Q4_K_M": {fileType: 15, base: format.Q4_K, more: format.Q6_K},
	"Q5_K_M": {fileType: 17, base: format.Q5_K, more: format.Q6_K},
}

// smaller is the type that llama.cpp's quantizer takes for rows that are no multiple of the first one's block.
var smaller = map[format.Type]format.Type{
	format.Q4_K: format.Q5_0,
	format.Q5_K: format.Q5_1,
	format.Q6_K: format.Q8_0,
}

// moreBits tells whether a layer's sensitive matrices get more bits: in the first and last eighth of the
// layers, and in every third one between.
func moreBits(layer, layers int) bool {
	eighth := layers / 8
	return layer < eighth || layer >= 7*layers/8 || (layer-eighth)%3 == 2
}

// fileType returns llama.cpp's number for the file's main type.
func (c Config) fileType() uint32 {
	if m, ok := mixes[c.Mix]; ok {
		return m.fileType
	}
	return coders[c.Type].fileType
}

// role says how a mix treats a matrix.
type role int

const (
	plain     role = iota
	attnValue      // attn_v
	ffnDown
	outputMatrix // or an embedding that is the output matrix too
)

// typeOf returns the type of a matrix with the given row length.
func (c Config) typeOf(name string, r role, layer, row int) format.Type {
	if c.TypeOf != nil {
		if t, ok := c.TypeOf(name); ok {
			return t
		}
	}
	m, ok := mixes[c.Mix]
	if !ok {
		return c.Type
	}
	t := m.base
	switch {
	case r == outputMatrix, (r == attnValue || r == ffnDown) && moreBits(layer, c.Layers):
		t = m.more
	case r == attnValue && t == format.Q4_K && c.Layers == 80 && c.KVHeads < c.Heads:
		t = format.Q5_K // 70B models: 8 heads share attn_v, so more bits cost little
	}
	if row%t.BlockSize() != 0 {
		t = smaller[t]
	}
	return t
}
