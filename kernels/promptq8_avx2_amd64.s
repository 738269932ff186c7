#include "textflag.h"

// Products of 8-bit numbers for AVX2: see promptq8_amd64.go.
//
// Registers of the dot functions:
//	DI sums of 4 vectors    SI panel    DX packed, 4 vectors
//	R8 groups left          R9 bytes per step of packed   R10 steps
//	AX panel, BX packed, next group     CX steps left
// Y0-Y7 are sums of vector t and rows 8*r.. in Y(2*t+r); Y8 and Y9 are weights, Y10
// an activation for all rows, Y11 and Y12 products.
#define ARGUMENTS \
	MOVQ sums_base+0(FP), DI    \
	MOVQ panel_base+24(FP), SI  \
	MOVQ packed_base+48(FP), DX \
	MOVQ step+72(FP), R9        \
	MOVQ groups+80(FP), R8      \
	MOVQ steps+88(FP), R10

#define TRANSPOSE_ARGUMENTS \
	MOVQ panel_base+0(FP), DI \
	MOVQ q_base+24(FP), SI    \
	MOVQ steps+48(FP), CX

#define INTERLEAVE_ARGUMENTS \
	MOVQ dst_base+0(FP), DI \
	MOVQ q_base+24(FP), SI  \
	MOVQ steps+48(FP), CX   \
	MOVQ step+56(FP), R9

#define WEIGHTS(disp) \
	VMOVDQU disp(AX), Y8    \
	VMOVDQU (disp+32)(AX), Y9

// FIRST starts the sums of a group with what the unsigned activations add too
// much; NEXT adds to them.
#define FIRST(disp, s0, s1) \
	VPBROADCASTD disp(BX), Y10  \
	VPMADDUBSW   Y8, Y10, s0    \
	VPMADDUBSW   Y9, Y10, s1    \
	VPADDW       (AX), s0, s0   \
	VPADDW       32(AX), s1, s1

#define NEXT(disp, s0, s1) \
	VPBROADCASTD disp(BX), Y10  \
	VPMADDUBSW   Y8, Y10, Y11   \
	VPMADDUBSW   Y9, Y10, Y12   \
	VPADDW       Y11, s0, s0    \
	VPADDW       Y12, s1, s1

#define FOUR(M, w, x) \
	WEIGHTS(w)         \
	M(x, Y0, Y1)       \
	M((x+4), Y2, Y3)   \
	M((x+8), Y4, Y5)   \
	M((x+12), Y6, Y7)

// SCALED adds the sums s0 and s1, which have 32 bits, of one vector, times the
// scales in Y13 and Y14 and that of the vector at d(BX).
#define SCALED(d, sum, s0, s1) \
	VBROADCASTSS d(BX), Y10            \
	VMULPS       Y13, Y10, Y11         \
	VMULPS       Y14, Y10, Y12         \
	VCVTDQ2PS    s0, s0                \
	VCVTDQ2PS    s1, s1                \
	VFMADD213PS  sum(DI), Y11, s0      \
	VFMADD213PS  (sum+32)(DI), Y12, s1 \
	VMOVUPS      s0, sum(DI)           \
	VMOVUPS      s1, (sum+32)(DI)

#define SCALED4(d) \
	SCALED(d, 0, Y0, Y1)      \
	SCALED((d+4), 64, Y2, Y3) \
	SCALED((d+8), 128, Y4, Y5) \
	SCALED((d+12), 192, Y6, Y7)

// WIDEN adds pairs of 16-bit numbers times Y(w0) and Y(w1).
#define WIDEN(w0, w1) \
	VPMADDWD w0, Y0, Y0 \
	VPMADDWD w1, Y1, Y1 \
	VPMADDWD w0, Y2, Y2 \
	VPMADDWD w1, Y3, Y3 \
	VPMADDWD w0, Y4, Y4 \
	VPMADDWD w1, Y5, Y5 \
	VPMADDWD w0, Y6, Y6 \
	VPMADDWD w1, Y7, Y7

#define GROUP32(x) \
	FOUR(FIRST, 128, x)       \
	FOUR(NEXT, 192, (x+16))   \
	FOUR(NEXT, 256, (x+32))   \
	FOUR(NEXT, 320, (x+48))   \
	FOUR(NEXT, 384, (x+64))   \
	FOUR(NEXT, 448, (x+80))   \
	FOUR(NEXT, 512, (x+96))   \
	FOUR(NEXT, 576, (x+112))

#define GROUP16(x) \
	FOUR(FIRST, 128, x)       \
	FOUR(NEXT, 192, (x+16))   \
	FOUR(NEXT, 256, (x+32))   \
	FOUR(NEXT, 320, (x+48))

// NEXT_GROUP moves on to the next four vectors: BX is at their end.
#define NEXT_GROUP \
	MOVQ BX, DX   \
	ADDQ $256, DI \
	DECQ R8       \
	JNZ  group    \
	VZEROUPPER    \
	RET

// func dotQ8x32_avx2(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x32_avx2(SB), NOSPLIT, $0-96
	ARGUMENTS
	VPBROADCASTD ones16<>(SB), Y15
group:
	MOVQ SI, AX
	MOVQ DX, BX
	MOVQ R10, CX
step:
	GROUP32(0)
	WIDEN(Y15, Y15)
	VMOVUPS 64(AX), Y13
	VMOVUPS 96(AX), Y14
	SCALED4(128)
	ADDQ $640, AX
	ADDQ R9, BX
	DECQ CX
	JNZ  step
	NEXT_GROUP

// In the layout Q8x256 the sums of groups, times their whole scales, are added
// up in 32 bits, in the 256 bytes before the panel.
#define INTS_ZERO \
	VPXOR   Y0, Y0, Y0       \
	VMOVDQU Y0, -256(SI)     \
	VMOVDQU Y0, -224(SI)     \
	VMOVDQU Y0, -192(SI)     \
	VMOVDQU Y0, -160(SI)     \
	VMOVDQU Y0, -128(SI)     \
	VMOVDQU Y0, -96(SI)      \
	VMOVDQU Y0, -64(SI)      \
	VMOVDQU Y0, -32(SI)

#define INT(at, s) \
	VPADDD  at(SI), s, s \
	VMOVDQU s, at(SI)

#define INTS_ADD \
	VMOVDQU 64(AX), Y13 \
	VMOVDQU 96(AX), Y14 \
	WIDEN(Y13, Y14)   \
	INT(-256, Y0)     \
	INT(-224, Y1)     \
	INT(-192, Y2)     \
	INT(-160, Y3)     \
	INT(-128, Y4)     \
	INT(-96, Y5)      \
	INT(-64, Y6)      \
	INT(-32, Y7)

// The last additions are in Y0-Y7.
#define BLOCKS256(STEP) \
group:                              \
	MOVQ SI, AX                 \
	MOVQ DX, BX                 \
	MOVQ R10, CX                \
block:                              \
	INTS_ZERO                   \
	MOVQ $8, R12                \
step:                               \
	STEP                        \
	ADDQ R9, BX                 \
	DECQ R12                    \
	JNZ  step                   \
	SUBQ R9, BX                 \
	VMOVUPS (AX), Y13           \
	VMOVUPS 32(AX), Y14         \
	SCALED4(128)                \
	ADDQ $64, AX                \
	ADDQ R9, BX                 \
	SUBQ $8, CX                 \
	JNZ  block                  \
	NEXT_GROUP

#define STEP32 \
	GROUP32(0)   \
	INTS_ADD     \
	ADDQ $640, AX

#define STEP16 \
	GROUP16(0)    \
	INTS_ADD      \
	ADDQ $384, AX \
	GROUP16(64)   \
	INTS_ADD      \
	ADDQ $384, AX

// func dotQ8x256x32_avx2(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x256x32_avx2(SB), NOSPLIT, $0-96
	ARGUMENTS
	BLOCKS256(STEP32)

// func dotQ8x256x16_avx2(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x256x16_avx2(SB), NOSPLIT, $0-96
	ARGUMENTS
	BLOCKS256(STEP16)

// Numbers of 16 bits.
#define FIRST_WIDE(disp, s0, s1) \
	VPBROADCASTD disp(BX), Y10  \
	VPMADDWD     Y8, Y10, s0    \
	VPMADDWD     Y9, Y10, s1

#define NEXT_WIDE(disp, s0, s1) \
	VPBROADCASTD disp(BX), Y10  \
	VPMADDWD     Y8, Y10, Y11   \
	VPMADDWD     Y9, Y10, Y12   \
	VPADDD       Y11, s0, s0    \
	VPADDD       Y12, s1, s1

// func dotQ16_avx2(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ16_avx2(SB), NOSPLIT, $0-96
	ARGUMENTS
group:
	MOVQ SI, AX
	MOVQ DX, BX
	MOVQ R10, CX
step:
	FOUR(FIRST_WIDE, 64, 0)
	FOUR(NEXT_WIDE, 128, 16)
	FOUR(NEXT_WIDE, 192, 32)
	FOUR(NEXT_WIDE, 256, 48)
	FOUR(NEXT_WIDE, 320, 64)
	FOUR(NEXT_WIDE, 384, 80)
	FOUR(NEXT_WIDE, 448, 96)
	FOUR(NEXT_WIDE, 512, 112)
	FOUR(NEXT_WIDE, 576, 128)
	FOUR(NEXT_WIDE, 640, 144)
	FOUR(NEXT_WIDE, 704, 160)
	FOUR(NEXT_WIDE, 768, 176)
	FOUR(NEXT_WIDE, 832, 192)
	FOUR(NEXT_WIDE, 896, 208)
	FOUR(NEXT_WIDE, 960, 224)
	FOUR(NEXT_WIDE, 1024, 240)
	VMOVUPS (AX), Y13
	VMOVUPS 32(AX), Y14
	SCALED4(256)
	ADDQ $1088, AX
	ADDQ R9, BX
	DECQ CX
	JNZ  step
	NEXT_GROUP

#define MINS(x, s0, s1) \
	VBROADCASTSS x(BX), Y10 \
	VFMADD231PS  Y8, Y10, s0 \
	VFMADD231PS  Y9, Y10, s1

// func minsQ8_avx2(sums, mins, packed []byte, minStep, step, groups, steps int)
TEXT ·minsQ8_avx2(SB), NOSPLIT, $0-104
	MOVQ sums_base+0(FP), DI
	MOVQ mins_base+24(FP), SI
	MOVQ packed_base+48(FP), DX
	MOVQ minStep+72(FP), R11
	MOVQ step+80(FP), R9
	MOVQ groups+88(FP), R8
	MOVQ steps+96(FP), R10
group:
	MOVQ SI, AX
	MOVQ DX, BX
	MOVQ R10, CX
	VMOVUPS 0(DI), Y0
	VMOVUPS 32(DI), Y1
	VMOVUPS 64(DI), Y2
	VMOVUPS 96(DI), Y3
	VMOVUPS 128(DI), Y4
	VMOVUPS 160(DI), Y5
	VMOVUPS 192(DI), Y6
	VMOVUPS 224(DI), Y7
step:
	FOUR(MINS, 0, 0)
	ADDQ R11, AX
	ADDQ R9, BX
	DECQ CX
	JNZ  step
	VMOVUPS Y0, 0(DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VMOVUPS Y3, 96(DI)
	VMOVUPS Y4, 128(DI)
	VMOVUPS Y5, 160(DI)
	VMOVUPS Y6, 192(DI)
	VMOVUPS Y7, 224(DI)
	NEXT_GROUP

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

// EXCESS16 stores -128 times a, pairs of 16 bits.
#define EXCESS16(a, disp) \
	VPSLLW  $7, a, a    \
	VPXOR   Y14, Y14, Y14 \
	VPSUBW  a, Y14, a   \
	VMOVDQU a, disp(DI)

#define TRANSPOSE32(disp, to) \
	ROWS8(disp)                     \
	VPBROADCASTD ones8<>(SB), Y15   \
	STORE4((to+128), Y0, Y1, Y2, Y3) \
	STORE4((to+384), Y4, Y5, Y6, Y7) \
	SUM4(Y0, Y1, Y2, Y3)            \
	SUM4(Y4, Y5, Y6, Y7)            \
	VPADDW Y4, Y0, Y0               \
	EXCESS16(Y0, to)

#define TRANSPOSE16(disp, to) \
	ROWS8(disp)                     \
	VPBROADCASTD ones8<>(SB), Y15   \
	STORE4((to+128), Y0, Y1, Y2, Y3) \
	STORE4((to+512), Y4, Y5, Y6, Y7) \
	SUM4(Y0, Y1, Y2, Y3)            \
	SUM4(Y4, Y5, Y6, Y7)            \
	EXCESS16(Y0, to)                \
	EXCESS16(Y4, (to+384))

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
	TRANSPOSE32(0, 0)
	TRANSPOSE32(8*DEPTH, 32)
	TRANSPOSE_NEXT(640)

// func transposeQ8x16_avx2(panel, q []byte, steps int)
TEXT ·transposeQ8x16_avx2(SB), NOSPLIT, $0-56
	TRANSPOSE_ARGUMENTS
step:
	TRANSPOSE16(0, 0)
	TRANSPOSE16(8*DEPTH, 32)
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

DATA ones16<>+0(SB)/4, $0x00010001
GLOBL ones16<>(SB), RODATA|NOPTR, $4

DATA ones8<>+0(SB)/4, $0x01010101
GLOBL ones8<>(SB), RODATA|NOPTR, $4

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
