package gguf

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"reflect"

	"github.com/cortexsdr/cortex/format"
)

const alignmentKey = "general.alignment"

// maxTensorName is the longest tensor name that llama.cpp loads: it keeps names in 64 bytes with a final zero.
const maxTensorName = 63

// KV is a metadata key with its value, which is one of
//   - a bool, string, or sized integer or float (an int is refused: its width would be a guess),
//   - a slice of these, or of slices,
//   - a [Value] of a parsed file.
type KV struct {
	Key   string
	Value any
}

// Writer writes a GGUF file of version 3, front to back: the header when it is made, then the bytes of the
// tensors as they come. It holds no tensor data, and it must be closed.
type Writer struct {
	w       io.Writer
	tensors []format.Tensor
	next    int   // index of the tensor that takes the next byte
	pos     int64 // bytes written so far
	align   int64
	err     error // the first one; the file is spoiled after it
}

// NewWriter writes the header of a file with the given metadata and tensors to w. Of the tensors, name, type
// and shape count; their places are computed, in the order given, aligned to the key general.alignment (a
// uint32) if there is one, or else to 32 bytes. What cannot be written is a *format.Error that names the key or
// the tensor, and w is then untouched; an error of w is returned as it is.
func NewWriter(w io.Writer, meta []KV, tensors []format.Tensor) (*Writer, error) {
	header := []byte(magic)
	header = binary.LittleEndian.AppendUint32(header, 3)
	header = binary.LittleEndian.AppendUint64(header, uint64(len(tensors)))
	header = binary.LittleEndian.AppendUint64(header, uint64(len(meta)))

	align := int64(defaultAlignment)
	var err error
	header, err = appendKeys(header, meta, func(key string, v Value) error {
		if key != alignmentKey {
			return nil
		}
		n, _ := v.Uint()
		if v.Type() != Uint32 || n == 0 || n&(n-1) != 0 {
			return fmt.Errorf("%v %v is not a uint32 power of two", v.Type(), v)
		}
		align = int64(n)
		return nil
	})
	if err != nil {
		return nil, err
	}

	placed := make([]format.Tensor, len(tensors))
	names := make(map[string]bool, len(tensors))
	var size int64 // of the tensor data so far, padded
	for i, t := range tensors {
		if err := checkName(t.Name, maxTensorName, names); err != nil {
			return nil, &format.Error{Tensor: t.Name, Detail: "name " + err.Error(), Err: format.ErrFormat}
		}
		if len(t.Shape) > maxDims {
			return nil, &format.Error{Tensor: t.Name, Err: format.ErrFormat,
				Detail: fmt.Sprintf("%d dimensions, at most %d can be written", len(t.Shape), maxDims)}
		}
		bytes, err := t.Type.Bytes(t.Shape)
		if err != nil {
			e := err.(*format.Error)
			e.Tensor = t.Name
			return nil, e
		}
		// The header comes before the data, so leave it room below the largest offset.
		if bytes > math.MaxInt64/2-size {
			return nil, &format.Error{Tensor: t.Name, Detail: "the file would be too large", Err: format.ErrFormat}
		}
		header = appendString(header, t.Name)
		header = binary.LittleEndian.AppendUint32(header, uint32(len(t.Shape)))
		for _, d := range t.Shape {
			header = binary.LittleEndian.AppendUint64(header, uint64(d))
		}
		header = binary.LittleEndian.AppendUint32(header, uint32(t.Type))
		header = binary.LittleEndian.AppendUint64(header, uint64(size))
		placed[i] = format.Tensor{Name: t.Name, Type: t.Type, Shape: t.Shape, Offset: size, Size: bytes}
		size = alignUp(size+bytes, align)
	}
	base := alignUp(int64(len(header)), align)
	for i := range placed {
		placed[i].Offset += base
	}

	gw := &Writer{w: w, tensors: placed, align: align}
	gw.write(header)
	gw.pad()
	return gw, gw.err
}

// AppendMetadata appends keys and values in GGUF's encoding, a 64-bit number of them in front: what [ParseMetadata]
// reads. A key or value that cannot be written is a *format.Error that names the key.
func AppendMetadata(b []byte, meta []KV) ([]byte, error) {
	b = binary.LittleEndian.AppendUint64(b, uint64(len(meta)))
	return appendKeys(b, meta, func(string, Value) error { return nil })
}

// appendKeys appends keys with their values, after check has approved each.
func appendKeys(b []byte, meta []KV, check func(key string, v Value) error) ([]byte, error) {
	seen := make(map[string]bool, len(meta))
	for _, kv := range meta {
		if err := checkName(kv.Key, maxKeyBytes, seen); err != nil {
			return nil, &format.Error{Key: kv.Key, Detail: "key " + err.Error(), Err: format.ErrFormat}
		}
		b = appendString(b, kv.Key)
		start := len(b)
		var err error
		if b, err = appendValue(b, kv.Value); err == nil {
			v, _ := cutValue(b[start+4:], ValueType(binary.LittleEndian.Uint32(b[start:])))
			err = check(kv.Key, v)
		}
		if err != nil {
			return nil, &format.Error{Key: kv.Key, Detail: err.Error(), Err: format.ErrFormat}
		}
	}
	return b, nil
}

// Tensors returns the tensors with the places that they have in the file.
func (w *Writer) Tensors() []format.Tensor { return w.tensors }

// Size returns the number of bytes of the whole file.
func (w *Writer) Size() int64 {
	if len(w.tensors) == 0 {
		return w.pos
	}
	last := w.tensors[len(w.tensors)-1]
	return alignUp(last.Offset+last.Size, w.align)
}

// Write appends tensor data. A call may bring part of a tensor or several tensors; the padding between them is
// added by the Writer.
func (w *Writer) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 && w.err == nil {
		if w.next == len(w.tensors) {
			w.err = &format.Error{Offset: w.pos, Detail: "more data than the tensors have room for", Err: format.ErrFormat}
			break
		}
		t := w.tensors[w.next]
		end := t.Offset + t.Size
		n := w.write(p[:min(int64(len(p)), end-w.pos)])
		p = p[n:]
		if w.pos == end {
			w.next++
			w.pad()
		}
	}
	return total - len(p), w.err
}

// Close checks that all tensors were written whole. It does not close the writer underneath.
func (w *Writer) Close() error {
	if w.err == nil && w.next < len(w.tensors) {
		t := w.tensors[w.next]
		w.err = &format.Error{Tensor: t.Name, Offset: w.pos, Err: format.ErrFormat,
			Detail: fmt.Sprintf("closed after %d of its %d bytes", w.pos-t.Offset, t.Size)}
	}
	return w.err
}

// pad writes zeros up to the next aligned place.
func (w *Writer) pad() {
	var zeros [512]byte
	for n := alignUp(w.pos, w.align) - w.pos; n > 0 && w.err == nil; {
		n -= int64(w.write(zeros[:min(n, int64(len(zeros)))]))
	}
}

// write passes p on and returns how much of it was taken.
func (w *Writer) write(p []byte) int {
	if w.err != nil {
		return 0
	}
	n, err := w.w.Write(p)
	w.pos += int64(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	w.err = err
	return n
}

// SplitKeys returns the metadata that marks part no, counted from 0, of a model of so many parts, which have
// so many tensors together. Only the first part holds the model's own metadata too.
func SplitKeys(no, parts, tensors int) []KV {
	return []KV{
		{splitNoKey, uint16(no)},
		{splitCountKey, uint16(parts)},
		{splitTensorsKey, int32(tensors)},
	}
}

// SplitName returns the file name of part no, counted from 0: "model-00001-of-00009.gguf" for the prefix "model".
func SplitName(prefix string, no, parts int) string { return prefix + partSuffix(no, parts) }

// checkName checks that a name is neither empty, nor too long, nor among those seen, which it joins.
func checkName(name string, most int, seen map[string]bool) error {
	switch {
	case name == "":
		return fmt.Errorf("is empty")
	case len(name) > most:
		return fmt.Errorf("has %d bytes, at most %d can be written", len(name), most)
	case seen[name]:
		return fmt.Errorf("is given twice")
	}
	seen[name] = true
	return nil
}

func alignUp(n, align int64) int64 { return (n + align - 1) &^ (align - 1) }

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

// appendValue appends the type of a value and the value.
func appendValue(b []byte, value any) ([]byte, error) {
	if v, ok := value.(Value); ok {
		if len(v.data) == 0 && v.typ != String && v.typ != Array {
			return nil, fmt.Errorf("has no value") // the zero Value
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(v.typ))
		switch v.typ {
		case String:
			b = binary.LittleEndian.AppendUint64(b, uint64(len(v.data)))
		case Array:
			b = binary.LittleEndian.AppendUint32(b, uint32(v.elem))
			b = binary.LittleEndian.AppendUint64(b, uint64(v.n))
		}
		return append(b, v.data...), nil
	}
	v := reflect.ValueOf(value)
	if !v.IsValid() {
		return nil, fmt.Errorf("has no value")
	}
	t, ok := valueTypeOf(v.Type(), 0)
	if !ok {
		return nil, fmt.Errorf("GGUF has no type for a Go value of type %T", value)
	}
	return appendBody(binary.LittleEndian.AppendUint32(b, uint32(t)), v), nil
}

// kinds gives the value type of each kind of Go value that is not a slice.
var kinds = map[reflect.Kind]ValueType{
	reflect.Uint8: Uint8, reflect.Int8: Int8, reflect.Uint16: Uint16, reflect.Int16: Int16,
	reflect.Uint32: Uint32, reflect.Int32: Int32, reflect.Uint64: Uint64, reflect.Int64: Int64,
	reflect.Float32: Float32, reflect.Float64: Float64, reflect.Bool: Bool, reflect.String: String,
}

// valueTypeOf returns the value type for a Go type. A slice must be able to hold GGUF values all the way down,
// and within the depth that Parse reads.
func valueTypeOf(t reflect.Type, depth int) (ValueType, bool) {
	if t.Kind() == reflect.Slice {
		if depth == maxDepth { // also ends the walk through a type such as "type T []T"
			return 0, false
		}
		_, ok := valueTypeOf(t.Elem(), depth+1)
		return Array, ok
	}
	v, ok := kinds[t.Kind()]
	return v, ok
}

// appendBody appends a value without its type, which valueTypeOf has approved.
func appendBody(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.String:
		return appendString(b, v.String())
	case reflect.Slice:
		elem, _ := valueTypeOf(v.Type().Elem(), 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(elem))
		b = binary.LittleEndian.AppendUint64(b, uint64(v.Len()))
		for i := range v.Len() {
			b = appendBody(b, v.Index(i))
		}
		return b
	}
	b, err := binary.Append(b, binary.LittleEndian, v.Interface())
	if err != nil {
		panic(err) // every kind in the table has a fixed size
	}
	return b
}
