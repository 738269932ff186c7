package gguf

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cortexsdr/cortex/format"
)

// Part is one file: a whole model, or a part of a split one. Nothing of Data is copied or changed.
type Part struct {
	Name string // for error messages, and for finding the other parts
	Data []byte // all its bytes
}

// File is a checked GGUF file, or all parts of a split one seen as one. It may be used from many goroutines.
type File struct {
	Version uint32          // of the GGUF format
	Tensors []format.Tensor // in the order of the file; part after part

	parts   []Part
	keys    []entry        // metadata, of the first part
	keyAt   map[string]int // index in keys
	tensors map[string]int // index in Tensors
}

// entry is a key of the metadata with its value and the byte where the value begins.
type entry struct {
	key   string
	value Value
	at    int
}

// Tensor returns the tensor of that name.
func (f *File) Tensor(name string) (format.Tensor, bool) {
	i, ok := f.tensors[name]
	if !ok {
		return format.Tensor{}, false
	}
	return f.Tensors[i], true
}

// Data returns the bytes of one of the file's tensors.
func (f *File) Data(t format.Tensor) []byte {
	end := t.Offset + t.Size
	return f.parts[t.Part].Data[t.Offset:end:end]
}

// Keys returns the metadata keys in the order of the file; of a split file, those of the first part.
func (f *File) Keys() []string {
	keys := make([]string, len(f.keys))
	for i, e := range f.keys {
		keys[i] = e.key
	}
	return keys
}

// Get returns the metadata value of a key.
func (f *File) Get(key string) (Value, bool) {
	i, ok := f.keyAt[key]
	if !ok {
		return Value{}, false
	}
	return f.keys[i].value, true
}

// Uint returns the value of a key that holds a non-negative integer, of whatever width.
//
// This and the other getters fail with a *format.Error: it wraps format.ErrMissing if the key is not there
// (see [Or] for keys that may be absent), and format.ErrFormat if its value is of another type.
func (f *File) Uint(key string) (uint64, error) {
	return get(f, key, "an unsigned integer", Value.Uint)
}

// Int returns the value of a key that holds an integer, of whatever width.
func (f *File) Int(key string) (int64, error) { return get(f, key, "an integer", Value.Int) }

// Float returns the value of a key that holds a floating-point number.
func (f *File) Float(key string) (float64, error) { return get(f, key, "a float", Value.Float) }

// Bool returns the value of a key that holds a truth value.
func (f *File) Bool(key string) (bool, error) { return get(f, key, "a bool", Value.Bool) }

// String returns a copy of the value of a key that holds a string.
func (f *File) String(key string) (string, error) { return get(f, key, "a string", Value.Text) }

// Ints returns the value of a key that holds an array of integers, or one integer.
func (f *File) Ints(key string) ([]int64, error) {
	return get(f, key, "a list of integers", Value.Ints)
}

// Floats returns the value of a key that holds an array of floating-point numbers, or one.
func (f *File) Floats(key string) ([]float64, error) {
	return get(f, key, "a list of floats", Value.Floats)
}

// Bools returns the value of a key that holds an array of truth values, or one.
func (f *File) Bools(key string) ([]bool, error) { return get(f, key, "a list of bools", Value.Bools) }

// Strings returns copies of the value of a key that holds an array of strings, or one string.
func (f *File) Strings(key string) ([]string, error) {
	return get(f, key, "a list of strings", Value.Strings)
}

// Or is for keys that may be absent: it returns get(key), one of a File's getters, or def if there is no such
// key. A value of the wrong type is still an error.
//
//	heads, err := gguf.Or(f.Uint, "llama.attention.head_count_kv", 32)
func Or[T any](get func(key string) (T, error), key string, def T) (T, error) {
	v, err := get(key)
	if errors.Is(err, format.ErrMissing) {
		return def, nil
	}
	return v, err
}

func get[T any](f *File, key, want string, as func(Value) (T, bool)) (T, error) {
	var none T
	v, ok := f.Get(key)
	if !ok {
		return none, &format.Error{File: f.parts[0].Name, Key: key, Detail: "missing", Err: format.ErrMissing}
	}
	x, ok := as(v)
	if !ok {
		return none, f.KeyError(key, fmt.Sprintf("%s %v is not %s", v.typeName(), v, want))
	}
	return x, nil
}

// KeyError returns an error that wraps format.ErrFormat and says what is wrong with the value of a key, for
// callers that find more than the format's rules broken.
func (f *File) KeyError(key, detail string) error {
	e := &format.Error{File: f.parts[0].Name, Key: key, Detail: detail, Err: format.ErrFormat}
	if i, ok := f.keyAt[key]; ok {
		e.Offset = int64(f.keys[i].at)
	}
	return e
}

// TensorError is KeyError for a tensor. A tensor that is not in the file is named without an offset, and the
// error then wraps format.ErrMissing.
func (f *File) TensorError(name, detail string) error {
	t, ok := f.Tensor(name)
	if !ok {
		return &format.Error{File: f.parts[0].Name, Tensor: name, Detail: detail, Err: format.ErrMissing}
	}
	return &format.Error{File: f.parts[t.Part].Name, Tensor: name, Offset: t.Offset, Detail: detail, Err: format.ErrFormat}
}

// Parse checks a GGUF file, or all parts of a split one in their order, and describes it. It looks at every
// byte of the headers and at none of the tensor data.
func Parse(parts ...Part) (*File, error) {
	if len(parts) == 0 {
		return nil, &format.Error{Detail: "no file given", Err: format.ErrMissing}
	}
	f := &File{parts: slices.Clone(parts), tensors: map[string]int{}}
	headers := make([]*header, len(parts))
	for i, p := range parts {
		h, err := parseHeader(p)
		if err != nil {
			return nil, err
		}
		headers[i] = h
	}
	if err := checkSplit(headers); err != nil {
		return nil, err
	}
	f.Version, f.keys, f.keyAt = headers[0].version, headers[0].keys, headers[0].keyAt
	for i, h := range headers {
		tensors, err := h.parseTensors()
		if err != nil {
			return nil, err
		}
		for _, t := range tensors {
			if j, ok := f.tensors[t.Name]; ok {
				return nil, &format.Error{File: h.file, Tensor: t.Name, Offset: t.Offset, Err: format.ErrFormat,
					Detail: fmt.Sprintf("is in %s too", parts[f.Tensors[j].Part].Name)}
			}
			t.Part = i
			f.tensors[t.Name] = len(f.Tensors)
			f.Tensors = append(f.Tensors, t)
		}
	}
	for _, h := range headers {
		if err := h.checkTensorTotal(len(f.Tensors)); err != nil {
			return nil, err
		}
	}
	return f, nil
}
