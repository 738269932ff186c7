package tokenizer

import (
	"cmp"
	"math/bits"
	"runtime"
	"slices"
)

// merge is a rule: symbols left and right, if adjacent, become symbol to.
type merge struct {
	left, right, to int32
	rank            int32
}

// newBPE takes the texts of the symbols, "" for one that text can not give, and the merges, ordered by rank and, where ranks
// are equal, by the length of the symbol they make. charSize gives the length of the basic symbol that a text begins with.
func newBPE(t *trie, texts []string, merges []merge, charSize func(string) int) *bpe {
	b := &bpe{trie: t, symbols: make([]symbolInfo, len(texts)), charSize: charSize}
	for i, s := range texts {
		info := symbolInfo{left: -1, right: -1, rank: unreachable, time: unreachable, shorter: -1, size: int32(len(s))}
		if s != "" && charSize(s) == len(s) {
			info.rank, info.time = basic, basic
		}
		b.symbols[i] = info
	}
	log2 := uint(bits.Len(uint(min(len(merges), len(texts)))) + 1) // at most half full
	b.shift = 64 - log2
	b.merges = slices.Repeat([]int32{-1}, 1<<log2)
	b.filter = make([]uint64, (1<<(log2+filterBits))/64+1)
	b.apply(merges)
	inParts(runtime.GOMAXPROCS(0), len(texts), func(_, from, to int) {
		for i, s := range texts[from:to] {
			if len(s) > 1 {
				b.symbols[from+i].shorter, _ = b.longest(s[:len(s)-1])
			}
		}
	})
	return b
}

// apply finds out which merges make the symbols. A merge makes its symbol if encoding the symbol's text alone comes to
// the two parts; only merges of earlier times can prevent that, so they are tried in the order of their times. Usually the
// time of a merge is its rank, but in some vocabularies a merge ranks before one that makes a part of it.
func (b *bpe) apply(merges []merge) {
	var (
		first = slices.Repeat([]int32{-1}, len(b.symbols)) // of the merges that wait for a symbol to be made, a list
		next  = make([]int32, len(merges))
		queue mergeQueue // those whose wait is over
	)
	// ready reports whether both parts of a merge are made; if not, it waits for one of them.
	ready := func(i int32) bool {
		for _, part := range [2]int32{merges[i].left, merges[i].right} {
			if b.symbols[part].time == unreachable {
				next[i], first[part] = first[part], i
				return false
			}
		}
		return true
	}
	try := func(m merge) {
		if b.symbols[m.to].time != unreachable || !b.meets(m.left, m.right) {
			return
		}
		b.enter(m)
		for i := first[m.to]; i >= 0; {
			after := next[i]
			if ready(i) {
				m := merges[i]
				queue.push(queuedMerge{time: b.time(m), size: b.symbols[m.to].size, merge: i})
			}
			i = after
		}
	}
	for i, m := range merges {
		now := queuedMerge{time: m.rank, size: b.symbols[m.to].size, merge: int32(i)}
		for len(queue) > 0 && queue[0].before(now) {
			try(merges[queue.pop().merge])
		}
		if ready(int32(i)) {
			try(m)
		}
	}
	for len(queue) > 0 {
		try(merges[queue.pop().merge])
	}
}

// time returns the highest rank of all merges that the symbol of a merge takes.
func (b *bpe) time(m merge) int32 {
	return max(m.rank, b.symbols[m.left].time, b.symbols[m.right].time)
}

// enter records a merge that makes its symbol.
func (b *bpe) enter(m merge) {
	s, left, right := &b.symbols[m.to], b.symbols[m.left].time, b.symbols[m.right].time
	s.left, s.right, s.rank, s.time = m.left, m.right, m.rank, b.time(m)

	// Before this merge come those that rank lower than the last merge it waits for. Usually that is itself. If it ranks
	// before the merge that makes its later part, it follows at once on that one: until then other pairs at the border
	// could merge, but one with the later part in it is not there earlier than this one and competes with its rank. Of
	// equal ranks the one further left comes first.
	s.before = [2]int32{leftSide: s.time, rightSide: s.time + 1}
	if m.rank < s.time {
		if right >= left {
			s.before[leftSide] = m.rank
		} else {
			s.before[rightSide] = m.rank + 1
		}
	}

	i, bit := b.slot(m.left, m.right)
	b.filter[bit/64] |= 1 << (bit % 64)
	for b.merges[i] >= 0 {
		i = (i + 1) & uint64(len(b.merges)-1)
	}
	b.merges[i] = m.to
}

// queuedMerge is a merge, by number, with what decides about its turn.
type queuedMerge struct{ time, size, merge int32 }

func (m queuedMerge) before(n queuedMerge) bool {
	return cmp.Or(cmp.Compare(m.time, n.time), cmp.Compare(m.size, n.size), cmp.Compare(m.merge, n.merge)) < 0
}

// mergeQueue is a binary heap.
type mergeQueue []queuedMerge

func (q *mergeQueue) push(m queuedMerge) {
	*q = append(*q, m)
	h := *q
	for i := len(h) - 1; i > 0 && h[i].before(h[(i-1)/2]); i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
}

func (q *mergeQueue) pop() queuedMerge {
	h := *q
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h); c++ {
			if h[c].before(h[least]) {
				least = c
			}
		}
		if least == i {
			break
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
	*q = h
	return top
}
