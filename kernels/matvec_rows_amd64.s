#include "textflag.h"

// Products of quantized weights with up to 8 vectors of activations, for
// AVX-512 VNNI, a row at a time. The weights are read from first to last, in one
// stream, which is what memory is fastest at. A block of a row is unpacked once
// for all vectors, to unsigned bytes in the order of the activations. Dot
// products of a block, or the scaled ones of a block with groups, are exact
// integers, spread over the dwords of a register; they are scaled and added to
// the accumulator of the vector, block after block, whose sixteen parts are
// added at the end of the row.
//
// Arguments: y of the first row and of the first vector, stride from one
// vector's results to the next's (in floats); w, rows; q, d, s of the first
// vector; m vectors (1-8) of n values.
//
// Registers:
//	SI          the block                       R8  rows left
//	AX, BX, DX  q, d, s of vector 0 at the block  CX  values left
//	DI, R9, R10 q, d, s of the vector
//	R11, R12    from one vector's d and s to the next's, in bytes
//	R13, R15    scratch
//	Z8-Z15      accumulators of vectors 0-7
//	Z16-Z19     scratch of a vector

// ROWS begins the loop over rows. A vector's d and s take n>>dShift and n>>sShift bytes.
#define ROWS(dShift, sShift) \
	MOVQ w+16(FP), SI    \
	MOVQ rows+24(FP), R8 \
	MOVQ n+64(FP), R11   \
	MOVQ R11, R12        \
	SHRQ $dShift, R11    \
	SHRQ $sShift, R12    \
row:                   \
	MOVQ q+32(FP), AX    \
	MOVQ d+40(FP), BX    \
	MOVQ s+48(FP), DX    \
	MOVQ n+64(FP), CX    \
	VPXORD Z8, Z8, Z8    \
	VPXORD Z9, Z9, Z9    \
	VPXORD Z10, Z10, Z10 \
	VPXORD Z11, Z11, Z11 \
	VPXORD Z12, Z12, Z12 \
	VPXORD Z13, Z13, Z13 \
	VPXORD Z14, Z14, Z14 \
	VPXORD Z15, Z15, Z15

// VECTORS does BODY(acc) for each vector.
#define VECTORS(BODY, done) \
	MOVQ AX, DI       \
	MOVQ BX, R9       \
	MOVQ DX, R10      \
	BODY(Z8)          \
	CMPQ m+56(FP), $1 \
	JEQ  done         \
	VECTOR            \
	BODY(Z9)          \
	CMPQ m+56(FP), $2 \
	JEQ  done         \
	VECTOR            \
	BODY(Z10)         \
	CMPQ m+56(FP), $3 \
	JEQ  done         \
	VECTOR            \
	BODY(Z11)         \
	CMPQ m+56(FP), $4 \
	JEQ  done         \
	VECTOR            \
	BODY(Z12)         \
	CMPQ m+56(FP), $5 \
	JEQ  done         \
	VECTOR            \
	BODY(Z13)         \
	CMPQ m+56(FP), $6 \
	JEQ  done         \
	VECTOR            \
	BODY(Z14)         \
	CMPQ m+56(FP), $7 \
	JEQ  done         \
	VECTOR            \
	BODY(Z15)         \
done:

#define VECTOR \
	ADDQ n+64(FP), DI \
	ADDQ R11, R9      \
	ADDQ R12, R10

// NEXT moves on by a block of weights of the given bytes and of values values.
#define NEXT(bytes, values, scaleBytes, sumBytes) \
	ADDQ $bytes, SI      \
	ADDQ $values, AX     \
	ADDQ $scaleBytes, BX \
	ADDQ $sumBytes, DX   \
	SUBQ $values, CX

// SUM stores the sum of the parts of an accumulator and goes on to the result of
// the next vector, or to done.
#define SUM(Z, Y, X, done) \
	VEXTRACTF64X4 $1, Z, Y0    \
	VADDPS        Y0, Y, Y     \
	VEXTRACTF128  $1, Y, X0    \
	VADDPS        X0, X, X     \
	VPERMILPD     $1, X, X0    \
	VADDPS        X0, X, X     \
	VMOVSHDUP     X, X0        \
	VADDSS        X0, X, X     \
	VMOVSS        X, (DI)       \
	DECQ          R13           \
	JEQ           done          \
	LEAQ          (DI)(R15*4), DI

// END ends the loop over rows, and returns.
#define END \
	MOVQ y+0(FP), DI       \
	MOVQ stride+8(FP), R15 \
	MOVQ m+56(FP), R13     \
	SUM(Z8, Y8, X8, summed)    \
	SUM(Z9, Y9, X9, summed)    \
	SUM(Z10, Y10, X10, summed) \
	SUM(Z11, Y11, X11, summed) \
	SUM(Z12, Y12, X12, summed) \
	SUM(Z13, Y13, X13, summed) \
	SUM(Z14, Y14, X14, summed) \
	SUM(Z15, Y15, X15, summed) \
summed:                    \
	ADDQ $4, y+0(FP)         \
	DECQ R8                  \
	JNZ  row                 \
	VZEROUPPER               \
	RET

// Types of 256 weights per block. They leave the weights in Z0-Z3, the scale of
// each pair of weights, as words, in Z4-Z7, the scale of the block in Z20, and
// what their minimums or offsets need in Z21 and Z22.

// DOT256 makes Z16 the scaled dot product.
#define DOT256 \
	VPMADDUBSW (DI), Z0, Z17    \
	VPMADDUBSW 64(DI), Z1, Z18  \
	VPXORD     Z16, Z16, Z16    \
	VPMADDUBSW 128(DI), Z2, Z19 \
	VPDPWSSD   Z4, Z17, Z16     \
	VPMADDUBSW 192(DI), Z3, Z17 \
	VPDPWSSD   Z5, Z18, Z16     \
	VPDPWSSD   Z6, Z19, Z16     \
	VPDPWSSD   Z7, Z17, Z16

// OFFSET multiplies weights that are too large by 32. Z21 holds the scales of the
// 16 groups.
#define OFFSET(acc) \
	DOT256                         \
	VPMADDWD     (R10), Y21, Y17   \
	VPSLLD       $5, Y17, Y17      \
	VPSUBD       Z17, Z16, Z16     \
	VCVTDQ2PS    Z16, Z16          \
	VMULPS.BCST  (R9), Z20, Z17    \
	VFMADD231PS  Z17, Z16, acc

// Where words of scales go: word i of the result is that of number i>>3 (or i>>4) and so on.
DATA eighths<>+0(SB)/8, $0
DATA eighths<>+8(SB)/8, $0
DATA eighths<>+16(SB)/8, $0x0001000100010001
DATA eighths<>+24(SB)/8, $0x0001000100010001
DATA eighths<>+32(SB)/8, $0x0002000200020002
DATA eighths<>+40(SB)/8, $0x0002000200020002
DATA eighths<>+48(SB)/8, $0x0003000300030003
DATA eighths<>+56(SB)/8, $0x0003000300030003
GLOBL eighths<>(SB), RODATA|NOPTR, $64

DATA words4<>+0(SB)/4, $0x00040004
GLOBL words4<>(SB), RODATA|NOPTR, $4
DATA nibbles<>+0(SB)/4, $0x0f0f0f0f
GLOBL nibbles<>(SB), RODATA|NOPTR, $4
DATA thirties<>+0(SB)/4, $0x30303030
GLOBL thirties<>(SB), RODATA|NOPTR, $4

// How far the upper bits of Q6_K are shifted to bits 4 and 5, of the two runs that
// share a register.
DATA up6<>+0(SB)/8, $4
DATA up6<>+8(SB)/8, $4
DATA up6<>+16(SB)/8, $4
DATA up6<>+24(SB)/8, $4
DATA up6<>+32(SB)/8, $2
DATA up6<>+40(SB)/8, $2
DATA up6<>+48(SB)/8, $2
DATA up6<>+56(SB)/8, $2
GLOBL up6<>(SB), RODATA|NOPTR, $64

DATA down6<>+0(SB)/8, $0
DATA down6<>+8(SB)/8, $0
DATA down6<>+16(SB)/8, $0
DATA down6<>+24(SB)/8, $0
DATA down6<>+32(SB)/8, $2
DATA down6<>+40(SB)/8, $2
DATA down6<>+48(SB)/8, $2
DATA down6<>+56(SB)/8, $2
GLOBL down6<>(SB), RODATA|NOPTR, $64

// HALF6 unpacks half of a block: the low bits at low, the upper ones at high.
#define HALF6(low, high, a, b) \
	VMOVDQU64       low(SI), a         \
	VBROADCASTI64X4 high(SI), Z16      \
	VPSLLVQ         Z24, Z16, Z17      \
	VPSRLVQ         Z30, Z16, Z18      \
	VPSRLW          $4, a, Z19         \
	VPANDD          Z31, Z17, Z17      \
	VPANDD          Z31, Z18, b        \
	VPTERNLOGD      $0xf8, Z29, Z19, b \
	VPTERNLOGD      $0xec, Z29, Z17, a // a&Z29 | Z17

// func matvecQ6_K_avx512vnni(y *float32, stride int, w *byte, rows int, q *int8, d *float32, s *int16, m, n int)
TEXT ·matvecQ6_K_avx512vnni(SB), NOSPLIT, $0-72
	VMOVDQU64    eighths<>(SB), Z23
	VPBROADCASTD words4<>(SB), Z16
	VPADDW       Z16, Z23, Z25
	VPADDW       Z16, Z25, Z26
	VPADDW       Z16, Z26, Z27
	VMOVDQU64    up6<>(SB), Z24
	VMOVDQU64    down6<>(SB), Z30
	VPBROADCASTD nibbles<>(SB), Z29
	VPBROADCASTD thirties<>(SB), Z31
	ROWS(6, 3)

block:
	VPMOVSXBW    192(SI), Y21
	VPERMW       Z21, Z23, Z4
	VPERMW       Z21, Z25, Z5
	VPERMW       Z21, Z26, Z6
	VPERMW       Z21, Z27, Z7
	VPBROADCASTW 208(SI), Y17
	VCVTPH2PS    Y17, Z20
	HALF6(0, 128, Z0, Z1)
	HALF6(64, 160, Z2, Z3)
	VECTORS(OFFSET, multiplied)
	NEXT(210, 256, 4, 32)
	JNZ          block
	END
