package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"
)

func TestF16ToF32(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		want, got := float16.Frombits(h).Float32(), f16ToF32(h)
		if want != want {
			require.True(t, got != got, "%#04x", h)
			require.NotZero(t, math.Float32bits(got)&0x400000, "%#04x stays signaling", h)
			continue
		}
		require.Equal(t, math.Float32bits(want), math.Float32bits(got), "%#04x", h)
		require.Equal(t, h, f32ToF16(got), "back from %v", got)
	}
}

func TestF32ToF16(t *testing.T) {
	check := func(b uint32) {
		f := math.Float32frombits(b)
		want, got := float16.Fromfloat32(f).Bits(), f32ToF16(f)
		if f != f {
			require.Equal(t, uint16(0x7e00), got&0x7e00, "%#08x", b)
			return
		}
		require.Equal(t, want, got, "%#08x, %v", b, f)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		check(r.Uint32())
	}
	// Around every binary16 number and halfway to the next.
	for h := range uint32(0x7c00) {
		b := math.Float32bits(f16ToF32(uint16(h)))
		next := math.Float32bits(f16ToF32(uint16(h + 1)))
		half := math.Float32bits((math.Float32frombits(b) + math.Float32frombits(next)) / 2)
		if h == 0x7bff {
			half = math.Float32bits(65520)
		}
		for _, b := range []uint32{b, b + 1, half - 1, half, half + 1} {
			check(b)
			check(b | 1<<31)
		}
	}
}

func TestBF16ToF32(t *testing.T) {
	require.Equal(t, float32(1.5), bf16ToF32(0x3fc0))
	require.Equal(t, float32(-2), bf16ToF32(0xc000))
}
