#include "textflag.h"
#include "asm_arm64.h"

// Products of weights in blocks of 256 with 2 to 4 vectors of activations, by matrix
// products of bytes: see matvecs_i8mm_arm64.s. The sums of groups are multiplied with
// whole scales and added up in V16-V23. Scratch memory holds the scales of a block and
// the sums over blocks:
//
//	scales  [group][row 0..7] int32
//	sums    [vector 0..3][row 0..7] float32, from 512 on
//	d       [row 0..7] float32, from 640 on
//
// Registers:
//	R0 y, R1 bytes from one vector's results to the next's, R2 m
//	R3 blocks left, R8-R15 rows
//	R16, R17, R19, R20 q of the vectors, R21-R24 their d, R4-R7 their s
//	R25 groups left, R26 scratch memory, its scales
#define SUMS 512
#define BLOCK_D 640

#define VECTOR(t, from, to, step) \
	ADD  step, from, to      \
	CMP  $t, R2              \
	CSEL LE, from, to, to

#define ZERO4(a) \
	MOVI0(a)     \
	MOVI0((a+1)) \
	MOVI0((a+2)) \
	MOVI0((a+3))

#define START \
	MOVD y+0(FP), R0           \
	MOVD stride+8(FP), R1      \
	MOVD w+16(FP), R8          \
	MOVD rowBytes+24(FP), R7   \
	MOVD q+32(FP), R16         \
	MOVD d+40(FP), R21         \
	MOVD s+48(FP), R4          \
	MOVD m+56(FP), R2          \
	MOVD n+64(FP), R3          \
	MOVD scratch+72(FP), R26   \
	LSL  $2, R1                \
	ADD  R7, R8, R9            \
	ADD  R7, R9, R10           \
	ADD  R7, R10, R11          \
	ADD  R7, R11, R12          \
	ADD  R7, R12, R13          \
	ADD  R7, R13, R14          \
	ADD  R7, R14, R15          \
	VECTOR(1, R16, R17, R3)    \
	VECTOR(2, R17, R19, R3)    \
	VECTOR(3, R19, R20, R3)    \
	LSR  $3, R3, R25           \ // bytes of the sums of a vector
	VECTOR(1, R4, R5, R25)     \
	VECTOR(2, R5, R6, R25)     \
	VECTOR(3, R6, R7, R25)     \
	LSR  $6, R3, R25           \ // bytes of its scales
	VECTOR(1, R21, R22, R25)   \
	VECTOR(2, R22, R23, R25)   \
	VECTOR(3, R23, R24, R25)   \
	LSR  $8, R3                \
	MOVI0(0)                   \
	MOVI0(1)                   \
	FSTPQ (F0, F1), SUMS(R26)       \
	FSTPQ (F0, F1), (SUMS+32)(R26)  \
	FSTPQ (F0, F1), (SUMS+64)(R26)  \
	FSTPQ (F0, F1), (SUMS+96)(R26)

// ACTS32 loads 32 activations of two vectors into a-d.
#define ACTS32(v, u, a, b, c, d) \
	FLDPQ.P 32(v), (F0, F1)   \
	FLDPQ.P 32(u), (F2, F3)   \
	VTRN1 V2.D2, V0.D2, a.D2  \
	VTRN2 V2.D2, V0.D2, b.D2  \
	VTRN1 V3.D2, V1.D2, c.D2  \
	VTRN2 V3.D2, V1.D2, d.D2

#define ACTS32_01 ACTS32(R16, R17, V24, V25, V26, V27)
#define ACTS32_23 ACTS32(R19, R20, V28, V29, V30, V31)

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

#define PAIR(ROWS, a, b, p) \
	ROWS(a, b)    \
	DOT01(2, p)

#define PAIRS(ROWS, a, b, p) \
	ROWS(a, b)    \
	DOT01(2, p)   \
	DOT23(2, p)

// WHOLE adds sums times whole scales (V0 and V1) of a pair of vectors.
#define WHOLE(v0, v1, v2, v3, s) \
	VTRN1 v1.D2, v0.D2, V2.D2  \
	VTRN1 v3.D2, v2.D2, V3.D2  \
	VTRN2 v1.D2, v0.D2, V4.D2  \
	VTRN2 v3.D2, v2.D2, V5.D2  \
	MLA_S4(0, 2, s)            \
	MLA_S4(1, 3, (s+1))        \
	MLA_S4(0, 4, (s+2))        \
	MLA_S4(1, 5, (s+3))

#define WHOLE01 WHOLE(V8, V9, V10, V11, 16)
#define WHOLE23 WHOLE(V12, V13, V14, V15, 20)

// GROUPn2 and GROUPn4 multiply a group with two or four vectors.
#define GROUP32_2(ROWS) \
	ACTS32_01                 \
	ZERO4(8)                  \
	PAIR(ROWS, R8, R9, 0)     \
	PAIR(ROWS, R10, R11, 1)   \
	PAIR(ROWS, R12, R13, 2)   \
	PAIR(ROWS, R14, R15, 3)   \
	FLDPQ.P 32(R26), (F0, F1) \
	WHOLE01

#define GROUP32_4(ROWS) \
	ACTS32_01                 \
	ACTS32_23                 \
	ZERO4(8)                  \
	ZERO4(12)                 \
	PAIRS(ROWS, R8, R9, 0)    \
	PAIRS(ROWS, R10, R11, 1)  \
	PAIRS(ROWS, R12, R13, 2)  \
	PAIRS(ROWS, R14, R15, 3)  \
	FLDPQ.P 32(R26), (F0, F1) \
	WHOLE01                   \
	WHOLE23

#define EACH_ROW(bytes) \
	ADD $bytes, R8   \
	ADD $bytes, R9   \
	ADD $bytes, R10  \
	ADD $bytes, R11  \
	ADD $bytes, R12  \
	ADD $bytes, R13  \
	ADD $bytes, R14  \
	ADD $bytes, R15

// BLOCK_SUM adds the sums of a block of a vector. V6 and V7 hold the scales of the
// rows.
#define BLOCK_SUM(t, d, a, b, A, B) \
	FLDPQ (SUMS+32*t)(R26), (F0, F1) \
	VLD1R.P 4(d), [V24.S4]       \
	SCVTF_S4(a, a)               \
	SCVTF_S4(b, b)               \
	FMUL_S4(24, 6, 25)           \
	FMUL_S4(24, 7, 26)           \
	VFMLA V25.S4, A.S4, V0.S4    \
	VFMLA V26.S4, B.S4, V1.S4    \
	FSTPQ (F0, F1), (SUMS+32*t)(R26)

#define BLOCK_SUMS \
	FLDPQ BLOCK_D(R26), (F6, F7)            \
	BLOCK_SUM(0, R21, 16, 17, V16, V17) \
	BLOCK_SUM(1, R22, 18, 19, V18, V19) \
	BLOCK_SUM(2, R23, 20, 21, V20, V21) \
	BLOCK_SUM(3, R24, 22, 23, V22, V23)

#define STORE_SUMS(t) \
	FLDPQ (SUMS+32*t)(R26), (F0, F1) \
	FSTPQ (F0, F1), (R0)  \
	ADD   R1, R0          \
	SUBS  $1, R2          \
	BEQ   done

// BLOCKS256 multiplies blocks. HEAD prepares the scales, GROUPS2 and GROUPS4 multiply a
// few groups, loops times; the rows are then tail bytes before their next blocks.
#define BLOCKS256(HEAD, GROUPS2, GROUPS4, loops, scaleBytes, tail) \
block:                      \
	HEAD                      \
	ZERO4(16)                 \
	ZERO4(20)                 \
	MOVD  $loops, R25         \
	CMP   $2, R2              \
	BGT   four                \
two:                        \
	GROUPS2                   \
	SUBS  $1, R25             \
	BNE   two                 \
	ADD   $256, R19           \
	ADD   $256, R20           \
	B     sum                 \
four:                       \
	GROUPS4                   \
	SUBS  $1, R25             \
	BNE   four                \
sum:                        \
	SUB   $scaleBytes, R26    \
	BLOCK_SUMS                \
	EACH_ROW(tail)            \
	SUBS  $1, R3              \
	BNE   block               \
	STORE_SUMS(0)             \
	STORE_SUMS(1)             \
	STORE_SUMS(2)             \
	STORE_SUMS(3)             \
done:                       \
	RET

// TRANSPOSE16 loads 16 bytes of four rows: word i of row r becomes lane r of V(16+i).
#define TRANSPOSE16(off, a, b, c, d) \
	FMOVQ off(a), F0           \
	FMOVQ off(b), F1           \
	FMOVQ off(c), F2           \
	FMOVQ off(d), F3           \
	VTRN1 V1.S4, V0.S4, V4.S4  \
	VTRN2 V1.S4, V0.S4, V5.S4  \
	VTRN1 V3.S4, V2.S4, V6.S4  \
	VTRN2 V3.S4, V2.S4, V7.S4  \
	VTRN1 V6.D2, V4.D2, V16.D2 \
	VTRN1 V7.D2, V5.D2, V17.D2 \
	VTRN2 V6.D2, V4.D2, V18.D2 \
	VTRN2 V7.D2, V5.D2, V19.D2

// UNSIGNED4 stores the bytes of the lanes of v as the scales of four groups.
#define UNSIGNED1(byte, v, at) \
	VSHL  $(24-8*byte), v.S4, V0.S4 \
	VUSHR $24, V0.S4, V0.S4         \
	FMOVQ F0, (at+32*byte)(R26)

#define UNSIGNED4(v, at) \
	UNSIGNED1(0, v, at)  \
	UNSIGNED1(1, v, at)  \
	UNSIGNED1(2, v, at)  \
	UNSIGNED1(3, v, at)

// HALF leaves byte of the lanes of v in the halves of register d.
#define HALF(v, byte, d) \
	VSHL  $(24-8*(byte)), v.S4, V0.S4   \
	VUSHR $24, V0.S4, V0.S4             \
	XTN_H4(0, d)

// Q4_K_MINIMUMS takes away the minimums of four rows, V24-V31, from the sums at at:
// V20 holds the scales of the minimums.
#define Q4_K_MINIMUMS(d, s, at) \
	VLD1  (s), [V0.H8, V1.H8]      \
	VLD1R (d), [V2.S4]             \
	FMOVQ (SUMS+at)(R26), F3       \
	VADDP V1.H8, V0.H8, V0.H8      \
	MOVI0(4)                       \
	SMLAL_S4_H(0, 0, 24, 4)        \
	SMLAL_S4_H(0, 1, 25, 4)        \
	SMLAL_S4_H(0, 2, 26, 4)        \
	SMLAL_S4_H(0, 3, 27, 4)        \
	SMLAL_S4_H(0, 4, 28, 4)        \
	SMLAL_S4_H(0, 5, 29, 4)        \
	SMLAL_S4_H(0, 6, 30, 4)        \
	SMLAL_S4_H(0, 7, 31, 4)        \
	SCVTF_S4(4, 4)                 \
	FMUL_S4(2, 20, 2)              \
	VFMLS V4.S4, V2.S4, V3.S4      \
	FMOVQ F3, (SUMS+at)(R26)

// Q4_K_HEAD unpacks the scales of four rows, see scaleMin4, whose place in the scratch
// memory is at.
#define Q4_K_HEAD(a, b, c, d, at) \
	TRANSPOSE16(0, a, b, c, d)     \
	XTN_H4(16, 21)                 \
	SHRN16_H4(16, 20)              \
	FCVTL_S4(21, 21)               \
	FCVTL_S4(20, 20)               \
	FMOVQ F21, (BLOCK_D+at)(R26)   \
	VMOVI $63, V22.B16             \
	VMOVI $15, V23.B16             \
	VUSHR $6, V17.B16, V4.B16      \
	VUSHR $6, V18.B16, V5.B16      \
	VUSHR $4, V19.B16, V6.B16      \
	VAND  V22.B16, V17.B16, V17.B16 \
	VAND  V22.B16, V18.B16, V18.B16 \
	VAND  V23.B16, V19.B16, V19.B16 \
	VSLI  $4, V4.B16, V19.B16      \
	VSLI  $4, V5.B16, V6.B16       \
	UNSIGNED4(V17, at)             \
	UNSIGNED4(V19, at+128)         \
	HALF(V18, 0, 24)               \
	HALF(V18, 1, 25)               \
	HALF(V18, 2, 26)               \
	HALF(V18, 3, 27)               \
	HALF(V6, 0, 28)                \
	HALF(V6, 1, 29)                \
	HALF(V6, 2, 30)                \
	HALF(V6, 3, 31)                \
	Q4_K_MINIMUMS(R21, R4, (at))   \
	Q4_K_MINIMUMS(R22, R5, (at+32)) \
	Q4_K_MINIMUMS(R23, R6, (at+64)) \
	Q4_K_MINIMUMS(R24, R7, (at+96))

#define Q4_K_HEADS \
	Q4_K_HEAD(R8, R9, R10, R11, 0)     \
	Q4_K_HEAD(R12, R13, R14, R15, 16)  \
	ADD   $32, R4                      \
	ADD   $32, R5                      \
	ADD   $32, R6                      \
	ADD   $32, R7                      \
	VMOVI $15, V6.B16                  \
	EACH_ROW(16)

// Q4_K_LOW leaves the low halves of 32 bytes of two rows in V2-V5, Q4_K_HIGH the high
// ones, and moves on. V6 holds 15.
#define Q4_K_LOW(a, b) \
	FLDPQ (a), (F0, F4)           \
	FLDPQ (b), (F1, F5)           \
	VAND  V6.B16, V0.B16, V0.B16  \
	VAND  V6.B16, V1.B16, V1.B16  \
	VAND  V6.B16, V4.B16, V7.B16  \
	VAND  V6.B16, V5.B16, V5.B16  \
	VTRN1 V1.D2, V0.D2, V2.D2     \
	VTRN2 V1.D2, V0.D2, V3.D2     \
	VTRN1 V5.D2, V7.D2, V4.D2     \
	VTRN2 V5.D2, V7.D2, V5.D2

#define Q4_K_HIGH(a, b) \
	FLDPQ.P 32(a), (F0, F4)       \
	FLDPQ.P 32(b), (F1, F5)       \
	VUSHR $4, V0.B16, V0.B16      \
	VUSHR $4, V1.B16, V1.B16      \
	VUSHR $4, V4.B16, V7.B16      \
	VUSHR $4, V5.B16, V5.B16      \
	VTRN1 V1.D2, V0.D2, V2.D2     \
	VTRN2 V1.D2, V0.D2, V3.D2     \
	VTRN1 V5.D2, V7.D2, V4.D2     \
	VTRN2 V5.D2, V7.D2, V5.D2

#define Q4_K_GROUPS2 \
	GROUP32_2(Q4_K_LOW)   \
	GROUP32_2(Q4_K_HIGH)

#define Q4_K_GROUPS4 \
	GROUP32_4(Q4_K_LOW)   \
	GROUP32_4(Q4_K_HIGH)

// func matvecsQ4_K_i8mm(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int, scratch *i8mmScratch)
TEXT ·matvecsQ4_K_i8mm(SB), NOSPLIT, $0-80
	START
	BLOCKS256(Q4_K_HEADS, Q4_K_GROUPS2, Q4_K_GROUPS4, 4, 256, 0)
