#include "textflag.h"
#include "asm_arm64.h"

// Rows of panels, for the types that matter most: the numbers of a row, and its
// scales and minimums where they belong in the panel (see promptq8_gemm.go). The
// scales of groups are whole.
//
// Registers:
//	R0 scales of the row in the panel   R1 minimums   R2 numbers
//	R3 block of weights                 R4 blocks left
//	R5 bytes per group of the panel     R6 bytes from one minimum to the next
#define ARGUMENTS \
	MOVD panel_base+0(FP), R0   \
	MOVD mins_base+24(FP), R1   \
	MOVD q_base+48(FP), R2      \
	MOVD w_base+72(FP), R3      \
	MOVD blocks+96(FP), R4      \
	MOVD groupBytes+104(FP), R5 \
	MOVD $64, R6

#define NEXT \
	SUBS $1, R4 \
	BNE  block  \
	RET

// NIBBLES writes the low halves of x to a, the high ones to b. V31 holds 15.
#define NIBBLES(x, a, b) \
	VAND  V31.B16, x.B16, a.B16 \
	VUSHR $4, x.B16, b.B16

// SCATTER4 stores the four numbers of x.
#define SCATTER4(x, at, step) \
	VST1.P x.S[0], (at)(step) \
	VST1.P x.S[1], (at)(step) \
	VST1.P x.S[2], (at)(step) \
	VST1.P x.S[3], (at)(step)

// SCALES45 writes the scales and the minimums of a block of Q4_K or Q5_K, see
// scaleMin4: V2 and V3 become the eight scales, V4 and V5 the minimums. Numbers are
// OFFSET less than those of the type, which the minimums make up for.
#define SCALES45(OFFSET) \
	FMOVS.P 4(R3), F0            \
	MOVWU.P 4(R3), R8            \
	MOVWU.P 4(R3), R9            \
	MOVWU.P 4(R3), R10           \
	FCVTL_S4(0, 0)               \
	VDUP   V0.S[1], V1.S4        \
	VDUP   V0.S[0], V0.S4        \
	AND    $0x3f3f3f3f, R8, R11  \
	AND    $0x3f3f3f3f, R9, R12  \
	LSR    $2, R8                \
	LSR    $2, R9                \
	LSR    $4, R10, R13          \
	AND    $0x30303030, R8       \
	AND    $0x30303030, R9       \
	AND    $0x0f0f0f0f, R10      \
	AND    $0x0f0f0f0f, R13      \
	ORR    R10, R8               \
	ORR    R13, R9               \
	ORR    R8<<32, R11           \
	ORR    R9<<32, R12           \
	FMOVD  R11, F2               \
	FMOVD  R12, F4               \
	SSHLL_H8(0, 2, 2)            \
	SSHLL_H8(0, 4, 4)            \
	SSHLL2_S4(0, 2, 3)           \
	SSHLL_S4(0, 2, 2)            \
	SSHLL2_S4(0, 4, 5)           \
	SSHLL_S4(0, 4, 4)            \
	SCVTF_S4(4, 4)               \
	SCVTF_S4(5, 5)               \
	FNEG_S4(1, 1)                \
	FMUL_S4(1, 4, 4)             \
	FMUL_S4(1, 5, 5)             \
	OFFSET                       \
	SCATTER4(V2, R0, R5)         \
	SCATTER4(V3, R0, R5)         \
	SCATTER4(V4, R1, R6)         \
	SCATTER4(V5, R1, R6)         \
	VST1.P V0.S[0], (R0)(R6)

#define NO_OFFSET

// OFFSET16 adds 16 times the scales, for which V30 holds 16.
#define OFFSET16 \
	SCVTF_S4(2, 6)               \
	SCVTF_S4(3, 7)               \
	FMUL_S4(30, 6, 6)            \
	FMUL_S4(30, 7, 7)            \
	VFMLA V0.S4, V6.S4, V4.S4    \
	VFMLA V0.S4, V7.S4, V5.S4

// FIFTH adds bit g of the bytes of h to the numbers in v, less 16 (V29).
#define FIFTH(g, h, v) \
	VSHL  $(7-(g)), h.B16, V6.B16 \
	VUSHR $7, V6.B16, V6.B16      \
	VSLI  $4, V6.B16, v.B16       \
	VSUB  V29.B16, v.B16, v.B16

#define GROUP2_FIFTH(g) \
	VLD1.P 32(R3), [V24.B16, V25.B16] \
	NIBBLES(V24, V16, V18)            \
	NIBBLES(V25, V17, V19)            \
	FIFTH(g, V26, V16)                \
	FIFTH(g, V27, V17)                \
	FIFTH((g+1), V26, V18)            \
	FIFTH((g+1), V27, V19)            \
	VST1.P [V16.B16, V17.B16, V18.B16, V19.B16], 64(R2)

// GROUP2 writes the numbers of two groups.
#define GROUP2 \
	VLD1.P 32(R3), [V24.B16, V25.B16] \
	NIBBLES(V24, V16, V18)            \
	NIBBLES(V25, V17, V19)            \
	VST1.P [V16.B16, V17.B16, V18.B16, V19.B16], 64(R2)

// SIX puts the low two bits of h above the low four of v, and takes away 32. V31 holds
// 63, V30 32.
#define SIX(h, v) \
	VSLI $4, h.B16, v.B16       \
	VAND V31.B16, v.B16, v.B16  \
	VSUB V30.B16, v.B16, v.B16

#define SIX2(v0, v1) \
	SIX(V4, v0)                 \
	SIX(V5, v1)

#define DOWN(n, a, b, c, d) \
	VUSHR $n, a.B16, c.B16      \
	VUSHR $n, b.B16, d.B16

// RUNS4 writes a half of a block: see dotQ6_K.
#define RUNS4(high) \
	VLD1.P 64(R3), [V16.B16, V17.B16, V18.B16, V19.B16] \
	FLDPQ (high)(R3), (F4, F5)  \
	DOWN(4, V16, V17, V20, V21) \
	DOWN(4, V18, V19, V22, V23) \
	SIX2(V16, V17)              \
	DOWN(2, V4, V5, V4, V5)     \
	SIX2(V18, V19)              \
	DOWN(2, V4, V5, V4, V5)     \
	SIX2(V20, V21)              \
	DOWN(2, V4, V5, V4, V5)     \
	SIX2(V22, V23)              \
	VST1.P [V16.B16, V17.B16, V18.B16, V19.B16], 64(R2) \
	VST1.P [V20.B16, V21.B16, V22.B16, V23.B16], 64(R2)

// func putRowQ4_0_neon(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)
TEXT ·putRowQ4_0_neon(SB), NOSPLIT, $0-113
	ARGUMENTS
	VMOVI $15, V31.B16
	VMOVI $8, V30.B16
block:
	VLD1R.P 2(R3), [V0.H4]
	VLD1.P  16(R3), [V1.B16]
	FCVTHS  F0, F0
	NIBBLES(V1, V2, V3)
	VSUB    V30.B16, V2.B16, V2.B16
	VSUB    V30.B16, V3.B16, V3.B16
	VST1.P  V0.S[0], (R0)(R5)
	VST1.P  [V2.B16, V3.B16], 32(R2)
	NEXT

// func putRowQ8_0_neon(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)
TEXT ·putRowQ8_0_neon(SB), NOSPLIT, $0-113
	ARGUMENTS
block:
	VLD1R.P 2(R3), [V0.H4]
	VLD1.P  32(R3), [V2.B16, V3.B16]
	FCVTHS  F0, F0
	VST1.P  V0.S[0], (R0)(R5)
	VST1.P  [V2.B16, V3.B16], 32(R2)
	NEXT

// func putRowQ4_K_neon(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)
TEXT ·putRowQ4_K_neon(SB), NOSPLIT, $0-113
	ARGUMENTS
	VMOVI $15, V31.B16
block:
	SCALES45(NO_OFFSET)
	GROUP2
	GROUP2
	GROUP2
	GROUP2
	NEXT

// func putRowQ5_K_neon(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)
TEXT ·putRowQ5_K_neon(SB), NOSPLIT, $0-113
	ARGUMENTS
	VMOVI $15, V31.B16
	FMOVS $16.0, F30
	VDUP  V30.S[0], V30.S4
	VMOVI $16, V29.B16
block:
	SCALES45(OFFSET16)
	VLD1.P 32(R3), [V26.B16, V27.B16]
	GROUP2_FIFTH(0)
	GROUP2_FIFTH(2)
	GROUP2_FIFTH(4)
	GROUP2_FIFTH(6)
	NEXT

// func putRowQ6_K_neon(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)
TEXT ·putRowQ6_K_neon(SB), NOSPLIT, $0-113
	ARGUMENTS
	VMOVI $63, V31.B16
	VMOVI $32, V30.B16
block:
	RUNS4(64)
	RUNS4(32)
	ADD     $64, R3
	VLD1.P  16(R3), [V0.B16]
	VLD1R.P 2(R3), [V4.H4]
	SSHLL_H8(0, 0, 1)
	SSHLL2_H8(0, 0, 3)
	SSHLL_S4(0, 1, 0)
	SSHLL2_S4(0, 1, 1)
	SSHLL_S4(0, 3, 2)
	SSHLL2_S4(0, 3, 3)
	FCVTHS  F4, F4
	SCATTER4(V0, R0, R5)
	SCATTER4(V1, R0, R5)
	SCATTER4(V2, R0, R5)
	SCATTER4(V3, R0, R5)
	VST1.P  V4.S[0], (R0)(R6)
	NEXT
