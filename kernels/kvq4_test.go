package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func kvQ4Walks() []walker {
	return []walker{
		q4Walk(q4Columns, func(rows int) int { return (rows + 31) / 32 * 16 }),
		q4Walk(q4Rows, func(rows int) int { return rows }),
	}
}

func q4Walk(f *family[q4Unpack], scales func(rows int) int) walker {
	return walk[q4Unpack]{f, upTo(130)[1:], 256,
		func(r *rand.Rand, rows int) problem {
			q := make([]byte, rows*PanelWidth/2)
			for i := range q {
				q[i] = byte(r.Uint32())
			}
			return problem{[]operand{out(make([]float32, 2*len(q))), in(q), in(halves(r, scales(rows)))}, 2 * len(q), exact}
		},
		func(fn q4Unpack, o []operand) { fn(as[float32](o[0]), as[byte](o[1]), as[uint16](o[2])) }}
}

func TestUnpackQ4(t *testing.T) {
	q, d, dst := make([]byte, 33*8), make([]uint16, 33), make([]float32, 33*16)
	for i := range q {
		q[i] = byte(i)
	}
	for i := range d {
		d[i] = f32ToF16(float32(i) / 4)
	}
	UnpackQ4Columns(dst, q, d)
	require.Equal(t, (float32(9)-8)*0.25, dst[17], "row 1, column 1: the lower half of byte 9")
	require.Equal(t, (float32(1)-8)*10*0.25, dst[3*16+10], "row 3, column 10: the upper half of byte 26")
	require.Equal(t, (float32(5)-8)*(16+5)/4, dst[32*16+5], "row 32 has scales of its own")
	UnpackQ4Rows(dst, q, d)
	require.Equal(t, (float32(9)-8)*0.25, dst[17])
	require.Equal(t, (float32(1)-8)*3*0.25, dst[3*16+10])
	require.Panics(t, func() { UnpackQ4Rows(dst, q, d[:32]) }, "the capacity does not count")
	require.Panics(t, func() { UnpackQ4Rows(dst, q[:33*8-1], d) })
	require.Panics(t, func() { UnpackQ4Columns(dst, q, d[:31]) })
	require.Panics(t, func() { UnpackQ4Rows(dst[:17], q, d) })
}

// What is rounded is at most half a step away, but a whole one at the end of the
// range that has no step.
func TestQuantizeQ4(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float32Range(-1000, 1000), 1, 100).Draw(t, "x")
		q, d := make([]byte, len(x)), make([]uint16, (len(x)+31)/32)
		QuantizeQ4(q, d, x)
		for i, v := range x {
			require.LessOrEqual(t, q[i], byte(15))
			scale := f16ToF32(d[i/32])
			got := (float32(q[i]) - 8) * scale
			step := math.Abs(float64(scale))
			bound := step/2*1.01 + math.Abs(float64(v))/1024 + 1e-6
			if q[i] == 15 {
				bound += step / 2
			}
			require.InDelta(t, v, got, bound)
		}
	})
	q, d := make([]byte, 32), make([]uint16, 1)
	QuantizeQ4(q, d, make([]float32, 32))
	require.Zero(t, d[0]&0x7fff, "no scale, of either sign")
	require.EqualValues(t, 8, q[5])
	x := make([]float32, 32)
	x[3], x[4], x[5] = -16, 16, 7
	QuantizeQ4(q, d, x)
	require.Equal(t, f32ToF16(2), d[0])
	require.Equal(t, []byte{8, 0, 15, 12}, q[2:6])
}
