package cache

import (
	"container/heap"
	"container/list"
	"fmt"
	"math"
)

// Result says what a use of a key meant to a [Policy].
type Result uint8

// The results.
const (
	Hit    Result = iota // it was held
	Kept                 // it was not, and is from now on
	Passed               // it was not, and still is not
)

// Policy decides what a cache of limited size holds. It knows keys and sizes only; whoever owns the bytes
// puts them where they are to be and gives them up when evict is called. A key always has the same size, which
// is at least 1. A Policy is for one goroutine at a time.
type Policy interface {
	// Use says that key, of size bytes, is used now. evict is called for every key that is given up for it, and
	// may be nil.
	Use(key int, size int64, evict func(key int)) Result
	// Used returns the bytes of all keys that are held: never more than the capacity.
	Used() int64
}

// Policies lists the constructors of all policies, by name, for a capacity in bytes.
var Policies = []struct {
	Name string
	New  func(capacity int64) Policy
}{
	{"pin + ring", func(capacity int64) Policy { return NewPin(capacity) }},
	{"LRU", func(capacity int64) Policy { return NewLRU(capacity) }},
	{"LFU with decay", func(capacity int64) Policy { return NewLFU(capacity, DefaultHalfLife) }},
	{"segmented LRU", func(capacity int64) Policy { return NewSegmentedLRU(capacity, DefaultProtected) }},
}

// Pin holds the keys that come first, as long as there is room, for good; the others pass. It is what a
// stream of weights does: nothing is better for a scan that begins anew again and again.
type Pin struct {
	capacity, used int64
	held           map[int]bool
}

// NewPin returns an empty Pin. What the ring takes is not part of the capacity.
func NewPin(capacity int64) *Pin { return &Pin{capacity: capacity, held: map[int]bool{}} }

// Use implements [Policy]. Nothing is ever evicted.
func (p *Pin) Use(key int, size int64, _ func(int)) Result {
	switch {
	case p.held[key]:
		return Hit
	case p.used+size > p.capacity:
		return Passed
	}
	p.held[key] = true
	p.used += size
	return Kept
}

// Used implements [Policy].
func (p *Pin) Used() int64 { return p.used }

// item is a key that is held.
type item struct {
	key  int
	size int64
}

// queue holds keys from the one used last to the one used longest ago.
type queue struct {
	order list.List
	at    map[int]*list.Element
	used  int64
}

func newQueue() queue { return queue{at: map[int]*list.Element{}} }

// push puts a key at the front.
func (q *queue) push(it item) {
	q.at[it.key] = q.order.PushFront(it)
	q.used += it.size
}

// remove takes a key out.
func (q *queue) remove(e *list.Element) item {
	it := q.order.Remove(e).(item)
	delete(q.at, it.key)
	q.used -= it.size
	return it
}

// LRU gives up what was used longest ago.
type LRU struct {
	capacity int64
	queue    queue
}

// NewLRU returns an empty LRU.
func NewLRU(capacity int64) *LRU { return &LRU{capacity: capacity, queue: newQueue()} }

// Use implements [Policy].
func (p *LRU) Use(key int, size int64, evict func(int)) Result {
	if e := p.queue.at[key]; e != nil {
		p.queue.order.MoveToFront(e)
		return Hit
	}
	if size > p.capacity {
		return Passed
	}
	for p.queue.used+size > p.capacity {
		gone(evict, p.queue.remove(p.queue.order.Back()).key)
	}
	p.queue.push(item{key, size})
	return Kept
}

// Used implements [Policy].
func (p *LRU) Used() int64 { return p.queue.used }

// DefaultProtected is the usual share of a segmented LRU that is protected.
const DefaultProtected = 0.8

// SegmentedLRU has two queues: keys enter the one on probation, and move to the protected one when they are used
// again. What falls out of that goes back on probation, and what falls out of there is given up. A scan of
// keys that are used once thus does not drive out those used often (Karedla, Love and Wherry 1994).
type SegmentedLRU struct {
	capacity, protect    int64
	probation, protected queue
}

// NewSegmentedLRU returns an empty SegmentedLRU, of which a share from 0 to 1 is protected.
func NewSegmentedLRU(capacity int64, share float64) *SegmentedLRU {
	if !(share >= 0 && share <= 1) {
		panic(fmt.Sprintf("cache: a share of %v", share))
	}
	return &SegmentedLRU{capacity: capacity, protect: int64(share * float64(capacity)), probation: newQueue(), protected: newQueue()}
}

// Use implements [Policy].
func (p *SegmentedLRU) Use(key int, size int64, evict func(int)) Result {
	if e := p.protected.at[key]; e != nil {
		p.protected.order.MoveToFront(e)
		return Hit
	}
	if e := p.probation.at[key]; e != nil {
		if size > p.protect {
			p.probation.order.MoveToFront(e)
			return Hit
		}
		p.protected.push(p.probation.remove(e))
		for p.protected.used > p.protect {
			p.probation.push(p.protected.remove(p.protected.order.Back()))
		}
		return Hit
	}
	if size > p.capacity {
		return Passed
	}
	for p.Used()+size > p.capacity {
		q := &p.probation
		if q.used == 0 {
			q = &p.protected
		}
		gone(evict, q.remove(q.order.Back()).key)
	}
	p.probation.push(item{key, size})
	return Kept
}

// Used implements [Policy].
func (p *SegmentedLRU) Used() int64 { return p.probation.used + p.protected.used }

// DefaultHalfLife is the number of uses after which one counts half for [NewLFU].
const DefaultHalfLife = 10_000

// LFU gives up what was used least often, where a use counts half after half a life of other uses, so that
// what was popular long ago does not stay for ever. Popularity is remembered of what is held only.
type LFU struct {
	capacity, used int64
	perUse         float64 // how much more the logarithm of a use's weight is than that of the one before
	now            float64 // the logarithm of the present use's weight
	heap           scores
	at             map[int]*scored
}

// NewLFU returns an empty LFU. halfLife is in uses, of whatever keys.
func NewLFU(capacity int64, halfLife float64) *LFU {
	if !(halfLife > 0) {
		panic(fmt.Sprintf("cache: a half-life of %v", halfLife))
	}
	return &LFU{capacity: capacity, perUse: 1 / halfLife, at: map[int]*scored{}}
}

// Use implements [Policy].
func (p *LFU) Use(key int, size int64, evict func(int)) Result {
	// Instead of all old counts being halved, new uses count more: 2^(uses / half-life). The logarithm of
	// that never overflows.
	p.now += p.perUse
	if s := p.at[key]; s != nil {
		s.score = p.now + math.Log2(1+math.Exp2(s.score-p.now))
		heap.Fix(&p.heap, s.index)
		return Hit
	}
	if size > p.capacity {
		return Passed
	}
	for p.used+size > p.capacity {
		s := heap.Pop(&p.heap).(*scored)
		delete(p.at, s.key)
		p.used -= s.size
		gone(evict, s.key)
	}
	s := &scored{item: item{key, size}, score: p.now}
	heap.Push(&p.heap, s)
	p.at[key] = s
	p.used += size
	return Kept
}

// Used implements [Policy].
func (p *LFU) Used() int64 { return p.used }

// scored is a key with a number; the one with the least is given up first.
type scored struct {
	item
	score float64
	index int // in the heap
}

// scores is a heap of them.
type scores []*scored

func (h scores) Len() int           { return len(h) }
func (h scores) Less(i, j int) bool { return h[i].score < h[j].score }
func (h scores) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements [heap.Interface].
func (h *scores) Push(x any) {
	s := x.(*scored)
	s.index = len(*h)
	*h = append(*h, s)
}

// Pop implements [heap.Interface].
func (h *scores) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return s
}

func gone(evict func(int), key int) {
	if evict != nil {
		evict(key)
	}
}
