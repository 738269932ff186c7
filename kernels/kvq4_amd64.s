#include "textflag.h"
#include "kvunpack_amd64.h"

// Values of 4 bits to float32, a row of the panel at a time: 8 bytes are widened to
// 32 bits each, whose lower halves are the first 8 values and upper halves the others.

#define Q4_START \
	KV_ARGUMENTS    \
	MOVL $15, AX    \
	VMOVD AX, X15   \
	MOVL $8, AX     \
	VMOVD AX, X14

#define Q4_YSTART \
	Q4_START              \
	VPBROADCASTD X15, Y15 \
	VPBROADCASTD X14, Y14

#define Q4_ZSTART \
	Q4_START              \
	VPBROADCASTD X15, Z15 \
	VPBROADCASTD X14, Z14

#define Q4_YWIDEN(scale0, scale1) \
	VPMOVZXBD (SI), Y2      \
	PREFETCHT0 1024(SI)     \
	VPSRLD $4, Y2, Y3       \
	VPAND Y15, Y2, Y2       \
	VPSUBD Y14, Y3, Y3      \
	VPSUBD Y14, Y2, Y2      \
	ADDQ $8, SI             \
	YFLOATS(scale0, scale1)

#define Q4_ZWIDEN(scale) \
	VPMOVZXBD (SI), Y2             \
	PREFETCHT0 1024(SI)            \
	VPSRLD $4, Y2, Y3              \
	VINSERTI64X4 $1, Y3, Z2, Z2    \
	VPANDD Z15, Z2, Z2             \
	VPSUBD Z14, Z2, Z2             \
	ADDQ $8, SI                    \
	ZFLOATS(scale)

// func q4Columns_avx2(dst []float32, q []byte, d []uint16)
TEXT ·q4Columns_avx2(SB), NOSPLIT, $0-72
	COLUMNS(Q4_YSTART, YSCALES, Q4_YWIDEN(Y0, Y1))

// func q4Columns_avx512(dst []float32, q []byte, d []uint16)
TEXT ·q4Columns_avx512(SB), NOSPLIT, $0-72
	COLUMNS(Q4_ZSTART, ZSCALES, Q4_ZWIDEN(Z0))

// func q4Rows_avx2(dst []float32, q []byte, d []uint16)
TEXT ·q4Rows_avx2(SB), NOSPLIT, $0-72
	ROWS(Q4_YSTART, YSCALE, Q4_YWIDEN(Y0, Y0))

// func q4Rows_avx512(dst []float32, q []byte, d []uint16)
TEXT ·q4Rows_avx512(SB), NOSPLIT, $0-72
	ROWS(Q4_ZSTART, ZSCALE, Q4_ZWIDEN(Z0))
