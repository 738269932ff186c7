package model

import (
	"iter"
	"unsafe"
)

// Bytes yields the memory that holds the first n tokens, in whole pages and in
// an order that depends on nothing but the model and the cache's type: what a
// saved session is made of. An error, which is the last that is yielded, wraps
// a [*SpillError].
func (kv *KV) Bytes(n int) iter.Seq2[[]byte, error] {
	return kv.bytes(n, func(layer int) error { return kv.show(layer, n) })
}

// Fill yields the same memory to be filled from a saved session. After that
// SetLen(n) makes the tokens known.
func (kv *KV) Fill(n int) iter.Seq2[[]byte, error] {
	return kv.bytes(n, func(layer int) error { return kv.enter(layer, 0, 0, n) })
}

func (kv *KV) bytes(n int, enter func(layer int) error) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for layer := range kv.cfg.Layers {
			if err := enter(layer); err != nil {
				yield(nil, err)
				return
			}
			for page := range ceil(n, pageTokens) {
				for head := range kv.cfg.KVHeads {
					for _, b := range kv.cells(kv.cell(layer, page, head), 1) {
						if !yield(b, nil) {
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

// layerBytes returns the memory that holds tokens from up to to (exclusive) of a
// layer, in whole pages. They must be there: see enter and show.
func (kv *KV) layerBytes(layer, from, to int) (list [][]byte) {
	for page := from / pageTokens; page < ceil(to, pageTokens); page++ {
		list = append(list, kv.cells(kv.cell(layer, page, 0), kv.cfg.KVHeads)...)
	}
	return list
}

// layerSize is the size of what layerBytes returns.
func (kv *KV) layerSize(from, to int) (n int64) {
	for _, b := range kv.layerBytes(0, from, to) {
		n += int64(len(b))
	}
	return n
}

// cells views n cells from one on: the values, and the scales where there are some.
func (kv *KV) cells(cell, n int) (list [][]byte) {
	c := kv.cfg
	values, scales := c.keyCell()+c.valueCell(), c.keyScales()+c.valueScales()
	for _, b := range [][]byte{cellBytes(kv.f16, cell, n, values), cellBytes(kv.f32, cell, n, values),
		cellBytes(kv.q8, cell, n, values), cellBytes(kv.q4, cell, n, values/2),
		cellBytes(kv.scales, cell, n, scales)} {
		if len(b) > 0 {
			list = append(list, b)
		}
	}
	return list
}

// cellBytes views n cells' part of data, which may be nil.
func cellBytes[T any](data []T, cell, n, size int) []byte {
	if data == nil {
		return nil
	}
	part := data[cell*size:][:n*size]
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(part))), len(part)*int(unsafe.Sizeof(part[0])))
}
