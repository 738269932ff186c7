package gguf

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/cortexsdr/cortex/format"
)

const (
	magic            = "GGUF"
	defaultAlignment = 32
	maxDims          = 4

	// The specification's bound on the length of keys. Tensor names get the same, since writers go beyond the
	// 64 bytes that it allows them.
	maxKeyBytes = 65535

	// No writer nests arrays more than one or two deep; the bound keeps a hostile file from driving the
	// recursion, which costs a file only 12 bytes a level.
	maxDepth = 16

	// The fewest bytes that a key with its value, and the description of a tensor, can take.
	minKeyBytes    = 8 + 1 + 4 + 1
	minTensorBytes = 8 + 1 + 4 + 8 + 4 + 8
)

// header is what one file says before its tensors.
type header struct {
	scanner  // stands at the first tensor description after parseHeader
	version  uint32
	nTensors int
	meta     *Metadata
}

// scanner reads a file from front to back and never past its end.
type scanner struct {
	file        string
	data        []byte
	base        int64 // where in the file data begins
	pos         int
	tensor, key string // what is being read, for error messages
}

// errorf returns an error of the given kind about the byte at.
func (s *scanner) errorf(kind error, at int, text string, args ...any) error {
	return &format.Error{File: s.file, Tensor: s.tensor, Key: s.key, Offset: s.base + int64(at), Detail: fmt.Sprintf(text, args...), Err: kind}
}

// malformed returns an ErrFormat about the byte at.
func (s *scanner) malformed(at int, text string, args ...any) error {
	return s.errorf(format.ErrFormat, at, text, args...)
}

func (s *scanner) remaining() int { return len(s.data) - s.pos }

// bytes takes n bytes; what names them in the error if there are not so many.
func (s *scanner) bytes(n uint64, what string) ([]byte, error) {
	if n > uint64(s.remaining()) {
		return nil, s.malformed(s.pos, "%s needs %d bytes, %d remain", what, n, s.remaining())
	}
	b := s.data[s.pos : s.pos+int(n)]
	s.pos += int(n)
	return b, nil
}

func (s *scanner) uint32(what string) (uint32, error) {
	b, err := s.bytes(4, what)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (s *scanner) uint64(what string) (uint64, error) {
	b, err := s.bytes(8, what)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// count reads a number of things of which each takes at least min bytes of what remains.
func (s *scanner) count(what string, min int) (int, error) {
	at := s.pos
	n, err := s.uint64(what)
	if err != nil {
		return 0, err
	}
	if n > uint64(s.remaining()/min) {
		return 0, s.malformed(at, "%s %d is more than the remaining %d bytes can hold", what, n, s.remaining())
	}
	return int(n), nil
}

// string reads a length and as many bytes.
func (s *scanner) string(what string) ([]byte, error) {
	n, err := s.uint64(what)
	if err != nil {
		return nil, err
	}
	return s.bytes(n, what)
}

// name reads a string that must be neither empty nor long, and copies it.
func (s *scanner) name(what string) (string, error) {
	at := s.pos
	b, err := s.string(what)
	switch {
	case err != nil:
		return "", err
	case len(b) == 0:
		return "", s.malformed(at, "empty %s", what)
	case len(b) > maxKeyBytes:
		return "", s.malformed(at, "%s of %d bytes, more than %d", what, len(b), maxKeyBytes)
	}
	return string(b), nil
}

// parseHeader reads the fixed header and the metadata.
func parseHeader(p Part) (*header, error) {
	h := &header{scanner: scanner{file: p.Name, data: p.Data}}
	m, err := h.bytes(uint64(len(magic)), "magic number")
	if err != nil {
		return nil, err
	}
	if string(m) != magic {
		return nil, h.malformed(0, "not a GGUF file: it begins with %q, not with %q", m, magic)
	}
	at := h.pos
	if h.version, err = h.uint32("version"); err != nil {
		return nil, err
	}
	switch v := h.version; {
	case v == 2 || v == 3:
	case v == 0:
		return nil, h.malformed(at, "GGUF version 0")
	case v&0xffff == 0: // a small number, read backwards
		return nil, h.errorf(format.ErrUnsupported, at, "big-endian GGUF files are not supported")
	default:
		return nil, h.errorf(format.ErrUnsupported, at, "GGUF version %d is not supported, only 2 and 3 are", v)
	}
	// The tensors are described after the metadata, but each will need its bytes, so the count is checked now.
	if h.nTensors, err = h.count("number of tensors", minTensorBytes); err != nil {
		return nil, err
	}
	nKeys, err := h.count("number of metadata keys", minKeyBytes)
	if err != nil {
		return nil, err
	}
	if err := h.parseKeys(nKeys); err != nil {
		return nil, err
	}
	return h, nil
}

// parseKeys reads and checks n keys with their values.
func (h *header) parseKeys(n int) error {
	h.meta = &Metadata{file: h.file, keyAt: map[string]int{}}
	// Nothing is allocated by the counts: remaining bytes include the tensor data, which may be huge.
	for range n {
		if err := h.parseKey(); err != nil {
			return err
		}
	}
	h.key = ""
	return nil
}

// parseKey reads and checks one key and its value.
func (h *header) parseKey() error {
	h.key = ""
	at := h.pos
	key, err := h.name("metadata key")
	if err != nil {
		return err
	}
	h.key = key
	if _, ok := h.meta.keyAt[key]; ok {
		return h.malformed(at, "duplicate key")
	}
	typ, err := h.valueType()
	if err != nil {
		return err
	}
	start := h.pos
	if err := h.checkValues(typ, 1, 0); err != nil {
		return err
	}
	v, _ := cutValue(h.data[start:h.pos], typ)
	h.meta.keyAt[key] = len(h.meta.keys)
	h.meta.keys = append(h.meta.keys, entry{key: key, value: v, at: h.base + int64(start)})
	return nil
}

func (h *header) valueType() (ValueType, error) {
	at := h.pos
	n, err := h.uint32("value type")
	if err != nil {
		return 0, err
	}
	t := ValueType(n)
	if !t.known() {
		return 0, h.errorf(format.ErrUnsupported, at, "unknown value type %d", n)
	}
	return t, nil
}

// checkValues moves past n values of type t, after checking that they are whole and right. The depth is the
// number of arrays around them.
func (h *header) checkValues(t ValueType, n, depth int) error {
	switch t {
	case String:
		for range n {
			if _, err := h.string("string"); err != nil {
				return err
			}
		}
	case Array:
		if depth == maxDepth {
			return h.errorf(format.ErrUnsupported, h.pos, "arrays nested more than %d deep", maxDepth)
		}
		for range n {
			elem, err := h.valueType()
			if err != nil {
				return err
			}
			count, err := h.count("array length", elem.size())
			if err != nil {
				return err
			}
			if err := h.checkValues(elem, count, depth+1); err != nil {
				return err
			}
		}
	default:
		at := h.pos
		b, err := h.bytes(uint64(n)*uint64(t.size()), "value")
		if err != nil {
			return err
		}
		if t == Bool {
			if i := slices.IndexFunc(b, func(x byte) bool { return x > 1 }); i >= 0 {
				return h.malformed(at+i, "bool is %d, not 0 or 1", b[i])
			}
		}
	}
	return nil
}

// uint returns a key's integer, or def if there is no such key.
func (h *header) uint(key string, def uint64) (uint64, error) {
	return Or(h.meta.Uint, key, def)
}

// keyError returns an ErrFormat about the value of a key that is there.
func (h *header) keyError(key, text string, args ...any) error {
	return h.meta.KeyError(key, fmt.Sprintf(text, args...))
}

// alignment returns the power of two that the tensors' offsets are multiples of.
func (h *header) alignment() (int64, error) {
	n, err := h.uint(alignmentKey, defaultAlignment)
	if err != nil {
		return 0, err
	}
	if n == 0 || n&(n-1) != 0 || n > math.MaxUint32 {
		return 0, h.keyError(alignmentKey, "alignment %d is not a power of two below 2^32", n)
	}
	return int64(n), nil
}

// parseTensors reads the tensor descriptions and checks that the tensors lie in the file, aligned and apart.
func (h *header) parseTensors() ([]format.Tensor, error) {
	align, err := h.alignment()
	if err != nil {
		return nil, err
	}
	var tensors []format.Tensor
	var at []int // where the descriptions are, for error messages
	seen := map[string]bool{}
	for range h.nTensors {
		h.tensor = ""
		at = append(at, h.pos)
		t, err := h.parseTensor(align)
		if err != nil {
			return nil, err
		}
		if seen[t.Name] {
			return nil, h.malformed(at[len(at)-1], "duplicate tensor name")
		}
		seen[t.Name] = true
		tensors = append(tensors, t)
	}
	// The offsets count from the first aligned byte after the descriptions.
	base := alignUp(int64(h.pos), align)
	fileSize := int64(len(h.data))
	for i := range tensors {
		t := &tensors[i]
		h.tensor = t.Name
		if t.Offset > math.MaxInt64-base {
			return nil, h.malformed(at[i], "offset %d overflows", t.Offset)
		}
		t.Offset += base
		if t.Offset > fileSize {
			return nil, h.malformed(at[i], "offset %d beyond file size %d", t.Offset, fileSize)
		}
		if t.Size > fileSize-t.Offset {
			return nil, h.malformed(at[i], "%d bytes at offset %d reach beyond file size %d", t.Size, t.Offset, fileSize)
		}
	}
	order := make([]int, len(tensors))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(tensors[a].Offset, tensors[b].Offset) })
	for i := 1; i < len(order); i++ {
		prev, t := tensors[order[i-1]], tensors[order[i]]
		if prev.Offset+prev.Size > t.Offset {
			h.tensor = t.Name
			return nil, h.malformed(at[order[i]], "offset %d overlaps tensor %q, which ends at %d", t.Offset, prev.Name, prev.Offset+prev.Size)
		}
	}
	return tensors, nil
}

// parseTensor reads one tensor description. The offset is still that of the file, not from the file's start.
func (h *header) parseTensor(align int64) (format.Tensor, error) {
	var t format.Tensor
	var err error
	if t.Name, err = h.name("tensor name"); err != nil {
		return t, err
	}
	h.tensor = t.Name
	at := h.pos
	dims, err := h.uint32("number of dimensions")
	if err != nil {
		return t, err
	}
	if dims < 1 || dims > maxDims {
		return t, h.malformed(at, "%d dimensions, want 1 to %d", dims, maxDims)
	}
	t.Shape = make([]int64, dims)
	for i := range t.Shape {
		at := h.pos
		d, err := h.uint64("dimension")
		if err != nil {
			return t, err
		}
		if d == 0 || d > math.MaxInt64 {
			return t, h.malformed(at, "dimension %d is %d", i, d)
		}
		t.Shape[i] = int64(d)
	}
	at = h.pos
	typ, err := h.uint32("tensor type")
	if err != nil {
		return t, err
	}
	t.Type = format.Type(typ)
	if t.Size, err = t.Type.Bytes(t.Shape); err != nil {
		e := err.(*format.Error)
		e.File, e.Tensor, e.Offset = h.file, t.Name, int64(at)
		return t, e
	}
	at = h.pos
	offset, err := h.uint64("offset")
	if err != nil {
		return t, err
	}
	if offset > math.MaxInt64 {
		return t, h.malformed(at, "offset %d overflows", offset)
	}
	t.Offset = int64(offset)
	if t.Offset%align != 0 {
		return t, h.malformed(at, "offset %d is not a multiple of the alignment %d", offset, align)
	}
	return t, nil
}
