package kernels

import (
	"fmt"
	"math"
)

// Layout is the form in which a product reads its activations.
type Layout int

// The layouts. Which one a weight type needs is [Product.Layout].
const (
	Float     Layout = iota // float32 as they are
	Q8x32                   // int8, one scale per 32 values (ggml's Q8_0)
	Q8x32Sums               // the same with scaled sums, for weights with a minimum (ggml's Q8_1)
	Q8x256                  // int8, one scale per 256 values (ggml's Q8_K)

	Layouts int = iota // how many there are
)

// String returns the name of the layout.
func (l Layout) String() string {
	switch l {
	case Float:
		return "Float"
	case Q8x32:
		return "Q8x32"
	case Q8x32Sums:
		return "Q8x32Sums"
	case Q8x256:
		return "Q8x256"
	}
	return fmt.Sprintf("Layout(%d)", int(l))
}

// Block returns the number of values that share one scale; 1 for Float. The
// length of a vector is a multiple of it.
func (l Layout) Block() int {
	switch l {
	case Q8x32, Q8x32Sums:
		return 32
	case Q8x256:
		return 256
	}
	return 1
}

// SumBlock returns how many values each element of [Acts.S] sums.
func (l Layout) SumBlock() int {
	if l == Q8x256 {
		return 16
	}
	return 32
}

// Acts holds M activation vectors of N values in the form that the products
// read. Vectors follow each other: value i of vector t is F[t*N+i].
//
// Value i of vector t is about D[(t*N+i)/block] * Q[t*N+i] in a quantized
// layout, block being Layout.Block().
type Acts struct {
	Layout Layout
	M, N   int
	F      []float32 // M*N, the values themselves, in every layout
	Q      []int8    // M*N, quantized layouts only
	D      []float32 // M*N/32 or M*N/256 scales
	S      []int16   // sums of Q: per 32 values for Q8x32, per 16 values for Q8x256
	// In Q8x32Sums an element of S is d times the sum of the 32 Q as the bits of a
	// binary16 number, d being the scale before it is rounded to D.
}

// NewActs allocates activations. n must be a multiple of l.Block().
func NewActs(l Layout, m, n int) *Acts {
	a := &Acts{Layout: l, M: m, N: n, F: make([]float32, m*n)}
	mustBlocks(n, l.Block())
	if l != Float {
		a.Q = make([]int8, m*n)
		a.D = make([]float32, m*n/l.Block())
		a.S = make([]int16, m*n/l.SumBlock())
	}
	return a
}

// ActsBytes returns the number of bytes that the slices of [NewActs] take.
func ActsBytes(l Layout, m, n int) int64 {
	v := int64(m) * int64(n)
	if l == Float {
		return 4 * v
	}
	return 4*v + v + 4*v/int64(l.Block()) + 2*v/int64(l.SumBlock())
}

// Quantize fills Q, D and S of the vectors t0 up to t1 (exclusive) from F. Each
// vector depends on its own values only. It does nothing in the Float layout.
//
// The rules are those of ggml, so that products agree with it. Rounding is to
// nearest, ties to even, and max is the value of largest magnitude, the first
// one if there are several:
//
//	Q8x32:      q = round(x * (127/|max|)),   d = |max|/127 rounded to binary16
//	Q8x32Sums:  the same, and s = |max|/127 * sum of q, rounded to binary16
//	Q8x256:     q = round(x * (-127/max)),    d = 1/(-127/max)
//
// A block whose magnitudes are all below 2^-119 becomes zero. A block with an
// infinity or a NaN becomes q = 0, d = NaN, so that the damage shows. A scale or
// scaled sum beyond binary16 is an infinity, as it is in ggml.
func (a *Acts) Quantize(t0, t1 int) {
	if a.Layout == Float {
		return
	}
	block, sums := a.Layout.Block(), a.Layout.SumBlock()
	mustBlocks(a.N, block)
	i, j := t0*a.N, t1*a.N
	q, d, s, x := a.Q[i:j], a.D[i/block:j/block], a.S[i/sums:j/sums], a.F[i:j]
	if len(x) == 0 {
		return
	}
	quantizers[a.Layout].fn(q, d, s, x)
}

// mustBlocks panics unless n is a whole number of blocks.
func mustBlocks(n, block int) {
	if n%block != 0 {
		panic(fmt.Sprintf("kernels: %d values are not whole blocks of %d", n, block))
	}
}

// quantizer fills q, d and s from x; len(q) == len(x), a positive number of
// whole blocks, d and s have exactly the elements that belong to x.
type quantizer func(q []int8, d []float32, s []int16, x []float32)

var (
	quantizeQ8x32     = newFamily("quantize", "Q8x32", quantizer(quantizeQ8x32_ref))
	quantizeQ8x32Sums = newFamily("quantize", "Q8x32Sums", quantizer(quantizeQ8x32Sums_ref))
	quantizeQ8x256    = newFamily("quantize", "Q8x256", quantizer(quantizeQ8x256_ref))
)

var quantizers = [Layouts]*family[quantizer]{
	Q8x32: quantizeQ8x32, Q8x32Sums: quantizeQ8x32Sums, Q8x256: quantizeQ8x256,
}

const (
	infBits  = 0x7f800000 // magnitudes from here on are not finite
	tinyBits = 0x04000000 // 2^-119: below, 127/x may overflow
)

// maxBits returns the largest magnitude of x as float32 bits, which order as
// the magnitudes do, and the index of the first value that has it.
func maxBits(x []float32) (bits uint32, first int) {
	for i, v := range x {
		if b := math.Float32bits(v) &^ (1 << 31); b > bits {
			bits, first = b, i
		}
	}
	return bits, first
}

func quantizeQ8x32_ref(q []int8, d []float32, s []int16, x []float32) {
	quantizeBlocks32(q, d, s, x, func(_ float32, sum int16) int16 { return sum })
}

func quantizeQ8x32Sums_ref(q []int8, d []float32, s []int16, x []float32) {
	quantizeBlocks32(q, d, s, x, func(scale float32, sum int16) int16 {
		return int16(f32ToF16(scale * float32(sum)))
	})
}

// quantizeBlocks32 quantizes blocks of 32 values. element makes an element of s out
// of the unrounded scale and the sum of q.
func quantizeBlocks32(q []int8, d []float32, s []int16, x []float32, element func(scale float32, sum int16) int16) {
	for b := range d {
		q, x := q[b*32:][:32], x[b*32:][:32]
		bits, _ := maxBits(x)
		amax := math.Float32frombits(bits)
		switch {
		case bits >= infBits:
			d[b], s[b] = float32(math.NaN()), 0
			clear(q)
			continue
		case bits < tinyBits:
			d[b], s[b] = 0, 0
			clear(q)
			continue
		}
		scale := amax / 127
		d[b] = f16ToF32(f32ToF16(scale))
		s[b] = element(scale, scaleInts(q, x, 127/amax))
	}
}

func quantizeQ8x256_ref(q []int8, d []float32, s []int16, x []float32) {
	for b := range d {
		q, s, x := q[b*256:][:256], s[b*16:][:16], x[b*256:][:256]
		bits, first := maxBits(x)
		switch {
		case bits >= infBits:
			d[b] = float32(math.NaN())
			clear(q)
			clear(s)
			continue
		case bits < tinyBits:
			d[b] = 0
			clear(q)
			clear(s)
			continue
		}
		scale := -127 / x[first]
		d[b] = 1 / scale
		for i := range s {
			s[i] = scaleInts(q[i*16:][:16], x[i*16:], scale)
		}
	}
}

// scaleInts stores round(x*scale), which is within ±127, and returns the sum.
func scaleInts(q []int8, x []float32, scale float32) (sum int16) {
	for i := range q {
		q[i] = int8(math.RoundToEven(float64(float32(x[i] * scale))))
		sum += int16(q[i])
	}
	return sum
}
