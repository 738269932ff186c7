// What several assembly files of amd64 share.

// SUM8 adds the 8 lanes of Y0 in a fixed order into X0. It changes Y1.
#define SUM8 \
	VEXTRACTF128 $1, Y0, X1 \
	VADDPS  X1, X0, X0      \
	VHADDPS X0, X0, X0      \
	VHADDPS X0, X0, X0
