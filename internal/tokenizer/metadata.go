package tokenizer

import (
	"math"

	"github.com/cortexsdr/cortex/format/gguf"
)

// Metadata returns the keys of a GGUF file from which [FromGGUF] builds the tokenizer that [New] builds of c.
func (c *Config) Metadata() []gguf.KV {
	meta := []gguf.KV{{Key: keyModel, Value: c.Model}}
	add := func(present bool, key string, value any) {
		if present {
			meta = append(meta, gguf.KV{Key: key, Value: value})
		}
	}
	add(c.Pre != "", keyPre, c.Pre)
	add(true, keyTokens, c.Tokens)
	add(c.Scores != nil, keyScores, c.Scores)
	add(c.Types != nil, keyTypes, convert32(c.Types))
	add(c.Merges != nil, keyMerges, c.Merges)
	for r, role := range roles {
		id, ok := c.IDs[Role(r)]
		n := uint32(id)
		if id == None {
			n = math.MaxUint32
		}
		add(ok, keyPrefix+role.key, n)
	}
	for _, f := range []struct {
		key  string
		flag *bool
	}{{keyAddBOS, c.AddBOS}, {keyAddEOS, c.AddEOS}, {keySpace, c.AddSpacePrefix}} {
		if f.flag != nil {
			add(true, f.key, *f.flag)
		}
	}
	add(c.Pipeline != "", keyPipeline, c.Pipeline)
	return meta
}

func convert32(types []TokenType) []int32 {
	out := make([]int32, len(types))
	for i, t := range types {
		out[i] = int32(t)
	}
	return out
}
