//go:build !cgo || !(linux || darwin)

package openblas

// Found reports whether the machine has a usable OpenBLAS: never in this build.
func Found() (path, config string, ok bool) { return "", "", false }

// SGEMM panics: the library was not found.
func SGEMM(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	panic("openblas: SGEMM without the library")
}
