package model

import (
	"testing"

	"github.com/stretchr/testify/require"

	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/internal/testmodel"
	"github.com/cortexsdr/cortex/loader"
)

// What is known of the channels of blocks decides which are pinned, and how much is read.
func TestHotBlocksArePinned(t *testing.T) {
	c := testmodel.Config{Name: "wide", Layers: 2, Dim: 512, Heads: 4, KVHeads: 2, FF: 4096, Vocab: 9000}
	path, _ := writeChannels(t, c, container.SDR8, 64, 1)
	src, err := loader.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, src.Close()) }()
	m, err := New(src, Options{Vocab: c.Vocab, Batch: 8, StreamBlock: 1})
	require.NoError(t, err)
	s := Sparsity{Level: 0.5, Blocks: make([][]float32, len(src.Products))}
	var shares []float32
	gate := -1
	for i, p := range src.Products {
		if p.Matrices[0].Name == "blk.1.ffn_gate.weight" { // runs of 8 KB, far more than a gap
			gate = i
			for b := range p.Pieces {
				shares = append(shares, 0.1+0.1*float32(b%2))
			}
			s.Blocks[i] = shares
		}
	}
	require.GreaterOrEqual(t, gate, 0)
	m.SetSparsity(s)
	at := -1
	for _, st := range m.exec.steps {
		if st.channels != nil && st.channels.Index == gate {
			at = st.channels.Block
		}
	}
	for memory := m.Layout.Weights; ; memory += 256 << 10 {
		l := m.Stream(memory, 0, 64)
		var hot, cold int
		for b, share := range shares {
			if !l.Pinned[at+b] {
				continue
			}
			if share > 0.15 {
				hot++
			} else {
				cold++
			}
		}
		if cold > 0 {
			require.Equal(t, len(shares)/2, hot, "those of which less is active come last")
			return
		}
		require.Less(t, memory, m.Layout.Mapped*2)
	}
}
