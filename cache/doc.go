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
// A [Policy] decides what a cache of limited size holds. Dense weights, a scan that begins anew with every token, are
// best pinned; the others serve what is not cyclic. A [Trace] of what was used, which Options.Trace of package
// cortex records, can be replayed with any policy and capacity, and with knowledge of the future.
//
// All sizes are in bytes.
package cache
