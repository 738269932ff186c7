package format

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Bits per value that ggml documents for its block types.
func TestBitsPerValue(t *testing.T) {
	for typ, bits := range map[Type]float64{
		F32: 32, F16: 16, BF16: 16, F64: 64, I8: 8, I16: 16, I32: 32, I64: 64,
		Q4_0: 4.5, Q4_1: 5, Q5_0: 5.5, Q5_1: 6, Q8_0: 8.5, Q8_1: 9,
		Q2_K: 2.625, Q3_K: 3.4375, Q4_K: 4.5, Q5_K: 5.5, Q6_K: 6.5625, Q8_K: 9.125,
		IQ2_XXS: 2.0625, IQ2_XS: 2.3125, IQ2_S: 2.5625, IQ3_XXS: 3.0625, IQ3_S: 3.4375, IQ1_S: 1.5625, IQ1_M: 1.75,
		IQ4_NL: 4.5, IQ4_XS: 4.25, TQ1_0: 1.6875, TQ2_0: 2.0625, MXFP4: 4.25, NVFP4: 4.5, Q1_0: 1.125, Q2_0: 2.25,
	} {
		require.Equal(t, bits, float64(typ.BlockBytes())*8/float64(typ.BlockSize()), "%v", typ)
	}
}

func TestTypeNames(t *testing.T) {
	known := 0
	for n := range Type(len(types)) {
		if n.Check() != nil {
			require.Zero(t, n.BlockSize())
			require.Zero(t, n.BlockBytes())
			_, err := ParseType(n.String())
			require.ErrorIs(t, err, ErrUnsupported, "%v", n)
			continue
		}
		known++
		for _, name := range []string{n.String(), strings.ToLower(n.String())} {
			back, err := ParseType(name)
			require.NoError(t, err)
			require.Equal(t, n, back)
		}
	}
	require.Equal(t, 35, known)
	require.Equal(t, "Type(4294967295)", Type(math.MaxUint32).String())
}

func TestCheckSaysWhy(t *testing.T) {
	for typ, text := range map[Type]string{
		4:              "tensor type Q4_2 (4) was removed from ggml",
		33:             "tensor type Q4_0_8_8 (33) was removed from ggml",
		43:             "unknown tensor type 43",
		math.MaxUint32: "unknown tensor type 4294967295",
	} {
		require.EqualError(t, typ.Check(), text)
		require.ErrorIs(t, typ.Check(), ErrUnsupported)
		_, err := typ.Bytes([]int64{256})
		require.EqualError(t, err, text)
		require.EqualError(t, Dequantize(nil, nil, typ), text)
	}
}

func TestTypeBytes(t *testing.T) {
	const big = math.MaxInt64
	for _, c := range []struct {
		typ   Type
		shape []int64
		want  int64
		err   string
	}{
		{F32, []int64{3}, 12, ""},
		{F32, []int64{3, 5, 7, 11}, 4620, ""},
		{Q4_K, []int64{512, 3}, 2 * 144 * 3, ""},
		{I8, []int64{big}, big, ""},
		{I8, []int64{1 << 31, 1 << 31}, 1 << 62, ""},
		{Q1_0, []int64{1 << 62}, 18 << 55, ""}, // fewer bytes than values
		{F32, nil, 0, "no dimensions"},
		{F32, []int64{4, 0}, 0, "dimension 1 is 0"},
		{F32, []int64{-4}, 0, "dimension 0 is -4"},
		{Q4_0, []int64{33}, 0, "row length 33 is not a multiple of 32, the block size of Q4_0"},
		{Q4_K, []int64{128, 2}, 0, "row length 128 is not a multiple of 256, the block size of Q4_K"},
		{F32, []int64{big}, 0, "shape [9223372036854775807] of F32 has too many bytes"},
		{F16, []int64{1 << 62}, 0, "shape [4611686018427387904] of F16 has too many bytes"},
		{I8, []int64{1 << 32, 1 << 31}, 0, "shape [4294967296 2147483648] has too many values"},
		{I8, []int64{1 << 32, 1 << 32}, 0, "shape [4294967296 4294967296] has too many values"},
		{I8, []int64{big, big, big, big}, 0, "shape [9223372036854775807 9223372036854775807 9223372036854775807 9223372036854775807] has too many values"},
	} {
		got, err := c.typ.Bytes(c.shape)
		if c.err != "" {
			require.EqualError(t, err, c.err)
			require.ErrorIs(t, err, ErrFormat)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
}

func TestTensorRows(t *testing.T) {
	m := Tensor{Type: Q6_K, Shape: []int64{512, 3, 5}}
	require.EqualValues(t, 15, m.Rows())
	require.EqualValues(t, 420, m.RowBytes())
	v := Tensor{Type: F32, Shape: []int64{7}}
	require.EqualValues(t, 1, v.Rows())
	require.EqualValues(t, 28, v.RowBytes())
}

func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		err  Error
		want string
	}{
		{Error{File: "m.gguf", Tensor: "blk.3.ffn_up", Detail: "offset 123 beyond file size 120", Err: ErrFormat}, "m.gguf: tensor blk.3.ffn_up: offset 123 beyond file size 120"},
		{Error{File: "m.gguf", Key: "a.b", Offset: 7, Detail: "duplicate key", Err: ErrFormat}, "m.gguf: key a.b: duplicate key (at byte 7)"},
		{Error{File: "m.gguf", Err: ErrChecksum}, "m.gguf: checksum mismatch"},
		{Error{Detail: "bad"}, "bad"},
		{Error{Key: "a\x1b[2Jb\n", Detail: "bad"}, `key "a\x1b[2Jb\n": bad`},
		{Error{Tensor: "größe", Detail: "bad"}, `tensor größe: bad`},
		{Error{Tensor: "two words", Detail: "bad"}, `tensor "two words": bad`},
		{Error{Tensor: "\xff", Detail: "bad"}, `tensor "\xff": bad`},
		{Error{Tensor: strings.Repeat("x", 1000), Detail: "bad"}, "tensor " + strings.Repeat("x", 100) + "…: bad"},
	} {
		require.Equal(t, c.want, c.err.Error())
	}
	require.ErrorIs(t, &Error{Err: ErrMissing}, ErrFormat)
	require.ErrorIs(t, &Error{Err: ErrMissing}, ErrMissing)
	require.NotErrorIs(t, &Error{Err: ErrFormat}, ErrMissing)
	require.False(t, errors.Is(&Error{}, ErrFormat))
}
