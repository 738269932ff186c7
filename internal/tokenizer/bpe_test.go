package tokenizer

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// table is a small vocabulary: single letters, which are the first symbols, and what merges make of them.
type table struct {
	letters string
	texts   []string
	merges  []merge
}

func (tb *table) String() string {
	var b strings.Builder
	for _, m := range tb.merges {
		fmt.Fprintf(&b, "%d: %s+%s ", m.rank, tb.texts[m.left], tb.texts[m.right])
	}
	return b.String()
}

func (tb *table) find(s string) int32 { return int32(slices.Index(tb.texts, s)) }

// build makes a bpe of it. Symbols are numbered anew, as they have to be in order of length.
func (tb *table) build(t require.TestingT) *bpe {
	tr := newTrie(len(tb.texts), 0)
	order := make([]int, len(tb.texts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(tb.texts[a]) - len(tb.texts[b]) })
	for _, i := range order {
		require.Equal(t, int32(i), tr.add(tb.texts[i], int32(i)))
	}
	merges := slices.Clone(tb.merges)
	slices.SortStableFunc(merges, func(a, b merge) int {
		if a.rank != b.rank {
			return int(a.rank - b.rank)
		}
		return len(tb.texts[a.to]) - len(tb.texts[b.to])
	})
	return newBPE(tr, tb.texts, merges, func(string) int { return 1 })
}

// naive encodes by the definition of BPE: again and again it merges the leftmost of the pairs with the lowest rank.
func (tb *table) naive(text string) []int32 {
	symbols := []int32{}
	for _, r := range text {
		symbols = append(symbols, tb.find(string(r)))
	}
	rules := map[[2]int32]merge{}
	for _, m := range slices.Backward(tb.merges) {
		rules[[2]int32{m.left, m.right}] = m
	}
	for {
		best, at := merge{rank: math.MaxInt32}, -1
		for i := range len(symbols) - 1 {
			if m, ok := rules[[2]int32(symbols[i:])]; ok && m.rank < best.rank {
				best, at = m, i
			}
		}
		if at < 0 {
			return symbols
		}
		symbols = slices.Replace(symbols, at, at+2, best.to)
	}
}

// drawTable draws merges of any parts in any order, so that many rank before those that make their parts, and, if
// ties are allowed, several may have the same rank.
func drawTable(t *rapid.T) *table {
	letters := rapid.SampledFrom([]string{"a", "ab", "abc"}).Draw(t, "letters")
	tb := &table{letters: letters, texts: strings.Split(letters, "")}
	n := rapid.IntRange(0, 30).Draw(t, "merges")
	ties := rapid.Bool().Draw(t, "ties")
	for i := range n {
		left := rapid.IntRange(0, len(tb.texts)-1).Draw(t, "left")
		right := rapid.IntRange(0, len(tb.texts)-1).Draw(t, "right")
		text := tb.texts[left] + tb.texts[right]
		to := tb.find(text)
		if to < 0 {
			to = int32(len(tb.texts))
			tb.texts = append(tb.texts, text)
		}
		tb.merges = append(tb.merges, merge{left: int32(left), right: int32(right), to: to, rank: int32(i)})
	}
	ranks := rapid.Permutation(slices.Collect(func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	})).Draw(t, "ranks")
	for i := range tb.merges {
		tb.merges[i].rank = int32(ranks[i])
		if ties {
			tb.merges[i].rank /= 3
		}
	}
	// Of equal pairs only the first counts, in either method.
	slices.SortStableFunc(tb.merges, func(a, b merge) int { return int(a.rank - b.rank) })
	return tb
}

func TestSplitEqualsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tb := drawTable(t)
		b := tb.build(t)
		for range 10 {
			text := rapid.StringOfN(rapid.SampledFrom([]rune(tb.letters)), 0, 40, -1).Draw(t, "text")
			require.Equal(t, tb.naive(text), b.split([]int32{}, text), "%q with %v", text, tb)
		}
	})
}
