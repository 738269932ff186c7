package speculate

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func newIndex(context int) *Index { return NewIndex(context, make([]int32, Cells(context))) }

// naive says what Draft does without an index.
func naive(dst, text []int32) (matched int) {
	place, tries := 0, 0
	for p := len(text) - 1; p > 0; p-- {
		n := match(text, p)
		if n >= 2 {
			if tries++; tries > maxTries {
				break
			}
		}
		if n > matched {
			place, matched = p, n
		}
	}
	if matched == 0 {
		return 0
	}
	long := append([]int32(nil), text...)
	for i := range dst {
		dst[i] = long[place+i]
		long = append(long, dst[i])
	}
	return matched
}

func TestDraftIsTheNaiveOne(t *testing.T) {
	const context = 400
	rapid.Check(t, func(t *rapid.T) {
		x := newIndex(context)
		vocab := rapid.SampledFrom([]int32{1, 2, 3, 10, 100000}).Draw(t, "vocabulary")
		token := rapid.Int32Range(0, vocab-1)
		var text []int32
		for range rapid.IntRange(1, 8).Draw(t, "pieces") {
			switch piece := rapid.SliceOfN(token, 0, 40).Draw(t, "new"); {
			case rapid.Bool().Draw(t, "repeat") && len(text) > 0:
				from := rapid.IntRange(0, len(text)-1).Draw(t, "from")
				text = append(text, text[from:min(len(text), from+40)]...)
			case rapid.IntRange(0, 5).Draw(t, "forget") == 0:
				text = text[:rapid.IntRange(0, len(text)).Draw(t, "length")]
				x.Reset()
			default:
				text = append(text, piece...)
			}
			want, got := make([]int32, rapid.IntRange(0, 20).Draw(t, "drafted")), [20]int32{}
			matched := naive(want, text)
			require.Equal(t, matched, x.Draft(got[:len(want)], text))
			if matched > 0 {
				require.Equal(t, want, got[:len(want)])
			}
		}
	})
}

func TestDraft(t *testing.T) {
	for _, c := range []struct {
		text    []int32
		want    []int32
		matched int
	}{
		{nil, nil, 0},
		{[]int32{7}, nil, 0},
		{[]int32{7, 8}, nil, 0},
		{[]int32{7, 7}, []int32{7, 7, 7, 7}, 1},
		{[]int32{7, 7, 7}, []int32{7, 7, 7, 7}, 2},
		{[]int32{1, 2, 3, 1}, []int32{2, 3, 1, 2}, 1},
		{[]int32{1, 2, 3, 9, 2, 4, 1, 2}, []int32{3, 9, 2, 4}, 2},    // the longer match is older
		{[]int32{1, 2, 3, 9, 1, 2, 5, 1, 2}, []int32{5, 1, 2, 5}, 2}, // the more recent of equal ones
	} {
		got := make([]int32, 4)
		require.Equal(t, c.matched, newIndex(16).Draft(got, c.text), "%v", c.text)
		if c.matched > 0 {
			require.Equal(t, c.want, got, "%v", c.text)
		}
	}
}

// A full context fits.
func TestDraftOfFullContext(t *testing.T) {
	for context := 1; context < 40; context++ {
		text := make([]int32, context)
		require.Equal(t, min(context-1, MaxMatch), newIndex(context).Draft(make([]int32, 3), text))
	}
}

func TestDraftDoesNotAllocate(t *testing.T) {
	text := repetitive(4096)
	x, n, dst := newIndex(len(text)), 1000, make([]int32, 14)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		x.Draft(dst, text[:n])
		n++
	}))
}

// repetitive returns n tokens, each of them among the few that may follow the one before.
func repetitive(n int) []int32 {
	r := rand.New(rand.NewPCG(1, 2))
	text := make([]int32, n)
	for i := range text {
		text[i] = int32(r.ExpFloat64() * 20)
	}
	return text
}

// One step: a token is listed and a draft looked up.
func BenchmarkDraft(b *testing.B) {
	text, dst := repetitive(4096), make([]int32, 14)
	x := newIndex(len(text))
	for b.Loop() {
		x.Reset()
		x.Draft(dst, text[:2048])
		for n := 2049; n <= 4096; n++ {
			x.Draft(dst, text[:n])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2048, "ns/step")
}
