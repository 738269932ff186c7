package hf

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/cortexsdr/cortex/format/safetensors"
	"github.com/cortexsdr/cortex/internal/tokenizer"
)

const (
	weightsFile  = "model.safetensors"
	indexFile    = "model.safetensors.index.json"
	templateFile = "chat_template.jinja"

	// The largest tokenizer.json of a published model has some 35 MB.
	maxTextFile = 256 << 20
)

// Model is a model's directory. Its methods may be used from many goroutines.
type Model struct {
	dir     string
	meta    []gguf.KV
	tensors []format.Tensor
	sources map[string]source // by GGUF's name
	weights *safetensors.File
	files   []*os.File
}

// source says where the values of a tensor are.
type source struct {
	tensor safetensors.Tensor
	typ    format.Type   // of the values there
	order  func(int) int // which row there a row of the tensor is, of a vector which value; nil: the same
	values []float32     // the values, if they are not in a file
}

// Open reads what the files of a directory say of a model, but none of its weights. It must be closed.
func Open(dir string) (*Model, error) {
	m := &Model{dir: dir, sources: map[string]source{}}
	if err := m.open(); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *Model) open() error {
	data, err := m.read(tokenizer.ModelFile)
	if err != nil {
		return err
	}
	c, err := parseConfig(m.path(tokenizer.ModelFile), data)
	if err != nil {
		return err
	}
	if err := m.openWeights(); err != nil {
		return err
	}
	if err := m.addTensors(c); err != nil {
		return err
	}
	vocab, err := m.vocabulary(data, c.Vocab)
	if err != nil {
		return err
	}
	m.meta = append(m.meta, gguf.KV{Key: "general.architecture", Value: c.arch.gguf},
		gguf.KV{Key: "general.type", Value: "model"},
		gguf.KV{Key: "general.name", Value: modelName(m.dir)})
	m.meta = append(m.meta, c.metadata()...)
	m.meta = append(m.meta, vocab...)
	return nil
}

// modelName returns the name of the directory, the only one that a model has here.
func modelName(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Base(dir)
}

// Close closes the files.
func (m *Model) Close() error {
	var errs []error
	for _, f := range m.files {
		errs = append(errs, f.Close())
	}
	m.files = nil
	return errors.Join(errs...)
}

// Metadata returns the keys of GGUF's metadata: general.*, the hyper-parameters and the tokenizer. general.file_type is left to whoever
// writes a file.
func (m *Model) Metadata() []gguf.KV { return slices.Clone(m.meta) }

// Tensors returns the tensors with the names, types and shapes that they have in a GGUF file. Part and Offset say where they lie in the files
// of the directory, Size how many bytes [Model.ReadRows] gives for all rows.
func (m *Model) Tensors() []format.Tensor { return slices.Clone(m.tensors) }

// ReadRows reads the rows from (counted from 0) up to, but without, to of one of the model's tensors into dst, which has to hold
// (to-from)*t.RowBytes() bytes.
func (m *Model) ReadRows(t format.Tensor, from, to int, dst []byte) error {
	s, ok := m.sources[t.Name]
	rowBytes := int(t.RowBytes())
	switch {
	case !ok:
		return &format.Error{File: m.dir, Tensor: t.Name, Detail: "missing", Err: format.ErrMissing}
	case from < 0 || to < from || int64(to) > t.Rows() || len(dst) != (to-from)*rowBytes:
		panic(fmt.Sprintf("hf: rows %d to %d of tensor %s, which has %d, into %d bytes", from, to, t.Name, t.Rows(), len(dst)))
	case from == to:
		return nil
	case s.values != nil:
		putFloats(dst, s.values)
		return nil
	case len(t.Shape) == 1:
		return m.readVector(s, dst)
	case s.order == nil:
		return m.weights.ReadAt(s.tensor, dst, int64(from)*int64(rowBytes))
	}
	for row := from; row < to; row++ {
		if err := m.weights.ReadAt(s.tensor, dst[:rowBytes], int64(s.order(row))*int64(rowBytes)); err != nil {
			return err
		}
		dst = dst[rowBytes:]
	}
	return nil
}

// readVector reads a vector as F32.
func (m *Model) readVector(s source, dst []byte) error {
	raw, values := make([]byte, s.tensor.Size), make([]float32, len(dst)/4)
	if err := m.weights.ReadAt(s.tensor, raw, 0); err != nil {
		return err
	}
	if err := format.Dequantize(values, raw, s.typ); err != nil {
		return err
	}
	if s.order != nil {
		there := slices.Clone(values)
		for i := range values {
			values[i] = there[s.order(i)]
		}
	}
	putFloats(dst, values)
	return nil
}

func putFloats(dst []byte, values []float32) {
	for i, v := range values {
		binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
	}
}

func (m *Model) path(name string) string { return filepath.Join(m.dir, name) }

// read reads a small file.
func (m *Model) read(name string) ([]byte, error) {
	f, err := os.Open(m.path(name))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &format.Error{File: m.path(name), Detail: "missing", Err: format.ErrMissing}
		}
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxTextFile+1))
	if err == nil && len(data) > maxTextFile {
		err = &format.Error{File: m.path(name), Detail: fmt.Sprintf("more than %d bytes", maxTextFile), Err: format.ErrUnsupported}
	}
	return data, err
}

// readOr is read for a file that may be missing; nil if it is.
func (m *Model) readOr(name string) ([]byte, error) {
	data, err := m.read(name)
	if errors.Is(err, format.ErrMissing) {
		return nil, nil
	}
	return data, err
}

// openWeights opens the files with the weights: one, or those of the index.
func (m *Model) openWeights() error {
	files := []string{weightsFile}
	var index *safetensors.Index
	switch _, err := os.Stat(m.path(weightsFile)); {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		text, err := m.readOr(indexFile)
		if err != nil {
			return err
		}
		if text == nil {
			return &format.Error{File: m.path(weightsFile), Detail: "missing, and there is no " + indexFile, Err: format.ErrMissing}
		}
		if index, err = safetensors.ParseIndex(m.path(indexFile), text); err != nil {
			return err
		}
		files = index.Files
	default:
		return err
	}
	var parts []safetensors.Part
	for _, name := range files {
		f, err := os.Open(m.path(name))
		if err != nil {
			return err
		}
		m.files = append(m.files, f)
		info, err := f.Stat()
		if err != nil {
			return err
		}
		parts = append(parts, safetensors.Part{Name: m.path(name), Data: f, Size: info.Size()})
	}
	var err error
	if m.weights, err = safetensors.Parse(parts...); err == nil && index != nil {
		err = index.Check(m.weights)
	}
	return err
}

// vocabulary returns the metadata of the tokenizer, for a model with so many embeddings.
func (m *Model) vocabulary(config []byte, rows int) ([]gguf.KV, error) {
	files := tokenizer.HF{Dir: m.dir + string(filepath.Separator), Name: modelName(m.dir), Model: config, Rows: rows}
	var err error
	for _, f := range []struct {
		name string
		into *[]byte
	}{
		{tokenizer.TokenizerFile, &files.Tokenizer},
		{tokenizer.ConfigFile, &files.Config},
		{tokenizer.SpecialTokensFile, &files.SpecialTokens},
		{tokenizer.GenerationFile, &files.Generation},
	} {
		if *f.into, err = m.readOr(f.name); err != nil {
			return nil, err
		}
	}
	c, err := tokenizer.FromHF(files)
	if err != nil {
		return nil, err
	}
	templates, err := m.templates(files.Config)
	if err != nil {
		return nil, err
	}
	return append(c.Metadata(), templates...), nil
}

// Keys of the metadata for chat templates. A template with a name has the name after the first.
const (
	keyTemplate  = "tokenizer.chat_template"
	keyTemplates = "tokenizer.chat_templates"
)

// templates returns the chat templates: a text, or several with names, in tokenizer_config.json; or a file of its own, which comes first.
func (m *Model) templates(config []byte) ([]gguf.KV, error) {
	text, err := m.readOr(templateFile)
	if err != nil {
		return nil, err
	}
	if text != nil {
		return []gguf.KV{{Key: keyTemplate, Value: string(text)}}, nil
	}
	if config == nil {
		return nil, nil
	}
	var c struct {
		Template json.RawMessage `json:"chat_template"`
	}
	malformed := func(err error) error {
		return &format.Error{File: m.path(tokenizer.ConfigFile), Key: "chat_template", Detail: err.Error(), Err: format.ErrFormat}
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, malformed(err)
	}
	if c.Template == nil || string(c.Template) == "null" {
		return nil, nil
	}
	if c.Template[0] != '[' {
		var text string
		if err := json.Unmarshal(c.Template, &text); err != nil {
			return nil, malformed(err)
		}
		return []gguf.KV{{Key: keyTemplate, Value: text}}, nil
	}
	var list []struct {
		Name     string `json:"name"`
		Template string `json:"template"`
	}
	if err := json.Unmarshal(c.Template, &list); err != nil {
		return nil, malformed(err)
	}
	var meta []gguf.KV
	var names []string
	seen := map[string]bool{}
	for _, t := range list {
		if t.Name == "" || seen[t.Name] {
			return nil, malformed(fmt.Errorf("a template's name %q is empty or there twice", t.Name))
		}
		seen[t.Name] = true
		key := keyTemplate
		if t.Name != "default" {
			key += "." + t.Name
			names = append(names, t.Name)
		}
		meta = append(meta, gguf.KV{Key: key, Value: t.Template})
	}
	if names != nil {
		meta = append(meta, gguf.KV{Key: keyTemplates, Value: names})
	}
	return meta, nil
}
