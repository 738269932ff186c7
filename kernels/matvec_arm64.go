package kernels

import "unsafe"

// addMatVecRows adds the rows of the products, lowest level first. For some types
// there are bodies for one vector: they need fewer instructions, and add in the same
// order.
func addMatVecRows() {
	products["F32"].float.add(neon, floatOneOrMore(matvecF32_neon, matvecsF32_neon))
	products["F16"].float.add(neon, floatOneOrMore(matvecF16_neon, matvecsF16_neon))
	products["BF16"].float.add(neon, floatOneOrMore(matvecBF16_neon, matvecsBF16_neon))
	for _, b := range []struct {
		typ           string
		neon, dotprod quantBody
		neon1, dot1   func(y []float32, w []byte, q []int8, d []float32, s []int16)
	}{
		{"Q4_0", matvecsQ4_0_neon, matvecsQ4_0_dotprod, matvecQ4_0_neon, matvecQ4_0_dotprod},
		{"Q4_1", matvecsQ4_1_neon, matvecsQ4_1_dotprod, nil, nil},
		{"Q5_0", matvecsQ5_0_neon, matvecsQ5_0_dotprod, nil, nil},
		{"Q5_1", matvecsQ5_1_neon, matvecsQ5_1_dotprod, nil, nil},
		{"Q8_0", matvecsQ8_0_neon, matvecsQ8_0_dotprod, matvecQ8_0_neon, matvecQ8_0_dotprod},
		{"IQ4_NL", matvecsIQ4_NL_neon, matvecsIQ4_NL_dotprod, nil, nil},
		{"MXFP4", matvecsMXFP4_neon, matvecsMXFP4_dotprod, nil, nil},
		{"Q2_K", matvecsQ2_K_neon, matvecsQ2_K_dotprod, nil, nil},
		{"Q3_K", matvecsQ3_K_neon, matvecsQ3_K_dotprod, nil, nil},
		{"Q4_K", matvecsQ4_K_neon, matvecsQ4_K_dotprod, matvecQ4_K_neon, matvecQ4_K_dotprod},
		{"Q5_K", matvecsQ5_K_neon, matvecsQ5_K_dotprod, nil, nil},
		{"Q6_K", matvecsQ6_K_neon, matvecsQ6_K_dotprod, matvecQ6_K_neon, matvecQ6_K_dotprod},
		{"IQ4_XS", matvecsIQ4_XS_neon, matvecsIQ4_XS_dotprod, nil, nil},
		{"TQ2_0", matvecsTQ2_0_neon, matvecsTQ2_0_dotprod, nil, nil},
	} {
		f := products[b.typ].quant
		f.add(neon, quantOneOrMore(b.neon1, quantGroups(4, 4, b.neon)))
		dot := quantOneOrMore(b.dot1, quantGroups(4, 4, b.dotprod))
		f.add(dotprod, dot)
		if body, ok := i8mmBodies[b.typ]; ok {
			f.add(i8mm, quantEights(dot, quantGroups(8, 4, body)))
		}
	}
}

// i8mmBodies multiply 8 rows with 2 to 4 vectors, giving the same bits as the bodies
// with dot products.
var i8mmBodies = map[string]quantBody{
	"Q4_0": matvecsQ4_0_i8mm,
	"Q8_0": matvecsQ8_0_i8mm,
	"Q4_K": matvecsQ4_K,
	"Q6_K": matvecsQ6_K,
}

// i8mmScratch is for the scales of a block of 256 weights of 8 rows, and their sums.
// Assembly has no stack of its own.
type i8mmScratch [672]byte

func matvecsQ4_K(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int) {
	var scratch i8mmScratch
	matvecsQ4_K_i8mm(y, stride, w, rowBytes, q, d, s, m, n, &scratch)
}

func matvecsQ6_K(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int) {
	var scratch i8mmScratch
	matvecsQ6_K_i8mm(y, stride, w, rowBytes, q, d, s, m, n, &scratch)
}

// quantEights makes a product of eights for at least 8 rows and 2 vectors and of few
// for less.
func quantEights(few, eights quantMV) quantMV {
	return func(y []float32, w []byte, q []int8, d []float32, s []int16, sh shape) {
		if sh.m == 1 || sh.rows < 8 {
			few(y, w, q, d, s, sh)
		} else {
			eights(y, w, q, d, s, sh)
		}
	}
}

// quantOneOrMore makes a product of one for a single vector, unless it is nil, and of
// one for more.
func quantOneOrMore(one func(y []float32, w []byte, q []int8, d []float32, s []int16), more quantMV) quantMV {
	if one == nil {
		return more
	}
	return func(y []float32, w []byte, q []int8, d []float32, s []int16, sh shape) {
		if sh.m == 1 {
			one(y, w, q, d, s)
		} else {
			more(y, w, q, d, s, sh)
		}
	}
}

// floatOneOrMore makes a product of one for a single vector and of body for two to
// four.
func floatOneOrMore(one func(y []float32, w []byte, x []float32), body floatBody) floatMV {
	single := floatEach(one)
	return func(y []float32, w []byte, x []float32, sh shape) {
		for sh.m > 1 {
			m := min(4, sh.m)
			body(&y[0], sh.stride, unsafe.SliceData(w), sh.rows, unsafe.SliceData(x), m, sh.n)
			sh.m -= m
			if sh.m == 0 {
				return
			}
			y, x = y[m*sh.stride:], x[m*sh.n:]
		}
		single(y, w, x, sh)
	}
}

//go:noescape
func matvecF32_neon(y []float32, w []byte, x []float32)

//go:noescape
func matvecF16_neon(y []float32, w []byte, x []float32)

//go:noescape
func matvecBF16_neon(y []float32, w []byte, x []float32)

//go:noescape
func matvecsF32_neon(y *float32, stride int, w *byte, rows int, x *float32, m, n int)

//go:noescape
func matvecsF16_neon(y *float32, stride int, w *byte, rows int, x *float32, m, n int)

//go:noescape
func matvecsBF16_neon(y *float32, stride int, w *byte, rows int, x *float32, m, n int)

//go:noescape
func matvecQ4_0_neon(y []float32, w []byte, q []int8, d []float32, s []int16)

//go:noescape
func matvecQ8_0_neon(y []float32, w []byte, q []int8, d []float32, s []int16)

//go:noescape
func matvecQ4_K_neon(y []float32, w []byte, q []int8, d []float32, s []int16)

//go:noescape
func matvecQ6_K_neon(y []float32, w []byte, q []int8, d []float32, s []int16)

//go:noescape
func matvecQ4_0_dotprod(y []float32, w []byte, q []int8, d []float32, s []int16)

//go:noescape
func matvecQ8_0_dotprod(y []float32, w []byte, q []int8, d []float32, s []int16)

//go:noescape
func matvecQ4_K_dotprod(y []float32, w []byte, q []int8, d []float32, s []int16)

//go:noescape
func matvecQ6_K_dotprod(y []float32, w []byte, q []int8, d []float32, s []int16)

//go:noescape
func matvecsQ4_0_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ4_1_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ5_0_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ5_1_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ8_0_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsIQ4_NL_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsMXFP4_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ2_K_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ3_K_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ4_K_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ5_K_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ6_K_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsIQ4_XS_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsTQ2_0_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ4_0_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ4_1_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ5_0_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ5_1_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ8_0_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsIQ4_NL_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsMXFP4_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ2_K_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ3_K_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ4_K_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ5_K_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ6_K_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsIQ4_XS_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsTQ2_0_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ4_0_i8mm(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ8_0_i8mm(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecsQ4_K_i8mm(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int, scratch *i8mmScratch)

//go:noescape
func matvecsQ6_K_i8mm(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int, scratch *i8mmScratch)
