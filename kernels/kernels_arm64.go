package kernels

import "golang.org/x/sys/cpu"

// The levels of arm64. NEON, conversions to and from binary16 included, is part
// of every arm64 processor that Go runs on. The dot product of bytes came with
// Armv8.2 and the matrix product of bytes with Armv8.6.
var (
	neon    = &isa{name: "neon", needs: []string{"ASIMD"}, have: true}
	dotprod = &isa{name: "dotprod", needs: []string{"ASIMD", "DotProd"}, have: cpu.ARM64.HasASIMDDP}
	i8mm    = &isa{
		name:  "i8mm",
		needs: []string{"ASIMD", "DotProd", "I8MM"},
		have:  cpu.ARM64.HasASIMDDP && cpu.ARM64.HasI8MM,
	}
)

func archLevels() []*isa { return []*isa{neon, dotprod, i8mm} }

func addRows() {
	quantizeQ8x32.add(neon, quantizeQ8x32_neon)
	quantizeQ8x32Sums.add(neon, quantizeQ8x32Sums_neon)
	quantizeQ8x256.add(neon, quantizeQ8x256_neon)

	addMatVecRows()

	rmsNorm.add(neon, rmsNorm_neon)
	maximum.add(neon, max_neon)
	expSum.add(neon, expSum_neon)
	siluMul.add(neon, siluMul_neon)
	rope.add(neon, rope_neon)
	ropeNeoX.add(neon, ropeNeoX_neon)
	add.add(neon, add_neon)
	scale.add(neon, scale_neon)
	toF16.add(neon, toF16_neon)
	fromF16.add(neon, fromF16_neon)

	addAttentionRows()
	addKVQ4Rows()
	addGEMMRows()
	addSDRRows()
}

// acts_arm64.s

//go:noescape
func quantizeQ8x32_neon(q []int8, d []float32, s []int16, x []float32)

//go:noescape
func quantizeQ8x32Sums_neon(q []int8, d []float32, s []int16, x []float32)

//go:noescape
func quantizeQ8x256_neon(q []int8, d []float32, s []int16, x []float32)

// float_arm64.s

//go:noescape
func rmsNorm_neon(y, x, w []float32, eps float32)

//go:noescape
func max_neon(x []float32) float32

//go:noescape
func expSum_neon(x []float32, max float32) float32

//go:noescape
func siluMul_neon(y, gate, up []float32)

//go:noescape
func rope_neon(x, cs []float32, headDim int)

//go:noescape
func ropeNeoX_neon(x, cs []float32, headDim int)

//go:noescape
func add_neon(y, x []float32)

//go:noescape
func scale_neon(y []float32, a float32)

//go:noescape
func toF16_neon(dst []uint16, src []float32)

//go:noescape
func fromF16_neon(dst []float32, src []uint16)
