package cortex_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/format/gguf"
)

var le = binary.LittleEndian

// image is a file that is built byte by byte, with or without mistakes and with right checksums; the Writer would refuse those.
type image struct {
	sections []imageSection
	pieces   []byte // from byte 65536 on
	uuid     byte
	shard    int
	shards   int // 1 if zero

	header func(b []byte)      // changes the header before its checksum is made
	table  func(b []byte)      // and the table of sections
	file   func([]byte) []byte // and the whole file after all
}

type imageSection struct {
	kind string
	b    []byte
}

func (im image) bytes() []byte {
	b := append(make([]byte, 65536), im.pieces...)
	pad := func() { b = append(b, make([]byte, -len(b)&63)...) }
	var table []byte
	for _, s := range im.sections {
		pad()
		table = append(table, s.kind...)
		table = le.AppendUint32(table, 0)
		table = le.AppendUint64(table, uint64(len(b)))
		table = le.AppendUint64(table, uint64(len(s.b)))
		table = le.AppendUint32(table, uint32(specSum(s.b)))
		table = le.AppendUint32(table, 0)
		b = append(b, s.b...)
	}
	pad()
	if im.table != nil {
		im.table(table)
	}
	at := len(b)
	b = append(b, table...)
	h := b[:128]
	copy(h, cortex.Magic)
	le.PutUint16(h[8:], 1)
	le.PutUint32(h[12:], 128)
	h[16] = im.uuid
	le.PutUint32(h[32:], uint32(im.shard))
	le.PutUint32(h[36:], uint32(max(1, im.shards)))
	le.PutUint64(h[40:], uint64(len(b)))
	if len(im.sections) > 0 {
		le.PutUint64(h[48:], uint64(at))
	}
	le.PutUint32(h[56:], uint32(len(im.sections)))
	le.PutUint32(h[60:], uint32(specSum(table)))
	if im.header != nil {
		im.header(h)
	}
	size := le.Uint32(h[12:])
	if size >= 128 && int(size) <= len(b) {
		le.PutUint32(b[size-4:], uint32(specSum(b[:size-4])))
	}
	if im.file != nil {
		b = im.file(b)
	}
	return b
}

// The parts of sections.
func u32s(n ...uint32) (b []byte) {
	for _, x := range n {
		b = le.AppendUint32(b, x)
	}
	return b
}
func u64s(n ...uint64) (b []byte) {
	for _, x := range n {
		b = le.AppendUint64(b, x)
	}
	return b
}
func f32s(x ...float32) (b []byte) {
	for _, v := range x {
		b = le.AppendUint32(b, math.Float32bits(v))
	}
	return b
}
func text(s string) []byte          { return append(u64s(uint64(len(s))), s...) }
func cat(b ...[]byte) []byte        { return bytes.Join(b, nil) }
func list(entries ...[]byte) []byte { return append(u64s(uint64(len(entries))), cat(entries...)...) }
func entry(kind uint32, fields ...[]byte) []byte {
	b := cat(fields...)
	return cat(u32s(kind, uint32(len(b))), b)
}

// vector is a tensor in rows of n float32.
func vector(name string, n, offset uint64) []byte {
	return entry(1, text(name), u32s(0, 1), u64s(n, 65536), u32s(0), u64s(offset), u32s(make([]uint32, (4*n-1)/65536+1)...))
}

// sdr8 is a product of n channels in one block and one matrix of 64 outputs.
func sdr8(name string, n uint32, offset uint64) []byte {
	return entry(2, u32s(2, n, n, 1), make([]byte, 16), text(name), u64s(64, 0), u32s(0, 0), u64s(offset, uint64(cortex.NewLayout(int(n), 1).Size)))
}

func u16s(n ...uint16) (b []byte) {
	for _, x := range n {
		b = le.AppendUint16(b, x)
	}
	return b
}

// tiny is a right image of two vectors and a product.
func tiny() image {
	return image{
		pieces: make([]byte, 3*65536),
		sections: []imageSection{
			{"META", u64s(0)},
			{"SHRD", list(cat(text("m.cortex"), text(""), u64s(0)))}, // see sized
			{"INDX", list(vector("a", 3, 65536), vector("b", 16384+1, 2*65536), entry(77, text("of the future")), sdr8("c", 2, 65536+64))},
			{"SIDE", f32s(1, 2, 3, 4)},
			{"THRS", list(cat(u32s(3, 2, 1), f32s(0, 1, 0), []byte{255}, f32s(0.5, 0.25, 7), []byte{64}))},
			{"ODD!", []byte("of the future")},
			{"ORDR", list(cat(u32s(3), u16s(1, 0)))},
		},
	}
}

// with returns the image with another section.
func (im image) with(kind string, b []byte) image {
	im.sections = append([]imageSection(nil), im.sections...)
	for i, s := range im.sections {
		if s.kind == kind {
			im.sections[i].b = b
			return im
		}
	}
	im.sections = append(im.sections, imageSection{kind, b})
	return im
}

func (im image) without(kind string) image {
	var left []imageSection
	for _, s := range im.sections {
		if s.kind != kind {
			left = append(left, s)
		}
	}
	im.sections = left
	return im
}

// sized returns the image with the list of shards that fits its size.
func (im image) sized() image {
	size := len(im.with("SHRD", list(cat(text("m.cortex"), text(""), u64s(0)))).bytes())
	return im.with("SHRD", list(cat(text("m.cortex"), text(""), u64s(uint64(size)))))
}

func parse(files ...[]byte) (*cortex.File, error) {
	var list []gguf.Part
	for i, b := range files {
		list = append(list, gguf.Part{Name: string(rune('a'+i)) + ".cortex", Data: b})
	}
	return cortex.Parse(list...)
}

func TestParse(t *testing.T) {
	f, err := parse(tiny().sized().bytes())
	require.NoError(t, err)
	require.Equal(t, []int{1, 0}, []int{f.Major, f.Minor})
	require.Len(t, f.Tensors, 2)
	require.Len(t, f.Products, 1)
	require.Equal(t, []float32{1, 2}, f.Products[0].Norm)
	require.Equal(t, []float32{3, 4}, f.Products[0].DMax)
	require.Equal(t, []uint16{1, 0}, f.Products[0].Order)
	require.Equal(t, []float32{2, 1}, f.Products[0].ByValue(f.Products[0].Norm))
	require.Equal(t, []cortex.Threshold{{Sparsity: 0, Keep: 1, Value: 0, Active: []byte{255}}, {Sparsity: 0.5, Keep: 0.25, Value: 7, Active: []byte{64}}}, f.Products[0].Thresholds)
	require.Equal(t, "c", f.Products[0].Name())
	require.Equal(t, []int64{2, 64}, f.Products[0].Shape(0))
	require.Equal(t, "00000000-0000-0000-0000-000000000000", f.UUID.String())
	from, size := f.Sections()
	require.Equal(t, int64(4*65536), from)
	require.Equal(t, int64(len(tiny().sized().bytes())), from+size)

	later := tiny().sized() // a later minor version, with a longer header
	later.header = func(b []byte) { le.PutUint16(b[10:], 9); le.PutUint32(b[12:], 256) }
	f, err = parse(later.bytes())
	require.NoError(t, err)
	require.Equal(t, 9, f.Minor)
	path := filepath.Join(t.TempDir(), "m.cortex")
	require.NoError(t, os.WriteFile(path, later.bytes(), 0o600))
	err = verify(path)
	require.ErrorContains(t, err, "tensor c: block 0", "the image has no checksums of pieces")
	require.NotContains(t, err.Error(), "header")
	require.NotContains(t, err.Error(), "nothing")
}

// refused are images that break a rule each, and what is said.
var refused = []struct {
	name string
	im   image
	kind error
	want string
}{
	{"no magic", image{file: func(b []byte) []byte { return append([]byte("GGUFGGUF"), b[8:]...) }}, format.ErrFormat, "not a cortex file"},
	{"short", image{file: func(b []byte) []byte { return b[:127] }}, format.ErrFormat, "a header needs 128 bytes, the file has 127"},
	{"empty", image{file: func(b []byte) []byte { return nil }}, format.ErrFormat, "the file has 0"},
	{"major version", image{header: func(b []byte) { le.PutUint16(b[8:], 2) }}, format.ErrUnsupported, "version 2.0 is not supported, only 1.x is (at byte 8)"},
	{"header size", image{header: func(b []byte) { le.PutUint32(b[12:], 127) }}, format.ErrFormat, "a header of 127 bytes"},
	{"header size", image{header: func(b []byte) { le.PutUint32(b[12:], 1<<31) }}, format.ErrFormat, "a header of 2147483648 bytes"},
	{"header checksum", tiny().but(func(b []byte) []byte { b[20]++; return b }), format.ErrChecksum, "the header's checksum"},
	{"shard", image{shard: 1}, format.ErrFormat, "shard 1 of 1"},
	{"no shards", image{header: func(b []byte) { le.PutUint32(b[36:], 0) }}, format.ErrFormat, "shard 0 of 0"},
	{"many shards", image{shards: 5000}, format.ErrFormat, "want at most 4096"},
	{"another shard is not given", image{shards: 2}, format.ErrMissing, "is one of 2 shards, 1 are given"},
	{"cut short", tiny().but(func(b []byte) []byte { return b[:len(b)-1] }), format.ErrFormat, "not the "},
	{"longer", tiny().but(func(b []byte) []byte { return append(b, 0) }), format.ErrFormat, "not the "},
	{"many sections", image{header: func(b []byte) { le.PutUint32(b[56:], 1<<31) }}, format.ErrFormat, "2147483648 sections"},
	{"table in the header", image{header: func(b []byte) { le.PutUint32(b[56:], 1) }}, format.ErrFormat, "a table of 1 sections at byte 0"},
	{"table beyond the end", image{header: func(b []byte) { le.PutUint32(b[56:], 3); le.PutUint64(b[48:], 65536) }}, format.ErrFormat, "a table of 3 sections at byte 65536 does not fit"},
	{"table far away", image{header: func(b []byte) { le.PutUint32(b[56:], 1); le.PutUint64(b[48:], 1<<63) }}, format.ErrFormat, "a table of 1 sections"},
	{"table checksum", image{sections: tiny().sections, header: func(b []byte) { b[60]++ }}, format.ErrChecksum, "the checksum of the table of sections"},
	{"no sections", image{}, format.ErrMissing, "section \"META\" is missing"},
	{"section beyond the end", image{sections: tiny().sections, table: func(b []byte) { le.PutUint64(b[16:], 1<<40) }}, format.ErrFormat, "section \"META\" of 1099511627776 bytes"},
	{"section beyond everything", image{sections: tiny().sections, table: func(b []byte) { le.PutUint64(b[16:], math.MaxUint64) }}, format.ErrFormat, "section \"META\""},
	{"section not aligned", image{sections: tiny().sections, table: func(b []byte) { b[8]++ }}, format.ErrFormat, "section \"META\""},
	{"section in the header", image{sections: tiny().sections, table: func(b []byte) { le.PutUint64(b[8:], 0) }}, format.ErrFormat, "section \"META\""},
	{"section twice", image{sections: tiny().sections, table: func(b []byte) { copy(b[32:], "META") }}, format.ErrFormat, "section \"META\" is there twice"},
	{"section that must be known", image{sections: tiny().sections, table: func(b []byte) { b[5*32+4] = 1 }}, format.ErrUnsupported, "section \"ODD!\" must be understood"},
	{"section checksum", image{sections: tiny().sections, table: func(b []byte) { b[2*32+24]++ }}, format.ErrChecksum, "the checksum of section \"INDX\""},
	{"sections overlap", tiny().tables(func(b []byte) { copy(b[5*32+8:][:8], b[2*32+8:]) }), format.ErrFormat, "section \"INDX\" overlaps section \"ODD!\""},
	{"no index", tiny().without("INDX"), format.ErrMissing, "section \"INDX\" is missing"},
	{"no side tables", tiny().without("SIDE"), format.ErrMissing, "section \"SIDE\" is missing"},
	{"no list of shards", tiny().without("SHRD"), format.ErrMissing, "section \"SHRD\" is missing"},

	{"metadata count", tiny().with("META", u64s(1)), format.ErrFormat, "number of metadata keys 1 is more than the remaining 0 bytes can hold"},
	{"metadata tail", tiny().with("META", u64s(0, 0)), format.ErrFormat, "8 bytes after the last of 0 metadata keys"},
	{"metadata key", tiny().with("META", cat(list(text("a")), u32s(99), u64s(0))), format.ErrUnsupported, "key a: unknown value type 99"},

	{"shards: count", tiny().with("SHRD", u64s(1)), format.ErrFormat, "number of shards 1"},
	{"shards: other count", tiny().with("SHRD", list()), format.ErrFormat, "0 shards are listed, there are 1"},
	{"shards: empty name", tiny().with("SHRD", list(cat(text(""), text(""), u64s(1, 1)))), format.ErrFormat, "empty name of a shard"},
	{"shards: path", tiny().with("SHRD", list(cat(text("../m"), text(""), u64s(1)))), format.ErrFormat, "the name of a shard is \"../m\""},
	{"shards: windows path", tiny().with("SHRD", list(cat(text(`c:\m`), text(""), u64s(1)))), format.ErrFormat, "the name of a shard is"},
	{"shards: directory", tiny().with("SHRD", list(cat(text("m"), u64s(1<<40), u64s(1)))), format.ErrFormat, "directory of a shard needs 1099511627776 bytes"},
	{"shards: size", tiny().with("SHRD", list(cat(text("m.cortex"), text(""), u64s(5)))), format.ErrFormat, "not the 5 that a.cortex says"},
	{"shards: overflow", tiny().with("SHRD", list(cat(text("m.cortex"), text(""), u64s(1<<63)))), format.ErrFormat, "size of a shard 9223372036854775808 overflows"},

	{"index: count", tiny().with("INDX", u64s(1<<60)), format.ErrFormat, "number of entries"},
	{"index: tail", tiny().with("INDX", append(list(), 0)), format.ErrFormat, "1 bytes after the last of 0 entries"},
	{"index: entry", tiny().with("INDX", list(u32s(1, 1000))), format.ErrFormat, "an entry of 1000 bytes, 0 remain"},
	{"rows: no name", tiny().with("INDX", list(entry(1, text("")))), format.ErrFormat, "empty tensor name"},
	{"rows: cut", tiny().with("INDX", list(entry(1, text("a"), u32s(0)))), format.ErrFormat, "tensor a: number of dimensions needs 4 bytes, 0 remain"},
	{"rows: type", tiny().with("INDX", list(entry(1, text("a"), u32s(99, 1), u64s(1, 65536), u32s(0), u64s(65536), u32s(0)))), format.ErrUnsupported, "tensor a: unknown tensor type 99"},
	{"rows: dimensions", tiny().with("INDX", list(entry(1, text("a"), u32s(0, 5)))), format.ErrFormat, "number of dimensions is 5, want at most 4"},
	{"rows: no dimensions", tiny().with("INDX", list(entry(1, text("a"), u32s(0, 0)))), format.ErrFormat, "no dimensions"},
	{"rows: huge", tiny().with("INDX", list(entry(1, text("a"), u32s(0, 2), u64s(1<<62, 1<<62)))), format.ErrFormat, "too many values"},
	{"rows: negative", tiny().with("INDX", list(entry(1, text("a"), u32s(0, 1), u64s(1<<63)))), format.ErrFormat, "dimension 9223372036854775808 overflows"},
	{"rows: pieces", tiny().with("INDX", list(entry(1, text("a"), u32s(0, 1), u64s(3, 0)))), format.ErrFormat, "pieces of 0 bytes"},
	{"rows: pieces", tiny().with("INDX", list(entry(1, text("a"), u32s(0, 1), u64s(3, 65537)))), format.ErrFormat, "pieces of 65537 bytes"},
	{"rows: shard", tiny().with("INDX", list(entry(1, text("a"), u32s(0, 1), u64s(3, 65536), u32s(1)))), format.ErrFormat, "shard is 1, want at most 0"},
	{"rows: beyond the end", tiny().with("INDX", list(vector("a", 3, 1<<40))), format.ErrFormat, "tensor a: 12 bytes at byte 1099511627776 do not fit"},
	{"rows: too long", tiny().with("INDX", list(entry(1, text("a"), u32s(0, 1), u64s(1<<50, 65536), u32s(0), u64s(65536)))), format.ErrFormat, "do not fit"},
	{"rows: in the header", tiny().with("INDX", list(vector("a", 3, 128))), format.ErrFormat, "12 bytes at byte 128 do not fit"},
	{"rows: not aligned", tiny().with("INDX", list(vector("a", 3, 65537))), format.ErrFormat, "not a multiple of 64"},
	{"rows: large and not aligned", tiny().with("INDX", list(vector("a", 16384, 65536+64))), format.ErrFormat, "not a multiple of 65536"},
	{"rows: across pages", tiny().with("INDX", list(vector("a", 100, 2*65536-64))), format.ErrFormat, "cross a multiple of 65536"},
	{"rows: no checksums", tiny().with("INDX", list(entry(1, text("a"), u32s(0, 1), u64s(3, 65536), u32s(0), u64s(65536)))), format.ErrFormat, "checksums of 1 pieces need 4 bytes, 0 remain"},
	{"rows: twice", tiny().with("INDX", list(vector("a", 3, 65536), vector("a", 3, 65600))), format.ErrFormat, "tensor a: is there twice"},
	{"rows: overlap", tiny().without("THRS").without("ORDR").with("INDX", list(vector("a", 30, 65536), vector("b", 3, 65600))), format.ErrFormat, "tensor b: overlaps a, which ends at 65656"},
	{"rows: shared page", tiny().without("THRS").without("ORDR").with("INDX", list(vector("a", 16385, 65536), vector("b", 3, 3*65536-64))), format.ErrFormat, "tensor b: overlaps a, which ends at 196608"},

	{"product: type", tiny().with("INDX", list(entry(2, u32s(5, 1, 1, 1), make([]byte, 16), text("c"), u64s(64)))), format.ErrUnsupported, "tensor c: unknown type 5 of a product"},
	{"product: packed size", tiny().with("INDX", list(entry(2, u32s(4, 2, 2, 1), make([]byte, 16), text("c"), u64s(64, 0), u32s(0, 0), u64s(65536, 128)))), format.ErrFormat, "tensor c: block 0 has 128 bytes, want 192, or if it is packed a multiple of 64 from 256 on"},
	{"product: cut", tiny().with("INDX", list(entry(2, u32s(2, 1)))), format.ErrFormat, "channels of a block needs 4 bytes"},
	{"product: no channels", tiny().with("INDX", list(sdr8s(0, 1, 64))), format.ErrFormat, "0 channels, want 1 to 65536"},
	{"product: many channels", tiny().with("INDX", list(sdr8s(65537, 1, 64))), format.ErrFormat, "65537 channels, want 1 to 65536"},
	{"product: no channels in a block", tiny().with("INDX", list(sdr8s(10, 0, 64))), format.ErrFormat, "blocks of 0 channels"},
	{"product: many channels in a block", tiny().with("INDX", list(sdr8s(10, 11, 64))), format.ErrFormat, "blocks of 11 channels, want 1 to 10"},
	{"product: no matrices", tiny().with("INDX", list(entry(2, u32s(2, 1, 1, 0), make([]byte, 16)))), format.ErrFormat, "a product without matrices"},
	{"product: many matrices", tiny().with("INDX", list(entry(2, u32s(2, 1, 1, 1<<30), make([]byte, 16)))), format.ErrFormat, "number of matrices is 1073741824"},
	{"product: no outputs", tiny().with("INDX", list(sdr8s(10, 10, 0))), format.ErrFormat, "0 outputs"},
	{"product: many outputs", tiny().with("INDX", list(sdr8s(10, 10, 1<<40))), format.ErrFormat, "tensor c: 1099511627776 outputs, want at most 2147483647"},
	{"product: blocks beyond the end", tiny().with("INDX", list(sdr8s(2, 2, 1<<31-1))), format.ErrFormat, "tensor c: block 0 has 0 bytes, want "},
	{"product: table", tiny().with("INDX", list(sdr4(bytes.Repeat([]byte{64, 128}, 8)))), format.ErrFormat, "value 1 of the table is 128, more than 127"},
	{"product: table without zero", tiny().with("INDX", list(sdr4(make([]byte, 16)))), format.ErrFormat, "the table lacks 64"},
	{"product: table of SDR8", tiny().with("INDX", list(entry(2, u32s(2, 1, 1, 1), bytes.Repeat([]byte{1}, 16), text("c"), u64s(64)))), format.ErrFormat, "which SDR8 has not"},
	{"product: side tables", tiny().with("SIDE", f32s(1, 2, 3)), format.ErrFormat, "tensor c: side tables of 16 bytes at byte 0, the section has 12"},
	{"product: norm", tiny().with("SIDE", f32s(1, float32(math.Inf(1)), 3, 4)), format.ErrFormat, "tensor c: a norm or scale of channel 1 is +Inf"},
	{"product: norm", tiny().with("SIDE", f32s(1, 2, 3, float32(math.NaN()))), format.ErrFormat, "of channel 1 is NaN"},
	{"product: norm", tiny().with("SIDE", f32s(-1, 2, 3, 4)), format.ErrFormat, "of channel 0 is -1"},
	{"product: blocks", tiny().with("INDX", list(sdr8s(2, 2, 64)[:8+48])), format.ErrFormat, "an entry of"},
	{"product: no blocks", tiny().with("INDX", list(entry(2, u32s(2, 2, 1, 1), make([]byte, 16), text("c"), u64s(64, 0), u32s(0, 0), u64s(65536, 128)))), format.ErrFormat, "2 blocks need 48 bytes, 24 remain"},
	{"product: size", tiny().with("INDX", list(entry(2, u32s(2, 2, 2, 1), make([]byte, 16), text("c"), u64s(64, 0), u32s(0, 0), u64s(65536, 128)))), format.ErrFormat, "block 0 has 128 bytes, want 192"},
	{"product: same name", tiny().with("INDX", list(vector("c", 3, 65536), sdr8("c", 2, 65600))), format.ErrFormat, "tensor c: is there twice"},

	{"orders: count", tiny().with("ORDR", u64s(3)), format.ErrFormat, "number of products with an order 3 is more than the remaining 0 bytes can hold"},
	{"orders: entry", tiny().with("ORDR", list(cat(u32s(4), u16s(0, 1)))), format.ErrFormat, "number of an entry is 4, want at most 3"},
	{"orders: no product", tiny().with("ORDR", list(cat(u32s(0), u16s(0, 1)))), format.ErrFormat, "entry 0, which is no product"},
	{"orders: twice", tiny().with("ORDR", list(cat(u32s(3), u16s(0, 1)), cat(u32s(3), u16s(0, 1)))), format.ErrFormat, "is there twice"},
	{"orders: cut", tiny().with("ORDR", list(cat(u32s(3), u16s(0)))), format.ErrFormat, "order needs 4 bytes, 2 remain"},
	{"orders: value", tiny().with("ORDR", list(cat(u32s(3), u16s(0, 2)))), format.ErrFormat, "c: channel 1 is multiplied with value 2 of 2"},
	{"orders: value twice", tiny().with("ORDR", list(cat(u32s(3), u16s(1, 1)))), format.ErrFormat, "c: channel 1 is multiplied with value 1, as one before"},
	{"orders: tail", tiny().with("ORDR", append(list(), 0)), format.ErrFormat, "1 bytes after the last of 0 products"},
	{"thresholds: entry", tiny().with("THRS", list(u32s(4, 0, 0))), format.ErrFormat, "number of an entry is 4, want at most 3"},
	{"thresholds: no product", tiny().with("THRS", list(u32s(0, 0, 0))), format.ErrFormat, "entry 0, which is no product"},
	{"thresholds: of an unknown entry", tiny().with("THRS", list(u32s(2, 0, 0))), format.ErrFormat, "entry 2, which is no product"},
	{"thresholds: twice", tiny().with("THRS", list(u32s(3, 0, 0), u32s(3, 0, 0))), format.ErrFormat, "are there twice"},
	{"thresholds: count", tiny().with("THRS", list(u32s(3, 1<<30, 0))), format.ErrFormat, "number of thresholds is 1073741824"},
	{"thresholds: order", tiny().with("THRS", list(cat(u32s(3, 2, 0), f32s(0.5, 0, 0, 0.5, 0, 0)))), format.ErrFormat, "threshold 1 of 2"},
	{"thresholds: range", tiny().with("THRS", list(cat(u32s(3, 1, 0), f32s(2, 0, 0)))), format.ErrFormat, "threshold 0 of 1"},
	{"thresholds: NaN", tiny().with("THRS", list(cat(u32s(3, 1, 0), f32s(0, 0, float32(math.NaN()))))), format.ErrFormat, "threshold 0 of 1"},
	{"thresholds: shares", tiny().with("THRS", list(u32s(3, 0, 1<<30))), format.ErrFormat, "number of blocks with shares is 1073741824"},
	{"thresholds: shares are cut", tiny().with("THRS", list(cat(u32s(3, 1, 1), f32s(0, 1, 0)))), format.ErrFormat, "thresholds needs 13 bytes, 12 remain"},
	{"thresholds: shares of other blocks", tiny().with("THRS", list(cat(u32s(3, 1, 2), f32s(0, 1, 0), []byte{1, 2}))), format.ErrFormat, "thresholds with shares of 2 blocks, there are 1"},
	{"thresholds: tail", tiny().with("THRS", append(list(), 0)), format.ErrFormat, "1 bytes after the last of 0 products"},
}

// but returns the image with its file changed after all.
func (im image) but(file func([]byte) []byte) image {
	im = im.sized()
	im.file = file
	return im
}

// tables returns the image with a changed table of sections.
func (im image) tables(table func([]byte)) image {
	im.table = table
	return im
}

// sdr8s is a product whose block lies nowhere.
func sdr8s(n, block uint32, outputs uint64) []byte {
	return entry(2, u32s(2, n, block, 1), make([]byte, 16), text("c"), u64s(outputs, 0), u32s(0, 0), u64s(0, 0))
}

func sdr4(table []byte) []byte {
	return entry(2, u32s(1, 2, 2, 1), table, text("c"), u64s(64, 0), u32s(0, 0), u64s(0, 0))
}

func TestParseRefuses(t *testing.T) {
	for _, c := range refused {
		im := c.im
		if len(im.sections) > 0 && im.file == nil && c.name[:min(6, len(c.name))] != "shards" && c.name != "no list of shards" {
			im = im.sized()
		}
		data := im.bytes()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := parse(data)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, c.kind, c.name)
		require.ErrorContains(t, err, c.want, c.name)
		var e *format.Error
		require.ErrorAs(t, err, &e, c.name)
		require.Equal(t, "a.cortex", e.File, c.name)
		require.Less(t, e.Offset, int64(len(data))+1, c.name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), c.name)
	}
	_, err := cortex.Parse()
	require.ErrorIs(t, err, format.ErrMissing)
}

// Shards must belong together.
func TestParseShards(t *testing.T) {
	first := image{shards: 2, pieces: make([]byte, 65536), sections: []imageSection{
		{"META", u64s(0)}, {"INDX", list()}, {"SIDE", nil}, {"SHRD", nil},
	}}
	second := image{shards: 2, shard: 1}
	shards := func(first, second image) image {
		entry := func(name string, size int) []byte { return cat(text(name), text(""), u64s(uint64(size))) }
		size := len(first.with("SHRD", list(entry("a", 0), entry("b", 0))).bytes())
		return first.with("SHRD", list(entry("a", size), entry("b", len(second.bytes()))))
	}
	first = shards(first, second)
	_, err := parse(first.bytes(), second.bytes())
	require.NoError(t, err)
	_, err = parse(second.bytes(), first.bytes())
	require.ErrorContains(t, err, "a.cortex: is in the place of shard 1, it is shard 2")
	_, err = parse(first.bytes(), first.bytes())
	require.ErrorContains(t, err, "b.cortex: is in the place of shard 2, it is shard 1")
	other := second
	other.uuid = 1
	_, err = parse(first.bytes(), other.bytes())
	require.ErrorContains(t, err, "b.cortex: belongs to the set 01000000-")
	other = second
	other.sections = []imageSection{{"META", nil}}
	_, err = parse(first.bytes(), other.bytes())
	require.ErrorContains(t, err, "b.cortex: shard 2 has sections")
	other = second
	other.pieces = make([]byte, 64)
	_, err = parse(first.bytes(), other.bytes())
	require.ErrorContains(t, err, "b.cortex: the file has 65600 bytes, not the 65536 that a.cortex says")
	_, err = parse(first.bytes())
	require.ErrorIs(t, err, format.ErrMissing)
}

// FuzzParse parses files with any sections, which have right checksums, and reads all that is described.
func FuzzParse(f *testing.F) {
	kinds := []string{"META", "SHRD", "INDX", "SIDE", "THRS", "ORDR"}
	add := func(im image) {
		b := map[string][]byte{}
		for _, s := range im.sections {
			b[s.kind] = s.b
		}
		f.Add(b[kinds[0]], b[kinds[1]], b[kinds[2]], b[kinds[3]], b[kinds[4]], b[kinds[5]])
	}
	add(tiny().sized())
	for _, c := range refused {
		if len(c.im.sections) > 0 {
			add(c.im)
		}
	}
	f.Fuzz(func(t *testing.T, meta, shards, index, sides, thresholds, orders []byte) {
		im := tiny()
		for i, b := range [][]byte{meta, shards, index, sides, thresholds, orders} {
			im = im.with(kinds[i], b)
		}
		read(t, im.bytes())
		read(t, im.sized().bytes())
	})
}

// FuzzHeader parses files of which the head and the table of sections are whatever they are.
func FuzzHeader(f *testing.F) {
	whole := tiny().sized().bytes()
	from := len(whole) - 7*32
	f.Add(whole[:128], whole[from:], true)
	f.Add(whole[:64], []byte{}, false)
	none := bytes.Clone(whole[:128]) // no sections, and their table nowhere
	le.PutUint64(none[48:], 1<<57)
	le.PutUint32(none[56:], 0)
	f.Add(none, whole[from:], true)
	f.Fuzz(func(t *testing.T, head, table []byte, sum bool) {
		b := bytes.Clone(whole)
		copy(b, head)
		copy(b[from:], table)
		if sum {
			le.PutUint32(b[60:], uint32(specSum(b[from:])))
			le.PutUint32(b[124:], uint32(specSum(b[:124])))
		}
		read(t, b)
		read(t, head)
	})
}

// read parses a file and, if it is right, reads all that it describes.
func read(t *testing.T, data []byte) {
	f, err := parse(data)
	if err != nil {
		var e *format.Error
		require.True(t, errors.As(err, &e), "%v", err)
		require.True(t, errors.Is(err, format.ErrFormat) || errors.Is(err, format.ErrUnsupported) || errors.Is(err, format.ErrChecksum))
		require.LessOrEqual(t, e.Offset, int64(len(data)))
		return
	}
	for _, tensor := range f.Tensors {
		_ = data[tensor.Offset:][:tensor.Size]
	}
	for i, p := range f.Products {
		require.Equal(t, p.Groups, p.FirstGroup(len(p.Matrices)))
		require.Len(t, p.Norm, p.Channels)
		require.Len(t, p.DMax, p.Channels)
		require.Len(t, p.ByValue(p.Norm), p.Channels)
		channels := 0
		for _, c := range p.Pieces {
			_ = data[c.Offset:][:c.Size]
			require.Equal(t, channels, c.First)
			channels += c.Channels
		}
		require.Equal(t, p.Channels, channels)
		for j, m := range p.Matrices {
			pi, mj, ok := f.Product(m.Name)
			require.True(t, ok && pi == i && mj == j)
		}
	}
	for _, key := range f.Keys() {
		v, _ := f.Get(key)
		_ = v.String()
	}
}
