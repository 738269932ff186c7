package model

import (
	"fmt"
	"os"

	"github.com/cortexsdr/cortex/loader"
)

// A KV cache that is larger than its memory keeps the rest in a file. Attention walks
// the layers in order, and in each all pages that the tokens read: a cyclic scan, for
// which pinning as many pages as there is room for and reading the others ahead is the
// best there is. So the memory is
//
//	[layer][pinned pages]   the first pages of every layer, for good
//	[layer]                 the page that is being filled, where it is none of those
//	[2][other pages]        all others of the layer that runs, and of the next one,
//	                        which is read meanwhile
//
// A page is written to the file once, when it is full and its layer leaves the memory,
// and read when attention comes to it; pages before a layer's window are not.

// SpillError says what of a KV cache could not be written to its file or read back. It
// wraps the system's error, such as that of a full disk.
type SpillError struct {
	File   string
	Offset int64
	Err    error
}

func (e *SpillError) Error() string {
	return fmt.Sprintf("KV cache: %s: offset %d: %v", e.File, e.Offset, e.Err)
}

func (e *SpillError) Unwrap() error { return e.Err }

// spill is the part of a KV that knows of the file.
type spill struct {
	file    spillFile
	name    string
	removed bool // the file has no name any more
	pages   int  // of a layer
	pinned  int  // of them
	layers  []spilledLayer
	halves  [2]half
	busy    chan error // holds the result of what reads ahead, if that is started
	begun   bool
}

type spillFile interface {
	ReadAt(b []byte, at int64) (int, error)
	WriteAt(b []byte, at int64) (int, error)
	Sync() error
	Close() error
}

// spilledLayer is what is where of a layer's pages that are not pinned.
type spilledLayer struct {
	stored int // tokens that have been stored
	tail   int // the page that is in the layer's place for the one that is being filled, or -1
}

// half is the memory of a layer that is there.
type half struct {
	layer    int // or -1
	from, to int // pages that are there
	dirty    int // the first that the file does not have
}

// maxUnsynced bounds what the system's cache of files holds on its way to the disk.
const maxUnsynced = 16 << 20

// spilledKV returns the memory of a cache that has about memory bytes, and the
// number of each layer's pages that are pinned in it.
func (c *Config) spilledKV(tokens int, typ KVType, memory int64) (size int64, pinned int) {
	pages := ceil(tokens, pageTokens)
	page := c.pageBytes(typ)
	size = int64(c.Layers+2*pages) * page
	if c.Layers > 2 && memory > size {
		pinned = int(min(int64(pages), (memory-size)/(int64(c.Layers-2)*page)))
	}
	return int64(c.Layers*pinned+c.Layers+2*(pages-pinned))*page + 2*64, pinned
}

// SpilledKVBytes returns the size of the memory of a cache of NewSpilledKV.
func (c *Config) SpilledKVBytes(tokens int, typ KVType, memory int64) int64 {
	size, _ := c.spilledKV(tokens, typ, memory)
	return min(size, c.KVBytes(tokens, typ))
}

// pageBytes returns the size of a page of one layer.
func (c *Config) pageBytes(typ KVType) int64 { return c.cellsBytes(int64(c.KVHeads), typ) }

// NewSpilledKV returns an empty cache that takes about memory bytes, or the least
// that is needed to run two layers, and keeps what has no room in a file in dir. The
// file has no name where the system allows that.
func (c *Config) NewSpilledKV(tokens int, typ KVType, memory int64, dir string) (*KV, error) {
	size, pinned := c.spilledKV(tokens, typ, memory)
	if size >= c.KVBytes(tokens, typ) {
		return c.NewKV(tokens, typ)
	}
	f, err := os.CreateTemp(dir, "cortex-kv-*")
	if err != nil {
		return nil, fmt.Errorf("KV cache: %w", err)
	}
	kv, err := c.newKV(tokens, typ, (size-2*64)/c.pageBytes(typ)*int64(c.KVHeads))
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	s := &spill{file: f, name: f.Name(), pages: ceil(tokens, pageTokens), pinned: pinned, busy: make(chan error, 1)}
	s.removed = os.Remove(s.name) == nil
	for range c.Layers {
		s.layers = append(s.layers, spilledLayer{tail: -1})
	}
	s.halves = [2]half{{layer: -1}, {layer: -1}}
	kv.spill = s
	return kv, nil
}

// Places of pages in memory, by number.

func (s *spill) tailPage(layer int) int { return len(s.layers)*s.pinned + layer }
func (s *spill) place(layer, page int) int {
	if page < s.pinned {
		return layer*s.pinned + page
	}
	return len(s.layers)*(s.pinned+1) + layer%2*(s.pages-s.pinned) + page - s.pinned
}

// at returns the place of a page in the file.
func (s *spill) at(layer, page int, size int64) int64 {
	return int64(layer*(s.pages-s.pinned)+page-s.pinned) * size
}

// enter makes the layer's pages present that tokens from position pos on read, the first
// being page lowest, and those present where n tokens are stored. Then it has the next layer
// read.
func (kv *KV) enter(layer, lowest, pos, n int) error {
	s := kv.spill
	if s == nil {
		return nil
	}
	if err := s.wait(); layer == 0 && pos == kv.n {
		for i := range s.layers { // a pass begins: what a failed one has left counts for nothing
			s.layers[i].stored = min(s.layers[i].stored, pos)
		}
	} else if err != nil {
		return err
	}
	l, h := &s.layers[layer], &s.halves[layer%2]
	first, end := max(lowest, s.pinned), ceil(pos, pageTokens)
	if h.layer != layer || first < h.from || first < end && end > h.to {
		l.stored = pos
		if err := kv.fetch(layer, lowest); err != nil {
			return err
		}
	}
	l.stored = pos + n
	h.dirty = max(min(h.dirty, pos/pageTokens), s.pinned)
	h.to = max(h.to, ceil(pos+n, pageTokens))
	if l.tail >= pos/pageTokens {
		l.tail = -1
	}
	return nil
}

// show makes the pages of the layer's first n tokens present, to be read.
func (kv *KV) show(layer, n int) error {
	s := kv.spill
	if s == nil {
		return nil
	}
	if err := s.wait(); err != nil {
		return err
	}
	if h := &s.halves[layer%2]; h.layer == layer && h.from <= s.pinned && h.to >= ceil(n, pageTokens) {
		return nil
	}
	return kv.fetch(layer, 0)
}

// readAhead has the layer after one read, its pages from page lowest on, while the one runs.
func (kv *KV) readAhead(layer int, lowest int) {
	s := kv.spill
	next := (layer + 1) % len(s.layers)
	if s.begun || next%2 == layer%2 || s.halves[next%2].layer == next {
		return
	}
	s.begun = true
	go func() { s.busy <- kv.fetch(next, lowest) }()
}

// wait waits for what is being read ahead.
func (s *spill) wait() error {
	if !s.begun {
		return nil
	}
	s.begun = false
	return <-s.busy
}

// fetch brings a layer's stored pages, from page lowest on, into its half of the memory.
func (kv *KV) fetch(layer, lowest int) error {
	s := kv.spill
	h, l := &s.halves[layer%2], &s.layers[layer]
	if err := kv.evict(h); err != nil {
		return err
	}
	first, end := max(lowest, s.pinned), ceil(l.stored, pageTokens)
	size := kv.cfg.pageBytes(kv.typ)
	for page := first; page < end; page++ {
		if page == l.tail {
			kv.copyPage(s.place(layer, page), s.tailPage(layer))
			continue
		}
		at := s.at(layer, page, size)
		for _, b := range kv.cells(s.place(layer, page)*kv.cfg.KVHeads, kv.cfg.KVHeads) {
			if _, err := s.file.ReadAt(b, at); err != nil {
				return &SpillError{File: s.name, Offset: at, Err: err}
			}
			at += int64(len(b))
		}
		s.forget(at-size, size)
	}
	*h = half{layer: layer, from: first, to: max(first, end), dirty: max(first, end)}
	return nil
}

// evict takes the layer out of a half: full pages go to the file, the one that is being
// filled to its place.
func (kv *KV) evict(h *half) error {
	s := kv.spill
	if h.layer < 0 {
		return nil
	}
	l := &s.layers[h.layer]
	size := kv.cfg.pageBytes(kv.typ)
	full := l.stored / pageTokens
	for from := h.dirty; h.dirty < full; {
		at := s.at(h.layer, h.dirty, size)
		for _, b := range kv.cells(s.place(h.layer, h.dirty)*kv.cfg.KVHeads, kv.cfg.KVHeads) {
			if _, err := s.file.WriteAt(b, at); err != nil {
				return &SpillError{File: s.name, Offset: at, Err: err}
			}
			at += int64(len(b))
		}
		h.dirty++
		if run := int64(h.dirty-from) * size; h.dirty == full || run >= maxUnsynced {
			if err := s.file.Sync(); err != nil { // what is not on the disk cannot be forgotten
				return &SpillError{File: s.name, Offset: at - run, Err: err}
			}
			s.forget(at-run, run)
			from = h.dirty
		}
	}
	if h.dirty == full && l.stored%pageTokens > 0 {
		kv.copyPage(s.tailPage(h.layer), s.place(h.layer, full))
		l.tail = full
	}
	h.layer = -1
	return nil
}

// forget gives back what the system's cache of files keeps of the file.
func (s *spill) forget(at, size int64) {
	if f, ok := s.file.(*os.File); ok {
		loader.Forget(f, at, size)
	}
}

// copyPage copies a page of memory.
func (kv *KV) copyPage(to, from int) {
	heads := kv.cfg.KVHeads
	src := kv.cells(from*heads, heads)
	for i, dst := range kv.cells(to*heads, heads) {
		copy(dst, src[i])
	}
}

// close ends the reading and removes the file.
func (s *spill) close() error {
	_ = s.wait()
	err := s.file.Close()
	if !s.removed {
		_ = os.Remove(s.name)
	}
	return err
}
