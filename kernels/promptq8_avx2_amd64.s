#include "textflag.h"

// Products of 8-bit numbers for AVX2: see promptq8_gemm.go.
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

// Broadcast.
DATA ones16<>+0(SB)/4, $0x00010001
GLOBL ones16<>(SB), RODATA|NOPTR, $4
