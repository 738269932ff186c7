package kernels

import (
	"fmt"
	"math"
)

// Elementwise operations and reductions on float32. Lengths may be anything,
// zero included. Where several slices are given, the first one that the comment
// names sets the length and the others must be at least as long.

var (
	rmsNorm  = newFamily("rmsNorm", "", rmsNorm_ref)
	maximum  = newFamily("max", "", max_ref)
	expSum   = newFamily("expSum", "", expSum_ref)
	siluMul  = newFamily("siluMul", "", siluMul_ref)
	rope     = newFamily("rope", "", rope_ref)
	ropeNeoX = newFamily("ropeNeoX", "", ropeNeoX_ref)
	add      = newFamily("add", "", add_ref)
	scale    = newFamily("scale", "", scale_ref)
	toF16    = newFamily("toF16", "", toF16_ref)
	fromF16  = newFamily("fromF16", "", fromF16_ref)
)

// first returns the first n elements of s and panics if it is shorter, whatever
// its capacity.
func first[T any](s []T, n int) []T { return s[:n:len(s)] }

// RMSNorm divides x by the root of its mean square and multiplies it with w:
//
//	y[i] = x[i] / sqrt(mean(x²)+eps) * w[i]
//
// The length is len(x). y may be x.
//
//go:noinline
func RMSNorm(y, x, w []float32, eps float32) {
	if len(x) != 0 {
		rmsNorm.fn(first(y, len(x)), x, first(w, len(x)), eps)
	}
}

func rmsNorm_ref(y, x, w []float32, eps float32) {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	inv := float32(1 / math.Sqrt(sum/float64(len(x))+float64(eps)))
	for i, v := range x {
		y[i] = v * inv * w[i]
	}
}

// Max returns the largest value of x, -Inf if there is none. A NaN in x may or
// may not be returned.
//
//go:noinline
func Max(x []float32) float32 { return maximum.fn(x) }

func max_ref(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	return m
}

// ExpSum replaces each value by exp(value-max) and returns the sum of the
// results. max is meant to be at least the largest value, so that no result
// exceeds 1. A value of -Inf gives 0.
//
//go:noinline
func ExpSum(x []float32, max float32) (sum float32) { return expSum.fn(x, max) }

func expSum_ref(x []float32, max float32) float32 {
	sum := 0.0
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v - max)))
		sum += float64(x[i])
	}
	return float32(sum)
}

// Softmax replaces x by exp(x[i]) / sum over j of exp(x[j]). At least one value
// must be finite.
func Softmax(x []float32) {
	if len(x) != 0 {
		Scale(x, 1/ExpSum(x, Max(x)))
	}
}

// SiLUMul computes y[i] = gate[i]/(1+exp(-gate[i])) * up[i] for len(y) values.
// y may be gate or up.
//
//go:noinline
func SiLUMul(y, gate, up []float32) { siluMul.fn(y, first(gate, len(y)), first(up, len(y))) }

func siluMul_ref(y, gate, up []float32) {
	for i, g := range gate {
		y[i] = float32(float64(g)/(1+math.Exp(-float64(g)))) * up[i]
	}
}

// RoPE turns adjacent pairs of each head of x, which holds whole heads of
// headDim values. cs holds the cosine and sine of each pair, cos first; pairs
// beyond it stay as they are:
//
//	for i := 0; i < len(cs); i += 2 {
//		h[i], h[i+1] = h[i]*cs[i]-h[i+1]*cs[i+1], h[i]*cs[i+1]+h[i+1]*cs[i]
//	}
//
//go:noinline
func RoPE(x, cs []float32, headDim int) {
	if mustHeads(x, cs, headDim) {
		rope.fn(x, cs, headDim)
	}
}

// RoPENeoX is RoPE with pairs made of the values i/2 and (i+len(cs))/2:
//
//	for i := 0; i < len(cs); i += 2 {
//		a, b := &h[i/2], &h[(i+len(cs))/2]
//		*a, *b = *a*cs[i]-*b*cs[i+1], *a*cs[i+1]+*b*cs[i]
//	}
//
//go:noinline
func RoPENeoX(x, cs []float32, headDim int) {
	if mustHeads(x, cs, headDim) {
		ropeNeoX.fn(x, cs, headDim)
	}
}

// mustHeads panics unless x is whole heads and cs whole pairs that fit in one,
// and reports whether there is anything to do.
func mustHeads(x, cs []float32, headDim int) bool {
	if headDim <= 0 || len(x)%headDim != 0 || len(cs)%2 != 0 || len(cs) > headDim {
		panic(fmt.Sprintf("kernels: rotary embedding of %d values in heads of %d with %d cosines and sines", len(x), headDim, len(cs)))
	}
	return len(x) != 0 && len(cs) != 0
}

func rope_ref(x, cs []float32, headDim int) {
	for ; len(x) != 0; x = x[headDim:] {
		for i := 0; i < len(cs); i += 2 {
			a, b, c, s := x[i], x[i+1], cs[i], cs[i+1]
			x[i] = float32(a*c) - float32(b*s)
			x[i+1] = float32(a*s) + float32(b*c)
		}
	}
}

func ropeNeoX_ref(x, cs []float32, headDim int) {
	pairs := len(cs) / 2
	for ; len(x) != 0; x = x[headDim:] {
		for i := range pairs {
			a, b, c, s := x[i], x[i+pairs], cs[2*i], cs[2*i+1]
			x[i] = float32(a*c) - float32(b*s)
			x[i+pairs] = float32(a*s) + float32(b*c)
		}
	}
}

// Add computes y[i] += x[i] for len(y) values.
//
//go:noinline
func Add(y, x []float32) { add.fn(y, first(x, len(y))) }

func add_ref(y, x []float32) {
	for i, v := range x {
		y[i] += v
	}
}

// Scale computes y[i] *= a.
//
//go:noinline
func Scale(y []float32, a float32) { scale.fn(y, a) }

func scale_ref(y []float32, a float32) {
	for i := range y {
		y[i] *= a
	}
}

// F32ToF16 rounds src to binary16, to nearest, ties to even. The length is
// len(src).
//
//go:noinline
func F32ToF16(dst []uint16, src []float32) { toF16.fn(first(dst, len(src)), src) }

func toF16_ref(dst []uint16, src []float32) {
	for i, v := range src {
		dst[i] = f32ToF16(v)
	}
}

// F16ToF32 widens src from binary16. The length is len(src).
//
//go:noinline
func F16ToF32(dst []float32, src []uint16) { fromF16.fn(first(dst, len(src)), src) }

func fromF16_ref(dst []float32, src []uint16) {
	for i, v := range src {
		dst[i] = f16ToF32(v)
	}
}
