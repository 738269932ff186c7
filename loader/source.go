package loader

import (
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/edsrzf/mmap-go"
)

// Source is an opened model: its parts, mapped read-only or given as bytes, and
// the tensors and metadata they describe. A Source is safe for concurrent use;
// Close must come after the last use of its bytes.
type Source struct {
	Format string // and its version: "GGUF version 3"
	*gguf.Metadata
	format.Table                  // of a .cortex file, the tensors that are kept in rows
	Products     []cortex.Product // of a .cortex file

	parts     []part
	container *cortex.File // of a .cortex file
	parsed    []Extent     // what parsing has read
}

type part struct {
	name   string
	data   []byte
	mapped mmap.MMap // nil where the caller owns data
	file   *os.File
}

// Open maps the model file at path, GGUF or .cortex as its first bytes tell, and, where it is one of
// several parts (name-00001-of-00009.gguf), the others. Parts of GGUF files lie beside each other; those of
// .cortex files are found as [cortex.Find] does, dirs included. Tensor data is not read.
func Open(path string, dirs ...string) (*Source, error) {
	s := &Source{}
	if err := s.open(path, dirs); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Source) open(path string, dirs []string) error {
	if err := s.mapPart(path); err != nil {
		return err
	}
	var names []string
	err := s.Protect(func() (err error) {
		if cortex.Is(s.parts[0].data) {
			names, err = cortex.Find(path, dirs...)
		} else {
			names, err = gguf.SplitNames(gguf.Part{Name: path, Data: s.parts[0].data})
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(names) > 1 { // in their order, whichever one was named
		if err := s.Close(); err != nil {
			return err
		}
		s.parts = nil
		for _, name := range names {
			if err := s.mapPart(name); err != nil {
				return fmt.Errorf("part of %s: %w", filepath.Base(path), err)
			}
		}
	}
	return s.Protect(s.parse)
}

// FromBytes opens a model that is in memory already, for example embedded in
// the program. The bytes must not change while the Source is in use. The name
// is used in errors only.
func FromBytes(name string, data []byte) (*Source, error) {
	s := &Source{parts: []part{{name: name, data: data}}}
	if err := s.parse(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Source) mapPart(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	p := part{name: path, file: f}
	s.parts = append(s.parts, p)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &Error{File: path, Err: fmt.Errorf("%w: not a regular file", format.ErrFormat)}
	}
	if info.Size() == 0 {
		return nil // nothing can be mapped; the parser says what is missing
	}
	if p.mapped, err = mmap.Map(f, mmap.RDONLY, 0); err != nil {
		return &Error{File: path, Err: err}
	}
	p.data = p.mapped
	s.parts[len(s.parts)-1] = p
	return nil
}

func (s *Source) parse() error {
	parts := make([]gguf.Part, len(s.parts))
	for i, p := range s.parts {
		parts[i] = gguf.Part{Name: p.name, Data: p.data}
	}
	if cortex.Is(parts[0].Data) {
		return s.parseCortex(parts)
	}
	f, err := gguf.Parse(parts...)
	if err != nil {
		return err
	}
	s.Format, s.Metadata, s.Table = fmt.Sprintf("GGUF version %d", f.Version), f.Metadata, f.Table
	for i, p := range s.parts {
		head := Extent{Part: i, Size: int64(len(p.data))} // ends where the tensors begin
		for _, t := range s.Tensors {
			if t.Part == i {
				head.Size = min(head.Size, t.Offset)
			}
		}
		s.parsed = append(s.parsed, head)
	}
	return nil
}

func (s *Source) parseCortex(parts []gguf.Part) error {
	f, err := cortex.Parse(parts...)
	if err != nil {
		return err
	}
	s.Format, s.Metadata, s.Table = fmt.Sprintf("cortex version %d.%d", f.Major, f.Minor), f.Metadata, f.Table
	s.Products, s.container = f.Products, f
	for i := range s.parts {
		s.parsed = append(s.parsed, Extent{Part: i, Size: cortex.HeaderBytes})
	}
	from, size := f.Sections()
	s.parsed = append(s.parsed, Extent{Offset: from, Size: size})
	return nil
}

// Product returns the product that a matrix belongs to, an index of s.Products, and which one of the product's matrices
// it is. ok is false for tensors that are kept in rows, as all of a GGUF file are.
func (s *Source) Product(tensor string) (product, matrix int, ok bool) {
	if s.container == nil {
		return 0, 0, false
	}
	return s.container.Product(tensor)
}

// Name returns the name of the first part, as it was opened.
func (s *Source) Name() string { return s.parts[0].name }

// Data returns the bytes of one of the tensors.
func (s *Source) Data(t format.Tensor) []byte {
	end := t.Offset + t.Size
	return s.parts[t.Part].data[t.Offset:end:end]
}

// Size returns the bytes of all parts.
func (s *Source) Size() (n int64) {
	for _, p := range s.parts {
		n += int64(len(p.data))
	}
	return n
}

// Mapped reports whether the bytes come from mapped files, and so can be given
// up by the system under pressure and faulted in again.
func (s *Source) Mapped() bool { return s.parts[0].mapped != nil }

// Fault returns the error that describes a memory fault at addr, or nil if addr
// lies in none of the source's mappings.
func (s *Source) Fault(addr uintptr) error {
	for i, p := range s.parts {
		if p.mapped == nil {
			continue
		}
		base := uintptr(unsafe.Pointer(unsafe.SliceData(p.data)))
		if addr < base || addr-base >= uintptr(len(p.data)) {
			continue
		}
		return s.errorAt(i, int64(addr-base), ErrTruncated)
	}
	return nil
}

// errorAt returns the error that says what is wrong at an offset of a part.
func (s *Source) errorAt(part int, offset int64, err error) *Error {
	e := &Error{File: s.parts[part].name, Offset: offset, Err: err}
	for _, t := range s.Tensors {
		if t.Part == part && t.Offset <= offset && offset < t.Offset+t.Size {
			e.Tensor = t.Name
		}
	}
	for _, p := range s.Products {
		for _, b := range p.Pieces {
			if b.Part == part && b.Offset <= offset && offset < b.Offset+b.Size {
				e.Tensor = p.Name()
			}
		}
	}
	return e
}

// readAhead is further than systems read ahead of, or around, what is touched in a mapping.
const readAhead = 64 << 20

// pageAlign is a multiple of the size of a page of every system.
const pageAlign = 64 << 10

// ForgetHead gives back the memory, page cache included, that holds the metadata
// of all mapped parts and what the system has read ahead of them. They stay
// readable, from the disk.
func (s *Source) ForgetHead() {
	for _, e := range s.parsed {
		p := s.parts[e.Part]
		if to := min(e.Offset+e.Size+readAhead, int64(len(p.data))); p.mapped != nil && to > 0 {
			forget(p.file, p.data[:to], max(0, e.Offset-readAhead)/pageAlign*pageAlign)
		}
	}
}

// Close unmaps and closes the parts. Bytes handed out before are invalid after
// it. A second Close does nothing.
func (s *Source) Close() error {
	var first error
	for i := range s.parts {
		p := &s.parts[i]
		if p.mapped != nil {
			if err := p.mapped.Unmap(); err != nil && first == nil {
				first = err
			}
			p.mapped, p.data = nil, nil
		}
		if p.file != nil {
			if err := p.file.Close(); err != nil && first == nil {
				first = err
			}
			p.file = nil
		}
	}
	return first
}
