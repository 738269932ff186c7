#include "textflag.h"
#include "asm_arm64.h"

// Products of quantized weights with 2 to 4 vectors of activations, by matrix products
// of bytes. A group has 8 rows. An instruction multiplies 8 weights of each row of a
// pair with 8 activations of each vector of a pair: 32 products, summed to 4. If the
// number of vectors is odd, the last one is in both places of its pair.
//
// Registers:
//	R0 y, R1 bytes from one vector's results to the next's, R2 m
//	R3 blocks left, R8-R15 rows at the block
//	R16, R17, R19, R20 q of the vectors, R21-R24 their d
//	V8-V15 exact sums: vectors 2*t and 2*t+1 with rows 2*p and 2*p+1 in V(8+4*t+p)
//	V16-V23 sums: vector t with rows 4*r.. in V(16+2*t+r)
//	V24-V31 activations: values 8*i.. of vectors 2*t and 2*t+1 in V(24+4*t+i)
//	V0-V7 scratch, or constants

#define VECTOR(t, from, to, step) \
	ADD  step, from, to      \
	CMP  $t, R2              \
	CSEL LE, from, to, to

#define START \
	MOVD y+0(FP), R0           \
	MOVD stride+8(FP), R1      \
	MOVD w+16(FP), R8          \
	MOVD rowBytes+24(FP), R7   \
	MOVD q+32(FP), R16         \
	MOVD d+40(FP), R21         \
	MOVD m+56(FP), R2          \
	MOVD n+64(FP), R3          \
	LSL  $2, R1                \
	ADD  R7, R8, R9            \
	ADD  R7, R9, R10           \
	ADD  R7, R10, R11          \
	ADD  R7, R11, R12          \
	ADD  R7, R12, R13          \
	ADD  R7, R13, R14          \
	ADD  R7, R14, R15          \
	LSR  $3, R3, R4            \ // bytes of the scales of a vector
	VECTOR(1, R16, R17, R3)    \
	VECTOR(2, R17, R19, R3)    \
	VECTOR(3, R19, R20, R3)    \
	VECTOR(1, R21, R22, R4)    \
	VECTOR(2, R22, R23, R4)    \
	VECTOR(3, R23, R24, R4)    \
	LSR  $5, R3                \
	ZERO4(16)                  \
	ZERO4(20)

#define ZERO4(a) \
	MOVI0(a)     \
	MOVI0((a+1)) \
	MOVI0((a+2)) \
	MOVI0((a+3))

// ACTS loads 32 activations of two vectors into a-d.
#define ACTS(v, u, a, b, c, d) \
	FLDPQ.P 32(v), (F0, F1)   \
	FLDPQ.P 32(u), (F2, F3)   \
	VTRN1 V2.D2, V0.D2, a.D2  \
	VTRN2 V2.D2, V0.D2, b.D2  \
	VTRN1 V3.D2, V1.D2, c.D2  \
	VTRN2 V3.D2, V1.D2, d.D2

#define ACTS01 ACTS(R16, R17, V24, V25, V26, V27)
#define ACTS23 ACTS(R19, R20, V28, V29, V30, V31)

// DOT01 and DOT23 multiply 32 weights of rows pair p, in four registers from w on, with
// the vectors.
#define DOT01(w, p) \
	SMMLA_S4(w, 24, (8+p))     \
	SMMLA_S4((w+1), 25, (8+p)) \
	SMMLA_S4((w+2), 26, (8+p)) \
	SMMLA_S4((w+3), 27, (8+p))

#define DOT23(w, p) \
	SMMLA_S4(w, 28, (12+p))     \
	SMMLA_S4((w+1), 29, (12+p)) \
	SMMLA_S4((w+2), 30, (12+p)) \
	SMMLA_S4((w+3), 31, (12+p))

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

// SUMS takes the sums of a pair of vectors apart and adds them.
#define SUMS(d0, d1, v0, v1, v2, v3, s0, s1, s2, s3) \
	VTRN1 v1.D2, v0.D2, V2.D2  \
	VTRN1 v3.D2, v2.D2, V3.D2  \
	VTRN2 v1.D2, v0.D2, V4.D2  \
	VTRN2 v3.D2, v2.D2, V5.D2  \
	SCALED(d0, 2, 3, V2, V3, s0, s1) \
	SCALED(d1, 4, 5, V4, V5, s2, s3)

#define SUMS01 SUMS(R21, R22, V8, V9, V10, V11, V16, V17, V18, V19)
#define SUMS23 SUMS(R23, R24, V12, V13, V14, V15, V20, V21, V22, V23)

#define NEXT(bytes, block) \
	ADD  $bytes, R8   \
	ADD  $bytes, R9   \
	ADD  $bytes, R10  \
	ADD  $bytes, R11  \
	ADD  $bytes, R12  \
	ADD  $bytes, R13  \
	ADD  $bytes, R14  \
	ADD  $bytes, R15  \
	SUBS $1, R3       \
	BNE  block

#define PAIR(ROWS, a, b, p) \
	ROWS(a, b)    \
	DOT01(2, p)

#define PAIRS(ROWS, a, b, p) \
	ROWS(a, b)    \
	DOT01(2, p)   \
	DOT23(2, p)

// BLOCKS32 multiplies blocks of 32, with two vectors or with four.
#define BLOCKS32(ROWS, bytes) \
	CMP   $2, R2              \
	BGT   block4              \
block2:                     \
	ACTS01                    \
	ZERO4(8)                  \
	PAIR(ROWS, R8, R9, 0)     \
	PAIR(ROWS, R10, R11, 1)   \
	PAIR(ROWS, R12, R13, 2)   \
	PAIR(ROWS, R14, R15, 3)   \
	SCALES                    \
	SUMS01                    \
	NEXT(bytes, block2)       \
	B     store               \
block4:                     \
	ACTS01                    \
	ACTS23                    \
	ZERO4(8)                  \
	ZERO4(12)                 \
	PAIRS(ROWS, R8, R9, 0)    \
	PAIRS(ROWS, R10, R11, 1)  \
	PAIRS(ROWS, R12, R13, 2)  \
	PAIRS(ROWS, R14, R15, 3)  \
	SCALES                    \
	SUMS01                    \
	SUMS23                    \
	NEXT(bytes, block4)       \
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
