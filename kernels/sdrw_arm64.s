#include "textflag.h"

// func sdrwExpand_neon(line, run *byte, places *[256][8]byte, zero byte)
//
// It is sdrwExpand_avx2 with TBL: see there.
TEXT ·sdrwExpand_neon(SB), NOSPLIT, $0-25
	MOVD  line+0(FP), R0
	MOVD  run+8(FP), R1
	MOVD  places+16(FP), R2
	MOVBU zero+24(FP), R3
	VDUP  R3, V2.B8
	MOVD  (R1), R4
	ADD   $8, R1
	VMOV  R4, V3.D[0]
	VCNT  V3.B8, V3.B8
	VMOV  V3.D[0], R6       // how many bytes each byte of the mask tells of
	MOVD  $8, R5

eight:
	AND    $0xff, R4, R7
	ADD    R7<<3, R2, R8
	VLD1   (R1), [V0.B8]
	VLD1   (R8), [V1.B8]
	VEOR   V2.B8, V0.B8, V0.B8
	VTBL   V1.B8, [V0.B16], V0.B8
	VEOR   V2.B8, V0.B8, V0.B8
	VST1.P [V0.B8], 8(R0)
	AND    $0xff, R6, R7
	ADD    R7, R1
	LSR    $8, R4
	LSR    $8, R6
	SUBS   $1, R5
	BNE    eight
	RET
