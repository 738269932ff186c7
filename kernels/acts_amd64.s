#include "textflag.h"

// Quantization of activations, for AVX2 and F16C.
//
// Magnitudes are compared as integers, which orders them and puts infinity and
// NaN above everything.

// LARGEST8 gives the largest of the 8 magnitudes in Y4 to AX and all lanes of
// X4. It changes X5.
#define LARGEST8 \
	VEXTRACTI128 $1, Y4, X5     \
	VPMAXUD      X5, X4, X4     \
	VPSHUFD      $0x4E, X4, X5  \
	VPMAXUD      X5, X4, X4     \
	VPSHUFD      $0xB1, X4, X5  \
	VPMAXUD      X5, X4, X4     \
	VMOVD        X4, AX

// ROUND32 multiplies Y0-Y3 with Y5, rounds to whole numbers and stores them as
// bytes at (DI). Y6 becomes the sums of Y0 and Y1, Y7 of Y2 and Y3, lane by
// lane. Packing works within halves, so its result has to be put in order.
#define ROUND32 \
	VMULPS    Y5, Y0, Y0    \
	VMULPS    Y5, Y1, Y1    \
	VMULPS    Y5, Y2, Y2    \
	VMULPS    Y5, Y3, Y3    \
	VCVTPS2DQ Y0, Y0        \
	VCVTPS2DQ Y1, Y1        \
	VCVTPS2DQ Y2, Y2        \
	VCVTPS2DQ Y3, Y3        \
	VPADDD    Y1, Y0, Y6    \
	VPADDD    Y3, Y2, Y7    \
	VPACKSSDW Y1, Y0, Y0    \
	VPACKSSDW Y3, Y2, Y2    \
	VPACKSSWB Y2, Y0, Y0    \
	VPERMD    Y0, Y14, Y0   \
	VMOVDQU   Y0, (DI)

// QUANTIZE32 is a quantizer for blocks of 32 values. ELEMENT stores an element of s
// at (BX), given the sum of q in X6 and the unrounded scale in X8.
#define QUANTIZE32(ELEMENT) \
	MOVQ         q_base+0(FP), DI       \
	MOVQ         d_base+24(FP), DX      \
	MOVQ         d_len+32(FP), CX       \
	MOVQ         s_base+48(FP), BX      \
	MOVQ         x_base+72(FP), SI      \
	VPBROADCASTD magnitude<>(SB), Y15   \
	VMOVDQU      unpack<>(SB), Y14      \
	VMOVSS       c127<>(SB), X13        \
block:                               \
	VMOVUPS (SI), Y0                    \
	VMOVUPS 32(SI), Y1                  \
	VMOVUPS 64(SI), Y2                  \
	VMOVUPS 96(SI), Y3                  \
	VPAND   Y15, Y0, Y4                 \
	VPAND   Y15, Y1, Y5                 \
	VPAND   Y15, Y2, Y6                 \
	VPAND   Y15, Y3, Y7                 \
	VPMAXUD Y5, Y4, Y4                  \
	VPMAXUD Y7, Y6, Y6                  \
	VPMAXUD Y6, Y4, Y4                  \
	LARGEST8                            \
	CMPL    AX, $0x7f800000             \
	JAE     notFinite                   \
	CMPL    AX, $0x04000000             \
	JB      zero                        \
	VDIVSS       X13, X4, X8            \
	VCVTPS2PH    $0, X8, X5             \
	VCVTPH2PS    X5, X5                 \
	VMOVSS       X5, (DX)               \
	VDIVSS       X4, X13, X5            \
	VBROADCASTSS X5, Y5                 \
	ROUND32                             \
	VPADDD       Y7, Y6, Y6             \
	VEXTRACTI128 $1, Y6, X7             \
	VPADDD       X7, X6, X6             \
	VPHADDD      X6, X6, X6             \
	VPHADDD      X6, X6, X6             \
	ELEMENT                             \
next:                                \
	ADDQ $128, SI                       \
	ADDQ $32, DI                        \
	ADDQ $4, DX                         \
	ADDQ $2, BX                         \
	DECQ CX                             \
	JNZ  block                          \
	VZEROUPPER                          \
	RET                                 \
notFinite:                           \
	MOVL $0x7fc00000, (DX)              \
	JMP  clear                          \
zero:                                \
	MOVL $0, (DX)                       \
clear:                               \
	VPXOR   Y0, Y0, Y0                  \
	VMOVDQU Y0, (DI)                    \
	MOVW    $0, (BX)                    \
	JMP     next

#define SUM \
	VMOVD X6, AX    \
	MOVW  AX, (BX)

#define SCALED_SUM \
	VCVTDQ2PS X6, X6      \
	VMULSS    X8, X6, X6  \
	VCVTPS2PH $0, X6, X6  \
	VPEXTRW   $0, X6, (BX)

// func quantizeQ8x32_avx2(q []int8, d []float32, s []int16, x []float32)
TEXT ·quantizeQ8x32_avx2(SB), NOSPLIT, $0-96
	QUANTIZE32(SUM)

// func quantizeQ8x32Sums_avx2(q []int8, d []float32, s []int16, x []float32)
TEXT ·quantizeQ8x32Sums_avx2(SB), NOSPLIT, $0-96
	QUANTIZE32(SCALED_SUM)

// func quantizeQ8x256_avx2(q []int8, d []float32, s []int16, x []float32)
TEXT ·quantizeQ8x256_avx2(SB), NOSPLIT, $0-96
	MOVQ         q_base+0(FP), DI
	MOVQ         d_base+24(FP), DX
	MOVQ         d_len+32(FP), CX
	MOVQ         s_base+48(FP), BX
	MOVQ         x_base+72(FP), SI
	VPBROADCASTD magnitude<>(SB), Y15
	VMOVDQU      unpack<>(SB), Y14
	VMOVSS       minus127<>(SB), X13
	VMOVSS       c1<>(SB), X12

block:
	VPAND 0(SI), Y15, Y4
	VPAND 32(SI), Y15, Y5
	MOVQ  $64, R9

largest:
	VPAND   (SI)(R9*1), Y15, Y6
	VPAND   32(SI)(R9*1), Y15, Y7
	VPMAXUD Y6, Y4, Y4
	VPMAXUD Y7, Y5, Y5
	ADDQ    $64, R9
	CMPQ    R9, $1024
	JB      largest
	VPMAXUD Y5, Y4, Y4
	LARGEST8
	CMPL    AX, $0x7f800000
	JAE     notFinite
	CMPL    AX, $0x04000000
	JB      zero

	// The sign is that of the first value with this magnitude.
	VPBROADCASTD X4, Y4
	MOVQ         $-32, R9

first:
	ADDQ      $32, R9
	VPAND     (SI)(R9*1), Y15, Y5
	VPCMPEQD  Y5, Y4, Y5
	VMOVMSKPS Y5, AX
	TESTL     AX, AX
	JZ        first
	BSFL      AX, AX
	LEAQ      (R9)(AX*4), R9

	VDIVSS       (SI)(R9*1), X13, X8
	VDIVSS       X8, X12, X5
	VMOVSS       X5, (DX)
	VBROADCASTSS X8, Y5
	MOVQ         $8, R9

round:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS 64(SI), Y2
	VMOVUPS 96(SI), Y3
	ROUND32

	// Sums of 16: pairs of lanes, of pairs, then the halves.
	VPHADDD      Y7, Y6, Y6
	VPHADDD      Y6, Y6, Y6
	VEXTRACTI128 $1, Y6, X7
	VPADDD       X7, X6, X6
	VPACKSSDW    X6, X6, X6
	VMOVD        X6, (BX)
	ADDQ         $128, SI
	ADDQ         $32, DI
	ADDQ         $4, BX
	DECQ         R9
	JNZ          round

next:
	ADDQ $4, DX
	DECQ CX
	JNZ  block
	VZEROUPPER
	RET

notFinite:
	MOVL $0x7fc00000, (DX)
	JMP  clear

zero:
	MOVL $0, (DX)

clear:
	VPXOR   Y0, Y0, Y0
	VMOVDQU Y0, (BX)
	MOVQ    $8, R9

clear32:
	VMOVDQU Y0, (DI)
	ADDQ    $32, DI
	DECQ    R9
	JNZ     clear32
	ADDQ    $1024, SI
	ADDQ    $32, BX
	JMP     next

// Constants. Those of 4 bytes are broadcast or used alone.

DATA magnitude<>+0(SB)/4, $0x7fffffff
GLOBL magnitude<>(SB), RODATA|NOPTR, $4

DATA c1<>+0(SB)/4, $0x3f800000
GLOBL c1<>(SB), RODATA|NOPTR, $4

DATA c127<>+0(SB)/4, $0x42fe0000
GLOBL c127<>(SB), RODATA|NOPTR, $4

DATA minus127<>+0(SB)/4, $0xc2fe0000
GLOBL minus127<>(SB), RODATA|NOPTR, $4

// unpack puts the groups of four bytes that packing left in order.
DATA unpack<>+0(SB)/8, $0x0000000400000000
DATA unpack<>+8(SB)/8, $0x0000000500000001
DATA unpack<>+16(SB)/8, $0x0000000600000002
DATA unpack<>+24(SB)/8, $0x0000000700000003
GLOBL unpack<>(SB), RODATA|NOPTR, $32
