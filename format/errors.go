package format

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The kinds of fault that a reader reports; test for them with errors.Is.
var (
	// ErrFormat: the bytes break the rules of their format.
	ErrFormat = errors.New("malformed file")
	// ErrUnsupported: the bytes may be right, but this package does not read what they hold.
	ErrUnsupported = errors.New("unsupported")
	// ErrChecksum: the bytes are not those that were written.
	ErrChecksum = errors.New("checksum mismatch")
	// ErrMissing: a metadata key, a tensor or a file that has to be there is not. It is an ErrFormat too.
	ErrMissing = fmt.Errorf("%w: missing", ErrFormat)
)

// Error tells what is wrong in a file and where. Fields that do not apply are empty.
type Error struct {
	File   string // name of the file, as it was given to the reader
	Tensor string // tensor concerned
	Key    string // metadata key concerned
	Offset int64  // where in File the fault was found, in bytes; 0 when it concerns no single place
	Detail string // what is wrong, in words
	Err    error  // ErrFormat, ErrUnsupported, ErrChecksum or an error that wraps one of them
}

// Error returns "file: tensor name: detail (at byte offset)", without the parts that are empty.
func (e *Error) Error() string {
	var parts []string
	if e.File != "" {
		parts = append(parts, e.File)
	}
	if e.Tensor != "" {
		parts = append(parts, "tensor "+printable(e.Tensor))
	}
	if e.Key != "" {
		parts = append(parts, "key "+printable(e.Key))
	}
	switch {
	case e.Detail != "":
		parts = append(parts, e.Detail)
	case e.Err != nil:
		parts = append(parts, e.Err.Error())
	}
	s := strings.Join(parts, ": ")
	if e.Offset > 0 {
		s += " (at byte " + strconv.FormatInt(e.Offset, 10) + ")"
	}
	return s
}

// Unwrap returns the kind of the fault, so that errors.Is(err, ErrFormat) and the like hold.
func (e *Error) Unwrap() error { return e.Err }

// printable makes a name that came out of a file safe to show on a terminal or in a log: it is quoted if
// it holds anything unusual, and shortened if it is very long.
func printable(s string) string {
	const most = 100
	tail := ""
	if len(s) > most {
		s, tail = s[:most], "…"
	}
	odd := func(r rune) bool { return r == utf8.RuneError || r == ' ' || !unicode.IsPrint(r) }
	if strings.ContainsFunc(s, odd) {
		s = strconv.Quote(s)
	}
	return s + tail
}
