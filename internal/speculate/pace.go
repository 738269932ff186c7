package speculate

import (
	"math/bits"
	"time"
)

// Most is the largest number of tokens that are drafted at once.
const Most = 14

// Kind is where a draft comes from, as far as it says how good it is.
type Kind int

// The kinds of drafts. Those from the text differ in the length of the match:
// 1, 2 to 3, 4 to 7, … 32 tokens.
const (
	FromText  Kind = 0
	FromModel Kind = Kind(6)
	kinds          = FromModel + 1
)

// OfMatch returns the kind of a draft from the text after a match of n > 0 tokens.
func OfMatch(n int) Kind { return FromText + Kind(bits.Len(uint(min(n, MaxMatch)))-1) }

// Pace chooses the number of drafted tokens that promises the most tokens per
// second. The time of a pass is taken to grow evenly with its tokens, and a
// drafted token of a kind to be right with the same probability wherever those before it
// were; both are measured all the time, and what is older counts less.
type Pace struct {
	single time.Duration // of a pass with one token, 0 as long as there was none
	since  int           // passes since then
	excess average       // what each token more takes, in passes with one token
	model  average       // likewise what it takes the small model to draft a token
	right  [kinds]average
}

// average is a mean with weights that fade: sum over weight.
type average struct{ sum, weight float64 }

func (a *average) value() float64 { return a.sum / a.weight }

// add counts n values with the given sum, after all before have lost a share.
func (a *average) add(sum, n, share float64) {
	a.sum, a.weight = (1-share)*a.sum+sum, (1-share)*a.weight+n
}

// What is believed before anything has been measured, and how many drafted tokens
// that weighs. With weights in memory a token more takes some 12 % of a pass with one
// where products have instructions of their own; with weights that come from a disk, whatever
// the disk leaves.
const (
	mappedExcess   = 0.12
	streamedExcess = 0.02
	modelCost      = 0.1
	beliefWeight   = 4
)

var believed = [kinds]float64{0.2, 0.4, 0.6, 0.75, 0.85, 0.9, FromModel: 0.7}

// NewPace returns a Pace for a model whose weights are streamed or not.
func NewPace(streamed bool) *Pace {
	p := &Pace{excess: average{mappedExcess * beliefWeight, beliefWeight}, model: average{modelCost * beliefWeight, beliefWeight}}
	if streamed {
		p.excess.sum = streamedExcess * beliefWeight
	}
	for k, v := range believed {
		p.right[k] = average{v * beliefWeight, beliefWeight}
	}
	return p
}

const (
	timeFades  = 0.1  // per pass
	rightFades = 0.06 // per draft

	// mostSince is after how many passes one without a draft is due, which others
	// are measured by.
	mostSince = 100
)

// Passed tells how long a pass took.
func (p *Pace) Passed(tokens int, d time.Duration) {
	if p.since++; tokens == 1 {
		p.since = 0
	}
	switch {
	case tokens == 1 && p.single == 0:
		p.single = d
	case tokens == 1:
		p.single += (min(d, 2*p.single) - p.single) / 8 // something else may have been in the way
	case p.single > 0:
		// At worst, the pass took as long as its tokens would have one by one.
		more := float64(tokens - 1)
		p.excess.add(min(float64(d)/float64(p.single)-1, more), more, timeFades)
	}
}

// Drafted tells how long the small model took for a number of drafted tokens.
func (p *Pace) Drafted(tokens int, d time.Duration) {
	if p.single > 0 {
		n := float64(tokens)
		p.model.add(min(float64(d)/float64(p.single), n), n, timeFades)
	}
}

// Judged tells how many tokens of a draft were right, and whether one was wrong;
// what was drafted behind a wrong one is not judged.
func (p *Pace) Judged(k Kind, right int, wrong bool) {
	n := float64(right)
	if wrong {
		n++
	}
	if n > 0 {
		p.right[k].add(float64(right), n, rightFades)
	}
}

// Unused tells that a kind of draft was not tried. What is known of it grows old.
func (p *Pace) Unused(k Kind) {
	const share = 0.01
	p.right[k].add(share*believed[k]*beliefWeight, share*beliefWeight, share)
}

// leastGain is what drafting must promise to be done, for what is believed of it
// is not exact.
const leastGain = 1.03

// Choose returns how many tokens of a kind, at most most, are to be drafted, and
// how many times as many tokens per second that promises as none.
func (p *Pace) Choose(k Kind, most int) (n int, gain float64) {
	gain = 1
	if p.single == 0 || p.since >= mostSince {
		return 0, gain
	}
	each, right := max(0, p.excess.value()), p.right[k].value()
	if k == FromModel {
		each += p.model.value()
	}
	for i, tokens, chance := 1, 1.0, right; i <= min(most, Most); i, chance = i+1, chance*right {
		tokens += chance
		if g := tokens / (1 + each*float64(i)); g >= leastGain && g > gain {
			n, gain = i, g
		}
	}
	return n, gain
}
