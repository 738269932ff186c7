#include "textflag.h"
#include "sdr_avx512_amd64.h"

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

// One vector. The weights of four channels are expanded and multiplied without leaving the
// registers; where runs begin is known, so that none waits for another.
//
//	DI sums of the group    SI values
//	DX runs of channels     R8-R11 where those of a quad begin
//	R12 their activations   R13 from hi to lo
//	AX groups left          R14 offsets of the group
//	R15 channels to fetch, BX where in one, CX temporary

#define BEGIN1 \
	MOVQ acc+0(FP), DI       \
	MOVQ values+8(FP), SI    \
	MOVQ offsets+16(FP), R14 \
	MOVQ quads+40(FP), CX    \
	MOVQ CX, BX              \
	SHLQ $6, CX              \
	ADDQ runs+24(FP), CX     \
	MOVQ CX, quads+40(FP)    \ // where the runs end
	MOVQ next+32(FP), R15    \
	SHLQ $5, BX              \
	ADDQ R15, BX             \
	MOVQ BX, next+32(FP)     \ // the last that is fetched
	MOVQ half+56(FP), R13    \
	MOVQ groups+64(FP), AX   \
	XORL BX, BX

#define GROUP1 \
	MOVQ runs+24(FP), DX \
	MOVQ x+48(FP), R12   \
	ADDQ $4, x+48(FP)

#define END1 \
	ADDQ stride+72(FP), DI \
	ADDQ $2, R14           \
	DECQ AX                \
	JNZ  group             \
	VZEROUPPER             \
	RET

// START makes r where the run of the channel at off(DX) begins.
#define START(off, r) \
	MOVQ    off+8(DX), r        \
	MOVWLZX (R14)(r*1), r       \
	ADDQ    r, r                \
	ADDQ    off(DX), r          \
	CMPQ    r, last+80(FP)      \
	CMOVQGT last+80(FP), r

#define QUAD1(fetched) \
	START(0, R8)                     \
	START(16, R9)                    \
	START(32, R10)                   \
	START(48, R11)                   \
	ADDQ         $64, DX             \
	VPBROADCASTD (R12), Z28          \
	VPBROADCASTD (R12)(R13*1), Z29   \
	LEAQ         (R12)(R13*2), R12   \
	MOVQ         (R15), CX           \
	PREFETCHT1   (CX)(BX*1)          \
	PREFETCHT1   64(CX)(BX*1)        \
	PREFETCHT1   128(CX)(BX*1)       \
	PREFETCHT1   192(CX)(BX*1)       \
	ADDQ         $256, BX            \
	CMPQ         BX, size+88(FP)     \
	JLT          fetched             \
	XORL         BX, BX              \
	ADDQ         $8, R15             \
	CMPQ         R15, next+32(FP)    \
	CMOVQHI      next+32(FP), R15    \
fetched:

// EXPAND8 makes z the weights of the run at r.
#define EXPAND8(r, k, z) \
	KMOVQ       (SI)(r*1), k   \
	VMOVDQU64   8(SI)(r*1), z  \
	VPEXPANDB.Z z, k, z

// LOW4 makes z the numbers of the first 64 outputs of the run at r, HIGH4 of the others. A
// code's upper neighbours do not disturb, as the table in Z30 has every entry four times.
#define LOW4(r, k, t, z) \
	KMOVQ          (SI)(r*1), k    \
	VPMOVZXDQ      16(SI)(r*1), t  \
	VMOVDQA64      Z31, z          \
	VPMULTISHIFTQB t, Z27, t       \
	VPERMB         Z30, t, t       \
	VPEXPANDB      t, k, z

#define HIGH4(r, k, t, z) \
	POPCNTQ        (SI)(r*1), CX   \
	INCQ           CX              \
	SHRQ           $1, CX          \
	ADDQ           r, CX           \
	KMOVQ          8(SI)(r*1), k   \
	VPMOVZXDQ      16(SI)(CX*1), t \
	VMOVDQA64      Z31, z          \
	VPMULTISHIFTQB t, Z27, t       \
	VPERMB         Z30, t, t       \
	VPEXPANDB      t, k, z

DATA nibbles<>+0(SB)/8, $0x1c1814100c080400
GLOBL nibbles<>(SB), RODATA|NOPTR, $8

// func sdrw4_avx512vbmi2(acc *int32, values, offsets *byte, runs *sdrRun, next *uintptr, quads int, x *uint32, half, groups, stride, last, size int, table *[16]byte, zero uint64)
TEXT ·sdrw4_avx512vbmi2(SB), NOSPLIT, $0-112
	MOVQ            table+96(FP), AX
	VBROADCASTI32X4 (AX), Z30
	MOVQ            zero+104(FP), AX
	VPBROADCASTB    AX, Z31
	VPBROADCASTQ    nibbles<>(SB), Z27
	BEGIN1

group:
	GROUP1
	LOAD8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	LOAD8(512, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15)

quad:
	QUAD1(fetched)
	LOW4(R8, K1, Z24, Z20)
	LOW4(R9, K2, Z25, Z21)
	LOW4(R10, K3, Z24, Z22)
	LOW4(R11, K4, Z25, Z23)
	MIX
	DOT(Z16, Z0, Z8)
	DOT(Z17, Z1, Z9)
	DOT(Z18, Z2, Z10)
	DOT(Z19, Z3, Z11)
	HIGH4(R8, K1, Z24, Z20)
	HIGH4(R9, K2, Z25, Z21)
	HIGH4(R10, K3, Z24, Z22)
	HIGH4(R11, K4, Z25, Z23)
	MIX
	DOT(Z16, Z4, Z12)
	DOT(Z17, Z5, Z13)
	DOT(Z18, Z6, Z14)
	DOT(Z19, Z7, Z15)
	CMPQ DX, quads+40(FP)
	JNE  quad
	STORE8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	STORE8(512, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15)
	END1

// func sdrw8_avx512vbmi2(acc *int32, values, offsets *byte, runs *sdrRun, next *uintptr, quads int, x *uint32, half, groups, stride, last, size int, table *[16]byte, zero uint64)
TEXT ·sdrw8_avx512vbmi2(SB), NOSPLIT, $0-112
	MOVL         $0x80808080, AX
	VPBROADCASTD AX, Z31
	BEGIN1

group:
	GROUP1
	LOAD8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)

quad:
	QUAD1(fetched)
	EXPAND8(R8, K1, Z20)
	EXPAND8(R9, K2, Z21)
	EXPAND8(R10, K3, Z22)
	EXPAND8(R11, K4, Z23)
	MIX
	BYTES(Z16, Z0, Z4)
	BYTES(Z17, Z1, Z5)
	BYTES(Z18, Z2, Z6)
	BYTES(Z19, Z3, Z7)
	CMPQ DX, quads+40(FP)
	JNE  quad
	STORE8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	END1

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
