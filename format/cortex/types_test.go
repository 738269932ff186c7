package cortex_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/cortex"
)

func TestType(t *testing.T) {
	for _, typ := range []cortex.Type{cortex.SDR4, cortex.SDR8, cortex.SDRW4, cortex.SDRW8} {
		got, err := cortex.ParseType(typ.String())
		require.NoError(t, err)
		require.Equal(t, typ, got)
		require.Positive(t, typ.Group())
	}
	got, err := cortex.ParseType("sdr4")
	require.NoError(t, err)
	require.Equal(t, cortex.SDR4, got)
	for _, name := range []string{"", "SDR5", "Type(0)"} {
		_, err := cortex.ParseType(name)
		require.ErrorIs(t, err, format.ErrUnsupported)
	}
	require.Equal(t, "Type(0)", cortex.Type(0).String())
	require.Equal(t, "Type(4000000000)", cortex.Type(4e9).String())
	require.Zero(t, cortex.Type(4e9).Group())
}

func TestDefaultBlockChannels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		channels := rapid.IntRange(1, cortex.MaxChannels).Draw(t, "channels")
		groups := rapid.IntRange(1, 5000).Draw(t, "groups")
		n := cortex.DefaultBlockChannels(channels, groups)
		require.True(t, n >= 1 && n <= channels)
		if size := cortex.NewLayout(n, groups).Size; n > 8 {
			require.LessOrEqual(t, size, int64(cortex.DefaultBlockBytes))
		}
		if n < channels {
			require.Zero(t, n%8)
			if twice := cortex.NewLayout(2*n+16, groups).Size; n > 8 {
				require.Greater(t, twice, int64(cortex.DefaultBlockBytes), "blocks are not small without need")
			}
		}
	})

	// The products of an 8b Llama lose less than a hundredth of their pages, the output matrix with its long channels a bit more.
	for _, p := range []struct {
		channels, outputs int
		most              float64
	}{{4096, 6144, 1.01}, {4096, 4096, 1.01}, {4096, 28672, 1.01}, {14336, 4096, 1.01}, {4096, 128256, 1.04}} {
		groups := (p.outputs + 127) / 128
		n := cortex.DefaultBlockChannels(p.channels, groups)
		var bytes, pages int64
		for at := 0; at < p.channels; at += n {
			size := cortex.NewLayout(min(n, p.channels-at), groups).Size
			bytes, pages = bytes+size, pages+(size+65535)/65536
		}
		require.Less(t, float64(pages*65536), p.most*float64(bytes), "%+v in blocks of %d", p, n)
	}
}
