package sample

import "math"

// ln2 in two parts: the product of ln2Hi and an integer of less than 2^21 is exact.
const (
	ln2Hi = 0x1.62e42feep-1
	ln2Lo = math.Ln2 - ln2Hi
)

// exp returns e^x for x <= 0, within a unit in the last place or so, and zero where it would be less than the smallest
// normal number. It gives the same bits on every architecture, which math.Exp does not.
//
// With k the integer nearest to x/ln2 and r = x - k*ln2, e^x = 2^k * e^r, and |r| <= ln2/2: there the Taylor series up to r^13 is exact
// to 2^-57.
func exp(x float64) float64 {
	if x < -708 {
		return 0
	}
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	r := x - float64(k*ln2Hi) - float64(k*ln2Lo)

	// The terms in pairs, then the pairs in pairs, and so on: the processor can compute the parts side by side.
	r2 := r * r
	r4 := r2 * r2
	r8 := r4 * r4
	a := 1 + r + float64(r2*(1.0/2+float64(r*(1.0/6))))
	b := 1.0/24 + float64(r*(1.0/120)) + float64(r2*(1.0/720+float64(r*(1.0/5040))))
	c := 1.0/40320 + float64(r*(1.0/362880)) + float64(r2*(1.0/3628800+float64(r*(1.0/39916800))))
	d := 1.0/479001600 + float64(r*(1.0/6227020800))
	y := a + float64(r4*b) + float64(r8*(c+float64(r4*d)))
	return y * math.Float64frombits(uint64(int64(k)+1023)<<52)
}
