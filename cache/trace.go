package cache

import (
	"bufio"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
)

// Access is one use of a key of Size bytes.
type Access struct {
	Key  int
	Size int64
}

// Trace is a list of uses in their order, to be replayed with other policies and capacities. Add is safe for
// concurrent use; the other methods are for the time after.
type Trace struct {
	mu   sync.Mutex
	uses []Access
}

// Add appends a use.
func (t *Trace) Add(key int, size int64) {
	t.mu.Lock()
	t.uses = append(t.uses, Access{key, size})
	t.mu.Unlock()
}

// Len returns the number of uses.
func (t *Trace) Len() int { return len(t.uses) }

// Size returns the bytes of all keys, and of all uses.
func (t *Trace) Size() (keys, uses int64) {
	seen := map[int]bool{}
	for _, a := range t.uses {
		if !seen[a.Key] {
			seen[a.Key] = true
			keys += a.Size
		}
		uses += a.Size
	}
	return keys, uses
}

// ErrTrace says that a text is no trace.
var ErrTrace = errors.New("not a trace")

// traceHead is the first line of a trace's text. Every other line has a key and its size.
const traceHead = "cortex cache trace 1"

// WriteTo writes the trace as text, one line for each use.
func (t *Trace) WriteTo(w io.Writer) (int64, error) {
	buf := bufio.NewWriter(w)
	n, err := fmt.Fprintln(buf, traceHead)
	total := int64(n)
	for _, a := range t.uses {
		if err != nil {
			return total, err
		}
		n, err = fmt.Fprintln(buf, a.Key, a.Size)
		total += int64(n)
	}
	return total, errors.Join(err, buf.Flush())
}

// ReadTrace reads what WriteTo has written. Errors wrap ErrTrace, or are r's.
func ReadTrace(r io.Reader) (*Trace, error) {
	lines := bufio.NewScanner(r)
	if !lines.Scan() || lines.Text() != traceHead {
		return nil, errors.Join(lines.Err(), fmt.Errorf("%w: the first line is not %q", ErrTrace, traceHead))
	}
	t := &Trace{}
	sizes := map[int]int64{}
	for n := 2; lines.Scan(); n++ {
		var a Access
		var more string
		if got, _ := fmt.Sscan(lines.Text(), &a.Key, &a.Size, &more); got != 2 || a.Size < 1 || a.Size > math.MaxInt64>>20 {
			return nil, fmt.Errorf("%w: line %d: want a key and a size", ErrTrace, n)
		}
		if known, ok := sizes[a.Key]; ok && known != a.Size {
			return nil, fmt.Errorf("%w: line %d: key %d has two sizes, %d and %d", ErrTrace, n, a.Key, known, a.Size)
		}
		sizes[a.Key] = a.Size
		t.uses = append(t.uses, a)
	}
	return t, lines.Err()
}

// Hits counts how often, and for how many bytes, a cache had what was wanted.
type Hits struct {
	Uses, Hits  int
	Bytes, Read int64 // used, and not held when they were
}

// Rate returns the share of uses that were hits.
func (h Hits) Rate() float64 { return float64(h.Hits) / float64(max(1, h.Uses)) }

func (h *Hits) count(a Access, hit bool) {
	h.Uses++
	h.Bytes += a.Size
	if hit {
		h.Hits++
	} else {
		h.Read += a.Size
	}
}

// Replay has a policy, which need not be empty, follow the trace.
func (t *Trace) Replay(p Policy) (h Hits) {
	for _, a := range t.uses {
		h.count(a, p.Use(a.Key, a.Size, nil) == Hit)
	}
	return h
}

// Belady replays the trace with knowledge of the future: what is used again last is given up first. For keys of the
// same size no cache that keeps what it has just read has more hits (Belady 1966); with
// different sizes it is a good one, not always the best.
func (t *Trace) Belady(capacity int64) (h Hits) {
	next := make([]int, len(t.uses)) // when the key of a use is used again
	last := map[int]int{}
	for i := len(t.uses) - 1; i >= 0; i-- {
		next[i] = math.MaxInt
		if n, ok := last[t.uses[i].Key]; ok {
			next[i] = n
		}
		last[t.uses[i].Key] = i
	}
	var order scores // the furthest next use has the least score
	at := map[int]*scored{}
	used := int64(0)
	for i, a := range t.uses {
		s := at[a.Key]
		h.count(a, s != nil)
		if s != nil {
			s.score = -float64(next[i])
			heap.Fix(&order, s.index)
			continue
		}
		if a.Size > capacity {
			continue
		}
		for used+a.Size > capacity {
			s := heap.Pop(&order).(*scored)
			delete(at, s.key)
			used -= s.size
		}
		s = &scored{item: item{a.Key, a.Size}, score: -float64(next[i])}
		heap.Push(&order, s)
		at[a.Key] = s
		used += a.Size
	}
	return h
}
