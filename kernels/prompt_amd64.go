package kernels

import "golang.org/x/sys/cpu"

// The matrix extension. Tiles of bfloat16 are multiplied and summed in float32;
// BF16 conversions, which are AVX-512, make the tiles.
var amx = &isa{
	name: "amx",
	needs: []string{"AVX2", "FMA", "F16C", "AVX512F", "AVX512BW", "AVX512DQ", "AVX512VL", "AVX512VNNI",
		"AVX512VBMI", "AVX512BF16", "AMXTILE", "AMXBF16"},
	have: avx512vnni.have && cpu.X86.HasAVX512VBMI && cpu.X86.HasAVX512BF16 &&
		cpu.X86.HasAMXTile && cpu.X86.HasAMXBF16 && amxPermitted(),
}

// dotGroups is how many groups of vectors are multiplied at a time, as many as keep the
// garbage collector waiting for no more than some 100 µs.
const dotGroups = 128

// addGEMMRows adds the rows of the GEMMs, lowest level first.
func addGEMMRows() {
	for typ, p := range products {
		if panel, ok := f32Panels[typ]; ok {
			gemms[typ].add(avx2, newF32(p, panel))
		}
		addWideRows(typ, p)
		addQ8Rows(typ, p)
		gemms[typ].add(amx, newAMX(p))
	}
}
