package convert

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/quant"
	"github.com/cortexsdr/cortex/internal/testmodel"
)

// zeros returns the share of weights of a tensor that are 0.
func zeros(w []float32) float64 {
	n := 0
	for _, x := range w {
		if x == 0 {
			n++
		}
	}
	return float64(n) / float64(len(w))
}

// pruned reports whether a tensor is one of those that are pruned in a model that small returns.
func pruned(name string) bool {
	return strings.HasPrefix(name, "blk.") && !strings.Contains(name, "norm")
}

func contents(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

// Half of the weights are 0, the file is smaller than the dense one, and what stays is what the dense type makes of it.
func TestConvertPruned(t *testing.T) {
	src := small(t, nil)
	for _, c := range []struct {
		dense, sparse quant.Kind
		pairs         bool
		size          float64 // of the dense one's, at most: a quarter of the pairs of weights are 0, or half of the weights or pairs
	}{{quant.SDR4, quant.SDRW4, false, 0.95}, {quant.SDR4, quant.SDRW4, true, 0.8}, {quant.SDR8, quant.SDRW8, false, 0.75}} {
		o := defaults
		o.Kind, o.PrunePairs = c.dense, c.pairs
		_, before := run(t, src, o)
		o.Kind = c.sparse
		for _, p := range []quant.Pruning{{Drop: 0.5}, {Keep: 2, Of: 4}, {Keep: 16, Of: 32}} {
			o.Prune = p
			path, after := run(t, src, o)
			require.Equal(t, "SDR8 output.weight", after.Entries[len(after.Entries)-1].Type+" "+after.Entries[len(after.Entries)-1].Names[0])
			for i, e := range after.Entries {
				if e.Type == c.sparse.String() {
					require.Less(t, float64(e.Bytes), c.size*float64(before.Entries[i].Bytes), "%v", e.Names)
				}
			}
			slow := o
			slow.Threads, slow.Memory = 1, 1
			other, _ := run(t, src, slow)
			require.True(t, slices.Equal(contents(t, path), contents(t, other)), "depends on threads or memory")
			got := open(t, path)
			for name, d := range distances(t, src, got) {
				if pruned(name) {
					require.Less(t, d, 0.6, name) // half of the weights are less than a sixth of the squares
				}
			}
			for _, x := range got.Tensors() {
				if !pruned(x.Name) {
					continue
				}
				w := values(t, got, x)
				n := int(x.Shape[0])
				require.GreaterOrEqual(t, zeros(w), 0.5-float64(p.Of)/2/float64(n), x.Name) // a row may end within a pattern
				if p.Of > 0 {
					for row := range slices.Chunk(w, n) {
						for at := 0; at+p.Of <= n; at += p.Of {
							require.GreaterOrEqual(t, zeros(row[at:at+p.Of]), 0.5)
						}
					}
				}
			}

			// Read again, with its zeros, and written in the same type: they are all there.
			again := o
			again.Prune = quant.Pruning{}
			same, _ := run(t, got, again)
			next := open(t, same)
			for name, d := range distances(t, got, next) {
				require.Less(t, d, 0.1, name)
			}
			for i, x := range got.Tensors() {
				w, v := values(t, got, x), values(t, next, next.Tensors()[i])
				for k := range w {
					if w[k] == 0 && v[k] != 0 && pruned(x.Name) {
						t.Fatalf("weight %d of %s is %v, was 0", k, x.Name, v[k])
					}
				}
			}
		}
	}
}

// Without zeros, blocks stay as they are.
func TestConvertSparseDoesNotPay(t *testing.T) {
	src := small(t, func(c *testmodel.Config) { c.Dim, c.Heads, c.KVHeads, c.FF, c.Vocab = 128, 2, 1, 256, 320 }) // whole groups
	o := defaults
	o.Kind, o.Output = quant.SDR8, quant.SDR8
	path, dense := run(t, src, o)
	o.Kind, o.Output = quant.SDRW8, quant.SDRW8
	other, sparse := run(t, src, o)
	require.Equal(t, dense.Bytes, sparse.Bytes)
	for name, d := range distances(t, open(t, path), open(t, other)) {
		require.Zero(t, d, name)
	}
}

// Weights are chosen by what they are multiplied with.
func TestConvertWanda(t *testing.T) {
	src := small(t, func(c *testmodel.Config) { c.Layers = 1 })
	c, err := NewCalibration(src, defaults)
	require.NoError(t, err)
	defer c.Close()
	o := defaults
	o.Kind, o.Prune, o.Wanda = quant.SDRW8, quant.Pruning{Drop: 0.5}, true
	_, err = Convert(context.Background(), src, filepath.Join(t.TempDir(), "m.cortex"), o)
	require.ErrorContains(t, err, "calibration")
	o.Calibration = c
	_, err = Convert(context.Background(), src, filepath.Join(t.TempDir(), "m.cortex"), o)
	require.ErrorIs(t, err, format.ErrMissing, "no text has been seen")

	p, _, err := planOf(src)
	require.NoError(t, err)
	for _, s := range p.Steps {
		if isProduct(s) {
			x := make([]float32, 8*s.W[0].Shape[0]) // the first half of the channels is much louder, all have tokens of their own
			for j := range x {
				x[j] = []float32{100, 1}[2*j%(2*int(s.W[0].Shape[0]))/int(s.W[0].Shape[0])] * float32(j*j%17-8)
			}
			c.Add(s.Matrices(), x)
		}
	}
	path, _ := run(t, src, o)
	got := open(t, path)
	for _, x := range got.Tensors() {
		if !pruned(x.Name) {
			continue
		}
		n := int(x.Shape[0])
		for row := range slices.Chunk(values(t, got, x), n) {
			require.Less(t, zeros(row[:n/2]), 0.2, x.Name)
			require.Greater(t, zeros(row[n/2:]), 0.8, x.Name)
		}
	}
}
