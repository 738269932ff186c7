package cortex

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cortexsdr/cortex/internal/model"
	"github.com/cortexsdr/cortex/internal/sample"
	"github.com/cortexsdr/cortex/internal/speculate"
	"github.com/cortexsdr/cortex/loader"
)

// MaxSpeculate is the largest number of tokens that are drafted for one pass.
const MaxSpeculate = speculate.Most

// Every drafted token and the one in front of them must fit into a pass whose
// results are those of passes with one token each.
const _ = uint(model.MaxDecode - 1 - MaxSpeculate)

// ahead is what a session knows of the tokens to come: drafts of them, and the
// logits behind each token of the draft that was run. Tokens are drawn from these as long
// as the text goes on like the draft, as if each had been run alone.
type ahead struct {
	most  int // tokens that are drafted, 0 never
	buf   *loader.Buffer
	rows  []float32 // [1+most][vocab]: logits
	index *speculate.Index
	pace  *speculate.Pace
	small *drafter // nil without a draft model

	from   int    // length of the text that the drafts follow
	known  int    // rows that are valid: row i is of the token behind the first i of the draft
	run    *draft // nil if none was run
	lookup draft  // from the text; not run where that was not worth it
	guess  draft  // of the small model
}

// draft is what may follow a text.
type draft struct {
	ids  [MaxSpeculate]int32
	n    int
	kind speculate.Kind
}

// judge compares the draft with the text from position from on: how many tokens
// are right, and whether the text then goes on otherwise.
func (d *draft) judge(text []int32, from int) (right int, wrong bool) {
	for right < d.n && from+right < len(text) {
		if text[from+right] != d.ids[right] {
			return right, true
		}
		right++
	}
	return right, false
}

// drafts returns how many tokens are drafted for a pass at most.
func (m *Model) drafts() int { return m.draftsIf(m.model.Streamed()) }

// draftsIf returns how many it is, or would be, if the model is streamed or not.
func (m *Model) draftsIf(streamed bool) int {
	n := m.speculate
	if n == 0 && (streamed || m.draft != nil) {
		n = MaxSpeculate
	}
	return max(0, min(n, m.model.Batch()-1))
}

// aheadBytes is the memory of a session's ahead that drafts so many tokens.
func (m *Model) aheadBytes(context, drafts int) int64 {
	n := loader.SizeOf[float32]((1 + drafts) * m.model.Vocab)
	if drafts > 0 {
		n += loader.SizeOf[int32](speculate.Cells(context))
	}
	return n
}

func (m *Model) newAhead(context int) (a ahead, err error) {
	if a.buf, err = loader.NewBuffer(m.aheadBytes(context, m.drafts())); err != nil {
		return a, fmt.Errorf("logits: %w", err)
	}
	a.most = m.drafts()
	a.rows = loader.Take[float32](a.buf, (1+a.most)*m.model.Vocab)
	if a.most == 0 {
		return a, nil
	}
	a.index = speculate.NewIndex(context, loader.Take[int32](a.buf, speculate.Cells(context)))
	a.pace = speculate.NewPace(m.model.Streamed())
	if m.draft != nil {
		s, err := m.draft.newSession()
		if err != nil {
			return a, errors.Join(err, a.buf.Close())
		}
		a.small = &drafter{s: s, row: make([]float32, m.model.Vocab)}
	}
	return a, nil
}

func (a *ahead) close() error {
	var err error
	if a.small != nil {
		err = a.small.s.Close()
	}
	return errors.Join(err, a.buf.Close())
}

// row returns logits that are known.
func (a *ahead) row(i int) []float32 {
	n := len(a.rows) / (1 + a.most)
	return a.rows[i*n:][:n]
}

// next returns the logits of the token that follows the text: those that are
// known from a draft, or those of a pass with the tokens that have not been through
// the model and a new draft.
func (s *Session) next(ctx context.Context, g *generation) ([]float32, error) {
	a, st := &s.ahead, &s.m.stats
	if i := len(s.ids) - a.from; a.run != nil && i > 0 && i < a.known && s.ids[len(s.ids)-1] == a.run.ids[i-1] {
		st.generatedTokens.Add(1)
		return a.row(i), ctx.Err()
	}
	s.settle()
	if len(s.ids) == 0 { // from inside the loop over the tokens
		return nil, fmt.Errorf("%w: the text was taken away", ErrNoToken)
	}
	if s.kv.Len() == len(s.ids) {
		s.kv.Truncate(len(s.ids) - 1) // the last token's logits are needed even if it has been run
	}
	start, behind := time.Now(), len(s.ids)-s.kv.Len()
	p := model.Pass{Want: 1, Each: s.keep}
	if g.n == 1 {
		if g.Progress != nil {
			p.Progress = s.progress(g.Progress)
		}
		if g.Checkpoint != "" {
			var err error
			if g.checkpoint, err = s.openCheckpoint(g.Checkpoint); err != nil {
				return nil, err
			}
			p.Checkpoint = g.checkpoint
		}
		if err := s.runPrompt(ctx, p); err != nil {
			return nil, err
		}
		a.from, a.known = len(s.ids), 1
		return a.row(0), nil
	}

	p.Sparse = true
	text := s.ids
	if err := s.makeDraft(ctx, g, behind); err != nil {
		return nil, err
	}
	if a.run != nil {
		p.Want += a.run.n
		text = append(text, a.run.ids[:a.run.n]...)
		s.ids = text[:len(s.ids)] // the room that was made for the draft is kept
		st.draftedTokens.Add(int64(a.run.n))
	}
	passStart := time.Now()
	if err := s.run(ctx, p, text); err != nil {
		a.run = nil
		return nil, err
	}
	if a.most > 0 {
		a.pace.Passed(behind+p.Want-1, time.Since(passStart))
	}
	a.from, a.known = len(s.ids), p.Want
	st.generateTime.Add(int64(time.Since(start)))
	st.generatedTokens.Add(1)
	st.generatePasses.Add(1)
	return a.row(0), nil
}

// makeDraft drafts tokens for a pass with the last behind tokens of the text, as
// many as seem worth it.
func (s *Session) makeDraft(ctx context.Context, g *generation, behind int) error {
	a := &s.ahead
	a.from = len(s.ids)
	most := min(a.most, s.kv.Cap()-len(s.ids)-1, model.MaxDecode-behind, s.m.model.Batch()-behind)
	if g.MaxTokens > 0 {
		most = min(most, g.MaxTokens-g.n)
	}
	if most <= 0 {
		return nil
	}
	gain := 1.0
	if matched := a.index.Draft(a.lookup.ids[:most], s.ids); matched > 0 {
		a.lookup.kind = speculate.OfMatch(matched)
		if a.lookup.n, gain = a.pace.Choose(a.lookup.kind, most); a.lookup.n > 0 {
			a.run = &a.lookup
		}
		a.lookup.n = max(1, a.lookup.n) // even if it is not run, it will be known how good it was
	}
	if a.small != nil {
		n, better := a.pace.Choose(speculate.FromModel, most)
		if better <= gain {
			a.pace.Unused(speculate.FromModel)
		} else if err := a.small.draft(ctx, s, g, n); err != nil {
			return err
		}
	}
	if d := a.run; d != nil && !g.IgnoreEnd {
		for i, id := range d.ids[:d.n] {
			if s.m.tok.IsEOG(id) {
				d.n = i + 1
				break
			}
		}
	}
	return nil
}

// settle forgets what is known of the tokens to come, and all traces of it: the
// session is what it would be if every token had been run alone. The drafts are judged by
// how the text has gone on.
func (s *Session) settle() {
	a := &s.ahead
	if a.run != nil {
		right, _ := a.run.judge(s.ids, a.from)
		s.m.stats.acceptedTokens.Add(int64(right))
		s.kv.Truncate(max(a.from, len(s.ids)-1))
	}
	for _, d := range []*draft{&a.lookup, &a.guess} {
		if d.n > 0 {
			right, wrong := d.judge(s.ids, a.from)
			a.pace.Judged(d.kind, right, wrong)
			d.n = 0
		}
	}
	a.run, a.known = nil, 0
}

// forget settles before the text is changed otherwise than by appending to it.
func (s *Session) forget() {
	s.settle()
	if s.ahead.most > 0 {
		s.ahead.index.Reset()
	}
}

// drafter drafts with a small model, which goes through the same text.
type drafter struct {
	s       *Session
	row     []float32       // logits for the vocabulary of the large model
	sampler *sample.Sampler // draws as that of the large model does
	own     generation
}

// begin makes the drafter ready for a generation with the given sampler.
func (d *drafter) begin(sampler *sample.Sampler) {
	d.sampler, d.own = sampler.Clone(), generation{n: 2}
}

// draft has the small model continue the text of s by n tokens, drawn in the same way
// with the same random numbers as they will be drawn from the large one's logits, which makes equal
// tokens likelier than taking the likeliest ones would.
func (d *drafter) draft(ctx context.Context, s *Session, g *generation, n int) error {
	if int(slices.Max(s.ids)) >= d.s.m.model.Vocab {
		return nil // it has no embedding for one of the tokens
	}
	a := &s.ahead
	d.s.setIDs(s.ids)
	d.sampler.CopyState(g.sampler)
	start, ran := time.Now(), len(d.s.ids)-d.s.kv.Len()
	a.guess.n, a.guess.kind = 0, speculate.FromModel
	for a.guess.n < n && len(d.s.ids) < d.s.kv.Cap() {
		logits, err := d.s.next(ctx, &d.own)
		if err != nil {
			return err
		}
		for i := copy(d.row, logits); i < len(d.row); i++ {
			d.row[i] = float32(math.Inf(-1))
		}
		id := d.sampler.Sample(d.row)
		if id < 0 {
			break
		}
		d.sampler.Accept(id)
		d.s.ids = append(d.s.ids, id)
		a.guess.ids[a.guess.n] = id
		a.guess.n++
	}
	if a.guess.n > 0 {
		a.run = &a.guess
		if ran <= 2 { // otherwise it had a prompt to read first
			a.pace.Drafted(a.guess.n, time.Since(start))
		}
	}
	return nil
}
