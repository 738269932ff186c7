#include "textflag.h"
#include "asm_amd64.h"

// Products of quantized weights with quantized activations, for AVX2 and for
// AVX-512 VNNI (whose rows use 256-bit registers too: the work is bound by
// memory, and three ports execute 256-bit instructions but only two the 512-bit
// ones).
//
// Registers in all of them:
//	DI next output          DX rows left
//	SI next block of weights
//	R8 q  R9 d  R11 s       R10 blocks per row
//	AX, BX, R12 the same within the row, CX blocks left in the row
//
// Weights are prefetched 2 KiB ahead: their blocks are small and take many
// instructions, so that the processor by itself has too few loads from memory
// under way (measured: 1.3 to 2.3 times the speed). Prefetching past the end of
// the weights is harmless, it cannot fault.
#define AHEAD 2048

#define ARGUMENTS \
	MOVQ y_base+0(FP), DI  \
	MOVQ y_len+8(FP), DX   \
	MOVQ w_base+24(FP), SI \
	MOVQ q_base+48(FP), R8 \
	MOVQ d_base+72(FP), R9 \
	MOVQ d_len+80(FP), R10 \
	MOVQ s_base+96(FP), R11

// STORE adds the lanes of Y0 and stores the sum as the next output. It changes Y1.
#define STORE \
	SUM8            \
	VMOVSS X0, (DI) \
	ADDQ   $4, DI

// ROWS32 is the loop over rows of a type with 32 weights per block. BLOCK adds
// a block to an accumulator; even blocks go to Y0, odd ones to Y1.
#define ROWS32(BLOCK, bytes) \
row:                                 \
	VXORPS Y0, Y0, Y0                  \
	VXORPS Y1, Y1, Y1                  \
	MOVQ   R8, AX                      \
	MOVQ   R9, BX                      \
	MOVQ   R10, CX                     \
	SUBQ   $2, CX                      \
	JLT    last                        \
pair:                                \
	PREFETCHT0 AHEAD(SI)               \
	PREFETCHT0 (AHEAD+bytes)(SI)       \
	BLOCK(0, 0, 0, Y0)                 \
	BLOCK(bytes, 32, 4, Y1)            \
	ADDQ   $(2*bytes), SI              \
	ADDQ   $64, AX                     \
	ADDQ   $8, BX                      \
	SUBQ   $2, CX                      \
	JGE    pair                        \
last:                                \
	CMPQ   CX, $-2                     \
	JEQ    done                        \
	BLOCK(0, 0, 0, Y0)                 \
	ADDQ   $bytes, SI                  \
done:                                \
	VADDPS Y1, Y0, Y0                  \
	STORE                              \
	DECQ   DX                          \
	JNZ    row                         \
	VZEROUPPER                         \
	RET

// SCALED adds dot (8 int32) times the scales of the block of weights at w(SI)
// and of the activations to acc. It changes Y6 and dot. The conversion reads
// four numbers, of which the scale is the first.
#define SCALED(dot, w, d, acc) \
	VCVTPH2PS    w(SI), X6     \
	VMULSS       d(BX), X6, X6 \
	VBROADCASTSS X6, Y6        \
	VCVTDQ2PS    dot, dot      \
	VFMADD231PS  dot, Y6, acc

// Q8_0: the bytes of one factor must be unsigned, so the sign of each weight
// moves to its activation. |-128| is 128 as an unsigned byte, and no sum of two
// products exceeds 128*127*2 = 32512.
#define Q8_0_AVX2(w, q, d, acc) \
	VMOVDQU    (w+2)(SI), Y2   \
	VMOVDQU    q(AX), Y3       \
	VPSIGNB    Y2, Y3, Y3      \
	VPABSB     Y2, Y2          \
	VPMADDUBSW Y3, Y2, Y2      \
	VPMADDWD   Y15, Y2, Y2     \
	SCALED(Y2, w, d, acc)

// func matvecQ8_0_avx2(y []float32, w []byte, q []int8, d []float32, s []int16)
TEXT ·matvecQ8_0_avx2(SB), NOSPLIT, $0-120
	ARGUMENTS
	VPBROADCASTD ones16<>(SB), Y15
	ROWS32(Q8_0_AVX2, 34)

// Q4_0: the dot product of nibble-8 is that of the nibbles less that of eights.
#define Q4_0_AVX2(w, q, d, acc) \
	VBROADCASTI128 (w+2)(SI), Y2 \
	VPSRLVD        Y14, Y2, Y2   \
	VPAND          Y13, Y2, Y2   \
	VMOVDQU        q(AX), Y3     \
	VPMADDUBSW     Y3, Y2, Y2    \
	VPMADDUBSW     Y3, Y12, Y3   \
	VPSUBW         Y3, Y2, Y2    \
	VPMADDWD       Y15, Y2, Y2   \
	SCALED(Y2, w, d, acc)

// func matvecQ4_0_avx2(y []float32, w []byte, q []int8, d []float32, s []int16)
TEXT ·matvecQ4_0_avx2(SB), NOSPLIT, $0-120
	ARGUMENTS
	VPBROADCASTD ones16<>(SB), Y15
	VMOVDQU      halfShifts<>(SB), Y14
	VPBROADCASTD nibbles<>(SB), Y13
	VPBROADCASTD eights<>(SB), Y12
	ROWS32(Q4_0_AVX2, 18)

// SCALES4 unpacks the 12 bytes of scales and minimums of a block of Q4_K at SI
// (see scaleMin4) into the bytes of X2: 8 scales, 8 minimums. It changes X3.
#define SCALES4 \
	VMOVDQU (SI), X2                      \
	VPSHUFB scales4High<>(SB), X2, X3     \
	VPSHUFB scales4Low<>(SB), X2, X2      \
	VPSRLVD scales4Shift<>(SB), X2, X2    \
	VPAND   scales4Mask<>(SB), X2, X2     \
	VPSRLD  $2, X3, X3                    \
	VPAND   scales4Mask30<>(SB), X3, X3   \
	VPOR    X3, X2, X2

// Q4_K_GROUPS adds the products of groups g and g+1, which share 32 bytes of
// weights, times their scales, to the int32 lanes of Y4 and Y5. Y3 holds the
// scales. It changes Y6-Y9.
#define Q4_K_GROUPS_AVX2(g) \
	VMOVDQU    (16+16*g)(SI), Y6                  \
	VPSRLW     $4, Y6, Y7                         \
	VPAND      Y13, Y6, Y6                        \
	VPAND      Y13, Y7, Y7                        \
	VPMADDUBSW (32*g)(AX), Y6, Y6                 \
	VPMADDUBSW (32*g+32)(AX), Y7, Y7              \
	VPSHUFB    pickWord<>+(32*g)(SB), Y3, Y8      \
	VPSHUFB    pickWord<>+(32*g+32)(SB), Y3, Y9   \
	VPMADDWD   Y8, Y6, Y6                         \
	VPMADDWD   Y9, Y7, Y7                         \
	VPADDD     Y6, Y4, Y4                         \
	VPADDD     Y7, Y5, Y5

// ROWS4K is the loop over rows of Q4_K. Y0 sums the products, X10 what the
// minimums take away.
#define ROWS4K(GROUPS) \
row:                                   \
	VXORPS Y0, Y0, Y0                    \
	VXORPS X10, X10, X10                 \
	MOVQ   R8, AX                        \
	MOVQ   R9, BX                        \
	MOVQ   R11, R12                      \
	MOVQ   R10, CX                       \
block:                                 \
	PREFETCHT0 AHEAD(SI)                 \
	PREFETCHT0 (AHEAD+64)(SI)            \
	PREFETCHT0 (AHEAD+128)(SI)           \
	SCALES4                              \
	VPMOVZXBW    X2, Y2                  \ // 8 scales, 8 minimums
	VPERM2I128   $0x00, Y2, Y2, Y3       \
	VPXOR        Y4, Y4, Y4              \
	VPXOR        Y5, Y5, Y5              \
	GROUPS(0)                            \
	GROUPS(2)                            \
	GROUPS(4)                            \
	GROUPS(6)                            \
	VEXTRACTI128 $1, Y2, X2              \
	VMOVDQU      (R12), X6               \
	VPHADDW      16(R12), X6, X6         \
	VPMADDWD     X2, X6, X6              \
	VCVTDQ2PS    X6, X6                  \
	VCVTPH2PS    (SI), X7                \ // scale, scale of the minimums
	VBROADCASTSS (BX), X8                \
	VMULPS       X8, X7, X7              \
	VMOVSHDUP    X7, X8                  \
	VPERMILPS    $0, X8, X8              \
	VFMADD231PS  X6, X8, X10             \
	VBROADCASTSS X7, Y7                  \
	VPADDD       Y5, Y4, Y4              \
	VCVTDQ2PS    Y4, Y4                  \
	VFMADD231PS  Y4, Y7, Y0              \
	ADDQ   $144, SI                      \
	ADDQ   $256, AX                      \
	ADDQ   $4, BX                        \
	ADDQ   $32, R12                      \
	DECQ   CX                            \
	JNZ    block                         \
	VSUBPS Y10, Y0, Y0                   \ // the upper half of Y10 is zero
	STORE                                \
	DECQ   DX                            \
	JNZ    row                           \
	VZEROUPPER                           \
	RET

// func matvecQ4_K_avx2(y []float32, w []byte, q []int8, d []float32, s []int16)
TEXT ·matvecQ4_K_avx2(SB), NOSPLIT, $0-120
	ARGUMENTS
	VPBROADCASTD nibbles<>(SB), Y13
	ROWS4K(Q4_K_GROUPS_AVX2)

// Q6_K_RUN adds the products of run r of a half block, 32 weights of 6 bits in
// v, times their scales to the int32 lanes of acc. q is where the half begins,
// scales the register whose word r is the scale. It changes v and Y9.
#define Q6_K_RUN_AVX2(v, r, q, half, acc) \
	VPMADDUBSW (q+32*r)(AX), v, v                        \
	VPSHUFB    pickWord<>+(128*half+32*r)(SB), Y3, Y9    \
	VPMADDWD   Y9, v, v                                  \
	VPADDD     v, acc, acc

// Q6_K_HALF adds a half block: 64 bytes at low, 32 at high, see dotQ6_K. The
// weights stay unsigned, the 32 too much is taken away with the sums. Y13 holds
// nibbles, Y12 0x30 in every byte.
#define Q6_K_HALF(RUN, low, high, half) \
	VMOVDQU low(SI), Y6           \
	VMOVDQU (low+32)(SI), Y7      \
	VMOVDQU high(SI), Y8          \
	VPAND   Y13, Y6, Y1           \
	VPSLLW  $4, Y8, Y10           \
	VPAND   Y12, Y10, Y10         \
	VPOR    Y10, Y1, Y1           \
	RUN(Y1, 0, 128*half, half, Y4) \
	VPAND   Y13, Y7, Y1           \
	VPSLLW  $2, Y8, Y10           \
	VPAND   Y12, Y10, Y10         \
	VPOR    Y10, Y1, Y1           \
	RUN(Y1, 1, 128*half, half, Y5) \
	VPSRLW  $4, Y6, Y1            \
	VPAND   Y13, Y1, Y1           \
	VPAND   Y12, Y8, Y10          \
	VPOR    Y10, Y1, Y1           \
	RUN(Y1, 2, 128*half, half, Y4) \
	VPSRLW  $4, Y7, Y1            \
	VPAND   Y13, Y1, Y1           \
	VPSRLW  $2, Y8, Y10           \
	VPAND   Y12, Y10, Y10         \
	VPOR    Y10, Y1, Y1           \
	RUN(Y1, 3, 128*half, half, Y5)

// ROWS6K is the loop over rows of Q6_K.
#define ROWS6K(RUN) \
	VPBROADCASTD nibbles<>(SB), Y13      \
	VPBROADCASTD sixes<>(SB), Y12        \
	VMOVDQU      evenOdd<>(SB), X11      \
row:                                   \
	VXORPS Y0, Y0, Y0                    \
	MOVQ   R8, AX                        \
	MOVQ   R9, BX                        \
	MOVQ   R11, R12                      \
	MOVQ   R10, CX                       \
block:                                 \
	PREFETCHT0 AHEAD(SI)                 \
	PREFETCHT0 (AHEAD+64)(SI)            \
	PREFETCHT0 (AHEAD+128)(SI)           \
	PREFETCHT0 (AHEAD+192)(SI)           \
	VMOVDQU      192(SI), X2             \
	VPSHUFB      X11, X2, X3             \
	VPMOVSXBW    X3, Y3                  \ // even scales in the lower, odd ones in the upper half
	VPMOVSXBW    X2, Y4                  \
	VPMADDWD     (R12), Y4, Y4           \ // scales times sums,
	VPSLLD       $5, Y4, Y4              \
	VPXOR        Y5, Y5, Y5              \
	VPSUBD       Y4, Y5, Y4              \ // times -32
	Q6_K_HALF(RUN, 0, 128, 0)            \
	Q6_K_HALF(RUN, 64, 160, 1)           \
	VPBROADCASTW 208(SI), X6             \
	VCVTPH2PS    X6, Y6                  \
	VBROADCASTSS (BX), Y7                \
	VMULPS       Y7, Y6, Y6              \
	VPADDD       Y5, Y4, Y4              \
	VCVTDQ2PS    Y4, Y4                  \
	VFMADD231PS  Y4, Y6, Y0              \
	ADDQ   $210, SI                      \
	ADDQ   $256, AX                      \
	ADDQ   $4, BX                        \
	ADDQ   $32, R12                      \
	DECQ   CX                            \
	JNZ    block                         \
	STORE                                \
	DECQ   DX                            \
	JNZ    row                           \
	VZEROUPPER                           \
	RET

// func matvecQ6_K_avx2(y []float32, w []byte, q []int8, d []float32, s []int16)
TEXT ·matvecQ6_K_avx2(SB), NOSPLIT, $0-120
	ARGUMENTS
	ROWS6K(Q6_K_RUN_AVX2)

// Constants. Those of 4 bytes are broadcast.

DATA ones16<>+0(SB)/4, $0x00010001
GLOBL ones16<>(SB), RODATA|NOPTR, $4

DATA nibbles<>+0(SB)/4, $0x0f0f0f0f
GLOBL nibbles<>(SB), RODATA|NOPTR, $4

DATA eights<>+0(SB)/4, $0x08080808
GLOBL eights<>(SB), RODATA|NOPTR, $4

DATA sixes<>+0(SB)/4, $0x30303030
GLOBL sixes<>(SB), RODATA|NOPTR, $4

// halfShifts moves the high nibbles down in the upper half of a register.
DATA halfShifts<>+0(SB)/8, $0
DATA halfShifts<>+8(SB)/8, $0
DATA halfShifts<>+16(SB)/8, $0x0000000400000004
DATA halfShifts<>+24(SB)/8, $0x0000000400000004
GLOBL halfShifts<>(SB), RODATA|NOPTR, $32

// The bytes of a block of Q4_K are 4 of scales, then s0-s11. Its scales and
// minimums are, four at a time,
//	s0-s3 & 63, s8-s11 & 15 | s0-s3 >> 6 << 4,
//	s4-s7 & 63, s8-s11 >> 4 | s4-s7 >> 6 << 4.
DATA scales4Low<>+0(SB)/8, $0x0f0e0d0c07060504
DATA scales4Low<>+8(SB)/8, $0x0f0e0d0c0b0a0908
GLOBL scales4Low<>(SB), RODATA|NOPTR, $16

DATA scales4High<>+0(SB)/8, $0x0706050480808080
DATA scales4High<>+8(SB)/8, $0x0b0a090880808080
GLOBL scales4High<>(SB), RODATA|NOPTR, $16

DATA scales4Shift<>+0(SB)/8, $0
DATA scales4Shift<>+8(SB)/8, $0x0000000400000000
GLOBL scales4Shift<>(SB), RODATA|NOPTR, $16

DATA scales4Mask<>+0(SB)/8, $0x0f0f0f0f3f3f3f3f
DATA scales4Mask<>+8(SB)/8, $0x0f0f0f0f3f3f3f3f
GLOBL scales4Mask<>(SB), RODATA|NOPTR, $16

DATA scales4Mask30<>+0(SB)/8, $0x3030303030303030
DATA scales4Mask30<>+8(SB)/8, $0x3030303030303030
GLOBL scales4Mask30<>(SB), RODATA|NOPTR, $16

// evenOdd puts the even bytes before the odd ones.
DATA evenOdd<>+0(SB)/8, $0x0e0c0a0806040200
DATA evenOdd<>+8(SB)/8, $0x0f0d0b0907050301
GLOBL evenOdd<>(SB), RODATA|NOPTR, $16

// Row i of pickWord fills each half of a register with the half's word i.
#define PICK(i, w) \
	DATA pickWord<>+(32*i+0)(SB)/8, $w  \
	DATA pickWord<>+(32*i+8)(SB)/8, $w  \
	DATA pickWord<>+(32*i+16)(SB)/8, $w \
	DATA pickWord<>+(32*i+24)(SB)/8, $w

PICK(0, 0x0100010001000100)
PICK(1, 0x0302030203020302)
PICK(2, 0x0504050405040504)
PICK(3, 0x0706070607060706)
PICK(4, 0x0908090809080908)
PICK(5, 0x0b0a0b0a0b0a0b0a)
PICK(6, 0x0d0c0d0c0d0c0d0c)
PICK(7, 0x0f0e0f0e0f0e0f0e)
GLOBL pickWord<>(SB), RODATA|NOPTR, $256
