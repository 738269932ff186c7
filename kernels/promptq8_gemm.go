//go:build amd64 || arm64

package kernels

import "unsafe"

// Products of 8-bit numbers. The floating point work is small: sums of a group of
// products are whole numbers and become floats once. Some levels multiply the sums
// of groups in the layout Q8x256 by the whole scales of the groups, and only the
// sums of 256 become floats.
//
// Weights become panels of 16 rows by up to q8Depth values, which stay in the
// first cache while all vectors stream past them, four at a time. In a panel
// the bytes of a row that are multiplied at once (a run, of 4 or 8 values) follow
// those of the row before:
//
//	panel:   [group of 32 or 16 values]{ excess [row 0..15] 32 bits, scale [row 0..15] 32 bits,
//	          weights [run][row 0..15][value of the run] }; with whole scales,
//	          after each 256 values, d [row 0..15] float32
//	mins:    [group][row 0..15] float32
//	packed:  [depth of n][4 vectors][32 values]{ [run][vector 0..3][value of the run],
//	          d [vector 0..3] float32, d*sum [vector 0..3] float32; in the layout
//	          Q8x256 also d*sum of the first 16 and d*sum of the last 16 values }
//	sums:    [panel][vector][row 0..15] float32
//
// The instructions decide the length of a run, whether values are 8 or 16 bits wide,
// and whether the activations are signed: if they are not, the panel holds what the
// sums have in excess for it, negative.
//
// Minimums are multiplied by d*sum with the exact sum and the rounded scale, where
// products with one vector take the layout Q8x32Sums, in which the peer's rounding to
// binary16 is repeated: some minimums have an offset of the weights in them (see
// unpackQ5_1), and its part must cancel what it added to the products.
const (
	q8PanelRows = 16 // of a panel
	q8Group     = 4  // vectors
	q8Depth     = 512
	q8Vectors   = 512 // multiplied with one unpacking of the weights
	q8RowTile   = 64
)

// A q8Packing describes packed activations.
type q8Packing struct {
	layout Layout
	run    int // values of a vector that lie together
	width  int // bytes of a value
}

// q8Layout returns the layout in which the scheme packs activations of a product.
func (p *Product) q8Layout() Layout {
	if p.layout == Q8x32Sums {
		return Q8x32
	}
	return p.layout
}

func (p q8Packing) packing(name string) *packing {
	return &packing{name: name, group: q8Group, bytes: p.bytes, pack: p.pack}
}

// floats returns how many floats follow the numbers of 32 values of four vectors.
func (p q8Packing) floats() int {
	if p.layout == Q8x256 {
		return 4 * q8Group
	}
	return 2 * q8Group
}

// stepBytes is the size of 32 values of four vectors.
func (p q8Packing) stepBytes() int { return 32*q8Group*p.width + 4*p.floats() }

func (p q8Packing) bytes(m, n int) int64 {
	return int64(ceil(m, q8Group)) * int64(n/32) * int64(p.stepBytes())
}

func (p q8Packing) pack(dst []byte, x []float32, m, n, from, to int) {
	const most = 256 // values quantized at a time
	var (
		q [q8Group * most]int8
		d [q8Group][most / 32]float32
		s [q8Group][most / 16]int16
	)
	groups, step := ceil(m, q8Group), p.stepBytes()
	block, sum := p.layout.Block(), p.layout.SumBlock()
	for k := 0; k < n; k += most {
		values, first := min(most, n-k), k/q8Depth*q8Depth
		size := min(q8Depth, n-first) / 32 * step // of a group of vectors at this depth
		depth := dst[groups*(first/32*step)+(k-first)/32*step:]
		for t := from; t < to; t += q8Group {
			for i := range q8Group {
				q, d, s := q[i*most:][:values], d[i][:values/block], s[i][:values/sum]
				if t+i < to {
					p.quantize(q, d, s, x[(t+i)*n+k:][:values])
				} else {
					clear(q)
					clear(d)
					clear(s)
				}
			}
			group := depth[t/q8Group*size:]
			p.interleave(group, q[:], values/32, step)
			for b := range values / 32 {
				f := viewF32(group[b*step+32*q8Group*p.width:][:4*p.floats()])
				for i := range q8Group {
					scale := d[i][b*32/block]
					f[i] = scale
					if p.layout == Q8x32 {
						f[q8Group+i] = scale * float32(s[i][b])
						continue
					}
					a, b := s[i][2*b], s[i][2*b+1]
					f[q8Group+i] = scale * float32(a+b)
					f[2*q8Group+i], f[3*q8Group+i] = scale*float32(a), scale*float32(b)
				}
			}
		}
	}
}

// A q8GEMM says how weights of a type are multiplied at one level.
type q8GEMM struct {
	q8Type
	packing    q8Packing
	product    *Product
	putRow     rowPutter                                                 // in place of unpack, if there is one
	excess     bool                                                      // the panel has it
	panels     int                                                       // multiplied at a time
	wholeScale bool                                                      // scales of groups stay whole numbers, blocks of 256 have a scale of their own in the panel
	transpose  func(panel, q []byte, steps int)                          // numbers of 16 rows into a panel, 32 values a step
	dot        func(sums, panel, packed []byte, step, groups, steps int) // adds to the sums; step is stepBytes

	groupBytes, panelBytes, minBytes int
}

// of completes g for a type.
func (g q8GEMM) of(p *Product) q8GEMM {
	g.product, g.q8Type, g.putRow = p, q8Types[p.typ], rowPutters[p.typ]
	g.groupBytes = g.scales() + 4*q8PanelRows + g.group*g.packing.width*q8PanelRows
	g.panelBytes = q8Depth / g.group * g.groupBytes
	if g.wholeScale {
		g.panelBytes += q8Depth / 256 * 4 * q8PanelRows
	}
	g.minBytes = q8Depth / g.group * 4 * q8PanelRows
	return g
}

func newQ8(p *Product, g q8GEMM) *GEMM {
	g = g.of(p)
	return &GEMM{
		product: p,
		packing: q8Packings[g.packing],
		rowTile: q8RowTile,
		scratch: func(int) int64 { return int64(g.scratch().size) },
		run: func(_ *GEMM, y []float32, stride int, w []byte, rows int, packed []byte, m, n int, scratch []byte) {
			g.run(y, stride, w, rows, packed, m, n, scratch)
		},
	}
}

// q8Scratch is the offsets of the parts of the scratch memory: sums of 256
// products of four vectors and a panel, which dot finds before the panels; the
// panels; their minimums; the numbers of 16 rows and the scales of one of them
// on their way into a panel; the sums.
type q8Scratch struct{ ints, panel, mins, rows, d, scale, min, sums, size int }

func (g *q8GEMM) scratch() (s q8Scratch) {
	s.panel = s.ints + q8Group*q8PanelRows*4
	s.mins = s.panel + g.panels*g.panelBytes
	s.rows = s.mins + g.panels*g.minBytes
	s.d = s.rows + q8PanelRows*q8Depth
	s.scale = s.d + 4*q8Depth/32
	s.min = s.scale + 2*q8Depth/16
	s.sums = s.min + 4*q8Depth/16
	s.size = s.sums + q8RowTile*q8Vectors*4
	return s
}

func (g *q8GEMM) run(y []float32, stride int, w []byte, rows int, packed []byte, m, n int, scratch []byte) {
	at, rowBytes, step := g.scratch(), g.product.RowBytes(n), g.packing.stepBytes()
	allGroups := ceil(m, q8Group)
	const sumBytes = q8Vectors * q8PanelRows * 4 // of a panel
	for t := 0; t < m; t += q8Vectors {
		groups := ceil(min(q8Vectors, m-t), q8Group)
		for k := 0; k < n; k += q8Depth {
			values := min(q8Depth, n-k)
			x := packed[(allGroups*k+t/q8Group*values)/32*step:]
			for r := 0; r < rows; r += q8PanelRows * g.panels {
				count := min(q8PanelRows*g.panels, rows-r)
				g.unpackPanels(scratch, w[r*rowBytes+k/g.product.block*g.product.blockBytes:], rowBytes, count, values)
				sums := scratch[at.sums+r/q8PanelRows*sumBytes:]
				if k == 0 {
					for p := range g.panels {
						clear(sums[p*sumBytes:][:groups*q8Group*q8PanelRows*4])
					}
				}
				for i := 0; i < groups; i += dotGroups {
					g.dot(sums[i*q8Group*q8PanelRows*4:], scratch[at.panel:], x[i*values/32*step:], step, min(dotGroups, groups-i), values/32)
				}
				if g.mins {
					g.addMins(sums, scratch[at.mins:], x, step, groups, values/32)
				}
			}
		}
		storeSums(y[t*stride:], stride, rows, min(q8Vectors, m-t), viewF32(scratch[at.sums:]), q8Vectors)
	}
}

// unpackPanels makes panels out of the first values of some rows. The rows that
// a panel has room for beyond those stay what they were.
func (g *q8GEMM) unpackPanels(scratch, w []byte, rowBytes, rows, values int) {
	at := g.scratch()
	row := q8Row{
		d:     viewF32(scratch[at.d:at.scale])[:values/g.product.block],
		scale: viewI16(scratch[at.scale:at.min]),
		min:   viewF32(scratch[at.min:at.sums])[:values/g.group],
	}
	for p := range ceil(rows, q8PanelRows) {
		panel, mins := scratch[at.panel+p*g.panelBytes:][:g.panelBytes], scratch[at.mins+p*g.minBytes:][:g.minBytes]
		for r := range min(q8PanelRows, rows-p*q8PanelRows) {
			row.q = scratch[at.rows+r*q8Depth:][:values]
			w := w[(p*q8PanelRows+r)*rowBytes:]
			if g.putRow != nil {
				g.putRow(panel[g.scales()+4*r:], mins[4*r:], row.q, w, len(row.d), g.groupBytes, g.wholeScale)
				continue
			}
			g.unpack(row, w)
			g.putScales(panel[g.scales()+4*r:], row)
			if g.mins {
				for i, v := range row.min {
					*f32At(mins, i*4*q8PanelRows+4*r) = v
				}
			}
		}
		for k, to := 0, panel; k < values; k += 256 {
			part := min(256, values-k)
			g.transpose(to, scratch[at.rows+k:], part/32)
			to = to[min(len(to), g.blockBytes()):]
		}
	}
}

// blockBytes is the size of 256 values of a panel.
func (g *q8GEMM) blockBytes() int {
	size := 256 / g.group * g.groupBytes
	if g.wholeScale {
		size += 4 * q8PanelRows
	}
	return size
}

// scales is where the scales are in each group of a panel.
func (g *q8GEMM) scales() int {
	if g.excess {
		return 4 * q8PanelRows
	}
	return 0
}

// putScales writes the scales of a row into a panel, from the first of them on.
func (g *q8GEMM) putScales(panel []byte, row q8Row) {
	if g.packing.layout == Q8x32 {
		for b, d := range row.d {
			*f32At(panel, b*g.groupBytes) = d
		}
		return
	}
	groups := 256 / g.group
	for b, d := range row.d {
		block := panel[b*g.blockBytes():]
		for i, s := range row.scale[b*groups:][:groups] {
			if at := i * g.groupBytes; g.wholeScale {
				*u32At(block, at) = wholeScale(s)
			} else {
				*f32At(block, at) = d * float32(s)
			}
		}
		if g.wholeScale {
			*f32At(block, groups*g.groupBytes-g.scales()) = d
		}
	}
}

// addMins adds the minimums times the activations to the sums.
func (g *q8GEMM) addMins(sums, mins, packed []byte, step, groups, steps int) {
	for p := range g.panels {
		sums, mins := sums[p*q8Vectors*q8PanelRows*4:], mins[p*g.minBytes:]
		for i := range 32 / g.group { // all groups of 32, or the first 16 of each 32 and then the others
			of := 32*q8Group + 4*q8Group
			if g.group == 16 {
				of += 4 * q8Group * (1 + i)
			}
			minsQ8(sums, mins[i*4*q8PanelRows:], packed[of:], 4*q8PanelRows*32/g.group, step, groups, steps)
		}
	}
}

func f32At(b []byte, i int) *float32 { return (*float32)(unsafe.Pointer(&b[i : i+4][0])) }

func u32At(b []byte, i int) *uint32 { return (*uint32)(unsafe.Pointer(&b[i : i+4][0])) }

func viewI16(b []byte) []int16 {
	return unsafe.Slice((*int16)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/2)
}

// A rowPutter is assembly that puts a row of blocks into a panel: its scales every
// groupBytes from the start of panel on, its minimums every 64 bytes of mins, the
// numbers in q. If whole, the scales of groups stay whole numbers and blocks have
// their own behind those.
type rowPutter func(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)
