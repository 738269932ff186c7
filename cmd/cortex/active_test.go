package main

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/loader"
)

// reverseChannels writes a model of SDR8 again with the channels of every product in reverse, in blocks of 50.
func reverseChannels(t *testing.T, from string) (path string) {
	src, err := loader.Open(from)
	require.NoError(t, err)
	defer src.Close()
	path = filepath.Join(t.TempDir(), "r.cortex")
	w, err := container.NewWriter(path, container.Options{})
	require.NoError(t, err)
	w.SetMetadata(src.KVs())
	for _, tensor := range src.Tensors {
		r, err := w.AddRows(tensor.Name, tensor.Type, tensor.Shape)
		require.NoError(t, err)
		_, err = r.Write(src.Data(tensor))
		require.NoError(t, err)
	}
	for _, p := range src.Products {
		n := container.Product{Matrices: p.Matrices, Type: p.Type, Channels: p.Channels, BlockChannels: 50}
		for j := range p.Channels {
			n.Order = append(n.Order, uint16(p.Channels-1-j))
		}
		pw, err := w.AddProduct(n)
		require.NoError(t, err)
		for pw.Next() < p.Channels {
			l, first := pw.Layout(), pw.Next()
			block := make([]byte, l.Size)
			for j := range l.Channels {
				at := p.Channels - 1 - first - j
				i := at / p.BlockChannels
				piece := p.Pieces[i]
				scales, values, _, _ := p.Block(i, src.Data(format.Tensor{Part: piece.Part, Offset: piece.Offset, Size: piece.Size}))
				at -= piece.First
				copy(block[2*j*l.Groups:], scales[2*at*l.Groups:][:2*l.Groups])
				copy(block[l.Values+int64(j*l.Groups*container.GroupBytes):], values[at*l.Groups*container.GroupBytes:][:l.Groups*container.GroupBytes])
			}
			require.NoError(t, pw.WriteBlock(block))
		}
	}
	require.NoError(t, w.Close())
	return path
}

// Thresholds hardly depend on the order of channels, and the shares of active channels are those of the blocks.
func TestCalibrateCountsBlocks(t *testing.T) {
	text, model := storyFile(t, 4000), talesChannels(t, "--type", "sdr8")
	reversed := reverseChannels(t, model)
	products := map[string][]container.Product{}
	for _, path := range []string{model, reversed} {
		cortexOK(t, "calibrate", path, "-f", text, "-c", "128", "--levels", "0.3,0.6", "--chunks", "4")
		src, err := loader.Open(path)
		require.NoError(t, err)
		products[path] = src.Products
		require.NoError(t, src.Close())
	}

	data, err := os.ReadFile(text)
	require.NoError(t, err)
	m, err := cortex.Open(reversed, nil)
	require.NoError(t, err)
	defer m.Close()
	ids := m.Tokenize(string(data[:len(data)/2]), cortex.TokenizeOptions{})
	vectors := map[string][]float32{}
	require.NoError(t, observe(t.Context(), m, ids[:min(len(ids), 4*127)], 127, func(tensors []string, x []float32) {
		vectors[tensors[0]] = append(vectors[tensors[0]], x...)
	}, func(int) {}))
	for i, p := range products[reversed] {
		for k, th := range p.Thresholds {
			require.InDelta(t, products[model][i].Thresholds[k].Keep, th.Keep, 0.03, "smaller blocks are padded more, which bears on all products")
			require.Len(t, th.Active, len(p.Pieces))
			norm, x := products[model][i].Norm, vectors[p.Matrices[0].Name]
			for b, piece := range p.Pieces {
				n := 0
				for at := 0; at < len(x); at += p.Channels {
					for j := p.Channels - piece.First - piece.Channels; j < p.Channels-piece.First; j++ {
						if float32(math.Abs(float64(x[at+j])))*norm[j] >= th.Value {
							n++
						}
					}
				}
				require.InDelta(t, float64(n)/float64(piece.Channels*len(x)/p.Channels), float64(th.Active[b])/255, 0.003, "%s, block %d", p.Name(), b)
			}
		}
	}
}
