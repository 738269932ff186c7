package cortex

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cortexsdr/cortex/cache"
	"github.com/cortexsdr/cortex/internal/model"
	"github.com/cortexsdr/cortex/internal/sample"
	"github.com/cortexsdr/cortex/internal/tokenizer"
)

// Token is one generated token.
type Token struct {
	ID int32 // -1 for text that was held back until the end, and with an error
	// Text is what the token adds to the text. It is empty while a character
	// is incomplete or while a stop text may have begun; what was held back
	// comes with a later token.
	Text string
}

// StopReason says why a generation ended.
type StopReason string

// The reasons.
const (
	StopNone    StopReason = ""        // nothing was generated yet, or an error ended it
	StopEnd     StopReason = "end"     // the model ended the text
	StopText    StopReason = "stop"    // a text of GenerateOptions.Stop came
	StopLength  StopReason = "length"  // MaxTokens were generated
	StopContext StopReason = "context" // the context is full
	StopBreak   StopReason = "break"   // the caller left the loop
)

// Session is a text that a model reads and continues. It keeps the keys and
// values of what it has seen. Use it from one goroutine at a time.
type Session struct {
	m    *Model
	kv   *model.KV
	ids  []int32 // the whole text; those from kv.Len() on have not been through the model
	stop StopReason
	pass model.Pass
	life lifetime

	ahead ahead
	keep  func(i int, logits []float32) error // puts the last logits of a pass into ahead.rows
}

// NewSession returns an empty session. It fails with a [*MemoryError] if the
// memory limit has no room for another KV cache, and with ErrClosed.
func (m *Model) NewSession() (*Session, error) {
	s, err := m.newSession()
	if err != nil {
		return nil, fmt.Errorf("cortex: new session: %w", err)
	}
	return s, nil
}

// noRoom is the error of a session that the memory limit has no room for.
func (m *Model) noRoom(size int64) error {
	e := &MemoryError{Limit: m.budget.Limit(), Need: m.budget.Used() + size, What: "another session"}
	if m.plan.Streamed { // its weights take whatever Options leave them
		e.Need += m.model.Layout.Weights - m.plan.PinnedBytes - m.plan.RingBytes
		e.What = "another session, counted in Options.Sessions,"
	}
	return e
}

func (m *Model) newSession() (*Session, error) {
	if err := m.life.enter(); err != nil {
		return nil, err
	}
	defer m.life.leave()
	size := m.sessionBytes(m.plan.ContextLength)
	if m.budget.Reserve(memKV, size) != nil {
		return nil, m.noRoom(size)
	}
	kv, err := m.newKV(m.plan.ContextLength)
	if err != nil {
		m.budget.Release(memKV, size)
		return nil, err
	}
	s := &Session{m: m, kv: kv}
	if s.ahead, err = m.newAhead(m.plan.ContextLength); err != nil {
		m.budget.Release(memKV, size)
		return nil, errors.Join(err, kv.Close())
	}
	s.life.free = s.free
	s.keep = func(i int, logits []float32) error {
		copy(s.ahead.row(i-len(s.pass.IDs)+s.pass.Want), logits)
		return nil
	}
	m.mu.Lock()
	closed := m.sessions == nil // since life was entered; Close does not know of s
	if !closed {
		m.sessions[s] = struct{}{}
	}
	m.mu.Unlock()
	if closed {
		return nil, errors.Join(ErrClosed, s.Close())
	}
	return s, nil
}

// Close frees the session's memory. Called while the session generates, it ends
// the generation with ErrClosed at the next token. A second Close does nothing.
func (s *Session) Close() error {
	s.m.mu.Lock()
	delete(s.m.sessions, s)
	s.m.mu.Unlock()
	return s.life.close()
}

func (s *Session) free() error {
	defer s.m.budget.Release(memKV, s.m.sessionBytes(s.m.plan.ContextLength))
	return errors.Join(s.ahead.close(), s.kv.Close())
}

// Len returns the number of tokens of the session's text.
func (s *Session) Len() int { return len(s.ids) }

// Tokens returns the ids of the session's text, prompts and replies.
func (s *Session) Tokens() []int32 { return slices.Clone(s.ids) }

// StopReason says why the last generation ended.
func (s *Session) StopReason() StopReason { return s.stop }

// Generate adds the prompt to the session's text, continues it, and yields the
// tokens as they come. If an error is yielded, it is the last thing that is.
// What was generated until then stays part of the text. o may be nil.
//
// It fails with ErrContextFull if the prompt and one token more do not fit, and with an error of the
// file of GenerateOptions.Checkpoint, such as ErrCheckpoint (the
// text then stays as it was), with the context's error (context.Canceled, …) if
// ctx ends, with ErrOptions and ErrClosed.
func (s *Session) Generate(ctx context.Context, prompt string, o *GenerateOptions) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		if err := s.generate(ctx, prompt, o, yield); err != nil {
			yield(Token{ID: -1}, fmt.Errorf("cortex: generate: %w", err))
		}
	}
}

// generation is one call of Generate.
type generation struct {
	GenerateOptions
	sampler    *sample.Sampler
	n          int               // number of the token that comes next, from 1 on
	checkpoint *cache.Checkpoint // of the prompt, or nil
}

func (s *Session) generate(ctx context.Context, prompt string, opt *GenerateOptions, yield func(Token, error) bool) error {
	g := generation{n: 1}
	if opt != nil {
		g.GenerateOptions = *opt
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	s.settle()
	s.stop = StopNone
	if g.MaxTokens < 0 {
		return fmt.Errorf("%w: MaxTokens is negative", ErrOptions)
	}
	sampling := DefaultSampling()
	if g.Sampling != nil {
		sampling = *g.Sampling
	}
	if sampling.Seed == 0 {
		sampling.Seed = rand.Uint64()
	}
	var err error
	if g.sampler, err = sample.New(sampling.params(), s.m.model.Vocab); err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	before := len(s.ids)
	if err := s.addPrompt(prompt, g.ParseSpecial); err != nil {
		return err
	}
	for _, id := range s.ids {
		g.sampler.Accept(id)
	}
	out := output{text: s.m.tok.NewDecoder(tokenizer.DecodeOptions{Continue: true}), stops: sample.NewStops(g.Stop)}
	if s.ahead.small != nil {
		s.ahead.small.begin(g.sampler)
	}

	defer s.settle()
	defer func() { g.endCheckpoint(s.stop) }()
	for ; ; g.n++ {
		if s.life.isClosed() {
			return ErrClosed
		}
		logits, err := s.next(ctx, &g)
		if err != nil {
			var file *cache.CheckpointError
			if g.n == 1 && g.Checkpoint != "" && (g.checkpoint == nil || errors.As(err, &file)) {
				s.ids = s.ids[:before] // nothing of the prompt has been read
			}
			return err
		}
		if g.n == 1 && slices.ContainsFunc(logits, isNaN) {
			return s.m.noNumbers(ctx)
		}
		id := g.sampler.Sample(logits)
		if id < 0 {
			if slices.ContainsFunc(logits, isNaN) {
				return s.m.noNumbers(ctx)
			}
			return ErrNoToken
		}
		g.sampler.Accept(id)
		s.ids = append(s.ids, id)
		if s.m.tok.IsEOG(id) && !g.IgnoreEnd {
			s.stop = StopEnd
			out.end(yield)
			return nil
		}
		text, stopped := out.next(id)
		switch {
		case stopped:
			s.stop = StopText
		case g.n == g.MaxTokens:
			s.stop = StopLength
		case len(s.ids) >= s.kv.Cap():
			s.stop = StopContext
		}
		if s.stop != StopNone && !stopped {
			text += out.flush()
		}
		if !yield(Token{ID: id, Text: text}, nil) {
			if s.stop == StopNone {
				s.stop = StopBreak
			}
			return nil
		}
		if s.stop != StopNone {
			return nil
		}
	}
}

// addPrompt appends a prompt's tokens to the text, if that leaves room for a reply.
func (s *Session) addPrompt(prompt string, parseSpecial bool) error {
	var ids []int32
	if first := len(s.ids) == 0; first || prompt != "" {
		ids = s.m.tok.Encode(nil, prompt, tokenizer.EncodeOptions{AddSpecial: first, ParseSpecial: parseSpecial})
	}
	switch n := len(s.ids) + len(ids); {
	case n == 0:
		return fmt.Errorf("%w: the prompt is empty, and the model has no token to begin with", ErrOptions)
	case n >= s.kv.Cap():
		return fmt.Errorf("%w: a prompt of %d tokens after %d, and a reply; room for %d", ErrContextFull, len(ids), len(s.ids), s.kv.Cap())
	}
	s.ids = append(s.ids, ids...)
	return nil
}

// progress reports how far the pass with the new tokens is.
func (s *Session) progress(report func(Progress)) func(tokens float64) {
	start, total := time.Now(), len(s.ids)-s.kv.Len()
	read := s.passBytes(total)
	return func(tokens float64) {
		p := Progress{Stage: StagePrefill, Tokens: int(tokens), TotalTokens: total, TotalBytes: read}
		p.estimate(tokens, float64(total), start)
		p.Bytes = int64(p.Fraction * float64(read))
		report(p)
	}
}

// passBytes returns how many bytes of weights are read when so many tokens go
// through the model.
func (s *Session) passBytes(tokens int) int64 {
	batch := s.m.plan.BatchSize
	return int64((tokens+batch-1)/batch) * s.m.plan.BytesPerToken
}

// run does the pass with the tokens of the text that have not been through the
// model yet.
func (s *Session) run(ctx context.Context, p model.Pass, text []int32) error {
	s.pass = p // in the session, so that it need not be allocated for every token
	s.pass.IDs = text[s.kv.Len():]
	return s.m.model.Forward(ctx, s.kv, &s.pass)
}

// runPrompt does the same and counts it as reading.
func (s *Session) runPrompt(ctx context.Context, p model.Pass) error {
	start, n := time.Now(), len(s.ids)-s.kv.Len()
	p.Sparse = s.m.sparsePrompt || n == 1
	if err := s.run(ctx, p, s.ids); err != nil {
		return err
	}
	s.m.stats.promptTokens.Add(int64(n))
	s.m.stats.promptTime.Add(int64(time.Since(start)))
	return nil
}

// Eval adds tokens to the session's text, runs them through the model and calls
// each with the logits of the last want of them, in order: i is the token's index
// in ids, logits holds one value per token of the vocabulary, for the token that
// would follow, and is valid during the call only. An error of each ends the
// evaluation. While each runs it is the session's turn: a call of each that needs
// the model's turn as well, such as Generate, would wait forever.
//
// It serves scoring and measuring; [Session.Generate] is the way to text. Errors
// are those of Generate.
func (s *Session) Eval(ctx context.Context, ids []int32, want int, each func(i int, logits []float32) error) error {
	if err := s.evaluate(ctx, ids, want, each, nil); err != nil {
		return fmt.Errorf("cortex: eval: %w", err)
	}
	return nil
}

func (s *Session) evaluate(ctx context.Context, ids []int32, want int, each func(i int, logits []float32) error, observe func(step int, x []float32)) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if want < 0 || want > len(ids) {
		return fmt.Errorf("%w: the logits of %d tokens are wanted, of %d", ErrOptions, want, len(ids))
	}
	for _, id := range ids {
		if id < 0 || int(id) >= s.m.model.Vocab {
			return fmt.Errorf("%w: token %d is not in the vocabulary of %d", ErrOptions, id, s.m.model.Vocab)
		}
	}
	if len(s.ids)+len(ids) > s.kv.Cap() {
		return fmt.Errorf("%w: %d tokens after %d, room for %d", ErrContextFull, len(ids), len(s.ids), s.kv.Cap())
	}
	s.settle()
	behind := len(s.ids) - s.kv.Len() // tokens that were generated last and not yet run
	s.ids = append(s.ids, ids...)
	return s.runPrompt(ctx, model.Pass{Want: want, Observe: observe, Each: func(i int, logits []float32) error { return each(i-behind, logits) }})
}

// Observe adds tokens to the session's text, runs them through the model, and
// calls each for every product of the pass with the names of the tensors that are multiplied
// and some of the inputs, vectors one after the other, which are valid during the call only. It serves
// calibration. As with Eval, it is the session's turn meanwhile, and errors are those of Generate.
func (s *Session) Observe(ctx context.Context, ids []int32, each func(tensors []string, x []float32)) error {
	if err := s.evaluate(ctx, ids, len(ids), func(int, []float32) error { return nil }, func(step int, x []float32) {
		each(s.m.model.Plan.Steps[step].Matrices(), x)
	}); err != nil {
		return fmt.Errorf("cortex: observe: %w", err)
	}
	return nil
}

// Truncate forgets the session's text from token n on. Truncate(0) empties it.
func (s *Session) Truncate(n int) {
	if n < 0 || n >= len(s.ids) || s.enter() != nil {
		return
	}
	defer s.leave()
	s.forget()
	s.ids = s.ids[:n]
	s.kv.Truncate(n)
}

// setIDs makes ids the session's text, and keeps what is computed of their common
// beginning.
func (s *Session) setIDs(ids []int32) {
	same := 0
	for same < min(len(ids), len(s.ids)) && ids[same] == s.ids[same] {
		same++
	}
	if same < len(s.ids) {
		s.forget()
	}
	s.kv.Truncate(same)
	s.ids = append(s.ids[:same], ids[same:]...)
}

// enter begins a call that uses the session and its model.
func (s *Session) enter() error {
	if err := s.m.life.enter(); err != nil {
		return err
	}
	if err := s.life.enter(); err != nil {
		s.m.life.leave()
		return err
	}
	return nil
}

func (s *Session) leave() {
	s.life.leave()
	s.m.life.leave()
}

// output turns tokens into text that may be shown.
type output struct {
	text  *tokenizer.Decoder
	stops *sample.Stops
}

// next returns the text that a token releases, and whether a stop text came.
func (o *output) next(id int32) (text string, stopped bool) { return o.stops.Next(o.text.Next(id)) }

// flush returns what is still held back.
func (o *output) flush() string {
	text, stopped := o.stops.Next(o.text.Flush())
	if !stopped {
		text += o.stops.Flush()
	}
	return text
}

// end yields what is still held back, if anything, as a token of its own.
func (o *output) end(yield func(Token, error) bool) {
	if text := o.flush(); text != "" {
		yield(Token{ID: -1, Text: text}, nil)
	}
}
