package gguf

import (
	"errors"
	"fmt"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/internal/scan"
)

// Metadata is the keys of a file with their values, all checked. It may be used from many goroutines.
type Metadata struct {
	file  string
	keys  []entry
	keyAt map[string]int // index in keys
}

// entry is a key of the metadata with its value and the byte where the value begins.
type entry struct {
	key   string
	value Value
	at    int64
}

// ParseMetadata checks keys and values in GGUF's encoding, a 64-bit number of them in front, that fill data to its
// end: a section of another format that carries them over. In errors, data is a piece of the file from the byte at on.
// The values are views of data.
func ParseMetadata(file string, data []byte, at int64) (*Metadata, error) {
	h := &header{Reader: scan.Reader{File: file, Data: data, Base: at}}
	n, err := h.Count("number of metadata keys", minKeyBytes)
	if err != nil {
		return nil, err
	}
	if err := h.parseKeys(n); err != nil {
		return nil, err
	}
	if h.Remaining() > 0 {
		return nil, h.Malformed(h.Pos, "%d bytes after the last of %d metadata keys", h.Remaining(), n)
	}
	return h.meta, nil
}

// Keys returns the keys in the order of the file.
func (m *Metadata) Keys() []string {
	keys := make([]string, len(m.keys))
	for i, e := range m.keys {
		keys[i] = e.key
	}
	return keys
}

// Get returns the metadata value of a key.
func (m *Metadata) Get(key string) (Value, bool) {
	i, ok := m.keyAt[key]
	if !ok {
		return Value{}, false
	}
	return m.keys[i].value, true
}

// Uint returns the value of a key that holds a non-negative integer, of whatever width.
//
// This and the other getters fail with a *format.Error: it wraps format.ErrMissing if the key is not there
// (see [Or] for keys that may be absent), and format.ErrFormat if its value is of another type.
func (m *Metadata) Uint(key string) (uint64, error) {
	return get(m, key, "an unsigned integer", Value.Uint)
}

// Int returns the value of a key that holds an integer, of whatever width.
func (m *Metadata) Int(key string) (int64, error) { return get(m, key, "an integer", Value.Int) }

// Float returns the value of a key that holds a floating-point number.
func (m *Metadata) Float(key string) (float64, error) { return get(m, key, "a float", Value.Float) }

// Bool returns the value of a key that holds a truth value.
func (m *Metadata) Bool(key string) (bool, error) { return get(m, key, "a bool", Value.Bool) }

// String returns a copy of the value of a key that holds a string.
func (m *Metadata) String(key string) (string, error) { return get(m, key, "a string", Value.Text) }

// Ints returns the value of a key that holds an array of integers, or one integer.
func (m *Metadata) Ints(key string) ([]int64, error) {
	return get(m, key, "a list of integers", Value.Ints)
}

// Floats returns the value of a key that holds an array of floating-point numbers, or one.
func (m *Metadata) Floats(key string) ([]float64, error) {
	return get(m, key, "a list of floats", Value.Floats)
}

// Bools returns the value of a key that holds an array of truth values, or one.
func (m *Metadata) Bools(key string) ([]bool, error) {
	return get(m, key, "a list of bools", Value.Bools)
}

// Strings returns copies of the value of a key that holds an array of strings, or one string.
func (m *Metadata) Strings(key string) ([]string, error) {
	return get(m, key, "a list of strings", Value.Strings)
}

// Or is for keys that may be absent: it returns get(key), one of a Metadata's getters, or def if there is no such
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

func get[T any](m *Metadata, key, want string, as func(Value) (T, bool)) (T, error) {
	var none T
	v, ok := m.Get(key)
	if !ok {
		return none, &format.Error{File: m.file, Key: key, Detail: "missing", Err: format.ErrMissing}
	}
	x, ok := as(v)
	if !ok {
		return none, m.KeyError(key, fmt.Sprintf("%s %v is not %s", v.typeName(), v, want))
	}
	return x, nil
}

// KeyError returns an error that wraps format.ErrFormat and says what is wrong with the value of a key, for
// callers that find more than the format's rules broken.
func (m *Metadata) KeyError(key, detail string) error {
	e := &format.Error{File: m.file, Key: key, Detail: detail, Err: format.ErrFormat}
	if i, ok := m.keyAt[key]; ok {
		e.Offset = m.keys[i].at
	}
	return e
}

// KVs returns all keys with their values, for a Writer.
func (m *Metadata) KVs() []KV {
	kvs := make([]KV, len(m.keys))
	for i, e := range m.keys {
		kvs[i] = KV{e.key, e.value}
	}
	return kvs
}
