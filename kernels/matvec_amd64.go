package kernels

// addMatVecRows adds the rows of the products, lowest level first.
func addMatVecRows() {
	products["F32"].float.add(avx2, floatVectors(matvecF32_avx2))
	products["F16"].float.add(avx2, floatVectors(matvecF16_avx2))
	products["BF16"].float.add(avx2, floatVectors(matvecBF16_avx2))
	for _, b := range []struct {
		typ          string
		most         int // vectors of the AVX2 body
		avx2, avx512 quantBody
	}{
		{"Q4_0", 4, matvecQ4_0_avx2, matvecQ4_0_avx512vnni},
		{"Q4_1", 4, matvecQ4_1_avx2, matvecQ4_1_avx512vnni},
		{"Q5_0", 4, matvecQ5_0_avx2, matvecQ5_0_avx512vnni},
		{"Q5_1", 4, matvecQ5_1_avx2, matvecQ5_1_avx512vnni},
		{"Q8_0", 4, matvecQ8_0_avx2, matvecQ8_0_avx512vnni},
		{"IQ4_NL", 4, matvecIQ4_NL_avx2, matvecIQ4_NL_avx512vnni},
		{"MXFP4", 4, matvecMXFP4_avx2, matvecMXFP4_avx512vnni},
		{"Q2_K", 2, matvecQ2_K_avx2, matvecQ2_K_avx512vnni},
		{"Q3_K", 2, matvecQ3_K_avx2, matvecQ3_K_avx512vnni},
		{"Q4_K", 2, matvecQ4_K_avx2, matvecQ4_K_avx512vnni},
		{"Q5_K", 2, matvecQ5_K_avx2, matvecQ5_K_avx512vnni},
		{"Q6_K", 2, matvecQ6_K_avx2, nil},
		{"IQ4_XS", 2, matvecIQ4_XS_avx2, matvecIQ4_XS_avx512vnni},
		{"TQ2_0", 2, matvecTQ2_0_avx2, matvecTQ2_0_avx512vnni},
	} {
		f := products[b.typ].quant
		f.add(avx2, quantGroups(8, b.most, b.avx2))
		if b.avx512 != nil {
			f.add(avx512vnni, quantGroups(16, 8, b.avx512))
		}
	}
	products["Q6_K"].quant.add(avx512vnni, quantRows(8, matvecQ6_K_avx512vnni))
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
func matvecQ6_K_avx512vnni(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecIQ4_XS_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)

//go:noescape
func matvecTQ2_0_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
