#include "textflag.h"

// Products of float32 for AVX2: see promptf32.go.

// Panels.
//	DI panel   SI values of the row   R9 bytes between rows
//	R10, R11 three and eight times that   CX eights of values left
#define PANEL_ARGUMENTS \
	MOVQ panel_base+0(FP), DI \
	MOVQ w_base+24(FP), SI    \
	MOVQ rowBytes+48(FP), R9  \
	MOVQ eights+56(FP), CX    \
	LEAQ (R9)(R9*2), R10      \
	LEAQ (SI)(R9*8), R11

// Registers of the dot function:
//	DI sums of 6 vectors    SI panel   DX packed, next value of 6 vectors
//	R8 groups left          R9 values  R10 first
//	AX panel, next value    CX values left
// Y0-Y11 are sums of vector t and rows 8*r.. in Y(2*t+r); Y12 and Y13 are
// weights, Y14 and Y15 activations for all rows.
#define DOT_ARGUMENTS \
	MOVQ    sums_base+0(FP), DI    \
	MOVQ    panel_base+24(FP), SI  \
	MOVQ    packed_base+48(FP), DX \
	MOVQ    groups+72(FP), R8      \
	MOVQ    values+80(FP), R9      \
	MOVBLZX first+88(FP), R10

#define PAIR(x, s0, s1, s2, s3) \
	VBROADCASTSS x(DX), Y14     \
	VBROADCASTSS (x+4)(DX), Y15 \
	VFMADD231PS  Y12, Y14, s0   \
	VFMADD231PS  Y13, Y14, s1   \
	VFMADD231PS  Y12, Y15, s2   \
	VFMADD231PS  Y13, Y15, s3

#define VALUE(w, x) \
	VMOVUPS w(AX), Y12           \
	VMOVUPS (w+32)(AX), Y13      \
	PAIR(x, Y0, Y1, Y2, Y3)      \
	PAIR((x+8), Y4, Y5, Y6, Y7)  \
	PAIR((x+16), Y8, Y9, Y10, Y11)

#define SUMS12(M) \
	M(0, Y0)    \
	M(32, Y1)   \
	M(64, Y2)   \
	M(96, Y3)   \
	M(128, Y4)  \
	M(160, Y5)  \
	M(192, Y6)  \
	M(224, Y7)  \
	M(256, Y8)  \
	M(288, Y9)  \
	M(320, Y10) \
	M(352, Y11)

#define LOAD(disp, y) VMOVUPS disp(DI), y
#define STORE(disp, y) VMOVUPS y, disp(DI)
#define ZERO(disp, y) VXORPS y, y, y

// func dotF32_avx2(sums, panel, packed []byte, groups, values int, first bool)
TEXT ·dotF32_avx2(SB), NOSPLIT, $0-89
	DOT_ARGUMENTS
group:
	MOVQ  SI, AX
	MOVQ  R9, CX
	TESTL R10, R10
	JNZ   zero
	SUMS12(LOAD)
	JMP   start
zero:
	SUMS12(ZERO)
start:
	SUBQ $4, CX
	JLT  last
four:
	VALUE(0, 0)
	VALUE(64, 24)
	VALUE(128, 48)
	VALUE(192, 72)
	ADDQ $256, AX
	ADDQ $96, DX
	SUBQ $4, CX
	JGE  four
last:
	ADDQ $4, CX
	JZ   done
one:
	VALUE(0, 0)
	ADDQ $64, AX
	ADDQ $24, DX
	DECQ CX
	JNZ  one
done:
	SUMS12(STORE)
	ADDQ $384, DI
	DECQ R8
	JNZ  group
	VZEROUPPER
	RET

// TRANSPOSE8 transposes 8 rows of 8 numbers in Y0-Y7 and stores them 64 bytes
// apart. It changes Y8-Y15.
#define TRANSPOSE8(disp) \
	PAIRS(Y0, Y1, Y8, Y9)            \
	PAIRS(Y2, Y3, Y10, Y11)          \
	PAIRS(Y4, Y5, Y12, Y13)          \
	PAIRS(Y6, Y7, Y14, Y15)          \
	QUADS(Y8, Y9, Y10, Y11, Y0, Y1, Y2, Y3)     \
	QUADS(Y12, Y13, Y14, Y15, Y8, Y9, Y10, Y11) \
	HALVES(Y0, Y8, disp)             \
	HALVES(Y1, Y9, disp+64)          \
	HALVES(Y2, Y10, disp+128)        \
	HALVES(Y3, Y11, disp+192)

#define PAIRS(a, b, low, high) \
	VUNPCKLPS b, a, low \
	VUNPCKHPS b, a, high

#define QUADS(low, high, low2, high2, c0, c1, c2, c3) \
	VUNPCKLPD low2, low, c0   \
	VUNPCKHPD low2, low, c1   \
	VUNPCKLPD high2, high, c2 \
	VUNPCKHPD high2, high, c3

#define HALVES(a, b, disp) \
	VPERM2F128 $0x31, b, a, Y4      \
	VPERM2F128 $0x20, b, a, a       \
	VMOVUPS    a, (disp)(DI)        \
	VMOVUPS    Y4, (disp+256)(DI)

// EIGHT loads the next eight values of eight rows from a on.
#define EIGHT(LOAD8, a) \
	LEAQ (a)(R9*4), BX         \
	LOAD8((a), Y0)             \
	LOAD8((a)(R9*1), Y1)       \
	LOAD8((a)(R9*2), Y2)       \
	LOAD8((a)(R10*1), Y3)      \
	LOAD8((BX), Y4)            \
	LOAD8((BX)(R9*1), Y5)      \
	LOAD8((BX)(R9*2), Y6)      \
	LOAD8((BX)(R10*1), Y7)

#define PANEL(LOAD8, bytes) \
eight:                     \
	EIGHT(LOAD8, SI)   \
	TRANSPOSE8(0)      \
	EIGHT(LOAD8, R11)  \
	TRANSPOSE8(32)     \
	ADDQ $bytes, SI    \
	ADDQ $bytes, R11   \
	ADDQ $512, DI      \
	DECQ CX            \
	JNZ  eight         \
	VZEROUPPER         \
	RET

#define FROM_F32(at, y) VMOVUPS at, y
#define FROM_F16(at, y) VCVTPH2PS at, y
#define FROM_BF16(at, y) \
	VPMOVZXWD at, y      \
	VPSLLD    $16, y, y

// func panelF32_avx2(panel, w []byte, rowBytes, eights int)
TEXT ·panelF32_avx2(SB), NOSPLIT, $0-64
	PANEL_ARGUMENTS
	PANEL(FROM_F32, 32)

// func panelF16_avx2(panel, w []byte, rowBytes, eights int)
TEXT ·panelF16_avx2(SB), NOSPLIT, $0-64
	PANEL_ARGUMENTS
	PANEL(FROM_F16, 16)

// func panelBF16_avx2(panel, w []byte, rowBytes, eights int)
TEXT ·panelBF16_avx2(SB), NOSPLIT, $0-64
	PANEL_ARGUMENTS
	PANEL(FROM_BF16, 16)
