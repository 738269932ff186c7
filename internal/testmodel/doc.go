// Package testmodel makes GGUF models of any size with random weights, for tests and measurements that need the
// shape of a model but not what it knows. A [Config] gives the shape; [Write], [WriteFiles] and [Bytes] make
// the file, which any engine that reads GGUF can load. The same Config gives the same bytes on every machine.
//
// # Weights
//
// Matrices are not quantized from floats: their blocks are drawn directly in the tensor's type, with uniformly
// random quants and block scales such that the decoded values have a mean near 0 and a chosen standard
// deviation. That takes about a nanosecond a byte, so files of many gigabytes are made as fast as a disk takes
// them, and nothing larger than a few rows is held. Norm weights are 1 ± 0.1.
//
// # What a model says
//
// Nothing, but not always the same: the deviations are chosen so that the layers add much more to the residual
// stream than the token's own embedding, the logits spread by several nats, and the rows of the output matrix have
// unequal lengths. Greedy decoding then wanders over many tokens with clear margins between the best and
// the second best, so that two engines that round differently still agree. Tokens that are no text (control tokens
// and unprintable bytes) have very short rows, and are hardly ever chosen.
//
// # Names
//
// Tensor names, their order and shapes, and metadata keys are those that llama.cpp's converter writes for the
// architecture; types of mixes such as Q4_K_M follow llama.cpp's quantizer.
package testmodel
