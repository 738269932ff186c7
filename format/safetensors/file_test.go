package safetensors_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/safetensors"
)

// image returns the bytes of a file with a header and so many bytes of data, which count up.
func image(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	for i := range data {
		b = append(b, byte(i))
	}
	return b
}

func part(name string, data []byte) safetensors.Part {
	return safetensors.Part{Name: name, Data: bytes.NewReader(data), Size: int64(len(data))}
}

const small = `{"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,3],"data_offsets":[8,20]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},` +
	`"i":{"dtype":"I64","shape":[],"data_offsets":[20,28]},"e":{"dtype":"BF16","shape":[0,4],"data_offsets":[28,28]},"new":{"dtype":"X9","shape":[3],"data_offsets":[28,30],"extra":[{}]}}   `

func TestParse(t *testing.T) {
	data := image(small, 30)
	f, err := safetensors.Parse(part("m.safetensors", data))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"format": "pt"}, f.Metadata)
	base := int64(8 + len(small))
	require.Equal(t, []safetensors.Tensor{
		{Name: "a", DType: "F32", Shape: []int64{2}, Offset: base, Size: 8},
		{Name: "b", DType: "F16", Shape: []int64{2, 3}, Offset: base + 8, Size: 12},
		{Name: "i", DType: "I64", Shape: []int64{}, Offset: base + 20, Size: 8},
		{Name: "e", DType: "BF16", Shape: []int64{0, 4}, Offset: base + 28},
		{Name: "new", DType: "X9", Shape: []int64{3}, Offset: base + 28, Size: 2},
	}, f.Tensors)

	b, ok := f.Tensor("b")
	require.True(t, ok)
	d, err := f.Describe(b)
	require.NoError(t, err)
	require.Equal(t, format.Tensor{Name: "b", Type: format.F16, Shape: []int64{3, 2}, Offset: base + 8, Size: 12}, d)
	require.Equal(t, d.Size, d.Rows()*d.RowBytes())
	got := make([]byte, 5)
	require.NoError(t, f.ReadAt(b, got, 7))
	require.Equal(t, []byte{15, 16, 17, 18, 19}, got)
	require.Panics(t, func() { f.ReadAt(b, got, 8) })
	require.Panics(t, func() { f.ReadAt(b, got, -1) })

	for name, want := range map[string]error{"i": format.ErrUnsupported, "new": format.ErrUnsupported, "e": format.ErrFormat} {
		x, _ := f.Tensor(name)
		_, err := f.Describe(x)
		require.ErrorIs(t, err, want)
		var e *format.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, []any{"m.safetensors", name, x.Offset}, []any{e.File, e.Tensor, e.Offset})
	}
	_, ok = f.Tensor("c")
	require.False(t, ok)
}

// TestReadFailure: a file that has become shorter, or cannot be read.
func TestReadFailure(t *testing.T) {
	data := image(small, 30)
	f, err := safetensors.Parse(safetensors.Part{Name: "m", Data: bytes.NewReader(data[:len(data)-12]), Size: int64(len(data))})
	require.NoError(t, err)
	b, _ := f.Tensor("b")
	err = f.ReadAt(b, make([]byte, 12), 0)
	require.ErrorIs(t, err, format.ErrFormat)
	require.ErrorContains(t, err, "m: tensor b: ")

	failure := errors.New("the disk is gone")
	_, err = safetensors.Parse(safetensors.Part{Name: "m", Data: failing{failure}, Size: 100})
	require.ErrorIs(t, err, failure)
	_, err = safetensors.Parse()
	require.ErrorIs(t, err, format.ErrMissing)
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

// malformed are files that break the rules, with what the error says.
var malformed = []struct {
	data []byte
	text string
}{
	{nil, "too few"},
	{[]byte("1234567"), "too few"},
	{image("", 0), "no JSON object"},
	{image(" {}", 0), "no JSON object"},
	{image("[]", 0), "no JSON object"},
	{image("{", 0), "EOF"},
	{image("{}x", 0), "text follows"},
	{image("{}{}", 0), "text follows"},
	{image("{\"\xff\":1}", 0), "UTF-8"},
	{image(`{}`, 0)[:9], "the header has 2 bytes, 1 remain"},
	{append(binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "{}"...), "would have 18446744073709551615 bytes"},
	{append(binary.LittleEndian.AppendUint64(nil, 100000001), "{}"...), "at most 100000000"},
	{append(binary.LittleEndian.AppendUint64(nil, 100000000), "{}"...), "2 remain"},
	{image(`{"a":1}`, 0), "no JSON object"},
	{image(`{"a":{}}`, 0), "dtype is missing"},
	{image(`{"":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4), "no name"},
	{image(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4), "shape is missing"},
	{image(`{"a":{"dtype":"F32","shape":[1]}}`, 4), "data_offsets are missing"},
	{image(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}`, 4), "data_offsets are missing"},
	{image(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}`, 4), "more than 2"},
	{image(`{"a":{"dtype":1,"shape":[1],"data_offsets":[0,4]}}`, 4), "dtype is no string"},
	{image(`{"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}`, 4), "shape is no list"},
	{image(`{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}`, 4), "no integer"},
	{image(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4), "no integer"},
	{image(`{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}`, 4), "no integer"},
	{image(`{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}}`, 4), "no integer"},
	{image(`{"a":{"dtype":"F32","shape":[`+strings.Repeat("1,", 64)+`1],"data_offsets":[0,4]}}`, 4), "more than 64"},
	{image(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}`, 4), "no size"},
	{image(`{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4]}}`, 4), "no size"},
	{image(`{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}`, 2), "no size"},
	{image(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4), "before its beginning"},
	{image(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}`, 8), "takes 4 bytes, not 8"},
	{image(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), `"a" twice`},
	{image(`{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), `"dtype" twice`},
	{image(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 3), "reach beyond the 3 bytes"},
	{image(`{"a":{"dtype":"X","shape":[1],"data_offsets":[9223372036854775806,9223372036854775807]}}`, 3), "reach beyond the 3 bytes"},
	{image(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 5), "the last 1 bytes belong to no tensor"},
	{image(`{}`, 1), "the last 1 bytes"},
	{image(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), "1 bytes before offset 1"},
	{image(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), `overlaps tensor "a"`},
	{image(`{"__metadata__":[]}`, 0), "no JSON object"},
	{image(`{"__metadata__":{"a":1}}`, 0), `"a" is no string`},
	{image(`{"__metadata__":{"a":"1","a":"2"}}`, 0), `"a" twice`},
}

func TestMalformed(t *testing.T) {
	for _, c := range malformed {
		_, err := safetensors.Parse(part("m", c.data))
		require.ErrorIs(t, err, format.ErrFormat, "%q", c.data)
		require.ErrorContains(t, err, c.text)
		var e *format.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "m", e.File)
	}
	_, err := safetensors.Parse(part("m", image(`{"__metadata__":null}`, 0)))
	require.NoError(t, err)
}

// TestRandom: whatever tensors are written, they are read.
func TestRandom(t *testing.T) {
	types := map[string]int64{"F32": 4, "F16": 2, "BF16": 2, "U8": 1, "F64": 8}
	rapid.Check(t, func(t *rapid.T) {
		header := map[string]any{}
		want := map[string]safetensors.Tensor{}
		size := int64(0)
		for i := range rapid.IntRange(0, 8).Draw(t, "tensors") {
			typ := rapid.SampledFrom([]string{"F32", "F16", "BF16", "U8", "F64"}).Draw(t, "type")
			shape := rapid.SliceOfN(rapid.Int64Range(0, 5), 0, 3).Draw(t, "shape")
			n := types[typ]
			for _, d := range shape {
				n *= d
			}
			name := fmt.Sprint(i, rapid.String().Draw(t, "name"))
			header[name] = map[string]any{"dtype": typ, "shape": shape, "data_offsets": []int64{size, size + n}}
			want[name] = safetensors.Tensor{Name: name, DType: typ, Shape: shape, Offset: size, Size: n}
			size += n
		}
		text, err := json.Marshal(header)
		require.NoError(t, err)
		data := image(string(text), int(size))
		f, err := safetensors.Parse(part("m", data))
		require.NoError(t, err)
		require.Len(t, f.Tensors, len(want))
		for _, got := range f.Tensors {
			w := want[got.Name]
			w.Offset += int64(len(data)) - size
			require.Equal(t, w, got)
			if d, err := f.Describe(got); err == nil {
				require.Equal(t, got.Size, d.Rows()*d.RowBytes())
				b := make([]byte, got.Size)
				require.NoError(t, f.ReadAt(got, b, 0))
				require.Equal(t, data[got.Offset:got.Offset+got.Size], b)
			}
		}
	})
}

const (
	shard1 = `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	shard2 = `{"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	index  = `{"metadata":{"total_size":8},"weight_map":{"b":"m-2.safetensors","a":"m-1.safetensors"}}`
)

func TestIndex(t *testing.T) {
	x, err := safetensors.ParseIndex("index.json", []byte(index))
	require.NoError(t, err)
	require.Equal(t, []string{"m-2.safetensors", "m-1.safetensors"}, x.Files)
	f, err := safetensors.Parse(part(x.Files[0], image(shard2, 4)), part(x.Files[1], image(shard1, 4)))
	require.NoError(t, err)
	require.NoError(t, x.Check(f))
	a, _ := f.Tensor("a")
	require.Equal(t, 1, a.Part)

	_, err = safetensors.Parse(part("m-1", image(shard1, 4)), part("m-2", image(shard1, 4)))
	require.ErrorIs(t, err, format.ErrFormat)
	require.ErrorContains(t, err, "m-2: tensor a: is in m-1 too")

	for _, c := range []struct {
		index, text string
		kind        error
	}{
		{`{"weight_map":{"a":"2","b":"1"}}`, "is in 1 according to index.json", format.ErrFormat},
		{`{"weight_map":{"a":"2","c":"1"}}`, "tensor b: is not in index.json", format.ErrFormat},
		{`{"weight_map":{"a":"1","b":"2","d":"1","c":"2"}}`, "tensor c: is not in 2", format.ErrMissing},
		{`{"weight_map":{"a":"1"}}`, "2 files, but it names 1", format.ErrFormat},
	} {
		x, err := safetensors.ParseIndex("index.json", []byte(c.index))
		require.NoError(t, err)
		order := []safetensors.Part{part("1", image(shard1, 4)), part("2", image(shard2, 4))}
		if x.Files[0] == "2" {
			slices.Reverse(order)
		}
		f, err := safetensors.Parse(order...)
		require.NoError(t, err)
		err = x.Check(f)
		require.ErrorIs(t, err, c.kind)
		require.ErrorContains(t, err, c.text)
	}

	for text, want := range map[string]string{
		``: "EOF", `[]`: "no JSON object", `{}`: "missing", `{"weight_map":{}}`: "missing", `{"weight_map":{"a":1}}`: "no string",
		`{"weight_map":{"a":"1","a":"1"}}`: "twice", `{"weight_map":{"a":"../1"}}`: "no name of a file", `{"weight_map":{"a":".."}}`: "no name of a file",
		`{"weight_map":{"a":""}}`: "no name of a file", `{"weight_map":{"a":"c:1"}}`: "no name of a file", `{"weight_map":{"a":"\\1"}}`: "no name of a file",
		`{"weight_map":{"a":"1"}}x`: "text follows", `{"x":`: "EOF",
	} {
		_, err := safetensors.ParseIndex("index.json", []byte(text))
		require.ErrorIs(t, err, format.ErrFormat, text)
		require.ErrorContains(t, err, want)
	}
}

// TestShared reads the header of a real model.
func TestShared(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "models", "tales", "model.safetensors")
	f, err := os.Open(path)
	if err != nil {
		if os.Getenv("CORTEX_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skipf("no test data: %v", err)
	}
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	m, err := safetensors.Parse(safetensors.Part{Name: path, Data: io.NewSectionReader(f, 0, info.Size()), Size: info.Size()})
	require.NoError(t, err)
	values := int64(0)
	for _, x := range m.Tensors {
		d, err := m.Describe(x)
		require.NoError(t, err)
		require.Equal(t, format.F16, d.Type)
		values += d.Size / 2
	}
	require.EqualValues(t, 6819072, values)
}

// read uses everything of what parses, and checks the form of the errors.
func read(t *testing.T, parts ...safetensors.Part) {
	f, err := safetensors.Parse(parts...)
	var e *format.Error
	if err != nil {
		require.ErrorAs(t, err, &e)
		require.NotEmpty(t, e.File)
		return
	}
	for _, x := range f.Tensors {
		b := make([]byte, x.Size)
		require.NoError(t, f.ReadAt(x, b, 0))
		if d, err := f.Describe(x); err != nil {
			require.ErrorAs(t, err, &e)
		} else {
			require.Equal(t, d.Size, d.Rows()*d.RowBytes())
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(image(small, 30), image(shard1, 4))
	for _, c := range malformed {
		f.Add(c.data, c.data)
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		read(t, part("a", a))
		read(t, part("a", a), part("b", b))
	})
}

func FuzzParseIndex(f *testing.F) {
	f.Add([]byte(index))
	f.Fuzz(func(t *testing.T, text []byte) {
		x, err := safetensors.ParseIndex("index.json", text)
		if err != nil {
			var e *format.Error
			require.ErrorAs(t, err, &e)
			return
		}
		for _, file := range x.Tensors {
			require.Equal(t, file, filepath.Base(file))
			require.Contains(t, x.Files, file)
		}
	})
}
