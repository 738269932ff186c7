package model

import (
	"iter"
	"unsafe"
)

// Bytes yields the memory that holds the first n tokens, in whole pages and in
// an order that depends on nothing but the model and the cache's type: what a
// saved session is made of. After it has been filled from a saved one,
// SetLen(n) makes the tokens known.
func (kv *KV) Bytes(n int) iter.Seq[[]byte] {
	c := kv.cfg
	values, scales := c.keyCell()+c.valueCell(), c.keyScales()+c.valueScales()
	return func(yield func([]byte) bool) {
		for layer := range c.Layers {
			for page := range ceil(n, pageTokens) {
				for head := range c.KVHeads {
					cell := kv.cell(layer, page, head)
					parts := [][]byte{cellBytes(kv.f16, cell, values), cellBytes(kv.f32, cell, values),
						cellBytes(kv.q8, cell, values), cellBytes(kv.scales, cell, scales)}
					for _, b := range parts {
						if len(b) > 0 && !yield(b) {
							return
						}
					}
				}
			}
		}
	}
}

// SetLen says that the first n tokens of the cache are valid.
func (kv *KV) SetLen(n int) { kv.n = min(n, kv.cap) }

// cellBytes views one cell's part of data, which may be nil.
func cellBytes[T any](data []T, cell, size int) []byte {
	if data == nil {
		return nil
	}
	part := data[cell*size:][:size]
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(part))), size*int(unsafe.Sizeof(part[0])))
}
