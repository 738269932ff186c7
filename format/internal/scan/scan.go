// Package scan reads little-endian binary data that is not to be trusted, front to back and never past its end. Its
// errors are *format.Error values that name file, tensor or key, and byte offset.
package scan

import (
	"encoding/binary"
	"fmt"

	"github.com/cortexsdr/cortex/format"
)

// Reader reads Data, which is the part of a file from byte Base on.
type Reader struct {
	File        string
	Data        []byte
	Base        int64
	Pos         int    // index in Data of what is read next
	Tensor, Key string // what is being read, for error messages
}

// Errorf returns an error of the given kind about the byte at of Data.
func (r *Reader) Errorf(kind error, at int, text string, args ...any) error {
	return &format.Error{File: r.File, Tensor: r.Tensor, Key: r.Key, Offset: r.Base + int64(at), Detail: fmt.Sprintf(text, args...), Err: kind}
}

// Malformed returns a format.ErrFormat about the byte at of Data.
func (r *Reader) Malformed(at int, text string, args ...any) error {
	return r.Errorf(format.ErrFormat, at, text, args...)
}

// Remaining returns the number of bytes that have not been read.
func (r *Reader) Remaining() int { return len(r.Data) - r.Pos }

// Bytes takes n bytes, a view of Data; what names them in the error if there are not so many.
func (r *Reader) Bytes(n uint64, what string) ([]byte, error) {
	if n > uint64(r.Remaining()) {
		return nil, r.Malformed(r.Pos, "%s needs %d bytes, %d remain", what, n, r.Remaining())
	}
	b := r.Data[r.Pos : r.Pos+int(n)]
	r.Pos += int(n)
	return b, nil
}

// Uint32 reads 4 bytes.
func (r *Reader) Uint32(what string) (uint32, error) {
	b, err := r.Bytes(4, what)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

// Uint64 reads 8 bytes.
func (r *Reader) Uint64(what string) (uint64, error) {
	b, err := r.Bytes(8, what)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// Count reads a 64-bit number of things of which each takes at least min bytes of what remains.
func (r *Reader) Count(what string, min int) (int, error) {
	at := r.Pos
	n, err := r.Uint64(what)
	if err != nil {
		return 0, err
	}
	if n > uint64(r.Remaining()/min) {
		return 0, r.Malformed(at, "%s %d is more than the remaining %d bytes can hold", what, n, r.Remaining())
	}
	return int(n), nil
}

// Text reads a 64-bit length and as many bytes, a view of Data.
func (r *Reader) Text(what string) ([]byte, error) {
	n, err := r.Uint64(what)
	if err != nil {
		return nil, err
	}
	return r.Bytes(n, what)
}

// Name reads a text that must not be empty, nor longer than most bytes, and copies it.
func (r *Reader) Name(what string, most int) (string, error) {
	at := r.Pos
	b, err := r.Text(what)
	switch {
	case err != nil:
		return "", err
	case len(b) == 0:
		return "", r.Malformed(at, "empty %s", what)
	case len(b) > most:
		return "", r.Malformed(at, "%s of %d bytes, more than %d", what, len(b), most)
	}
	return string(b), nil
}
