#include "textflag.h"

// Panels and packed activations of 8-bit numbers: see promptq8_gemm.go. All of
// it needs no more than AVX2.

#define TRANSPOSE_ARGUMENTS \
	MOVQ panel_base+0(FP), DI \
	MOVQ q_base+24(FP), SI    \
	MOVQ steps+48(FP), CX

#define INTERLEAVE_ARGUMENTS \
	MOVQ dst_base+0(FP), DI \
	MOVQ q_base+24(FP), SI  \
	MOVQ steps+48(FP), CX   \
	MOVQ step+56(FP), R9

// Panels. Rows are 512 bytes apart.
#define DEPTH 512

// ROWS8 loads 32 bytes of 8 rows and transposes numbers of 32 bits: Yi becomes
// number i of each row. It changes Y8-Y15.
#define ROWS8(disp) \
	VMOVUPS (disp+0*DEPTH)(SI), Y0   \
	VMOVUPS (disp+1*DEPTH)(SI), Y1   \
	VMOVUPS (disp+2*DEPTH)(SI), Y2   \
	VMOVUPS (disp+3*DEPTH)(SI), Y3   \
	VMOVUPS (disp+4*DEPTH)(SI), Y4   \
	VMOVUPS (disp+5*DEPTH)(SI), Y5   \
	VMOVUPS (disp+6*DEPTH)(SI), Y6   \
	VMOVUPS (disp+7*DEPTH)(SI), Y7   \
	PAIRS(Y0, Y1, Y8, Y9)            \
	PAIRS(Y2, Y3, Y10, Y11)          \
	PAIRS(Y4, Y5, Y12, Y13)          \
	PAIRS(Y6, Y7, Y14, Y15)          \
	QUADS(Y8, Y9, Y10, Y11, Y0, Y1, Y2, Y3) \
	QUADS(Y12, Y13, Y14, Y15, Y8, Y9, Y10, Y11) \
	HALVES(Y0, Y8, Y4)               \
	HALVES(Y1, Y9, Y5)               \
	HALVES(Y2, Y10, Y6)              \
	HALVES(Y3, Y11, Y7)

#define PAIRS(a, b, low, high) \
	VUNPCKLPS b, a, low \
	VUNPCKHPS b, a, high

#define QUADS(low, high, low2, high2, c0, c1, c2, c3) \
	VUNPCKLPD low2, low, c0   \
	VUNPCKHPD low2, low, c1   \
	VUNPCKLPD high2, high, c2 \
	VUNPCKHPD high2, high, c3

// HALVES makes a the lower halves of a and b, c the upper ones.
#define HALVES(a, b, c) \
	VPERM2F128 $0x31, b, a, c \
	VPERM2F128 $0x20, b, a, a

#define STORE4(disp, a, b, c, d) \
	VMOVDQU a, disp(DI)       \
	VMOVDQU b, (disp+64)(DI)  \
	VMOVDQU c, (disp+128)(DI) \
	VMOVDQU d, (disp+192)(DI)

// SUM4 makes a the sums of pairs of bytes, added up. Y15 is ones.
#define SUM4(a, b, c, d) \
	VPMADDUBSW a, Y15, a \
	VPMADDUBSW b, Y15, b \
	VPMADDUBSW c, Y15, c \
	VPMADDUBSW d, Y15, d \
	VPADDW     b, a, a   \
	VPADDW     d, c, c   \
	VPADDW     c, a, a

// EXCESS16 stores -128 times a, pairs of 16 bits; EXCESS32 the sums of the pairs.
#define EXCESS16(a, disp) \
	VPSLLW  $7, a, a      \
	VPXOR   Y14, Y14, Y14 \
	VPSUBW  a, Y14, a     \
	VMOVDQU a, disp(DI)

#define EXCESS32(a, disp) \
	VPBROADCASTD ones16<>(SB), Y14 \
	VPMADDWD Y14, a, a    \
	VPSLLD   $7, a, a     \
	VPXOR    Y14, Y14, Y14 \
	VPSUBD   a, Y14, a    \
	VMOVDQU  a, disp(DI)

#define TRANSPOSE32(EXCESS, disp, to) \
	ROWS8(disp)                     \
	VPBROADCASTD ones8<>(SB), Y15   \
	STORE4((to+128), Y0, Y1, Y2, Y3) \
	STORE4((to+384), Y4, Y5, Y6, Y7) \
	SUM4(Y0, Y1, Y2, Y3)            \
	SUM4(Y4, Y5, Y6, Y7)            \
	VPADDW Y4, Y0, Y0               \
	EXCESS(Y0, to)

#define TRANSPOSE16(EXCESS, disp, to) \
	ROWS8(disp)                     \
	VPBROADCASTD ones8<>(SB), Y15   \
	STORE4((to+128), Y0, Y1, Y2, Y3) \
	STORE4((to+512), Y4, Y5, Y6, Y7) \
	SUM4(Y0, Y1, Y2, Y3)            \
	SUM4(Y4, Y5, Y6, Y7)            \
	EXCESS(Y0, to)                \
	EXCESS(Y4, (to+384))

#define TRANSPOSE_NEXT(size) \
	ADDQ $32, SI   \
	ADDQ $size, DI \
	DECQ CX        \
	JNZ  step      \
	VZEROUPPER     \
	RET

// func transposeQ8x32_avx2(panel, q []byte, steps int)
TEXT ·transposeQ8x32_avx2(SB), NOSPLIT, $0-56
	TRANSPOSE_ARGUMENTS
step:
	TRANSPOSE32(EXCESS16, 0, 0)
	TRANSPOSE32(EXCESS16, 8*DEPTH, 32)
	TRANSPOSE_NEXT(640)

// func transposeQ8x16_avx2(panel, q []byte, steps int)
TEXT ·transposeQ8x16_avx2(SB), NOSPLIT, $0-56
	TRANSPOSE_ARGUMENTS
step:
	TRANSPOSE16(EXCESS16, 0, 0)
	TRANSPOSE16(EXCESS16, 8*DEPTH, 32)
	TRANSPOSE_NEXT(768)

// func transposeQ8x32_avx512vnni(panel, q []byte, steps int)
TEXT ·transposeQ8x32_avx512vnni(SB), NOSPLIT, $0-56
	TRANSPOSE_ARGUMENTS
step:
	TRANSPOSE32(EXCESS32, 0, 0)
	TRANSPOSE32(EXCESS32, 8*DEPTH, 32)
	TRANSPOSE_NEXT(640)

// func transposeQ8x16_avx512vnni(panel, q []byte, steps int)
TEXT ·transposeQ8x16_avx512vnni(SB), NOSPLIT, $0-56
	TRANSPOSE_ARGUMENTS
step:
	TRANSPOSE16(EXCESS32, 0, 0)
	TRANSPOSE16(EXCESS32, 8*DEPTH, 32)
	TRANSPOSE_NEXT(768)

// TO16 stores the four bytes of each row as two pairs of 16 bits.
#define TO16(a, disp) \
	VPSHUFB Y14, a, Y12         \
	VPSHUFB Y15, a, Y13         \
	VPSRAW  $8, Y12, Y12        \
	VPSRAW  $8, Y13, Y13        \
	VMOVDQU Y12, disp(DI)       \
	VMOVDQU Y13, (disp+64)(DI)

#define TRANSPOSE_WIDE(disp, to) \
	ROWS8(disp)                     \
	VMOVDQU firstPairs<>(SB), Y14   \
	VMOVDQU secondPairs<>(SB), Y15  \
	TO16(Y0, (to+64))               \
	TO16(Y1, (to+192))              \
	TO16(Y2, (to+320))              \
	TO16(Y3, (to+448))              \
	TO16(Y4, (to+576))              \
	TO16(Y5, (to+704))              \
	TO16(Y6, (to+832))              \
	TO16(Y7, (to+960))

// func transposeQ16_avx2(panel, q []byte, steps int)
TEXT ·transposeQ16_avx2(SB), NOSPLIT, $0-56
	TRANSPOSE_ARGUMENTS
step:
	TRANSPOSE_WIDE(0, 0)
	TRANSPOSE_WIDE(8*DEPTH, 32)
	TRANSPOSE_NEXT(1088)

// Activations: 16 bytes of four vectors, which are 256 bytes apart, to four of
// each in turn.
#define VECTORS4(disp) \
	VMOVUPS   disp(SI), X0       \
	VMOVUPS   (disp+256)(SI), X1 \
	VMOVUPS   (disp+512)(SI), X2 \
	VMOVUPS   (disp+768)(SI), X3 \
	VUNPCKLPS X1, X0, X4         \
	VUNPCKHPS X1, X0, X5         \
	VUNPCKLPS X3, X2, X6         \
	VUNPCKHPS X3, X2, X7         \
	VUNPCKLPD X6, X4, X0         \
	VUNPCKHPD X6, X4, X1         \
	VUNPCKLPD X7, X5, X2         \
	VUNPCKHPD X7, X5, X3

#define UNSIGNED(x, disp) \
	VPXOR   X15, x, x    \
	VMOVDQU x, disp(DI)

#define UNSIGNED16(disp) \
	VECTORS4(disp)            \
	UNSIGNED(X0, (4*disp+0))  \
	UNSIGNED(X1, (4*disp+16)) \
	UNSIGNED(X2, (4*disp+32)) \
	UNSIGNED(X3, (4*disp+48))

#define INTERLEAVE_NEXT \
	ADDQ $32, SI \
	ADDQ R9, DI  \
	DECQ CX      \
	JNZ  step    \
	VZEROUPPER   \
	RET

// func interleaveQ8_avx2(dst []byte, q []int8, steps, step int)
TEXT ·interleaveQ8_avx2(SB), NOSPLIT, $0-64
	INTERLEAVE_ARGUMENTS
	VPBROADCASTD signs8<>(SB), X15
step:
	UNSIGNED16(0)
	UNSIGNED16(16)
	INTERLEAVE_NEXT

#define WIDE16(disp) \
	VECTORS4(disp)                  \
	WIDE4(X0, (8*disp+0))           \
	WIDE4(X1, (8*disp+32))          \
	WIDE4(X2, (8*disp+64))          \
	WIDE4(X3, (8*disp+96))

#define WIDE4(x, disp) \
	VPSHUFB X14, x, X4        \
	VPSHUFB X15, x, X5        \
	VPSRAW  $8, X4, X4        \
	VPSRAW  $8, X5, X5        \
	VMOVDQU X4, disp(DI)      \
	VMOVDQU X5, (disp+16)(DI)

// func interleaveQ16_avx2(dst []byte, q []int8, steps, step int)
TEXT ·interleaveQ16_avx2(SB), NOSPLIT, $0-64
	INTERLEAVE_ARGUMENTS
	VMOVDQU firstPairs<>(SB), X14
	VMOVDQU secondPairs<>(SB), X15
step:
	WIDE16(0)
	WIDE16(16)
	INTERLEAVE_NEXT

// Constants. Those of 4 bytes are broadcast.

DATA ones8<>+0(SB)/4, $0x01010101
GLOBL ones8<>(SB), RODATA|NOPTR, $4

DATA ones16<>+0(SB)/4, $0x00010001
GLOBL ones16<>(SB), RODATA|NOPTR, $4

DATA signs8<>+0(SB)/4, $0x80808080
GLOBL signs8<>(SB), RODATA|NOPTR, $4

// The bytes 0 and 1, or 2 and 3, of each four, as upper halves of 16 bits.
DATA firstPairs<>+0(SB)/8, $0x0580048001800080
DATA firstPairs<>+8(SB)/8, $0x0D800C8009800880
DATA firstPairs<>+16(SB)/8, $0x0580048001800080
DATA firstPairs<>+24(SB)/8, $0x0D800C8009800880
GLOBL firstPairs<>(SB), RODATA|NOPTR, $32

DATA secondPairs<>+0(SB)/8, $0x0780068003800280
DATA secondPairs<>+8(SB)/8, $0x0F800E800B800A80
DATA secondPairs<>+16(SB)/8, $0x0780068003800280
DATA secondPairs<>+24(SB)/8, $0x0F800E800B800A80
GLOBL secondPairs<>(SB), RODATA|NOPTR, $32
