package kernels

import "golang.org/x/sys/cpu"

// The levels of amd64. F16C came with the first processors that had FMA, but is
// a flag of its own. The AVX-512 level is what Skylake servers and everything
// since have.
var (
	avx2 = &isa{
		name:  "avx2",
		needs: []string{"AVX2", "FMA", "F16C"},
		have:  cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C,
	}
	avx512 = &isa{
		name:  "avx512",
		needs: []string{"AVX2", "FMA", "F16C", "AVX512F", "AVX512BW", "AVX512DQ", "AVX512VL"},
		have: avx2.have && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW &&
			cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL,
	}
	avx512vnni = &isa{
		name:  "avx512vnni",
		needs: []string{"AVX2", "FMA", "F16C", "AVX512F", "AVX512BW", "AVX512DQ", "AVX512VL", "AVX512VNNI", "AVX512VBMI"},
		have:  avx512.have && cpu.X86.HasAVX512VNNI && cpu.X86.HasAVX512VBMI,
	}
)

func archLevels() []*isa { return []*isa{avx2, avx512, avx512vnni} }

func addRows() {
	products["Q8_0"].quant.add(avx2, matvecQ8_0_avx2)
	products["Q4_0"].quant.add(avx2, matvecQ4_0_avx2)
	products["Q4_K"].quant.add(avx2, matvecQ4_K_avx2)
	products["Q6_K"].quant.add(avx2, matvecQ6_K_avx2)
}

//go:noescape
func matvecQ8_0_avx2(y []float32, w []byte, q []int8, d []float32, s []int16)

//go:noescape
func matvecQ4_0_avx2(y []float32, w []byte, q []int8, d []float32, s []int16)

//go:noescape
func matvecQ4_K_avx2(y []float32, w []byte, q []int8, d []float32, s []int16)

//go:noescape
func matvecQ6_K_avx2(y []float32, w []byte, q []int8, d []float32, s []int16)
