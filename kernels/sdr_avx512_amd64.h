// What products of channel-major weights for AVX-512, dense and packed, have in common; see
// sdr_avx512_amd64.s.

// MIX makes Z16-Z19 of the channels in Z20-Z23, which it changes.
#define MIX \
	VPUNPCKLBW Z21, Z20, Z16         \
	VPUNPCKHBW Z21, Z20, Z18         \
	VPUNPCKLBW Z23, Z22, Z20         \
	VPUNPCKHBW Z23, Z22, Z21         \
	VPUNPCKHWD Z20, Z16, Z17         \
	VPUNPCKLWD Z20, Z16, Z16         \
	VPUNPCKHWD Z21, Z18, Z19         \
	VPUNPCKLWD Z21, Z18, Z18

// DOT adds the products of unsigned bytes with the two numbers of four activations.
#define DOT(codes, h, l) \
	VPDPBUSD Z28, codes, h \
	VPDPBUSD Z29, codes, l

// NIBBLES looks up codes of SDR4 and multiplies those in the low halves and those in the high ones.
// What is above the four bits of a code does not disturb, as the table in Z30 has every entry four
// times. It needs VBMI.
#define NIBBLES(codes, h, l, h2, l2) \
	VPSRLW $4, codes, Z20    \
	VPERMB Z30, codes, codes \
	VPERMB Z30, Z20, Z20     \
	DOT(codes, h, l)         \
	DOT(Z20, h2, l2)

// BYTES makes the numbers of SDR8 unsigned and multiplies them.
#define BYTES(v, h, l) \
	VPXORD Z31, v, v \
	DOT(v, h, l)

// LOAD8 and STORE8 move sums.
#define LOAD8(off, z0, z1, z2, z3, z4, z5, z6, z7) \
	VMOVDQU32 (off)(DI), z0     \
	VMOVDQU32 (off+64)(DI), z1  \
	VMOVDQU32 (off+128)(DI), z2 \
	VMOVDQU32 (off+192)(DI), z3 \
	VMOVDQU32 (off+256)(DI), z4 \
	VMOVDQU32 (off+320)(DI), z5 \
	VMOVDQU32 (off+384)(DI), z6 \
	VMOVDQU32 (off+448)(DI), z7

#define STORE8(off, z0, z1, z2, z3, z4, z5, z6, z7) \
	VMOVDQU32 z0, (off)(DI)     \
	VMOVDQU32 z1, (off+64)(DI)  \
	VMOVDQU32 z2, (off+128)(DI) \
	VMOVDQU32 z3, (off+192)(DI) \
	VMOVDQU32 z4, (off+256)(DI) \
	VMOVDQU32 z5, (off+320)(DI) \
	VMOVDQU32 z6, (off+384)(DI) \
	VMOVDQU32 z7, (off+448)(DI)
