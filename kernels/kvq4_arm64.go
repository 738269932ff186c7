package kernels

func addKVQ4Rows() {
	q4Columns.add(neon, q4Columns_neon)
	q4Rows.add(neon, q4Rows_neon)
}

//go:noescape
func q4Columns_neon(dst []float32, q []byte, d []uint16)

//go:noescape
func q4Rows_neon(dst []float32, q []byte, d []uint16)
