// Package quant turns float32 weights into the channel-major types of the cortex container and into the few row-major
// types that the container keeps beside them.
//
// The unit of a product is the group: the weights of one input channel to [Kind.Group] outputs, 64 bytes of them with
// one binary16 scale. An [Encoder] searches the scale and the codes of a group that make the squared error small.
// [Encoder.Slab] quantizes one group of every channel of a product, and with [Feedback], which is made of the second
// moments of the product's input, lets each channel make up for the errors of those before it, as GPTQ does (Frantar et
// al. 2023, arXiv:2210.17323).
package quant
