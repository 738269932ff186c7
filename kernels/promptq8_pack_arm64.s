#include "textflag.h"
#include "asm_arm64.h"

// Panels and packed activations of 8-bit numbers: see promptq8_gemm.go.

// ROWS4 loads 16 bytes of four rows: V0-V3.
#define ROWS4(at0, at1, at2, at3) \
	FMOVQ at0, F0  \
	FMOVQ at1, F1  \
	FMOVQ at2, F2  \
	FMOVQ at3, F3

// WORDS transposes numbers of 32 bits: word i of the rows becomes Vi. It changes
// V4-V7.
#define WORDS \
	VTRN1 V1.S4, V0.S4, V4.S4 \
	VTRN2 V1.S4, V0.S4, V5.S4 \
	VTRN1 V3.S4, V2.S4, V6.S4 \
	VTRN2 V3.S4, V2.S4, V7.S4 \
	VTRN1 V6.D2, V4.D2, V0.D2 \
	VTRN1 V7.D2, V5.D2, V1.D2 \
	VTRN2 V6.D2, V4.D2, V2.D2 \
	VTRN2 V7.D2, V5.D2, V3.D2

// EIGHTS makes V4 and V5 the first eights of the rows, V6 and V7 the second ones.
#define EIGHTS \
	VTRN1 V1.D2, V0.D2, V4.D2 \
	VTRN1 V3.D2, V2.D2, V5.D2 \
	VTRN2 V1.D2, V0.D2, V6.D2 \
	VTRN2 V3.D2, V2.D2, V7.D2

// Panels. Rows are 512 bytes apart; four of them start at R1, R8, R9 and R10.
#define TRANSPOSE_ARGUMENTS \
	MOVD panel_base+0(FP), R0 \
	MOVD q_base+24(FP), R1    \
	MOVD steps+48(FP), R2

#define ROWS_AT(disp) ROWS4(disp(R1), disp(R8), disp(R9), disp(R10))

// FOURS16 puts 16 values of four rows, disp bytes on, into the panel at R11, to bytes
// on, in runs of four.
#define FOURS16(disp, to) \
	ROWS_AT(disp)              \
	WORDS                      \
	FMOVQ F0, (to)(R11)        \
	FMOVQ F1, (to+64)(R11)     \
	FMOVQ F2, (to+128)(R11)    \
	FMOVQ F3, (to+192)(R11)

// EIGHTS16 does it in runs of eight.
#define EIGHTS16(disp, to) \
	ROWS_AT(disp)                  \
	EIGHTS                         \
	FSTPQ (F4, F5), (to)(R11)      \
	FSTPQ (F6, F7), (to+128)(R11)

// TRANSPOSE puts steps of 32 values of 16 rows into groups of size bytes for 32
// values. Four rows take up width bytes.
#define TRANSPOSE(HALF, first, second, size, width) \
step:                       \
	MOVD R0, R11              \
	MOVD $4, R12              \
rows:                       \
	ADD  $512, R1, R8         \
	ADD  $1024, R1, R9        \
	ADD  $1536, R1, R10       \
	HALF(0, first)            \
	HALF(16, second)          \
	ADD  $2048, R1            \
	ADD  $width, R11          \
	SUBS $1, R12              \
	BNE  rows                 \
	SUB  $(8192-32), R1       \
	ADD  $size, R0            \
	SUBS $1, R2               \
	BNE  step                 \
	RET

// Packed activations. Vectors are 256 bytes apart.
#define INTERLEAVE_ARGUMENTS \
	MOVD dst_base+0(FP), R0 \
	MOVD q_base+24(FP), R1  \
	MOVD steps+48(FP), R2   \
	MOVD step+56(FP), R3    \
	ADD  $256, R1, R8       \
	ADD  $512, R1, R9       \
	ADD  $768, R1, R10

#define INTERLEAVE_NEXT \
	ADD  $32, R1   \
	ADD  $32, R8   \
	ADD  $32, R9   \
	ADD  $32, R10  \
	ADD  R3, R0    \
	SUBS $1, R2    \
	BNE  step      \
	RET

#define INTERLEAVE_FOURS(disp, to) \
	ROWS_AT(disp)                    \
	WORDS                            \
	FSTPQ (F0, F1), (to)(R0)         \
	FSTPQ (F2, F3), (to+32)(R0)

#define INTERLEAVE_EIGHTS(disp, to) \
	ROWS_AT(disp)                    \
	EIGHTS                           \
	FSTPQ (F4, F5), (to)(R0)         \
	FSTPQ (F6, F7), (to+32)(R0)

// func transposeQ8x32x4_neon(panel, q []byte, steps int)
TEXT ·transposeQ8x32x4_neon(SB), NOSPLIT, $0-56
	TRANSPOSE_ARGUMENTS
	TRANSPOSE(FOURS16, 64, 320, 576, 16)

// func transposeQ8x16x4_neon(panel, q []byte, steps int)
TEXT ·transposeQ8x16x4_neon(SB), NOSPLIT, $0-56
	TRANSPOSE_ARGUMENTS
	TRANSPOSE(FOURS16, 64, 384, 640, 16)

// func transposeQ8x32x8_neon(panel, q []byte, steps int)
TEXT ·transposeQ8x32x8_neon(SB), NOSPLIT, $0-56
	TRANSPOSE_ARGUMENTS
	TRANSPOSE(EIGHTS16, 64, 320, 576, 32)

// func transposeQ8x16x8_neon(panel, q []byte, steps int)
TEXT ·transposeQ8x16x8_neon(SB), NOSPLIT, $0-56
	TRANSPOSE_ARGUMENTS
	TRANSPOSE(EIGHTS16, 64, 384, 640, 32)

// func interleaveQ8x4_neon(dst []byte, q []int8, steps, step int)
TEXT ·interleaveQ8x4_neon(SB), NOSPLIT, $0-64
	INTERLEAVE_ARGUMENTS
step:
	INTERLEAVE_FOURS(0, 0)
	INTERLEAVE_FOURS(16, 64)
	INTERLEAVE_NEXT

// func interleaveQ8x8_neon(dst []byte, q []int8, steps, step int)
TEXT ·interleaveQ8x8_neon(SB), NOSPLIT, $0-64
	INTERLEAVE_ARGUMENTS
step:
	INTERLEAVE_EIGHTS(0, 0)
	INTERLEAVE_EIGHTS(16, 64)
	INTERLEAVE_NEXT

// func levelsQ8_neon(q, w []byte, levels *[16]int8)
TEXT ·levelsQ8_neon(SB), NOSPLIT, $0-56
	MOVD  q_base+0(FP), R0
	MOVD  w_base+24(FP), R1
	MOVD  levels+48(FP), R2
	FMOVQ (R1), F0
	FMOVQ (R2), F2
	VMOVI $15, V3.B16
	VUSHR $4, V0.B16, V1.B16
	VAND  V3.B16, V0.B16, V0.B16
	VTBL  V0.B16, [V2.B16], V0.B16
	VTBL  V1.B16, [V2.B16], V1.B16
	VST1  [V0.B16, V1.B16], (R0)
	RET
