// Keys and values of few bits to float32, a row of the panel at a time: what the
// types have in common. R0 is where the results go, R1 where the values come from,
// R2 where their scales do, and R4 the number of rows that are left.

#define KV_ARGUMENTS \
	MOVD dst_base+0(FP), R0 \
	MOVD dst_len+8(FP), R4  \
	MOVD q_base+24(FP), R1  \
	MOVD d_base+48(FP), R2  \
	LSR  $4, R4, R4

// FLOATS makes results of the row's 16-bit numbers, the first 8 in lo and the others
// in hi, with the scales in s0 to s3.
#define FLOATS(lo, hi, s0, s1, s2, s3) \
	SSHLL_S4(0, lo, 4)  \
	SSHLL2_S4(0, lo, 5) \
	SSHLL_S4(0, hi, 6)  \
	SSHLL2_S4(0, hi, 7) \
	SCVTF_S4(4, 4)     \
	SCVTF_S4(5, 5)     \
	SCVTF_S4(6, 6)     \
	SCVTF_S4(7, 7)     \
	FMUL_S4(s0, 4, 4)  \
	FMUL_S4(s1, 5, 5)  \
	FMUL_S4(s2, 6, 6)  \
	FMUL_S4(s3, 7, 7)  \
	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R0)

// COLUMNS calls WIDEN for all rows, with the scales of every 32 of them in 16 to 19.
#define COLUMNS(START, WIDEN) \
	START              \
block:               \
	VLD1.P 32(R2), [V20.B16, V21.B16] \
	FCVTL_S4(20, 16)   \
	FCVTL2_S4(20, 17)  \
	FCVTL_S4(21, 18)   \
	FCVTL2_S4(21, 19)  \
	MOVD $32, R9       \
	CMP  R9, R4        \
	CSEL LT, R4, R9, R9 \
	SUB  R9, R4        \
row:                 \
	WIDEN(16, 17, 18, 19) \
	SUBS $1, R9        \
	BNE  row           \
	CBNZ R4, block     \
	RET

// ROWS calls WIDEN for all rows, with the scale of each in 16.
#define ROWS(START, WIDEN) \
	START              \
row:                 \
	VLD1R.P 2(R2), [V16.H4] \
	FCVTL_S4(16, 16)   \
	WIDEN(16, 16, 16, 16) \
	SUBS $1, R4        \
	BNE  row           \
	RET
