package kernels

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkSDRPruned compares packed with dense weights of which a share is 0: a vector and a matrix of 4096 channels
// from memory, on two goroutines that share out channels as package model does. The two take turns; dense and packed are
// the medians of their times in ns, speed that of the ratios, and size that of the bytes.
func BenchmarkSDRPruned(b *testing.B) {
	const channels, memory = 4096, 256 << 20
	for _, c := range []struct{ dense, sparse string }{{"SDR4", "SDRW4"}, {"SDR8", "SDRW8"}} {
		for _, outputs := range []int{4096, 14336} {
			for _, zeros := range []int{0, 25, 50, 75, 90} {
				b.Run(fmt.Sprintf("type=%s/outputs=%d/zeros=%d", c.sparse, outputs, zeros), func(b *testing.B) {
					r := rand.New(rand.NewPCG(1, 2))
					var in SDRInput
					in.Set(floats(r, channels), nil, slices.Repeat([]float32{1}, channels))
					var kinds [2]sdrTimed
					for i, typ := range []string{c.dense, c.sparse} {
						p := sdrs[typ]
						m := sdrTimed{p: p, groups: outputs / p.group}
						m.fill(r, channels, float64(zeros)/100)
						for range memory / m.size {
							m.copies = append(m.copies, m.copyOf())
						}
						kinds[i] = m
					}
					var times [2][]float64
					var ratios []float64
					for i := 0; b.Loop(); i++ {
						var took [2]float64
						for k := range kinds {
							k ^= i & 1
							took[k] = kinds[k].run(i, &in)
							times[k] = append(times[k], took[k])
						}
						ratios = append(ratios, took[0]/took[1])
					}
					for k, name := range []string{"dense-ns", "packed-ns"} {
						slices.Sort(times[k])
						b.ReportMetric(times[k][len(times[k])/2], name)
					}
					slices.Sort(ratios)
					b.ReportMetric(ratios[len(ratios)/2], "speed")
					b.ReportMetric(ratios[len(ratios)/10], "speed-p10")
					b.ReportMetric(ratios[len(ratios)*9/10], "speed-p90")
					b.ReportMetric(float64(kinds[1].size)/float64(kinds[0].size), "size")
				})
			}
		}
	}
}

// sdrTimed is a matrix in several copies, so that none is in a cache.
type sdrTimed struct {
	p      *SDR
	groups int
	size   int
	blocks []SDRBlock
	copies [][]SDRBlock
}

// fill makes blocks of at most 2 MiB.
func (m *sdrTimed) fill(r *rand.Rand, channels int, zeros float64) {
	each := (2 << 20) / (m.groups * (SDRGroupBytes + 2)) / 8 * 8
	table := new([16]byte)
	for i := range table {
		table[i] = byte(8 * i)
	}
	for first := 0; first < channels; first += each {
		n := min(each, channels-first)
		b := SDRBlock{Scales: make([]byte, 2*n*m.groups), Values: make([]byte, SDRGroupBytes*n*m.groups), First: first, Channels: n, Groups: m.groups, Table: table}
		for i := range n * m.groups {
			b.Scales[2*i+1] = 0x30
		}
		low, high := byte(0x08), byte(0x80)
		if m.p.group == SDRGroupBytes {
			low, high = 0, 0
		}
		for i := range b.Values {
			v := byte(1+r.IntN(7)) | byte(1+r.IntN(7))<<4 // no zeros
			if m.p.group == SDRGroupBytes {
				if r.Float64() < zeros {
					v = 0
				}
			} else {
				if r.Float64() < zeros {
					v = v&0xf0 | low
				}
				if r.Float64() < zeros {
					v = v&0x0f | high
				}
			}
			b.Values[i] = v
		}
		if m.p.sparse {
			var packed SDRBlock
			m.p.Pack(&packed, &b)
			b = packed
		}
		m.size += len(b.Scales) + len(b.Starts) + len(b.Offsets) + len(b.Values)
		m.blocks = append(m.blocks, b)
	}
}

func (m *sdrTimed) copyOf() []SDRBlock {
	blocks := slices.Clone(m.blocks)
	for i := range blocks {
		b := &blocks[i]
		b.Scales, b.Values, b.Starts, b.Offsets = slices.Clone(b.Scales), slices.Clone(b.Values), slices.Clone(b.Starts), slices.Clone(b.Offsets)
		if i > 0 {
			blocks[i-1].Next = b
		}
	}
	return blocks
}

// run multiplies a copy and returns how long that takes.
func (m *sdrTimed) run(i int, in *SDRInput) float64 {
	const workers = 2
	blocks := m.copies[i%len(m.copies)]
	tile := m.p.TileGroups(1)
	share := max(8, (96<<10)/(m.groups*SDRGroupBytes)) &^ 3
	type task struct{ block, from, to int }
	var tasks []task
	for k, b := range blocks {
		for j := 0; j < b.Channels; j += share {
			tasks = append(tasks, task{k, b.First + j, b.First + min(j+share, b.Channels)})
		}
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	var accs [workers][]int32
	var scratches [workers][]byte
	each := m.p.AccLen(tile, 1)
	for w := range workers {
		accs[w] = make([]int32, each*ceil(m.groups, tile))
		scratches[w] = make([]byte, m.p.ScratchBytes(tile, 1))
	}
	start := time.Now()
	for w := range workers {
		wg.Go(func() {
			for {
				t := int(next.Add(1)) - 1
				if t >= len(tasks) {
					return
				}
				for g, at := 0, 0; g < m.groups; g, at = g+tile, at+each {
					m.p.Accumulate(accs[w][at:], &blocks[tasks[t].block], g, min(g+tile, m.groups), in, tasks[t].from, tasks[t].to, scratches[w])
				}
			}
		})
	}
	wg.Wait()
	return float64(time.Since(start).Nanoseconds())
}
