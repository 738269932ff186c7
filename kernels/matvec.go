package kernels

import (
	"fmt"
	"math"
)

// A Product multiplies rows of weights of one type with activations.
type Product struct {
	typ        string
	layout     Layout
	block      int              // values per block of weights
	blockBytes int              // bytes per block of weights
	float      *family[floatMV] // set if layout is Float
	quant      *family[quantMV] // set otherwise
}

// floatMV is y[r] = sum over j of w[r][j]*x[j]. The rows of w have len(x)
// values; len(y) > 0, len(w) is exactly len(y) rows, len(x) may be 0.
type floatMV func(y []float32, w []byte, x []float32)

// quantMV is the same for quantized weights and activations; len(y) > 0, len(q)
// is a positive number of whole blocks, w, d and s have exactly the elements
// that belong to them.
type quantMV func(y []float32, w []byte, q []int8, d []float32, s []int16)

// products is the table of weight types. Names and block sizes are ggml's.
var products = map[string]*Product{
	"F32":    newFloat("F32", 4, matvecF32_ref),
	"F16":    newFloat("F16", 2, matvecF16_ref),
	"BF16":   newFloat("BF16", 2, matvecBF16_ref),
	"Q4_0":   newQuant("Q4_0", Q8x32, 18, dotQ4_0),
	"Q4_1":   newQuant("Q4_1", Q8x32, 20, dotQ4_1),
	"Q5_0":   newQuant("Q5_0", Q8x32, 22, dotQ5_0),
	"Q5_1":   newQuant("Q5_1", Q8x32, 24, dotQ5_1),
	"Q8_0":   newQuant("Q8_0", Q8x32, 34, dotQ8_0),
	"IQ4_NL": newQuant("IQ4_NL", Q8x32, 18, dotIQ4_NL),
	"MXFP4":  newQuant("MXFP4", Q8x32, 17, dotMXFP4),
	"Q2_K":   newQuant("Q2_K", Q8x256, 84, dotQ2_K),
	"Q3_K":   newQuant("Q3_K", Q8x256, 110, dotQ3_K),
	"Q4_K":   newQuant("Q4_K", Q8x256, 144, dotQ4_K),
	"Q5_K":   newQuant("Q5_K", Q8x256, 176, dotQ5_K),
	"Q6_K":   newQuant("Q6_K", Q8x256, 210, dotQ6_K),
	"IQ4_XS": newQuant("IQ4_XS", Q8x256, 136, dotIQ4_XS),
	"TQ1_0":  newQuant("TQ1_0", Q8x256, 54, dotTQ1_0),
	"TQ2_0":  newQuant("TQ2_0", Q8x256, 66, dotTQ2_0),
}

func newFloat(typ string, bytes int, reference floatMV) *Product {
	return &Product{typ: typ, layout: Float, block: 1, blockBytes: bytes,
		float: newFamily("matvec", typ, reference)}
}

func newQuant(typ string, l Layout, blockBytes int, dot blockDot) *Product {
	return &Product{typ: typ, layout: l, block: l.Block(), blockBytes: blockBytes,
		quant: newFamily("matvec", typ, matvecRef(l, blockBytes, dot))}
}

// ProductOf returns the product for weights of the named ggml type ("F16",
// "Q4_0", "Q6_K"), and whether there is one.
func ProductOf(typ string) (*Product, bool) {
	p, ok := products[typ]
	return p, ok
}

// String returns the name of the weight type.
func (p *Product) String() string { return p.typ }

// Layout returns the layout that the activations must have. In the layout Float
// the product reads only [Acts.F], so activations of any layout will do.
func (p *Product) Layout() Layout { return p.layout }

// RowBytes returns the number of bytes of a row of n weights. It panics if n is
// not a whole number of blocks.
func (p *Product) RowBytes(n int) int {
	mustBlocks(n, p.block)
	return n / p.block * p.blockBytes
}

// MatVec multiplies the first len(y) rows of w, each of a.N weights, with
// activation vector t:
//
//	for r := range y {
//		for j := range a.N {
//			y[r] += w[r][j] * x[j] // y[r] starts at 0; x is vector t of a
//		}
//	}
//
// It is meant for a tile of the matrix: see the package comment.
//
//go:noinline
func (p *Product) MatVec(y []float32, w []byte, a *Acts, t int) {
	if len(y) == 0 {
		return
	}
	n := a.N
	w = first(w, len(y)*p.RowBytes(n))
	i, j := t*n, (t+1)*n
	if p.layout == Float {
		p.float.fn(y, w, a.F[i:j])
		return
	}
	if p.layout != a.Layout {
		panic(fmt.Sprintf("kernels: %s needs activations in layout %v, not %v", p.typ, p.layout, a.Layout))
	}
	if n == 0 {
		clear(y)
		return
	}
	block, sums := p.block, p.layout.SumBlock()
	p.quant.fn(y, w, a.Q[i:j], a.D[i/block:j/block], a.S[i/sums:j/sums])
}

// The references for float weights sum in float64.

func matvecF32_ref(y []float32, w []byte, x []float32) {
	n := len(x)
	for r := range y {
		sum, w := 0.0, w[r*n*4:]
		for j, v := range x {
			sum += float64(v) * float64(math.Float32frombits(u32(w[j*4:])))
		}
		y[r] = float32(sum)
	}
}

func matvecF16_ref(y []float32, w []byte, x []float32) {
	n := len(x)
	for r := range y {
		sum, w := 0.0, w[r*n*2:]
		for j, v := range x {
			sum += float64(v) * float64(f16ToF32(u16(w[j*2:])))
		}
		y[r] = float32(sum)
	}
}

func matvecBF16_ref(y []float32, w []byte, x []float32) {
	n := len(x)
	for r := range y {
		sum, w := 0.0, w[r*n*2:]
		for j, v := range x {
			sum += float64(v) * float64(bf16ToF32(u16(w[j*2:])))
		}
		y[r] = float32(sum)
	}
}
