// Package plan writes down, before the first token, what a decoder will do for
// every token: its steps in the order of execution, each with the weight
// blocks it reads and the activations it reads and writes.
//
// The executor walks the plan, the loader runs along its blocks, and the memory
// layout and the forecast are computed from it. An architecture file of
// internal/model builds the plan with a [Builder], top-down, in the words of
// the paper; nothing else knows the order of the steps.
//
// Activation widths are in values per token, sizes in bytes.
package plan
