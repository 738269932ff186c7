#include "textflag.h"

// Products of 8-bit numbers for AVX-512 VNNI: see promptq8_amd64.go.
//
// Registers:
//	DI sums of 4 vectors    SI panels    DX packed, 4 vectors
//	R8 groups left          R9 bytes per step of packed   R10 steps
//	AX panels, BX packed, next group      CX steps left
// Z0-Z7 are whole sums of vector t and panel p in Z(2*t+p), Z8-Z15 sums of those
// times the scales; Z16 and Z17 are weights, Z18 an activation for all rows.
#define ARGUMENTS \
	MOVQ sums_base+0(FP), DI    \
	MOVQ panel_base+24(FP), SI  \
	MOVQ packed_base+48(FP), DX \
	MOVQ step+72(FP), R9        \
	MOVQ groups+80(FP), R8      \
	MOVQ steps+88(FP), R10

// From one panel, and its sums, to the next.
#define PANEL32 (16*640)
#define PANEL16 (32*384)
#define SUMS (512*64)

#define EXCESS(panel) \
	VMOVDQU32 (AX), Z0        \
	VMOVDQU32 panel(AX), Z1   \
	VMOVDQU32 (AX), Z2        \
	VMOVDQU32 panel(AX), Z3   \
	VMOVDQU32 (AX), Z4        \
	VMOVDQU32 panel(AX), Z5   \
	VMOVDQU32 (AX), Z6        \
	VMOVDQU32 panel(AX), Z7

#define VECTOR(disp, s0, s1) \
	VPBROADCASTD disp(BX), Z18 \
	VPDPBUSD     Z16, Z18, s0  \
	VPDPBUSD     Z17, Z18, s1

#define FOUR(panel, w, x) \
	VMOVDQU32 w(AX), Z16         \
	VMOVDQU32 (panel+w)(AX), Z17 \
	VECTOR(x, Z0, Z1)            \
	VECTOR((x+4), Z2, Z3)        \
	VECTOR((x+8), Z4, Z5)        \
	VECTOR((x+12), Z6, Z7)

#define SCALED(d, s0, s1, f0, f1) \
	VCVTDQ2PS        s0, s0        \
	VCVTDQ2PS        s1, s1        \
	VMULPS           Z16, s0, s0   \
	VMULPS           Z17, s1, s1   \
	VFMADD231PS.BCST d(BX), s0, f0 \
	VFMADD231PS.BCST d(BX), s1, f1

#define SCALED4(panel) \
	VMOVUPS 64(AX), Z16         \
	VMOVUPS (panel+64)(AX), Z17 \
	SCALED(128, Z0, Z1, Z8, Z9)   \
	SCALED(132, Z2, Z3, Z10, Z11) \
	SCALED(136, Z4, Z5, Z12, Z13) \
	SCALED(140, Z6, Z7, Z14, Z15)

#define GROUP32 \
	EXCESS(PANEL32)          \
	FOUR(PANEL32, 128, 0)    \
	FOUR(PANEL32, 192, 16)   \
	FOUR(PANEL32, 256, 32)   \
	FOUR(PANEL32, 320, 48)   \
	FOUR(PANEL32, 384, 64)   \
	FOUR(PANEL32, 448, 80)   \
	FOUR(PANEL32, 512, 96)   \
	FOUR(PANEL32, 576, 112)  \
	SCALED4(PANEL32)

#define GROUP16(x) \
	EXCESS(PANEL16)             \
	FOUR(PANEL16, 128, (x))     \
	FOUR(PANEL16, 192, (x+16))  \
	FOUR(PANEL16, 256, (x+32))  \
	FOUR(PANEL16, 320, (x+48))  \
	SCALED4(PANEL16)

#define SUMS8(M) \
	M(0, Z8)         \
	M(SUMS, Z9)      \
	M(64, Z10)       \
	M(SUMS+64, Z11)  \
	M(128, Z12)      \
	M(SUMS+128, Z13) \
	M(192, Z14)      \
	M(SUMS+192, Z15)

#define LOAD(disp, z) VMOVUPS (disp)(DI), z
#define STORE(disp, z) VMOVUPS z, (disp)(DI)

#define GROUPS(STEP) \
group:                 \
	MOVQ SI, AX    \
	MOVQ R10, CX   \
	SUMS8(LOAD)    \
step:                  \
	STEP           \
	DECQ CX        \
	JNZ  step      \
	SUMS8(STORE)   \
	ADDQ $256, DI  \
	DECQ R8        \
	JNZ  group     \
	VZEROUPPER     \
	RET

#define STEP32 \
	GROUP32       \
	ADDQ $640, AX \
	ADDQ R9, BX

#define STEP16 \
	GROUP16(0)    \
	ADDQ $384, AX \
	GROUP16(64)   \
	ADDQ $384, AX \
	ADDQ R9, BX

// func dotQ8x32_avx512vnni(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x32_avx512vnni(SB), NOSPLIT, $0-96
	ARGUMENTS
	MOVQ DX, BX
	GROUPS(STEP32)

// func dotQ8x16_avx512vnni(sums, panel, packed []byte, step, groups, steps int)
TEXT ·dotQ8x16_avx512vnni(SB), NOSPLIT, $0-96
	ARGUMENTS
	MOVQ DX, BX
	GROUPS(STEP16)
