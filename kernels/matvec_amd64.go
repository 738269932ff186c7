package kernels

// How many values rows have that bodies for one vector take: others go sixteen at a time, which gives the same
// bits. See docs/kernels.md for what was measured.
const (
	// twoRowsLeast is the least for two rows at a time: sixteen shorter ones are faster.
	twoRowsLeast = 1024
	// twoRowsMost is the most for two rows at a time: of longer ones, sixteen are faster.
	twoRowsMost = 8192
	// streamsMost is the most for one row and for four rows at a time: these are faster than sixteen with 14336
	// values and, of Q6_K, 28672; longer rows were not measured.
	streamsMost = 1 << 15
)

// addMatVecRows adds the rows of the products, lowest level first.
func addMatVecRows() {
	products["F32"].float.add(avx2, floatVectors(matvecF32_avx2))
	products["F16"].float.add(avx2, floatVectors(matvecF16_avx2))
	products["BF16"].float.add(avx2, floatVectors(matvecBF16_avx2))
	for _, b := range []struct {
		typ              string
		avx2, avx512vnni quantBody
		one              quantOne // with AVX-512 VNNI, if one vector has its own
	}{
		{"Q4_0", matvecQ4_0_avx2, matvecQ4_0_avx512vnni, quantOne{matvec2Q4_0_avx512vnni, 1, twoRowsLeast, twoRowsMost}},
		{"Q4_1", matvecQ4_1_avx2, matvecQ4_1_avx512vnni, quantOne{}},
		{"Q5_0", matvecQ5_0_avx2, matvecQ5_0_avx512vnni, quantOne{}},
		{"Q5_1", matvecQ5_1_avx2, matvecQ5_1_avx512vnni, quantOne{}},
		{"Q8_0", matvecQ8_0_avx2, matvecQ8_0_avx512vnni, quantOne{matvec2Q8_0_avx512vnni, 1, twoRowsLeast, twoRowsMost}},
		{"IQ4_NL", matvecIQ4_NL_avx2, matvecIQ4_NL_avx512vnni, quantOne{}},
		{"MXFP4", matvecMXFP4_avx2, matvecMXFP4_avx512vnni, quantOne{}},
	} {
		f := products[b.typ].quant
		f.add(avx2, quantGroups(8, 4, b.avx2))
		f.add(avx512vnni, b.one.or(quantGroups(16, 8, b.avx512vnni)))
	}
	for _, b := range []struct {
		typ        string
		avx2       quantRowBody
		avx512vnni quantBody
		most       int      // vectors of the AVX-512 VNNI body
		one        quantOne // with AVX-512 VNNI, if one vector has its own
	}{
		{"Q2_K", matvecQ2_K_avx2, matvecQ2_K_avx512vnni, 8, quantOne{}},
		{"Q3_K", matvecQ3_K_avx2, matvecQ3_K_avx512vnni, 8, quantOne{}},
		{"Q4_K", matvecQ4_K_avx2, matvecQ4_K_avx512vnni, 4, quantOne{matvec4Q4_K_avx512vnni, 4, 0, streamsMost}},
		{"Q5_K", matvecQ5_K_avx2, matvecQ5_K_avx512vnni, 4, quantOne{matvec4Q5_K_avx512vnni, 4, 0, streamsMost}},
		{"Q6_K", matvecQ6_K_avx2, matvecQ6_K_avx512vnni, 4, quantOne{matvec1Q6_K_avx512vnni, 1, 0, streamsMost}},
		{"IQ4_XS", matvecIQ4_XS_avx2, matvecIQ4_XS_avx512vnni, 8, quantOne{matvec4IQ4_XS_avx512vnni, 4, 0, streamsMost}},
		{"TQ2_0", matvecTQ2_0_avx2, matvecTQ2_0_avx512vnni, 8, quantOne{}},
	} {
		f := products[b.typ].quant
		f.add(avx2, quantRows(4, b.avx2))
		f.add(avx512vnni, b.one.or(quantGroups(16, b.most, b.avx512vnni)))
	}
}

//go:noescape
func matvecF32_avx2(y *float32, stride int, w *byte, rows int, x *float32, m, n int)

//go:noescape
func matvecF16_avx2(y *float32, stride int, w *byte, rows int, x *float32, m, n int)

//go:noescape
func matvecBF16_avx2(y *float32, stride int, w *byte, rows int, x *float32, m, n int)

//go:noescape
func matvecQ4_0_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ4_1_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ5_0_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ5_1_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ8_0_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecIQ4_NL_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecMXFP4_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ2_K_avx2(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ3_K_avx2(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ4_K_avx2(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ5_K_avx2(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ6_K_avx2(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecIQ4_XS_avx2(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecTQ2_0_avx2(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ4_0_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ4_1_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ5_0_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ5_1_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ8_0_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecIQ4_NL_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecMXFP4_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ2_K_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ3_K_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ4_K_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ5_K_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ6_K_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecIQ4_XS_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecTQ2_0_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvec4Q5_K_avx512vnni(y *float32, w *byte, rows int, q *int8, d *float32, s *int16, n int)

//go:noescape
func matvec4IQ4_XS_avx512vnni(y *float32, w *byte, rows int, q *int8, d *float32, s *int16, n int)

//go:noescape
func matvec4Q4_K_avx512vnni(y *float32, w *byte, rows int, q *int8, d *float32, s *int16, n int)

//go:noescape
func matvec1Q6_K_avx512vnni(y *float32, w *byte, rows int, q *int8, d *float32, s *int16, n int)

//go:noescape
func matvec2Q4_0_avx512vnni(y *float32, w *byte, rows int, q *int8, d *float32, s *int16, n int)

//go:noescape
func matvec2Q8_0_avx512vnni(y *float32, w *byte, rows int, q *int8, d *float32, s *int16, n int)
