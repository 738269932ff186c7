package gguf_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

// writable has a type of every block size.
var writable = []format.Type{format.F32, format.F16, format.BF16, format.Q4_0, format.Q8_0, format.Q4_K, format.Q6_K, format.MXFP4, format.I64, format.NVFP4}

// drawValue draws a metadata value of any type.
func drawValue(t *rapid.T) any {
	return rapid.OneOf(
		rapid.Uint8().AsAny(), rapid.Int8().AsAny(), rapid.Uint16().AsAny(), rapid.Int16().AsAny(),
		rapid.Uint32().AsAny(), rapid.Int32().AsAny(), rapid.Uint64().AsAny(), rapid.Int64().AsAny(),
		rapid.Float32().AsAny(), rapid.Float64().AsAny(), rapid.Bool().AsAny(), rapid.String().AsAny(),
		rapid.SliceOfN(rapid.String(), 0, 5).AsAny(), rapid.SliceOfN(rapid.Int32(), 0, 5).AsAny(),
		rapid.SliceOfN(rapid.Float32(), 0, 5).AsAny(), rapid.SliceOfN(rapid.Bool(), 0, 5).AsAny(),
		rapid.SliceOfN(rapid.SliceOfN(rapid.Uint16(), 0, 3), 0, 3).AsAny(),
		rapid.SliceOfN(rapid.SliceOfN(rapid.String(), 0, 3), 0, 3).AsAny(),
	).Draw(t, "value")
}

// goValue turns a parsed value into the Go value that writes it.
func goValue(t require.TestingT, v gguf.Value, want reflect.Type) any {
	out := reflect.New(want).Elem()
	switch want.Kind() {
	case reflect.Slice:
		out = reflect.MakeSlice(want, 0, v.Len())
		for e := range v.Elements() {
			out = reflect.Append(out, reflect.ValueOf(goValue(t, e, want.Elem())))
		}
		require.Equal(t, v.Len(), out.Len())
	case reflect.String:
		s, ok := v.Text()
		require.True(t, ok)
		out.SetString(s)
	case reflect.Bool:
		b, ok := v.Bool()
		require.True(t, ok)
		out.SetBool(b)
	case reflect.Float32, reflect.Float64:
		f, ok := v.Float()
		require.True(t, ok)
		out.SetFloat(f)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, ok := v.Uint()
		require.True(t, ok)
		out.SetUint(n)
	default:
		n, ok := v.Int()
		require.True(t, ok)
		out.SetInt(n)
	}
	require.Equal(t, want.String(), map[gguf.ValueType]string{
		gguf.Uint8: "uint8", gguf.Int8: "int8", gguf.Uint16: "uint16", gguf.Int16: "int16", gguf.Uint32: "uint32", gguf.Int32: "int32",
		gguf.Uint64: "uint64", gguf.Int64: "int64", gguf.Float32: "float32", gguf.Float64: "float64", gguf.Bool: "bool",
		gguf.String: "string", gguf.Array: want.String()}[v.Type()])
	return out.Interface()
}

func TestWriterRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		align := int64(32)
		var meta []gguf.KV
		for _, key := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z_.]{1,20}`), 0, 8, rapid.ID).Draw(t, "keys") {
			meta = append(meta, gguf.KV{Key: key, Value: drawValue(t)})
		}
		if rapid.Bool().Draw(t, "aligned") {
			align = 1 << rapid.IntRange(0, 12).Draw(t, "alignment")
			meta = append(meta, gguf.KV{Key: "general.alignment", Value: uint32(align)})
		}
		var tensors []format.Tensor
		for _, name := range rapid.SliceOfNDistinct(rapid.StringN(1, -1, 63), 0, 6, rapid.ID).Draw(t, "names") {
			typ := rapid.SampledFrom(writable).Draw(t, "type")
			shape := rapid.SliceOfN(rapid.Int64Range(1, 4), 1, 4).Draw(t, "shape")
			shape[0] *= int64(typ.BlockSize())
			tensors = append(tensors, format.Tensor{Name: name, Type: typ, Shape: shape})
		}

		var file bytes.Buffer
		w, err := gguf.NewWriter(&file, meta, tensors)
		require.NoError(t, err)
		placed := w.Tensors()
		var data []byte // of all tensors
		for i, p := range placed {
			require.Zero(t, p.Offset%align)
			data = append(data, bytes.Repeat([]byte{byte(i + 1)}, int(p.Size))...)
		}
		for rest := data; len(rest) > 0; {
			n := min(len(rest), rapid.IntRange(0, 3000).Draw(t, "piece"))
			m, err := w.Write(rest[:n])
			require.NoError(t, err)
			require.Equal(t, n, m)
			rest = rest[n:]
		}
		require.NoError(t, w.Close())
		require.Equal(t, w.Size(), int64(file.Len()))

		f, err := gguf.Parse(gguf.Part{Name: "f.gguf", Data: file.Bytes()})
		require.NoError(t, err)
		require.EqualValues(t, 3, f.Version)
		require.Len(t, f.Keys(), len(meta))
		copied := make([]gguf.KV, len(meta))
		for i, kv := range meta {
			require.Equal(t, kv.Key, f.Keys()[i])
			v, ok := f.Get(kv.Key)
			require.True(t, ok)
			require.Equal(t, kv.Value, goValue(t, v, reflect.TypeOf(kv.Value)), "key %s", kv.Key)
			copied[i] = gguf.KV{Key: kv.Key, Value: v}
		}
		require.Len(t, f.Tensors, len(tensors))
		for i, got := range f.Tensors {
			require.Equal(t, placed[i], got)
			require.Equal(t, bytes.Repeat([]byte{byte(i + 1)}, int(got.Size)), f.Data(got))
		}

		// Values of a parsed file can be written again, to the same bytes.
		var again bytes.Buffer
		w, err = gguf.NewWriter(&again, copied, f.Tensors)
		require.NoError(t, err)
		_, err = w.Write(data)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.Equal(t, file.Bytes(), again.Bytes())
	})
}

func TestWriterRefuses(t *testing.T) {
	type loop []loop
	ok := format.Tensor{Name: "a", Type: format.F32, Shape: []int64{4}}
	tests := []struct {
		name    string
		meta    []gguf.KV
		tensors []format.Tensor
		want    string
	}{
		{"empty key", []gguf.KV{{"", true}}, nil, "key is empty"},
		{"long key", []gguf.KV{{strings.Repeat("k", 65536), true}}, nil, "65536 bytes"},
		{"key twice", []gguf.KV{{"k", true}, {"k", false}}, nil, "key k: key is given twice"},
		{"nil", []gguf.KV{{"k", nil}}, nil, "key k: has no value"},
		{"zero Value", []gguf.KV{{"k", gguf.Value{}}}, nil, "key k: has no value"},
		{"int", []gguf.KV{{"k", 1}}, nil, "key k: GGUF has no type for a Go value of type int"},
		{"ints", []gguf.KV{{"k", []int{1}}}, nil, "type []int"},
		{"map", []gguf.KV{{"k", map[string]int{}}}, nil, "type map[string]int"},
		{"bottomless slice", []gguf.KV{{"k", loop{}}}, nil, "loop"},
		{"alignment 0", []gguf.KV{{"general.alignment", uint32(0)}}, nil, "general.alignment: uint32 0 is not"},
		{"alignment 48", []gguf.KV{{"general.alignment", uint32(48)}}, nil, "general.alignment: uint32 48 is not"},
		{"alignment uint64", []gguf.KV{{"general.alignment", uint64(32)}}, nil, "uint64 32 is not a uint32"},
		{"alignment string", []gguf.KV{{"general.alignment", "32"}}, nil, `string "32" is not a uint32`},
		{"empty name", nil, []format.Tensor{{Type: format.F32, Shape: []int64{1}}}, "name is empty"},
		{"long name", nil, []format.Tensor{{Name: strings.Repeat("x", 64), Type: format.F32, Shape: []int64{1}}}, "64 bytes"},
		{"name twice", nil, []format.Tensor{ok, ok}, "tensor a: name is given twice"},
		{"no dimensions", nil, []format.Tensor{{Name: "a", Type: format.F32}}, "tensor a: no dimensions"},
		{"5 dimensions", nil, []format.Tensor{{Name: "a", Type: format.F32, Shape: []int64{1, 1, 1, 1, 1}}}, "5 dimensions"},
		{"dimension 0", nil, []format.Tensor{{Name: "a", Type: format.F32, Shape: []int64{1, 0}}}, "dimension 1 is 0"},
		{"part of a block", nil, []format.Tensor{{Name: "a", Type: format.Q4_K, Shape: []int64{300}}}, "not a multiple of 256"},
		{"type", nil, []format.Tensor{{Name: "a", Type: 4, Shape: []int64{32}}}, "removed"},
		{"too large", nil, []format.Tensor{
			{Name: "a", Type: format.I8, Shape: []int64{math.MaxInt64 / 2}}, {Name: "b", Type: format.F32, Shape: []int64{1}}}, "tensor b: the file would be too large"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			_, err := gguf.NewWriter(&out, test.meta, test.tensors)
			require.ErrorContains(t, err, test.want)
			var fe *format.Error
			require.ErrorAs(t, err, &fe)
			require.Zero(t, out.Len(), "something was written")
		})
	}
}

func TestWriterWrongData(t *testing.T) {
	tensors := []format.Tensor{{Name: "a", Type: format.F32, Shape: []int64{3}}, {Name: "b", Type: format.F32, Shape: []int64{1}}}
	var out bytes.Buffer
	w, err := gguf.NewWriter(&out, nil, tensors)
	require.NoError(t, err)
	_, err = w.Write(make([]byte, 13))
	require.NoError(t, err)
	require.ErrorContains(t, w.Close(), "tensor b: closed after 1 of its 4 bytes")

	out.Reset()
	w, err = gguf.NewWriter(&out, nil, tensors)
	require.NoError(t, err)
	n, err := w.Write(make([]byte, 17))
	require.ErrorContains(t, err, "more data")
	require.Equal(t, 16, n)
	require.ErrorIs(t, w.Close(), format.ErrFormat)
}

// limited takes n bytes and then fails; with a nil error it breaks the rules of io.Writer by failing silently.
type limited struct {
	n   int
	err error
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.n)
	l.n -= n
	if n < len(p) {
		return n, l.err
	}
	return n, nil
}

func TestWriterPassesErrorsOn(t *testing.T) {
	full := errors.New("disk full")
	tensors := []format.Tensor{{Name: "a", Type: format.F32, Shape: []int64{3}}, {Name: "b", Type: format.F32, Shape: []int64{1}}}
	var whole bytes.Buffer
	w, err := gguf.NewWriter(&whole, nil, tensors)
	require.NoError(t, err)
	_, err = w.Write(make([]byte, 16))
	require.NoError(t, err)
	for n := range whole.Len() {
		for _, test := range []struct{ fail, want error }{{full, full}, {nil, io.ErrShortWrite}} {
			w, err := gguf.NewWriter(&limited{n, test.fail}, nil, tensors)
			if err == nil {
				_, _ = w.Write(make([]byte, 16))
				err = w.Close()
			}
			require.ErrorIs(t, err, test.want, "after %d bytes", n)
		}
	}
}

func TestSplitKeys(t *testing.T) {
	var parts []gguf.Part
	for no := range 2 {
		var out bytes.Buffer
		w, err := gguf.NewWriter(&out, gguf.SplitKeys(no, 2, 2), []format.Tensor{{Name: string(rune('a' + no)), Type: format.F32, Shape: []int64{1}}})
		require.NoError(t, err)
		_, err = w.Write(make([]byte, 4))
		require.NoError(t, err)
		parts = append(parts, gguf.Part{Name: gguf.SplitName("dir/m", no, 2), Data: out.Bytes()})
	}
	names, err := gguf.SplitNames(parts[0])
	require.NoError(t, err)
	require.Equal(t, []string{"dir/m-00001-of-00002.gguf", "dir/m-00002-of-00002.gguf"}, names)
	f, err := gguf.Parse(parts...)
	require.NoError(t, err)
	require.Len(t, f.Tensors, 2)
}
