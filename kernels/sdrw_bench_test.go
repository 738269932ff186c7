package kernels

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkSDRPruned compares packed with dense weights of which a share is 0: one vector and a matrix of 4096 channels from
// memory, of which two goroutines have a half each, or one of 192 channels in the second cache on one.
// Dense and packed take turns; dense-ns and packed-ns are the medians of their times, speed that of the ratios, and size that of
// the bytes.
func BenchmarkSDRPruned(b *testing.B) {
	const memory = 160 << 20 // for each
	region, err := guarded(2 * memory)
	if err != nil {
		region = make([]byte, 2*memory)
	}
	hugePages(region)
	for _, c := range []struct {
		where                              string
		channels, outputs, workers, copies int
		products                           int // in each turn
	}{
		{"memory", 4096, 4096, 2, 1 << 10, 8},
		{"memory", 4096, 14336, 2, 1 << 10, 3},
		{"cache", 192, 4096, 1, 1, 32},
	} {
		for _, typ := range []struct{ dense, sparse string }{{"SDR4", "SDRW4"}, {"SDR8", "SDRW8"}} {
			for _, zeros := range []int{0, 30, 50, 70, 90} {
				b.Run(fmt.Sprintf("type=%s/from=%s/outputs=%d/zeros=%d", typ.sparse, c.where, c.outputs, zeros), func(b *testing.B) {
					var in SDRInput
					in.Set(floats(rand.New(rand.NewPCG(1, 2)), c.channels), nil, slices.Repeat([]float32{1}, c.channels))
					var kinds [2]sdrTimed
					for i, typ := range []string{typ.dense, typ.sparse} {
						p := sdrs[typ]
						m := sdrTimed{p: p, groups: c.outputs / p.group, memory: region[i*memory:][:memory]}
						m.fill(rand.New(rand.NewPCG(3, 4)), c.channels, float64(zeros)/100)
						for len(m.copies) < c.copies && m.size+line*4*len(m.blocks) <= len(m.memory) {
							m.copies = append(m.copies, m.copyOf())
						}
						m.work(c.workers)
						kinds[i] = m
					}
					var times [2][]float64
					var ratios []float64
					for i := 0; b.Loop(); i++ {
						var took [2]float64
						for k := range kinds {
							k ^= i & 1
							took[k] = kinds[k].run(&in, c.products)
							times[k] = append(times[k], took[k]/float64(c.products))
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
	p         *SDR
	groups    int
	size      int
	memory    []byte // for the copies, what is left of it
	blocks    []SDRBlock
	copies    [][]SDRBlock
	next      int       // the copy that is multiplied next
	accs      [][]int32 // by worker
	scratches [][]byte
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
	take := func(from []byte) []byte {
		to := m.memory[:len(from):len(from)]
		m.memory = m.memory[(len(from)+line-1)&^(line-1):]
		copy(to, from)
		return to
	}
	for i := range blocks {
		b := &blocks[i]
		b.Scales, b.Values = take(b.Scales), take(b.Values)
		if m.p.sparse {
			b.Starts, b.Offsets = take(b.Starts), take(b.Offsets)
		}
		if i > 0 {
			blocks[i-1].Next = b
		}
	}
	return blocks
}

// work makes the memory of some workers.
func (m *sdrTimed) work(workers int) {
	tile := m.p.TileGroups(1)
	for range workers {
		m.accs = append(m.accs, make([]int32, m.p.AccLen(tile, 1)*ceil(m.groups, tile)))
		m.scratches = append(m.scratches, make([]byte, m.p.ScratchBytes(tile, 1)))
	}
}

// run multiplies some copies one behind the other and returns how long that takes. Workers do not wait for each other
// between them.
func (m *sdrTimed) run(in *SDRInput, products int) float64 {
	tile := m.p.TileGroups(1)
	each := m.p.AccLen(tile, 1)
	share := max(8, (96<<10)/(m.groups*SDRGroupBytes)) &^ 3
	type task struct {
		block    *SDRBlock
		from, to int
	}
	tasks := make([][]task, len(m.accs))
	for range products {
		blocks := m.copies[m.next]
		m.next = (m.next + 1) % len(m.copies)
		var all []task
		for i := range blocks {
			b := &blocks[i]
			for j := 0; j < b.Channels; j += share {
				all = append(all, task{b, b.First + j, b.First + min(j+share, b.Channels)})
			}
		}
		for w := range tasks {
			tasks[w] = append(tasks[w], all[w*len(all)/len(tasks):(w+1)*len(all)/len(tasks)]...)
		}
	}
	var ready atomic.Int64
	var begin time.Time
	var wg sync.WaitGroup
	for w := range m.accs {
		wg.Go(func() {
			if ready.Add(1) == int64(len(m.accs)) {
				begin = time.Now()
				ready.Add(1)
			}
			for ready.Load() <= int64(len(m.accs)) {
				runtime.Gosched() // to a worker that has not begun, where processors are few
			}
			for _, t := range tasks[w] {
				for g, at := 0, 0; g < m.groups; g, at = g+tile, at+each {
					m.p.Accumulate(m.accs[w][at:], t.block, g, min(g+tile, m.groups), in, t.from, t.to, m.scratches[w])
				}
			}
		})
	}
	wg.Wait()
	return float64(time.Since(begin).Nanoseconds())
}
