package cortex

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/cortexsdr/cortex/format"
)

const (
	verifyBytes = 1 << 20 // what Verify reads at a time
	mostFaults  = 16      // that Verify tells before it gives up
)

// Verify reads every byte of the files of a set, in the order that [Find] returns, and checks headers, sections and pieces
// against their checksums, and that there is nothing but zeros between them. All faults that it finds (but no more than
// 16) are joined in the error: *format.Error values, naming file, tensor, block and offset, that wrap format.ErrChecksum,
// or what [Parse] returns if the head is damaged. It calls progress, which may be nil, with the bytes that were read and
// those of all files, and ends when ctx does.
func Verify(ctx context.Context, paths []string, progress func(done, total int64)) error {
	parts, err := openParts(paths)
	defer closeParts(parts)
	if err != nil {
		return err
	}
	var total int64
	for _, p := range parts {
		total += p.size
	}
	f, err := parse(parts)
	if err != nil {
		return err
	}
	v := verifier{ctx: ctx, buf: make([]byte, verifyBytes), total: total, progress: progress}
	for i, list := range f.runs() {
		if err := v.file(parts[i], list); err != nil {
			return errors.Join(append(v.faults, err)...)
		}
	}
	return errors.Join(v.faults...)
}

// summed is a run of bytes with a checksum.
type summed struct {
	from, size int64
	crc        uint32
	tensor     string // or empty
	what       string // is at fault if the checksum is wrong
	zero       bool   // bytes that belong to nothing, and must be 0
}

// runs returns what each file consists of, from the first byte to the last.
func (f *File) runs() [][]summed {
	all := make([][]summed, len(f.parts))
	add := func(part int, s summed) { all[part] = append(all[part], s) }
	for i, h := range f.headers {
		add(i, summed{size: int64(h.size), crc: h.sum, what: "the header"})
	}
	first := f.headers[0]
	add(0, summed{from: first.table, size: first.tableBytes(), crc: first.tableCRC, what: "the table of sections"})
	for _, s := range f.sections {
		add(0, summed{from: s.offset, size: s.size, crc: s.crc, what: fmt.Sprintf("section %v", s.kind)})
	}
	for i := range f.rows {
		for j, c := range f.rows[i].pieces() {
			add(c.Part, summed{from: c.Offset, size: c.Size, crc: c.CRC, tensor: f.rows[i].Name, what: fmt.Sprintf("piece %d", j)})
		}
	}
	for i := range f.Products {
		p := &f.Products[i]
		for j, c := range p.Pieces {
			add(c.Part, summed{from: c.Offset, size: c.Size, crc: c.CRC, tensor: p.Name(),
				what: fmt.Sprintf("block %d, channels %d to %d", j, c.First, c.First+c.Channels-1)})
		}
	}
	for i, list := range all {
		slices.SortFunc(list, func(a, b summed) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.size, b.size)) })
		var whole []summed
		at := int64(0)
		for _, s := range append(list, summed{from: f.parts[i].size}) {
			if s.from > at {
				whole = append(whole, summed{from: at, size: s.from - at, zero: true})
			}
			if s.size > 0 {
				whole = append(whole, s)
			}
			at = s.from + s.size
		}
		all[i] = whole
	}
	return all
}

type verifier struct {
	ctx         context.Context
	buf         []byte
	done, total int64
	progress    func(done, total int64)
	faults      []error
}

// file checks one file. It returns an error only if there is no point in going on.
func (v *verifier) file(p part, list []summed) error {
	for _, s := range list {
		if err := v.run(p, s); err != nil {
			return err
		}
		if len(v.faults) == mostFaults {
			return fmt.Errorf("%s: too many faults", p.name)
		}
	}
	return nil
}

func (v *verifier) run(p part, s summed) error {
	var crc uint32
	for at := s.from; at < s.from+s.size; {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		b := v.buf[:min(int64(len(v.buf)), s.from+s.size-at)]
		if err := p.readInto(b, at); err != nil {
			return err
		}
		if s.zero {
			if i := notZero(b); i >= 0 {
				v.fault(p, at+int64(i), "", fmt.Sprintf("is %d, where nothing is", b[i]))
				v.advance(s.from + s.size - at)
				return nil
			}
		} else {
			crc = crc32.Update(crc, format.Castagnoli, b)
		}
		at += int64(len(b))
		v.advance(int64(len(b)))
	}
	if !s.zero && crc != s.crc {
		v.fault(p, s.from, s.tensor, fmt.Sprintf("%s: the checksum is %08x, not %08x", s.what, crc, s.crc))
	}
	return nil
}

func (v *verifier) advance(n int64) {
	v.done += n
	if v.progress != nil {
		v.progress(v.done, v.total)
	}
}

func (v *verifier) fault(p part, at int64, tensor, detail string) {
	v.faults = append(v.faults, &format.Error{File: p.name, Tensor: tensor, Offset: at, Detail: detail, Err: format.ErrChecksum})
}
