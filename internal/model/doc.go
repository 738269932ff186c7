// Package model runs decoder-only transformers.
//
// An architecture file (llama.go) writes the model's plan, which is the forward
// pass read top-down; the executor (exec.go) walks it, a batch of tokens at a
// time, and hands each step's weights to a kernel. A [KV] holds what a sequence
// has left behind for the tokens that follow.
//
// Results do not depend on the number of workers nor on how a prompt is cut
// into batches: every token's values are computed by the same additions in the
// same order.
package model
