package gguf_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

// sharedFile parses a file of the folder shared beside the repository.
func sharedFile(t *testing.T, path string) *gguf.File {
	t.Helper()
	path = filepath.Join("../../../shared", path)
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) && os.Getenv("CORTEX_REQUIRE_SHARED") != "1" {
		t.Skipf("%s is not there", path)
	}
	require.NoError(t, err)
	f, err := gguf.Parse(gguf.Part{Name: path, Data: data})
	require.NoError(t, err)
	return f
}

// values decodes a tensor.
func values(t *testing.T, f *gguf.File, tensor format.Tensor) []float32 {
	t.Helper()
	x := make([]float32, tensor.Rows()*tensor.Shape[0])
	require.NoError(t, format.Dequantize(x, f.Data(tensor), tensor.Type))
	return x
}

// The quantized files of a real model stand for the numbers of the float16 one: the relative error of each tensor
// (root of the mean squares) lies in a narrow range for each type, and the file that the quantizer wrote mixes types.
func TestQuantizedModels(t *testing.T) {
	expected := map[format.Type]struct{ least, most float64 }{
		format.F32:  {0, 0},
		format.Q8_0: {0.004, 0.007},
		format.Q6_K: {0.012, 0.025},
		format.Q4_K: {0.05, 0.08},
		format.Q4_0: {0.07, 0.11},
	}
	exact := sharedFile(t, "models/tales/tales-f16.gguf")
	require.Len(t, exact.Tensors, 57)
	for name, types := range map[string][]format.Type{
		"q8_0":   {format.F32, format.Q8_0},
		"q4_0":   {format.F32, format.Q4_0, format.Q6_K},
		"q4_k_m": {format.F32, format.Q4_K, format.Q6_K},
	} {
		t.Run(name, func(t *testing.T) {
			f := sharedFile(t, "models/tales/tales-"+name+".gguf")
			require.Len(t, f.Tensors, len(exact.Tensors))
			seen := map[format.Type]bool{}
			for _, tensor := range f.Tensors {
				seen[tensor.Type] = true
				reference, ok := exact.Tensor(tensor.Name)
				require.True(t, ok, tensor.Name)
				require.Equal(t, reference.Shape, tensor.Shape)
				want, got := values(t, exact, reference), values(t, f, tensor)
				var power, noise float64
				for i, x := range want {
					power += float64(x) * float64(x)
					d := float64(got[i]) - float64(x)
					noise += d * d
				}
				e := math.Sqrt(noise / power)
				bounds := expected[tensor.Type]
				require.GreaterOrEqual(t, e, bounds.least, "%s of %v", tensor.Name, tensor.Type)
				require.LessOrEqual(t, e, bounds.most, "%s of %v", tensor.Name, tensor.Type)
			}
			require.Len(t, seen, len(types))
			for _, typ := range types {
				require.True(t, seen[typ], "%v", typ)
			}
		})
	}
}

// A real vocabulary: as many tokens as their types, and the text of some.
func TestVocabulary(t *testing.T) {
	f := sharedFile(t, "vocab/ggml-vocab-llama-bpe.gguf")
	require.Empty(t, f.Tensors)
	tokens, err := f.Strings("tokenizer.ggml.tokens")
	require.NoError(t, err)
	types, err := f.Ints("tokenizer.ggml.token_type")
	require.NoError(t, err)
	require.Len(t, tokens, 128256)
	require.Len(t, types, 128256)
	require.Equal(t, "!", tokens[0])
	require.Equal(t, "<|begin_of_text|>", tokens[128000])
	merges, err := f.Strings("tokenizer.ggml.merges")
	require.NoError(t, err)
	require.Equal(t, "Ġ Ġ", merges[0])
}

// Opening a file of a large vocabulary reads its header once and copies none of its arrays.
func BenchmarkParse(b *testing.B) {
	path := "../../../shared/vocab/ggml-vocab-llama-bpe.gguf"
	data, err := os.ReadFile(path)
	if err != nil {
		b.Skip(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStrings(b *testing.B) {
	data, err := os.ReadFile("../../../shared/vocab/ggml-vocab-llama-bpe.gguf")
	if err != nil {
		b.Skip(err)
	}
	f, err := parse(data)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Strings("tokenizer.ggml.tokens"); err != nil {
			b.Fatal(err)
		}
	}
}
