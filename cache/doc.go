// Package cache keeps what cortex holds in memory inside an exact byte budget.
//
// A [Budget] is a ledger: whoever is about to hold memory (mapped weights, KV
// cache, activations, tokenizer) reserves the bytes under a name first, and is
// refused when they do not fit. Nothing here allocates the memory itself, and
// nothing here knows what a tensor is.
//
// A [Checkpoint] is a file in which a computation of many steps keeps its state
// and its results, to go on after a crash.
//
// All sizes are in bytes.
package cache
