// TRANSPOSE transposes 16 rows of 16 numbers of 32 bits in Z0-Z15. It changes
// Z16-Z31. Of the results only the columns of mask are kept, the others become
// zero.
#define TRANSPOSE(mask) \
	TRANSPOSE2(Z0, Z1, Z16, Z17)     \
	TRANSPOSE2(Z2, Z3, Z18, Z19)     \
	TRANSPOSE2(Z4, Z5, Z20, Z21)     \
	TRANSPOSE2(Z6, Z7, Z22, Z23)     \
	TRANSPOSE2(Z8, Z9, Z24, Z25)     \
	TRANSPOSE2(Z10, Z11, Z26, Z27)   \
	TRANSPOSE2(Z12, Z13, Z28, Z29)   \
	TRANSPOSE2(Z14, Z15, Z30, Z31)   \
	TRANSPOSE4(Z16, Z17, Z18, Z19, Z0, Z1, Z2, Z3) \
	TRANSPOSE4(Z20, Z21, Z22, Z23, Z4, Z5, Z6, Z7) \
	TRANSPOSE4(Z24, Z25, Z26, Z27, Z8, Z9, Z10, Z11) \
	TRANSPOSE4(Z28, Z29, Z30, Z31, Z12, Z13, Z14, Z15) \
	TRANSPOSE16(mask, Z0, Z4, Z8, Z12) \
	TRANSPOSE16(mask, Z1, Z5, Z9, Z13) \
	TRANSPOSE16(mask, Z2, Z6, Z10, Z14) \
	TRANSPOSE16(mask, Z3, Z7, Z11, Z15)

// Each lane of four columns: two rows interleaved, then two pairs of rows.
#define TRANSPOSE2(a, b, low, high) \
	VUNPCKLPS b, a, low \
	VUNPCKHPS b, a, high

#define TRANSPOSE4(low, high, low2, high2, c0, c1, c2, c3) \
	VUNPCKLPD low2, low, c0   \
	VUNPCKHPD low2, low, c1   \
	VUNPCKLPD high2, high, c2 \
	VUNPCKHPD high2, high, c3

// Four rows of each column lie together: the lanes are a matrix of 4 by 4 of
// their own. Register number 4*i+c gets lane i of column c of each four.
#define TRANSPOSE16(mask, a, b, c, d) \
	VSHUFF32X4   $0x88, b, a, Z16 \
	VSHUFF32X4   $0xDD, b, a, Z17 \
	VSHUFF32X4   $0x88, d, c, Z18 \
	VSHUFF32X4   $0xDD, d, c, Z19 \
	VSHUFF32X4.Z $0x88, Z18, Z16, mask, a \
	VSHUFF32X4.Z $0x88, Z19, Z17, mask, b \
	VSHUFF32X4.Z $0xDD, Z18, Z16, mask, c \
	VSHUFF32X4.Z $0xDD, Z19, Z17, mask, d
