package safetensors

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"unicode/utf8"

	"github.com/cortexsdr/cortex/format"
)

const (
	lengthBytes = 8         // a little-endian number before the header: its length
	maxHeader   = 100000000 // bytes of a header, the specification's bound
	maxDims     = 64        // far beyond any tensor's; it only bounds what error messages show
)

// dtypes gives each type the bits of a value and its name in package format, if it has one.
var dtypes = map[string]struct {
	bits uint64
	typ  format.Type
	ok   bool
}{
	"F32":  {32, format.F32, true},
	"F16":  {16, format.F16, true},
	"BF16": {16, format.BF16, true},

	"F64": {bits: 64}, "C64": {bits: 64},
	"I64": {bits: 64}, "I32": {bits: 32}, "I16": {bits: 16}, "I8": {bits: 8},
	"U64": {bits: 64}, "U32": {bits: 32}, "U16": {bits: 16}, "U8": {bits: 8}, "BOOL": {bits: 8},
	"F8_E4M3": {bits: 8}, "F8_E5M2": {bits: 8}, "F8_E8M0": {bits: 8},
	"F6_E2M3": {bits: 6}, "F6_E3M2": {bits: 6}, "F4": {bits: 4},
}

// Part is one file: a whole model, or one of the files that it is split over.
type Part struct {
	Name string      // for error messages
	Data io.ReaderAt // all its bytes
	Size int64       // how many there are
}

// Tensor is a tensor as a file describes it.
type Tensor struct {
	Name   string
	DType  string  // the name of its element type, such as "BF16"
	Shape  []int64 // the file's order: the last one is the length of the contiguous rows; none for a single value
	Part   int     // which of the files it is in
	Offset int64   // first byte, from the start of that file
	Size   int64   // bytes
}

// File is a checked model: one file, or several seen as one. It may be used from many goroutines.
type File struct {
	Tensors  []Tensor          // part after part, each in the order of its data
	Metadata map[string]string // the free texts of __metadata__; where several parts have a key, those of the first

	parts   []Part
	tensors map[string]int // index in Tensors
}

// Parse reads and checks the headers of all files of a model.
func Parse(parts ...Part) (*File, error) {
	if len(parts) == 0 {
		return nil, &format.Error{Detail: "no file given", Err: format.ErrMissing}
	}
	f := &File{Metadata: map[string]string{}, parts: slices.Clone(parts), tensors: map[string]int{}}
	for i, p := range parts {
		h, err := readHeader(p)
		if err != nil {
			return nil, err
		}
		for _, t := range h.tensors {
			if j, ok := f.tensors[t.Name]; ok {
				return nil, &format.Error{File: p.Name, Tensor: t.Name, Offset: t.Offset, Err: format.ErrFormat,
					Detail: fmt.Sprintf("is in %s too", parts[f.Tensors[j].Part].Name)}
			}
			t.Part = i
			f.tensors[t.Name] = len(f.Tensors)
			f.Tensors = append(f.Tensors, t)
		}
		for key, text := range h.metadata {
			if _, ok := f.Metadata[key]; !ok {
				f.Metadata[key] = text
			}
		}
	}
	return f, nil
}

// Tensor returns the tensor of that name.
func (f *File) Tensor(name string) (Tensor, bool) {
	i, ok := f.tensors[name]
	if !ok {
		return Tensor{}, false
	}
	return f.Tensors[i], true
}

// Describe returns one of the file's tensors in the terms of package format, with the dimensions in ggml's order. A single value gets the
// shape [1]. The error wraps format.ErrUnsupported if format knows no such type, and format.ErrFormat if the tensor is empty.
func (f *File) Describe(t Tensor) (format.Tensor, error) {
	d, ok := dtypes[t.DType]
	if !ok || !d.ok {
		return format.Tensor{}, f.TensorError(t, format.ErrUnsupported, fmt.Sprintf("element type %q", t.DType))
	}
	shape := slices.Clone(t.Shape)
	slices.Reverse(shape)
	if len(shape) == 0 {
		shape = []int64{1}
	}
	if t.Size == 0 {
		return format.Tensor{}, f.TensorError(t, format.ErrFormat, fmt.Sprintf("shape %v has no values", t.Shape))
	}
	return format.Tensor{Name: t.Name, Type: d.typ, Shape: shape, Part: t.Part, Offset: t.Offset, Size: t.Size}, nil
}

// TensorError returns an error of the given kind about one of the file's tensors, for callers that find more than the format's rules
// broken.
func (f *File) TensorError(t Tensor, kind error, detail string) error {
	return &format.Error{File: f.parts[t.Part].Name, Tensor: t.Name, Offset: t.Offset, Detail: detail, Err: kind}
}

// ReadAt reads len(dst) bytes of one of the file's tensors, beginning with its byte off.
func (f *File) ReadAt(t Tensor, dst []byte, off int64) error {
	p := f.parts[t.Part]
	if off < 0 || off > t.Size || int64(len(dst)) > t.Size-off {
		panic(fmt.Sprintf("safetensors: %d bytes at %d of tensor %s, which has %d", len(dst), off, t.Name, t.Size))
	}
	if n, err := p.Data.ReadAt(dst, t.Offset+off); n < len(dst) {
		if err == io.EOF {
			err = fmt.Errorf("%w: the file ends", format.ErrFormat)
		}
		return &format.Error{File: p.Name, Tensor: t.Name, Offset: t.Offset + off + int64(n), Detail: "cannot be read: " + err.Error(), Err: err}
	}
	return nil
}

// header is what one file says of itself.
type header struct {
	tensors  []Tensor
	metadata map[string]string
}

// readHeader reads and checks the header of one file.
func readHeader(p Part) (*header, error) {
	malformed := func(at int64, text string, args ...any) error {
		return &format.Error{File: p.Name, Offset: at, Detail: fmt.Sprintf(text, args...), Err: format.ErrFormat}
	}
	read := func(dst []byte, at int64) error {
		if n, err := p.Data.ReadAt(dst, at); n < len(dst) {
			return &format.Error{File: p.Name, Offset: at + int64(n), Detail: "the header cannot be read: " + err.Error(), Err: err}
		}
		return nil
	}
	if p.Size < lengthBytes {
		return nil, malformed(0, "%d bytes are too few for a safetensors file", p.Size)
	}
	var length [lengthBytes]byte
	if err := read(length[:], 0); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader {
		return nil, malformed(0, "not a safetensors file: its header would have %d bytes, at most %d are allowed", n, maxHeader)
	}
	if n > uint64(p.Size-lengthBytes) {
		return nil, malformed(0, "the header has %d bytes, %d remain", n, p.Size-lengthBytes)
	}
	text := make([]byte, n)
	if err := read(text, lengthBytes); err != nil {
		return nil, err
	}
	if len(text) == 0 || text[0] != '{' {
		return nil, malformed(lengthBytes, "not a safetensors file: its header is no JSON object")
	}
	if !utf8.Valid(text) {
		return nil, malformed(lengthBytes, "the header is not valid UTF-8")
	}
	s := scanner{file: p.Name, base: lengthBytes}
	h, err := s.header(text)
	if err != nil {
		return nil, err
	}
	base := lengthBytes + int64(n)
	if err := h.place(p, base); err != nil {
		return nil, err
	}
	return h, nil
}

// place checks that the tensors cover the data of the file, which begins at base, exactly, and makes their offsets those from the
// beginning of the file. They are put into the order of the data.
func (h *header) place(p Part, base int64) error {
	slices.SortStableFunc(h.tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Size, b.Size))
	})
	data, end := p.Size-base, int64(0)
	for i := range h.tensors {
		t := &h.tensors[i]
		detail := ""
		switch {
		case t.Offset > data || t.Size > data-t.Offset:
			detail = fmt.Sprintf("%d bytes at offset %d reach beyond the %d bytes of data", t.Size, t.Offset, data)
		case t.Offset < end:
			detail = fmt.Sprintf("offset %d overlaps tensor %q, which ends at %d", t.Offset, h.tensors[i-1].Name, end)
		case t.Offset > end:
			detail = fmt.Sprintf("%d bytes before offset %d belong to no tensor", t.Offset-end, t.Offset)
		}
		if detail != "" {
			return &format.Error{File: p.Name, Tensor: t.Name, Offset: base + min(t.Offset, data), Detail: detail, Err: format.ErrFormat}
		}
		end = t.Offset + t.Size
		t.Offset += base
	}
	if end != data {
		return &format.Error{File: p.Name, Offset: base + end, Err: format.ErrFormat,
			Detail: fmt.Sprintf("the last %d bytes belong to no tensor", data-end)}
	}
	return nil
}

// sizeOf returns the bytes that a tensor takes; ok is false if they pass int64 or are no whole number.
func sizeOf(shape []int64, bitsPerValue uint64) (size int64, ok bool) {
	n := bitsPerValue
	for _, d := range shape {
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 {
			// A later dimension may be 0, and the tensor empty: only then is this no fault.
			return 0, slices.Contains(shape, 0)
		}
		n = lo
	}
	if n%8 != 0 || n/8 > math.MaxInt64 {
		return 0, false
	}
	return int64(n / 8), true
}
