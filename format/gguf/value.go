package gguf

import (
	"encoding/binary"
	"iter"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ValueType is the type of a metadata value, with the number that GGUF files store.
type ValueType uint32

// The metadata value types.
const (
	Uint8   ValueType = 0
	Int8    ValueType = 1
	Uint16  ValueType = 2
	Int16   ValueType = 3
	Uint32  ValueType = 4
	Int32   ValueType = 5
	Float32 ValueType = 6
	Bool    ValueType = 7
	String  ValueType = 8
	Array   ValueType = 9
	Uint64  ValueType = 10
	Int64   ValueType = 11
	Float64 ValueType = 12
)

// valueTypes gives each value type its name and the bytes of one value in a file; for strings and arrays,
// whose size varies, the bytes of their head: a string's length, an array's element type and count.
var valueTypes = [...]struct {
	name string
	size int
}{
	Uint8:   {"uint8", 1},
	Int8:    {"int8", 1},
	Uint16:  {"uint16", 2},
	Int16:   {"int16", 2},
	Uint32:  {"uint32", 4},
	Int32:   {"int32", 4},
	Float32: {"float32", 4},
	Bool:    {"bool", 1},
	String:  {"string", 8},
	Array:   {"array", 4 + 8},
	Uint64:  {"uint64", 8},
	Int64:   {"int64", 8},
	Float64: {"float64", 8},
}

// String returns the type's name in lower case, such as "uint32".
func (t ValueType) String() string {
	if t.known() {
		return valueTypes[t].name
	}
	return "ValueType(" + strconv.FormatUint(uint64(t), 10) + ")"
}

func (t ValueType) known() bool { return int64(t) < int64(len(valueTypes)) }

// size returns the bytes of one value, or of its head if the size varies. The type must be known.
func (t ValueType) size() int { return valueTypes[t].size }

// Value is a metadata value: a view of bytes of a file that have been checked. The zero Value is a uint8
// without bytes; getters of it report false.
type Value struct {
	typ  ValueType
	elem ValueType // of an array
	n    int       // elements of an array
	data []byte    // the value's bytes: a string's text, an array's elements
}

// Type returns the value's type.
func (v Value) Type() ValueType { return v.typ }

// Elem returns the type of an array's elements.
func (v Value) Elem() ValueType { return v.elem }

// Len returns the number of elements of an array; 0 for other values.
func (v Value) Len() int { return v.n }

// Elements iterates over the elements of an array, in order; other values have none.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		rest := v.data
		for range v.n {
			var e Value
			e, rest = cutValue(rest, v.elem)
			if !yield(e) {
				return
			}
		}
	}
}

// cutValue cuts one value of type t off the front of data, which has been checked.
func cutValue(data []byte, t ValueType) (v Value, rest []byte) {
	head := t.size()
	switch t {
	case String:
		end := head + int(binary.LittleEndian.Uint64(data))
		return Value{typ: t, data: data[head:end:end]}, data[end:]
	case Array:
		elem := ValueType(binary.LittleEndian.Uint32(data))
		n := int(binary.LittleEndian.Uint64(data[4:]))
		rest = skipValues(data[head:], elem, n)
		end := len(data) - len(rest)
		return Value{typ: t, elem: elem, n: n, data: data[head:end:end]}, rest
	}
	return Value{typ: t, data: data[:head:head]}, data[head:]
}

// skipValues returns what follows n values of type t at the front of data, which has been checked.
func skipValues(data []byte, t ValueType, n int) []byte {
	if t != String && t != Array {
		return data[n*t.size():]
	}
	for range n {
		_, data = cutValue(data, t)
	}
	return data
}

// Uint returns an integer of any width; false if the value is none or is negative.
func (v Value) Uint() (uint64, bool) {
	if v.typ == Uint64 && len(v.data) == 8 {
		return binary.LittleEndian.Uint64(v.data), true
	}
	i, ok := v.Int()
	return uint64(i), ok && i >= 0
}

// Int returns an integer of any width; false if the value is none or does not fit.
func (v Value) Int() (int64, bool) {
	if len(v.data) == 0 {
		return 0, false
	}
	le := binary.LittleEndian
	switch v.typ {
	case Uint8:
		return int64(v.data[0]), true
	case Int8:
		return int64(int8(v.data[0])), true
	case Uint16:
		return int64(le.Uint16(v.data)), true
	case Int16:
		return int64(int16(le.Uint16(v.data))), true
	case Uint32:
		return int64(le.Uint32(v.data)), true
	case Int32:
		return int64(int32(le.Uint32(v.data))), true
	case Uint64:
		u := le.Uint64(v.data)
		return int64(u), u <= math.MaxInt64
	case Int64:
		return int64(le.Uint64(v.data)), true
	}
	return 0, false
}

// Float returns a floating-point number of either width; false if the value is none.
func (v Value) Float() (float64, bool) {
	switch v.typ {
	case Float32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(v.data))), true
	case Float64:
		return math.Float64frombits(binary.LittleEndian.Uint64(v.data)), true
	}
	return 0, false
}

// Bool returns a truth value; false, false if the value is none.
func (v Value) Bool() (b, ok bool) {
	if v.typ != Bool {
		return false, false
	}
	return v.data[0] != 0, true
}

// Text returns a copy of a string, which may hold any bytes; false if the value is none.
func (v Value) Text() (string, bool) {
	if v.typ != String {
		return "", false
	}
	return string(v.data), true
}

// Ints returns an array of integers of any width. A single integer reads as an array of one, as keys such as
// llama.attention.head_count_kv may be either. False if the value is something else or a number does not fit.
func (v Value) Ints() ([]int64, bool) { return list(v, Value.Int) }

// Floats returns an array of floating-point numbers; a single one reads as an array of one.
func (v Value) Floats() ([]float64, bool) { return list(v, Value.Float) }

// Bools returns an array of truth values; a single one reads as an array of one.
func (v Value) Bools() ([]bool, bool) { return list(v, Value.Bool) }

// Strings returns copies of an array of strings; a single one reads as an array of one.
func (v Value) Strings() ([]string, bool) {
	if v.typ != Array || v.elem != String {
		return list(v, Value.Text)
	}
	// One allocation holds all the text: vocabularies have a quarter of a million short strings.
	var text strings.Builder
	text.Grow(len(v.data) - v.n*String.size())
	for e := range v.Elements() {
		text.Write(e.data)
	}
	all := text.String()
	out := make([]string, 0, v.n)
	for e := range v.Elements() {
		out = append(out, all[:len(e.data)])
		all = all[len(e.data):]
	}
	return out, true
}

// list decodes each element of an array, or a single value, with get.
func list[T any](v Value, get func(Value) (T, bool)) ([]T, bool) {
	if v.typ != Array {
		x, ok := get(v)
		if !ok {
			return nil, false
		}
		return []T{x}, true
	}
	out := make([]T, 0, v.n)
	for e := range v.Elements() {
		x, ok := get(e)
		if !ok {
			return nil, false
		}
		out = append(out, x)
	}
	return out, true
}

// typeName returns the value's type with an array's element type.
func (v Value) typeName() string {
	if v.typ == Array {
		return "array of " + v.elem.String()
	}
	return v.typ.String()
}

// String shows the value for a reader: strings quoted, and of long strings and arrays only the beginning.
func (v Value) String() string {
	const mostText, mostElems = 60, 8
	switch v.typ {
	case String:
		if len(v.data) > mostText {
			end := mostText
			for end > mostText-utf8.UTFMax && !utf8.RuneStart(v.data[end]) {
				end-- // do not cut a character in two
			}
			return strconv.Quote(string(v.data[:end])) + "…"
		}
		return strconv.Quote(string(v.data))
	case Array:
		var b strings.Builder
		b.WriteByte('[')
		i := 0
		for e := range v.Elements() {
			if i > 0 {
				b.WriteString(", ")
			}
			if i == mostElems {
				b.WriteString("… " + strconv.Itoa(v.n) + " in all")
				break
			}
			b.WriteString(e.String())
			i++
		}
		b.WriteByte(']')
		return b.String()
	case Bool:
		b, _ := v.Bool()
		return strconv.FormatBool(b)
	case Float32:
		f, _ := v.Float()
		return strconv.FormatFloat(f, 'g', -1, 32)
	case Float64:
		f, _ := v.Float()
		return strconv.FormatFloat(f, 'g', -1, 64)
	case Uint64:
		u, _ := v.Uint()
		return strconv.FormatUint(u, 10)
	}
	i, _ := v.Int()
	return strconv.FormatInt(i, 10)
}
