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
		needs: []string{"AVX2", "FMA", "F16C", "AVX512F", "AVX512BW", "AVX512DQ", "AVX512VL", "AVX512VNNI"},
		have:  avx512.have && cpu.X86.HasAVX512VNNI,
	}
)

func archLevels() []*isa { return []*isa{avx2, avx512, avx512vnni, amx} }

func addRows() {
	quantizeQ8x32.add(avx2, quantizeQ8x32_avx2)
	quantizeQ8x32Sums.add(avx2, quantizeQ8x32Sums_avx2)
	quantizeQ8x256.add(avx2, quantizeQ8x256_avx2)
	rmsNorm.add(avx2, rmsNorm_avx2)
	maximum.add(avx2, max_avx2)
	expSum.add(avx2, expSum_avx2)
	siluMul.add(avx2, siluMul_avx2)
	rope.add(avx2, rope_avx2)
	ropeNeoX.add(avx2, ropeNeoX_avx2)
	add.add(avx2, add_avx2)
	addInts.add(avx2, addInts_avx2)
	scale.add(avx2, scale_avx2)
	toF16.add(avx2, toF16_avx2)
	fromF16.add(avx2, fromF16_avx2)
	addMatVecRows()
	addAttentionRows()
	addKVQ4Rows()
	addGEMMRows()
	addSDRRows()
	addSelectRows()
}

//go:noescape
func quantizeQ8x32_avx2(q []int8, d []float32, s []int16, x []float32)

//go:noescape
func quantizeQ8x32Sums_avx2(q []int8, d []float32, s []int16, x []float32)

//go:noescape
func quantizeQ8x256_avx2(q []int8, d []float32, s []int16, x []float32)

//go:noescape
func rmsNorm_avx2(y, x, w []float32, eps float32)

//go:noescape
func max_avx2(x []float32) float32

//go:noescape
func expSum_avx2(x []float32, max float32) float32

//go:noescape
func siluMul_avx2(y, gate, up []float32)

//go:noescape
func rope_avx2(x, cs []float32, headDim int)

//go:noescape
func ropeNeoX_avx2(x, cs []float32, headDim int)

//go:noescape
func add_avx2(y, x []float32)

//go:noescape
func addInts_avx2(y, x []int32)

//go:noescape
func scale_avx2(y []float32, a float32)

//go:noescape
func toF16_avx2(dst []uint16, src []float32)

//go:noescape
func fromF16_avx2(dst []float32, src []uint16)
