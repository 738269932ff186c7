package testmodel

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/format"
)

// TestDeviation decodes rows of every type and compares mean and deviation with what was asked for.
func TestDeviation(t *testing.T) {
	for _, typ := range Types() {
		t.Run(typ.String(), func(t *testing.T) {
			const row, rows = 1024, 256
			for _, std := range []float64{4, 1, 0.07, 0.006} {
				s := newScales(typ, 0, std)
				var sum, squares float64
				for i := range rows {
					r := rng(mix64(uint64(i)))
					data := make([]byte, row/typ.BlockSize()*typ.BlockBytes())
					coders[typ].fill(data, s, &r)
					values := make([]float32, row)
					require.NoError(t, format.Dequantize(values, data, typ))
					for _, v := range values {
						sum += float64(v)
						squares += float64(v) * float64(v)
					}
				}
				const n = row * rows
				require.InDelta(t, 1, math.Sqrt(squares/n)/std, 0.01, "deviation")
				require.InDelta(t, 0, sum/n/std, 0.02, "mean")
			}
		})
	}
}

func TestFloat16(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float32Range(-65504, 65504).Draw(t, "x")
		x *= float32(math.Pow(2, -float64(rapid.IntRange(0, 40).Draw(t, "shift"))))
		require.Equal(t, float16.Fromfloat32(x).Bits(), toFloat16(x), "%g", x)
	})
}

// TestValidBlocks checks what decoders do not: that the quants are those that a quantizer could have written.
func TestValidBlocks(t *testing.T) {
	r := rng(1)
	q8 := make([]byte, 34*1000)
	coders[format.Q8_0].fill(q8, newScales(format.Q8_0, 0, 1), &r)
	for i, q := range q8 {
		if i%34 >= 2 && int8(q) == -128 {
			t.Fatalf("byte %d is -128", i)
		}
	}
	values := make([]float32, 256)
	for _, typ := range []format.Type{format.TQ1_0, format.TQ2_0} {
		row := make([]byte, typ.BlockBytes())
		for range 100 {
			coders[typ].fill(row, newScales(typ, 0, 1), &r)
			require.NoError(t, format.Dequantize(values, row, typ))
			d := float16.Frombits(binary.LittleEndian.Uint16(row[len(row)-2:])).Float32()
			for _, v := range values {
				if v != -d && v != 0 && v != d {
					t.Fatalf("%v: value %g with scale %g", typ, v, d)
				}
			}
		}
	}
	// Every packed number is the one that encoders write for its digits.
	for i := range 243 {
		require.Contains(t, ternary.five[:], byte((i*256+242)/243))
	}
	for i := range 81 {
		require.Contains(t, ternary.four[:], byte((i*3*256+242)/243))
	}
}

func BenchmarkFill(b *testing.B) {
	for _, typ := range Types() {
		b.Run(typ.String(), func(b *testing.B) {
			row := make([]byte, 4096/typ.BlockSize()*typ.BlockBytes())
			s := newScales(typ, 0, 0.02)
			var r rng
			b.SetBytes(int64(len(row)))
			for b.Loop() {
				coders[typ].fill(row, s, &r)
			}
		})
	}
}
