// Package speculate decides which tokens a model is asked about before it has
// said the one in front of them.
//
// A pass with a few tokens takes little longer than a pass with one: the weights
// are read once for all of them, and reading is what takes the time, from memory
// and all the more from a disk. So tokens that are likely to follow are drafted and
// run together with the last token of the text; those that the model then says
// itself cost nothing more (Leviathan et al. 2023, arXiv:2211.17192; Chen et al.
// 2023, arXiv:2302.01318). Drafts come from where the end of the text stood before in it
// ([Index]; Saxena 2023, "Prompt lookup decoding") or from a small model.
//
// How a draft is accepted is not a matter of this package: tokens are drawn as
// without drafts, from the same logits with the same random numbers, and a draft is
// used up as long as what is drawn is what was drafted. So the text is the same for
// every way of drawing, not only one of the same distribution.
//
// [Pace] chooses how many tokens are worth drafting, from the time that passes
// take and from how often drafts were right.
package speculate
