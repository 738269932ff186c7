#include "textflag.h"

// Products of quantized weights with up to 8 vectors of activations, for
// AVX-512 VNNI. A body multiplies a group of 16 rows: dword r of a register
// belongs to row r. The weights of the group are transposed, four consecutive
// ones of each row to a dword, as unsigned bytes; VPDPBUSD multiplies them with
// the same four activations, broadcast from memory, in all rows. So unpacking is
// done once for all vectors, and sums need no reduction across a register. A
// dot product of scale block by activation block is an exact integer; it is
// scaled and added to the accumulator of the vector, block after block.
//
// Arguments: y of the group's first row and of the first vector, stride from one
// vector's results to the next's (in floats); w and bytes from one row to the
// next; q, d, s of the first vector; m vectors (1-8) of n values. If rowBytes is
// 0, all rows are the same one, and a single result is stored.
//
// Registers:
//	SI, R8, R9, R10 rows 0, 4, 8, 12 at the block     R11, R12 1 and 3 * rowBytes
//	AX, BX, DX      q, d, s of vector 0 at the block  CX blocks left
//	DI, R13         q of the vector, its d and s as an index  R15 scratch
//	R14             what to prefetch
//	Z8-Z15          accumulators of vectors 0-7
//	Z16-Z19, Z24, Z25 scratch of everything
//
// Memory: while a group is multiplied, the next one is prefetched, or what lies 8 KiB
// ahead if the rows are short, in the order in which it lies in memory. Prefetching past
// the end of the weights is harmless, it cannot fault.

// START loads the arguments. The step of R13 from vector to vector is n shifted by
// indexShift; it replaces rowBytes in memory.
#define START(blockShift, indexShift) \
	MOVQ   w+16(FP), SI                  \
	MOVQ   rowBytes+24(FP), R11          \
	LEAQ   (R11)(R11*2), R12             \
	LEAQ   (SI)(R11*4), R8               \
	LEAQ   (SI)(R11*8), R9               \
	LEAQ   (R8)(R11*8), R10              \
	LEAQ   (R10)(R11*4), R14             \
	LEAQ   8192(SI), CX                  \
	CMPQ   R14, CX                       \
	CMOVQCS CX, R14                      \
	MOVL   $0xffff, DI                   \
	MOVL   $1, R15                       \
	TESTQ  R11, R11                      \
	CMOVLEQ R15, DI                      \
	KMOVW  DI, K1                        \
	MOVQ   q+32(FP), AX                  \
	MOVQ   d+40(FP), BX                  \
	MOVQ   s+48(FP), DX                  \
	MOVQ   n+64(FP), CX                  \
	MOVQ   CX, R15                       \
	SHRQ   $blockShift, CX               \
	SHRQ   $indexShift, R15              \
	MOVQ   R15, rowBytes+24(FP)          \
	VPXORD Z8, Z8, Z8                    \
	VPXORD Z9, Z9, Z9                    \
	VPXORD Z10, Z10, Z10                 \
	VPXORD Z11, Z11, Z11                 \
	VPXORD Z12, Z12, Z12                 \
	VPXORD Z13, Z13, Z13                 \
	VPXORD Z14, Z14, Z14                 \
	VPXORD Z15, Z15, Z15

// NEXT moves on by a block of weights of the given bytes and of values values.
#define NEXT(bytes, values, scaleBytes, sumBytes) \
	ADDQ $bytes, SI       \
	ADDQ $bytes, R8       \
	ADDQ $bytes, R9       \
	ADDQ $bytes, R10      \
	ADDQ $(16*bytes), R14 \
	ADDQ $values, AX      \
	ADDQ $scaleBytes, BX  \
	ADDQ $sumBytes, DX    \
	DECQ CX

// VECTORS does BODY(q, s, acc) for each vector, q and s being offsets within the block.
#define VECTORS(BODY, q, s, done) \
	MOVQ AX, DI               \
	XORL R13, R13             \
	BODY(q, s, Z8)            \
	CMPQ m+56(FP), $1         \
	JEQ  done                 \
	VECTOR                    \
	BODY(q, s, Z9)            \
	CMPQ m+56(FP), $2         \
	JEQ  done                 \
	VECTOR                    \
	BODY(q, s, Z10)           \
	CMPQ m+56(FP), $3         \
	JEQ  done                 \
	VECTOR                    \
	BODY(q, s, Z11)           \
	CMPQ m+56(FP), $4         \
	JEQ  done                 \
	VECTOR                    \
	BODY(q, s, Z12)           \
	CMPQ m+56(FP), $5         \
	JEQ  done                 \
	VECTOR                    \
	BODY(q, s, Z13)           \
	CMPQ m+56(FP), $6         \
	JEQ  done                 \
	VECTOR                    \
	BODY(q, s, Z14)           \
	CMPQ m+56(FP), $7         \
	JEQ  done                 \
	VECTOR                    \
	BODY(q, s, Z15)           \
done:

#define VECTOR \
	ADDQ n+64(FP), DI         \
	ADDQ rowBytes+24(FP), R13

// STORE stores the accumulators and returns.
#define STORE \
	MOVQ    y+0(FP), DI       \
	MOVQ    stride+8(FP), R15 \
	MOVQ    m+56(FP), CX      \
	VMOVUPS Z8, K1, (DI)      \
	DECQ    CX                \
	JEQ     stored            \
	LEAQ    (DI)(R15*4), DI   \
	VMOVUPS Z9, K1, (DI)      \
	DECQ    CX                \
	JEQ     stored            \
	LEAQ    (DI)(R15*4), DI   \
	VMOVUPS Z10, K1, (DI)     \
	DECQ    CX                \
	JEQ     stored            \
	LEAQ    (DI)(R15*4), DI   \
	VMOVUPS Z11, K1, (DI)     \
	DECQ    CX                \
	JEQ     stored            \
	LEAQ    (DI)(R15*4), DI   \
	VMOVUPS Z12, K1, (DI)     \
	DECQ    CX                \
	JEQ     stored            \
	LEAQ    (DI)(R15*4), DI   \
	VMOVUPS Z13, K1, (DI)     \
	DECQ    CX                \
	JEQ     stored            \
	LEAQ    (DI)(R15*4), DI   \
	VMOVUPS Z14, K1, (DI)     \
	DECQ    CX                \
	JEQ     stored            \
	LEAQ    (DI)(R15*4), DI   \
	VMOVUPS Z15, K1, (DI)     \
stored:                     \
	VZEROUPPER                \
	RET

// LOAD loads 16 bytes of each row at off: lane l of Z16+i is row 4*l+i.
#define LOAD(off) \
	VMOVDQU32    off(SI), X16                   \
	VMOVDQU32    off(SI)(R11*1), X17            \
	VMOVDQU32    off(SI)(R11*2), X18            \
	VMOVDQU32    off(SI)(R12*1), X19            \
	VINSERTI32X4 $1, off(R8), Z16, Z16          \
	VINSERTI32X4 $1, off(R8)(R11*1), Z17, Z17   \
	VINSERTI32X4 $1, off(R8)(R11*2), Z18, Z18   \
	VINSERTI32X4 $1, off(R8)(R12*1), Z19, Z19   \
	VINSERTI32X4 $2, off(R9), Z16, Z16          \
	VINSERTI32X4 $2, off(R9)(R11*1), Z17, Z17   \
	VINSERTI32X4 $2, off(R9)(R11*2), Z18, Z18   \
	VINSERTI32X4 $2, off(R9)(R12*1), Z19, Z19   \
	VINSERTI32X4 $3, off(R10), Z16, Z16         \
	VINSERTI32X4 $3, off(R10)(R11*1), Z17, Z17  \
	VINSERTI32X4 $3, off(R10)(R11*2), Z18, Z18  \
	VINSERTI32X4 $3, off(R10)(R12*1), Z19, Z19

// DWORDS loads 16 bytes of each row at off: dword i of row r becomes dword r of
// wi. w0-w3 may be Z19, Z17, Z16, Z24. It changes Z16-Z19 and Z24.
#define DWORDS(off, w0, w1, w2, w3) \
	LOAD(off)                     \
	VPUNPCKLDQ  Z17, Z16, Z24     \
	VPUNPCKHDQ  Z17, Z16, Z16     \
	VPUNPCKLDQ  Z19, Z18, Z17     \
	VPUNPCKHDQ  Z19, Z18, Z18     \
	VPUNPCKLQDQ Z17, Z24, w0      \
	VPUNPCKHQDQ Z17, Z24, w1      \
	VPUNPCKHQDQ Z18, Z16, w3      \
	VPUNPCKLQDQ Z18, Z16, w2

// DWORD0, DWORDS01 and DWORD3 load only some of the four.
#define DWORD0(off, w0) \
	LOAD(off)                     \
	VPUNPCKLDQ  Z17, Z16, Z16     \
	VPUNPCKLDQ  Z19, Z18, Z18     \
	VPUNPCKLQDQ Z18, Z16, w0

#define DWORDS01(off, w0, w1) \
	LOAD(off)                     \
	VPUNPCKLDQ  Z17, Z16, Z16     \
	VPUNPCKLDQ  Z19, Z18, Z18     \
	VPUNPCKHQDQ Z18, Z16, w1      \
	VPUNPCKLQDQ Z18, Z16, w0

#define DWORD3(off, w3) \
	LOAD(off)                     \
	VPUNPCKHDQ  Z17, Z16, Z16     \
	VPUNPCKHDQ  Z19, Z18, Z18     \
	VPUNPCKHQDQ Z18, Z16, w3

// SCALES16 makes f the binary16 numbers at off of the rows.
#define SCALES16(off, f) \
	VPINSRW      $0, off(SI), X16, X16           \
	VPINSRW      $0, off(R9), X17, X17           \
	VPINSRW      $1, off(SI)(R11*1), X16, X16    \
	VPINSRW      $1, off(R9)(R11*1), X17, X17    \
	VPINSRW      $2, off(SI)(R11*2), X16, X16    \
	VPINSRW      $2, off(R9)(R11*2), X17, X17    \
	VPINSRW      $3, off(SI)(R12*1), X16, X16    \
	VPINSRW      $3, off(R9)(R12*1), X17, X17    \
	VPINSRW      $4, off(R8), X16, X16           \
	VPINSRW      $4, off(R10), X17, X17          \
	VPINSRW      $5, off(R8)(R11*1), X16, X16    \
	VPINSRW      $5, off(R10)(R11*1), X17, X17   \
	VPINSRW      $6, off(R8)(R11*2), X16, X16    \
	VPINSRW      $6, off(R10)(R11*2), X17, X17   \
	VPINSRW      $7, off(R8)(R12*1), X16, X16    \
	VPINSRW      $7, off(R10)(R12*1), X17, X17   \
	VINSERTI32X4 $1, X17, Y16, Y16               \
	VCVTPH2PS    Y16, f

// HALVES converts the binary16 numbers in the lower half of the dwords of Z16.
#define HALVES(f) \
	VPMOVDW   Z16, Y16 \
	VCVTPH2PS Y16, f

// HIGHER makes b the high halves of the bytes of four dwords a, and LOWER leaves
// the low ones. Z28 holds the mask.
#define HIGHER(a0, a1, a2, a3, b0, b1, b2, b3) \
	VPSRLD $4, a0, b0    \
	VPSRLD $4, a1, b1    \
	VPSRLD $4, a2, b2    \
	VPSRLD $4, a3, b3    \
	VPANDD Z28, b0, b0   \
	VPANDD Z28, b1, b1   \
	VPANDD Z28, b2, b2   \
	VPANDD Z28, b3, b3

#define LOWER(a0, a1, a2, a3, b0, b1, b2, b3) \
	VPANDD Z28, a0, b0   \
	VPANDD Z28, a1, b1   \
	VPANDD Z28, a2, b2   \
	VPANDD Z28, a3, b3

// NIBBLES32 unpacks 16 bytes of 4-bit weights at off into Z0-Z7.
#define NIBBLES32(off) \
	DWORDS(off, Z0, Z1, Z2, Z3)                \
	HIGHER(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)     \
	LOWER(Z0, Z1, Z2, Z3, Z0, Z1, Z2, Z3)

// LEVELS replaces indices in Z0-Z7 by the levels in Z29.
#define LEVELS \
	VPSHUFB Z0, Z29, Z0 \
	VPSHUFB Z1, Z29, Z1 \
	VPSHUFB Z2, Z29, Z2 \
	VPSHUFB Z3, Z29, Z3 \
	VPSHUFB Z4, Z29, Z4 \
	VPSHUFB Z5, Z29, Z5 \
	VPSHUFB Z6, Z29, Z6 \
	VPSHUFB Z7, Z29, Z7

// DOT16 adds the products of 16 weights of each row with the activations at q(DI)
// to Z24.
#define DOT16(q, w0, w1, w2, w3) \
	VPDPBUSD.BCST q(DI), w0, Z24      \
	VPDPBUSD.BCST (q+4)(DI), w1, Z24  \
	VPDPBUSD.BCST (q+8)(DI), w2, Z24  \
	VPDPBUSD.BCST (q+12)(DI), w3, Z24

// Weights that are stored with an offset, or as signed bytes, are multiplied
// with the offset still in them. The sum of the activations, times the offset,
// is where the dot product starts.

// Types of 32 weights per block. They leave the weights in Z0-Z7, the scales in
// Z26 and the minimums in Z27.

#define OFFSET32(offset, acc) \
	MOVWLSX      (DX)(R13*2), R15          \
	IMUL3L       $-offset, R15, R15        \
	VPBROADCASTD R15, Z24                  \
	DOT16(0, Z0, Z1, Z2, Z3)               \
	DOT16(16, Z4, Z5, Z6, Z7)              \
	VCVTDQ2PS    Z24, Z24                  \
	VMULPS.BCST  (BX)(R13*4), Z26, Z25     \
	VFMADD231PS  Z25, Z24, acc

#define OFFSET8(q, s, acc) OFFSET32(8, acc)
#define OFFSET12(q, s, acc) OFFSET32(12, acc)
#define OFFSET16(q, s, acc) OFFSET32(16, acc)
#define OFFSET128(q, s, acc) OFFSET32(128, acc)

// With minimums the sums are scaled already, and binary16 numbers.
#define MINIMUM(q, s, acc) \
	VPBROADCASTW (DX)(R13*2), Y16          \
	VPXORD       Z24, Z24, Z24             \
	DOT16(0, Z0, Z1, Z2, Z3)               \
	DOT16(16, Z4, Z5, Z6, Z7)              \
	VCVTPH2PS    Y16, Z16                  \
	VCVTDQ2PS    Z24, Z24                  \
	VMULPS.BCST  (BX)(R13*4), Z26, Z25     \
	VFMADD231PS  Z16, Z27, acc             \
	VFMADD231PS  Z25, Z24, acc

// FETCH prefetches four cache lines of the next group.
#define FETCH(at) \
	PREFETCHT1 (at)(R14)      \
	PREFETCHT1 (at+64)(R14)   \
	PREFETCHT1 (at+128)(R14)  \
	PREFETCHT1 (at+192)(R14)

// BLOCKS32 is the loop over blocks, UNPACK what precedes the products.
#define BLOCKS32(UNPACK, BODY, bytes) \
block:                          \
	UNPACK                        \
	VECTORS(BODY, 0, 0, multiplied) \
	NEXT(bytes, 32, 4, 2)         \
	JNZ block                     \
	STORE

#define Q4_0 \
	FETCH(0) \
	PREFETCHT1 256(R14) \
	SCALES16(0, Z26) \
	NIBBLES32(2)

// func matvecQ4_0_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ4_0_avx512vnni(SB), NOSPLIT, $0-72
	START(5, 5)
	VPBROADCASTD nibbles<>(SB), Z28
	BLOCKS32(Q4_0, OFFSET8, 18)

#define Q4_1 \
	FETCH(0) \
	PREFETCHT1 256(R14) \
	DWORD0(0, Z16)   \
	VPSRLD $16, Z16, Z17 \
	HALVES(Z26)      \
	VPMOVDW   Z17, Y17 \
	VCVTPH2PS Y17, Z27 \
	NIBBLES32(4)

// func matvecQ4_1_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ4_1_avx512vnni(SB), NOSPLIT, $0-72
	START(5, 5)
	VPBROADCASTD nibbles<>(SB), Z28
	BLOCKS32(Q4_1, MINIMUM, 20)

// FIFTHS adds the fifth bits of 32 weights to Z0-Z7. Z25 holds them: bit i of a
// dword belongs to weight i. A byte of eight bits is spread over a dword, in
// which the weights then test theirs. Z29 holds bits 0-3 in the bytes of each
// dword, Z30 bits 4-7, Z31 0x10.
#define FIFTHS2(i, w0, w1) \
	VBROADCASTI32X4 spread<>+(16*i)(SB), Z24 \
	VPSHUFB  Z24, Z25, Z24       \
	VPTESTMB Z29, Z24, K2        \
	VPTESTMB Z30, Z24, K3        \
	VPADDB   Z31, w0, K2, w0     \
	VPADDB   Z31, w1, K3, w1

#define FIFTHS \
	FIFTHS2(0, Z0, Z1) \
	FIFTHS2(1, Z2, Z3) \
	FIFTHS2(2, Z4, Z5) \
	FIFTHS2(3, Z6, Z7)

#define FIFTH_CONSTANTS \
	VPBROADCASTD nibbles<>(SB), Z28   \
	VPBROADCASTD bits<>+0(SB), Z29    \
	VPBROADCASTD bits<>+4(SB), Z30    \
	VPBROADCASTD sixteens<>(SB), Z31

#define Q5_0 \
	FETCH(0) \
	PREFETCHT1 256(R14) \
	PREFETCHT1 320(R14) \
	DWORDS01(0, Z16, Z25)   \
	VPSRLD $16, Z16, Z17    \
	VPSLLD $16, Z25, Z25    \
	VPORD  Z17, Z25, Z25    \
	HALVES(Z26)             \
	NIBBLES32(6)            \
	FIFTHS

// func matvecQ5_0_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ5_0_avx512vnni(SB), NOSPLIT, $0-72
	START(5, 5)
	FIFTH_CONSTANTS
	BLOCKS32(Q5_0, OFFSET16, 22)

#define Q5_1 \
	FETCH(0) \
	PREFETCHT1 256(R14) \
	PREFETCHT1 320(R14) \
	DWORDS01(0, Z16, Z25)   \
	VPSRLD $16, Z16, Z17    \
	HALVES(Z26)             \
	VPMOVDW   Z17, Y17      \
	VCVTPH2PS Y17, Z27      \
	NIBBLES32(8)            \
	FIFTHS

// func matvecQ5_1_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ5_1_avx512vnni(SB), NOSPLIT, $0-72
	START(5, 5)
	FIFTH_CONSTANTS
	BLOCKS32(Q5_1, MINIMUM, 24)

#define Q8_0 \
	FETCH(0) \
	FETCH(256) \
	PREFETCHT1 512(R14) \
	DWORD0(0, Z16)              \
	HALVES(Z26)                 \
	DWORDS(2, Z0, Z1, Z2, Z3)   \
	DWORDS(18, Z4, Z5, Z6, Z7)  \
	VPXORD Z28, Z0, Z0          \ // adds 128
	VPXORD Z28, Z1, Z1          \
	VPXORD Z28, Z2, Z2          \
	VPXORD Z28, Z3, Z3          \
	VPXORD Z28, Z4, Z4          \
	VPXORD Z28, Z5, Z5          \
	VPXORD Z28, Z6, Z6          \
	VPXORD Z28, Z7, Z7

// func matvecQ8_0_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ8_0_avx512vnni(SB), NOSPLIT, $0-72
	START(5, 5)
	VPBROADCASTD signs<>(SB), Z28
	BLOCKS32(Q8_0, OFFSET128, 34)

#define IQ4_NL \
	Q4_0   \
	LEVELS

// func matvecIQ4_NL_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecIQ4_NL_avx512vnni(SB), NOSPLIT, $0-72
	START(5, 5)
	VPBROADCASTD    nibbles<>(SB), Z28
	VBROADCASTI32X4 levelsIQ4<>(SB), Z29
	BLOCKS32(IQ4_NL, OFFSET128, 18)

// The exponent e stands for 2^(e-128), which is subnormal if e is 0 or 1.
#define MXFP4 \
	FETCH(0) \
	PREFETCHT1 256(R14) \
	DWORD0(0, Z16)                                \
	VPANDD.BCST  bytes<>(SB), Z16, Z16            \
	VPTESTNMD    Z16, Z16, K2                     \
	VPSUBD.BCST  ones<>(SB), Z16, Z26             \
	VPSLLD       $23, Z26, Z26                    \
	VPMAXSD.BCST subnormals<>+4(SB), Z26, Z26     \
	VPBROADCASTD subnormals<>+0(SB), K2, Z26      \
	NIBBLES32(1)                                  \
	LEVELS

// func matvecMXFP4_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecMXFP4_avx512vnni(SB), NOSPLIT, $0-72
	START(5, 5)
	VPBROADCASTD    nibbles<>(SB), Z28
	VBROADCASTI32X4 levelsFP4<>(SB), Z29
	BLOCKS32(MXFP4, OFFSET12, 17)

// Types of 256 weights per block, in groups of 16 or 32 with a scale each. Z30
// holds the scales of the blocks, Z31 those of a group. Dot products of groups
// are exact integers.

#define SCALED(acc) \
	VCVTDQ2PS    Z24, Z24                  \
	VMULPS.BCST  (BX)(R13*1), Z31, Z25     \
	VFMADD231PS  Z25, Z24, acc

// GROUP16 multiplies 16 weights in Z16-Z19. The word of pair that is not zero is
// less the offset; s is the place of the sums of the group and its neighbour.
#define GROUP16(pair, q, s, acc) \
	VPBROADCASTD  pair, Z25                \
	VPXORD        Z24, Z24, Z24            \
	VPDPWSSD.BCST s(DX)(R13*8), Z25, Z24   \
	DOT16(q, Z16, Z17, Z18, Z19)           \
	SCALED(acc)

// MINIMUMS takes the minimums away: Z0-Z7 hold pairs of them and Z31 the scale.
#define MINIMUMS(q, s, acc) \
	VPXORD        Z24, Z24, Z24            \
	VPDPWSSD.BCST (DX)(R13*8), Z0, Z24     \
	VPDPWSSD.BCST 4(DX)(R13*8), Z1, Z24    \
	VPDPWSSD.BCST 8(DX)(R13*8), Z2, Z24    \
	VPDPWSSD.BCST 12(DX)(R13*8), Z3, Z24   \
	VPDPWSSD.BCST 16(DX)(R13*8), Z4, Z24   \
	VPDPWSSD.BCST 20(DX)(R13*8), Z5, Z24   \
	VPDPWSSD.BCST 24(DX)(R13*8), Z6, Z24   \
	VPDPWSSD.BCST 28(DX)(R13*8), Z7, Z24   \
	VCVTDQ2PS     Z24, Z24                 \
	VMULPS.BCST   (BX)(R13*1), Z31, Z25    \
	VFNMADD231PS  Z25, Z24, acc

// UNSIGNED and SIGNED make Z31 the scales that lie in a byte of the dwords v.
#define UNSIGNED(v, byte) \
	VPSRLD      $(8*(byte)), v, Z31          \
	VPANDD.BCST bytes<>(SB), Z31, Z31      \
	VCVTDQ2PS   Z31, Z31                   \
	VMULPS      Z30, Z31, Z31

#define SIGNED(v, byte) \
	VPSLLD      $(24-8*(byte)), v, Z31       \
	VPSRAD      $24, Z31, Z31              \
	VCVTDQ2PS   Z31, Z31                   \
	VMULPS      Z30, Z31, Z31

// Q4_K and Q5_K begin with the scales, see scaleMin4: the unpacked ones of the
// groups end up in Z26 (0-3) and Z27 (4-7), minimum i, twice, in Zi.
#define SCALES4 \
	DWORDS(0, Z20, Z21, Z22, Z23)              \
	VPSRLD      $16, Z20, Z24                  \
	VPMOVDW     Z20, Y20                       \
	VPMOVDW     Z24, Y24                       \
	VCVTPH2PS   Y20, Z30                       \
	VCVTPH2PS   Y24, Z31                       \
	VPANDD.BCST lows6<>(SB), Z21, Z26          \
	VPANDD.BCST lows6<>(SB), Z22, Z3           \
	VPSRLD      $2, Z21, Z27                   \
	VPSRLD      $2, Z22, Z7                    \
	VPSRLD      $4, Z23, Z24                   \
	VPANDD.BCST thirties<>(SB), Z27, Z27       \
	VPANDD.BCST thirties<>(SB), Z7, Z7         \
	VPTERNLOGD  $0xf8, Z28, Z23, Z27           \ // Z27 | Z23&Z28
	VPTERNLOGD  $0xf8, Z28, Z24, Z7            \
	VBROADCASTI32X4 twice<>+0(SB), Z16         \
	VBROADCASTI32X4 twice<>+16(SB), Z17        \
	VBROADCASTI32X4 twice<>+32(SB), Z18        \
	VBROADCASTI32X4 twice<>+48(SB), Z19        \
	VPSHUFB     Z16, Z3, Z0                    \
	VPSHUFB     Z17, Z3, Z1                    \
	VPSHUFB     Z18, Z3, Z2                    \
	VPSHUFB     Z19, Z3, Z3                    \
	VPSHUFB     Z16, Z7, Z4                    \
	VPSHUFB     Z17, Z7, Z5                    \
	VPSHUFB     Z18, Z7, Z6                    \
	VPSHUFB     Z19, Z7, Z7

#define GROUP_LOW4(q, s, acc, sum) \
	VPXORD Z24, Z24, Z24               \
	DOT16(q, Z16, Z17, Z18, Z19)       \
	DOT16(q+16, Z20, Z21, Z22, Z23)    \
	WHOLE(sum)

#define GROUP_HIGH(q, s, acc, sum) \
	VPXORD Z24, Z24, Z24               \
	DOT16(q, Z0, Z1, Z2, Z3)           \
	DOT16(q+16, Z4, Z5, Z6, Z7)        \
	WHOLE(sum)

// Q4_K, Q5_K and Q6_K sum up whole numbers in a block, so that it becomes a float
// once: the results are the bits of the AVX2 bodies. There is room for the sums of
// four vectors.

#define MINIMUMS4(q, s, acc, sum) \
	MINIMUMS(q, s, acc)    \
	VPXORD sum, sum, sum

#define WHOLE(sum) \
	VPMULLD Z31, Z24, Z24  \
	VPADDD  Z24, sum, sum

#define BLOCK4(q, s, acc, sum) \
	VCVTDQ2PS   sum, sum               \
	VMULPS.BCST (BX)(R13*1), Z30, Z25  \
	VFMADD231PS Z25, sum, acc

// GROUPSCALE makes Z31 the scale that lies in a byte of the dwords v.
#define GROUPSCALE(v, byte) \
	VPSRLD      $(8*(byte)), v, Z31    \
	VPANDD.BCST bytes<>(SB), Z31, Z31

// VECTORS4 does BODY(q, s, acc, sum) for each vector.
#define VECTORS4(BODY, q, s, done) \
	MOVQ AX, DI               \
	XORL R13, R13             \
	BODY(q, s, Z8, Z12)       \
	CMPQ m+56(FP), $1         \
	JEQ  done                 \
	VECTOR                    \
	BODY(q, s, Z9, Z13)       \
	CMPQ m+56(FP), $2         \
	JEQ  done                 \
	VECTOR                    \
	BODY(q, s, Z10, Z14)      \
	CMPQ m+56(FP), $3         \
	JEQ  done                 \
	VECTOR                    \
	BODY(q, s, Z11, Z15)      \
done:

// Q4_K_PAIR multiplies groups 2*i and 2*i+1.
#define Q4_K_PAIR(i, scales, byte, low, high) \
	DWORDS(16+32*i, Z0, Z1, Z2, Z3)                \
	DWORDS(32+32*i, Z4, Z5, Z6, Z7)                \
	LOWER(Z0, Z1, Z2, Z3, Z16, Z17, Z18, Z19)      \
	LOWER(Z4, Z5, Z6, Z7, Z20, Z21, Z22, Z23)      \
	GROUPSCALE(scales, byte)                         \
	VECTORS4(GROUP_LOW4, 64*i, 0, low)              \
	HIGHER(Z0, Z1, Z2, Z3, Z0, Z1, Z2, Z3)         \
	HIGHER(Z4, Z5, Z6, Z7, Z4, Z5, Z6, Z7)         \
	GROUPSCALE(scales, byte+1)                       \
	VECTORS4(GROUP_HIGH, 64*i+32, 0, high)

#define NEXT256(bytes) NEXT(bytes, 256, 4, 32)

// func matvecQ4_K_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ4_K_avx512vnni(SB), NOSPLIT, $0-72
	START(8, 6)
	VPBROADCASTD nibbles<>(SB), Z28
block:
	FETCH(0)
	FETCH(256)
	SCALES4
	VECTORS4(MINIMUMS4, 0, 0, minimums)
	FETCH(512)
	FETCH(768)
	Q4_K_PAIR(0, Z26, 0, low0, high0)
	FETCH(1024)
	FETCH(1280)
	Q4_K_PAIR(1, Z26, 2, low1, high1)
	FETCH(1536)
	FETCH(1792)
	Q4_K_PAIR(2, Z27, 0, low2, high2)
	FETCH(2048)
	Q4_K_PAIR(3, Z27, 2, low3, high3)
	VECTORS4(BLOCK4, 0, 0, scaled)
	NEXT256(144)
	JNZ block
	STORE

// Q5_K_SPLIT makes dword w of 4-bit weights and h of fifth bits two dwords of
// weights, low and w itself. Rotations by low and high bits move the fifth bit to
// bit 4. Z29 holds 0x10.
#define Q5_K_SPLIT(w, h, low, lowBits, highBits) \
	VPROLD $((highBits)&31), h, Z25    \
	VPROLD $((lowBits)&31), h, low     \
	VPANDD Z29, Z25, Z25             \
	VPANDD Z29, low, low             \
	VPTERNLOGD $0xf8, Z28, w, low    \ // low | w&Z28
	VPSRLD $4, w, w                  \
	VPTERNLOGD $0xea, Z25, Z28, w       // w&Z28 | Z25

// Q5_K_PAIR multiplies groups 2*i and 2*i+1, whose fifth bits are 2*i and 2*i+1.
#define Q5_K_PAIR(i, scales, byte, low, high) \
	DWORDS(48+32*i, Z0, Z1, Z2, Z3)               \
	DWORDS(16, Z19, Z17, Z16, Z24)                \
	Q5_K_SPLIT(Z0, Z19, Z20, 4-2*i, 3-2*i)        \
	Q5_K_SPLIT(Z1, Z17, Z21, 4-2*i, 3-2*i)        \
	Q5_K_SPLIT(Z2, Z16, Z22, 4-2*i, 3-2*i)        \
	Q5_K_SPLIT(Z3, Z24, Z23, 4-2*i, 3-2*i)        \
	DWORDS(64+32*i, Z4, Z5, Z6, Z7)               \
	DWORDS(32, Z19, Z17, Z16, Z24)                \
	Q5_K_SPLIT(Z4, Z19, Z19, 4-2*i, 3-2*i)        \
	Q5_K_SPLIT(Z5, Z17, Z17, 4-2*i, 3-2*i)        \
	Q5_K_SPLIT(Z6, Z16, Z16, 4-2*i, 3-2*i)        \
	Q5_K_SPLIT(Z7, Z24, Z18, 4-2*i, 3-2*i)        \
	GROUPSCALE(scales, byte)                        \
	VECTORS4(GROUP_LOW5, 64*i, 0, low)             \
	GROUPSCALE(scales, byte+1)                      \
	VECTORS4(GROUP_HIGH, 64*i+32, 0, high)

#define GROUP_LOW5(q, s, acc, sum) \
	VPXORD Z24, Z24, Z24               \
	DOT16(q, Z20, Z21, Z22, Z23)       \
	DOT16(q+16, Z19, Z17, Z16, Z18)    \
	WHOLE(sum)

// func matvecQ5_K_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ5_K_avx512vnni(SB), NOSPLIT, $0-72
	START(8, 6)
	VPBROADCASTD nibbles<>(SB), Z28
	VPBROADCASTD sixteens<>(SB), Z29
block:
	FETCH(0)
	FETCH(256)
	FETCH(512)
	SCALES4
	VECTORS4(MINIMUMS4, 0, 0, minimums)
	FETCH(768)
	FETCH(1024)
	Q5_K_PAIR(0, Z26, 0, low0, high0)
	FETCH(1280)
	FETCH(1536)
	Q5_K_PAIR(1, Z26, 2, low1, high1)
	FETCH(1792)
	FETCH(2048)
	Q5_K_PAIR(2, Z27, 0, low2, high2)
	FETCH(2304)
	FETCH(2560)
	Q5_K_PAIR(3, Z27, 2, low3, high3)
	VECTORS4(BLOCK4, 0, 0, scaled)
	NEXT256(176)
	JNZ block
	STORE

// Q6_K_RUN0 to Q6_K_RUN3 put the low (0, 1) or high (2, 3) halves of the bytes of
// l and bit pair 0, 1, 2 or 3 of h together in w. The high ones change l, and
// RUN3 changes nothing else.
#define Q6_K_RUN0(l, h, w) \
	VPSLLD $4, h, w                                 \
	VPANDD.BCST thirties<>(SB), w, w                \
	VPTERNLOGD.BCST $0xf8, nibbles<>(SB), l, w

#define Q6_K_RUN1(l, h, w) \
	VPSLLD $2, h, w                                 \
	VPANDD.BCST thirties<>(SB), w, w                \
	VPTERNLOGD.BCST $0xf8, nibbles<>(SB), l, w

#define Q6_K_RUN2(l, h, w) \
	VPANDD.BCST thirties<>(SB), h, w                \
	VPSRLD $4, l, l                                 \
	VPTERNLOGD.BCST $0xf8, nibbles<>(SB), l, w

#define Q6_K_RUN3(l, h, w) \
	VPSRLD $2, h, w                                 \
	VPANDD.BCST thirties<>(SB), w, w                \
	VPSRLD $4, l, l                                 \
	VPTERNLOGD.BCST $0xf8, nibbles<>(SB), l, w

#define EVEN32(q, s, acc, sum) WHOLE16(pairs<>+0(SB), q, s, sum)
#define ODD32(q, s, acc, sum) WHOLE16(pairs<>+4(SB), q, s, sum)

// WHOLE16 is GROUP16 in whole numbers.
#define WHOLE16(pair, q, s, sum) \
	VPBROADCASTD  pair, Z25                \
	VPXORD        Z24, Z24, Z24            \
	VPDPWSSD.BCST s(DX)(R13*8), Z25, Z24   \
	DOT16(q, Z16, Z17, Z18, Z19)           \
	WHOLE(sum)

#define CLEAR(q, s, acc, sum) VPXORD sum, sum, sum

// GROUPSIGNED makes Z31 the signed scale that lies in a byte of the dwords v.
#define GROUPSIGNED(v, byte) \
	VPSLLD $(24-8*(byte)), v, Z31  \
	VPSRAD $24, Z31, Z31

// Q6_K_QUARTER multiplies the even (odd 0) or odd (1) groups of a half block.
#define Q6_K_QUARTER(half, odd, GROUP, scales01, scales23, v0, v1, v2, v3) \
	DWORDS(64*half+16*odd, Z0, Z1, Z2, Z3)           \
	DWORDS(64*half+16*odd+32, Z4, Z5, Z6, Z7)        \
	DWORDS(128+32*half+16*odd, Z20, Z21, Z22, Z23)   \
	Q6_K_RUN0(Z0, Z20, Z16)                          \
	Q6_K_RUN0(Z1, Z21, Z17)                          \
	Q6_K_RUN0(Z2, Z22, Z18)                          \
	Q6_K_RUN0(Z3, Z23, Z19)                          \
	GROUPSIGNED(scales01, odd)                            \
	VECTORS4(GROUP, 128*half+16*odd, 16*half, v0)     \
	Q6_K_RUN1(Z4, Z20, Z16)                          \
	Q6_K_RUN1(Z5, Z21, Z17)                          \
	Q6_K_RUN1(Z6, Z22, Z18)                          \
	Q6_K_RUN1(Z7, Z23, Z19)                          \
	GROUPSIGNED(scales01, (2+odd))                        \
	VECTORS4(GROUP, 128*half+16*odd+32, 16*half+4, v1) \
	Q6_K_RUN2(Z0, Z20, Z16)                          \
	Q6_K_RUN2(Z1, Z21, Z17)                          \
	Q6_K_RUN2(Z2, Z22, Z18)                          \
	Q6_K_RUN2(Z3, Z23, Z19)                          \
	GROUPSIGNED(scales23, odd)                            \
	VECTORS4(GROUP, 128*half+16*odd+64, 16*half+8, v2) \
	Q6_K_RUN3(Z4, Z20, Z16)                          \
	Q6_K_RUN3(Z5, Z21, Z17)                          \
	Q6_K_RUN3(Z6, Z22, Z18)                          \
	Q6_K_RUN3(Z7, Z23, Z19)                          \
	GROUPSIGNED(scales23, (2+odd))                        \
	VECTORS4(GROUP, 128*half+16*odd+96, 16*half+12, v3)

// func matvecQ6_K_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ6_K_avx512vnni(SB), NOSPLIT, $0-72
	START(8, 6)
block:
	FETCH(0)
	FETCH(256)
	FETCH(512)
	DWORD3(194, Z16)
	VPSRLD $16, Z16, Z16
	HALVES(Z30)
	DWORDS(192, Z26, Z27, Z28, Z29)
	VECTORS4(CLEAR, 0, 0, cleared)
	Q6_K_QUARTER(0, 0, EVEN32, Z26, Z27, v0, v2, v4, v6)
	FETCH(768)
	FETCH(1024)
	FETCH(1280)
	Q6_K_QUARTER(0, 1, ODD32, Z26, Z27, v1, v3, v5, v7)
	FETCH(1536)
	FETCH(1792)
	FETCH(2048)
	FETCH(2304)
	Q6_K_QUARTER(1, 0, EVEN32, Z28, Z29, v8, v10, v12, v14)
	FETCH(2560)
	FETCH(2816)
	FETCH(3072)
	Q6_K_QUARTER(1, 1, ODD32, Z28, Z29, v9, v11, v13, v15)
	VECTORS4(BLOCK4, 0, 0, scaled)
	NEXT256(210)
	JNZ block
	STORE

// THREES moves a bit pair at the bottom of each byte of Z0-Z3 to Z16-Z19, and the
// next one to the bottom.
#define THREES \
	VPANDD.BCST threes<>(SB), Z0, Z16 \
	VPANDD.BCST threes<>(SB), Z1, Z17 \
	VPANDD.BCST threes<>(SB), Z2, Z18 \
	VPANDD.BCST threes<>(SB), Z3, Z19 \
	VPSRLD $2, Z0, Z0                 \
	VPSRLD $2, Z1, Z1                 \
	VPSRLD $2, Z2, Z2                 \
	VPSRLD $2, Z3, Z3

// THIRD puts bit run of the bytes of h above the bit pairs in w.
#define THIRD(run, h, w) \
	VPROLD $((2-run)&31), h, Z25                    \
	VPTERNLOGD.BCST $0xf8, fours<>(SB), Z25, w

#define Q3_K_RUN(run, odd, GROUP, scales, done) \
	THREES                                          \
	THIRD(run, Z4, Z16)                             \
	THIRD(run, Z5, Z17)                             \
	THIRD(run, Z6, Z18)                             \
	THIRD(run, Z7, Z19)                             \
	SIGNED(scales, (run%2*2+odd))                   \
	VECTORS(GROUP, 32*run+16*odd, 4*run, done)

#define EVEN4(q, s, acc) GROUP16(pairs<>+8(SB), q, s, acc)
#define ODD4(q, s, acc) GROUP16(pairs<>+12(SB), q, s, acc)

// SCALES3 makes four scales of Q3_K: the low or high halves of the bytes of l and
// bit pair i of h, less 32.
#define SCALES3(l, lowShift, h, highBits, scales) \
	VPROLD $((highBits)&31), h, scales                   \
	VPANDD.BCST thirties<>(SB), scales, scales         \
	VPSRLD $lowShift, l, Z24                           \
	VPTERNLOGD.BCST $0xf8, nibbles<>(SB), Z24, scales  \
	VPSUBB Z25, scales, scales

// func matvecQ3_K_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ3_K_avx512vnni(SB), NOSPLIT, $0-72
	START(8, 6)
block:
	FETCH(0)
	FETCH(256)
	// The scales lie from the third byte on, the scale of the block follows.
	DWORDS(94, Z20, Z21, Z22, Z23)
	VPSRLD $16, Z23, Z16
	HALVES(Z30)
	VPSRLD $16, Z20, Z20
	VPSLLD $16, Z21, Z16
	VPORD  Z16, Z20, Z20
	VPSRLD $16, Z21, Z21
	VPSLLD $16, Z22, Z16
	VPORD  Z16, Z21, Z21
	VPSRLD $16, Z22, Z22
	VPSLLD $16, Z23, Z16
	VPORD  Z16, Z22, Z22
	VPBROADCASTD thirtytwos<>(SB), Z25
	SCALES3(Z20, 0, Z22, 4, Z26)
	SCALES3(Z21, 0, Z22, 2, Z27)
	SCALES3(Z20, 4, Z22, 0, Z28)
	SCALES3(Z21, 4, Z22, -2, Z29)
	DWORDS(0, Z4, Z5, Z6, Z7)
	DWORDS(32, Z0, Z1, Z2, Z3)
	Q3_K_RUN(0, 0, EVEN4, Z26, v0)
	Q3_K_RUN(1, 0, EVEN4, Z26, v2)
	Q3_K_RUN(2, 0, EVEN4, Z27, v4)
	Q3_K_RUN(3, 0, EVEN4, Z27, v6)
	FETCH(512)
	FETCH(768)
	DWORDS(64, Z0, Z1, Z2, Z3)
	Q3_K_RUN(4, 0, EVEN4, Z28, v8)
	Q3_K_RUN(5, 0, EVEN4, Z28, v10)
	Q3_K_RUN(6, 0, EVEN4, Z29, v12)
	Q3_K_RUN(7, 0, EVEN4, Z29, v14)
	FETCH(1024)
	FETCH(1280)
	DWORDS(16, Z4, Z5, Z6, Z7)
	DWORDS(48, Z0, Z1, Z2, Z3)
	Q3_K_RUN(0, 1, ODD4, Z26, v1)
	Q3_K_RUN(1, 1, ODD4, Z26, v3)
	Q3_K_RUN(2, 1, ODD4, Z27, v5)
	Q3_K_RUN(3, 1, ODD4, Z27, v7)
	FETCH(1536)
	DWORDS(80, Z0, Z1, Z2, Z3)
	Q3_K_RUN(4, 1, ODD4, Z28, v9)
	Q3_K_RUN(5, 1, ODD4, Z28, v11)
	Q3_K_RUN(6, 1, ODD4, Z29, v13)
	Q3_K_RUN(7, 1, ODD4, Z29, v15)
	NEXT256(110)
	JNZ block
	STORE

#define GROUP2(q, s, acc) \
	VPXORD Z24, Z24, Z24               \
	DOT16(q, Z16, Z17, Z18, Z19)       \
	SCALED(acc)

#define Q2_K_RUN(run, odd, scales, done) \
	THREES                                          \
	UNSIGNED(scales, (run%2*2+odd))                 \
	VECTORS(GROUP2, 32*run+16*odd, 0, done)

// PAIRS makes pairs of the minimums in the high halves of the bytes of v, and
// leaves the low halves, the scales. Z16 and Z17 hold the bytes to take.
#define PAIRS(v, p0, p1) \
	VPSRLD $4, v, p1                    \
	VPANDD.BCST nibbles<>(SB), p1, p1   \
	VPANDD.BCST nibbles<>(SB), v, v     \
	VPSHUFB Z16, p1, p0                 \
	VPSHUFB Z17, p1, p1

// func matvecQ2_K_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ2_K_avx512vnni(SB), NOSPLIT, $0-72
	START(8, 6)
block:
	FETCH(0)
	FETCH(256)
	DWORD3(68, Z16)
	VPSRLD $16, Z16, Z17
	HALVES(Z30)
	VPMOVDW Z17, Y17
	VCVTPH2PS Y17, Z31
	DWORDS(0, Z26, Z27, Z28, Z29)
	VBROADCASTI32X4 widen<>+0(SB), Z16
	VBROADCASTI32X4 widen<>+16(SB), Z17
	PAIRS(Z26, Z0, Z1)
	PAIRS(Z27, Z2, Z3)
	PAIRS(Z28, Z4, Z5)
	PAIRS(Z29, Z6, Z7)
	VECTORS(MINIMUMS, 0, 0, minimums)
	DWORDS(16, Z0, Z1, Z2, Z3)
	Q2_K_RUN(0, 0, Z26, v0)
	Q2_K_RUN(1, 0, Z26, v2)
	Q2_K_RUN(2, 0, Z27, v4)
	Q2_K_RUN(3, 0, Z27, v6)
	FETCH(512)
	FETCH(768)
	DWORDS(32, Z0, Z1, Z2, Z3)
	Q2_K_RUN(0, 1, Z26, v1)
	Q2_K_RUN(1, 1, Z26, v3)
	Q2_K_RUN(2, 1, Z27, v5)
	Q2_K_RUN(3, 1, Z27, v7)
	FETCH(1024)
	DWORDS(48, Z0, Z1, Z2, Z3)
	Q2_K_RUN(4, 0, Z28, v8)
	Q2_K_RUN(5, 0, Z28, v10)
	Q2_K_RUN(6, 0, Z29, v12)
	Q2_K_RUN(7, 0, Z29, v14)
	FETCH(1280)
	DWORDS(64, Z0, Z1, Z2, Z3)
	Q2_K_RUN(4, 1, Z28, v9)
	Q2_K_RUN(5, 1, Z28, v11)
	Q2_K_RUN(6, 1, Z29, v13)
	Q2_K_RUN(7, 1, Z29, v15)
	NEXT256(84)
	JNZ block
	STORE

// IQ4_XS: Z26 holds the upper bits of the scales, Z27 the lower ones.
#define IQ4_XS_GROUP(g, done) \
	NIBBLES32(8+16*g)                                    \
	LEVELS                                               \
	VPSRLD      $(4*g), Z27, Z31                         \
	VPROLD      $((4-2*g)&31), Z26, Z25                  \
	VPANDD.BCST fifteen<>(SB), Z31, Z31                  \
	VPANDD.BCST fortyeight<>(SB), Z25, Z25               \
	VPORD       Z25, Z31, Z31                            \
	VPSUBD.BCST thirtytwo<>(SB), Z31, Z31                \
	VCVTDQ2PS   Z31, Z31                                 \
	VMULPS      Z30, Z31, Z31                            \
	VECTORS(GROUP_LEVELS, 32*g, 4*g, done)

#define GROUP_LEVELS(q, s, acc) \
	VPBROADCASTD  pairs<>+16(SB), Z25      \
	VPXORD        Z24, Z24, Z24            \
	VPDPWSSD.BCST s(DX)(R13*8), Z25, Z24   \
	DOT16(q, Z0, Z1, Z2, Z3)               \
	DOT16(q+16, Z4, Z5, Z6, Z7)            \
	SCALED(acc)

// func matvecIQ4_XS_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecIQ4_XS_avx512vnni(SB), NOSPLIT, $0-72
	START(8, 6)
	VPBROADCASTD    nibbles<>(SB), Z28
	VBROADCASTI32X4 levelsIQ4<>(SB), Z29
block:
	FETCH(0)
	FETCH(256)
	DWORDS01(0, Z16, Z27)
	VPSRLD $16, Z16, Z26
	HALVES(Z30)
	IQ4_XS_GROUP(0, v0)
	IQ4_XS_GROUP(1, v1)
	FETCH(512)
	FETCH(768)
	IQ4_XS_GROUP(2, v2)
	IQ4_XS_GROUP(3, v3)
	FETCH(1024)
	FETCH(1280)
	IQ4_XS_GROUP(4, v4)
	IQ4_XS_GROUP(5, v5)
	FETCH(1536)
	FETCH(1792)
	IQ4_XS_GROUP(6, v6)
	IQ4_XS_GROUP(7, v7)
	NEXT256(136)
	JNZ block
	STORE

// TQ2_0: groups of 16 with the same scale.
#define EVEN1(q, s, acc) GROUP16(pairs<>+20(SB), q, s, acc)
#define ODD1(q, s, acc) GROUP16(pairs<>+24(SB), q, s, acc)

#define TQ2_0_RUN(run, odd, GROUP, done) \
	THREES                                          \
	VECTORS(GROUP, 32*run+16*odd, 4*run, done)

// func matvecTQ2_0_avx512vnni(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecTQ2_0_avx512vnni(SB), NOSPLIT, $0-72
	START(8, 6)
block:
	FETCH(0)
	FETCH(256)
	FETCH(512)
	FETCH(768)
	FETCH(1024)
	DWORD3(50, Z16)
	VPSRLD $16, Z16, Z16
	HALVES(Z31)
	DWORDS(0, Z0, Z1, Z2, Z3)
	TQ2_0_RUN(0, 0, EVEN1, v0)
	TQ2_0_RUN(1, 0, EVEN1, v2)
	TQ2_0_RUN(2, 0, EVEN1, v4)
	TQ2_0_RUN(3, 0, EVEN1, v6)
	DWORDS(16, Z0, Z1, Z2, Z3)
	TQ2_0_RUN(0, 1, ODD1, v1)
	TQ2_0_RUN(1, 1, ODD1, v3)
	TQ2_0_RUN(2, 1, ODD1, v5)
	TQ2_0_RUN(3, 1, ODD1, v7)
	DWORDS(32, Z0, Z1, Z2, Z3)
	TQ2_0_RUN(4, 0, EVEN1, v8)
	TQ2_0_RUN(5, 0, EVEN1, v10)
	TQ2_0_RUN(6, 0, EVEN1, v12)
	TQ2_0_RUN(7, 0, EVEN1, v14)
	DWORDS(48, Z0, Z1, Z2, Z3)
	TQ2_0_RUN(4, 1, ODD1, v9)
	TQ2_0_RUN(5, 1, ODD1, v11)
	TQ2_0_RUN(6, 1, ODD1, v13)
	TQ2_0_RUN(7, 1, ODD1, v15)
	NEXT256(66)
	JNZ block
	STORE

// Constants. Those of 4 bytes are broadcast.

#define WORD4(name, value) \
	DATA name<>+0(SB)/4, $value     \
	GLOBL name<>(SB), RODATA|NOPTR, $4

WORD4(nibbles, 0x0f0f0f0f)
WORD4(signs, 0x80808080)
WORD4(sixteens, 0x10101010)
WORD4(thirties, 0x30303030)
WORD4(lows6, 0x3f3f3f3f)
WORD4(threes, 0x03030303)
WORD4(fours, 0x04040404)
WORD4(thirtytwos, 0x20202020)
WORD4(bytes, 0xff)
WORD4(ones, 1)
WORD4(fifteen, 15)
WORD4(fortyeight, 48)
WORD4(thirtytwo, 32)

// Pairs of words, less the offset for the first, the second or both groups.
DATA pairs<>+0(SB)/4, $0x0000ffe0 // 32
DATA pairs<>+4(SB)/4, $0xffe00000
DATA pairs<>+8(SB)/4, $0x0000fffc // 4
DATA pairs<>+12(SB)/4, $0xfffc0000
DATA pairs<>+16(SB)/4, $0xff80ff80 // 128
DATA pairs<>+20(SB)/4, $0x0000ffff // 1
DATA pairs<>+24(SB)/4, $0xffff0000
GLOBL pairs<>(SB), RODATA|NOPTR, $28

// 2^-128 and 2^-127.
DATA subnormals<>+0(SB)/4, $0x00200000
DATA subnormals<>+4(SB)/4, $0x00400000
GLOBL subnormals<>(SB), RODATA|NOPTR, $8

DATA bits<>+0(SB)/4, $0x08040201
DATA bits<>+4(SB)/4, $0x80402010
GLOBL bits<>(SB), RODATA|NOPTR, $8

// Row i of spread fills each dword of a register with the dword's byte i.
#define SPREAD(i, d0, d1, d2, d3) \
	DATA spread<>+(16*i+0)(SB)/4, $d0  \
	DATA spread<>+(16*i+4)(SB)/4, $d1  \
	DATA spread<>+(16*i+8)(SB)/4, $d2  \
	DATA spread<>+(16*i+12)(SB)/4, $d3

SPREAD(0, 0x00000000, 0x04040404, 0x08080808, 0x0c0c0c0c)
SPREAD(1, 0x01010101, 0x05050505, 0x09090909, 0x0d0d0d0d)
SPREAD(2, 0x02020202, 0x06060606, 0x0a0a0a0a, 0x0e0e0e0e)
SPREAD(3, 0x03030303, 0x07070707, 0x0b0b0b0b, 0x0f0f0f0f)
GLOBL spread<>(SB), RODATA|NOPTR, $64

// Row i of twice widens the dword's byte i to both words of the dword.
#define TWICE(i, d0, d1, d2, d3) \
	DATA twice<>+(16*i+0)(SB)/4, $d0  \
	DATA twice<>+(16*i+4)(SB)/4, $d1  \
	DATA twice<>+(16*i+8)(SB)/4, $d2  \
	DATA twice<>+(16*i+12)(SB)/4, $d3

TWICE(0, 0x80008000, 0x80048004, 0x80088008, 0x800c800c)
TWICE(1, 0x80018001, 0x80058005, 0x80098009, 0x800d800d)
TWICE(2, 0x80028002, 0x80068006, 0x800a800a, 0x800e800e)
TWICE(3, 0x80038003, 0x80078007, 0x800b800b, 0x800f800f)
GLOBL twice<>(SB), RODATA|NOPTR, $64

// Row i of widen widens the dword's bytes 2*i and 2*i+1 to its words.
#define WIDEN(i, d0, d1, d2, d3) \
	DATA widen<>+(16*i+0)(SB)/4, $d0  \
	DATA widen<>+(16*i+4)(SB)/4, $d1  \
	DATA widen<>+(16*i+8)(SB)/4, $d2  \
	DATA widen<>+(16*i+12)(SB)/4, $d3

WIDEN(0, 0x80018000, 0x80058004, 0x80098008, 0x800d800c)
WIDEN(1, 0x80038002, 0x80078006, 0x800b800a, 0x800f800e)
GLOBL widen<>(SB), RODATA|NOPTR, $32

// The levels of IQ4_NL and IQ4_XS, plus 128.
DATA levelsIQ4<>+0(SB)/8, $0x766a5d4f3f2d1801
DATA levelsIQ4<>+8(SB)/8, $0xf1d9c5b5a6998d81
GLOBL levelsIQ4<>(SB), RODATA|NOPTR, $16

// The levels of MXFP4, plus 12.
DATA levelsFP4<>+0(SB)/8, $0x181412100f0e0d0c
DATA levelsFP4<>+8(SB)/8, $0x00040608090a0b0c
GLOBL levelsFP4<>(SB), RODATA|NOPTR, $16
