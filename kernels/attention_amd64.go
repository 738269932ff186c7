package kernels

func addAttentionRows() {
	panelsF32.add(avx2, panelsF32_avx2)
	panelsF32.add(avx512, panelsF32_avx512)
	panelsF16.add(avx2, panelsF16_avx2)
	panelsF16.add(avx512, panelsF16_avx512)
	q8Columns.add(avx2, q8Columns_avx2)
	q8Columns.add(avx512, q8Columns_avx512)
	q8Rows.add(avx2, q8Rows_avx2)
	q8Rows.add(avx512, q8Rows_avx512)
	expSum.add(avx512, expSum_avx512)
	manyF16.add(amx, &manyPanels{manyPanelsScratch_amx, manyPanelsF16_amx})
}

//go:noescape
func panelsF32_avx2(c, a, b []float32, s PanelShape)

//go:noescape
func panelsF32_avx512(c, a, b []float32, s PanelShape)

//go:noescape
func panelsF16_avx2(c, a []float32, b []uint16, s PanelShape)

//go:noescape
func panelsF16_avx512(c, a []float32, b []uint16, s PanelShape)

//go:noescape
func q8Columns_avx2(dst []float32, q []int8, d []uint16)

//go:noescape
func q8Columns_avx512(dst []float32, q []int8, d []uint16)

//go:noescape
func q8Rows_avx2(dst []float32, q []int8, d []uint16)

//go:noescape
func q8Rows_avx512(dst []float32, q []int8, d []uint16)

//go:noescape
func expSum_avx512(x []float32, max float32) float32
