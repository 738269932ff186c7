#include "textflag.h"

DATA lanes<>+0(SB)/8, $0x0000000100000000
DATA lanes<>+8(SB)/8, $0x0000000300000002
DATA lanes<>+16(SB)/8, $0x0000000500000004
DATA lanes<>+24(SB)/8, $0x0000000700000006
DATA lanes<>+32(SB)/8, $0x0000000900000008
DATA lanes<>+40(SB)/8, $0x0000000b0000000a
DATA lanes<>+48(SB)/8, $0x0000000d0000000c
DATA lanes<>+56(SB)/8, $0x0000000f0000000e
GLOBL lanes<>(SB), RODATA|NOPTR, $64

// REST makes K1 the lanes of the last CX of 16, which are in CX less than 16 and more
// than 0. It changes AX.
#define REST \
	MOVL  $1, AX  \
	SHLL  CX, AX  \
	DECL  AX      \
	KMOVW AX, K1

// func scores_avx512vnni(scores []int32, x, norm []float32)
TEXT ·scores_avx512vnni(SB), NOSPLIT, $0-72
	MOVQ         scores_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         x_len+32(FP), CX
	MOVQ         norm_base+48(FP), DX
	MOVL         $0x7fffffff, AX
	VPBROADCASTD AX, Z31
	XORL         BX, BX
	KXNORW       K1, K1, K1

vector:
	SUBQ      $16, CX
	JLT       rest

store:
	VMOVUPS.Z (SI)(BX*4), K1, Z0
	TESTQ     DX, DX
	JZ        bare
	VMOVUPS.Z (DX)(BX*4), K1, Z1
	VMULPS    Z1, Z0, Z0

bare:
	VPANDD    Z31, Z0, Z0
	VMOVDQU32 Z0, K1, (DI)(BX*4)
	ADDQ      $16, BX
	TESTQ     CX, CX
	JG        vector
	VZEROUPPER
	RET

rest:
	ADDQ $16, CX
	JZ   done
	REST
	XORL CX, CX
	JMP  store

done:
	VZEROUPPER
	RET

// func countScores_avx512vnni(scores []int32, least uint32) int
TEXT ·countScores_avx512vnni(SB), NOSPLIT, $0-40
	MOVQ         scores_base+0(FP), SI
	MOVQ         scores_len+8(FP), CX
	MOVL         least+24(FP), AX
	VPBROADCASTD AX, Z31
	MOVL         $1, AX
	VPBROADCASTD AX, Z30
	VPXORD       Z0, Z0, Z0
	VPXORD       Z1, Z1, Z1
	VPXORD       Z2, Z2, Z2
	VPXORD       Z3, Z3, Z3

four:
	SUBQ    $64, CX
	JLT     less
	VPCMPUD $2, (SI), Z31, K1
	VPCMPUD $2, 64(SI), Z31, K2
	VPCMPUD $2, 128(SI), Z31, K3
	VPCMPUD $2, 192(SI), Z31, K4
	VPADDD  Z30, Z0, K1, Z0
	VPADDD  Z30, Z1, K2, Z1
	VPADDD  Z30, Z2, K3, Z2
	VPADDD  Z30, Z3, K4, Z3
	ADDQ    $256, SI
	JMP     four

less:
	ADDQ $64, CX

one:
	SUBQ    $16, CX
	JLT     rest
	VPCMPUD $2, (SI), Z31, K1
	VPADDD  Z30, Z0, K1, Z0
	ADDQ    $64, SI
	JMP     one

rest:
	ADDQ        $16, CX
	JZ          sum
	REST
	VMOVDQU32.Z (SI), K1, Z4
	VPCMPUD     $2, Z4, Z31, K1, K1
	VPADDD      Z30, Z1, K1, Z1

sum:
	VPADDD        Z1, Z0, Z0
	VPADDD        Z3, Z2, Z2
	VPADDD        Z2, Z0, Z0
	VEXTRACTI64X4 $1, Z0, Y1
	VPADDD        Y1, Y0, Y0
	VEXTRACTI128  $1, Y0, X1
	VPADDD        X1, X0, X0
	VPSHUFD       $0x4e, X0, X1
	VPADDD        X1, X0, X0
	VPSHUFD       $0xb1, X0, X1
	VPADDD        X1, X0, X0
	VMOVD         X0, AX
	MOVQ          AX, ret+32(FP)
	VZEROUPPER
	RET

// func takeScores_avx512vnni(scores []int32, least uint32) (n int)
TEXT ·takeScores_avx512vnni(SB), NOSPLIT, $0-40
	MOVQ         scores_base+0(FP), SI
	MOVQ         scores_len+8(FP), CX
	MOVL         least+24(FP), AX
	VPBROADCASTD AX, Z31
	VMOVDQU32    lanes<>(SB), Z0  // the channels
	MOVL         $16, AX
	VPBROADCASTD AX, Z30
	MOVQ         SI, DI

	// What is stored ends before the scores that have not been read.
vector:
	SUBQ         $16, CX
	JLT          rest
	VPCMPUD      $2, (SI), Z31, K1
	KMOVW        K1, AX
	POPCNTL      AX, AX
	VPCOMPRESSD.Z Z0, K1, Z1
	VMOVDQU32    Z1, (DI)
	LEAQ         (DI)(AX*4), DI
	VPADDD       Z30, Z0, Z0
	ADDQ         $64, SI
	JMP          vector

rest:
	ADDQ        $16, CX
	JZ          done
	REST
	VMOVDQU32.Z (SI), K1, Z2
	VPCMPUD     $2, Z2, Z31, K1, K1
	KMOVW       K1, AX
	POPCNTL     AX, CX
	VPCOMPRESSD.Z Z0, K1, Z1
	MOVL        $1, AX
	SHLL        CX, AX
	DECL        AX
	KMOVW       AX, K1
	VMOVDQU32   Z1, K1, (DI)
	LEAQ        (DI)(CX*4), DI

done:
	SUBQ scores_base+0(FP), DI
	SHRQ $2, DI
	MOVQ DI, n+32(FP)
	VZEROUPPER
	RET

// func gather_avx512vnni(y, x, d []float32, index []int32) uint32
TEXT ·gather_avx512vnni(SB), NOSPLIT, $0-100
	MOVQ         y_base+0(FP), DI
	MOVQ         y_len+8(FP), CX
	MOVQ         x_base+24(FP), SI
	MOVQ         d_base+48(FP), DX
	MOVQ         index_base+72(FP), R8
	MOVL         $0x7fffffff, AX
	VPBROADCASTD AX, Z31
	MOVQ         x_len+32(FP), AX
	VPBROADCASTD AX, Z30
	VPXORD       Z0, Z0, Z0
	XORL         BX, BX
	KXNORW       K1, K1, K1

vector:
	SUBQ      $16, CX
	JLT       rest

load:
	TESTQ     R8, R8
	JZ        all
	VMOVDQU32.Z (R8)(BX*4), K1, Z1
	VPCMPUD   $1, Z30, Z1, K1, K2 // channels that there are
	KMOVW     K2, K3
	VPXORD    Z2, Z2, Z2
	VPXORD    Z3, Z3, Z3
	VGATHERDPS (SI)(Z1*4), K2, Z2
	VGATHERDPS (DX)(Z1*4), K3, Z3
	JMP       store

all:
	VMOVUPS.Z (SI)(BX*4), K1, Z2
	VMOVUPS.Z (DX)(BX*4), K1, Z3

store:
	VMOVUPS   Z2, K1, (DI)(BX*4)
	VMULPS    Z3, Z2, Z2
	VPANDD    Z31, Z2, Z2
	VPMAXUD   Z2, Z0, Z0
	ADDQ      $16, BX
	TESTQ     CX, CX
	JG        vector

done:
	VEXTRACTI64X4 $1, Z0, Y1
	VPMAXUD       Y1, Y0, Y0
	VEXTRACTI128  $1, Y0, X1
	VPMAXUD       X1, X0, X0
	VPSHUFD       $0x4e, X0, X1
	VPMAXUD       X1, X0, X0
	VPSHUFD       $0xb1, X0, X1
	VPMAXUD       X1, X0, X0
	VMOVD         X0, AX
	MOVL          AX, ret+96(FP)
	VZEROUPPER
	RET

rest:
	ADDQ $16, CX
	JZ   done
	REST
	XORL CX, CX
	JMP  load

// func places_avx512vnni(y []uintptr, channels []int32, base, size uintptr)
TEXT ·places_avx512vnni(SB), NOSPLIT, $0-64
	MOVQ         y_base+0(FP), DI
	MOVQ         channels_base+24(FP), SI
	MOVQ         channels_len+32(FP), CX
	VPBROADCASTQ base+48(FP), Z1
	VPBROADCASTQ size+56(FP), Z2

whole:
	SUBQ         $8, CX
	JLT          rest
	VPMOVSXDQ    (SI), Z0
	VPMULLQ      Z2, Z0, Z0
	VPADDQ       Z1, Z0, Z0
	VMOVDQU64    Z0, (DI)
	ADDQ         $32, SI
	ADDQ         $64, DI
	JMP          whole

rest:
	ADDQ         $8, CX
	JZ           done
	MOVL         $1, AX
	SHLL         CX, AX
	DECL         AX
	KMOVW        AX, K1
	VPMOVSXDQ.Z  (SI), K1, Z0
	VPMULLQ      Z2, Z0, Z0
	VPADDQ       Z1, Z0, Z0
	VMOVDQU64    Z0, K1, (DI)

done:
	VZEROUPPER
	RET
