package kernels

import (
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/cortexsdr/cortex/kernels/openblas"
)

// SGEMM multiplies float32 matrices, all stored row by row:
//
//	c[i*ldc+j] = alpha * (sum over l of A[i][l]*B[l][j]) + beta*c[i*ldc+j]
//
// for i < m, j < n and l < k. A[i][l] is a[i*lda+l], or a[l*lda+i] if transA;
// B[l][j] is b[l*ldb+j], or b[j*ldb+l] if transB. If beta is 0, c is not read.
//
// It works on the calling thread, with OpenBLAS if the machine has it (see
// [openblas.Found]) and with gonum otherwise. Unlike the other kernels it may
// take long: neither of the two holds up the garbage collector.
func SGEMM(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	mustMatrix("a", a, m, k, lda, transA)
	mustMatrix("b", b, k, n, ldb, transB)
	mustMatrix("c", c, m, n, ldc, false)
	if m == 0 || n == 0 {
		return
	}
	if _, _, ok := openblas.Found(); ok {
		openblas.SGEMM(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	sgemmGonum(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}

// mustMatrix panics unless x holds a matrix of the given shape.
func mustMatrix(name string, x []float32, rows, cols, ld int, transpose bool) {
	if transpose {
		rows, cols = cols, rows
	}
	if rows < 0 || cols < 0 || ld < max(1, cols) || rows > 0 && len(x) < (rows-1)*ld+cols {
		panic(fmt.Sprintf("kernels: SGEMM: %s has %d values, too few for %d rows of %d every %d", name, len(x), rows, cols, ld))
	}
}

// sgemmGonum multiplies tile by tile. Tiles of at most three of gonum's blocks
// (64 by 64) keep it from starting goroutines, and with them from allocating; a
// limited depth keeps a tile's operands in the cache.
func sgemmGonum(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	const tile, depth = 64, 512
	gonum := blas32.Implementation()
	for i := 0; i < m; i += tile {
		for j := 0; j < n; j += tile {
			for l := 0; l == 0 || l < k; l += depth {
				ta, a := corner(transA, a, lda, i, l)
				tb, b := corner(transB, b, ldb, l, j)
				beta := beta
				if l > 0 {
					beta = 1 // add to the first part
				}
				gonum.Sgemm(ta, tb, min(tile, m-i), min(tile, n-j), min(depth, k-l), alpha, a, lda, b, ldb, beta, c[i*ldc+j:], ldc)
			}
		}
	}
}

// corner returns the matrix that starts at element i, j.
func corner(transpose bool, x []float32, ld, i, j int) (blas.Transpose, []float32) {
	if transpose {
		return blas.Trans, x[min(j*ld+i, len(x)):]
	}
	return blas.NoTrans, x[min(i*ld+j, len(x)):]
}
