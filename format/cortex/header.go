package cortex

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/cortexsdr/cortex/format"
)

const (
	// Magic is what every file begins with. As in PNG, a byte above 127 and both kinds of line end show a transfer
	// that took the file for text.
	Magic = "\x89CTX\r\n\x1a\n"

	major, minor = 1, 0 // the version that is written

	// pageBytes is the alignment of large pieces; small ones lie within one page.
	pageBytes = 64 << 10
	// smallAlign is the alignment of small pieces and of sections.
	smallAlign = 64

	// HeaderBytes is what every file has in front of the pieces.
	HeaderBytes = pageBytes

	headerBytes  = 128 // of the header that this version writes, its checksum included
	sectionBytes = 32  // of an entry of the table of sections
	maxShards    = 4096
	maxSections  = 1024
	maxSection   = 1 << 30 // bytes of a section that is read into memory
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, format.Castagnoli) }

// UUID identifies a set of shards.
type UUID [16]byte

// String returns the usual form with hyphens.
func (u UUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// header is what a shard begins with.
type header struct {
	major, minor uint16
	uuid         UUID
	shard        int
	shards       int
	fileSize     int64
	table        int64 // where the table of sections is
	sections     int   // entries of it
	tableCRC     uint32

	size int    // of the header itself
	sum  uint32 // checksum of all of it
}

func (h *header) tableBytes() int64 { return int64(h.sections) * sectionBytes }

// sectionKind names a section with four letters.
type sectionKind [4]byte

func (k sectionKind) String() string { return fmt.Sprintf("%q", k[:]) }

// The sections of the first shard. The others have none.
var (
	kindMeta       = sectionKind{'M', 'E', 'T', 'A'} // keys and values
	kindShards     = sectionKind{'S', 'H', 'R', 'D'} // the list of shards
	kindIndex      = sectionKind{'I', 'N', 'D', 'X'} // tensors and products
	kindSides      = sectionKind{'S', 'I', 'D', 'E'} // norms and largest scales
	kindOrders     = sectionKind{'O', 'R', 'D', 'R'} // which value of the input each channel is for
	kindThresholds = sectionKind{'T', 'H', 'R', 'S'} // calibrated thresholds
)

// mustKnow is the flag of a section that a reader must not skip.
const mustKnow = 1

// section is an entry of the table of sections.
type section struct {
	kind         sectionKind
	flags        uint32
	offset, size int64
	crc          uint32
}

// encode returns the header with its checksum.
func (h *header) encode() []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, headerBytes), Magic...)
	b = le.AppendUint16(b, h.major)
	b = le.AppendUint16(b, h.minor)
	b = le.AppendUint32(b, headerBytes)
	b = append(b, h.uuid[:]...)
	b = le.AppendUint32(b, uint32(h.shard))
	b = le.AppendUint32(b, uint32(h.shards))
	b = le.AppendUint64(b, uint64(h.fileSize))
	b = le.AppendUint64(b, uint64(h.table))
	b = le.AppendUint32(b, uint32(h.sections))
	b = le.AppendUint32(b, h.tableCRC)
	b = append(b, make([]byte, headerBytes-4-len(b))...)
	return le.AppendUint32(b, checksum(b))
}

// parseHeader reads and checks the header of a file.
func parseHeader(p part) (*header, error) {
	fail := func(kind error, at int64, text string, args ...any) (*header, error) {
		return nil, &format.Error{File: p.name, Offset: at, Detail: fmt.Sprintf(text, args...), Err: kind}
	}
	if p.size < headerBytes {
		return fail(format.ErrFormat, 0, "a header needs %d bytes, the file has %d", headerBytes, p.size)
	}
	b, err := p.read(0, headerBytes)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if string(b[:8]) != Magic {
		return fail(format.ErrFormat, 0, "not a cortex file: it begins with %q, not with %q", b[:8], Magic)
	}
	h := &header{
		major:    le.Uint16(b[8:]),
		minor:    le.Uint16(b[10:]),
		size:     int(le.Uint32(b[12:])),
		uuid:     UUID(b[16:32]),
		fileSize: int64(le.Uint64(b[40:])),
		table:    int64(le.Uint64(b[48:])),
		tableCRC: le.Uint32(b[60:]),
	}
	if h.major != major { // before the checksum, which may be elsewhere in other versions
		return fail(format.ErrUnsupported, 8, "version %d.%d is not supported, only %d.x is", h.major, h.minor, major)
	}
	if h.size < headerBytes || h.size > pageBytes || int64(h.size) > p.size {
		return fail(format.ErrFormat, 12, "a header of %d bytes, want %d to %d", h.size, headerBytes, min(pageBytes, p.size))
	}
	if h.size > headerBytes { // of a later minor version
		if b, err = p.read(0, int64(h.size)); err != nil {
			return nil, err
		}
	}
	if want, have := le.Uint32(b[h.size-4:]), checksum(b[:h.size-4]); want != have {
		return fail(format.ErrChecksum, 0, "the header's checksum is %08x, not %08x", have, want)
	}
	shard, shards, sections := le.Uint32(b[32:]), le.Uint32(b[36:]), le.Uint32(b[56:])
	if shards < 1 || shards > maxShards || shard >= shards {
		return fail(format.ErrFormat, 32, "shard %d of %d, counted from 0; want at most %d", shard, shards, maxShards)
	}
	h.shard, h.shards, h.sum = int(shard), int(shards), checksum(b)
	if h.fileSize != p.size {
		return fail(format.ErrFormat, 40, "the file has %d bytes, not the %d that it was written with", p.size, h.fileSize)
	}
	if sections > maxSections {
		return fail(format.ErrFormat, 56, "%d sections, want at most %d", sections, maxSections)
	}
	if h.sections = int(sections); sections == 0 {
		h.table = 0 // wherever it is said to be
	} else {
		if h.table < pageBytes || h.table%smallAlign != 0 || h.table > p.size || int64(sections) > (p.size-h.table)/sectionBytes {
			return fail(format.ErrFormat, 48, "a table of %d sections at byte %d does not fit the file of %d bytes", sections, h.table, p.size)
		}
	}
	return h, nil
}

// parseLonger is parseHeader for a file that an Update may have been making longer when it was interrupted: it is checked as one
// that ends where its header says.
func parseLonger(p part) (*header, error) {
	if p.size >= headerBytes {
		b, err := p.read(0, headerBytes)
		if err != nil {
			return nil, err
		}
		if end := int64(binary.LittleEndian.Uint64(b[40:])); end > headerBytes && end < p.size {
			p.size = end
		}
	}
	return parseHeader(p)
}

// parseSections reads and checks the table of sections.
func (h *header) parseSections(p part) ([]section, error) {
	b, err := p.read(h.table, h.tableBytes())
	if err != nil {
		return nil, err
	}
	if have := checksum(b); have != h.tableCRC {
		return nil, &format.Error{File: p.name, Offset: h.table, Err: format.ErrChecksum,
			Detail: fmt.Sprintf("the checksum of the table of sections is %08x, not %08x", have, h.tableCRC)}
	}
	sections := make([]section, h.sections)
	seen := map[sectionKind]bool{}
	for i := range sections {
		e := b[i*sectionBytes:]
		le := binary.LittleEndian
		s := section{kind: sectionKind(e[:4]), flags: le.Uint32(e[4:]), offset: int64(le.Uint64(e[8:])), size: int64(le.Uint64(e[16:])), crc: le.Uint32(e[24:])}
		fail := func(kind error, text string, args ...any) ([]section, error) {
			return nil, &format.Error{File: p.name, Offset: h.table + int64(i)*sectionBytes, Err: kind,
				Detail: fmt.Sprintf("section %v ", s.kind) + fmt.Sprintf(text, args...)}
		}
		if s.offset < pageBytes || s.offset%smallAlign != 0 || s.size < 0 || s.offset > p.size-s.size {
			return fail(format.ErrFormat, "of %d bytes at byte %d does not fit the file of %d bytes", s.size, s.offset, p.size)
		}
		if seen[s.kind] {
			return fail(format.ErrFormat, "is there twice")
		}
		if s.flags&mustKnow != 0 && !knownSection(s.kind) {
			return fail(format.ErrUnsupported, "must be understood, and this version does not")
		}
		seen[s.kind] = true
		sections[i] = s
	}
	return sections, nil
}

func knownSection(k sectionKind) bool {
	switch k {
	case kindMeta, kindShards, kindIndex, kindSides, kindOrders, kindThresholds:
		return true
	}
	return false
}

// encodeSections returns the table of sections.
func encodeSections(sections []section) (b []byte) {
	for _, s := range sections {
		b = append(b, s.kind[:]...)
		b = binary.LittleEndian.AppendUint32(b, s.flags)
		b = binary.LittleEndian.AppendUint64(b, uint64(s.offset))
		b = binary.LittleEndian.AppendUint64(b, uint64(s.size))
		b = binary.LittleEndian.AppendUint32(b, s.crc)
		b = binary.LittleEndian.AppendUint32(b, 0)
	}
	return b
}

// sectionWriter lays out the sections at the end of the first file, and its table of them.
type sectionWriter struct {
	sections []section
	contents [][]byte // of each section; nil if it stays where it is
	at       int64    // where the next one goes
	table    int64    // where the table is, from addShards on
}

func (w *sectionWriter) add(kind sectionKind, flags uint32, b []byte) {
	w.sections = append(w.sections, section{kind: kind, flags: flags, offset: w.at, size: int64(len(b)), crc: checksum(b)})
	w.contents = append(w.contents, b)
	w.at = alignUp(w.at+int64(len(b)), smallAlign)
}

// keep adds a section that stays where it is.
func (w *sectionWriter) keep(s section) {
	w.sections, w.contents = append(w.sections, s), append(w.contents, nil)
}

// addShards adds the last section, the list of shards, after it has set the size of the first one.
func (w *sectionWriter) addShards(list []shardInfo) {
	w.table = alignUp(w.at+int64(len(encodeShards(list))), smallAlign)
	list[0].size = w.table + int64(len(w.sections)+1)*sectionBytes
	w.add(kindShards, mustKnow, encodeShards(list))
}

// write writes what is new and the table.
func (w *sectionWriter) write(f *os.File) error {
	for i, b := range w.contents {
		if b == nil {
			continue
		}
		if _, err := f.WriteAt(b, w.sections[i].offset); err != nil {
			return err
		}
	}
	_, err := f.WriteAt(encodeSections(w.sections), w.table)
	return err
}

// describe sets the fields of the first file's header that depend on the sections.
func (w *sectionWriter) describe(h *header) {
	h.table, h.sections, h.tableCRC = w.table, len(w.sections), checksum(encodeSections(w.sections))
	h.fileSize = w.table + h.tableBytes()
}
