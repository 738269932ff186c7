package openblas

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// found skips the test if there is no library.
func found(t testing.TB) {
	if path, config, ok := Found(); ok {
		t.Logf("%s: %s", path, config)
		return
	}
	t.Skip("no OpenBLAS on this machine, or a build without cgo")
}

func randoms(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// at returns element i, j of a matrix or of its transpose.
func at(x []float32, ld, i, j int, transpose bool) float32 {
	if transpose {
		i, j = j, i
	}
	return x[i*ld+j]
}

func TestSGEMM(t *testing.T) {
	found(t)
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][3]int{{1, 1, 1}, {3, 5, 7}, {16, 16, 16}, {33, 65, 130}, {70, 200, 300}} {
		m, n, k := size[0], size[1], size[2]
		for form := range 4 {
			transA, transB := form&1 != 0, form&2 != 0
			t.Run(fmt.Sprint(m, n, k, transA, transB), func(t *testing.T) {
				rowsA, lda, rowsB, ldb, ldc := m, k+2, k, n+3, n+1
				if transA {
					rowsA, lda = k, m+2
				}
				if transB {
					rowsB, ldb = n, k+3
				}
				a, b, c := randoms(r, rowsA*lda), randoms(r, rowsB*ldb), randoms(r, m*ldc)
				const alpha, beta = 0.5, -2
				want := make([]float64, len(c))
				for i, v := range c {
					want[i] = float64(v)
				}
				for i := range m {
					for j := range n {
						sum := 0.0
						for l := range k {
							x, y := at(a, lda, i, l, transA), at(b, ldb, l, j, transB)
							sum += float64(x) * float64(y)
						}
						want[i*ldc+j] = alpha*sum + beta*want[i*ldc+j]
					}
				}
				SGEMM(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
				for i := range c {
					require.InDelta(t, want[i], c[i], 1e-4, "element %d", i)
				}
			})
		}
	}
}

func TestSGEMMFromManyThreads(t *testing.T) {
	found(t)
	const n = 96
	r := rand.New(rand.NewPCG(1, 2))
	a, b := randoms(r, n*n), randoms(r, n*n)
	want := make([]float32, n*n)
	SGEMM(false, true, n, n, n, 1, a, n, b, n, 0, want, n)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c := make([]float32, n*n)
			for range 20 {
				SGEMM(false, true, n, n, n, 1, a, n, b, n, 0, c, n)
				if !equal(c, want) {
					t.Error("the result depends on what other threads do")
					return
				}
			}
		})
	}
	wg.Wait()
}

func equal(a, b []float32) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func TestSGEMMAllocatesNothing(t *testing.T) {
	found(t)
	a, b, c := make([]float32, 64), make([]float32, 64), make([]float32, 64)
	require.Zero(t, testing.AllocsPerRun(10, func() { SGEMM(false, false, 8, 8, 8, 1, a, 8, b, 8, 0, c, 8) }))
}

// TestTurnedOff runs this test program with the library turned off.
func TestTurnedOff(t *testing.T) {
	if os.Getenv("CORTEX_OPENBLAS") == "none" {
		_, _, ok := Found()
		require.False(t, ok)
		require.Panics(t, func() { SGEMM(false, false, 1, 1, 1, 1, []float32{1}, 1, []float32{1}, 1, 0, []float32{0}, 1) })
		return
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, "-test.run=^TestTurnedOff$")
	cmd.Env = append(os.Environ(), "CORTEX_OPENBLAS=none")
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Skipf("cannot run this program again: %v", err) // under an emulator
	}
	require.NoError(t, err, "%s", out)
}
