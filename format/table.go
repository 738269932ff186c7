package format

import "fmt"

// Table is the tensors of a model, to be found by name. The zero Table is empty. It may be used from many goroutines
// once it is filled.
type Table struct {
	Tensors []Tensor // in the order in which they were added
	Files   []string // the names of the model's files, by Tensor.Part

	byName map[string]int // index in Tensors
}

// Add appends a tensor. It fails with an *Error if there is one of the same name.
func (x *Table) Add(t Tensor) error {
	if other, ok := x.Tensor(t.Name); ok {
		return &Error{File: x.Files[t.Part], Tensor: t.Name, Offset: t.Offset, Err: ErrFormat,
			Detail: fmt.Sprintf("is in %s too", x.Files[other.Part])}
	}
	if x.byName == nil {
		x.byName = map[string]int{}
	}
	x.byName[t.Name] = len(x.Tensors)
	x.Tensors = append(x.Tensors, t)
	return nil
}

// Tensor returns the tensor of that name.
func (x *Table) Tensor(name string) (Tensor, bool) {
	i, ok := x.byName[name]
	if !ok {
		return Tensor{}, false
	}
	return x.Tensors[i], true
}

// TensorError returns an error that wraps ErrFormat and says what is wrong with a tensor, for callers that find more
// than the format's rules broken. A tensor that is not in the table is named without an offset, and the error then
// wraps ErrMissing.
func (x *Table) TensorError(name, detail string) error {
	t, ok := x.Tensor(name)
	if !ok {
		return &Error{File: x.Files[0], Tensor: name, Detail: detail, Err: ErrMissing}
	}
	return &Error{File: x.Files[t.Part], Tensor: name, Offset: t.Offset, Detail: detail, Err: ErrFormat}
}
