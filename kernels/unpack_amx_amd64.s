#include "textflag.h"
#include "asm_amx_amd64.h"

// Weights to bfloat16, into panels (see prompt_amx_amd64.go).
//
// Registers in all of them:
//	DI row of the panel, step  SI next block of the row
//	R8 rows left               R9 bytes between rows of weights
//	DX values per row          CX values left in the row
//	R10 first step of the row  R11 first block of the row
//	R12 64 bytes of memory behind the panel
// Of the weights, those eight rows further on are prefetched: a row is too short
// for the processor to notice a sequence.
#define PANEL 32768 // bytes of the panel of a quantized type

#define ARGUMENTS \
	MOVQ panel_base+0(FP), R10 \
	MOVQ w_base+24(FP), R11    \
	MOVQ rowBytes+48(FP), R9   \
	MOVQ rows+56(FP), R8       \
	MOVQ k+64(FP), DX          \
	LEAQ PANEL(R10), R12

#define ROW \
	MOVQ R10, DI \
	MOVQ R11, SI \
	MOVQ DX, CX

#define PREFETCH PREFETCHT0 (SI)(R9*8)

#define NEXT_ROW \
	ADDQ $64, R10 \
	ADDQ R9, R11  \
	DECQ R8       \
	JNZ  row      \
	VZEROUPPER    \
	RET

// MASKS sets K2 and K3 to the values of the step. At the end of a row it may
// have less than 32.
#define MASKS \
	KXNORW K2, K2, K2 \
	KXNORW K3, K3, K3 \
	CMPQ   CX, $32 \
	JGE    whole   \
	MOVL   $1, AX  \
	SHLL   CX, AX  \
	DECL   AX      \
	KMOVW  AX, K2  \
	SHRL   $16, AX \
	KMOVW  AX, K3  \
whole:

// SPLIT stores the 32 floats in Z0 and Z1 as the sum of two bfloat16 numbers.
#define SPLIT \
	VCVTNE2PS2BF16(0, 1, 2)    \
	VMOVDQU64     Z2, (DI)     \
	VPMOVZXWD     Y2, Z3       \
	VEXTRACTI64X4 $1, Z2, Y2   \
	VPMOVZXWD     Y2, Z2       \
	VPSLLD        $16, Z3, Z3  \
	VPSLLD        $16, Z2, Z2  \
	VSUBPS        Z3, Z0, Z0   \
	VSUBPS        Z2, Z1, Z1   \
	VCVTNE2PS2BF16(0, 1, 2)    \
	VMOVDQU64     Z2, 2048(DI)

// func unpackF32_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackF32_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
row:
	ROW
step:
	MASKS
	PREFETCH
	PREFETCHT0 64(SI)(R9*8)
	VMOVUPS.Z (SI), K2, Z0
	VMOVUPS.Z 64(SI), K3, Z1
	SPLIT
	ADDQ $128, SI
	ADDQ $4096, DI
	SUBQ $32, CX
	JGT  step
	NEXT_ROW

// func unpackF16_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackF16_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
row:
	ROW
step:
	MASKS
	PREFETCH
	VCVTPH2PS.Z (SI), K2, Z0
	VCVTPH2PS.Z 32(SI), K3, Z1
	SPLIT
	ADDQ $64, SI
	ADDQ $4096, DI
	SUBQ $32, CX
	JGT  step
	NEXT_ROW

// func unpackBF16_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackBF16_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
row:
	ROW
step:
	PREFETCH
	KXNORD K2, K2, K2
	CMPQ   CX, $32
	JGE    whole
	MOVL   $1, AX
	SHLL   CX, AX
	DECL   AX
	KMOVD  AX, K2
whole:
	VMOVDQU16.Z (SI), K2, Z0
	VMOVDQU64   Z0, (DI)
	ADDQ $64, SI
	ADDQ $2048, DI
	SUBQ $32, CX
	JGT  step
	NEXT_ROW

// Types of at most 32 different weights per scale: these, rounded, are a table
// that the quantized values index. VPERMW looks 32 of them up.

// NIBBLES32 makes indices of the 16 bytes at w: the low nibbles, then the high
// ones, each in the low half of the first byte of a word. High halves of that
// byte are left over.
#define NIBBLES32(w, z) \
	VBROADCASTI32X4 w(SI), z  \
	VPERMB          z, Z30, z \
	VPSRLVW         Z29, z, z

#define NIBBLES32_CONSTANTS \
	VMOVDQU64    bytesToWords<>(SB), Z30 \
	VMOVDQU64    highNibbles<>(SB), Z29  \
	VPBROADCASTD lowNibbles<>(SB), Z28   \
	VPXORD       Z26, Z26, Z26           \
	VPBROADCASTD secondTable<>(SB), Z27

// LOOKUP32 stores the 32 weights at w: the indices into half a table, of which
// second tells which half, and the table in Z1.
#define LOOKUP32(w, disp, second) \
	NIBBLES32(w, Z2)                      \
	VPTERNLOGD $0xEA, second, Z28, Z2     \
	VPERMW     Z1, Z2, Z2                 \
	VMOVDQU64  Z2, disp(DI)

// PAIRS is the loop over rows of blocks of 32. TABLE puts the 16 weights of the
// block at w into a register; two blocks share the conversion to bfloat16.
#define PAIRS(TABLE, bytes, weights) \
row:                          \
	ROW                   \
	SUBQ $64, CX          \
	JLT  last             \
pair:                         \
	PREFETCH              \
	TABLE(0, Z0, Y0)      \
	TABLE(bytes, Z1, Y1)  \
	VCVTNE2PS2BF16(0, 1, 1) \
	LOOKUP32(weights, 0, Z26) \
	LOOKUP32(bytes+weights, 2048, Z27) \
	ADDQ $(2*bytes), SI   \
	ADDQ $4096, DI        \
	SUBQ $64, CX          \
	JGE  pair             \
last:                         \
	CMPQ CX, $-64         \
	JEQ  done             \
	TABLE(0, Z0, Y0)      \
	VCVTNE2PS2BF16(0, 0, 1) \
	LOOKUP32(weights, 0, Z26) \
done:                         \
	NEXT_ROW

// A binary16 scale times the levels in Z31.
#define TABLE_SCALE(w, z, y) \
	VPBROADCASTW w(SI), y \
	VCVTPH2PS    y, z     \
	VMULPS       Z31, z, z

// func unpackQ4_0_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackQ4_0_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
	NIBBLES32_CONSTANTS
	VMOVUPS levelsQ4_0<>(SB), Z31
	PAIRS(TABLE_SCALE, 18, 2)

// func unpackIQ4_NL_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackIQ4_NL_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
	NIBBLES32_CONSTANTS
	VMOVUPS levelsIQ4<>(SB), Z31
	PAIRS(TABLE_SCALE, 18, 2)

// The scale of MXFP4 is the exponent of a float.
#define TABLE_MXFP4(w, z, y) \
	VPBROADCASTB w(SI), z  \
	VPSLLD       $24, z, z \
	VPSRLD       $1, z, z  \
	VMULPS       Z31, z, z

// func unpackMXFP4_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackMXFP4_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
	NIBBLES32_CONSTANTS
	VMOVUPS levelsFP4<>(SB), Z31
	PAIRS(TABLE_MXFP4, 17, 1)

// Scale and minimum, the levels are 0-15.
#define TABLE_Q4_1(w, z, y) \
	TABLE_SCALE(w, z, y)          \
	VPBROADCASTW (w+2)(SI), Y3    \
	VCVTPH2PS    Y3, Z3           \
	VADDPS       Z3, z, z

// func unpackQ4_1_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackQ4_1_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
	NIBBLES32_CONSTANTS
	VMOVUPS levels<>(SB), Z31
	PAIRS(TABLE_Q4_1, 20, 4)

// BLOCKS5 is the loop over rows of blocks of 32 weights of 5 bits, whose table
// is full. TABLE puts its halves into Z0 and Z1; the fifth bits are at high.
#define BLOCKS5(TABLE, bytes, high, weights) \
row:                                  \
	ROW                           \
block:                                \
	PREFETCH                      \
	TABLE                         \
	VCVTNE2PS2BF16(0, 1, 1)       \
	NIBBLES32(weights, Z2)        \
	VPANDD    Z28, Z2, Z2         \
	KMOVD     high(SI), K1        \
	VPADDW    Z27, Z2, K1, Z2     \
	VPERMW    Z1, Z2, Z2          \
	VMOVDQU64 Z2, (DI)            \
	ADDQ $bytes, SI               \
	ADDQ $2048, DI                \
	SUBQ $32, CX                  \
	JGT  block                    \
	NEXT_ROW

#define TABLE_Q5_0 \
	VPBROADCASTW (SI), Y0    \
	VCVTPH2PS    Y0, Z1      \
	VMULPS       Z31, Z1, Z0 \
	VMULPS       Z25, Z1, Z1

// func unpackQ5_0_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackQ5_0_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
	NIBBLES32_CONSTANTS
	VMOVUPS levelsNegative<>(SB), Z31
	VMOVUPS levels<>(SB), Z25
	BLOCKS5(TABLE_Q5_0, 22, 2, 6)

#define TABLE_Q5_1 \
	TABLE_Q5_0               \
	VPBROADCASTW 2(SI), Y2   \
	VCVTPH2PS    Y2, Z2      \
	VADDPS       Z2, Z0, Z0  \
	VADDPS       Z2, Z1, Z1

// func unpackQ5_1_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackQ5_1_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
	NIBBLES32_CONSTANTS
	VMOVUPS levels<>(SB), Z31
	VMOVUPS levels16<>(SB), Z25
	BLOCKS5(TABLE_Q5_1, 24, 4, 8)

// Q8_0 has too many values for a table.

// func unpackQ8_0_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackQ8_0_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
row:
	ROW
block:
	PREFETCH
	VPBROADCASTW (SI), Y0
	VPMOVSXBD    2(SI), Z1
	VPMOVSXBD    18(SI), Z2
	VCVTPH2PS    Y0, Z0
	VCVTDQ2PS    Z1, Z1
	VCVTDQ2PS    Z2, Z2
	VMULPS       Z0, Z1, Z1
	VMULPS       Z0, Z2, Z2
	VCVTNE2PS2BF16(1, 2, 1)
	VMOVDQU64    Z1, (DI)
	ADDQ $34, SI
	ADDQ $2048, DI
	SUBQ $32, CX
	JGT  block
	NEXT_ROW

// Types with 256 weights per block. The scales of its groups, as floats, are
// stored at (R12), from where they can be broadcast.

// SCALES_Q4_K stores the 8 scales and 8 minimums of Q4_K and Q5_K.
#define SCALES_Q4_K \
	VMOVDQU   (SI), X0         \
	VPSHUFB   X31, X0, X1      \
	VPSHUFB   X30, X0, X2      \
	VPSRLVD   X29, X1, X1      \
	VPSRLVD   X28, X2, X2      \
	VPANDD    X27, X1, X1      \
	VPANDD    X26, X2, X2      \
	VPOR      X2, X1, X1       \
	VCVTPH2PS X0, X0           \
	VPMOVZXBD X1, Z1           \
	VPERMPS   Z0, Z25, Z0      \
	VCVTDQ2PS Z1, Z1           \
	VMULPS    Z0, Z1, Z1       \
	VMOVUPS   Z1, (R12)

#define SCALES_Q4_K_CONSTANTS \
	VMOVDQU32 scalesQ4_K<>+0(SB), X31  \
	VMOVDQU32 scalesQ4_K<>+16(SB), X30 \
	VMOVDQU32 scalesQ4_K<>+32(SB), X29 \
	VMOVDQU32 scalesQ4_K<>+48(SB), X28 \
	VMOVDQU32 scalesQ4_K<>+64(SB), X27 \
	VMOVDQU32 scalesQ4_K<>+80(SB), X26 \
	VMOVDQU64 firstThenSecond<>(SB), Z25 \
	VMOVUPS      levels<>(SB), Z24     \
	VPBROADCASTD lowNibbles<>(SB), Z23 \
	VPBROADCASTD secondTable<>(SB), Z22

// Two groups of Q4_K, number g and g+1.
#define GROUPS_Q4_K(g) \
	VPMOVZXBW   (16+g*16)(SI), Z3          \
	VMULPS.BCST (g*4)(R12), Z24, Z0        \
	VMULPS.BCST (g*4+4)(R12), Z24, Z1      \
	VSUBPS.BCST (g*4+32)(R12), Z0, Z0      \
	VSUBPS.BCST (g*4+36)(R12), Z1, Z1      \
	VPSRLW      $4, Z3, Z4                 \
	VCVTNE2PS2BF16(0, 1, 1)                \
	VPANDD      Z23, Z3, Z3                \
	VPORD       Z22, Z4, Z4                \
	VPERMW      Z1, Z3, Z3                 \
	VPERMW      Z1, Z4, Z4                 \
	VMOVDQU64   Z3, (g*2048)(DI)           \
	VMOVDQU64   Z4, (g*2048+2048)(DI)

// BLOCKS256 is the loop over rows of blocks of 256.
#define BLOCKS256(BLOCK, bytes) \
row:                     \
	ROW              \
block:                   \
	PREFETCHT0 (SI)(R9*8)    \
	PREFETCHT0 64(SI)(R9*8)  \
	PREFETCHT0 128(SI)(R9*8) \
	BLOCK            \
	ADDQ $bytes, SI  \
	ADDQ $16384, DI  \
	SUBQ $256, CX    \
	JGT  block       \
	NEXT_ROW

#define BLOCK_Q4_K \
	SCALES_Q4_K    \
	GROUPS_Q4_K(0) \
	GROUPS_Q4_K(2) \
	GROUPS_Q4_K(4) \
	GROUPS_Q4_K(6)

// func unpackQ4_K_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackQ4_K_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
	SCALES_Q4_K_CONSTANTS
	BLOCKS256(BLOCK_Q4_K, 144)

// A group of Q5_K, number g: the table in Z1, the indices made of the nibbles in
// q and of bit g of the words in Z5, which SHIFT by s brings to bit 4.
#define GROUP_Q5_K(g, q, SHIFT, s) \
	VMULPS.BCST (g*4)(R12), Z24, Z0    \
	VMULPS.BCST (g*4)(R12), Z21, Z1    \
	VSUBPS.BCST (g*4+32)(R12), Z0, Z0  \
	VSUBPS.BCST (g*4+32)(R12), Z1, Z1  \
	SHIFT       $s, Z5, Z2             \
	VCVTNE2PS2BF16(0, 1, 1)            \
	VPTERNLOGD  $0xE4, Z23, Z2, q      \
	VPERMW      Z1, q, q               \
	VMOVDQU64   q, (g*2048)(DI)

#define GROUPS_Q5_K(g, SHIFT, s, SHIFT2, s2) \
	VPMOVZXBW (48+g*16)(SI), Z3 \
	VPSRLW    $4, Z3, Z4        \
	GROUP_Q5_K(g, Z3, SHIFT, s) \
	GROUP_Q5_K((g+1), Z4, SHIFT2, s2)

#define BLOCK_Q5_K \
	SCALES_Q4_K                             \
	VPMOVZXBW 16(SI), Z5                    \
	GROUPS_Q5_K(0, VPSLLW, 4, VPSLLW, 3)    \
	GROUPS_Q5_K(2, VPSLLW, 2, VPSLLW, 1)    \
	GROUPS_Q5_K(4, VPSRLW, 0, VPSRLW, 1)    \
	GROUPS_Q5_K(6, VPSRLW, 2, VPSRLW, 3)

// func unpackQ5_K_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackQ5_K_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
	SCALES_Q4_K_CONSTANTS
	VMOVUPS levels16<>(SB), Z21
	BLOCKS256(BLOCK_Q5_K, 176)

// Two groups of 16 weights of Q6_K: number g has its quantized values at q
// behind (R12).
#define GROUPS_Q6_K(g, q) \
	VPMOVSXBD   (64+q)(R12), Z0           \
	VPMOVSXBD   (64+q+16)(R12), Z1        \
	VCVTDQ2PS   Z0, Z0                    \
	VCVTDQ2PS   Z1, Z1                    \
	VMULPS.BCST (g*4)(R12), Z0, Z0        \
	VMULPS.BCST (g*4+4)(R12), Z1, Z1      \
	VCVTNE2PS2BF16(0, 1, 1)               \
	VMOVDQU64   Z1, (g*1024)(DI)

// Half a block, number h: four runs of 32, of which the first two have the low
// and the others the high nibbles. Z30 and Z29 bring the upper bits of two runs
// each to bits 4 and 5.
#define HALF_Q6_K(h) \
	VMOVDQU64       (h*64)(SI), Z0      \
	VBROADCASTI64X4 (128+h*32)(SI), Z1  \
	VPSLLVW         Z30, Z1, Z2         \
	VPSRLVW         Z29, Z1, Z3         \
	VPSRLW          $4, Z0, Z1          \
	VPTERNLOGD      $0xE4, Z28, Z2, Z0  \
	VPTERNLOGD      $0xE4, Z28, Z3, Z1  \
	VPANDD          Z27, Z0, Z0         \
	VPANDD          Z27, Z1, Z1         \
	VPSUBB          Z26, Z0, Z0         \
	VPSUBB          Z26, Z1, Z1         \
	VMOVDQU64       Z0, (64+h*128)(R12) \
	VMOVDQU64       Z1, (128+h*128)(R12) \
	GROUPS_Q6_K((h*8), (h*128))         \
	GROUPS_Q6_K((h*8+2), (h*128+32))    \
	GROUPS_Q6_K((h*8+4), (h*128+64))    \
	GROUPS_Q6_K((h*8+6), (h*128+96))

#define BLOCK_Q6_K \
	VPMOVSXBD    192(SI), Z0 \
	VPBROADCASTW 208(SI), Y1 \
	VCVTDQ2PS    Z0, Z0      \
	VCVTPH2PS    Y1, Z1      \
	VMULPS       Z1, Z0, Z0  \
	VMOVUPS      Z0, (R12)   \
	HALF_Q6_K(0)             \
	HALF_Q6_K(1)

// func unpackQ6_K_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackQ6_K_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
	VMOVDQU64    shiftsQ6_K<>+0(SB), Z30
	VMOVDQU64    shiftsQ6_K<>+64(SB), Z29
	VPBROADCASTD byteMasks<>+0(SB), Z28
	VPBROADCASTD byteMasks<>+4(SB), Z27
	VPBROADCASTD byteMasks<>+8(SB), Z26
	BLOCKS256(BLOCK_Q6_K, 210)

// TABLE_Q3_K puts the weights of groups g and g+1 into z, 8 each.
#define TABLE_Q3_K(g, z) \
	VBROADCASTSS (g*4)(R12), z       \
	VBROADCASTSS (g*4+4)(R12), K1, z \
	VMULPS       Z31, z, z

// RUN_Q3_K looks up run r of 32 weights. Z4 has the lower bits as words, Z5 the
// third ones, which SHIFT by s brings to bit 2; part has the groups' places in
// the table.
#define RUN_Q3_K(r, SHIFT, s, part) \
	VPSRLW     $(r%4*2), Z4, Z2       \
	SHIFT      $s, Z5, Z3             \
	VPTERNLOGD $0xE4, Z30, Z3, Z2     \
	VPTERNLOGD $0xEA, part, Z29, Z2   \
	VPERMW     Z1, Z2, Z2             \
	VMOVDQU64  Z2, (r*2048)(DI)

#define RUNS_Q3_K(r, SHIFT, s, SHIFT2, s2) \
	TABLE_Q3_K((r*2), Z0)     \
	TABLE_Q3_K((r*2+2), Z1)   \
	VCVTNE2PS2BF16(0, 1, 1)   \
	RUN_Q3_K(r, SHIFT, s, Z28) \
	RUN_Q3_K((r+1), SHIFT2, s2, Z27)

#define BLOCK_Q3_K \
	VMOVQ        96(SI), X0                 \
	VPBROADCASTD 104(SI), X1                \
	VPUNPCKLQDQ  X0, X0, X0                 \
	VPBROADCASTW 108(SI), Y2                \
	VPSRLVQ      X26, X0, X0                \
	VPSRLVD      X25, X1, X1                \
	VCVTPH2PS    Y2, Z2                     \
	VPSLLD       $4, X1, X1                 \
	VPTERNLOGD   $0xE4, X24, X1, X0         \
	VPANDD       X23, X0, X0                \
	VPSUBB       X22, X0, X0                \
	VPMOVSXBD    X0, Z0                     \
	VCVTDQ2PS    Z0, Z0                     \
	VMULPS       Z2, Z0, Z0                 \
	VMOVUPS      Z0, (R12)                  \
	VPMOVZXBW    (SI), Z5                   \
	VPMOVZXBW    32(SI), Z4                 \
	RUNS_Q3_K(0, VPSLLW, 2, VPSLLW, 1)      \
	RUNS_Q3_K(2, VPSRLW, 0, VPSRLW, 1)      \
	VPMOVZXBW    64(SI), Z4                 \
	RUNS_Q3_K(4, VPSRLW, 2, VPSRLW, 3)      \
	RUNS_Q3_K(6, VPSRLW, 4, VPSRLW, 5)

// func unpackQ3_K_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackQ3_K_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
	VMOVUPS      levelsQ3_K<>(SB), Z31
	VPBROADCASTD wordMasks<>+0(SB), Z30
	VPBROADCASTD wordMasks<>+4(SB), Z29
	VMOVDQU64    partsQ3_K<>+0(SB), Z28
	VMOVDQU64    partsQ3_K<>+64(SB), Z27
	VMOVDQU32    scalesQ3_K<>+0(SB), X26
	VMOVDQU32    scalesQ3_K<>+16(SB), X25
	VPBROADCASTD byteMasks<>+0(SB), X24
	VPBROADCASTD byteMasks<>+4(SB), X23
	VPBROADCASTD byteMasks<>+8(SB), X22
	MOVL         $0xFF00, AX
	KMOVW        AX, K1
	BLOCKS256(BLOCK_Q3_K, 110)

// TABLE_Q2_K puts the weights of four groups into z, 4 each. index has the
// places of their scales.
#define TABLE_Q2_K(index, z) \
	VPERMPS Z6, index, z  \
	VPERMPS Z7, index, Z2 \
	VMULPS  Z31, z, z     \
	VSUBPS  Z2, z, z

// RUN_Q2_K looks up run r of 32 weights.
#define RUN_Q2_K(r, part) \
	VPSRLW     $(r%4*2), Z4, Z2     \
	VPTERNLOGD $0xEA, part, Z30, Z2 \
	VPERMW     Z1, Z2, Z2           \
	VMOVDQU64  Z2, (r*2048)(DI)

#define HALF_Q2_K(h, index, index2) \
	VPMOVZXBW (16+h*32)(SI), Z4 \
	TABLE_Q2_K(index, Z0)   \
	TABLE_Q2_K(index2, Z1)  \
	VCVTNE2PS2BF16(0, 1, 1) \
	RUN_Q2_K((h*4), Z29)    \
	RUN_Q2_K((h*4+1), Z28)  \
	RUN_Q2_K((h*4+2), Z27)  \
	RUN_Q2_K((h*4+3), Z26)

#define BLOCK_Q2_K \
	VPMOVZXBD    (SI), Z6    \
	VPBROADCASTW 80(SI), Y0  \
	VPBROADCASTW 82(SI), Y1  \
	VPSRLD       $4, Z6, Z7  \
	VPANDD       Z21, Z6, Z6 \
	VCVTPH2PS    Y0, Z0      \
	VCVTPH2PS    Y1, Z1      \
	VCVTDQ2PS    Z6, Z6      \
	VCVTDQ2PS    Z7, Z7      \
	VMULPS       Z0, Z6, Z6  \
	VMULPS       Z1, Z7, Z7  \
	HALF_Q2_K(0, Z25, Z24)   \
	HALF_Q2_K(1, Z23, Z22)

// func unpackQ2_K_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackQ2_K_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
	VMOVUPS      levelsQ2_K<>(SB), Z31
	VPBROADCASTD wordMasks<>+0(SB), Z30
	VMOVDQU64    partsQ2_K<>+0(SB), Z29
	VMOVDQU64    partsQ2_K<>+64(SB), Z28
	VMOVDQU64    partsQ2_K<>+128(SB), Z27
	VMOVDQU64    partsQ2_K<>+192(SB), Z26
	VMOVDQU64    scalesQ2_K<>+0(SB), Z25
	VMOVDQU64    scalesQ2_K<>+64(SB), Z24
	VMOVDQU64    scalesQ2_K<>+128(SB), Z23
	VMOVDQU64    scalesQ2_K<>+192(SB), Z22
	VPBROADCASTD wordMasks<>+8(SB), Z21
	BLOCKS256(BLOCK_Q2_K, 84)

// Two groups of IQ4_XS, number g and g+1.
#define GROUPS_IQ4_XS(g) \
	VMULPS.BCST (g*4)(R12), Z31, Z0    \
	VMULPS.BCST (g*4+4)(R12), Z31, Z1  \
	VCVTNE2PS2BF16(0, 1, 1)            \
	LOOKUP32((8+g*16), (g*2048), Z26)  \
	LOOKUP32((24+g*16), (g*2048+2048), Z27)

#define BLOCK_IQ4_XS \
	VPBROADCASTW 2(SI), Y0     \
	VPBROADCASTD 4(SI), Y1     \
	VPBROADCASTW (SI), X2      \
	VPSRLVD      Y25, Y0, Y0   \
	VPSRLVD      Y24, Y1, Y1   \
	VCVTPH2PS    X2, Y2        \
	VPSLLD       $4, Y0, Y0    \
	VPTERNLOGD   $0xE4, Y23, Y0, Y1 \
	VPANDD       Y22, Y1, Y1   \
	VPSUBD       Y21, Y1, Y1   \
	VCVTDQ2PS    Y1, Y1        \
	VMULPS       Y2, Y1, Y1    \
	VMOVUPS      Y1, (R12)     \
	GROUPS_IQ4_XS(0)           \
	GROUPS_IQ4_XS(2)           \
	GROUPS_IQ4_XS(4)           \
	GROUPS_IQ4_XS(6)

// func unpackIQ4_XS_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackIQ4_XS_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
	NIBBLES32_CONSTANTS
	VMOVUPS      levelsIQ4<>(SB), Z31
	VMOVDQU32    scalesIQ4_XS<>+0(SB), Y25
	VMOVDQU32    scalesIQ4_XS<>+32(SB), Y24
	VPBROADCASTD wordMasks<>+8(SB), Y23
	VPBROADCASTD wordMasks<>+12(SB), Y22
	VPBROADCASTD wordMasks<>+16(SB), Y21
	BLOCKS256(BLOCK_IQ4_XS, 136)

// The values of 4-bit codes.
DATA levels<>+0(SB)/8, $0x3F80000000000000
DATA levels<>+8(SB)/8, $0x4040000040000000
DATA levels<>+16(SB)/8, $0x40A0000040800000
DATA levels<>+24(SB)/8, $0x40E0000040C00000
DATA levels<>+32(SB)/8, $0x4110000041000000
DATA levels<>+40(SB)/8, $0x4130000041200000
DATA levels<>+48(SB)/8, $0x4150000041400000
DATA levels<>+56(SB)/8, $0x4170000041600000
GLOBL levels<>(SB), RODATA|NOPTR, $64

DATA levels16<>+0(SB)/8, $0x4188000041800000
DATA levels16<>+8(SB)/8, $0x4198000041900000
DATA levels16<>+16(SB)/8, $0x41A8000041A00000
DATA levels16<>+24(SB)/8, $0x41B8000041B00000
DATA levels16<>+32(SB)/8, $0x41C8000041C00000
DATA levels16<>+40(SB)/8, $0x41D8000041D00000
DATA levels16<>+48(SB)/8, $0x41E8000041E00000
DATA levels16<>+56(SB)/8, $0x41F8000041F00000
GLOBL levels16<>(SB), RODATA|NOPTR, $64

DATA levelsNegative<>+0(SB)/8, $0xC1700000C1800000
DATA levelsNegative<>+8(SB)/8, $0xC1500000C1600000
DATA levelsNegative<>+16(SB)/8, $0xC1300000C1400000
DATA levelsNegative<>+24(SB)/8, $0xC1100000C1200000
DATA levelsNegative<>+32(SB)/8, $0xC0E00000C1000000
DATA levelsNegative<>+40(SB)/8, $0xC0A00000C0C00000
DATA levelsNegative<>+48(SB)/8, $0xC0400000C0800000
DATA levelsNegative<>+56(SB)/8, $0xBF800000C0000000
GLOBL levelsNegative<>(SB), RODATA|NOPTR, $64

DATA levelsQ4_0<>+0(SB)/8, $0xC0E00000C1000000
DATA levelsQ4_0<>+8(SB)/8, $0xC0A00000C0C00000
DATA levelsQ4_0<>+16(SB)/8, $0xC0400000C0800000
DATA levelsQ4_0<>+24(SB)/8, $0xBF800000C0000000
DATA levelsQ4_0<>+32(SB)/8, $0x3F80000000000000
DATA levelsQ4_0<>+40(SB)/8, $0x4040000040000000
DATA levelsQ4_0<>+48(SB)/8, $0x40A0000040800000
DATA levelsQ4_0<>+56(SB)/8, $0x40E0000040C00000
GLOBL levelsQ4_0<>(SB), RODATA|NOPTR, $64

DATA levelsIQ4<>+0(SB)/8, $0xC2D00000C2FE0000
DATA levelsIQ4<>+8(SB)/8, $0xC2820000C2A60000
DATA levelsIQ4<>+16(SB)/8, $0xC20C0000C2440000
DATA levelsIQ4<>+24(SB)/8, $0xC1200000C1B00000
DATA levelsIQ4<>+32(SB)/8, $0x415000003F800000
DATA levelsIQ4<>+40(SB)/8, $0x4218000041C80000
DATA levelsIQ4<>+48(SB)/8, $0x428A000042540000
DATA levelsIQ4<>+56(SB)/8, $0x42E2000042B20000
GLOBL levelsIQ4<>(SB), RODATA|NOPTR, $64

DATA levelsFP4<>+0(SB)/8, $0x3F00000000000000
DATA levelsFP4<>+8(SB)/8, $0x3FC000003F800000
DATA levelsFP4<>+16(SB)/8, $0x4040000040000000
DATA levelsFP4<>+24(SB)/8, $0x40C0000040800000
DATA levelsFP4<>+32(SB)/8, $0xBF00000000000000
DATA levelsFP4<>+40(SB)/8, $0xBFC00000BF800000
DATA levelsFP4<>+48(SB)/8, $0xC0400000C0000000
DATA levelsFP4<>+56(SB)/8, $0xC0C00000C0800000
GLOBL levelsFP4<>(SB), RODATA|NOPTR, $64

// Of 3-bit and 2-bit codes, of several groups.
DATA levelsQ3_K<>+0(SB)/8, $0xC0400000C0800000
DATA levelsQ3_K<>+8(SB)/8, $0xBF800000C0000000
DATA levelsQ3_K<>+16(SB)/8, $0x3F80000000000000
DATA levelsQ3_K<>+24(SB)/8, $0x4040000040000000
DATA levelsQ3_K<>+32(SB)/8, $0xC0400000C0800000
DATA levelsQ3_K<>+40(SB)/8, $0xBF800000C0000000
DATA levelsQ3_K<>+48(SB)/8, $0x3F80000000000000
DATA levelsQ3_K<>+56(SB)/8, $0x4040000040000000
GLOBL levelsQ3_K<>(SB), RODATA|NOPTR, $64

DATA levelsQ2_K<>+0(SB)/8, $0x3F80000000000000
DATA levelsQ2_K<>+8(SB)/8, $0x4040000040000000
DATA levelsQ2_K<>+16(SB)/8, $0x3F80000000000000
DATA levelsQ2_K<>+24(SB)/8, $0x4040000040000000
DATA levelsQ2_K<>+32(SB)/8, $0x3F80000000000000
DATA levelsQ2_K<>+40(SB)/8, $0x4040000040000000
DATA levelsQ2_K<>+48(SB)/8, $0x3F80000000000000
DATA levelsQ2_K<>+56(SB)/8, $0x4040000040000000
GLOBL levelsQ2_K<>(SB), RODATA|NOPTR, $64

// Byte i goes into words i and i+16; the upper half of the word does not matter.
DATA bytesToWords<>+0(SB)/8, $0x0303020201010000
DATA bytesToWords<>+8(SB)/8, $0x0707060605050404
DATA bytesToWords<>+16(SB)/8, $0x0B0B0A0A09090808
DATA bytesToWords<>+24(SB)/8, $0x0F0F0E0E0D0D0C0C
DATA bytesToWords<>+32(SB)/8, $0x0303020201010000
DATA bytesToWords<>+40(SB)/8, $0x0707060605050404
DATA bytesToWords<>+48(SB)/8, $0x0B0B0A0A09090808
DATA bytesToWords<>+56(SB)/8, $0x0F0F0E0E0D0D0C0C
GLOBL bytesToWords<>(SB), RODATA|NOPTR, $64

// Words 16-31 are the high nibbles.
DATA highNibbles<>+0(SB)/8, $0x0000000000000000
DATA highNibbles<>+8(SB)/8, $0x0000000000000000
DATA highNibbles<>+16(SB)/8, $0x0000000000000000
DATA highNibbles<>+24(SB)/8, $0x0000000000000000
DATA highNibbles<>+32(SB)/8, $0x0004000400040004
DATA highNibbles<>+40(SB)/8, $0x0004000400040004
DATA highNibbles<>+48(SB)/8, $0x0004000400040004
DATA highNibbles<>+56(SB)/8, $0x0004000400040004
GLOBL highNibbles<>(SB), RODATA|NOPTR, $64

DATA lowNibbles<>+0(SB)/4, $0x000F000F
GLOBL lowNibbles<>(SB), RODATA|NOPTR, $4

// The second table begins at word 16.
DATA secondTable<>+0(SB)/4, $0x00100010
GLOBL secondTable<>(SB), RODATA|NOPTR, $4

// The scales and minimums of Q4_K: where the bytes of the low and of the upper
// bits are, how far they are shifted right, which bits are kept.
DATA scalesQ4_K<>+0(SB)/8, $0x0F0E0D0C07060504
DATA scalesQ4_K<>+8(SB)/8, $0x0F0E0D0C0B0A0908
DATA scalesQ4_K<>+16(SB)/8, $0x0706050480808080
DATA scalesQ4_K<>+24(SB)/8, $0x0B0A090880808080
DATA scalesQ4_K<>+32(SB)/8, $0x0000000000000000
DATA scalesQ4_K<>+40(SB)/8, $0x0000000400000000
DATA scalesQ4_K<>+48(SB)/8, $0x0000000200000000
DATA scalesQ4_K<>+56(SB)/8, $0x0000000200000000
DATA scalesQ4_K<>+64(SB)/8, $0x0F0F0F0F3F3F3F3F
DATA scalesQ4_K<>+72(SB)/8, $0x0F0F0F0F3F3F3F3F
DATA scalesQ4_K<>+80(SB)/8, $0x3030303030303030
DATA scalesQ4_K<>+88(SB)/8, $0x3030303030303030
GLOBL scalesQ4_K<>(SB), RODATA|NOPTR, $96

DATA firstThenSecond<>+0(SB)/8, $0x0000000000000000
DATA firstThenSecond<>+8(SB)/8, $0x0000000000000000
DATA firstThenSecond<>+16(SB)/8, $0x0000000000000000
DATA firstThenSecond<>+24(SB)/8, $0x0000000000000000
DATA firstThenSecond<>+32(SB)/8, $0x0000000100000001
DATA firstThenSecond<>+40(SB)/8, $0x0000000100000001
DATA firstThenSecond<>+48(SB)/8, $0x0000000100000001
DATA firstThenSecond<>+56(SB)/8, $0x0000000100000001
GLOBL firstThenSecond<>(SB), RODATA|NOPTR, $64

DATA shiftsQ6_K<>+0(SB)/8, $0x0004000400040004
DATA shiftsQ6_K<>+8(SB)/8, $0x0004000400040004
DATA shiftsQ6_K<>+16(SB)/8, $0x0004000400040004
DATA shiftsQ6_K<>+24(SB)/8, $0x0004000400040004
DATA shiftsQ6_K<>+32(SB)/8, $0x0002000200020002
DATA shiftsQ6_K<>+40(SB)/8, $0x0002000200020002
DATA shiftsQ6_K<>+48(SB)/8, $0x0002000200020002
DATA shiftsQ6_K<>+56(SB)/8, $0x0002000200020002
DATA shiftsQ6_K<>+64(SB)/8, $0x0000000000000000
DATA shiftsQ6_K<>+72(SB)/8, $0x0000000000000000
DATA shiftsQ6_K<>+80(SB)/8, $0x0000000000000000
DATA shiftsQ6_K<>+88(SB)/8, $0x0000000000000000
DATA shiftsQ6_K<>+96(SB)/8, $0x0002000200020002
DATA shiftsQ6_K<>+104(SB)/8, $0x0002000200020002
DATA shiftsQ6_K<>+112(SB)/8, $0x0002000200020002
DATA shiftsQ6_K<>+120(SB)/8, $0x0002000200020002
GLOBL shiftsQ6_K<>(SB), RODATA|NOPTR, $128

DATA byteMasks<>+0(SB)/8, $0x3F3F3F3F0F0F0F0F
DATA byteMasks<>+8(SB)/4, $0x20202020
GLOBL byteMasks<>(SB), RODATA|NOPTR, $12

DATA wordMasks<>+0(SB)/8, $0x0007000700030003
DATA wordMasks<>+8(SB)/8, $0x0000003F0000000F
DATA wordMasks<>+16(SB)/4, $0x00000020
GLOBL wordMasks<>(SB), RODATA|NOPTR, $20

// The places of groups of 16 in tables of 8 and of 4 weights per group.
DATA partsQ3_K<>+0(SB)/8, $0x0000000000000000
DATA partsQ3_K<>+8(SB)/8, $0x0000000000000000
DATA partsQ3_K<>+16(SB)/8, $0x0000000000000000
DATA partsQ3_K<>+24(SB)/8, $0x0000000000000000
DATA partsQ3_K<>+32(SB)/8, $0x0008000800080008
DATA partsQ3_K<>+40(SB)/8, $0x0008000800080008
DATA partsQ3_K<>+48(SB)/8, $0x0008000800080008
DATA partsQ3_K<>+56(SB)/8, $0x0008000800080008
DATA partsQ3_K<>+64(SB)/8, $0x0010001000100010
DATA partsQ3_K<>+72(SB)/8, $0x0010001000100010
DATA partsQ3_K<>+80(SB)/8, $0x0010001000100010
DATA partsQ3_K<>+88(SB)/8, $0x0010001000100010
DATA partsQ3_K<>+96(SB)/8, $0x0018001800180018
DATA partsQ3_K<>+104(SB)/8, $0x0018001800180018
DATA partsQ3_K<>+112(SB)/8, $0x0018001800180018
DATA partsQ3_K<>+120(SB)/8, $0x0018001800180018
GLOBL partsQ3_K<>(SB), RODATA|NOPTR, $128

DATA partsQ2_K<>+0(SB)/8, $0x0000000000000000
DATA partsQ2_K<>+8(SB)/8, $0x0000000000000000
DATA partsQ2_K<>+16(SB)/8, $0x0000000000000000
DATA partsQ2_K<>+24(SB)/8, $0x0000000000000000
DATA partsQ2_K<>+32(SB)/8, $0x0004000400040004
DATA partsQ2_K<>+40(SB)/8, $0x0004000400040004
DATA partsQ2_K<>+48(SB)/8, $0x0004000400040004
DATA partsQ2_K<>+56(SB)/8, $0x0004000400040004
DATA partsQ2_K<>+64(SB)/8, $0x0008000800080008
DATA partsQ2_K<>+72(SB)/8, $0x0008000800080008
DATA partsQ2_K<>+80(SB)/8, $0x0008000800080008
DATA partsQ2_K<>+88(SB)/8, $0x0008000800080008
DATA partsQ2_K<>+96(SB)/8, $0x000C000C000C000C
DATA partsQ2_K<>+104(SB)/8, $0x000C000C000C000C
DATA partsQ2_K<>+112(SB)/8, $0x000C000C000C000C
DATA partsQ2_K<>+120(SB)/8, $0x000C000C000C000C
DATA partsQ2_K<>+128(SB)/8, $0x0010001000100010
DATA partsQ2_K<>+136(SB)/8, $0x0010001000100010
DATA partsQ2_K<>+144(SB)/8, $0x0010001000100010
DATA partsQ2_K<>+152(SB)/8, $0x0010001000100010
DATA partsQ2_K<>+160(SB)/8, $0x0014001400140014
DATA partsQ2_K<>+168(SB)/8, $0x0014001400140014
DATA partsQ2_K<>+176(SB)/8, $0x0014001400140014
DATA partsQ2_K<>+184(SB)/8, $0x0014001400140014
DATA partsQ2_K<>+192(SB)/8, $0x0018001800180018
DATA partsQ2_K<>+200(SB)/8, $0x0018001800180018
DATA partsQ2_K<>+208(SB)/8, $0x0018001800180018
DATA partsQ2_K<>+216(SB)/8, $0x0018001800180018
DATA partsQ2_K<>+224(SB)/8, $0x001C001C001C001C
DATA partsQ2_K<>+232(SB)/8, $0x001C001C001C001C
DATA partsQ2_K<>+240(SB)/8, $0x001C001C001C001C
DATA partsQ2_K<>+248(SB)/8, $0x001C001C001C001C
GLOBL partsQ2_K<>(SB), RODATA|NOPTR, $256

DATA scalesQ2_K<>+0(SB)/8, $0x0000000000000000
DATA scalesQ2_K<>+8(SB)/8, $0x0000000000000000
DATA scalesQ2_K<>+16(SB)/8, $0x0000000100000001
DATA scalesQ2_K<>+24(SB)/8, $0x0000000100000001
DATA scalesQ2_K<>+32(SB)/8, $0x0000000200000002
DATA scalesQ2_K<>+40(SB)/8, $0x0000000200000002
DATA scalesQ2_K<>+48(SB)/8, $0x0000000300000003
DATA scalesQ2_K<>+56(SB)/8, $0x0000000300000003
DATA scalesQ2_K<>+64(SB)/8, $0x0000000400000004
DATA scalesQ2_K<>+72(SB)/8, $0x0000000400000004
DATA scalesQ2_K<>+80(SB)/8, $0x0000000500000005
DATA scalesQ2_K<>+88(SB)/8, $0x0000000500000005
DATA scalesQ2_K<>+96(SB)/8, $0x0000000600000006
DATA scalesQ2_K<>+104(SB)/8, $0x0000000600000006
DATA scalesQ2_K<>+112(SB)/8, $0x0000000700000007
DATA scalesQ2_K<>+120(SB)/8, $0x0000000700000007
DATA scalesQ2_K<>+128(SB)/8, $0x0000000800000008
DATA scalesQ2_K<>+136(SB)/8, $0x0000000800000008
DATA scalesQ2_K<>+144(SB)/8, $0x0000000900000009
DATA scalesQ2_K<>+152(SB)/8, $0x0000000900000009
DATA scalesQ2_K<>+160(SB)/8, $0x0000000A0000000A
DATA scalesQ2_K<>+168(SB)/8, $0x0000000A0000000A
DATA scalesQ2_K<>+176(SB)/8, $0x0000000B0000000B
DATA scalesQ2_K<>+184(SB)/8, $0x0000000B0000000B
DATA scalesQ2_K<>+192(SB)/8, $0x0000000C0000000C
DATA scalesQ2_K<>+200(SB)/8, $0x0000000C0000000C
DATA scalesQ2_K<>+208(SB)/8, $0x0000000D0000000D
DATA scalesQ2_K<>+216(SB)/8, $0x0000000D0000000D
DATA scalesQ2_K<>+224(SB)/8, $0x0000000E0000000E
DATA scalesQ2_K<>+232(SB)/8, $0x0000000E0000000E
DATA scalesQ2_K<>+240(SB)/8, $0x0000000F0000000F
DATA scalesQ2_K<>+248(SB)/8, $0x0000000F0000000F
GLOBL scalesQ2_K<>(SB), RODATA|NOPTR, $256

// The shifts of the low and of the upper bits of scales.
DATA scalesQ3_K<>+0(SB)/8, $0x0000000000000000
DATA scalesQ3_K<>+8(SB)/8, $0x0000000000000004
DATA scalesQ3_K<>+16(SB)/8, $0x0000000200000000
DATA scalesQ3_K<>+24(SB)/8, $0x0000000600000004
GLOBL scalesQ3_K<>(SB), RODATA|NOPTR, $32

DATA scalesIQ4_XS<>+0(SB)/8, $0x0000000200000000
DATA scalesIQ4_XS<>+8(SB)/8, $0x0000000600000004
DATA scalesIQ4_XS<>+16(SB)/8, $0x0000000A00000008
DATA scalesIQ4_XS<>+24(SB)/8, $0x0000000E0000000C
DATA scalesIQ4_XS<>+32(SB)/8, $0x0000000400000000
DATA scalesIQ4_XS<>+40(SB)/8, $0x0000000C00000008
DATA scalesIQ4_XS<>+48(SB)/8, $0x0000001400000010
DATA scalesIQ4_XS<>+56(SB)/8, $0x0000001C00000018
GLOBL scalesIQ4_XS<>(SB), RODATA|NOPTR, $64
