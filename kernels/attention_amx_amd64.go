package kernels

import "unsafe"

// manyPanelsF16_amx multiplies in tiles, as the products of float weights do
// (see prompt_amx_amd64.go): a takes the place of the weights and the panels of b,
// two to a group, that of the vectors. Binary16 is exactly the sum of two bfloat16
// numbers, a is rounded to 16 bits.
func manyPanelsF16_amx(c, a []float32, b []uint16, s PanelShape, scratch []byte) {
	steps := ceil(s.Depth, amxStep)
	groupBytes := steps * amxDouble.stepBytes()
	packed, scratch := scratch[:ceil(s.Panels, 2)*groupBytes], scratch[ceil(s.Panels, 2)*groupBytes:]
	rows, sums := scratch[:groupBytes], scratch[groupBytes:]
	for p := range s.Panels {
		pairsF16_amx(packed[p/2*groupBytes+p%2*amxTile:], b[p*s.StrideB:][:s.Depth*PanelWidth])
	}
	for r := 0; r < s.Rows; r += amxRows {
		n := min(amxRows, s.Rows-r)
		from := a[r*s.StrideA:]
		unpackF32_amx(rows, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(from))), 4*len(from)), 4*s.StrideA, n, s.Depth)
		dotBF16x3_amx(sums, rows, packed, s.Panels*PanelWidth, steps, true)
		for p := range s.Panels {
			tileRows_amx(c[r*s.StrideC+p*PanelWidth:], sums[p/2*4*amxTile+p%2*amxTile:], s.StrideC, n, s.Add)
		}
	}
}

func manyPanelsScratch_amx(depth, panels int) int {
	groupBytes := ceil(depth, amxStep) * amxDouble.stepBytes()
	return ceil(panels, 2)*(groupBytes+4*amxTile) + groupBytes
}

//go:noescape
func pairsF16_amx(dst []byte, b []uint16)

//go:noescape
func tileRows_amx(c []float32, tiles []byte, stride, rows int, add bool)
