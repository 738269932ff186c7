package model

import (
	"math"

	"github.com/cortexsdr/cortex/kernels"
)

// Selection is how the active channels of a product are chosen.
type Selection uint8

// The selections. A channel's score is what it can add to the outputs.
const (
	SelectNorm       Selection = iota // the same share of every product's channels, by |x| times the norm of the weights
	SelectMagnitude                   // the same, by |x| alone
	SelectCalibrated                  // whose |x| times norm is at least the product's threshold
)

// Sparsity says which channels are left out of the products of passes that ask for
// it. Only products that are stored channel by channel can leave any out.
type Sparsity struct {
	Level      float64 // the share of channels that are left out, 0 to 1; 0 is none
	Selection  Selection
	Thresholds []float32 // for SelectCalibrated, by the products' order in the file
	Keep       []float32 // the share of channels that are expected to be active with them
}

// choose returns the active channels of a product for x, ascending, in the memory
// of set.
func (s *Sparsity) choose(c *channels, set []int32, x []float32) []int32 {
	if s.Selection == SelectCalibrated {
		return kernels.SelectAbove(set, x, c.Norm, s.Thresholds[c.Index])
	}
	norm := c.Norm
	if s.Selection == SelectMagnitude {
		norm = nil
	}
	return kernels.SelectTop(set, x, norm, s.keep(c))
}

// keep returns how many channels of a product are active, on average.
func (s *Sparsity) keep(c *channels) int {
	share := 1 - s.Level
	if s.Selection == SelectCalibrated {
		share = float64(s.Keep[c.Index])
	}
	return max(1, int(math.Round(share*float64(c.Product.Channels))))
}

// SetSparsity sets which channels sparse passes leave out from the next pass on.
// It must not be called during a pass.
func (m *Model) SetSparsity(s Sparsity) { m.exec.sparsity = s }

// Sparsity returns what SetSparsity was told.
func (m *Model) Sparsity() Sparsity { return m.exec.sparsity }
