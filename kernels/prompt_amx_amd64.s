#include "textflag.h"
#include "asm_amx_amd64.h"
#include "transpose_amd64.h"

// Every function that uses tiles loads their shape first and releases them at
// the end: between calls a goroutine may move to another thread, and tiles that
// are not in use need not be saved.

// The shape of all eight tiles: 16 rows of 64 bytes.
DATA tileShape<>+0(SB)/8, $1 // palette
DATA tileShape<>+8(SB)/8, $0
DATA tileShape<>+16(SB)/8, $0x0040004000400040
DATA tileShape<>+24(SB)/8, $0x0040004000400040
DATA tileShape<>+32(SB)/8, $0
DATA tileShape<>+40(SB)/8, $0
DATA tileShape<>+48(SB)/8, $0x1010101010101010
DATA tileShape<>+56(SB)/8, $0
GLOBL tileShape<>(SB), RODATA|NOPTR, $64

// Registers of the dot functions:
//	DI sums of the group           SI panel
//	DX packed, next step           R8 vectors left
//	R9 steps  R10 first            AX panel, next step
//	BX bytes between rows of tiles CX steps left
//	R11 sums of the next group
// T0-T3 are the sums (row tile 0 with vector tiles 0 and 1, row tile 1 with
// both), T4 and T5 weights, T6 and T7 activations. The activations pass the first
// cache by (T1), so that the panel stays there.
#define ARGUMENTS \
	MOVQ    sums_base+0(FP), DI    \
	MOVQ    panel_base+24(FP), SI  \
	MOVQ    packed_base+48(FP), DX \
	MOVQ    vectors+72(FP), R8     \
	MOVQ    steps+80(FP), R9       \
	MOVBLZX first+88(FP), R10      \
	LEAQ    tileShape<>(SB), AX    \
	LDTILECFG_AX                   \
	MOVL    $64, BX

// Registers of the pack functions:
//	DI tile of the step       SI values of the step, first vector
//	R8 vectors                R9 bytes between vectors
//	CX values left            K1 the vectors, K2 and K3 the values of the step
#define PACK_ARGUMENTS \
	MOVQ  dst_base+0(FP), DI \
	MOVQ  x_base+24(FP), SI  \
	MOVQ  stride+48(FP), R9  \
	MOVQ  vectors+56(FP), R8 \
	MOVQ  n+64(FP), DX       \
	SHLQ  $2, R9             \
	MOVQ  R8, CX             \
	MOVL  $1, AX             \
	SHLL  CX, AX             \
	DECL  AX                 \
	KMOVW AX, K1             \
	MOVQ  DX, CX             \
	KXNORW K2, K2, K2        \
	KXNORW K3, K3, K3

// Multiplications of all weights or vectors that are in tiles.
#define DOT2x2 \
	TDPBF16PS(6, 4, 0) \
	TDPBF16PS(7, 4, 1) \
	TDPBF16PS(6, 5, 2) \
	TDPBF16PS(7, 5, 3)

#define DOT2x1 \
	TDPBF16PS(6, 4, 0) \
	TDPBF16PS(6, 5, 2)

#define WEIGHTS(disp) \
	TILELOADD(disp, 0, 3, 4) \
	TILELOADD(disp+1024, 0, 3, 5)

#define VECTORS2(disp) \
	TILELOADDT1(disp, 2, 3, 6) \
	TILELOADDT1(disp+1024, 2, 3, 7)

#define VECTORS1(disp) \
	TILELOADDT1(disp, 2, 3, 6)

// SUMS_AHEAD and SUMS_AHEAD2 prefetch the sums of the next group, spread over the
// 16 steps of a deep panel or the 8 of a panel of two planes: the tiles of sums
// are loaded and stored all at once, and the multiplications would wait.
#define SUMS_AHEAD \
	PREFETCHT0 (R11)    \
	PREFETCHT0 64(R11)  \
	PREFETCHT0 128(R11) \
	PREFETCHT0 192(R11) \
	ADDQ $256, R11

#define SUMS_AHEAD2 \
	SUMS_AHEAD \
	SUMS_AHEAD

// GROUPS is the loop over groups of vectors. FULL and HALF multiply a step of 32
// and of 16 vectors.
#define GROUPS(FULL, HALF, AHEAD, panelStep, packedStep) \
group:                           \
	LEAQ  4096(DI), R11      \
	MOVQ  SI, AX             \
	MOVQ  R9, CX             \
	CMPQ  R8, $16            \
	JLE   half               \
	TESTL R10, R10           \
	JNZ   zero               \
	TILELOADD(0, 7, 3, 0)    \
	TILELOADD(1024, 7, 3, 1) \
	TILELOADD(2048, 7, 3, 2) \
	TILELOADD(3072, 7, 3, 3) \
	JMP   full               \
zero:                            \
	TILEZERO(0)              \
	TILEZERO(1)              \
	TILEZERO(2)              \
	TILEZERO(3)              \
full:                            \
	FULL                     \
	AHEAD                    \
	ADDQ  $panelStep, AX     \
	ADDQ  $packedStep, DX    \
	DECQ  CX                 \
	JNZ   full               \
	TILESTORED(0, 0, 7, 3)   \
	TILESTORED(1, 1024, 7, 3) \
	TILESTORED(2, 2048, 7, 3) \
	TILESTORED(3, 3072, 7, 3) \
	ADDQ  $4096, DI          \
	SUBQ  $32, R8            \
	JGT   group              \
	TILERELEASE              \
	RET                      \
half:                            \
	TESTL R10, R10           \
	JNZ   halfZero           \
	TILELOADD(0, 7, 3, 0)    \
	TILELOADD(2048, 7, 3, 2) \
	JMP   halfStep           \
halfZero:                        \
	TILEZERO(0)              \
	TILEZERO(2)              \
halfStep:                        \
	HALF                     \
	ADDQ  $panelStep, AX     \
	ADDQ  $packedStep, DX    \
	DECQ  CX                 \
	JNZ   halfStep           \
	TILESTORED(0, 0, 7, 3)   \
	TILESTORED(2, 2048, 7, 3) \
	TILERELEASE              \
	RET

// One plane of each.
#define FULL1x1 \
	TILELOADD(0, 0, 3, 4)      \
	VECTORS2(0)                \
	TDPBF16PS(6, 4, 0)         \
	TILELOADD(1024, 0, 3, 5)   \
	TDPBF16PS(7, 4, 1)         \
	TDPBF16PS(6, 5, 2)         \
	TDPBF16PS(7, 5, 3)

#define HALF1x1 \
	WEIGHTS(0) \
	VECTORS1(0) \
	DOT2x1

// func dotBF16_amx(sums, panel, packed []byte, vectors, steps int, first bool)
TEXT ·dotBF16_amx(SB), NOSPLIT, $0-89
	ARGUMENTS
	GROUPS(FULL1x1, HALF1x1, SUMS_AHEAD, 2048, 2048)

// One plane of weights, two of activations: the lesser products first.
#define FULL1x2 \
	WEIGHTS(0)     \
	VECTORS2(2048) \
	DOT2x2         \
	VECTORS2(0)    \
	DOT2x2

#define HALF1x2 \
	WEIGHTS(0)     \
	VECTORS1(2048) \
	DOT2x1         \
	VECTORS1(0)    \
	DOT2x1

// func dotBF16x2_amx(sums, panel, packed []byte, vectors, steps int, first bool)
TEXT ·dotBF16x2_amx(SB), NOSPLIT, $0-89
	ARGUMENTS
	GROUPS(FULL1x2, HALF1x2, SUMS_AHEAD2, 2048, 4096)

// Two planes of both.
#define FULL2x2 \
	WEIGHTS(0)     \
	VECTORS2(2048) \
	DOT2x2         \
	VECTORS2(0)    \
	DOT2x2         \
	WEIGHTS(2048)  \
	DOT2x2

#define HALF2x2 \
	WEIGHTS(0)     \
	VECTORS1(2048) \
	DOT2x1         \
	VECTORS1(0)    \
	DOT2x1         \
	WEIGHTS(2048)  \
	DOT2x1

// func dotBF16x3_amx(sums, panel, packed []byte, vectors, steps int, first bool)
TEXT ·dotBF16x3_amx(SB), NOSPLIT, $0-89
	ARGUMENTS
	GROUPS(FULL2x2, HALF2x2, SUMS_AHEAD2, 4096, 4096)

#define STORE(z) \
	VMOVUPS z, K1, (DI) \
	ADDQ    R9, DI      \
	DECQ    R8          \
	JZ      done

// func storeTile_amx(y []float32, stride int, tile []byte, rows, vectors int)
TEXT ·storeTile_amx(SB), NOSPLIT, $0-72
	MOVQ y_base+0(FP), DI
	MOVQ stride+24(FP), R9
	MOVQ tile_base+32(FP), SI
	MOVQ rows+56(FP), CX
	MOVQ vectors+64(FP), R8
	SHLQ $2, R9
	MOVL $1, AX
	SHLL CX, AX
	DECL AX
	KMOVW AX, K1
	VMOVUPS 0(SI), Z0
	VMOVUPS 64(SI), Z1
	VMOVUPS 128(SI), Z2
	VMOVUPS 192(SI), Z3
	VMOVUPS 256(SI), Z4
	VMOVUPS 320(SI), Z5
	VMOVUPS 384(SI), Z6
	VMOVUPS 448(SI), Z7
	VMOVUPS 512(SI), Z8
	VMOVUPS 576(SI), Z9
	VMOVUPS 640(SI), Z10
	VMOVUPS 704(SI), Z11
	VMOVUPS 768(SI), Z12
	VMOVUPS 832(SI), Z13
	VMOVUPS 896(SI), Z14
	VMOVUPS 960(SI), Z15
	KXNORW K2, K2, K2
	TRANSPOSE(K2)
	STORE(Z0)
	STORE(Z1)
	STORE(Z2)
	STORE(Z3)
	STORE(Z4)
	STORE(Z5)
	STORE(Z6)
	STORE(Z7)
	STORE(Z8)
	STORE(Z9)
	STORE(Z10)
	STORE(Z11)
	STORE(Z12)
	STORE(Z13)
	STORE(Z14)
	STORE(Z15)
done:
	VZEROUPPER
	RET

// PACK_MASKS sets the masks of the last step if it has less than 32 values.
#define PACK_MASKS \
	CMPQ  CX, $32 \
	JGE   whole   \
	MOVL  $1, AX  \
	SHLL  CX, AX  \
	DECL  AX      \
	KMOVW AX, K2  \
	SHRL  $16, AX \
	KMOVW AX, K3  \
whole:

// NEXT_VECTOR moves AX on from vector number i, if it is not the last.
#define NEXT_VECTOR(i) \
	XORL    BX, BX   \
	CMPQ    R8, $(i+1) \
	CMOVQGT R9, BX   \
	ADDQ    BX, AX

// HIGH rounds the values of vector i and puts them into register z, number i.
#define HIGH(i) \
	VMOVUPS.Z (AX), K2, Z16      \
	VMOVUPS.Z 64(AX), K3, Z17    \
	VCVTNE2PS2BF16(16, 17, i)    \
	NEXT_VECTOR(i)

// LOW does the same with what the rounding leaves.
#define LOW(i) \
	VMOVUPS.Z     (AX), K2, Z16   \
	VMOVUPS.Z     64(AX), K3, Z17 \
	VCVTNE2PS2BF16(16, 17, 18)    \
	VPMOVZXWD     Y18, Z19        \
	VEXTRACTI64X4 $1, Z18, Y18    \
	VPMOVZXWD     Y18, Z18        \
	VPSLLD        $16, Z19, Z19   \
	VPSLLD        $16, Z18, Z18   \
	VSUBPS        Z19, Z16, Z16   \
	VSUBPS        Z18, Z17, Z17   \
	VCVTNE2PS2BF16(16, 17, i)     \
	NEXT_VECTOR(i)

#define EACH(M) \
	MOVQ SI, AX \
	M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)

// PACK_TILE transposes what EACH has left and stores it at disp.
#define PACK_TILE(disp) \
	TRANSPOSE(K1)                \
	VMOVDQU64 Z0, disp+0(DI)     \
	VMOVDQU64 Z1, disp+64(DI)    \
	VMOVDQU64 Z2, disp+128(DI)   \
	VMOVDQU64 Z3, disp+192(DI)   \
	VMOVDQU64 Z4, disp+256(DI)   \
	VMOVDQU64 Z5, disp+320(DI)   \
	VMOVDQU64 Z6, disp+384(DI)   \
	VMOVDQU64 Z7, disp+448(DI)   \
	VMOVDQU64 Z8, disp+512(DI)   \
	VMOVDQU64 Z9, disp+576(DI)   \
	VMOVDQU64 Z10, disp+640(DI)  \
	VMOVDQU64 Z11, disp+704(DI)  \
	VMOVDQU64 Z12, disp+768(DI)  \
	VMOVDQU64 Z13, disp+832(DI)  \
	VMOVDQU64 Z14, disp+896(DI)  \
	VMOVDQU64 Z15, disp+960(DI)

// func packBF16_amx(dst []byte, x []float32, stride, vectors, n int)
TEXT ·packBF16_amx(SB), NOSPLIT, $0-72
	PACK_ARGUMENTS
step:
	PACK_MASKS
	EACH(HIGH)
	PACK_TILE(0)
	ADDQ $128, SI
	ADDQ $2048, DI
	SUBQ $32, CX
	JGT  step
	VZEROUPPER
	RET

// func packBF16x2_amx(dst []byte, x []float32, stride, vectors, n int)
TEXT ·packBF16x2_amx(SB), NOSPLIT, $0-72
	PACK_ARGUMENTS
step:
	PACK_MASKS
	EACH(HIGH)
	PACK_TILE(0)
	EACH(LOW)
	PACK_TILE(2048)
	ADDQ $128, SI
	ADDQ $4096, DI
	SUBQ $32, CX
	JGT  step
	VZEROUPPER
	RET
