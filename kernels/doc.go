// Package kernels is the arithmetic of cortex: operations on slices of weights
// and activations. Every function is pure, allocates nothing, reads no file and
// returns no error. Slices that are too short or lengths that are not whole
// blocks are misuse and panic; values are never judged, so a damaged scale
// (NaN or infinity) gives a damaged result and nothing worse.
//
// # Families and rows
//
// An operation is a family: a reference in plain Go, which says what the
// operation means, and rows in assembly that compute the same. A row belongs to
// an instruction set level (see [ISA]); when the program starts, the row of the
// highest level that the processor has becomes the active one. The environment
// variable CORTEX_ISA lowers the level: ref, avx2, avx512, avx512vnni and amx on
// amd64, ref, neon, dotprod and i8mm on arm64. [Rows] lists all of it.
//
// To add a row: write the assembly body operation_isa with the Go signature of
// the family, and add it in addRows of its architecture. The walk in
// walk_test.go then tests and measures it.
//
// Rules for assembly bodies: they never touch a byte outside the slices they
// are given, assume no alignment, use a small stack frame at most, do not call,
// and end with VZEROUPPER on amd64. They have no safe points, so the garbage collector waits
// for them: callers pass tiles of work of at most about 100 microseconds.
//
// # Shapes
//
// A weight matrix has one row per output; rows are contiguous and made of whole
// blocks of one of ggml's types (the field's names: Q4_0, Q4_K, ...), exactly
// as a GGUF file stores them. [Product] multiplies such rows with one activation
// vector out of [Acts]. Activations are float32 for float weights and int8 with
// one scale per block for quantized weights; the product of quantized weights
// is then an exact integer sum per block, scaled once in float32.
//
// [SDR] is the other way round: its weights have one run per input channel, so that
// channels whose activation does not matter need not be read.
//
// The order of the additions that make up one output depends only on the length
// of the row and on the active row of the family, never on how many rows or
// tokens are processed together: a result has the same bits however the work is
// split.
//
// Sources: the block types are those of ggml (ggml-common.h and ggml-quants.c in
// github.com/ggml-org/llama.cpp); RMSNorm is Zhang and Sennrich,
// arXiv:1910.07467; SiLU gating is Shazeer, arXiv:2002.05202; rotary embedding is
// Su et al., arXiv:2104.09864; the running softmax is Milakov and Gimelshein,
// arXiv:1805.02867.
package kernels
