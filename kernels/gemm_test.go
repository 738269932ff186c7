package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSGEMM(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, sgemm := range map[string]func(bool, bool, int, int, int, float32, []float32, int, []float32, int, float32, []float32, int){
		"found": SGEMM, "gonum": sgemmGonum,
	} {
		for _, size := range [][3]int{{1, 1, 1}, {2, 3, 0}, {3, 5, 7}, {64, 64, 64}, {65, 130, 600}} {
			m, n, k := size[0], size[1], size[2]
			for form := range 8 {
				transA, transB, beta := form&1 != 0, form&2 != 0, float32(form&4)
				t.Run(fmt.Sprint(name, size, transA, transB, beta), func(t *testing.T) {
					a, lda := matrix(r, m, k, transA)
					b, ldb := matrix(r, k, n, transB)
					c, ldc := matrix(r, m, n, false)
					if beta == 0 {
						for i := range c {
							c[i] = float32(math.NaN())
						}
					}
					want := append([]float32(nil), c...)
					for i := range m {
						for j := range n {
							sum := 0.0
							for l := range k {
								sum += float64(element(a, lda, i, l, transA)) * float64(element(b, ldb, l, j, transB))
							}
							c := &want[i*ldc+j]
							if beta == 0 {
								*c = 0
							}
							*c = float32(0.5*sum + float64(beta)*float64(*c))
						}
					}
					sgemm(transA, transB, m, n, k, 0.5, a, lda, b, ldb, beta, c, ldc)
					for i := range c {
						require.NoError(t, close32(c[i], want[i], 1e-4), "element %d", i)
					}
				})
			}
		}
	}
}

// matrix returns a random matrix with some space between its rows.
func matrix(r *rand.Rand, rows, cols int, transpose bool) (x []float32, ld int) {
	if transpose {
		rows, cols = cols, rows
	}
	ld = max(1, cols) + r.IntN(3)
	return floats(r, max(0, (rows-1)*ld+cols)), ld
}

func element(x []float32, ld, i, j int, transpose bool) float32 {
	if transpose {
		i, j = j, i
	}
	return x[i*ld+j]
}

func TestSGEMMAllocatesNothing(t *testing.T) {
	const n = 200
	a, b, c := make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)
	require.Zero(t, testing.AllocsPerRun(3, func() { sgemmGonum(false, true, n, n, n, 1, a, n, b, n, 0, c, n) }))
	require.Zero(t, testing.AllocsPerRun(3, func() { SGEMM(false, true, n, n, n, 1, a, n, b, n, 0, c, n) }))
}

func TestSGEMMMisuse(t *testing.T) {
	x := make([]float32, 12)
	require.Panics(t, func() { SGEMM(false, false, 3, 4, 5, 1, x, 5, x, 4, 0, x, 4) })
	require.Panics(t, func() { SGEMM(false, false, 3, 4, 3, 1, x, 2, x, 4, 0, x, 4) })
	require.Panics(t, func() { SGEMM(false, false, -1, 4, 3, 1, x, 3, x, 4, 0, x, 4) })
	require.NotPanics(t, func() { SGEMM(false, false, 3, 4, 3, 1, x, 4, x, 4, 0, x, 4) })
}
