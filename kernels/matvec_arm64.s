#include "textflag.h"
#include "asm_arm64.h"

// Products of quantized weights. All of them take four rows of weights at a time
// and keep the sums of row r in lane r of V31, so that the activations are read
// once for four rows and the last steps (scales, conversion, sum over blocks)
// work on all lanes. Where fewer than four rows are left, the last one stands in
// for the missing ones and their sums are dropped: every output is made by the
// same instructions whatever the number of rows.
//
// Registers: R0 y, R1 rows left, R2 weights, R3 q, R4 blocks per row, R5 d, R6 s,
// R7 bytes per row; in the loop over blocks R8-R11 the four rows, R12 q, R13 d,
// R14 s, R15 blocks left.

// ARGS loads the arguments of a quantMV for blocks of bytes bytes.
#define ARGS(bytes) \
	MOVD y_base+0(FP), R0   \
	MOVD y_len+8(FP), R1    \
	MOVD w_base+24(FP), R2  \
	MOVD q_base+48(FP), R3  \
	MOVD d_base+72(FP), R5  \
	MOVD d_len+80(FP), R4   \
	MOVD s_base+96(FP), R6  \
	MOVD $bytes, R7         \
	MUL  R4, R7, R7

// ROWS begins a group of rows: R8-R11 = rows 0, min(1,last), min(2,last),
// min(3,last); V31 = 0.
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
	MOVD R5, R13            \
	MOVD R6, R14            \
	MOVD R4, R15            \
	MOVI0(31)

// STORE ends a group: it stores V31 and returns or goes back to the label rows.
#define STORE \
	CMP  $4, R1                \
	BLT  last                  \
	VST1.P [V31.S4], 16(R0)    \
	ADD  R7<<2, R2             \
	SUBS $4, R1                \
	BNE  rows                  \
	RET                        \
last:                              \
	VST1.P V31.S[0], 4(R0)     \
	SUBS $1, R1                \
	BEQ  done                  \
	VST1.P V31.S[1], 4(R0)     \
	SUBS $1, R1                \
	BEQ  done                  \
	VST1.P V31.S[2], 4(R0)     \
done:                              \
	RET

// SUM4 leaves the sum of the lanes of a, b, c, d in lanes 0-3 of a.
#define SUM4(a, b, c, d) \
	VADDP b.S4, a.S4, a.S4  \
	VADDP d.S4, c.S4, c.S4  \
	VADDP c.S4, a.S4, a.S4

// SUM4H adds neighbours twice: lanes 2r and 2r+1 of a hold what is left of row r.
#define SUM4H(a, b, c, d) \
	VADDP b.H8, a.H8, a.H8  \
	VADDP d.H8, c.H8, c.H8  \
	VADDP c.H8, a.H8, a.H8

// SCALE adds V2 (the scale of the activations in all lanes) * V3 (the scales of
// the weights, binary16) * the integer sums of four rows in V, which is register
// number n, to V31.
#define SCALE(n, V) \
	SCVTF_S4(n, n)          \
	FCVTL_S4(3, 4)          \
	FMUL_S4(2, 4, 4)        \
	VFMLA V4.S4, V.S4, V31.S4

// Q8_0: a binary16 scale and 32 int8.

// Q8_0_LOAD reads a block of four rows, a load well ahead of its use: V3 = scales,
// V4-V7 and V16-V19 = weights, two registers per row. V0, V1 = activations,
// V2 = their scale.
#define Q8_0_LOAD \
	VLD1.P  32(R12), [V0.B16, V1.B16]  \
	VLD1R.P 4(R13), [V2.S4]            \
	VLD1R.P 2(R8), [V3.H4]             \
	VLD1.P  2(R9), V3.H[1]             \
	VLD1.P  2(R10), V3.H[2]            \
	VLD1.P  2(R11), V3.H[3]            \
	VLD1.P  32(R8), [V4.B16, V5.B16]   \
	VLD1.P  32(R9), [V6.B16, V7.B16]   \
	VLD1.P  32(R10), [V16.B16, V17.B16] \
	VLD1.P  32(R11), [V18.B16, V19.B16]

// DOTPROD32 leaves the products of 32 weights, v and w, in the lanes of sum.
#define DOTPROD32(v, w, sum) \
	MOVI0(sum)              \
	SDOT_S4(0, v, sum)      \
	SDOT_S4(1, w, sum)

// func matvecQ8_0_dotprod(y []float32, w []byte, q []int8, d []float32, s []int16)
TEXT ·matvecQ8_0_dotprod(SB), NOSPLIT, $0-120
	ARGS(34)
rows:
	ROWS
block:
	Q8_0_LOAD
	DOTPROD32(4, 5, 20)
	DOTPROD32(6, 7, 21)
	DOTPROD32(16, 17, 22)
	DOTPROD32(18, 19, 23)
	SUM4(V20, V21, V22, V23)
	SCALE(20, V20)
	SUBS $1, R15
	BNE  block
	STORE

// The products of two int8 fit in 16 bits, and so does the sum of two as long as
// the activations stay within ±127, which Quantize sees to.
#define Q8_0_NEON(v, w, sum) \
	SMULL_H8(0, v, 24)      \
	SMULL_H8(1, w, 25)      \
	SMLAL2_H8(0, v, 24)     \
	SMLAL2_H8(1, w, 25)     \
	SADDLP_S4(24, sum)      \
	SADALP_S4(25, sum)

// func matvecQ8_0_neon(y []float32, w []byte, q []int8, d []float32, s []int16)
TEXT ·matvecQ8_0_neon(SB), NOSPLIT, $0-120
	ARGS(34)
rows:
	ROWS
block:
	Q8_0_LOAD
	Q8_0_NEON(4, 5, 20)
	Q8_0_NEON(6, 7, 21)
	Q8_0_NEON(16, 17, 22)
	Q8_0_NEON(18, 19, 23)
	SUM4(V20, V21, V22, V23)
	SCALE(20, V20)
	SUBS $1, R15
	BNE  block
	STORE

// Q4_0: a binary16 scale and 32 nibbles, of which 8 is to be taken away: values
// 0-15 in the low ones, 16-31 in the high ones. The products use the nibbles as
// they are; 8 times the sum of the activations is subtracted once for four rows.

// Q4_0_LOAD reads a block of four rows: V3 = scales, V4, V6, V16, V18 = values
// 0-15 of the rows, V5, V7, V17, V19 = values 16-31. V0, V1 = activations,
// V2 = their scale, V24 = 8 * their sum.
#define Q4_0_LOAD \
	VLD1.P  32(R12), [V0.B16, V1.B16] \
	VLD1R.P 4(R13), [V2.S4]         \
	VLD1R.P 2(R14), [V24.H4]        \
	VLD1R.P 2(R8), [V3.H4]          \
	VLD1.P  2(R9), V3.H[1]          \
	VLD1.P  2(R10), V3.H[2]         \
	VLD1.P  2(R11), V3.H[3]         \
	VLD1.P  16(R8), [V4.B16]        \
	VLD1.P  16(R9), [V6.B16]        \
	VLD1.P  16(R10), [V16.B16]      \
	VLD1.P  16(R11), [V18.B16]      \
	VUSHR   $4, V4.B16, V5.B16      \
	VUSHR   $4, V6.B16, V7.B16      \
	VUSHR   $4, V16.B16, V17.B16    \
	VUSHR   $4, V18.B16, V19.B16    \
	VAND    V30.B16, V4.B16, V4.B16 \
	VAND    V30.B16, V6.B16, V6.B16 \
	VAND    V30.B16, V16.B16, V16.B16 \
	VAND    V30.B16, V18.B16, V18.B16 \
	SSHLL_S4(3, 24, 24)

// func matvecQ4_0_dotprod(y []float32, w []byte, q []int8, d []float32, s []int16)
TEXT ·matvecQ4_0_dotprod(SB), NOSPLIT, $0-120
	ARGS(18)
	VMOVI $15, V30.B16
rows:
	ROWS
block:
	Q4_0_LOAD
	DOTPROD32(4, 5, 20)
	DOTPROD32(6, 7, 21)
	DOTPROD32(16, 17, 22)
	DOTPROD32(18, 19, 23)
	SUM4(V20, V21, V22, V23)
	VSUB V24.S4, V20.S4, V20.S4
	SCALE(20, V20)
	SUBS $1, R15
	BNE  block
	STORE

// A lane of SUM4H sums 16 products of at most 15*127 in magnitude, which fits in
// 16 bits.
#define Q4_0_NEON(v, w, sum) \
	SMULL_H8(0, v, sum)     \
	SMLAL2_H8(0, v, sum)    \
	SMLAL_H8(1, w, sum)     \
	SMLAL2_H8(1, w, sum)

// func matvecQ4_0_neon(y []float32, w []byte, q []int8, d []float32, s []int16)
TEXT ·matvecQ4_0_neon(SB), NOSPLIT, $0-120
	ARGS(18)
	VMOVI $15, V30.B16
rows:
	ROWS
block:
	Q4_0_LOAD
	Q4_0_NEON(4, 5, 20)
	Q4_0_NEON(6, 7, 21)
	Q4_0_NEON(16, 17, 22)
	Q4_0_NEON(18, 19, 23)
	SUM4H(V20, V21, V22, V23)
	SADDLP_S4(20, 20)
	VSUB V24.S4, V20.S4, V20.S4
	SCALE(20, V20)
	SUBS $1, R15
	BNE  block
	STORE

// Q4_K: 256 nibbles in 8 sub-blocks of 32, each with a scale and a min of 6 bits:
//
//	d, dmin  2 * binary16
//	scales   12 bytes: 0-3 the low 6 bits are the scales of sub-blocks 0-3, 4-7
//	         their mins; 8-11 the low nibbles of the scales and the high nibbles
//	         of the mins of sub-blocks 4-7, whose upper 2 bits are the upper 2
//	         bits of bytes 0-3 (scales) and 4-7 (mins)
//	qs       4 * 32 bytes: low nibbles sub-block 2i, high nibbles sub-block 2i+1
//
// A row's sum is d * sum over sub-blocks of scale*(nibbles·q) minus
// dmin * sum over sub-blocks of min*(sum of q); both sums are exact integers.

// Q4_K_HEADS reads the first 16 bytes of the blocks of four rows, transposes them
// so that each instruction works on all of them (32-bit lane r belongs to row r),
// subtracts the mins' part from V31 and leaves
//	V16, V17  scales of sub-blocks 0-3 and 4-7, 4 bytes per row
//	V28       d * scale of the activations
#define Q4_K_HEADS \
	VLD1.P 16(R8), [V4.S4]  \
	VLD1.P 16(R9), [V5.S4]  \
	VLD1.P 16(R10), [V6.S4] \
	VLD1.P 16(R11), [V7.S4] \
	VLD1.P 32(R14), [V24.H8, V25.H8] \
	VLD1R.P 4(R13), [V2.S4] \
	VTRN1  V5.S4, V4.S4, V20.S4   \
	VTRN2  V5.S4, V4.S4, V21.S4   \
	VTRN1  V7.S4, V6.S4, V22.S4   \
	VTRN2  V7.S4, V6.S4, V23.S4   \
	VTRN1  V22.D2, V20.D2, V29.D2 \ // d, dmin
	VTRN1  V23.D2, V21.D2, V16.D2 \ // bytes 0-3
	VTRN2  V22.D2, V20.D2, V18.D2 \ // bytes 4-7
	VTRN2  V23.D2, V21.D2, V17.D2 \ // bytes 8-11
	VMOVI  $63, V22.B16           \
	VUSHR  $6, V16.B16, V20.B16   \
	VUSHR  $6, V18.B16, V21.B16   \
	VUSHR  $4, V17.B16, V19.B16   \
	VSLI   $4, V20.B16, V17.B16   \ // scales 4-7
	VSLI   $4, V21.B16, V19.B16   \ // mins 4-7
	VAND   V22.B16, V16.B16, V16.B16 \ // scales 0-3
	VAND   V22.B16, V18.B16, V18.B16 \ // mins 0-3
	XTN_H4(29, 28)                \
	SHRN16_H4(29, 29)             \
	FCVTL_S4(28, 28)              \
	FCVTL_S4(29, 29)              \
	FMUL_S4(2, 28, 28)            \
	FMUL_S4(2, 29, 29)            \
	VADDP  V25.H8, V24.H8, V24.H8 \ // sums of q, one per sub-block
	VTRN1  V24.D2, V24.D2, V25.D2 \ // 0-3 0-3
	VTRN2  V24.D2, V24.D2, V24.D2 \ // 4-7 4-7
	VUXTL  V18.B8, V20.H8         \
	VUXTL2 V18.B16, V21.H8        \
	VUXTL  V19.B8, V22.H8         \
	VUXTL2 V19.B16, V23.H8        \
	SMULL_S4(25, 20, 4)           \
	SMULL2_S4(25, 20, 5)          \
	SMULL_S4(25, 21, 6)           \
	SMULL2_S4(25, 21, 7)          \
	SMLAL_S4(24, 22, 4)           \
	SMLAL2_S4(24, 22, 5)          \
	SMLAL_S4(24, 23, 6)           \
	SMLAL2_S4(24, 23, 7)          \
	SUM4(V4, V5, V6, V7)          \
	SCVTF_S4(4, 4)                \
	VFMLS  V4.S4, V29.S4, V31.S4

// Q4_K_NIBBLES reads 64 weights of a row: V4, V5 one sub-block, V6, V7 the next.
#define Q4_K_NIBBLES(row) \
	VLD1.P 32(row), [V4.B16, V5.B16] \
	VUSHR  $4, V4.B16, V6.B16        \
	VUSHR  $4, V5.B16, V7.B16        \
	VAND   V30.B16, V4.B16, V4.B16   \
	VAND   V30.B16, V5.B16, V5.B16

#define Q4_K_DOTPROD(row, lo, hi) \
	Q4_K_NIBBLES(row)       \
	MOVI0(lo)               \
	MOVI0(hi)               \
	SDOT_S4(0, 4, lo)       \
	SDOT_S4(2, 6, hi)       \
	SDOT_S4(1, 5, lo)       \
	SDOT_S4(3, 7, hi)

// Q4_K_PAIR_DOTPROD adds the products of two sub-blocks to V19. Table i, j picks
// from scales the bytes of the sub-blocks, widened to the lanes of the rows.
#define Q4_K_PAIR_DOTPROD(scales, i, j) \
	VLD1.P 64(R12), [V0.B16, V1.B16, V2.B16, V3.B16] \
	Q4_K_DOTPROD(R8, 20, 24)        \
	Q4_K_DOTPROD(R9, 21, 25)        \
	Q4_K_DOTPROD(R10, 22, 26)       \
	Q4_K_DOTPROD(R11, 23, 27)       \
	VTBL i.B16, [scales.B16], V4.B16 \
	VTBL j.B16, [scales.B16], V5.B16 \
	SUM4(V20, V21, V22, V23)        \
	SUM4(V24, V25, V26, V27)        \
	MLA_S4(4, 20, 19)               \
	MLA_S4(5, 24, 19)

// func matvecQ4_K_dotprod(y []float32, w []byte, q []int8, d []float32, s []int16)
TEXT ·matvecQ4_K_dotprod(SB), NOSPLIT, $0-120
	ARGS(144)
	VMOVI $15, V30.B16
	MOVD  $byteToWord<>(SB), R19
	VLD1  (R19), [V8.B16, V9.B16, V10.B16, V11.B16]
rows:
	ROWS
block:
	Q4_K_HEADS
	MOVI0(19)
	Q4_K_PAIR_DOTPROD(V16, V8, V9)
	Q4_K_PAIR_DOTPROD(V16, V10, V11)
	Q4_K_PAIR_DOTPROD(V17, V8, V9)
	Q4_K_PAIR_DOTPROD(V17, V10, V11)
	SCVTF_S4(19, 19)
	VFMLA V19.S4, V28.S4, V31.S4
	SUBS $1, R15
	BNE  block
	STORE

// As for Q4_0, half of the sum of a sub-block fits in the 16 bits of a lane.
#define Q4_K_NEON(row, lo, hi) \
	Q4_K_NIBBLES(row)       \
	SMULL_H8(0, 4, lo)      \
	SMULL_H8(2, 6, hi)      \
	SMLAL2_H8(0, 4, lo)     \
	SMLAL2_H8(2, 6, hi)     \
	SMLAL_H8(1, 5, lo)      \
	SMLAL_H8(3, 7, hi)      \
	SMLAL2_H8(1, 5, lo)     \
	SMLAL2_H8(3, 7, hi)

// Q4_K_PAIR_NEON adds the products of two sub-blocks to V18 (rows 0, 0, 1, 1) and
// V19 (rows 2, 2, 3, 3).
#define Q4_K_PAIR_NEON(scales, i, j) \
	VLD1.P 64(R12), [V0.B16, V1.B16, V2.B16, V3.B16] \
	Q4_K_NEON(R8, 20, 24)           \
	Q4_K_NEON(R9, 21, 25)           \
	Q4_K_NEON(R10, 22, 26)          \
	Q4_K_NEON(R11, 23, 27)          \
	VTBL i.B16, [scales.B16], V4.B16 \
	VTBL j.B16, [scales.B16], V5.B16 \
	SUM4H(V20, V21, V22, V23)       \
	SUM4H(V24, V25, V26, V27)       \
	SMLAL_S4(4, 20, 18)             \
	SMLAL2_S4(4, 20, 19)            \
	SMLAL_S4(5, 24, 18)             \
	SMLAL2_S4(5, 24, 19)

// func matvecQ4_K_neon(y []float32, w []byte, q []int8, d []float32, s []int16)
TEXT ·matvecQ4_K_neon(SB), NOSPLIT, $0-120
	ARGS(144)
	VMOVI $15, V30.B16
	MOVD  $byteToHalf<>(SB), R19
	VLD1  (R19), [V8.B16, V9.B16, V10.B16, V11.B16]
rows:
	ROWS
block:
	Q4_K_HEADS
	MOVI0(18)
	MOVI0(19)
	Q4_K_PAIR_NEON(V16, V8, V9)
	Q4_K_PAIR_NEON(V16, V10, V11)
	Q4_K_PAIR_NEON(V17, V8, V9)
	Q4_K_PAIR_NEON(V17, V10, V11)
	VADDP V19.S4, V18.S4, V18.S4
	SCVTF_S4(18, 18)
	VFMLA V18.S4, V28.S4, V31.S4
	SUBS $1, R15
	BNE  block
	STORE

// byteToWord holds four tables for VTBL; table j moves byte j of each 32-bit lane
// to the bottom of the lane and clears the rest of it.
DATA byteToWord<>+0(SB)/8, $0xffffff04ffffff00
DATA byteToWord<>+8(SB)/8, $0xffffff0cffffff08
DATA byteToWord<>+16(SB)/8, $0xffffff05ffffff01
DATA byteToWord<>+24(SB)/8, $0xffffff0dffffff09
DATA byteToWord<>+32(SB)/8, $0xffffff06ffffff02
DATA byteToWord<>+40(SB)/8, $0xffffff0effffff0a
DATA byteToWord<>+48(SB)/8, $0xffffff07ffffff03
DATA byteToWord<>+56(SB)/8, $0xffffff0fffffff0b
GLOBL byteToWord<>(SB), RODATA|NOPTR, $64

// byteToHalf does the same, leaving the byte in both 16-bit halves of the lane.
DATA byteToHalf<>+0(SB)/8, $0xff04ff04ff00ff00
DATA byteToHalf<>+8(SB)/8, $0xff0cff0cff08ff08
DATA byteToHalf<>+16(SB)/8, $0xff05ff05ff01ff01
DATA byteToHalf<>+24(SB)/8, $0xff0dff0dff09ff09
DATA byteToHalf<>+32(SB)/8, $0xff06ff06ff02ff02
DATA byteToHalf<>+40(SB)/8, $0xff0eff0eff0aff0a
DATA byteToHalf<>+48(SB)/8, $0xff07ff07ff03ff03
DATA byteToHalf<>+56(SB)/8, $0xff0fff0fff0bff0b
GLOBL byteToHalf<>(SB), RODATA|NOPTR, $64

// Q6_K: 256 values of 6 bits, of which 32 is to be taken away, in 16 sub-blocks of
// 16, each with an int8 scale:
//
//	ql      2 * 64 bytes, the low 4 bits
//	qh      2 * 32 bytes, the upper 2 bits
//	scales  16 int8
//	d       binary16
//
// In each half (128 values) bytes l = 0-31 hold values l, l+32, l+64, l+96: the
// low nibbles of ql[l] and ql[l+32], their high nibbles, and bits 0-1, 2-3, 4-5
// and 6-7 of qh[l].
//
// A row's sum is d * sum over sub-blocks of scale*(values·q - 32*(sum of q)). The
// row registers point at d: everything else is before it at offsets that fit.

// Q6_K_BITS reads half a block of a row and multiplies the sums of q, V8, with the
// scales: V9 = 8 scales, V10 = sum of scale * sum of q in any lanes,
// V16-V19 = ql, V20, V21 = qh.
#define Q6_K_BITS(row, half) \
	FMOVD (8*half-16)(row), F9              \
	FLDPQ (64*half-208)(row), (F16, F17)    \
	FLDPQ (64*half-176)(row), (F18, F19)    \
	FLDPQ (32*half-80)(row), (F20, F21)     \
	SSHLL_H8(0, 9, 9)                       \
	SMULL_S4(8, 9, 10)                      \
	SMLAL2_S4(8, 9, 10)

// Q6_K_VALUES makes 4 * 16 values out of bytes of ql, ql+32 and qh: a = values l,
// b = l+32, V23 = l+64, V24 = l+96.
#define Q6_K_VALUES(a, b, qh) \
	VUSHR $2, qh.B16, V22.B16       \
	VUSHR $4, a.B16, V23.B16        \
	VUSHR $4, b.B16, V24.B16        \
	VBIT  V30.B16, qh.B16, V23.B16  \
	VBIT  V30.B16, V22.B16, V24.B16 \
	VSLI  $4, qh.B16, a.B16         \
	VSLI  $4, V22.B16, b.B16        \
	VAND  V29.B16, a.B16, a.B16     \
	VAND  V29.B16, b.B16, b.B16

// Q6_K_SUB_DOTPROD adds sub-block v * q * scale to sum.
#define Q6_K_SUB_DOTPROD(v, q, scales, i, sum) \
	MOVI0(25)               \
	SDOT_S4(q, v, 25)       \
	MLA_S4_S(scales, i, 25, sum)

#define Q6_K_DOTPROD(row, half, sum) \
	Q6_K_BITS(row, half)            \
	SSHLL_S4(0, 9, 27)              \
	SSHLL2_S4(0, 9, 28)             \
	MLS_S4(11, 10, sum)             \
	Q6_K_VALUES(V16, V18, V20)      \
	Q6_K_SUB_DOTPROD(16, 0, 27, 0, sum) \
	Q6_K_SUB_DOTPROD(18, 2, 27, 2, sum) \
	Q6_K_SUB_DOTPROD(23, 4, 28, 0, sum) \
	Q6_K_SUB_DOTPROD(24, 6, 28, 2, sum) \
	Q6_K_VALUES(V17, V19, V21)      \
	Q6_K_SUB_DOTPROD(17, 1, 27, 1, sum) \
	Q6_K_SUB_DOTPROD(19, 3, 27, 3, sum) \
	Q6_K_SUB_DOTPROD(23, 5, 28, 1, sum) \
	Q6_K_SUB_DOTPROD(24, 7, 28, 3, sum)

#define Q6_K_CONSTANTS \
	VMOVI $63, V29.B16      \
	VMOVI $48, V30.B16      \
	MOVD  $32, R19          \
	VDUP  R19, V11.S4       \
	MOVD  $210, R20         \
	ADD   $208, R2

#define Q6_K_ACTS \
	VLD1.P 64(R12), [V0.B16, V1.B16, V2.B16, V3.B16] \
	VLD1.P 64(R12), [V4.B16, V5.B16, V6.B16, V7.B16] \
	VLD1.P 16(R14), [V8.H8]

#define Q6_K_CLEAR \
	MOVI0(12)               \
	MOVI0(13)               \
	MOVI0(14)               \
	MOVI0(15)

#define Q6_K_SCALE \
	VLD1R.P 4(R13), [V2.S4]  \
	VLD1R.P (R8)(R20), [V3.H4] \
	VLD1.P  (R9)(R20), V3.H[1] \
	VLD1.P  (R10)(R20), V3.H[2] \
	VLD1.P  (R11)(R20), V3.H[3] \
	SUM4(V12, V13, V14, V15) \
	SCALE(12, V12)

// func matvecQ6_K_dotprod(y []float32, w []byte, q []int8, d []float32, s []int16)
TEXT ·matvecQ6_K_dotprod(SB), NOSPLIT, $0-120
	ARGS(210)
	Q6_K_CONSTANTS
rows:
	ROWS
block:
	Q6_K_CLEAR
	Q6_K_ACTS
	Q6_K_DOTPROD(R8, 0, 12)
	Q6_K_DOTPROD(R9, 0, 13)
	Q6_K_DOTPROD(R10, 0, 14)
	Q6_K_DOTPROD(R11, 0, 15)
	Q6_K_ACTS
	Q6_K_DOTPROD(R8, 1, 12)
	Q6_K_DOTPROD(R9, 1, 13)
	Q6_K_DOTPROD(R10, 1, 14)
	Q6_K_DOTPROD(R11, 1, 15)
	Q6_K_SCALE
	SUBS $1, R15
	BNE  block
	STORE

// Q6_K_SUBS_NEON adds sub-blocks v*q*scale i and u*p*scale j to sum. A lane of V25
// sums 4 products of at most 63*127 in magnitude.
#define Q6_K_SUBS_NEON(v, q, i, u, p, j, sum) \
	SMULL_H8(q, v, 25)              \
	SMULL_H8(p, u, 26)              \
	SMLAL2_H8(q, v, 25)             \
	SMLAL2_H8(p, u, 26)             \
	VADDP V26.H8, V25.H8, V25.H8    \
	SMLAL_S4_H(9, i, 25, sum)       \
	SMLAL2_S4_H(9, j, 25, sum)

#define Q6_K_NEON(row, half, sum) \
	Q6_K_BITS(row, half)            \
	MLS_S4(11, 10, sum)             \
	Q6_K_VALUES(V16, V18, V20)      \
	Q6_K_SUBS_NEON(16, 0, 0, 18, 2, 2, sum) \
	Q6_K_SUBS_NEON(23, 4, 4, 24, 6, 6, sum) \
	Q6_K_VALUES(V17, V19, V21)      \
	Q6_K_SUBS_NEON(17, 1, 1, 19, 3, 3, sum) \
	Q6_K_SUBS_NEON(23, 5, 5, 24, 7, 7, sum)

// func matvecQ6_K_neon(y []float32, w []byte, q []int8, d []float32, s []int16)
TEXT ·matvecQ6_K_neon(SB), NOSPLIT, $0-120
	ARGS(210)
	Q6_K_CONSTANTS
rows:
	ROWS
block:
	Q6_K_CLEAR
	Q6_K_ACTS
	Q6_K_NEON(R8, 0, 12)
	Q6_K_NEON(R9, 0, 13)
	Q6_K_NEON(R10, 0, 14)
	Q6_K_NEON(R11, 0, 15)
	Q6_K_ACTS
	Q6_K_NEON(R8, 1, 12)
	Q6_K_NEON(R9, 1, 13)
	Q6_K_NEON(R10, 1, 14)
	Q6_K_NEON(R11, 1, 15)
	Q6_K_SCALE
	SUBS $1, R15
	BNE  block
	STORE
