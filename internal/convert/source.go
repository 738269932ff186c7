package convert

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/cortexsdr/cortex/internal/hf"
	"github.com/cortexsdr/cortex/internal/quant"
	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
)

// Source is a model to convert. Its tensors are read in rows, whatever way they are stored. It may be used from many
// goroutines.
type Source interface {
	Name() string // for errors
	Metadata() []gguf.KV
	Tensors() []format.Tensor
	// ReadRows decodes the rows from up to, but without, to of a tensor into dst. It may use memory of scratch, and returns it
	// grown if that was too small.
	ReadRows(dst []float32, t format.Tensor, from, to int, scratch []byte) ([]byte, error)
	Close() error
}

// Open opens a GGUF or .cortex file, or a directory of Hugging Face's layout.
func Open(path string) (Source, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		m, err := hf.Open(path)
		if err != nil {
			return nil, err
		}
		return FromRows(filepath.Clean(path), m), nil
	}
	src, err := loader.Open(path)
	if err != nil {
		return nil, err
	}
	s, err := FromLoader(src)
	if err != nil {
		src.Close()
	}
	return s, err
}

// FromLoader returns a model that the loader has opened as a source, which closes it.
func FromLoader(src *loader.Source) (Source, error) {
	m := &opened{src: src, products: map[string]place{}}
	for i := range src.Products {
		p := &src.Products[i]
		kind, ok := kindOf(p.Type)
		if !ok {
			return nil, &format.Error{File: src.Name(), Tensor: p.Name(), Detail: fmt.Sprintf("type %v cannot be converted", p.Type), Err: format.ErrUnsupported}
		}
		for j, matrix := range p.Matrices {
			m.products[matrix.Name] = place{product: p, kind: kind, firstGroup: p.FirstGroup(j)}
			m.channelMajor = append(m.channelMajor, format.Tensor{Name: matrix.Name, Type: format.F32, Shape: p.Shape(j)})
		}
	}
	if src.Mapped() {
		for _, name := range src.Files {
			f, err := os.Open(name)
			if err != nil {
				m.closeFiles()
				return nil, err
			}
			m.files = append(m.files, f)
		}
	}
	return m, nil
}

// opened is a model that the loader has opened: a GGUF file, or one of this project's own.
type opened struct {
	src          *loader.Source
	files        []*os.File // read in place of the mapping, whose pages would count as this process's memory
	products     map[string]place
	channelMajor []format.Tensor
}

// place is where a matrix lies that is stored channel by channel.
type place struct {
	product    *container.Product
	kind       quant.Kind
	firstGroup int
}

func (m *opened) Name() string        { return m.src.Name() }
func (m *opened) Metadata() []gguf.KV { return m.src.KVs() }
func (m *opened) Tensors() []format.Tensor {
	return append(m.channelMajor[:len(m.channelMajor):len(m.channelMajor)], m.src.Tensors...)
}

func (m *opened) closeFiles() (err error) {
	for _, f := range m.files {
		if closing := f.Close(); err == nil {
			err = closing
		}
	}
	return err
}

func (m *opened) Close() error {
	err := m.closeFiles()
	if closing := m.src.Close(); err == nil {
		err = closing
	}
	return err
}

func (m *opened) ReadRows(dst []float32, t format.Tensor, from, to int, scratch []byte) ([]byte, error) {
	if p, ok := m.products[t.Name]; ok {
		return scratch, m.src.Protect(func() error {
			m.readChannels(dst, p, from, to)
			return nil
		})
	}
	t.Offset += int64(from) * t.RowBytes()
	t.Size = int64(to-from) * t.RowBytes()
	if m.files == nil {
		return scratch, decode(dst, m.src.Data(t), t, m.Name())
	}
	scratch = grown(scratch, t.Size)
	if _, err := m.files[t.Part].ReadAt(scratch[:t.Size], t.Offset); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return scratch, &loader.Error{File: m.src.Files[t.Part], Tensor: t.Name, Offset: t.Offset, Err: err}
	}
	return scratch, decode(dst, scratch[:t.Size], t, m.Name())
}

// readChannels gathers rows of a matrix that is stored channel by channel.
func (m *opened) readChannels(dst []float32, p place, from, to int) {
	n, size, groups := p.product.Channels, p.kind.Group(), p.product.Groups
	e := quant.NewEncoder(p.kind, p.product.Table)
	group := make([]float32, size)
	kernel, _ := kernels.SDROf(p.kind.String())
	var values [quant.GroupBytes]byte
	for i, piece := range p.product.Pieces {
		b := kernels.SDRBlock{Channels: piece.Channels, Groups: groups, Table: &p.product.Table}
		b.Scales, b.Values, b.Starts, b.Offsets = p.product.Block(i, m.src.Data(format.Tensor{Part: piece.Part, Offset: piece.Offset, Size: piece.Size}))
		for j := range piece.Channels {
			value := p.product.Value(piece.First + j)
			for g := from / size; g*size < to; g++ {
				at := j*groups + p.firstGroup + g
				if b.Starts == nil {
					copy(values[:], b.Values[at*quant.GroupBytes:])
				} else {
					kernel.Unpack(&values, &b, j, g+p.firstGroup)
				}
				e.Decode(group, &values, binary.LittleEndian.Uint16(b.Scales[2*at:]))
				for o := max(from, g*size); o < min(to, (g+1)*size); o++ {
					dst[(o-from)*n+value] = group[o-g*size]
				}
			}
		}
	}
}

// Rows is a model whose rows can be read as they are stored. It may be used from many goroutines.
type Rows interface {
	Metadata() []gguf.KV
	Tensors() []format.Tensor
	// ReadRows reads the rows from up to, but without, to of a tensor into dst, which has room for just them.
	ReadRows(t format.Tensor, from, to int, dst []byte) error
}

// FromRows returns a source that decodes what m reads. It closes m if that is an io.Closer.
func FromRows(name string, m Rows) Source { return &stored{Rows: m, name: name} }

// stored is a model that is read as it is stored.
type stored struct {
	Rows
	name string
}

func (s *stored) Name() string { return s.name }

func (s *stored) Close() error {
	if c, ok := s.Rows.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

func (s *stored) ReadRows(dst []float32, t format.Tensor, from, to int, scratch []byte) ([]byte, error) {
	size := int64(to-from) * t.RowBytes()
	scratch = grown(scratch, size)
	if err := s.Rows.ReadRows(t, from, to, scratch[:size]); err != nil {
		return scratch, err
	}
	return scratch, decode(dst, scratch[:size], t, s.name)
}

// decode decodes rows.
func decode(dst []float32, src []byte, t format.Tensor, file string) error {
	err := format.Dequantize(dst, src, t.Type)
	if e, ok := err.(*format.Error); ok {
		e.File, e.Tensor, e.Offset = file, t.Name, t.Offset
	}
	return err
}

func grown(b []byte, n int64) []byte {
	if int64(cap(b)) < n {
		return make([]byte, n)
	}
	return b[:cap(b)]
}

// kindOf returns the kind of a product's type.
func kindOf(t container.Type) (quant.Kind, bool) {
	for kind, typ := range kinds {
		if typ == t {
			return quant.Kind(kind), true
		}
	}
	return 0, false
}

// kinds are the container's names of the kinds.
var kinds = [...]container.Type{quant.SDR4: container.SDR4, quant.SDR8: container.SDR8, quant.SDRW4: container.SDRW4, quant.SDRW8: container.SDRW8}
