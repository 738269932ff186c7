package oracle_test

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/bench/peer/oracle"
	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/cortexsdr/cortex/internal/perplexity"
	"github.com/cortexsdr/cortex/internal/testmodel"
	"github.com/cortexsdr/cortex/loader"
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

// same fails the test unless a prompt is continued as the peer does. Where the
// texts part it says how clearly each of the engines chose.
func same(t *testing.T, m *cortex.Model, prompt []int32, want oracle.Continuation) {
	t.Helper()
	got := greedy(t, m, prompt)
	for i, id := range got {
		if other := want.IDs[i]; id != other {
			t.Errorf("after prompt %v, token %d: cortex says %d, by %.4f; llama.cpp says %d, by %.4f",
				prompt, i, id, lead(t, m, prompt, got[:i], id, other), other, want.Margins[i])
			return
		}
	}
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
		same(t, m, prompts[i], want)
	}
}

// Random models of every shape and type write what they write with llama.cpp.
//
// It is not so for any prompt. Where two tokens are nearly equally likely the
// last bits decide, and engines add in different orders. With quantized weights
// activations are rounded to 8 bits as well, and where a value lies on the edge
// between two of them the last bits decide there too: such a step is a thousandth
// of the logits' spread at first, but moves others over their edges in the products
// that follow, and ends at one or two hundredths. It happens about once in some
// hundred tokens, between two of llama.cpp's own kernels as well: there are texts that
// llama.cpp itself writes differently on another processor.
//
// So the prompts are the ones whose texts do not hang on rounding, by llama.cpp's
// own account and before cortex is asked (see clearest). Their texts must be the same
// to the last token.
func TestPeerGreedyRandomModels(t *testing.T) {
	if testing.Short() {
		t.Skip("continues some thousand texts")
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
		compareRandom(t, shapes[i%2], typ)
	}
}

// A comparison is how a type is compared.
type comparison struct {
	kv         cortex.KVType
	layers     int     // of the model; 0 leaves them as they are
	candidates int     // prompts to choose from
	copies     int     // of the model, in which the texts must be the same
	nudge      float64 // by how much the norms of the copies differ
}

// quantized is the comparison of types that do not have their own. A millionth is
// more than engines differ by before they round. Keys and values are in f32:
// llama.cpp's attention in f16 rounds queries and sums too, which moves values over
// edges all the time. Rounding ends at less in one layer than in two, which leaves
// enough clear texts; what layers have to do with each other does not depend on
// the type.
var quantized = comparison{kv: cortex.KVF32, layers: 1, candidates: 256, copies: 8, nudge: 1e-6}

var comparisons = map[string]comparison{
	// llama.cpp rounds activations to f16 or bf16, and those of attention, where cortex
	// does not. The nudge is about what that changes.
	"F32":  {kv: cortex.KVF16, candidates: 64, copies: 4, nudge: 0x1p-12},
	"F16":  {kv: cortex.KVF16, candidates: 64, copies: 4, nudge: 0x1p-12},
	"BF16": {kv: cortex.KVF32, layers: 1, candidates: 256, copies: 8, nudge: 0x1p-9},
}

// compared is the number of texts that are compared.
const compared = 8

func compareRandom(t *testing.T, c testmodel.Config, typ string) {
	t.Run(c.Name+"/"+typ, func(t *testing.T) {
		t.Parallel()
		c, err := c.WithType(typ)
		require.NoError(t, err)
		if r := c.Rope; r.Kind == testmodel.RopeYaRN {
			// llama.cpp reads the other parameters for some architectures only, and this is none of them.
			c.Rope = testmodel.RopeScaling{Kind: r.Kind, Factor: r.Factor, OriginalContext: r.OriginalContext}
		}
		how, ok := comparisons[typ]
		if !ok {
			how = quantized
		}
		if how.layers != 0 {
			c.Layers = how.layers
		}
		model := testmodel.Bytes(c)
		path := filepath.Join(t.TempDir(), "m.gguf")
		require.NoError(t, os.WriteFile(path, model, 0o600))
		m := open(t, path, how.kv)
		chosen := clearest(t, path, model, randomPrompts(m.Info().Vocab, how.candidates), how)
		require.Len(t, chosen, compared, "too few texts are clear: more candidates are needed")
		t.Logf("in any copy, tokens lead by %.3f or more", chosen[compared-1].lead)
		for _, c := range chosen {
			same(t, m, c.prompt, c.want)
		}
	})
}

// A candidate is a prompt and how llama.cpp continues it.
type candidate struct {
	prompt []int32
	want   oracle.Continuation
	lead   float32 // the smallest lead of a token of the text in any copy of the model
}

// clearest returns the prompts whose texts depend on rounding least.
//
// llama.cpp continues all of them, and those where its choices are clearest are
// continued again with copies of the model whose norms are a little larger or smaller,
// at random. So values cross the edges between two integers in every text, and what
// comes of it is seen. Prompts whose texts change are out; of the others a quarter
// is left out after each copy, those that came nearest to a change.
func clearest(t *testing.T, path string, model []byte, prompts [][]int32, how comparison) []candidate {
	all := make([]candidate, len(prompts))
	for i, want := range oracle.Greedy(t, path, prompts, continuation, how.kv.String()) {
		all[i] = candidate{prompts[i], want, slices.Min(want.Margins)}
	}
	keep := func(n int) {
		slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(b.lead, a.lead) })
		all = all[:min(n, len(all))]
	}
	keep(max(len(all)/4, compared))
	copied := filepath.Join(t.TempDir(), "copy.gguf")
	for i := range how.copies {
		require.NoError(t, os.WriteFile(copied, nudged(t, model, how.nudge, uint64(i)), 0o600))
		var left [][]int32
		for _, c := range all {
			left = append(left, c.prompt)
		}
		kept := all[:0]
		for i, got := range oracle.Greedy(t, copied, left, continuation, how.kv.String()) {
			if c := all[i]; slices.Equal(got.IDs, c.want.IDs) {
				c.lead = min(c.lead, slices.Min(got.Margins))
				kept = append(kept, c)
			}
		}
		if all = kept; len(all) < compared {
			break
		}
		keep(max(len(all)*3/4, compared*2))
	}
	keep(compared)
	return all
}

// nudged returns a copy of a GGUF file in which each weight of the norms is larger
// or smaller by a factor of 1 ± by.
func nudged(t *testing.T, model []byte, by float64, seed uint64) []byte {
	data := slices.Clone(model)
	f, err := gguf.Parse(gguf.Part{Name: "copy", Data: data})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(seed, 1))
	for _, tensor := range f.Tensors {
		if !strings.HasSuffix(tensor.Name, "norm.weight") {
			continue
		}
		require.Equal(t, format.F32, tensor.Type)
		for w := f.Data(tensor); len(w) > 0; w = w[4:] {
			v := math.Float32frombits(binary.LittleEndian.Uint32(w))
			v *= float32(1 + by*float64(1-2*r.IntN(2)))
			binary.LittleEndian.PutUint32(w, math.Float32bits(v))
		}
	}
	return data
}

// randomPrompts returns different prompts of 2 to 12 tokens. They are short
// because products of more vectors need not round activations to 8 bits. They do not
// begin alike, or a value on an edge at the beginning would be in all of them.
func randomPrompts(vocab, n int) [][]int32 {
	r := rand.New(rand.NewPCG(1, 2))
	prompts := make([][]int32, n)
	for i := range prompts {
		for range 2 + i%11 {
			prompts[i] = append(prompts[i], r.Int32N(int32(vocab)))
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

// Rounding activations to 8 bits moves a model's predictions away from those of the
// exact products of the same weights, decoded to float32, no further than
// llama.cpp's products do.
func TestPeerQuantizedKL(t *testing.T) {
	if testing.Short() {
		t.Skip("scores some thousand tokens with both")
	}
	oracle.Find(t)
	text, err := os.ReadFile(tales(t, "eval/the-wind-in-the-willows.txt"))
	require.NoError(t, err)
	const context, sequences = 384, 8
	for _, name := range []string{"tales-q8_0.gguf", "tales-q4_0.gguf", "tales-q4_k_m.gguf"} {
		t.Run(name, func(t *testing.T) {
			path := tales(t, name)
			exact, ours := open(t, decoded(t, path), cortex.KVF32), open(t, path, cortex.KVF16)
			all := ours.Tokenize(string(text), cortex.TokenizeOptions{})
			bos, ok := ours.BOS()
			require.True(t, ok)
			var us, them perplexity.Divergence
			for i := range sequences {
				ids := slices.Concat([]int32{bos}, all[i*len(all)/sequences:][:context])
				base, got, peers := logits(t, exact, ids), logits(t, ours, ids), oracle.Logits(t, path, ids)
				for j, next := range ids[1:] {
					want := logSoftmax(base[j])
					us.Add(got[j], want, next)
					them.Add(peers[j], want, next)
				}
			}
			a, b := us.Report(), them.Report()
			t.Logf("KL divergence from the exact products: %.4g ± %.1g, llama.cpp %.4g ± %.1g", a.KLD.Value, a.KLD.Error, b.KLD.Value, b.KLD.Error)
			require.Positive(t, a.KLD.Value)
			require.Less(t, a.KLD.Value, b.KLD.Value+3*b.KLD.Error, "three standard errors")
		})
	}
}

// logits returns a copy of the logits after each of the ids.
func logits(t *testing.T, m *cortex.Model, ids []int32) (rows [][]float32) {
	s, err := m.NewSession()
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Eval(t.Context(), ids, len(ids), func(_ int, row []float32) error {
		rows = append(rows, slices.Clone(row))
		return nil
	}))
	require.Len(t, rows, len(ids))
	return rows
}

// logSoftmax returns the logarithms of the probabilities.
func logSoftmax(logits []float32) []float32 {
	most, sum := slices.Max(logits), 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l - most))
	}
	out := make([]float32, len(logits))
	for i, l := range logits {
		out[i] = float32(float64(l-most) - math.Log(sum))
	}
	return out
}

// decoded writes a GGUF file's tensors as float32 to another, whose path it returns.
func decoded(t *testing.T, path string) string {
	src, err := loader.Open(path)
	require.NoError(t, err)
	defer src.Close()
	tensors := slices.Clone(src.Tensors)
	for i := range tensors {
		tensors[i].Type = format.F32
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "f32.gguf"))
	require.NoError(t, err)
	defer out.Close()
	w, err := gguf.NewWriter(out, src.KVs(), tensors)
	require.NoError(t, err)
	for _, from := range src.Tensors {
		values := make([]float32, from.Rows()*from.Shape[0])
		require.NoError(t, format.Dequantize(values, src.Data(from), from.Type))
		require.NoError(t, binary.Write(w, binary.LittleEndian, values))
	}
	require.NoError(t, w.Close())
	return out.Name()
}
