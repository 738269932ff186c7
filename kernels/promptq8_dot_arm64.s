#include "textflag.h"
#include "asm_arm64.h"

// Products of 8-bit numbers: see promptq8_gemm.go. A tile is half a panel, 8 rows, by
// four vectors; its sums stay in registers for the whole depth. Both halves are
// multiplied with the same vectors before the next ones, so that those come from the
// second cache once.
//
// Registers:
//	R0 sums of 4 vectors    R1 panel    R2 packed, 4 vectors
//	R3 bytes per step of packed   R4 groups left   R5 steps
//	R6 halves left   R8 sums of the half
//	R9 header of the half's group, R10 packed, R11 its weights, R12 steps left
//	R16 steps of a block left   R17, R19, R20 scratch
// The exact sums of a group are left in V0-V7: those of vector t and rows 4*r.. in
// V(2*t+r). V16-V23 are the sums over groups in the same order. V24 and V25 are scales
// of the rows and V26 those of the vectors.
#define ARGUMENTS \
	MOVD sums_base+0(FP), R0    \
	MOVD panel_base+24(FP), R1  \
	MOVD packed_base+48(FP), R2 \
	MOVD step+72(FP), R3        \
	MOVD groups+80(FP), R4      \
	MOVD steps+88(FP), R5

// START begins with the first half of the panel.
#define START \
	MOVD $2, R6   \
	MOVD R0, R8   \
	MOVD R1, R9   \
	MOVD R1, R11

#define TO_STEPS \
	MOVD R2, R10  \
	MOVD R5, R12

// NEXT_HALF goes on with the second half of the panel, or the next four vectors. Eight
// rows take up width bytes of a run.
#define NEXT_HALF(width) \
	ADD  $32, R0, R8      \
	ADD  $32, R1, R9      \
	ADD  $width, R1, R11  \
	SUBS $1, R6           \
	BNE  half             \
	MOVD R10, R2          \
	ADD  $256, R0         \
	SUBS $1, R4           \
	BNE  group            \
	RET

#define SUMS(M) \
	M(0, F16, F17)   \
	M(64, F18, F19)  \
	M(128, F20, F21) \
	M(192, F22, F23)

#define LOAD(at, a, b) FLDPQ at(R8), (a, b)
#define STORE(at, a, b) FSTPQ (a, b), at(R8)

#define ZERO8(a) \
	MOVI0(a)     \
	MOVI0((a+1)) \
	MOVI0((a+2)) \
	MOVI0((a+3)) \
	MOVI0((a+4)) \
	MOVI0((a+5)) \
	MOVI0((a+6)) \
	MOVI0((a+7))

// SCALED adds the whole numbers in a and a+1, the sums of vector t, times the scales
// to s and s+1.
#define SCALED(t, a, s) \
	SCVTF_S4(a, a)              \
	SCVTF_S4((a+1), (a+1))      \
	FMUL_S4(24, a, a)           \
	FMUL_S4(25, (a+1), (a+1))   \
	FMLA_S4_S(26, t, a, s)      \
	FMLA_S4_S(26, t, (a+1), (s+1))

// WHOLE adds the sums in V0-V7 times whole scales.
#define WHOLE \
	FLDPQ (R9), (F24, F25) \
	MLA_S4(24, 0, 16)  \
	MLA_S4(25, 1, 17)  \
	MLA_S4(24, 2, 18)  \
	MLA_S4(25, 3, 19)  \
	MLA_S4(24, 4, 20)  \
	MLA_S4(25, 5, 21)  \
	MLA_S4(24, 6, 22)  \
	MLA_S4(25, 7, 23)

// ON moves on by so many bytes of the panel.
#define ON(bytes) \
	ADD $bytes, R9   \
	ADD $bytes, R11

// BLOCKS32 multiplies blocks of 32. GROUP gets the offset of the activations.
#define BLOCKS32(GROUP, width) \
group:                        \
	START                       \
half:                         \
	TO_STEPS                    \
	SUMS(LOAD)                  \
step:                         \
	GROUP(0)                    \
	FLDPQ (R9), (F24, F25)      \
	FMOVQ 128(R10), F26         \
	SCALED(0, 0, 16)            \
	SCALED(1, 2, 18)            \
	SCALED(2, 4, 20)            \
	SCALED(3, 6, 22)            \
	ON(576)                     \
	ADD  R3, R10                \
	SUBS $1, R12                \
	BNE  step                   \
	SUMS(STORE)                 \
	NEXT_HALF(width)

// BLOCK_SUM adds the sums of a block of 256 of vector t.
#define BLOCK_SUM(t, s, a, A, B) \
	FLDPQ (64*t)(R8), (A, B)    \
	SCALED(t, s, a)             \
	FSTPQ (A, B), (64*t)(R8)

// BLOCKS256 multiplies blocks of 256. STEP multiplies 32 values.
#define BLOCKS256(STEP, width) \
group:                         \
	START                        \
half:                          \
	TO_STEPS                     \
block:                         \
	ZERO8(16)                    \
	MOVD $8, R16                 \
step:                          \
	STEP                         \
	ADD  R3, R10                 \
	SUBS $1, R16                 \
	BNE  step                    \
	SUB  R3, R10, R17            \
	FLDPQ (R9), (F24, F25)       \
	FMOVQ 128(R17), F26          \
	BLOCK_SUM(0, 16, 0, F0, F1)  \
	BLOCK_SUM(1, 18, 2, F2, F3)  \
	BLOCK_SUM(2, 20, 4, F4, F5)  \
	BLOCK_SUM(3, 22, 6, F6, F7)  \
	ON(64)                       \
	SUBS $8, R12                 \
	BNE  block                   \
	NEXT_HALF(width)

#define STEP32(GROUP32) \
	GROUP32(0)  \
	WHOLE       \
	ON(576)

#define STEP16(GROUP16) \
	GROUP16(0)   \
	WHOLE        \
	ON(320)      \
	GROUP16(64)  \
	WHOLE        \
	ON(320)

// With dot products: runs of four values, of which the weights of eight rows are in
// two registers and the activations of four vectors in one. V8-V13 are loaded in
// turn.
#define RUN_LOAD(i, x, w0, w1, v) \
	FLDPQ (64+64*i)(R11), (w0, w1) \
	FMOVQ (x+16*i)(R10), v

#define RUN_LOAD0(i, x) RUN_LOAD(i, x, F8, F9, F12)
#define RUN_LOAD1(i, x) RUN_LOAD(i, x, F10, F11, F13)

#define RUN_DOT(w0, w1, v) \
	SDOT_S4_B(v, 0, w0, 0) \
	SDOT_S4_B(v, 0, w1, 1) \
	SDOT_S4_B(v, 1, w0, 2) \
	SDOT_S4_B(v, 1, w1, 3) \
	SDOT_S4_B(v, 2, w0, 4) \
	SDOT_S4_B(v, 2, w1, 5) \
	SDOT_S4_B(v, 3, w0, 6) \
	SDOT_S4_B(v, 3, w1, 7)

#define RUN_DOT0 RUN_DOT(8, 9, 12)
#define RUN_DOT1 RUN_DOT(10, 11, 13)

#define GROUP16_DOTPROD(x) \
	RUN_LOAD0(0, x)  \
	ZERO8(0)         \
	RUN_LOAD1(1, x)  \
	RUN_DOT0         \
	RUN_LOAD0(2, x)  \
	RUN_DOT1         \
	RUN_LOAD1(3, x)  \
	RUN_DOT0         \
	RUN_DOT1

#define GROUP32_DOTPROD(x) \
	RUN_LOAD0(0, x)  \
	ZERO8(0)         \
	RUN_LOAD1(1, x)  \
	RUN_DOT0         \
	RUN_LOAD0(2, x)  \
	RUN_DOT1         \
	RUN_LOAD1(3, x)  \
	RUN_DOT0         \
	RUN_LOAD0(4, x)  \
	RUN_DOT1         \
	RUN_LOAD1(5, x)  \
	RUN_DOT0         \
	RUN_LOAD0(6, x)  \
	RUN_DOT1         \
	RUN_LOAD1(7, x)  \
	RUN_DOT0         \
	RUN_DOT1

// func dotQ8x32_dotprod(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x32_dotprod(SB), NOSPLIT, $0-96
	ARGUMENTS
	BLOCKS32(GROUP32_DOTPROD, 32)

// func dotQ8x256x32_dotprod(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x256x32_dotprod(SB), NOSPLIT, $0-96
	ARGUMENTS
	BLOCKS256(STEP32(GROUP32_DOTPROD), 32)

// func dotQ8x256x16_dotprod(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x256x16_dotprod(SB), NOSPLIT, $0-96
	ARGUMENTS
	BLOCKS256(STEP16(GROUP16_DOTPROD), 32)

// With matrix products: runs of eight values, of which the weights of two rows are in
// one register and the activations of two vectors in another. An instruction adds the
// four products of those to one of V8-V15: vector 2*t of the rows, then vector
// 2*t+1, with rows 2*r.. in V(8+4*t+r). V24-V31 and V0-V3 are loaded in turn.
#define PAIR_LOAD0(i, x) \
	FLDPQ (64+128*i)(R11), (F24, F25) \
	FLDPQ (96+128*i)(R11), (F26, F27) \
	FLDPQ (x+32*i)(R10), (F0, F1)

#define PAIR_LOAD1(i, x) \
	FLDPQ (64+128*i)(R11), (F28, F29) \
	FLDPQ (96+128*i)(R11), (F30, F31) \
	FLDPQ (x+32*i)(R10), (F2, F3)

#define PAIR_DOT(w, v) \
	SMMLA_S4(w, v, 8)          \
	SMMLA_S4((w+1), v, 9)      \
	SMMLA_S4((w+2), v, 10)     \
	SMMLA_S4((w+3), v, 11)     \
	SMMLA_S4(w, (v+1), 12)     \
	SMMLA_S4((w+1), (v+1), 13) \
	SMMLA_S4((w+2), (v+1), 14) \
	SMMLA_S4((w+3), (v+1), 15)

#define PAIR_DOT0 PAIR_DOT(24, 0)
#define PAIR_DOT1 PAIR_DOT(28, 2)

#define PAIR_SUMS \
	VTRN1 V9.D2, V8.D2, V0.D2    \
	VTRN1 V11.D2, V10.D2, V1.D2  \
	VTRN2 V9.D2, V8.D2, V2.D2    \
	VTRN2 V11.D2, V10.D2, V3.D2  \
	VTRN1 V13.D2, V12.D2, V4.D2  \
	VTRN1 V15.D2, V14.D2, V5.D2  \
	VTRN2 V13.D2, V12.D2, V6.D2  \
	VTRN2 V15.D2, V14.D2, V7.D2

#define GROUP16_I8MM(x) \
	PAIR_LOAD0(0, x)  \
	ZERO8(8)          \
	PAIR_LOAD1(1, x)  \
	PAIR_DOT0         \
	PAIR_DOT1         \
	PAIR_SUMS

#define GROUP32_I8MM(x) \
	PAIR_LOAD0(0, x)  \
	ZERO8(8)          \
	PAIR_LOAD1(1, x)  \
	PAIR_DOT0         \
	PAIR_LOAD0(2, x)  \
	PAIR_DOT1         \
	PAIR_LOAD1(3, x)  \
	PAIR_DOT0         \
	PAIR_DOT1         \
	PAIR_SUMS

// func dotQ8x32_i8mm(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x32_i8mm(SB), NOSPLIT, $0-96
	ARGUMENTS
	BLOCKS32(GROUP32_I8MM, 64)

// func dotQ8x256x32_i8mm(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x256x32_i8mm(SB), NOSPLIT, $0-96
	ARGUMENTS
	BLOCKS256(STEP32(GROUP32_I8MM), 64)

// func dotQ8x256x16_i8mm(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x256x16_i8mm(SB), NOSPLIT, $0-96
	ARGUMENTS
	BLOCKS256(STEP16(GROUP16_I8MM), 64)

// With neither: runs of four values; the four activations of a vector are in all
// lanes. Products of two bytes are added in 16 bits, those of vector t and rows 2*i
// and 2*i+1, four of each, in V(4*t+i). The numbers of types that are not wide leave
// room for a whole group: see q8Type.
#define SHORT_LOAD \
	FLDPQ.P 64(R17), (F24, F25) \
	VLD4R.P 16(R19), [V26.S4, V27.S4, V28.S4, V29.S4]

#define SHORT_MUL(v, a) \
	SMULL_H8(v, 24, a)        \
	SMULL2_H8(v, 24, (a+1))   \
	SMULL_H8(v, 25, (a+2))    \
	SMULL2_H8(v, 25, (a+3))

#define SHORT_ADD(v, a) \
	SMLAL_H8(v, 24, a)        \
	SMLAL2_H8(v, 24, (a+1))   \
	SMLAL_H8(v, 25, (a+2))    \
	SMLAL2_H8(v, 25, (a+3))

#define SHORT_RUN(M) \
	SHORT_LOAD  \
	M(26, 0)    \
	M(27, 4)    \
	M(28, 8)    \
	M(29, 12)

// NEIGHBOURS adds neighbours, of 16 or 32 bits, and leaves a register for every two.
#define NEIGHBOURS(kind) \
	VADDP V1.kind, V0.kind, V0.kind \
	VADDP V3.kind, V2.kind, V1.kind \
	VADDP V5.kind, V4.kind, V2.kind \
	VADDP V7.kind, V6.kind, V3.kind \
	VADDP V9.kind, V8.kind, V4.kind \
	VADDP V11.kind, V10.kind, V5.kind \
	VADDP V13.kind, V12.kind, V6.kind \
	VADDP V15.kind, V14.kind, V7.kind

#define SHORT_SUMS \
	NEIGHBOURS(H8)    \
	SADDLP_S4(0, 0)   \
	SADDLP_S4(1, 1)   \
	SADDLP_S4(2, 2)   \
	SADDLP_S4(3, 3)   \
	SADDLP_S4(4, 4)   \
	SADDLP_S4(5, 5)   \
	SADDLP_S4(6, 6)   \
	SADDLP_S4(7, 7)

// SHORT_START points to the activations and the weights of a group.
#define SHORT_START(x) \
	ADD $(x), R10, R19  \
	ADD $64, R11, R17

#define GROUP16_NEON(x) \
	SHORT_START(x)        \
	SHORT_RUN(SHORT_MUL)  \
	SHORT_RUN(SHORT_ADD)  \
	SHORT_RUN(SHORT_ADD)  \
	SHORT_RUN(SHORT_ADD)  \
	SHORT_SUMS

#define GROUP32_NEON(x) \
	SHORT_START(x)        \
	SHORT_RUN(SHORT_MUL)  \
	SHORT_RUN(SHORT_ADD)  \
	SHORT_RUN(SHORT_ADD)  \
	SHORT_RUN(SHORT_ADD)  \
	SHORT_RUN(SHORT_ADD)  \
	SHORT_RUN(SHORT_ADD)  \
	SHORT_RUN(SHORT_ADD)  \
	SHORT_RUN(SHORT_ADD)  \
	SHORT_SUMS

// func dotQ8x32_neon(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x32_neon(SB), NOSPLIT, $0-96
	ARGUMENTS
	BLOCKS32(GROUP32_NEON, 32)

// func dotQ8x256x32_neon(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x256x32_neon(SB), NOSPLIT, $0-96
	ARGUMENTS
	BLOCKS256(STEP32(GROUP32_NEON), 32)

// func dotQ8x256x16_neon(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x256x16_neon(SB), NOSPLIT, $0-96
	ARGUMENTS
	BLOCKS256(STEP16(GROUP16_NEON), 32)

// Wide numbers: 16 bits have room for two products. Two runs are multiplied and their
// sums added in 32 bits, to two numbers for each row: those of vector t and rows 2*i
// and 2*i+1 in V(4*t+i). V24-V27 are weights, V28 and V29 activations, V30 and V31
// products.
#define WIDE_HALF(w0, w1, a, ADD32) \
	SMULL_H8(28, w0, 30)    \
	SMULL2_H8(28, w0, 31)   \
	SMLAL_H8(29, w1, 30)    \
	SMLAL2_H8(29, w1, 31)   \
	ADD32(30, a)            \
	ADD32(31, (a+1))

#define WIDE_VECTOR(a, ADD32) \
	VLD1R.P 4(R19), [V28.S4]       \
	VLD1R.P 4(R20), [V29.S4]       \
	WIDE_HALF(24, 26, a, ADD32)    \
	WIDE_HALF(25, 27, (a+2), ADD32)

#define WIDE_RUNS(ADD32) \
	FLDPQ.P 64(R17), (F24, F25)  \
	FLDPQ.P 64(R17), (F26, F27)  \
	ADD  $16, R19, R20           \
	WIDE_VECTOR(0, ADD32)        \
	WIDE_VECTOR(4, ADD32)        \
	WIDE_VECTOR(8, ADD32)        \
	WIDE_VECTOR(12, ADD32)       \
	MOVD R20, R19

#define GROUP32_WIDE(x) \
	SHORT_START(x)        \
	WIDE_RUNS(SADDLP_S4)  \
	WIDE_RUNS(SADALP_S4)  \
	WIDE_RUNS(SADALP_S4)  \
	WIDE_RUNS(SADALP_S4)  \
	NEIGHBOURS(S4)

// func dotQ8x32wide_neon(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x32wide_neon(SB), NOSPLIT, $0-96
	ARGUMENTS
	BLOCKS32(GROUP32_WIDE, 32)

// func dotQ8x256x32wide_neon(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x256x32wide_neon(SB), NOSPLIT, $0-96
	ARGUMENTS
	BLOCKS256(STEP32(GROUP32_WIDE), 32)

// minsQ8 adds minimums of 16 rows times activations of four vectors: sums of vector t
// and rows 4*r.. are in V(4*t+r), V16-V19 are minimums, V20 activations.
#define MINS_SUMS(M) \
	M(V0, V1, V2, V3)    \
	M(V4, V5, V6, V7)    \
	M(V8, V9, V10, V11)  \
	M(V12, V13, V14, V15)

#define MINS_LOAD(a, b, c, d) VLD1.P 64(R8), [a.S4, b.S4, c.S4, d.S4]
#define MINS_STORE(a, b, c, d) VST1.P [a.S4, b.S4, c.S4, d.S4], 64(R0)

#define MINS_ADD(t, a) \
	FMLA_S4_S(20, t, 16, a)      \
	FMLA_S4_S(20, t, 17, (a+1))  \
	FMLA_S4_S(20, t, 18, (a+2))  \
	FMLA_S4_S(20, t, 19, (a+3))

// func minsQ8_neon(sums, mins, packed []byte, minStep, step, groups, steps int)
TEXT ·minsQ8_neon(SB), NOSPLIT, $0-104
	MOVD sums_base+0(FP), R0
	MOVD mins_base+24(FP), R1
	MOVD packed_base+48(FP), R2
	MOVD minStep+72(FP), R7
	MOVD step+80(FP), R3
	MOVD groups+88(FP), R4
	MOVD steps+96(FP), R5
group:
	MOVD R1, R9
	MOVD R5, R12
	MOVD R0, R8
	MINS_SUMS(MINS_LOAD)
step:
	VLD1  (R9), [V16.S4, V17.S4, V18.S4, V19.S4]
	FMOVQ (R2), F20
	MINS_ADD(0, 0)
	MINS_ADD(1, 4)
	MINS_ADD(2, 8)
	MINS_ADD(3, 12)
	ADD  R7, R9
	ADD  R3, R2
	SUBS $1, R12
	BNE  step
	MINS_SUMS(MINS_STORE)
	SUBS $1, R4
	BNE  group
	RET
