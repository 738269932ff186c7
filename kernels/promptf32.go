//go:build amd64 || arm64

package kernels

// Products of float32. Weights become panels of 16 rows, which stay in the first
// cache while all vectors stream past them, six at a time:
//
//	panel:   [value][row 0..15]
//	packed:  [depth of n][6 vectors][value][vector 0..5]
//	sums:    [panel][vector][row 0..15]
const (
	f32PanelRows = 16
	f32Group     = 6 // vectors
	f32Depth     = 256
	f32Vectors   = 516 // multiplied with one unpacking of the weights
	f32RowTile   = 64

	f32PanelBytes = 4 * f32PanelRows * f32Depth
	f32SumBytes   = 4 * f32PanelRows * f32Vectors // of a panel
)

var packingF32x6 = floatPacking("f32x6", f32Group, f32Depth)

// floatPacking packs float32 vectors as they are:
//
//	packed:  [depth of n][group vectors][value][vector 0..group-1]
func floatPacking(name string, group, depth int) *packing {
	return &packing{
		name:  name,
		group: group,
		bytes: func(m, n int) int64 { return 4 * int64(ceil(m, group)) * int64(group) * int64(n) },
		pack: func(dst []byte, x []float32, m, n, from, to int) {
			packed, groups := viewF32(dst), ceil(m, group)
			for k := 0; k < n; k += depth {
				values := min(depth, n-k)
				for t := from; t < to; t += group {
					vectors := packed[(groups*k+t/group*values)*group:][:values*group]
					if to-t < group {
						clear(vectors)
					}
					for i := range min(group, to-t) {
						for j, v := range x[(t+i)*n+k:][:values] {
							vectors[j*group+i] = v
						}
					}
				}
			}
		},
	}
}

// An f32GEMM says how float weights are multiplied.
type f32GEMM struct {
	product *Product
	size    int                                         // bytes of a weight
	panel   func(panel, w []byte, rowBytes, eights int) // 16 rows of whole eights of values
	value   dequantizer
}

// newF32 is for weights of a type whose panels panel makes.
func newF32(p *Product, panel func(panel, w []byte, rowBytes, eights int)) *GEMM {
	g := f32GEMM{p, p.blockBytes, panel, dequantizers[p.typ]}
	return &GEMM{
		product: p,
		packing: packingF32x6,
		rowTile: f32RowTile,
		scratch: func(int) int64 { return f32PanelBytes + f32RowTile/f32PanelRows*f32SumBytes },
		run: func(_ *GEMM, y []float32, stride int, w []byte, rows int, packed []byte, m, n int, scratch []byte) {
			g.run(y, stride, w, rows, packed, m, n, scratch[:f32PanelBytes], scratch[f32PanelBytes:])
		},
	}
}

func (g *f32GEMM) run(y []float32, stride int, w []byte, rows int, packed []byte, m, n int, panel, sums []byte) {
	allGroups := ceil(m, f32Group)
	for t := 0; t < m; t += f32Vectors {
		vectors := min(f32Vectors, m-t)
		for k := 0; k < n; k += f32Depth {
			values := min(f32Depth, n-k)
			x := packed[(allGroups*k+t/f32Group*values)*f32Group*4:]
			for r := 0; r < rows; r += f32PanelRows {
				g.unpack(panel, w[(r*n+k)*g.size:], n, min(f32PanelRows, rows-r), values)
				groups := ceil(vectors, f32Group)
				for i := 0; i < groups; i += dotGroups {
					at := r/f32PanelRows*f32SumBytes + i*f32Group*f32PanelRows*4
					dotF32(sums[at:], panel, x[i*f32Group*values*4:], min(dotGroups, groups-i), values, k == 0)
				}
			}
		}
		storeSums(y[t*stride:], stride, rows, vectors, viewF32(sums), f32Vectors)
	}
}

// storeSums copies the sums of the rows of a tile and of some vectors to where
// they belong. Those of 16 rows lie together, and there is room for those of
// room vectors between them and those of the next 16.
func storeSums(y []float32, stride, rows, vectors int, sums []float32, room int) {
	const together = 16
	for r := 0; r < rows; r += together {
		for t := range vectors {
			copy(y[t*stride+r:][:min(together, rows-r)], sums[(r*room+t*together):])
		}
	}
}

// unpack makes a panel of the first values of some rows of n weights. What the
// panel holds of rows that are missing is of no interest.
func (g *f32GEMM) unpack(panel, w []byte, n, rows, values int) {
	done := 0
	if rows == f32PanelRows && values >= 8 {
		g.panel(panel, w, n*g.size, values/8)
		done = values &^ 7
	}
	p := viewF32(panel)
	for r := range rows {
		for j := done; j < values; j++ {
			at := j*f32PanelRows + r
			g.value(p[at:at+1], w[(r*n+j)*g.size:])
		}
	}
}
