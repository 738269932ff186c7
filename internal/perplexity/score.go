package perplexity

import "math"

// Scored returns how many tokens of a chunk of n are predicted.
func Scored(n int) int { return n - 1 - n/2 }

// Score is the running estimate over the tokens that were predicted.
type Score struct{ nll moments }

// Add counts the prediction of token id by logits.
func (s *Score) Add(logits []float32, id int32) {
	s.nll.add(logSumExp(logits) - float64(logits[id]))
}

// Count returns the number of tokens predicted.
func (s *Score) Count() int { return s.nll.n }

// PPL returns the perplexity and its uncertainty.
func (s *Score) PPL() Estimate { return s.nll.mean().exp() }

// Estimate is a value with its standard error.
type Estimate struct {
	Value float64 `json:"value"`
	Error float64 `json:"error"`
}

// exp returns the estimate of exp(e).
func (e Estimate) exp() Estimate {
	v := math.Exp(e.Value)
	return Estimate{v, v * e.Error}
}

// moments are the sums from which mean and standard error follow.
type moments struct {
	n         int
	sum, sum2 float64
}

func (m *moments) add(x float64) {
	m.n++
	m.sum += x
	m.sum2 += x * x
}

// mean returns the mean and its standard error, 0 for a single value.
func (m *moments) mean() Estimate {
	if m.n == 0 {
		return Estimate{}
	}
	mean := m.sum / float64(m.n)
	variance := m.sum2/float64(m.n) - mean*mean
	if m.n < 2 || variance <= 0 {
		return Estimate{Value: mean}
	}
	return Estimate{mean, math.Sqrt(variance / float64(m.n-1))}
}

// logSumExp returns log(sum(exp(x))).
func logSumExp(x []float32) float64 {
	top := float64(x[argmax(x)])
	var sum float64
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

// argmax returns the index of the largest value, the first of several.
func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
