package kernels

// Keys and values of 4 bits. A row of a panel, 16 values, is 8 bytes: byte j has
// value j in its lower half and value j+8 in the upper one, each from 0 to 15 and 8
// more than what it stands for.

type q4Unpack = func(dst []float32, q []byte, d []uint16)

var (
	q4Columns = newFamily("q4Columns", "", q4Columns_ref)
	q4Rows    = newFamily("q4Rows", "", q4Rows_ref)
)

// UnpackQ4Columns is [UnpackQ8Columns] for values of 4 bits: it widens one panel with a scale
// in binary16 for every 32 values of a column. The number of rows is len(dst)/16.
// Results are exact.
//
//	v := q[i*8+j%8] >> (j/8*4) & 15
//	dst[i*16+j] = (v-8) * d[i/32*16+j]
//
//go:noinline
func UnpackQ4Columns(dst []float32, q []byte, d []uint16) {
	rows := wholeRows(len(dst))
	if rows != 0 {
		q4Columns.fn(dst, first(q, len(dst)/2), first(d, (rows+q8Block-1)/q8Block*PanelWidth))
	}
}

func q4Columns_ref(dst []float32, q []byte, d []uint16) {
	unpackQ4(dst, q, func(i, j int) uint16 { return d[i/q8Block*PanelWidth+j] })
}

// UnpackQ4Rows is [UnpackQ8Rows] for values of 4 bits: it widens one panel with a
// scale in binary16 for every row. The number of rows is len(dst)/16. Results are exact.
//
//	v := q[i*8+j%8] >> (j/8*4) & 15
//	dst[i*16+j] = (v-8) * d[i]
//
//go:noinline
func UnpackQ4Rows(dst []float32, q []byte, d []uint16) {
	rows := wholeRows(len(dst))
	if rows != 0 {
		q4Rows.fn(dst, first(q, len(dst)/2), first(d, rows))
	}
}

func q4Rows_ref(dst []float32, q []byte, d []uint16) {
	unpackQ4(dst, q, func(i, _ int) uint16 { return d[i] })
}

func unpackQ4(dst []float32, q []byte, scale func(row, column int) uint16) {
	const half = PanelWidth / 2
	for i := range len(dst) / PanelWidth {
		for j := range PanelWidth {
			v := q[i*half+j%half] >> (j / half * 4) & 15
			dst[i*PanelWidth+j] = (float32(v) - 8) * f16ToF32(scale(i, j))
		}
	}
}

// QuantizeQ4 rounds every 32 values of x, and what is left of them, to 4 bits by
// the rule of ggml's Q4_0: the value of the largest magnitude becomes 0, that is -8. q
// gets one value, from 0 to 15, per byte, and d the scales in binary16.
//
//	m := the x of the largest |x|
//	d[i/32] = m/-8
//	q[i] = min(15, floor(x[i]/(m/-8) + 8.5))
func QuantizeQ4(q []byte, d []uint16, x []float32) {
	var scale [1]float32
	for i := 0; i < len(x); i += q8Block {
		block := x[i:min(i+q8Block, len(x))]
		var most, m float32
		for _, v := range block {
			if a := max(v, -v); a > most || v != v {
				most, m = a, v
			}
		}
		scale[0] = m / -8
		F32ToF16(d[i/q8Block:][:1], scale[:])
		inverse := float32(0)
		if scale[0] != 0 {
			inverse = 1 / scale[0]
		}
		for j, v := range block {
			q[i+j] = byte(min(15, max(0, v*inverse+8.5)))
		}
	}
}
