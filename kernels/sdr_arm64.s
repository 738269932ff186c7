#include "textflag.h"
#include "asm_arm64.h"

// Products of channel-major weights: see sdr_tiles.go.
//
// Bytes of four channels are brought together, so that the dot product of four bytes
// adds up the channels of one output. A column is 16 bytes of each channel; its sums stay
// in registers:
//
//	V0-V3 H of the low halves   V4-V7 H of the high ones   V8-V15 the same of L
//	V16-V19 four channels, then their bytes together   V20-V23 scratch
//	V24, V25 hi and lo of the activations   V26, V27 scratch   V30, V31 mask and table
//
//	R0 sums of the group   R1 weights of the tile   R2 offsets of channels   R4 quads
//	R3 channels to fetch, R19 where in one, R20 bytes left of it
//	R5 activations of the group   R6 from hi to lo   R7 bytes of a channel in the tile
//	R8 bytes of sums from group to group   R9 columns left of the tile
//	R10-R13 four channels   R14 offsets, R15 quads left   R16 activations

// BEGIN loads the arguments.
#define BEGIN \
	MOVD acc+0(FP), R0      \
	MOVD values+8(FP), R1   \
	MOVD offsets+16(FP), R2 \
	MOVD next+24(FP), R3    \
	MOVD quads+32(FP), R4   \
	MOVD x+40(FP), R5       \
	MOVD half+48(FP), R6    \
	MOVD groups+56(FP), R7  \
	MOVD stride+64(FP), R8  \
	LSL  $2, R7, R9         \
	LSL  $6, R7             \
	MOVD R7, R20            \
	MOVD.P 8(R3), R19

// QUAD makes V16-V19 of a column of four channels.
#define QUAD(fetched) \
	PRFM (R19), PLDL2KEEP           \
	ADD  $64, R19                   \
	SUBS $64, R20                   \
	BNE  fetched                    \
	MOVD R7, R20                    \
	MOVD.P 8(R3), R19               \
fetched:                          \
	LDP.P 16(R14), (R10, R11)       \
	LDP.P 16(R14), (R12, R13)       \
	LDR_Q(10, 1, 16)                \
	LDR_Q(11, 1, 17)                \
	LDR_Q(12, 1, 18)                \
	LDR_Q(13, 1, 19)                \
	VLD1R (R16), [V24.S4]           \
	ADD  R6, R16                    \
	VLD1R (R16), [V25.S4]           \
	ADD  R6, R16                    \
	VZIP1 V17.B16, V16.B16, V20.B16 \
	VZIP2 V17.B16, V16.B16, V21.B16 \
	VZIP1 V19.B16, V18.B16, V22.B16 \
	VZIP2 V19.B16, V18.B16, V23.B16 \
	VZIP1 V22.H8, V20.H8, V16.H8    \
	VZIP2 V22.H8, V20.H8, V17.H8    \
	VZIP1 V23.H8, V21.H8, V18.H8    \
	VZIP2 V23.H8, V21.H8, V19.H8

// SDOT adds the products of v with the two numbers of the activations.
#define SDOT(v, h, l) \
	SDOT_S4(24, v, h) \
	SDOT_S4(25, v, l)

// SMULL is SDOT without dot products. Sums of two products have 16 bits.
#define SMULL(v, h, l) \
	SMULL_H8(24, v, 26)             \
	SMULL2_H8(24, v, 27)            \
	VADDP V27.H8, V26.H8, V26.H8    \
	SADALP_S4(26, h)                \
	SMULL_H8(25, v, 26)             \
	SMULL2_H8(25, v, 27)            \
	VADDP V27.H8, V26.H8, V26.H8    \
	SADALP_S4(26, l)

// NIBBLES unpacks the codes V of SDR4 and multiplies them.
#define NIBBLES(DOT, V, h, l, h2, l2) \
	VAND  V30.B16, V.B16, V20.B16       \
	VTBL  V20.B16, [V31.B16], V20.B16   \
	DOT(20, h, l)                       \
	VUSHR $4, V.B16, V20.B16            \
	VTBL  V20.B16, [V31.B16], V20.B16   \
	DOT(20, h2, l2)

// A group has four columns; R9 counts those of the tile.
#define SDR4(DOT) \
	MOVD  table+72(FP), R10         \
	VLD1  (R10), [V31.B16]          \
	VMOVI $64, V20.B16              \
	VSUB  V20.B16, V31.B16, V31.B16 \
	VMOVI $15, V30.B16              \
	BEGIN                           \
column:                           \
	ADD   $256, R0, R10             \
	ADD   $512, R0, R11             \
	ADD   $768, R0, R12             \
	VLD1  (R0), [V0.S4, V1.S4, V2.S4, V3.S4]      \
	VLD1  (R10), [V4.S4, V5.S4, V6.S4, V7.S4]     \
	VLD1  (R11), [V8.S4, V9.S4, V10.S4, V11.S4]   \
	VLD1  (R12), [V12.S4, V13.S4, V14.S4, V15.S4] \
	MOVD  R2, R14                   \
	MOVD  R4, R15                   \
	MOVD  R5, R16                   \
quad:                             \
	QUAD(fetched)                   \
	NIBBLES(DOT, V16, 0, 8, 4, 12)   \
	NIBBLES(DOT, V17, 1, 9, 5, 13)   \
	NIBBLES(DOT, V18, 2, 10, 6, 14)  \
	NIBBLES(DOT, V19, 3, 11, 7, 15)  \
	SUBS  $1, R15                   \
	BNE   quad                      \
	ADD   $256, R0, R10             \
	ADD   $512, R0, R11             \
	ADD   $768, R0, R12             \
	VST1  [V0.S4, V1.S4, V2.S4, V3.S4], (R0)      \
	VST1  [V4.S4, V5.S4, V6.S4, V7.S4], (R10)     \
	VST1  [V8.S4, V9.S4, V10.S4, V11.S4], (R11)   \
	VST1  [V12.S4, V13.S4, V14.S4, V15.S4], (R12) \
	NEXT

// NEXT goes on to the next column, and after four to the next group.
#define NEXT \
	ADD   $16, R1        \
	ADD   $64, R0        \
	SUBS  $1, R9         \
	BEQ   done           \
	TST   $3, R9         \
	BNE   column         \
	ADD   $4, R5         \
	SUB   $256, R0       \
	ADD   R8, R0         \
	B     column         \
done:                  \
	RET

#define SDR8(DOT) \
	BEGIN                           \
column:                           \
	ADD   $256, R0, R10             \
	VLD1  (R0), [V0.S4, V1.S4, V2.S4, V3.S4]    \
	VLD1  (R10), [V8.S4, V9.S4, V10.S4, V11.S4] \
	MOVD  R2, R14                   \
	MOVD  R4, R15                   \
	MOVD  R5, R16                   \
quad:                             \
	QUAD(fetched)                   \
	DOT(16, 0, 8)                   \
	DOT(17, 1, 9)                   \
	DOT(18, 2, 10)                  \
	DOT(19, 3, 11)                  \
	SUBS  $1, R15                   \
	BNE   quad                      \
	ADD   $256, R0, R10             \
	VST1  [V0.S4, V1.S4, V2.S4, V3.S4], (R0)    \
	VST1  [V8.S4, V9.S4, V10.S4, V11.S4], (R10) \
	NEXT

// Q makes whole numbers of 4 scales and an activation.
#define Q(scales, x, V, v) \
	VLD1.P 8(scales), [V.H4] \
	FCVTL_S4(v, v)           \
	FMUL_S4(x, v, v)         \
	FMINNM_S4(30, v, v)      \
	FMAXNM_S4(29, v, v)      \
	FCVTNS_S4(v, v)

// LEVELS makes hi of q, and q lo.
#define LEVELS(q, HI, hi) \
	VADD V28.S4, q.S4, HI.S4  \
	SSHR_S4(7, hi, hi)        \
	VSHL $7, HI.S4, V20.S4    \
	VSUB V20.S4, q.S4, q.S4

// func sdr4_neon(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)
TEXT ·sdr4_neon(SB), NOSPLIT, $0-80
	SDR4(SMULL)

// func sdr4_dotprod(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)
TEXT ·sdr4_dotprod(SB), NOSPLIT, $0-80
	SDR4(SDOT)

// func sdr8_neon(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)
TEXT ·sdr8_neon(SB), NOSPLIT, $0-80
	SDR8(SMULL)

// func sdr8_dotprod(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)
TEXT ·sdr8_dotprod(SB), NOSPLIT, $0-80
	SDR8(SDOT)

// func sdrFold_neon(x *uint32, sums *int32, scales *byte, offsets *uintptr, in *float32, quads, groups, half int, last uint32)
TEXT ·sdrFold_neon(SB), NOSPLIT, $0-68
	MOVD  x+0(FP), R0
	MOVD  scales+16(FP), R1
	MOVD  offsets+24(FP), R2
	MOVD  in+32(FP), R3
	MOVD  quads+40(FP), R4
	MOVD  half+56(FP), R6
	MOVW  $0x467e0000, R7  // 16256
	VDUP  R7, V30.S4
	MOVW  $0xc67e0000, R7
	VDUP  R7, V29.S4
	MOVW  $64, R7
	VDUP  R7, V28.S4
	VCMEQ V31.B16, V31.B16, V31.B16

quad:
	CMP  $1, R4
	BNE  whole
	MOVWU last+64(FP), R7
	VDUP R7, V31.S4

whole:
	LDP.P 16(R2), (R8, R9)
	LDP.P 16(R2), (R10, R11)
	ADD   R8->5, R1, R8
	ADD   R9->5, R1, R9
	ADD   R10->5, R1, R10
	ADD   R11->5, R1, R11
	VLD1R.P 4(R3), [V0.S4]
	VLD1R.P 4(R3), [V1.S4]
	VLD1R.P 4(R3), [V2.S4]
	VLD1R.P 4(R3), [V3.S4]
	MOVD  groups+48(FP), R5
	MOVD  R0, R12
	ADD   R6, R0, R13

groups:
	Q(R8, 0, V4, 4)
	Q(R9, 1, V5, 5)
	Q(R10, 2, V6, 6)
	Q(R11, 3, V7, 7)
	LEVELS(V4, V16, 16)
	LEVELS(V5, V17, 17)
	LEVELS(V6, V18, 18)
	LEVELS(V7, V19, 19)
	VSLI   $8, V17.S4, V16.S4
	VSLI   $8, V5.S4, V4.S4
	VSLI   $16, V18.S4, V16.S4
	VSLI   $16, V6.S4, V4.S4
	VSLI   $24, V19.S4, V16.S4
	VSLI   $24, V7.S4, V4.S4
	VAND   V31.B16, V16.B16, V16.B16
	VAND   V31.B16, V4.B16, V4.B16
	VST1.P [V16.S4], 16(R12)
	VST1.P [V4.S4], 16(R13)
	SUBS   $4, R5
	BNE    groups
	ADD    R6<<1, R0
	SUBS   $1, R4
	BNE    quad
	RET
