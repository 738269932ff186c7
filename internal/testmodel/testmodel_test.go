package testmodel

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

func parse(t testing.TB, data []byte) *gguf.File {
	f, err := gguf.Parse(gguf.Part{Name: "m.gguf", Data: data})
	require.NoError(t, err)
	return f
}

// variants returns every shape with one type, and every type and mix with one of the shapes.
func variants() []Config {
	var all []Config
	for _, c := range Tiny() {
		c.Type = format.Q8_0
		all = append(all, c)
	}
	for i, typ := range Types() {
		c := Tiny()[i%5]
		c.Name += "-" + typ.String()
		c.Type = typ
		all = append(all, c)
	}
	for i, mix := range []string{"Q4_K_M", "Q5_K_M"} {
		c := Tiny()[i]
		c.Name += "-" + mix
		c.Mix = mix
		all = append(all, c)
	}
	return all
}

// TestModels parses models of every shape and type, and decodes all their tensors.
func TestModels(t *testing.T) {
	for _, c := range variants() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			f := parse(t, Bytes(c))
			m, err := newModel(c)
			require.NoError(t, err)
			require.Len(t, f.Tensors, len(m.tensors))
			var total int64
			for i, want := range m.tensors {
				got := f.Tensors[i]
				total += got.Size
				require.Equal(t, want.Name, got.Name)
				require.Equal(t, want.Type, got.Type)
				require.Equal(t, want.Shape, got.Shape)
				if testing.Short() && strings.HasPrefix(got.Name, "blk.") && !strings.HasPrefix(got.Name, "blk.0.") {
					continue // the layers are alike
				}
				values := make([]float32, got.Rows()*got.Shape[0])
				require.NoError(t, format.Dequantize(values, f.Data(got), got.Type))
				if want.values != nil {
					require.Equal(t, want.values, values)
					continue
				}
				var sum, squares float64
				for _, v := range values {
					sum += float64(v)
					squares += (float64(v) - want.mean) * (float64(v) - want.mean)
				}
				n := float64(len(values))
				require.InDelta(t, want.mean, sum/n, want.std*5/math.Sqrt(n)+0.02*want.std, got.Name)
				std := want.std
				if want.perToken {
					var gains float64 // mean square
					for row := range got.Rows() {
						gain := rowGains[m.vocab.rowGain(row)]
						gains += gain * gain / float64(got.Rows())
					}
					std *= math.Sqrt(gains)
				}
				require.InEpsilon(t, std, math.Sqrt(squares/n), 2/math.Sqrt(n)+0.04, got.Name)
			}
			size, err := Size(c)
			require.NoError(t, err)
			require.Equal(t, total, size)
		})
	}
}

// TestMeta checks the keys that llama.cpp needs.
func TestMeta(t *testing.T) {
	f := parse(t, Bytes(Config{
		Layers: 3, Dim: 64, Heads: 4, KVHeads: 2, HeadDim: 32, FF: 96, Vocab: 300, Context: 77, Type: format.Q4_0, RMSEps: 1e-6, RopeTheta: 5000,
		Rope: RopeScaling{Kind: RopeYaRN, Factor: 4, OriginalContext: 99, AttnFactor: 0.5}, Pre: "gpt-2", Alignment: 64,
	}))
	text := map[string]string{}
	for _, key := range f.Keys() {
		v, _ := f.Get(key)
		text[key] = v.Type().String() + " " + v.String()
	}
	for key, want := range map[string]string{
		"general.architecture":                       `string "llama"`,
		"general.file_type":                          "uint32 2",
		"general.alignment":                          "uint32 64",
		"llama.block_count":                          "uint32 3",
		"llama.context_length":                       "uint32 77",
		"llama.embedding_length":                     "uint32 64",
		"llama.feed_forward_length":                  "uint32 96",
		"llama.attention.head_count":                 "uint32 4",
		"llama.attention.head_count_kv":              "uint32 2",
		"llama.attention.key_length":                 "uint32 32",
		"llama.attention.value_length":               "uint32 32",
		"llama.attention.layer_norm_rms_epsilon":     "float32 1e-06",
		"llama.rope.dimension_count":                 "uint32 32",
		"llama.rope.freq_base":                       "float32 5000",
		"llama.rope.scaling.type":                    `string "yarn"`,
		"llama.rope.scaling.factor":                  "float32 4",
		"llama.rope.scaling.original_context_length": "uint32 99",
		"llama.rope.scaling.yarn_attn_factor":        "float32 0.5",
		"llama.vocab_size":                           "uint32 300",
		"tokenizer.ggml.model":                       `string "gpt2"`,
		"tokenizer.ggml.pre":                         `string "gpt-2"`,
		"tokenizer.ggml.bos_token_id":                "uint32 298",
		"tokenizer.ggml.eos_token_id":                "uint32 299",
		"tokenizer.ggml.add_bos_token":               "bool true",
	} {
		require.Equal(t, want, text[key], key)
	}
	require.NotContains(t, text, "llama.rope.scaling.yarn_ext_factor")
	for _, tensor := range f.Tensors {
		require.Zero(t, tensor.Offset%64)
	}
}

// TestConvertedModel compares names, shapes, types and order with a real model that llama.cpp's tools have made.
func TestConvertedModel(t *testing.T) {
	for _, file := range []string{"tales-q4_k_m.gguf", "tales-f16.gguf"} {
		path := filepath.Join("..", "..", "..", "shared", "models", "tales", file)
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) && os.Getenv("CORTEX_REQUIRE_SHARED") != "1" {
			t.Skipf("%s is not there", path)
		}
		require.NoError(t, err)
		want := parse(t, data)
		c := Config{Layers: 6, Dim: 256, Heads: 4, KVHeads: 2, FF: 768, Vocab: 4096, Context: 512, Type: format.F16}
		if strings.Contains(file, "k_m") {
			c.Mix = "Q4_K_M"
		}
		got := parse(t, Bytes(c))
		show := func(f *gguf.File) (lines []string) {
			for _, t := range f.Tensors {
				lines = append(lines, fmt.Sprint(t.Name, t.Shape, t.Type))
			}
			slices.Sort(lines)
			return lines
		}
		require.Equal(t, show(want), show(got))
		for _, key := range want.Keys() {
			if strings.HasPrefix(key, "llama.") || key == "general.file_type" {
				w, _ := want.Get(key)
				g, ok := got.Get(key)
				require.True(t, ok, key)
				require.Equal(t, w.String(), g.String(), key)
			}
		}
	}
}

func TestMix(t *testing.T) {
	more := func(c Config) (layers []int) {
		c.Mix = "Q4_K_M"
		for i := range c.Layers {
			if c.typeOf("", ffnDown, i, 256) == format.Q6_K {
				layers = append(layers, i)
			}
		}
		return layers
	}
	require.Equal(t, []int{0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31}, more(Config{Layers: 32}))

	c := Config{Layers: 80, Heads: 64, KVHeads: 8, Mix: "Q4_K_M"}
	require.Equal(t, format.Q6_K, c.typeOf("", attnValue, 0, 8192))
	require.Equal(t, format.Q5_K, c.typeOf("", attnValue, 10, 8192))
	require.Equal(t, format.Q4_K, c.typeOf("", ffnDown, 10, 8192))
	require.Equal(t, format.Q4_K, c.typeOf("", plain, 0, 8192))
	require.Equal(t, format.Q6_K, c.typeOf("", outputMatrix, 0, 8192))
	require.Equal(t, format.Q8_0, c.typeOf("", outputMatrix, 0, 576))
	require.Equal(t, format.Q5_0, c.typeOf("", plain, 0, 576))
	c.TypeOf = func(name string) (format.Type, bool) { return format.BF16, name == "x" }
	require.Equal(t, format.BF16, c.typeOf("x", plain, 0, 8192))
	require.Equal(t, format.Q4_K, c.typeOf("y", plain, 0, 8192))

	c, err := c.WithType("q8_0")
	require.NoError(t, err)
	require.Equal(t, format.Q8_0, c.Type)
	require.Empty(t, c.Mix)
	c, err = c.WithType("Q5_K_M")
	require.NoError(t, err)
	require.Equal(t, "Q5_K_M", c.Mix)
	for _, name := range []string{"IQ1_S", "Q9", ""} {
		_, err = c.WithType(name)
		require.Error(t, err, name)
	}
}

func TestSeed(t *testing.T) {
	c := Tiny()[0]
	c.Type = format.Q4_K
	first := Bytes(c)
	require.True(t, bytes.Equal(first, Bytes(c)))
	c.Seed = 1
	a, b := parse(t, first), parse(t, Bytes(c))
	for i, t1 := range a.Tensors {
		require.False(t, bytes.Equal(a.Data(t1), b.Data(b.Tensors[i])), t1.Name)
	}
	// Rows differ too.
	embd, _ := a.Tensor("token_embd.weight")
	seen := map[string]bool{}
	for row := range embd.Rows() {
		seen[string(a.Data(embd)[row*embd.RowBytes():][:embd.RowBytes()])] = true
	}
	require.Len(t, seen, int(embd.Rows()))
}

// TestSameEverywhere holds the bytes of all types to what they were on the machine where the test was written.
func TestSameEverywhere(t *testing.T) {
	sum := fnv.New64a()
	for _, typ := range Types() {
		require.NoError(t, Write(sum, Config{Layers: 1, Dim: 256, Heads: 4, FF: 256, Vocab: 300, Type: typ, Tied: true}))
	}
	require.Equal(t, "885e4eb21343e31", fmt.Sprintf("%x", sum.Sum64()), "the generator has changed: figures of generated models are no longer comparable")
}

func TestSplits(t *testing.T) {
	c := Tiny()[0]
	c.Type = format.Q4_0
	c.Alignment = 128
	dir := t.TempDir()
	whole, err := WriteFiles(dir, "whole", c)
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(dir, "whole.gguf")}, whole)
	data, err := os.ReadFile(whole[0])
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, Bytes(c)))
	want := parse(t, data)

	for _, n := range []int{2, 3, len(want.Tensors)} {
		c.Splits = n
		paths, err := WriteFiles(dir, "split", c)
		require.NoError(t, err)
		require.Len(t, paths, n)
		var parts []gguf.Part
		for _, path := range paths {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			parts = append(parts, gguf.Part{Name: path, Data: data})
			if n == 2 {
				require.InEpsilon(t, want.Tensors[len(want.Tensors)-1].Offset/2, len(data), 0.4, "parts of unequal size")
			}
		}
		names, err := gguf.SplitNames(parts[0])
		require.NoError(t, err)
		require.Equal(t, paths, names)
		got, err := gguf.Parse(parts...)
		require.NoError(t, err)
		require.Len(t, got.Tensors, len(want.Tensors))
		for i, t1 := range want.Tensors {
			require.Equal(t, t1.Name, got.Tensors[i].Name)
			require.True(t, bytes.Equal(want.Data(t1), got.Data(got.Tensors[i])))
		}
		for _, key := range want.Keys() {
			_, ok := got.Get(key)
			require.True(t, ok, key)
		}
	}
}

func TestRefuses(t *testing.T) {
	good := Config{Layers: 2, Dim: 256, Heads: 4, FF: 512, Vocab: 300}
	tests := []struct {
		want   string
		change func(*Config)
	}{
		{"unknown architecture", func(c *Config) { c.Arch = "bloom" }},
		{"unknown mix", func(c *Config) { c.Mix = "Q4_K_XXL" }},
		{"Layers is 0", func(c *Config) { c.Layers = 0 }},
		{"Dim is -1", func(c *Config) { c.Dim = -1 }},
		{"Heads is 0", func(c *Config) { c.Heads = 0 }},
		{"FF is 0", func(c *Config) { c.FF = 0 }},
		{"Context is -1", func(c *Config) { c.Context = -1 }},
		{"share 3", func(c *Config) { c.KVHeads = 3 }},
		{"HeadDim 65 is odd", func(c *Config) { c.HeadDim = 65 }},
		{"unknown tokenizer", func(c *Config) { c.Tokenizer = "rwkv" }},
		{"at least 258", func(c *Config) { c.Vocab = 257 }},
		{"at least 286", func(c *Config) { c.Vocab = 285; c.Tokenizer = SPM }},
		{"Alignment 48", func(c *Config) { c.Alignment = 48 }},
		{"Alignment -32", func(c *Config) { c.Alignment = -32 }},
		{"needs a positive Factor", func(c *Config) { c.Rope.Kind = RopeLinear }},
		{"needs OriginalContext", func(c *Config) { c.Rope = RopeScaling{Kind: RopeLlama3, Factor: 2} }},
		{"unknown rope scaling", func(c *Config) { c.Rope.Kind = "longrope" }},
		{"tensor token_embd.weight: row length 96", func(c *Config) { c.Dim = 96; c.Type = format.Q4_K }},
		{"tensor blk.0.ffn_down.weight: row length 500", func(c *Config) { c.FF = 500; c.Type = format.Q8_0 }},
		{"tensor token_embd.weight: cannot make weights of type IQ1_S", func(c *Config) { c.Type = format.IQ1_S }},
		{"cannot be split into 99", func(c *Config) { c.Splits = 99 }},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			c := good
			test.change(&c)
			require.ErrorContains(t, Write(&bytes.Buffer{}, c), test.want)
			require.Panics(t, func() { Bytes(c) })
			_, err := WriteFiles(t.TempDir(), "m", c)
			require.ErrorContains(t, err, test.want)
			_, err = Size(c)
			require.ErrorContains(t, err, test.want)
		})
	}
	require.NoError(t, Write(&bytes.Buffer{}, good))
	_, err := WriteFiles(filepath.Join(t.TempDir(), "missing"), "m", good)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestPresets checks the shapes by the number of parameters that the models are known to have.
func TestPresets(t *testing.T) {
	for name, want := range map[string]int64{
		"135m": 134_515_008,
		"1b":   1_100_048_384,
		"8b":   8_030_261_248,
		"13b":  13_015_864_320,
		"70b":  70_553_706_496,
	} {
		c, ok := Presets[name]
		require.True(t, ok)
		bytes, err := Size(c)
		require.NoError(t, err)
		require.Equal(t, want, bytes/4, name)

		c.Mix = "Q4_K_M"
		_, err = Size(c)
		require.NoError(t, err, name)
	}
	require.Len(t, Presets, 5)
}

func TestLlama3Factors(t *testing.T) {
	// Llama 3.1: the frequencies whose waves are shorter than a quarter of the original context stay.
	f := llama3Factors(Config{HeadDim: 128, RopeTheta: 500000, Rope: RopeScaling{Factor: 8, LowFreq: 1, HighFreq: 4, OriginalContext: 8192}})
	require.Len(t, f, 64)
	require.True(t, slices.IsSorted(f))
	for i, v := range f {
		wave := 2 * math.Pi * math.Pow(500000, float64(i)/64)
		switch {
		case wave < 8192/4:
			require.EqualValues(t, 1, v)
		case wave > 8192:
			require.EqualValues(t, 8, v)
		default:
			require.Greater(t, v, float32(1))
			require.Less(t, v, float32(8))
		}
	}
}

func TestVocab(t *testing.T) {
	for _, kind := range []Tokenizer{BPE, SPM} {
		for _, n := range []int{kind.smallest(), 320, 333, 5000, 32000} {
			v := newVocab(kind, n, 3)
			require.Len(t, v.tokens, n)
			require.Len(t, v.types, n)
			require.Len(t, v.silent, n)
			id := map[string]int{}
			for i, token := range v.tokens {
				id[token] = i
			}
			require.Len(t, id, n, "tokens are not unique")
			require.Equal(t, controlToken, v.types[v.bos])
			require.Equal(t, controlToken, v.types[v.eos])
			require.True(t, v.silent[v.bos] && v.silent[v.eos] && !v.silent[id["a"]])

			first := 256
			if kind == SPM {
				first = SPM.smallest()
				require.Len(t, v.scores, n)
				require.Equal(t, "<0x0A>", v.tokens[3+'\n'])
			}
			for i, merge := range v.merges {
				a, b, ok := strings.Cut(merge, " ")
				require.True(t, ok)
				require.Equal(t, first+i, id[a+b])
				require.Less(t, id[a], first+i)
				require.Less(t, id[b], first+i)
			}
		}
	}
	require.Equal(t, "Ġ", byteChar(' '))
	require.Equal(t, "Ċ", byteChar('\n'))
	require.Equal(t, "ł", byteChar(0xa0))
	require.Equal(t, "Ń", byteChar(0xad))
	require.Equal(t, "ÿ", byteChar(0xff))
	require.Equal(t, "~", byteChar('~'))
	require.Equal(t, "ġ", byteChar(0x7f))
}
