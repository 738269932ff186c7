#include "textflag.h"

// Products of 8-bit numbers for AVX-512 VNNI: see promptq8_gemm.go.
//
// Registers:
//	DI sums of 4 vectors    SI panels    DX packed, 4 vectors
//	R8 groups left          R9 bytes per step of packed   R10 steps
//	R11 bytes per group     AX panels, BX packed, R12 packed of the next
//	CX steps left           group
// Eight vectors at a time: Z0-Z15 are whole sums of vector t and panel p in
// Z(2*t+p); Z16 and Z17 are weights, Z18 an activation for all rows. With fewer
// sums the processor would wait for each VPDPBUSD before the next to the same
// sum.
#define ARGUMENTS \
	MOVQ  sums_base+0(FP), DI    \
	MOVQ  panel_base+24(FP), SI  \
	MOVQ  packed_base+48(FP), DX \
	MOVQ  step+72(FP), R9        \
	MOVQ  groups+80(FP), R8      \
	MOVQ  steps+88(FP), R10      \
	MOVQ  R9, R11                \
	IMULQ R10, R11

// From one panel, and its sums, to the next.
#define PANEL32 (16*640)
#define PANEL16 (32*384)
#define SUMS (512*64)

#define EXCESS4(panel, s0, s1, s2, s3, s4, s5, s6, s7) \
	VMOVDQU32 (AX), s0        \
	VMOVDQU32 panel(AX), s1   \
	VMOVDQU32 (AX), s2        \
	VMOVDQU32 panel(AX), s3   \
	VMOVDQU32 (AX), s4        \
	VMOVDQU32 panel(AX), s5   \
	VMOVDQU32 (AX), s6        \
	VMOVDQU32 panel(AX), s7

#define VECTOR(x, s0, s1) \
	VPBROADCASTD x, Z18       \
	VPDPBUSD     Z16, Z18, s0 \
	VPDPBUSD     Z17, Z18, s1

#define FOUR(panel, w, x) \
	VMOVDQU32 w(AX), Z16         \
	VMOVDQU32 (panel+w)(AX), Z17 \
	VECTOR((x)(BX), Z0, Z1)      \
	VECTOR((x+4)(BX), Z2, Z3)    \
	VECTOR((x+8)(BX), Z4, Z5)    \
	VECTOR((x+12)(BX), Z6, Z7)

#define EIGHT(panel, w, x) \
	FOUR(panel, w, x)             \
	VECTOR((x)(R12), Z8, Z9)      \
	VECTOR((x+4)(R12), Z10, Z11)  \
	VECTOR((x+8)(R12), Z12, Z13)  \
	VECTOR((x+12)(R12), Z14, Z15)

#define SCALED(d, sum, s0, s1) \
	VBROADCASTSS d, Z18                 \
	VCVTDQ2PS   s0, s0                  \
	VCVTDQ2PS   s1, s1                  \
	VMULPS      Z16, s0, s0             \
	VMULPS      Z17, s1, s1             \
	VFMADD213PS (sum)(DI), Z18, s0      \
	VFMADD213PS (sum+SUMS)(DI), Z18, s1 \
	VMOVUPS     s0, (sum)(DI)           \
	VMOVUPS     s1, (sum+SUMS)(DI)

#define SCALED4(panel) \
	VMOVUPS 64(AX), Z16          \
	VMOVUPS (panel+64)(AX), Z17  \
	SCALED(128(BX), 0, Z0, Z1)   \
	SCALED(132(BX), 64, Z2, Z3)  \
	SCALED(136(BX), 128, Z4, Z5) \
	SCALED(140(BX), 192, Z6, Z7)

#define SCALED8(panel) \
	SCALED4(panel)                   \
	SCALED(128(R12), 256, Z8, Z9)    \
	SCALED(132(R12), 320, Z10, Z11)  \
	SCALED(136(R12), 384, Z12, Z13)  \
	SCALED(140(R12), 448, Z14, Z15)

#define START4(panel) EXCESS4(panel, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
#define START8(panel) \
	START4(panel) \
	EXCESS4(panel, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15)

#define GROUP32(START, VECTORS, SCALED) \
	START(PANEL32)            \
	VECTORS(PANEL32, 128, 0)  \
	VECTORS(PANEL32, 192, 16) \
	VECTORS(PANEL32, 256, 32) \
	VECTORS(PANEL32, 320, 48) \
	VECTORS(PANEL32, 384, 64) \
	VECTORS(PANEL32, 448, 80) \
	VECTORS(PANEL32, 512, 96) \
	VECTORS(PANEL32, 576, 112) \
	SCALED(PANEL32)           \
	ADDQ $640, AX

#define HALF16(START, VECTORS, SCALED, x) \
	START(PANEL16)                \
	VECTORS(PANEL16, 128, (x))    \
	VECTORS(PANEL16, 192, (x+16)) \
	VECTORS(PANEL16, 256, (x+32)) \
	VECTORS(PANEL16, 320, (x+48)) \
	SCALED(PANEL16)               \
	ADDQ $384, AX

#define GROUP16(START, VECTORS, SCALED) \
	HALF16(START, VECTORS, SCALED, 0) \
	HALF16(START, VECTORS, SCALED, 64)

#define DOT(GROUP) \
	SUBQ $2, R8                   \
	JLT  last                     \
pair:                                 \
	MOVQ SI, AX                   \
	MOVQ DX, BX                   \
	LEAQ (DX)(R11*1), R12         \
	MOVQ R10, CX                  \
step8:                                \
	GROUP(START8, EIGHT, SCALED8) \
	ADDQ R9, BX                   \
	ADDQ R9, R12                  \
	DECQ CX                       \
	JNZ  step8                    \
	MOVQ R12, DX                  \
	ADDQ $512, DI                 \
	SUBQ $2, R8                   \
	JGE  pair                     \
last:                                 \
	CMPQ R8, $-2                  \
	JEQ  done                     \
	MOVQ SI, AX                   \
	MOVQ DX, BX                   \
step4:                                \
	GROUP(START4, FOUR, SCALED4)  \
	ADDQ R9, BX                   \
	DECQ R10                      \
	JNZ  step4                    \
done:                                 \
	VZEROUPPER                    \
	RET

// func dotQ8x32_avx512vnni(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x32_avx512vnni(SB), NOSPLIT, $0-96
	ARGUMENTS
	DOT(GROUP32)

// func dotQ8x16_avx512vnni(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x16_avx512vnni(SB), NOSPLIT, $0-96
	ARGUMENTS
	DOT(GROUP16)
