package quant

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/cortexsdr/cortex/kernels"
)

// Pruning says how many of the weights of an output become 0: Drop of all its channels, or all but Keep of each Of channels that
// follow each other. An output's weights compete with each other only, not with those of other outputs, which by the
// measurements of Wanda (Sun et al. 2023, arXiv:2306.11695) is what keeps most of a language model's quality. The zero Pruning
// leaves all weights as they are.
type Pruning struct {
	Drop     float64 // 0 to 1
	Keep, Of int
}

// maxPattern is the most channels that a pattern has: ranking them takes the square of their number.
const maxPattern = 64

// ParsePruning reads a share of weights that become 0, "50%", or a pattern of those that stay, "2:4".
func ParsePruning(s string) (p Pruning, err error) {
	if percent, ok := strings.CutSuffix(s, "%"); ok {
		p.Drop, err = strconv.ParseFloat(percent, 64)
		if p.Drop /= 100; err == nil && p.Drop >= 0 && p.Drop < 1 {
			return p, nil
		}
	} else if keep, of, ok := strings.Cut(s, ":"); ok {
		if p.Keep, err = strconv.Atoi(keep); err == nil {
			p.Of, err = strconv.Atoi(of)
		}
		if err == nil && p.Keep >= 1 && p.Keep <= p.Of && p.Of <= maxPattern {
			return p, nil
		}
	}
	return Pruning{}, fmt.Errorf("%q is neither a share of weights from 0%% to less than 100%% nor a pattern such as 2:4 of at most %d", s, maxPattern)
}

// String returns what ParsePruning reads.
func (p Pruning) String() string {
	if p.Of > 0 {
		return fmt.Sprintf("%d:%d", p.Keep, p.Of)
	}
	return strconv.FormatFloat(100*p.Drop, 'g', -1, 64) + "%"
}

// Select returns the channels whose weights to an output stay, those of the largest |w|*norm; norm may be nil and is 1 then. Of
// equals the first stay. The result is in the memory of index if that is enough.
func (p Pruning) Select(index []int32, w, norm []float32) []int32 {
	if p.Of == 0 {
		return kernels.SelectTop(index, w, norm, len(w)-int(math.Round(p.Drop*float64(len(w)))))
	}
	index = index[:0]
	var scores [maxPattern]float32
	for at := 0; at < len(w); at += p.Of {
		scores := scores[:min(p.Of, len(w)-at)]
		for i := range scores {
			scores[i] = max(w[at+i], -w[at+i])
			if norm != nil {
				scores[i] *= norm[at+i]
			}
		}
		for i, s := range scores {
			better := 0
			for j, other := range scores {
				if other > s || other == s && j < i {
					better++
				}
			}
			if better < p.Keep {
				index = append(index, int32(at+i))
			}
		}
	}
	return index
}

// Norms returns the L2 norm of each channel of the inputs.
func (m *Moments) Norms() []float32 {
	norms := make([]float32, m.Channels)
	for at := 0; at < m.Channels; at += m.Window {
		h, n := m.of(at)
		for i := range n {
			norms[at+i] = float32(math.Sqrt(float64(h[i*(n+1)])))
		}
	}
	return norms
}
