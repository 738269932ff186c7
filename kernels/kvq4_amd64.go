package kernels

func addKVQ4Rows() {
	q4Columns.add(avx2, q4Columns_avx2)
	q4Columns.add(avx512, q4Columns_avx512)
	q4Rows.add(avx2, q4Rows_avx2)
	q4Rows.add(avx512, q4Rows_avx512)
}

//go:noescape
func q4Columns_avx2(dst []float32, q []byte, d []uint16)

//go:noescape
func q4Columns_avx512(dst []float32, q []byte, d []uint16)

//go:noescape
func q4Rows_avx2(dst []float32, q []byte, d []uint16)

//go:noescape
func q4Rows_avx512(dst []float32, q []byte, d []uint16)
