package gguf

import (
	"fmt"
	"strings"

	"github.com/cortexsdr/cortex/format"
)

// The metadata keys of the parts of a split file.
const (
	splitNoKey      = "split.no"            // this part's number, from 0
	splitCountKey   = "split.count"         // how many parts there are
	splitTensorsKey = "split.tensors.count" // tensors of all parts together
)

// maxParts bounds what a list of names can take; a model in more files could hardly be opened anyway.
const maxParts = 4096

// SplitNames returns the file names of all parts of the model that p is a part of, in their order, for the
// caller to open and hand to [Parse]. They follow from p's name and its split.* keys, which must agree; a
// file that is not split gives its own name.
func SplitNames(p Part) ([]string, error) {
	h, err := parseHeader(p)
	if err != nil {
		return nil, err
	}
	no, count, err := h.split()
	if err != nil {
		return nil, err
	}
	if count == 1 {
		return []string{p.Name}, nil
	}
	prefix, ok := strings.CutSuffix(p.Name, partSuffix(no, count))
	if !ok {
		return nil, h.keyError(splitNoKey, "part %d of %d must have a file name that ends in %s", no+1, count, partSuffix(no, count))
	}
	names := make([]string, count)
	for i := range names {
		names[i] = prefix + partSuffix(i, count)
	}
	return names, nil
}

// partSuffix returns the end of the file name of part no, counted from 0; names count from 1.
func partSuffix(no, count int) string {
	return fmt.Sprintf("-%05d-of-%05d.gguf", no+1, count)
}

// split returns the part's number, from 0, and the number of parts; 0 and 1 for a file that is whole.
func (h *header) split() (no, count int, err error) {
	c, err := h.uint(splitCountKey, 1)
	if err != nil {
		return 0, 0, err
	}
	if c == 0 || c > maxParts {
		return 0, 0, h.keyError(splitCountKey, "%d parts, want 1 to %d", c, maxParts)
	}
	n, err := h.uint(splitNoKey, 0)
	if err != nil {
		return 0, 0, err
	}
	if n >= c {
		return 0, 0, h.keyError(splitNoKey, "part number %d, counted from 0, of only %d", n, c)
	}
	return int(n), int(c), nil
}

// checkSplit checks that the files are all parts of one model, each once and in their order.
func checkSplit(headers []*header) error {
	first := headers[0]
	firstNo, count, err := first.split()
	if err != nil {
		return err
	}
	given := make(map[int]*header, len(headers))
	for _, h := range headers {
		no, c, err := h.split()
		if err != nil {
			return err
		}
		if c != count {
			return h.Malformed(0, "is one of %d parts, but %s is one of %d", c, first.File, count)
		}
		if twin := given[no]; twin != nil {
			return h.Malformed(0, "is part %d of %d, and so is %s", no+1, count, twin.File)
		}
		given[no] = h
	}
	if len(given) < count {
		return first.Errorf(format.ErrMissing, 0, "is one of %d parts, of which are missing: %s", count, missing(first.File, firstNo, given, count))
	}
	for i, h := range headers {
		if given[i] != h {
			return h.Malformed(0, "is out of order: it is in the place of part %d of %d", i+1, count)
		}
	}
	return nil
}

// missing lists the parts that are not given, by file name if that follows from the name of the part no.
func missing(file string, no int, given map[int]*header, count int) string {
	const most = 8
	prefix, named := strings.CutSuffix(file, partSuffix(no, count))
	var list []string
	for i := range count {
		switch {
		case given[i] != nil:
		case len(list) == most:
			return fmt.Sprintf("%s and %d more", strings.Join(list, ", "), count-len(given)-most)
		case named:
			list = append(list, prefix+partSuffix(i, count))
		default:
			list = append(list, fmt.Sprintf("part %d", i+1))
		}
	}
	return strings.Join(list, ", ")
}

// checkTensorTotal checks the number of tensors of all parts against the one that this part gives, if any.
func (h *header) checkTensorTotal(total int) error {
	n, err := h.uint(splitTensorsKey, uint64(total))
	if err != nil {
		return err
	}
	if n != uint64(total) {
		return h.keyError(splitTensorsKey, "the parts should have %d tensors together, they have %d", n, total)
	}
	return nil
}
