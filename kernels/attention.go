package kernels

import "fmt"

// The products of attention. Scores are queries times keys, results are
// probabilities times values; both are a product of a matrix of some rows with a
// long one that is stored in panels of [PanelWidth] columns:
//
//	a [row][depth]             queries [row][key dim]    probabilities [row][token]
//	b [panel][depth][16]       keys [panel][key dim][16 tokens]    values [panel][token][16 of the value dim]
//	c [row][panel × 16]        scores [row][token]       results [row][value dim]
//
// A step of the depth multiplies 16 neighbours in b, which are widened to float32
// once for all rows, with one value of each row of a. There is no sum across
// lanes: every result is one chain of fused additions.

// PanelWidth is the number of columns of a panel.
const PanelWidth = 16

// PanelShape is the shape of a product with panels. Strides are in values.
type PanelShape struct {
	Rows, Depth, Panels int
	StrideA             int  // from one row of a to the next
	StrideB             int  // from one panel of b to the next, at least 16*Depth
	StrideC             int  // from one row of c to the next, at least 16*Panels
	Add                 bool // add to c rather than overwrite it
}

type panelProduct[T float32 | uint16] = func(c, a []float32, b []T, s PanelShape)

var (
	panelsF32 = newFamily("panels", "F32", mulPanels_ref(func(v float32) float32 { return v }))
	panelsF16 = newFamily("panels", "F16", mulPanels_ref(f16ToF32))
	manyF16   = newFamily("manyPanels", "F16", &manyPanels{manyPanelsScratch_ref, manyPanelsF16_ref})
	q8Columns = newFamily("q8Columns", "", q8Columns_ref)
	q8Rows    = newFamily("q8Rows", "", q8Rows_ref)
)

// MulPanelsF32 multiplies a with the panels b:
//
//	for r := range s.Rows {
//		for j := range s.Panels*16 {
//			sum := 0 or, to add, c[r*s.StrideC+j]
//			for i := range s.Depth {
//				sum += a[r*s.StrideA+i] * b[j/16*s.StrideB+i*16+j%16]
//			}
//			c[r*s.StrideC+j] = sum
//		}
//	}
//
// in just this order, without rounding the product before it is added. So a
// result has the same bits whatever the other rows and columns are, and however
// Depth is split into calls that add.
//
//go:noinline
func MulPanelsF32(c, a, b []float32, s PanelShape) {
	if s.cut(&c, &a, len(b)) {
		panelsF32.fn(c, a, b, s)
	}
}

// MulPanelsF16 is [MulPanelsF32] for panels in binary16. The bits are those of
// MulPanelsF32 on the widened panels.
//
//go:noinline
func MulPanelsF16(c, a []float32, b []uint16, s PanelShape) {
	if s.cut(&c, &a, len(b)) {
		panelsF16.fn(c, a, b, s)
	}
}

// MulManyPanelsF16 is [MulPanelsF16] for many rows at once. Where a row of this
// operation works in tiles of the matrix, a is rounded to 16 bits and the order
// of the additions is another: steps of 32 of the depth are added one after the
// other. A result still has the same bits whatever the other rows and columns
// are, and zeros at the end of the depth change nothing. scratch holds at least
// ManyPanelsScratch(s.Depth, s.Panels) bytes.
func MulManyPanelsF16(c, a []float32, b []uint16, s PanelShape, scratch []byte) {
	if s.cut(&c, &a, len(b)) {
		manyF16.fn.run(c, a, b, s, first(scratch, manyF16.fn.scratch(s.Depth, s.Panels)))
	}
}

// ManyPanelsScratch returns the size of the memory that MulManyPanelsF16 needs
// for itself.
func ManyPanelsScratch(depth, panels int) int { return manyF16.fn.scratch(depth, panels) }

// manyPanels is a row of MulManyPanelsF16.
type manyPanels struct {
	scratch func(depth, panels int) int
	run     func(c, a []float32, b []uint16, s PanelShape, scratch []byte)
}

// The reference is whatever multiplies few rows.

func manyPanelsScratch_ref(int, int) int { return 0 }

func manyPanelsF16_ref(c, a []float32, b []uint16, s PanelShape, _ []byte) { panelsF16.fn(c, a, b, s) }

// cut panics unless the operands hold the shape, does what there is to do if the
// depth is zero, and reports whether anything is left to do.
func (s *PanelShape) cut(c, a *[]float32, lenB int) bool {
	if s.Rows < 0 || s.Depth < 0 || s.Panels < 0 || s.StrideA < 0 ||
		s.StrideB < s.Depth*PanelWidth || s.StrideC < s.Panels*PanelWidth {
		panic(fmt.Sprintf("kernels: product with panels of shape %+v", *s))
	}
	if s.Rows == 0 || s.Panels == 0 {
		return false
	}
	*c = first(*c, (s.Rows-1)*s.StrideC+s.Panels*PanelWidth)
	if s.Depth == 0 {
		if !s.Add {
			for r := range s.Rows {
				clear((*c)[r*s.StrideC:][:s.Panels*PanelWidth])
			}
		}
		return false
	}
	*a = first(*a, (s.Rows-1)*s.StrideA+s.Depth)
	if need := (s.Panels-1)*s.StrideB + s.Depth*PanelWidth; lenB < need {
		panic(fmt.Sprintf("kernels: panels of %d values, want %d", lenB, need))
	}
	return true
}

func mulPanels_ref[T float32 | uint16](widen func(T) float32) panelProduct[T] {
	return func(c, a []float32, b []T, s PanelShape) {
		for p := range s.Panels {
			for i := range s.Depth {
				for j, v := range b[p*s.StrideB+i*PanelWidth:][:PanelWidth] {
					v := float64(widen(v))
					for r := range s.Rows {
						sum := &c[r*s.StrideC+p*PanelWidth+j]
						if i == 0 && !s.Add {
							*sum = 0
						}
						*sum = float32(float64(*sum) + float64(a[r*s.StrideA+i])*v) // the product is exact
					}
				}
			}
		}
	}
}

// q8Block is the number of values that share a scale.
const q8Block = 32

// UnpackQ8Columns widens one panel of 8-bit values with a scale for every 32
// values of a column, as keys have. d holds 16 scales in binary16 for every 32
// rows or part of it. The number of rows is len(dst)/16. Results are exact.
//
//	dst[i*16+j] = q[i*16+j] * d[i/32*16+j]
//
//go:noinline
func UnpackQ8Columns(dst []float32, q []int8, d []uint16) {
	rows := wholeRows(len(dst))
	if rows != 0 {
		q8Columns.fn(dst, first(q, len(dst)), first(d, (rows+q8Block-1)/q8Block*PanelWidth))
	}
}

func q8Columns_ref(dst []float32, q []int8, d []uint16) {
	for i, v := range q {
		dst[i] = float32(v) * f16ToF32(d[i/(q8Block*PanelWidth)*PanelWidth+i%PanelWidth])
	}
}

// UnpackQ8Rows widens one panel of 8-bit values with a scale for every row, as
// values have, whose blocks of 32 are two panels wide. The number of rows is
// len(dst)/16. Results are exact.
//
//	dst[i*16+j] = q[i*16+j] * d[i]
//
//go:noinline
func UnpackQ8Rows(dst []float32, q []int8, d []uint16) {
	rows := wholeRows(len(dst))
	if rows != 0 {
		q8Rows.fn(dst, first(q, len(dst)), first(d, rows))
	}
}

func q8Rows_ref(dst []float32, q []int8, d []uint16) {
	for i, v := range q {
		dst[i] = float32(v) * f16ToF32(d[i/PanelWidth])
	}
}

func wholeRows(n int) int {
	if n%PanelWidth != 0 {
		panic(fmt.Sprintf("kernels: %d values are not whole rows of a panel", n))
	}
	return n / PanelWidth
}
