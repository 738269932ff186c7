#include "textflag.h"
#include "transpose_amd64.h"

// Products of float32 for AVX-512: see promptf32_avx512_amd64.go.

// Vectors of a group: their values at one place follow each other.
#define GROUP 12

// Registers of the dot functions:
//	DI results of the next vector  R9 bytes between vectors
//	SI panel, next value           DX vectors, next value
//	CX values left                 R8 add
// Each vector has two registers of sums, for the two halves of the rows.
#define ARGUMENTS \
	MOVQ    y_base+0(FP), DI      \
	MOVQ    stride+24(FP), R9     \
	MOVQ    panel_base+32(FP), SI \
	MOVQ    x_base+56(FP), DX     \
	MOVQ    k+80(FP), CX          \
	MOVBLZX add+88(FP), R8        \
	SHLQ    $2, R9

// Registers of the transpose functions:
//	DI panel, next values   SI next values of the first row
//	R8 rows                 R9 bytes between rows
//	CX values left          AX next values of the next row
//	R10 rows left
#define TRANSPOSE_ARGUMENTS \
	MOVQ panel_base+0(FP), DI \
	MOVQ w_base+24(FP), SI    \
	MOVQ rowBytes+48(FP), R9  \
	MOVQ rows+56(FP), R8      \
	MOVQ k+64(FP), CX

// PRODUCTS multiplies both halves of the rows with the vector at x.
#define PRODUCTS(x, b, w0, w1, sum0, sum1) \
	VBROADCASTSS x(DX), b     \
	VFMADD231PS  w0, b, sum0  \
	VFMADD231PS  w1, b, sum1

#define ADD_TO(sum0, sum1, half) \
	VADDPS (DI), sum0, sum0     \
	VADDPS half(DI), sum1, sum1 \
	ADDQ   R9, DI

#define STORE(sum0, sum1, half) \
	VMOVUPS sum0, (DI)     \
	VMOVUPS sum1, half(DI) \
	ADDQ    R9, DI

// NEXT_ROW moves AX on, unless it is at the last row.
#define NEXT_ROW \
	XORL    BX, BX  \
	DECQ    R10     \
	CMOVQGT R9, BX  \
	ADDQ    BX, AX

#define LOAD_F32(z) \
	VMOVUPS (AX), z \
	NEXT_ROW

#define LOAD_F16(z) \
	VCVTPH2PS (AX), z \
	NEXT_ROW

#define LOAD_BF16(z) \
	VPMOVZXWD (AX), z  \
	VPSLLD $16, z, z   \
	NEXT_ROW

// 16 rows by 16 values, of the two halves of the rows one after the other.
#define SQUARE16(LOAD, half) \
	LOAD(Z0) LOAD(Z1) LOAD(Z2) LOAD(Z3) LOAD(Z4) LOAD(Z5) LOAD(Z6) LOAD(Z7)         \
	LOAD(Z8) LOAD(Z9) LOAD(Z10) LOAD(Z11) LOAD(Z12) LOAD(Z13) LOAD(Z14) LOAD(Z15)   \
	TRANSPOSE(K1)            \
	VMOVUPS Z0, (0+half)(DI) \
	VMOVUPS Z1, (128+half)(DI) \
	VMOVUPS Z2, (256+half)(DI) \
	VMOVUPS Z3, (384+half)(DI) \
	VMOVUPS Z4, (512+half)(DI) \
	VMOVUPS Z5, (640+half)(DI) \
	VMOVUPS Z6, (768+half)(DI) \
	VMOVUPS Z7, (896+half)(DI) \
	VMOVUPS Z8, (1024+half)(DI) \
	VMOVUPS Z9, (1152+half)(DI) \
	VMOVUPS Z10, (1280+half)(DI) \
	VMOVUPS Z11, (1408+half)(DI) \
	VMOVUPS Z12, (1536+half)(DI) \
	VMOVUPS Z13, (1664+half)(DI) \
	VMOVUPS Z14, (1792+half)(DI) \
	VMOVUPS Z15, (1920+half)(DI)

#define TRANSPOSE_AVX512(LOAD, size) \
	TRANSPOSE_ARGUMENTS  \
	KXNORW K1, K1, K1    \
square:                      \
	MOVQ SI, AX          \
	MOVQ R8, R10         \
	SQUARE16(LOAD, 0)    \
	SQUARE16(LOAD, 64)   \
	ADDQ $(16*size), SI  \
	ADDQ $(16*128), DI   \
	SUBQ $16, CX         \
	JNZ  square          \
	VZEROUPPER           \
	RET

// func dotF32_avx512(y []float32, stride int, panel, x []float32, k int, add bool)
TEXT ·dotF32_avx512(SB), NOSPLIT, $0-89
	ARGUMENTS
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	VPXORD Z6, Z6, Z6
	VPXORD Z7, Z7, Z7
	VPXORD Z8, Z8, Z8
	VPXORD Z9, Z9, Z9
	VPXORD Z10, Z10, Z10
	VPXORD Z11, Z11, Z11
	VPXORD Z12, Z12, Z12
	VPXORD Z13, Z13, Z13
	VPXORD Z14, Z14, Z14
	VPXORD Z15, Z15, Z15
	VPXORD Z16, Z16, Z16
	VPXORD Z17, Z17, Z17
	VPXORD Z18, Z18, Z18
	VPXORD Z19, Z19, Z19
	VPXORD Z20, Z20, Z20
	VPXORD Z21, Z21, Z21
	VPXORD Z22, Z22, Z22
	VPXORD Z23, Z23, Z23
value:
	VMOVUPS (SI), Z24
	VMOVUPS 64(SI), Z25
	PRODUCTS(0, Z26, Z24, Z25, Z0, Z1)
	PRODUCTS(4, Z27, Z24, Z25, Z2, Z3)
	PRODUCTS(8, Z26, Z24, Z25, Z4, Z5)
	PRODUCTS(12, Z27, Z24, Z25, Z6, Z7)
	PRODUCTS(16, Z26, Z24, Z25, Z8, Z9)
	PRODUCTS(20, Z27, Z24, Z25, Z10, Z11)
	PRODUCTS(24, Z26, Z24, Z25, Z12, Z13)
	PRODUCTS(28, Z27, Z24, Z25, Z14, Z15)
	PRODUCTS(32, Z26, Z24, Z25, Z16, Z17)
	PRODUCTS(36, Z27, Z24, Z25, Z18, Z19)
	PRODUCTS(40, Z26, Z24, Z25, Z20, Z21)
	PRODUCTS(44, Z27, Z24, Z25, Z22, Z23)
	ADDQ $(128), SI
	ADDQ $(4*GROUP), DX
	DECQ CX
	JNZ  value
	TESTL R8, R8
	JZ   store
	ADD_TO(Z0, Z1, 64)
	ADD_TO(Z2, Z3, 64)
	ADD_TO(Z4, Z5, 64)
	ADD_TO(Z6, Z7, 64)
	ADD_TO(Z8, Z9, 64)
	ADD_TO(Z10, Z11, 64)
	ADD_TO(Z12, Z13, 64)
	ADD_TO(Z14, Z15, 64)
	ADD_TO(Z16, Z17, 64)
	ADD_TO(Z18, Z19, 64)
	ADD_TO(Z20, Z21, 64)
	ADD_TO(Z22, Z23, 64)
	MOVQ y_base+0(FP), DI
store:
	STORE(Z0, Z1, 64)
	STORE(Z2, Z3, 64)
	STORE(Z4, Z5, 64)
	STORE(Z6, Z7, 64)
	STORE(Z8, Z9, 64)
	STORE(Z10, Z11, 64)
	STORE(Z12, Z13, 64)
	STORE(Z14, Z15, 64)
	STORE(Z16, Z17, 64)
	STORE(Z18, Z19, 64)
	STORE(Z20, Z21, 64)
	STORE(Z22, Z23, 64)
	VZEROUPPER
	RET

// func transposeF32_avx512(panel []float32, w []byte, rowBytes, rows, k int)
TEXT ·transposeF32_avx512(SB), NOSPLIT, $0-72
	TRANSPOSE_AVX512(LOAD_F32, 4)

// func transposeF16_avx512(panel []float32, w []byte, rowBytes, rows, k int)
TEXT ·transposeF16_avx512(SB), NOSPLIT, $0-72
	TRANSPOSE_AVX512(LOAD_F16, 2)

// func transposeBF16_avx512(panel []float32, w []byte, rowBytes, rows, k int)
TEXT ·transposeBF16_avx512(SB), NOSPLIT, $0-72
	TRANSPOSE_AVX512(LOAD_BF16, 2)
