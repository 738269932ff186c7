#include "textflag.h"

// Products of quantized weights of 32 per block with up to 4 vectors of
// activations, for AVX2. This is matvec_avx512_amd64.s with 8 rows to a group and
// half the registers; see there for the arguments and for what it is about.
// VPMADDUBSW adds pairs of products in 16 bits: weights of up to 15 leave room for
// the sum of 16 products with activations within ±127, weights of up to 31 for 8.
//
// Registers:
//	SI, R8      rows 0, 4 at the block         R11, R12 1 and 3 * rowBytes
//	AX, BX, DX  q, d, s of vector 0 at the block  CX blocks left
//	DI, R13     q of the vector, its d and s as an index  R15 scratch
//	R14         what to prefetch
//	Y0-Y7       weights   Y8-Y11 accumulators
//	Y12-Y14     scratch; Y14 holds the scales while vectors are multiplied

#define START \
	MOVQ   w+16(FP), SI                  \
	MOVQ   rowBytes+24(FP), R11          \
	LEAQ   (R11)(R11*2), R12             \
	LEAQ   (SI)(R11*4), R8               \
	LEAQ   (SI)(R11*8), R14              \
	LEAQ   8192(SI), CX                  \
	CMPQ   R14, CX                       \
	CMOVQCS CX, R14                      \
	MOVQ   q+32(FP), AX                  \
	MOVQ   d+40(FP), BX                  \
	MOVQ   s+48(FP), DX                  \
	MOVQ   n+64(FP), CX                  \
	SHRQ   $5, CX                        \
	MOVQ   CX, rowBytes+24(FP)           \
	VXORPS Y8, Y8, Y8                    \
	VXORPS Y9, Y9, Y9                    \
	VXORPS Y10, Y10, Y10                 \
	VXORPS Y11, Y11, Y11

#define NEXT(bytes) \
	ADDQ $bytes, SI       \
	ADDQ $bytes, R8       \
	ADDQ $(8*bytes), R14  \
	ADDQ $32, AX          \
	ADDQ $4, BX           \
	ADDQ $2, DX           \
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

// DWORDS01 and DWORD0 load only some of the four.
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

#define DWORDS01(off, w0, w1) \
	PAIRED(off, VPUNPCKLDQ)       \
	VPUNPCKHQDQ Y13, Y12, w1      \
	VPUNPCKLQDQ Y13, Y12, w0

#define DWORD0(off, w0) \
	PAIRED(off, VPUNPCKLDQ)       \
	VPUNPCKLQDQ Y13, Y12, w0

// BLEND4 loads the dwords at a, b, c and d. There are fewer ports for shuffles than
// for blends. It changes scratch.
#define BLEND4(a, b, c, d, x, scratch) \
	VPBROADCASTD a, x               \
	VPBROADCASTD b, scratch         \
	VPBLENDD     $2, scratch, x, x  \
	VPBROADCASTD c, scratch         \
	VPBLENDD     $4, scratch, x, x  \
	VPBROADCASTD d, scratch         \
	VPBLENDD     $8, scratch, x, x

// HALF0 loads the binary16 number at the beginning of the block of each row. It
// changes X12 and X13.
#define HALF0(x, f) \
	BLEND4((SI), (SI)(R11*2), (R8), (R8)(R11*2), x, X12)                 \
	BLEND4((SI)(R11*1), (SI)(R12*1), (R8)(R11*1), (R8)(R12*1), X13, X12) \
	VPSLLD    $16, X13, X13                                              \
	VPBLENDW  $0xaa, X13, x, x                                           \
	VCVTPH2PS x, f

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
#define HIGHER(nibbles, a0, a1, a2, a3, b0, b1, b2, b3) \
	VPSRLD $4, a0, b0              \
	VPSRLD $4, a1, b1              \
	VPSRLD $4, a2, b2              \
	VPSRLD $4, a3, b3              \
	VPAND  nibbles, b0, b0   \
	VPAND  nibbles, b1, b1   \
	VPAND  nibbles, b2, b2   \
	VPAND  nibbles, b3, b3

#define LOWER(nibbles, a0, a1, a2, a3, b0, b1, b2, b3) \
	VPAND  nibbles, a0, b0   \
	VPAND  nibbles, a1, b1   \
	VPAND  nibbles, a2, b2   \
	VPAND  nibbles, a3, b3

// NIBBLES32 unpacks 16 bytes of 4-bit weights at off into Y0-Y7.
#define NIBBLES32(off) NIBBLES32WITH(nibbles<>(SB), off)

// NIBBLES32WITH is for types that have a register for the mask: loads limit them.
#define NIBBLES32WITH(nibbles, off) \
	DWORDS(off, Y0, Y1, Y2, Y3, X3)                     \
	HIGHER(nibbles, Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7)     \
	LOWER(nibbles, Y0, Y1, Y2, Y3, Y0, Y1, Y2, Y3)

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
// line of the next group, or 8 KiB ahead, is prefetched once, in the order of memory.
#define BLOCKS32(UNPACK, BODY, bytes) \
block:                            \
	PREFETCHT1 (R14)                \
	PREFETCHT1 64(R14)              \
	PREFETCHT1 128(R14)             \
	UNPACK                          \
	VECTORS4(BODY, 0, 0, multiplied) \
	NEXT(bytes)                     \
	JNZ block                       \
	STORE

#define Q4_0 \
	NIBBLES32WITH(Y15, 2) \
	HALF0(X14, Y14)

// func matvecQ4_0_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ4_0_avx2(SB), NOSPLIT, $0-72
	START
	VMOVDQU nibbles<>(SB), Y15
	BLOCKS32(Q4_0, OFFSET8, 18)

#define Q4_1 \
	NIBBLES32(4)    \
	DWORD0(0, Y14)  \
	HIGHS(Y14, Y15) \
	LOWS(Y14, Y14)

// func matvecQ4_1_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ4_1_avx2(SB), NOSPLIT, $0-72
	START
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
	START
	BLOCKS32(Q5_0, OFFSET16, 22)

#define Q5_1 \
	NIBBLES32(8)            \
	DWORDS01(0, Y15, Y14)   \
	FIFTHS                  \
	LOWS(Y15, Y14)          \
	HIGHS(Y15, Y15)

// func matvecQ5_1_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ5_1_avx2(SB), NOSPLIT, $0-72
	START
	BLOCKS32(Q5_1, MINIMUM5, 24)

#define Q8_0 \
	PREFETCHT1 192(R14)              \
	PREFETCHT1 256(R14)              \
	DWORDS(2, Y0, Y1, Y2, Y3, X3)    \
	DWORDS(18, Y4, Y5, Y6, Y7, X7)   \
	HALF0(X14, Y14)

// func matvecQ8_0_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ8_0_avx2(SB), NOSPLIT, $0-72
	START
	BLOCKS32(Q8_0, SIGNED32, 34)

#define IQ4_NL \
	NIBBLES32(2)      \
	LEVELS(levelsIQ4) \
	HALF0(X14, Y14)

// func matvecIQ4_NL_avx2(y *float32, stride int, w *byte, rowBytes int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecIQ4_NL_avx2(SB), NOSPLIT, $0-72
	START
	BLOCKS32(IQ4_NL, SIGNED32, 18)

// The exponent e stands for 2^(e-128), which is subnormal if e is 0 or 1.
#define MXFP4 \
	NIBBLES32WITH(Y15, 1)                     \
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
	START
	VMOVDQU nibbles<>(SB), Y15
	BLOCKS32(MXFP4, OFFSET12, 17)

// Constants: 32 bytes each unless they are broadcast.

#define REPEAT(name, value) \
	DATA name<>+0(SB)/8, $value     \
	DATA name<>+8(SB)/8, $value     \
	DATA name<>+16(SB)/8, $value    \
	DATA name<>+24(SB)/8, $value    \
	GLOBL name<>(SB), RODATA|NOPTR, $32

REPEAT(nibbles, 0x0f0f0f0f0f0f0f0f)
REPEAT(sixteens, 0x1010101010101010)
REPEAT(ones, 0x0001000100010001)
REPEAT(dwordOnes, 0x0000000100000001)
REPEAT(words, 0x0000ffff0000ffff)
REPEAT(bytes, 0x000000ff000000ff)
REPEAT(subnormals, 0x0040000000400000)

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

// The levels of IQ4_NL.
DATA levelsIQ4<>+0(SB)/8, $0xf6eaddcfbfad9881
DATA levelsIQ4<>+8(SB)/8, $0x7159453526190d01
GLOBL levelsIQ4<>(SB), RODATA|NOPTR, $16

// The levels of MXFP4, plus 12.
DATA levelsFP4<>+0(SB)/8, $0x181412100f0e0d0c
DATA levelsFP4<>+8(SB)/8, $0x00040608090a0b0c
GLOBL levelsFP4<>(SB), RODATA|NOPTR, $16
