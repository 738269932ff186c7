package model

import (
	"fmt"

	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
)

// KVType is how keys and values are stored.
type KVType uint8

// The types of a KV cache.
const (
	KVF16 KVType = iota
	KVF32
)

func (t KVType) String() string { return [...]string{"f16", "f32"}[t] }

func (t KVType) size() int64 { return [...]int64{2, 4}[t] }

// pageTokens is the number of tokens of a KV page, and so of the blocks in
// which attention runs through the cache.
const pageTokens = 256

// KV holds the keys and values of one sequence, for all layers, outside the Go
// heap. It is laid out in pages so that attention reads one contiguous run per
// head and page:
//
//	keys   [layer][page][kv head][pageTokens][key dim]
//	values [layer][page][kv head][pageTokens][value dim]
type KV struct {
	cfg *Config
	typ KVType
	n   int // tokens stored
	cap int // tokens there is room for

	buf *loader.Buffer
	k16 []uint16
	v16 []uint16
	k32 []float32
	v32 []float32
}

// KVBytes returns the size of a cache for the given number of tokens.
func (c *Config) KVBytes(tokens int, typ KVType) int64 {
	return c.kvValues(tokens, c.KeyDim)*typ.size() + c.kvValues(tokens, c.ValueDim)*typ.size() + 2*64
}

// kvValues returns the number of keys (or values) of dim values each, in whole pages.
func (c *Config) kvValues(tokens, dim int) int64 {
	pages := (tokens + pageTokens - 1) / pageTokens
	return int64(c.Layers) * int64(pages) * int64(c.KVHeads) * pageTokens * int64(dim)
}

// NewKV returns an empty cache with room for the given number of tokens.
func (c *Config) NewKV(tokens int, typ KVType) (*KV, error) {
	buf, err := loader.NewBuffer(c.KVBytes(tokens, typ))
	if err != nil {
		return nil, fmt.Errorf("KV cache: %w", err)
	}
	kv := &KV{cfg: c, typ: typ, cap: tokens, buf: buf}
	nk, nv := int(c.kvValues(tokens, c.KeyDim)), int(c.kvValues(tokens, c.ValueDim))
	if typ == KVF32 {
		kv.k32, kv.v32 = loader.Take[float32](buf, nk), loader.Take[float32](buf, nv)
	} else {
		kv.k16, kv.v16 = loader.Take[uint16](buf, nk), loader.Take[uint16](buf, nv)
	}
	return kv, nil
}

// Close frees the cache.
func (kv *KV) Close() error { return kv.buf.Close() }

// Len returns the number of tokens stored, Cap the number there is room for.
func (kv *KV) Len() int { return kv.n }

// Cap returns the number of tokens that the cache has room for.
func (kv *KV) Cap() int { return kv.cap }

// Truncate forgets all tokens from position n on.
func (kv *KV) Truncate(n int) { kv.n = min(kv.n, max(n, 0)) }

// at returns the index of the first value of (layer, head, pos), dim values each.
func (kv *KV) at(layer, head, pos, dim int) int {
	pages := (kv.cap + pageTokens - 1) / pageTokens
	page, row := pos/pageTokens, pos%pageTokens
	return (((layer*pages+page)*kv.cfg.KVHeads+head)*pageTokens + row) * dim
}

// store puts one token's keys and values, [kv heads × dim] each, at position pos of a layer.
func (kv *KV) store(layer, pos int, k, v []float32) {
	kd, vd := kv.cfg.KeyDim, kv.cfg.ValueDim
	for h := range kv.cfg.KVHeads {
		ki, vi := kv.at(layer, h, pos, kd), kv.at(layer, h, pos, vd)
		kh, vh := k[h*kd:][:kd], v[h*vd:][:vd]
		if kv.typ == KVF32 {
			copy(kv.k32[ki:], kh)
			copy(kv.v32[vi:], vh)
		} else {
			kernels.F32ToF16(kv.k16[ki:][:kd], kh)
			kernels.F32ToF16(kv.v16[vi:][:vd], vh)
		}
	}
}

// scores sets y[i] to the dot product of q with the key of (layer, head, pos+i).
// The positions lie in one page.
func (kv *KV) scores(y, q []float32, layer, head, pos int) {
	kd := kv.cfg.KeyDim
	i := kv.at(layer, head, pos, kd)
	if kv.typ == KVF32 {
		kernels.DotsF32(y, kv.k32[i:][:len(y)*kd], q, kd)
	} else {
		kernels.DotsF16(y, kv.k16[i:][:len(y)*kd], q, kd)
	}
}

// accum adds p[i] times the value of (layer, head, pos+i) to y, for every i.
// The positions lie in one page.
func (kv *KV) accum(y, p []float32, layer, head, pos int) {
	vd := kv.cfg.ValueDim
	i := kv.at(layer, head, pos, vd)
	if kv.typ == KVF32 {
		kernels.AccumF32(y, kv.v32[i:][:len(p)*vd], p, vd)
	} else {
		kernels.AccumF16(y, kv.v16[i:][:len(p)*vd], p, vd)
	}
}
