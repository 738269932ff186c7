package tokenizer

import (
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format/gguf"
)

// BenchmarkEncode measures the speed of one core on English prose, on a megabyte of the same prose without its white space, and
// on a megabyte of one letter.
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

// TestLinearTime: a long text without a space takes no more time per byte than a short one, within a factor that is far from
// what a quadratic method would need.
func TestLinearTime(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	const short, long, most = 1 << 11, 1 << 17, 16
	rnd := rand.New(rand.NewPCG(3, 3))
	letters := make([]byte, long)
	for i := range letters {
		letters[i] = "thelowab"[rnd.IntN(8)]
	}
	for name, text := range map[string]string{
		"random": string(letters), "one letter": strings.Repeat("a", long), "two letters": strings.Repeat("ab", long/2),
		"spaces": strings.Repeat(" ", long), "line ends": strings.Repeat("\n", long), "digits": strings.Repeat("7", long),
		"quotes": strings.Repeat("'", long), "brackets": strings.Repeat("<", long), "tags": strings.Repeat("<tag>", long/5),
		"marks": strings.Repeat("\u0301", long/2), "unknown": strings.Repeat("二", long/3), "no UTF-8": strings.Repeat("\xe2", long),
	} {
		for _, pre := range []string{"gpt-2", "llama-bpe", "deepseek-llm", "deepseek-v3", "gpt-4o", "spm"} {
			c := byteLevel()
			if c.Pre = pre; pre == "spm" {
				c = sentencePiece()
			}
			tok := mustNew(t, c)
			perByte := func(s string) float64 {
				best := math.Inf(1)
				for range 3 {
					start := time.Now()
					tok.Encode(nil, s, EncodeOptions{ParseSpecial: true})
					best = min(best, time.Since(start).Seconds())
				}
				return best / float64(len(s))
			}
			require.Less(t, perByte(text), most*perByte(text[:short]), "%s, %s", name, pre)
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
				_, err := FromGGUF(f.Metadata)
				require.NoError(b, err)
			}
		})
	}
}
