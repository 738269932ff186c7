#include "textflag.h"

// Products of quantized weights with up to 4 vectors of activations (up to 2 for
// types of 256 weights per block), for AVX2. This is matvec_avx512_amd64.s with 8
// rows to a group and half the registers; see there for the arguments and for what
// it is about. VPMADDUBSW adds pairs of products in 16 bits: weights of up to 15
// leave room for the sum of 16 products with activations within ±127, weights of
// up to 31 for 8, of up to 63 for 4.
//
// Registers:
//	SI, R8      rows 0, 4 at the block         R11, R12 1 and 3 * rowBytes
//	AX, BX, DX  q, d, s of vector 0 at the block  CX blocks left
//	DI, R13     q of the vector, its d and s as an index  R15 scratch
//	R14         what to prefetch
//	Y0-Y7       weights   Y8-Y11 accumulators
//	Y12-Y14     scratch; Y14 holds the scales while vectors are multiplied

#define START(blockShift, indexShift) \
	MOVQ   w+16(FP), SI                  \
	MOVQ   rowBytes+24(FP), R11          \
	LEAQ   (R11)(R11*2), R12             \
	LEAQ   (SI)(R11*4), R8               \
	LEAQ   (SI)(R11*8), R14              \
	MOVQ   q+32(FP), AX                  \
	MOVQ   d+40(FP), BX                  \
	MOVQ   s+48(FP), DX                  \
	MOVQ   n+64(FP), CX                  \
	MOVQ   CX, R15                       \
	SHRQ   $blockShift, CX               \
	SHRQ   $indexShift, R15              \
	MOVQ   R15, rowBytes+24(FP)          \
	VXORPS Y8, Y8, Y8                    \
	VXORPS Y9, Y9, Y9                    \
	VXORPS Y10, Y10, Y10                 \
	VXORPS Y11, Y11, Y11

#define NEXT(bytes, values, scaleBytes, sumBytes) \
	ADDQ $bytes, SI       \
	ADDQ $bytes, R8       \
	ADDQ $(8*bytes), R14  \
	ADDQ $values, AX      \
	ADDQ $scaleBytes, BX  \
	ADDQ $sumBytes, DX    \
	DECQ CX

#define VECTOR \
	ADDQ n+64(FP), DI         \
	ADDQ rowBytes+24(FP), R13

#define VECTORS4(BODY, q, s, done) \
	MOVQ AX, DI               \
	XORL R13, R13             \
	BODY(q, s, Y8)            \
	CMPQ m+56(FP), $1         \
	JEQ  done                 \
	VECTOR                    \
	BODY(q, s, Y9)            \
	CMPQ m+56(FP), $2         \
	JEQ  done                 \
	VECTOR                    \
	BODY(q, s, Y10)           \
	CMPQ m+56(FP), $3         \
	JEQ  done                 \
	VECTOR                    \
	BODY(q, s, Y11)           \
done:

#define VECTORS2(BODY, q, s, done) \
	MOVQ AX, DI               \
	XORL R13, R13             \
	BODY(q, s, Y8)            \
	CMPQ m+56(FP), $1         \
	JEQ  done                 \
	VECTOR                    \
	BODY(q, s, Y9)            \
done:

// STORE stores the accumulators and returns.
#define STORE \
	MOVQ    y+0(FP), DI       \
	MOVQ    stride+8(FP), R15 \
	MOVQ    m+56(FP), CX      \
	TESTQ   R11, R11          \
	JEQ     single            \
	VMOVUPS Y8, (DI)          \
	DECQ    CX                \
	JEQ     stored            \
	LEAQ    (DI)(R15*4), DI   \
	VMOVUPS Y9, (DI)          \
	DECQ    CX                \
	JEQ     stored            \
	LEAQ    (DI)(R15*4), DI   \
	VMOVUPS Y10, (DI)         \
	DECQ    CX                \
	JEQ     stored            \
	LEAQ    (DI)(R15*4), DI   \
	VMOVUPS Y11, (DI)         \
	JMP     stored            \
single:                     \
	VMOVSS  X8, (DI)          \
	DECQ    CX                \
	JEQ     stored            \
	LEAQ    (DI)(R15*4), DI   \
	VMOVSS  X9, (DI)          \
	DECQ    CX                \
	JEQ     stored            \
	LEAQ    (DI)(R15*4), DI   \
	VMOVSS  X10, (DI)         \
	DECQ    CX                \
	JEQ     stored            \
	LEAQ    (DI)(R15*4), DI   \
	VMOVSS  X11, (DI)         \
stored:                     \
	VZEROUPPER                \
	RET

// DWORDS loads 16 bytes of each row at off: dword i of row r becomes dword r of
// wi. It changes Y12-Y14.
#define DWORDS(off, w0, w1, w2, w3, x3) \
	VMOVDQU     off(SI), X12                      \
	VMOVDQU     off(SI)(R11*1), X13               \
	VMOVDQU     off(SI)(R11*2), X14               \
	VMOVDQU     off(SI)(R12*1), x3                \
	VINSERTI128 $1, off(R8), Y12, Y12             \
	VINSERTI128 $1, off(R8)(R11*1), Y13, Y13      \
	VINSERTI128 $1, off(R8)(R11*2), Y14, Y14      \
	VINSERTI128 $1, off(R8)(R12*1), w3, w3        \
	VPUNPCKLDQ  Y13, Y12, w0                      \
	VPUNPCKHDQ  Y13, Y12, w2                      \
	VPUNPCKLDQ  w3, Y14, Y12                      \
	VPUNPCKHDQ  w3, Y14, Y13                      \
	VPUNPCKHQDQ Y12, w0, w1                       \
	VPUNPCKLQDQ Y12, w0, w0                       \
	VPUNPCKHQDQ Y13, w2, w3                       \
	VPUNPCKLQDQ Y13, w2, w2

// DWORDS01, DWORD0 and DWORD3 load only some of the four.
#define PAIRED(off, UNPACK) \
	VMOVDQU     off(SI), X12                      \
	VMOVDQU     off(SI)(R11*1), X13               \
	VINSERTI128 $1, off(R8), Y12, Y12             \
	VINSERTI128 $1, off(R8)(R11*1), Y13, Y13      \
	UNPACK      Y13, Y12, Y12                     \
	VMOVDQU     off(SI)(R11*2), X13               \
	VMOVDQU     off(SI)(R12*1), X14               \
	VINSERTI128 $1, off(R8)(R11*2), Y13, Y13      \
	VINSERTI128 $1, off(R8)(R12*1), Y14, Y14      \
	UNPACK      Y14, Y13, Y13

#define DWORD0(off, w0) \
	PAIRED(off, VPUNPCKLDQ)       \
	VPUNPCKLQDQ Y13, Y12, w0

#define DWORDS01(off, w0, w1) \
	PAIRED(off, VPUNPCKLDQ)       \
	VPUNPCKHQDQ Y13, Y12, w1      \
	VPUNPCKLQDQ Y13, Y12, w0

#define DWORD3(off, w3) \
	PAIRED(off, VPUNPCKHDQ)       \
	VPUNPCKHQDQ Y13, Y12, w3

// LOWS and HIGHS convert the binary16 numbers in the lower or upper halves of the
// dwords of v to f. They change Y12.
#define CONVERT(f) \
	VPACKUSDW Y12, Y12, Y12  \
	VPERMQ    $8, Y12, Y12   \
	VCVTPH2PS X12, f

#define LOWS(v, f) \
	VPAND  words<>(SB), v, Y12 \
	CONVERT(f)

#define HIGHS(v, f) \
	VPSRLD $16, v, Y12       \
	CONVERT(f)

// HIGHER makes b the high halves of the bytes of four dwords a, and LOWER leaves
// the low ones.
#define HIGHER(a0, a1, a2, a3, b0, b1, b2, b3) \
	VPSRLD $4, a0, b0              \
	VPSRLD $4, a1, b1              \
	VPSRLD $4, a2, b2              \
	VPSRLD $4, a3, b3              \
	VPAND  nibbles<>(SB), b0, b0   \
	VPAND  nibbles<>(SB), b1, b1   \
	VPAND  nibbles<>(SB), b2, b2   \
	VPAND  nibbles<>(SB), b3, b3

#define LOWER(a0, a1, a2, a3, b0, b1, b2, b3) \
	VPAND  nibbles<>(SB), a0, b0   \
	VPAND  nibbles<>(SB), a1, b1   \
	VPAND  nibbles<>(SB), a2, b2   \
	VPAND  nibbles<>(SB), a3, b3

// NIBBLES32 unpacks 16 bytes of 4-bit weights at off into Y0-Y7.
#define NIBBLES32(off) \
	DWORDS(off, Y0, Y1, Y2, Y3, X3)            \
	HIGHER(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7)     \
	LOWER(Y0, Y1, Y2, Y3, Y0, Y1, Y2, Y3)

// LEVELS replaces indices in Y0-Y7 by the levels of a table.
#define LEVELS(table) \
	VBROADCASTI128 table<>(SB), Y12 \
	VPSHUFB Y0, Y12, Y0 \
	VPSHUFB Y1, Y12, Y1 \
	VPSHUFB Y2, Y12, Y2 \
	VPSHUFB Y3, Y12, Y3 \
	VPSHUFB Y4, Y12, Y4 \
	VPSHUFB Y5, Y12, Y5 \
	VPSHUFB Y6, Y12, Y6 \
	VPSHUFB Y7, Y12, Y7

// ADD4 adds the products of four weights of each row with the activations at
// q(DI) to the words of Y12.
#define ADD4(q, w) \
	VPBROADCASTD q(DI), Y13    \
	VPMADDUBSW   Y13, w, Y13   \
	VPADDW       Y13, Y12, Y12

// DOT16 leaves the dot product of 16 weights of up to 31 in Y12.
#define WORDS16(q, w0, w1, w2, w3) \
	VPBROADCASTD q(DI), Y12    \
	VPMADDUBSW   Y12, w0, Y12  \
	ADD4(q+4, w1)              \
	ADD4(q+8, w2)              \
	ADD4(q+12, w3)

#define DOT16(q, w0, w1, w2, w3) \
	WORDS16(q, w0, w1, w2, w3)   \
	VPMADDWD ones<>(SB), Y12, Y12

// ADDD4 adds products of four weights to the dwords of Y12.
#define ADDD4(q, w) \
	VPBROADCASTD q(DI), Y13              \
	VPMADDUBSW   Y13, w, Y13             \
	VPMADDWD     ones<>(SB), Y13, Y13    \
	VPADDD       Y13, Y12, Y12

// SIGNED4 does it for signed weights, whose signs move to the activations. |-128|
// is 128 as an unsigned byte. It changes Y15.
#define SIGNED4(q, w) \
	VPBROADCASTD q(DI), Y13              \
	VPABSB       w, Y15                  \
	VPSIGNB      w, Y13, Y13             \
	VPMADDUBSW   Y13, Y15, Y13           \
	VPMADDWD     ones<>(SB), Y13, Y13    \
	VPADDD       Y13, Y12, Y12

// DOT32 is for 32 weights of up to 15 in Y0-Y7, DOT32x5 of up to 31, DOT32x8 for
// signed ones.
#define DOT32 \
	WORDS16(0, Y0, Y1, Y2, Y3)   \
	ADD4(16, Y4)                 \
	ADD4(20, Y5)                 \
	ADD4(24, Y6)                 \
	ADD4(28, Y7)                 \
	VPMADDWD ones<>(SB), Y12, Y12

#define DOT32x5 \
	DOT16(0, Y0, Y1, Y2, Y3)     \
	ADDD4(16, Y4)                \
	ADDD4(20, Y5)                \
	ADDD4(24, Y6)                \
	ADDD4(28, Y7)

#define DOT32x8(q) \
	VPXOR Y12, Y12, Y12          \
	SIGNED4(q, Y0)               \
	SIGNED4(q+4, Y1)             \
	SIGNED4(q+8, Y2)             \
	SIGNED4(q+12, Y3)            \
	SIGNED4(q+16, Y4)            \
	SIGNED4(q+20, Y5)            \
	SIGNED4(q+24, Y6)            \
	SIGNED4(q+28, Y7)

// Types of 32 weights per block. They leave the weights in Y0-Y7, the scales in
// Y14 and the minimums in Y15.

#define SUM \
	MOVWLSX      (DX)(R13*2), R15

#define SPREADSUM \
	VMOVD        R15, X13                  \
	VPBROADCASTD X13, Y13

#define SCALED32(acc) \
	VCVTDQ2PS    Y12, Y12                  \
	VBROADCASTSS (BX)(R13*4), Y13          \
	VMULPS       Y14, Y13, Y13             \
	VFMADD231PS  Y13, Y12, acc

#define OFFSET32(offset, DOT, acc) \
	DOT                                    \
	SUM                                    \
	IMUL3L       $offset, R15, R15         \
	SPREADSUM                              \
	VPSUBD       Y13, Y12, Y12             \
	SCALED32(acc)

#define OFFSET8(q, s, acc) OFFSET32(8, DOT32, acc)
#define OFFSET12(q, s, acc) OFFSET32(12, DOT32x5, acc)
#define OFFSET16(q, s, acc) OFFSET32(16, DOT32x5, acc)

#define SIGNED32(q, s, acc) \
	DOT32x8(0)      \
	SCALED32(acc)

// With minimums the sums are scaled already, and binary16 numbers.
#define MINIMUM32(DOT, acc) \
	DOT                                    \
	VPBROADCASTW (DX)(R13*2), X13          \
	VCVTPH2PS    X13, Y13                  \
	VFMADD231PS  Y13, Y15, acc             \
	SCALED32(acc)

#define MINIMUM4(q, s, acc) MINIMUM32(DOT32, acc)
#define MINIMUM5(q, s, acc) MINIMUM32(DOT32x5, acc)

// BLOCKS32 is the loop over blocks, UNPACK what precedes the products. Every cache
// line of the next group is prefetched once, in the order of memory.
#define BLOCKS32(UNPACK, BODY, bytes) \
block:                            \
	PREFETCHT1 (R14)                \
	PREFETCHT1 64(R14)              \
	PREFETCHT1 128(R14)             \
	UNPACK                          \
	VECTORS4(BODY, 0, 0, multiplied) \
	NEXT(bytes, 32, 4, 2)           \
	JNZ block                       \
	STORE

#define Q4_0 \
	NIBBLES32(2)   \
	DWORD0(0, Y14) \
	LOWS(Y14, Y14)

// func matvecQ4_0_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ4_0_avx2(SB), NOSPLIT, $0-72
	START(5, 5)
	BLOCKS32(Q4_0, OFFSET8, 18)

#define Q4_1 \
	NIBBLES32(4)    \
	DWORD0(0, Y14)  \
	HIGHS(Y14, Y15) \
	LOWS(Y14, Y14)

// func matvecQ4_1_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ4_1_avx2(SB), NOSPLIT, $0-72
	START(5, 5)
	BLOCKS32(Q4_1, MINIMUM4, 20)

// FIFTHS adds the fifth bits of 32 weights to Y0-Y7. Y14 holds them: bit i of a
// dword belongs to weight i. A byte of eight bits is spread over a dword, in
// which the weights then test theirs.
#define FIFTHS2(i, w0, w1) \
	VPSHUFB  spread<>+(32*i)(SB), Y14, Y12   \
	VPAND    bits<>+32(SB), Y12, Y13         \
	VPAND    bits<>+0(SB), Y12, Y12          \
	VPCMPEQB bits<>+32(SB), Y13, Y13         \
	VPCMPEQB bits<>+0(SB), Y12, Y12          \
	VPAND    sixteens<>(SB), Y13, Y13        \
	VPAND    sixteens<>(SB), Y12, Y12        \
	VPOR     Y13, w1, w1                     \
	VPOR     Y12, w0, w0

#define FIFTHS \
	FIFTHS2(0, Y0, Y1) \
	FIFTHS2(1, Y2, Y3) \
	FIFTHS2(2, Y4, Y5) \
	FIFTHS2(3, Y6, Y7)

#define Q5_0 \
	NIBBLES32(6)            \
	DWORDS01(0, Y15, Y14)   \
	VPSRLD $16, Y15, Y12    \
	VPSLLD $16, Y14, Y14    \
	VPOR   Y12, Y14, Y14    \
	FIFTHS                  \
	LOWS(Y15, Y14)

// func matvecQ5_0_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ5_0_avx2(SB), NOSPLIT, $0-72
	START(5, 5)
	BLOCKS32(Q5_0, OFFSET16, 22)

#define Q5_1 \
	NIBBLES32(8)            \
	DWORDS01(0, Y15, Y14)   \
	FIFTHS                  \
	LOWS(Y15, Y14)          \
	HIGHS(Y15, Y15)

// func matvecQ5_1_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ5_1_avx2(SB), NOSPLIT, $0-72
	START(5, 5)
	BLOCKS32(Q5_1, MINIMUM5, 24)

#define Q8_0 \
	PREFETCHT1 192(R14)              \
	PREFETCHT1 256(R14)              \
	DWORDS(2, Y0, Y1, Y2, Y3, X3)    \
	DWORDS(18, Y4, Y5, Y6, Y7, X7)   \
	DWORD0(0, Y14)                   \
	LOWS(Y14, Y14)

// func matvecQ8_0_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ8_0_avx2(SB), NOSPLIT, $0-72
	START(5, 5)
	BLOCKS32(Q8_0, SIGNED32, 34)

#define IQ4_NL \
	NIBBLES32(2)      \
	LEVELS(levelsIQ4) \
	DWORD0(0, Y14)    \
	LOWS(Y14, Y14)

// func matvecIQ4_NL_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecIQ4_NL_avx2(SB), NOSPLIT, $0-72
	START(5, 5)
	BLOCKS32(IQ4_NL, SIGNED32, 18)

// The exponent e stands for 2^(e-128), which is subnormal if e is 0 or 1.
#define MXFP4 \
	NIBBLES32(1)                              \
	LEVELS(levelsFP4)                         \
	DWORD0(0, Y14)                            \
	VPAND    bytes<>(SB), Y14, Y14            \
	VPXOR    Y13, Y13, Y13                    \
	VPCMPEQD Y13, Y14, Y13                    \
	VPSUBD   dwordOnes<>(SB), Y14, Y14        \
	VPSLLD   $23, Y14, Y14                    \
	VPMAXSD  subnormals<>(SB), Y14, Y14       \
	VPSRLD   $31, Y13, Y13                    \ // 1 if e is 0
	VPSRLVD  Y13, Y14, Y14

// func matvecMXFP4_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecMXFP4_avx2(SB), NOSPLIT, $0-72
	START(5, 5)
	BLOCKS32(MXFP4, OFFSET12, 17)

// Types of 256 weights per block, in groups of 16 or 32 with a scale each. Y15
// holds the scales of the blocks, Y14 those of a group. Dot products of groups
// are exact integers.

#define SCALED(acc) \
	VCVTDQ2PS    Y12, Y12                  \
	VBROADCASTSS (BX)(R13*1), Y13          \
	VMULPS       Y14, Y13, Y13             \
	VFMADD231PS  Y13, Y12, acc

#define LOW16(q, s, acc) \
	DOT16(q, Y0, Y1, Y2, Y3)     \
	SCALED(acc)

#define HIGH16(q, s, acc) \
	DOT16(q, Y4, Y5, Y6, Y7)     \
	SCALED(acc)

// OFFSET adds the sums at s, times a pair of words of which those that are not
// zero are less the offset, to Y12.
#define OFFSET(pair, s) \
	VPBROADCASTD s(DX)(R13*8), Y13         \
	VPMADDWD     pair<>(SB), Y13, Y13      \
	VPADDD       Y13, Y12, Y12

// MINIMUMS takes the minimums away: Y0-Y7 hold pairs of them and Y14 the scale.
#define MINIMUMS2(s, w) \
	VPBROADCASTD s(DX)(R13*8), Y13         \
	VPMADDWD     Y13, w, Y13               \
	VPADDD       Y13, Y12, Y12

#define MINIMUMS(q, s, acc) \
	VPBROADCASTD (DX)(R13*8), Y12          \
	VPMADDWD     Y12, Y0, Y12              \
	MINIMUMS2(4, Y1)                       \
	MINIMUMS2(8, Y2)                       \
	MINIMUMS2(12, Y3)                      \
	MINIMUMS2(16, Y4)                      \
	MINIMUMS2(20, Y5)                      \
	MINIMUMS2(24, Y6)                      \
	MINIMUMS2(28, Y7)                      \
	VCVTDQ2PS    Y12, Y12                  \
	VBROADCASTSS (BX)(R13*1), Y13          \
	VMULPS       Y14, Y13, Y13             \
	VFNMADD231PS Y13, Y12, acc

// UNSIGNED and SIGNED make Y14 the scales that lie in a byte of the dwords v.
#define UNSIGNED(v, byte) \
	VPSRLD      $(8*(byte)), v, Y14        \
	VPAND       bytes<>(SB), Y14, Y14      \
	VCVTDQ2PS   Y14, Y14                   \
	VMULPS      Y15, Y14, Y14

#define SIGNED(v, byte) \
	VPSLLD      $(24-8*(byte)), v, Y14     \
	VPSRAD      $24, Y14, Y14              \
	VCVTDQ2PS   Y14, Y14                   \
	VMULPS      Y15, Y14, Y14

// Q4_K and Q5_K begin with the scales, see scaleMin4: the unpacked ones of the
// groups end up in Y10 (0-3) and Y11 (4-7), minimum i, twice, in Yi.
#define SCALES4 \
	DWORDS(0, Y0, Y1, Y2, Y3, X3)              \
	LOWS(Y0, Y15)                              \
	HIGHS(Y0, Y14)                             \
	VPAND    lows6<>(SB), Y1, Y10              \
	VPAND    lows6<>(SB), Y2, Y0               \
	VPSRLD   $2, Y1, Y11                       \
	VPSRLD   $2, Y2, Y4                        \
	VPSRLD   $4, Y3, Y5                        \
	VPAND    thirties<>(SB), Y11, Y11          \
	VPAND    thirties<>(SB), Y4, Y4            \
	VPAND    nibbles<>(SB), Y3, Y3             \
	VPAND    nibbles<>(SB), Y5, Y5             \
	VPOR     Y3, Y11, Y11                      \
	VPOR     Y5, Y4, Y4                        \
	VPSHUFB  twice<>+96(SB), Y0, Y3            \
	VPSHUFB  twice<>+64(SB), Y0, Y2            \
	VPSHUFB  twice<>+32(SB), Y0, Y1            \
	VPSHUFB  twice<>+0(SB), Y0, Y0             \
	VPSHUFB  twice<>+96(SB), Y4, Y7            \
	VPSHUFB  twice<>+64(SB), Y4, Y6            \
	VPSHUFB  twice<>+32(SB), Y4, Y5            \
	VPSHUFB  twice<>+0(SB), Y4, Y4

// Q4_K_16 multiplies 16 weights of group 2*i and 16 of group 2*i+1: the first half
// of each, or the second.
#define Q4_K_16(i, second, scales, byte, low, high) \
	DWORDS(16+32*i+16*second, Y0, Y1, Y2, Y3, X3)  \
	HIGHER(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7)         \
	LOWER(Y0, Y1, Y2, Y3, Y0, Y1, Y2, Y3)          \
	UNSIGNED(scales, byte)                         \
	VECTORS2(LOW16, 64*i+16*second, 0, low)        \
	UNSIGNED(scales, byte+1)                       \
	VECTORS2(HIGH16, 64*i+32+16*second, 0, high)

// FETCH prefetches four cache lines of the next group.
#define FETCH(at) \
	PREFETCHT1 (at)(R14)      \
	PREFETCHT1 (at+64)(R14)   \
	PREFETCHT1 (at+128)(R14)  \
	PREFETCHT1 (at+192)(R14)

#define NEXT256(bytes) NEXT(bytes, 256, 4, 32)

// func matvecQ4_K_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ4_K_avx2(SB), NOSPLIT, $0-72
	START(8, 6)
block:
	FETCH(0)
	SCALES4
	VECTORS2(MINIMUMS, 0, 0, minimums)
	FETCH(256)
	Q4_K_16(0, 0, Y10, 0, v0, v2)
	Q4_K_16(0, 1, Y10, 0, v1, v3)
	FETCH(512)
	Q4_K_16(1, 0, Y10, 2, v4, v6)
	Q4_K_16(1, 1, Y10, 2, v5, v7)
	FETCH(768)
	Q4_K_16(2, 0, Y11, 0, v8, v10)
	Q4_K_16(2, 1, Y11, 0, v9, v11)
	FETCH(1024)
	Q4_K_16(3, 0, Y11, 2, v12, v14)
	Q4_K_16(3, 1, Y11, 2, v13, v15)
	NEXT256(144)
	JNZ block
	STORE

// MERGE5 makes dword w of 4-bit weights and h of fifth bits two dwords of weights,
// w and h. The fifth bits are bit lowBit and the next one of each byte; shifts move
// them to bit 4.
#define MERGE5(LOWSHIFT, low, HIGHSHIFT, high, w, h) \
	LOWSHIFT  $low, h, Y12             \
	HIGHSHIFT $high, h, Y13            \
	VPAND     sixteens<>(SB), Y12, Y12 \
	VPAND     sixteens<>(SB), Y13, Y13 \
	VPSRLD    $4, w, h                 \
	VPAND     nibbles<>(SB), w, w      \
	VPAND     nibbles<>(SB), h, h      \
	VPOR      Y12, w, w                \
	VPOR      Y13, h, h

#define Q5_K_16(i, second, LOWSHIFT, lows, HIGHSHIFT, highs, scales, byte, low, high) \
	DWORDS(48+32*i+16*second, Y0, Y1, Y2, Y3, X3)  \
	DWORDS(16+16*second, Y4, Y5, Y6, Y7, X7)       \
	MERGE5(LOWSHIFT, lows, HIGHSHIFT, highs, Y0, Y4) \
	MERGE5(LOWSHIFT, lows, HIGHSHIFT, highs, Y1, Y5) \
	MERGE5(LOWSHIFT, lows, HIGHSHIFT, highs, Y2, Y6) \
	MERGE5(LOWSHIFT, lows, HIGHSHIFT, highs, Y3, Y7) \
	UNSIGNED(scales, byte)                         \
	VECTORS2(LOW16, 64*i+16*second, 0, low)        \
	UNSIGNED(scales, byte+1)                       \
	VECTORS2(HIGH16, 64*i+32+16*second, 0, high)

// func matvecQ5_K_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ5_K_avx2(SB), NOSPLIT, $0-72
	START(8, 6)
block:
	FETCH(0)
	SCALES4
	VECTORS2(MINIMUMS, 0, 0, minimums)
	FETCH(256)
	Q5_K_16(0, 0, VPSLLD, 4, VPSLLD, 3, Y10, 0, v0, v2)
	Q5_K_16(0, 1, VPSLLD, 4, VPSLLD, 3, Y10, 0, v1, v3)
	FETCH(512)
	Q5_K_16(1, 0, VPSLLD, 2, VPSLLD, 1, Y10, 2, v4, v6)
	Q5_K_16(1, 1, VPSLLD, 2, VPSLLD, 1, Y10, 2, v5, v7)
	FETCH(768)
	Q5_K_16(2, 0, VPSRLD, 0, VPSRLD, 1, Y11, 0, v8, v10)
	Q5_K_16(2, 1, VPSRLD, 0, VPSRLD, 1, Y11, 0, v9, v11)
	FETCH(1024)
	Q5_K_16(3, 0, VPSRLD, 2, VPSRLD, 3, Y11, 2, v12, v14)
	FETCH(1280)
	Q5_K_16(3, 1, VPSRLD, 2, VPSRLD, 3, Y11, 2, v13, v15)
	NEXT256(176)
	JNZ block
	STORE

// MERGE6 makes w the low halves of its bytes and h the high ones, each below a bit
// pair of h: pair 0 or 1 (up is 4 or 2) and 2 or 3 (down is 0 or 2).
#define MERGE6(up, down, w, h) \
	VPSLLD    $up, h, Y12              \
	VPSRLD    $down, h, Y13            \
	VPAND     thirties<>(SB), Y12, Y12 \
	VPAND     thirties<>(SB), Y13, Y13 \
	VPSRLD    $4, w, h                 \
	VPAND     nibbles<>(SB), w, w      \
	VPAND     nibbles<>(SB), h, h      \
	VPOR      Y12, w, w                \
	VPOR      Y13, h, h

// Weights of up to 63 leave room for the sum of 4 products.
#define DOT16x6(q, w0, w1, w2, w3) \
	VPBROADCASTD q(DI), Y12                  \
	VPMADDUBSW   Y12, w0, Y12                \
	ADD4(q+4, w1)                            \
	VPMADDWD     ones<>(SB), Y12, Y12        \
	ADDD4(q+8, w2)                           \
	ADDD4(q+12, w3)

#define LOWEVEN6(q, s, acc) \
	DOT16x6(q, Y0, Y1, Y2, Y3)    \
	OFFSET(even32, s)             \
	SCALED(acc)

#define LOWODD6(q, s, acc) \
	DOT16x6(q, Y0, Y1, Y2, Y3)    \
	OFFSET(odd32, s)              \
	SCALED(acc)

#define HIGHEVEN6(q, s, acc) \
	DOT16x6(q, Y4, Y5, Y6, Y7)    \
	OFFSET(even32, s)             \
	SCALED(acc)

#define HIGHODD6(q, s, acc) \
	DOT16x6(q, Y4, Y5, Y6, Y7)    \
	OFFSET(odd32, s)              \
	SCALED(acc)

// Q6_K_16 multiplies 16 weights of run 0 and 16 of run 2 (right 0) or of runs 1
// and 3 (right 1) of a half block: the first 16 of them (odd 0) or the others.
#define Q6_K_16(half, right, odd, up, down, LOWBODY, HIGHBODY, low, high) \
	DWORDS(64*half+32*right+16*odd, Y0, Y1, Y2, Y3, X3)        \
	DWORDS(128+32*half+16*odd, Y4, Y5, Y6, Y7, X7)             \
	MERGE6(up, down, Y0, Y4)                                   \
	MERGE6(up, down, Y1, Y5)                                   \
	MERGE6(up, down, Y2, Y6)                                   \
	MERGE6(up, down, Y3, Y7)                                   \
	SIGNED(Y10, (2*right+odd))                                 \
	VECTORS2(LOWBODY, 128*half+32*right+16*odd, 16*half+4*right, low) \
	SIGNED(Y11, (2*right+odd))                                 \
	VECTORS2(HIGHBODY, 128*half+32*right+64+16*odd, 16*half+4*right+8, high)

// func matvecQ6_K_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ6_K_avx2(SB), NOSPLIT, $0-72
	START(8, 6)
block:
	FETCH(0)
	FETCH(256)
	DWORD3(194, Y15)
	HIGHS(Y15, Y15)
	DWORDS01(192, Y10, Y11)
	Q6_K_16(0, 0, 0, 4, 0, LOWEVEN6, HIGHEVEN6, v0, v4)
	Q6_K_16(0, 0, 1, 4, 0, LOWODD6, HIGHODD6, v1, v5)
	FETCH(512)
	Q6_K_16(0, 1, 0, 2, 2, LOWEVEN6, HIGHEVEN6, v2, v6)
	FETCH(768)
	Q6_K_16(0, 1, 1, 2, 2, LOWODD6, HIGHODD6, v3, v7)
	DWORDS(192, Y0, Y1, Y10, Y11, X11)
	FETCH(1024)
	Q6_K_16(1, 0, 0, 4, 0, LOWEVEN6, HIGHEVEN6, v8, v12)
	Q6_K_16(1, 0, 1, 4, 0, LOWODD6, HIGHODD6, v9, v13)
	FETCH(1280)
	Q6_K_16(1, 1, 0, 2, 2, LOWEVEN6, HIGHEVEN6, v10, v14)
	FETCH(1536)
	Q6_K_16(1, 1, 1, 2, 2, LOWODD6, HIGHODD6, v11, v15)
	NEXT256(210)
	JNZ block
	STORE

// MERGE3 makes two dwords of weights, w and h, of bit pairs i and i+1 (shifted down)
// of the bytes of w and of bits run and run+1 of h (shifted to bit 2).
#define MERGE3(down, SHIFT0, by0, SHIFT1, by1, w, h) \
	SHIFT0    $by0, h, Y12             \
	SHIFT1    $by1, h, Y13             \
	VPAND     fours<>(SB), Y12, Y12    \
	VPAND     fours<>(SB), Y13, Y13    \
	VPSRLD    $(down+2), w, h          \
	VPSRLD    $down, w, w              \
	VPAND     threes<>(SB), w, w       \
	VPAND     threes<>(SB), h, h       \
	VPOR      Y12, w, w                \
	VPOR      Y13, h, h

#define LOWEVEN3(q, s, acc) \
	DOT16(q, Y0, Y1, Y2, Y3)      \
	OFFSET(even4, s)              \
	SCALED(acc)

#define LOWODD3(q, s, acc) \
	DOT16(q, Y0, Y1, Y2, Y3)      \
	OFFSET(odd4, s)               \
	SCALED(acc)

#define HIGHEVEN3(q, s, acc) \
	DOT16(q, Y4, Y5, Y6, Y7)      \
	OFFSET(even4, s)              \
	SCALED(acc)

#define HIGHODD3(q, s, acc) \
	DOT16(q, Y4, Y5, Y6, Y7)      \
	OFFSET(odd4, s)               \
	SCALED(acc)

// Q3_K_16 multiplies 16 weights of run and 16 of run+1, run being even.
#define Q3_K_16(run, odd, SHIFT0, by0, SHIFT1, by1, scales, LOWBODY, HIGHBODY, low, high) \
	DWORDS(32+run/4*32+16*odd, Y0, Y1, Y2, Y3, X3)             \
	DWORDS(16*odd, Y4, Y5, Y6, Y7, X7)                         \
	MERGE3((run%4*2), SHIFT0, by0, SHIFT1, by1, Y0, Y4)        \
	MERGE3((run%4*2), SHIFT0, by0, SHIFT1, by1, Y1, Y5)        \
	MERGE3((run%4*2), SHIFT0, by0, SHIFT1, by1, Y2, Y6)        \
	MERGE3((run%4*2), SHIFT0, by0, SHIFT1, by1, Y3, Y7)        \
	SIGNED(scales, odd)                                        \
	VECTORS2(LOWBODY, 32*run+16*odd, 4*run, low)               \
	SIGNED(scales, (2+odd))                                    \
	VECTORS2(HIGHBODY, 32*run+32+16*odd, 4*run+4, high)

// SCALES3 makes Y10 and Y11 scales 0-3 and 4-7 (low is 0) or 8-11 and 12-15 (low is
// 4) of Q3_K, and Y15 the scale of the block. The scales lie from the third byte at
// 94 on, the scale of the block follows: Y0-Y2 are scale bytes 0-3, 4-7 and 8-11.
#define SCALES3(low, UP0, by0, UP1, by1) \
	DWORDS(94, Y0, Y1, Y2, Y3, X3)           \
	HIGHS(Y3, Y15)                           \
	VPSRLD $16, Y0, Y0                       \
	VPSLLD $16, Y1, Y12                      \
	VPOR   Y12, Y0, Y0                       \
	VPSRLD $16, Y1, Y1                       \
	VPSLLD $16, Y2, Y12                      \
	VPOR   Y12, Y1, Y1                       \
	VPSRLD $16, Y2, Y2                       \
	VPSLLD $16, Y3, Y12                      \
	VPOR   Y12, Y2, Y2                       \
	VPSRLD $low, Y0, Y0                      \
	VPSRLD $low, Y1, Y1                      \
	UP0    $by0, Y2, Y10                     \
	UP1    $by1, Y2, Y11                     \
	VPAND  nibbles<>(SB), Y0, Y0             \
	VPAND  nibbles<>(SB), Y1, Y1             \
	VPAND  thirties<>(SB), Y10, Y10          \
	VPAND  thirties<>(SB), Y11, Y11          \
	VPOR   Y0, Y10, Y10                      \
	VPOR   Y1, Y11, Y11                      \
	VPSUBB thirtytwos<>(SB), Y10, Y10        \
	VPSUBB thirtytwos<>(SB), Y11, Y11

// func matvecQ3_K_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ3_K_avx2(SB), NOSPLIT, $0-72
	START(8, 6)
block:
	FETCH(0)
	SCALES3(0, VPSLLD, 4, VPSLLD, 2)
	Q3_K_16(0, 0, VPSLLD, 2, VPSLLD, 1, Y10, LOWEVEN3, HIGHEVEN3, v0, v2)
	Q3_K_16(0, 1, VPSLLD, 2, VPSLLD, 1, Y10, LOWODD3, HIGHODD3, v1, v3)
	FETCH(256)
	Q3_K_16(2, 0, VPSRLD, 0, VPSRLD, 1, Y11, LOWEVEN3, HIGHEVEN3, v4, v6)
	Q3_K_16(2, 1, VPSRLD, 0, VPSRLD, 1, Y11, LOWODD3, HIGHODD3, v5, v7)
	FETCH(512)
	SCALES3(4, VPSRLD, 0, VPSRLD, 2)
	Q3_K_16(4, 0, VPSRLD, 2, VPSRLD, 3, Y10, LOWEVEN3, HIGHEVEN3, v8, v10)
	Q3_K_16(4, 1, VPSRLD, 2, VPSRLD, 3, Y10, LOWODD3, HIGHODD3, v9, v11)
	FETCH(768)
	Q3_K_16(6, 0, VPSRLD, 4, VPSRLD, 5, Y11, LOWEVEN3, HIGHEVEN3, v12, v14)
	Q3_K_16(6, 1, VPSRLD, 4, VPSRLD, 5, Y11, LOWODD3, HIGHODD3, v13, v15)
	NEXT256(110)
	JNZ block
	STORE

// THREES moves a bit pair at the bottom of each byte of Y0-Y3 to Y4-Y7, and the
// next one to the bottom.
#define THREES \
	VPAND  threes<>(SB), Y0, Y4   \
	VPAND  threes<>(SB), Y1, Y5   \
	VPAND  threes<>(SB), Y2, Y6   \
	VPAND  threes<>(SB), Y3, Y7   \
	VPSRLD $2, Y0, Y0             \
	VPSRLD $2, Y1, Y1             \
	VPSRLD $2, Y2, Y2             \
	VPSRLD $2, Y3, Y3

#define Q2_K_RUN(run, odd, scales, done) \
	THREES                                          \
	UNSIGNED(scales, (run%2*2+odd))                 \
	VECTORS2(HIGH16, 32*run+16*odd, 0, done)

// PAIRS makes pairs of the minimums in the high halves of the bytes of v.
#define PAIRS(v, p0, p1) \
	VPSRLD  $4, v, p1               \
	VPAND   nibbles<>(SB), p1, p1   \
	VPSHUFB widen<>+0(SB), p1, p0   \
	VPSHUFB widen<>+32(SB), p1, p1

// func matvecQ2_K_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ2_K_avx2(SB), NOSPLIT, $0-72
	START(8, 6)
block:
	FETCH(0)
	DWORDS(0, Y10, Y11, Y4, Y6, X6)
	PAIRS(Y10, Y0, Y1)
	PAIRS(Y11, Y2, Y3)
	PAIRS(Y4, Y4, Y5)
	PAIRS(Y6, Y6, Y7)
	DWORD3(68, Y15)
	HIGHS(Y15, Y14)
	LOWS(Y15, Y15)
	VECTORS2(MINIMUMS, 0, 0, minimums)
	VPAND nibbles<>(SB), Y10, Y10
	VPAND nibbles<>(SB), Y11, Y11
	DWORDS(16, Y0, Y1, Y2, Y3, X3)
	Q2_K_RUN(0, 0, Y10, v0)
	Q2_K_RUN(1, 0, Y10, v2)
	Q2_K_RUN(2, 0, Y11, v4)
	Q2_K_RUN(3, 0, Y11, v6)
	FETCH(256)
	DWORDS(32, Y0, Y1, Y2, Y3, X3)
	Q2_K_RUN(0, 1, Y10, v1)
	Q2_K_RUN(1, 1, Y10, v3)
	Q2_K_RUN(2, 1, Y11, v5)
	Q2_K_RUN(3, 1, Y11, v7)
	FETCH(512)
	DWORDS(0, Y0, Y1, Y10, Y11, X11)
	VPAND nibbles<>(SB), Y10, Y10
	VPAND nibbles<>(SB), Y11, Y11
	DWORDS(48, Y0, Y1, Y2, Y3, X3)
	Q2_K_RUN(4, 0, Y10, v8)
	Q2_K_RUN(5, 0, Y10, v10)
	Q2_K_RUN(6, 0, Y11, v12)
	Q2_K_RUN(7, 0, Y11, v14)
	DWORDS(64, Y0, Y1, Y2, Y3, X3)
	Q2_K_RUN(4, 1, Y10, v9)
	Q2_K_RUN(5, 1, Y10, v11)
	Q2_K_RUN(6, 1, Y11, v13)
	Q2_K_RUN(7, 1, Y11, v15)
	NEXT256(84)
	JNZ block
	STORE

// IQ4_XS: Y15 is scratch of the signed products, so that the scales are made anew
// for each group: the upper bits lie in the second word, the lower ones in the
// second dword of the block.
#define IQ4_XS_GROUP(g, LEFT, by, done) \
	NIBBLES32(8+16*g)                      \
	LEVELS(levelsIQ4)                      \
	DWORDS01(0, Y15, Y14)                  \
	VPSRLD    $16, Y15, Y13                \
	LOWS(Y15, Y15)                         \
	VPSRLD    $(4*g), Y14, Y14             \
	LEFT      $by, Y13, Y13                \
	VPAND     fifteen<>(SB), Y14, Y14      \
	VPAND     fortyeight<>(SB), Y13, Y13   \
	VPOR      Y13, Y14, Y14                \
	VPSUBD    thirtytwo<>(SB), Y14, Y14    \
	VCVTDQ2PS Y14, Y14                     \
	VMULPS    Y15, Y14, Y14                \
	VECTORS2(LEVELS32, 32*g, 0, done)

#define LEVELS32(q, s, acc) \
	DOT32x8(q)      \
	SCALED(acc)

// func matvecIQ4_XS_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecIQ4_XS_avx2(SB), NOSPLIT, $0-72
	START(8, 6)
block:
	FETCH(0)
	IQ4_XS_GROUP(0, VPSLLD, 4, v0)
	IQ4_XS_GROUP(1, VPSLLD, 2, v1)
	FETCH(256)
	IQ4_XS_GROUP(2, VPSLLD, 0, v2)
	IQ4_XS_GROUP(3, VPSRLD, 2, v3)
	FETCH(512)
	IQ4_XS_GROUP(4, VPSRLD, 4, v4)
	IQ4_XS_GROUP(5, VPSRLD, 6, v5)
	FETCH(768)
	IQ4_XS_GROUP(6, VPSRLD, 8, v6)
	IQ4_XS_GROUP(7, VPSRLD, 10, v7)
	FETCH(1024)
	NEXT256(136)
	JNZ block
	STORE

// TQ2_0: groups of 16 with the same scale.
#define EVEN1(q, s, acc) \
	DOT16(q, Y4, Y5, Y6, Y7)      \
	OFFSET(even1, s)              \
	SCALED(acc)

#define ODD1(q, s, acc) \
	DOT16(q, Y4, Y5, Y6, Y7)      \
	OFFSET(odd1, s)               \
	SCALED(acc)

#define TQ2_0_RUN(run, odd, BODY, done) \
	THREES                                          \
	VECTORS2(BODY, 32*run+16*odd, 4*run, done)

// TQ2_0_RUNS multiplies four runs; DWORDS changes the scales.
#define TQ2_0_RUNS(half, odd, BODY, v0, v1, v2, v3) \
	DWORDS(32*half+16*odd, Y0, Y1, Y2, Y3, X3)      \
	VMOVAPS Y15, Y14                                \
	TQ2_0_RUN((4*half), odd, BODY, v0)              \
	TQ2_0_RUN((4*half+1), odd, BODY, v1)            \
	TQ2_0_RUN((4*half+2), odd, BODY, v2)            \
	TQ2_0_RUN((4*half+3), odd, BODY, v3)

// func matvecTQ2_0_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecTQ2_0_avx2(SB), NOSPLIT, $0-72
	START(8, 6)
block:
	FETCH(0)
	FETCH(256)
	PREFETCHT1 512(R14)
	DWORD3(50, Y15)
	HIGHS(Y15, Y15)
	TQ2_0_RUNS(0, 0, EVEN1, v0, v1, v2, v3)
	TQ2_0_RUNS(0, 1, ODD1, v4, v5, v6, v7)
	TQ2_0_RUNS(1, 0, EVEN1, v8, v9, v10, v11)
	TQ2_0_RUNS(1, 1, ODD1, v12, v13, v14, v15)
	NEXT256(66)
	JNZ block
	STORE

// Constants: 32 bytes each unless they are broadcast.

#define REPEAT(name, value) \
	DATA name<>+0(SB)/8, $value     \
	DATA name<>+8(SB)/8, $value     \
	DATA name<>+16(SB)/8, $value    \
	DATA name<>+24(SB)/8, $value    \
	GLOBL name<>(SB), RODATA|NOPTR, $32

REPEAT(nibbles, 0x0f0f0f0f0f0f0f0f)
REPEAT(sixteens, 0x1010101010101010)
REPEAT(thirties, 0x3030303030303030)
REPEAT(thirtytwos, 0x2020202020202020)
REPEAT(lows6, 0x3f3f3f3f3f3f3f3f)
REPEAT(threes, 0x0303030303030303)
REPEAT(fours, 0x0404040404040404)
REPEAT(ones, 0x0001000100010001)
REPEAT(dwordOnes, 0x0000000100000001)
REPEAT(words, 0x0000ffff0000ffff)
REPEAT(bytes, 0x000000ff000000ff)
REPEAT(fifteen, 0x0000000f0000000f)
REPEAT(fortyeight, 0x0000003000000030)
REPEAT(thirtytwo, 0x0000002000000020)
REPEAT(subnormals, 0x0040000000400000)

// Pairs of words, less the offset for the first or the second group.
REPEAT(even32, 0x0000ffe00000ffe0)
REPEAT(odd32, 0xffe00000ffe00000)
REPEAT(even4, 0x0000fffc0000fffc)
REPEAT(odd4, 0xfffc0000fffc0000)
REPEAT(even1, 0x0000ffff0000ffff)
REPEAT(odd1, 0xffff0000ffff0000)

#define QUADS(name, i, value) \
	DATA name<>+(32*i+0)(SB)/8, $value   \
	DATA name<>+(32*i+8)(SB)/8, $value   \
	DATA name<>+(32*i+16)(SB)/8, $value  \
	DATA name<>+(32*i+24)(SB)/8, $value

QUADS(bits, 0, 0x0804020108040201)
QUADS(bits, 1, 0x8040201080402010)
GLOBL bits<>(SB), RODATA|NOPTR, $64

#define HALVES(name, i, low, high) \
	DATA name<>+(32*i+0)(SB)/8, $low    \
	DATA name<>+(32*i+8)(SB)/8, $high   \
	DATA name<>+(32*i+16)(SB)/8, $low   \
	DATA name<>+(32*i+24)(SB)/8, $high

// Row i of spread fills each dword of a register with the dword's byte i.
HALVES(spread, 0, 0x0404040400000000, 0x0c0c0c0c08080808)
HALVES(spread, 1, 0x0505050501010101, 0x0d0d0d0d09090909)
HALVES(spread, 2, 0x0606060602020202, 0x0e0e0e0e0a0a0a0a)
HALVES(spread, 3, 0x0707070703030303, 0x0f0f0f0f0b0b0b0b)
GLOBL spread<>(SB), RODATA|NOPTR, $128

// Row i of twice widens the dword's byte i to both words of the dword.
HALVES(twice, 0, 0x8004800480008000, 0x800c800c80088008)
HALVES(twice, 1, 0x8005800580018001, 0x800d800d80098009)
HALVES(twice, 2, 0x8006800680028002, 0x800e800e800a800a)
HALVES(twice, 3, 0x8007800780038003, 0x800f800f800b800b)
GLOBL twice<>(SB), RODATA|NOPTR, $128

// Row i of widen widens the dword's bytes 2*i and 2*i+1 to its words.
HALVES(widen, 0, 0x8005800480018000, 0x800d800c80098008)
HALVES(widen, 1, 0x8007800680038002, 0x800f800e800b800a)
GLOBL widen<>(SB), RODATA|NOPTR, $64

// The levels of IQ4_NL and IQ4_XS.
DATA levelsIQ4<>+0(SB)/8, $0xf6eaddcfbfad9881
DATA levelsIQ4<>+8(SB)/8, $0x7159453526190d01
GLOBL levelsIQ4<>(SB), RODATA|NOPTR, $16

// The levels of MXFP4, plus 12.
DATA levelsFP4<>+0(SB)/8, $0x181412100f0e0d0c
DATA levelsFP4<>+8(SB)/8, $0x00040608090a0b0c
GLOBL levelsFP4<>(SB), RODATA|NOPTR, $16
