package kernels

// Products on tiles. Weights and activations become bfloat16; TDPBF16PS
// multiplies a tile of 16 rows by 32 weights with one of 32 values of 16
// vectors and adds to a tile of 16 by 16 sums in float32.
//
// Quantized weights have at most 8 significant bits beside their scales and are
// rounded to bfloat16, once, with the scale: the error is at most 2^-9 of each
// weight, as that of the activations. Float weights are split into two bfloat16
// numbers whose sum has 16 bits, as are the activations with them, and of the
// four products all but that of the two lesser parts are summed: the error is
// about 2^-16, and F16 and BF16 weights are exact.
//
// Weights become a panel: 32 rows by up to depth values, which stays in the
// first cache while all the vectors, packed the same way, stream past it from
// the second. A step is 32 values of the panel; within it follow each other, of
// each part (plane) of the numbers, two tiles:
//
//	panel:   [step][plane][row 0..31][value 0..31]
//	packed:  [depth of n][32 vectors][step][plane][16 vectors][pair 0..15][vector 0..15][2 values]
//	sums:    [32 rows][32 vectors][row tile][vector tile][row][vector]
const (
	amxRows  = 32 // of a panel
	amxGroup = 32 // vectors
	amxStep  = 32 // values
	amxTile  = 1024
	// amxVectors are multiplied with one unpacking of the weights: their sums with a tile of rows, and one depth of
	// their values, must fit in the second cache.
	amxVectors = 512
	amxRowTile = 512
	// amxPanelEnd is what unpackers may use behind the panel.
	amxPanelEnd = 1024
)

// amxPacking describes packed activations of a number of planes.
type amxPacking struct {
	planes int
	depth  int // values per panel
}

var (
	amxSingle = &amxPacking{1, 512}
	amxDouble = &amxPacking{2, 256}

	packingBF16   = amxSingle.packing("bf16")
	packingBF16x2 = amxDouble.packing("bf16x2")
)

func (p *amxPacking) packing(name string) *packing {
	return &packing{name: name, group: amxGroup, bytes: p.bytes, pack: p.pack}
}

// stepBytes is the size of a step of a group of vectors.
func (p *amxPacking) stepBytes() int { return 2 * amxTile * p.planes }

func (p *amxPacking) bytes(m, n int) int64 {
	return int64(ceil(m, amxGroup)) * int64(ceil(n, amxStep)) * int64(p.stepBytes())
}

func (p *amxPacking) pack(dst []byte, x []float32, m, n, from, to int) {
	convert := packBF16_amx
	if p.planes == 2 {
		convert = packBF16x2_amx
	}
	groups := ceil(m, amxGroup)
	for k := 0; k < n; k += p.depth {
		values := min(p.depth, n-k)
		size := ceil(values, amxStep) * p.stepBytes() // of a group
		for t := from; t < to; t += amxTile / 64 {
			tile := dst[t/amxGroup*size+t%amxGroup/16*amxTile:]
			convert(tile, x[t*n+k:], n, min(16, to-t), values)
		}
		dst = dst[groups*size:]
	}
}

// An unpacker fills a panel with the first k values of some rows, which start
// rowBytes apart. k is a whole number of blocks, and of steps unless the
// weights are floats; values missing in the last step become zero.
type unpacker func(panel, w []byte, rowBytes, rows, k int)

// amxType says how weights of a type are multiplied.
type amxType struct {
	*amxPacking // of the activations
	packing     *packing
	planes      int // of the weights
	unpack      unpacker
	dot         func(sums, panel, packed []byte, vectors, steps int, first bool)
}

func quantAMX(unpack unpacker) amxType {
	return amxType{amxSingle, packingBF16, 1, unpack, dotBF16_amx}
}

var amxTypes = map[string]amxType{
	"F32":    {amxDouble, packingBF16x2, 2, unpackF32_amx, dotBF16x3_amx},
	"F16":    {amxDouble, packingBF16x2, 2, unpackF16_amx, dotBF16x3_amx},
	"BF16":   {amxDouble, packingBF16x2, 1, unpackBF16_amx, dotBF16x2_amx},
	"Q4_0":   quantAMX(unpackQ4_0_amx),
	"IQ4_NL": quantAMX(unpackIQ4_NL_amx),
	"MXFP4":  quantAMX(unpackMXFP4_amx),
	"Q4_1":   quantAMX(unpackQ4_1_amx),
	"Q5_0":   quantAMX(unpackQ5_0_amx),
	"Q5_1":   quantAMX(unpackQ5_1_amx),
	"Q8_0":   quantAMX(unpackQ8_0_amx),
	"Q4_K":   quantAMX(unpackQ4_K_amx),
	"Q5_K":   quantAMX(unpackQ5_K_amx),
	"Q6_K":   quantAMX(unpackQ6_K_amx),
	"Q3_K":   quantAMX(unpackQ3_K_amx),
	"Q2_K":   quantAMX(unpackQ2_K_amx),
	"IQ4_XS": quantAMX(unpackIQ4_XS_amx),
}

func newAMX(p *Product) *GEMM {
	a, ok := amxTypes[p.typ]
	if !ok {
		a = quantAMX(unpackAny(p))
	}
	panelBytes := a.depth*amxRows*2*a.planes + amxPanelEnd
	return &GEMM{
		product: p,
		packing: a.packing,
		rowTile: amxRowTile,
		scratch: func(int) int64 { return int64(panelBytes + amxRowTile*amxVectors*4) },
		run: func(g *GEMM, y []float32, stride int, w []byte, rows int, packed []byte, m, n int, scratch []byte) {
			a.run(p, y, stride, w, rows, packed, m, n, scratch[:panelBytes], scratch[panelBytes:])
		},
	}
}

func (a *amxType) run(p *Product, y []float32, stride int, w []byte, rows int, packed []byte, m, n int, panel, sums []byte) {
	rowBytes, groups := p.RowBytes(n), ceil(m, amxGroup)
	for t := 0; t < m; t += amxVectors {
		vectors := min(amxVectors, m-t)
		sumBytes := ceil(vectors, amxGroup) * 4 * amxTile // of a panel
		for k := 0; k < n; k += a.depth {
			values := min(a.depth, n-k)
			steps := ceil(values, amxStep)
			x := packed[(groups*(k/amxStep)+t/amxGroup*steps)*a.stepBytes():]
			for r := 0; r < rows; r += amxRows {
				at := w[r*rowBytes+k/p.block*p.blockBytes:]
				a.multiply(sums[r/amxRows*sumBytes:], panel, at, rowBytes, min(amxRows, rows-r), values, x, vectors, k == 0)
			}
		}
		for i := 0; i < vectors; i += 16 {
			storeTiles(y[(t+i)*stride:], stride, sums[i/amxGroup*4*amxTile+i%amxGroup/16*amxTile:], sumBytes, rows, min(16, vectors-i))
		}
	}
}

// multiply multiplies the first values of up to 32 rows with all vectors. Like
// storeTiles it is a function of its own, and not inlined, because calls are
// where the garbage collector can stop a goroutine.
//
//go:noinline
func (a *amxType) multiply(sums, panel, w []byte, rowBytes, rows, values int, x []byte, vectors int, first bool) {
	a.unpack(panel, w, rowBytes, rows, values)
	a.dot(sums, panel, x, vectors, ceil(values, amxStep), first)
}

// storeTiles stores the sums of up to 16 vectors and all rows.
//
//go:noinline
func storeTiles(y []float32, stride int, sums []byte, sumBytes, rows, vectors int) {
	for r := 0; r < rows; r += 16 {
		tile := sums[r/amxRows*sumBytes+r%amxRows/16*2*amxTile:]
		storeTile_amx(y[r:], stride, tile, min(16, rows-r), vectors)
	}
}

// unpackAny goes through float32.
func unpackAny(p *Product) unpacker {
	dequant := dequantizers[p.typ]
	return func(panel, w []byte, rowBytes, rows, k int) {
		values := viewF32(panel[len(panel)-amxPanelEnd:])[:p.block]
		for r := range rows {
			for b := range k / p.block {
				dequant(values, w[r*rowBytes+b*p.blockBytes:][:p.blockBytes])
				for j, v := range values {
					j += b * p.block
					at := panel[j/amxStep*2*amxTile+r*64+j%amxStep*2:]
					h := f32ToBF16(v)
					at[0], at[1] = byte(h), byte(h>>8)
				}
			}
		}
	}
}

// prompt_amx_amd64.s

// packBF16_amx packs n values of up to 16 vectors that start stride apart into
// every second tile of dst; packBF16x2_amx into every fourth, and what the
// rounding has left into the tiles two further on.
//
//go:noescape
func packBF16_amx(dst []byte, x []float32, stride, vectors, n int)

//go:noescape
func packBF16x2_amx(dst []byte, x []float32, stride, vectors, n int)

// dotBF16_amx multiplies a panel with vectors and adds to the sums, or replaces
// them if first. Both have one plane. dotBF16x2_amx is for one plane of weights
// and two of activations, dotBF16x3_amx for two of both.
//
//go:noescape
func dotBF16_amx(sums, panel, packed []byte, vectors, steps int, first bool)

//go:noescape
func dotBF16x2_amx(sums, panel, packed []byte, vectors, steps int, first bool)

//go:noescape
func dotBF16x3_amx(sums, panel, packed []byte, vectors, steps int, first bool)

// storeTile_amx stores a tile of sums, of rows rows and vectors vectors, as
// vectors of rows.
//
//go:noescape
func storeTile_amx(y []float32, stride int, tile []byte, rows, vectors int)

// unpack_amx_amd64.s

//go:noescape
func unpackF32_amx(panel, w []byte, rowBytes, rows, k int)

//go:noescape
func unpackF16_amx(panel, w []byte, rowBytes, rows, k int)

//go:noescape
func unpackBF16_amx(panel, w []byte, rowBytes, rows, k int)

//go:noescape
func unpackQ4_0_amx(panel, w []byte, rowBytes, rows, k int)

//go:noescape
func unpackIQ4_NL_amx(panel, w []byte, rowBytes, rows, k int)

//go:noescape
func unpackMXFP4_amx(panel, w []byte, rowBytes, rows, k int)

//go:noescape
func unpackQ4_1_amx(panel, w []byte, rowBytes, rows, k int)

//go:noescape
func unpackQ5_0_amx(panel, w []byte, rowBytes, rows, k int)

//go:noescape
func unpackQ5_1_amx(panel, w []byte, rowBytes, rows, k int)

//go:noescape
func unpackQ8_0_amx(panel, w []byte, rowBytes, rows, k int)

//go:noescape
func unpackQ4_K_amx(panel, w []byte, rowBytes, rows, k int)

//go:noescape
func unpackQ5_K_amx(panel, w []byte, rowBytes, rows, k int)

//go:noescape
func unpackQ6_K_amx(panel, w []byte, rowBytes, rows, k int)

//go:noescape
func unpackQ3_K_amx(panel, w []byte, rowBytes, rows, k int)

//go:noescape
func unpackQ2_K_amx(panel, w []byte, rowBytes, rows, k int)

//go:noescape
func unpackIQ4_XS_amx(panel, w []byte, rowBytes, rows, k int)
