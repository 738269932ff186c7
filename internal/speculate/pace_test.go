package speculate

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOfMatch(t *testing.T) {
	for n, want := range map[int]Kind{1: 0, 2: 1, 3: 1, 4: 2, 8: 3, 31: 4, 32: 5, 1000: 5} {
		require.Equal(t, want, OfMatch(n), "%d", n)
	}
	require.Less(t, OfMatch(MaxMatch), FromModel)
}

// world is a model, and a text in which drafts are right with a probability.
type world struct {
	excess, right float64
	random        *rand.Rand
}

// run generates tokens and returns how many times as many per second there were as
// without drafts, and how many a pass had.
func (w *world) run(p *Pace, k Kind, tokens int) (gain, perPass float64) {
	const single = 100 * time.Millisecond
	var passed time.Duration
	done, passes := 0, 0
	for done < tokens {
		n, _ := p.Choose(k, Most)
		d := time.Duration(float64(single) * (1 + w.excess*float64(n)) * (0.9 + 0.2*w.random.Float64()))
		p.Passed(1+n, d)
		right, wrong := 0, false
		for right < max(n, 1) && !wrong { // the first token is judged even if it was not run
			if wrong = w.random.Float64() >= w.right; !wrong {
				right++
			}
		}
		p.Judged(k, right, wrong)
		passed += d
		done += 1 + min(right, n)
		passes++
	}
	return float64(done) * single.Seconds() / passed.Seconds(), float64(done) / float64(passes)
}

// Whatever a pass costs and however good the drafts are: nearly as fast as the best
// fixed number of tokens, and never much slower than without.
func TestPaceFindsTheBest(t *testing.T) {
	for _, excess := range []float64{0, 0.01, 0.12, 0.3, 1} {
		for _, right := range []float64{0, 0.1, 0.3, 0.6, 0.9, 0.99, 1} {
			best := 1.0
			for n, tokens, chance := 1, 1.0, right; n <= Most; n, chance = n+1, chance*right {
				tokens += chance
				best = max(best, tokens/(1+excess*float64(n)))
			}
			for _, streamed := range []bool{false, true} {
				w := world{excess, right, rand.New(rand.NewPCG(1, 2))}
				gain, _ := w.run(NewPace(streamed), OfMatch(2), 1000)
				require.Greater(t, gain, 0.97, "a token more takes %v, %v are right", excess, right)
				require.Greater(t, gain, 0.8*best, "a token more takes %v, %v are right", excess, right)
			}
		}
	}
}

// The text changes from one that repeats itself to another and back.
func TestPaceAdapts(t *testing.T) {
	p, k := NewPace(false), OfMatch(4)
	w := world{0.12, 1, rand.New(rand.NewPCG(3, 4))}
	for range 3 {
		w.right = 1
		w.run(p, k, 100)
		_, perPass := w.run(p, k, 200)
		require.Greater(t, perPass, 10.0)
		w.right = 0.02
		w.run(p, k, 50)
		_, perPass = w.run(p, k, 200)
		require.Less(t, perPass, 1.05)
	}
}

// A kind of draft that was given up is tried again.
func TestPaceTriesAgain(t *testing.T) {
	p := NewPace(true)
	p.Passed(1, time.Second)
	for range 50 {
		p.Judged(FromModel, 0, true)
	}
	n, gain := p.Choose(FromModel, Most)
	require.Zero(t, n)
	require.Equal(t, 1.0, gain)
	tries := 0
	for ; n == 0; n, _ = p.Choose(FromModel, Most) {
		p.Unused(FromModel)
		tries++
		require.Less(t, tries, 500)
	}
	require.Greater(t, tries, 5)
}

// One pass that something else was in the way of decides nothing.
func TestPaceForgivesOutliers(t *testing.T) {
	p := NewPace(true)
	for range 20 {
		p.Passed(1, time.Second)
		p.Passed(8, time.Second)
	}
	p.Judged(OfMatch(8), 100, false)
	before, _ := p.Choose(OfMatch(8), Most)
	p.Passed(1, time.Minute)
	p.Passed(8, time.Minute)
	n, _ := p.Choose(OfMatch(8), Most)
	require.Equal(t, Most, before)
	require.GreaterOrEqual(t, n, 4)
}

func TestPaceKeepsToTheMost(t *testing.T) {
	p := NewPace(true)
	n, _ := p.Choose(OfMatch(32), Most)
	require.Zero(t, n, "nothing has been measured")
	p.Passed(1, time.Second)
	for most := range Most + 3 {
		n, _ := p.Choose(OfMatch(32), most)
		require.LessOrEqual(t, n, min(most, Most))
	}
}

// A slow small model is not asked.
func TestPaceCountsTheModel(t *testing.T) {
	p := NewPace(false)
	p.Passed(1, time.Second)
	fast, _ := p.Choose(FromModel, Most)
	require.Positive(t, fast)
	for range 30 {
		p.Drafted(4, 4*time.Second)
	}
	slow, _ := p.Choose(FromModel, Most)
	require.Zero(t, slow)
}
