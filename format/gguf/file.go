package gguf

import (
	"slices"

	"github.com/cortexsdr/cortex/format"
)

// Part is one file: a whole model, or a part of a split one. Nothing of Data is copied or changed.
type Part struct {
	Name string // for error messages, and for finding the other parts
	Data []byte // all its bytes
}

// File is a checked GGUF file, or all parts of a split one seen as one. It may be used from many goroutines.
type File struct {
	Version      uint32 // of the GGUF format
	*Metadata           // of the first part
	format.Table        // the tensors in the order of the file; part after part

	parts []Part
}

// Data returns the bytes of one of the file's tensors.
func (f *File) Data(t format.Tensor) []byte {
	end := t.Offset + t.Size
	return f.parts[t.Part].Data[t.Offset:end:end]
}

// Parse checks a GGUF file, or all parts of a split one in their order, and describes it. It looks at every
// byte of the headers and at none of the tensor data.
func Parse(parts ...Part) (*File, error) {
	if len(parts) == 0 {
		return nil, &format.Error{Detail: "no file given", Err: format.ErrMissing}
	}
	f := &File{parts: slices.Clone(parts)}
	for _, p := range parts {
		f.Files = append(f.Files, p.Name)
	}
	headers := make([]*header, len(parts))
	for i, p := range parts {
		h, err := parseHeader(p)
		if err != nil {
			return nil, err
		}
		headers[i] = h
	}
	if err := checkSplit(headers); err != nil {
		return nil, err
	}
	f.Version, f.Metadata = headers[0].version, headers[0].meta
	for i, h := range headers {
		tensors, err := h.parseTensors()
		if err != nil {
			return nil, err
		}
		for _, t := range tensors {
			t.Part = i
			if err := f.Add(t); err != nil {
				return nil, err
			}
		}
	}
	for _, h := range headers {
		if err := h.checkTensorTotal(len(f.Tensors)); err != nil {
			return nil, err
		}
	}
	return f, nil
}
