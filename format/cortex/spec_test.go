package cortex_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/cortex"
)

// This file reads the format by docs/format.md alone: it uses nothing of the package but to write a file.

// specCursor reads what follows.
type specCursor struct{ b []byte }

func (c *specCursor) take(n int) []byte {
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}
func (c *specCursor) u32() int     { return int(binary.LittleEndian.Uint32(c.take(4))) }
func (c *specCursor) u64() int     { return int(binary.LittleEndian.Uint64(c.take(8))) }
func (c *specCursor) f32() float32 { return math.Float32frombits(uint32(c.u32())) }
func (c *specCursor) text() string { return string(c.take(c.u64())) }

func specSum(b []byte) int { return int(crc32.Checksum(b, crc32.MakeTable(0x82f63b78))) }

// specProduct is a product with its weights.
type specProduct struct {
	typ, channels, groups int
	names                 []string
	outputs               []int
	norm, dmax            []float32
	scales                [][]float32 // channel, group
	values                [][]int     // channel, output of all groups
	thresholds            [][3]float32
	active                [][]byte // of each threshold and block
	order                 []int    // of each channel: the value of the input
}

func (p *specProduct) group() int { return map[int]int{1: 128, 2: 64, 3: 128, 4: 64}[p.typ] }

// specModel is what a set holds.
type specModel struct {
	meta     []byte
	rows     map[string][]byte
	shapes   map[string][]int
	products []*specProduct
	names    []string // of the shards
}

// specRead reads a set whose files are given in their order.
func specRead(t *testing.T, files [][]byte) *specModel {
	m := &specModel{rows: map[string][]byte{}, shapes: map[string][]int{}}
	require.Equal(t, 0xE3069283, specSum([]byte("123456789")))
	sections := map[string][]byte{}
	used := make([][]bool, len(files)) // bytes that belong to something
	use := func(file, from, size int) []byte {
		for i := from; i < from+size; i++ {
			require.False(t, used[file][i], "byte %d of file %d belongs to two things", i, file)
			used[file][i] = true
		}
		return files[file][from:][:size]
	}
	piece := func(file, from, size, whole, sum int) []byte {
		b := use(file, from, size)
		require.Equal(t, sum, specSum(b))
		if whole >= 65536 {
			require.Zero(t, from%65536)
			require.False(t, used[file][(from+size-1)/65536*65536+65535] && (from+size)%65536 != 0, "the page is shared")
		} else {
			require.Zero(t, from%64)
			require.Equal(t, from/65536, (from+size-1)/65536)
		}
		return b
	}
	for i, b := range files {
		used[i] = make([]bool, len(b))
		require.Equal(t, []byte{0x89, 0x43, 0x54, 0x58, 0x0d, 0x0a, 0x1a, 0x0a}, b[:8])
		c := specCursor{b[8:]}
		require.Equal(t, 1, c.u32(), "major 1, minor 0")
		size := c.u32()
		require.Equal(t, 128, size)
		require.Equal(t, files[0][16:32], c.take(16))
		require.Equal(t, i, c.u32())
		require.Equal(t, len(files), c.u32())
		require.Equal(t, len(b), c.u64())
		table, n, sum := c.u64(), c.u32(), c.u32()
		require.Equal(t, make([]byte, size-4-64), c.take(size-4-64))
		require.Equal(t, specSum(b[:size-4]), c.u32())
		use(i, 0, size)
		if i > 0 {
			require.Zero(t, n)
			continue
		}
		list := specCursor{use(0, table, 32*n)}
		require.Equal(t, sum, specSum(list.b))
		for range n {
			kind := string(list.take(4))
			known := list.u32() == 1
			require.Equal(t, kind != "THRS", known)
			from, size := list.u64(), list.u64()
			require.Zero(t, from%64)
			sections[kind] = use(0, from, size)
			require.Equal(t, list.u32(), specSum(sections[kind]))
			require.Zero(t, list.u32())
		}
	}
	m.meta = sections["META"]

	c := specCursor{sections["SHRD"]}
	require.Equal(t, len(files), c.u64())
	for i := range files {
		m.names = append(m.names, c.text())
		c.text()
		require.Equal(t, len(files[i]), c.u64())
	}
	require.Empty(t, c.b)

	byEntry := map[int]*specProduct{}
	c = specCursor{sections["INDX"]}
	for entry := range c.u64() {
		kind := c.u32()
		e := specCursor{c.take(c.u32())}
		switch kind {
		case 1:
			name, typ := e.text(), format.Type(e.u32())
			rows := 1
			for d := range e.u32() {
				n := e.u64()
				m.shapes[name] = append(m.shapes[name], n)
				if d > 0 {
					rows *= n
				}
			}
			size := m.shapes[name][0] / typ.BlockSize() * typ.BlockBytes() * rows
			length, file, from := e.u64(), e.u32(), e.u64()
			require.Zero(t, length%65536)
			for at := 0; at < size; at += length {
				n := min(length, size-at)
				m.rows[name] = append(m.rows[name], piece(file, from+at, n, size, e.u32())...)
			}
		case 2:
			p := &specProduct{typ: e.u32(), channels: e.u32()}
			for j := range p.channels {
				p.order = append(p.order, j)
			}
			byEntry[entry] = p
			m.products = append(m.products, p)
			perBlock, matrices := e.u32(), e.u32()
			table := e.take(16)
			for range matrices {
				p.names = append(p.names, e.text())
				n := e.u64()
				p.outputs = append(p.outputs, n)
				p.groups += (n + p.group() - 1) / p.group()
			}
			side := specCursor{sections["SIDE"][e.u64():]}
			for range p.channels {
				p.norm = append(p.norm, side.f32())
			}
			for range p.channels {
				p.dmax = append(p.dmax, side.f32())
			}
			for first := 0; first < p.channels; first += perBlock {
				channels := min(perBlock, p.channels-first)
				file, sum, from, size := e.u32(), e.u32(), e.u64(), e.u64()
				b := piece(file, from, size, size, sum)
				align := 64
				if channels*p.groups*64 >= 65536 {
					align = 4096
				}
				values := (channels*p.groups*2 + align - 1) / align * align
				require.Equal(t, make([]byte, values-channels*p.groups*2), b[channels*p.groups*2:values])
				if full := values + channels*p.groups*64; p.typ > 2 && size < full {
					b = specUnpack(t, p, table, b, values, channels)
				} else {
					require.Equal(t, full, size)
				}
				for j := range channels {
					d := make([]float32, p.groups)
					require.NoError(t, format.Dequantize(d, b[2*j*p.groups:][:2*p.groups], format.F16))
					p.scales = append(p.scales, d)
					v := make([]int, p.groups*p.group())
					for k, x := range b[values+j*p.groups*64:][:p.groups*64] {
						g, k := k/64, k%64
						if p.group() == 128 {
							v[g*128+k] = int(table[x&15]) - 64
							v[g*128+k+64] = int(table[x>>4]) - 64
						} else {
							v[g*64+k] = int(int8(x))
						}
					}
					p.values = append(p.values, v)
				}
			}
		}
		require.Empty(t, e.b)
	}
	require.Empty(t, c.b)

	if b, ok := sections["ORDR"]; ok {
		c := specCursor{b}
		for range c.u64() {
			p := byEntry[c.u32()]
			for j := range p.order {
				p.order[j] = int(binary.LittleEndian.Uint16(c.take(2)))
			}
		}
		require.Empty(t, c.b)
	}
	if b, ok := sections["THRS"]; ok {
		c := specCursor{b}
		for range c.u64() {
			p := byEntry[c.u32()]
			thresholds, blocks := c.u32(), c.u32()
			for range thresholds {
				p.thresholds = append(p.thresholds, [3]float32{c.f32(), c.f32(), c.f32()})
				p.active = append(p.active, c.take(blocks))
			}
		}
		require.Empty(t, c.b)
	}
	for i, b := range files {
		for at, x := range b {
			if x != 0 && !used[i][at] {
				t.Fatalf("byte %d of file %d is %d and belongs to nothing", at, i, x)
			}
		}
	}
	return m
}

// specUnpack returns the block that is not packed of one that is, whose starts begin at a byte.
func specUnpack(t *testing.T, p *specProduct, table, b []byte, at, channels int) []byte {
	c := specCursor{b[at:]}
	starts, offsets := c.take(4*channels), specCursor{c.take(2 * channels * p.groups)}
	require.Equal(t, make([]byte, -(len(b)-len(c.b))&63), c.take(-(len(b)-len(c.b))&63))
	all := len(c.b)
	out := append([]byte(nil), b[:at]...)
	for j := range channels {
		start := all - len(c.b)
		require.Equal(t, uint32(start), binary.LittleEndian.Uint32(starts[4*j:]))
		for range p.groups {
			require.Equal(t, (all-len(c.b)-start)/2, int(binary.LittleEndian.Uint16(offsets.take(2))))
			var zero byte
			if p.group() == 128 {
				zero = byte(bytes.IndexByte(table, 64)) * 0x11
			}
			mask := uint64(c.u64())
			group := bytes.Repeat([]byte{zero}, 64)
			for k := range group {
				if mask>>k&1 > 0 {
					group[k] = c.take(1)[0]
				}
			}
			if (all-len(c.b))%2 > 0 {
				c.take(1)
			}
			out = append(out, group...)
		}
	}
	require.GreaterOrEqual(t, len(c.b), 72)
	require.Less(t, len(c.b), 72+64)
	require.Equal(t, make([]byte, len(c.b)), c.b)
	return out
}

// multiply computes the product with the vector by the definition; channels where active is false do not count.
func (p *specProduct) multiply(vector []float32, active []bool) []float32 {
	x := make([]float32, len(vector))
	for j, v := range p.order {
		x[j] = vector[v]
	}
	y := make([]float32, p.groups*p.group())
	var most float32
	for j := range x {
		if active[j] {
			most = max(most, float32(math.Abs(float64(x[j])))*p.dmax[j])
		}
	}
	s := most / 16256
	if s < 0x1p-126 {
		return y
	}
	r := 1 / s
	h, l := make([]int32, len(y)), make([]int32, len(y))
	for j := range x {
		if !active[j] {
			continue
		}
		for g, d := range p.scales[j] {
			xr := x[j] * r
			q := int(max(-16256, min(16256, math.RoundToEven(float64(float32(xr*d))))))
			hi := int(math.Floor(float64(q+64) / 128))
			lo := q - 128*hi
			for o := g * p.group(); o < (g+1)*p.group(); o++ {
				h[o] += int32(hi * p.values[j][o])
				l[o] += int32(lo * p.values[j][o])
			}
		}
	}
	for o := range y {
		high := float32(float32(h[o]) * float32(128*s))
		y[o] = high + float32(float32(l[o])*s)
	}
	return y
}

// The document describes what the package writes.
func TestSpecification(t *testing.T) {
	items := small()
	items[3].product.Thresholds = []cortex.Threshold{{Sparsity: 0.25, Keep: 0.5, Value: 0.125, Active: []byte{255, 100, 0}}, {Sparsity: 0.5, Keep: 0.25, Value: 2, Active: []byte{5, 6, 7}}}
	items[5].product.Thresholds = []cortex.Threshold{{Sparsity: 0.25, Keep: 0.5, Value: 0.125}}
	for _, o := range []cortex.Options{{}, {Shards: 3}} {
		paths := write(t, filepath.Join(t.TempDir(), "m.cortex"), o, items)
		m := specRead(t, contents(t, paths))
		for i, name := range m.names {
			require.Equal(t, filepath.Base(paths[i]), name)
		}
		require.Equal(t, "\x04\x00\x00\x00\x00\x00\x00\x00\x14\x00\x00\x00\x00\x00\x00\x00general.architecture\x08\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00llama",
			string(m.meta[:8+8+20+4+8+5]))
		rng := rand.New(rand.NewPCG(5, 6))
		f := check(t, paths, items)
		products := m.products
		for _, it := range items {
			if it.blocks == nil {
				require.Equal(t, it.data, m.rows[it.rows.Name])
				require.Len(t, m.shapes[it.rows.Name], len(it.rows.Shape))
				continue
			}
			p := products[0]
			got := f.Products[len(m.products)-len(products)]
			products = products[1:]
			require.Equal(t, got.Groups, p.groups)
			require.Equal(t, got.Norm, p.norm)
			require.Equal(t, got.DMax, p.dmax)
			for j, v := range it.product.Order {
				require.Equal(t, int(v), p.order[j])
			}
			require.Len(t, p.thresholds, len(it.product.Thresholds))
			for i, th := range it.product.Thresholds {
				require.Equal(t, [3]float32{th.Sparsity, th.Keep, th.Value}, p.thresholds[i])
				require.Equal(t, th, got.Thresholds[i])
				require.Equal(t, th.Active, append([]byte(nil), p.active[i]...))
			}
			weight := func(j, o int) float64 {
				return float64(p.scales[j][o/p.group()]) * float64(p.values[j][o])
			}
			for j := range p.channels {
				var sum, most float64
				for o := range p.values[j] {
					sum += weight(j, o) * weight(j, o)
				}
				for _, d := range p.scales[j] {
					most = max(most, math.Abs(float64(d)))
				}
				require.InEpsilon(t, math.Sqrt(sum), p.norm[j], 1e-6)
				require.Equal(t, float32(most), p.dmax[j])
			}

			// The integer product is that of the numbers, but for rounding to 15 bits.
			x, active := make([]float32, p.channels), make([]bool, p.channels)
			for j := range x {
				x[j], active[j] = rng.Float32()-0.5, rng.IntN(3) > 0
			}
			y := p.multiply(x, active)
			var norm, off float64
			for o := range y {
				var want float64
				for j := range x {
					if active[j] {
						want += float64(x[p.order[j]]) * weight(j, o)
					}
				}
				norm += want * want
				off += (float64(y[o]) - want) * (float64(y[o]) - want)
			}
			require.Less(t, math.Sqrt(off/norm), 1e-3)
		}
		require.Empty(t, products)
		require.True(t, bytes.Contains(m.meta, []byte("cortex.answer")))
	}
}
