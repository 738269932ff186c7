package cortex

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/cortexsdr/cortex/format/internal/scan"
)

// File is a checked file, or all shards of one seen as one. It may be used from many goroutines.
type File struct {
	Major, Minor   int
	UUID           UUID // the same in all shards
	*gguf.Metadata      // keys and values as a GGUF file has them, and cortex.* keys
	format.Table        // the tensors that are kept in rows
	Products       []Product

	parts     []part
	headers   []*header
	rows      []rows
	sections  []section // of the first shard
	shards    []shardInfo
	names     map[string]place
	nProducts int
	entries   []int    // of each product: its number in the index
	extents   []extent // pieces, and then sections
}

// place is where a name is found: matrix m of product p; p is -1 for a tensor kept in rows.
type place struct{ p, m int }

// extent is a run of bytes that belongs to one thing.
type extent struct {
	part     int
	from, to int64
	tensor   string // or empty
	what     string // it is, if no tensor
}

func (e extent) String() string { return e.what + e.tensor }

// Is reports whether a file that begins with these bytes is one of this format, of whatever version.
func Is(head []byte) bool { return bytes.HasPrefix(head, []byte(Magic)) }

// Product returns the product that a matrix belongs to, an index of f.Products, and which one of the product's matrices it is.
func (f *File) Product(tensor string) (product, matrix int, ok bool) {
	at, ok := f.names[tensor]
	if !ok || at.p < 0 {
		return 0, 0, false
	}
	return at.p, at.m, true
}

// Sections returns the run of bytes of the first shard that holds all sections and their table, which, with the first [HeaderBytes] of
// every shard, is all that Parse reads.
func (f *File) Sections() (from, size int64) {
	h := f.headers[0]
	from, to := h.table, h.table+h.tableBytes()
	for _, s := range f.sections {
		from, to = min(from, s.offset), max(to, s.offset+s.size)
	}
	return from, to - from
}

// Parse checks a file, or all shards of one in their order, and describes it. It reads headers and sections and none of
// the weights. Metadata values are views of the data that was passed in.
//
// Errors are *format.Error values. They wrap format.ErrUnsupported for another major version or unknown types,
// format.ErrChecksum where the head is not what was written, and format.ErrFormat for everything else.
func Parse(files ...gguf.Part) (*File, error) {
	parts := make([]part, len(files))
	for i, p := range files {
		parts[i] = part{name: p.Name, size: int64(len(p.Data)), data: p.Data}
	}
	return parse(parts)
}

func parse(parts []part) (*File, error) {
	if len(parts) == 0 {
		return nil, &format.Error{Detail: "no file given", Err: format.ErrMissing}
	}
	f := &File{parts: parts, names: map[string]place{}}
	for i, p := range parts {
		h, err := parseHeader(p)
		if err != nil {
			return nil, err
		}
		f.headers = append(f.headers, h)
		first := f.headers[0]
		fail := func(at int64, text string, args ...any) (*File, error) {
			return nil, &format.Error{File: p.name, Offset: at, Detail: fmt.Sprintf(text, args...), Err: format.ErrFormat}
		}
		switch {
		case h.uuid != first.uuid:
			return fail(16, "belongs to the set %v, %s to %v", h.uuid, parts[0].name, first.uuid)
		case h.shards != len(parts):
			return nil, &format.Error{File: p.name, Offset: 36, Err: format.ErrMissing,
				Detail: fmt.Sprintf("is one of %d shards, %d are given", h.shards, len(parts))}
		case h.shard != i:
			return fail(32, "is in the place of shard %d, it is shard %d", i+1, h.shard+1)
		case i > 0 && h.sections != 0:
			return fail(56, "shard %d has sections", i+1)
		}
		f.Files = append(f.Files, p.name)
	}
	first := f.headers[0]
	f.Major, f.Minor, f.UUID = int(first.major), int(first.minor), first.uuid
	var err error
	if f.sections, err = first.parseSections(parts[0]); err != nil {
		return nil, err
	}
	if err := f.parseSections(); err != nil {
		return nil, err
	}
	return f, f.checkOverlaps()
}

// section reads a section of the first shard. ok is false if there is none.
func (f *File) section(kind sectionKind) (r scan.Reader, ok bool, err error) {
	p := f.parts[0]
	i := slices.IndexFunc(f.sections, func(s section) bool { return s.kind == kind })
	if i < 0 {
		return r, false, nil
	}
	s := f.sections[i]
	if s.size > maxSection {
		return r, false, &format.Error{File: p.name, Offset: s.offset, Err: format.ErrUnsupported,
			Detail: fmt.Sprintf("section %v of %d bytes, more than %d", kind, s.size, maxSection)}
	}
	data, err := p.read(s.offset, s.size)
	if err != nil {
		return r, false, err
	}
	if have := checksum(data); have != s.crc {
		return r, false, &format.Error{File: p.name, Offset: s.offset, Err: format.ErrChecksum,
			Detail: fmt.Sprintf("the checksum of section %v is %08x, not %08x", kind, have, s.crc)}
	}
	return scan.Reader{File: p.name, Data: data, Base: s.offset}, true, nil
}

func (f *File) parseSections() error {
	got := map[sectionKind]scan.Reader{}
	for _, kind := range []sectionKind{kindMeta, kindShards, kindIndex, kindSides, kindOrders, kindThresholds} {
		r, ok, err := f.section(kind)
		if err != nil {
			return err
		}
		if !ok && kind != kindOrders && kind != kindThresholds {
			return &format.Error{File: f.parts[0].name, Detail: fmt.Sprintf("section %v is missing", kind), Err: format.ErrMissing}
		}
		if ok {
			got[kind] = r
		}
	}
	meta := got[kindMeta]
	var err error
	if f.Metadata, err = gguf.ParseMetadata(meta.File, meta.Data, meta.Base); err != nil {
		return err
	}
	list := got[kindShards]
	if f.shards, err = parseShards(&list); err != nil {
		return err
	}
	if len(f.shards) != len(f.parts) {
		return list.Malformed(0, "%d shards are listed, there are %d", len(f.shards), len(f.parts))
	}
	for i, s := range f.shards {
		if s.size != f.parts[i].size {
			return &format.Error{File: f.parts[i].name, Err: format.ErrFormat,
				Detail: fmt.Sprintf("the file has %d bytes, not the %d that %s says", f.parts[i].size, s.size, f.parts[0].name)}
		}
	}
	x := index{Reader: got[kindIndex], f: f, sides: got[kindSides]}
	if err := x.parse(); err != nil {
		return err
	}
	if r, ok := got[kindOrders]; ok {
		if err := parseOrders(&r, x.products); err != nil {
			return err
		}
	}
	if r, ok := got[kindThresholds]; ok {
		if err := parseThresholds(&r, x.products); err != nil {
			return err
		}
	}
	for i, p := range x.products {
		if p != nil {
			f.Products = append(f.Products, *p)
			f.entries = append(f.entries, i)
		}
	}
	return nil
}

// checkOverlaps checks that no two pieces or sections share bytes, nor a large piece a page with anything.
func (f *File) checkOverlaps() error {
	h := f.headers[0]
	f.extents = append(f.extents, extent{from: h.table, to: h.table + h.tableBytes(), what: "the table of sections"})
	for _, s := range f.sections {
		f.extents = append(f.extents, extent{from: s.offset, to: s.offset + s.size, what: "section " + s.kind.String()})
	}
	slices.SortFunc(f.extents, func(a, b extent) int {
		return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	for i, e := range f.extents[1:] {
		if prev := f.extents[i]; prev.part == e.part && prev.to > e.from {
			return &format.Error{File: f.parts[e.part].name, Tensor: e.tensor, Offset: e.from, Err: format.ErrFormat,
				Detail: strings.TrimSpace(fmt.Sprintf("%s overlaps %v, which ends at %d", e.what, prev, prev.to))}
		}
	}
	return nil
}
