#include "textflag.h"
#include "asm_arm64.h"

// Products of float32: see promptf32.go.
//
// Panels.
//	R0 panel, R1 eight values of row 0, R2 bytes between rows, R3 eights left
//	R8-R11 four rows, R12 panel of those, R13 fours of rows left
// V16-V23 are the values of the rows, two registers each; V24 is zero.

// SQUARE transposes four values of four rows and stores them 64 bytes apart.
#define SQUARE(a, b, c, d, disp) \
	VTRN1 b.S4, a.S4, V0.S4   \
	VTRN2 b.S4, a.S4, V1.S4   \
	VTRN1 d.S4, c.S4, V2.S4   \
	VTRN2 d.S4, c.S4, V3.S4   \
	VTRN1 V2.D2, V0.D2, V4.D2 \
	VTRN1 V3.D2, V1.D2, V5.D2 \
	VTRN2 V2.D2, V0.D2, V6.D2 \
	VTRN2 V3.D2, V1.D2, V7.D2 \
	FMOVQ F4, (disp)(R12)     \
	FMOVQ F5, (disp+64)(R12)  \
	FMOVQ F6, (disp+128)(R12) \
	FMOVQ F7, (disp+192)(R12)

#define FROM_F32(at, a, A, B, va, vb) FLDPQ (at), (A, B)

#define FROM_F16(at, a, A, B, va, vb) \
	FMOVQ (at), B        \
	FCVTL_S4((a+1), a)   \
	FCVTL2_S4((a+1), (a+1))

#define FROM_BF16(at, a, A, B, va, vb) \
	FMOVQ (at), B                \
	VZIP1 vb.H8, V24.H8, va.H8   \
	VZIP2 vb.H8, V24.H8, vb.H8

#define PANEL(ROW, bytes) \
	MOVD panel_base+0(FP), R0 \
	MOVD w_base+24(FP), R1    \
	MOVD rowBytes+48(FP), R2  \
	MOVD eights+56(FP), R3    \
	MOVI0(24)                 \
eight:                      \
	MOVD R1, R8               \
	MOVD R0, R12              \
	MOVD $4, R13              \
rows:                       \
	ADD  R2, R8, R9           \
	ADD  R2, R9, R10          \
	ADD  R2, R10, R11         \
	ROW(R8, 16, F16, F17, V16, V17) \
	ROW(R9, 18, F18, F19, V18, V19) \
	ROW(R10, 20, F20, F21, V20, V21) \
	ROW(R11, 22, F22, F23, V22, V23) \
	SQUARE(V16, V18, V20, V22, 0)    \
	SQUARE(V17, V19, V21, V23, 256)  \
	ADD  R2, R11, R8          \
	ADD  $16, R12             \
	SUBS $1, R13              \
	BNE  rows                 \
	ADD  $bytes, R1           \
	ADD  $512, R0             \
	SUBS $1, R3               \
	BNE  eight                \
	RET

// Registers of the dot function:
//	R0 sums of 6 vectors    R1 panel   R2 packed, next value of 6 vectors
//	R3 groups left          R4 values  R5 first
//	R9 panel, next value    R10 values left   R11 sums
// V0-V23 are sums of vector t and rows 4*r.. in V(4*t+r); V24-V27 are weights, V28-V30
// activations of two values: lanes 0-5 and 6-11.
#define SUMS(M) \
	M(V0, V1, V2, V3)      \
	M(V4, V5, V6, V7)      \
	M(V8, V9, V10, V11)    \
	M(V12, V13, V14, V15)  \
	M(V16, V17, V18, V19)  \
	M(V20, V21, V22, V23)

#define LOAD(a, b, c, d) VLD1.P 64(R11), [a.S4, b.S4, c.S4, d.S4]
#define STORE(a, b, c, d) VST1.P [a.S4, b.S4, c.S4, d.S4], 64(R0)
#define ZERO(a, b, c, d) \
	VEOR a.B16, a.B16, a.B16 \
	VEOR b.B16, b.B16, b.B16 \
	VEOR c.B16, c.B16, c.B16 \
	VEOR d.B16, d.B16, d.B16

#define VECTOR(x, i, a) \
	FMLA_S4_S(x, i, 24, a)      \
	FMLA_S4_S(x, i, 25, (a+1))  \
	FMLA_S4_S(x, i, 26, (a+2))  \
	FMLA_S4_S(x, i, 27, (a+3))

#define WEIGHTS VLD1.P 64(R9), [V24.S4, V25.S4, V26.S4, V27.S4]

#define VALUE0 \
	WEIGHTS            \
	VECTOR(28, 0, 0)   \
	VECTOR(28, 1, 4)   \
	VECTOR(28, 2, 8)   \
	VECTOR(28, 3, 12)  \
	VECTOR(29, 0, 16)  \
	VECTOR(29, 1, 20)

#define VALUE1 \
	WEIGHTS            \
	VECTOR(29, 2, 0)   \
	VECTOR(29, 3, 4)   \
	VECTOR(30, 0, 8)   \
	VECTOR(30, 1, 12)  \
	VECTOR(30, 2, 16)  \
	VECTOR(30, 3, 20)

// func dotF32_neon(sums, panel, packed []byte, groups, values int, first bool)
TEXT ·dotF32_neon(SB), NOSPLIT, $0-89
	MOVD  sums_base+0(FP), R0
	MOVD  panel_base+24(FP), R1
	MOVD  packed_base+48(FP), R2
	MOVD  groups+72(FP), R3
	MOVD  values+80(FP), R4
	MOVBU first+88(FP), R5
group:
	MOVD R1, R9
	CBNZ R5, zero
	MOVD R0, R11
	SUMS(LOAD)
	B    start
zero:
	SUMS(ZERO)
start:
	LSR  $1, R4, R10
	CBZ  R10, last
two:
	VLD1.P 48(R2), [V28.S4, V29.S4, V30.S4]
	VALUE0
	VALUE1
	SUBS $1, R10
	BNE  two
last:
	TBZ     $0, R4, done
	FMOVQ.P 16(R2), F28
	FMOVD.P 8(R2), F29
	VALUE0
done:
	SUMS(STORE)
	SUBS $1, R3
	BNE  group
	RET

// func panelF32_neon(panel, w []byte, rowBytes, eights int)
TEXT ·panelF32_neon(SB), NOSPLIT, $0-64
	PANEL(FROM_F32, 32)

// func panelF16_neon(panel, w []byte, rowBytes, eights int)
TEXT ·panelF16_neon(SB), NOSPLIT, $0-64
	PANEL(FROM_F16, 16)

// func panelBF16_neon(panel, w []byte, rowBytes, eights int)
TEXT ·panelBF16_neon(SB), NOSPLIT, $0-64
	PANEL(FROM_BF16, 16)
