package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

// FromGGUF builds the tokenizer that the metadata of a GGUF file describe. Nothing of the file is needed afterwards.
func FromGGUF(f *gguf.Metadata) (*Tokenizer, error) {
	c, err := readConfig(f)
	if err != nil {
		return nil, err
	}
	t, err := New(c)
	if e := (*format.Error)(nil); errors.As(err, &e) {
		at := f.KeyError(e.Key, e.Detail).(*format.Error) // adds file and offset
		at.Err = e.Err
		return nil, at
	}
	return t, err
}

// readConfig reads the tokenizer.ggml.* keys.
func readConfig(f *gguf.Metadata) (c Config, err error) {
	if c.Model, err = f.String(keyModel); err != nil {
		return c, err
	}
	if c.Pre, err = gguf.Or(f.String, keyPre, ""); err != nil {
		return c, err
	}
	if c.Tokens, err = f.Strings(keyTokens); err != nil {
		return c, err
	}
	scores, err := gguf.Or(f.Floats, keyScores, nil)
	if err != nil {
		return c, err
	}
	if scores != nil {
		c.Scores = convert[float32](scores)
	}
	types, err := gguf.Or(f.Ints, keyTypes, nil)
	if err != nil {
		return c, err
	}
	for i, typ := range types {
		if typ < 0 || typ > math.MaxInt32 {
			return c, f.KeyError(keyTypes, fmt.Sprintf("token %d has type %d", i, typ))
		}
	}
	if types != nil {
		c.Types = convert[TokenType](types)
	}
	if c.Merges, err = gguf.Or(f.Strings, keyMerges, nil); err != nil {
		return c, err
	}

	c.IDs = map[Role]int32{}
	for r, role := range roles {
		id, err := f.Int(keyPrefix + role.key)
		switch {
		case errors.Is(err, format.ErrMissing):
			continue
		case err != nil:
			return c, err
		case id == -1 || id == math.MaxUint32: // the same, as writers store it
			id = int64(None)
		case id < 0 || id > math.MaxInt32:
			return c, f.KeyError(keyPrefix+role.key, fmt.Sprintf("there is no token %d", id))
		}
		c.IDs[Role(r)] = int32(id)
	}
	for key, flag := range map[string]**bool{keyAddBOS: &c.AddBOS, keyAddEOS: &c.AddEOS, keySpace: &c.AddSpacePrefix} {
		v, err := f.Bool(key)
		switch {
		case errors.Is(err, format.ErrMissing):
		case err != nil:
			return c, err
		default:
			*flag = &v
		}
	}

	if c.Pipeline, err = gguf.Or(f.String, keyPipeline, ""); err != nil || c.Pipeline != "" {
		return c, err
	}
	name, err := gguf.Or(f.String, "general.name", "")
	if err != nil {
		return c, err
	}
	if isPhi3(name) {
		c.RStrip = phi3RStrip(&c)
	}
	return c, nil
}

// isPhi3 reports whether a model's name is one of Phi-3.
func isPhi3(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "phi-3") || strings.Contains(name, "phi3")
}

func convert[To ~float32 | ~int32, From float64 | int64](in []From) []To {
	out := make([]To, len(in))
	for i, v := range in {
		out[i] = To(v)
	}
	return out
}

// phi3RStrip returns the tokens that swallow white space after them in Phi-3's vocabulary. GGUF has no key for it, so
// like llama.cpp this goes by the model's name.
func phi3RStrip(c *Config) (ids []int32) {
	for i, s := range c.Tokens {
		special := i < len(c.Types) && c.Types[i] >= Unknown && c.Types[i] <= UserDefined
		if s == "</s>" || special && s != "<unk>" && s != "<s>" && s != "<|endoftext|>" {
			ids = append(ids, int32(i))
		}
	}
	return ids
}
