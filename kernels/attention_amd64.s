#include "textflag.h"
#include "kvunpack_amd64.h"

// Products with panels. The outer loop runs over panels, the middle one over
// tiles of rows, the inner one over the depth, so that a panel stays in the cache
// while all rows pass over it.
//
//	SI panel       DX panels left
//	R8 rows of a   R9 rows left   DI their results
//	R10 bytes from one row of a to the next, R11 minus that
//	AX within the panel, CX depth left
//	BX, R12, R13 rows 4, 9 and 14 of the tile
//
// The addresses of up to 16 rows are one of three registers and a multiple of
// R10 or R11. Panels are prefetched because in decoding they come from memory and
// are read once; what lies behind the last one is mostly the next that is read.
#define A0 (BX)(R11*4)
#define A1 (R12)(R11*8)
#define A2 (BX)(R11*2)
#define A3 (BX)(R11*1)
#define A4 (BX)
#define A5 (BX)(R10*1)
#define A6 (BX)(R10*2)
#define A7 (R12)(R11*2)
#define A8 (BX)(R10*4)
#define A9 (R12)
#define A10 (R12)(R10*1)
#define A11 (R12)(R10*2)
#define A12 (BX)(R10*8)
#define A13 (R12)(R10*4)
#define A14 (R13)
#define A15 (R13)(R10*1)

#define PANELS_ARGUMENTS \
	MOVQ c_base+0(FP), DI      \
	MOVQ b_base+48(FP), SI     \
	MOVQ s_Panels+88(FP), DX   \
	MOVQ s_StrideA+96(FP), R10 \
	SHLQ $2, R10               \
	MOVQ R10, R11              \
	NEGQ R11

#define NEXT_PANEL(bytes) \
	MOVQ s_StrideC+112(FP), AX \
	IMULQ s_Rows+72(FP), AX    \
	SHLQ $2, AX                \
	SUBQ AX, DI                \
	ADDQ $64, DI               \
	MOVQ s_StrideB+104(FP), AX \
	IMUL3Q $bytes, AX, AX      \
	ADDQ AX, SI

// TILE multiplies the panel with n rows. ROWS applies a macro to each of them,
// STEP does one step of the depth.
#define TILE(n, ROWS, ZERO, LOADC, STEP, STOREC, bytes, sums, loop) \
	ROWS(ZERO)                  \
	MOVQ s_StrideC+112(FP), CX  \
	SHLQ $2, CX                 \
	CMPB s_Add+120(FP), $0      \
	JEQ  sums                   \
	MOVQ DI, AX                 \
	ROWS(LOADC)                 \
sums:                         \
	LEAQ (R8)(R10*4), BX        \ // row 4
	LEAQ (BX)(R10*4), R12       \
	ADDQ R10, R12               \ // row 9
	LEAQ (R12)(R10*4), R13      \
	ADDQ R10, R13               \ // row 14
	MOVQ SI, AX                 \
	MOVQ s_Depth+80(FP), CX     \
loop:                         \
	STEP(ROWS)                  \
	ADDQ $(16*bytes), AX        \
	ADDQ $4, BX                 \
	ADDQ $4, R12                \
	ADDQ $4, R13                \
	DECQ CX                     \
	JNZ  loop                   \
	MOVQ s_StrideC+112(FP), CX  \
	SHLQ $2, CX                 \
	ROWS(STOREC)                \
	IMUL3Q $n, R10, AX          \
	ADDQ AX, R8                 \
	SUBQ $n, R9

// AVX-512: a row's results are one register, n for row n; Z31 is a step of the panel.

#define ZROWS1(M) M(A0, Z0)
#define ZROWS2(M) ZROWS1(M) \
	M(A1, Z1)
#define ZROWS4(M) ZROWS2(M) \
	M(A2, Z2) \
	M(A3, Z3)
#define ZROWS8(M) ZROWS4(M) \
	M(A4, Z4) \
	M(A5, Z5) \
	M(A6, Z6) \
	M(A7, Z7)
#define ZROWS16(M) ZROWS8(M) \
	M(A8, Z8)   \
	M(A9, Z9)   \
	M(A10, Z10) \
	M(A11, Z11) \
	M(A12, Z12) \
	M(A13, Z13) \
	M(A14, Z14) \
	M(A15, Z15)

#define ZZERO(a, z) VPXORD z, z, z
#define ZLOADC(a, z) \
	VMOVUPS (AX), z \
	ADDQ    CX, AX
#define ZSTOREC(a, z) \
	VMOVUPS z, (DI) \
	ADDQ    CX, DI
#define ZFMA(a, z) VFMADD231PS.BCST a, Z31, z
#define ZSTEPF32(ROWS) \
	VMOVUPS    (AX), Z31 \
	PREFETCHT0 2048(AX)  \
	ROWS(ZFMA)
#define ZSTEPF16(ROWS) \
	VCVTPH2PS  (AX), Z31 \
	PREFETCHT0 2048(AX)  \
	ROWS(ZFMA)

#define ZPANELS(STEP, bytes) \
	PANELS_ARGUMENTS           \
panel:                       \
	MOVQ a_base+24(FP), R8     \
	MOVQ s_Rows+72(FP), R9     \
	SUBQ $16, R9               \
	JLT  tile8                 \
tile16:                      \
	TILE(16, ZROWS16, ZZERO, ZLOADC, STEP, ZSTOREC, bytes, sums16, loop16) \
	JGE  tile16                \
tile8:                       \
	ADDQ $8, R9                \
	JLT  tile4                 \
	TILE(8, ZROWS8, ZZERO, ZLOADC, STEP, ZSTOREC, bytes, sums8, loop8)     \
tile4:                       \
	ADDQ $4, R9                \
	JLT  tile2                 \
	TILE(4, ZROWS4, ZZERO, ZLOADC, STEP, ZSTOREC, bytes, sums4, loop4)     \
tile2:                       \
	ADDQ $2, R9                \
	JLT  tile1                 \
	TILE(2, ZROWS2, ZZERO, ZLOADC, STEP, ZSTOREC, bytes, sums2, loop2)     \
tile1:                       \
	ADDQ $1, R9                \
	JLT  next                  \
	TILE(1, ZROWS1, ZZERO, ZLOADC, STEP, ZSTOREC, bytes, sums1, loop1)     \
next:                        \
	NEXT_PANEL(bytes)          \
	DECQ DX                    \
	JNZ  panel                 \
	VZEROUPPER                 \
	RET

// func panelsF32_avx512(c, a, b []float32, s PanelShape)
TEXT ·panelsF32_avx512(SB), NOSPLIT, $0-128
	ZPANELS(ZSTEPF32, 4)

// func panelsF16_avx512(c, a []float32, b []uint16, s PanelShape)
TEXT ·panelsF16_avx512(SB), NOSPLIT, $0-128
	ZPANELS(ZSTEPF16, 2)

// AVX2: a row's results are two registers; Y12 and Y13 are a step of the panel.

#define YROWS1(M) M(A0, Y0, Y1)
#define YROWS2(M) YROWS1(M) \
	M(A1, Y2, Y3)
#define YROWS4(M) YROWS2(M) \
	M(A2, Y4, Y5) \
	M(A3, Y6, Y7)
#define YROWS6(M) YROWS4(M) \
	M(A4, Y8, Y9) \
	M(A5, Y10, Y11)

#define YZERO(a, y, z) \
	VXORPS y, y, y \
	VXORPS z, z, z
#define YLOADC(a, y, z) \
	VMOVUPS (AX), y   \
	VMOVUPS 32(AX), z \
	ADDQ    CX, AX
#define YSTOREC(a, y, z) \
	VMOVUPS y, (DI)   \
	VMOVUPS z, 32(DI) \
	ADDQ    CX, DI
#define YFMA(a, y, z) \
	VBROADCASTSS a, Y14      \
	VFMADD231PS Y12, Y14, y  \
	VFMADD231PS Y13, Y14, z
#define YSTEPF32(ROWS) \
	VMOVUPS    (AX), Y12   \
	VMOVUPS    32(AX), Y13 \
	PREFETCHT0 2048(AX)    \
	ROWS(YFMA)
#define YSTEPF16(ROWS) \
	VCVTPH2PS  (AX), Y12   \
	VCVTPH2PS  16(AX), Y13 \
	PREFETCHT0 2048(AX)    \
	ROWS(YFMA)

#define YPANELS(STEP, bytes) \
	PANELS_ARGUMENTS           \
panel:                       \
	MOVQ a_base+24(FP), R8     \
	MOVQ s_Rows+72(FP), R9     \
	SUBQ $4, R9                \
	JLT  tile2                 \
tile4:                       \
	TILE(4, YROWS4, YZERO, YLOADC, STEP, YSTOREC, bytes, sums4, loop4)     \
	JGE  tile4                 \
tile2:                       \
	ADDQ $2, R9                \
	JLT  tile1                 \
	TILE(2, YROWS2, YZERO, YLOADC, STEP, YSTOREC, bytes, sums2, loop2)     \
tile1:                       \
	ADDQ $1, R9                \
	JLT  next                  \
	TILE(1, YROWS1, YZERO, YLOADC, STEP, YSTOREC, bytes, sums1, loop1)     \
next:                        \
	NEXT_PANEL(bytes)          \
	DECQ DX                    \
	JNZ  panel                 \
	VZEROUPPER                 \
	RET

// func panelsF32_avx2(c, a, b []float32, s PanelShape)
TEXT ·panelsF32_avx2(SB), NOSPLIT, $0-128
	YPANELS(YSTEPF32, 4)

// func panelsF16_avx2(c, a []float32, b []uint16, s PanelShape)
TEXT ·panelsF16_avx2(SB), NOSPLIT, $0-128
	YPANELS(YSTEPF16, 2)

// 8-bit values to float32, a row of the panel at a time.

#define YWIDEN(scale0, scale1) \
	VPMOVSXBD (SI), Y2      \
	VPMOVSXBD 8(SI), Y3     \
	PREFETCHT0 1024(SI)     \
	ADDQ $16, SI            \
	YFLOATS(scale0, scale1)

#define ZWIDEN(scale) \
	VPMOVSXBD (SI), Z2     \
	PREFETCHT0 1024(SI)    \
	ADDQ $16, SI           \
	ZFLOATS(scale)

// func q8Columns_avx2(dst []float32, q []int8, d []uint16)
TEXT ·q8Columns_avx2(SB), NOSPLIT, $0-72
	COLUMNS(KV_ARGUMENTS, YSCALES, YWIDEN(Y0, Y1))

// func q8Columns_avx512(dst []float32, q []int8, d []uint16)
TEXT ·q8Columns_avx512(SB), NOSPLIT, $0-72
	COLUMNS(KV_ARGUMENTS, ZSCALES, ZWIDEN(Z0))

// func q8Rows_avx2(dst []float32, q []int8, d []uint16)
TEXT ·q8Rows_avx2(SB), NOSPLIT, $0-72
	ROWS(KV_ARGUMENTS, YSCALE, YWIDEN(Y0, Y0))

// func q8Rows_avx512(dst []float32, q []int8, d []uint16)
TEXT ·q8Rows_avx512(SB), NOSPLIT, $0-72
	ROWS(KV_ARGUMENTS, ZSCALE, ZWIDEN(Z0))

// The exponentials of a page of scores, as expSum_avx2 computes them, but that
// values below -104 count as -104, whose exponential is rounded to 0, and that
// VSCALEFPS multiplies with the power of two, down to the smallest numbers.

#define ZEXP_CONSTANTS \
	VBROADCASTSS zexp<>+0(SB), Z31  \
	VBROADCASTSS zexp<>+4(SB), Z30  \
	VBROADCASTSS zexp<>+8(SB), Z29  \
	VBROADCASTSS zexp<>+12(SB), Z28 \
	VBROADCASTSS zexp<>+16(SB), Z27 \
	VBROADCASTSS zexp<>+20(SB), Z26 \
	VBROADCASTSS zexp<>+24(SB), Z25 \
	VBROADCASTSS zexp<>+28(SB), Z24 \
	VBROADCASTSS zexp<>+32(SB), Z23 \
	VBROADCASTSS zexp<>+36(SB), Z22 \
	VBROADCASTSS zexp<>+40(SB), Z21 \
	VBROADCASTSS zexp<>+44(SB), Z20

// ZEXP replaces Z0 by exp(Z0). It changes Z1 and Z2.
#define ZEXP \
	VMAXPS       Z30, Z0, Z0  \
	VMOVAPS      Z28, Z1      \
	VFMADD231PS  Z29, Z0, Z1  \
	VSUBPS       Z28, Z1, Z1  \ // n, the nearest whole number to x/ln(2)
	VFNMADD231PS Z27, Z1, Z0  \
	VFNMADD231PS Z26, Z1, Z0  \ // r
	VMOVAPS      Z25, Z2      \
	VFMADD213PS  Z24, Z0, Z2  \
	VFMADD213PS  Z23, Z0, Z2  \
	VFMADD213PS  Z22, Z0, Z2  \
	VFMADD213PS  Z21, Z0, Z2  \
	VFMADD213PS  Z20, Z0, Z2  \
	VMULPS       Z0, Z2, Z2   \
	VFMADD213PS  Z0, Z0, Z2   \
	VADDPS       Z31, Z2, Z2  \
	VSCALEFPS    Z1, Z2, Z0

DATA zexp<>+0(SB)/4, $0x3f800000  // 1
DATA zexp<>+4(SB)/4, $0xc2d00000  // -104
DATA zexp<>+8(SB)/4, $0x3fb8aa3b  // 1/ln(2)
DATA zexp<>+12(SB)/4, $0x4b400000 // 1.5*2^23
DATA zexp<>+16(SB)/4, $0x3f318000 // ln(2), the upper bits
DATA zexp<>+20(SB)/4, $0xb95e8083 // and the rest
DATA zexp<>+24(SB)/4, $0x39506967 // the polynomial
DATA zexp<>+28(SB)/4, $0x3ab743ce
DATA zexp<>+32(SB)/4, $0x3c088908
DATA zexp<>+36(SB)/4, $0x3d2aa9c1
DATA zexp<>+40(SB)/4, $0x3e2aaaaa
DATA zexp<>+44(SB)/4, $0x3f000000
GLOBL zexp<>(SB), RODATA|NOPTR, $48

// func expSum_avx512(x []float32, max float32) float32
TEXT ·expSum_avx512(SB), NOSPLIT, $0-36
	MOVQ         x_base+0(FP), SI
	MOVQ         x_len+8(FP), DX
	VBROADCASTSS max+24(FP), Z7
	ZEXP_CONSTANTS
	VPXORD       Z8, Z8, Z8
	SUBQ         $16, DX
	JLT          tail

loop:
	VMOVUPS (SI), Z0
	VSUBPS  Z7, Z0, Z0
	ZEXP
	VMOVUPS Z0, (SI)
	VADDPS  Z0, Z8, Z8
	ADDQ    $64, SI
	SUBQ    $16, DX
	JGE     loop

tail:
	ADDQ      $16, DX
	JZ        sum
	MOVQ      DX, CX
	MOVL      $1, AX
	SHLL      CX, AX
	DECL      AX
	KMOVW     AX, K1
	VMOVUPS.Z (SI), K1, Z0
	VSUBPS    Z7, Z0, Z0
	ZEXP
	VMOVUPS   Z0, K1, (SI)
	VADDPS    Z0, Z8, K1, Z8

sum:
	VEXTRACTF64X4 $1, Z8, Y1
	VADDPS        Y1, Y8, Y0
	VEXTRACTF128  $1, Y0, X1
	VADDPS        X1, X0, X0
	VHADDPS       X0, X0, X0
	VHADDPS       X0, X0, X0
	VMOVSS        X0, ret+32(FP)
	VZEROUPPER
	RET
