#include "textflag.h"
#include "sdr_avx512_amd64.h"

// Sparse channel-major weights for AVX-512 VBMI2: see sdrw.go.
//
//	DI line   SI values   R8 starts   R9 offsets   R10 channels, CX left
//	R11 groups of a channel   R12 the last place where a run may begin   R13 the block's first channel   AX run

#define BEGIN \
	MOVQ lines+0(FP), DI     \
	MOVQ values+8(FP), SI    \
	MOVQ starts+16(FP), R8   \
	MOVQ offsets+24(FP), R9  \
	MOVQ channels+32(FP), R10 \
	MOVQ n+40(FP), CX        \
	MOVQ first+48(FP), R13   \
	MOVQ groups+56(FP), R11  \
	MOVQ last+64(FP), R12

#define RUN \
	MOVLQSX (R10), AX            \
	SUBQ    R13, AX              \
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

// One vector. The weights of four channels are expanded and multiplied without leaving the
// registers. The run of a channel's next group begins behind this one; as all other channels come
// between them, none waits for another. What follows is asked for twice, as in sdr_avx512_amd64.s.
//
//	DI sums of the group    SI the last place where a run may begin
//	DX runs of channels     R8-R11 where those of a quad begin
//	R12 their activations   R13 from hi to lo
//	AX groups left
//	R15 channels to fetch, BX where in one, CX temporary

#define BEGIN1 \
	MOVQ acc+0(FP), DI       \
	MOVQ last+8(FP), SI      \
	MOVQ quads+32(FP), CX    \
	MOVQ CX, BX              \
	SHLQ $5, CX              \
	ADDQ runs+16(FP), CX     \
	MOVQ CX, quads+32(FP)    \ // where the runs end
	MOVQ next+24(FP), R15    \
	SHLQ $5, BX              \
	ADDQ R15, BX             \
	MOVQ BX, next+24(FP)     \ // the last that is fetched
	MOVQ half+48(FP), R13    \
	MOVQ groups+56(FP), AX   \
	XORL BX, BX

#define GROUP1 \
	MOVQ runs+16(FP), DX \
	MOVQ x+40(FP), R12   \
	ADDQ $4, x+40(FP)

#define END1 \
	ADDQ stride+64(FP), DI \
	DECQ AX                \
	JNZ  group             \
	VZEROUPPER             \
	RET

// START makes r where the run of the channel at off(DX) begins, and sets that to where the next one does.
#define START(off, r) \
	MOVQ    off(DX), r    \
	CMPQ    r, SI         \
	CMOVQHI SI, r         \
	POPCNTQ (r), CX       \
	PREFETCHT0 128(r)     \
	INCQ    CX            \
	ANDQ    $~1, CX       \
	LEAQ    8(r)(CX*1), CX \
	MOVQ    CX, off(DX)

#define QUAD1(fetched) \
	START(0, R8)                     \
	START(8, R9)                     \
	START(16, R10)                   \
	START(24, R11)                   \
	ADDQ         $32, DX             \
	VPBROADCASTD (R12), Z28          \
	VPBROADCASTD (R12)(R13*1), Z29   \
	LEAQ         (R12)(R13*2), R12   \
	MOVQ         (R15), CX           \
	PREFETCHT1   (CX)(BX*1)          \
	PREFETCHT1   64(CX)(BX*1)        \
	PREFETCHT1   128(CX)(BX*1)       \
	PREFETCHT1   192(CX)(BX*1)       \
	ADDQ         $256, BX            \
	CMPQ         BX, size+72(FP)     \
	JLT          fetched             \
	XORL         BX, BX              \
	ADDQ         $8, R15             \
	CMPQ         R15, next+24(FP)    \
	CMOVQHI      next+24(FP), R15    \
fetched:

// EXPAND makes z the bytes of the run at r, and of Z27 where it has none.
#define EXPAND(r, k, t, z) \
	KMOVQ     (r), k  \
	VMOVDQU64 8(r), t \
	VMOVDQA64 Z27, z        \
	VPEXPANDB t, k, z

#define EXPANDZ(r, k, z) \
	KMOVQ       (r), k   \
	VMOVDQU64   8(r), z  \
	VPEXPANDB.Z z, k, z

// func sdrw4_avx512vbmi2(acc *int32, last *byte, runs *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride, size int, table *[16]byte, zero byte)
TEXT ·sdrw4_avx512vbmi2(SB), NOSPLIT, $0-89
	MOVQ            table+80(FP), AX
	VBROADCASTI32X4 (AX), Z30
	VPBROADCASTB    zero+88(FP), Z27
	BEGIN1

group:
	GROUP1
	LOAD8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	LOAD8(512, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15)

quad:
	QUAD1(fetched)
	EXPAND(R8, K1, Z16, Z20)
	EXPAND(R9, K2, Z17, Z21)
	EXPAND(R10, K3, Z18, Z22)
	EXPAND(R11, K4, Z19, Z23)
	MIX
	NIBBLES(Z16, Z0, Z8, Z4, Z12)
	NIBBLES(Z17, Z1, Z9, Z5, Z13)
	NIBBLES(Z18, Z2, Z10, Z6, Z14)
	NIBBLES(Z19, Z3, Z11, Z7, Z15)
	CMPQ DX, quads+32(FP)
	JNE  quad
	STORE8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	STORE8(512, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15)
	END1

// func sdrw8_avx512vbmi2(acc *int32, last *byte, runs *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride, size int, table *[16]byte, zero byte)
TEXT ·sdrw8_avx512vbmi2(SB), NOSPLIT, $0-89
	MOVL         $0x80808080, AX
	VPBROADCASTD AX, Z31
	BEGIN1

group:
	GROUP1
	LOAD8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)

quad:
	QUAD1(fetched)
	EXPANDZ(R8, K1, Z20)
	EXPANDZ(R9, K2, Z21)
	EXPANDZ(R10, K3, Z22)
	EXPANDZ(R11, K4, Z23)
	MIX
	BYTES(Z16, Z0, Z4)
	BYTES(Z17, Z1, Z5)
	BYTES(Z18, Z2, Z6)
	BYTES(Z19, Z3, Z7)
	CMPQ DX, quads+32(FP)
	JNE  quad
	STORE8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	END1

// func sdrwExpand_avx512vbmi2(lines, values, starts, offsets *byte, channels *int32, n, first, groups, last int, zero byte)
TEXT ·sdrwExpand_avx512vbmi2(SB), NOSPLIT, $0-73
	VPBROADCASTB zero+72(FP), Z2
	BEGIN

line:
	RUN
	KMOVQ     (AX), K1
	VMOVDQU64 8(AX), Z0
	VMOVDQA64 Z2, Z1
	VPEXPANDB Z0, K1, Z1
	VMOVDQU64 Z1, (DI)
	NEXT
