#include "textflag.h"

// Values of 4 bits to float32, a row of the panel at a time: 8 bytes are widened to
// 32 bits each, whose lower halves are the first 8 values and upper halves the others.

#define Q4_ARGUMENTS \
	MOVQ dst_base+0(FP), DI \
	MOVQ dst_len+8(FP), DX  \
	MOVQ q_base+24(FP), SI  \
	MOVQ d_base+48(FP), R8  \
	SHRQ $4, DX             \
	MOVL $15, AX            \
	VMOVD AX, X15           \
	MOVL $8, AX             \
	VMOVD AX, X14

#define Q4_YCONSTANTS \
	VPBROADCASTD X15, Y15 \
	VPBROADCASTD X14, Y14

#define Q4_ZCONSTANTS \
	VPBROADCASTD X15, Z15 \
	VPBROADCASTD X14, Z14

#define Q4_YWIDEN(scale0, scale1) \
	VPMOVZXBD (SI), Y2      \
	PREFETCHT0 1024(SI)     \
	VPSRLD $4, Y2, Y3       \
	VPAND Y15, Y2, Y2       \
	VPSUBD Y14, Y3, Y3      \
	VPSUBD Y14, Y2, Y2      \
	VCVTDQ2PS Y2, Y2        \
	VCVTDQ2PS Y3, Y3        \
	VMULPS scale0, Y2, Y2   \
	VMULPS scale1, Y3, Y3   \
	VMOVUPS Y2, (DI)        \
	VMOVUPS Y3, 32(DI)      \
	ADDQ $8, SI             \
	ADDQ $64, DI

#define Q4_ZWIDEN(scale) \
	VPMOVZXBD (SI), Y2             \
	PREFETCHT0 1024(SI)            \
	VPSRLD $4, Y2, Y3              \
	VINSERTI64X4 $1, Y3, Z2, Z2    \
	VPANDD Z15, Z2, Z2             \
	VPSUBD Z14, Z2, Z2             \
	VCVTDQ2PS Z2, Z2               \
	VMULPS scale, Z2, Z2           \
	VMOVUPS Z2, (DI)               \
	ADDQ $8, SI                    \
	ADDQ $64, DI

// Q4_COLUMNS calls WIDEN for all rows, after SCALES for every 32 of them.
#define Q4_COLUMNS(CONSTANTS, SCALES, WIDEN) \
	Q4_ARGUMENTS      \
	CONSTANTS         \
block:              \
	SCALES            \
	ADDQ $32, R8      \
	MOVQ $32, CX      \
	CMPQ DX, CX       \
	JGE  rows         \
	MOVQ DX, CX       \
rows:               \
	SUBQ CX, DX       \
row:                \
	WIDEN             \
	DECQ CX           \
	JNZ  row          \
	TESTQ DX, DX      \
	JNZ  block        \
	VZEROUPPER        \
	RET

#define Q4_YSCALES \
	VCVTPH2PS (R8), Y0   \
	VCVTPH2PS 16(R8), Y1

#define Q4_ZSCALES VCVTPH2PS (R8), Z0

// func q4Columns_avx2(dst []float32, q []byte, d []uint16)
TEXT ·q4Columns_avx2(SB), NOSPLIT, $0-72
	Q4_COLUMNS(Q4_YCONSTANTS, Q4_YSCALES, Q4_YWIDEN(Y0, Y1))

// func q4Columns_avx512(dst []float32, q []byte, d []uint16)
TEXT ·q4Columns_avx512(SB), NOSPLIT, $0-72
	Q4_COLUMNS(Q4_ZCONSTANTS, Q4_ZSCALES, Q4_ZWIDEN(Z0))

// func q4Rows_avx2(dst []float32, q []byte, d []uint16)
TEXT ·q4Rows_avx2(SB), NOSPLIT, $0-72
	Q4_ARGUMENTS
	Q4_YCONSTANTS

row:
	VPBROADCASTW (R8), X0
	VCVTPH2PS    X0, Y0
	Q4_YWIDEN(Y0, Y0)
	ADDQ         $2, R8
	DECQ         DX
	JNZ          row
	VZEROUPPER
	RET

// func q4Rows_avx512(dst []float32, q []byte, d []uint16)
TEXT ·q4Rows_avx512(SB), NOSPLIT, $0-72
	Q4_ARGUMENTS
	Q4_ZCONSTANTS

row:
	VPBROADCASTW (R8), Y0
	VCVTPH2PS    Y0, Z0
	Q4_ZWIDEN(Z0)
	ADDQ         $2, R8
	DECQ         DX
	JNZ          row
	VZEROUPPER
	RET
