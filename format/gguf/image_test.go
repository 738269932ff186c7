package gguf_test

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

// image is a file to build byte by byte, with or without mistakes; the Writer would refuse those.
type image struct {
	magic            string // "GGUF" if empty
	version          uint32 // 3 if zero
	nTensors, nKeys  uint64 // the true numbers if zero
	meta             []pair
	tensors          []info
	alignment        int // 32 if zero
	dataSize         int
	bigEndianVersion bool
}

// pair is a metadata key with the bytes of its value.
type pair struct {
	key string
	typ gguf.ValueType
	raw []byte
}

// info is a tensor description.
type info struct {
	name   string
	dims   []uint64
	typ    format.Type
	offset uint64
}

func (im image) bytes() []byte {
	le := binary.LittleEndian
	or := func(n, def uint64) uint64 {
		if n == 0 {
			return def
		}
		return n
	}
	magic := "GGUF"
	if im.magic != "" {
		magic = im.magic
	}
	version := le.AppendUint32([]byte(magic), uint32(or(uint64(im.version), 3)))
	if im.bigEndianVersion {
		version = binary.BigEndian.AppendUint32([]byte(magic), uint32(or(uint64(im.version), 3)))
	}
	b := le.AppendUint64(version, or(im.nTensors, uint64(len(im.tensors))))
	b = le.AppendUint64(b, or(im.nKeys, uint64(len(im.meta))))
	for _, p := range im.meta {
		b = append(b, text(p.key)...)
		b = le.AppendUint32(b, uint32(p.typ))
		b = append(b, p.raw...)
	}
	for _, t := range im.tensors {
		b = append(b, text(t.name)...)
		b = le.AppendUint32(b, uint32(len(t.dims)))
		for _, d := range t.dims {
			b = le.AppendUint64(b, d)
		}
		b = le.AppendUint32(b, uint32(t.typ))
		b = le.AppendUint64(b, t.offset)
	}
	if im.dataSize > 0 {
		align := int(or(uint64(im.alignment), 32))
		b = append(b, make([]byte, (align-len(b)%align)%align)...)
		for i := range im.dataSize {
			b = append(b, byte(i))
		}
	}
	return b
}

// The bytes of values.
func u8(n uint8) []byte   { return []byte{n} }
func u16(n uint16) []byte { return binary.LittleEndian.AppendUint16(nil, n) }
func u32(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }
func u64(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
func f32(x float32) []byte {
	return u32(math.Float32bits(x))
}
func text(s string) []byte { return append(u64(uint64(len(s))), s...) }
func array(elem gguf.ValueType, n uint64, elems ...[]byte) []byte {
	return append(append(u32(uint32(elem)), u64(n)...), bytes.Join(elems, nil)...)
}

// nested is an array of one array of one array … that many deep, with an empty array of bytes inside.
func nested(depth int) []byte {
	v := array(gguf.Uint8, 0)
	for range depth - 1 {
		v = array(gguf.Array, 1, v)
	}
	return v
}

// vector describes a tensor of four float32.
func vector(name string, offset uint64) info {
	return info{name, []uint64{4}, format.F32, offset}
}

// small is a file with one of everything.
func small() image {
	return image{
		meta: []pair{
			{"general.architecture", gguf.String, text("llama")},
			{"general.alignment", gguf.Uint32, u32(64)},
			{"u8", gguf.Uint8, u8(200)},
			{"i8", gguf.Int8, u8(200)},
			{"u16", gguf.Uint16, u16(60000)},
			{"i16", gguf.Int16, u16(60000)},
			{"u32", gguf.Uint32, u32(4e9)},
			{"i32", gguf.Int32, u32(4e9)},
			{"u64", gguf.Uint64, u64(1 << 63)},
			{"i64", gguf.Int64, u64(1 << 63)},
			{"f32", gguf.Float32, f32(0.1)},
			{"f64", gguf.Float64, u64(math.Float64bits(0.1))},
			{"yes", gguf.Bool, u8(1)},
			{"no", gguf.Bool, u8(0)},
			{"words", gguf.Array, array(gguf.String, 3, text("one"), text(""), text("thr\xffee"))},
			{"numbers", gguf.Array, array(gguf.Int16, 3, u16(1), u16(65535), u16(3))},
			{"scores", gguf.Array, array(gguf.Float32, 2, f32(-1.5), f32(2))},
			{"flags", gguf.Array, array(gguf.Bool, 2, u8(1), u8(0))},
			{"nested", gguf.Array, array(gguf.Array, 2, array(gguf.Uint8, 2, u8(1), u8(2)), array(gguf.String, 1, text("x")))},
			{"empty", gguf.Array, array(gguf.String, 0)},
		},
		tensors: []info{
			vector("b", 128),
			{"a", []uint64{32, 2, 1, 1}, format.Q8_0, 0},
			{"c", []uint64{1, 3}, format.I8, 192},
		},
		alignment: 64,
		dataSize:  195,
	}
}
