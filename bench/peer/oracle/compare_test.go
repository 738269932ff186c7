package oracle_test

import (
	"cmp"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/bench/peer/oracle"
	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/perplexity"
	"github.com/cortexsdr/cortex/internal/testmodel"
)

// tales returns the path of a file of the tales model.
func tales(t *testing.T, name string) string {
	path := filepath.Join("../../../../shared/models/tales", name)
	if _, err := os.Stat(path); os.IsNotExist(err) && os.Getenv("CORTEX_REQUIRE_SHARED") != "1" {
		t.Skipf("%s is not there", path)
	}
	return path
}

func open(t *testing.T, path string, kv cortex.KVType) *cortex.Model {
	m, err := cortex.Open(path, &cortex.Options{ContextLength: 512, KVType: kv, Threads: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// continuation is the number of tokens that texts are compared over.
const continuation = 64

// greedy continues a prompt as the oracle does.
func greedy(t *testing.T, m *cortex.Model, prompt []int32) (ids []int32) {
	s, err := m.NewSession()
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Eval(t.Context(), prompt, 0, nil))
	o := &cortex.GenerateOptions{MaxTokens: continuation, Sampling: &cortex.Sampling{}, IgnoreEnd: true}
	for tok, err := range s.Generate(t.Context(), "", o) {
		require.NoError(t, err)
		ids = append(ids, tok.ID)
	}
	require.Len(t, ids, continuation)
	return ids
}

// parting compares the continuation of a prompt with the peer's. Where they first
// differ it logs how clearly each of them chose; apart is the sum of the two, by
// which the engines must differ there at least.
func parting(t *testing.T, m *cortex.Model, prompt []int32, want oracle.Continuation) (apart float32, differ bool) {
	got := greedy(t, m, prompt)
	for i, id := range got {
		if other := want.IDs[i]; id != other {
			by := lead(t, m, prompt, got[:i], id, other)
			t.Logf("after a prompt of %d tokens, token %d: cortex says %d, by %.4f; llama.cpp says %d, by %.4f",
				len(prompt), i, id, by, other, want.Margins[i])
			return by + want.Margins[i], true
		}
	}
	return 0, false
}

// lead returns by how much the logit of token a is above that of b after a
// prompt and a text that was generated token by token.
func lead(t *testing.T, m *cortex.Model, prompt, text []int32, a, b int32) (d float32) {
	s, err := m.NewSession()
	require.NoError(t, err)
	defer s.Close()
	each := func(_ int, logits []float32) error {
		d = logits[a] - logits[b]
		return nil
	}
	require.NoError(t, s.Eval(t.Context(), prompt, 1, each))
	for i := range text {
		require.NoError(t, s.Eval(t.Context(), text[i:i+1], 1, each))
	}
	return d
}

// openings are beginnings of all kinds. The empty one is the model's own choice.
var openings = []string{
	"Once upon a time", "The fox said to the crow", "There was once a miller who had three sons",
	"", "The", "\"Who is there?\" asked", "In the middle of the forest stood a",
	"The king called his daughters and", "She opened the little door,", "A hundred years ago",
	"\n\nCHAPTER I\n\n", "It was a dark and", "1, 2, 3, 4,", "Tom and the cat went down to the river, where they",
	"'I will give you my golden ball,' said the princess, 'if you", "Über den Bergen", "Mr. Toad",
	"He never came back, and when the winter was over his mother took the old lantern from the wall, lit it, and went out into the snow to",
	"<|user|>\nTell me a story about a fox.<|end|>\n<|assistant|>\n", "THE END",
}

// A real model writes what it writes with llama.cpp.
func TestPeerGreedy(t *testing.T) {
	oracle.Find(t)
	path := tales(t, "tales-f16.gguf")
	m := open(t, path, cortex.KVF16)
	prompts := make([][]int32, len(openings))
	for i, text := range openings {
		prompts[i] = m.Tokenize(text, cortex.TokenizeOptions{AddSpecial: true, ParseSpecial: true})
	}
	require.Equal(t, oracle.Tokenize(t, path, openings, oracle.TokenizeOptions{AddSpecial: true, ParseSpecial: true}), prompts)
	for i, want := range oracle.Greedy(t, path, prompts, continuation, "f16") {
		_, differ := parting(t, m, prompts[i], want)
		require.False(t, differ, openings[i])
	}
}

// Random models of every shape and type write what they write with llama.cpp.
//
// It is not so for any prompt. Where two tokens are nearly equally likely the
// last bits decide, and engines add in different orders. So the prompts are the
// ones in whose texts llama.cpp's choice is clearest.
//
// With quantized weights that is not quite enough. Activations are rounded to 8
// bits, and where a value lies on the edge between two of them the last bits
// decide there too; such a step is a thousandth of the logits' spread at first,
// but moves others over their edges in the products that follow, and ends at one
// or two hundredths. It happens about once in some hundred tokens (between two of
// llama.cpp's own kernels as well), so some texts may part. Keys and values
// are in f32 there: llama.cpp's attention in f16 rounds queries and sums too,
// which moves values over edges all the time.
func TestPeerGreedyRandomModels(t *testing.T) {
	if testing.Short() {
		t.Skip("continues some hundred texts with both")
	}
	oracle.Find(t)
	shapes := testmodel.Tiny()
	for _, c := range shapes {
		compareRandom(t, c, "F16")
	}
	types := []string{"Q4_K_M"}
	for _, typ := range testmodel.Types() {
		if typ != format.F16 {
			types = append(types, typ.String())
		}
	}
	for i, typ := range types {
		compareRandom(t, shapes[i%2], typ) // the smallest ones, in which edges are met least
	}
}

const (
	candidates = 32 // prompts to choose from
	compared   = 8  // those with the clearest texts
)

// A likeness is how like llama.cpp's texts must be.
type likeness struct {
	kv    cortex.KVType
	part  int     // texts that may part
	apart float32 // by how much the engines may differ there, in the difference of two logits
}

var (
	equal   = likeness{cortex.KVF16, 0, 0}
	likely  = likeness{cortex.KVF32, compared / 2, 0.75}
	similar = likeness{cortex.KVF32, compared, 0.75}
)

// likenesses has the types for which it is not likely.
var likenesses = map[string]likeness{
	"F32":  equal,
	"F16":  equal,
	"BF16": similar, // llama.cpp rounds activations to bf16
	"Q4_1": similar, // llama.cpp rounds the sums of activations to f16
	"Q5_1": similar, // as Q4_1
}

func compareRandom(t *testing.T, c testmodel.Config, typ string) {
	t.Run(c.Name+"/"+typ, func(t *testing.T) {
		t.Parallel()
		c, err := c.WithType(typ)
		require.NoError(t, err)
		if r := c.Rope; r.Kind == testmodel.RopeYaRN {
			// llama.cpp reads the other parameters for some architectures only, and this is none of them.
			c.Rope = testmodel.RopeScaling{Kind: r.Kind, Factor: r.Factor, OriginalContext: r.OriginalContext}
		}
		like, ok := likenesses[typ]
		if !ok {
			like = likely
		}
		files, err := testmodel.WriteFiles(t.TempDir(), "m", c)
		require.NoError(t, err)
		m := open(t, files[0], like.kv)
		prompts := randomPrompts(m, candidates)
		want := oracle.Greedy(t, files[0], prompts, continuation, like.kv.String())
		order := make([]int, candidates)
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int {
			return cmp.Compare(slices.Min(want[b].Margins), slices.Min(want[a].Margins))
		})
		parted := 0
		for _, i := range order[:compared] {
			if apart, differ := parting(t, m, prompts[i], want[i]); differ {
				parted++
				require.LessOrEqual(t, apart, like.apart)
			}
		}
		require.LessOrEqual(t, parted, like.part, "texts that parted, of %d", compared)
	})
}

// randomPrompts returns different prompts of 1 to 12 tokens. They are short
// because products of more vectors need not round activations to 8 bits.
func randomPrompts(m *cortex.Model, n int) [][]int32 {
	r := rand.New(rand.NewPCG(1, 2))
	bos, _ := m.BOS()
	prompts := make([][]int32, n)
	for i := range prompts {
		prompts[i] = []int32{bos}
		for range min(i, 1+i%11) {
			prompts[i] = append(prompts[i], r.Int32N(int32(m.Info().Vocab)))
		}
	}
	return prompts
}

// A real model finds the same tokens as likely as llama.cpp does, but for
// rounding.
func TestPeerKL(t *testing.T) {
	if testing.Short() {
		t.Skip("scores some thousand tokens with both")
	}
	oracle.Find(t)
	const context, chunks = 512, 16
	path, text := tales(t, "tales-f16.gguf"), tales(t, "eval/the-wind-in-the-willows.txt")
	name := filepath.Join(t.TempDir(), "base")
	score := oracle.KLDBase(t, path, text, context, chunks, name)

	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	st, err := file.Stat()
	require.NoError(t, err)
	base, err := perplexity.NewBaseReader(file, name, st.Size())
	require.NoError(t, err)
	require.Equal(t, perplexity.Header{Context: context, Vocab: 4096, Chunks: chunks}, base.Header)

	m := open(t, path, cortex.KVF16)
	s, err := m.NewSession()
	require.NoError(t, err)
	bos, ok := m.BOS()
	require.True(t, ok)
	var d perplexity.Divergence
	for chunk := range slices.Chunk(base.Tokens, context) {
		s.Truncate(0)
		ids := slices.Concat([]int32{bos}, chunk[1:context-1])
		require.NoError(t, s.Eval(t.Context(), ids, perplexity.Scored(context), func(i int, logits []float32) error {
			want, err := base.Next()
			if err == nil {
				d.Add(logits, want, chunk[i+1])
			}
			return err
		}))
	}
	r := d.Report()
	t.Logf("KL divergence: mean %.3g, largest %.3g nats; same top token %.2f %%", r.KLD.Value, r.KLDMax, 100*r.SameTop.Value)
	require.Equal(t, score.Scored, r.Count)
	require.InEpsilon(t, score.Perplexity, r.PPL.Value, 2e-4)
	require.Less(t, r.KLD.Value, 1e-5)
}
