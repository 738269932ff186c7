#include "textflag.h"
#include "asm_arm64.h"
#include "matvecs_i8mm_arm64.h"

// Products of weights in blocks of 32.

#define START \
	ARGUMENTS(3)  \
	LSR $5, R3    \
	ZERO4(16)     \
	ZERO4(20)

// The rows of a pair: their weights are left in V2-V5.
#define Q8_0(a, b) \
	FMOVQ 2(a), F0             \
	FMOVQ 2(b), F1             \
	FMOVQ 18(a), F6            \
	FMOVQ 18(b), F7            \
	VTRN1 V1.D2, V0.D2, V2.D2  \
	VTRN2 V1.D2, V0.D2, V3.D2  \
	VTRN1 V7.D2, V6.D2, V4.D2  \
	VTRN2 V7.D2, V6.D2, V5.D2

// V6 holds 15, V7 8.
#define Q4_0(a, b) \
	FMOVQ 2(a), F0                \
	FMOVQ 2(b), F1                \
	VTRN1 V1.D2, V0.D2, V2.D2     \
	VTRN2 V1.D2, V0.D2, V3.D2     \
	VUSHR $4, V2.B16, V4.B16      \
	VUSHR $4, V3.B16, V5.B16      \
	VAND  V6.B16, V2.B16, V2.B16  \
	VAND  V6.B16, V3.B16, V3.B16  \
	VSUB  V7.B16, V2.B16, V2.B16  \
	VSUB  V7.B16, V3.B16, V3.B16  \
	VSUB  V7.B16, V4.B16, V4.B16  \
	VSUB  V7.B16, V5.B16, V5.B16

// SCALES reads the scales of the rows, the first two bytes of each block.
#define SCALES \
	VLD1R (R8), [V0.H4]    \
	VLD1R (R12), [V1.H4]   \
	VLD1  (R9), V0.H[1]    \
	VLD1  (R13), V1.H[1]   \
	VLD1  (R10), V0.H[2]   \
	VLD1  (R14), V1.H[2]   \
	VLD1  (R11), V0.H[3]   \
	VLD1  (R15), V1.H[3]   \
	FCVTL_S4(0, 0)         \
	FCVTL_S4(1, 1)

// SCALED adds whole numbers, the sums of a vector in a and b, times the scales.
#define SCALED(d, a, b, A, B, s0, s1) \
	VLD1R.P 4(d), [V24.S4]      \
	SCVTF_S4(a, a)              \
	SCVTF_S4(b, b)              \
	FMUL_S4(24, 0, 25)          \
	FMUL_S4(24, 1, 26)          \
	VFMLA V25.S4, A.S4, s0.S4   \
	VFMLA V26.S4, B.S4, s1.S4

#define SUMS01 \
	APART01                                  \
	SCALED(R21, 2, 3, V2, V3, V16, V17)      \
	SCALED(R22, 4, 5, V4, V5, V18, V19)

#define SUMS23 \
	APART23                                  \
	SCALED(R23, 2, 3, V2, V3, V20, V21)      \
	SCALED(R24, 4, 5, V4, V5, V22, V23)

// BLOCKS32 multiplies blocks of 32, with two vectors or with four.
#define BLOCKS32(ROWS, bytes) \
	CMP   $2, R2              \
	BGT   block4              \
block2:                     \
	VALUES32_2(ROWS)          \
	SCALES                    \
	SUMS01                    \
	EACH_ROW(bytes)           \
	SUBS  $1, R3              \
	BNE   block2              \
	B     store               \
block4:                     \
	VALUES32_4(ROWS)          \
	SCALES                    \
	SUMS01                    \
	SUMS23                    \
	EACH_ROW(bytes)           \
	SUBS  $1, R3              \
	BNE   block4              \
store:                      \
	FSTPQ (F16, F17), (R0)    \
	ADD   R1, R0              \
	SUBS  $1, R2              \
	BEQ   done                \
	FSTPQ (F18, F19), (R0)    \
	ADD   R1, R0              \
	SUBS  $1, R2              \
	BEQ   done                \
	FSTPQ (F20, F21), (R0)    \
	ADD   R1, R0              \
	SUBS  $1, R2              \
	BEQ   done                \
	FSTPQ (F22, F23), (R0)    \
done:                       \
	RET

// func matvecsQ8_0_i8mm(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ8_0_i8mm(SB), NOSPLIT, $0-72
	START
	BLOCKS32(Q8_0, 34)

// func matvecsQ4_0_i8mm(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ4_0_i8mm(SB), NOSPLIT, $0-72
	START
	VMOVI $15, V6.B16
	VMOVI $8, V7.B16
	BLOCKS32(Q4_0, 18)
