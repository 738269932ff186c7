package perplexity

import (
	"math"
	"slices"
)

// Divergence gathers the comparison of a model's predictions with a base's.
type Divergence struct {
	nll, base moments
	product   float64 // sum of nll*base
	kld       moments
	diff      moments // of the probability of the token that came, model less base
	diff2     moments // its square
	same      int     // predictions with the same likeliest token
	klds      []float64
	diffs     []float64
}

// Add counts one prediction: the model's logits, the base's log probabilities,
// and the token that came.
func (d *Divergence) Add(logits, base []float32, id int32) {
	lse := logSumExp(logits)
	nll, nllBase := lse-float64(logits[id]), -float64(base[id])
	d.nll.add(nll)
	d.base.add(nllBase)
	d.product += nll * nllBase

	var kld float64
	for i, b := range base {
		if b > -deepest { // what lies below was cut off in the file
			lp := float64(b)
			kld += math.Exp(lp) * (lp - float64(logits[i]) + lse)
		}
	}
	d.kld.add(kld)
	d.klds = append(d.klds, kld)

	diff := math.Exp(-nll) - math.Exp(-nllBase)
	d.diff.add(diff)
	d.diff2.add(diff * diff)
	d.diffs = append(d.diffs, diff)
	if argmax(logits) == argmax(base) {
		d.same++
	}
}

// Report is the result of a comparison. Divergences are in nats, Δp in
// probability (1 is certainty).
type Report struct {
	Count       int      `json:"count"` // tokens predicted
	PPL         Estimate `json:"ppl"`
	BasePPL     Estimate `json:"ppl_base"`
	LogPPLRatio Estimate `json:"ln_ppl_ratio"` // ln(PPL/PPL(base))
	Correlation float64  `json:"ln_ppl_correlation"`

	KLD       Estimate `json:"kld"` // mean
	KLDMax    float64  `json:"kld_max"`
	KLDP999   float64  `json:"kld_p99.9"`
	KLDP99    float64  `json:"kld_p99"`
	KLDP95    float64  `json:"kld_p95"`
	KLDMedian float64  `json:"kld_median"`
	KLDMin    float64  `json:"kld_min"`

	DiffMean Estimate `json:"dp"`
	DiffRMS  Estimate `json:"dp_rms"`
	DiffMax  float64  `json:"dp_max"`
	DiffMin  float64  `json:"dp_min"`

	SameTop Estimate `json:"same_top"` // share of predictions with the same likeliest token
}

// Report returns what was gathered so far.
func (d *Divergence) Report() Report {
	n := float64(d.nll.n)
	if n == 0 {
		return Report{}
	}
	nll, base := d.nll.mean(), d.base.mean()
	var covariance float64 // of the two means
	if n > 1 {
		covariance = (d.product/n - nll.Value*base.Value) / (n - 1)
	}
	r := Report{
		Count:   d.nll.n,
		PPL:     nll.exp(),
		BasePPL: base.exp(),
		LogPPLRatio: Estimate{
			Value: nll.Value - base.Value,
			Error: math.Sqrt(max(0, nll.Error*nll.Error+base.Error*base.Error-2*covariance)),
		},
		KLD:      d.kld.mean(),
		DiffMean: d.diff.mean(),
		SameTop:  share(d.same, d.nll.n),
	}
	if nll.Error > 0 && base.Error > 0 {
		r.Correlation = covariance / (nll.Error * base.Error)
	}
	if square := d.diff2.mean(); square.Value > 0 {
		rms := math.Sqrt(square.Value)
		r.DiffRMS = Estimate{rms, square.Error / (2 * rms)}
	}
	klds := slices.Sorted(slices.Values(d.klds))
	r.KLDMin, r.KLDMax = klds[0], klds[len(klds)-1]
	r.KLDP999, r.KLDP99, r.KLDP95 = quantile(klds, 0.999), quantile(klds, 0.99), quantile(klds, 0.95)
	r.KLDMedian = quantile(klds, 0.5)
	r.DiffMin, r.DiffMax = slices.Min(d.diffs), slices.Max(d.diffs)
	return r
}

// share returns k/n with its binomial error.
func share(k, n int) Estimate {
	p := float64(k) / float64(n)
	if n < 2 {
		return Estimate{Value: p}
	}
	return Estimate{p, math.Sqrt(p * (1 - p) / float64(n-1))}
}

// quantile returns the q-quantile of sorted values, interpolated between
// neighbours.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	f := at - float64(i)
	return (1-f)*sorted[i] + f*sorted[i+1]
}
