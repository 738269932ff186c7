#include "textflag.h"

// Products of quantized weights with one vector, for AVX-512 VNNI, a row at a time.
// The weights are read from first to last, in one stream, which is what memory is
// fastest at. The body for several vectors (matvec_avx512_amd64.s) gives the same
// bits: the dot product of a block, its groups scaled, is an exact integer; it is
// scaled and added up, block after block.

// Where the words of four scales go: eight times each.
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

// RUN is half a register of 64 bits each.
#define RUN(name, at, value) \
	DATA name<>+at(SB)/8, $value       \
	DATA name<>+(at+8)(SB)/8, $value   \
	DATA name<>+(at+16)(SB)/8, $value  \
	DATA name<>+(at+24)(SB)/8, $value

// How far the upper bits of Q6_K are shifted to bits 4 and 5, of the two runs that
// share a register.
RUN(up6, 0, 4)
RUN(up6, 32, 2)
GLOBL up6<>(SB), RODATA|NOPTR, $64

RUN(down6, 0, 0)
RUN(down6, 32, 2)
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

// func matvec1Q6_K_avx512vnni(y *float32, w *byte, rows int, q *int8, d *float32, s *int16, n int)
//
//	SI block, R8 rows left, AX BX DX q d s at the block, CX values left, DI y, X8 sum
TEXT ·matvec1Q6_K_avx512vnni(SB), NOSPLIT, $0-56
	VMOVDQU64    eighths<>(SB), Z23
	VPBROADCASTD words4<>(SB), Z16
	VPADDW       Z16, Z23, Z25
	VPADDW       Z16, Z25, Z26
	VPADDW       Z16, Z26, Z27
	VMOVDQU64    up6<>(SB), Z24
	VMOVDQU64    down6<>(SB), Z30
	VPBROADCASTD nibbles<>(SB), Z29
	VPBROADCASTD thirties<>(SB), Z31
	MOVQ         y+0(FP), DI
	MOVQ         w+8(FP), SI
	MOVQ         rows+16(FP), R8

row:
	MOVQ   q+24(FP), AX
	MOVQ   d+32(FP), BX
	MOVQ   s+40(FP), DX
	MOVQ   n+48(FP), CX
	VXORPS X8, X8, X8

block:
	// The scale of each pair of weights, as words.
	VPMOVSXBW    192(SI), Y21
	VPERMW       Z21, Z23, Z4
	VPERMW       Z21, Z25, Z5
	VPERMW       Z21, Z26, Z6
	VPERMW       Z21, Z27, Z7
	VPBROADCASTW 208(SI), X17
	VCVTPH2PS    X17, X20

	// Weights that are too large by 32, in the order of the activations, and their scaled
	// dot product.
	HALF6(0, 128, Z0, Z1)
	HALF6(64, 160, Z2, Z3)
	VPMADDUBSW (AX), Z0, Z17
	VPMADDUBSW 64(AX), Z1, Z18
	VPXORD     Z16, Z16, Z16
	VPMADDUBSW 128(AX), Z2, Z19
	VPDPWSSD   Z4, Z17, Z16
	VPMADDUBSW 192(AX), Z3, Z17
	VPDPWSSD   Z5, Z18, Z16
	VPDPWSSD   Z6, Z19, Z16
	VPDPWSSD   Z7, Z17, Z16

	// What is too much: 32 times the scaled sums of the activations.
	VPMADDWD (DX), Y21, Y17
	VPSLLD   $5, Y17, Y17

	VEXTRACTI64X4 $1, Z16, Y18
	VPADDD        Y18, Y16, Y16
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

	ADDQ $210, SI
	ADDQ $256, AX
	ADDQ $4, BX
	ADDQ $32, DX
	SUBQ $256, CX
	JNZ  block

	VMOVSS X8, (DI)
	ADDQ   $4, DI
	DECQ   R8
	JNZ    row
	VZEROUPPER
	RET
