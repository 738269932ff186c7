package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/cortexsdr/cortex/format"
)

// scanner reads the JSON of a header or an index token by token, so that a name given twice does not go unnoticed.
type scanner struct {
	file   string
	base   int64 // where in the file the JSON begins
	dec    *json.Decoder
	tensor string // what is being read, for error messages
}

func (s *scanner) errorf(kind error, text string, args ...any) error {
	return &format.Error{File: s.file, Tensor: s.tensor, Offset: s.base + s.dec.InputOffset(), Detail: fmt.Sprintf(text, args...), Err: kind}
}

func (s *scanner) malformed(text string, args ...any) error {
	return s.errorf(format.ErrFormat, text, args...)
}

// token reads the next token; what names the thing it belongs to.
func (s *scanner) token(what string) (json.Token, error) {
	t, err := s.dec.Token()
	if err != nil {
		return nil, s.malformed("%s: %v", what, err)
	}
	return t, nil
}

// object reads an object and calls field for the value of each of its names, none of which may occur twice.
func (s *scanner) object(what string, field func(name string) error) error {
	t, err := s.token(what)
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return s.malformed("%s is no JSON object", what)
	}
	seen := map[string]bool{}
	for s.dec.More() {
		t, err := s.token(what)
		if err != nil {
			return err
		}
		name, _ := t.(string) // the decoder lets nothing else through
		if seen[name] {
			return s.malformed("%s has %s twice", what, strconv.Quote(name))
		}
		seen[name] = true
		if err := field(name); err != nil {
			return err
		}
	}
	_, err = s.token(what)
	return err
}

// numbers reads a list of integers from 0 to the largest int64, at most most.
func (s *scanner) numbers(what string, most int) ([]int64, error) {
	t, err := s.token(what)
	if err != nil {
		return nil, err
	}
	if t != json.Delim('[') {
		return nil, s.malformed("%s is no list", what)
	}
	list := []int64{}
	for s.dec.More() {
		t, err := s.token(what)
		if err != nil {
			return nil, err
		}
		number, ok := t.(json.Number)
		n, err := strconv.ParseUint(number.String(), 10, 63)
		if !ok || err != nil {
			return nil, s.malformed("%s: %v is no integer from 0 to %d", what, t, int64(math.MaxInt64))
		}
		if len(list) == most {
			return nil, s.malformed("%s has more than %d numbers", what, most)
		}
		list = append(list, int64(n))
	}
	_, err = s.token(what)
	return list, err
}

func (s *scanner) text(what string) (string, error) {
	t, err := s.token(what)
	if err != nil {
		return "", err
	}
	text, ok := t.(string)
	if !ok {
		return "", s.malformed("%s is no string", what)
	}
	return text, nil
}

// skip passes over a value.
func (s *scanner) skip(what string) error {
	var v json.RawMessage
	if err := s.dec.Decode(&v); err != nil {
		return s.malformed("%s: %v", what, err)
	}
	return nil
}

// document sets s to read text, and afterwards checks that white space only follows.
func (s *scanner) document(text []byte, read func() error) error {
	s.dec = json.NewDecoder(bytes.NewReader(text))
	s.dec.UseNumber()
	if err := read(); err != nil {
		return err
	}
	s.tensor = ""
	for _, c := range text[s.dec.InputOffset():] {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return s.malformed("text follows the JSON object")
		}
	}
	return nil
}

// header reads the header of a file. The tensors' offsets are still those of the header, from the beginning of the data.
func (s *scanner) header(text []byte) (*header, error) {
	h := &header{metadata: map[string]string{}}
	err := s.document(text, func() error {
		return s.object("the header", func(name string) error {
			if name == "__metadata__" {
				return s.metadata(h)
			}
			s.tensor = name
			t, err := s.describe(name)
			s.tensor = ""
			h.tensors = append(h.tensors, t)
			return err
		})
	})
	return h, err
}

// metadata reads the free texts, or null.
func (s *scanner) metadata(h *header) error {
	var raw json.RawMessage
	if err := s.dec.Decode(&raw); err != nil {
		return s.malformed("__metadata__: %v", err)
	}
	if string(raw) == "null" {
		return nil
	}
	in := scanner{file: s.file, base: s.base + s.dec.InputOffset() - int64(len(raw))}
	return in.document(raw, func() error {
		return in.object("__metadata__", func(name string) (err error) {
			h.metadata[name], err = in.text("__metadata__: " + strconv.Quote(name))
			return err
		})
	})
}

// describe reads the description of one tensor.
func (s *scanner) describe(name string) (Tensor, error) {
	t := Tensor{Name: name}
	var offsets []int64
	err := s.object("the description", func(field string) (err error) {
		switch field {
		case "dtype":
			t.DType, err = s.text("dtype")
		case "shape":
			t.Shape, err = s.numbers("shape", maxDims)
		case "data_offsets":
			offsets, err = s.numbers("data_offsets", 2)
		default:
			err = s.skip(strconv.Quote(field))
		}
		return err
	})
	switch {
	case err != nil:
		return t, err
	case name == "":
		return t, s.malformed("a tensor has no name")
	case t.DType == "":
		return t, s.malformed("dtype is missing")
	case t.Shape == nil:
		return t, s.malformed("shape is missing")
	case len(offsets) != 2:
		return t, s.malformed("data_offsets are missing")
	case offsets[0] > offsets[1]:
		return t, s.malformed("it ends at %d, before its beginning at %d", offsets[1], offsets[0])
	}
	t.Offset, t.Size = offsets[0], offsets[1]-offsets[0]
	if d, known := dtypes[t.DType]; known {
		size, ok := sizeOf(t.Shape, d.bits)
		if !ok {
			return t, s.malformed("shape %v of %s has no size in bytes", t.Shape, t.DType)
		}
		if size != t.Size {
			return t, s.malformed("shape %v of %s takes %d bytes, not %d", t.Shape, t.DType, size, t.Size)
		}
	}
	return t, nil
}

// Index says which file each tensor of a split model is in.
type Index struct {
	Name    string            // of the index's own file
	Files   []string          // in the order of their first mention
	Tensors map[string]string // a tensor's name -> its file
}

// ParseIndex reads the text of an index, model.safetensors.index.json; name is for error messages. The names of its files are
// those of files beside it: one with a path is refused.
func ParseIndex(name string, text []byte) (*Index, error) {
	x := &Index{Name: name, Tensors: map[string]string{}}
	files := map[string]bool{}
	s := scanner{file: name}
	err := s.document(text, func() error {
		return s.object("the index", func(field string) error {
			if field != "weight_map" {
				return s.skip(strconv.Quote(field))
			}
			return s.object("weight_map", func(tensor string) error {
				s.tensor = tensor
				defer func() { s.tensor = "" }()
				file, err := s.text("the file")
				switch {
				case err != nil:
					return err
				case !isBaseName(file):
					return s.malformed("%s is no name of a file in the same directory", strconv.Quote(file))
				}
				if !files[file] {
					files[file] = true
					x.Files = append(x.Files, file)
				}
				x.Tensors[tensor] = file
				return nil
			})
		})
	})
	if err == nil && len(x.Files) == 0 {
		err = &format.Error{File: name, Key: "weight_map", Detail: "missing or empty", Err: format.ErrMissing}
	}
	if err != nil {
		return nil, err
	}
	return x, nil
}

// isBaseName reports whether a file's name leads nowhere else, on any system.
func isBaseName(name string) bool {
	if name == "" || name == "." || name == ".." {
		return false
	}
	for _, c := range name {
		if c == '/' || c == '\\' || c == ':' || c < ' ' {
			return false
		}
	}
	return true
}

// Check compares an index with the headers of the files that it names, which must have been parsed in the order of x.Files.
func (x *Index) Check(f *File) error {
	if len(f.parts) != len(x.Files) {
		return &format.Error{File: x.Name, Detail: fmt.Sprintf("%d files, but it names %d", len(f.parts), len(x.Files)), Err: format.ErrFormat}
	}
	for _, t := range f.Tensors {
		file, ok := x.Tensors[t.Name]
		if !ok {
			return f.TensorError(t, format.ErrFormat, "is not in "+x.Name)
		}
		if file != x.Files[t.Part] {
			return f.TensorError(t, format.ErrFormat, fmt.Sprintf("is in %s according to %s", file, x.Name))
		}
	}
	var missing error
	for name, file := range x.Tensors {
		if _, ok := f.tensors[name]; !ok {
			err := &format.Error{File: x.Name, Tensor: name, Detail: "is not in " + file, Err: format.ErrMissing}
			if e := (*format.Error)(nil); !errors.As(missing, &e) || name < e.Tensor {
				missing = err // the first by name, so that the message is always the same
			}
		}
	}
	return missing
}
