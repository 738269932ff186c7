package kernels

// addMatVecRows adds the rows of the products, lowest level first.
func addMatVecRows() {
	products["F32"].float.add(avx2, floatEach(matvecF32_avx2))
	products["F16"].float.add(avx2, floatEach(matvecF16_avx2))
	products["BF16"].float.add(avx2, floatEach(matvecBF16_avx2))
	products["Q4_0"].quant.add(avx2, quantEach(matvecQ4_0_avx2))
	products["Q8_0"].quant.add(avx2, quantEach(matvecQ8_0_avx2))
	products["Q4_K"].quant.add(avx2, quantEach(matvecQ4_K_avx2))
	products["Q6_K"].quant.add(avx2, quantEach(matvecQ6_K_avx2))
	for _, b := range []struct {
		typ  string
		body quantBody
	}{
		{"Q4_0", matvecQ4_0_avx512vnni},
		{"Q4_1", matvecQ4_1_avx512vnni},
		{"Q5_0", matvecQ5_0_avx512vnni},
		{"Q5_1", matvecQ5_1_avx512vnni},
		{"Q8_0", matvecQ8_0_avx512vnni},
		{"IQ4_NL", matvecIQ4_NL_avx512vnni},
		{"MXFP4", matvecMXFP4_avx512vnni},
		{"Q2_K", matvecQ2_K_avx512vnni},
		{"Q3_K", matvecQ3_K_avx512vnni},
		{"Q4_K", matvecQ4_K_avx512vnni},
		{"Q5_K", matvecQ5_K_avx512vnni},
		{"Q6_K", matvecQ6_K_avx512vnni},
		{"IQ4_XS", matvecIQ4_XS_avx512vnni},
		{"TQ2_0", matvecTQ2_0_avx512vnni},
	} {
		products[b.typ].quant.add(avx512vnni, quantGroups(16, 8, b.body))
	}
}

//go:noescape
func matvecF32_avx2(y []float32, w []byte, x []float32)

//go:noescape
func matvecF16_avx2(y []float32, w []byte, x []float32)

//go:noescape
func matvecBF16_avx2(y []float32, w []byte, x []float32)

//go:noescape
func matvecQ4_0_avx2(y []float32, w []byte, q []int8, d []float32, s []int16)

//go:noescape
func matvecQ8_0_avx2(y []float32, w []byte, q []int8, d []float32, s []int16)

//go:noescape
func matvecQ4_K_avx2(y []float32, w []byte, q []int8, d []float32, s []int16)

//go:noescape
func matvecQ6_K_avx2(y []float32, w []byte, q []int8, d []float32, s []int16)

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
