package model

import "math"

// RoPE describes the rotary position embedding (Su et al. 2021,
// arXiv:2104.09864) and how it is stretched to longer contexts.
type RoPE struct {
	Dim  int     // values of each head that are rotated, even
	Base float64 // θ of pair i is Base^(-2i/Dim)

	// Scaling is "none", "linear" (positions are divided by Factor) or "yarn"
	// (Peng et al. 2023, arXiv:2309.00071: slow pairs are stretched, fast ones
	// are not, and the attention is sharpened).
	Scaling    string
	Factor     float64
	ExtFactor  float64 // share of YaRN in the frequencies, 1 unless the file says otherwise
	AttnFactor float64 // on cosine and sine
	OrigCtx    int     // tokens before stretching
	BetaFast   float64
	BetaSlow   float64
}

// frequencies returns the angle per position of each of the Dim/2 pairs, and
// the factor on cosine and sine. divide, if not empty, holds one divisor per
// pair (the tensor rope_freqs, which carries Llama 3's scaling).
func (r *RoPE) frequencies(divide []float32) (freqs []float64, scale float64) {
	freqs, scale = make([]float64, r.Dim/2), r.AttnFactor
	low, high := r.yarnRange()
	for i := range freqs {
		f := math.Pow(r.Base, -2*float64(i)/float64(r.Dim))
		if len(divide) > 0 {
			f /= float64(divide[i])
		}
		switch r.Scaling {
		case "linear":
			f /= r.Factor
		case "yarn":
			// ExtFactor at and below low: the pair turns fast and is left alone.
			keep := r.ExtFactor * (1 - min(1, max(0, (float64(i)-low)/max(0.001, high-low))))
			f = f/r.Factor*(1-keep) + f*keep
		}
		freqs[i] = f
	}
	if r.Scaling == "yarn" && r.ExtFactor != 0 {
		scale *= 1 + 0.1*math.Log(r.Factor)
	}
	return freqs, scale
}

// yarnRange returns the pairs between which YaRN passes from leaving the
// frequency alone to stretching it: those that make BetaFast and BetaSlow turns
// within the original context.
func (r *RoPE) yarnRange() (low, high float64) {
	pair := func(turns float64) float64 {
		return float64(r.Dim) * math.Log(float64(r.OrigCtx)/(turns*2*math.Pi)) / (2 * math.Log(r.Base))
	}
	return max(0, math.Floor(pair(r.BetaFast))), min(float64(r.Dim-1), math.Ceil(pair(r.BetaSlow)))
}

// fillAngles writes cosine and sine of every pair at position pos: cs holds
// 2*len(freqs) values, cosine first.
func fillAngles(cs []float32, freqs []float64, scale float64, pos int) {
	for i, f := range freqs {
		sin, cos := math.Sincos(float64(pos) * f)
		cs[2*i], cs[2*i+1] = float32(cos*scale), float32(sin*scale)
	}
}
