#include "textflag.h"
#include "asm_amd64.h"

// Elementwise operations on float32, for AVX2, FMA and F16C.
//
// What is left after groups of 8 values is done one by one, in the lowest lane.
// (Not with masked loads: some emulators fault on lanes that the mask leaves out.)

// func rmsNorm_avx2(y, x, w []float32, eps float32)
TEXT ·rmsNorm_avx2(SB), NOSPLIT, $0-76
	MOVQ   y_base+0(FP), DI
	MOVQ   x_base+24(FP), SI
	MOVQ   x_len+32(FP), DX
	MOVQ   w_base+48(FP), R8
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	MOVQ   SI, BX
	MOVQ   DX, CX
	SUBQ   $32, CX
	JLT    squares8

squares32:
	VMOVUPS     (BX), Y4
	VMOVUPS     32(BX), Y5
	VMOVUPS     64(BX), Y6
	VMOVUPS     96(BX), Y7
	VFMADD231PS Y4, Y4, Y0
	VFMADD231PS Y5, Y5, Y1
	VFMADD231PS Y6, Y6, Y2
	VFMADD231PS Y7, Y7, Y3
	ADDQ        $128, BX
	SUBQ        $32, CX
	JGE         squares32

squares8:
	ADDQ $32, CX
	SUBQ $8, CX
	JLT  squares1

loop8:
	VMOVUPS     (BX), Y4
	VFMADD231PS Y4, Y4, Y0
	ADDQ        $32, BX
	SUBQ        $8, CX
	JGE         loop8

squares1:
	VXORPS X8, X8, X8
	ADDQ   $8, CX
	JZ     mean

square:
	VMOVSS      (BX), X4
	VFMADD231SS X4, X4, X8
	ADDQ        $4, BX
	DECQ        CX
	JNZ         square

mean:
	VADDPS       Y2, Y0, Y0
	VADDPS       Y3, Y1, Y1
	VADDPS       Y1, Y0, Y0
	SUM8
	VADDSS       X8, X0, X0
	VCVTSI2SSQ   DX, X1, X1
	VDIVSS       X1, X0, X0
	VADDSS       eps+72(FP), X0, X0
	VSQRTSS      X0, X0, X0
	VMOVSS       one<>(SB), X1
	VDIVSS       X0, X1, X0
	VBROADCASTSS X0, Y0
	SUBQ         $8, DX
	JLT          scale1

scale8:
	VMULPS  (SI), Y0, Y1
	VMULPS  (R8), Y1, Y1
	VMOVUPS Y1, (DI)
	ADDQ    $32, SI
	ADDQ    $32, R8
	ADDQ    $32, DI
	SUBQ    $8, DX
	JGE     scale8

scale1:
	ADDQ $8, DX
	JZ   done

loop1:
	VMULSS (SI), X0, X1
	VMULSS (R8), X1, X1
	VMOVSS X1, (DI)
	ADDQ   $4, SI
	ADDQ   $4, R8
	ADDQ   $4, DI
	DECQ   DX
	JNZ    loop1

done:
	VZEROUPPER
	RET

// func max_avx2(x []float32) float32
TEXT ·max_avx2(SB), NOSPLIT, $0-28
	MOVQ         x_base+0(FP), SI
	MOVQ         x_len+8(FP), CX
	VBROADCASTSS negInf<>(SB), Y0
	VMOVAPS      Y0, Y1
	VMOVAPS      X0, X2
	SUBQ         $16, CX
	JLT          eights

loop:
	VMAXPS (SI), Y0, Y0
	VMAXPS 32(SI), Y1, Y1
	ADDQ   $64, SI
	SUBQ   $16, CX
	JGE    loop

eights:
	ADDQ   $16, CX
	SUBQ   $8, CX
	JLT    ones
	VMAXPS (SI), Y0, Y0
	ADDQ   $32, SI
	SUBQ   $8, CX

ones:
	ADDQ $8, CX
	JZ   lanes

loop1:
	VMAXSS (SI), X2, X2
	ADDQ   $4, SI
	DECQ   CX
	JNZ    loop1

lanes:
	VMAXPS       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VMOVHLPS     X0, X0, X1
	VMAXPS       X1, X0, X0
	VMOVSHDUP    X0, X1
	VMAXSS       X1, X0, X0
	VMAXSS       X2, X0, X0
	VMOVSS       X0, ret+24(FP)
	VZEROUPPER
	RET

// The exponential function, after the Cephes library's expf: x is split into
// n*ln(2) + r with a whole n and |r| <= ln(2)/2, exp(r) is a polynomial, and n is
// added to its exponent.
#define EXP_CONSTANTS \
	VMOVUPS log2e<>(SB), Y15   \
	VMOVUPS magic<>(SB), Y14   \
	VMOVUPS ln2High<>(SB), Y13 \
	VMOVUPS ln2Low<>(SB), Y12  \
	VMOVUPS exp5<>(SB), Y11    \
	VMOVUPS one<>(SB), Y10     \
	VMOVUPS lowest<>(SB), Y9

// EXP replaces Y0 by exp(Y0), for values up to 88; below -87.33 it gives 0. It
// changes Y1, Y2 and Y3. Adding 1.5*2^23 rounds to a whole number and leaves it
// in the low bits.
#define EXP \
	VCMPPS       $1, Y9, Y0, Y3     \ // x < lowest
	VMOVAPS      Y14, Y1            \
	VFMADD231PS  Y15, Y0, Y1        \
	VSUBPS       Y14, Y1, Y2        \
	VFNMADD231PS Y13, Y2, Y0        \
	VFNMADD231PS Y12, Y2, Y0        \
	VMOVAPS      Y11, Y2            \
	VFMADD213PS  exp4<>(SB), Y0, Y2 \
	VFMADD213PS  exp3<>(SB), Y0, Y2 \
	VFMADD213PS  exp2<>(SB), Y0, Y2 \
	VFMADD213PS  exp1<>(SB), Y0, Y2 \
	VFMADD213PS  exp0<>(SB), Y0, Y2 \
	VMULPS       Y0, Y2, Y2         \
	VFMADD213PS  Y0, Y0, Y2         \
	VADDPS       Y10, Y2, Y2        \
	VPSLLD       $23, Y1, Y1        \
	VPADDD       Y1, Y2, Y0         \
	VANDNPS      Y0, Y3, Y0

// func expSum_avx2(x []float32, max float32) float32
TEXT ·expSum_avx2(SB), NOSPLIT, $0-36
	MOVQ         x_base+0(FP), SI
	MOVQ         x_len+8(FP), CX
	VBROADCASTSS max+24(FP), Y7
	EXP_CONSTANTS
	VXORPS       Y8, Y8, Y8
	VXORPS       X6, X6, X6
	SUBQ         $8, CX
	JLT          tail

loop:
	VMOVUPS (SI), Y0
	VSUBPS  Y7, Y0, Y0
	EXP
	VMOVUPS Y0, (SI)
	VADDPS  Y0, Y8, Y8
	ADDQ    $32, SI
	SUBQ    $8, CX
	JGE     loop

tail:
	ADDQ $8, CX
	JZ   sum

loop1:
	VMOVSS (SI), X0
	VSUBSS X7, X0, X0
	EXP
	VMOVSS X0, (SI)
	VADDSS X0, X6, X6
	ADDQ   $4, SI
	DECQ   CX
	JNZ    loop1

sum:
	VMOVAPS Y8, Y0
	SUM8
	VADDSS  X6, X0, X0
	VMOVSS  X0, ret+32(FP)
	VZEROUPPER
	RET

// SILU replaces the gates in Y4 by gate/(1+exp(-gate)). With e = exp(-|gate|),
// which cannot overflow, that is gate/(1+e) or gate*e/(1+e). It changes Y0-Y3.
#define SILU \
	VORPS     signs<>(SB), Y4, Y0 \
	EXP                           \
	VBLENDVPS Y4, Y0, Y10, Y1     \ // where the gate is negative e, else 1
	VADDPS    Y10, Y0, Y0         \
	VMULPS    Y1, Y4, Y4          \
	VDIVPS    Y0, Y4, Y4

// func siluMul_avx2(y, gate, up []float32)
TEXT ·siluMul_avx2(SB), NOSPLIT, $0-72
	MOVQ y_base+0(FP), DI
	MOVQ y_len+8(FP), CX
	MOVQ gate_base+24(FP), SI
	MOVQ up_base+48(FP), R8
	EXP_CONSTANTS
	SUBQ $8, CX
	JLT  tail

loop:
	VMOVUPS (SI), Y4
	SILU
	VMULPS  (R8), Y4, Y4
	VMOVUPS Y4, (DI)
	ADDQ    $32, SI
	ADDQ    $32, R8
	ADDQ    $32, DI
	SUBQ    $8, CX
	JGE     loop

tail:
	ADDQ $8, CX
	JZ   done

loop1:
	VMOVSS (SI), X4
	SILU
	VMULSS (R8), X4, X4
	VMOVSS X4, (DI)
	ADDQ   $4, SI
	ADDQ   $4, R8
	ADDQ   $4, DI
	DECQ   CX
	JNZ    loop1

done:
	VZEROUPPER
	RET

// Rotary embedding. ROTATE turns the pairs (a, b) in adjacent lanes of x by the
// angles whose (cos, sin) are in the same lanes of cs: even lanes become
// a*cos - b*sin, odd lanes b*cos + a*sin.
#define ROTATE(x, cs, t, u) \
	VPERMILPS      $0xB1, x, t \
	VMOVSHDUP      cs, u       \
	VMULPS         u, t, t     \
	VMOVSLDUP      cs, u       \
	VFMADDSUB213PS t, u, x

// func rope_avx2(x, cs []float32, headDim int)
TEXT ·rope_avx2(SB), NOSPLIT, $0-56
	MOVQ x_base+0(FP), DI
	MOVQ x_len+8(FP), DX
	MOVQ cs_base+24(FP), SI
	MOVQ cs_len+32(FP), R9
	MOVQ headDim+48(FP), R10

head:
	MOVQ DI, AX
	MOVQ SI, BX
	MOVQ R9, CX
	SUBQ $8, CX
	JLT  pairs

loop:
	VMOVUPS (AX), Y0
	VMOVUPS (BX), Y1
	ROTATE(Y0, Y1, Y2, Y3)
	VMOVUPS Y0, (AX)
	ADDQ    $32, AX
	ADDQ    $32, BX
	SUBQ    $8, CX
	JGE     loop

pairs:
	ADDQ $8, CX
	JZ   next

loop1:
	VMOVSD (AX), X0
	VMOVSD (BX), X1
	ROTATE(X0, X1, X2, X3)
	VMOVSD X0, (AX)
	ADDQ   $8, AX
	ADDQ   $8, BX
	SUBQ   $2, CX
	JNZ    loop1

next:
	LEAQ (DI)(R10*4), DI
	SUBQ R10, DX
	JNZ  head
	VZEROUPPER
	RET

// func ropeNeoX_avx2(x, cs []float32, headDim int)
TEXT ·ropeNeoX_avx2(SB), NOSPLIT, $0-56
	MOVQ x_base+0(FP), DI
	MOVQ x_len+8(FP), DX
	MOVQ cs_base+24(FP), SI
	MOVQ cs_len+32(FP), R9
	SHRQ $1, R9              // pairs
	MOVQ headDim+48(FP), R10

head:
	MOVQ DI, AX
	LEAQ (DI)(R9*4), R8 // second halves of the pairs
	MOVQ SI, BX
	MOVQ R9, CX
	SUBQ $8, CX
	JLT  pairs

loop:
	VMOVUPS        (BX), Y0
	VMOVUPS        32(BX), Y1
	VSHUFPS        $0x88, Y1, Y0, Y2 // cosines 0 1 4 5, 2 3 6 7
	VSHUFPS        $0xDD, Y1, Y0, Y3 // sines
	VPERMPD        $0xD8, Y2, Y2
	VPERMPD        $0xD8, Y3, Y3
	VMOVUPS        (AX), Y0
	VMOVUPS        (R8), Y1
	VMULPS         Y3, Y1, Y4
	VMULPS         Y3, Y0, Y5
	VFMSUB213PS    Y4, Y2, Y0
	VFMADD213PS    Y5, Y2, Y1
	VMOVUPS        Y0, (AX)
	VMOVUPS        Y1, (R8)
	ADDQ           $32, AX
	ADDQ           $32, R8
	ADDQ           $64, BX
	SUBQ           $8, CX
	JGE            loop

pairs:
	ADDQ $8, CX
	JZ   next

loop1:
	VMOVSS      (BX), X2
	VMOVSS      4(BX), X3
	VMOVSS      (AX), X0
	VMOVSS      (R8), X1
	VMULSS      X3, X1, X4
	VMULSS      X3, X0, X5
	VFMSUB213SS X4, X2, X0
	VFMADD213SS X5, X2, X1
	VMOVSS      X0, (AX)
	VMOVSS      X1, (R8)
	ADDQ        $4, AX
	ADDQ        $4, R8
	ADDQ        $8, BX
	DECQ        CX
	JNZ         loop1

next:
	LEAQ (DI)(R10*4), DI
	SUBQ R10, DX
	JNZ  head
	VZEROUPPER
	RET

// func add_avx2(y, x []float32)
TEXT ·add_avx2(SB), NOSPLIT, $0-48
	MOVQ y_base+0(FP), DI
	MOVQ y_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	SUBQ $8, CX
	JLT  tail

loop:
	VMOVUPS (DI), Y0
	VADDPS  (SI), Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, DI
	ADDQ    $32, SI
	SUBQ    $8, CX
	JGE     loop

tail:
	ADDQ $8, CX
	JZ   done

loop1:
	VMOVSS (DI), X0
	VADDSS (SI), X0, X0
	VMOVSS X0, (DI)
	ADDQ   $4, DI
	ADDQ   $4, SI
	DECQ   CX
	JNZ    loop1

done:
	VZEROUPPER
	RET

// func addInts_avx2(y, x []int32)
TEXT ·addInts_avx2(SB), NOSPLIT, $0-48
	MOVQ y_base+0(FP), DI
	MOVQ y_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	SUBQ $16, CX
	JLT  tail

loop:
	VMOVDQU (DI), Y0
	VMOVDQU 32(DI), Y1
	VPADDD  (SI), Y0, Y0
	VPADDD  32(SI), Y1, Y1
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	ADDQ    $64, DI
	ADDQ    $64, SI
	SUBQ    $16, CX
	JGE     loop

tail:
	ADDQ $16, CX
	JZ   done

loop1:
	MOVL (SI), AX
	ADDL AX, (DI)
	ADDQ $4, DI
	ADDQ $4, SI
	DECQ CX
	JNZ  loop1

done:
	VZEROUPPER
	RET

// func scale_avx2(y []float32, a float32)
TEXT ·scale_avx2(SB), NOSPLIT, $0-28
	MOVQ         y_base+0(FP), DI
	MOVQ         y_len+8(FP), CX
	VBROADCASTSS a+24(FP), Y1
	SUBQ         $8, CX
	JLT          tail

loop:
	VMULPS  (DI), Y1, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, DI
	SUBQ    $8, CX
	JGE     loop

tail:
	ADDQ $8, CX
	JZ   done

loop1:
	VMULSS (DI), X1, X0
	VMOVSS X0, (DI)
	ADDQ   $4, DI
	DECQ   CX
	JNZ    loop1

done:
	VZEROUPPER
	RET

// func toF16_avx2(dst []uint16, src []float32)
TEXT ·toF16_avx2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ src_base+24(FP), SI
	MOVQ src_len+32(FP), CX
	SUBQ $8, CX
	JLT  tail

loop:
	VMOVUPS   (SI), Y0
	VCVTPS2PH $0, Y0, (DI)
	ADDQ      $32, SI
	ADDQ      $16, DI
	SUBQ      $8, CX
	JGE       loop

tail:
	ADDQ $8, CX
	JZ   done

loop1:
	VMOVSS    (SI), X0
	VCVTPS2PH $0, X0, X0
	VMOVD     X0, AX
	MOVW      AX, (DI)
	ADDQ      $4, SI
	ADDQ      $2, DI
	DECQ      CX
	JNZ       loop1

done:
	VZEROUPPER
	RET

// func fromF16_avx2(dst []float32, src []uint16)
TEXT ·fromF16_avx2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ src_base+24(FP), SI
	MOVQ src_len+32(FP), CX
	SUBQ $8, CX
	JLT  tail

loop:
	VCVTPH2PS (SI), Y0
	VMOVUPS   Y0, (DI)
	ADDQ      $16, SI
	ADDQ      $32, DI
	SUBQ      $8, CX
	JGE       loop

tail:
	ADDQ $8, CX
	JZ   done

loop1:
	MOVWLZX   (SI), AX
	VMOVD     AX, X0
	VCVTPH2PS X0, X0
	VMOVSS    X0, (DI)
	ADDQ      $2, SI
	ADDQ      $4, DI
	DECQ      CX
	JNZ       loop1

done:
	VZEROUPPER
	RET

// Constants. ALL repeats one in 8 lanes.

#define ALL(name, v) \
	DATA name<>+0(SB)/4, $v  \
	DATA name<>+4(SB)/4, $v  \
	DATA name<>+8(SB)/4, $v  \
	DATA name<>+12(SB)/4, $v \
	DATA name<>+16(SB)/4, $v \
	DATA name<>+20(SB)/4, $v \
	DATA name<>+24(SB)/4, $v \
	DATA name<>+28(SB)/4, $v \
	GLOBL name<>(SB), RODATA|NOPTR, $32

ALL(log2e, 0x3fb8aa3b)
ALL(magic, 0x4b400000)
ALL(ln2High, 0x3f318000) // the upper bits, so that n times it is exact
ALL(ln2Low, 0xb95e8083)
ALL(exp5, 0x39506967)
ALL(exp4, 0x3ab743ce)
ALL(exp3, 0x3c088908)
ALL(exp2, 0x3d2aa9c1)
ALL(exp1, 0x3e2aaaaa)
ALL(exp0, 0x3f000000)
ALL(one, 0x3f800000)
ALL(lowest, 0xc2aeac4f)
ALL(signs, 0x80000000)

DATA negInf<>+0(SB)/4, $0xff800000
GLOBL negInf<>(SB), RODATA|NOPTR, $4
