package format

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Type is the element type of a tensor, with ggml's number.
type Type uint32

// The tensor types of ggml. The numbers that are left out belonged to types that ggml has removed.
const (
	F32     Type = 0
	F16     Type = 1
	Q4_0    Type = 2
	Q4_1    Type = 3
	Q5_0    Type = 6
	Q5_1    Type = 7
	Q8_0    Type = 8
	Q8_1    Type = 9
	Q2_K    Type = 10
	Q3_K    Type = 11
	Q4_K    Type = 12
	Q5_K    Type = 13
	Q6_K    Type = 14
	Q8_K    Type = 15
	IQ2_XXS Type = 16
	IQ2_XS  Type = 17
	IQ3_XXS Type = 18
	IQ1_S   Type = 19
	IQ4_NL  Type = 20
	IQ3_S   Type = 21
	IQ2_S   Type = 22
	IQ4_XS  Type = 23
	I8      Type = 24
	I16     Type = 25
	I32     Type = 26
	I64     Type = 27
	F64     Type = 28
	IQ1_M   Type = 29
	BF16    Type = 30
	TQ1_0   Type = 34
	TQ2_0   Type = 35
	MXFP4   Type = 39
	NVFP4   Type = 40
	Q1_0    Type = 41
	Q2_0    Type = 42
)

// types describes every number that ggml has given out. A removed type has a name, for the error message,
// and no block.
var types = [...]struct {
	name   string
	values int // values in a block
	bytes  int // bytes of a block
}{
	F32:     {"F32", 1, 4},
	F16:     {"F16", 1, 2},
	Q4_0:    {"Q4_0", 32, 2 + 16},
	Q4_1:    {"Q4_1", 32, 2 + 2 + 16},
	4:       {name: "Q4_2"},
	5:       {name: "Q4_3"},
	Q5_0:    {"Q5_0", 32, 2 + 4 + 16},
	Q5_1:    {"Q5_1", 32, 2 + 2 + 4 + 16},
	Q8_0:    {"Q8_0", 32, 2 + 32},
	Q8_1:    {"Q8_1", 32, 2 + 2 + 32},
	Q2_K:    {"Q2_K", 256, 16 + 64 + 2 + 2},
	Q3_K:    {"Q3_K", 256, 32 + 64 + 12 + 2},
	Q4_K:    {"Q4_K", 256, 2 + 2 + 12 + 128},
	Q5_K:    {"Q5_K", 256, 2 + 2 + 12 + 32 + 128},
	Q6_K:    {"Q6_K", 256, 128 + 64 + 16 + 2},
	Q8_K:    {"Q8_K", 256, 4 + 256 + 32},
	IQ2_XXS: {"IQ2_XXS", 256, 2 + 64},
	IQ2_XS:  {"IQ2_XS", 256, 2 + 64 + 8},
	IQ3_XXS: {"IQ3_XXS", 256, 2 + 96},
	IQ1_S:   {"IQ1_S", 256, 2 + 32 + 16},
	IQ4_NL:  {"IQ4_NL", 32, 2 + 16},
	IQ3_S:   {"IQ3_S", 256, 2 + 64 + 8 + 32 + 4},
	IQ2_S:   {"IQ2_S", 256, 2 + 64 + 8 + 8},
	IQ4_XS:  {"IQ4_XS", 256, 2 + 2 + 4 + 128},
	I8:      {"I8", 1, 1},
	I16:     {"I16", 1, 2},
	I32:     {"I32", 1, 4},
	I64:     {"I64", 1, 8},
	F64:     {"F64", 1, 8},
	IQ1_M:   {"IQ1_M", 256, 32 + 16 + 8},
	BF16:    {"BF16", 1, 2},
	31:      {name: "Q4_0_4_4"},
	32:      {name: "Q4_0_4_8"},
	33:      {name: "Q4_0_8_8"},
	TQ1_0:   {"TQ1_0", 256, 48 + 4 + 2},
	TQ2_0:   {"TQ2_0", 256, 64 + 2},
	36:      {name: "IQ4_NL_4_4"},
	37:      {name: "IQ4_NL_4_8"},
	38:      {name: "IQ4_NL_8_8"},
	MXFP4:   {"MXFP4", 32, 1 + 16},
	NVFP4:   {"NVFP4", 64, 4 + 32},
	Q1_0:    {"Q1_0", 128, 2 + 16},
	Q2_0:    {"Q2_0", 64, 2 + 16},
}

// String returns ggml's name of the type, in capitals ("Q4_K"), or "Type(99)" for a number without one.
func (t Type) String() string {
	if int64(t) < int64(len(types)) {
		return types[t].name
	}
	return "Type(" + strconv.FormatUint(uint64(t), 10) + ")"
}

// BlockSize returns the number of values in a block: 1 for plain types, 256 for the K types; 0 if the type
// is not known or was removed.
func (t Type) BlockSize() int {
	if int64(t) < int64(len(types)) {
		return types[t].values
	}
	return 0
}

// BlockBytes returns the number of bytes of a block; 0 if the type is not known or was removed.
func (t Type) BlockBytes() int {
	if int64(t) < int64(len(types)) {
		return types[t].bytes
	}
	return 0
}

// Check returns nil if the type has a known layout, and otherwise an error that says why it has none and
// wraps ErrUnsupported: a number past the known ones may be a type that is newer than this package.
func (t Type) Check() error {
	switch {
	case t.BlockSize() > 0:
		return nil
	case int64(t) < int64(len(types)):
		return unsupportedf("tensor type %v (%d) was removed from ggml", t, uint32(t))
	}
	return unsupportedf("unknown tensor type %d", uint32(t))
}

// Bytes returns the number of bytes that a tensor of this type and shape takes. It fails with an *Error, wrapping
// ErrUnsupported or ErrFormat, if the type has no layout, a dimension is not positive, the row length
// Shape[0] is not a whole number of blocks, or the number of values or bytes passes that of int64.
func (t Type) Bytes(shape []int64) (int64, error) {
	if err := t.Check(); err != nil {
		return 0, err
	}
	if len(shape) == 0 {
		return 0, formatf("no dimensions")
	}
	n := uint64(1)
	for i, d := range shape {
		if d <= 0 {
			return 0, formatf("dimension %d is %d", i, d)
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt64 {
			return 0, formatf("shape %v has too many values", shape)
		}
		n = lo
	}
	if shape[0]%int64(t.BlockSize()) != 0 {
		return 0, formatf("row length %d is not a multiple of %d, the block size of %v", shape[0], t.BlockSize(), t)
	}
	hi, size := bits.Mul64(n/uint64(t.BlockSize()), uint64(t.BlockBytes()))
	if hi != 0 || size > math.MaxInt64 {
		return 0, formatf("shape %v of %v has too many bytes", shape, t)
	}
	return int64(size), nil
}

// ParseType returns the type with the given ggml name; case does not matter. The names of removed types
// are not accepted.
func ParseType(name string) (Type, error) {
	for t := range types {
		if types[t].values > 0 && strings.EqualFold(types[t].name, name) {
			return Type(t), nil
		}
	}
	return 0, unsupportedf("unknown tensor type %s", printable(name))
}

// Tensor says what a tensor is and where its bytes are.
type Tensor struct {
	Name   string
	Type   Type
	Shape  []int64 // ggml's order: Shape[0] is the length of the contiguous rows
	Part   int     // which file of a split model it is in; 0 for a single file
	Offset int64   // first byte, from the start of that file
	Size   int64   // bytes
}

// Rows returns the number of rows, the product of all dimensions but the first.
func (t Tensor) Rows() int64 {
	n := int64(1)
	for _, d := range t.Shape[1:] {
		n *= d
	}
	return n
}

// RowBytes returns the number of bytes of one row.
func (t Tensor) RowBytes() int64 {
	return t.Shape[0] / int64(t.Type.BlockSize()) * int64(t.Type.BlockBytes())
}

func formatf(text string, args ...any) error {
	return &Error{Detail: fmt.Sprintf(text, args...), Err: ErrFormat}
}

func unsupportedf(text string, args ...any) error {
	return &Error{Detail: fmt.Sprintf(text, args...), Err: ErrUnsupported}
}
