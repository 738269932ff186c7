package quant

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
)

func TestRows(t *testing.T) {
	w := normal(1, 32*100)
	clear(w[:32])
	for i := range w[32:64] {
		w[32+i] *= 1e-9 // below all scales
	}
	for typ, most := range map[format.Type]float64{format.F32: 0, format.F16: 3e-4, format.Q8_0: 6e-3, format.Q5_0: 0.045, format.Q4_0: 0.09} {
		require.True(t, CanRows(typ))
		b := make([]byte, len(w)/typ.BlockSize()*typ.BlockBytes())
		require.NoError(t, Rows(b, w, typ))
		q := make([]float32, len(w))
		require.NoError(t, format.Dequantize(q, b, typ))
		relative := math.Sqrt(squares(w, q) / squares(w, make([]float32, len(w))))
		require.LessOrEqual(t, relative, most, "%v", typ)
		require.GreaterOrEqual(t, relative, most/2, "%v", typ)
	}
}

func TestRowsErrors(t *testing.T) {
	w := make([]float32, 64)
	require.False(t, CanRows(format.Q6_K))
	require.Error(t, Rows(nil, w, format.Q6_K))
	require.Error(t, Rows(make([]byte, 67), w, format.Q8_0))
	require.Error(t, Rows(make([]byte, 68), w[:63], format.Q8_0))
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e6} {
		w[40] = float32(x)
		require.Error(t, Rows(make([]byte, 68), w, format.Q8_0), "%v", x)
	}
	require.NoError(t, Rows(make([]byte, 256), w, format.F32))
}
