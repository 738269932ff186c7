package model

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
)

// reorderChannels writes a file of writeChannels again with the channels of all products but one in an order of their own.
func reorderChannels(t testing.TB, from string) (path string) {
	t.Helper()
	src, w, path := rewrite(t, from)
	rng := rand.New(rand.NewPCG(3, 4))
	for i, p := range src.Products {
		n := container.Product{Matrices: p.Matrices, Type: p.Type, Channels: p.Channels, Table: p.Table, BlockChannels: p.BlockChannels}
		order := rng.Perm(p.Channels)
		for j, v := range order {
			if i == 1 {
				order[j] = j
			} else {
				n.Order = append(n.Order, uint16(v))
			}
		}
		pw, err := w.AddProduct(n)
		require.NoError(t, err)
		for pw.Next() < p.Channels {
			l, first := pw.Layout(), pw.Next()
			block := make([]byte, l.Size)
			for j := range l.Channels {
				at := order[first+j]
				piece := p.Pieces[at/p.BlockChannels]
				at -= piece.First
				scales, values, _, _ := p.Block(piece.First/p.BlockChannels, src.Data(format.Tensor{Part: piece.Part, Offset: piece.Offset, Size: piece.Size}))
				copy(block[2*j*l.Groups:], scales[2*at*l.Groups:][:2*l.Groups])
				copy(block[l.Values+int64(j*l.Groups*container.GroupBytes):], values[at*l.Groups*container.GroupBytes:][:l.Groups*container.GroupBytes])
			}
			require.NoError(t, pw.WriteBlock(block))
		}
	}
	require.NoError(t, w.Close())
	return path
}
