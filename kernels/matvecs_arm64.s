#include "textflag.h"
#include "asm_arm64.h"

// Products of quantized weights with up to 4 vectors of activations. A group has
// 4 rows: 32-bit lane r of a register belongs to row r. The weights of the group
// are transposed, four consecutive ones of each row to a lane, and multiplied with
// the same four activations in all rows: by an element of a register (DOTPROD) or
// by four bytes loaded into all lanes (NEON). So unpacking is done once for all
// vectors, and sums need no reduction across a register.
//
// Arguments: y of the group's first row and of the first vector, stride from one
// vector's results to the next's (in floats); w and bytes from one row to the
// next; q, d, s of the first vector; m vectors (1-4) of n values. If rowBytes is
// 0, all rows are the same one, and a single result is stored.
//
// Registers:
//	R0 y, R1 bytes from one vector's results to the next's, R2 m, R7 rowBytes
//	R8-R11 rows at the block, R15 blocks left
//	R3, R5, R6 q, d, s of vector 0 at the block, R4, R20, R21 from vector to vector
//	R12, R13, R14 the same of the vector, R16 scratch
//	V0-V7 weights, V8-V11 sums of vectors 0-3, V12-V15 exact sums within a block of
//	256, V16-V19 and V24-V27 scratch of everything

#define START(blockShift, scaleShift, sumShift) \
	MOVD y+0(FP), R0           \
	MOVD stride+8(FP), R1      \
	MOVD w+16(FP), R8          \
	MOVD rowBytes+24(FP), R7   \
	MOVD q+32(FP), R3          \
	MOVD d+40(FP), R5          \
	MOVD s+48(FP), R6          \
	MOVD m+56(FP), R2          \
	MOVD n+64(FP), R4          \
	LSL  $2, R1                \
	ADD  R7, R8, R9            \
	ADD  R7, R9, R10           \
	ADD  R7, R10, R11          \
	LSR  $blockShift, R4, R15  \
	LSR  $scaleShift, R4, R20  \
	LSR  $sumShift, R4, R21    \
	MOVI0(8)                   \
	MOVI0(9)                   \
	MOVI0(10)                  \
	MOVI0(11)                  \
	MOVI0(12)                  \
	MOVI0(13)                  \
	MOVI0(14)                  \
	MOVI0(15)

#define NEXT(bytes, values, sumBytes) \
	ADD  $bytes, R8      \
	ADD  $bytes, R9      \
	ADD  $bytes, R10     \
	ADD  $bytes, R11     \
	ADD  $values, R3     \
	ADD  $4, R5          \
	ADD  $sumBytes, R6   \
	SUBS $1, R15         \
	BNE  block

// VECTORS does BODY for each vector: q is an offset within the block, f and F are
// the number and the register of its sums, i and I those of its exact sums.
#define VECTORS(BODY, q, done) \
	MOVD R3, R12           \
	MOVD R5, R13           \
	MOVD R6, R14           \
	BODY(q, V8, 12, V12)   \
	CMP  $1, R2            \
	BEQ  done              \
	VECTOR                 \
	BODY(q, V9, 13, V13)   \
	CMP  $2, R2            \
	BEQ  done              \
	VECTOR                 \
	BODY(q, V10, 14, V14)  \
	CMP  $3, R2            \
	BEQ  done              \
	VECTOR                 \
	BODY(q, V11, 15, V15)  \
done:

#define VECTOR \
	ADD R4, R12   \
	ADD R20, R13  \
	ADD R21, R14

// STORE stores the sums and returns.
#define STORE \
	CBZ  R7, single         \
	VST1 [V8.S4], (R0)      \
	ADD  R1, R0             \
	SUBS $1, R2             \
	BEQ  stored             \
	VST1 [V9.S4], (R0)      \
	ADD  R1, R0             \
	SUBS $1, R2             \
	BEQ  stored             \
	VST1 [V10.S4], (R0)     \
	ADD  R1, R0             \
	SUBS $1, R2             \
	BEQ  stored             \
	VST1 [V11.S4], (R0)     \
	RET                     \
single:                   \
	FMOVS F8, (R0)          \
	ADD  R1, R0             \
	SUBS $1, R2             \
	BEQ  stored             \
	FMOVS F9, (R0)          \
	ADD  R1, R0             \
	SUBS $1, R2             \
	BEQ  stored             \
	FMOVS F10, (R0)         \
	ADD  R1, R0             \
	SUBS $1, R2             \
	BEQ  stored             \
	FMOVS F11, (R0)         \
stored:                   \
	RET

// DWORDS loads 16 bytes of each row at off: word i of row r becomes lane r of wi.
// w0-w3 may be V16-V19. It changes V16-V19 and V24-V27.
#define LOAD(off) \
	FMOVQ off(R8), F16      \
	FMOVQ off(R9), F17      \
	FMOVQ off(R10), F18     \
	FMOVQ off(R11), F19

#define DWORDS(off, w0, w1, w2, w3) \
	LOAD(off)                        \
	VTRN1 V17.S4, V16.S4, V24.S4     \
	VTRN2 V17.S4, V16.S4, V25.S4     \
	VTRN1 V19.S4, V18.S4, V26.S4     \
	VTRN2 V19.S4, V18.S4, V27.S4     \
	VTRN1 V26.D2, V24.D2, w0.D2      \
	VTRN1 V27.D2, V25.D2, w1.D2      \
	VTRN2 V26.D2, V24.D2, w2.D2      \
	VTRN2 V27.D2, V25.D2, w3.D2

// DWORDS01 and DWORD3 load only some of the four.
#define DWORDS01(off, w0, w1) \
	LOAD(off)                        \
	VTRN1 V17.S4, V16.S4, V24.S4     \
	VTRN2 V17.S4, V16.S4, V25.S4     \
	VTRN1 V19.S4, V18.S4, V26.S4     \
	VTRN2 V19.S4, V18.S4, V27.S4     \
	VTRN1 V26.D2, V24.D2, w0.D2      \
	VTRN1 V27.D2, V25.D2, w1.D2

#define DWORD3(off, w3) \
	LOAD(off)                        \
	VTRN2 V17.S4, V16.S4, V25.S4     \
	VTRN2 V19.S4, V18.S4, V27.S4     \
	VTRN2 V27.D2, V25.D2, w3.D2

// LOWS and HIGHS convert the binary16 numbers in the lower or upper halves of the
// lanes of register n to register d.
#define LOWS(n, d) \
	XTN_H4(n, d)      \
	FCVTL_S4(d, d)

#define HIGHS(n, d) \
	SHRN16_H4(n, d)   \
	FCVTL_S4(d, d)

// DOT16 leaves the dot product of 16 weights (registers by number) with the
// activations at q in V24, DOT32 that of the 32 in V0-V7. It changes V25 and V26.

#define ADD16_DOTPROD(q, w0, w1, w2, w3) \
	FMOVQ q(R12), F26        \
	SDOT_S4_B(26, 0, w0, 24) \
	SDOT_S4_B(26, 1, w1, 24) \
	SDOT_S4_B(26, 2, w2, 24) \
	SDOT_S4_B(26, 3, w3, 24)

#define DOT16_DOTPROD(q, w0, w1, w2, w3) \
	MOVI0(24)                            \
	ADD16_DOTPROD(q, w0, w1, w2, w3)

#define DOT32_DOTPROD(q, w0, w1, w2, w3, w4, w5, w6, w7) \
	MOVI0(24)                              \
	ADD16_DOTPROD(q, w0, w1, w2, w3)       \
	ADD16_DOTPROD(q+16, w4, w5, w6, w7)

// Products of weights within ±32 leave room in 16 bits for the sum of 8.
#define MUL_NEON(w) \
	VLD1R.P 4(R16), [V26.S4] \
	SMULL_H8(26, w, 24)      \
	SMULL2_H8(26, w, 25)

#define ADD_NEON(w) \
	VLD1R.P 4(R16), [V26.S4] \
	SMLAL_H8(26, w, 24)      \
	SMLAL2_H8(26, w, 25)

#define PAIRS_NEON \
	SADDLP_S4(24, 24)            \
	SADDLP_S4(25, 25)            \
	VADDP V25.S4, V24.S4, V24.S4

#define DOT16_NEON(q, w0, w1, w2, w3) \
	ADD $q, R12, R16   \
	MUL_NEON(w0)       \
	ADD_NEON(w1)       \
	ADD_NEON(w2)       \
	ADD_NEON(w3)       \
	PAIRS_NEON

#define DOT32_NEON(q, w0, w1, w2, w3, w4, w5, w6, w7) \
	ADD $(q), R12, R16 \
	MUL_NEON(w0)       \
	ADD_NEON(w1)       \
	ADD_NEON(w2)       \
	ADD_NEON(w3)       \
	ADD_NEON(w4)       \
	ADD_NEON(w5)       \
	ADD_NEON(w6)       \
	ADD_NEON(w7)       \
	PAIRS_NEON

// WIDE32 is for weights of any size: the sum of two products fits. It changes V20
// and V21.
#define WIDE8_NEON(w0, w1) \
	MUL_NEON(w0)       \
	ADD_NEON(w1)       \
	SADALP_S4(24, 20)  \
	SADALP_S4(25, 21)

#define WIDE32_NEON(q) \
	ADD $q, R12, R16   \
	MOVI0(20)          \
	MOVI0(21)          \
	WIDE8_NEON(0, 1)   \
	WIDE8_NEON(2, 3)   \
	WIDE8_NEON(4, 5)   \
	WIDE8_NEON(6, 7)   \
	VADDP V21.S4, V20.S4, V24.S4

#define WIDE32_DOTPROD(q) DOT32_DOTPROD(q, 0, 1, 2, 3, 4, 5, 6, 7)

// Types of 32 weights per block. They leave the weights in V0-V7, the scales in V28
// and the minimums in V29.

#define SCALED32(F) \
	VLD1R (R13), [V25.S4]            \
	SCVTF_S4(24, 24)                 \
	FMUL_S4(25, 28, 25)              \
	VFMLA V25.S4, V24.S4, F.S4

#define PLAIN_DOTPROD(q, F, i, I) \
	DOT32_DOTPROD(0, 0, 1, 2, 3, 4, 5, 6, 7)    \
	SCALED32(F)

#define PLAIN_NEON(q, F, i, I) \
	DOT32_NEON(0, 0, 1, 2, 3, 4, 5, 6, 7)    \
	SCALED32(F)

#define WIDE_DOTPROD(q, F, i, I) \
	WIDE32_DOTPROD(0)    \
	SCALED32(F)

#define WIDE_NEON(q, F, i, I) \
	WIDE32_NEON(0)       \
	SCALED32(F)

// With minimums the sums are scaled already, and binary16 numbers.
#define MINIMUM32(F) \
	VLD1R (R14), [V26.H4]            \
	FCVTL_S4(26, 26)                 \
	VFMLA V26.S4, V29.S4, F.S4       \
	SCALED32(F)

#define MINIMUM_DOTPROD(q, F, i, I) \
	DOT32_DOTPROD(0, 0, 1, 2, 3, 4, 5, 6, 7)    \
	MINIMUM32(F)

#define MINIMUM_NEON(q, F, i, I) \
	DOT32_NEON(0, 0, 1, 2, 3, 4, 5, 6, 7)    \
	MINIMUM32(F)

#define BLOCKS32(UNPACK, BODY, bytes) \
block:                          \
	UNPACK                        \
	VECTORS(BODY, 0, multiplied)  \
	NEXT(bytes, 32, 2)            \
	STORE

// NIBBLES32 unpacks 16 bytes of 4-bit weights at off into V0-V7. V31 holds 15.
#define NIBBLES32(off) \
	DWORDS(off, V0, V1, V2, V3)      \
	VUSHR $4, V0.B16, V4.B16         \
	VUSHR $4, V1.B16, V5.B16         \
	VUSHR $4, V2.B16, V6.B16         \
	VUSHR $4, V3.B16, V7.B16         \
	VAND  V31.B16, V0.B16, V0.B16    \
	VAND  V31.B16, V1.B16, V1.B16    \
	VAND  V31.B16, V2.B16, V2.B16    \
	VAND  V31.B16, V3.B16, V3.B16

// LESS subtracts an offset from V0-V7.
#define LESS(offset) \
	VSUB offset.B16, V0.B16, V0.B16 \
	VSUB offset.B16, V1.B16, V1.B16 \
	VSUB offset.B16, V2.B16, V2.B16 \
	VSUB offset.B16, V3.B16, V3.B16 \
	VSUB offset.B16, V4.B16, V4.B16 \
	VSUB offset.B16, V5.B16, V5.B16 \
	VSUB offset.B16, V6.B16, V6.B16 \
	VSUB offset.B16, V7.B16, V7.B16

// LEVELS replaces indices in V0-V7 by the levels in V30.
#define LEVELS \
	VTBL V0.B16, [V30.B16], V0.B16 \
	VTBL V1.B16, [V30.B16], V1.B16 \
	VTBL V2.B16, [V30.B16], V2.B16 \
	VTBL V3.B16, [V30.B16], V3.B16 \
	VTBL V4.B16, [V30.B16], V4.B16 \
	VTBL V5.B16, [V30.B16], V5.B16 \
	VTBL V6.B16, [V30.B16], V6.B16 \
	VTBL V7.B16, [V30.B16], V7.B16

// SCALES32 reads the scales, the first two bytes of each block.
#define SCALES32 \
	VLD1R (R8), [V28.H4]   \
	VLD1  (R9), V28.H[1]   \
	VLD1  (R10), V28.H[2]  \
	VLD1  (R11), V28.H[3]  \
	FCVTL_S4(28, 28)

// MINIMUMS32 reads scales and minimums, the first two pairs of bytes.
#define MINIMUMS32 \
	VLD1R (R8), [V28.S4]   \
	VLD1  (R9), V28.S[1]   \
	VLD1  (R10), V28.S[2]  \
	VLD1  (R11), V28.S[3]  \
	HIGHS(28, 29)          \
	LOWS(28, 28)

#define Q8_0 \
	SCALES32                      \
	DWORDS(2, V0, V1, V2, V3)     \
	DWORDS(18, V4, V5, V6, V7)

#define Q4_0 \
	SCALES32      \
	NIBBLES32(2)  \
	LESS(V30)

#define Q4_1 \
	MINIMUMS32    \
	NIBBLES32(4)

#define IQ4_NL \
	SCALES32      \
	NIBBLES32(2)  \
	LEVELS

// The exponent e stands for 2^(e-128), which may be subnormal: the product of
// 2^(e>>1 - 64) and 2^(e - e>>1 - 64). V22 holds 63 in each lane.
#define MXFP4 \
	MOVI0(24)                        \
	VLD1  (R8), V24.B[0]             \
	VLD1  (R9), V24.B[4]             \
	VLD1  (R10), V24.B[8]            \
	VLD1  (R11), V24.B[12]           \
	VUSHR $1, V24.S4, V25.S4         \
	VSUB  V25.S4, V24.S4, V24.S4     \
	VADD  V22.S4, V25.S4, V25.S4     \
	VADD  V22.S4, V24.S4, V24.S4     \
	VSHL  $23, V25.S4, V25.S4        \
	VSHL  $23, V24.S4, V24.S4        \
	FMUL_S4(24, 25, 28)              \
	NIBBLES32(1)                     \
	LEVELS

// FIFTHS adds the fifth bits of 32 weights to V0-V7. V24 holds them: bit i of a
// lane belongs to weight i. Each byte is spread over a lane, in which the weights
// test theirs. V12 and V13 hold the bits of four weights and of the next four, V14
// 16, V20-V23 tables.
#define FIFTHS2(table, w0, w1) \
	VTBL   table.B16, [V24.B16], V25.B16  \
	VCMTST V12.B16, V25.B16, V26.B16      \
	VCMTST V13.B16, V25.B16, V27.B16      \
	VAND   V14.B16, V26.B16, V26.B16      \
	VAND   V14.B16, V27.B16, V27.B16      \
	VORR   V26.B16, w0.B16, w0.B16        \
	VORR   V27.B16, w1.B16, w1.B16

#define FIFTHS \
	FIFTHS2(V20, V0, V1) \
	FIFTHS2(V21, V2, V3) \
	FIFTHS2(V22, V4, V5) \
	FIFTHS2(V23, V6, V7)

#define FIFTH_CONSTANTS \
	VMOVI $15, V31.B16                               \
	VMOVI $16, V14.B16                               \
	MOVD  $fifths<>(SB), R16                         \
	VLD1.P 64(R16), [V20.B16, V21.B16, V22.B16, V23.B16] \
	VLD1  (R16), [V12.B16, V13.B16]

#define Q5_0 \
	SCALES32                        \
	NIBBLES32(6)                    \
	DWORDS01(0, V16, V17)           \
	VUSHR $16, V16.S4, V24.S4       \
	VSLI  $16, V17.S4, V24.S4       \
	FIFTHS                          \
	LESS(V14)

#define Q5_1 \
	MINIMUMS32                      \
	NIBBLES32(8)                    \
	DWORDS01(0, V16, V24)           \
	FIFTHS

// Types of 256 weights per block, in groups of 16 or 32 with a scale each. V27 holds
// the scales of the group; the scaled products of groups are added as integers.

#define LOW16_DOTPROD(q, F, i, I) \
	DOT16_DOTPROD(q, 16, 17, 18, 19)  \
	MLA_S4(27, 24, i)

#define LOW16_NEON(q, F, i, I) \
	DOT16_NEON(q, 16, 17, 18, 19)     \
	MLA_S4(27, 24, i)

#define LOW32_DOTPROD(q, F, i, I) \
	DOT32_DOTPROD(q, 20, 21, 22, 23, 16, 17, 18, 19)  \
	MLA_S4(27, 24, i)

#define LOW32_NEON(q, F, i, I) \
	DOT32_NEON(q, 20, 21, 22, 23, 16, 17, 18, 19)     \
	MLA_S4(27, 24, i)

#define HIGH32_DOTPROD(q, F, i, I) \
	DOT32_DOTPROD(q, 0, 1, 2, 3, 4, 5, 6, 7)  \
	MLA_S4(27, 24, i)

#define HIGH32_NEON(q, F, i, I) \
	DOT32_NEON(q, 0, 1, 2, 3, 4, 5, 6, 7)     \
	MLA_S4(27, 24, i)

#define LEVELS32_DOTPROD(q, F, i, I) \
	WIDE32_DOTPROD(q)   \
	MLA_S4(27, 24, i)

#define LEVELS32_NEON(q, F, i, I) \
	WIDE32_NEON(q)      \
	MLA_S4(27, 24, i)

#define SUM16_DOTPROD(q, F, i, I) \
	DOT16_DOTPROD(q, 16, 17, 18, 19)  \
	VADD V24.S4, I.S4, I.S4

#define SUM16_NEON(q, F, i, I) \
	DOT16_NEON(q, 16, 17, 18, 19)     \
	VADD V24.S4, I.S4, I.S4

// BLOCKSUM ends a block: V30 holds its scales.
#define BLOCKSUM(q, F, i, I) \
	VLD1R (R13), [V25.S4]          \
	SCVTF_S4(i, 24)                \
	MOVI0(i)                       \
	FMUL_S4(25, 30, 25)            \
	VFMLA V24.S4, V25.S4, F.S4

#define BLOCKS256(BLOCK, bytes) \
block:                            \
	BLOCK                           \
	VECTORS(BLOCKSUM, 0, summed)    \
	NEXT(bytes, 256, 32)            \
	STORE

// UNSIGNED and SIGNED make V27 the scales that lie in a byte of the lanes of v.
#define UNSIGNED(v, byte) \
	VSHL  $(24-8*(byte)), v.S4, V27.S4   \
	VUSHR $24, V27.S4, V27.S4

#define SIGNED(v, byte) \
	VSHL  $(24-8*(byte)), v.S4, V27.S4   \
	SSHR_S4(24, 27, 27)

// HALF leaves byte of the lanes of v in the halves of register d.
#define HALF(v, byte, d) \
	VSHL  $(24-8*(byte)), v.S4, V24.S4   \
	VUSHR $24, V24.S4, V24.S4            \
	XTN_H4(24, d)

#define HALVES(v, a, b, c, d) \
	HALF(v, 0, a)  \
	HALF(v, 1, b)  \
	HALF(v, 2, c)  \
	HALF(v, 3, d)

// MIN8 adds the products of 8 minimums in V16-V23 with the sums in V0.
#define MIN8(sum) \
	SMLAL_S4_H(0, 0, 16, sum)  \
	SMLAL_S4_H(0, 1, 17, sum)  \
	SMLAL_S4_H(0, 2, 18, sum)  \
	SMLAL_S4_H(0, 3, 19, sum)  \
	SMLAL_S4_H(0, 4, 20, sum)  \
	SMLAL_S4_H(0, 5, 21, sum)  \
	SMLAL_S4_H(0, 6, 22, sum)  \
	SMLAL_S4_H(0, 7, 23, sum)

// MINSUM takes the minimums away: V24 holds their sum, V27 the scale.
#define MINSUM(F) \
	SCVTF_S4(24, 24)               \
	VLD1R (R13), [V25.S4]          \
	FMUL_S4(25, 27, 25)            \
	VFMLS V24.S4, V25.S4, F.S4

#define MINIMUMS8(q, F, i, I) \
	VLD1  (R14), [V0.H8, V1.H8]    \
	VADDP V1.H8, V0.H8, V0.H8      \
	MOVI0(24)                      \
	MIN8(24)                       \
	MINSUM(F)

// SCALES4 unpacks the scales of Q4_K and Q5_K, see scaleMin4: V28 those of groups
// 0-3, V29 4-7, V30 of the block; the minimums are taken away.
#define SCALES4 \
	DWORDS(0, V16, V17, V18, V19)        \
	LOWS(16, 30)                         \
	HIGHS(16, 27)                        \
	VMOVI $63, V24.B16                   \
	VUSHR $6, V17.B16, V25.B16           \
	VUSHR $6, V18.B16, V26.B16           \
	VUSHR $4, V19.B16, V5.B16            \
	VAND  V24.B16, V17.B16, V28.B16      \
	VAND  V24.B16, V18.B16, V4.B16       \
	VAND  V31.B16, V19.B16, V29.B16      \
	VSLI  $4, V25.B16, V29.B16           \
	VSLI  $4, V26.B16, V5.B16            \
	HALVES(V4, 16, 17, 18, 19)           \
	HALVES(V5, 20, 21, 22, 23)           \
	VECTORS(MINIMUMS8, 0, minimums)

// Q4_K_PAIR multiplies groups 2*i and 2*i+1.
#define Q4_K_PAIR(i, scales, byte, LOW, HIGH, low, high) \
	DWORDS((16+32*i), V0, V1, V2, V3)    \
	DWORDS((32+32*i), V4, V5, V6, V7)    \
	VAND  V31.B16, V0.B16, V20.B16       \
	VAND  V31.B16, V1.B16, V21.B16       \
	VAND  V31.B16, V2.B16, V22.B16       \
	VAND  V31.B16, V3.B16, V23.B16       \
	VAND  V31.B16, V4.B16, V16.B16       \
	VAND  V31.B16, V5.B16, V17.B16       \
	VAND  V31.B16, V6.B16, V18.B16       \
	VAND  V31.B16, V7.B16, V19.B16       \
	UNSIGNED(scales, byte)            \
	VECTORS(LOW, (64*i), low)            \
	VUSHR $4, V0.B16, V0.B16             \
	VUSHR $4, V1.B16, V1.B16             \
	VUSHR $4, V2.B16, V2.B16             \
	VUSHR $4, V3.B16, V3.B16             \
	VUSHR $4, V4.B16, V4.B16             \
	VUSHR $4, V5.B16, V5.B16             \
	VUSHR $4, V6.B16, V6.B16             \
	VUSHR $4, V7.B16, V7.B16             \
	UNSIGNED(scales, byte+1)          \
	VECTORS(HIGH, (64*i+32), high)

#define Q4_K(LOW, HIGH) \
	SCALES4                                        \
	Q4_K_PAIR(0, V28, 0, LOW, HIGH, low0, high0)   \
	Q4_K_PAIR(1, V28, 2, LOW, HIGH, low1, high1)   \
	Q4_K_PAIR(2, V29, 0, LOW, HIGH, low2, high2)   \
	Q4_K_PAIR(3, V29, 2, LOW, HIGH, low3, high3)

// MERGE5 makes a register w of 4-bit weights two of 5 bits, low (which may be h) and
// w: bits i and i+1 of the bytes of h go above.
#define MERGE5(i, w, h, low) \
	VSHL  $(7-(i)), h.B16, V24.B16     \
	VSHL  $(6-(i)), h.B16, V25.B16     \
	VUSHR $7, V24.B16, V24.B16         \
	VUSHR $7, V25.B16, V25.B16         \
	VAND  V31.B16, w.B16, low.B16      \
	VUSHR $4, w.B16, w.B16             \
	VSLI  $4, V24.B16, low.B16         \
	VSLI  $4, V25.B16, w.B16

#define Q5_K_PAIR(i, scales, byte, LOW, HIGH, low, high) \
	DWORDS((48+32*i), V0, V1, V2, V3)    \
	DWORDS(16, V16, V17, V18, V19)       \
	MERGE5((2*i), V0, V16, V20)          \
	MERGE5((2*i), V1, V17, V21)          \
	MERGE5((2*i), V2, V18, V22)          \
	MERGE5((2*i), V3, V19, V23)          \
	DWORDS((64+32*i), V4, V5, V6, V7)    \
	DWORDS(32, V16, V17, V18, V19)       \
	MERGE5((2*i), V4, V16, V16)          \
	MERGE5((2*i), V5, V17, V17)          \
	MERGE5((2*i), V6, V18, V18)          \
	MERGE5((2*i), V7, V19, V19)          \
	UNSIGNED(scales, byte)            \
	VECTORS(LOW, (64*i), low)            \
	UNSIGNED(scales, byte+1)          \
	VECTORS(HIGH, (64*i+32), high)

#define Q5_K(LOW, HIGH) \
	SCALES4                                        \
	Q5_K_PAIR(0, V28, 0, LOW, HIGH, low0, high0)   \
	Q5_K_PAIR(1, V28, 2, LOW, HIGH, low1, high1)   \
	Q5_K_PAIR(2, V29, 0, LOW, HIGH, low2, high2)   \
	Q5_K_PAIR(3, V29, 2, LOW, HIGH, low3, high3)

// MERGE6 puts bit pair run of the bytes of h above the low halves of those of l and
// takes 32 away. V25 holds 15, V26 32.
#define MERGE6(run, l, h, w) \
	VSHL  $(6-2*(run)), h.B16, V24.B16 \
	VUSHR $6, V24.B16, V24.B16         \
	VAND  V25.B16, l.B16, w.B16        \
	VSLI  $4, V24.B16, w.B16           \
	VSUB  V26.B16, w.B16, w.B16

#define Q6_K_RUN(run, l0, l1, l2, l3, scales, byte, BODY, q, done) \
	VMOVI $15, V25.B16           \
	VMOVI $32, V26.B16           \
	MERGE6(run, l0, V20, V16)    \
	MERGE6(run, l1, V21, V17)    \
	MERGE6(run, l2, V22, V18)    \
	MERGE6(run, l3, V23, V19)    \
	SIGNED(scales, byte)      \
	VECTORS(BODY, q, done)

// DOWN moves the high halves of bytes down.
#define DOWN(a, b, c, d) \
	VUSHR $4, a.B16, a.B16       \
	VUSHR $4, b.B16, b.B16       \
	VUSHR $4, c.B16, c.B16       \
	VUSHR $4, d.B16, d.B16

// Q6_K_QUARTER multiplies the even (odd 0) or odd (1) groups of a half block.
#define Q6_K_QUARTER(half, odd, scales01, scales23, BODY, v0, v1, v2, v3) \
	DWORDS((64*half+16*odd), V0, V1, V2, V3)           \
	DWORDS((64*half+16*odd+32), V4, V5, V6, V7)        \
	DWORDS((128+32*half+16*odd), V20, V21, V22, V23)   \
	Q6_K_RUN(0, V0, V1, V2, V3, scales01, odd, BODY, (128*half+16*odd), v0)       \
	Q6_K_RUN(1, V4, V5, V6, V7, scales01, 2+odd, BODY, (128*half+16*odd+32), v1)  \
	DOWN(V0, V1, V2, V3)                               \
	DOWN(V4, V5, V6, V7)                               \
	Q6_K_RUN(2, V0, V1, V2, V3, scales23, odd, BODY, (128*half+16*odd+64), v2)    \
	Q6_K_RUN(3, V4, V5, V6, V7, scales23, 2+odd, BODY, (128*half+16*odd+96), v3)

#define Q6_K(BODY) \
	DWORDS(192, V28, V29, V30, V31)                         \
	Q6_K_QUARTER(0, 0, V28, V29, BODY, v0, v2, v4, v6)      \
	Q6_K_QUARTER(0, 1, V28, V29, BODY, v1, v3, v5, v7)      \
	Q6_K_QUARTER(1, 0, V30, V31, BODY, v8, v10, v12, v14)   \
	Q6_K_QUARTER(1, 1, V30, V31, BODY, v9, v11, v13, v15)   \
	DWORD3(194, V30)                                        \
	HIGHS(30, 30)

// PAIR leaves bit pair i of the bytes of w.
#define PAIR(i, w, to) \
	VSHL  $(6-2*(i)), w.B16, to.B16    \
	VUSHR $6, to.B16, to.B16

// MERGE3 puts bit run of the bytes of h above bit pair run%4 of those of w and takes
// 4 away. V26 holds 4.
#define MERGE3(run, w, h, to) \
	PAIR((run%4), w, to)               \
	VSHL  $(7-(run)), h.B16, V24.B16   \
	VUSHR $7, V24.B16, V24.B16         \
	VSLI  $2, V24.B16, to.B16          \
	VSUB  V26.B16, to.B16, to.B16

#define Q3_K_RUN(run, odd, scales, BODY, done) \
	VMOVI $4, V26.B16                          \
	MERGE3(run, V0, V4, V16)                   \
	MERGE3(run, V1, V5, V17)                   \
	MERGE3(run, V2, V6, V18)                   \
	MERGE3(run, V3, V7, V19)                   \
	SIGNED(scales, (run%2*2+odd))           \
	VECTORS(BODY, (32*run+16*odd), done)

#define Q3_K_HALF(first, odd, scales01, scales23, BODY, v0, v1, v2, v3) \
	DWORDS((32+8*first+16*odd), V0, V1, V2, V3)      \
	Q3_K_RUN((first), odd, scales01, BODY, v0)       \
	Q3_K_RUN((first+1), odd, scales01, BODY, v1)     \
	Q3_K_RUN((first+2), odd, scales23, BODY, v2)     \
	Q3_K_RUN((first+3), odd, scales23, BODY, v3)

// SCALES3 makes four scales: the low or high halves of l, bit pair i of h above them,
// less 32 (V26).
#define SCALES3(i, l, scales) \
	VSHL  $(6-2*(i)), V6.B16, V24.B16  \
	VUSHR $6, V24.B16, V24.B16         \
	VSLI  $4, V24.B16, l.B16           \
	VSUB  V26.B16, l.B16, scales.B16

// The scales lie from the third byte at 94 on, the scale of the block follows.
#define Q3_K(BODY) \
	DWORDS(94, V0, V1, V2, V3)                            \
	VUSHR $16, V0.S4, V4.S4                               \
	VSLI  $16, V1.S4, V4.S4                               \
	VUSHR $16, V1.S4, V5.S4                               \
	VSLI  $16, V2.S4, V5.S4                               \
	VUSHR $16, V2.S4, V6.S4                               \
	VSLI  $16, V3.S4, V6.S4                               \
	VMOVI $32, V26.B16                                    \
	VMOVI $15, V25.B16                                    \
	VAND  V25.B16, V4.B16, V0.B16                         \
	VAND  V25.B16, V5.B16, V1.B16                         \
	DOWN(V4, V5, V2, V3)                                  \
	SCALES3(0, V0, V28)                                   \
	SCALES3(1, V1, V29)                                   \
	SCALES3(2, V4, V30)                                   \
	SCALES3(3, V5, V31)                                   \
	DWORDS(0, V4, V5, V6, V7)                             \
	Q3_K_HALF(0, 0, V28, V29, BODY, v0, v2, v4, v6)       \
	Q3_K_HALF(4, 0, V30, V31, BODY, v8, v10, v12, v14)    \
	DWORDS(16, V4, V5, V6, V7)                            \
	Q3_K_HALF(0, 1, V28, V29, BODY, v1, v3, v5, v7)       \
	Q3_K_HALF(4, 1, V30, V31, BODY, v9, v11, v13, v15)    \
	DWORD3(94, V30)                                       \
	HIGHS(30, 30)

// MINIMUMS0 and MINIMUMS1 are for the first and the last 8 of 16 minimums.
#define MINIMUMS0(q, F, i, I) \
	VLD1  (R14), [V0.H8]           \
	MIN8(i)

#define MINIMUMS1(q, F, i, I) \
	ADD   $16, R14, R16            \
	VLD1  (R16), [V0.H8]           \
	MIN8(i)                        \
	VMOV  I.B16, V24.B16           \
	MOVI0(i)                       \
	MINSUM(F)

#define Q2_K_RUN(run, odd, scales, BODY, done) \
	PAIR((run%4), V0, V16)                     \
	PAIR((run%4), V1, V17)                     \
	PAIR((run%4), V2, V18)                     \
	PAIR((run%4), V3, V19)                     \
	UNSIGNED(scales, (run%2*2+odd))         \
	VECTORS(BODY, (32*run+16*odd), done)

#define Q2_K_QUARTER(first, odd, scales01, scales23, BODY, v0, v1, v2, v3) \
	DWORDS((16+8*first+16*odd), V0, V1, V2, V3)      \
	Q2_K_RUN((first), odd, scales01, BODY, v0)       \
	Q2_K_RUN((first+1), odd, scales01, BODY, v1)     \
	Q2_K_RUN((first+2), odd, scales23, BODY, v2)     \
	Q2_K_RUN((first+3), odd, scales23, BODY, v3)

#define Q2_K(BODY) \
	DWORDS(0, V28, V29, V30, V31)                            \
	VUSHR $4, V28.B16, V4.B16                                \
	VUSHR $4, V29.B16, V5.B16                                \
	VUSHR $4, V30.B16, V6.B16                                \
	VUSHR $4, V31.B16, V7.B16                                \
	DWORD3(68, V3)                                           \
	HIGHS(3, 27)                                             \
	HALVES(V4, 16, 17, 18, 19)                               \
	HALVES(V5, 20, 21, 22, 23)                               \
	VECTORS(MINIMUMS0, 0, minimums0)                         \
	HALVES(V6, 16, 17, 18, 19)                               \
	HALVES(V7, 20, 21, 22, 23)                               \
	VECTORS(MINIMUMS1, 0, minimums1)                         \
	VMOVI $15, V25.B16                                       \
	VAND  V25.B16, V28.B16, V28.B16                          \
	VAND  V25.B16, V29.B16, V29.B16                          \
	VAND  V25.B16, V30.B16, V30.B16                          \
	VAND  V25.B16, V31.B16, V31.B16                          \
	Q2_K_QUARTER(0, 0, V28, V29, BODY, v0, v2, v4, v6)       \
	Q2_K_QUARTER(0, 1, V28, V29, BODY, v1, v3, v5, v7)       \
	Q2_K_QUARTER(4, 0, V30, V31, BODY, v8, v10, v12, v14)    \
	Q2_K_QUARTER(4, 1, V30, V31, BODY, v9, v11, v13, v15)    \
	DWORD3(68, V30)                                          \
	LOWS(30, 30)

// IQ4_XS: V28 holds the upper bits of the scales, V29 the lower ones, V30 the levels.
#define IQ4_XS_GROUP(g, BODY, done) \
	NIBBLES32((8+16*g))                 \
	LEVELS                              \
	VSHL  $(28-4*g), V29.S4, V27.S4     \
	VSHL  $(30-2*g), V28.S4, V24.S4     \
	VMOVI $32, V26.B16                  \
	VUSHR $28, V27.S4, V27.S4           \
	VUSHR $30, V24.S4, V24.S4           \
	VUSHR $24, V26.S4, V26.S4           \
	VSLI  $4, V24.S4, V27.S4            \
	VSUB  V26.S4, V27.S4, V27.S4        \
	VECTORS(BODY, (32*g), done)

#define IQ4_XS(BODY) \
	VLD1  (R19), [V30.B16]            \
	DWORDS01(0, V16, V29)             \
	VUSHR $16, V16.S4, V28.S4         \
	IQ4_XS_GROUP(0, BODY, v0)         \
	IQ4_XS_GROUP(1, BODY, v1)         \
	IQ4_XS_GROUP(2, BODY, v2)         \
	IQ4_XS_GROUP(3, BODY, v3)         \
	IQ4_XS_GROUP(4, BODY, v4)         \
	IQ4_XS_GROUP(5, BODY, v5)         \
	IQ4_XS_GROUP(6, BODY, v6)         \
	IQ4_XS_GROUP(7, BODY, v7)         \
	VLD1R (R8), [V30.H4]              \
	VLD1  (R9), V30.H[1]              \
	VLD1  (R10), V30.H[2]             \
	VLD1  (R11), V30.H[3]             \
	FCVTL_S4(30, 30)

#define TQ2_0_RUN(run, odd, BODY, done) \
	PAIR((run%4), V0, V16)                     \
	PAIR((run%4), V1, V17)                     \
	PAIR((run%4), V2, V18)                     \
	PAIR((run%4), V3, V19)                     \
	VSUB V31.B16, V16.B16, V16.B16             \
	VSUB V31.B16, V17.B16, V17.B16             \
	VSUB V31.B16, V18.B16, V18.B16             \
	VSUB V31.B16, V19.B16, V19.B16             \
	VECTORS(BODY, (32*run+16*odd), done)

#define TQ2_0_QUARTER(first, odd, BODY, v0, v1, v2, v3) \
	DWORDS((8*first+16*odd), V0, V1, V2, V3)   \
	TQ2_0_RUN((first), odd, BODY, v0)          \
	TQ2_0_RUN((first+1), odd, BODY, v1)        \
	TQ2_0_RUN((first+2), odd, BODY, v2)        \
	TQ2_0_RUN((first+3), odd, BODY, v3)

#define TQ2_0(BODY) \
	TQ2_0_QUARTER(0, 0, BODY, v0, v1, v2, v3)       \
	TQ2_0_QUARTER(0, 1, BODY, v4, v5, v6, v7)       \
	TQ2_0_QUARTER(4, 0, BODY, v8, v9, v10, v11)     \
	TQ2_0_QUARTER(4, 1, BODY, v12, v13, v14, v15)   \
	DWORD3(50, V30)                                 \
	HIGHS(30, 30)

// func matvecsQ4_0_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ4_0_dotprod(SB), NOSPLIT, $0-72
	START(5, 3, 4)
	VMOVI $15, V31.B16
	VMOVI $8, V30.B16
	BLOCKS32(Q4_0, PLAIN_DOTPROD, 18)

// func matvecsQ4_1_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ4_1_dotprod(SB), NOSPLIT, $0-72
	START(5, 3, 4)
	VMOVI $15, V31.B16
	BLOCKS32(Q4_1, MINIMUM_DOTPROD, 20)

// func matvecsQ5_0_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ5_0_dotprod(SB), NOSPLIT, $0-72
	START(5, 3, 4)
	FIFTH_CONSTANTS
	BLOCKS32(Q5_0, PLAIN_DOTPROD, 22)

// func matvecsQ5_1_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ5_1_dotprod(SB), NOSPLIT, $0-72
	START(5, 3, 4)
	FIFTH_CONSTANTS
	BLOCKS32(Q5_1, MINIMUM_DOTPROD, 24)

// func matvecsQ8_0_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ8_0_dotprod(SB), NOSPLIT, $0-72
	START(5, 3, 4)
	BLOCKS32(Q8_0, WIDE_DOTPROD, 34)

// func matvecsIQ4_NL_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsIQ4_NL_dotprod(SB), NOSPLIT, $0-72
	START(5, 3, 4)
	VMOVI $15, V31.B16
	MOVD  $levelsIQ4<>(SB), R16
	VLD1  (R16), [V30.B16]
	BLOCKS32(IQ4_NL, WIDE_DOTPROD, 18)

// func matvecsMXFP4_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsMXFP4_dotprod(SB), NOSPLIT, $0-72
	START(5, 3, 4)
	VMOVI $15, V31.B16
	VMOVI $63, V22.B16
	VUSHR $24, V22.S4, V22.S4
	MOVD  $levelsFP4<>(SB), R16
	VLD1  (R16), [V30.B16]
	BLOCKS32(MXFP4, PLAIN_DOTPROD, 17)

// func matvecsQ2_K_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ2_K_dotprod(SB), NOSPLIT, $0-72
	START(8, 6, 3)
	BLOCKS256(Q2_K(LOW16_DOTPROD), 84)

// func matvecsQ3_K_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ3_K_dotprod(SB), NOSPLIT, $0-72
	START(8, 6, 3)
	BLOCKS256(Q3_K(LOW16_DOTPROD), 110)

// func matvecsQ4_K_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ4_K_dotprod(SB), NOSPLIT, $0-72
	START(8, 6, 3)
	VMOVI $15, V31.B16
	BLOCKS256(Q4_K(LOW32_DOTPROD, HIGH32_DOTPROD), 144)

// func matvecsQ5_K_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ5_K_dotprod(SB), NOSPLIT, $0-72
	START(8, 6, 3)
	VMOVI $15, V31.B16
	BLOCKS256(Q5_K(LOW32_DOTPROD, HIGH32_DOTPROD), 176)

// func matvecsQ6_K_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ6_K_dotprod(SB), NOSPLIT, $0-72
	START(8, 6, 3)
	BLOCKS256(Q6_K(LOW16_DOTPROD), 210)

// func matvecsIQ4_XS_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsIQ4_XS_dotprod(SB), NOSPLIT, $0-72
	START(8, 6, 3)
	VMOVI $15, V31.B16
	MOVD  $levelsIQ4<>(SB), R19
	BLOCKS256(IQ4_XS(LEVELS32_DOTPROD), 136)

// func matvecsTQ2_0_dotprod(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsTQ2_0_dotprod(SB), NOSPLIT, $0-72
	START(8, 6, 3)
	VMOVI $1, V31.B16
	BLOCKS256(TQ2_0(SUM16_DOTPROD), 66)

// func matvecsQ4_0_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ4_0_neon(SB), NOSPLIT, $0-72
	START(5, 3, 4)
	VMOVI $15, V31.B16
	VMOVI $8, V30.B16
	BLOCKS32(Q4_0, PLAIN_NEON, 18)

// func matvecsQ4_1_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ4_1_neon(SB), NOSPLIT, $0-72
	START(5, 3, 4)
	VMOVI $15, V31.B16
	BLOCKS32(Q4_1, MINIMUM_NEON, 20)

// func matvecsQ5_0_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ5_0_neon(SB), NOSPLIT, $0-72
	START(5, 3, 4)
	FIFTH_CONSTANTS
	BLOCKS32(Q5_0, PLAIN_NEON, 22)

// func matvecsQ5_1_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ5_1_neon(SB), NOSPLIT, $0-72
	START(5, 3, 4)
	FIFTH_CONSTANTS
	BLOCKS32(Q5_1, MINIMUM_NEON, 24)

// func matvecsQ8_0_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ8_0_neon(SB), NOSPLIT, $0-72
	START(5, 3, 4)
	BLOCKS32(Q8_0, WIDE_NEON, 34)

// func matvecsIQ4_NL_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsIQ4_NL_neon(SB), NOSPLIT, $0-72
	START(5, 3, 4)
	VMOVI $15, V31.B16
	MOVD  $levelsIQ4<>(SB), R16
	VLD1  (R16), [V30.B16]
	BLOCKS32(IQ4_NL, WIDE_NEON, 18)

// func matvecsMXFP4_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsMXFP4_neon(SB), NOSPLIT, $0-72
	START(5, 3, 4)
	VMOVI $15, V31.B16
	VMOVI $63, V22.B16
	VUSHR $24, V22.S4, V22.S4
	MOVD  $levelsFP4<>(SB), R16
	VLD1  (R16), [V30.B16]
	BLOCKS32(MXFP4, PLAIN_NEON, 17)

// func matvecsQ2_K_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ2_K_neon(SB), NOSPLIT, $0-72
	START(8, 6, 3)
	BLOCKS256(Q2_K(LOW16_NEON), 84)

// func matvecsQ3_K_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ3_K_neon(SB), NOSPLIT, $0-72
	START(8, 6, 3)
	BLOCKS256(Q3_K(LOW16_NEON), 110)

// func matvecsQ4_K_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ4_K_neon(SB), NOSPLIT, $0-72
	START(8, 6, 3)
	VMOVI $15, V31.B16
	BLOCKS256(Q4_K(LOW32_NEON, HIGH32_NEON), 144)

// func matvecsQ5_K_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ5_K_neon(SB), NOSPLIT, $0-72
	START(8, 6, 3)
	VMOVI $15, V31.B16
	BLOCKS256(Q5_K(LOW32_NEON, HIGH32_NEON), 176)

// func matvecsQ6_K_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsQ6_K_neon(SB), NOSPLIT, $0-72
	START(8, 6, 3)
	BLOCKS256(Q6_K(LOW16_NEON), 210)

// func matvecsIQ4_XS_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsIQ4_XS_neon(SB), NOSPLIT, $0-72
	START(8, 6, 3)
	VMOVI $15, V31.B16
	MOVD  $levelsIQ4<>(SB), R19
	BLOCKS256(IQ4_XS(LEVELS32_NEON), 136)

// func matvecsTQ2_0_neon(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecsTQ2_0_neon(SB), NOSPLIT, $0-72
	START(8, 6, 3)
	VMOVI $1, V31.B16
	BLOCKS256(TQ2_0(SUM16_NEON), 66)

// fifths holds four tables, of which number i fills each lane with the lane's byte i,
// and the bits of four weights and of the next four.
DATA fifths<>+0(SB)/8, $0x0404040400000000
DATA fifths<>+8(SB)/8, $0x0c0c0c0c08080808
DATA fifths<>+16(SB)/8, $0x0505050501010101
DATA fifths<>+24(SB)/8, $0x0d0d0d0d09090909
DATA fifths<>+32(SB)/8, $0x0606060602020202
DATA fifths<>+40(SB)/8, $0x0e0e0e0e0a0a0a0a
DATA fifths<>+48(SB)/8, $0x0707070703030303
DATA fifths<>+56(SB)/8, $0x0f0f0f0f0b0b0b0b
DATA fifths<>+64(SB)/8, $0x0804020108040201
DATA fifths<>+72(SB)/8, $0x0804020108040201
DATA fifths<>+80(SB)/8, $0x8040201080402010
DATA fifths<>+88(SB)/8, $0x8040201080402010
GLOBL fifths<>(SB), RODATA|NOPTR, $96

// The levels of IQ4_NL and IQ4_XS, and those of MXFP4, doubled.
DATA levelsIQ4<>+0(SB)/8, $0xf6eaddcfbfad9881
DATA levelsIQ4<>+8(SB)/8, $0x7159453526190d01
GLOBL levelsIQ4<>(SB), RODATA|NOPTR, $16
DATA levelsFP4<>+0(SB)/8, $0x0c08060403020100
DATA levelsFP4<>+8(SB)/8, $0xf4f8fafcfdfeff00
GLOBL levelsFP4<>(SB), RODATA|NOPTR, $16
