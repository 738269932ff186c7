package quant

import (
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// correlated returns inputs whose neighbouring channels are alike, [tokens][n].
func correlated(seed uint64, tokens, n int) []float32 {
	x := normal(seed, tokens*n)
	for t := range tokens {
		row := x[t*n:][:n]
		for j := 1; j < n; j++ {
			row[j] = 0.9*row[j-1] + 0.45*row[j]
		}
		for j := range row {
			row[j] *= float32(1 + j%5)
		}
	}
	return x
}

func momentsOf(x []float32, n, window int) *Moments {
	m := NewMoments(n, window, make([]float32, MomentValues(n, min(window, n))))
	half := len(x) / n / 2 * n
	for _, part := range [][]float32{x[:half], x[half:]} {
		for worker := range 3 {
			m.Add(part, worker, 3)
		}
	}
	return m
}

func TestMoments(t *testing.T) {
	const tokens, n, window = 20, 70, 32 // the last window has 6 channels
	x := correlated(1, tokens, n)
	m := momentsOf(x, n, window)
	require.Equal(t, tokens, m.Tokens)
	require.Equal(t, 32*32+32*32+6*6, m.Values())
	for at := 0; at < n; at += window {
		h, size := m.of(at)
		for i := range size {
			for j := range size {
				var want float64
				for k := range tokens {
					want += float64(x[k*n+at+i]) * float64(x[k*n+at+j])
				}
				require.InDelta(t, want, h[i*size+j], 1e-3)
			}
		}
	}
}

func TestFactor(t *testing.T) {
	const n = 9
	x := normal(1, 40*n)
	var h [n * n]float64
	for k := range 40 {
		for i := range n {
			for j := range n {
				h[i*n+j] += float64(x[k*n+i] * x[k*n+j])
			}
		}
	}
	a := h
	factor(a[:], n)
	r := func(i, j int) float64 {
		switch {
		case i == j:
			return 1
		case i > j:
			return 0
		}
		return a[i*n+j]
	}
	for i := range n {
		for j := range n {
			var sum float64
			for k := range n {
				sum += r(i, k) * a[k*(n+1)] * r(j, k)
			}
			require.InDelta(t, h[i*n+j], sum, 1e-9)
		}
	}
}

// productError returns the sum over tokens of the squared errors of the outputs.
func productError(x, w, q []float32, n, group int) (sum float64) {
	for t := range len(x) / n {
		for o := range group {
			var d float64
			for j := range n {
				d += float64(x[t*n+j]) * (float64(w[j*group+o]) - float64(q[j*group+o]))
			}
			sum += d * d
		}
	}
	return sum
}

// slab quantizes and returns what is read, and Slab's result.
func slab(kind Kind, w []float32, n int, f *Feedback) ([]float32, float64) {
	e := NewEncoder(kind, Default)
	q := make([]float32, len(w))
	seen := make([]int, n)
	cost := e.Slab(w, nil, f, func(j int, values *[GroupBytes]byte, scale uint16) {
		seen[j]++
		e.Decode(q[j*kind.Group():][:kind.Group()], values, scale)
	})
	for j, times := range seen {
		if times != 1 {
			panic(j)
		}
	}
	return q, cost
}

// Feedback makes the products better, though the weights become worse, and the cost is what the products' errors are.
func TestFeedback(t *testing.T) {
	const tokens, n = 400, 100
	x := correlated(1, tokens, n)
	for _, kind := range kinds {
		group := kind.Group()
		w := normal(2, n*group)
		plain, cost := slab(kind, w, n, nil)
		require.InEpsilon(t, squares(w, plain), cost, 1e-4)
		before := productError(x, w, plain, n, group)
		for _, c := range []struct {
			window int
			most   float64 // share of the error that is left
		}{{n, 0.5}, {64, 0.6}, {10, 0.8}} {
			m := momentsOf(x, n, c.window)
			f, err := NewFeedback(m, make([]float32, m.Values()), make([]float64, m.Scratch()))
			require.NoError(t, err)
			q, cost := slab(kind, w, n, f)
			after := productError(x, w, q, n, group)
			require.Less(t, after, c.most*before, "%v, windows of %d", kind, c.window)
			if c.window == n {
				require.Greater(t, squares(w, q), squares(w, plain))
				require.Greater(t, cost, after) // it has the damping in it
				require.Less(t, cost, 1.5*after)
				signal := NewEncoder(kind, Default).Signal(w, f)
				require.InEpsilon(t, productError(x, w, make([]float32, len(w)), n, group), signal, 0.1)
			}
		}
	}
}

func TestFeedbackOfSilence(t *testing.T) {
	const n = 40
	m := momentsOf(make([]float32, 3*n), n, 32)
	f, err := NewFeedback(m, make([]float32, m.Values()), make([]float64, m.Scratch()))
	require.NoError(t, err)
	w := normal(1, n*128)
	q, _ := slab(SDR4, w, n, f)
	plain, _ := slab(SDR4, w, n, nil)
	require.Equal(t, plain, q)
}

func TestFeedbackNotFinite(t *testing.T) {
	const n = 8
	x := make([]float32, n)
	x[5] = float32(math.Inf(1))
	m := momentsOf(append(x, x...), n, n)
	_, err := NewFeedback(m, make([]float32, m.Values()), make([]float64, m.Scratch()))
	require.ErrorContains(t, err, "not finite")
}

// What is taken from the heap grows with the channels, not with their square: the rest is the caller's memory.
func TestFeedbackAllocates(t *testing.T) {
	const n = 512
	m := momentsOf(correlated(5, 20, n), n, n)
	memory, scratch := make([]float32, m.Values()), make([]float64, m.Scratch())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := NewFeedback(m, memory, scratch)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64*n))
}
