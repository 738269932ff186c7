#include "textflag.h"

// Sparse channel-major weights for AVX-512 VBMI2: see sdrw.go.
//
//	DI line   SI values   R8 starts   R9 offsets   R10 channels, CX left
//	R11 groups of a channel   R12 the last place where a run may begin   AX run

#define BEGIN \
	MOVQ lines+0(FP), DI     \
	MOVQ values+8(FP), SI    \
	MOVQ starts+16(FP), R8   \
	MOVQ offsets+24(FP), R9  \
	MOVQ channels+32(FP), R10 \
	MOVQ n+40(FP), CX        \
	MOVQ groups+48(FP), R11  \
	MOVQ last+56(FP), R12

#define RUN \
	MOVLQSX (R10), AX            \
	MOVL    (R8)(AX*4), BX       \
	IMULQ   R11, AX              \
	MOVWLZX (R9)(AX*2), AX       \
	LEAQ    (BX)(AX*2), AX       \
	CMPQ    AX, R12              \
	CMOVQGT R12, AX              \
	ADDQ    SI, AX

#define NEXT \
	ADDQ $64, DI  \
	ADDQ $4, R10  \
	DECQ CX       \
	JNZ  line     \
	VZEROUPPER    \
	RET

// CODES makes bytes of the 64 nibbles of 32 bytes, each in a word.
#define CODES(z, t) \
	VPSLLW     $4, z, t           \
	VPTERNLOGD $0xa8, Z31, t, z    // (z|t) & Z31

// func sdrw4Expand_avx512vbmi2(lines, values, starts, offsets *byte, channels *int32, n, groups, last int, zero uint64)
TEXT ·sdrw4Expand_avx512vbmi2(SB), NOSPLIT, $0-72
	MOVQ         zero+64(FP), AX
	VPBROADCASTB AX, Z30
	MOVL         $0x0f0f0f0f, AX
	VPBROADCASTD AX, Z31
	BEGIN

line:
	RUN
	KMOVQ     (AX), K1
	KMOVQ     8(AX), K2
	POPCNTQ   (AX), BX
	INCQ      BX
	SHRQ      $1, BX
	VPMOVZXBW 16(AX), Z0
	VPMOVZXBW 16(AX)(BX*1), Z1
	VMOVDQA64 Z30, Z4
	VMOVDQA64 Z30, Z5
	CODES(Z0, Z2)
	CODES(Z1, Z3)
	VPEXPANDB Z0, K1, Z4
	VPEXPANDB Z1, K2, Z5
	VPSLLW    $4, Z5, Z5
	VPORD     Z5, Z4, Z4
	VMOVDQU64 Z4, (DI)
	NEXT

// func sdrw8Expand_avx512vbmi2(lines, values, starts, offsets *byte, channels *int32, n, groups, last int)
TEXT ·sdrw8Expand_avx512vbmi2(SB), NOSPLIT, $0-64
	BEGIN

line:
	RUN
	KMOVQ       (AX), K1
	VMOVDQU64   8(AX), Z0
	VPEXPANDB.Z Z0, K1, Z1
	VMOVDQU64   Z1, (DI)
	NEXT
