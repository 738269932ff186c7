#include "textflag.h"
#include "asm_arm64.h"

// Products of float weights, and the attention products. As in matvec_arm64.s
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
	B    dotsF32<>(SB)

// func dotsF32_neon(y, k, x []float32, stride int)
TEXT ·dotsF32_neon(SB), NOSPLIT, $0-80
	MOVD y_base+0(FP), R0
	MOVD y_len+8(FP), R1
	MOVD k_base+24(FP), R2
	MOVD x_base+48(FP), R3
	MOVD x_len+56(FP), R4
	MOVD stride+72(FP), R7
	LSL  $2, R7, R7
	B    dotsF32<>(SB)

TEXT dotsF32<>(SB), NOSPLIT|NOFRAME, $0
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
	B    dotsF16<>(SB)

// func dotsF16_neon(y []float32, k []uint16, x []float32, stride int)
TEXT ·dotsF16_neon(SB), NOSPLIT, $0-80
	MOVD y_base+0(FP), R0
	MOVD y_len+8(FP), R1
	MOVD k_base+24(FP), R2
	MOVD x_base+48(FP), R3
	MOVD x_len+56(FP), R4
	MOVD stride+72(FP), R7
	LSL  $1, R7, R7
	B    dotsF16<>(SB)

TEXT dotsF16<>(SB), NOSPLIT|NOFRAME, $0
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

// y[j] += sum over i of p[i]*v[i*stride+j]: columns of y are kept in registers
// while the rows of v pass, 32 columns at a time, then 8, then one.
//
// Registers: R0 y, R1 columns left, R2 first row of v at these columns, R3 p,
// R4 rows, R7 bytes between rows; inside, R8 v, R9 p, R10 rows left.

#define COLUMNS \
	MOVD R2, R8             \
	MOVD R3, R9             \
	MOVD R4, R10

// func accumF32_neon(y, v, p []float32, stride int)
TEXT ·accumF32_neon(SB), NOSPLIT, $0-80
	MOVD y_base+0(FP), R0
	MOVD y_len+8(FP), R1
	MOVD v_base+24(FP), R2
	MOVD p_base+48(FP), R3
	MOVD p_len+56(FP), R4
	MOVD stride+72(FP), R7
	LSL  $2, R7, R7

wide:
	CMP  $32, R1
	BLT  narrow
	COLUMNS
	FLDPQ (R0), (F16, F17)
	FLDPQ 32(R0), (F18, F19)
	FLDPQ 64(R0), (F20, F21)
	FLDPQ 96(R0), (F22, F23)
wideRow:
	VLD1R.P 4(R9), [V0.S4]
	FLDPQ (R8), (F4, F5)
	FLDPQ 32(R8), (F6, F7)
	FLDPQ 64(R8), (F24, F25)
	FLDPQ 96(R8), (F26, F27)
	ADD   R7, R8
	VFMLA V0.S4, V4.S4, V16.S4
	VFMLA V0.S4, V5.S4, V17.S4
	VFMLA V0.S4, V6.S4, V18.S4
	VFMLA V0.S4, V7.S4, V19.S4
	VFMLA V0.S4, V24.S4, V20.S4
	VFMLA V0.S4, V25.S4, V21.S4
	VFMLA V0.S4, V26.S4, V22.S4
	VFMLA V0.S4, V27.S4, V23.S4
	SUBS  $1, R10
	BNE   wideRow
	FSTPQ (F16, F17), (R0)
	FSTPQ (F18, F19), 32(R0)
	FSTPQ (F20, F21), 64(R0)
	FSTPQ (F22, F23), 96(R0)
	ADD   $128, R0
	ADD   $128, R2
	SUB   $32, R1
	B     wide

narrow:
	CMP  $8, R1
	BLT  tail
	COLUMNS
	FLDPQ (R0), (F16, F17)
narrowRow:
	VLD1R.P 4(R9), [V0.S4]
	FLDPQ (R8), (F4, F5)
	ADD   R7, R8
	VFMLA V0.S4, V4.S4, V16.S4
	VFMLA V0.S4, V5.S4, V17.S4
	SUBS  $1, R10
	BNE   narrowRow
	FSTPQ.P (F16, F17), 32(R0)
	ADD   $32, R2
	SUB   $8, R1
	B     narrow

tail:
	CBZ  R1, done
	COLUMNS
	FMOVS (R0), F16
tailRow:
	FMOVS.P 4(R9), F0
	FMOVS (R8), F4
	ADD   R7, R8
	FMADDS F0, F16, F4, F16
	SUBS  $1, R10
	BNE   tailRow
	FMOVS.P F16, 4(R0)
	ADD   $4, R2
	SUB   $1, R1
	B     tail
done:
	RET

// func accumF16_neon(y []float32, v []uint16, p []float32, stride int)
TEXT ·accumF16_neon(SB), NOSPLIT, $0-80
	MOVD y_base+0(FP), R0
	MOVD y_len+8(FP), R1
	MOVD v_base+24(FP), R2
	MOVD p_base+48(FP), R3
	MOVD p_len+56(FP), R4
	MOVD stride+72(FP), R7
	LSL  $1, R7, R7

wide:
	CMP  $32, R1
	BLT  narrow
	COLUMNS
	FLDPQ (R0), (F16, F17)
	FLDPQ 32(R0), (F18, F19)
	FLDPQ 64(R0), (F20, F21)
	FLDPQ 96(R0), (F22, F23)
wideRow:
	VLD1R.P 4(R9), [V0.S4]
	FLDPQ (R8), (F4, F5)
	FLDPQ 32(R8), (F6, F7)
	ADD   R7, R8
	FCVTL_S4(4, 24)
	FCVTL2_S4(4, 25)
	FCVTL_S4(5, 26)
	FCVTL2_S4(5, 27)
	FCVTL_S4(6, 28)
	FCVTL2_S4(6, 29)
	FCVTL_S4(7, 30)
	FCVTL2_S4(7, 31)
	VFMLA V0.S4, V24.S4, V16.S4
	VFMLA V0.S4, V25.S4, V17.S4
	VFMLA V0.S4, V26.S4, V18.S4
	VFMLA V0.S4, V27.S4, V19.S4
	VFMLA V0.S4, V28.S4, V20.S4
	VFMLA V0.S4, V29.S4, V21.S4
	VFMLA V0.S4, V30.S4, V22.S4
	VFMLA V0.S4, V31.S4, V23.S4
	SUBS  $1, R10
	BNE   wideRow
	FSTPQ (F16, F17), (R0)
	FSTPQ (F18, F19), 32(R0)
	FSTPQ (F20, F21), 64(R0)
	FSTPQ (F22, F23), 96(R0)
	ADD   $128, R0
	ADD   $64, R2
	SUB   $32, R1
	B     wide

narrow:
	CMP  $8, R1
	BLT  tail
	COLUMNS
	FLDPQ (R0), (F16, F17)
narrowRow:
	VLD1R.P 4(R9), [V0.S4]
	FMOVQ (R8), F4
	ADD   R7, R8
	FCVTL_S4(4, 24)
	FCVTL2_S4(4, 25)
	VFMLA V0.S4, V24.S4, V16.S4
	VFMLA V0.S4, V25.S4, V17.S4
	SUBS  $1, R10
	BNE   narrowRow
	FSTPQ.P (F16, F17), 32(R0)
	ADD   $16, R2
	SUB   $8, R1
	B     narrow

tail:
	CBZ  R1, done
	COLUMNS
	FMOVS (R0), F16
tailRow:
	FMOVS.P 4(R9), F0
	VLD1R.P (R8)(R7), [V4.H4]
	FCVTHS F4, F4
	FMADDS F0, F16, F4, F16
	SUBS  $1, R10
	BNE   tailRow
	FMOVS.P F16, 4(R0)
	ADD   $2, R2
	SUB   $1, R1
	B     tail
done:
	RET
