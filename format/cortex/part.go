package cortex

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cortexsdr/cortex/format"
)

// part is one shard.
type part struct {
	name string
	size int64
	data []byte   // all of it, or nil
	file *os.File // where it is read from if data is nil
}

// openPart opens a file for reading with ordinary reads.
func openPart(path string) (part, error) {
	f, err := os.Open(path)
	if err != nil {
		return part{}, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &format.Error{File: path, Detail: "not a regular file", Err: format.ErrFormat}
	}
	if err != nil {
		return part{}, errors.Join(err, f.Close())
	}
	return part{name: path, size: info.Size(), file: f}, nil
}

// openParts opens files, as far as it gets; closeParts closes them.
func openParts(paths []string) (parts []part, err error) {
	for _, path := range paths {
		p, err := openPart(path)
		if err != nil {
			return parts, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

func closeParts(parts []part) {
	for _, p := range parts {
		p.close()
	}
}

// close closes what openPart has opened.
func (p part) close() {
	if p.file != nil {
		_ = p.file.Close() // it was only read
	}
}

// read returns n bytes that lie in the file.
func (p part) read(from, n int64) ([]byte, error) {
	if p.file == nil {
		return p.data[from:][:n:n], nil
	}
	b := make([]byte, n)
	return b, p.readInto(b, from)
}

// readInto fills b with bytes that lie in the file.
func (p part) readInto(b []byte, from int64) error {
	if p.file == nil {
		copy(b, p.data[from:])
		return nil
	}
	_, err := p.file.ReadAt(b, from)
	if errors.Is(err, io.EOF) { // it was longer when it was opened
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return &format.Error{File: p.name, Offset: from, Detail: fmt.Sprintf("cannot be read: %v", err), Err: err}
	}
	return nil
}
