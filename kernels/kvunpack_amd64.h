// Keys and values of few bits to float32, a row of the panel at a time: what the
// types have in common. DI is where the results go, SI where the values come
// from, R8 where their scales do, and DX the number of rows that are left.

#define KV_ARGUMENTS \
	MOVQ dst_base+0(FP), DI \
	MOVQ dst_len+8(FP), DX  \
	MOVQ q_base+24(FP), SI  \
	MOVQ d_base+48(FP), R8  \
	SHRQ $4, DX

// The row's whole numbers, in Y2 and Y3 or in Z2, become results.

#define YFLOATS(scale0, scale1) \
	VCVTDQ2PS Y2, Y2        \
	VCVTDQ2PS Y3, Y3        \
	VMULPS scale0, Y2, Y2   \
	VMULPS scale1, Y3, Y3   \
	VMOVUPS Y2, (DI)        \
	VMOVUPS Y3, 32(DI)      \
	ADDQ $64, DI

#define ZFLOATS(scale) \
	VCVTDQ2PS Z2, Z2       \
	VMULPS scale, Z2, Z2   \
	VMOVUPS Z2, (DI)       \
	ADDQ $64, DI

// COLUMNS calls WIDEN for all rows, after SCALES for every 32 of them.
#define COLUMNS(START, SCALES, WIDEN) \
	START             \
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

#define YSCALES \
	VCVTPH2PS (R8), Y0   \
	VCVTPH2PS 16(R8), Y1

#define ZSCALES VCVTPH2PS (R8), Z0

// ROWS calls WIDEN for all rows, after SCALE for each.
#define ROWS(START, SCALE, WIDEN) \
	START             \
row:                \
	SCALE             \
	WIDEN             \
	ADDQ $2, R8       \
	DECQ DX           \
	JNZ  row          \
	VZEROUPPER        \
	RET

#define YSCALE \
	VPBROADCASTW (R8), X0 \
	VCVTPH2PS X0, Y0

#define ZSCALE \
	VPBROADCASTW (R8), Y0 \
	VCVTPH2PS Y0, Z0
