package gguf_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

func TestValueTypeNames(t *testing.T) {
	names := []string{"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "string", "array", "uint64", "int64", "float64", "ValueType(13)"}
	for i, want := range names {
		require.Equal(t, want, gguf.ValueType(i).String())
	}
	require.Equal(t, "ValueType(4294967295)", gguf.ValueType(math.MaxUint32).String())
}

func TestZeroValue(t *testing.T) {
	var v gguf.Value
	readValue(v)
	_, ok := v.Uint()
	require.False(t, ok)
	require.Equal(t, 0, v.Len())
}

func TestKeys(t *testing.T) {
	im := small()
	f, err := parse(im.bytes())
	require.NoError(t, err)
	keys := f.Keys()
	require.Len(t, keys, len(im.meta))
	for i, p := range im.meta {
		require.Equal(t, p.key, keys[i])
		v, ok := f.Get(p.key)
		require.True(t, ok)
		require.Equal(t, p.typ, v.Type())
	}
	_, ok := f.Get("none")
	require.False(t, ok)
}

// Each getter is tried on each key; the table says which succeed, and with what.
func TestGetters(t *testing.T) {
	f, err := parse(small().bytes())
	require.NoError(t, err)
	type results map[string]any
	getters := map[string]struct {
		get  func(string) (any, error)
		want results
	}{
		"uint": {func(k string) (any, error) { return f.Uint(k) }, results{
			"general.alignment": uint64(64), "u8": uint64(200), "u16": uint64(60000), "u32": uint64(4e9), "u64": uint64(1 << 63),
		}},
		"int": {func(k string) (any, error) { return f.Int(k) }, results{
			"general.alignment": int64(64), "u8": int64(200), "u16": int64(60000), "u32": int64(4e9),
			"i8": int64(-56), "i16": int64(-5536), "i32": int64(4e9 - 1<<32), "i64": int64(math.MinInt64),
		}},
		"float":  {func(k string) (any, error) { return f.Float(k) }, results{"f32": float64(float32(0.1)), "f64": 0.1}},
		"bool":   {func(k string) (any, error) { return f.Bool(k) }, results{"yes": true, "no": false}},
		"string": {func(k string) (any, error) { return f.String(k) }, results{"general.architecture": "llama"}},
		"ints": {func(k string) (any, error) { return f.Ints(k) }, results{
			"general.alignment": []int64{64}, "u8": []int64{200}, "u16": []int64{60000}, "u32": []int64{4e9},
			"i8": []int64{-56}, "i16": []int64{-5536}, "i32": []int64{4e9 - 1<<32}, "i64": []int64{math.MinInt64},
			"numbers": []int64{1, -1, 3}, "empty": []int64{},
		}},
		"floats": {func(k string) (any, error) { return f.Floats(k) }, results{
			"f32": []float64{float64(float32(0.1))}, "f64": []float64{0.1}, "scores": []float64{-1.5, 2}, "empty": []float64{},
		}},
		"bools": {func(k string) (any, error) { return f.Bools(k) }, results{
			"yes": []bool{true}, "no": []bool{false}, "flags": []bool{true, false}, "empty": []bool{},
		}},
		"strings": {func(k string) (any, error) { return f.Strings(k) }, results{
			"general.architecture": []string{"llama"}, "words": []string{"one", "", "thr\xffee"}, "empty": []string{},
		}},
	}
	for name, g := range getters {
		for _, key := range f.Keys() {
			got, err := g.get(key)
			if want, ok := g.want[key]; ok {
				require.NoError(t, err, "%s of %s", name, key)
				require.Equal(t, want, got, "%s of %s", name, key)
				continue
			}
			var e *format.Error
			require.ErrorAs(t, err, &e, "%s of %s", name, key)
			require.ErrorIs(t, err, format.ErrFormat)
			require.NotErrorIs(t, err, format.ErrMissing)
			require.Equal(t, "m.gguf", e.File)
			require.Equal(t, key, e.Key)
			require.Positive(t, e.Offset)
		}
		_, err := g.get("none")
		require.EqualError(t, err, "m.gguf: key none: missing")
		require.ErrorIs(t, err, format.ErrMissing)
	}

	// The first key's value is at 24 + 8+20 + 4.
	_, err = f.Uint("general.architecture")
	require.EqualError(t, err, `m.gguf: key general.architecture: string "llama" is not an unsigned integer (at byte 56)`)
	_, err = f.Strings("numbers")
	require.ErrorContains(t, err, "key numbers: array of int16 [1, -1, 3] is not a list of strings (at byte ")
}

func TestOr(t *testing.T) {
	f, err := parse(small().bytes())
	require.NoError(t, err)
	n, err := gguf.Or(f.Uint, "u8", 7)
	require.NoError(t, err)
	require.EqualValues(t, 200, n)
	n, err = gguf.Or(f.Uint, "none", 7)
	require.NoError(t, err)
	require.EqualValues(t, 7, n)
	_, err = gguf.Or(f.Uint, "words", 7)
	require.ErrorIs(t, err, format.ErrFormat)
}

// Callers report their own findings in the same form.
func TestErrorsOfCallers(t *testing.T) {
	f, err := parse(small().bytes())
	require.NoError(t, err)
	require.EqualError(t, f.KeyError("general.architecture", "is odd"), "m.gguf: key general.architecture: is odd (at byte 56)")
	require.EqualError(t, f.KeyError("none", "is odd"), "m.gguf: key none: is odd")
	require.ErrorIs(t, f.KeyError("u8", "is odd"), format.ErrFormat)

	err = f.TensorError("b", "holds a NaN")
	require.ErrorContains(t, err, "m.gguf: tensor b: holds a NaN (at byte ")
	require.ErrorIs(t, err, format.ErrFormat)
	require.NotErrorIs(t, err, format.ErrMissing)
	err = f.TensorError("none", "is needed")
	require.EqualError(t, err, "m.gguf: tensor none: is needed")
	require.ErrorIs(t, err, format.ErrMissing)
}

func TestElements(t *testing.T) {
	f, err := parse(small().bytes())
	require.NoError(t, err)
	v, _ := f.Get("nested")
	require.Equal(t, gguf.Array, v.Elem())
	require.Equal(t, 2, v.Len())
	inner := slices.Collect(v.Elements())
	require.Len(t, inner, 2)
	numbers, ok := inner[0].Ints()
	require.True(t, ok)
	require.Equal(t, []int64{1, 2}, numbers)
	words, ok := inner[1].Strings()
	require.True(t, ok)
	require.Equal(t, []string{"x"}, words)
	for range v.Elements() {
		break // stopping early is allowed
	}
	u8, _ := f.Get("u8")
	require.Empty(t, slices.Collect(u8.Elements()))
}

func TestValueString(t *testing.T) {
	long := strings.Repeat("x", 58) + "ééé"
	numbers := make([][]byte, 100)
	for i := range numbers {
		numbers[i] = u8(uint8(i))
	}
	im := small()
	im.meta = append(im.meta,
		pair{"long", gguf.String, text(long)},
		pair{"many", gguf.Array, array(gguf.Uint8, 100, numbers...)})
	f, err := parse(im.bytes())
	require.NoError(t, err)
	for key, want := range map[string]string{
		"general.architecture": `"llama"`, "u8": "200", "i8": "-56", "u64": "9223372036854775808", "i64": "-9223372036854775808",
		"f32": "0.1", "f64": "0.1", "yes": "true", "no": "false",
		"words": `["one", "", "thr\xffee"]`, "scores": "[-1.5, 2]", "nested": `[[1, 2], ["x"]]`, "empty": "[]",
		"long": `"` + strings.Repeat("x", 58) + `é"…`,
		"many": "[0, 1, 2, 3, 4, 5, 6, 7, … 100 in all]",
	} {
		v, ok := f.Get(key)
		require.True(t, ok)
		require.Equal(t, want, v.String(), key)
	}
}
