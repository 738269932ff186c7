package cortex

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/internal/scan"
)

// The kinds of entries of the index. Entries of other kinds are skipped.
const (
	entryRows    = 1
	entryProduct = 2
)

const (
	maxName = 65535 // bytes of the name of a tensor or a file
	maxDims = 4

	minEntry      = 8         // bytes that an entry takes at least: kind and size
	minMatrix     = 8 + 1 + 8 // and a matrix: its name and its outputs
	pieceEntry    = 4 + 4 + 8 + 8
	minShard      = 8 + 1 + 8 + 8
	minThresholds = 3 * 4
	thresholdSize = 3 * 4

	// rowsPiece is what a piece of a tensor kept in rows takes, but for the last.
	rowsPiece = 2 << 20
)

// rows is a tensor kept in rows, with the checksums of its pieces: runs of pieceBytes, the last with what is left.
type rows struct {
	format.Tensor
	pieceBytes int64
	crc        []uint32
}

// pieces returns the pieces of the tensor.
func (r *rows) pieces() []Piece {
	list := make([]Piece, len(r.crc))
	for i, crc := range r.crc {
		at := int64(i) * r.pieceBytes
		list[i] = Piece{Part: r.Part, Offset: r.Offset + at, Size: min(r.pieceBytes, r.Size-at), CRC: crc}
	}
	return list
}

// shardInfo is an entry of the list of shards.
type shardInfo struct {
	name string // of the file, without directory
	dir  string // where it was written, from the first shard's directory on and with slashes; empty if beside it
	size int64
}

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

func appendFloats(b []byte, x ...float32) []byte {
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func encodeShards(list []shardInfo) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(list)))
	for _, s := range list {
		b = appendText(appendText(b, s.name), s.dir)
		b = binary.LittleEndian.AppendUint64(b, uint64(s.size))
	}
	return b
}

func parseShards(r *scan.Reader) ([]shardInfo, error) {
	n, err := r.Count("number of shards", minShard)
	if err != nil {
		return nil, err
	}
	var list []shardInfo
	for range n {
		var s shardInfo
		at := r.Pos
		if s.name, err = r.Name("name of a shard", maxName); err != nil {
			return nil, err
		}
		if s.name != baseName(s.name) {
			return nil, r.Malformed(at, "the name of a shard is %q, not that of a file alone", s.name)
		}
		dir, err := r.Text("directory of a shard")
		if err != nil {
			return nil, err
		}
		if s.dir = string(dir); len(s.dir) > maxName {
			return nil, r.Malformed(at, "a directory of %d bytes, more than %d", len(s.dir), maxName)
		}
		if s.size, err = offset(r, "size of a shard"); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// offset reads an offset or a size in a file.
func offset(r *scan.Reader, what string) (int64, error) {
	at := r.Pos
	n, err := r.Uint64(what)
	if err == nil && n > math.MaxInt64 {
		err = r.Malformed(at, "%s %d overflows", what, n)
	}
	return int64(n), err
}

// number reads a 32-bit number of at most most.
func number(r *scan.Reader, what string, most int) (int, error) {
	at := r.Pos
	n, err := r.Uint32(what)
	if err == nil && int64(n) > int64(most) {
		err = r.Malformed(at, "%s is %d, want at most %d", what, n, most)
	}
	return int(n), err
}

// appendEntry appends an entry of the index, whose size is that of body.
func appendEntry(b []byte, kind uint32, body []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	return append(b, body...)
}

// spec encodes what identifies a tensor before it is written.
func (r *rows) spec() []byte {
	le := binary.LittleEndian
	b := appendText(nil, r.Name)
	b = le.AppendUint32(b, uint32(r.Type))
	b = le.AppendUint32(b, uint32(len(r.Shape)))
	for _, d := range r.Shape {
		b = le.AppendUint64(b, uint64(d))
	}
	return le.AppendUint64(b, uint64(r.pieceBytes))
}

func (r *rows) encode() []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(r.spec(), uint32(r.Part))
	b = le.AppendUint64(b, uint64(r.Offset))
	for _, crc := range r.crc {
		b = le.AppendUint32(b, crc)
	}
	return b
}

// spec encodes what identifies a product before it is written.
func (p *Product) spec() []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(p.Type))
	b = le.AppendUint32(b, uint32(p.Channels))
	b = le.AppendUint32(b, uint32(p.BlockChannels))
	b = le.AppendUint32(b, uint32(len(p.Matrices)))
	b = append(b, p.Table[:]...)
	for _, m := range p.Matrices {
		b = le.AppendUint64(appendText(b, m.Name), uint64(m.Outputs))
	}
	return b
}

func (p *Product) encode(side int64) []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(p.spec(), uint64(side))
	for _, c := range p.Pieces {
		b = le.AppendUint32(b, uint32(c.Part))
		b = le.AppendUint32(b, c.CRC)
		b = le.AppendUint64(b, uint64(c.Offset))
		b = le.AppendUint64(b, uint64(c.Size))
	}
	return b
}

// index is what is being read from the section of that name.
type index struct {
	scan.Reader
	f     *File
	sides scan.Reader // the section of side tables
	// products gives the product of each entry, nil for other entries.
	products []*Product
}

// parse reads all entries.
func (x *index) parse() error {
	n, err := x.Count("number of entries", minEntry)
	if err != nil {
		return err
	}
	all := x.Data
	for range n {
		x.Tensor = ""
		at := x.Pos
		kind, err := x.Uint32("kind of an entry")
		if err != nil {
			return err
		}
		size, err := x.Uint32("size of an entry")
		if err != nil {
			return err
		}
		if int64(size) > int64(x.Remaining()) {
			return x.Malformed(at, "an entry of %d bytes, %d remain", size, x.Remaining())
		}
		end := x.Pos + int(size)
		x.Data = all[:end] // later versions may have more at the end of an entry
		var p *Product
		switch kind {
		case entryRows:
			err = x.rows(at)
		case entryProduct:
			p, err = x.product(at)
		}
		if err != nil {
			return err
		}
		x.products = append(x.products, p)
		x.Data, x.Pos = all, end
	}
	x.Tensor = ""
	if x.Remaining() > 0 {
		return x.Malformed(x.Pos, "%d bytes after the last of %d entries", x.Remaining(), n)
	}
	return nil
}

// rows reads a tensor kept in rows.
func (x *index) rows(at int) (err error) {
	var r rows
	if r.Name, err = x.Name("tensor name", maxName); err != nil {
		return err
	}
	x.Tensor = r.Name
	typ, err := x.Uint32("tensor type")
	if err != nil {
		return err
	}
	dims, err := number(&x.Reader, "number of dimensions", maxDims)
	if err != nil {
		return err
	}
	for range dims {
		d, err := offset(&x.Reader, "dimension")
		if err != nil {
			return err
		}
		r.Shape = append(r.Shape, d)
	}
	r.Tensor.Type = format.Type(typ)
	if r.Size, err = r.Tensor.Type.Bytes(r.Shape); err != nil {
		e := err.(*format.Error)
		e.File, e.Tensor, e.Offset = x.File, r.Name, x.Base+int64(at)
		return e
	}
	if r.pieceBytes, err = offset(&x.Reader, "size of the pieces"); err != nil {
		return err
	}
	if r.pieceBytes == 0 || r.pieceBytes%pageBytes != 0 {
		return x.Malformed(at, "pieces of %d bytes, want a multiple of %d", r.pieceBytes, pageBytes)
	}
	if r.Part, err = number(&x.Reader, "shard", len(x.f.parts)-1); err != nil {
		return err
	}
	if r.Offset, err = offset(&x.Reader, "offset"); err != nil {
		return err
	}
	if err := x.place(at, r.Part, r.Offset, r.Size); err != nil {
		return err
	}
	n := (r.Size-1)/r.pieceBytes + 1
	if n > int64(x.Remaining()/4) {
		return x.Malformed(x.Pos, "checksums of %d pieces need %d bytes, %d remain", n, 4*n, x.Remaining())
	}
	r.crc = make([]uint32, n)
	for i := range r.crc {
		r.crc[i], _ = x.Uint32("checksum")
	}
	if err := x.name(at, r.Name, -1, 0); err != nil {
		return err
	}
	x.f.rows = append(x.f.rows, r)
	return x.f.Add(r.Tensor)
}

// name notes the name of a tensor, which must be new. It is matrix m of a product, or p is -1.
func (x *index) name(at int, name string, p, m int) error {
	if _, ok := x.f.names[name]; ok {
		x.Tensor = name
		return x.Malformed(at, "is there twice")
	}
	x.f.names[name] = place{p, m}
	return nil
}

// place checks where a piece lies.
func (x *index) place(at, part int, from, size int64) error {
	fileSize := x.f.parts[part].size
	switch {
	case from < pageBytes || size < 1 || from > fileSize-size:
		return x.Malformed(at, "%d bytes at byte %d do not fit %s of %d bytes", size, from, x.f.parts[part].name, fileSize)
	case size >= pageBytes && from%pageBytes != 0:
		return x.Malformed(at, "%d bytes at byte %d, which is not a multiple of %d", size, from, pageBytes)
	case size < pageBytes && from%smallAlign != 0:
		return x.Malformed(at, "%d bytes at byte %d, which is not a multiple of %d", size, from, smallAlign)
	case size < pageBytes && from/pageBytes != (from+size-1)/pageBytes:
		return x.Malformed(at, "%d bytes at byte %d cross a multiple of %d", size, from, pageBytes)
	}
	end := from + size
	if size >= pageBytes {
		end = alignUp(end, pageBytes)
	}
	x.f.extents = append(x.f.extents, extent{part: part, from: from, to: end, tensor: x.Tensor})
	return nil
}

// product reads a product.
func (x *index) product(at int) (*Product, error) {
	p := &Product{}
	typ, err := x.Uint32("type of a product")
	if err != nil {
		return nil, err
	}
	p.Type = Type(typ)
	if p.Channels, err = number(&x.Reader, "number of channels", math.MaxInt32); err != nil {
		return nil, err
	}
	if p.BlockChannels, err = number(&x.Reader, "channels of a block", math.MaxInt32); err != nil {
		return nil, err
	}
	matrices, err := number(&x.Reader, "number of matrices", x.Remaining()/minMatrix)
	if err != nil {
		return nil, err
	}
	table, err := x.Bytes(16, "table")
	if err != nil {
		return nil, err
	}
	copy(p.Table[:], table)
	for i := range matrices {
		var m Matrix
		if m.Name, err = x.Name("name of a matrix", maxName); err != nil {
			return nil, err
		}
		if i == 0 {
			x.Tensor = m.Name
		}
		outputs, err := offset(&x.Reader, "outputs")
		if err != nil {
			return nil, err
		}
		if outputs > maxGroups {
			return nil, x.Malformed(at, "%d outputs, want at most %d", outputs, maxGroups)
		}
		m.Outputs = int(outputs)
		if err := x.name(at, m.Name, x.f.nProducts, i); err != nil {
			return nil, err
		}
		p.Matrices = append(p.Matrices, m)
	}
	if detail, kind := p.check(); kind != nil {
		return nil, x.Errorf(kind, at, "%s", detail)
	}
	if err := x.sideTables(at, p); err != nil {
		return nil, err
	}
	n := p.blocks()
	if n > x.Remaining()/pieceEntry {
		return nil, x.Malformed(x.Pos, "%d blocks need %d bytes, %d remain", n, n*pieceEntry, x.Remaining())
	}
	p.Pieces = make([]Piece, n)
	for i := range p.Pieces {
		c := Piece{First: i * p.BlockChannels, Channels: p.blockChannels(i)}
		at := x.Pos
		if c.Part, err = number(&x.Reader, "shard", len(x.f.parts)-1); err != nil {
			return nil, err
		}
		c.CRC, _ = x.Uint32("checksum") // there are enough bytes
		if c.Offset, err = offset(&x.Reader, "offset"); err != nil {
			return nil, err
		}
		if c.Size, err = offset(&x.Reader, "size"); err != nil {
			return nil, err
		}
		if detail := blockSize(p.Type, p.Layout(i), c.Size); detail != "" {
			return nil, x.Malformed(at, "block %d %s", i, detail)
		}
		if err := x.place(at, c.Part, c.Offset, c.Size); err != nil {
			return nil, err
		}
		p.Pieces[i] = c
	}
	x.f.nProducts++
	return p, nil
}

// sideTables reads where the side tables are, and them.
func (x *index) sideTables(at int, p *Product) error {
	from, err := offset(&x.Reader, "offset of the side tables")
	if err != nil {
		return err
	}
	n := p.Channels
	if from > int64(len(x.sides.Data)) || int64(8*n) > int64(len(x.sides.Data))-from {
		return x.Malformed(at, "side tables of %d bytes at byte %d, the section has %d", 8*n, from, len(x.sides.Data))
	}
	all := make([]float32, 2*n)
	// F32 takes any number of values, so this cannot fail.
	_ = format.Dequantize(all, x.sides.Data[from:][:8*n], format.F32)
	if i := slices.IndexFunc(all, func(v float32) bool { return !(v >= 0 && v <= math.MaxFloat32) }); i >= 0 {
		x.sides.Tensor = x.Tensor
		return x.sides.Malformed(int(from)+4*i, "a norm or scale of channel %d is %v", i%n, all[i])
	}
	p.Norm, p.DMax = all[:n:n], all[n:]
	return nil
}

func appendUint64(b []byte, n uint64) []byte { return binary.LittleEndian.AppendUint64(b, n) }

// encodeThresholds returns the section of thresholds; entries are the numbers of the products' entries in the index.
func encodeThresholds(entries []int, products []*Product) []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(nil, uint64(len(products)))
	for i, p := range products {
		b = le.AppendUint32(b, uint32(entries[i]))
		b = le.AppendUint32(b, uint32(len(p.Thresholds)))
		measured := 0
		if len(p.Thresholds) > 0 {
			measured = len(p.Thresholds[0].Active)
		}
		b = le.AppendUint32(b, uint32(measured))
		for _, t := range p.Thresholds {
			b = append(appendFloats(b, t.Sparsity, t.Keep, t.Value), t.Active...)
		}
	}
	return b
}

// checkThresholds returns what is wrong with thresholds for the product.
func (p *Product) checkThresholds(list []Threshold) (detail string) {
	last := float32(-1)
	for i, t := range list {
		share := func(x float32) bool { return x >= 0 && x <= 1 }
		if !share(t.Sparsity) || !share(t.Keep) || !(t.Value >= 0 && t.Value <= math.MaxFloat32) || t.Sparsity <= last {
			return fmt.Sprintf("threshold %d of %d is out of order or range: %+v", i, len(list), t)
		}
		if n := len(t.Active); n != len(list[0].Active) || n > 0 && n != p.blocks() {
			return fmt.Sprintf("threshold %d of %d has shares of %d blocks, there are %d", i, len(list), n, p.blocks())
		}
		last = t.Sparsity
	}
	return ""
}

// eachListed reads a section that has something of some products: their number, and of each its entry, and what parse reads. At is
// where the product's part begins, and least what it takes at least.
func eachListed(r *scan.Reader, what string, least int, products []*Product, parse func(at, entry int, p *Product) error) error {
	n, err := r.Count("number of products with "+what, least)
	if err != nil {
		return err
	}
	for range n {
		at := r.Pos
		entry, err := number(r, "number of an entry", len(products)-1)
		if err != nil {
			return err
		}
		p := products[entry]
		if p == nil {
			return r.Malformed(at, "%s for entry %d, which is no product", what, entry)
		}
		if err := parse(at, entry, p); err != nil {
			return err
		}
	}
	if r.Remaining() > 0 {
		return r.Malformed(r.Pos, "%d bytes after the last of %d products", r.Remaining(), n)
	}
	return nil
}

// parseThresholds reads the section of thresholds into the products.
func parseThresholds(r *scan.Reader, products []*Product) error {
	return eachListed(r, "thresholds", minThresholds, products, func(at, entry int, p *Product) error {
		count, err := number(r, "number of thresholds", r.Remaining()/thresholdSize)
		if err != nil {
			return err
		}
		blocks, err := number(r, "number of blocks with shares", r.Remaining())
		if err != nil {
			return err
		}
		each := thresholdSize + blocks
		b, err := r.Bytes(uint64(count)*uint64(each), "thresholds")
		if err != nil {
			return err
		}
		if p.Thresholds != nil {
			return r.Malformed(at, "thresholds for entry %d are there twice", entry)
		}
		if blocks != 0 && blocks != p.blocks() {
			return r.Malformed(at, "%s: thresholds with shares of %d blocks, there are %d", p.Name(), blocks, p.blocks())
		}
		p.Thresholds = make([]Threshold, count)
		for i := range p.Thresholds {
			v, t := make([]float32, 3), b[i*each:][:each]
			_ = format.Dequantize(v, t[:thresholdSize], format.F32)
			p.Thresholds[i] = Threshold{Sparsity: v[0], Keep: v[1], Value: v[2]}
			if blocks > 0 {
				p.Thresholds[i].Active = bytes.Clone(t[thresholdSize:])
			}
		}
		if detail := p.checkThresholds(p.Thresholds); detail != "" {
			return r.Malformed(at, "%s", detail)
		}
		return nil
	})
}
