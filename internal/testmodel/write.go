package testmodel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

// Write writes the model as one file, whatever c.Splits says.
func Write(w io.Writer, c Config) error {
	m, err := newModel(c)
	if err != nil {
		return err
	}
	return m.write(w, m.meta, m.tensors)
}

// Bytes returns the model as one file in memory. It is for tests, and panics if c makes no model.
func Bytes(c Config) []byte {
	var b bytes.Buffer
	if err := Write(&b, c); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// WriteFiles writes the model to dir and returns the names of the files with dir: name.gguf, or if c.Splits is
// more than 1, name-00001-of-00003.gguf and so on, of about equal size.
func WriteFiles(dir, name string, c Config) ([]string, error) {
	m, err := newModel(c)
	if err != nil {
		return nil, err
	}
	parts := m.split()
	paths := make([]string, len(parts))
	for i, tensors := range parts {
		file, meta := name+".gguf", m.meta
		if len(parts) > 1 {
			file = gguf.SplitName(name, i, len(parts))
			meta = gguf.SplitKeys(i, len(parts), len(m.tensors))
			if i == 0 {
				meta = append(m.meta[:len(m.meta):len(m.meta)], meta...)
			} else if c.Alignment != 0 {
				meta = append(meta, alignment(c))
			}
		}
		paths[i] = filepath.Join(dir, file)
		if err := m.writeFile(paths[i], meta, tensors); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// Size returns how many bytes of weights the model has, without making them.
func Size(c Config) (int64, error) {
	c, err := c.complete()
	if err != nil {
		return 0, err
	}
	tensors, err := newTensors(c)
	return size(tensors), err
}

// model is a Config worked out.
type model struct {
	seed    uint64
	splits  int
	meta    []gguf.KV
	tensors []tensor
	vocab   *vocab
}

func newModel(c Config) (*model, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	tensors, err := newTensors(c)
	if err != nil {
		return nil, err
	}
	m := &model{seed: c.Seed, splits: c.Splits, tensors: tensors, vocab: newVocab(c.Tokenizer, c.Vocab, c.Seed)}
	m.meta = append(m.meta,
		gguf.KV{Key: "general.architecture", Value: c.Arch},
		gguf.KV{Key: "general.type", Value: "model"},
		gguf.KV{Key: "general.name", Value: c.Name})
	m.meta = append(m.meta, archs[c.Arch].meta(c)...)
	m.meta = append(m.meta,
		gguf.KV{Key: "general.file_type", Value: c.fileType()},
		gguf.KV{Key: "general.quantization_version", Value: uint32(2)})
	if c.Alignment != 0 {
		m.meta = append(m.meta, alignment(c))
	}
	m.meta = append(m.meta, m.vocab.meta(c.Pre)...)
	return m, nil
}

// newTensors returns the tensors of a complete Config, with their sizes.
func newTensors(c Config) ([]tensor, error) {
	tensors := archs[c.Arch].tensors(c)
	for i := range tensors {
		t := &tensors[i]
		if _, ok := coders[t.Type]; !ok {
			return nil, fmt.Errorf("testmodel: tensor %s: cannot make weights of type %v", t.Name, t.Type)
		}
		var err error
		if t.Size, err = t.Type.Bytes(t.Shape); err != nil {
			return nil, fmt.Errorf("testmodel: tensor %s: %w", t.Name, err)
		}
	}
	if c.Splits > len(tensors) {
		return nil, fmt.Errorf("testmodel: %d tensors cannot be split into %d files", len(tensors), c.Splits)
	}
	return tensors, nil
}

func alignment(c Config) gguf.KV {
	return gguf.KV{Key: "general.alignment", Value: uint32(c.Alignment)}
}

func size(tensors []tensor) int64 {
	var n int64
	for _, t := range tensors {
		n += t.Size
	}
	return n
}

// split deals the tensors out to the files, in order, each at least one.
func (m *model) split() [][]tensor {
	var parts [][]tensor
	var done int64 // bytes in the files so far
	total := size(m.tensors)
	rest := m.tensors
	for i := 1; i < m.splits; i++ {
		n := 0
		for n == 0 || done < total*int64(i)/int64(m.splits) && len(rest)-n > m.splits-i {
			done += rest[n].Size
			n++
		}
		parts = append(parts, rest[:n])
		rest = rest[n:]
	}
	return append(parts, rest)
}

func (m *model) writeFile(path string, meta []gguf.KV, tensors []tensor) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := m.write(f, meta, tensors); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// write writes one file.
func (m *model) write(w io.Writer, meta []gguf.KV, tensors []tensor) error {
	infos := make([]format.Tensor, len(tensors))
	for i, t := range tensors {
		infos[i] = t.Tensor
	}
	out, err := gguf.NewWriter(w, meta, infos)
	if err != nil {
		return err
	}
	for _, t := range tensors {
		if err := m.fill(out, t); err != nil {
			return err
		}
	}
	return out.Close()
}

// pieceBytes is how much is made at a time: enough to keep writes few, little enough to stay in cache.
const pieceBytes = 256 << 10

// fill writes the values of a tensor, some rows at a time.
func (m *model) fill(w io.Writer, t tensor) error {
	if t.values != nil {
		return binary.Write(w, binary.LittleEndian, t.values)
	}
	maker := m.newRowMaker(t)
	rowBytes, rows := int(t.RowBytes()), t.Rows()
	piece := make([]byte, rowBytes*int(min(rows, int64(max(1, pieceBytes/rowBytes)))))
	for row := int64(0); row < rows; {
		n := min(int64(len(piece)/rowBytes), rows-row)
		maker.make(piece[:n*int64(rowBytes)], row)
		if _, err := w.Write(piece[:n*int64(rowBytes)]); err != nil {
			return err
		}
		row += n
	}
	return nil
}

// rowMaker makes any rows of a tensor.
type rowMaker struct {
	seed     uint64
	rowBytes int
	fill     func(row []byte, s *scales, r *rng)
	levels   []*scales
	level    func(row int64) int
}

func (m *model) newRowMaker(t tensor) *rowMaker {
	name := fnv.New64a()
	name.Write([]byte(t.Name))
	r := &rowMaker{seed: mix64(m.seed ^ name.Sum64()), rowBytes: int(t.RowBytes()), fill: coders[t.Type].fill}
	if !t.perToken {
		r.levels = []*scales{newScales(t.Type, t.mean, t.std)}
		r.level = func(int64) int { return 0 }
		return r
	}
	r.level = m.vocab.rowGain
	for _, g := range rowGains {
		r.levels = append(r.levels, newScales(t.Type, t.mean*g, t.std*g))
	}
	return r
}

// make fills dst with rows, from one on.
func (r *rowMaker) make(dst []byte, row int64) {
	for ; len(dst) > 0; dst = dst[r.rowBytes:] {
		random := rng(mix64(r.seed + uint64(row)))
		r.fill(dst[:r.rowBytes:r.rowBytes], r.levels[r.level(row)], &random)
		row++
	}
}
