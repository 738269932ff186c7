package tokenizer

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format/gguf"
)

// BenchmarkEncode measures the speed of one core on English prose, on the same prose without its white space repeated to a
// megabyte, and on a megabyte of one letter.
func BenchmarkEncode(b *testing.B) {
	data, err := os.ReadFile(shared(b, "models", "tales", "eval", "the-wind-in-the-willows.txt"))
	require.NoError(b, err)
	prose := string(data)
	unbroken := strings.Join(strings.Fields(prose), "")
	texts := []struct{ name, text string }{
		{"prose", prose},
		{"unbroken", strings.Repeat(unbroken, 1<<20/len(unbroken)+1)[:1<<20]},
		{"letter", strings.Repeat("a", 1<<20)},
	}
	files := map[string]string{"tales": shared(b, "models", "tales", "tales-q4_0.gguf")}
	for _, v := range vocabs {
		files[v] = vocabPath(b, v)
	}
	for _, v := range append([]string{"tales"}, vocabs...) {
		tok := open(b, files[v])
		for _, text := range texts {
			b.Run(v+"/"+text.name, func(b *testing.B) {
				ids := tok.Encode(nil, text.text, EncodeOptions{})
				b.SetBytes(int64(len(text.text)))
				b.ReportAllocs()
				for b.Loop() {
					ids = tok.Encode(ids[:0], text.text, EncodeOptions{})
				}
			})
		}
	}
}

// BenchmarkLoad measures the building of a tokenizer.
func BenchmarkLoad(b *testing.B) {
	for _, v := range vocabs {
		data, err := os.ReadFile(vocabPath(b, v))
		require.NoError(b, err)
		f, err := gguf.Parse(gguf.Part{Data: data})
		require.NoError(b, err)
		b.Run(v, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := FromGGUF(f)
				require.NoError(b, err)
			}
		})
	}
}
