package cortex_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/examples/tales"
	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/cortexsdr/cortex/internal/testmodel"
)

// refrain is a text that goes on as it began.
const refrain = "The fox said to the crow: give me the cheese. The crow said to the fox: I will not give you the cheese. " +
	"The fox said to the crow: give me the cheese. The crow said to the fox: I will not give you the cheese. The fox said"

// talesFile writes the built-in model to a file.
func talesFile(t testing.TB) string {
	path := filepath.Join(t.TempDir(), "tales.gguf")
	require.NoError(t, os.WriteFile(path, tales.GGUF, 0o600))
	return path
}

// A pair is a session that drafts and one that does not, which are to be the same
// whatever is done with them.
type pair [2]*cortex.Session

// do does the same with both and compares what came of it.
func (p pair) do(t require.TestingT, what string, f func(*cortex.Session) any) {
	want := f(p[0])
	require.Equal(t, want, f(p[1]), what)
	require.Equal(t, p[0].Tokens(), p[1].Tokens(), what)
	require.Equal(t, p[0].StopReason(), p[1].StopReason(), what)
	var saved [2]bytes.Buffer
	for i, s := range p {
		require.NoError(t, s.Save(&saved[i]))
	}
	require.Equal(t, saved[0].Len(), saved[1].Len(), "%s: as much is computed", what)
	require.Equal(t, saved[0].Bytes()[:48+4*p[0].Len()], saved[1].Bytes()[:48+4*p[1].Len()], what)
}

// Sessions that draft say the same as those that do not, under every way of
// drawing tokens, wherever generations end, and whatever is done in between or
// from inside the loop over the tokens.
func TestDraftsChangeNothing(t *testing.T) {
	draft := talesFile(t)
	types := []cortex.KVType{cortex.KVF16, cortex.KVF32, cortex.KVQ8, cortex.KVQ4}
	models := map[string][]*cortex.Model{} // by where drafts come from, and KV type
	for _, typ := range types {
		for _, from := range []string{"nowhere", "text", "model"} {
			o := cortex.Options{KVType: typ, ContextLength: 200, Threads: 2, Speculate: cortex.MaxSpeculate}
			switch from {
			case "nowhere":
				o.Speculate, o.Threads = -1, 1
			case "model":
				o.Speculate, o.Draft = 5, draft
			}
			models[from] = append(models[from], openTales(t, &o))
		}
	}
	for _, from := range []string{"text", "model"} {
		rapid.Check(t, func(t *rapid.T) {
			typ := rapid.SampledFrom(types).Draw(t, "KV type")
			var p pair
			for i, m := range []*cortex.Model{models["nowhere"][typ], models[from][typ]} {
				var err error
				p[i], err = m.NewSession()
				require.NoError(t, err)
				defer func() { require.NoError(t, p[i].Close()) }()
			}
			for range rapid.IntRange(1, 4).Draw(t, "steps") {
				step(t, p)
			}
		})
	}
	for from, list := range models {
		var st cortex.Stats
		for _, m := range list {
			one := m.Stats()
			st.GeneratedTokens += one.GeneratedTokens
			st.GeneratePasses += one.GeneratePasses
			st.DraftedTokens += one.DraftedTokens
			st.AcceptedTokens += one.AcceptedTokens
		}
		if from == "nowhere" {
			require.Equal(t, st.GeneratePasses, st.GeneratedTokens)
			require.Zero(t, st.DraftedTokens)
			continue
		}
		require.Positive(t, st.AcceptedTokens, from) // how many there are depends on how fast passes are
		require.Greater(t, st.DraftedTokens, st.AcceptedTokens, "some were wrong")
		require.Less(t, st.GeneratePasses, st.GeneratedTokens)
	}
}

// step does something with both sessions of a pair.
func step(t *rapid.T, p pair) {
	n := p[0].Len()
	cut := 0
	if n > 0 {
		cut = rapid.IntRange(0, n-1).Draw(t, "cut")
	}
	eval := []int32{5, 6, 7}[:rapid.IntRange(1, 3).Draw(t, "evaluated")]
	evaluate := func(s *cortex.Session) any {
		var logits [][]float32
		err := s.Eval(ctx, eval, 1, func(_ int, l []float32) error {
			logits = append(logits, slices.Clone(l))
			return nil
		})
		return []any{logits, err == nil}
	}
	truncate := func(s *cortex.Session) any { s.Truncate(cut); return nil }
	restore := func(s *cortex.Session) any {
		var saved bytes.Buffer
		require.NoError(t, s.Save(&saved))
		require.NoError(t, s.Restore(&saved))
		return nil
	}
	tell := func(s *cortex.Session) any { // a generation inside another
		var text string
		for tok, err := range s.Generate(ctx, " and", greedy(3)) {
			text += tok.Text + fmt.Sprint(err != nil)
		}
		return text
	}
	inside := map[string]func(*cortex.Session) any{"truncate": truncate, "evaluate": evaluate, "restore": restore, "generate": tell}
	switch rapid.SampledFrom([]string{"generate", "generate", "generate", "generate", "truncate", "evaluate", "restore"}).Draw(t, "step") {
	case "truncate":
		p.do(t, "truncate", truncate)
		return
	case "evaluate":
		p.do(t, "evaluate", evaluate)
		return
	case "restore":
		p.do(t, "restore", restore)
		return
	}

	o := cortex.GenerateOptions{
		MaxTokens: rapid.SampledFrom([]int{0, 1, 2, 7, 30, 60}).Draw(t, "most"),
		IgnoreEnd: rapid.Bool().Draw(t, "ignore the end"),
		Stop:      rapid.SampledFrom([][]string{nil, nil, {"crow"}, {"not give", "e."}}).Draw(t, "stop"),
		Sampling: rapid.SampledFrom([]*cortex.Sampling{
			{},
			{},
			{Temperature: 0.1},
			{Temperature: 0.5, TopK: 5, Seed: 3},
			{Temperature: 0.8, TopP: 0.9, MinP: 0.05, RepeatPenalty: 1.05},
			{RepeatPenalty: 1.1, RepeatLastN: 20, FrequencyPenalty: 0.01, LogitBias: map[int32]float32{20: float32(math.Inf(-1))}},
			{Temperature: 0.3, TypicalP: 0.9},
		}).Draw(t, "sampling"),
	}
	if sampling := *o.Sampling; sampling.Seed == 0 {
		sampling.Seed = rapid.Uint64Range(1, 1000).Draw(t, "seed")
		o.Sampling = &sampling
	}
	prompt := rapid.SampledFrom([]string{refrain, refrain, " The fox", "", "<|user|>\n"}).Draw(t, "prompt")
	if n == 0 && prompt == "" {
		prompt = refrain
	}
	at := rapid.SampledFrom([]int{0, 0, 0, 1, 2, 5, 20}).Draw(t, "token at which something happens") // 0 is none
	what := rapid.SampledFrom([]string{"break", "cancel", "save", "truncate", "evaluate", "restore", "generate"}).Draw(t, "what")
	p.do(t, "generate", func(s *cortex.Session) any {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var text strings.Builder
		var ids []int32
		for tok, err := range s.Generate(ctx, prompt, &o) {
			ids = append(ids, tok.ID)
			fmt.Fprint(&text, tok.Text, err)
			if err == nil && tok.ID >= 0 {
				all := s.Tokens()
				require.Equal(t, tok.ID, all[len(all)-1], "what was yielded is all there is")
			}
			if len(ids) != at || err != nil {
				continue
			}
			switch what {
			case "break":
				return []any{text.String(), ids}
			case "cancel":
				cancel()
			case "save":
				var saved bytes.Buffer
				require.NoError(t, s.Save(&saved))
				ids = append(ids, int32(saved.Len()))
			default:
				fmt.Fprint(&text, inside[what](s))
			}
		}
		return []any{text.String(), ids}
	})
}

// A model that is streamed drafts by itself, reads less for it, and says the same.
func TestStreamedModelDrafts(t *testing.T) {
	path := talesFile(t)
	o := cortex.Options{Threads: 2, ContextLength: 512, BatchSize: 32}
	o.MemoryLimit = least(t, path, o) + 1<<20
	run := func(speculate int) (text string, st cortex.Stats, p cortex.Plan) {
		o.Speculate = speculate
		m, err := cortex.Open(path, &o)
		require.NoError(t, err)
		defer func() { require.NoError(t, m.Close()) }()
		require.True(t, m.Plan().Streamed)
		text, _ = collect(t, newSession(t, m), refrain, greedy(300))
		return text, m.Stats(), m.Plan()
	}
	want, plain, _ := run(-1)
	got, drafted, p := run(0)
	require.Equal(t, want, got)
	require.Equal(t, cortex.MaxSpeculate, p.DraftTokens)
	require.Equal(t, plain.GeneratedTokens, drafted.GeneratedTokens)
	require.LessOrEqual(t, drafted.MemoryPeak, o.MemoryLimit)
	require.Less(t, drafted.GeneratePasses, drafted.GeneratedTokens/2)
	require.Greater(t, drafted.TokensPerPass(), 2.0)
	require.Greater(t, drafted.AcceptanceRate(), 0.2)
	require.Less(t, drafted.BytesStreamed, plain.BytesStreamed*6/10)
	require.Less(t, drafted.BytesRead, plain.BytesRead*6/10)

	// One that is mapped does not.
	o.MemoryLimit, o.Speculate = 1<<30, 0
	_, p, err := cortex.Inspect(path, &o)
	require.NoError(t, err)
	require.Zero(t, p.DraftTokens)
	// What drafting takes is part of the plan.
	before := p.Total()
	o.Speculate = 3
	_, p, err = cortex.Inspect(path, &o)
	require.NoError(t, err)
	require.Equal(t, 3, p.DraftTokens)
	require.GreaterOrEqual(t, p.Total(), before+3*4*4096)
	// No more are drafted than fit into a batch.
	o.BatchSize, o.Speculate = 2, 14
	_, p, err = cortex.Inspect(path, &o)
	require.NoError(t, err)
	require.Equal(t, 1, p.DraftTokens)

	o.Speculate = cortex.MaxSpeculate + 1
	_, err = cortex.Open(path, &o)
	require.ErrorIs(t, err, cortex.ErrOptions)
}

// A model that drafts for itself is nearly always right, and drawing the same
// random numbers it is so even where many tokens are likely.
func TestDraftModel(t *testing.T) {
	path := talesFile(t)
	for _, temperature := range []float64{0, 1} {
		o := cortex.Options{ContextLength: 256, Threads: 2, Speculate: -1}
		generate := func() (string, cortex.Stats) {
			m, err := cortex.Open(path, &o)
			require.NoError(t, err)
			defer func() { require.NoError(t, m.Close()) }()
			s := newSession(t, m)
			text, _ := collect(t, s, "Once", &cortex.GenerateOptions{MaxTokens: 100, IgnoreEnd: true,
				Sampling: &cortex.Sampling{Temperature: temperature, Seed: 7}})
			more, _ := collect(t, s, " The wolf", greedy(100))
			return text + more, m.Stats()
		}
		want, _ := generate()
		o.Draft, o.Speculate = path, 0
		got, st := generate()
		require.Equal(t, want, got)
		require.Positive(t, st.DraftedTokens)
		require.Greater(t, st.AcceptanceRate(), 0.25, "some were drafted from the text")
	}

	// It counts against the limit.
	o := cortex.Options{ContextLength: 256, Threads: 2, MemoryLimit: 1 << 30}
	_, p, err := cortex.Inspect(path, &o)
	require.NoError(t, err)
	o.Draft = path
	_, with, err := cortex.Inspect(path, &o)
	require.NoError(t, err)
	require.Greater(t, with.Total(), p.Total()+int64(len(tales.GGUF)*9/10))
	require.Contains(t, with.String(), "draft model")
	var e *cortex.MemoryError
	o.MemoryLimit = least(t, path, o) - 1
	_, err = cortex.Open(path, &o)
	require.ErrorAs(t, err, &e)
	o.MemoryLimit = e.Need
	require.Greater(t, e.Need, 2*int64(len(tales.GGUF)))
	m, err := cortex.Open(path, &o)
	require.NoError(t, err)
	require.NoError(t, m.Close())

	// It must have the same tokens.
	write := func(vocab int, kind testmodel.Tokenizer) string {
		paths, err := testmodel.WriteFiles(t.TempDir(), "draft", testmodel.Config{Layers: 1, Dim: 64, Heads: 1, FF: 64, Vocab: vocab,
			Tokenizer: kind, Type: format.Q8_0})
		require.NoError(t, err)
		return paths[0]
	}
	large := write(1000, testmodel.SPM)
	for _, c := range []struct {
		draft  string
		detail string
	}{{write(1000, testmodel.BPE), "of kind"}, {write(500, testmodel.SPM), "token "}} {
		o.Draft = c.draft
		_, err = cortex.Open(large, &o)
		require.ErrorIs(t, err, cortex.ErrVocabulary)
		var e *cortex.VocabularyError
		require.ErrorAs(t, err, &e)
		require.Equal(t, c.draft, e.File)
		require.Contains(t, e.Detail, c.detail)
		_, _, err = cortex.Inspect(large, &o)
		require.ErrorIs(t, err, cortex.ErrVocabulary)
	}
	o.Draft = filepath.Join(t.TempDir(), "none.gguf")
	_, err = cortex.Open(path, &o)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Sessions that draft share the model, and the draft model.
// writeFirst writes a model to a file, with the first tokens of its vocabulary only.
func writeFirst(t *testing.T, m *testmodel.Model, tokens int64) string {
	meta := m.Metadata()
	for i, kv := range meta {
		switch v := kv.Value.(type) {
		case []string:
			meta[i].Value = v[:min(tokens, int64(len(v)))]
		case []float32:
			meta[i].Value = v[:min(tokens, int64(len(v)))]
		case []int32:
			meta[i].Value = v[:min(tokens, int64(len(v)))]
		}
		if strings.HasSuffix(kv.Key, ".vocab_size") {
			meta[i].Value = uint32(tokens)
		}
	}
	tensors := m.Tensors()
	for i, x := range tensors {
		if x.Name == "token_embd.weight" || x.Name == "output.weight" {
			tensors[i].Shape = []int64{x.Shape[0], tokens}
			tensors[i].Size = tokens * x.RowBytes()
		}
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	f, err := os.Create(path)
	require.NoError(t, err)
	w, err := gguf.NewWriter(f, meta, tensors)
	require.NoError(t, err)
	for _, x := range w.Tensors() {
		b := make([]byte, x.Size)
		require.NoError(t, m.ReadRows(x, 0, int(x.Rows()), b))
		_, err := w.Write(b)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, f.Close())
	return path
}

// A draft model may lack the last tokens of the vocabulary. Where the text has one of them, it drafts nothing.
func TestDraftModelWithFewerTokens(t *testing.T) {
	m, err := testmodel.New(testmodel.Config{Layers: 1, Dim: 64, Heads: 1, FF: 64, Vocab: 1000, Tokenizer: testmodel.SPM, Type: format.F16})
	require.NoError(t, err)
	path, draft := writeFirst(t, m, 1000), writeFirst(t, m, 400)
	generate := func(o cortex.Options) ([]int32, cortex.Stats) {
		o.ContextLength, o.Threads = 256, 2
		m, err := cortex.Open(path, &o)
		require.NoError(t, err)
		defer func() { require.NoError(t, m.Close()) }()
		_, ids := collect(t, newSession(t, m), "a", &cortex.GenerateOptions{MaxTokens: 60, IgnoreEnd: true, Sampling: &cortex.Sampling{Temperature: 1, Seed: 3}})
		return ids, m.Stats()
	}
	want, _ := generate(cortex.Options{Speculate: -1})
	require.GreaterOrEqual(t, slices.Max(want), int32(400))
	got, st := generate(cortex.Options{Draft: draft})
	require.Equal(t, want, got)
	require.Positive(t, st.DraftedTokens)
}

func TestSessionsDraftTogether(t *testing.T) {
	o := cortex.Options{ContextLength: 256, Threads: 2, Speculate: -1}
	_, want := collect(t, newSession(t, openTales(t, &o)), refrain, greedy(60))
	o.Speculate, o.Draft, o.Sessions = 0, talesFile(t), 3
	m := openTales(t, &o)
	var wait sync.WaitGroup
	got := make([][]int32, o.Sessions)
	for i := range got {
		wait.Go(func() {
			for tok, err := range m.Generate(ctx, refrain, greedy(60)) {
				if err != nil {
					t.Error(err)
				}
				got[i] = append(got[i], tok.ID)
			}
		})
	}
	wait.Wait()
	for _, ids := range got {
		require.Equal(t, want, ids)
	}
}

// What was drafted in vain leaves nothing in keys and values that lie in a file.
func TestDraftsWithKeysInAFile(t *testing.T) {
	o := cortex.Options{ContextLength: 1024, Threads: 2, Speculate: -1}
	prompt := strings.Repeat(refrain+" ", 4)
	_, want := collect(t, newSession(t, openTales(t, &o)), prompt, greedy(400))
	o.Speculate, o.KVMemory, o.SpillDir = cortex.MaxSpeculate, 1, t.TempDir()
	m := openTales(t, &o)
	s := newSession(t, m)
	_, got := collect(t, s, prompt, greedy(400))
	require.Equal(t, want, got)
	st := m.Stats()
	require.Positive(t, st.AcceptedTokens)
	require.Greater(t, st.DraftedTokens, st.AcceptedTokens)
}

// Once there is room for everything, a token takes no memory from the heap but for
// its text, drafted or not.
func TestDraftsDoNotAllocate(t *testing.T) {
	allocations := func(o cortex.Options) float64 {
		m := openTales(t, &o)
		s := newSession(t, m)
		perRun := func(tokens int) float64 {
			return testing.AllocsPerRun(3, func() {
				s.Truncate(0)
				for _, err := range s.Generate(ctx, refrain, greedy(tokens)) {
					require.NoError(t, err)
				}
			})
		}
		perRun(300) // fills what is kept
		few := perRun(20)
		return (perRun(220) - few) / 200
	}
	o := cortex.Options{Threads: 2, ContextLength: 512, Speculate: -1}
	plain := allocations(o)
	o.Speculate = cortex.MaxSpeculate
	require.InDelta(t, plain, allocations(o), 0.05)
	o.Draft = talesFile(t)
	require.InDelta(t, plain, allocations(o), 0.05)
}

// Whole generations of a text that repeats itself, with and without drafts.
func BenchmarkDrafts(b *testing.B) {
	for name, speculate := range map[string]int{"plain": -1, "drafts": cortex.MaxSpeculate} {
		b.Run(name, func(b *testing.B) {
			s := newSession(b, openTales(b, &cortex.Options{ContextLength: 512, Speculate: speculate}))
			o := greedy(200)
			b.ReportAllocs()
			for b.Loop() {
				s.Truncate(0)
				for _, err := range s.Generate(ctx, refrain, o) {
					require.NoError(b, err)
				}
			}
			b.ReportMetric(200*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
