// Package perplexity measures how well a model predicts a text, as
// llama-perplexity defines it, so that figures can be compared.
//
// The text's tokens are cut into chunks of n tokens; the first token of every
// chunk is replaced by the model's beginning-of-text token if it has one. Each
// token of a chunk's second half but the first ([Scored] in all) is predicted from
// those before it in the chunk. With nll the negative logarithm of the probability
// of the token that really came, in nats, perplexity is exp(mean nll), and the
// uncertainty given with it is the standard error of that mean times the
// perplexity ([Score]).
//
// [Divergence] compares a model with another one's predictions on the same
// tokens: KL(base || model) = sum p_base (log p_base - log p), in nats.
//
// # Base file
//
// Predictions are kept in llama.cpp's file format ([BaseWriter], [BaseReader]),
// little-endian:
//
//	8 bytes          "_logits_"
//	int32            tokens per chunk, n
//	int32            vocabulary, v
//	int32            chunks, c
//	c*n int32        the tokens, before any is replaced
//	c*Scored(n) records:
//	  float32        scale
//	  float32        smallest log probability, min
//	  v uint16       q: log p = scale*q + min
//	  uint16         padding, if v is odd
//
// Probabilities below exp(-16) of the largest are raised to that (q = 0).
//
// Errors are [*format.Error]s that name the file and the offset.
//
// Source: tools/perplexity in https://github.com/ggml-org/llama.cpp.
package perplexity
