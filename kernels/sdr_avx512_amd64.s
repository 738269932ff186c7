#include "textflag.h"
#include "sdr_amd64.h"
#include "sdr_avx512_amd64.h"

// Products of channel-major weights for AVX-512 VNNI: see sdr_tiles.go.
//
// Bytes of four channels are brought together, so that the dot product of four bytes
// adds up the channels of one output:
//
//	a a a a …    b b b b …    c c c c …    d d d d …
//	a b c d …    a b c d …    a b c d …    a b c d …
//
// in each lane of 128 bits: register k has outputs 4*k to 4*k+3 of each 16.

// INTERLEAVE is MIX of the channels at R8, R9, R10 and R11, all plus AX.
#define INTERLEAVE \
	VMOVDQU64  (R8)(AX*1), Z20       \
	VMOVDQU64  (R9)(AX*1), Z21       \
	VMOVDQU64  (R10)(AX*1), Z22      \
	VMOVDQU64  (R11)(AX*1), Z23      \
	MIX

// NIBBLESMASKED is NIBBLES without VBMI.
#define NIBBLESMASKED(codes, h, l, h2, l2) \
	VPSRLW  $4, codes, Z20    \
	VPANDD  Z31, codes, codes \
	VPANDD  Z31, Z20, Z20     \
	VPSHUFB codes, Z30, codes \
	VPSHUFB Z20, Z30, Z20     \
	DOT(codes, h, l)          \
	DOT(Z20, h2, l2)

// One vector. A tile is multiplied group by group, so that the sums of a group stay
// in registers. Meanwhile the channels that come next are fetched, in the order of
// memory, four lines for each four that are used. Prefetches are dropped when too many are under way,
// so each line is asked for again two groups before it is used, which is about what memory takes.
//
//	DI sums of the group    SI weights of the tile
//	DX offsets of channels  R8-R11 four channels
//	R12 their activations   R13 from hi to lo
//	AX from the start of a channel in the tile to the group
//	R15 channels to fetch, CX one of them, BX where in it

#define QUAD(fetched) \
	CHANNELS \
	VPBROADCASTD (R12), Z28            \
	VPBROADCASTD (R12)(R13*1), Z29     \
	PREFETCHT1   (CX)(BX*1)            \
	PREFETCHT1   64(CX)(BX*1)          \
	PREFETCHT1   128(CX)(BX*1)         \
	PREFETCHT1   192(CX)(BX*1)         \
	FETCHED(256, groups+56(FP), fetched) \
	PREFETCHT1   128(R8)(AX*1)         \
	PREFETCHT1   128(R9)(AX*1)         \
	PREFETCHT1   128(R10)(AX*1)        \
	PREFETCHT1   128(R11)(AX*1)        \
	INTERLEAVE                         \
	ADDQ         $32, DX               \
	LEAQ         (R12)(R13*2), R12

// SDR4 multiplies groups of SDR4.
#define SDR4(LOOKUP) \
	MOVQ            table+72(FP), AX \
	VBROADCASTI32X4 (AX), Z30        \
	MOVL            $0x0f0f0f0f, AX  \
	VPBROADCASTD    AX, Z31          \
	BEGIN                            \
group:                             \
	GROUP                            \
	LOAD8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7) \
	LOAD8(512, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15) \
quad:                              \
	QUAD(fetched)                    \
	LOOKUP(Z16, Z0, Z8, Z4, Z12)     \
	LOOKUP(Z17, Z1, Z9, Z5, Z13)     \
	LOOKUP(Z18, Z2, Z10, Z6, Z14)    \
	LOOKUP(Z19, Z3, Z11, Z7, Z15)    \
	CMPQ DX, quads+32(FP)            \
	JNE  quad                        \
	STORE8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7) \
	STORE8(512, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15) \
	END

// SUM makes a float of the sums h and l of 16 outputs. Z30 and Z31 are what the sums
// have too much, Z28 and Z29 the scales.
#define SUM(h, l, z, t) 	VMOVDQU32 (h)(SI), z   \
	VMOVDQU32 (l)(SI), t   \
	VPSUBD    Z30, z, z    \
	VPSUBD    Z31, t, t    \
	VCVTDQ2PS z, z         \
	VCVTDQ2PS t, t         \
	VMULPS    Z28, z, z    \
	VMULPS    Z29, t, t    \
	VADDPS    t, z, z

// SUMS brings four registers into the order of the outputs.
#define SUMS(h, l, y) \
	SUM(h, l, Z0, Z4)           \
	SUM(h+64, l+64, Z1, Z5)     \
	SUM(h+128, l+128, Z2, Z6)   \
	SUM(h+192, l+192, Z3, Z7)   \
	VSHUFF32X4 $0x44, Z1, Z0, Z4 \
	VSHUFF32X4 $0x44, Z3, Z2, Z5 \
	VSHUFF32X4 $0xee, Z1, Z0, Z6 \
	VSHUFF32X4 $0xee, Z3, Z2, Z7 \
	VSHUFF32X4 $0x88, Z5, Z4, Z0 \
	VSHUFF32X4 $0xdd, Z5, Z4, Z1 \
	VSHUFF32X4 $0x88, Z7, Z6, Z2 \
	VSHUFF32X4 $0xdd, Z7, Z6, Z3 \
	VMOVUPS    Z0, (y)(DI)       \
	VMOVUPS    Z1, (y+64)(DI)    \
	VMOVUPS    Z2, (y+128)(DI)   \
	VMOVUPS    Z3, (y+192)(DI)

#define FINISH(shift) \
	FINISH_ARGUMENTS \
	VBROADCASTSS s128+56(FP), Z28     \
	VBROADCASTSS s+60(FP), Z29        \
group:                              \
	VPBROADCASTD (DX), Z30            \
	VPBROADCASTD (DX)(R8*1), Z31      \
	VPSLLD       $shift, Z30, Z30     \
	VPSLLD       $shift, Z31, Z31

// FOLD sets the constants of Q, LEVELS and BYTES4.
#define FOLD \
	MOVL            $0x467e0000, AX  \ // 16256
	VPBROADCASTD    AX, Z31          \
	MOVL            $0xc080c080, AX  \ // -16256 twice
	VPBROADCASTD    AX, Z30          \
	MOVL            $0x00400040, AX  \
	VPBROADCASTD    AX, Z29          \
	VBROADCASTI32X4 order<>(SB), Z28 \
	MOVL            $0x01010101, AX  \
	VPBROADCASTD    AX, Z27          \
	VPTERNLOGD      $0xff, Z26, Z26, Z26

// BEYOND sets the bits of K3 that are beyond whole 16 of CX, which it changes.
#define BEYOND \
	ANDL  $15, CX \
	MOVL  $1, AX  \
	SHLL  CX, AX  \
	DECL  AX      \
	KMOVW AX, K3

// Q makes whole numbers of 16 scales and an activation. What is too small for 32 bits becomes
// the least number of 32 bits.
#define Q(scales, x, z) \
	VCVTPH2PS.Z (scales)(AX*2), K1, z \
	VMULPS      x, z, z               \
	VMINPS      Z31, z, z             \
	VCVTPS2DQ   z, z

// LEVELS makes words of Q of two channels, in each lane those of the first and then those of
// the second: hi and lo.
#define LEVELS(a, b, hi, lo) \
	VPACKSSDW b, a, a      \
	VPMAXSW   Z30, a, a    \
	VPADDW    Z29, a, hi   \
	VPSRAW    $7, hi, hi   \
	VPSLLW    $7, hi, lo   \
	VPSUBW    lo, a, lo

// BYTES4 makes four bytes for each group of the words of two and two channels, and
// adds them to the sums.
#define BYTES4(a, b, x, sums) \
	VPACKSSWB b, a, a         \
	VPSHUFB   Z28, a, a       \
	VPANDD    Z26, a, a       \
	VMOVDQU32 a, x            \
	VMOVDQU32 sums, b         \
	VPDPBUSD  a, Z27, b       \
	VMOVDQU32 b, sums

DATA order<>+0(SB)/8, $0x0d0905010c080400
DATA order<>+8(SB)/8, $0x0f0b07030e0a0602
GLOBL order<>(SB), RODATA|NOPTR, $16

// Several vectors: macros of the panels.

// UNPACK is the loop over quads. It stores panels with STORE.
#define UNPACK(STORE) \
	MOVQ panel+0(FP), DI        \
	MOVQ values+8(FP), SI       \
	MOVQ offsets+16(FP), DX     \
	MOVQ next+24(FP), R15       \
	MOVQ quads+32(FP), R12      \
	MOVQ at+40(FP), BX          \
	MOVQ R12, R13               \
	SHLQ $8, R13                \ // half a panel
	MOVQ (R15), CX              \
	XORL AX, AX                 \
quad:                         \
	CHANNELS \
	PREFETCHT1 (CX)(BX*1)       \
	PREFETCHT1 64(CX)(BX*1)     \
	PREFETCHT1 128(CX)(BX*1)    \
	PREFETCHT1 192(CX)(BX*1)    \
	FETCHED(256, size+48(FP), fetched) \
	INTERLEAVE                  \
	STORE(Z16, 0)               \
	STORE(Z17, 64)              \
	STORE(Z18, 128)             \
	STORE(Z19, 192)             \
	ADDQ $32, DX                \
	ADDQ $256, DI               \
	DECQ R12                    \
	JNZ  quad                   \
	VZEROUPPER                  \
	RET

#define STORE4(codes, off) \
	VPSRLW    $4, codes, Z20    \
	VPANDD    Z31, codes, codes \
	VPANDD    Z31, Z20, Z20     \
	VPSHUFB   codes, Z30, codes \
	VPSHUFB   Z20, Z30, Z20     \
	VMOVDQU32 codes, (off)(DI)  \
	VMOVDQU32 Z20, (off)(DI)(R13*1)

#define STORE8BYTES(v, off) \
	VPXORD    Z31, v, v \
	VMOVDQU32 v, (off)(DI)

// VECTORS multiplies some vectors with half a panel. EACH applies a macro to each
// vector: its sums H and L, and where its activations are.
//
//	DI H of the first, R13 from there to L, R12 from vector to vector
//	SI panel, DX activations of the first; in the loop AX and BX, CX quads left
//	R9 from hi to lo, R15 where lo is; R10 from quad to quad, R11 from vector to vector
#define VECTORS(EACH, count, loop) \
	MOVQ DI, R8               \
	EACH(LOADSUMS)            \
	MOVQ SI, AX               \
	MOVQ DX, BX               \
	LEAQ (DX)(R9*1), R15      \
	MOVQ quads+24(FP), CX     \
loop:                       \
	VMOVDQU32 (AX), Z24       \
	VMOVDQU32 64(AX), Z25     \
	VMOVDQU32 128(AX), Z26    \
	VMOVDQU32 192(AX), Z27    \
	EACH(MULTIPLY)            \
	ADDQ $256, AX             \
	ADDQ R10, BX              \
	ADDQ R10, R15             \
	DECQ CX                   \
	JNZ  loop                 \
	MOVQ DI, R8               \
	EACH(STORESUMS)           \
	MOVQ R8, DI               \
	LEAQ (DX)(R11*count), DX

#define ONE(M) M(Z0, Z1, Z2, Z3, Z12, Z13, Z14, Z15, (BX), (R15))
#define TWO(M) ONE(M) \
	M(Z4, Z5, Z6, Z7, Z16, Z17, Z18, Z19, (BX)(R11*1), (R15)(R11*1))
#define THREE(M) TWO(M) \
	M(Z8, Z9, Z10, Z11, Z20, Z21, Z22, Z23, (BX)(R11*2), (R15)(R11*2))

#define LOADSUMS(h0, h1, h2, h3, l0, l1, l2, l3, hi, lo) \
	VMOVDQU32 (R8), h0            \
	VMOVDQU32 64(R8), h1          \
	VMOVDQU32 128(R8), h2         \
	VMOVDQU32 192(R8), h3         \
	VMOVDQU32 (R8)(R13*1), l0     \
	VMOVDQU32 64(R8)(R13*1), l1   \
	VMOVDQU32 128(R8)(R13*1), l2  \
	VMOVDQU32 192(R8)(R13*1), l3  \
	ADDQ      R12, R8

#define STORESUMS(h0, h1, h2, h3, l0, l1, l2, l3, hi, lo) \
	VMOVDQU32 h0, (R8)            \
	VMOVDQU32 h1, 64(R8)          \
	VMOVDQU32 h2, 128(R8)         \
	VMOVDQU32 h3, 192(R8)         \
	VMOVDQU32 l0, (R8)(R13*1)     \
	VMOVDQU32 l1, 64(R8)(R13*1)   \
	VMOVDQU32 l2, 128(R8)(R13*1)  \
	VMOVDQU32 l3, 192(R8)(R13*1)  \
	ADDQ      R12, R8

#define MULTIPLY(h0, h1, h2, h3, l0, l1, l2, l3, hi, lo) \
	VPBROADCASTD hi, Z28       \
	VPBROADCASTD lo, Z29       \
	VPDPBUSD     Z28, Z24, h0  \
	VPDPBUSD     Z28, Z25, h1  \
	VPDPBUSD     Z28, Z26, h2  \
	VPDPBUSD     Z28, Z27, h3  \
	VPDPBUSD     Z29, Z24, l0  \
	VPDPBUSD     Z29, Z25, l1  \
	VPDPBUSD     Z29, Z26, l2  \
	VPDPBUSD     Z29, Z27, l3

// QMANY makes whole numbers of 16 activations and a scale.
#define QMANY(row, d, z) \
	VMOVUPS.Z (row)(AX*4), K1, z \
	VMULPS    d, z, z            \
	VMINPS    Z31, z, z          \
	VCVTPS2DQ z, z

// SCALE makes Z and its Y the scale of the channel at an offset.
#define SCALE(off, y, z) \
	MOVQ         off(R8), AX     \
	SARQ         $5, AX          \
	VPBROADCASTW (SI)(AX*1), y   \
	VCVTPH2PS    y, z

// NEXTROW makes next the row behind row, or the last one again.
#define NEXTROW(row, next) \
	LEAQ    (row)(BX*1), next       \
	CMPQ    next, end+40(FP)        \
	CMOVQHI end+40(FP), next

// func sdr4_avx512vnni(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)
TEXT ·sdr4_avx512vnni(SB), NOSPLIT, $0-80
	SDR4(NIBBLESMASKED)

// func sdr4_avx512vbmi(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)
TEXT ·sdr4_avx512vbmi(SB), NOSPLIT, $0-80
	SDR4(NIBBLES)

// func sdr8_avx512vnni(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)
TEXT ·sdr8_avx512vnni(SB), NOSPLIT, $0-80
	MOVL         $0x80808080, AX
	VPBROADCASTD AX, Z31
	BEGIN

group:
	GROUP
	LOAD8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)

quad:
	QUAD(fetched)
	BYTES(Z16, Z0, Z4)
	BYTES(Z17, Z1, Z5)
	BYTES(Z18, Z2, Z6)
	BYTES(Z19, Z3, Z7)
	CMPQ DX, quads+32(FP)
	JNE  quad
	STORE8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	END

// func sdrFold_avx512vnni(x *uint32, sums *int32, scales *byte, offsets *uintptr, in *float32, quads, groups, half int, last uint32, next, nextScales *uintptr)
//
// For each 16 groups of a quad, as many scales of the next one are fetched, and four lines of weights.
TEXT ·sdrFold_avx512vnni(SB), NOSPLIT, $0-88
	MOVQ            x+0(FP), DI
	MOVQ            offsets+24(FP), R8
	MOVQ            in+32(FP), R9
	MOVQ            half+56(FP), R15
	MOVQ            nextScales+80(FP), R14
	FOLD
	MOVQ            groups+48(FP), CX
	BEYOND // the groups beyond whole 16

quad:
	CMPQ         quads+40(FP), $1
	JNE          whole
	MOVL         last+64(FP), AX
	VPBROADCASTD AX, Z26

whole:
	MOVQ         scales+16(FP), SI
	SCALES
	VBROADCASTSS (R9), Z0
	VBROADCASTSS 4(R9), Z1
	VBROADCASTSS 8(R9), Z2
	VBROADCASTSS 12(R9), Z3
	MOVQ         next+72(FP), SI
	MOVQ         (SI), SI
	ADDQ         $8, next+72(FP)
	MOVQ         sums+8(FP), DX
	MOVQ         groups+48(FP), CX
	XORL         AX, AX
	KXNORW       K1, K1, K1

groups:
	SUBQ  $16, CX
	JGE   part
	KMOVW K3, K1

part:
	PREFETCHT1 (SI)
	PREFETCHT1 64(SI)
	PREFETCHT1 128(SI)
	PREFETCHT1 192(SI)
	MOVQ       (R14), BX
	PREFETCHT0 (BX)(AX*2)
	MOVQ       8(R14), BX
	PREFETCHT0 (BX)(AX*2)
	MOVQ       16(R14), BX
	PREFETCHT0 (BX)(AX*2)
	MOVQ       24(R14), BX
	PREFETCHT0 (BX)(AX*2)
	Q(R10, Z0, Z4)
	Q(R11, Z1, Z5)
	Q(R12, Z2, Z6)
	Q(R13, Z3, Z7)
	LEVELS(Z4, Z5, Z8, Z10)
	LEVELS(Z6, Z7, Z9, Z11)
	BYTES4(Z8, Z9, (DI), (DX))
	BYTES4(Z10, Z11, (DI)(R15*1), (DX)(R15*1))
	ADDQ  $256, SI
	ADDQ  $16, AX
	ADDQ  $64, DI
	ADDQ  $64, DX
	TESTQ CX, CX
	JG    groups
	ADDQ  $32, R8
	ADDQ  $32, R14
	ADDQ  $16, R9
	ADDQ  R15, DI
	DECQ  quads+40(FP)
	JNZ   quad
	VZEROUPPER
	RET

// func sdr4Finish_avx512vnni(y *float32, acc, sums *int32, half, stride, sumStride, groups int, s128, s float32)
TEXT ·sdr4Finish_avx512vnni(SB), NOSPLIT, $0-64
	FINISH(6)
	SUMS(0, 512, 0)
	SUMS(256, 768, 256)
	NEXTGROUP(128)

// func sdr8Finish_avx512vnni(y *float32, acc, sums *int32, half, stride, sumStride, groups int, s128, s float32)
TEXT ·sdr8Finish_avx512vnni(SB), NOSPLIT, $0-64
	FINISH(7)
	SUMS(0, 256, 0)
	NEXTGROUP(64)

// func sdrFoldMany_avx512vnni(x *uint32, sums *int32, scales *byte, offsets *uintptr, rows, end *float32, quads, m, stride int)
TEXT ·sdrFoldMany_avx512vnni(SB), NOSPLIT, $0-72
	MOVQ            x+0(FP), DI
	MOVQ            scales+16(FP), SI
	MOVQ            offsets+24(FP), R8
	MOVQ            rows+32(FP), R10
	FOLD
	MOVQ            m+56(FP), CX
	MOVQ            CX, R15
	ADDQ            $15, R15
	ANDQ            $~15, R15
	SHLQ            $2, R15                 // from hi to lo
	BEYOND // the vectors beyond whole 16

quad:
	// The rows of a quad; those that it lacks have no activations.
	MOVQ stride+64(FP), BX
	MOVL $0xff, R9
	NEXTROW(R10, R11)
	NEXTROW(R11, R12)
	NEXTROW(R12, R13)
	CMPQ R11, R10
	JEQ  lacking
	MOVL $0xffff, R9
	CMPQ R12, R11
	JEQ  lacking
	MOVL $0xffffff, R9
	CMPQ R13, R12
	JEQ  lacking
	MOVL $-1, R9

lacking:
	VPBROADCASTD R9, Z26
	SCALE(0, Y0, Z0)
	SCALE(8, Y1, Z1)
	SCALE(16, Y2, Z2)
	SCALE(24, Y3, Z3)
	MOVQ   sums+8(FP), DX
	MOVQ   m+56(FP), CX
	XORL   AX, AX
	KXNORW K1, K1, K1

vectors:
	SUBQ  $16, CX
	JGE   part
	KMOVW K3, K1

part:
	QMANY(R10, Z0, Z4)
	QMANY(R11, Z1, Z5)
	QMANY(R12, Z2, Z6)
	QMANY(R13, Z3, Z7)
	LEVELS(Z4, Z5, Z8, Z10)
	LEVELS(Z6, Z7, Z9, Z11)
	BYTES4(Z8, Z9, (DI), (DX))
	BYTES4(Z10, Z11, (DI)(R15*1), (DX)(R15*1))
	ADDQ  $16, AX
	ADDQ  $64, DI
	ADDQ  $64, DX
	TESTQ CX, CX
	JG    vectors
	ADDQ  $32, R8
	LEAQ  (R13)(BX*1), R10
	ADDQ  R15, DI
	DECQ  quads+48(FP)
	JNZ   quad
	VZEROUPPER
	RET

// func sdr4Unpack_avx512vnni(panel, values *byte, offsets *uintptr, next *uintptr, quads, at, size int, table *[16]byte)
TEXT ·sdr4Unpack_avx512vnni(SB), NOSPLIT, $0-64
	MOVQ            table+56(FP), AX
	VBROADCASTI32X4 (AX), Z30
	MOVL            $0x0f0f0f0f, AX
	VPBROADCASTD    AX, Z31
	UNPACK(STORE4)

// func sdr8Unpack_avx512vnni(panel, values *byte, offsets *uintptr, next *uintptr, quads, at, size int, table *[16]byte)
TEXT ·sdr8Unpack_avx512vnni(SB), NOSPLIT, $0-64
	MOVL         $0x80808080, AX
	VPBROADCASTD AX, Z31
	UNPACK(STORE8BYTES)

// func sdrMultiply_avx512vnni(acc *int32, panel *byte, x *uint32, quads, m, level, stride, half, quadStride, xStride int)
TEXT ·sdrMultiply_avx512vnni(SB), NOSPLIT, $0-80
	MOVQ acc+0(FP), DI
	MOVQ panel+8(FP), SI
	MOVQ x+16(FP), DX
	MOVQ level+40(FP), R13
	MOVQ stride+48(FP), R12
	MOVQ half+56(FP), R9
	MOVQ quadStride+64(FP), R10
	MOVQ xStride+72(FP), R11

three:
	SUBQ $3, m+32(FP)
	JLT  less
	VECTORS(THREE, 2, loop3)
	ADDQ R11, DX
	JMP  three

less:
	ADDQ $2, m+32(FP)
	JLT  done
	JEQ  one
	VECTORS(TWO, 2, loop2)
	JMP  done

one:
	VECTORS(ONE, 1, loop1)

done:
	VZEROUPPER
	RET
