#include "textflag.h"
#include "asm_amd64.h"

// Products of float weights and the products of attention, for AVX2, FMA and
// F16C.

// The arguments of products and of weighted sums, see there. (They come before the
// first function because go vet takes what follows a function for a part of it.)

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
