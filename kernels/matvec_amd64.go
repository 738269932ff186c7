package kernels

// addMatVecRows adds the rows of the products, lowest level first.
func addMatVecRows() {
	products["F32"].float.add(avx2, floatVectors(matvecF32_avx2))
	products["F16"].float.add(avx2, floatVectors(matvecF16_avx2))
	products["BF16"].float.add(avx2, floatVectors(matvecBF16_avx2))
	for _, b := range []struct {
		typ        string
		avx2       quantBody
		most       int // vectors
		avx512vnni quantBody
		most512    int
	}{
		{"Q4_0", matvecQ4_0_avx2, 4, matvecQ4_0_avx512vnni, 8},
		{"Q4_1", matvecQ4_1_avx2, 4, matvecQ4_1_avx512vnni, 8},
		{"Q5_0", matvecQ5_0_avx2, 4, matvecQ5_0_avx512vnni, 8},
		{"Q5_1", matvecQ5_1_avx2, 4, matvecQ5_1_avx512vnni, 8},
		{"Q8_0", matvecQ8_0_avx2, 4, matvecQ8_0_avx512vnni, 8},
		{"IQ4_NL", matvecIQ4_NL_avx2, 4, matvecIQ4_NL_avx512vnni, 8},
		{"MXFP4", matvecMXFP4_avx2, 4, matvecMXFP4_avx512vnni, 8},
		{"Q2_K", matvecQ2_K_avx2, 2, matvecQ2_K_avx512vnni, 8},
		{"Q3_K", matvecQ3_K_avx2, 2, matvecQ3_K_avx512vnni, 8},
		{"Q4_K", matvecQ4_K_avx2, 2, matvecQ4_K_avx512vnni, 4},
		{"Q5_K", matvecQ5_K_avx2, 2, matvecQ5_K_avx512vnni, 4},
		{"Q6_K", matvecQ6_K_avx2, 2, matvecQ6_K_avx512vnni, 4},
		{"IQ4_XS", matvecIQ4_XS_avx2, 2, matvecIQ4_XS_avx512vnni, 8},
		{"TQ2_0", matvecTQ2_0_avx2, 2, matvecTQ2_0_avx512vnni, 8},
	} {
		f := products[b.typ].quant
		f.add(avx2, quantGroups(8, b.most, b.avx2))
		several := quantGroups(16, b.most512, b.avx512vnni)
		if one, ok := oneVector[b.typ]; ok {
			several = quantOne(one, several)
		}
		f.add(avx512vnni, several)
	}
}

// oneVector has the types of which one vector has an AVX-512 VNNI body of its own.
var oneVector = map[string]quantOneBody{"Q6_K": matvec1Q6_K_avx512vnni}

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
func matvecQ2_K_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ3_K_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ4_K_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ5_K_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecQ6_K_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecIQ4_XS_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecTQ2_0_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

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
func matvec1Q6_K_avx512vnni(y *float32, w *byte, rows int, q *int8, d *float32, s *int16, n int)
