// Package sparsity decides which input channels of a product are left out.
//
// A channel's score is how much it can add to the product's outputs: the
// magnitude of its activation times the length of its column of weights (Chen
// et al. 2025, "WINA", arXiv:2505.19427). Channels whose score is below a
// threshold are left out. Calibration runs a text through the model, collects the
// scores of every product in a [Histogram], and [Thresholds] derives from
// them the thresholds for a wanted share of bytes.
//
// Not every product bears the same sparsity (Liu et al. 2025, "TEAL",
// arXiv:2408.14690). The thresholds are therefore chosen so that every product
// loses the same share of the energy of its scores, which is what its output
// loses if the columns are as good as orthogonal.
package sparsity
