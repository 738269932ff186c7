// What products of channel-major weights have in common at all levels of amd64; see
// sdr_avx512_amd64.s for the registers.

#define BEGIN \
	MOVQ acc+0(FP), DI           \
	MOVQ values+8(FP), SI        \
	MOVQ next+24(FP), R15        \
	MOVQ quads+32(FP), AX        \
	SHLQ $5, AX                  \
	ADDQ offsets+16(FP), AX      \
	MOVQ AX, quads+32(FP)        \ // where the offsets end
	SHLQ $6, groups+56(FP)       \ // bytes of a channel in the tile
	MOVQ half+48(FP), R13        \
	MOVQ (R15), CX               \
	XORL BX, BX                  \
	XORL AX, AX

#define GROUP \
	MOVQ offsets+16(FP), DX \
	MOVQ AX, R12            \
	SHRQ $4, R12            \
	ADDQ x+40(FP), R12

// END goes on with the next group.
#define END \
	ADDQ stride+64(FP), DI  \
	ADDQ $64, AX            \
	CMPQ AX, groups+56(FP)  \
	JNE  group              \
	VZEROUPPER              \
	RET

// CHANNELS makes R8 to R11 the weights of four channels.
#define CHANNELS \
	MOVQ (DX), R8    \
	MOVQ 8(DX), R9   \
	MOVQ 16(DX), R10 \
	MOVQ 24(DX), R11 \
	ADDQ SI, R8      \
	ADDQ SI, R9      \
	ADDQ SI, R10     \
	ADDQ SI, R11

// FETCHED goes on with what is fetched, of channels of a size.
#define FETCHED(bytes, size, fetched) \
	ADDQ $bytes, BX  \
	CMPQ BX, size    \
	JLT  fetched     \
	XORL BX, BX      \
	ADDQ $8, R15     \
	MOVQ (R15), CX   \
fetched:

// SCALES makes R10 to R13 the scales of four channels.
#define SCALES \
	MOVQ (R8), R10   \
	MOVQ 8(R8), R11  \
	MOVQ 16(R8), R12 \
	MOVQ 24(R8), R13 \
	SARQ $5, R10     \
	SARQ $5, R11     \
	SARQ $5, R12     \
	SARQ $5, R13     \
	ADDQ SI, R10     \
	ADDQ SI, R11     \
	ADDQ SI, R12     \
	ADDQ SI, R13

#define FINISH_ARGUMENTS \
	MOVQ y+0(FP), DI       \
	MOVQ acc+8(FP), SI     \
	MOVQ sums+16(FP), DX   \
	MOVQ half+24(FP), R8   \
	MOVQ stride+32(FP), R9 \
	MOVQ groups+48(FP), CX

// NEXTGROUP goes on with the next group of results.
#define NEXTGROUP(outputs) \
	ADDQ $(4*outputs), DI \
	ADDQ R9, SI           \
	ADDQ sumStride+40(FP), DX \
	DECQ CX               \
	JNZ  group            \
	VZEROUPPER            \
	RET
