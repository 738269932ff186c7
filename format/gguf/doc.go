// Package gguf reads and writes GGUF, the model file format of ggml and llama.cpp.
//
// [Parse] checks a whole file, or all parts of a split one, and describes it; it copies neither tensor data nor
// metadata arrays. Values, and what [File.Data] returns, are views of the bytes that were passed in,
// usually a read-only mapping, which must stay in place as long as they are used. Strings and slices that
// the getters return are copies.
//
// Versions 2 and 3 are read, little-endian. Version 1 and big-endian files are refused with
// format.ErrUnsupported, everything that breaks the format's rules with format.ErrFormat; the error is always a
// *format.Error that names file, tensor or key, and byte offset. What Parse allocates is bounded by a small
// multiple of the size of the header that is really there, whatever counts it claims.
//
// # Source
//
// The GGUF specification, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Split files
// ("model-00001-of-00009.gguf" with the keys split.no, split.count and split.tensors.count) are those that
// llama.cpp's gguf-split writes.
package gguf
