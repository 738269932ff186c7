package gguf

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/internal/scan"
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
	scan.Reader // stands at the first tensor description after parseHeader
	version     uint32
	nTensors    int
	meta        *Metadata
}

// parseHeader reads the fixed header and the metadata.
func parseHeader(p Part) (*header, error) {
	h := &header{Reader: scan.Reader{File: p.Name, Data: p.Data}}
	m, err := h.Bytes(uint64(len(magic)), "magic number")
	if err != nil {
		return nil, err
	}
	if string(m) != magic {
		return nil, h.Malformed(0, "not a GGUF file: it begins with %q, not with %q", m, magic)
	}
	at := h.Pos
	if h.version, err = h.Uint32("version"); err != nil {
		return nil, err
	}
	switch v := h.version; {
	case v == 2 || v == 3:
	case v == 0:
		return nil, h.Malformed(at, "GGUF version 0")
	case v&0xffff == 0: // a small number, read backwards
		return nil, h.Errorf(format.ErrUnsupported, at, "big-endian GGUF files are not supported")
	default:
		return nil, h.Errorf(format.ErrUnsupported, at, "GGUF version %d is not supported, only 2 and 3 are", v)
	}
	// The tensors are described after the metadata, but each will need its bytes, so the count is checked now.
	if h.nTensors, err = h.Count("number of tensors", minTensorBytes); err != nil {
		return nil, err
	}
	nKeys, err := h.Count("number of metadata keys", minKeyBytes)
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
	h.meta = &Metadata{file: h.File, keyAt: map[string]int{}}
	// Nothing is allocated by the counts: remaining bytes include the tensor data, which may be huge.
	for range n {
		if err := h.parseKey(); err != nil {
			return err
		}
	}
	h.Key = ""
	return nil
}

// parseKey reads and checks one key and its value.
func (h *header) parseKey() error {
	h.Key = ""
	at := h.Pos
	key, err := h.Name("metadata key", maxKeyBytes)
	if err != nil {
		return err
	}
	h.Key = key
	if _, ok := h.meta.keyAt[key]; ok {
		return h.Malformed(at, "duplicate key")
	}
	typ, err := h.valueType()
	if err != nil {
		return err
	}
	start := h.Pos
	if err := h.checkValues(typ, 1, 0); err != nil {
		return err
	}
	v, _ := cutValue(h.Data[start:h.Pos], typ)
	h.meta.keyAt[key] = len(h.meta.keys)
	h.meta.keys = append(h.meta.keys, entry{key: key, value: v, at: h.Base + int64(start)})
	return nil
}

func (h *header) valueType() (ValueType, error) {
	at := h.Pos
	n, err := h.Uint32("value type")
	if err != nil {
		return 0, err
	}
	t := ValueType(n)
	if !t.known() {
		return 0, h.Errorf(format.ErrUnsupported, at, "unknown value type %d", n)
	}
	return t, nil
}

// checkValues moves past n values of type t, after checking that they are whole and right. The depth is the
// number of arrays around them.
func (h *header) checkValues(t ValueType, n, depth int) error {
	switch t {
	case String:
		for range n {
			if _, err := h.Text("string"); err != nil {
				return err
			}
		}
	case Array:
		if depth == maxDepth {
			return h.Errorf(format.ErrUnsupported, h.Pos, "arrays nested more than %d deep", maxDepth)
		}
		for range n {
			elem, err := h.valueType()
			if err != nil {
				return err
			}
			count, err := h.Count("array length", elem.size())
			if err != nil {
				return err
			}
			if err := h.checkValues(elem, count, depth+1); err != nil {
				return err
			}
		}
	default:
		at := h.Pos
		b, err := h.Bytes(uint64(n)*uint64(t.size()), "value")
		if err != nil {
			return err
		}
		if t == Bool {
			if i := slices.IndexFunc(b, func(x byte) bool { return x > 1 }); i >= 0 {
				return h.Malformed(at+i, "bool is %d, not 0 or 1", b[i])
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
		h.Tensor = ""
		at = append(at, h.Pos)
		t, err := h.parseTensor(align)
		if err != nil {
			return nil, err
		}
		if seen[t.Name] {
			return nil, h.Malformed(at[len(at)-1], "duplicate tensor name")
		}
		seen[t.Name] = true
		tensors = append(tensors, t)
	}
	// The offsets count from the first aligned byte after the descriptions.
	base := alignUp(int64(h.Pos), align)
	fileSize := int64(len(h.Data))
	for i := range tensors {
		t := &tensors[i]
		h.Tensor = t.Name
		if t.Offset > math.MaxInt64-base {
			return nil, h.Malformed(at[i], "offset %d overflows", t.Offset)
		}
		t.Offset += base
		if t.Offset > fileSize {
			return nil, h.Malformed(at[i], "offset %d beyond file size %d", t.Offset, fileSize)
		}
		if t.Size > fileSize-t.Offset {
			return nil, h.Malformed(at[i], "%d bytes at offset %d reach beyond file size %d", t.Size, t.Offset, fileSize)
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
			h.Tensor = t.Name
			return nil, h.Malformed(at[order[i]], "offset %d overlaps tensor %q, which ends at %d", t.Offset, prev.Name, prev.Offset+prev.Size)
		}
	}
	return tensors, nil
}

// parseTensor reads one tensor description. The offset is still that of the file, not from the file's start.
func (h *header) parseTensor(align int64) (format.Tensor, error) {
	var t format.Tensor
	var err error
	if t.Name, err = h.Name("tensor name", maxKeyBytes); err != nil {
		return t, err
	}
	h.Tensor = t.Name
	at := h.Pos
	dims, err := h.Uint32("number of dimensions")
	if err != nil {
		return t, err
	}
	if dims < 1 || dims > maxDims {
		return t, h.Malformed(at, "%d dimensions, want 1 to %d", dims, maxDims)
	}
	t.Shape = make([]int64, dims)
	for i := range t.Shape {
		at := h.Pos
		d, err := h.Uint64("dimension")
		if err != nil {
			return t, err
		}
		if d == 0 || d > math.MaxInt64 {
			return t, h.Malformed(at, "dimension %d is %d", i, d)
		}
		t.Shape[i] = int64(d)
	}
	at = h.Pos
	typ, err := h.Uint32("tensor type")
	if err != nil {
		return t, err
	}
	t.Type = format.Type(typ)
	if t.Size, err = t.Type.Bytes(t.Shape); err != nil {
		e := err.(*format.Error)
		e.File, e.Tensor, e.Offset = h.File, t.Name, int64(at)
		return t, e
	}
	at = h.Pos
	offset, err := h.Uint64("offset")
	if err != nil {
		return t, err
	}
	if offset > math.MaxInt64 {
		return t, h.Malformed(at, "offset %d overflows", offset)
	}
	t.Offset = int64(offset)
	if t.Offset%align != 0 {
		return t, h.Malformed(at, "offset %d is not a multiple of the alignment %d", offset, align)
	}
	return t, nil
}
