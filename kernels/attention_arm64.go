package kernels

func addAttentionRows() {
	panelsF32.add(neon, panelsF32_neon)
	panelsF16.add(neon, panelsF16_neon)
	q8Columns.add(neon, q8Columns_neon)
	q8Rows.add(neon, q8Rows_neon)
}

//go:noescape
func panelsF32_neon(c, a, b []float32, s PanelShape)

//go:noescape
func panelsF16_neon(c, a []float32, b []uint16, s PanelShape)

//go:noescape
func q8Columns_neon(dst []float32, q []int8, d []uint16)

//go:noescape
func q8Rows_neon(dst []float32, q []int8, d []uint16)
