package cortex

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cortexsdr/cortex/internal/model"
)

var (
	// ErrMemoryLimit is wrapped by a [*MemoryError].
	ErrMemoryLimit = errors.New("memory limit too small")
	// ErrClosed says that a Model or Session was used after Close.
	ErrClosed = errors.New("closed")
	// ErrContextFull says that the tokens do not fit into the context any more.
	ErrContextFull = model.ErrContextFull
	// ErrNoToken says that no token can follow: every logit is NaN, as a
	// damaged model gives, or -Inf, as a logit bias may.
	ErrNoToken = errors.New("no token can follow")
	// ErrOptions says that an option has a value that makes no sense.
	ErrOptions = errors.New("bad option")
)

// MemoryError says that a memory limit cannot work. It wraps [ErrMemoryLimit].
type MemoryError struct {
	Limit int64 // bytes allowed
	Need  int64 // the smallest limit that works
	What  string
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("%v: %s needs %s, the limit is %s", ErrMemoryLimit, e.What, FormatBytes(e.Need), FormatBytes(e.Limit))
}

func (e *MemoryError) Unwrap() error { return ErrMemoryLimit }

// fileError says what was to be done with a file. Errors of packages os, format and
// loader name the file by themselves, and it should not be named twice.
func fileError(verb, name string, err error) error {
	switch text := err.Error(); {
	case strings.HasPrefix(text, "open "+name+":"):
		return fmt.Errorf("cortex: %w", err)
	case strings.HasPrefix(text, name+":"):
		return fmt.Errorf("cortex: %s %w", verb, err)
	}
	return fmt.Errorf("cortex: %s %s: %w", verb, name, err)
}
