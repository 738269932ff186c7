package model

import (
	"errors"
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
	KVQ8 // 8 bits and a scale in f16 for every 32 values of a vector
	KVQ4 // 4 bits and the same scales
)

func (t KVType) String() string { return [...]string{"f16", "f32", "q8_0", "q4_0"}[t] }

// scaled reports whether values have scales.
func (t KVType) scaled() bool { return t == KVQ8 || t == KVQ4 }

// size returns the bytes of n values, an even number, without scales.
func (t KVType) size(n int) int { return n * [...]int{4, 8, 2, 1}[t] / 2 }

const (
	// pageTokens is the number of tokens of a KV page, and so of the blocks in
	// which attention runs through the cache.
	pageTokens = 256

	panel   = kernels.PanelWidth
	q8Block = 32
)

// KV holds the keys and values of one sequence, for all layers, outside the Go
// heap. Those of one head and page lie together, in the panels that the kernels
// read from first to last. What is not stored yet is behind what is, so that the
// system has to commit little memory for the first tokens:
//
//	[page][layer][kv head] keys   [pageTokens/16][key dim][16 tokens]
//	                       values [value dim/16][pageTokens][16 values]
//
// and with KVQ8 and KVQ4 their scales likewise, for every 32 values of a vector:
//
//	[page][layer][kv head] keys   [pageTokens/16][key dim/32][16 tokens]
//	                       values [value dim/32][pageTokens]
type KV struct {
	cfg *Config
	typ KVType
	n   int // tokens stored
	cap int // tokens there is room for

	buf    *loader.Buffer
	f16    []uint16 // by type: one of these holds the values
	f32    []float32
	q8     []int8
	q4     []byte
	scales []uint16 // in f16

	spill *spill // where not all of it is in memory, or nil
}

// KVBytes returns the size of a cache for the given number of tokens.
func (c *Config) KVBytes(tokens int, typ KVType) int64 {
	return c.cellsBytes(c.kvCells(tokens), typ) + 2*64 // two slices, aligned
}

// cellsBytes returns the size of some cells.
func (c *Config) cellsBytes(cells int64, typ KVType) int64 {
	n := cells * int64(typ.size(c.keyCell()+c.valueCell()))
	if typ.scaled() {
		n += cells * int64(c.keyScales()+c.valueScales()) * 2
	}
	return n
}

// A cell is one head of one page of one layer. kvCells returns how many there
// are, the others what a cell holds.
func (c *Config) kvCells(tokens int) int64 {
	return int64(c.Layers) * int64(ceil(tokens, pageTokens)) * int64(c.KVHeads)
}
func (c *Config) keyCell() int     { return pageTokens * c.KeyDim }
func (c *Config) valueCell() int   { return pageTokens * ceil(c.ValueDim, panel) * panel }
func (c *Config) keyScales() int   { return pageTokens * ceil(c.KeyDim, q8Block) }
func (c *Config) valueScales() int { return pageTokens * ceil(c.ValueDim, q8Block) }

// ceil returns n/d, rounded up.
func ceil(n, d int) int { return (n + d - 1) / d }

// NewKV returns an empty cache with room for the given number of tokens.
func (c *Config) NewKV(tokens int, typ KVType) (*KV, error) {
	return c.newKV(tokens, typ, c.kvCells(tokens))
}

// newKV returns an empty cache with memory for some cells.
func (c *Config) newKV(tokens int, typ KVType, most int64) (*KV, error) {
	buf, err := loader.NewBuffer(c.cellsBytes(most, typ) + 2*64)
	if err != nil {
		return nil, fmt.Errorf("KV cache: %w", err)
	}
	buf.HugePages() // attention reads it from end to end
	kv := &KV{cfg: c, typ: typ, cap: tokens, buf: buf}
	cells := int(most)
	n := cells * (c.keyCell() + c.valueCell())
	switch typ {
	case KVF16:
		kv.f16 = loader.Take[uint16](buf, n)
	case KVF32:
		kv.f32 = loader.Take[float32](buf, n)
	case KVQ8:
		kv.q8 = loader.Take[int8](buf, n)
	case KVQ4:
		kv.q4 = loader.Take[byte](buf, typ.size(n))
	}
	if typ.scaled() {
		kv.scales = loader.Take[uint16](buf, cells*(c.keyScales()+c.valueScales()))
	}
	return kv, nil
}

// Close frees the cache.
func (kv *KV) Close() error {
	var err error
	if kv.spill != nil {
		err = kv.spill.close()
	}
	return errors.Join(err, kv.buf.Close())
}

// Len returns the number of tokens stored, Cap the number there is room for.
func (kv *KV) Len() int { return kv.n }

// Cap returns the number of tokens that the cache has room for.
func (kv *KV) Cap() int { return kv.cap }

// Truncate forgets all tokens from position n on.
func (kv *KV) Truncate(n int) { kv.n = min(kv.n, max(n, 0)) }

// cell returns the number of the cell of (layer, page, head).
func (kv *KV) cell(layer, page, head int) int {
	if kv.spill != nil {
		return kv.spill.place(layer, page)*kv.cfg.KVHeads + head
	}
	return (page*kv.cfg.Layers+layer)*kv.cfg.KVHeads + head
}

// keysOf and valuesOf return a cell's part of the values, keys4Of and values4Of of
// those of 4 bits, keyScalesOf and valueScalesOf of the scales.
func keysOf[T any](kv *KV, data []T, cell int) []T {
	return data[cell*(kv.cfg.keyCell()+kv.cfg.valueCell()):][:kv.cfg.keyCell()]
}

func valuesOf[T any](kv *KV, data []T, cell int) []T {
	return data[cell*(kv.cfg.keyCell()+kv.cfg.valueCell())+kv.cfg.keyCell():][:kv.cfg.valueCell()]
}

func (kv *KV) keys4Of(cell int) []byte {
	return kv.q4[cell*(kv.cfg.keyCell()+kv.cfg.valueCell())/2:][:kv.cfg.keyCell()/2]
}

func (kv *KV) values4Of(cell int) []byte {
	return kv.q4[(cell*(kv.cfg.keyCell()+kv.cfg.valueCell())+kv.cfg.keyCell())/2:][:kv.cfg.valueCell()/2]
}

func (kv *KV) keyScalesOf(cell int) []uint16 {
	return kv.scales[cell*(kv.cfg.keyScales()+kv.cfg.valueScales()):][:kv.cfg.keyScales()]
}

func (kv *KV) valueScalesOf(cell int) []uint16 {
	return kv.scales[cell*(kv.cfg.keyScales()+kv.cfg.valueScales())+kv.cfg.keyScales():][:kv.cfg.valueScales()]
}

// rounded is scratch for a vector on its way into the cache.
type rounded struct {
	f16  []uint16
	q4   []byte
	acts kernels.Acts // whole blocks
}

func (r *rounded) bytes(c *Config) int64 {
	n := max(c.KeyDim, c.ValueDim)
	blocks := ceil(n, q8Block)
	return loader.SizeOf[uint16](n) + loader.SizeOf[byte](n) + loader.SizeOf[float32](blocks*q8Block) + loader.SizeOf[int8](blocks*q8Block) +
		loader.SizeOf[float32](blocks) + loader.SizeOf[int16](blocks)
}

func (r *rounded) take(buf *loader.Buffer, c *Config) {
	n := max(c.KeyDim, c.ValueDim)
	blocks := ceil(n, q8Block)
	r.f16 = loader.Take[uint16](buf, n)
	r.q4 = loader.Take[byte](buf, n)
	r.acts = kernels.Acts{
		Layout: kernels.Q8x32,
		M:      1,
		F:      loader.Take[float32](buf, blocks*q8Block),
		Q:      loader.Take[int8](buf, blocks*q8Block),
		D:      loader.Take[float32](buf, blocks),
		S:      loader.Take[int16](buf, blocks),
	}
}

// half rounds v to f16.
func (r *rounded) half(v []float32) []uint16 {
	kernels.F32ToF16(r.f16, v)
	return r.f16[:len(v)]
}

// eighth rounds v to 8 bits and returns a scale for every block.
func (r *rounded) eighth(v []float32) (q []int8, scales []uint16) {
	blocks := ceil(len(v), q8Block)
	r.acts.N = blocks * q8Block
	clear(r.acts.F[copy(r.acts.F, v):])
	r.acts.Quantize(0, 1)
	kernels.F32ToF16(r.f16, r.acts.D[:blocks])
	return r.acts.Q[:len(v)], r.f16[:blocks]
}

// quarter rounds v to 4 bits, a byte each, and returns a scale for every block.
func (r *rounded) quarter(v []float32) (q []byte, scales []uint16) {
	kernels.QuantizeQ4(r.q4, r.f16, v)
	return r.q4[:len(v)], r.f16[:ceil(len(v), q8Block)]
}

// store puts one token's keys and values, [kv heads × dim] each, at position pos of a layer.
func (kv *KV) store(layer, pos int, k, v []float32, r *rounded) {
	kd, vd := kv.cfg.KeyDim, kv.cfg.ValueDim
	row := pos % pageTokens
	for h := range kv.cfg.KVHeads {
		cell := kv.cell(layer, pos/pageTokens, h)
		k, v := k[h*kd:][:kd], v[h*vd:][:vd]
		switch kv.typ {
		case KVF16:
			storeColumn(keysOf(kv, kv.f16, cell), row, r.half(k))
			storeRow(valuesOf(kv, kv.f16, cell), row, r.half(v))
		case KVF32:
			storeColumn(keysOf(kv, kv.f32, cell), row, k)
			storeRow(valuesOf(kv, kv.f32, cell), row, v)
		case KVQ8:
			q, scales := r.eighth(k)
			storeColumn(keysOf(kv, kv.q8, cell), row, q)
			storeColumn(kv.keyScalesOf(cell), row, scales)
			q, scales = r.eighth(v)
			storeRow(valuesOf(kv, kv.q8, cell), row, q)
			kv.storeValueScales(cell, row, scales)
		case KVQ4:
			q, scales := r.quarter(k)
			storeColumn4(kv.keys4Of(cell), row, q)
			storeColumn(kv.keyScalesOf(cell), row, scales)
			q, scales = r.quarter(v)
			storeRow4(kv.values4Of(cell), row, q)
			kv.storeValueScales(cell, row, scales)
		}
	}
}

func (kv *KV) storeValueScales(cell, row int, scales []uint16) {
	for i, s := range scales {
		kv.valueScalesOf(cell)[i*pageTokens+row] = s
	}
}

// storeColumn makes v column col of panels, which all have a row for each value of v.
func storeColumn[T any](panels []T, col int, v []T) {
	at := col/panel*panel*len(v) + col%panel
	for _, x := range v {
		panels[at] = x
		at += panel
	}
}

// storeRow makes v row row of as many panels of pageTokens rows as it is wide.
func storeRow[T any](panels []T, row int, v []T) {
	for i := 0; i < len(v); i += panel {
		copy(panels[i*pageTokens+row*panel:], v[i:min(i+panel, len(v))])
	}
}

// storeColumn4 and storeRow4 do the same with panels of 4 bits.

func storeColumn4(panels []byte, col int, v []byte) {
	const half = panel / 2
	at := col/panel*half*len(v) + col%half
	if col%panel < half {
		for _, x := range v {
			panels[at] = panels[at]&0xf0 | x
			at += half
		}
		return
	}
	for _, x := range v {
		panels[at] = panels[at]&0x0f | x<<4
		at += half
	}
}

func storeRow4(panels []byte, row int, v []byte) {
	const half = panel / 2
	for i := 0; i < len(v); i += panel {
		to := panels[(i*pageTokens+row*panel)/2:][:half]
		clear(to)
		for j, x := range v[i:min(i+panel, len(v))] {
			to[j%half] |= x << (j / half * 4)
		}
	}
}

// scores sets row r of p, [rows][pageTokens], to the products of row r of
// q, [rows][key dim], with the keys from to to of a cell, which are widened to
// whole panels.
func (kv *KV) scores(p, q []float32, rows, cell, from, to int, w *attentionWork, how tiling) {
	kd := kv.cfg.KeyDim
	first, end := from/panel, ceil(to, panel)
	s := kernels.PanelShape{Rows: rows, Depth: kd, Panels: end - first, StrideA: kd, StrideB: kd * panel, StrideC: pageTokens}
	p = p[first*panel:]
	switch kv.typ {
	case KVF16:
		keys := keysOf(kv, kv.f16, cell)[first*s.StrideB:]
		if how == manyAtOnce {
			kernels.MulManyPanelsF16(p, q, keys, s, w.many)
		} else {
			kernels.MulPanelsF16(p, q, keys, s)
		}
	case KVF32:
		kernels.MulPanelsF32(p, q, keysOf(kv, kv.f32, cell)[first*s.StrideB:], s)
	case KVQ8, KVQ4:
		s.Panels = 1
		blocks := ceil(kd, q8Block) * panel
		wide := w.wide[:s.StrideB]
		for i := first; i < end; i++ {
			scales := kv.keyScalesOf(cell)[i*blocks:]
			if kv.typ == KVQ8 {
				kernels.UnpackQ8Columns(wide, keysOf(kv, kv.q8, cell)[i*s.StrideB:], scales)
			} else {
				kernels.UnpackQ4Columns(wide, kv.keys4Of(cell)[i*s.StrideB/2:], scales)
			}
			kernels.MulPanelsF32(p[(i-first)*panel:], q, wide, s)
		}
	}
}

// A span says that queries (rows of scores) read tokens from to to of a page.
type span struct{ row, rows, from, to int }

// accum adds to each row of y, [rows][stride], the values that its spans name
// of a cell, weighted with the row's p, [rows][pageTokens].
func (kv *KV) accum(y, p []float32, stride, cell int, spans []span, w *attentionWork, how tiling) {
	s := kernels.PanelShape{Panels: stride / panel, StrideA: pageTokens, StrideB: pageTokens * panel, StrideC: stride, Add: true}
	if !kv.typ.scaled() {
		for _, sp := range spans {
			s.Rows, s.Depth = sp.rows, sp.to-sp.from
			y, p := y[sp.row*stride:], p[sp.row*pageTokens+sp.from:]
			switch {
			case kv.typ == KVF32:
				kernels.MulPanelsF32(y, p, valuesOf(kv, kv.f32, cell)[sp.from*panel:], s)
			case how == manyAtOnce:
				kernels.MulManyPanelsF16(y, p, valuesOf(kv, kv.f16, cell)[sp.from*panel:], s, w.many)
			default:
				kernels.MulPanelsF16(y, p, valuesOf(kv, kv.f16, cell)[sp.from*panel:], s)
			}
		}
		return
	}
	from, to := pageTokens, 0
	for _, sp := range spans {
		from, to = min(from, sp.from), max(to, sp.to)
	}
	s.Panels = 1
	for i := range stride / panel {
		wide := w.wide[:(to-from)*panel]
		at, scales := i*s.StrideB+from*panel, kv.valueScalesOf(cell)[i*panel/q8Block*pageTokens+from:]
		if kv.typ == KVQ8 {
			kernels.UnpackQ8Rows(wide, valuesOf(kv, kv.q8, cell)[at:], scales)
		} else {
			kernels.UnpackQ4Rows(wide, kv.values4Of(cell)[at/2:], scales)
		}
		for _, sp := range spans {
			s.Rows, s.Depth = sp.rows, sp.to-sp.from
			kernels.MulPanelsF32(y[sp.row*stride+i*panel:], p[sp.row*pageTokens+sp.from:], wide[(sp.from-from)*panel:], s)
		}
	}
}
