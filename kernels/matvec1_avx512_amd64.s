#include "textflag.h"

// The product of weights of Q6_K with one vector of activations, for AVX-512 VNNI, a row
// at a time: the weights are read from first to last, in one stream, which is what memory
// is fastest at. The body for several vectors (matvec_avx512_amd64.s) gives the same bits:
// the dot product of a block, its groups scaled, is an exact integer; it is scaled and
// added up, block after block.
//
// Registers:
//	SI block, R8 rows left, AX BX DX q d s at the block, CX values left, R11 y, X8 sum
//	Z0-Z3 weights, Z4-Z7 the scale of each pair of them, as words, Y21 all scales
//	X20 the scale of the block

// ROWS begins the loop over rows, END ends it, and returns.
#define ROWS \
	MOVQ w+8(FP), SI      \
	MOVQ rows+16(FP), R8  \
	MOVQ y+0(FP), R11     \
row:                    \
	MOVQ   q+24(FP), AX   \
	MOVQ   d+32(FP), BX   \
	MOVQ   s+40(FP), DX   \
	MOVQ   n+48(FP), CX   \
	VXORPS X8, X8, X8

// FETCH prefetches a cache line 16 KiB ahead into the second cache, and one 2 KiB ahead
// into the first: the processor follows the stream by itself, but not as far as it takes
// to read and multiply at the same time.
#define FETCH(at) \
	PREFETCHT1 (at+16384)(SI) \
	PREFETCHT0 (at+2048)(SI)

#define NEXT \
	ADDQ $210, SI   \
	ADDQ $256, AX   \
	ADDQ $4, BX     \
	ADDQ $32, DX    \
	SUBQ $256, CX

#define END \
	VMOVSS X8, (R11)  \
	ADDQ   $4, R11    \
	DECQ   R8         \
	JNZ    row        \
	VZEROUPPER        \
	RET

// DOT makes Y16 the scaled dot product, in eight parts, and Y17 the product with the
// sums of activations. Two short chains of additions take less time than a long one.
#define DOT \
	VPMADDUBSW    (AX), Z0, Z0       \
	VPMADDUBSW    64(AX), Z1, Z1     \
	VPMADDUBSW    128(AX), Z2, Z2    \
	VPMADDUBSW    192(AX), Z3, Z3    \
	VPMADDWD      Z4, Z0, Z16        \
	VPMADDWD      Z5, Z1, Z18        \
	VPMADDWD      (DX), Y21, Y17     \
	VPDPWSSD      Z6, Z2, Z16        \
	VPDPWSSD      Z7, Z3, Z18        \
	VPADDD        Z18, Z16, Z16      \
	VEXTRACTI64X4 $1, Z16, Y18       \
	VPADDD        Y18, Y16, Y16

// HALF6 unpacks half of a block of Q6_K: the low bits at low, the upper ones at high.
#define HALF6(low, high, a, b) \
	VMOVDQU64       low(SI), a         \
	VBROADCASTI64X4 high(SI), Z16      \
	VPSLLVQ         Z22, Z16, Z17      \
	VPSRLVQ         Z28, Z16, Z18      \
	VPSRLW          $4, a, Z19         \
	VPANDD          Z31, Z17, Z17      \
	VPANDD          Z31, Z18, b        \
	VPTERNLOGD      $0xf8, Z29, Z19, b \ // b | Z19&Z29
	VPTERNLOGD      $0xec, Z29, Z17, a   // a&Z29 | Z17

// func matvec1Q6_K_avx512vnni(y *float32, w *byte, rows int, q *int8, d *float32, s *int16, n int)
TEXT ·matvec1Q6_K_avx512vnni(SB), NOSPLIT, $0-56
	VMOVDQU64    scales6<>+0(SB), Z23
	VMOVDQU64    scales6<>+64(SB), Z24
	VMOVDQU64    scales6<>+128(SB), Z25
	VMOVDQU64    scales6<>+192(SB), Z26
	VMOVDQU64    up6<>(SB), Z22
	VMOVDQU64    down6<>(SB), Z28
	VPBROADCASTD nibbles<>(SB), Z29
	VPBROADCASTD thirties<>(SB), Z31
	ROWS

block:
	FETCH(0)
	FETCH(64)
	FETCH(128)
	FETCH(192)
	VPMOVSXBW    192(SI), Y21
	VPERMW       Z21, Z23, Z4
	VPERMW       Z21, Z24, Z5
	VPERMW       Z21, Z25, Z6
	VPERMW       Z21, Z26, Z7
	VPBROADCASTW 208(SI), X20
	VCVTPH2PS    X20, X20
	HALF6(0, 128, Z0, Z1)
	HALF6(64, 160, Z2, Z3)
	DOT

	// The weights are too large by 32.
	VPSLLD        $5, Y17, Y17
	VPSUBD        Y17, Y16, Y16
	VEXTRACTI32X4 $1, Y16, X17
	VPADDD        X17, X16, X16
	VPUNPCKHQDQ   X16, X16, X17
	VPADDD        X17, X16, X16
	VPSHUFD       $1, X16, X17
	VPADDD        X17, X16, X16
	VCVTDQ2PS     X16, X16
	VMULSS        (BX), X20, X17
	VFMADD231SS   X17, X16, X8
	NEXT
	JNZ           block
	END

DATA nibbles<>+0(SB)/4, $0x0f0f0f0f
GLOBL nibbles<>(SB), RODATA|NOPTR, $4
DATA thirties<>+0(SB)/4, $0x30303030
GLOBL thirties<>(SB), RODATA|NOPTR, $4

// Where the words of the scales go, 8 times each.
#define WORDS(name, at, i) \
	DATA name<>+at(SB)/8, $(i<<48|i<<32|i<<16|i)      \
	DATA name<>+(at+8)(SB)/8, $(i<<48|i<<32|i<<16|i)

WORDS(scales6, 0, 0)
WORDS(scales6, 16, 1)
WORDS(scales6, 32, 2)
WORDS(scales6, 48, 3)
WORDS(scales6, 64, 4)
WORDS(scales6, 80, 5)
WORDS(scales6, 96, 6)
WORDS(scales6, 112, 7)
WORDS(scales6, 128, 8)
WORDS(scales6, 144, 9)
WORDS(scales6, 160, 10)
WORDS(scales6, 176, 11)
WORDS(scales6, 192, 12)
WORDS(scales6, 208, 13)
WORDS(scales6, 224, 14)
WORDS(scales6, 240, 15)
GLOBL scales6<>(SB), RODATA|NOPTR, $256

// By how much the lower and the upper half of a register are shifted.

#define SHIFT(name, at, count) \
	DATA name<>+at(SB)/8, $count       \
	DATA name<>+(at+8)(SB)/8, $count   \
	DATA name<>+(at+16)(SB)/8, $count  \
	DATA name<>+(at+24)(SB)/8, $count

SHIFT(up6, 0, 4)
SHIFT(up6, 32, 2)
GLOBL up6<>(SB), RODATA|NOPTR, $64

SHIFT(down6, 0, 0)
SHIFT(down6, 32, 2)
GLOBL down6<>(SB), RODATA|NOPTR, $64
