package loader

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

var (
	// ErrTruncated says that a file ends before bytes that it had when it was opened, or that it promises to have.
	ErrTruncated = errors.New("file truncated while in use, or unreadable")
	// ErrClosed says that a [Source] was used after Close.
	ErrClosed = errors.New("file is closed")
)

// Error says what could not be read, and where. Tensor is empty where the
// fault lies outside every tensor.
type Error struct {
	File   string
	Tensor string
	Offset int64 // in File
	Err    error // ErrTruncated, or an error of the operating system
}

func (e *Error) Error() string {
	if e.Tensor == "" {
		return fmt.Sprintf("%s: offset %d: %v", e.File, e.Offset, e.Err)
	}
	return fmt.Sprintf("%s: tensor %s: offset %d: %v", e.File, e.Tensor, e.Offset, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Protect calls fn, which reads mapped bytes of s, and turns a memory fault in
// it into an error. Any other panic goes on.
func (s *Source) Protect(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = s.recovered(r)
		}
	}()
	return fn()
}

// recovered turns the value of a recovered panic into an error if it is a
// fault inside one of s's mappings, and panics again otherwise.
func (s *Source) recovered(r any) error {
	if fault, ok := r.(interface {
		runtime.Error
		Addr() uintptr
	}); ok {
		if err := s.Fault(fault.Addr()); err != nil {
			return err
		}
	}
	panic(r)
}
