#include "textflag.h"
#include "asm_amd64.h"

// Products of float weights with 1, 2 or 4 vectors of activations, for AVX2, FMA
// and F16C. A row is summed in 16 lanes, two registers for each vector: first what
// its length has beyond a multiple of 8, one by one, in the lowest lane, then 16
// weights at a time, then the 8 that may be left.
//
//	DI next outputs  DX rows left  R11 bytes from one vector's output to the next's, R13 three times that
//	SI weights       R9 n, R10 4*n, R12 three times that
//	R8 x of vector 0 BX the same within the row, CX values left
//	Y0, Y1 sums of vector 0, Y2, Y3 of 1, Y4, Y5 of 2, Y6, Y7 of 3; Y8, Y9 scratch

#define ARGUMENTS \
	MOVQ y+0(FP), DI          \
	MOVQ stride+8(FP), R11    \
	MOVQ w+16(FP), SI         \
	MOVQ rows+24(FP), DX      \
	MOVQ x+32(FP), R8         \
	MOVQ n+48(FP), R9         \
	SHLQ $2, R11              \
	LEAQ (R11)(R11*2), R13    \
	LEAQ (R9*4), R10          \
	LEAQ (R10)(R10*2), R12

// PRODUCTS multiplies with as many vectors as are asked for. LOAD8 loads 8
// weights at off(SI), LOAD1 one; bytes is the size of a weight.
#define PRODUCTS(LOAD8, LOAD1, bytes) \
	ARGUMENTS                        \
	CMPQ m+40(FP), $2                \
	JEQ  two                         \
	JHI  four                        \
	ROWS(LOAD8, LOAD1, bytes, CLEAR1, FMA1x1, FMA8x1, SUM1, one, oneSingle, oneMany, oneLoop, oneEight, oneDone) \
	ROWS(LOAD8, LOAD1, bytes, CLEAR2, FMA1x2, FMA8x2, SUM2, two, twoSingle, twoMany, twoLoop, twoEight, twoDone) \
	ROWS(LOAD8, LOAD1, bytes, CLEAR4, FMA1x4, FMA8x4, SUM4, four, fourSingle, fourMany, fourLoop, fourEight, fourDone)

#define ROWS(LOAD8, LOAD1, bytes, CLEAR, FMA1, FMA8, SUM, row, single, many, loop, eight, done) \
row:                             \
	CLEAR                          \
	MOVQ R9, CX                    \
	ANDQ $7, CX                    \
	LEAQ (R8)(R10*1), BX           \
	LEAQ (CX*4), AX                \
	SUBQ AX, BX                    \ // the last values
	MOVQ R9, AX                    \
	SUBQ CX, AX                    \
	IMUL3Q $bytes, AX, AX          \
	TESTQ CX, CX                   \
	JZ   many                      \
single:                          \
	LOAD1                          \
	FMA1                           \
	ADDQ $bytes, AX                \
	ADDQ $4, BX                    \
	DECQ CX                        \
	JNZ  single                    \
many:                            \
	MOVQ R8, BX                    \
	MOVQ R9, CX                    \
	SUBQ $16, CX                   \
	JLT  eight                     \
loop:                            \
	PREFETCHT1 8192(SI)            \
	LOAD8(0)                       \
	FMA8(0, Y0, Y2, Y4, Y6)        \
	LOAD8(8*bytes)                 \
	FMA8(32, Y1, Y3, Y5, Y7)       \
	ADDQ $(16*bytes), SI           \
	ADDQ $64, BX                   \
	SUBQ $16, CX                   \
	JGE  loop                      \
eight:                           \
	ADDQ $8, CX                    \
	JLT  done                      \
	LOAD8(0)                       \
	FMA8(0, Y0, Y2, Y4, Y6)        \
	ADDQ $(8*bytes), SI            \
done:                            \
	MOVQ R9, AX                    \
	ANDQ $7, AX                    \
	IMUL3Q $bytes, AX, AX          \
	ADDQ AX, SI                    \
	SUM                            \
	ADDQ $4, DI                    \
	DECQ DX                        \
	JNZ  row                       \
	VZEROUPPER                     \
	RET

// One to four vectors. FMA1 loads both factors first: some emulators read 16 bytes
// for the memory operand of VFMADD231SS.

#define CLEAR1 \
	VXORPS Y0, Y0, Y0 \
	VXORPS Y1, Y1, Y1

#define CLEAR2 \
	CLEAR1            \
	VXORPS Y2, Y2, Y2 \
	VXORPS Y3, Y3, Y3

#define CLEAR4 \
	CLEAR2            \
	VXORPS Y4, Y4, Y4 \
	VXORPS Y5, Y5, Y5 \
	VXORPS Y6, Y6, Y6 \
	VXORPS Y7, Y7, Y7

#define FMA1x1 \
	VMOVSS      (BX), X9    \
	VFMADD231SS X9, X8, X0

#define FMA1x2 \
	FMA1x1                         \
	VMOVSS      (BX)(R10*1), X9    \
	VFMADD231SS X9, X8, X2

#define FMA1x4 \
	FMA1x2                         \
	VMOVSS      (BX)(R10*2), X9    \
	VFMADD231SS X9, X8, X4         \
	VMOVSS      (BX)(R12*1), X9    \
	VFMADD231SS X9, X8, X6

#define FMA8x1(x, a, b, c, d) \
	VFMADD231PS x(BX), Y8, a

#define FMA8x2(x, a, b, c, d) \
	VFMADD231PS x(BX), Y8, a          \
	VFMADD231PS x(BX)(R10*1), Y8, b

#define FMA8x4(x, a, b, c, d) \
	VFMADD231PS x(BX), Y8, a          \
	VFMADD231PS x(BX)(R10*1), Y8, b   \
	VFMADD231PS x(BX)(R10*2), Y8, c   \
	VFMADD231PS x(BX)(R12*1), Y8, d

#define SUM1 \
	VADDPS Y1, Y0, Y0 \
	SUM8              \
	VMOVSS X0, (DI)

// SUMOF stores the sum of another vector.
#define SUMOF(a, b, to) \
	VADDPS b, a, Y0  \
	SUM8             \
	VMOVSS X0, to

#define SUM2 \
	SUM1                           \
	SUMOF(Y2, Y3, (DI)(R11*1))

#define SUM4 \
	SUM2                           \
	SUMOF(Y4, Y5, (DI)(R11*2))     \
	SUMOF(Y6, Y7, (DI)(R13*1))

#define F32_8(off) VMOVUPS off(SI), Y8
#define F32_1 VMOVSS (SI)(AX*1), X8

#define F16_8(off) VCVTPH2PS off(SI), Y8
#define F16_1 \
	MOVWLZX   (SI)(AX*1), R15  \
	VMOVD     R15, X8          \
	VCVTPH2PS X8, X8

#define BF16_8(off) \
	VPMOVZXWD off(SI), Y8      \
	VPSLLD    $16, Y8, Y8
#define BF16_1 \
	MOVWLZX (SI)(AX*1), R15    \
	SHLL    $16, R15           \
	VMOVD   R15, X8

// func matvecF32_avx2(y *float32, stride int, w *byte, rows int, x *float32, m, n int)
TEXT ·matvecF32_avx2(SB), NOSPLIT, $0-56
	PRODUCTS(F32_8, F32_1, 4)

// func matvecF16_avx2(y *float32, stride int, w *byte, rows int, x *float32, m, n int)
TEXT ·matvecF16_avx2(SB), NOSPLIT, $0-56
	PRODUCTS(F16_8, F16_1, 2)

// func matvecBF16_avx2(y *float32, stride int, w *byte, rows int, x *float32, m, n int)
TEXT ·matvecBF16_avx2(SB), NOSPLIT, $0-56
	PRODUCTS(BF16_8, BF16_1, 2)
