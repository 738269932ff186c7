#include "textflag.h"

// Operations on float32 and products of float weights, for AVX2, FMA and F16C.

// SUM8 adds the 8 lanes of Y0 in a fixed order into X0. It changes Y1.
#define SUM8 \
	VEXTRACTF128 $1, Y0, X1 \
	VADDPS  X1, X0, X0      \
	VHADDPS X0, X0, X0      \
	VHADDPS X0, X0, X0

// The arguments of products and of weighted sums, see there. (Before the first
// function, because go vet takes them for part of the function above.)

#define MATVEC_ARGUMENTS(bytes) \
	MOVQ  y_base+0(FP), DI  \
	MOVQ  y_len+8(FP), DX   \
	MOVQ  w_base+24(FP), SI \
	MOVQ  x_base+48(FP), R8 \
	MOVQ  x_len+56(FP), R9  \
	IMUL3Q $bytes, R9, R10

#define DOTS_ARGUMENTS(bytes) \
	MOVQ  y_base+0(FP), DI    \
	MOVQ  y_len+8(FP), DX     \
	MOVQ  k_base+24(FP), SI   \
	MOVQ  x_base+48(FP), R8   \
	MOVQ  x_len+56(FP), R9    \
	MOVQ  stride+72(FP), R10  \
	IMUL3Q $bytes, R10, R10

#define ACCUM_ARGUMENTS(bytes) \
	MOVQ  y_base+0(FP), DI    \
	MOVQ  y_len+8(FP), DX     \
	MOVQ  v_base+24(FP), SI   \
	MOVQ  p_base+48(FP), R8   \
	MOVQ  p_len+56(FP), R9    \
	MOVQ  stride+72(FP), R10  \
	IMUL3Q $bytes, R10, R10

// Products. A row (vector) of weights is summed in 32 lanes, what is left of it
// in 8, and what is then left one by one in X5.
//
//	DI next output  DX rows left  R9 values per row
//	SI row          R10 bytes from one row to the next
//	R8 x            AX, BX the same as SI, R8 within the row, CX values left
//
// (Single values are loaded by instructions of their own: some emulators read 16
// bytes for the memory operand of VFMADD231SS.) FMA8(off, x, acc) adds the products of 8 weights at off(AX) with 8 values at
// x(BX) to acc; FMA1 adds one product to X5. bytes is the size of a weight.
// Rows are prefetched as in matvec_amd64.s.
#define ROWS(FMA8, FMA1, bytes) \
row:                                 \
	VXORPS Y0, Y0, Y0                  \
	VXORPS Y1, Y1, Y1                  \
	VXORPS Y2, Y2, Y2                  \
	VXORPS Y3, Y3, Y3                  \
	VXORPS Y5, Y5, Y5                  \
	MOVQ   SI, AX                      \
	MOVQ   R8, BX                      \
	MOVQ   R9, CX                      \
	SUBQ   $32, CX                     \
	JLT    eights                      \
loop:                                \
	PREFETCHT0 2048(AX)                \
	PREFETCHT0 (2048+16*bytes)(AX)     \
	FMA8(0, 0, Y0)                     \
	FMA8(8*bytes, 32, Y1)              \
	FMA8(16*bytes, 64, Y2)             \
	FMA8(24*bytes, 96, Y3)             \
	ADDQ   $(32*bytes), AX             \
	ADDQ   $128, BX                    \
	SUBQ   $32, CX                     \
	JGE    loop                        \
eights:                              \
	ADDQ   $32, CX                     \
	SUBQ   $8, CX                      \
	JLT    ones                        \
loop8:                               \
	FMA8(0, 0, Y0)                     \
	ADDQ   $(8*bytes), AX              \
	ADDQ   $32, BX                     \
	SUBQ   $8, CX                      \
	JGE    loop8                       \
ones:                                \
	ADDQ   $8, CX                      \
	JZ     sum                         \
loop1:                               \
	FMA1                               \
	ADDQ   $bytes, AX                  \
	ADDQ   $4, BX                      \
	DECQ   CX                          \
	JNZ    loop1                       \
sum:                                 \
	VADDPS Y2, Y0, Y0                  \
	VADDPS Y3, Y1, Y1                  \
	VADDPS Y1, Y0, Y0                  \
	SUM8                               \
	VADDSS X5, X0, X0                  \
	VMOVSS X0, (DI)                    \
	ADDQ   $4, DI                      \
	ADDQ   R10, SI                     \
	DECQ   DX                          \
	JNZ    row                         \
	VZEROUPPER                         \
	RET

#define F32_FMA8(off, x, acc) \
	VMOVUPS     off(AX), Y4    \
	VFMADD231PS x(BX), Y4, acc

#define F32_FMA1 \
	VMOVSS      (AX), X4   \
	VMOVSS      (BX), X6   \
	VFMADD231SS X6, X4, X5

#define F16_FMA8(off, x, acc) \
	VCVTPH2PS   off(AX), Y4    \
	VFMADD231PS x(BX), Y4, acc

#define F16_FMA1 \
	MOVWLZX     (AX), R11    \
	VMOVD       R11, X4      \
	VCVTPH2PS   X4, X4     \
	VMOVSS      (BX), X6   \
	VFMADD231SS X6, X4, X5

#define BF16_FMA8(off, x, acc) \
	VPMOVZXWD   off(AX), Y4    \
	VPSLLD      $16, Y4, Y4    \
	VFMADD231PS x(BX), Y4, acc

#define BF16_FMA1 \
	MOVWLZX     (AX), R11    \
	SHLL        $16, R11     \
	VMOVD       R11, X4    \
	VMOVSS      (BX), X6   \
	VFMADD231SS X6, X4, X5

// func matvecF32_avx2(y []float32, w []byte, x []float32)
TEXT ·matvecF32_avx2(SB), NOSPLIT, $0-72
	MATVEC_ARGUMENTS(4)
	ROWS(F32_FMA8, F32_FMA1, 4)

// func matvecF16_avx2(y []float32, w []byte, x []float32)
TEXT ·matvecF16_avx2(SB), NOSPLIT, $0-72
	MATVEC_ARGUMENTS(2)
	ROWS(F16_FMA8, F16_FMA1, 2)

// func matvecBF16_avx2(y []float32, w []byte, x []float32)
TEXT ·matvecBF16_avx2(SB), NOSPLIT, $0-72
	MATVEC_ARGUMENTS(2)
	ROWS(BF16_FMA8, BF16_FMA1, 2)

// func dotsF32_avx2(y, k, x []float32, stride int)
TEXT ·dotsF32_avx2(SB), NOSPLIT, $0-80
	DOTS_ARGUMENTS(4)
	ROWS(F32_FMA8, F32_FMA1, 4)

// func dotsF16_avx2(y []float32, k []uint16, x []float32, stride int)
TEXT ·dotsF16_avx2(SB), NOSPLIT, $0-80
	DOTS_ARGUMENTS(2)
	ROWS(F16_FMA8, F16_FMA1, 2)

// Weighted sums of vectors. Outputs are held in registers, 64 at a time, then 8,
// then one, while all vectors pass.
//
//	DI next outputs  DX outputs left   R8 p  R9 vectors
//	SI first vector  R10 bytes from one vector to the next
//	AX vector, BX its p, CX vectors left

// LOAD8(off) loads 8 values at off(AX) into Y9, LOAD1 one value into X9.
#define ACCUM(LOAD8, LOAD1, bytes) \
	SUBQ $64, DX                       \
	JLT  eights                        \
block64:                             \
	VMOVUPS (DI), Y0                   \
	VMOVUPS 32(DI), Y1                 \
	VMOVUPS 64(DI), Y2                 \
	VMOVUPS 96(DI), Y3                 \
	VMOVUPS 128(DI), Y4                \
	VMOVUPS 160(DI), Y5                \
	VMOVUPS 192(DI), Y6                \
	VMOVUPS 224(DI), Y7                \
	MOVQ    SI, AX                     \
	MOVQ    R8, BX                     \
	MOVQ    R9, CX                     \
loop64:                              \
	VBROADCASTSS (BX), Y8              \
	LOAD8(0)                           \
	VFMADD231PS  Y9, Y8, Y0            \
	LOAD8(8*bytes)                     \
	VFMADD231PS  Y9, Y8, Y1            \
	LOAD8(16*bytes)                    \
	VFMADD231PS  Y9, Y8, Y2            \
	LOAD8(24*bytes)                    \
	VFMADD231PS  Y9, Y8, Y3            \
	LOAD8(32*bytes)                    \
	VFMADD231PS  Y9, Y8, Y4            \
	LOAD8(40*bytes)                    \
	VFMADD231PS  Y9, Y8, Y5            \
	LOAD8(48*bytes)                    \
	VFMADD231PS  Y9, Y8, Y6            \
	LOAD8(56*bytes)                    \
	VFMADD231PS  Y9, Y8, Y7            \
	ADDQ    R10, AX                    \
	ADDQ    $4, BX                     \
	DECQ    CX                         \
	JNZ     loop64                     \
	VMOVUPS Y0, (DI)                   \
	VMOVUPS Y1, 32(DI)                 \
	VMOVUPS Y2, 64(DI)                 \
	VMOVUPS Y3, 96(DI)                 \
	VMOVUPS Y4, 128(DI)                \
	VMOVUPS Y5, 160(DI)                \
	VMOVUPS Y6, 192(DI)                \
	VMOVUPS Y7, 224(DI)                \
	ADDQ    $256, DI                   \
	ADDQ    $(64*bytes), SI            \
	SUBQ    $64, DX                    \
	JGE     block64                    \
eights:                              \
	ADDQ    $64, DX                    \
	SUBQ    $8, DX                     \
	JLT     ones                       \
block8:                              \
	VMOVUPS (DI), Y0                   \
	MOVQ    SI, AX                     \
	MOVQ    R8, BX                     \
	MOVQ    R9, CX                     \
loop8:                               \
	VBROADCASTSS (BX), Y8              \
	LOAD8(0)                           \
	VFMADD231PS  Y9, Y8, Y0            \
	ADDQ    R10, AX                    \
	ADDQ    $4, BX                     \
	DECQ    CX                         \
	JNZ     loop8                      \
	VMOVUPS Y0, (DI)                   \
	ADDQ    $32, DI                    \
	ADDQ    $(8*bytes), SI             \
	SUBQ    $8, DX                     \
	JGE     block8                     \
ones:                                \
	ADDQ    $8, DX                     \
	JZ      done                       \
block1:                              \
	VMOVSS  (DI), X0                   \
	MOVQ    SI, AX                     \
	MOVQ    R8, BX                     \
	MOVQ    R9, CX                     \
loop1:                               \
	LOAD1                              \
	VMOVSS  (BX), X8                   \
	VFMADD231SS X8, X9, X0             \
	ADDQ    R10, AX                    \
	ADDQ    $4, BX                     \
	DECQ    CX                         \
	JNZ     loop1                      \
	VMOVSS  X0, (DI)                   \
	ADDQ    $4, DI                     \
	ADDQ    $bytes, SI                 \
	DECQ    DX                         \
	JNZ     block1                     \
done:                                \
	VZEROUPPER                         \
	RET

#define F32_LOAD8(off) VMOVUPS off(AX), Y9
#define F32_LOAD1 VMOVSS (AX), X9

#define F16_LOAD8(off) VCVTPH2PS off(AX), Y9
#define F16_LOAD1 \
	MOVWLZX   (AX), R11 \
	VMOVD     R11, X9   \
	VCVTPH2PS X9, X9

// func accumF32_avx2(y, v, p []float32, stride int)
TEXT ·accumF32_avx2(SB), NOSPLIT, $0-80
	ACCUM_ARGUMENTS(4)
	ACCUM(F32_LOAD8, F32_LOAD1, 4)

// func accumF16_avx2(y []float32, v []uint16, p []float32, stride int)
TEXT ·accumF16_avx2(SB), NOSPLIT, $0-80
	ACCUM_ARGUMENTS(2)
	ACCUM(F16_LOAD8, F16_LOAD1, 2)

// Elementwise operations. What is left after groups of 8 values is done one by
// one, in the lowest lane. (Not with masked loads: some emulators fault on lanes
// that the mask leaves out.)

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

// Quantization. Magnitudes are compared as integers, which orders them and puts
// infinity and NaN above everything.

// LARGEST8 gives the largest of the 8 magnitudes in Y4 to AX and all lanes of
// X4. It changes X5.
#define LARGEST8 \
	VEXTRACTI128 $1, Y4, X5     \
	VPMAXUD      X5, X4, X4     \
	VPSHUFD      $0x4E, X4, X5  \
	VPMAXUD      X5, X4, X4     \
	VPSHUFD      $0xB1, X4, X5  \
	VPMAXUD      X5, X4, X4     \
	VMOVD        X4, AX

// ROUND32 multiplies Y0-Y3 with Y5, rounds to whole numbers and stores them as
// bytes at (DI). Y6 becomes the sums of Y0 and Y1, Y7 of Y2 and Y3, lane by
// lane. Packing works within halves, so its result has to be put in order.
#define ROUND32 \
	VMULPS    Y5, Y0, Y0    \
	VMULPS    Y5, Y1, Y1    \
	VMULPS    Y5, Y2, Y2    \
	VMULPS    Y5, Y3, Y3    \
	VCVTPS2DQ Y0, Y0        \
	VCVTPS2DQ Y1, Y1        \
	VCVTPS2DQ Y2, Y2        \
	VCVTPS2DQ Y3, Y3        \
	VPADDD    Y1, Y0, Y6    \
	VPADDD    Y3, Y2, Y7    \
	VPACKSSDW Y1, Y0, Y0    \
	VPACKSSDW Y3, Y2, Y2    \
	VPACKSSWB Y2, Y0, Y0    \
	VPERMD    Y0, Y14, Y0   \
	VMOVDQU   Y0, (DI)

// func quantizeQ8x32_avx2(q []int8, d []float32, s []int16, x []float32)
TEXT ·quantizeQ8x32_avx2(SB), NOSPLIT, $0-96
	MOVQ         q_base+0(FP), DI
	MOVQ         d_base+24(FP), DX
	MOVQ         d_len+32(FP), CX
	MOVQ         s_base+48(FP), BX
	MOVQ         x_base+72(FP), SI
	VPBROADCASTD magnitude<>(SB), Y15
	VMOVDQU      unpack<>(SB), Y14
	VMOVSS       c127<>(SB), X13

block:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS 64(SI), Y2
	VMOVUPS 96(SI), Y3
	VPAND   Y15, Y0, Y4
	VPAND   Y15, Y1, Y5
	VPAND   Y15, Y2, Y6
	VPAND   Y15, Y3, Y7
	VPMAXUD Y5, Y4, Y4
	VPMAXUD Y7, Y6, Y6
	VPMAXUD Y6, Y4, Y4
	LARGEST8
	CMPL    AX, $0x7f800000
	JAE     notFinite
	CMPL    AX, $0x04000000
	JB      zero

	VDIVSS       X13, X4, X5
	VCVTPS2PH    $0, X5, X5
	VCVTPH2PS    X5, X5
	VMOVSS       X5, (DX)
	VDIVSS       X4, X13, X5
	VBROADCASTSS X5, Y5
	ROUND32
	VPADDD       Y7, Y6, Y6
	VEXTRACTI128 $1, Y6, X7
	VPADDD       X7, X6, X6
	VPHADDD      X6, X6, X6
	VPHADDD      X6, X6, X6
	VMOVD        X6, AX
	MOVW         AX, (BX)

next:
	ADDQ $128, SI
	ADDQ $32, DI
	ADDQ $4, DX
	ADDQ $2, BX
	DECQ CX
	JNZ  block
	VZEROUPPER
	RET

notFinite:
	MOVL $0x7fc00000, (DX)
	JMP  clear

zero:
	MOVL $0, (DX)

clear:
	VPXOR   Y0, Y0, Y0
	VMOVDQU Y0, (DI)
	MOVW    $0, (BX)
	JMP     next

// func quantizeQ8x256_avx2(q []int8, d []float32, s []int16, x []float32)
TEXT ·quantizeQ8x256_avx2(SB), NOSPLIT, $0-96
	MOVQ         q_base+0(FP), DI
	MOVQ         d_base+24(FP), DX
	MOVQ         d_len+32(FP), CX
	MOVQ         s_base+48(FP), BX
	MOVQ         x_base+72(FP), SI
	VPBROADCASTD magnitude<>(SB), Y15
	VMOVDQU      unpack<>(SB), Y14
	VMOVSS       minus127<>(SB), X13
	VMOVSS       one<>(SB), X12

block:
	VPAND 0(SI), Y15, Y4
	VPAND 32(SI), Y15, Y5
	MOVQ  $64, R9

largest:
	VPAND   (SI)(R9*1), Y15, Y6
	VPAND   32(SI)(R9*1), Y15, Y7
	VPMAXUD Y6, Y4, Y4
	VPMAXUD Y7, Y5, Y5
	ADDQ    $64, R9
	CMPQ    R9, $1024
	JB      largest
	VPMAXUD Y5, Y4, Y4
	LARGEST8
	CMPL    AX, $0x7f800000
	JAE     notFinite
	CMPL    AX, $0x04000000
	JB      zero

	// The sign is that of the first value with this magnitude.
	VPBROADCASTD X4, Y4
	MOVQ         $-32, R9

first:
	ADDQ      $32, R9
	VPAND     (SI)(R9*1), Y15, Y5
	VPCMPEQD  Y5, Y4, Y5
	VMOVMSKPS Y5, AX
	TESTL     AX, AX
	JZ        first
	BSFL      AX, AX
	LEAQ      (R9)(AX*4), R9

	VDIVSS       (SI)(R9*1), X13, X8
	VDIVSS       X8, X12, X5
	VMOVSS       X5, (DX)
	VBROADCASTSS X8, Y5
	MOVQ         $8, R9

round:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS 64(SI), Y2
	VMOVUPS 96(SI), Y3
	ROUND32

	// Sums of 16: pairs of lanes, of pairs, then the halves.
	VPHADDD      Y7, Y6, Y6
	VPHADDD      Y6, Y6, Y6
	VEXTRACTI128 $1, Y6, X7
	VPADDD       X7, X6, X6
	VPACKSSDW    X6, X6, X6
	VMOVD        X6, (BX)
	ADDQ         $128, SI
	ADDQ         $32, DI
	ADDQ         $4, BX
	DECQ         R9
	JNZ          round

next:
	ADDQ $4, DX
	DECQ CX
	JNZ  block
	VZEROUPPER
	RET

notFinite:
	MOVL $0x7fc00000, (DX)
	JMP  clear

zero:
	MOVL $0, (DX)

clear:
	VPXOR   Y0, Y0, Y0
	VMOVDQU Y0, (BX)
	MOVQ    $8, R9

clear32:
	VMOVDQU Y0, (DI)
	ADDQ    $32, DI
	DECQ    R9
	JNZ     clear32
	ADDQ    $1024, SI
	ADDQ    $32, BX
	JMP     next

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
ALL(magnitude, 0x7fffffff)

DATA negInf<>+0(SB)/4, $0xff800000
GLOBL negInf<>(SB), RODATA|NOPTR, $4

DATA c127<>+0(SB)/4, $0x42fe0000
GLOBL c127<>(SB), RODATA|NOPTR, $4

DATA minus127<>+0(SB)/4, $0xc2fe0000
GLOBL minus127<>(SB), RODATA|NOPTR, $4

// unpack puts the groups of four bytes that packing left in order.
DATA unpack<>+0(SB)/8, $0x0000000400000000
DATA unpack<>+8(SB)/8, $0x0000000500000001
DATA unpack<>+16(SB)/8, $0x0000000600000002
DATA unpack<>+24(SB)/8, $0x0000000700000003
GLOBL unpack<>(SB), RODATA|NOPTR, $32
