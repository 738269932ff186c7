package model

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/internal/plan"
	"github.com/cortexsdr/cortex/internal/testmodel"
	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
)

// gatedModels are those of channelModels whose matrices behind gates are to stay in rows.
func gatedModels() []testmodel.Config {
	list := channelModels()
	for i := range list {
		list[i].Name = "gated-" + list[i].Name
		list[i].TypeOf = func(tensor string) (format.Type, bool) {
			return format.Q8_0, slices.Contains([]string{"blk.0.ffn_up.weight", "blk.1.ffn_up.weight"}, tensor)
		}
	}
	return list
}

// With all channels, the matrix behind the gate is multiplied as any other.
func TestGatedAgreesWithRows(t *testing.T) {
	for _, c := range gatedModels() {
		agreeWithRows(t, c, container.SDR8, 0.02) // activations of 8 bits
	}
}

// The units that are not 0 are those of the largest scores, and are what they would be without sparsity.
func TestGate(t *testing.T) {
	for _, c := range gatedModels() {
		path, weights := writeChannels(t, c, container.SDR8, 0, 1)
		src, err := loader.Open(path)
		require.NoError(t, err)
		m := start(t, src, 2, 64)
		e := m.exec
		m.SetSparsity(Sparsity{Level: 0.6})
		for _, tokens := range []int{1, 5, 20} {
			gates, checked := 0, 0
			var h, gate []float32
			var step *step
			p := &Pass{IDs: randomIDs(tokens, m.Vocab), Want: 1, Sparse: true, Each: func(int, []float32) error { return nil }}
			p.Observe = func(at int, x []float32) {
				switch s := &e.steps[at]; {
				case s.gate != nil:
					gates++
					step, h, gate = s, slices.Clone(x), slices.Clone(e.slots[s.In[1]])
				case s.Op == plan.MatMulAdd && step != nil:
					up, ff := e.slots[step.Out[0]], s.channels.Product.Channels
					for k := range tokens {
						x, g := h[k*m.Dim:][:m.Dim], gate[k*ff:][:ff]
						score := make([]float32, ff)
						for i, v := range g {
							score[i] = v / float32(1+math.Exp(-float64(v)))
						}
						active := kernels.SelectTop(make([]int32, ff), score, s.channels.Norm, int(math.Round(0.4*float64(ff))))
						for i, got := range up[k*ff:][:ff] {
							if !slices.Contains(active, int32(i)) {
								require.Zero(t, got, "unit %d", i)
								continue
							}
							var want, size float64
							for j, w := range weights[step.W[0].Name][i*m.Dim:][:m.Dim] {
								want += float64(w) * float64(x[j])
								size += math.Abs(float64(w) * float64(x[j]))
							}
							if step.mats[0].bias != nil {
								want += float64(step.mats[0].bias[i])
							}
							require.InDelta(t, want, got, 0.01*size, "unit %d", i)
							checked++
						}
					}
					step = nil
				}
			}
			require.NoError(t, m.Forward(context.Background(), newKV(t, m, 32, KVF16), p))
			require.Equal(t, m.Layers, gates)
			require.Positive(t, checked)
		}
	}
}

// What is read of the rows is what is active of them, also from the disk, and a token allocates nothing.
func TestGateReadsActiveRows(t *testing.T) {
	c := testmodel.Config{Name: "wide", Layers: 2, Dim: 512, Heads: 4, KVHeads: 2, FF: 4096, Vocab: 512, TypeOf: gatedModels()[0].TypeOf}
	path, _ := writeChannels(t, c, container.SDR8, 64, 1)
	m, end := startStream(t, path, streaming{threads: 2, batch: 8, block: 1, more: 100 << 10, ring: 1 << 20, gap: 1})
	defer end()
	kv := newKV(t, m, 512, KVF16)
	p := &Pass{IDs: []int32{7}, Want: 1, Sparse: true, Each: func(int, []float32) error { return nil }}
	pass := func() {
		if err := m.Forward(context.Background(), kv, p); err != nil {
			t.Fatal(err)
		}
	}
	perToken := func(level float64) (used, streamed int64) {
		m.SetSparsity(Sparsity{Level: level})
		pass()
		disk, _ := m.settled()
		memory := m.BytesRead()
		pass()
		used = m.BytesRead() - memory
		after, _ := m.settled()
		return used, after - disk
	}
	used, streamed := perToken(0)
	half, _ := perToken(0.5)
	require.InEpsilon(t, used/2, half, 0.05)
	_, few := perToken(0.95)
	require.Less(t, few, streamed/2) // several rows share a page
	require.Zero(t, testing.AllocsPerRun(50, pass))
}
