package kernels

// Products of float32 for AVX-512, with twice the rows and vectors of those for
// AVX2: a product of a panel of 32 rows with 12 vectors keeps its sums in
// registers; each value of the panel is loaded once and multiplied with each
// vector's value at the same place.
//
//	panel:   [value][row 0..31]
//	packed:  [depth of n][12 vectors][value][vector 0..11]
const (
	wideRows    = 32 // of a panel
	wideGroup   = 12 // vectors
	wideDepth   = 256
	wideRowTile = 128
	wideSquare  = 16 // rows and values that are transposed at a time

	widePanel = wideDepth * wideRows
	wideEdge  = wideGroup * wideRows // where there are fewer rows or vectors, results go here first
)

var packingF32x12 = floatPacking("f32x12", wideGroup, wideDepth)

// A wideGEMM says how float weights are multiplied.
type wideGEMM struct {
	product *Product
	// transpose writes k values, a multiple of wideSquare, of some rows into a panel. For the rows that are missing
	// it reads the last one again.
	transpose func(panel []float32, w []byte, rowBytes, rows, k int)
	value     dequantizer
}

// addWideRows adds the rows for float weights.
func addWideRows(typ string, p *Product) {
	transpose, ok := map[string]func(panel []float32, w []byte, rowBytes, rows, k int){
		"F32": transposeF32_avx512, "F16": transposeF16_avx512, "BF16": transposeBF16_avx512,
	}[typ]
	if !ok {
		return
	}
	g := wideGEMM{p, transpose, dequantizers[typ]}
	gemms[typ].add(avx512, &GEMM{
		product: p,
		packing: packingF32x12,
		rowTile: wideRowTile,
		scratch: func(int) int64 { return 4 * (widePanel + wideEdge) },
		run: func(_ *GEMM, y []float32, stride int, w []byte, rows int, packed []byte, m, n int, scratch []byte) {
			s := viewF32(scratch)
			g.run(y, stride, w, rows, viewF32(packed), m, n, s[:widePanel], s[widePanel:])
		},
	})
}

func (g *wideGEMM) run(y []float32, stride int, w []byte, rows int, packed []float32, m, n int, panel, edge []float32) {
	rowBytes, groups := g.product.RowBytes(n), ceil(m, wideGroup)
	for k := 0; k < n; k += wideDepth {
		values := min(wideDepth, n-k)
		for r := 0; r < rows; r += wideRows {
			some := min(wideRows, rows-r)
			g.unpack(panel, w[r*rowBytes+k*g.product.blockBytes:], rowBytes, some, values)
			for t := 0; t < m; t += wideGroup {
				x := packed[(groups*k+t/wideGroup*values)*wideGroup:]
				if vectors := min(wideGroup, m-t); some == wideRows && vectors == wideGroup {
					dotF32_avx512(y[t*stride+r:], stride, panel, x, values, k > 0)
				} else {
					dotF32_avx512(edge, wideRows, panel, x, values, false)
					storeEdge(y[t*stride+r:], stride, edge, some, vectors, k > 0)
				}
			}
		}
	}
}

// unpack fills a panel with the first values of some rows. What the panel holds
// of rows that are missing is of no interest. It is not inlined because calls are
// where the garbage collector can stop a goroutine.
//
//go:noinline
func (g *wideGEMM) unpack(panel []float32, w []byte, rowBytes, rows, values int) {
	whole, size := values/wideSquare*wideSquare, g.product.blockBytes
	if whole > 0 {
		g.transpose(panel, w, rowBytes, rows, whole)
	}
	for j := whole; j < values; j++ {
		for r := range rows {
			g.value(panel[j*wideRows+r:][:1], w[r*rowBytes+j*size:])
		}
	}
}

// storeEdge stores or adds the results of some rows and vectors.
func storeEdge(y []float32, stride int, edge []float32, rows, vectors int, add bool) {
	for t := range vectors {
		to := y[t*stride:][:rows]
		for i, v := range edge[t*wideRows:][:rows] {
			if add {
				v += to[i]
			}
			to[i] = v
		}
	}
}

// promptf32_avx512_amd64.s

// dotF32_avx512 multiplies a panel with 12 vectors and stores the results, or
// adds them to y.
//
//go:noescape
func dotF32_avx512(y []float32, stride int, panel, x []float32, k int, add bool)

//go:noescape
func transposeF32_avx512(panel []float32, w []byte, rowBytes, rows, k int)

//go:noescape
func transposeF16_avx512(panel []float32, w []byte, rowBytes, rows, k int)

//go:noescape
func transposeBF16_avx512(panel []float32, w []byte, rowBytes, rows, k int)
