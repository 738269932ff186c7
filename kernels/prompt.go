package kernels

import (
	"fmt"
	"unsafe"
)

// A GEMM multiplies tiles of weights of one type with many activation vectors
// at once, as a prompt needs it. Each weight is made ready for the arithmetic
// once, in scratch memory that stays in the cache, and then used for all
// vectors; the activations are packed once for all weights:
//
//	g.Pack(packed, x, m, n, part, parts)             // for each part, on any goroutines
//	g.Run(y, stride, tile, rows, packed, m, n, scratch) // then for each tile of rows
//
// The result for a vector has the same bits whatever the other vectors are and
// however the rows are split into tiles.
type GEMM struct {
	product *Product
	packing *packing
	rowTile int
	scratch func(n int) int64
	run     gemmRun
}

// gemmRun is GEMM.Run with its arguments checked: everything is positive, w and
// packed have exactly the bytes that belong to them, y ends with the last result.
type gemmRun func(g *GEMM, y []float32, stride int, w []byte, rows int, packed []byte, m, n int, scratch []byte)

// A packing is a form in which GEMMs read activations.
type packing struct {
	name  string
	group int                                               // this many vectors are interleaved
	bytes func(m, n int) int64                              // of m vectors, whole groups of them
	pack  func(dst []byte, x []float32, m, n, from, to int) // vectors from (a multiple of group) up to to
}

// gemms holds a family per weight type. The reference of each is the GEMM that
// says what it means.
var gemms = newGEMMs()

func newGEMMs() map[string]*family[*GEMM] {
	all := map[string]*family[*GEMM]{}
	for typ, p := range products {
		all[typ] = newFamily("gemm", typ, &GEMM{
			product: p,
			packing: packingF32,
			rowTile: 64,
			scratch: func(n int) int64 { return 4 * int64(n) },
			run:     gemmRef,
		})
	}
	return all
}

// GEMM returns how weights of this type are multiplied with many activation
// vectors on this machine, nil if [Product.MatVec] is the best there is.
func (p *Product) GEMM() *GEMM {
	f := gemms[p.typ]
	if f.fn == f.rows[0].fn {
		return nil // the reference only says what a GEMM means
	}
	return f.fn
}

// Name returns the name of the row in use, as [Rows] lists it.
func (g *GEMM) Name() string {
	f := gemms[g.product.typ]
	for _, r := range f.rows {
		if r.fn == g {
			return f.op + f.typ + "_" + r.isa.name
		}
	}
	panic("kernels: a GEMM out of no table")
}

// Key names the form of the packed activations. What one GEMM has packed,
// another with the same key can read.
func (g *GEMM) Key() string { return g.packing.name }

// RowTile returns the most rows of a tile. Tiles of as many rows are the fastest.
func (g *GEMM) RowTile() int { return g.rowTile }

// TileRows returns how many rows the tiles of a matrix should have if workers
// share them: as many tiles for each of them, as large as possible.
func (g *GEMM) TileRows(rows, workers int) int {
	const multiple = 32 // of what the kernels multiply at a time
	tiles := ceil(ceil(rows, g.rowTile), workers) * workers
	return min(g.rowTile, ceil(ceil(rows, tiles), multiple)*multiple)
}

// ceil returns how many pieces of the given size hold n values.
func ceil(n, size int) int { return (n + size - 1) / size }

// PackedBytes returns the size of m packed activation vectors of n values.
func (g *GEMM) PackedBytes(m, n int) int64 { return g.packing.bytes(m, n) + line - 1 }

// ScratchBytes returns the size of the memory that Run needs for itself.
func (g *GEMM) ScratchBytes(n int) int64 { return g.scratch(n) + line - 1 }

// line is the alignment that packed activations and scratch get within the
// memory that the caller provides.
const line = 64

// aligned returns the first size bytes of b from a multiple of line on.
func aligned(b []byte, size int64) []byte {
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (line - 1)
	return b[skip:][:size]
}

// Pack packs the part-th of parts shares of the m vectors x[t*n:][:n] into dst,
// of at least PackedBytes(m, n) bytes. dst must not move between Pack and Run.
//
//go:noinline
func (g *GEMM) Pack(dst []byte, x []float32, m, n, part, parts int) {
	mustBlocks(n, g.product.block)
	dst, x = aligned(dst, g.packing.bytes(m, n)), first(x, m*n)
	groups := (m + g.packing.group - 1) / g.packing.group
	from := groups * part / parts * g.packing.group
	to := min(groups*(part+1)/parts*g.packing.group, m)
	if from < to && n > 0 {
		g.packing.pack(dst, x, m, n, from, to)
	}
}

// Run multiplies the first rows rows of w, each of n weights, with m packed
// activation vectors:
//
//	for t := range m {
//		for r := range rows {
//			for j := range n {
//				y[t*stride+r] += w[r][j] * x[t][j] // y[t*stride+r] starts at 0
//			}
//		}
//	}
//
// rows may be 0 and at most RowTile(). scratch has at least ScratchBytes(n)
// bytes and is for one call at a time; what it holds before and after is of no
// interest.
//
//go:noinline
func (g *GEMM) Run(y []float32, stride int, w []byte, rows int, packed []byte, m, n int, scratch []byte) {
	if rows < 0 || rows > g.rowTile || stride < rows {
		panic(fmt.Sprintf("kernels: a tile of %d rows at a stride of %d: a tile has at most %d", rows, stride, g.rowTile))
	}
	if rows == 0 || m == 0 {
		return
	}
	y = first(y, (m-1)*stride+rows)
	if n == 0 {
		for t := range m {
			clear(y[t*stride:][:rows])
		}
		return
	}
	g.run(g, y, stride, first(w, rows*g.product.RowBytes(n)), rows,
		aligned(packed, g.packing.bytes(m, n)), m, n, aligned(scratch, g.scratch(n)))
}

// packingF32 is the activations as they are.
var packingF32 = &packing{
	name:  "f32",
	group: 1,
	bytes: func(m, n int) int64 { return 4 * int64(m) * int64(n) },
	pack: func(dst []byte, x []float32, m, n, from, to int) {
		copy(viewF32(dst)[from*n:], x[from*n:to*n])
	},
}

// viewF32 views aligned bytes as float32.
func viewF32(b []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

// gemmRef sums in float64.
func gemmRef(g *GEMM, y []float32, stride int, w []byte, rows int, packed []byte, m, n int, scratch []byte) {
	p, row, x := g.product, viewF32(scratch), viewF32(packed)
	rowBytes := p.RowBytes(n)
	for r := range rows {
		dequantRow(row, w[r*rowBytes:][:rowBytes], p.block, p.blockBytes, dequantizers[p.typ])
		for t := range m {
			sum := 0.0
			for j, v := range x[t*n:][:n] {
				sum += float64(v) * float64(row[j])
			}
			y[t*stride+r] = float32(sum)
		}
	}
}
