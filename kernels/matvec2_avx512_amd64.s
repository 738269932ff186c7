#include "textflag.h"

// Products of quantized weights of 32 per block with one vector of activations, for
// AVX-512 VNNI, two rows at a time: few streams are what memory is fastest at. Sixteen
// blocks of each row become exact integers at once. They are scaled and added up block
// after block, as the bodies for several vectors do (matvec_avx512_amd64.s), so that the
// bits are the same. Each addition waits for the one before it: that is why there are two
// rows, and why sixteen blocks are added while the next sixteen are multiplied.
//
// Registers:
//	SI, R9     blocks of the two rows    R8 rows left    R10 bytes of a row
//	AX, BX, DX q, d, s at the block      CX blocks left  R15 not 0 at the first ones of a row
//	R11        y of the rows that are being added up, R13 of those that are being multiplied
//	DI         what waits to be added: sums of sixteen blocks and, 128 bytes on, their
//	           scales, those of the two rows side by side, in the order of INTERLEAVE
//	R12        scratch
//	X8         sums of the two rows
//	Z0-Z7      products          Z16, Z17 sums of sixteen blocks of the rows, Z18, Z19 their scales
//	Z20        sums of activations       Z22, Z23 scales of the weights
//	Z9-Z15     scratch
//	Z24        where the weights are     Z25 where the scales are    Z30 where the sums are
//	Z26        what is multiplied with the sums of activations       Z29 mask    Z31 ones
//	K1-K3      where in Z22 and Z23 the second to fourth scales that are gathered go
//	K4         the blocks that count

// AHEAD is how far ahead of the blocks memory is prefetched. The processor follows the
// streams by itself, but not as far as it takes to read and multiply at the same time.
#define AHEAD 8192

// ADD adds a block to the sums of both rows.
#define ADD(at) \
	VMOVSD      at(DI), X11       \
	VMOVSD      (at+128)(DI), X12 \
	VFMADD231PS X12, X11, X8

// ADD4 adds the blocks 4*i to 4*i+3.
#define ADD4(i) \
	ADD(16*i)    \
	ADD(16*i+8)  \
	ADD(16*i+64) \
	ADD(16*i+72)

#define INTERLEAVE \
	VUNPCKLPS Z17, Z16, Z0 \
	VUNPCKHPS Z17, Z16, Z1 \
	VUNPCKLPS Z19, Z18, Z2 \
	VUNPCKHPS Z19, Z18, Z3 \
	VMOVUPS   Z0, (DI)     \
	VMOVUPS   Z1, 64(DI)   \
	VMOVUPS   Z2, 128(DI)  \
	VMOVUPS   Z3, 192(DI)

// BLOCKS is the loop over blocks and rows. MULTIPLY multiplies sixteen blocks and adds
// those before them. What is left at the end of a row is less: then the last sixteen are
// multiplied, and those count that were not before.
#define BLOCKS(MULTIPLY, bytes) \
	LEAQ       waiting-384(SP), DI \
	ADDQ       $63, DI             \
	ANDQ       $-64, DI            \
	MOVQ       w+8(FP), SI         \
	MOVQ       rows+16(FP), R8     \
	MOVQ       n+48(FP), R10       \
	SHRQ       $5, R10             \
	IMUL3Q     $bytes, R10, R10    \
	LEAQ       256(DI), R11        \ // for the sums before the first row
	MOVQ       y+0(FP), R13        \
	VXORPS     X8, X8, X8          \
	VXORPS     X0, X0, X0          \
	VMOVUPS    Z0, (DI)            \
	VMOVUPS    Z0, 64(DI)          \
	VMOVUPS    Z0, 128(DI)         \
	VMOVUPS    Z0, 192(DI)         \
	KXNORW     K4, K4, K4          \
row:                             \
	LEAQ       (SI)(R10*1), R9     \
	CMPQ       R8, $1              \
	CMOVQEQ    SI, R9              \ // the last of an odd number, twice
	MOVQ       q+24(FP), AX        \
	MOVQ       d+32(FP), BX        \
	MOVQ       s+40(FP), DX        \
	MOVQ       n+48(FP), CX        \
	SHRQ       $5, CX              \
	MOVQ       CX, R15             \
blocks:                          \
	CMPQ       CX, $16             \
	JLT        tail                \
multiply:                        \
	VPMOVSXWD  (DX), Z20           \
	MULTIPLY                       \
	INTERLEAVE                     \
	ADDQ       $(16*bytes), SI     \
	ADDQ       $(16*bytes), R9     \
	ADDQ       $512, AX            \
	ADDQ       $64, BX             \
	ADDQ       $32, DX             \
	TESTQ      R15, R15            \
	JZ         next                \
	VMOVSD     X8, (R11)           \
	VXORPS     X8, X8, X8          \
	MOVQ       R13, R11            \
	ADDQ       $8, R13             \
	XORL       R15, R15            \
next:                            \
	SUBQ       $16, CX             \
	JG         blocks              \
	KXNORW     K4, K4, K4          \
	MOVQ       R9, SI              \
	SUBQ       $2, R8              \
	JG         row                 \
	ADD4(0)                        \
	ADD4(1)                        \
	ADD4(2)                        \
	ADD4(3)                        \
	TESTQ      R8, R8              \
	JNE        one                 \
	VMOVSD     X8, (R11)           \
	VZEROUPPER                     \
	RET                            \
one:                             \
	VMOVSS     X8, (R11)           \
	VZEROUPPER                     \
	RET                            \
tail:                            \
	MOVL       $0xffff, R12        \
	SHLL       CX, R12             \
	NOTL       R12                 \
	SUBQ       $16, CX             \
	NEGQ       CX                  \ // the blocks that do not count
	SHLL       CX, R12             \
	KMOVW      R12, K4             \
	IMUL3Q     $bytes, CX, R12     \
	SUBQ       R12, SI             \
	SUBQ       R12, R9             \
	SHLQ       $1, CX              \
	SUBQ       CX, DX              \
	SHLQ       $1, CX              \
	SUBQ       CX, BX              \
	SHLQ       $3, CX              \
	SUBQ       CX, AX              \
	XORL       CX, CX              \
	JMP        multiply

// SCALE takes away from sums what the offset of the weights adds to them, makes floats
// of them, and makes scales of halves, which are those of the weights.
#define SCALE(sums, halves, scales) \
	VPERMD        sums, Z30, sums          \
	VPDPWSSD      Z26, Z20, sums           \
	VCVTPH2PS     halves, scales           \
	VCVTDQ2PS.Z   sums, K4, sums           \
	VMULPS.Z      (BX), scales, K4, scales

// SCALES makes the words K1-K3 select.
#define SCALES(one, two, three) \
	MOVL  $one, R12   \
	KMOVW R12, K1     \
	MOVL  $two, R12   \
	KMOVW R12, K2     \
	MOVL  $three, R12 \
	KMOVW R12, K3

// TWO8 multiplies two blocks of Q8_0.
#define TWO8(row, i, product) \
	PREFETCHT1   (64*i+AHEAD)(row)           \
	VMOVDQU      (68*i+2)(row), Y9           \
	VINSERTI64X4 $1, (68*i+36)(row), Z9, Z9  \
	VPXORD       Z29, Z9, Z9                 \ // adds 128
	VPXORD       product, product, product   \
	VPDPBUSD     (64*i)(AX), Z9, product

// SCALES8 gathers the scales of eight blocks.
#define SCALES8(row, at, scales) \
	VMOVDQU64 at(row), Z9         \
	VMOVDQU64 (at+68)(row), Z10   \
	VMOVDQU64 (at+136)(row), Z11  \
	VMOVDQU64 (at+204)(row), Z12  \
	VPERMW    Z9, Z25, scales     \
	VPERMW    Z10, Z25, K1, scales \
	VPERMW    Z11, Z25, K2, scales \
	VPERMW    Z12, Z25, K3, scales

// ADJACENT adds what UNPACKLOW and UNPACKHIGH pair of a and b.
#define ADJACENT(UNPACKLOW, UNPACKHIGH, a, b) \
	UNPACKLOW  b, a, Z9   \
	UNPACKHIGH b, a, Z10  \
	VPADDD     Z10, Z9, a

// SUM8 adds up the products of sixteen blocks, eight in each of the two halves.
#define SUM8(sums) \
	ADJACENT(VPUNPCKLDQ, VPUNPCKHDQ, Z0, Z1)   \
	ADJACENT(VPUNPCKLDQ, VPUNPCKHDQ, Z2, Z3)   \
	ADJACENT(VPUNPCKLDQ, VPUNPCKHDQ, Z4, Z5)   \
	ADJACENT(VPUNPCKLDQ, VPUNPCKHDQ, Z6, Z7)   \
	ADJACENT(VPUNPCKLQDQ, VPUNPCKHQDQ, Z0, Z2) \
	ADJACENT(VPUNPCKLQDQ, VPUNPCKHQDQ, Z4, Z6) \
	VSHUFI64X2 $0x88, Z4, Z0, Z9               \
	VSHUFI64X2 $0xdd, Z4, Z0, Z10              \
	VPADDD     Z10, Z9, sums

#define ROW8(row, sums, scales, i) \
	TWO8(row, 0, Z0)               \
	ADD(16*i)                      \
	TWO8(row, 1, Z1)               \
	ADD(16*i+8)                    \
	TWO8(row, 2, Z2)               \
	ADD(16*i+64)                   \
	TWO8(row, 3, Z3)               \
	ADD(16*i+72)                   \
	TWO8(row, 4, Z4)               \
	ADD(16*i+16)                   \
	TWO8(row, 5, Z5)               \
	ADD(16*i+24)                   \
	TWO8(row, 6, Z6)               \
	ADD(16*i+80)                   \
	TWO8(row, 7, Z7)               \
	ADD(16*i+88)                   \
	PREFETCHT1 (512+AHEAD)(row)    \
	SCALES8(row, 0, Z23)           \
	SCALES8(row, 272, Z22)         \
	SUM8(sums)                     \
	VINSERTI32X4 $1, X22, Y23, Y23 \
	SCALE(sums, Y23, scales)

#define Q8_0 \
	ROW8(SI, Z16, Z18, 0) \
	ROW8(R9, Z17, Z19, 2)

// func matvec2Q8_0_avx512vnni(y *float32, w *byte, rows int, q *int8, d *float32, s *int16, n int)
TEXT ·matvec2Q8_0_avx512vnni(SB), NOSPLIT, $384-56
	VPBROADCASTD signs<>(SB), Z29
	VPBROADCASTD less128<>(SB), Z26
	VPBROADCASTD scales8<>(SB), Z25
	VMOVDQU64    order8<>(SB), Z30
	SCALES(0x0c, 0x30, 0xc0)
	BLOCKS(Q8_0, 34)

// ROW4 multiplies four blocks of Q4_0 with the activations of their low halves in Z15
// and of their high ones in Z14. Z9 holds the words when GATHER makes scales of them.
#define ROW4(row, at, product, GATHER) \
	PREFETCHT1 (at+AHEAD)(row)            \
	VMOVDQU64  at(row), Z9                \
	VMOVQ      (at+64)(row), X10          \
	GATHER                                \
	VPERMT2W   Z10, Z24, Z9               \
	VPSRLW     $4, Z9, Z10                \
	VPANDD     Z29, Z9, Z9                \
	VPANDD     Z29, Z10, Z10              \
	VPXORD     product, product, product  \
	VPDPBUSD   Z15, Z9, product           \
	VPDPBUSD   Z14, Z10, product

// FOUR4 multiplies four blocks of both rows, and adds the four that were in their place.
#define FOUR4(i, a, b, GATHERA, GATHERB) \
	VMOVDQU64  (128*i)(AX), Z13                 \
	VSHUFI64X2 $0x88, (128*i+64)(AX), Z13, Z15  \
	VSHUFI64X2 $0xdd, (128*i+64)(AX), Z13, Z14  \
	ROW4(SI, 72*i, a, GATHERA)                  \
	ADD(16*i)                                   \
	ADD(16*i+8)                                 \
	ROW4(R9, 72*i, b, GATHERB)                  \
	ADD(16*i+64)                                \
	ADD(16*i+72)

#define GATHER4(scales) VPERMW Z9, Z25, scales
#define GATHER4K(k, scales) VPERMW Z9, Z25, k, scales

// SUM4 adds up the products of sixteen blocks, four in each of a to d. What is packed
// are sums of at most 16 products of 15 and 127.
#define SUM4(a, b, c, d, sums) \
	VPACKSSDW b, a, a      \
	VPACKSSDW d, c, c      \
	VPMADDWD  Z31, a, a    \
	VPMADDWD  Z31, c, c    \
	VPACKSSDW c, a, a      \
	VPMADDWD  Z31, a, sums

#define Q4_0 \
	FOUR4(0, Z0, Z4, GATHER4(Z23), GATHER4(Z22))           \
	FOUR4(1, Z1, Z5, GATHER4K(K1, Z23), GATHER4K(K1, Z22)) \
	FOUR4(2, Z2, Z6, GATHER4K(K2, Z23), GATHER4K(K2, Z22)) \
	FOUR4(3, Z3, Z7, GATHER4K(K3, Z23), GATHER4K(K3, Z22)) \
	PREFETCHT1 (280+AHEAD)(SI)                             \
	PREFETCHT1 (280+AHEAD)(R9)                             \
	SUM4(Z0, Z1, Z2, Z3, Z16)                              \
	SUM4(Z4, Z5, Z6, Z7, Z17)                              \
	SCALE(Z16, Y23, Z18)                                   \
	SCALE(Z17, Y22, Z19)

// func matvec2Q4_0_avx512vnni(y *float32, w *byte, rows int, q *int8, d *float32, s *int16, n int)
TEXT ·matvec2Q4_0_avx512vnni(SB), NOSPLIT, $384-56
	VPBROADCASTD nibbles<>(SB), Z29
	VPBROADCASTD less8<>(SB), Z26
	VPBROADCASTD ones<>(SB), Z31
	VPBROADCASTQ scales4<>(SB), Z25
	VMOVDQU64    words<>(SB), Z24
	VMOVDQU64    order4<>(SB), Z30
	SCALES(0x00f0, 0x0f00, 0xf000)
	BLOCKS(Q4_0, 18)

DATA nibbles<>+0(SB)/4, $0x0f0f0f0f
GLOBL nibbles<>(SB), RODATA|NOPTR, $4
DATA signs<>+0(SB)/4, $0x80808080
GLOBL signs<>(SB), RODATA|NOPTR, $4
DATA ones<>+0(SB)/4, $0x00010001
GLOBL ones<>(SB), RODATA|NOPTR, $4

// The offsets of the weights.
DATA less8<>+0(SB)/4, $0x0000fff8
GLOBL less8<>(SB), RODATA|NOPTR, $4
DATA less128<>+0(SB)/4, $0x0000ff80
GLOBL less128<>(SB), RODATA|NOPTR, $4

// The words of two blocks of Q8_0, and of four of Q4_0, that are their scales.
DATA scales8<>+0(SB)/4, $0x00110000
GLOBL scales8<>(SB), RODATA|NOPTR, $4
DATA scales4<>+0(SB)/8, $0x001b001200090000
GLOBL scales4<>(SB), RODATA|NOPTR, $8

// The words of four blocks of Q4_0 that are their weights.
#define WORDS(at, i) \
	DATA words<>+at(SB)/8, $((i+3)<<48|(i+2)<<32|(i+1)<<16|i)          \
	DATA words<>+(at+8)(SB)/8, $((i+7)<<48|(i+6)<<32|(i+5)<<16|(i+4))

WORDS(0, 1)
WORDS(16, 10)
WORDS(32, 19)
WORDS(48, 28)
GLOBL words<>(SB), RODATA|NOPTR, $64

// Where SUM8 and SUM4 leave the sums of the blocks.

#define ORDER8(at, i) \
	DATA order8<>+at(SB)/8, $((i+4)<<32|i)           \
	DATA order8<>+(at+8)(SB)/8, $((i+5)<<32|(i+1))

ORDER8(0, 0)
ORDER8(16, 2)
ORDER8(32, 8)
ORDER8(48, 10)
GLOBL order8<>(SB), RODATA|NOPTR, $64

#define ORDER4(at, i) \
	DATA order4<>+at(SB)/8, $((i+4)<<32|i)           \
	DATA order4<>+(at+8)(SB)/8, $((i+12)<<32|(i+8))

ORDER4(0, 0)
ORDER4(16, 1)
ORDER4(32, 2)
ORDER4(48, 3)
GLOBL order4<>(SB), RODATA|NOPTR, $64
