package quant

import (
	"math"

	"github.com/cortexsdr/cortex/kernels"
)

// Table is the codebook of an SDR4 product: code c stands for T[c]-64. The entries ascend from 0 to 127, and one is 64.
type Table [16]byte

// zero is the entry of a table that stands for 0.
const zero = 64

// Linear is the codebook of equal steps.
var Linear = Table{0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120}

// Default is the codebook fitted (see [Fit]) to normally distributed weights.
var Default = Table{0, 16, 26, 34, 40, 46, 52, 58, 64, 70, 76, 83, 90, 98, 107, 120}

// ends returns the least and the largest value of the table.
func (t *Table) ends() (low, high float32) {
	return float32(t[0]) - zero, float32(t[len(t)-1]) - zero
}

// nearest returns the code whose value is nearest to x.
func (t *Table) nearest(x float64) int {
	best := 0
	for c := range t {
		if math.Abs(float64(t[c])-zero-x) < math.Abs(float64(t[best])-zero-x) {
			best = c
		}
	}
	return best
}

// fitRounds is how often Fit goes over its groups: the error hardly falls after that.
const fitRounds = 6

// Fit returns a codebook for groups of weights like those given, [groups][128], by Lloyd's algorithm: every value becomes the
// mean of the weights that it stands for, in units of their scales, and then scales and codes are chosen anew. The value 0
// stays.
func Fit(groups []float32) Table {
	size := SDR4.Group()
	table := Default
	var level [len(table)]float64
	for c, v := range table {
		level[c] = float64(v) - zero
	}
	for range fitRounds {
		e := NewEncoder(SDR4, table)
		var wd, dd [len(table)]float64
		var codes [GroupBytes]byte
		for at := 0; at+size <= len(groups); at += size {
			w := groups[at:][:size]
			d := float64(kernels.HalfValue(e.Encode(&codes, w)))
			for i, b := range codes {
				lo, hi := b&15, b>>4
				wd[lo] += d * float64(w[i])
				dd[lo] += d * d
				wd[hi] += d * float64(w[i+GroupBytes])
				dd[hi] += d * d
			}
		}
		for c := range level {
			if dd[c] > 0 && table[c] != zero {
				level[c] = wd[c] / dd[c]
			}
		}
		// The values fill the range, so that rounding them to integers costs least.
		stretch := math.Min(-64/level[0], 63/level[len(level)-1])
		for c := range level {
			level[c] *= stretch
			table[c] = byte(math.Round(level[c]) + zero)
		}
		for c := 1; c < len(table); c++ { // distinct, whatever the groups hold
			table[c] = min(max(table[c], table[c-1]+1), byte(128-len(table)+c))
		}
		if !table.valid() {
			return Default
		}
	}
	return table
}

// valid reports whether the table ascends within the range and has a 0.
func (t *Table) valid() bool {
	hasZero := t[0] == zero
	for c := 1; c < len(t); c++ {
		if t[c] <= t[c-1] || t[c] > 127 {
			return false
		}
		hasZero = hasZero || t[c] == zero
	}
	return hasZero
}
