package kernels

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// sdrMatrix is a matrix of channel-major weights in one block, with its table of
// largest scales.
type sdrMatrix struct {
	SDRBlock // dense
	p        *SDR
	dmax     []float32
}

// block returns the matrix as it is multiplied.
func (m *sdrMatrix) block() *SDRBlock { return m.channels(0, m.Channels) }

// newSDRMatrix returns random weights. The table has 0 among its values.
func newSDRMatrix(r *rand.Rand, p *SDR, channels, groups int) *sdrMatrix {
	m := &sdrMatrix{p: p, dmax: make([]float32, channels), SDRBlock: SDRBlock{
		Scales: make([]byte, 2*channels*groups), Values: make([]byte, SDRGroupBytes*channels*groups),
		Channels: channels, Groups: groups, Table: new([16]byte)}}
	for i := range m.Table {
		m.Table[i] = byte(r.IntN(128))
	}
	m.Table[r.IntN(16)] = 0
	m.Table[r.IntN(16)] = 127
	m.Table[r.IntN(16)] = 64
	zeros := 0.0
	if p.sparse {
		zeros = []float64{0, 0.2, 0.5, 0.8, 1}[r.IntN(5)]
	}
	for i := range m.Values {
		m.Values[i] = byte(r.Uint32())
		if p.group == SDRGroupBytes && m.Values[i] == 0x80 {
			m.Values[i] = 127
		}
		zero := zeroByte(p.group, m.Table)
		if r.Float64() < zeros {
			m.Values[i] = m.Values[i]&0xf0 | zero&15
		}
		if r.Float64() < zeros {
			m.Values[i] = m.Values[i]&15 | zero&0xf0
		}
	}
	for i := range channels * groups {
		d := float32(r.NormFloat64())
		switch r.IntN(20) {
		case 0:
			d = 0
		case 1:
			d *= 0x1p-20
		case 2:
			d = 65504
		}
		h := f32ToF16(d)
		binary.LittleEndian.PutUint16(m.Scales[2*i:], h)
		m.dmax[i/groups] = max(m.dmax[i/groups], float32(math.Abs(float64(f16ToF32(h)))))
	}
	return m
}

// weight returns d and v of a weight.
func (m *sdrMatrix) weight(j, o int) (d, v float64) {
	g, i := o/m.p.group, o%m.p.group
	at := j*m.Groups + g
	d = float64(f16ToF32(u16(m.Scales[2*at:])))
	if m.p.group == SDRGroupBytes {
		return d, float64(int8(m.Values[SDRGroupBytes*at+i]))
	}
	c := m.Values[SDRGroupBytes*at+i%SDRGroupBytes] >> (i / SDRGroupBytes * 4) & 15
	return d, float64(m.Table[c]) - 64
}

// channels returns the block of channels c0 up to c1.
func (m *sdrMatrix) channels(c0, c1 int) *SDRBlock {
	b := m.SDRBlock
	b.First, b.Channels = c0, c1-c0
	b.Scales = b.Scales[2*c0*b.Groups : 2*c1*b.Groups]
	b.Values = b.Values[SDRGroupBytes*c0*b.Groups : SDRGroupBytes*c1*b.Groups]
	if !m.p.sparse {
		return &b
	}
	var packed SDRBlock
	m.p.Pack(&packed, &b)
	return &packed
}

// outputs is the number of outputs, padding included.
func (m *sdrMatrix) outputs() int { return m.Groups * m.p.group }

// product multiplies the whole matrix in one go.
func (m *sdrMatrix) product(in *SDRInput) []float32 {
	y := make([]float32, in.M*m.outputs())
	acc := make([]int32, m.p.AccLen(m.Groups, in.M))
	scratch := make([]byte, m.p.ScratchBytes(m.Groups, in.M))
	m.p.Accumulate(acc, m.block(), 0, m.Groups, in, 0, len(in.Index), scratch)
	m.p.Finish(y, m.outputs(), acc, m.Groups, 0, m.outputs(), in, scratch)
	return y
}

// randomActive returns an active set.
func randomActive(r *rand.Rand, n int) []int32 {
	active := []int32{}
	part := []float64{0, 0.1, 0.5, 0.9, 1}[r.IntN(5)]
	for j := range n {
		if r.Float64() < part {
			active = append(active, int32(j))
		}
	}
	return active
}

func bitsOf(y []float32) []uint32 {
	out := make([]uint32, len(y))
	for i, v := range y {
		out[i] = math.Float32bits(v)
	}
	return out
}

// forSDRs checks a property of each type with random numbers.
func forSDRs(t *testing.T, property func(t *rapid.T, r *rand.Rand, p *SDR)) {
	for typ := range sdrs {
		t.Run(typ, func(t *testing.T) {
			p, ok := SDROf(typ)
			require.True(t, ok)
			require.Equal(t, typ, p.String())
			rapid.Check(t, func(t *rapid.T) {
				property(t, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), p)
			})
		})
	}
}

// The product is that of the dequantized weights, but for the rounding of the
// activations.
func TestSDRIsAProduct(t *testing.T) {
	forSDRs(t, func(t *rapid.T, r *rand.Rand, p *SDR) {
		m := newSDRMatrix(r, p, 1+r.IntN(70), 1+r.IntN(5))
		x := floats(r, m.Channels)
		if r.IntN(2) == 0 {
			x[r.IntN(len(x))] *= 100
		}
		var in SDRInput
		active := randomActive(r, m.Channels)
		in.Set(x, [][]int32{active}, m.dmax)
		for o, got := range m.product(&in) {
			var want, rounding, size float64
			for _, j := range active {
				d, v := m.weight(int(j), o)
				want += float64(x[j]) * d * v
				rounding += 0.5 * float64(in.Scale[0]) * math.Abs(v)
				size += math.Abs(float64(x[j]) * d * v)
			}
			if err := close32(got, float32(want), rounding+4*eps*size); err != nil {
				t.Fatalf("output %d: %v", o, err)
			}
		}
	})
}

// Results have the same bits however the work is split: by channels, in any order,
// by groups, and by vectors.
func TestSDRSplits(t *testing.T) {
	forSDRs(t, func(t *rapid.T, r *rand.Rand, p *SDR) {
		m := newSDRMatrix(r, p, 1+r.IntN(150), 1+r.IntN(9))
		n, vectors := m.Channels, []int{1, 2, 3, 5, 8, 16, 21}[r.IntN(7)]
		x := floats(r, vectors*n)
		var active [][]int32
		if r.IntN(3) > 0 {
			for range vectors {
				active = append(active, randomActive(r, n))
			}
		}
		in := &SDRInput{}
		in.Set(x, active, m.dmax)
		want := m.product(in)

		// Groups and channels.
		g0, count := 0, 0
		got := make([]float32, len(want))
		for g0 < m.Groups {
			g1 := g0 + 1 + r.IntN(m.Groups-g0)
			acc, scratch := make([]int32, p.AccLen(g1-g0, in.M)), make([]byte, p.ScratchBytes(g1-g0, in.M))
			more := make([]int32, len(acc)) // other sums of the same
			var parts [][2]int
			for i := 0; i < len(in.Index); {
				next := i + 1 + r.IntN(len(in.Index)-i)
				parts = append(parts, [2]int{i, next})
				i = next
			}
			r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
			for _, part := range parts {
				first, last := int(in.Index[part[0]]), int(in.Index[part[1]-1])+1
				to := acc
				if r.IntN(3) == 0 {
					to = more
				}
				p.Accumulate(to, m.channels(first-r.IntN(first+1), last+r.IntN(n-last+1)), g0, g1, in, part[0], part[1], scratch)
				count++
			}
			for from := 0; from < g1-g0; {
				to := from + 1 + r.IntN(g1-g0-from)
				p.Add(acc, more, g1-g0, from, to, in.M)
				p.Finish(got[(g0+from)*p.group:], m.outputs(), acc, g1-g0, from, (to-from)*p.group, in, scratch)
				from = to
			}
			g0 = g1
		}
		require.Equal(t, bitsOf(want), bitsOf(got), "in %d parts", count)

		// One vector after the other.
		for v := range vectors {
			one := active
			if active != nil {
				one = active[v : v+1]
			}
			in := &SDRInput{}
			in.Set(x[v*n:][:n], one, m.dmax)
			require.Equal(t, bitsOf(want[v*m.outputs():][:m.outputs()]), bitsOf(m.product(in)), "vector %d", v)
		}

		// A channel that is not active is one whose value is 0.
		for v := range active {
			for j := range n {
				if !slices.Contains(active[v], int32(j)) {
					x[v*n+j] = 0
				}
			}
		}
		in.Set(x, nil, m.dmax)
		require.Equal(t, bitsOf(want), bitsOf(m.product(in)), "zeros")
	})
}

// A packed block multiplies as the dense one does, has the size that was said, and if it is
// damaged, nothing outside it is read.
func TestSDRPack(t *testing.T) {
	region, err := guarded(1 << 20)
	if err != nil {
		region = make([]byte, 1<<20)
	}
	for sparse, dense := range map[string]string{"SDRW4": "SDR4", "SDRW8": "SDR8"} {
		t.Run(sparse, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
				m := newSDRMatrix(r, sdrs[sparse], 1+r.IntN(50), 1+r.IntN(5))
				packed := m.block()
				size := len(packed.Starts) + len(packed.Offsets) + len(packed.Values)
				require.Equal(t, size, m.p.PackedSize(&m.SDRBlock))
				var in SDRInput
				in.Set(floats(r, m.Channels), nil, m.dmax)
				sum := func() []float32 { return m.product(&in) }
				got := sum()
				m.p = sdrs[dense]
				want := sum()
				require.Equal(t, bitsOf(want), bitsOf(got))

				// Some channels packed, and the others as they were.
				p, c := sdrs[sparse], r.IntN(m.Channels+1)
				acc, scratch := make([]int32, p.AccLen(m.Groups, 1)), make([]byte, p.ScratchBytes(m.Groups, 1))
				p.Accumulate(acc, m.channels(0, c), 0, m.Groups, &in, 0, c, scratch)
				m.p = p
				p.Accumulate(acc, m.channels(c, m.Channels), 0, m.Groups, &in, c, m.Channels, scratch)
				mixed := make([]float32, m.outputs())
				p.Finish(mixed, 0, acc, m.Groups, 0, m.outputs(), &in, scratch)
				require.Equal(t, bitsOf(want), bitsOf(mixed))

				line := new([SDRGroupBytes]byte)
				for i := range m.Channels * m.Groups {
					p.Unpack(line, packed, i/m.Groups, i%m.Groups)
					for o, v := range line {
						dense := m.Values[SDRGroupBytes*i+o]
						same := dense == v
						if p.group != SDRGroupBytes { // more than one code may stand for 0
							same = m.Table[dense&15] == m.Table[v&15] && m.Table[dense>>4] == m.Table[v>>4]
						}
						if !same {
							t.Fatalf("byte %d of group %d is %#x, was %#x", o, i, v, dense)
						}
					}
				}

				for _, part := range [][]byte{packed.Starts, packed.Offsets, packed.Values} {
					for i := range part {
						if r.IntN(4) == 0 {
							part[i] = byte(r.Uint32())
						}
					}
				}
				packed.Values = append(region[len(region)-len(packed.Values):][:0], packed.Values...)
				clear(acc)
				require.Nil(t, caught(func() { p.Accumulate(acc, packed, 0, m.Groups, &in, 0, m.Channels, scratch) }))
			})
		})
	}
}

// Results are the same whether what follows a block can be fetched or not.
func TestSDRNext(t *testing.T) {
	const groups, channels, each = 3, 150, 50 // in three blocks
	for typ, p := range sdrs {
		for _, row := range p.fam.rows {
			t.Run(fmt.Sprintf("%s/isa=%s", typ, row.isa.name), func(t *testing.T) {
				available(t, row.isa)
				p := *p
				p.fam = &family[*sdrBody]{fn: row.fn}
				r := rand.New(rand.NewPCG(1, 2))
				m := newSDRMatrix(r, sdrs[typ], channels, groups)
				for _, vectors := range []int{1, 2, 17} {
					var in SDRInput
					in.Set(floats(r, vectors*channels), nil, m.dmax)
					acc, scratch := make([]int32, p.AccLen(2, vectors)), make([]byte, p.ScratchBytes(2, vectors))
					var want []int32
					for name, change := range map[string]func(b []*SDRBlock){
						"none":            func(b []*SDRBlock) { b[0].Next = nil },
						"all":             func([]*SDRBlock) {},
						"no bytes":        func(b []*SDRBlock) { b[1].Scales, b[1].Values, b[1].Starts, b[1].Offsets = nil, nil, nil, nil },
						"no bytes behind": func(b []*SDRBlock) { b[2].Scales, b[2].Values, b[2].Starts, b[2].Offsets = nil, nil, nil, nil },
						"no values":       func(b []*SDRBlock) { b[1].Values = nil },
						"no starts":       func(b []*SDRBlock) { b[1].Starts = nil },
						"few starts":      func(b []*SDRBlock) { b[1].Starts = b[1].Starts[:min(4, len(b[1].Starts))] },
						"no channels":     func(b []*SDRBlock) { b[1].Channels, b[2].First = 0, each },
						"other channels":  func(b []*SDRBlock) { b[1].First = 2 * each },
						"other groups":    func(b []*SDRBlock) { b[1].Groups = 1 << 20 },
						"other layout": func(b []*SDRBlock) {
							other := m.SDRBlock
							if !p.sparse {
								other = SDRBlock{}
								sdrs[map[string]string{"SDR4": "SDRW4", "SDR8": "SDRW8"}[typ]].Pack(&other, &m.SDRBlock)
							}
							other.First, other.Channels = each, each
							b[0].Next = &other
						},
					} {
						var b []*SDRBlock
						for c := 0; c < channels; c += each {
							b = append(b, m.channels(c, c+each))
						}
						b[0].Next, b[1].Next = b[1], b[2]
						change(b)
						clear(acc)
						require.Nil(t, caught(func() { p.Accumulate(acc, b[0], 1, groups, &in, 0, each, scratch) }), name)
						if want == nil {
							want = slices.Clone(acc)
						}
						require.True(t, slices.Equal(want, acc), "%s, %d vectors", name, vectors)
					}
				}
			})
		}
	}
}

// Finish writes what is wanted and nothing else.
func TestSDRFinish(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range sdrs {
		m := newSDRMatrix(r, p, 40, 3)
		var in SDRInput
		in.Set(floats(r, 3*40), nil, m.dmax)
		all := m.product(&in)
		acc, scratch := make([]int32, p.AccLen(3, 3)), make([]byte, p.ScratchBytes(3, 3))
		p.Accumulate(acc, m.block(), 0, 3, &in, 0, 40, scratch)
		for rows := range m.outputs() + 1 {
			stride := rows + r.IntN(3)
			y := slices.Repeat([]float32{-1}, 3*stride+5)
			want := slices.Clone(y)
			for v := range 3 {
				copy(want[v*stride:], all[v*m.outputs():][:rows])
			}
			require.Zero(t, testing.AllocsPerRun(1, func() { p.Finish(y, stride, acc, 3, 0, rows, &in, scratch) }))
			require.Equal(t, bitsOf(want), bitsOf(y), "%d rows", rows)
		}
	}
}

// Sums of as many channels as there may be, with the largest numbers, do not
// overflow.
func TestSDRDoesNotOverflow(t *testing.T) {
	for _, p := range sdrs {
		m := &sdrMatrix{p: p, SDRBlock: SDRBlock{Scales: make([]byte, 2*SDRChannels), Channels: SDRChannels, Groups: 1, Table: new([16]byte)}}
		m.Table[15] = 127
		for _, negative := range []bool{false, true} {
			value, v := byte(0xff), float32(63)
			if p.group == SDRGroupBytes {
				value, v = 0x7f, 127
			}
			if negative {
				value, v = 0, -64
				if p.group == SDRGroupBytes {
					value, v = 0x81, -127
				}
			}
			m.Values = slices.Repeat([]byte{value}, SDRGroupBytes*SDRChannels)
			m.dmax = slices.Repeat([]float32{1}, SDRChannels)
			for i := range SDRChannels {
				binary.LittleEndian.PutUint16(m.Scales[2*i:], 0x3c00)
			}
			var in SDRInput
			in.Set(slices.Repeat([]float32{2}, SDRChannels), nil, m.dmax)
			for _, y := range m.product(&in) {
				require.InEpsilon(t, 2*v*SDRChannels, y, 1e-6)
			}
		}
		m.Channels++
		require.Panics(t, func() { new(SDRInput).Set(make([]float32, SDRChannels+1), nil, make([]float32, SDRChannels+1)) })
	}
}

func TestSDRInputSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range sdrs {
		m := newSDRMatrix(r, p, 5, 2)
		for j := range m.dmax {
			m.dmax[j] = 65504
		}
		for _, c := range []struct {
			x      []float32
			active []int32
			want   float32 // NaN or 0
		}{
			{[]float32{1, 2, inf, 3, 4}, nil, nan},
			{[]float32{1, 2, -inf, 3, 4}, nil, nan},
			{[]float32{1, 2, nan, 3, 4}, nil, nan},
			{[]float32{1, 2, 1e38, 3, 4}, nil, nan},
			{[]float32{0, 0, 0, 0, 0}, nil, 0},
			{[]float32{0, 0, nan, 0, 0}, []int32{0, 1, 3}, 0},
			{[]float32{1, 2, nan, 0, 0}, []int32{3, 4}, 0},
			{[]float32{1, 2, 3, 4, 5}, []int32{}, 0},
			{[]float32{0x1p-140, 0, -0x1p-141, 0, 0}, nil, 0},
		} {
			active := [][]int32{c.active}
			if c.active == nil {
				active = nil
			}
			var in SDRInput
			in.Set(c.x, active, m.dmax)
			for _, y := range m.product(&in) {
				require.Equal(t, math.IsNaN(float64(c.want)), math.IsNaN(float64(y)), "%v", c.x)
				if c.want == 0 {
					require.Zero(t, y)
				}
			}
		}
	}
}

func TestSDRInputDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x, dmax := floats(r, 4*100), floats(r, 100)
	active := [][]int32{{1, 5, 99}, {}, {5, 6}, randomActive(r, 100)}
	var in SDRInput
	in.Set(x, nil, dmax)
	require.Zero(t, testing.AllocsPerRun(10, func() {
		in.Set(x, active, dmax)
		in.Set(x[:100], active[:1], dmax)
		in.Set(x, nil, dmax)
	}))
}

func TestSDRMisuse(t *testing.T) {
	p := sdrs["SDR4"]
	m := newSDRMatrix(rand.New(rand.NewPCG(1, 2)), p, 4, 2)
	var in SDRInput
	in.Set(make([]float32, 4), nil, m.dmax)
	acc, scratch := make([]int32, p.AccLen(2, 1)), make([]byte, p.ScratchBytes(2, 1))
	p.Accumulate(acc, &m.SDRBlock, 0, 2, &in, 0, 4, scratch)
	for name, call := range map[string]func(){
		"groups":   func() { p.Accumulate(acc, &m.SDRBlock, 0, 3, &in, 0, 4, scratch) },
		"entries":  func() { p.Accumulate(acc, &m.SDRBlock, 0, 2, &in, 0, 5, scratch) },
		"sums":     func() { p.Accumulate(acc[1:], &m.SDRBlock, 0, 2, &in, 0, 4, scratch) },
		"channels": func() { p.Accumulate(acc, m.channels(0, 3), 0, 2, &in, 0, 4, scratch) },
		"before":   func() { p.Accumulate(acc, m.channels(1, 4), 0, 2, &in, 0, 4, scratch) },
		"values": func() {
			b := m.SDRBlock
			b.Values = b.Values[1:]
			p.Accumulate(acc, &b, 0, 2, &in, 0, 4, scratch)
		},
		"rows":    func() { p.Finish(make([]float32, 300), 300, acc, 2, 0, 257, &in, scratch) },
		"results": func() { p.Finish(make([]float32, 255), 256, acc, 2, 0, 256, &in, scratch) },
		"vectors": func() { in.Set(make([]float32, (SDRVectors+1)*4), nil, m.dmax) },
		"length":  func() { in.Set(make([]float32, 5), nil, m.dmax) },
	} {
		require.Panics(t, call, name)
	}
	_, ok := SDROf("Q4_0")
	require.False(t, ok)
}

// SelectTop and SelectAbove are what sorting says.
func TestSelect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		n := r.IntN(300)
		x, norm := floats(r, n), floats(r, n)
		for i := range n {
			norm[i] = float32(math.Abs(float64(norm[i])))
			switch r.IntN(12) {
			case 0: // equals
				x[i], norm[i] = float32(r.IntN(3)-1), 1
			case 1:
				x[i] = []float32{float32(math.Inf(1)), float32(math.NaN()), 0, 0x1p-149}[r.IntN(4)]
			}
		}
		if r.IntN(4) == 0 {
			norm = nil
		}
		scores := make([]float32, n)
		order := make([]int32, n)
		for j := range x {
			scores[j], order[j] = x[j], int32(j)
			if norm != nil {
				scores[j] *= norm[j]
			}
			scores[j] = float32(math.Abs(float64(scores[j])))
		}
		slices.SortStableFunc(order, func(a, b int32) int {
			x, y := scores[a], scores[b]
			switch {
			case x != x && y != y, x == y:
				return 0
			case x != x, x > y:
				return -1
			}
			return 1
		})
		k := r.IntN(n + 2)
		want := slices.Sorted(slices.Values(order[:min(k, n)]))
		require.Equal(t, fmt.Sprint(want), fmt.Sprint(SelectTop(nil, x, norm, k)))

		threshold := []float32{0, 0.5, 1, 2, float32(math.Inf(1))}[r.IntN(5)]
		want = nil
		for j, s := range scores {
			if s >= threshold || s != s {
				want = append(want, int32(j))
			}
		}
		require.Equal(t, fmt.Sprint(want), fmt.Sprint(SelectAbove(nil, x, norm, threshold)))
	})
}

// sdrWalk is the walk over a type; its benchmark streams weights of which a part is
// active, a tile of groups at a time.
type sdrWalk struct {
	walk[*sdrBody]
	p *SDR
}

// sdrShape is the shape of a product in the walk.
type sdrShape struct{ groups, g0, g1, first, channels, i0, i1, stride, rows, m, starts, offsets int }

func newSDRWalk(p *SDR) walker {
	return sdrWalk{walk[*sdrBody]{p.fam, upTo(130)[1:], 64, p.problem, p.call}, p}
}

// bench multiplies a matrix of 4096 channels from memory, of which all, a half and a quarter
// are active, and several vectors with all.
func (w sdrWalk) bench(b *testing.B) {
	const channels, groups, copies = 4096, 32, 16
	for _, row := range w.fam.rows {
		for _, c := range []struct{ active, m int }{{100, 1}, {50, 1}, {25, 1}, {100, 2}, {100, 4}, {100, 8}, {100, 64}} {
			b.Run(fmt.Sprintf("op=product/type=%s/isa=%s/active=%d/m=%d", w.p.typ, row.isa.name, c.active, c.m), func(b *testing.B) {
				available(b, row.isa)
				if row.isa == ref {
					b.Skip("the reference is not limited by memory")
				}
				r := rand.New(rand.NewPCG(1, 2))
				m := newSDRMatrix(r, w.p, channels, groups)
				block := m.block()
				memory := slices.Repeat(block.Values, copies)
				active := make([][]int32, c.m)
				for t := range active {
					for j := range channels {
						if r.IntN(100) < c.active {
							active[t] = append(active[t], int32(j))
						}
					}
				}
				var in SDRInput
				in.Set(floats(r, c.m*channels), active, m.dmax)
				tile := w.p.TileGroups(c.m)
				acc := make([]int32, row.fn.accLen(tile, c.m))
				scratch := aligned(make([]byte, row.fn.scratch(tile, c.m)+line), int64(row.fn.scratch(tile, c.m)))
				b.SetBytes(int64(len(in.Index) * len(block.Values) / channels))
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					block.Values = memory[i%copies*len(block.Values):][:len(block.Values)]
					for g := 0; g < groups; g += tile {
						row.fn.accumulate(acc, block, g, g+tile, &in, 0, len(in.Index), scratch)
					}
				}
			})
		}
	}
}

// problem has the given number of active entries.
func (p *SDR) problem(r *rand.Rand, entries int) problem {
	groups := 1 + r.IntN(max(1, min(20, 1000/entries)))
	s := sdrShape{groups: groups, first: r.IntN(100), m: []int{1, 1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 33}[r.IntN(12)]}
	var index []int32
	j := s.first + r.IntN(3)
	for range entries {
		index = append(index, int32(j))
		j += 1 + r.IntN(3)*r.IntN(2)
	}
	s.channels = j - s.first
	s.i0 = r.IntN(min(entries, 6))
	s.i1 = entries - r.IntN(min(entries-s.i0, 6))
	if r.IntN(2) == 0 {
		s.i0, s.i1 = 0, entries
	}
	s.g0 = r.IntN(groups)
	s.g1 = groups - r.IntN(groups-s.g0)
	s.rows = (s.g1 - s.g0) * p.group
	s.rows -= r.IntN(s.rows) * r.IntN(2)
	s.stride = s.rows + r.IntN(3)
	m := newSDRMatrix(r, p, s.channels, groups)
	x, scale := make([]float32, entries*s.m), make([]float32, s.m)
	for i := range x {
		switch d := m.dmax[int(index[i/s.m])-s.first]; r.IntN(8) {
		case 0:
		case 1: // the largest there is, and rounded, a little more
			x[i] = sdrMax * (1 + eps) / d
		default:
			x[i] = float32(r.NormFloat64()) * sdrMax / 4 / max(d, 0x1p-24)
		}
	}
	for t := range scale {
		scale[t] = float32(r.ExpFloat64())
	}
	accLen, scratch := 0, 0
	for _, row := range p.fam.rows {
		accLen = max(accLen, row.fn.accLen(s.g1-s.g0, s.m))
		scratch = max(scratch, row.fn.scratch(s.g1-s.g0, s.m)+line-1)
	}
	y := out(floats(r, (s.m-1)*s.stride+s.rows))
	b := m.block()
	s.starts, s.offsets = len(b.Starts), len(b.Offsets)
	return problem{
		ops: []operand{y, in(m.Scales), in(b.Values), in(index), in(append(x, scale...)), in(slices.Concat(m.Table[:], asBytes([]sdrShape{s}), b.Starts, b.Offsets)),
			out(make([]int32, accLen)), out(make([]byte, scratch))},
		bytes:   SDRGroupBytes * (s.g1 - s.g0) * (s.i1 - s.i0),
		compare: func(want, got []operand) error { return exact(want[:6], got[:6]) },
	}
}

func (p *SDR) call(body *sdrBody, o []operand) {
	shape := make([]sdrShape, 1)
	rest := o[5].data[16:]
	rest = rest[copy(asBytes(shape), rest):]
	s := shape[0]
	index, x := as[int32](o[3]), as[float32](o[4])
	b := &SDRBlock{Scales: o[1].data, Values: o[2].data, First: s.first, Channels: s.channels, Groups: s.groups, Table: (*[16]byte)(o[5].data), Starts: rest[:s.starts], Offsets: rest[s.starts:]}
	input := &SDRInput{M: s.m, Index: index, X: x[:len(index)*s.m], Scale: x[len(index)*s.m:]}
	acc := as[int32](o[6])[:body.accLen(s.g1-s.g0, s.m)]
	clear(acc)
	for i := range o[7].data {
		o[7].data[i] = 0x5a
	}
	scratch := aligned(o[7].data, int64(body.scratch(s.g1-s.g0, s.m)))
	middle := s.i0 + (s.i1-s.i0)/3
	if middle > s.i0 {
		body.accumulate(acc, b, s.g0, s.g1, input, s.i0, middle, scratch)
	}
	body.accumulate(acc, b, s.g0, s.g1, input, middle, s.i1, scratch)
	body.finish(as[float32](o[0]), s.stride, acc, s.g1-s.g0, 0, s.rows, input, scratch)
}
