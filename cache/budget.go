package cache

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrBudget is wrapped by every error that says a reservation does not fit.
var ErrBudget = errors.New("memory budget exceeded")

// Error says which reservation did not fit into a [Budget]. It wraps [ErrBudget].
type Error struct {
	Name  string // the reservation's name
	Want  int64  // bytes asked for
	Used  int64  // bytes reserved already
	Limit int64  // the budget's limit in bytes
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s needs %d bytes, but %d of %d are in use: %v", e.Name, e.Want, e.Used, e.Limit, ErrBudget)
}

func (e *Error) Unwrap() error { return ErrBudget }

// Item is one named part of a budget.
type Item struct {
	Name  string
	Bytes int64
}

// Budget is an exact ledger of bytes under one limit. The zero Budget has the
// limit 0 and refuses everything. A Budget is safe for concurrent use.
type Budget struct {
	mu    sync.Mutex
	limit int64
	used  int64
	peak  int64
	items []Item // in the order of their first reservation
}

// NewBudget returns an empty budget of limit bytes.
func NewBudget(limit int64) *Budget {
	return &Budget{limit: max(limit, 0)}
}

// Reserve adds n bytes under name, or changes nothing and returns an [*Error]
// when they would exceed the limit. A negative n is misuse and panics.
func (b *Budget) Reserve(name string, n int64) error {
	if n < 0 {
		panic("cache: negative reservation")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.limit-b.used {
		return &Error{Name: name, Want: n, Used: b.used, Limit: b.limit}
	}
	b.used += n
	b.peak = max(b.peak, b.used)
	if i := b.index(name); i >= 0 {
		b.items[i].Bytes += n
	} else {
		b.items = append(b.items, Item{Name: name, Bytes: n})
	}
	return nil
}

// Release gives back n bytes reserved under name. Releasing more than was
// reserved is misuse and panics.
func (b *Budget) Release(name string, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.index(name)
	if n < 0 || i < 0 && n > 0 || i >= 0 && n > b.items[i].Bytes {
		panic("cache: release of what was not reserved: " + name)
	}
	if i < 0 {
		return
	}
	b.used -= n
	b.items[i].Bytes -= n
	if b.items[i].Bytes == 0 {
		b.items = slices.Delete(b.items, i, i+1)
	}
}

// Limit returns the limit in bytes.
func (b *Budget) Limit() int64 { return b.limit }

// Used returns the bytes reserved now.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Peak returns the most bytes that were ever reserved at once.
func (b *Budget) Peak() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.peak
}

// Items returns the reservations, oldest name first.
func (b *Budget) Items() []Item {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.items)
}

func (b *Budget) index(name string) int {
	return slices.IndexFunc(b.items, func(it Item) bool { return it.Name == name })
}
