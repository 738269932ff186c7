#include "textflag.h"
#include "asm_arm64.h"
#include "kvunpack_arm64.h"

#define Q4_START \
	KV_ARGUMENTS       \
	VMOVI $15, V31.B16 \
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
	FLOATS(2, 3, s0, s1, s2, s3)

// func q4Columns_neon(dst []float32, q []byte, d []uint16)
TEXT ·q4Columns_neon(SB), NOSPLIT, $0-72
	COLUMNS(Q4_START, Q4_WIDEN)

// func q4Rows_neon(dst []float32, q []byte, d []uint16)
TEXT ·q4Rows_neon(SB), NOSPLIT, $0-72
	ROWS(Q4_START, Q4_WIDEN)
