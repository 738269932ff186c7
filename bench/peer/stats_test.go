package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestSpreadOf(t *testing.T) {
	require.Equal(t, spread{}, spreadOf(nil))
	require.Equal(t, spread{7, 7, 7}, spreadOf([]float64{7}))
	require.Equal(t, spread{2, 1, 9}, spreadOf([]float64{9, 1, 2}))
	require.Equal(t, spread{3, 1, 9}, spreadOf([]float64{9, 4, 1, 2}))

	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float64Range(-1e9, 1e9), 1, 20).Draw(t, "x")
		s := spreadOf(x)
		below, above := 0, 0
		for _, v := range x {
			require.GreaterOrEqual(t, v, s.Min)
			require.LessOrEqual(t, v, s.Max)
			if v < s.Median {
				below++
			}
			if v > s.Median {
				above++
			}
		}
		require.LessOrEqual(t, 2*below, len(x))
		require.LessOrEqual(t, 2*above, len(x))
		require.Contains(t, x, s.Min)
		require.Contains(t, x, s.Max)
	})
}

// threePairs are pairs on a machine that gets slower: the ratio of the pairs is not that of the medians.
func threePairs() *result {
	r := &result{Model: "m.gguf", Test: spec{Gen: 8}, FileBytes: 2e9, KVBytes: 3e6, BytesPerToken: 1e9}
	for i, p := range []struct{ peer, cortex, read float64 }{{30, 36, 40e9}, {20, 30, 40e9}, {10, 20, 80e9}} {
		r.Pairs = append(r.Pairs, pair{
			Peer:   sample{Rate: p.peer, Open: 1 + float64(i), FirstToken: 2, PeakRSS: int64(i) * 1e9, Others: 0.01},
			Cortex: sample{Rate: p.cortex, Open: 0.5, FirstToken: 0.25, PeakRSS: 5e8, Others: 0.02 * float64(i)},
			Read:   p.read,
		})
	}
	return r
}

func TestSummarize(t *testing.T) {
	r := threePairs()
	s := r.summarize()
	require.Equal(t, spread{20, 10, 30}, s.Peer)
	require.Equal(t, spread{30, 20, 36}, s.Cortex)
	require.Equal(t, spread{1.5, 1.2, 2}, s.Ratio)
	require.Equal(t, spread{2, 1, 3}, s.PeerOpen)
	require.Equal(t, spread{0.5, 0.5, 0.5}, s.CortexOpen)
	require.Equal(t, 2.0, s.PeerFirstToken.Median)
	require.Equal(t, 0.25, s.CortexFirstToken.Median)
	require.Equal(t, int64(2e9), s.PeerPeakRSS)
	require.Equal(t, int64(5e8), s.CortexPeakRSS)
	require.Equal(t, 0.04, s.Others)
	require.Equal(t, spread{40e9, 40e9, 80e9}, s.Bandwidth.Read)
	require.Equal(t, spread{30e9, 20e9, 36e9}, s.Bandwidth.Cortex)
	require.Equal(t, spread{0.75, 0.25, 0.9}, s.Bandwidth.CortexShare)
	require.Equal(t, spread{0.5, 0.125, 0.75}, s.Bandwidth.PeerShare)
	require.Nil(t, s.Noise)

	for i := range r.Pairs {
		r.Pairs[i].Read = 0
		r.Pairs[i].NoisyPeer = &sample{Rate: r.Pairs[i].Peer.Rate / 5}
		r.Pairs[i].NoisyCortex = &sample{Rate: r.Pairs[i].Cortex.Rate / 2}
	}
	s = r.summarize()
	require.Nil(t, s.Bandwidth)
	require.Equal(t, spread{5, 5, 5}, s.Noise.Peer)
	require.Equal(t, spread{2, 2, 2}, s.Noise.Cortex)
	require.Equal(t, spread{3.75, 3, 5}, s.Noise.Ratio)
}
