package model

import (
	"math"
	"slices"

	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
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
	// Blocks, if not nil, has for each product in the file, if that is known, the share of the channels of each block that are
	// expected to be active.
	Blocks [][]float32
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
func (m *Model) SetSparsity(s Sparsity) {
	e := m.exec
	e.sparsity, e.active = s, nil
	if s.Level == 0 || !m.streamed {
		return
	}
	e.active = slices.Repeat(loader.Shares{1}, len(m.order)) // anew, as a stream may hold the one before
	for i := range e.steps {
		st := &e.steps[i]
		if c := st.channels; c != nil {
			for b := range c.Pieces {
				e.active[c.Block+b] = s.share(c, b)
			}
		}
		if st.gate == nil {
			continue
		}
		for _, w := range st.W { // whose active rows are as many as channels of the product that follows
			for b := range w.Blocks() {
				e.active[w.Block+b] = float32(s.keep(st.gate.down)) / float32(w.Rows())
			}
		}
	}
}

// share returns the share of the channels of a block that are expected to be active.
func (s *Sparsity) share(c *channels, block int) float32 {
	if c.Index < len(s.Blocks) && s.Blocks[c.Index] != nil {
		return s.Blocks[c.Index][block]
	}
	return float32(s.keep(c)) / float32(c.Product.Channels)
}

// Sparsity returns what SetSparsity was told.
func (m *Model) Sparsity() Sparsity { return m.exec.sparsity }
