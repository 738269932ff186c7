package kernels

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// TestFault checks that a fault inside a product, as it happens when a mapped
// file shrinks, arrives as a panic in the caller whatever the body does with
// registers and branches.
func TestFault(t *testing.T) {
	const bytes = 1 << 16
	region, err := guarded(bytes)
	if err != nil {
		t.Skip(err)
	}
	for typ, p := range products {
		t.Run(typ, func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 6))
			n := 4 * p.layout.Block()
			a := NewActs(p.layout, 1, n)
			copy(a.F, floats(r, n))
			a.Quantize(0, 1)
			y := make([]float32, 9)
			// The weights reach into the page behind the region.
			w := unsafe.Slice(&region[bytes-8*p.RowBytes(n)], 9*p.RowBytes(n))
			for range 3 {
				require.NotNil(t, caught(func() { p.MatVec(y, w, a, 0) }))
				require.Nil(t, caught(func() { p.MatVec(y[:8], w, a, 0) }))
			}
		})
	}
}
