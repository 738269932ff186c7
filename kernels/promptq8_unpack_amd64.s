#include "textflag.h"

// Rows of panels, for the types that matter most: the numbers of a row, and its
// scales and minimums where they belong in the panel (see promptq8_gemm.go). It
// needs no more than AVX2.
//
// Registers:
//	DI scales of the row in the panel   R8 minimums   R9 numbers
//	SI block of weights                 R10 blocks left
//	R11 bytes per group of the panel    R12 whole
#define ARGUMENTS \
	MOVQ    panel_base+0(FP), DI \
	MOVQ    mins_base+24(FP), R8 \
	MOVQ    q_base+48(FP), R9    \
	MOVQ    w_base+72(FP), SI    \
	MOVQ    blocks+96(FP), R10   \
	MOVQ    groupBytes+104(FP), R11 \
	MOVBLZX whole+112(FP), R12

// NIBBLES writes the low halves of x to a, the high ones to b. Y15 or X15 holds
// nibbles.
#define NIBBLES(x, fifteens, a, b) \
	VPSRLW $4, x, b        \
	VPAND  fifteens, x, a  \
	VPAND  fifteens, b, b

// func putRowQ4_0_avx2(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)
TEXT ·putRowQ4_0_avx2(SB), NOSPLIT, $0-113
	ARGUMENTS
	VPBROADCASTD nibbles<>(SB), X15
	VPBROADCASTD eights<>(SB), X14
block:
	VCVTPH2PS (SI), X0
	VMOVDQU   2(SI), X1
	NIBBLES(X1, X15, X2, X3)
	VPSUBB    X14, X2, X2
	VPSUBB    X14, X3, X3
	VMOVSS    X0, (DI)
	VMOVDQU   X2, (R9)
	VMOVDQU   X3, 16(R9)
	ADDQ $18, SI
	ADDQ $32, R9
	ADDQ R11, DI
	DECQ R10
	JNZ  block
	VZEROUPPER
	RET

// func putRowQ8_0_avx2(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)
TEXT ·putRowQ8_0_avx2(SB), NOSPLIT, $0-113
	ARGUMENTS
block:
	VCVTPH2PS (SI), X0
	VMOVDQU   2(SI), Y1
	VMOVSS    X0, (DI)
	VMOVDQU   Y1, (R9)
	ADDQ $34, SI
	ADDQ $32, R9
	ADDQ R11, DI
	DECQ R10
	JNZ  block
	VZEROUPPER
	RET

// SCATTER4 stores the four numbers of x.
#define SCATTER4(x, at, i, step) \
	VMOVD   x, (i*step)(at)       \
	VPEXTRD $1, x, ((i+1)*step)(at) \
	VPEXTRD $2, x, ((i+2)*step)(at) \
	VPEXTRD $3, x, ((i+3)*step)(at)

// GROUP2 writes the numbers of groups g and g+1.
#define GROUP2(g) \
	VMOVDQU (16+16*g)(SI), Y1  \
	NIBBLES(Y1, Y15, Y2, Y3)   \
	VMOVDQU Y2, (32*g)(R9)     \
	VMOVDQU Y3, (32*g+32)(R9)

// SCALES45 writes the scales and the minimums of a block of Q4_K or Q5_K, see
// scaleMin4: X0 becomes the eight scales, X1 the minimums. Numbers are OFFSET
// less than those of the type, which the minimums make up for. It changes
// Y0-Y7.
#define SCALES45(OFFSET) \
	MOVL    4(SI), AX \
	MOVL    8(SI), BX \
	MOVL    12(SI), CX \
	MOVL    AX, DX \
	ANDL    $0x3f3f3f3f, DX \
	VMOVD   DX, X0 \
	MOVL    BX, DX \
	ANDL    $0x3f3f3f3f, DX \
	VMOVD   DX, X1 \
	SHRL    $2, AX \
	ANDL    $0x30303030, AX \
	MOVL    CX, DX \
	ANDL    $0x0f0f0f0f, DX \
	ORL     DX, AX \
	VPINSRD $1, AX, X0, X0 \
	SHRL    $2, BX \
	ANDL    $0x30303030, BX \
	SHRL    $4, CX \
	ANDL    $0x0f0f0f0f, CX \
	ORL     CX, BX \
	VPINSRD $1, BX, X1, X1 \
	VCVTPH2PS    (SI), X4 \
	VMOVSHDUP    X4, X5 \
	VBROADCASTSS X5, Y5 \
	VPMOVZXBD    X1, Y1 \
	VCVTDQ2PS    Y1, Y1 \
	VMULPS       Y5, Y1, Y1 \
	VSUBPS       Y1, Y14, Y1 \
	VBROADCASTSS X4, Y6 \
	VPMOVZXBD    X0, Y7 \
	VCVTDQ2PS    Y7, Y7 \
	OFFSET \
	VEXTRACTF128 $1, Y1, X5 \
	SCATTER4(X1, R8, 0, 64) \
	SCATTER4(X5, R8, 4, 64) \
	TESTL        R12, R12 \
	JZ           float \
	VMOVSS       X4, (8*640-64)(DI) \
	VPMOVZXBW    X0, X0 \
	VPUNPCKHWD   X0, X0, X5 \
	VPUNPCKLWD   X0, X0, X0 \
	SCATTER4(X0, DI, 0, 640) \
	SCATTER4(X5, DI, 4, 640) \
	ADDQ         $64, DI \
	JMP          numbers \
float: \
	VMULPS       Y6, Y7, Y0 \
	VEXTRACTF128 $1, Y0, X5 \
	SCATTER4(X0, DI, 0, 640) \
	SCATTER4(X5, DI, 4, 640) \
numbers:

// NEXT45 moves on by a block of so many bytes.
#define NEXT45(bytes) \
	ADDQ $bytes, SI   \
	ADDQ $256, R9     \
	ADDQ $(8*640), DI \
	ADDQ $512, R8     \
	DECQ R10          \
	JNZ  block        \
	VZEROUPPER        \
	RET

#define NO_OFFSET

// func putRowQ4_K_avx2(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)
TEXT ·putRowQ4_K_avx2(SB), NOSPLIT, $0-113
	ARGUMENTS
	VPBROADCASTD nibbles<>(SB), Y15
	VPXOR        Y14, Y14, Y14
block:
	SCALES45(NO_OFFSET)
	GROUP2(0)
	GROUP2(2)
	GROUP2(4)
	GROUP2(6)
	NEXT45(144)

// OFFSET16 adds 16 times the scales to the minimums in Y1.
#define OFFSET16 \
	VMULPS       Y11, Y7, Y2 \
	VFMADD231PS  Y6, Y2, Y1

// FIFTH adds bit g of each byte of Y10 to the numbers in v, less 16.
#define FIFTH(g, v, disp) \
	VPSRLW  $g, Y10, Y4  \
	VPAND   Y13, Y4, Y4  \
	VPSLLW  $4, Y4, Y4   \
	VPOR    Y4, v, v     \
	VPSUBB  Y12, v, v    \
	VMOVDQU v, disp(R9)

#define GROUP2_FIFTH(g) \
	VMOVDQU (48+16*g)(SI), Y1  \
	NIBBLES(Y1, Y15, Y2, Y3)   \
	FIFTH(g, Y2, (32*g))       \
	FIFTH((g+1), Y3, (32*g+32))

// func putRowQ5_K_avx2(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)
TEXT ·putRowQ5_K_avx2(SB), NOSPLIT, $0-113
	ARGUMENTS
	VPBROADCASTD nibbles<>(SB), Y15
	VPXOR        Y14, Y14, Y14
	VPBROADCASTD ones<>(SB), Y13
	VPBROADCASTD sixteens<>(SB), Y12
	VBROADCASTSS float16<>(SB), Y11
block:
	SCALES45(OFFSET16)
	VMOVDQU 16(SI), Y10
	GROUP2_FIFTH(0)
	GROUP2_FIFTH(2)
	GROUP2_FIFTH(4)
	GROUP2_FIFTH(6)
	NEXT45(176)

// SIX writes 32 numbers of which v has the low four bits and y the other two,
// among others.
#define SIX(v, y, disp) \
	VPAND   Y13, y, y  \
	VPOR    y, v, v    \
	VPSUBB  Y12, v, v  \
	VMOVDQU v, disp(R9)

// RUNS4 writes a half of a block: see dotQ6_K.
#define RUNS4(low, high, disp) \
	VMOVDQU low(SI), Y0       \
	VMOVDQU (low+32)(SI), Y1  \
	VMOVDQU high(SI), Y2      \
	NIBBLES(Y0, Y15, Y3, Y4)  \
	NIBBLES(Y1, Y15, Y5, Y6)  \
	VPSLLW $4, Y2, Y7         \
	VPSLLW $2, Y2, Y8         \
	VPSRLW $2, Y2, Y9         \
	SIX(Y3, Y7, disp)         \
	SIX(Y5, Y8, (disp+32))    \
	SIX(Y4, Y2, (disp+64))    \
	SIX(Y6, Y9, (disp+96))

// func putRowQ6_K_avx2(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)
TEXT ·putRowQ6_K_avx2(SB), NOSPLIT, $0-113
	ARGUMENTS
	VPBROADCASTD nibbles<>(SB), Y15
	VPBROADCASTD twos<>(SB), Y13
	VPBROADCASTD thirtyTwos<>(SB), Y12
block:
	RUNS4(0, 128, 0)
	RUNS4(64, 160, 128)
	VPBROADCASTW 208(SI), X4
	VCVTPH2PS    X4, Y4
	TESTL        R12, R12
	JZ           float
	VMOVSS       X4, (16*384-64)(DI)
	VPMOVSXBW    192(SI), Y0
	VPUNPCKHWD   Y0, Y0, Y1
	VPUNPCKLWD   Y0, Y0, Y0
	VEXTRACTI128 $1, Y0, X2
	VEXTRACTI128 $1, Y1, X3
	SCATTER4(X0, DI, 0, 384)
	SCATTER4(X1, DI, 4, 384)
	SCATTER4(X2, DI, 8, 384)
	SCATTER4(X3, DI, 12, 384)
	ADDQ         $64, DI
	JMP          next
float:
	VPMOVSXBD    192(SI), Y0
	VPMOVSXBD    200(SI), Y2
	VCVTDQ2PS    Y0, Y0
	VCVTDQ2PS    Y2, Y2
	VMULPS       Y4, Y0, Y0
	VMULPS       Y4, Y2, Y2
	VEXTRACTF128 $1, Y0, X1
	VEXTRACTF128 $1, Y2, X3
	SCATTER4(X0, DI, 0, 384)
	SCATTER4(X1, DI, 4, 384)
	SCATTER4(X2, DI, 8, 384)
	SCATTER4(X3, DI, 12, 384)
next:
	ADDQ $210, SI
	ADDQ $256, R9
	ADDQ $(16*384), DI
	DECQ R10
	JNZ  block
	VZEROUPPER
	RET

// func levelsQ8_avx2(q, w []byte, levels *[16]int8)
TEXT ·levelsQ8_avx2(SB), NOSPLIT, $0-56
	MOVQ q_base+0(FP), DI
	MOVQ w_base+24(FP), SI
	MOVQ levels+48(FP), AX
	VPBROADCASTD nibbles<>(SB), X15
	VMOVDQU (AX), X0
	VMOVDQU (SI), X1
	NIBBLES(X1, X15, X2, X3)
	VPSHUFB X2, X0, X2
	VPSHUFB X3, X0, X3
	VMOVDQU X2, (DI)
	VMOVDQU X3, 16(DI)
	VZEROUPPER
	RET

// Constants, broadcast.

DATA ones<>+0(SB)/4, $0x01010101
GLOBL ones<>(SB), RODATA|NOPTR, $4

DATA sixteens<>+0(SB)/4, $0x10101010
GLOBL sixteens<>(SB), RODATA|NOPTR, $4

DATA float16<>+0(SB)/4, $0x41800000
GLOBL float16<>(SB), RODATA|NOPTR, $4

DATA nibbles<>+0(SB)/4, $0x0f0f0f0f
GLOBL nibbles<>(SB), RODATA|NOPTR, $4

DATA eights<>+0(SB)/4, $0x08080808
GLOBL eights<>(SB), RODATA|NOPTR, $4

DATA twos<>+0(SB)/4, $0x30303030
GLOBL twos<>(SB), RODATA|NOPTR, $4

DATA thirtyTwos<>+0(SB)/4, $0x20202020
GLOBL thirtyTwos<>(SB), RODATA|NOPTR, $4
