package quant

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParsePruning(t *testing.T) {
	for s, want := range map[string]Pruning{"50%": {Drop: 0.5}, "0%": {}, "12.5%": {Drop: 0.125}, "2:4": {Keep: 2, Of: 4}, "16:32": {Keep: 16, Of: 32}, "4:4": {Keep: 4, Of: 4}} {
		p, err := ParsePruning(s)
		require.NoError(t, err)
		require.Equal(t, want, p)
		require.Equal(t, s, p.String())
	}
	for _, s := range []string{"", "50", "%", "100%", "-1%", "NaN%", "1e9%", ":", "2:", "2:1", "0:4", "-1:4", "2:x", "2:4:8", "2:65", "1:99999999999999999999"} {
		_, err := ParsePruning(s)
		require.Error(t, err, s)
	}
}

func FuzzParsePruning(f *testing.F) {
	for _, s := range []string{"50%", "2:4", "16:32", "1e-3%", "+1:4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePruning(s)
		if err != nil {
			return
		}
		w := []float32{1, -2, 3, -4, 5}
		require.LessOrEqual(t, len(p.Select(nil, w, nil)), len(w))
	})
}

// What stays is as much as was asked for, ascending, and no weight that goes has a larger score than one that stays.
func TestPruningSelect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 100).Draw(t, "n")
		w := rapid.SliceOfN(rapid.Float32Range(-3, 3), n, n).Draw(t, "w")
		var norm []float32
		if rapid.Bool().Draw(t, "norm") {
			norm = rapid.SliceOfN(rapid.Float32Range(0, 2), n, n).Draw(t, "norms")
		}
		p, of := Pruning{Drop: rapid.Float64Range(0, 0.99).Draw(t, "drop")}, n
		if rapid.Bool().Draw(t, "pattern") {
			of = rapid.IntRange(1, 40).Draw(t, "of")
			p = Pruning{Keep: rapid.IntRange(1, of).Draw(t, "keep"), Of: of}
		}
		index := p.Select(nil, w, norm)
		require.True(t, slices.IsSorted(index))
		for at := 0; at < n; at += of {
			end := min(at+of, n)
			want := min(p.Keep, end-at)
			if p.Of == 0 {
				want = n - int(math.Round(p.Drop*float64(n)))
			}
			kept, least, most := 0, math.Inf(1), 0.0
			for j := at; j < end; j++ {
				score := max(w[j], -w[j])
				if norm != nil {
					score *= norm[j]
				}
				if _, stays := slices.BinarySearch(index, int32(j)); stays {
					kept++
					least = min(least, float64(score))
				} else {
					most = max(most, float64(score))
				}
			}
			require.Equal(t, want, kept)
			require.LessOrEqual(t, most, least)
		}
	})
	require.Equal(t, "[0 2 4]", fmt.Sprint(Pruning{Keep: 1, Of: 2}.Select(nil, []float32{1, 1, 2, 1, 0}, nil)))
	require.Equal(t, "[1]", fmt.Sprint(Pruning{Drop: 0.5}.Select(nil, []float32{-3, 2}, []float32{1, 2})))
}

func TestMomentsNorms(t *testing.T) {
	x := []float32{3, 0, 1, 4, 0, 2}
	require.Equal(t, []float32{5, 0, float32(math.Sqrt(5))}, momentsOf(x, 3, 2).Norms())
}

// What is not kept is 0, and with feedback the other weights make up for it.
func TestSlabKeeps(t *testing.T) {
	const tokens, n = 400, 100
	x := correlated(1, tokens, n)
	for _, kind := range kinds {
		group := kind.Group()
		w := normal(2, n*group)
		m := momentsOf(x, n, n)
		f, err := NewFeedback(m, make([]float32, m.Values()), make([]float64, m.Scratch()))
		require.NoError(t, err)
		keep := make([]bool, len(w))
		row := make([]float32, n)
		for o := range group {
			for j := range row {
				row[j] = w[j*group+o]
			}
			for _, j := range (Pruning{Drop: 0.5}).Select(nil, row, m.Norms()) {
				keep[int(j)*group+o] = true
			}
		}
		e := NewEncoder(kind, Default)
		lost := map[bool]float64{}
		for _, feedback := range []*Feedback{nil, f} {
			q := make([]float32, len(w))
			cost := e.Slab(w, keep, feedback, func(j int, values *[GroupBytes]byte, scale uint16) {
				e.Decode(q[j*group:][:group], values, scale)
			})
			for i, k := range keep {
				if !k {
					require.Zero(t, q[i])
				}
			}
			if feedback == nil {
				require.InEpsilon(t, squares(w, q), cost, 1e-4)
			}
			lost[feedback != nil] = productError(x, w, q, n, group)
		}
		require.Less(t, lost[true], 0.75*lost[false], "%v", kind)
	}
}
