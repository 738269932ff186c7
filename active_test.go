package cortex

import (
	"testing"

	"github.com/stretchr/testify/require"

	container "github.com/cortexsdr/cortex/format/cortex"
)

// What is known of blocks for some shares of a product's channels tells that for others.
func TestActiveBlocks(t *testing.T) {
	require.Nil(t, activeOf(nil, 0.5))
	require.Nil(t, activeOf([]container.Threshold{{Sparsity: 0.5, Keep: 0.5}}, 0.5))
	list := []container.Threshold{{Keep: 0.8, Active: []byte{255, 153}}, {Keep: 0.8, Active: []byte{0, 0}}, {Keep: 0.4, Active: []byte{153, 51}}}
	for keep, want := range map[float32][]float32{1: {1, 1}, 0.9: {1, 0.8}, 0.4: {0.6, 0.2}, 0.2: {0.3, 0.1}, 0: {0, 0}, 0.6: {0.3, 0.1}} {
		require.InDeltaSlice(t, want, activeOf(list, keep), 1e-6, "%v", keep)
	}
}
