package testmodel

import (
	"encoding/binary"
	"fmt"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

// Model makes the rows of a model one by one, so that it needs no file. It may be used from many goroutines.
type Model struct {
	m       *model
	tensors map[string]tensor
	makers  map[string]*rowMaker
}

// New returns the model that c describes.
func New(c Config) (*Model, error) {
	m, err := newModel(c)
	if err != nil {
		return nil, err
	}
	x := &Model{m: m, tensors: map[string]tensor{}, makers: map[string]*rowMaker{}}
	for _, t := range m.tensors {
		x.tensors[t.Name] = t
		if t.values == nil {
			x.makers[t.Name] = m.newRowMaker(t)
		}
	}
	return x, nil
}

// Metadata returns the keys that a file of the model has.
func (x *Model) Metadata() []gguf.KV { return append([]gguf.KV(nil), x.m.meta...) }

// Tensors returns the model's tensors, without a place.
func (x *Model) Tensors() []format.Tensor {
	list := make([]format.Tensor, len(x.m.tensors))
	for i, t := range x.m.tensors {
		list[i] = t.Tensor
	}
	return list
}

// ReadRows writes the rows from up to, but without, to of a tensor to dst, which has room for just them: the same bytes that a
// file has there.
func (x *Model) ReadRows(t format.Tensor, from, to int, dst []byte) error {
	made, ok := x.tensors[t.Name]
	if !ok || from < 0 || from > to || int64(to) > made.Rows() || int64(len(dst)) != int64(to-from)*made.RowBytes() {
		return fmt.Errorf("testmodel: rows %d to %d of tensor %s do not fit into %d bytes", from, to, t.Name, len(dst))
	}
	if made.values == nil {
		x.makers[t.Name].make(dst, int64(from))
		return nil
	}
	all, err := binary.Append(nil, binary.LittleEndian, made.values)
	if err != nil {
		return err
	}
	copy(dst, all[int64(from)*made.RowBytes():])
	return nil
}
