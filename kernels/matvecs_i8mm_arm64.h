// Products of quantized weights with 2 to 4 vectors of activations, by matrix products
// of bytes. A group has 8 rows. An instruction multiplies 8 weights of each row of a
// pair with 8 activations of each vector of a pair: 32 products, summed to 4. If the
// number of vectors is odd, the last one is in both places of its pair.
//
// Registers:
//	R0 y, R1 bytes from one vector's results to the next's, R2 m
//	R3 blocks left, R8-R15 rows
//	R16, R17, R19, R20 q of the vectors, R21-R24 their d
//	V8-V15 exact sums: vectors 2*t and 2*t+1 with rows 2*p and 2*p+1 in V(8+4*t+p)
//	V16-V23 sums: vector t with rows 4*r.. in V(16+2*t+r)
//	V24-V31 activations: values 8*i.. of vectors 2*t and 2*t+1 in V(24+4*t+i)
//	V0-V7 weights, constants and scratch

#define VECTOR(t, from, to, step) \
	ADD  step, from, to      \
	CMP  $t, R2              \
	CSEL LE, from, to, to

// ARGUMENTS leaves n in R3. It changes R7 and R25.
#define ARGUMENTS(scaleShift) \
	MOVD y+0(FP), R0           \
	MOVD stride+8(FP), R1      \
	MOVD w+16(FP), R8          \
	MOVD rowBytes+24(FP), R7   \
	MOVD q+32(FP), R16         \
	MOVD d+40(FP), R21         \
	MOVD m+56(FP), R2          \
	MOVD n+64(FP), R3          \
	LSL  $2, R1                \
	ADD  R7, R8, R9            \
	ADD  R7, R9, R10           \
	ADD  R7, R10, R11          \
	ADD  R7, R11, R12          \
	ADD  R7, R12, R13          \
	ADD  R7, R13, R14          \
	ADD  R7, R14, R15          \
	VECTOR(1, R16, R17, R3)    \
	VECTOR(2, R17, R19, R3)    \
	VECTOR(3, R19, R20, R3)    \
	LSR  $scaleShift, R3, R25  \ // bytes of the scales of a vector
	VECTOR(1, R21, R22, R25)   \
	VECTOR(2, R22, R23, R25)   \
	VECTOR(3, R23, R24, R25)

#define ZERO4(a) \
	MOVI0(a)     \
	MOVI0((a+1)) \
	MOVI0((a+2)) \
	MOVI0((a+3))

#define EACH_ROW(bytes) \
	ADD $bytes, R8   \
	ADD $bytes, R9   \
	ADD $bytes, R10  \
	ADD $bytes, R11  \
	ADD $bytes, R12  \
	ADD $bytes, R13  \
	ADD $bytes, R14  \
	ADD $bytes, R15

// ACTS32 loads 32 activations of two vectors into a-d.
#define ACTS32(v, u, a, b, c, d) \
	FLDPQ.P 32(v), (F0, F1)   \
	FLDPQ.P 32(u), (F2, F3)   \
	VTRN1 V2.D2, V0.D2, a.D2  \
	VTRN2 V2.D2, V0.D2, b.D2  \
	VTRN1 V3.D2, V1.D2, c.D2  \
	VTRN2 V3.D2, V1.D2, d.D2

#define ACTS32_01 ACTS32(R16, R17, V24, V25, V26, V27)
#define ACTS32_23 ACTS32(R19, R20, V28, V29, V30, V31)

// DOT01 and DOT23 multiply 32 weights of pair p of rows, V2-V5, with the vectors.
#define DOT01(p) \
	SMMLA_S4(2, 24, (8+p)) \
	SMMLA_S4(3, 25, (8+p)) \
	SMMLA_S4(4, 26, (8+p)) \
	SMMLA_S4(5, 27, (8+p))

#define DOT23(p) \
	SMMLA_S4(2, 28, (12+p)) \
	SMMLA_S4(3, 29, (12+p)) \
	SMMLA_S4(4, 30, (12+p)) \
	SMMLA_S4(5, 31, (12+p))

#define PAIR(ROWS, a, b, p) \
	ROWS(a, b)    \
	DOT01(p)

#define PAIRS(ROWS, a, b, p) \
	ROWS(a, b)    \
	DOT01(p)      \
	DOT23(p)

// VALUES32_2 and VALUES32_4 multiply 32 weights of each row with two and four vectors.
#define VALUES32_2(ROWS) \
	ACTS32_01                 \
	ZERO4(8)                  \
	PAIR(ROWS, R8, R9, 0)     \
	PAIR(ROWS, R10, R11, 1)   \
	PAIR(ROWS, R12, R13, 2)   \
	PAIR(ROWS, R14, R15, 3)

#define VALUES32_4(ROWS) \
	ACTS32_01                 \
	ACTS32_23                 \
	ZERO4(8)                  \
	ZERO4(12)                 \
	PAIRS(ROWS, R8, R9, 0)    \
	PAIRS(ROWS, R10, R11, 1)  \
	PAIRS(ROWS, R12, R13, 2)  \
	PAIRS(ROWS, R14, R15, 3)

// APART takes the sums of two vectors apart: V2 and V3 are those of the first, V4 and V5
// those of the second.
#define APART(v0, v1, v2, v3) \
	VTRN1 v1.D2, v0.D2, V2.D2  \
	VTRN1 v3.D2, v2.D2, V3.D2  \
	VTRN2 v1.D2, v0.D2, V4.D2  \
	VTRN2 v3.D2, v2.D2, V5.D2

#define APART01 APART(V8, V9, V10, V11)
#define APART23 APART(V12, V13, V14, V15)
