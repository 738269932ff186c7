#include "textflag.h"
#include "sdr_amd64.h"

// Products of channel-major weights for AVX2: see sdr_tiles.go and
// sdr_avx512_amd64.s, of which these are the halves, with four registers of
// sums where those have two.
//
// VPMADDUBSW adds two products in 16 bits, which suffice: both numbers are
// within ±127.

DATA sdrNibbles<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA sdrNibbles<>+8(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA sdrNibbles<>+16(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA sdrNibbles<>+24(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL sdrNibbles<>(SB), RODATA|NOPTR, $32

DATA sdrOrder<>+0(SB)/8, $0x0b0a030209080100
DATA sdrOrder<>+8(SB)/8, $0x0f0e07060d0c0504
GLOBL sdrOrder<>(SB), RODATA|NOPTR, $16

// DOT adds the products of unsigned bytes u and signed ones s. It changes t.
#define DOT(s, u, sum, t) \
	VPMADDUBSW s, u, t     \
	VPMADDWD   Y12, t, t   \
	VPADDD     t, sum, sum

// NIBBLES unpacks codes of SDR4 and multiplies those in the low halves and those in
// the high ones.
#define NIBBLES(codes, h, l, h2, l2) \
	VPAND   sdrNibbles<>(SB), codes, Y9    \
	VPSHUFB Y9, Y13, Y9                    \
	DOT(Y14, Y9, h, Y11)                   \
	DOT(Y15, Y9, l, Y9)                    \
	VPSRLW  $4, codes, codes               \
	VPAND   sdrNibbles<>(SB), codes, codes \
	VPSHUFB codes, Y13, codes              \
	DOT(Y14, codes, h2, Y11)               \
	DOT(Y15, codes, l2, codes)

// BYTES multiplies the numbers of SDR8, giving their signs to the activations.
#define BYTES(v, h, l) \
	VPABSB  v, Y9        \
	VPSIGNB v, Y14, Y11  \
	DOT(Y11, Y9, h, Y11) \
	VPSIGNB v, Y15, v    \
	DOT(v, Y9, l, Y9)

// ONES sets the words of Y12.
#define ONES \
	VPCMPEQW Y12, Y12, Y12 \
	VPSRLW   $15, Y12, Y12

// QUAD makes Y8 and Y10 of a quarter of four channels.
#define QUAD(off, INTERLEAVE, fetched) \
	CHANNELS \
	VPBROADCASTD (R12), Y14             \
	VPBROADCASTD (R12)(R13*1), Y15      \
	PREFETCHT1   (CX)(BX*1)             \
	FETCHED(64, groups+56(FP), fetched) \
	VMOVDQU      off(R8)(AX*1), Y8      \
	INTERLEAVE   off(R9)(AX*1), Y8, Y8  \
	VMOVDQU      off(R10)(AX*1), Y9     \
	INTERLEAVE   off(R11)(AX*1), Y9, Y9 \
	VPUNPCKHWD   Y9, Y8, Y10            \
	VPUNPCKLWD   Y9, Y8, Y8             \
	ADDQ         $32, DX                \
	LEAQ         (R12)(R13*2), R12

#define PART4(off, INTERLEAVE, sums, quad, fetched) \
	GROUP                         \
	VMOVDQU (sums)(DI), Y0        \
	VMOVDQU (sums+32)(DI), Y1     \
	VMOVDQU (sums+256)(DI), Y2    \
	VMOVDQU (sums+288)(DI), Y3    \
	VMOVDQU (sums+512)(DI), Y4    \
	VMOVDQU (sums+544)(DI), Y5    \
	VMOVDQU (sums+768)(DI), Y6    \
	VMOVDQU (sums+800)(DI), Y7    \
quad:                           \
	QUAD(off, INTERLEAVE, fetched)  \
	NIBBLES(Y8, Y0, Y4, Y2, Y6)   \
	NIBBLES(Y10, Y1, Y5, Y3, Y7)  \
	CMPQ    DX, quads+32(FP)      \
	JNE     quad                  \
	VMOVDQU Y0, (sums)(DI)        \
	VMOVDQU Y1, (sums+32)(DI)     \
	VMOVDQU Y2, (sums+256)(DI)    \
	VMOVDQU Y3, (sums+288)(DI)    \
	VMOVDQU Y4, (sums+512)(DI)    \
	VMOVDQU Y5, (sums+544)(DI)    \
	VMOVDQU Y6, (sums+768)(DI)    \
	VMOVDQU Y7, (sums+800)(DI)

#define PART8(off, INTERLEAVE, sums, quad, fetched) \
	GROUP                         \
	VMOVDQU (sums)(DI), Y0        \
	VMOVDQU (sums+32)(DI), Y1     \
	VMOVDQU (sums+256)(DI), Y4    \
	VMOVDQU (sums+288)(DI), Y5    \
quad:                           \
	QUAD(off, INTERLEAVE, fetched)  \
	BYTES(Y8, Y0, Y4)             \
	BYTES(Y10, Y1, Y5)            \
	CMPQ    DX, quads+32(FP)      \
	JNE     quad                  \
	VMOVDQU Y0, (sums)(DI)        \
	VMOVDQU Y1, (sums+32)(DI)     \
	VMOVDQU Y4, (sums+256)(DI)    \
	VMOVDQU Y5, (sums+288)(DI)

// Q makes whole numbers of 8 scales and an activation.
#define Q(scales, x, y) \
	VCVTPH2PS (scales)(AX*2), y \
	VMULPS    x, y, y           \
	VMINPS    Y15, y, y         \
	VMAXPS    Y14, y, y         \
	VCVTPS2DQ y, y

// LEVELS makes words of the whole numbers of two channels, the second in the upper
// halves: hi in b, lo in a. It changes t.
#define LEVELS(a, b, t) \
	VPSLLD   $16, b, b      \
	VPBLENDW $0xaa, b, a, a \
	VPADDW   Y13, a, b      \
	VPSRAW   $7, b, b       \
	VPSLLW   $7, b, t       \
	VPSUBW   t, a, a

// BYTES4 makes four bytes for each group of the words of two and two channels, and
// adds them to the sums.
#define BYTES4(a, b, x, sums) \
	VPACKSSWB  b, a, a      \
	VPSHUFB    Y12, a, a    \
	VPAND      Y9, a, a     \
	VMOVDQU    a, x         \
	VPMADDUBSW a, Y11, a    \
	VPMADDWD   Y10, a, a    \
	VPADDD     sums, a, a   \
	VMOVDQU    a, sums

// SUM makes floats of the sums h and l of 8 outputs. Y14 and Y15 are what the sums have
// too much, Y12 and Y13 the scales.
#define SUM(h, l, y, t) \
	VMOVDQU   (h)(SI), y \
	VMOVDQU   (l)(SI), t \
	VPSUBD    Y14, y, y  \
	VPSUBD    Y15, t, t  \
	VCVTDQ2PS y, y       \
	VCVTDQ2PS t, t       \
	VMULPS    Y12, y, y  \
	VMULPS    Y13, t, t  \
	VADDPS    t, y, y

// SUMS brings four registers into the order of the outputs.
#define SUMS(h, l, y) \
	SUM(h, l, Y0, Y4)           \
	SUM(h+32, l+32, Y1, Y5)     \
	SUM(h+64, l+64, Y2, Y6)     \
	SUM(h+96, l+96, Y3, Y7)     \
	VPERM2F128 $0x20, Y1, Y0, Y4 \
	VPERM2F128 $0x20, Y3, Y2, Y5 \
	VPERM2F128 $0x31, Y1, Y0, Y6 \
	VPERM2F128 $0x31, Y3, Y2, Y7 \
	VMOVUPS    Y4, (y)(DI)       \
	VMOVUPS    Y5, (y+32)(DI)    \
	VMOVUPS    Y6, (y+64)(DI)    \
	VMOVUPS    Y7, (y+96)(DI)

#define FINISH \
	FINISH_ARGUMENTS \
	VBROADCASTSS s128+56(FP), Y12 \
	VBROADCASTSS s+60(FP), Y13    \
	VPXOR        Y14, Y14, Y14    \
	VPXOR        Y15, Y15, Y15

// func sdr4_avx2(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)
TEXT ·sdr4_avx2(SB), NOSPLIT, $0-80
	MOVQ           table+72(FP), AX
	VBROADCASTI128 (AX), Y13
	BEGIN
	ONES

group:
	PART4(0, VPUNPCKLBW, 0, quad0, fetched0)
	PART4(0, VPUNPCKHBW, 64, quad1, fetched1)
	PART4(32, VPUNPCKLBW, 128, quad2, fetched2)
	PART4(32, VPUNPCKHBW, 192, quad3, fetched3)
	END

// func sdr8_avx2(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)
TEXT ·sdr8_avx2(SB), NOSPLIT, $0-80
	BEGIN
	ONES

group:
	PART8(0, VPUNPCKLBW, 0, quad0, fetched0)
	PART8(0, VPUNPCKHBW, 64, quad1, fetched1)
	PART8(32, VPUNPCKLBW, 128, quad2, fetched2)
	PART8(32, VPUNPCKHBW, 192, quad3, fetched3)
	END

// func sdrFold_avx2(x *uint32, sums *int32, scales *byte, offsets *uintptr, in *float32, quads, groups, half int, last uint32)
TEXT ·sdrFold_avx2(SB), NOSPLIT, $0-68
	MOVQ           x+0(FP), DI
	MOVQ           scales+16(FP), SI
	MOVQ           offsets+24(FP), R8
	MOVQ           in+32(FP), R9
	MOVQ           half+56(FP), R15
	MOVL           $0x467e0000, AX   // 16256
	VMOVD          AX, X15
	VPBROADCASTD   X15, Y15
	MOVL           $0xc67e0000, AX
	VMOVD          AX, X14
	VPBROADCASTD   X14, Y14
	MOVL           $0x00400040, AX
	VMOVD          AX, X13
	VPBROADCASTD   X13, Y13
	VBROADCASTI128 sdrOrder<>(SB), Y12
	VPCMPEQB       Y9, Y9, Y9
	VPABSB         Y9, Y11           // ones
	VPSRLW         $15, Y9, Y10

quad:
	CMPQ         quads+40(FP), $1
	JNE          whole
	MOVL last+64(FP), AX
	VMOVD AX, X9
	VPBROADCASTD X9, Y9

whole:
	SCALES
	MOVQ sums+8(FP), DX
	MOVQ groups+48(FP), CX
	MOVQ DI, BX
	XORL AX, AX

groups:
	VBROADCASTSS (R9), Y0
	VBROADCASTSS 4(R9), Y1
	VBROADCASTSS 8(R9), Y2
	VBROADCASTSS 12(R9), Y3
	Q(R10, Y0, Y4)
	Q(R11, Y1, Y5)
	Q(R12, Y2, Y6)
	Q(R13, Y3, Y7)
	LEVELS(Y4, Y5, Y8)
	LEVELS(Y6, Y7, Y8)
	BYTES4(Y5, Y7, (BX), (DX))
	BYTES4(Y4, Y6, (BX)(R15*1), (DX)(R15*1))
	ADDQ $8, AX
	ADDQ $32, BX
	ADDQ $32, DX
	SUBQ $8, CX
	JNZ  groups
	ADDQ $32, R8
	ADDQ $16, R9
	LEAQ (DI)(R15*2), DI
	DECQ quads+40(FP)
	JNZ  quad
	VZEROUPPER
	RET

// func sdr4Finish_avx2(y *float32, acc, sums *int32, half, stride, sumStride, groups int, s128, s float32)
TEXT ·sdr4Finish_avx2(SB), NOSPLIT, $0-64
	FINISH

group:
	VPBROADCASTD (DX), Y14
	VPBROADCASTD (DX)(R8*1), Y15
	VPSLLD       $6, Y14, Y14
	VPSLLD       $6, Y15, Y15
	SUMS(0, 512, 0)
	SUMS(128, 640, 128)
	SUMS(256, 768, 256)
	SUMS(384, 896, 384)
	NEXTGROUP(128)

// func sdr8Finish_avx2(y *float32, acc, sums *int32, half, stride, sumStride, groups int, s128, s float32)
TEXT ·sdr8Finish_avx2(SB), NOSPLIT, $0-64
	FINISH

group:
	SUMS(0, 256, 0)
	SUMS(128, 384, 128)
	NEXTGROUP(64)
