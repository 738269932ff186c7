#include "textflag.h"
#include "asm_arm64.h"

// Elementwise operations. Loops take 16 or 4 values at a time, then one. A load
// of one value clears the other lanes, so that the vector instructions of the
// loops serve for single values as well.

// func rmsNorm_neon(y, x, w []float32, eps float32)
TEXT ·rmsNorm_neon(SB), NOSPLIT, $0-76
	MOVD  y_base+0(FP), R0
	MOVD  x_base+24(FP), R1
	MOVD  x_len+32(FP), R4
	MOVD  w_base+48(FP), R2
	FMOVS eps+72(FP), F31

	// The sum of squares in float64, as the reference does it.
	MOVI0(16)
	MOVI0(17)
	MOVI0(18)
	MOVI0(19)
	MOVD R1, R8
	LSR  $3, R4, R9
	CBZ  R9, squaresTail
squares:
	VLD1.P 32(R8), [V0.S4, V1.S4]
	FCVTL_D2(0, 4)
	FCVTL2_D2(0, 5)
	FCVTL_D2(1, 6)
	FCVTL2_D2(1, 7)
	VFMLA  V4.D2, V4.D2, V16.D2
	VFMLA  V5.D2, V5.D2, V17.D2
	VFMLA  V6.D2, V6.D2, V18.D2
	VFMLA  V7.D2, V7.D2, V19.D2
	SUBS   $1, R9
	BNE    squares
squaresTail:
	ANDS $7, R4, R9
	BEQ  normalize
square:
	FMOVS.P 4(R8), F0
	FCVTL_D2(0, 4)
	VFMLA   V4.D2, V4.D2, V16.D2
	SUBS    $1, R9
	BNE     square

normalize:
	FADD_D2(17, 16, 16)
	FADD_D2(19, 18, 18)
	FADD_D2(18, 16, 16)
	FADDP_D(16, 16)
	SCVTFD R4, F17
	FDIVD  F17, F16, F16
	FCVTSD F31, F31
	FADDD  F31, F16, F16
	FSQRTD F16, F16
	FMOVD  $1.0, F17
	FDIVD  F16, F17, F16
	FCVTDS F16, F16
	VDUP   V16.S[0], V16.S4

	LSR  $3, R4, R9
	CBZ  R9, tail
eight:
	VLD1.P 32(R1), [V0.S4, V1.S4]
	VLD1.P 32(R2), [V2.S4, V3.S4]
	FMUL_S4(16, 0, 0)
	FMUL_S4(16, 1, 1)
	FMUL_S4(2, 0, 0)
	FMUL_S4(3, 1, 1)
	VST1.P [V0.S4, V1.S4], 32(R0)
	SUBS   $1, R9
	BNE    eight
tail:
	ANDS $7, R4, R9
	BEQ  done
one:
	FMOVS.P 4(R1), F0
	FMOVS.P 4(R2), F2
	FMULS   F16, F0, F0
	FMULS   F2, F0, F0
	FMOVS.P F0, 4(R0)
	SUBS    $1, R9
	BNE     one
done:
	RET

// func max_neon(x []float32) float32
TEXT ·max_neon(SB), NOSPLIT, $0-28
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R4
	MOVD $0xff800000, R5             // -Inf
	VDUP R5, V16.S4
	VDUP R5, V17.S4
	VDUP R5, V18.S4
	VDUP R5, V19.S4
	LSR  $4, R4, R9
	CBZ  R9, fold
sixteen:
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	FMAX_S4(0, 16, 16)
	FMAX_S4(1, 17, 17)
	FMAX_S4(2, 18, 18)
	FMAX_S4(3, 19, 19)
	SUBS   $1, R9
	BNE    sixteen
fold:
	FMAX_S4(17, 16, 16)
	FMAX_S4(19, 18, 18)
	FMAX_S4(18, 16, 16)
	FMAXV_S(16, 16)
	ANDS $15, R4, R9
	BEQ  done
one:
	FMOVS.P 4(R0), F0
	FMAXS   F0, F16, F16
	SUBS    $1, R9
	BNE     one
done:
	FMOVS F16, ret+24(FP)
	RET

// The exponential function. With n = round(x/ln 2) and r = x - n*ln 2, which is
// within ±0.347,
//
//	exp(x) = 2^n * exp(r),  exp(r) = 1 + r + r²*(c2 + c3*r + c4*r² + c5*r³ + c6*r⁴)
//
// The coefficients are those of the least relative error, 2^-28. 2^n is applied
// in two steps, since n may be outside the range of exponents. x is limited to
// where the result is 0 or infinite.

#define EXP_CONSTANTS \
	MOVD    $exp<>(SB), R19 \
	VLD4R.P 16(R19), [V16.S4, V17.S4, V18.S4, V19.S4] \
	VLD4R.P 16(R19), [V20.S4, V21.S4, V22.S4, V23.S4] \
	VLD3R   (R19), [V24.S4, V25.S4, V26.S4]

// EXP replaces V0 by exp(V0). It uses V1-V3.
#define EXP \
	FMAX_S4(24, 0, 0)               \
	FMIN_S4(25, 0, 0)               \
	FMUL_S4(16, 0, 1)               \
	FRINTN_S4(1, 1)                 \ // n
	VFMLS V17.S4, V1.S4, V0.S4      \
	VFMLS V18.S4, V1.S4, V0.S4      \ // r
	FCVTNS_S4(1, 1)                 \
	VMOV  V20.B16, V2.B16           \
	VFMLA V19.S4, V0.S4, V2.S4      \ // c5 + c6*r
	VMOV  V21.B16, V3.B16           \
	VFMLA V2.S4, V0.S4, V3.S4       \
	VMOV  V22.B16, V2.B16           \
	VFMLA V3.S4, V0.S4, V2.S4       \
	VMOV  V23.B16, V3.B16           \
	VFMLA V2.S4, V0.S4, V3.S4       \ // c2 + ...
	FMUL_S4(0, 0, 2)                \
	VFMLA V3.S4, V2.S4, V0.S4       \
	FADD_S4(26, 0, 0)               \ // exp(r)
	SSHR_S4(1, 1, 2)                \ // n/2
	VSUB  V2.S4, V1.S4, V1.S4       \ // the rest of n
	VSHL  $23, V2.S4, V2.S4         \
	VSHL  $23, V1.S4, V1.S4         \
	VADD  V2.S4, V0.S4, V0.S4       \ // n/2 added to the exponent
	VADD  V26.S4, V1.S4, V1.S4      \ // 2^rest
	FMUL_S4(1, 0, 0)

DATA exp<>+0(SB)/4, $0x3fb8aa3b          // V16 1/ln 2
DATA exp<>+4(SB)/4, $0x3f317200          // V17 ln 2, upper bits
DATA exp<>+8(SB)/4, $0x35bfbe8e          // V18 ln 2, the rest
DATA exp<>+12(SB)/4, $0x3ab511e8         // V19 c6
DATA exp<>+16(SB)/4, $0x3c091d10         // V20 c5
DATA exp<>+20(SB)/4, $0x3d2aac79         // V21 c4
DATA exp<>+24(SB)/4, $0x3e2aaa49         // V22 c3
DATA exp<>+28(SB)/4, $0x3efffffe         // V23 c2
DATA exp<>+32(SB)/4, $0xc2d00000         // V24 -104
DATA exp<>+36(SB)/4, $0x42b20000         // V25 89
DATA exp<>+40(SB)/4, $0x3f800000         // V26 1
GLOBL exp<>(SB), RODATA|NOPTR, $44

// func expSum_neon(x []float32, max float32) float32
TEXT ·expSum_neon(SB), NOSPLIT, $0-36
	MOVD  x_base+0(FP), R0
	MOVD  x_len+8(FP), R4
	FMOVS max+24(FP), F31
	VDUP  V31.S[0], V31.S4
	EXP_CONSTANTS
	MOVI0(28)
	MOVI0(29)
	LSR   $2, R4, R9
	CBZ   R9, tail
four:
	VLD1 (R0), [V0.S4]
	FSUB_S4(31, 0, 0)
	EXP
	VST1.P [V0.S4], 16(R0)
	FCVTL_D2(0, 4)
	FCVTL2_D2(0, 5)
	FADD_D2(4, 28, 28)
	FADD_D2(5, 29, 29)
	SUBS $1, R9
	BNE  four
tail:
	ANDS $3, R4, R9
	BEQ  sum
one:
	FMOVS (R0), F0
	FSUB_S4(31, 0, 0)
	EXP
	FMOVS.P F0, 4(R0)
	FCVTSD F0, F4
	FADD_D2(4, 28, 28)
	SUBS $1, R9
	BNE  one
sum:
	FADD_D2(29, 28, 28)
	FADDP_D(28, 28)
	FCVTDS F28, F28
	FMOVS  F28, ret+32(FP)
	RET

// SILU_MUL leaves V5/(1+exp(-V5)) * V6 in V5.
#define SILU_MUL \
	FNEG_S4(5, 0)           \
	EXP                     \
	FADD_S4(26, 0, 0)       \
	FDIV_S4(0, 5, 5)        \
	FMUL_S4(6, 5, 5)

// func siluMul_neon(y, gate, up []float32)
TEXT ·siluMul_neon(SB), NOSPLIT, $0-72
	MOVD y_base+0(FP), R0
	MOVD y_len+8(FP), R4
	MOVD gate_base+24(FP), R1
	MOVD up_base+48(FP), R2
	EXP_CONSTANTS
	LSR  $2, R4, R9
	CBZ  R9, tail
four:
	VLD1.P 16(R1), [V5.S4]
	VLD1.P 16(R2), [V6.S4]
	SILU_MUL
	VST1.P [V5.S4], 16(R0)
	SUBS   $1, R9
	BNE    four
tail:
	ANDS $3, R4, R9
	BEQ  done
one:
	FMOVS.P 4(R1), F5
	FMOVS.P 4(R2), F6
	SILU_MUL
	FMOVS.P F5, 4(R0)
	SUBS    $1, R9
	BNE     one
done:
	RET

// ROTATE turns the pairs V0, V1 by the angles with cosines V2 and sines V3 into
// V4, V5.
#define ROTATE \
	FMUL_S4(2, 0, 4)                \
	FMUL_S4(3, 0, 5)                \
	VFMLS V3.S4, V1.S4, V4.S4       \
	VFMLA V2.S4, V1.S4, V5.S4

// func rope_neon(x, cs []float32, headDim int)
TEXT ·rope_neon(SB), NOSPLIT, $0-56
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R1
	MOVD cs_base+24(FP), R2
	MOVD cs_len+32(FP), R4
	LSR  $1, R4, R4                  // pairs
	MOVD headDim+48(FP), R5
head:
	MOVD R0, R8
	MOVD R2, R9
	LSR  $2, R4, R10
	CBZ  R10, tail
four:
	VLD2   (R8), [V0.S4, V1.S4]
	VLD2.P 32(R9), [V2.S4, V3.S4]
	ROTATE
	VST2.P [V4.S4, V5.S4], 32(R8)
	SUBS   $1, R10
	BNE    four
tail:
	ANDS $3, R4, R10
	BEQ  next
one:
	FLDPS   (R8), (F0, F1)
	FLDPS.P 8(R9), (F2, F3)
	ROTATE
	FSTPS.P (F4, F5), 8(R8)
	SUBS    $1, R10
	BNE     one
next:
	ADD  R5<<2, R0
	SUBS R5, R1
	BNE  head
	RET

// func ropeNeoX_neon(x, cs []float32, headDim int)
TEXT ·ropeNeoX_neon(SB), NOSPLIT, $0-56
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R1
	MOVD cs_base+24(FP), R2
	MOVD cs_len+32(FP), R4
	LSR  $1, R4, R4                  // pairs
	MOVD headDim+48(FP), R5
head:
	MOVD R0, R8
	ADD  R4<<2, R0, R11
	MOVD R2, R9
	LSR  $2, R4, R10
	CBZ  R10, tail
four:
	VLD1   (R8), [V0.S4]
	VLD1   (R11), [V1.S4]
	VLD2.P 32(R9), [V2.S4, V3.S4]
	ROTATE
	VST1.P [V4.S4], 16(R8)
	VST1.P [V5.S4], 16(R11)
	SUBS   $1, R10
	BNE    four
tail:
	ANDS $3, R4, R10
	BEQ  next
one:
	FMOVS   (R8), F0
	FMOVS   (R11), F1
	FLDPS.P 8(R9), (F2, F3)
	ROTATE
	FMOVS.P F4, 4(R8)
	FMOVS.P F5, 4(R11)
	SUBS    $1, R10
	BNE     one
next:
	ADD  R5<<2, R0
	SUBS R5, R1
	BNE  head
	RET

// func add_neon(y, x []float32)
TEXT ·add_neon(SB), NOSPLIT, $0-48
	MOVD y_base+0(FP), R0
	MOVD y_len+8(FP), R4
	MOVD x_base+24(FP), R1
	LSR  $4, R4, R9
	CBZ  R9, tail
sixteen:
	VLD1   (R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R1), [V4.S4, V5.S4, V6.S4, V7.S4]
	FADD_S4(4, 0, 0)
	FADD_S4(5, 1, 1)
	FADD_S4(6, 2, 2)
	FADD_S4(7, 3, 3)
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	SUBS   $1, R9
	BNE    sixteen
tail:
	ANDS $15, R4, R9
	BEQ  done
one:
	FMOVS   (R0), F0
	FMOVS.P 4(R1), F4
	FADDS   F4, F0, F0
	FMOVS.P F0, 4(R0)
	SUBS    $1, R9
	BNE     one
done:
	RET

// func scale_neon(y []float32, a float32)
TEXT ·scale_neon(SB), NOSPLIT, $0-28
	MOVD  y_base+0(FP), R0
	MOVD  y_len+8(FP), R4
	FMOVS a+24(FP), F16
	VDUP  V16.S[0], V16.S4
	LSR   $4, R4, R9
	CBZ   R9, tail
sixteen:
	VLD1   (R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	FMUL_S4(16, 0, 0)
	FMUL_S4(16, 1, 1)
	FMUL_S4(16, 2, 2)
	FMUL_S4(16, 3, 3)
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	SUBS   $1, R9
	BNE    sixteen
tail:
	ANDS $15, R4, R9
	BEQ  done
one:
	FMOVS   (R0), F0
	FMULS   F16, F0, F0
	FMOVS.P F0, 4(R0)
	SUBS    $1, R9
	BNE     one
done:
	RET

// func toF16_neon(dst []uint16, src []float32)
TEXT ·toF16_neon(SB), NOSPLIT, $0-48
	MOVD dst_base+0(FP), R0
	MOVD src_base+24(FP), R1
	MOVD src_len+32(FP), R4
	LSR  $4, R4, R9
	CBZ  R9, tail
sixteen:
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	FCVTN_H4(0, 4)
	FCVTN_H4(2, 5)
	FCVTN2_H8(1, 4)
	FCVTN2_H8(3, 5)
	VST1.P [V4.H8, V5.H8], 32(R0)
	SUBS   $1, R9
	BNE    sixteen
tail:
	ANDS $15, R4, R9
	BEQ  done
one:
	FMOVS.P 4(R1), F0
	FCVTSH  F0, F0
	VST1.P  V0.H[0], 2(R0)
	SUBS    $1, R9
	BNE     one
done:
	RET

// func fromF16_neon(dst []float32, src []uint16)
TEXT ·fromF16_neon(SB), NOSPLIT, $0-48
	MOVD dst_base+0(FP), R0
	MOVD src_base+24(FP), R1
	MOVD src_len+32(FP), R4
	LSR  $4, R4, R9
	CBZ  R9, tail
sixteen:
	VLD1.P 32(R1), [V4.H8, V5.H8]
	FCVTL_S4(4, 0)
	FCVTL2_S4(4, 1)
	FCVTL_S4(5, 2)
	FCVTL2_S4(5, 3)
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	SUBS   $1, R9
	BNE    sixteen
tail:
	ANDS $15, R4, R9
	BEQ  done
one:
	VLD1R.P 2(R1), [V4.H4]
	FCVTHS  F4, F0
	FMOVS.P F0, 4(R0)
	SUBS    $1, R9
	BNE     one
done:
	RET
