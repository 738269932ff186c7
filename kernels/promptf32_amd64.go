package kernels

var f32Panels = map[string]func(panel, w []byte, rowBytes, eights int){
	"F32": panelF32_avx2, "F16": panelF16_avx2, "BF16": panelBF16_avx2,
}

func dotF32(sums, panel, packed []byte, groups, values int, first bool) {
	dotF32_avx2(sums, panel, packed, groups, values, first)
}

//go:noescape
func dotF32_avx2(sums, panel, packed []byte, groups, values int, first bool)

//go:noescape
func panelF32_avx2(panel, w []byte, rowBytes, eights int)

//go:noescape
func panelF16_avx2(panel, w []byte, rowBytes, eights int)

//go:noescape
func panelBF16_avx2(panel, w []byte, rowBytes, eights int)
