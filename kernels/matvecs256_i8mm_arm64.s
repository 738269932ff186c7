#include "textflag.h"
#include "asm_arm64.h"
#include "matvecs_i8mm_arm64.h"

// Products of weights in blocks of 256. The sums of groups are multiplied with whole
// scales and added up in V16-V23. Scratch memory holds the scales of a block and the
// sums over blocks:
//
//	scales  [group][row 0..7] int32
//	sums    [vector 0..3][row 0..7] float32, from 512 on
//	d       [row 0..7] float32, from 640 on
//
// R25 counts groups, R26 is the scratch memory, from the scales of the group on.
#define SUMS 512
#define BLOCK_D 640

#define START \
	ARGUMENTS(6)               \
	MOVD scratch+72(FP), R26   \
	LSR  $8, R3                \
	MOVI0(0)                   \
	MOVI0(1)                   \
	FSTPQ (F0, F1), SUMS(R26)       \
	FSTPQ (F0, F1), (SUMS+32)(R26)  \
	FSTPQ (F0, F1), (SUMS+64)(R26)  \
	FSTPQ (F0, F1), (SUMS+96)(R26)

// WHOLE adds the sums of a pair of vectors times the whole scales in V0 and V1.
#define WHOLE(s) \
	MLA_S4(0, 2, s)      \
	MLA_S4(1, 3, (s+1))  \
	MLA_S4(0, 4, (s+2))  \
	MLA_S4(1, 5, (s+3))

#define WHOLE2 \
	FLDPQ.P 32(R26), (F0, F1) \
	APART01                   \
	WHOLE(16)

#define WHOLE4 \
	WHOLE2                    \
	APART23                   \
	WHOLE(20)

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
// V20 holds the scales of the minimums. R4-R7 are the s of the vectors.
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
	VALUES32_2(Q4_K_LOW)   \
	WHOLE2                 \
	VALUES32_2(Q4_K_HIGH)  \
	WHOLE2

#define Q4_K_GROUPS4 \
	VALUES32_4(Q4_K_LOW)   \
	WHOLE4                 \
	VALUES32_4(Q4_K_HIGH)  \
	WHOLE4

// Q6_K. R6 and R7 are where the low and the upper bits of a half of a block start in it,
// R4 and R5 where those of a group do.

#define SIGNED1(byte, v, at) \
	VSHL  $(24-8*byte), v.S4, V0.S4 \
	SSHR_S4(24, 0, 0)               \
	FMOVQ F0, (at+32*byte)(R26)

#define SIGNED4(v, at) \
	SIGNED1(0, v, at)  \
	SIGNED1(1, v, at)  \
	SIGNED1(2, v, at)  \
	SIGNED1(3, v, at)

// Q6_K_HEAD unpacks the scales of four rows. That of the block is the second half of the
// last word of 16 bytes.
#define Q6_K_HEAD(a, b, c, d, at) \
	TRANSPOSE16(192, a, b, c, d)  \
	SIGNED4(V16, at)              \
	SIGNED4(V17, at+128)          \
	SIGNED4(V18, at+256)          \
	SIGNED4(V19, at+384)          \
	TRANSPOSE16(194, a, b, c, d)  \
	SHRN16_H4(19, 19)             \
	FCVTL_S4(19, 19)              \
	FMOVQ F19, (BLOCK_D+at)(R26)

#define Q6_K_HEADS \
	Q6_K_HEAD(R8, R9, R10, R11, 0)     \
	Q6_K_HEAD(R12, R13, R14, R15, 16)  \
	VMOVI $63, V6.B16                  \
	VMOVI $32, V7.B16                  \
	MOVD  $0, R6                       \
	MOVD  $128, R7

// Q6_K_BITS loads 16 values of two rows (numbers of registers): V2 and V3 have the low bits of one run in their
// low halves and those of another in their high ones, V0 and V1 the upper bits of four.
#define Q6_K_BITS(a, b) \
	LDR_Q(4, a, 0)            \
	LDR_Q(4, b, 1)            \
	LDR_Q(5, a, 4)            \
	LDR_Q(5, b, 5)            \
	VTRN1 V1.D2, V0.D2, V2.D2  \
	VTRN2 V1.D2, V0.D2, V3.D2  \
	VTRN1 V5.D2, V4.D2, V0.D2  \
	VTRN2 V5.D2, V4.D2, V1.D2

#define DOWN(n, a, b) \
	VUSHR $n, a.B16, a.B16     \
	VUSHR $n, b.B16, b.B16

// Q6_K_MERGE puts the upper bits above the low ones and takes 32 away.
#define Q6_K_MERGE \
	VSLI $4, V0.B16, V2.B16     \
	VSLI $4, V1.B16, V3.B16     \
	VAND V6.B16, V2.B16, V2.B16 \
	VAND V6.B16, V3.B16, V3.B16 \
	VSUB V7.B16, V2.B16, V2.B16 \
	VSUB V7.B16, V3.B16, V3.B16

#define Q6_K_RUN0(a, b) \
	Q6_K_BITS(a, b)   \
	Q6_K_MERGE

#define Q6_K_RUN1(a, b) \
	Q6_K_BITS(a, b)   \
	DOWN(2, V0, V1)   \
	Q6_K_MERGE

#define Q6_K_RUN2(a, b) \
	Q6_K_BITS(a, b)   \
	DOWN(4, V2, V3)   \
	DOWN(4, V0, V1)   \
	Q6_K_MERGE

#define Q6_K_RUN3(a, b) \
	Q6_K_BITS(a, b)   \
	DOWN(4, V2, V3)   \
	DOWN(6, V0, V1)   \
	Q6_K_MERGE

// ACTS16 loads 16 activations of two vectors into a and b.
#define ACTS16(v, u, a, b) \
	FMOVQ.P 16(v), F0         \
	FMOVQ.P 16(u), F1         \
	VTRN1 V1.D2, V0.D2, a.D2  \
	VTRN2 V1.D2, V0.D2, b.D2

#define PAIR16(ROWS, a, b, p) \
	ROWS(a, b)             \
	SMMLA_S4(2, 24, (8+p)) \
	SMMLA_S4(3, 25, (8+p))

#define PAIRS16(ROWS, a, b, p) \
	PAIR16(ROWS, a, b, p)   \
	SMMLA_S4(2, 28, (12+p)) \
	SMMLA_S4(3, 29, (12+p))

#define VALUES16_2(ROWS) \
	ACTS16(R16, R17, V24, V25)  \
	ZERO4(8)                    \
	PAIR16(ROWS, 8, 9, 0)     \
	PAIR16(ROWS, 10, 11, 1)   \
	PAIR16(ROWS, 12, 13, 2)   \
	PAIR16(ROWS, 14, 15, 3)   \
	WHOLE2

#define VALUES16_4(ROWS) \
	ACTS16(R16, R17, V24, V25)  \
	ACTS16(R19, R20, V28, V29)  \
	ZERO4(8)                    \
	ZERO4(12)                   \
	PAIRS16(ROWS, 8, 9, 0)    \
	PAIRS16(ROWS, 10, 11, 1)  \
	PAIRS16(ROWS, 12, 13, 2)  \
	PAIRS16(ROWS, 14, 15, 3)  \
	WHOLE4

// Q6_K_GROUPS multiplies the two groups of a run, Q6_K_HALF those of half a block.
#define Q6_K_GROUPS(VALUES16, RUN, low) \
	ADD  $low, R6, R4       \
	MOVD R7, R5             \
	VALUES16(RUN)           \
	ADD  $16, R4            \
	ADD  $16, R5            \
	VALUES16(RUN)

#define Q6_K_HALF(VALUES16) \
	Q6_K_GROUPS(VALUES16, Q6_K_RUN0, 0)   \
	Q6_K_GROUPS(VALUES16, Q6_K_RUN1, 32)  \
	Q6_K_GROUPS(VALUES16, Q6_K_RUN2, 0)   \
	Q6_K_GROUPS(VALUES16, Q6_K_RUN3, 32)  \
	ADD  $64, R6                          \
	ADD  $32, R7

// func matvecsQ4_K_i8mm(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int, scratch *i8mmScratch)
TEXT ·matvecsQ4_K_i8mm(SB), NOSPLIT, $0-80
	START
	MOVD s+48(FP), R4
	MOVD n+64(FP), R25
	LSR  $3, R25               // bytes of the sums of a vector
	VECTOR(1, R4, R5, R25)
	VECTOR(2, R5, R6, R25)
	VECTOR(3, R6, R7, R25)
	BLOCKS256(Q4_K_HEADS, Q4_K_GROUPS2, Q4_K_GROUPS4, 4, 256, 0)

// func matvecsQ6_K_i8mm(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int, scratch *i8mmScratch)
TEXT ·matvecsQ6_K_i8mm(SB), NOSPLIT, $0-80
	START
	BLOCKS256(Q6_K_HEADS, Q6_K_HALF(VALUES16_2), Q6_K_HALF(VALUES16_4), 2, 512, 210)
