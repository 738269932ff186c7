package kernels

var f32Panels = map[string]func(panel, w []byte, rowBytes, eights int){
	"F32": panelF32_neon, "F16": panelF16_neon, "BF16": panelBF16_neon,
}

func dotF32(sums, panel, packed []byte, groups, values int, first bool) {
	dotF32_neon(sums, panel, packed, groups, values, first)
}

//go:noescape
func dotF32_neon(sums, panel, packed []byte, groups, values int, first bool)

//go:noescape
func panelF32_neon(panel, w []byte, rowBytes, eights int)

//go:noescape
func panelF16_neon(panel, w []byte, rowBytes, eights int)

//go:noescape
func panelBF16_neon(panel, w []byte, rowBytes, eights int)
