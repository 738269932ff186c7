package gguf_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

func parse(data []byte) (*gguf.File, error) {
	return gguf.Parse(gguf.Part{Name: "m.gguf", Data: data})
}

func TestParse(t *testing.T) {
	for _, version := range []uint32{2, 3} {
		im := small()
		im.version = version
		data := im.bytes()
		f, err := parse(data)
		require.NoError(t, err)
		require.Equal(t, version, f.Version)

		base := int64(len(data) - im.dataSize)
		require.Zero(t, base%64)
		require.Equal(t, []format.Tensor{
			{Name: "b", Type: format.F32, Shape: []int64{4}, Offset: base + 128, Size: 16},
			{Name: "a", Type: format.Q8_0, Shape: []int64{32, 2, 1, 1}, Offset: base, Size: 68},
			{Name: "c", Type: format.I8, Shape: []int64{1, 3}, Offset: base + 192, Size: 3},
		}, f.Tensors)
		for i, want := range f.Tensors {
			got, ok := f.Tensor(want.Name)
			require.True(t, ok)
			require.Equal(t, f.Tensors[i], got)
			require.Equal(t, data[want.Offset:want.Offset+want.Size], f.Data(got))
			require.Same(t, &data[want.Offset], &f.Data(got)[0], "tensor data must not be copied")
			require.Equal(t, int(want.Size), cap(f.Data(got)), "appending must not reach the next tensor")
		}
		_, ok := f.Tensor("d")
		require.False(t, ok)
	}
}

// A file of a vocabulary only has no tensors, and ends after its metadata.
func TestParseWithoutTensors(t *testing.T) {
	f, err := parse(image{}.bytes())
	require.NoError(t, err)
	require.Empty(t, f.Tensors)
	require.Empty(t, f.Keys())
}

// malformed are files with one mistake each. Their header is 24 bytes, and a vector's description 33.
var malformed = []struct {
	name string
	im   image
	kind error
	text string // of the error, after "m.gguf: "
}{
	{"magic", image{magic: "GGML"}, format.ErrFormat, `not a GGUF file: it begins with "GGML", not with "GGUF"`},
	{"version 1", image{version: 1}, format.ErrUnsupported, "GGUF version 1 is not supported, only 2 and 3 are (at byte 4)"},
	{"version 4", image{version: 4}, format.ErrUnsupported, "GGUF version 4 is not supported, only 2 and 3 are (at byte 4)"},
	{"version 256", image{version: 256}, format.ErrUnsupported, "GGUF version 256 is not supported, only 2 and 3 are (at byte 4)"},
	{"version 2^32-1", image{version: math.MaxUint32}, format.ErrUnsupported, "GGUF version 4294967295 is not supported, only 2 and 3 are (at byte 4)"},
	{"big-endian", image{bigEndianVersion: true}, format.ErrUnsupported, "big-endian GGUF files are not supported (at byte 4)"},

	{"too many tensors", image{nTensors: 1}, format.ErrFormat, "number of tensors 1 is more than the remaining 8 bytes can hold (at byte 8)"},
	{"2^64-1 tensors", image{nTensors: math.MaxUint64}, format.ErrFormat, "number of tensors 18446744073709551615 is more than the remaining 8 bytes can hold (at byte 8)"},
	{"too many keys", image{nKeys: 1}, format.ErrFormat, "number of metadata keys 1 is more than the remaining 0 bytes can hold (at byte 16)"},
	{"2^63 keys", image{nKeys: 1 << 63}, format.ErrFormat, "number of metadata keys 9223372036854775808 is more than the remaining 0 bytes can hold (at byte 16)"},
	{"tensor missing", image{tensors: []info{vector("w", 0)}, nTensors: 2, dataSize: 50}, format.ErrFormat, "empty tensor name (at byte 57)"},

	{"empty key", image{meta: []pair{{"", gguf.Uint32, u32(1)}}}, format.ErrFormat, "empty metadata key (at byte 24)"},
	{"duplicate key", image{meta: []pair{{"k", gguf.Uint8, u8(1)}, {"k", gguf.Uint8, u8(1)}}}, format.ErrFormat, "key k: duplicate key (at byte 38)"},
	{"long key", image{meta: []pair{{strings.Repeat("k", 65536), gguf.Uint8, u8(1)}}}, format.ErrFormat, "metadata key of 65536 bytes, more than 65535 (at byte 24)"},
	{"key of 2^63 bytes", image{meta: []pair{{"k", gguf.String, text("")}}, nKeys: 2, dataSize: 64, alignment: 1}, format.ErrFormat, "metadata key needs 506097522914230528 bytes, 56 remain (at byte 53)"},
	{"value type", image{meta: []pair{{"k", 13, u8(1)}}}, format.ErrUnsupported, "key k: unknown value type 13 (at byte 33)"},
	{"bool", image{meta: []pair{{"k", gguf.Bool, u8(2)}}}, format.ErrFormat, "key k: bool is 2, not 0 or 1 (at byte 37)"},
	{"bool in array", image{meta: []pair{{"k", gguf.Array, array(gguf.Bool, 3, u8(0), u8(1), u8(255))}}}, format.ErrFormat, "key k: bool is 255, not 0 or 1 (at byte 51)"},
	{"value cut", image{meta: []pair{{"k", gguf.Uint64, u32(1)}}}, format.ErrFormat, "key k: value needs 8 bytes, 4 remain (at byte 37)"},
	{"string of 2^63 bytes", image{meta: []pair{{"k", gguf.String, u64(1 << 63)}}}, format.ErrFormat, "key k: string needs 9223372036854775808 bytes, 0 remain (at byte 45)"},
	{"string of 2^64-1 bytes", image{meta: []pair{{"k", gguf.String, u64(math.MaxUint64)}}}, format.ErrFormat, "key k: string needs 18446744073709551615 bytes, 0 remain (at byte 45)"},
	{"array of 2^63 bytes", image{meta: []pair{{"k", gguf.Array, array(gguf.Uint8, 1<<63, u8(1))}}}, format.ErrFormat, "key k: array length 9223372036854775808 is more than the remaining 1 bytes can hold (at byte 41)"},
	{"array of 2^61 uint64", image{meta: []pair{{"k", gguf.Array, array(gguf.Uint64, 1<<61)}}}, format.ErrFormat, "key k: array length 2305843009213693952 is more than the remaining 0 bytes can hold (at byte 41)"},
	{"array of strings", image{meta: []pair{{"k", gguf.Array, array(gguf.String, 2, text("abcdefgh"), u32(1))}}}, format.ErrFormat, "key k: string needs 8 bytes, 4 remain (at byte 65)"},
	{"string in array of 2^63 bytes", image{meta: []pair{{"k", gguf.Array, array(gguf.String, 1, u64(1<<63))}}}, format.ErrFormat, "key k: string needs 9223372036854775808 bytes, 0 remain (at byte 57)"},
	{"array of unknown type", image{meta: []pair{{"k", gguf.Array, array(99, 0)}}}, format.ErrUnsupported, "key k: unknown value type 99 (at byte 37)"},
	{"array of arrays cut", image{meta: []pair{{"k", gguf.Array, array(gguf.Array, 2, array(gguf.Uint8, 0))}}}, format.ErrFormat, "key k: array length 2 is more than the remaining 12 bytes can hold (at byte 41)"},
	{"arrays nested 17 deep", image{meta: []pair{{"k", gguf.Array, nested(17)}}}, format.ErrUnsupported, "key k: arrays nested more than 16 deep (at byte 229)"},
	{"arrays nested 1000 deep", image{meta: []pair{{"k", gguf.Array, nested(1000)}}}, format.ErrUnsupported, "key k: arrays nested more than 16 deep (at byte 229)"},

	{"alignment 0", image{meta: []pair{{"general.alignment", gguf.Uint32, u32(0)}}}, format.ErrFormat, "key general.alignment: alignment 0 is not a power of two below 2^32 (at byte 53)"},
	{"alignment 48", image{meta: []pair{{"general.alignment", gguf.Uint32, u32(48)}}}, format.ErrFormat, "key general.alignment: alignment 48 is not a power of two below 2^32 (at byte 53)"},
	{"alignment 2^63", image{meta: []pair{{"general.alignment", gguf.Uint64, u64(1 << 63)}}}, format.ErrFormat, "key general.alignment: alignment 9223372036854775808 is not a power of two below 2^32 (at byte 53)"},
	{"alignment of words", image{meta: []pair{{"general.alignment", gguf.String, text("32")}}}, format.ErrFormat, `key general.alignment: string "32" is not an unsigned integer (at byte 53)`},

	{"empty tensor name", image{tensors: []info{vector("", 0)}, dataSize: 16}, format.ErrFormat, "empty tensor name (at byte 24)"},
	{"tensor name of 2^64-1 bytes", image{meta: []pair{{"k", gguf.Uint8, u8(0)}}, nTensors: 1, dataSize: 100, alignment: 1}, format.ErrFormat, "tensor name needs 506097522914230528 bytes, 92 remain (at byte 46)"},
	{"duplicate tensor name", image{tensors: []info{vector("w", 0), vector("w", 32)}, dataSize: 64}, format.ErrFormat, "tensor w: duplicate tensor name (at byte 57)"},
	{"no dimensions", image{tensors: []info{{"w", nil, format.F32, 0}}, dataSize: 64}, format.ErrFormat, "tensor w: 0 dimensions, want 1 to 4 (at byte 33)"},
	{"five dimensions", image{tensors: []info{{"w", []uint64{1, 1, 1, 1, 1}, format.F32, 0}}, dataSize: 64}, format.ErrFormat, "tensor w: 5 dimensions, want 1 to 4 (at byte 33)"},
	{"dimension 0", image{tensors: []info{{"w", []uint64{4, 0}, format.F32, 0}}, dataSize: 64}, format.ErrFormat, "tensor w: dimension 1 is 0 (at byte 45)"},
	{"dimension 2^63", image{tensors: []info{{"w", []uint64{1 << 63}, format.F32, 0}}, dataSize: 64}, format.ErrFormat, "tensor w: dimension 0 is 9223372036854775808 (at byte 37)"},
	{"2^64 values", image{tensors: []info{{"w", []uint64{1 << 32, 1 << 32}, format.F32, 0}}, dataSize: 64}, format.ErrFormat, "tensor w: shape [4294967296 4294967296] has too many values (at byte 53)"},
	{"2^63 bytes", image{tensors: []info{{"w", []uint64{1 << 61}, format.F32, 0}}, dataSize: 64}, format.ErrFormat, "tensor w: shape [2305843009213693952] of F32 has too many bytes (at byte 45)"},
	{"row of half a block", image{tensors: []info{{"w", []uint64{128, 2}, format.Q4_K, 0}}, dataSize: 144}, format.ErrFormat, "tensor w: row length 128 is not a multiple of 256, the block size of Q4_K (at byte 53)"},
	{"unknown type", image{tensors: []info{{"w", []uint64{4}, 1000, 0}}, dataSize: 64}, format.ErrUnsupported, "tensor w: unknown tensor type 1000 (at byte 45)"},
	{"removed type", image{tensors: []info{{"w", []uint64{32}, 31, 0}}, dataSize: 64}, format.ErrUnsupported, "tensor w: tensor type Q4_0_4_4 (31) was removed from ggml (at byte 45)"},

	{"unaligned", image{tensors: []info{vector("w", 16)}, dataSize: 64}, format.ErrFormat, "tensor w: offset 16 is not a multiple of the alignment 32 (at byte 49)"},
	{"offset 2^64-32", image{tensors: []info{vector("w", math.MaxUint64-31)}, dataSize: 64}, format.ErrFormat, "tensor w: offset 18446744073709551584 overflows (at byte 49)"},
	{"offset 2^63-32", image{tensors: []info{vector("w", math.MaxInt64-31)}, dataSize: 64}, format.ErrFormat, "tensor w: offset 9223372036854775776 overflows (at byte 24)"},
	{"offset + size over 2^63", image{tensors: []info{{"w", []uint64{1 << 60}, format.F32, 1 << 62}}, dataSize: 64}, format.ErrFormat, "tensor w: offset 4611686018427387968 beyond file size 128 (at byte 24)"},
	{"beyond the end", image{tensors: []info{vector("w", 96)}, dataSize: 64}, format.ErrFormat, "tensor w: offset 160 beyond file size 128 (at byte 24)"},
	{"no data", image{tensors: []info{vector("w", 0)}}, format.ErrFormat, "tensor w: offset 64 beyond file size 57 (at byte 24)"},
	{"last byte missing", image{tensors: []info{vector("w", 0)}, dataSize: 15}, format.ErrFormat, "tensor w: 16 bytes at offset 64 reach beyond file size 79 (at byte 24)"},
	{"2^62 bytes of data", image{tensors: []info{{"w", []uint64{1 << 62}, format.I8, 0}}, dataSize: 64}, format.ErrFormat, "tensor w: 4611686018427387904 bytes at offset 64 reach beyond file size 128 (at byte 24)"},
	{"same place", image{tensors: []info{vector("v", 0), vector("w", 0)}, dataSize: 64}, format.ErrFormat, `tensor w: offset 96 overlaps tensor "v", which ends at 112 (at byte 57)`},
	{"overlap", image{tensors: []info{vector("v", 32), {"w", []uint64{9}, format.F32, 0}}, dataSize: 64}, format.ErrFormat, `tensor v: offset 128 overlaps tensor "w", which ends at 132 (at byte 24)`},
}

func TestMalformed(t *testing.T) {
	for _, c := range malformed {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse(c.im.bytes())
			require.EqualError(t, err, "m.gguf: "+c.text)
			require.ErrorIs(t, err, c.kind)
			var e *format.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "m.gguf", e.File)
		})
	}
}

func TestLongestNames(t *testing.T) {
	name := strings.Repeat("n", 65535)
	f, err := parse(image{meta: []pair{{name, gguf.Uint8, u8(1)}}, tensors: []info{vector(name, 0)}, dataSize: 16}.bytes())
	require.NoError(t, err)
	_, ok := f.Tensor(name)
	require.True(t, ok)
	require.Equal(t, []string{name}, f.Keys())
}

func TestVersionZero(t *testing.T) {
	data := image{}.bytes()
	copy(data[4:], u32(0))
	_, err := parse(data)
	require.EqualError(t, err, "m.gguf: GGUF version 0 (at byte 4)")
	require.ErrorIs(t, err, format.ErrFormat)
}

// Sixteen levels are the most; each costs one more call.
func TestNestedArrays(t *testing.T) {
	f, err := parse(image{meta: []pair{{"k", gguf.Array, nested(16)}}}.bytes())
	require.NoError(t, err)
	v, ok := f.Get("k")
	require.True(t, ok)
	for range 15 {
		require.Equal(t, gguf.Array, v.Elem())
		require.Equal(t, 1, v.Len())
		for v = range v.Elements() {
		}
	}
	require.Equal(t, gguf.Uint8, v.Elem())
	require.Equal(t, 0, v.Len())
}

// A file that ends too early is refused wherever it ends, with the name of the file and, from the first name on, of the
// key or the tensor.
func TestTruncated(t *testing.T) {
	im := small()
	whole := im.bytes()
	_, err := parse(whole)
	require.NoError(t, err)
	for n := range whole {
		// The copy has no room behind its end, so reading beyond it is a panic.
		_, err := parse(append(make([]byte, 0, n), whole[:n]...))
		var e *format.Error
		require.ErrorAs(t, err, &e, "%d bytes", n)
		require.ErrorIs(t, err, format.ErrFormat)
		require.Equal(t, "m.gguf", e.File)
		require.LessOrEqual(t, e.Offset, int64(n))
		if n >= len(whole)-im.dataSize {
			require.NotEmpty(t, e.Tensor)
		}
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Whatever a small file claims, reading it takes little memory. Counts, lengths and types are replaced by large and by
// random numbers wherever they may be.
func TestSmallFileTakesLittleMemory(t *testing.T) {
	const most = 1 << 20
	whole := small().bytes()
	require.Less(t, len(whole), 1100)
	r := rand.New(rand.NewPCG(1, 2))
	check := func(data []byte, what string) {
		bytes := allocated(func() { read(t, data) })
		require.Less(t, bytes, uint64(most), what)
	}
	check(whole, "intact")
	for _, c := range malformed {
		if data := c.im.bytes(); len(data) < 4096 {
			check(data, c.name)
		}
	}
	for at := range len(whole) - 8 {
		for _, n := range []uint64{math.MaxUint64, 1 << 63, 1 << 40, 1 << 31, 1 << 20, uint64(len(whole)), r.Uint64()} {
			data := append([]byte{}, whole...)
			copy(data[at:], u64(n))
			check(data, fmt.Sprintf("%d at byte %d", n, at))
		}
	}
}

// read looks at everything in a file, if it can be parsed. An error must be a *format.Error that names the file.
func read(t require.TestingT, parts ...[]byte) {
	named := make([]gguf.Part, len(parts))
	for i, data := range parts {
		named[i] = gguf.Part{Name: fmt.Sprintf("m-%05d-of-%05d.gguf", i+1, len(parts)), Data: data}
		names, err := gguf.SplitNames(named[i])
		checkError(t, err)
		if err == nil {
			require.NotEmpty(t, names)
		}
	}
	f, err := gguf.Parse(named...)
	checkError(t, err)
	if err != nil {
		return
	}
	for _, key := range f.Keys() {
		v, ok := f.Get(key)
		require.True(t, ok)
		readValue(v)
		_, err := f.Uint(key)
		checkError(t, err)
		_, err = f.Strings(key)
		checkError(t, err)
	}
	for _, tensor := range f.Tensors {
		require.EqualValues(t, tensor.Size, len(f.Data(tensor)))
		require.Equal(t, tensor.Size, tensor.Rows()*tensor.RowBytes())
	}
}

func readValue(v gguf.Value) {
	_ = v.String()
	v.Uint()
	v.Int()
	v.Float()
	v.Bool()
	v.Text()
	v.Ints()
	v.Floats()
	v.Bools()
	v.Strings()
	for e := range v.Elements() {
		readValue(e)
	}
}

func checkError(t require.TestingT, err error) {
	if err == nil {
		return
	}
	var e *format.Error
	require.ErrorAs(t, err, &e)
	require.NotEmpty(t, e.File)
	require.NotEmpty(t, e.Detail)
	require.True(t, errors.Is(err, format.ErrFormat) || errors.Is(err, format.ErrUnsupported), "%v", err)
}
