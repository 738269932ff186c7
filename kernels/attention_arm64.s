#include "textflag.h"
#include "asm_arm64.h"
#include "kvunpack_arm64.h"

// Products with panels. The outer loop runs over panels, the middle one over
// tiles of up to four rows, the inner one over the depth.
//
//	R1 panel         R4 panels left
//	R2 rows of a     R3 rows left     R0 their results
//	R5 bytes from one row of a to the next, R6 of c, R7 depth
//	R9 within the panel, R10 depth left, R11-R14 rows of the tile
//	V0-V3 a step of the panel, V8-V11 four values of each row
//	V16-V31 results, four registers for each row

#define PANELS_ARGUMENTS \
	MOVD c_base+0(FP), R0     \
	MOVD b_base+48(FP), R1    \
	MOVD s_Depth+80(FP), R7   \
	MOVD s_Panels+88(FP), R4  \
	MOVD s_StrideA+96(FP), R5 \
	LSL  $2, R5, R5           \
	MOVD s_StrideC+112(FP), R6 \
	LSL  $2, R6, R6

#define PANEL_ROWS \
	MOVD a_base+24(FP), R2   \
	MOVD s_Rows+72(FP), R3

#define NEXT_PANEL(shift) \
	MOVD s_Rows+72(FP), R9      \
	MSUB R6, R0, R9, R0         \
	ADD  $64, R0                \
	MOVD s_StrideB+104(FP), R9  \
	ADD  R9<<shift, R1

#define CHECK_ADD(sums) \
	MOVBU s_Add+120(FP), R16 \
	CBZ   R16, sums          \
	MOVD  R0, R16

// ROWSn applies a macro to n rows, the arguments of which are the address of the
// row, its register of a, and the four of c.
#define ROWS1(M) M(R11, V8, 8, V16, V17, V18, V19, 16, 17, 18, 19)
#define ROWS2(M) ROWS1(M) \
	M(R12, V9, 9, V20, V21, V22, V23, 20, 21, 22, 23)
#define ROWS4(M) ROWS2(M) \
	M(R13, V10, 10, V24, V25, V26, V27, 24, 25, 26, 27) \
	M(R14, V11, 11, V28, V29, V30, V31, 28, 29, 30, 31)

#define ZERO(at, va, a, v0, v1, v2, v3, c0, c1, c2, c3) \
	MOVI0(c0) \
	MOVI0(c1) \
	MOVI0(c2) \
	MOVI0(c3)
#define LOADC(at, va, a, v0, v1, v2, v3, c0, c1, c2, c3) \
	VLD1 (R16), [v0.S4, v1.S4, v2.S4, v3.S4] \
	ADD  R6, R16
#define STOREC(at, va, a, v0, v1, v2, v3, c0, c1, c2, c3) \
	VST1 [v0.S4, v1.S4, v2.S4, v3.S4], (R0) \
	ADD  R6, R0
#define LOADA4(at, va, a, v0, v1, v2, v3, c0, c1, c2, c3) VLD1.P 16(at), [va.S4]
#define LOADA1(at, va, a, v0, v1, v2, v3, c0, c1, c2, c3) VLD1R.P 4(at), [va.S4]
#define FMA(i, a, c0, c1, c2, c3) \
	FMLA_S4_S(a, i, 0, c0) \
	FMLA_S4_S(a, i, 1, c1) \
	FMLA_S4_S(a, i, 2, c2) \
	FMLA_S4_S(a, i, 3, c3)
#define FMA0(at, va, a, v0, v1, v2, v3, c0, c1, c2, c3) FMA(0, a, c0, c1, c2, c3)
#define FMA1(at, va, a, v0, v1, v2, v3, c0, c1, c2, c3) FMA(1, a, c0, c1, c2, c3)
#define FMA2(at, va, a, v0, v1, v2, v3, c0, c1, c2, c3) FMA(2, a, c0, c1, c2, c3)
#define FMA3(at, va, a, v0, v1, v2, v3, c0, c1, c2, c3) FMA(3, a, c0, c1, c2, c3)

#define STEPF32 VLD1.P 64(R9), [V0.S4, V1.S4, V2.S4, V3.S4]
#define STEPF16 \
	VLD1.P 32(R9), [V4.B16, V5.B16] \
	FCVTL_S4(4, 0)  \
	FCVTL2_S4(4, 1) \
	FCVTL_S4(5, 2)  \
	FCVTL2_S4(5, 3)

// TILE multiplies the panel with n rows, four steps at a time, then one.
#define TILE(n, ROWS, STEP, sums, four, rest, one, store) \
	ROWS(ZERO)       \
	CHECK_ADD(sums)  \
	ROWS(LOADC)      \
sums:              \
	MOVD R2, R11     \
	ADD  R5, R11, R12 \
	ADD  R5, R12, R13 \
	ADD  R5, R13, R14 \
	MOVD R1, R9      \
	LSR  $2, R7, R10 \
	CBZ  R10, rest   \
four:              \
	ROWS(LOADA4)     \
	STEP             \
	ROWS(FMA0)       \
	STEP             \
	ROWS(FMA1)       \
	STEP             \
	ROWS(FMA2)       \
	STEP             \
	ROWS(FMA3)       \
	SUBS $1, R10     \
	BNE  four        \
rest:              \
	ANDS $3, R7, R10 \
	BEQ  store       \
one:               \
	ROWS(LOADA1)     \
	STEP             \
	ROWS(FMA0)       \
	SUBS $1, R10     \
	BNE  one         \
store:             \
	ROWS(STOREC)     \
	MOVD $n, R10     \
	MADD R5, R2, R10, R2 \
	SUB  $n, R3

#define PANELS(STEP, shift) \
	PANELS_ARGUMENTS \
panel:             \
	PANEL_ROWS       \
tile4:             \
	CMP  $4, R3      \
	BLT  tile2       \
	TILE(4, ROWS4, STEP, sums4, four4, rest4, one4, store4) \
	B    tile4       \
tile2:             \
	TBZ  $1, R3, tile1 \
	TILE(2, ROWS2, STEP, sums2, four2, rest2, one2, store2) \
tile1:             \
	TBZ  $0, R3, next \
	TILE(1, ROWS1, STEP, sums1, four1, rest1, one1, store1) \
next:              \
	NEXT_PANEL(shift) \
	SUBS $1, R4      \
	BNE  panel       \
	RET

// WIDEN unpacks a row of a panel, 16 bytes, whose scales are in s0 to s3.
#define WIDEN(s0, s1, s2, s3) \
	VLD1.P 16(R1), [V0.B16] \
	SSHLL_H8(0, 0, 1)  \
	SSHLL2_H8(0, 0, 2) \
	FLOATS(1, 2, s0, s1, s2, s3)

// func panelsF32_neon(c, a, b []float32, s PanelShape)
TEXT ·panelsF32_neon(SB), NOSPLIT, $0-128
	PANELS(STEPF32, 2)

// func panelsF16_neon(c, a []float32, b []uint16, s PanelShape)
TEXT ·panelsF16_neon(SB), NOSPLIT, $0-128
	PANELS(STEPF16, 1)

// func q8Columns_neon(dst []float32, q []int8, d []uint16)
TEXT ·q8Columns_neon(SB), NOSPLIT, $0-72
	COLUMNS(KV_ARGUMENTS, WIDEN)

// func q8Rows_neon(dst []float32, q []int8, d []uint16)
TEXT ·q8Rows_neon(SB), NOSPLIT, $0-72
	ROWS(KV_ARGUMENTS, WIDEN)
