// Package format describes tensors as they lie in model files: their element types, their shapes and
// places, and the errors that every file reader of the packages below it returns.
//
// # Element types
//
// A [Type] is one of ggml's tensor types and has ggml's number, because files store that number. The types
// are blocked: [Type.BlockSize] consecutive values of a row share [Type.BlockBytes] bytes, so a row must be
// a whole number of blocks. Plain types such as [F32] are blocks of one value. [Dequantize] turns blocks
// into float32.
//
// # Shapes
//
// Shapes are in ggml's order: Shape[0] is the length of a row, whose values are contiguous. A matrix that
// maps n inputs to m outputs has the shape [n, m] and stores m rows of n values.
//
// # Errors
//
// Readers return *[Error], which names the file, the tensor or the metadata key, and the byte offset, and
// wraps one of [ErrFormat], [ErrUnsupported] and [ErrChecksum]. Sizes and counts in a file are never
// trusted: they are checked against the bytes that are there before anything is allocated by them.
//
// # Source
//
// Type numbers, block layouts and the decoding of each type are those of the ggml library
// (https://github.com/ggml-org/ggml, files include/ggml.h, src/ggml-common.h and src/ggml-quants.c). MXFP4 is the
// OCP Microscaling Formats (MX) Specification v1.0 with E8M0 scales and E2M1 values.
package format
