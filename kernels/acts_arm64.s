#include "textflag.h"
#include "asm_arm64.h"

// Quantization of activations. The limits are those of acts.go.
#define INF_BITS 0x7f800000
#define TINY_BITS 0x04000000
#define NAN_BITS 0x7fc00000

// ROUND16 multiplies 16 floats in registers a-d (A-D) with V16 and rounds them to
// int16 in lo (the first 8) and hi.
#define ROUND16(a, b, c, d, A, B, C, D, lo, hi) \
	FMUL_S4(16, a, a)       \
	FMUL_S4(16, b, b)       \
	FMUL_S4(16, c, c)       \
	FMUL_S4(16, d, d)       \
	FCVTNS_S4(a, a)         \
	FCVTNS_S4(b, b)         \
	FCVTNS_S4(c, c)         \
	FCVTNS_S4(d, d)         \
	VUZP1 B.H8, A.H8, lo.H8 \
	VUZP1 D.H8, C.H8, hi.H8

// QUANTIZE32 is a quantizer for blocks of 32 values. ELEMENT makes V20.H[0] an
// element of s, given the sum of q in it and the unrounded scale in F24.
#define QUANTIZE32(ELEMENT) \
	MOVD  q_base+0(FP), R0             \
	MOVD  d_base+24(FP), R1            \
	MOVD  d_len+32(FP), R4             \
	MOVD  s_base+48(FP), R2            \
	MOVD  x_base+72(FP), R3            \
	MOVD  $0x7fffffff, R5              \
	VDUP  R5, V17.S4                   \
	MOVD  $0x42fe0000, R5              \ // 127
	FMOVS R5, F18                      \
	MOVD  $TINY_BITS, R6               \
	MOVD  $(INF_BITS-TINY_BITS), R7    \
block:                              \
	VLD1.P 64(R3), [V0.S4, V1.S4, V2.S4, V3.S4] \
	VLD1.P 64(R3), [V4.S4, V5.S4, V6.S4, V7.S4] \
	VAND  V17.B16, V0.B16, V20.B16     \ // the largest magnitude, compared as integers
	VAND  V17.B16, V1.B16, V21.B16     \
	VAND  V17.B16, V2.B16, V22.B16     \
	VAND  V17.B16, V3.B16, V23.B16     \
	VAND  V17.B16, V4.B16, V24.B16     \
	VAND  V17.B16, V5.B16, V25.B16     \
	VAND  V17.B16, V6.B16, V26.B16     \
	VAND  V17.B16, V7.B16, V27.B16     \
	VUMAX V20.S4, V21.S4, V20.S4       \
	VUMAX V22.S4, V23.S4, V22.S4       \
	VUMAX V24.S4, V25.S4, V24.S4       \
	VUMAX V26.S4, V27.S4, V26.S4       \
	VUMAX V20.S4, V22.S4, V20.S4       \
	VUMAX V24.S4, V26.S4, V24.S4       \
	VUMAX V20.S4, V24.S4, V20.S4       \
	UMAXV_S(20, 20)                    \
	FMOVS F20, R8                      \
	SUB   R6, R8, R9                   \
	CMPW  R7, R9                       \
	BHS   special                      \ // below TINY_BITS or from INF_BITS on
	FDIVS   F18, F20, F24              \ // amax/127
	FCVTSH  F24, F21                   \
	FCVTHS  F21, F21                   \
	FMOVS.P F21, 4(R1)                 \
	FDIVS   F20, F18, F16              \ // 127/amax
	VDUP    V16.S[0], V16.S4           \
	ROUND16(0, 1, 2, 3, V0, V1, V2, V3, V20, V21) \
	ROUND16(4, 5, 6, 7, V4, V5, V6, V7, V22, V23) \
	VUZP1  V21.B16, V20.B16, V0.B16    \
	VUZP1  V23.B16, V22.B16, V1.B16    \
	VST1.P [V0.B16, V1.B16], 32(R0)    \
	VADD   V20.H8, V21.H8, V20.H8      \
	VADD   V22.H8, V23.H8, V22.H8      \
	VADD   V20.H8, V22.H8, V20.H8      \
	VADDV  V20.H8, V20                 \
	ELEMENT                            \
	VST1.P V20.H[0], 2(R2)             \
	SUBS   $1, R4                      \
	BNE    block                       \
	RET                                \
special:                            \
	MOVD   $NAN_BITS, R9               \
	CMPW   R6, R8                      \
	CSEL   LO, ZR, R9, R9              \
	MOVW.P R9, 4(R1)                   \
	MOVI0(0)                           \
	MOVI0(1)                           \
	VST1.P [V0.B16, V1.B16], 32(R0)    \
	MOVH.P ZR, 2(R2)                   \
	SUBS   $1, R4                      \
	BNE    block                       \
	RET

#define SUM

#define SCALED_SUM \
	SSHLL_S4(0, 20, 20)  \
	SCVTF_S4(20, 20)     \
	FMULS  F24, F20, F20 \
	FCVTSH F20, F20

// func quantizeQ8x32_neon(q []int8, d []float32, s []int16, x []float32)
TEXT ·quantizeQ8x32_neon(SB), NOSPLIT, $0-96
	QUANTIZE32(SUM)

// func quantizeQ8x32Sums_neon(q []int8, d []float32, s []int16, x []float32)
TEXT ·quantizeQ8x32Sums_neon(SB), NOSPLIT, $0-96
	QUANTIZE32(SCALED_SUM)

// func quantizeQ8x256_neon(q []int8, d []float32, s []int16, x []float32)
TEXT ·quantizeQ8x256_neon(SB), NOSPLIT, $0-96
	MOVD  q_base+0(FP), R0
	MOVD  d_base+24(FP), R1
	MOVD  d_len+32(FP), R4
	MOVD  s_base+48(FP), R2
	MOVD  x_base+72(FP), R3
	MOVD  $0xc2fe0000, R5            // -127
	FMOVS R5, F18
	FMOVS $1.0, F19
	MOVD  $TINY_BITS, R6
	MOVD  $(INF_BITS-TINY_BITS), R7

block:
	// The largest and the smallest value; a NaN makes both NaN.
	MOVD   R3, R10
	MOVD   $15, R11
	VLD1.P 64(R10), [V0.S4, V1.S4, V2.S4, V3.S4]
	VMOV   V0.B16, V4.B16
	VMOV   V1.B16, V5.B16
	VMOV   V2.B16, V6.B16
	VMOV   V3.B16, V7.B16

extremes:
	VLD1.P 64(R10), [V20.S4, V21.S4, V22.S4, V23.S4]
	FMAX_S4(20, 0, 0)
	FMAX_S4(21, 1, 1)
	FMAX_S4(22, 2, 2)
	FMAX_S4(23, 3, 3)
	FMIN_S4(20, 4, 4)
	FMIN_S4(21, 5, 5)
	FMIN_S4(22, 6, 6)
	FMIN_S4(23, 7, 7)
	SUBS   $1, R11
	BNE    extremes
	FMAX_S4(1, 0, 0)
	FMAX_S4(3, 2, 2)
	FMAX_S4(2, 0, 0)
	FMIN_S4(5, 4, 4)
	FMIN_S4(7, 6, 6)
	FMIN_S4(6, 4, 4)
	FMAXV_S(0, 0)
	FMINV_S(4, 1)
	FMOVS  F0, R8
	FMOVS  F1, R9
	ANDW   $0x7fffffff, R8
	ANDW   $0x7fffffff, R9
	CMPW   R9, R8
	FCSELS HI, F0, F1, F0            // the value of largest magnitude
	CSEL   HI, R8, R9, R10           // its magnitude
	SUB    R6, R10, R11
	CMPW   R7, R11
	BHS    special                   // below TINY_BITS or from INF_BITS on
	CMPW   R9, R8
	BNE    found

	// The largest and the smallest have it: the first in the block counts.
	MOVD   R3, R10
first:
	FMOVS.P 4(R10), F0
	FMOVS  F0, R9
	ANDW   $0x7fffffff, R9
	CMPW   R9, R8
	BNE    first
found:
	FDIVS   F0, F18, F16             // -127/max
	FDIVS   F16, F19, F1
	FMOVS.P F1, 4(R1)
	VDUP    V16.S[0], V16.S4
	MOVD    $16, R11
values:
	VLD1.P 64(R3), [V0.S4, V1.S4, V2.S4, V3.S4]
	ROUND16(0, 1, 2, 3, V0, V1, V2, V3, V4, V5)
	VUZP1  V5.B16, V4.B16, V0.B16
	VST1.P [V0.B16], 16(R0)
	VADD   V4.H8, V5.H8, V4.H8
	VADDV  V4.H8, V4
	VST1.P V4.H[0], 2(R2)
	SUBS   $1, R11
	BNE    values
	SUBS   $1, R4
	BNE    block
	RET

special:
	MOVD   $NAN_BITS, R9
	CMPW   R6, R10
	CSEL   LO, ZR, R9, R9
	MOVW.P R9, 4(R1)
	MOVI0(0)
	MOVI0(1)
	MOVI0(2)
	MOVI0(3)
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0)
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0)
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0)
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0)
	VST1.P [V0.B16, V1.B16], 32(R2)
	ADD    $1024, R3
	SUBS   $1, R4
	BNE    block
	RET
