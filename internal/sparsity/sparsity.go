package sparsity

import (
	"math"
	"slices"
)

// Bins of a histogram: binsPerOctave for each power of two of a positive float32,
// and one for zero.
const (
	binsPerOctave = 16
	bins          = 256*binsPerOctave + 1
	mantissaShift = 23 - 4 // log2(binsPerOctave) bits of the mantissa are kept
)

// Histogram counts the scores of one product's channels. The zero value is empty.
type Histogram struct {
	count  [bins]int64
	energy [bins]float64 // sum of the squares
	n      int64
	total  float64
}

// bin returns the number of the bin of a score that is not negative. Bins are in
// the order of their scores.
func bin(score float32) int {
	b := math.Float32bits(score)
	if b>>31 != 0 || b == 0 {
		return 0
	}
	return 1 + int(b>>mantissaShift)
}

// lower returns the least score of a bin.
func lower(bin int) float32 {
	if bin == 0 {
		return 0
	}
	return math.Float32frombits(max(1, uint32(bin-1)<<mantissaShift)) // more than zero
}

// Add counts the scores |x[j]|*norm[j] of one vector. Scores that are no finite
// numbers are left out.
func (h *Histogram) Add(x, norm []float32) {
	for j, v := range x {
		s := float32(math.Abs(float64(v))) * norm[j]
		if s != s || s > math.MaxFloat32 {
			continue
		}
		b := bin(s)
		h.count[b]++
		h.energy[b] += float64(s) * float64(s)
		h.n++
		h.total += float64(s) * float64(s)
	}
}

// Merge adds the scores of another histogram.
func (h *Histogram) Merge(o *Histogram) {
	for b := range bins {
		h.count[b] += o.count[b]
		h.energy[b] += o.energy[b]
	}
	h.n += o.n
	h.total += o.total
}

// Below returns the share of the scores that are in bins below a threshold.
func (h *Histogram) Below(threshold float32) float64 {
	if h.n == 0 {
		return 0
	}
	var n int64
	for b := range bin(threshold) {
		n += h.count[b]
	}
	return float64(n) / float64(h.n)
}

// below returns the highest threshold below which lies at most a share of the
// energy, and the share of scores below it.
func (h *Histogram) below(energy float64) (threshold float32, share float64) {
	if h.n == 0 {
		return 0, 0
	}
	var n int64
	var sum float64
	for b := range bins {
		if sum+h.energy[b] > energy*h.total {
			return lower(b), float64(n) / float64(h.n)
		}
		sum += h.energy[b]
		n += h.count[b]
	}
	return math.MaxFloat32, 1
}

// Thresholds returns, for each product, the score below which a channel is left
// out so that altogether a share of about level, 0 to 1, of the bytes is not read. bytes
// holds the size of each product. Every product loses the same share of energy,
// which is returned too.
func Thresholds(products []*Histogram, bytes []int64, level float64) (thresholds []float32, energy float64) {
	var all float64
	for _, b := range bytes {
		all += float64(b)
	}
	left := func(energy float64) (sum float64) {
		for i, h := range products {
			_, share := h.below(energy)
			sum += share * float64(bytes[i])
		}
		return sum
	}
	low, high := 0.0, 1.0 // the share of energy, by bisection in its logarithm below
	if level > 0 && all > 0 {
		low = 1e-12
		for range 60 {
			mid := math.Sqrt(low * high)
			if left(mid) < level*all {
				low = mid
			} else {
				high = mid
			}
		}
	}
	thresholds = make([]float32, len(products))
	if low == 0 {
		return thresholds, 0
	}
	for i, h := range products {
		thresholds[i], _ = h.below(high)
	}
	return thresholds, high
}

// Between returns the thresholds for a level between those that levels, which
// are ascending, and table hold: the logarithms are interpolated. Below the first level they
// fall to 0 with it; above the last they are those of the last.
func Between(levels []float64, table [][]float32, level float64) []float32 {
	i, found := slices.BinarySearch(levels, level)
	switch {
	case len(levels) == 0 || level <= 0:
		return nil
	case found:
		return table[i]
	case i == len(levels):
		return table[i-1]
	}
	out := make([]float32, len(table[i]))
	if i == 0 {
		for p, t := range table[0] {
			out[p] = t * float32(level/levels[0])
		}
		return out
	}
	f := (level - levels[i-1]) / (levels[i] - levels[i-1])
	for p := range out {
		a, b := float64(table[i-1][p]), float64(table[i][p])
		if a > 0 && b > 0 {
			out[p] = float32(math.Exp(math.Log(a)*(1-f) + math.Log(b)*f))
		} else {
			out[p] = float32(a*(1-f) + b*f)
		}
	}
	return out
}
