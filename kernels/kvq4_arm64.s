#include "textflag.h"
#include "asm_arm64.h"

#define Q4_ARGUMENTS \
	MOVD dst_base+0(FP), R0 \
	MOVD dst_len+8(FP), R4  \
	MOVD q_base+24(FP), R1  \
	MOVD d_base+48(FP), R2  \
	LSR  $4, R4, R4         \
	VMOVI $15, V31.B16      \
	VMOVI $8, V30.B16

// Q4_WIDEN unpacks a row of a panel, 8 bytes, whose scales are in s0 to s3: their
// lower halves are the first 8 values and the upper halves the others.
#define Q4_WIDEN(s0, s1, s2, s3) \
	VLD1.P 8(R1), [V0.B8]       \
	VUSHR  $4, V0.B8, V1.B8     \
	VAND   V31.B8, V0.B8, V0.B8 \
	VSUB   V30.B8, V0.B8, V0.B8 \
	VSUB   V30.B8, V1.B8, V1.B8 \
	SSHLL_H8(0, 0, 2)  \
	SSHLL_H8(0, 1, 3)  \
	SSHLL_S4(0, 2, 4)  \
	SSHLL2_S4(0, 2, 5) \
	SSHLL_S4(0, 3, 6)  \
	SSHLL2_S4(0, 3, 7) \
	SCVTF_S4(4, 4)     \
	SCVTF_S4(5, 5)     \
	SCVTF_S4(6, 6)     \
	SCVTF_S4(7, 7)     \
	FMUL_S4(s0, 4, 4)  \
	FMUL_S4(s1, 5, 5)  \
	FMUL_S4(s2, 6, 6)  \
	FMUL_S4(s3, 7, 7)  \
	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R0)

// func q4Columns_neon(dst []float32, q []byte, d []uint16)
TEXT ·q4Columns_neon(SB), NOSPLIT, $0-72
	Q4_ARGUMENTS

block:
	VLD1.P 32(R2), [V20.B16, V21.B16]
	FCVTL_S4(20, 16)
	FCVTL2_S4(20, 17)
	FCVTL_S4(21, 18)
	FCVTL2_S4(21, 19)
	MOVD $32, R9
	CMP  R9, R4
	CSEL LT, R4, R9, R9
	SUB  R9, R4

row:
	Q4_WIDEN(16, 17, 18, 19)
	SUBS $1, R9
	BNE  row
	CBNZ R4, block
	RET

// func q4Rows_neon(dst []float32, q []byte, d []uint16)
TEXT ·q4Rows_neon(SB), NOSPLIT, $0-72
	Q4_ARGUMENTS

row:
	VLD1R.P 2(R2), [V16.H4]
	FCVTL_S4(16, 16)
	Q4_WIDEN(16, 16, 16, 16)
	SUBS $1, R4
	BNE  row
	RET
