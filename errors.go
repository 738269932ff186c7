package cortex

import (
	"context"
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
	// ErrNoToken says that no token can follow: the model's results are not
	// numbers, or a logit bias forbids every token. Where a weight is not a
	// number, a *format.Error that names it is wrapped too.
	ErrNoToken = errors.New("no token can follow")
	// ErrOptions says that an option has a value that makes no sense.
	ErrOptions = errors.New("bad option")
)

func isNaN(v float32) bool { return v != v }

// noNumbers explains results that are not numbers.
func (m *Model) noNumbers(ctx context.Context) error {
	if err := m.model.Damage(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrNoToken, err)
	}
	return fmt.Errorf("%w: the model's results are not numbers", ErrNoToken)
}

// SpillError says what of the keys and values that lie in a file (see
// Options.KVMemory) could not be written or read. It wraps the system's error.
type SpillError = model.SpillError

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
