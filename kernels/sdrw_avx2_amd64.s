#include "textflag.h"

// Runs of packed weights (sdrw.go), for AVX2: eight bytes of the mask, one after the
// other, say where the next bytes of the run go. They are combined with the byte of
// weights that are 0 by exclusive or before and after that, so that places to which
// nothing goes have it.

// func sdrwExpand_avx2(line, run *byte, places *[256][8]byte, zero byte)
TEXT ·sdrwExpand_avx2(SB), NOSPLIT, $0-25
	MOVQ         line+0(FP), DI
	MOVQ         run+8(FP), SI
	MOVQ         places+16(FP), BX
	VPBROADCASTB zero+24(FP), X2
	MOVQ         (SI), AX
	ADDQ         $8, SI
	MOVQ         $8, CX

eight:
	MOVBLZX AX, DX
	VMOVQ   (SI), X0
	VMOVQ   (BX)(DX*8), X1
	VPXOR   X2, X0, X0
	VPSHUFB X1, X0, X0
	VPXOR   X2, X0, X0
	VMOVQ   X0, (DI)
	POPCNTQ DX, DX
	ADDQ    DX, SI
	SHRQ    $8, AX
	ADDQ    $8, DI
	DECQ    CX
	JNZ     eight
	RET
