#include "textflag.h"
#include "asm_arm64.h"

// Products of float weights. With one vector of activations, four rows are taken at
// a time, as in matvec_arm64.s, and the last one stands in for missing ones; with
// more, one row is multiplied with up to four vectors, and the last one stands in.
// A sum is made in the same order either way: eight products at a time in two
// registers, then what is left one by one in the lowest lane.
//
// Registers with one vector: R0 y, R1 rows left, R2 weights, R3 x, R4 length, R7
// bytes between rows; inside, R8-R11 the four rows, R12 x, R15 counter.

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

// F32_8, F16_8 and BF16_8 multiply 8 weights of a row, F32_1, F16_1 and BF16_1 a
// single one whose activation is in lane 0 of V0, the other lanes being zero. V7 is
// zero.

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

#define BF16_8(row, a, b) \
	VLD1.P 16(row), [V4.H8]     \
	VZIP1 V4.H8, V7.H8, V5.H8   \
	VZIP2 V4.H8, V7.H8, V6.H8   \
	VFMLA V0.S4, V5.S4, a.S4    \
	VFMLA V1.S4, V6.S4, b.S4

#define BF16_1(row, a) \
	MOVHU.P 2(row), R16     \
	LSL  $16, R16           \
	FMOVS R16, F4           \
	VFMLA V0.S4, V4.S4, a.S4

// ONE multiplies with one vector.
#define ONE(EIGHT, SINGLE, shift) \
	MOVD y_base+0(FP), R0    \
	MOVD y_len+8(FP), R1     \
	MOVD w_base+24(FP), R2   \
	MOVD x_base+48(FP), R3   \
	MOVD x_len+56(FP), R4    \
	LSL  $shift, R4, R7      \
	MOVI0(7)                 \
rows:                            \
	ROWS                     \
	LSR  $3, R4, R15         \
	CBZ  R15, tail           \
eight:                           \
	VLD1.P 32(R12), [V0.S4, V1.S4] \
	EIGHT(R8, V24, V28)      \
	EIGHT(R9, V25, V29)      \
	EIGHT(R10, V26, V30)     \
	EIGHT(R11, V27, V31)     \
	SUBS $1, R15             \
	BNE  eight               \
tail:                            \
	ANDS $7, R4, R15         \
	BEQ  sum                 \
one:                             \
	FMOVS.P 4(R12), F0       \
	SINGLE(R8, V24)          \
	SINGLE(R9, V25)          \
	SINGLE(R10, V26)         \
	SINGLE(R11, V27)         \
	SUBS $1, R15             \
	BNE  one                 \
sum:                             \
	STORE

// With more vectors: R0 y, R1 bytes between the results of vectors, R2 weights, R3
// x, R4 length, R5 rows left, R6 vectors (2-4), R7 bytes between vectors; inside,
// R8-R11 the vectors, R15 counter, R16 scratch.

// X8 multiplies the weights in V0 and V1 with 8 values of a vector, X1 the one in
// lane 0 of V0 with one value.
#define X8(x, a, b) F32_8(x, a, b)
#define X1(x, a) F32_1(x, a)

// SEVERAL multiplies with several vectors; LOAD8 loads 8 weights into V0 and V1,
// LOAD1 one into V0.
#define SEVERAL(LOAD8, LOAD1) \
	MOVD y+0(FP), R0         \
	MOVD stride+8(FP), R1    \
	MOVD w+16(FP), R2        \
	MOVD rows+24(FP), R5     \
	MOVD x+32(FP), R3        \
	MOVD m+40(FP), R6        \
	MOVD n+48(FP), R4        \
	LSL  $2, R1              \
	LSL  $2, R4, R7          \
	MOVI0(7)                 \
rows:                            \
	MOVD R3, R8              \
	ADD  R7, R8, R9          \
	ADD  R7, R9, R10         \
	CMP  $2, R6              \
	CSEL LE, R9, R10, R10    \
	ADD  R7, R10, R11        \
	CMP  $3, R6              \
	CSEL LE, R10, R11, R11   \
	MOVI0(24)                \
	MOVI0(25)                \
	MOVI0(26)                \
	MOVI0(27)                \
	MOVI0(28)                \
	MOVI0(29)                \
	MOVI0(30)                \
	MOVI0(31)                \
	LSR  $3, R4, R15         \
	CBZ  R15, tail           \
eight:                           \
	LOAD8                    \
	X8(R8, V24, V28)         \
	X8(R9, V25, V29)         \
	X8(R10, V26, V30)        \
	X8(R11, V27, V31)        \
	SUBS $1, R15             \
	BNE  eight               \
tail:                            \
	ANDS $7, R4, R15         \
	BEQ  sum                 \
one:                             \
	LOAD1                    \
	X1(R8, V24)              \
	X1(R9, V25)              \
	X1(R10, V26)             \
	X1(R11, V27)             \
	SUBS $1, R15             \
	BNE  one                 \
sum:                             \
	FADD_S4(28, 24, 24)      \
	FADD_S4(29, 25, 25)      \
	FADD_S4(30, 26, 26)      \
	FADD_S4(31, 27, 27)      \
	FADDP_S4(25, 24, 24)     \
	FADDP_S4(27, 26, 26)     \
	FADDP_S4(26, 24, 24)     \
	MOVD R0, R16             \
	VST1 V24.S[0], (R16)     \
	ADD  R1, R16             \
	VST1 V24.S[1], (R16)     \
	CMP  $2, R6              \
	BEQ  next                \
	ADD  R1, R16             \
	VST1 V24.S[2], (R16)     \
	CMP  $3, R6              \
	BEQ  next                \
	ADD  R1, R16             \
	VST1 V24.S[3], (R16)     \
next:                            \
	ADD  $4, R0              \
	SUBS $1, R5              \
	BNE  rows                \
	RET

#define LOADF32_8 VLD1.P 32(R2), [V0.S4, V1.S4]
#define LOADF32_1 FMOVS.P 4(R2), F0

#define LOADF16_8 \
	VLD1.P 16(R2), [V2.H8] \
	FCVTL_S4(2, 0)         \
	FCVTL2_S4(2, 1)
#define LOADF16_1 \
	VLD1R.P 2(R2), [V0.H4] \
	FCVTHS F0, F0

#define LOADBF16_8 \
	VLD1.P 16(R2), [V2.H8]     \
	VZIP1 V2.H8, V7.H8, V0.H8  \
	VZIP2 V2.H8, V7.H8, V1.H8
#define LOADBF16_1 \
	MOVHU.P 2(R2), R16 \
	LSL  $16, R16      \
	FMOVS R16, F0

// func matvecF32_neon(y []float32, w []byte, x []float32)
TEXT ·matvecF32_neon(SB), NOSPLIT, $0-72
	ONE(F32_8, F32_1, 2)

// func matvecF16_neon(y []float32, w []byte, x []float32)
TEXT ·matvecF16_neon(SB), NOSPLIT, $0-72
	ONE(F16_8, F16_1, 1)

// func matvecBF16_neon(y []float32, w []byte, x []float32)
TEXT ·matvecBF16_neon(SB), NOSPLIT, $0-72
	ONE(BF16_8, BF16_1, 1)

// func matvecsF32_neon(y *float32, stride int, w *byte, rows int, x *float32, m, n int)
TEXT ·matvecsF32_neon(SB), NOSPLIT, $0-56
	SEVERAL(LOADF32_8, LOADF32_1)

// func matvecsF16_neon(y *float32, stride int, w *byte, rows int, x *float32, m, n int)
TEXT ·matvecsF16_neon(SB), NOSPLIT, $0-56
	SEVERAL(LOADF16_8, LOADF16_1)

// func matvecsBF16_neon(y *float32, stride int, w *byte, rows int, x *float32, m, n int)
TEXT ·matvecsBF16_neon(SB), NOSPLIT, $0-56
	SEVERAL(LOADBF16_8, LOADBF16_1)
