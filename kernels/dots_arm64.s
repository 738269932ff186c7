#include "textflag.h"
#include "asm_arm64.h"

// Products of float weights. As in matvec_arm64.s
// four rows are taken at a time and the last one stands in for missing ones.
//
// Registers: R0 y, R1 rows left, R2 weights, R3 x, R4 length, R7 bytes between
// rows; inside, R8-R11 the four rows, R12 x, R15 counter.

#define ROWS \
	MOVD R2, R8             \
	ADD  R7, R8, R9         \
	CMP  $1, R1             \
	CSEL LE, R8, R9, R9     \
	ADD  R7, R9, R10        \
	CMP  $2, R1             \
	CSEL LE, R9, R10, R10   \
	ADD  R7, R10, R11       \
	CMP  $3, R1             \
	CSEL LE, R10, R11, R11  \
	MOVD R3, R12            \
	MOVI0(24)               \
	MOVI0(25)               \
	MOVI0(26)               \
	MOVI0(27)               \
	MOVI0(28)               \
	MOVI0(29)               \
	MOVI0(30)               \
	MOVI0(31)

// STORE adds V24-V31, two registers per row, stores a sum per row and returns or
// goes back to the label rows.
#define STORE \
	FADD_S4(28, 24, 24)        \
	FADD_S4(29, 25, 25)        \
	FADD_S4(30, 26, 26)        \
	FADD_S4(31, 27, 27)        \
	FADDP_S4(25, 24, 24)       \
	FADDP_S4(27, 26, 26)       \
	FADDP_S4(26, 24, 24)       \
	CMP  $4, R1                \
	BLT  last                  \
	VST1.P [V24.S4], 16(R0)    \
	ADD  R7<<2, R2             \
	SUBS $4, R1                \
	BNE  rows                  \
	RET                        \
last:                              \
	VST1.P V24.S[0], 4(R0)     \
	SUBS $1, R1                \
	BEQ  done                  \
	VST1.P V24.S[1], 4(R0)     \
	SUBS $1, R1                \
	BEQ  done                  \
	VST1.P V24.S[2], 4(R0)     \
done:                              \
	RET

// F32_8 and F16_8 multiply 8 weights of a row, F32_1 and F16_1 a single one whose
// activation is in lane 0 of V0, the other lanes being zero.

#define F32_8(row, a, b) \
	VLD1.P 32(row), [V4.S4, V5.S4] \
	VFMLA V0.S4, V4.S4, a.S4 \
	VFMLA V1.S4, V5.S4, b.S4

#define F32_1(row, a) \
	FMOVS.P 4(row), F4      \
	VFMLA V0.S4, V4.S4, a.S4

#define F16_8(row, a, b) \
	VLD1.P 16(row), [V4.H8] \
	FCVTL_S4(4, 5)          \
	FCVTL2_S4(4, 6)         \
	VFMLA V0.S4, V5.S4, a.S4 \
	VFMLA V1.S4, V6.S4, b.S4

#define F16_1(row, a) \
	VLD1R.P 2(row), [V4.H4] \
	FCVTHS F4, F4           \
	VFMLA V0.S4, V4.S4, a.S4

// func matvecF32_neon(y []float32, w []byte, x []float32)
TEXT ·matvecF32_neon(SB), NOSPLIT, $0-72
	MOVD y_base+0(FP), R0
	MOVD y_len+8(FP), R1
	MOVD w_base+24(FP), R2
	MOVD x_base+48(FP), R3
	MOVD x_len+56(FP), R4
	LSL  $2, R4, R7

rows:
	ROWS
	LSR  $3, R4, R15
	CBZ  R15, tail
eight:
	VLD1.P 32(R12), [V0.S4, V1.S4]
	F32_8(R8, V24, V28)
	F32_8(R9, V25, V29)
	F32_8(R10, V26, V30)
	F32_8(R11, V27, V31)
	SUBS $1, R15
	BNE  eight
tail:
	ANDS $7, R4, R15
	BEQ  sum
one:
	FMOVS.P 4(R12), F0
	F32_1(R8, V24)
	F32_1(R9, V25)
	F32_1(R10, V26)
	F32_1(R11, V27)
	SUBS $1, R15
	BNE  one
sum:
	STORE

// func matvecF16_neon(y []float32, w []byte, x []float32)
TEXT ·matvecF16_neon(SB), NOSPLIT, $0-72
	MOVD y_base+0(FP), R0
	MOVD y_len+8(FP), R1
	MOVD w_base+24(FP), R2
	MOVD x_base+48(FP), R3
	MOVD x_len+56(FP), R4
	LSL  $1, R4, R7

rows:
	ROWS
	LSR  $3, R4, R15
	CBZ  R15, tail
eight:
	VLD1.P 32(R12), [V0.S4, V1.S4]
	F16_8(R8, V24, V28)
	F16_8(R9, V25, V29)
	F16_8(R10, V26, V30)
	F16_8(R11, V27, V31)
	SUBS $1, R15
	BNE  eight
tail:
	ANDS $7, R4, R15
	BEQ  sum
one:
	FMOVS.P 4(R12), F0
	F16_1(R8, V24)
	F16_1(R9, V25)
	F16_1(R10, V26)
	F16_1(R11, V27)
	SUBS $1, R15
	BNE  one
sum:
	STORE
