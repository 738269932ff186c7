package sample

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Sampler draws tokens. It is for one goroutine at a time. Its memory is a few kilobytes, and in addition for each token of the vocabulary
// 16 bytes if TopK is off and the step of the highest logit is not the only one, 4 bytes with a bias or penalties, and 4 more with penalties.
type Sampler struct {
	p     Params
	vocab int
	rng   rand.PCG

	bias    []bias
	changed []float32 // the logits after bias and penalties; nil without them

	counts []int32 // of each token in the window; nil without penalties
	window []int32 // the last accepted tokens, a ring once it is full; nil if it is all of them
	oldest int     // index in window
	limit  int     // length of the full window

	candidates []candidate // its capacity is what the first step can leave
}

type bias struct {
	id    int32
	value float32
}

// New returns a Sampler for logits of vocab tokens. It fails with a *ParamError.
func New(p Params, vocab int) (*Sampler, error) {
	if err := p.check(vocab); err != nil {
		return nil, err
	}
	s := &Sampler{p: p, vocab: vocab}
	s.p.LogitBias = nil // the caller may change his map later
	for id, value := range p.LogitBias {
		s.bias = append(s.bias, bias{id, value})
	}
	if p.penalties() {
		s.counts = make([]int32, vocab)
		if s.limit = p.RepeatLastN; s.limit == 0 {
			s.limit = defaultRepeatLastN
		}
	}
	if s.bias != nil || s.counts != nil {
		s.changed = make([]float32, vocab)
	}
	if s.p.TopK == 0 || s.p.TopK > vocab {
		s.p.TopK = vocab
	}
	if !s.greedy() {
		s.candidates = make([]candidate, 0, s.p.TopK)
	}
	s.Reset()
	return s, nil
}

// greedy reports whether all that counts is which logit is the highest. Top-k, top-p and min-p never remove that one; typical may.
func (s *Sampler) greedy() bool { return s.p.Temperature == 0 && !s.p.typical() }

// Reset makes the Sampler what New returned: no token has been accepted, and the random numbers begin anew.
func (s *Sampler) Reset() {
	clear(s.counts)
	s.window, s.oldest = s.window[:0], 0
	s.rng.Seed(s.p.Seed, 0)
}

// Clone returns a Sampler of the same parameters and in the same state, which goes its own way.
func (s *Sampler) Clone() *Sampler {
	c := *s
	c.changed, c.counts, c.window = slices.Clone(s.changed), slices.Clone(s.counts), slices.Clone(s.window)
	c.candidates = make([]candidate, 0, cap(s.candidates))
	return &c
}

// CopyState brings the Sampler into the state of the one that it is a clone of.
func (s *Sampler) CopyState(from *Sampler) {
	s.rng = from.rng
	copy(s.counts, from.counts)
	s.window, s.oldest = append(s.window[:0], from.window...), from.oldest
}

// Accept tells the Sampler that a token has become part of the text, for the penalties. Tokens of the prompt count too, if they are told.
// It panics if id is not in the vocabulary.
func (s *Sampler) Accept(id int32) {
	if id < 0 || int(id) >= s.vocab {
		panic(fmt.Sprintf("sample: token %d is not in the vocabulary of %d tokens", id, s.vocab))
	}
	if s.counts == nil {
		return
	}
	s.counts[id]++
	switch {
	case s.limit < 0:
	case len(s.window) < s.limit:
		s.window = append(s.window, id)
	default:
		s.counts[s.window[s.oldest]]--
		s.window[s.oldest] = id
		s.oldest = (s.oldest + 1) % s.limit
	}
}

// Sample draws a token. It does not accept it. logits has a value for each token of the vocabulary (it panics otherwise) and is not changed.
// The result is -1 if every logit is NaN or -Inf.
func (s *Sampler) Sample(logits []float32) int32 {
	if len(logits) != s.vocab {
		panic(fmt.Sprintf("sample: %d logits for a vocabulary of %d tokens", len(logits), s.vocab))
	}
	if s.changed != nil {
		copy(s.changed, logits)
		s.change(s.changed)
		logits = s.changed
	}
	if s.greedy() {
		return highest(logits)
	}
	c := s.filter(logits)
	if s.p.Temperature == 0 {
		return likeliest(c)
	}
	weigh(c, s.p.Temperature)
	return draw(c, float64(s.rng.Uint64()>>11)*0x1p-53)
}

// change applies bias and penalties.
func (s *Sampler) change(logits []float32) {
	for _, b := range s.bias {
		logits[b.id] += b.value
	}
	repeat, frequency, presence := s.p.repeatPenalty(), float32(s.p.FrequencyPenalty), float32(s.p.PresencePenalty)
	for id, n := range s.counts {
		if n == 0 {
			continue
		}
		z := logits[id]
		if z > 0 {
			z /= repeat
		} else {
			z *= repeat
		}
		logits[id] = z - float32(float32(float32(n)*frequency)+presence)
	}
}

// filter returns the tokens that the steps from top-k to min-p leave. They are kept in s.candidates.
func (s *Sampler) filter(logits []float32) []candidate {
	c := s.candidates[:0]
	if s.p.TopK < s.vocab {
		c = topK(c, logits, s.p.TopK)
	} else {
		c = all(c, logits)
	}
	if len(c) == 0 || !s.p.typical() && !s.p.topP() && !s.p.minP() {
		return c
	}
	weigh(c, 1)
	if s.p.typical() {
		c = typical(c, s.p.TypicalP)
	}
	if s.p.topP() {
		c = topP(c, s.p.TopP)
	}
	if s.p.minP() {
		c = minP(c, s.p.MinP)
	}
	return c
}

// highest returns the token of the highest logit, the first of equal ones.
func highest(logits []float32) int32 {
	best, id := -inf, -1
	for i, z := range logits {
		if z > best {
			best, id = z, i
			if z >= math.MaxFloat32 {
				break // +Inf counts as no more than that
			}
		}
	}
	return int32(id)
}
