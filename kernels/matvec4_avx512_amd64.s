#include "textflag.h"

// Products of quantized weights of 256 per block with one vector of activations, for
// AVX-512 VNNI, four rows at a time: what is made of the activations, and most of what
// is done once for a block rather than for its weights, serves all four, while the rows
// are few enough streams for memory. The bodies for several vectors
// (matvec_avx512_amd64.s) give the same bits: the dot product of a block, its groups
// scaled, is an exact integer, as is what its minimums add; both are scaled and added up,
// block after block.
//
// Registers:
//	SI         blocks of the first row      R10, R12 1 and 3 times the bytes of a row
//	AX, BX, DX q, d, s at the block         CX values left   R8 rows left   R11 y
//	R14        what to prefetch             X8 sums of the four rows    R13 scratch
//	Z0-Z3      activations of groups 0 and 2, 1 and 3, 4 and 6, 5 and 7
//	Z16-Z19    dot products of the rows, scaled, in sixteen parts
//	Z20        what the minimums add, in a lane for each row, in four parts
//	Z12, Z14   words of scales 0-3 and minimums 0-3, and of 4-7, in a lane for each row
//	Y15        scales of the four rows, then those of their minimums
//	Z4-Z7, Z9, Z11, Z13 scratch
//	Z10, Z21-Z31 constants, but for IQ4_XS Z24 and Z25, which are scratch

// Memory is prefetched BEHIND bytes behind the four rows, but at least AHEAD bytes ahead of the first.
#define BEHIND 3072
#define AHEAD 9216

// ROWS begins the loop over four rows, END ends it, and returns.
#define ROWS(bytes) \
	MOVQ    w+8(FP), SI            \
	MOVQ    rows+16(FP), R8        \
	MOVQ    y+0(FP), R11           \
	MOVQ    n+48(FP), R10          \
	SHRQ    $8, R10                \
	IMUL3Q  $bytes, R10, R10       \
	LEAQ    (R10)(R10*2), R12      \
	LEAQ    BEHIND(SI)(R10*4), R14 \
	LEAQ    AHEAD(SI), R13         \
	CMPQ    R13, R14               \
	CMOVQHI R13, R14               \
row:                             \
	MOVQ    q+24(FP), AX           \
	MOVQ    d+32(FP), BX           \
	MOVQ    s+40(FP), DX           \
	MOVQ    n+48(FP), CX           \
	VXORPS  X8, X8, X8

#define NEXT(bytes) \
	ADDQ $bytes, SI      \
	ADDQ $(4*bytes), R14 \
	ADDQ $256, AX        \
	ADDQ $4, BX          \
	ADDQ $32, DX         \
	SUBQ $256, CX

#define END \
	VMOVUPS X8, (R11) \
	ADDQ    $16, R11  \
	ADDQ    R12, SI   \
	SUBQ    $4, R8    \
	JNZ     row       \
	VZEROUPPER        \
	RET

// FETCH prefetches three cache lines into the second cache, BEHIND the four rows or AHEAD of
// the first, in the order of memory.
#define FETCH(at) \
	PREFETCHT1 (at)(R14)     \
	PREFETCHT1 (at+64)(R14)  \
	PREFETCHT1 (at+128)(R14)

#define ACTIVATIONS \
	VMOVDQU64  (AX), Z4                \
	VMOVDQU64  128(AX), Z5             \
	VSHUFI64X2 $0x44, 64(AX), Z4, Z0   \
	VSHUFI64X2 $0xee, 64(AX), Z4, Z1   \
	VSHUFI64X2 $0x44, 192(AX), Z5, Z2  \
	VSHUFI64X2 $0xee, 192(AX), Z5, Z3

// SCALES unpacks the scales and minimums of the rows, see scaleMin4.
#define SCALES \
	VMOVDQU         (SI), X11                   \
	VINSERTI32X4    $1, (SI)(R10*1), Z11, Z11   \
	VINSERTI32X4    $2, (SI)(R10*2), Z11, Z11   \
	VINSERTI32X4    $3, (SI)(R12*1), Z11, Z11   \
	VPSHUFB         Z30, Z11, Z12               \
	VPSHUFB         Z29, Z11, Z13               \
	VPSRLW          $2, Z12, Z14                \
	VPSRLVQ         Z28, Z13, Z13               \
	VPANDD          Z22, Z12, Z12               \
	VPTERNLOGD      $0xd8, Z21, Z13, Z14        \ // Z13&Z21 | Z14&^Z21
	VPERMW          Z11, Z23, Z15               \
	VCVTPH2PS       X15, Y15                    \
	VMULPS.BCST     (BX), Y15, Y15              \
	VBROADCASTI32X4 (DX), Z4                    \
	VBROADCASTI32X4 16(DX), Z5                  \
	VPUNPCKHWD      Z12, Z12, Z6                \
	VPUNPCKHWD      Z14, Z14, Z7                \
	VPMADDWD        Z4, Z6, Z20                 \
	VPDPWSSD        Z5, Z7, Z20

// DOT makes words of the products of two times two groups, the lower halves of w and the
// higher ones, and multiplies them by their scales.
#define DOT(low, high, alow, ahigh, scales, MULTIPLY, sum) \
	VPXORD    Z6, Z6, Z6          \
	VPXORD    Z7, Z7, Z7          \
	VPDPBUSD  alow, low, Z6       \
	VPDPBUSD  ahigh, high, Z7     \
	VPACKSSDW Z7, Z6, Z6          \
	MULTIPLY  scales, Z6, sum

#define HALVES(w) \
	VPSRLW $4, w, Z5   \
	VPANDD Z31, w, w   \
	VPANDD Z31, Z5, Z5

// ROW4 multiplies a block of Q4_K of one row, ROW5 one of Q5_K; FIFTH adds to weights
// those bits of Z11 that SHIFT by counts brings to bit 4.
#define ROW4(row, where, sum) \
	VMOVDQU64 16 row, Z4                   \
	VPERMW    Z12, where, Z9               \
	HALVES(Z4)                             \
	DOT(Z4, Z5, Z0, Z1, Z9, VPMADDWD, sum) \
	VMOVDQU64 80 row, Z4                   \
	VPERMW    Z14, where, Z9               \
	HALVES(Z4)                             \
	DOT(Z4, Z5, Z2, Z3, Z9, VPDPWSSD, sum)

#define FIFTH(SHIFT, counts, z) \
	SHIFT      counts, Z11, Z13  \
	VPTERNLOGD $0xf8, Z27, Z13, z // z | Z13&Z27

#define ROW5(row, where, sum) \
	VBROADCASTI64X4 16 row, Z11            \
	VMOVDQU64 48 row, Z4                   \
	VPERMW    Z12, where, Z9               \
	HALVES(Z4)                             \
	FIFTH(VPSLLVQ, fifths<>+0(SB), Z4)     \
	FIFTH(VPSLLVQ, fifths<>+64(SB), Z5)    \
	DOT(Z4, Z5, Z0, Z1, Z9, VPMADDWD, sum) \
	VMOVDQU64 112 row, Z4                  \
	VPERMW    Z14, where, Z9               \
	HALVES(Z4)                             \
	FIFTH(VPSRLVQ, fifths<>+128(SB), Z4)   \
	FIFTH(VPSRLVQ, fifths<>+192(SB), Z5)   \
	DOT(Z4, Z5, Z2, Z3, Z9, VPDPWSSD, sum)

// ADDROWS adds up adjacent parts of the rows, in each lane: row r becomes dword r of Z4.
#define ADDROWS(row0, row1, row2, row3) \
	VPUNPCKLDQ  row1, row0, Z4 \
	VPUNPCKHDQ  row1, row0, Z5 \
	VPUNPCKLDQ  row3, row2, Z6 \
	VPUNPCKHDQ  row3, row2, Z7 \
	VPADDD      Z5, Z4, Z4     \
	VPADDD      Z7, Z6, Z6     \
	VPUNPCKLQDQ Z6, Z4, Z5     \
	VPUNPCKHQDQ Z6, Z4, Z7     \
	VPADDD      Z7, Z5, Z4

// FINISH scales the sums and what the minimums add, and adds them to those of the rows.
#define FINISH \
	ADDROWS(Z16, Z17, Z18, Z19)      \
	VMOVDQU64     turn<>(SB), Z5     \
	VPERMD        Z20, Z5, Z20       \
	VSHUFI64X2    $0x44, Z20, Z4, Z5 \
	VSHUFI64X2    $0xee, Z20, Z4, Z6 \
	VPADDD        Z6, Z5, Z4         \
	VSHUFI64X2    $0x88, Z4, Z4, Z5  \
	VSHUFI64X2    $0xdd, Z4, Z4, Z6  \
	VPADDD        Y6, Y5, Y4         \
	VCVTDQ2PS     Y4, Y4             \
	VEXTRACTF128  $1, Y4, X5         \
	VEXTRACTF32X4 $1, Y15, X6        \
	VFNMADD231PS  X6, X5, X8         \
	VFMADD231PS   X15, X4, X8

#define CONSTANTS \
	VPBROADCASTD    nibbles<>(SB), Z31     \
	VBROADCASTI32X4 early<>(SB), Z30       \
	VBROADCASTI32X4 late<>(SB), Z29        \
	VBROADCASTI32X4 shifts<>(SB), Z28      \
	VPBROADCASTD    sixteens<>(SB), Z27    \
	VMOVDQU64       where<>+0(SB), Z24     \
	VMOVDQU64       where<>+64(SB), Z25    \
	VMOVDQU64       where<>+128(SB), Z26   \
	VMOVDQU64       where<>+192(SB), Z10   \
	VMOVDQU32       halves<>(SB), X23      \
	VPBROADCASTD    sixBits<>(SB), Z22     \
	VPBROADCASTD    fourBits<>(SB), Z21

// func matvec4Q4_K_avx512vnni(y *float32, w *byte, rows int, q *int8, d *float32, s *int16, n int)
TEXT ·matvec4Q4_K_avx512vnni(SB), NOSPLIT, $0-56
	CONSTANTS
	ROWS(144)

block:
	SCALES
	ACTIVATIONS
	FETCH(0)
	ROW4((SI), Z24, Z16)
	FETCH(192)
	ROW4((SI)(R10*1), Z25, Z17)
	FETCH(384)
	ROW4((SI)(R10*2), Z26, Z18)
	ROW4((SI)(R12*1), Z10, Z19)
	FINISH
	NEXT(144)
	JNZ block
	END

// func matvec4Q5_K_avx512vnni(y *float32, w *byte, rows int, q *int8, d *float32, s *int16, n int)
TEXT ·matvec4Q5_K_avx512vnni(SB), NOSPLIT, $0-56
	CONSTANTS
	ROWS(176)

block:
	SCALES
	ACTIVATIONS
	FETCH(0)
	ROW5((SI), Z24, Z16)
	FETCH(192)
	ROW5((SI)(R10*1), Z25, Z17)
	FETCH(384)
	ROW5((SI)(R10*2), Z26, Z18)
	FETCH(576)
	ROW5((SI)(R12*1), Z10, Z19)
	FINISH
	NEXT(176)
	JNZ block
	END

// In IQ4_XS each group of 32 has its first 16 weights in the low halves of 16 bytes, the
// others in the high ones. Z0 and Z1 are the activations of the first 16 of groups 0-3
// and of the others, Z2 and Z3 those of groups 4-7. The weights are multiplied with 128
// added to them: Z20 and Z15 are what that adds for groups 0-3 and 4-7, negative.
#define ACTIVATIONS_XS \
	VMOVDQU64  (AX), Z4                \
	VMOVDQU64  128(AX), Z5             \
	VSHUFI32X4 $0x88, 64(AX), Z4, Z0   \
	VSHUFI32X4 $0xdd, 64(AX), Z4, Z1   \
	VSHUFI32X4 $0x88, 192(AX), Z5, Z2  \
	VSHUFI32X4 $0xdd, 192(AX), Z5, Z3  \
	VPXORD     Z4, Z4, Z4              \
	VPXORD     Z5, Z5, Z5              \
	VPXORD     Z6, Z6, Z6              \
	VPDPBUSD   Z0, Z29, Z4             \
	VPDPBUSD   Z2, Z29, Z5             \
	VPDPBUSD   Z1, Z29, Z4             \
	VPDPBUSD   Z3, Z29, Z5             \
	VPSUBD     Z4, Z6, Z20             \
	VPSUBD     Z5, Z6, Z15

// PICK_XS makes the scales of four groups of each row, a lane for each group: their low
// bits come from the second dword of the blocks, Z13, the upper ones from the first, Z9.
// Z11 has the scales of the blocks.
#define PICK_XS(low, high, out) \
	VPSRLVD     low, Z13, Z4          \
	VPSRLVD     high, Z9, out         \
	VPTERNLOGD  $0xd8, Z21, Z4, out   \ // Z4&Z21 | out&^Z21
	VPANDD      Z22, out, out         \
	VPSUBD      Z23, out, out         \
	VCVTDQ2PS   out, out              \
	VMULPS      Z11, out, out         \
	VMULPS.BCST (BX), out, out

// SCALES_XS leaves those of groups 0-3 in Z12 and of 4-7 in Z14.
#define SCALES_XS \
	VMOVDQU      (SI), X11                         \
	VINSERTI32X4 $1, (SI)(R10*1), Z11, Z11         \
	VINSERTI32X4 $2, (SI)(R10*2), Z11, Z11         \
	VINSERTI32X4 $3, (SI)(R12*1), Z11, Z11         \
	VPERMD       Z11, Z27, Z9                      \
	VPERMD       Z11, Z28, Z13                     \
	VPERMW       Z11, Z10, Z11                     \
	VCVTPH2PS    Y11, Z11                          \
	PICK_XS(lowXS<>+0(SB), highXS<>+0(SB), Z12)    \
	PICK_XS(lowXS<>+64(SB), highXS<>+64(SB), Z14)

#define HALF_XS(from, alow, ahigh, offset, out) \
	VMOVDQU64 from, Z4         \
	VMOVDQA64 offset, out      \
	HALVES(Z4)                 \
	VPSHUFB   Z4, Z30, Z4      \
	VPSHUFB   Z5, Z30, Z5      \
	VPDPBUSD  alow, Z4, out    \
	VPDPBUSD  ahigh, Z5, out

// ROW_XS leaves the products of groups 0-3 and 4-7, in four parts each.
#define ROW_XS(row, sum03, sum47) \
	HALF_XS(8 row, Z0, Z1, Z20, sum03) \
	HALF_XS(72 row, Z2, Z3, Z15, sum47)

// GROUPS_XS scales the products of four groups and adds them to the sums of the rows.
#define GROUPS_XS(row0, row1, row2, row3, scales, xscales) \
	ADDROWS(row0, row1, row2, row3)  \
	VCVTDQ2PS     Z4, Z4             \
	VFMADD231PS   xscales, X4, X8    \
	VEXTRACTF32X4 $1, Z4, X5         \
	VEXTRACTF32X4 $1, scales, X6     \
	VFMADD231PS   X6, X5, X8         \
	VEXTRACTF32X4 $2, Z4, X5         \
	VEXTRACTF32X4 $2, scales, X6     \
	VFMADD231PS   X6, X5, X8         \
	VEXTRACTF32X4 $3, Z4, X5         \
	VEXTRACTF32X4 $3, scales, X6     \
	VFMADD231PS   X6, X5, X8

// func matvec4IQ4_XS_avx512vnni(y *float32, w *byte, rows int, q *int8, d *float32, s *int16, n int)
TEXT ·matvec4IQ4_XS_avx512vnni(SB), NOSPLIT, $0-56
	VPBROADCASTD    nibbles<>(SB), Z31
	VBROADCASTI32X4 levelsXS<>(SB), Z30
	VPBROADCASTD    signs<>(SB), Z29
	VBROADCASTI32X4 secondsXS<>(SB), Z28
	VBROADCASTI32X4 firstsXS<>(SB), Z27
	VPBROADCASTQ    halves<>(SB), Z10
	VPBROADCASTD    thirtytwo<>(SB), Z23
	VPBROADCASTD    sixBitsXS<>(SB), Z22
	VPBROADCASTD    fourBitsXS<>(SB), Z21
	ROWS(136)

block:
	SCALES_XS
	ACTIVATIONS_XS
	FETCH(0)
	ROW_XS((SI), Z16, Z24)
	FETCH(192)
	ROW_XS((SI)(R10*1), Z17, Z25)
	FETCH(384)
	ROW_XS((SI)(R10*2), Z18, Z26)
	ROW_XS((SI)(R12*1), Z19, Z9)
	GROUPS_XS(Z16, Z17, Z18, Z19, Z12, X12)
	GROUPS_XS(Z24, Z25, Z26, Z9, Z14, X14)
	NEXT(136)
	JNZ block
	END

DATA nibbles<>+0(SB)/4, $0x0f0f0f0f
GLOBL nibbles<>(SB), RODATA|NOPTR, $4
DATA sixteens<>+0(SB)/4, $0x10101010
GLOBL sixteens<>(SB), RODATA|NOPTR, $4
DATA sixBits<>+0(SB)/4, $0x003f003f
GLOBL sixBits<>(SB), RODATA|NOPTR, $4
DATA fourBits<>+0(SB)/4, $0x000f000f
GLOBL fourBits<>(SB), RODATA|NOPTR, $4

// Bytes 4-11 of a block as words, and bytes 12-15, twice; the second time it is their
// higher halves that count.
DATA early<>+0(SB)/8, $0x8007800680058004
DATA early<>+8(SB)/8, $0x800b800a80098008
GLOBL early<>(SB), RODATA|NOPTR, $16
DATA late<>+0(SB)/8, $0x800f800e800d800c
DATA late<>+8(SB)/8, $0x800f800e800d800c
GLOBL late<>(SB), RODATA|NOPTR, $16
DATA shifts<>+0(SB)/8, $0
DATA shifts<>+8(SB)/8, $4
GLOBL shifts<>(SB), RODATA|NOPTR, $16

// The words of the four blocks' beginnings that are their scales.
DATA halves<>+0(SB)/8, $0x0018001000080000
DATA halves<>+8(SB)/8, $0x0019001100090001
GLOBL halves<>(SB), RODATA|NOPTR, $16

// Four lanes of four dwords, transposed.
#define LANE(name, at, i) \
	DATA name<>+at(SB)/8, $((i+4)<<32|i)           \
	DATA name<>+(at+8)(SB)/8, $((i+12)<<32|(i+8))

LANE(turn, 0, 0)
LANE(turn, 16, 1)
LANE(turn, 32, 2)
LANE(turn, 48, 3)
GLOBL turn<>(SB), RODATA|NOPTR, $64

// Where the scales of a row's groups go: those of the first two groups four times each,
// twice, then those of the others.
#define FOUR(at, i) \
	DATA where<>+at(SB)/8, $((i)<<48|(i)<<32|(i)<<16|(i))

#define WHERE(at, i) \
	FOUR(at, i)      \
	FOUR(at+8, i+1)  \
	FOUR(at+16, i)   \
	FOUR(at+24, i+1) \
	FOUR(at+32, i+2) \
	FOUR(at+40, i+3) \
	FOUR(at+48, i+2) \
	FOUR(at+56, i+3)

WHERE(0, 0)
WHERE(64, 8)
WHERE(128, 16)
WHERE(192, 24)
GLOBL where<>(SB), RODATA|NOPTR, $256

// By how much the fifth bits in the lower and the upper half of a register are shifted.
#define SHIFT(at, count) \
	DATA fifths<>+at(SB)/8, $count      \
	DATA fifths<>+(at+8)(SB)/8, $count  \
	DATA fifths<>+(at+16)(SB)/8, $count \
	DATA fifths<>+(at+24)(SB)/8, $count

SHIFT(0, 4)
SHIFT(32, 2)
SHIFT(64, 3)
SHIFT(96, 1)
SHIFT(128, 0)
SHIFT(160, 2)
SHIFT(192, 1)
SHIFT(224, 3)
GLOBL fifths<>(SB), RODATA|NOPTR, $256

DATA signs<>+0(SB)/4, $0x80808080
GLOBL signs<>(SB), RODATA|NOPTR, $4
DATA sixBitsXS<>+0(SB)/4, $0x0000003f
GLOBL sixBitsXS<>(SB), RODATA|NOPTR, $4
DATA fourBitsXS<>+0(SB)/4, $0x0000000f
GLOBL fourBitsXS<>(SB), RODATA|NOPTR, $4
DATA thirtytwo<>+0(SB)/4, $0x00000020
GLOBL thirtytwo<>(SB), RODATA|NOPTR, $4

// The levels of IQ4_XS, plus 128.
DATA levelsXS<>+0(SB)/8, $0x766a5d4f3f2d1801
DATA levelsXS<>+8(SB)/8, $0xf1d9c5b5a6998d81
GLOBL levelsXS<>(SB), RODATA|NOPTR, $16

// The first and the second dwords of the four blocks.
DATA firstsXS<>+0(SB)/8, $0x0000000400000000
DATA firstsXS<>+8(SB)/8, $0x0000000c00000008
GLOBL firstsXS<>(SB), RODATA|NOPTR, $16
DATA secondsXS<>+0(SB)/8, $0x0000000500000001
DATA secondsXS<>+8(SB)/8, $0x0000000d00000009
GLOBL secondsXS<>(SB), RODATA|NOPTR, $16

// By how much the scales of IQ4_XS are shifted.
#define SHIFTS(name, at, count) \
	DATA name<>+at(SB)/8, $(count<<32|count)     \
	DATA name<>+(at+8)(SB)/8, $(count<<32|count)

SHIFTS(lowXS, 0, 0)
SHIFTS(lowXS, 16, 4)
SHIFTS(lowXS, 32, 8)
SHIFTS(lowXS, 48, 12)
SHIFTS(lowXS, 64, 16)
SHIFTS(lowXS, 80, 20)
SHIFTS(lowXS, 96, 24)
SHIFTS(lowXS, 112, 28)
GLOBL lowXS<>(SB), RODATA|NOPTR, $128
SHIFTS(highXS, 0, 12)
SHIFTS(highXS, 16, 14)
SHIFTS(highXS, 32, 16)
SHIFTS(highXS, 48, 18)
SHIFTS(highXS, 64, 20)
SHIFTS(highXS, 80, 22)
SHIFTS(highXS, 96, 24)
SHIFTS(highXS, 112, 26)
GLOBL highXS<>(SB), RODATA|NOPTR, $128
