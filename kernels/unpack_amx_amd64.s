#include "textflag.h"
#include "asm_amx_amd64.h"

// Weights to bfloat16, into panels (see prompt_amx_amd64.go).
//
// Registers in all of them:
//	DI row of the panel, step  SI next block of the row
//	R8 rows left               R9 bytes between rows of weights
//	DX values per row          CX values left in the row
//	R10 first step of the row  R11 first block of the row
#define ARGUMENTS \
	MOVQ panel_base+0(FP), R10 \
	MOVQ w_base+24(FP), R11    \
	MOVQ rowBytes+48(FP), R9   \
	MOVQ rows+56(FP), R8       \
	MOVQ k+64(FP), DX

#define ROW \
	MOVQ R10, DI \
	MOVQ R11, SI \
	MOVQ DX, CX

#define NEXT_ROW \
	ADDQ $64, R10 \
	ADDQ R9, R11  \
	DECQ R8       \
	JNZ  row      \
	VZEROUPPER    \
	RET

// MASKS sets K2 and K3 to the values of the step. At the end of a row it may
// have less than 32.
#define MASKS \
	KXNORW K2, K2, K2 \
	KXNORW K3, K3, K3 \
	CMPQ   CX, $32 \
	JGE    whole   \
	MOVL   $1, AX  \
	SHLL   CX, AX  \
	DECL   AX      \
	KMOVW  AX, K2  \
	SHRL   $16, AX \
	KMOVW  AX, K3  \
whole:

// SPLIT stores the 32 floats in Z0 and Z1 as the sum of two bfloat16 numbers.
#define SPLIT \
	VCVTNE2PS2BF16(0, 1, 2)    \
	VMOVDQU64     Z2, (DI)     \
	VPMOVZXWD     Y2, Z3       \
	VEXTRACTI64X4 $1, Z2, Y2   \
	VPMOVZXWD     Y2, Z2       \
	VPSLLD        $16, Z3, Z3  \
	VPSLLD        $16, Z2, Z2  \
	VSUBPS        Z3, Z0, Z0   \
	VSUBPS        Z2, Z1, Z1   \
	VCVTNE2PS2BF16(0, 1, 2)    \
	VMOVDQU64     Z2, 2048(DI)

// func unpackF32_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackF32_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
row:
	ROW
step:
	MASKS
	VMOVUPS.Z (SI), K2, Z0
	VMOVUPS.Z 64(SI), K3, Z1
	SPLIT
	ADDQ $128, SI
	ADDQ $4096, DI
	SUBQ $32, CX
	JGT  step
	NEXT_ROW

// func unpackF16_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackF16_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
row:
	ROW
step:
	MASKS
	VCVTPH2PS.Z (SI), K2, Z0
	VCVTPH2PS.Z 32(SI), K3, Z1
	SPLIT
	ADDQ $64, SI
	ADDQ $4096, DI
	SUBQ $32, CX
	JGT  step
	NEXT_ROW

// func unpackBF16_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackBF16_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
row:
	ROW
step:
	KXNORD K2, K2, K2
	CMPQ   CX, $32
	JGE    whole
	MOVL   $1, AX
	SHLL   CX, AX
	DECL   AX
	KMOVD  AX, K2
whole:
	VMOVDQU16.Z (SI), K2, Z0
	VMOVDQU64   Z0, (DI)
	ADDQ $64, SI
	ADDQ $2048, DI
	SUBQ $32, CX
	JGT  step
	NEXT_ROW

// Q4_0: the 16 possible weights of a block, rounded, are a table that the
// nibbles index. Two blocks share the conversion.
#define Q4_0(w, disp, block) \
	VBROADCASTI32X4 w(SI), Z2            \
	VPERMB          Z2, Z30, Z2          \
	VPSRLVW         Z29, Z2, Z2          \
	VPTERNLOGD      $0xEA, block, Z28, Z2 \
	VPERMW          Z1, Z2, Z2           \
	VMOVDQU64       Z2, disp(DI)

// func unpackQ4_0_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackQ4_0_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
	VMOVUPS      levelsQ4_0<>(SB), Z31
	VMOVDQU64    bytesToWords<>(SB), Z30
	VMOVDQU64    highNibbles<>(SB), Z29
	VPBROADCASTD nibbleWords<>(SB), Z28
	VPXORD       Z26, Z26, Z26
	VPBROADCASTD secondTable<>(SB), Z27
row:
	ROW
	SUBQ $64, CX
	JLT  last
pair:
	VPBROADCASTW (SI), Y0
	VPBROADCASTW 18(SI), Y1
	VCVTPH2PS    Y0, Z0
	VCVTPH2PS    Y1, Z1
	VMULPS       Z31, Z0, Z0
	VMULPS       Z31, Z1, Z1
	VCVTNE2PS2BF16(0, 1, 1)
	Q4_0(2, 0, Z26)
	Q4_0(20, 2048, Z27)
	ADDQ $36, SI
	ADDQ $4096, DI
	SUBQ $64, CX
	JGE  pair
last:
	CMPQ CX, $-64
	JEQ  done
	VPBROADCASTW (SI), Y0
	VCVTPH2PS    Y0, Z0
	VMULPS       Z31, Z0, Z0
	VCVTNE2PS2BF16(0, 0, 1)
	Q4_0(2, 0, Z26)
done:
	NEXT_ROW

// func unpackQ8_0_amx(panel, w []byte, rowBytes, rows, k int)
TEXT ·unpackQ8_0_amx(SB), NOSPLIT, $0-72
	ARGUMENTS
row:
	ROW
block:
	VPBROADCASTW (SI), Y0
	VPMOVSXBD    2(SI), Z1
	VPMOVSXBD    18(SI), Z2
	VCVTPH2PS    Y0, Z0
	VCVTDQ2PS    Z1, Z1
	VCVTDQ2PS    Z2, Z2
	VMULPS       Z0, Z1, Z1
	VMULPS       Z0, Z2, Z2
	VCVTNE2PS2BF16(1, 2, 1)
	VMOVDQU64    Z1, (DI)
	ADDQ $34, SI
	ADDQ $2048, DI
	SUBQ $32, CX
	JGT  block
	NEXT_ROW

// The values of nibbles of Q4_0.
DATA levelsQ4_0<>+0(SB)/8, $0xC0E00000C1000000
DATA levelsQ4_0<>+8(SB)/8, $0xC0A00000C0C00000
DATA levelsQ4_0<>+16(SB)/8, $0xC0400000C0800000
DATA levelsQ4_0<>+24(SB)/8, $0xBF800000C0000000
DATA levelsQ4_0<>+32(SB)/8, $0x3F80000000000000
DATA levelsQ4_0<>+40(SB)/8, $0x4040000040000000
DATA levelsQ4_0<>+48(SB)/8, $0x40A0000040800000
DATA levelsQ4_0<>+56(SB)/8, $0x40E0000040C00000
GLOBL levelsQ4_0<>(SB), RODATA|NOPTR, $64

// Byte i goes into words i and i+16; the upper half of the word does not matter.
DATA bytesToWords<>+0(SB)/8, $0x0303020201010000
DATA bytesToWords<>+8(SB)/8, $0x0707060605050404
DATA bytesToWords<>+16(SB)/8, $0x0B0B0A0A09090808
DATA bytesToWords<>+24(SB)/8, $0x0F0F0E0E0D0D0C0C
DATA bytesToWords<>+32(SB)/8, $0x0303020201010000
DATA bytesToWords<>+40(SB)/8, $0x0707060605050404
DATA bytesToWords<>+48(SB)/8, $0x0B0B0A0A09090808
DATA bytesToWords<>+56(SB)/8, $0x0F0F0E0E0D0D0C0C
GLOBL bytesToWords<>(SB), RODATA|NOPTR, $64

// Words 16-31 are the high nibbles.
DATA highNibbles<>+0(SB)/8, $0
DATA highNibbles<>+8(SB)/8, $0
DATA highNibbles<>+16(SB)/8, $0
DATA highNibbles<>+24(SB)/8, $0
DATA highNibbles<>+32(SB)/8, $0x0004000400040004
DATA highNibbles<>+40(SB)/8, $0x0004000400040004
DATA highNibbles<>+48(SB)/8, $0x0004000400040004
DATA highNibbles<>+56(SB)/8, $0x0004000400040004
GLOBL highNibbles<>(SB), RODATA|NOPTR, $64

DATA nibbleWords<>+0(SB)/4, $0x000F000F
GLOBL nibbleWords<>(SB), RODATA|NOPTR, $4

// The second table of a VPERMW begins at word 16.
DATA secondTable<>+0(SB)/4, $0x00100010
GLOBL secondTable<>(SB), RODATA|NOPTR, $4
