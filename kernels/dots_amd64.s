#include "textflag.h"
#include "asm_amd64.h"

// Products of float weights, for AVX2, FMA and F16C.

// The arguments of products. (They come before the first function because go vet
// takes what follows a function for a part of it.)

#define MATVEC_ARGUMENTS(bytes) \
	MOVQ  y_base+0(FP), DI  \
	MOVQ  y_len+8(FP), DX   \
	MOVQ  w_base+24(FP), SI \
	MOVQ  x_base+48(FP), R8 \
	MOVQ  x_len+56(FP), R9  \
	IMUL3Q $bytes, R9, R10

// Products. A row of weights is summed in 32 lanes, what is left of it
// in 8, and what is then left one by one in X5.
//
//	DI next output  DX rows left  R9 values per row
//	SI row          R10 bytes from one row to the next
//	R8 x            AX, BX the same as SI, R8 within the row, CX values left
//
// FMA8(off, x, acc) adds the products of 8 weights at off(AX) with 8 values at
// x(BX) to acc; FMA1 adds one product to X5. bytes is the size of a weight. FMA1
// loads both factors first: some emulators read 16 bytes for the memory operand
// of VFMADD231SS. Rows are prefetched as in matvec_amd64.s.
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
