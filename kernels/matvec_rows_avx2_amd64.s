#include "textflag.h"

// Products of quantized weights of 256 per block with up to 4 vectors of
// activations, for AVX2, a row at a time: the weights are read from first to last,
// in one stream, which is what memory is fastest at.
//
// 64 weights are unpacked at a time, to unsigned bytes in the order of the
// activations. VPMADDUBSW adds pairs of products in words, VPMADDWD multiplies
// them by the scales of their groups and adds pairs again, so that the sum of a
// block is an exact integer, in eight parts. The parts are added as integers as
// well: an offset is taken away from their sum only, and rounded they would not
// cancel. What is left is a float operation or two for each block, in the same
// order however many vectors there are. One vector is so little work that lines are
// prefetched 4 KiB ahead, farther than the processor does by itself.
//
// Arguments: y of the first row and of the first vector, stride from one
// vector's results to the next's (in floats); w, rows; q, d, s of the first
// vector; m vectors (1-4) of n values.
//
// Registers:
//	SI          the block                         R8  rows left
//	AX, BX, DX  q, d, s of vector 0 at the block  CX  values left
//	R9, R10     1 and 3 times from one vector's q to the next's
//	R11, R12    from one vector's d and s to the next's
//	DI, R13     d and s of the vector             R14, R15 scratch
//	Y0, Y1      weights                           Y2, Y3 their scales, as words
//	Y4, Y5      scales of the block
//	Y6, Y7      scratch of a vector
//	Y8-Y11      integers of vectors 0-3           X12-X15 their results
//	Y13, Y14    the constants of the type if there is one vector

#define BEGIN \
	MOVQ w+16(FP), SI    \
	MOVQ rows+24(FP), R8 \
	MOVQ n+64(FP), R9    \
	LEAQ (R9)(R9*2), R10 \
	MOVQ R9, R11         \
	MOVQ R9, R12         \
	SHRQ $6, R11         \
	SHRQ $3, R12

#define ROW \
	MOVQ   q+32(FP), AX \
	MOVQ   d+40(FP), BX \
	MOVQ   s+48(FP), DX \
	MOVQ   n+64(FP), CX

#define NEXT(bytes) \
	ADDQ $bytes, SI \
	ADDQ $256, AX   \
	ADDQ $4, BX     \
	ADDQ $32, DX    \
	SUBQ $256, CX

// LOOPS is the whole of a product. BLOCK(DOT, FINISH, c0, c1) multiplies a block:
// DOT(PRODUCT, a, b, done) does PRODUCT for 64 weights and the activations from a and
// from b on, of each vector, FINISH(BODY, done) does BODY(Y, X, result) for each
// vector; c0 and c1 are where the constants are: in registers if there is one vector,
// as loads are what limits it.
#define LOOPS(BLOCK, bytes, c0, c1) \
	BEGIN                                                        \
	CMPQ   m+56(FP), $1                                          \
	JNE    several                                               \
	VMOVDQU c0<>(SB), Y13                                        \
	VMOVDQU c1<>(SB), Y14                                        \
one:                                                          \
	ROW                                                          \
	VXORPS X12, X12, X12                                         \
oneBlock:                                                     \
	PREFETCHT0 4096(SI)                                          \
	PREFETCHT0 4160(SI)                                          \
	PREFETCHT0 4224(SI)                                          \
	VPXOR  Y8, Y8, Y8                                            \
	BLOCK(DOT1, FINISH1, Y13, Y14, a0, a1, a2, a3, a4)           \
	NEXT(bytes)                                                  \
	JNZ    oneBlock                                              \
	MOVQ   y+0(FP), DI                                           \
	VMOVSS X12, (DI)                                             \
	ADDQ   $4, y+0(FP)                                           \
	DECQ   R8                                                    \
	JNZ    one                                                   \
	VZEROUPPER                                                   \
	RET                                                          \
several:                                                      \
	ROW                                                          \
	VXORPS X12, X12, X12                                         \
	VXORPS X13, X13, X13                                         \
	VXORPS X14, X14, X14                                         \
	VXORPS X15, X15, X15                                         \
block:                                                        \
	VPXOR  Y8, Y8, Y8                                            \
	VPXOR  Y9, Y9, Y9                                            \
	VPXOR  Y10, Y10, Y10                                         \
	VPXOR  Y11, Y11, Y11                                         \
	BLOCK(DOTS, FINISHS, c0<>(SB), c1<>(SB), b0, b1, b2, b3, b4) \
	NEXT(bytes)                                                  \
	JNZ    block                                                 \
	MOVQ   y+0(FP), DI                                           \
	MOVQ   stride+8(FP), R13                                     \
	VMOVSS X12, (DI)                                             \
	VMOVSS X13, (DI)(R13*4)                                      \
	CMPQ   m+56(FP), $2                                          \
	JEQ    stored                                                \
	LEAQ   (DI)(R13*8), DI                                       \
	VMOVSS X14, (DI)                                             \
	CMPQ   m+56(FP), $3                                          \
	JEQ    stored                                                \
	VMOVSS X15, (DI)(R13*4)                                      \
stored:                                                       \
	ADDQ   $4, y+0(FP)                                           \
	DECQ   R8                                                    \
	JNZ    several                                               \
	VZEROUPPER                                                   \
	RET

// SCALED multiplies 64 weights that have scales with the activations at a and b of a
// vector.
#define SCALED(a, b, vector, sum) \
	VPMADDUBSW a vector, Y0, Y6 \
	VPMADDUBSW b vector, Y1, Y7 \
	VPMADDWD   Y2, Y6, Y6       \
	VPMADDWD   Y3, Y7, Y7       \
	VPADDD     Y6, sum, sum     \
	VPADDD     Y7, sum, sum

#define DOT1(PRODUCT, a, b, done) PRODUCT(a, b, (AX), Y8)

#define DOTS(PRODUCT, a, b, done) \
	PRODUCT(a, b, (AX), Y8)         \
	PRODUCT(a, b, (AX)(R9*1), Y9)   \
	CMPQ m+56(FP), $2               \
	JEQ  done                       \
	PRODUCT(a, b, (AX)(R9*2), Y10)  \
	CMPQ m+56(FP), $3               \
	JEQ  done                       \
	PRODUCT(a, b, (AX)(R10*1), Y11) \
done:

#define FINISH1(BODY, done) \
	MOVQ BX, DI  \
	MOVQ DX, R13 \
	BODY(Y8, X8, X12)

#define VECTOR \
	ADDQ R11, DI \
	ADDQ R12, R13

#define FINISHS(BODY, done) \
	MOVQ BX, DI         \
	MOVQ DX, R13        \
	BODY(Y8, X8, X12)   \
	VECTOR              \
	BODY(Y9, X9, X13)   \
	CMPQ m+56(FP), $2   \
	JEQ  done           \
	VECTOR              \
	BODY(Y10, X10, X14) \
	CMPQ m+56(FP), $3   \
	JEQ  done           \
	VECTOR              \
	BODY(Y11, X11, X15) \
done:

// MINIMUM is for types with minimums: Y5 holds them, as words like the sums, X2
// the scale and the scale of the minimums.
#define MINIMUM(Y, X, result) \
	VPMADDWD     (R13), Y5, Y6     \
	VPUNPCKHDQ   Y6, Y, Y7         \
	VPUNPCKLDQ   Y6, Y, Y6         \
	VPADDD       Y7, Y6, Y6        \
	VEXTRACTI128 $1, Y6, X7        \
	VPADDD       X7, X6, X6        \
	VPSHUFD      $14, X6, X7       \
	VPADDD       X7, X6, X6        \
	VCVTDQ2PS    X6, X6            \ // the sum, the minimums
	VBROADCASTSS (DI), X7          \
	VMULPS       X2, X7, X7        \
	VMOVSHDUP    X6, X0            \
	VMOVSHDUP    X7, X1            \
	VFNMADD231SS X1, X0, result    \
	VFMADD231SS  X7, X6, result

// PLAIN makes the result of the parts, whose scale is X2.
#define PLAIN(Y, X, result) \
	VEXTRACTI128 $1, Y, X7    \
	VPADDD       X7, X, X6    \
	VPSHUFD      $14, X6, X7  \
	VPADDD       X7, X6, X6   \
	VPSHUFD      $1, X6, X7   \
	VPADDD       X7, X6, X6   \
	VCVTDQ2PS    X6, X6       \
	VMULSS       (DI), X2, X7 \
	VFMADD231SS  X7, X6, result

// OFFSET is for weights that are too large by 1<<shift. Y5 holds the scales of
// the 16 groups.
#define OFFSET(shift, Y, X, result) \
	VPMADDWD     (R13), Y5, Y6  \
	VPSLLD       $shift, Y6, Y6 \
	VPSUBD       Y6, Y, Y       \
	PLAIN(Y, X, result)

#define OFFSET4(Y, X, result) OFFSET(2, Y, X, result)
#define OFFSET32(Y, X, result) OFFSET(5, Y, X, result)

// HALF is the scale of the block, a binary16 number at off.
#define HALF(off) \
	MOVWLZX   off(SI), R14 \
	VMOVD     R14, X2      \
	VCVTPH2PS X2, X2

// SCALE makes Y2 and Y3 the pairs of words a and b of each half of v.
#define SCALE(a, b, v) \
	VPSHUFD $(0x55*a), v, Y2 \
	VPSHUFD $(0x55*b), v, Y3

// GROUPS16 widens 16 bytes of X4, scales of groups of 16: of each pair of groups the
// first half of Y4 (pairs 0-3) and of Y5 has the scale of the first, twice, the
// second half that of the other.
#define GROUPS16(WIDEN) \
	VPSHUFB    evenOdd<>(SB), X4, X4 \
	WIDEN      X4, Y4                \
	VPUNPCKHWD Y4, Y4, Y5            \
	VPUNPCKLWD Y4, Y4, Y4

// SCALES4 unpacks the scales of Q4_K and Q5_K, see scaleMin4: bytes of scales 0-3
// and minimums 0-3, scales 4-7 and minimums 4-7, as words in the halves of Y5.
#define SCALES4 \
	MOVQ       4(SI), R13               \
	MOVL       12(SI), R14              \
	MOVQ       $0x0f0f0f0f0f0f0f0f, R15 \
	MOVQ       R14, DI                  \
	SHLQ       $28, DI                  \
	ORQ        DI, R14                  \
	ANDQ       R15, R14                 \
	MOVQ       R13, DI                  \
	SHRQ       $2, DI                   \
	MOVQ       $0x3030303030303030, R15 \
	ANDQ       R15, DI                  \
	ORQ        DI, R14                  \
	MOVQ       $0x3f3f3f3f3f3f3f3f, R15 \
	ANDQ       R15, R13                 \
	VMOVQ      R13, X5                  \
	VPINSRQ    $1, R14, X5, X5          \
	VPMOVZXBW  X5, Y5

// LOW4 and HIGH4 make Y4 scales 0-3 or 4-7, in pairs, in both halves, MINIMUMS4
// makes Y5 the minimums, each for two sums.
#define LOW4 \
	VPUNPCKLWD Y5, Y5, Y4 \
	VPERMQ     $0x44, Y4, Y4

#define HIGH4 \
	VPUNPCKLWD Y5, Y5, Y4 \
	VPERMQ     $0xee, Y4, Y4

#define MINIMUMS4 \
	VPUNPCKHWD Y5, Y5, Y5

#define NIBBLES(off, nibbles) \
	VMOVDQU off(SI), Y0     \
	VPSRLW  $4, Y0, Y1      \
	VPAND   nibbles, Y0, Y0 \
	VPAND   nibbles, Y1, Y1

// HALVES is the scale of the block and that of the minimums.
#define HALVES(off) \
	VMOVD     off(SI), X2 \
	VCVTPH2PS X2, X2

#define Q4_K(DOT, FINISH, c0, c1, l0, l1, l2, l3, l4) \
	SCALES4                   \
	NIBBLES(16, c0)           \
	LOW4                      \
	SCALE(0, 1, Y4)           \
	DOT(SCALED, 0, 32, l0)    \
	NIBBLES(48, c0)           \
	SCALE(2, 3, Y4)           \
	DOT(SCALED, 64, 96, l1)   \
	NIBBLES(80, c0)           \
	HIGH4                     \
	SCALE(0, 1, Y4)           \
	DOT(SCALED, 128, 160, l2) \
	NIBBLES(112, c0)          \
	SCALE(2, 3, Y4)           \
	DOT(SCALED, 192, 224, l3) \
	HALVES(0)                 \
	MINIMUMS4                 \
	FINISH(MINIMUM, l4)

// func matvecQ4_K_avx2(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ4_K_avx2(SB), NOSPLIT, $0-72
	LOOPS(Q4_K, 144, nibbles, nibbles)

// BITS adds bits of the 32 bytes at off, which shifts move to that of the mask.
#define BITS(off, mask, LOWSHIFT, low, HIGHSHIFT, high) \
	VMOVDQU   off(SI), Y6   \
	HIGHSHIFT $high, Y6, Y7 \
	LOWSHIFT  $low, Y6, Y6  \
	VPAND     mask, Y7, Y7  \
	VPAND     mask, Y6, Y6  \
	VPOR      Y7, Y1, Y1    \
	VPOR      Y6, Y0, Y0

#define Q5_K(DOT, FINISH, c0, c1, l0, l1, l2, l3, l4) \
	SCALES4                            \
	NIBBLES(48, c0)                    \
	BITS(16, c1, VPSLLW, 4, VPSLLW, 3) \
	LOW4                               \
	SCALE(0, 1, Y4)                    \
	DOT(SCALED, 0, 32, l0)             \
	NIBBLES(80, c0)                    \
	BITS(16, c1, VPSLLW, 2, VPSLLW, 1) \
	SCALE(2, 3, Y4)                    \
	DOT(SCALED, 64, 96, l1)            \
	NIBBLES(112, c0)                   \
	BITS(16, c1, VPSRLW, 0, VPSRLW, 1) \
	HIGH4                              \
	SCALE(0, 1, Y4)                    \
	DOT(SCALED, 128, 160, l2)          \
	NIBBLES(144, c0)                   \
	BITS(16, c1, VPSRLW, 2, VPSRLW, 3) \
	SCALE(2, 3, Y4)                    \
	DOT(SCALED, 192, 224, l3)          \
	HALVES(0)                          \
	MINIMUMS4                          \
	FINISH(MINIMUM, l4)

// func matvecQ5_K_avx2(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ5_K_avx2(SB), NOSPLIT, $0-72
	LOOPS(Q5_K, 176, nibbles, sixteens)

// SIXTHS unpacks 64 weights of Q6_K, the low and high halves of 32 bytes at low. PAIRS
// moves the bit pairs at high that belong to them to bits 4 and 5.
#define SIXTHS(low, high, PAIRS, nibbles, thirties) \
	NIBBLES(low, nibbles)    \
	VMOVDQU high(SI), Y7     \
	PAIRS                    \
	VPAND   thirties, Y6, Y6 \
	VPAND   thirties, Y7, Y7 \
	VPOR    Y6, Y0, Y0       \
	VPOR    Y7, Y1, Y1

#define PAIRS02 \
	VPSLLW $4, Y7, Y6

#define PAIRS13 \
	VPSLLW $2, Y7, Y6 \
	VPSRLW $2, Y7, Y7

#define Q6_K(DOT, FINISH, c0, c1, l0, l1, l2, l3, l4) \
	VMOVDQU   192(SI), X4            \
	GROUPS16(VPMOVSXBW)              \
	SIXTHS(0, 128, PAIRS02, c0, c1)  \
	SCALE(0, 2, Y4)                  \
	DOT(SCALED, 0, 64, l0)           \
	SIXTHS(32, 128, PAIRS13, c0, c1) \
	SCALE(1, 3, Y4)                  \
	DOT(SCALED, 32, 96, l1)          \
	SIXTHS(64, 160, PAIRS02, c0, c1) \
	SCALE(0, 2, Y5)                  \
	DOT(SCALED, 128, 192, l2)        \
	SIXTHS(96, 160, PAIRS13, c0, c1) \
	SCALE(1, 3, Y5)                  \
	DOT(SCALED, 160, 224, l3)        \
	HALF(208)                        \
	VPMOVSXBW 192(SI), Y5            \
	FINISH(OFFSET32, l4)

// func matvecQ6_K_avx2(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ6_K_avx2(SB), NOSPLIT, $0-72
	LOOPS(Q6_K, 210, nibbles, thirties)

// PAIRS01 and PAIRS23 unpack 64 weights of 2 bits, two runs of the four that share 32
// bytes at off.
#define PAIRS01(off, threes) \
	VMOVDQU off(SI), Y0    \
	VPSRLW  $2, Y0, Y1     \
	VPAND   threes, Y0, Y0 \
	VPAND   threes, Y1, Y1

#define PAIRS23(off, threes) \
	VMOVDQU off(SI), Y1    \
	VPSRLW  $4, Y1, Y0     \
	VPSRLW  $6, Y1, Y1     \
	VPAND   threes, Y0, Y0 \
	VPAND   threes, Y1, Y1

#define Q2_K(DOT, FINISH, c0, c1, l0, l1, l2, l3, l4) \
	VMOVDQU   (SI), X4              \
	VPAND     nibbles<>(SB), X4, X4 \
	GROUPS16(VPMOVZXBW)             \
	PAIRS01(16, c0)                 \
	SCALE(0, 1, Y4)                 \
	DOT(SCALED, 0, 32, l0)          \
	PAIRS23(16, c0)                 \
	SCALE(2, 3, Y4)                 \
	DOT(SCALED, 64, 96, l1)         \
	PAIRS01(48, c0)                 \
	SCALE(0, 1, Y5)                 \
	DOT(SCALED, 128, 160, l2)       \
	PAIRS23(48, c0)                 \
	SCALE(2, 3, Y5)                 \
	DOT(SCALED, 192, 224, l3)       \
	HALVES(80)                      \
	VMOVDQU   (SI), X5              \
	VPSRLW    $4, X5, X5            \
	VPAND     nibbles<>(SB), X5, X5 \
	VPMOVZXBW X5, Y5                \
	FINISH(MINIMUM, l4)

// func matvecQ2_K_avx2(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ2_K_avx2(SB), NOSPLIT, $0-72
	LOOPS(Q2_K, 84, threes, threes)

// SCALES3 unpacks the 16 scales of Q3_K: their low halves lie in those of the bytes at
// 96, their upper bits are the bit pairs of the bytes at 104.
#define SCALES3 \
	MOVQ    96(SI), R13              \
	MOVL    104(SI), R14             \
	MOVQ    R14, DI                  \
	SHLQ    $30, DI                  \
	ORQ     DI, R14                  \
	MOVQ    R13, DI                  \
	SHRQ    $4, DI                   \
	MOVQ    $0x0f0f0f0f0f0f0f0f, R15 \
	ANDQ    R15, R13                 \
	ANDQ    R15, DI                  \
	MOVQ    $0x3030303030303030, R15 \
	VMOVQ   R13, X4                  \
	VPINSRQ $1, DI, X4, X4           \
	MOVQ    R14, DI                  \
	SHLQ    $4, DI                   \
	ANDQ    R15, DI                  \
	ANDQ    R15, R14                 \
	VMOVQ   DI, X5                   \
	VPINSRQ $1, R14, X5, X5          \
	VPOR    X5, X4, X4               \
	VPSUBB  thirtytwos<>(SB), X4, X4 \
	GROUPS16(VPMOVSXBW)

// UNGROUP16 makes Y5 the scales of the groups in their order.
#define UNGROUP16 \
	VEXTRACTI128 $1, Y4, X6        \
	VEXTRACTI128 $1, Y5, X7        \
	VPBLENDW     $0xaa, X6, X4, X4 \
	VPBLENDW     $0xaa, X7, X5, X5 \
	VINSERTI128  $1, X5, Y4, Y5

#define Q3_K(DOT, FINISH, c0, c1, l0, l1, l2, l3, l4) \
	SCALES3                           \
	PAIRS01(32, c0)                   \
	BITS(0, c1, VPSLLW, 2, VPSLLW, 1) \
	SCALE(0, 1, Y4)                   \
	DOT(SCALED, 0, 32, l0)            \
	PAIRS23(32, c0)                   \
	BITS(0, c1, VPSRLW, 0, VPSRLW, 1) \
	SCALE(2, 3, Y4)                   \
	DOT(SCALED, 64, 96, l1)           \
	PAIRS01(64, c0)                   \
	BITS(0, c1, VPSRLW, 2, VPSRLW, 3) \
	SCALE(0, 1, Y5)                   \
	DOT(SCALED, 128, 160, l2)         \
	PAIRS23(64, c0)                   \
	BITS(0, c1, VPSRLW, 4, VPSRLW, 5) \
	SCALE(2, 3, Y5)                   \
	DOT(SCALED, 192, 224, l3)         \
	HALF(108)                         \
	UNGROUP16                         \
	FINISH(OFFSET4, l4)

// func matvecQ3_K_avx2(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ3_K_avx2(SB), NOSPLIT, $0-72
	LOOPS(Q3_K, 110, threes, fours)

// SIGNED is for signed weights, whose signs move to the activations. Y0 holds the first
// 16 weights of two groups of 32, whose activations are at a and b, Y1 the others; Y2
// has a scale for each half.
#define SIGNED(a, b, vector, sum) \
	SIGNED32(a vector, b vector, Y0, sum)       \
	SIGNED32(a+16 vector, b+16 vector, Y1, sum)

#define SIGNED32(a, b, w, sum) \
	VMOVDQU     a, X6         \
	VINSERTI128 $1, b, Y6, Y6 \
	VPABSB      w, Y7         \
	VPSIGNB     w, Y6, Y6     \
	VPMADDUBSW  Y6, Y7, Y6    \
	VPMADDWD    Y2, Y6, Y6    \
	VPADDD      Y6, sum, sum

// SCALES_XS unpacks the scales of IQ4_XS: upper bits in the second word, lower ones in
// the second dword of the block. The first half of Y4 holds those of groups 0, 2, 4 and
// 6, as pairs of words, the second half the others.
#define SCALES_XS \
	VPBROADCASTD (SI), Y4                 \
	VPBROADCASTD 4(SI), Y5                \
	VPSRLVD      uppers<>(SB), Y4, Y4     \
	VPSRLVD      lowers<>(SB), Y5, Y5     \
	VPAND        fortyeight<>(SB), Y4, Y4 \
	VPAND        fifteen<>(SB), Y5, Y5    \
	VPOR         Y5, Y4, Y4               \
	VPSUBD       thirtytwo<>(SB), Y4, Y4  \
	VPSLLD       $16, Y4, Y5              \
	VPBLENDW     $0xaa, Y5, Y4, Y4

// LEVELS unpacks groups 2*i and 2*i+1, each of which has its first 16 weights in the
// low halves of 16 bytes, the others in the high ones.
#define LEVELS(i, nibbles, levels) \
	NIBBLES(8+32*i, nibbles)      \
	VMOVDQU levels, Y7            \
	VPSHUFB Y0, Y7, Y0            \
	VPSHUFB Y1, Y7, Y1            \
	VPSHUFD $(0x55*i), Y4, Y2

#define IQ4_XS(DOT, FINISH, c0, c1, l0, l1, l2, l3, l4) \
	SCALES_XS                 \
	LEVELS(0, c0, c1)         \
	DOT(SIGNED, 0, 32, l0)    \
	LEVELS(1, c0, c1)         \
	DOT(SIGNED, 64, 96, l1)   \
	LEVELS(2, c0, c1)         \
	DOT(SIGNED, 128, 160, l2) \
	LEVELS(3, c0, c1)         \
	DOT(SIGNED, 192, 224, l3) \
	HALF(0)                   \
	FINISH(PLAIN, l4)

// func matvecIQ4_XS_avx2(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecIQ4_XS_avx2(SB), NOSPLIT, $0-72
	LOOPS(IQ4_XS, 136, nibbles, levels)

// UNSCALED adds the products of weights of 2 bits without scales: words have room for
// those of a whole block.
#define UNSCALED(a, b, vector, sum) \
	VPMADDUBSW a vector, Y0, Y6 \
	VPMADDUBSW b vector, Y1, Y7 \
	VPADDW     Y6, sum, sum     \
	VPADDW     Y7, sum, sum

// TERNARY is for weights that are too large by 1.
#define TERNARY(Y, X, result) \
	VPSUBW   (R13), Y, Y      \
	VPMADDWD ones<>(SB), Y, Y \
	PLAIN(Y, X, result)

#define TQ2_0(DOT, FINISH, c0, c1, l0, l1, l2, l3, l4) \
	PAIRS01(0, c0)              \
	DOT(UNSCALED, 0, 32, l0)    \
	PAIRS23(0, c0)              \
	DOT(UNSCALED, 64, 96, l1)   \
	PAIRS01(32, c0)             \
	DOT(UNSCALED, 128, 160, l2) \
	PAIRS23(32, c0)             \
	DOT(UNSCALED, 192, 224, l3) \
	HALF(64)                    \
	FINISH(TERNARY, l4)

// func matvecTQ2_0_avx2(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecTQ2_0_avx2(SB), NOSPLIT, $0-72
	LOOPS(TQ2_0, 66, threes, threes)

// Constants of 32 bytes.

#define QUADS(name, a, b, c, d) \
	DATA name+0(SB)/8, $a  \
	DATA name+8(SB)/8, $b  \
	DATA name+16(SB)/8, $c \
	DATA name+24(SB)/8, $d

#define REPEAT(name, value) \
	QUADS(name<>, value, value, value, value) \
	GLOBL name<>(SB), RODATA|NOPTR, $32

REPEAT(nibbles, 0x0f0f0f0f0f0f0f0f)
REPEAT(sixteens, 0x1010101010101010)
REPEAT(thirties, 0x3030303030303030)
REPEAT(thirtytwos, 0x2020202020202020)
REPEAT(threes, 0x0303030303030303)
REPEAT(fours, 0x0404040404040404)
REPEAT(ones, 0x0001000100010001)
REPEAT(fifteen, 0x0000000f0000000f)
REPEAT(fortyeight, 0x0000003000000030)
REPEAT(thirtytwo, 0x0000002000000020)

// How far the scales of IQ4_XS are shifted.
QUADS(lowers<>, 0x0000000800000000, 0x0000001800000010, 0x0000000c00000004, 0x0000001c00000014)
GLOBL lowers<>(SB), RODATA|NOPTR, $32
QUADS(uppers<>, 0x000000100000000c, 0x0000001800000014, 0x000000120000000e, 0x0000001a00000016)
GLOBL uppers<>(SB), RODATA|NOPTR, $32

// The levels of IQ4_XS, twice.
QUADS(levels<>, 0xf6eaddcfbfad9881, 0x7159453526190d01, 0xf6eaddcfbfad9881, 0x7159453526190d01)
GLOBL levels<>(SB), RODATA|NOPTR, $32

// The even bytes, then the odd ones.
DATA evenOdd<>+0(SB)/8, $0x0e0c0a0806040200
DATA evenOdd<>+8(SB)/8, $0x0f0d0b0907050301
GLOBL evenOdd<>(SB), RODATA|NOPTR, $16
