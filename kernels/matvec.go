package kernels

import (
	"fmt"
	"math"
	"unsafe"
)

// RowGroup is the number of rows that some products multiply together. Tiles of a
// multiple of it are the fastest.
const RowGroup = 16

// A Product multiplies rows of weights of one type with activations.
type Product struct {
	typ        string
	layout     Layout
	block      int              // values per block of weights
	blockBytes int              // bytes per block of weights
	float      *family[floatMV] // set if layout is Float
	quant      *family[quantMV] // set otherwise
}

// shape says what a product multiplies: rows rows of weights with m vectors of
// n values. The result of row r and vector t is y[t*stride+r].
type shape struct{ stride, rows, m, n int }

// floatMV is y[t*stride+r] = sum over j of w[r][j]*x[t][j]. There is at least one
// row and one vector; n may be 0. w and x have exactly the elements that belong
// to them, y ends with the last result.
type floatMV func(y []float32, w []byte, x []float32, sh shape)

// quantMV is the same for quantized weights and activations; n is a positive
// number of whole blocks.
type quantMV func(y []float32, w []byte, q []int8, d []float32, s []int16, sh shape)

// products is the table of weight types. Names and block sizes are ggml's.
var products = map[string]*Product{
	"F32":    newFloat("F32", 4, func(w []byte) float32 { return math.Float32frombits(u32(w)) }),
	"F16":    newFloat("F16", 2, half),
	"BF16":   newFloat("BF16", 2, func(w []byte) float32 { return bf16ToF32(u16(w)) }),
	"Q4_0":   newQuant("Q4_0", Q8x32, 18, dotQ4_0),
	"Q4_1":   newQuant("Q4_1", Q8x32Sums, 20, dotQ4_1),
	"Q5_0":   newQuant("Q5_0", Q8x32, 22, dotQ5_0),
	"Q5_1":   newQuant("Q5_1", Q8x32Sums, 24, dotQ5_1),
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

func newFloat(typ string, bytes int, weight func(w []byte) float32) *Product {
	return &Product{typ: typ, layout: Float, block: 1, blockBytes: bytes,
		float: newFamily("matvec", typ, matvecFloat_ref(bytes, weight))}
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
func (p *Product) MatVec(y []float32, w []byte, a *Acts, t int) {
	p.MatVecs(y, len(y), w, len(y), a, t, t+1)
}

// MatVecs multiplies the first rows rows of w with the vectors t0 up to t1
// (exclusive). Each weight is unpacked once for several vectors:
//
//	for t := t0; t < t1; t++ {
//		p.MatVec(y[(t-t0)*stride:][:rows], w, a, t)
//	}
//
// The results are the same bits as those of MatVec.
//
//go:noinline
func (p *Product) MatVecs(y []float32, stride int, w []byte, rows int, a *Acts, t0, t1 int) {
	sh := shape{stride, rows, t1 - t0, a.N}
	if sh.rows == 0 || sh.m == 0 {
		return
	}
	if sh.rows < 0 || sh.m < 0 || sh.m > 1 && stride < rows {
		panic(fmt.Sprintf("kernels: results of %d rows and %d vectors at a stride of %d", rows, sh.m, stride))
	}
	y, w = first(y, (sh.m-1)*stride+rows), first(w, rows*p.RowBytes(sh.n))
	i, j := t0*sh.n, t1*sh.n
	if p.layout == Float {
		p.float.fn(y, w, a.F[i:j], sh)
		return
	}
	if p.layout != a.Layout {
		panic(fmt.Sprintf("kernels: %s needs activations in layout %v, not %v", p.typ, p.layout, a.Layout))
	}
	if sh.n == 0 {
		for t := range sh.m {
			clear(y[t*stride:][:rows])
		}
		return
	}
	block, sums := p.block, p.layout.SumBlock()
	p.quant.fn(y, w, a.Q[i:j], a.D[i/block:j/block], a.S[i/sums:j/sums], sh)
}

// A quantBody multiplies a group of rows, which start rowBytes apart, with a few
// vectors. If rowBytes is 0, it multiplies one row.
type quantBody func(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

// quantGroups makes a product of a body for groups of size rows and at most most
// vectors. Rows that are left over when there are more than one group are part
// of a last group that overlaps the one before it: they give the same bits again.
func quantGroups(size, most int, body quantBody) quantMV {
	return func(y []float32, w []byte, q []int8, d []float32, s []int16, sh shape) {
		rowBytes, scales, sums := len(w)/sh.rows, len(d)/sh.m, len(s)/sh.m
		for r := 0; r < sh.rows; {
			from, bytes, to := r, rowBytes, r+size
			switch {
			case to <= sh.rows:
			case sh.rows >= size:
				from, to = sh.rows-size, sh.rows
			default:
				bytes, to = 0, r+1
			}
			for t := 0; t < sh.m; t += most {
				body(&y[t*sh.stride+from], sh.stride, &w[from*rowBytes], bytes,
					&q[t*sh.n], &d[t*scales], &s[t*sums], min(most, sh.m-t), sh.n)
			}
			r = to
		}
	}
}

// A quantRowBody multiplies rows, one after the other, with a few vectors.
type quantRowBody func(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)

// quantRows makes a product of a body for at most most vectors.
func quantRows(most int, body quantRowBody) quantMV {
	return func(y []float32, w []byte, q []int8, d []float32, s []int16, sh shape) {
		scales, sums := len(d)/sh.m, len(s)/sh.m
		for t := 0; t < sh.m; t += most {
			body(&y[t*sh.stride], sh.stride, &w[0], sh.rows,
				&q[t*sh.n], &d[t*scales], &s[t*sums], min(most, sh.m-t), sh.n)
		}
	}
}

// A quantOneBody multiplies rows, in the order in which they lie in memory, with one vector.
type quantOneBody func(y *float32, w *byte, rows int, q *int8, d *float32, s *int16, n int)

// quantOne is a body for one vector, and what it is for.
type quantOne struct {
	body        quantOneBody
	rows        int // the body takes a multiple of them
	least, most int // values
}

// or makes a product of the body and a product for several vectors that gives the same
// bits. Rows that are left over are part of a last group that overlaps the one before it.
func (b quantOne) or(several quantMV) quantMV {
	if b.body == nil {
		return several
	}
	return func(y []float32, w []byte, q []int8, d []float32, s []int16, sh shape) {
		if sh.m != 1 || sh.rows < b.rows || sh.n < b.least || sh.n > b.most {
			several(y, w, q, d, s, sh)
			return
		}
		rest := sh.rows % b.rows
		b.body(&y[0], &w[0], sh.rows-rest, &q[0], &d[0], &s[0], sh.n)
		if rest > 0 {
			from := sh.rows - b.rows
			b.body(&y[from], &w[len(w)/sh.rows*from], b.rows, &q[0], &d[0], &s[0], sh.n)
		}
	}
}

// quantEach makes a product of a function for one vector.
func quantEach(one func(y []float32, w []byte, q []int8, d []float32, s []int16)) quantMV {
	return func(y []float32, w []byte, q []int8, d []float32, s []int16, sh shape) {
		scales, sums := len(d)/sh.m, len(s)/sh.m
		for t := range sh.m {
			one(y[t*sh.stride:][:sh.rows], w, q[t*sh.n:][:sh.n], d[t*scales:][:scales], s[t*sums:][:sums])
		}
	}
}

// floatEach makes a product of a function for one vector.
func floatEach(one func(y []float32, w []byte, x []float32)) floatMV {
	return func(y []float32, w []byte, x []float32, sh shape) {
		for t := range sh.m {
			one(y[t*sh.stride:][:sh.rows], w, x[t*sh.n:][:sh.n])
		}
	}
}

// A floatBody multiplies rows of float weights with m vectors, 1, 2 or 4.
type floatBody func(y *float32, stride int, w *byte, rows int, x *float32, m, n int)

// floatVectors makes a product of a body.
func floatVectors(body floatBody) floatMV {
	return func(y []float32, w []byte, x []float32, sh shape) {
		for t := 0; t < sh.m; {
			m := min(4, sh.m-t)
			if m == 3 {
				m = 2
			}
			body(&y[t*sh.stride], sh.stride, unsafe.SliceData(w), sh.rows, unsafe.SliceData(x[t*sh.n:]), m, sh.n)
			t += m
		}
	}
}

// The references for float weights sum in float64.

func matvecFloat_ref(bytes int, weight func(w []byte) float32) floatMV {
	return floatEach(func(y []float32, w []byte, x []float32) {
		for r := range y {
			sum := 0.0
			for _, v := range x {
				sum += float64(v) * float64(weight(w))
				w = w[bytes:]
			}
			y[r] = float32(sum)
		}
	})
}
