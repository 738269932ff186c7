#include "textflag.h"

// func pairsF16_amx(dst []byte, b []uint16)
//
// A step of 32 rows of a panel becomes, of each plane, a tile of 16 pairs of
// rows. The upper half of a float32 is the first plane; the difference has at
// most 3 significant bits and is the second, exactly.
//
//	DI pair of the step  SI rows    CX rows left
//	R8 pairs left of the step       Z31 upper halves
TEXT ·pairsF16_amx(SB), NOSPLIT, $0-48
	MOVQ         dst_base+0(FP), DI
	MOVQ         b_base+24(FP), SI
	MOVQ         b_len+32(FP), CX
	SHRQ         $4, CX
	MOVL         $0xFFFF0000, AX
	VPBROADCASTD AX, Z31

step:
	MOVQ $16, R8

pair:
	VPXORD    Z0, Z0, Z0
	VPXORD    Z1, Z1, Z1
	SUBQ      $1, CX
	JLT       none
	VCVTPH2PS (SI), Z0
	JEQ       one
	VCVTPH2PS 32(SI), Z1

one:
	SUBQ $1, CX
	ADDQ $64, SI

none:
	VPANDD    Z31, Z0, Z2
	VPANDD    Z31, Z1, Z3
	VSUBPS    Z2, Z0, Z0
	VSUBPS    Z3, Z1, Z1
	VPSRLD    $16, Z2, Z2
	VPSRLD    $16, Z0, Z0
	VPORD     Z3, Z2, Z2
	VPORD     Z1, Z0, Z0
	VMOVDQU64 Z2, (DI)
	VMOVDQU64 Z0, 2048(DI)
	ADDQ      $64, DI
	DECQ      R8
	JNZ       pair
	ADDQ      $3072, DI
	TESTQ     CX, CX
	JG        step
	VZEROUPPER
	RET

// func tileRows_amx(c []float32, tiles []byte, stride, rows int, add bool)
//
// A column of two tiles, which lie 2048 bytes apart, is stored or added to up to
// 32 rows.
TEXT ·tileRows_amx(SB), NOSPLIT, $0-65
	MOVQ c_base+0(FP), DI
	MOVQ tiles_base+24(FP), SI
	MOVQ stride+48(FP), R9
	MOVQ rows+56(FP), CX
	SHLQ $2, R9
	MOVQ $16, R8
	CMPB add+64(FP), $0
	JNE  plus

row:
	VMOVUPS (SI), Z0
	VMOVUPS Z0, (DI)
	ADDQ    $64, SI
	ADDQ    R9, DI
	DECQ    CX
	JZ      done
	DECQ    R8
	JNZ     row
	ADDQ    $1024, SI
	JMP     row

plus:
	VMOVUPS (SI), Z0
	VADDPS  (DI), Z0, Z0
	VMOVUPS Z0, (DI)
	ADDQ    $64, SI
	ADDQ    R9, DI
	DECQ    CX
	JZ      done
	DECQ    R8
	JNZ     plus
	ADDQ    $1024, SI
	JMP     plus

done:
	VZEROUPPER
	RET
