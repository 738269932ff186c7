package cortex_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/cortexsdr/cortex/internal/testmodel"
	"github.com/cortexsdr/cortex/loader"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

// tiny is the file of a small random model.
var tiny = sync.OnceValue(func() []byte {
	c := testmodel.Tiny()[0]
	c.Type = format.Q8_0
	return testmodel.Bytes(c)
})

func open(t testing.TB, o *cortex.Options) *cortex.Model {
	t.Helper()
	m, err := cortex.OpenBytes("tiny.gguf", tiny(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func newSession(t testing.TB, m *cortex.Model) *cortex.Session {
	t.Helper()
	s, err := m.NewSession()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// greedy generates n tokens of the likeliest text.
func greedy(n int) *cortex.GenerateOptions {
	return &cortex.GenerateOptions{MaxTokens: n, Sampling: &cortex.Sampling{}, IgnoreEnd: true}
}

// collect runs a generation to its end.
func collect(t testing.TB, s *cortex.Session, prompt string, o *cortex.GenerateOptions) (text string, ids []int32) {
	t.Helper()
	for tok, err := range s.Generate(ctx, prompt, o) {
		require.NoError(t, err)
		text += tok.Text
		if tok.ID >= 0 {
			ids = append(ids, tok.ID)
		}
	}
	return text, ids
}

func TestGenerate(t *testing.T) {
	m := open(t, nil)
	s := newSession(t, m)
	text, ids := collect(t, s, "abc", greedy(20))
	require.Len(t, ids, 20)
	require.Equal(t, cortex.StopLength, s.StopReason())
	require.Equal(t, m.Detokenize(ids), text)
	prompt := m.Tokenize("abc", cortex.TokenizeOptions{AddSpecial: true})
	require.Equal(t, append(prompt, ids...), s.Tokens())
	require.Equal(t, len(prompt)+20, s.Len())

	// Model.Generate is the same in a session of its own.
	var again string
	for tok, err := range m.Generate(ctx, "abc", greedy(20)) {
		require.NoError(t, err)
		again += tok.Text
	}
	require.Equal(t, text, again)

	// A text continued in two steps is the text written in one.
	s2 := newSession(t, m)
	_, first := collect(t, s2, "abc", greedy(12))
	_, second := collect(t, s2, "", greedy(8))
	require.Equal(t, ids, append(first, second...))

	// So is one whose end was forgotten.
	s2.Truncate(len(prompt) + 5)
	require.Equal(t, len(prompt)+5, s2.Len())
	_, rest := collect(t, s2, "", greedy(15))
	require.Equal(t, ids[5:], rest)
}

// One text for all numbers of threads, batches, contexts and memory limits.
func TestSameTextForAllOptions(t *testing.T) {
	prompt := strings.Repeat("the quick brown fox ", 15)
	var want []int32
	for _, o := range []*cortex.Options{nil, {Threads: 1}, {Threads: 3, BatchSize: 5}, {ContextLength: 600}, {MemoryLimit: 1 << 30}} {
		_, ids := collect(t, newSession(t, open(t, o)), prompt, greedy(10))
		if want == nil {
			want = ids
		}
		require.Equal(t, want, ids, "%+v", o)
	}
}

func TestSeed(t *testing.T) {
	m := open(t, nil)
	sampled := func(seed uint64) []int32 {
		sampling := cortex.DefaultSampling()
		sampling.Seed, sampling.Temperature = seed, 2
		_, ids := collect(t, newSession(t, m), "abc", &cortex.GenerateOptions{MaxTokens: 30, Sampling: &sampling, IgnoreEnd: true})
		return ids
	}
	require.Equal(t, sampled(7), sampled(7))
	require.NotEqual(t, sampled(7), sampled(8))
	require.NotEqual(t, sampled(0), sampled(0), "seed 0 picks one")
}

func TestStop(t *testing.T) {
	m := open(t, nil)
	text, _ := collect(t, newSession(t, m), "abc", greedy(30))
	require.Greater(t, len(text), 12)
	stop := text[7:10]
	at := strings.Index(text, stop)

	s := newSession(t, m)
	o := greedy(30)
	o.Stop = []string{"never in there", stop}
	got, _ := collect(t, s, "abc", o)
	require.Equal(t, text[:at], got)
	require.Equal(t, cortex.StopText, s.StopReason())

	// A stop text that never comes loses nothing, though its beginning is held back.
	o.Stop = []string{text[len(text)-2:] + "\x00"}
	got, _ = collect(t, newSession(t, m), "abc", o)
	require.Equal(t, text, got)
}

func TestEndOfText(t *testing.T) {
	m := open(t, nil)
	ends := &cortex.Sampling{LogitBias: map[int32]float32{}}
	for id := range int32(m.Info().Vocab) {
		if m.IsEnd(id) {
			ends.LogitBias[id] = 1e9
		}
	}
	require.NotEmpty(t, ends.LogitBias)
	s := newSession(t, m)
	_, ids := collect(t, s, "abc", &cortex.GenerateOptions{Sampling: ends})
	require.Empty(t, ids, "the end is not yielded")
	require.Equal(t, cortex.StopEnd, s.StopReason())
	require.True(t, m.IsEnd(s.Tokens()[s.Len()-1]), "but it is part of the text")
}

func TestNoTokenCanFollow(t *testing.T) {
	m := open(t, nil)
	none := &cortex.Sampling{LogitBias: map[int32]float32{}}
	for id := range int32(m.Info().Vocab) {
		none.LogitBias[id] = float32(math.Inf(-1))
	}
	for _, err := range m.Generate(ctx, "abc", &cortex.GenerateOptions{Sampling: none}) {
		require.ErrorIs(t, err, cortex.ErrNoToken)
		require.NotErrorIs(t, err, format.ErrFormat)
	}
}

// A weight that is not a number is named.
func TestDamagedWeights(t *testing.T) {
	f, err := gguf.Parse(gguf.Part{Name: "tiny.gguf", Data: tiny()})
	require.NoError(t, err)
	for _, c := range []struct {
		tensor string
		at     int64 // in it
		damage []byte
	}{
		{"output_norm.weight", 4, []byte{0xff, 0xff, 0xff, 0xff}},
		{"blk.1.ffn_down.weight", 3 * 34, []byte{0x00, 0x7e}}, // the scale of a block, NaN
		{"output.weight", 0, []byte{0x00, 0x7e}},              // which spoils one token only
		{"blk.0.attn_k.weight", 0, []byte{0x00, 0x7c}},        // +Inf
	} {
		tensor, ok := f.Tensor(c.tensor)
		require.True(t, ok)
		data := slices.Clone(tiny())
		copy(data[tensor.Offset+c.at:], c.damage)
		bad, err := cortex.OpenBytes("bad", data, nil)
		require.NoError(t, err)
		for _, o := range []*cortex.GenerateOptions{nil, greedy(3)} {
			for _, err := range bad.Generate(ctx, "abc", o) {
				require.ErrorIs(t, err, cortex.ErrNoToken)
				var e *format.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, []any{"bad", c.tensor, tensor.Offset + c.at}, []any{e.File, e.Tensor, e.Offset})
			}
		}
		require.NoError(t, bad.Close())
	}
}

func TestContextFull(t *testing.T) {
	m := open(t, &cortex.Options{ContextLength: 40})
	s := newSession(t, m)
	collect(t, s, "abc", greedy(0))
	require.Equal(t, cortex.StopContext, s.StopReason())
	require.Equal(t, 40, s.Len())

	var err error
	for _, err = range s.Generate(ctx, strings.Repeat("x", 300), nil) {
	}
	require.ErrorIs(t, err, cortex.ErrContextFull)
	require.Equal(t, 40, s.Len(), "a prompt that does not fit is not taken")
	for _, err = range s.Generate(ctx, "", nil) {
	}
	require.ErrorIs(t, err, cortex.ErrContextFull, "there is no room for a reply")
	require.ErrorIs(t, s.Eval(ctx, []int32{1}, 0, nil), cortex.ErrContextFull)
	require.Equal(t, 40, s.Len(), "tokens that do not fit are not taken")

	// A full session can be saved, restored and shortened.
	var saved bytes.Buffer
	require.NoError(t, s.Save(&saved))
	require.NoError(t, s.Restore(&saved))
	require.Equal(t, 40, s.Len())
	s.Truncate(38)
	collect(t, s, "", greedy(0))
	require.Equal(t, 40, s.Len())
}

func TestCancel(t *testing.T) {
	m := open(t, &cortex.Options{BatchSize: 16})
	c, cancel := context.WithCancel(ctx)
	o := greedy(0)
	o.Progress = func(p cortex.Progress) {
		if p.Fraction > 0.5 {
			cancel()
		}
	}
	s := newSession(t, m)
	n := 0
	for tok, err := range s.Generate(c, strings.Repeat("the quick brown fox ", 20), o) {
		n++
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, tok.Text)
	}
	require.Equal(t, 1, n)

	// The session goes on where it was stopped.
	_, ids := collect(t, s, "", greedy(5))
	_, want := collect(t, newSession(t, m), strings.Repeat("the quick brown fox ", 20), greedy(5))
	require.Equal(t, want, ids)
}

func TestConcurrentSessions(t *testing.T) {
	m := open(t, &cortex.Options{ContextLength: 256})
	want := map[string][]int32{}
	prompts := []string{"abc", "the fox", "12345 67890", strings.Repeat("long ", 20)}
	for _, p := range prompts {
		_, want[p] = collect(t, newSession(t, m), p, greedy(16))
	}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			p := prompts[i%len(prompts)]
			s, err := m.NewSession()
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			var ids []int32
			for tok, err := range s.Generate(ctx, p, greedy(16)) {
				if err != nil {
					t.Error(err)
					return
				}
				ids = append(ids, tok.ID)
			}
			if fmt.Sprint(ids) != fmt.Sprint(want[p]) {
				t.Errorf("%q: %v, want %v", p, ids, want[p])
			}
		})
	}
	wg.Wait()
}

func TestMemoryLimit(t *testing.T) {
	_, err := cortex.OpenBytes("tiny.gguf", tiny(), &cortex.Options{MemoryLimit: 1, ContextLength: 256, BatchSize: 32})
	require.ErrorIs(t, err, cortex.ErrMemoryLimit)
	var e *cortex.MemoryError
	require.ErrorAs(t, err, &e)
	require.Equal(t, int64(1), e.Limit)

	_, err = cortex.OpenBytes("tiny.gguf", tiny(), &cortex.Options{MemoryLimit: e.Need - 1, ContextLength: 256, BatchSize: 32})
	require.ErrorIs(t, err, cortex.ErrMemoryLimit)

	// The smallest limit that works does work, for one session.
	m := open(t, &cortex.Options{MemoryLimit: e.Need, ContextLength: 256, BatchSize: 32})
	s := newSession(t, m)
	collect(t, s, "abc", greedy(3))
	require.Equal(t, e.Need, m.Stats().MemoryUsed)
	_, err = m.NewSession()
	require.ErrorIs(t, err, cortex.ErrMemoryLimit)
	require.NoError(t, s.Close())
	newSession(t, m)

	// What is not asked for shrinks to fit, and so does the layout that is shown.
	var log strings.Builder
	m = open(t, &cortex.Options{MemoryLimit: e.Need, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.Contains(t, log.String(), "context is shorter")
	p := m.Plan()
	require.LessOrEqual(t, p.Total(), e.Need)
	require.GreaterOrEqual(t, p.ContextLength, 256)
	require.Contains(t, p.String(), "KV cache")
}

// Where memory is short, batches shrink before the context does, and the context
// is the longest that fits.
func TestMemoryIsSharedOut(t *testing.T) {
	full := open(t, nil).Plan()
	require.Equal(t, 512, full.BatchSize)
	plan := func(limit int64) cortex.Plan {
		_, p, err := cortex.InspectBytes("tiny.gguf", tiny(), &cortex.Options{MemoryLimit: limit, Threads: full.Threads})
		require.NoError(t, err)
		require.LessOrEqual(t, p.Total(), limit)
		return p
	}
	p := plan(full.Total() - 1)
	require.Equal(t, []int{full.ContextLength, 256}, []int{p.ContextLength, p.BatchSize})

	_, small, err := cortex.InspectBytes("tiny.gguf", tiny(), &cortex.Options{BatchSize: 64, Threads: full.Threads})
	require.NoError(t, err)
	p = plan(small.Total() - 1)
	require.Equal(t, 64, p.BatchSize)
	require.Equal(t, full.ContextLength-256, p.ContextLength)
}

func TestClosed(t *testing.T) {
	m, err := cortex.OpenBytes("tiny.gguf", tiny(), nil)
	require.NoError(t, err)
	s, err := m.NewSession()
	require.NoError(t, err)

	// Closing inside the loop ends it.
	var last error
	for _, err := range s.Generate(ctx, "abc", greedy(50)) {
		last = err
		require.NoError(t, m.Close())
	}
	require.ErrorIs(t, last, cortex.ErrClosed)

	for _, err := range s.Generate(ctx, "abc", nil) {
		require.ErrorIs(t, err, cortex.ErrClosed)
	}
	for tok, err := range m.Generate(ctx, "abc", nil) {
		require.ErrorIs(t, err, cortex.ErrClosed)
		require.Equal(t, cortex.Token{ID: -1}, tok)
	}
	_, err = m.NewSession()
	require.ErrorIs(t, err, cortex.ErrClosed)
	require.ErrorIs(t, s.Eval(ctx, []int32{1}, 0, nil), cortex.ErrClosed)
	require.NoError(t, s.Close())
	require.NoError(t, m.Close())
}

// Whatever else goes on while a model is closed, no session stays behind.
func TestCloseWhileSessionsBegin(t *testing.T) {
	for range 20 {
		m, err := cortex.OpenBytes("tiny.gguf", tiny(), &cortex.Options{Threads: 1, ContextLength: 32})
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					if _, err := m.NewSession(); err != nil { // which nobody but the model closes
						if !errors.Is(err, cortex.ErrClosed) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		for m.Stats().Sessions < 20 {
			runtime.Gosched()
		}
		require.NoError(t, m.Close())
		wg.Wait()
		require.Zero(t, m.Stats().Sessions)
		require.Less(t, m.Stats().MemoryUsed, m.Plan().Total(), "no KV cache is left")
	}
}

func TestBreak(t *testing.T) {
	m := open(t, nil)
	s := newSession(t, m)
	for range s.Generate(ctx, "abc", greedy(50)) {
		break
	}
	require.Equal(t, cortex.StopBreak, s.StopReason())
	_, ids := collect(t, s, "", greedy(4))
	_, want := collect(t, newSession(t, m), "abc", greedy(5))
	require.Equal(t, want[1:], ids)
}

func TestEval(t *testing.T) {
	m := open(t, nil)
	ids := m.Tokenize("the quick brown fox", cortex.TokenizeOptions{AddSpecial: true})
	s := newSession(t, m)
	best := make([]int32, 0, len(ids))
	require.NoError(t, s.Eval(ctx, ids, len(ids), func(i int, logits []float32) error {
		require.Equal(t, len(best), i)
		require.Len(t, logits, m.Info().Vocab)
		top := 0
		for j, v := range logits {
			if v > logits[top] {
				top = j
			}
		}
		best = append(best, int32(top))
		return nil
	}))
	_, next := collect(t, s, "", greedy(1))
	require.Equal(t, best[len(best)-1:], next)

	require.ErrorIs(t, s.Eval(ctx, ids, len(ids)+1, nil), cortex.ErrOptions)
	require.ErrorIs(t, s.Eval(ctx, []int32{-1}, 0, nil), cortex.ErrOptions)
	boom := errors.New("boom")
	require.ErrorIs(t, s.Eval(ctx, ids, 1, func(int, []float32) error { return boom }), boom)
}

func TestProgressAndStats(t *testing.T) {
	var opening []cortex.Progress
	m := open(t, &cortex.Options{BatchSize: 16, Progress: func(p cortex.Progress) { opening = append(opening, p) }})
	require.NotEmpty(t, opening)
	last := opening[len(opening)-1]
	require.Equal(t, cortex.StageOpen, last.Stage)
	require.Equal(t, 1.0, last.Fraction)
	require.Equal(t, last.TotalBytes, last.Bytes)
	require.Zero(t, last.Remaining)

	var reading []cortex.Progress
	o := greedy(4)
	o.Progress = func(p cortex.Progress) { reading = append(reading, p) }
	s := newSession(t, m)
	prompt := strings.Repeat("the quick brown fox ", 20)
	collect(t, s, prompt, o)
	n := len(m.Tokenize(prompt, cortex.TokenizeOptions{AddSpecial: true}))
	require.Greater(t, n, 32)
	require.GreaterOrEqual(t, len(reading), n/16*m.Info().Layers)
	for i, p := range reading {
		require.Equal(t, cortex.StagePrefill, p.Stage)
		require.Equal(t, n, p.TotalTokens)
		if i > 0 {
			require.Greater(t, p.Fraction, reading[i-1].Fraction)
		}
	}
	require.Equal(t, n, reading[len(reading)-1].Tokens)

	st := m.Stats()
	require.Equal(t, int64(n), st.PromptTokens)
	require.Equal(t, int64(3), st.GeneratedTokens, "the first token comes out of the prompt")
	perToken := m.Plan().BytesPerToken
	require.LessOrEqual(t, st.BytesRead, int64((n+15)/16+3)*perToken, "all weights for each batch and token, at most")
	require.Greater(t, st.BytesRead, int64(1+3)*perToken)
	require.Positive(t, st.PromptRate())
	require.Positive(t, st.GenerateRate())
	require.Equal(t, 1, st.Sessions)
	require.Equal(t, m.Plan().Total(), st.MemoryUsed)
}

func TestOptionsRefused(t *testing.T) {
	for _, o := range []cortex.Options{
		{MemoryLimit: -1}, {Threads: -1}, {Threads: 1 << 20}, {ContextLength: -1}, {ContextLength: 1 << 40}, {BatchSize: -1}, {KVType: 9},
	} {
		_, err := cortex.OpenBytes("tiny.gguf", tiny(), &o)
		require.ErrorIs(t, err, cortex.ErrOptions, "%+v", o)
	}
	m := open(t, nil)
	for _, o := range []cortex.GenerateOptions{
		{MaxTokens: -1}, {Sampling: &cortex.Sampling{Temperature: -1}}, {Sampling: &cortex.Sampling{TopP: math.NaN()}},
	} {
		for _, err := range m.Generate(ctx, "abc", &o) {
			require.ErrorIs(t, err, cortex.ErrOptions, "%+v", o)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := cortex.Open(filepath.Join(dir, "none.gguf"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "cortex: open ")

	bad := filepath.Join(dir, "bad.gguf")
	require.NoError(t, os.WriteFile(bad, tiny()[:1000], 0o600))
	_, err = cortex.Open(bad, nil)
	require.ErrorIs(t, err, format.ErrFormat)
	var e *format.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, bad, e.File)
}

func TestFileTruncatedInUse(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("truncating a mapped file is tested on linux")
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	require.NoError(t, os.WriteFile(path, tiny(), 0o600))
	var log strings.Builder
	m, err := cortex.Open(path, &cortex.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	defer m.Close()
	require.Contains(t, log.String(), "model opened")
	require.NoError(t, os.Truncate(path, int64(len(tiny())/2)))
	var last error
	for _, err := range m.Generate(ctx, "abc", greedy(5)) {
		last = err
	}
	require.ErrorIs(t, last, loader.ErrTruncated)
	var e *loader.Error
	require.ErrorAs(t, last, &e)
	require.Equal(t, path, e.File)
	require.NotEmpty(t, e.Tensor)
}

func TestInfo(t *testing.T) {
	info := open(t, nil).Info()
	c := testmodel.Tiny()[0]
	require.Equal(t, "llama", info.Architecture)
	require.Equal(t, c.Name, info.Name)
	require.Equal(t, []int{c.Layers, c.Dim, c.Heads, c.Vocab}, []int{info.Layers, info.Dim, info.Heads, info.Vocab})
	require.Equal(t, "Q8_0", info.Type())
	require.InDelta(t, 8.5, info.BitsPerWeight(), 0.1)
	require.Equal(t, int64(len(tiny())), info.FileBytes)
}

func TestFormatBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1 << 20: "1.0 MiB",
		1<<20 - 1: "1.0 MiB", 1<<30 - 1: "1.0 GiB", 5 << 30: "5.0 GiB", 1 << 50: "1024.0 TiB"} {
		require.Equal(t, want, cortex.FormatBytes(n), "%d", n)
	}
}

func BenchmarkGenerate(b *testing.B) {
	m := open(b, nil)
	s := newSession(b, m)
	prompt := m.Tokenize("the quick brown fox", cortex.TokenizeOptions{AddSpecial: true})
	require.NoError(b, s.Eval(ctx, prompt, 0, nil))
	b.ReportAllocs()
	for b.Loop() {
		s.Truncate(len(prompt) - 1)
		for _, err := range s.Generate(ctx, "", greedy(32)) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N*32)/b.Elapsed().Seconds(), "tokens/s")
}
