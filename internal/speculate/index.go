package speculate

import "math/bits"

// Index finds where the end of a text stood before in it. It lists, for every
// token and for every pair of tokens, the places behind them, as LZ77 compressors do
// with hash chains.
type Index struct {
	tokens, pairs chain
	done          int // places up to this one are listed
}

const (
	// MaxMatch is the longest match that is looked for: by then a place is as
	// good as any.
	MaxMatch = 32

	// maxTries bounds how many places are compared, the most recent first.
	maxTries = 128
)

// chain lists places by what stands in front of them, the most recent first. A
// place is the number of tokens in front of it, at least 1; 0 is none.
type chain struct {
	head []int32 // by hash
	prev []int32 // by place: the one before with the same hash
}

// hash returns the place of a key in head, whose length is a power of two.
func (c *chain) hash(key uint64) uint64 {
	return key * 0x9E3779B97F4A7C15 >> (64 - bits.TrailingZeros(uint(len(c.head)))) // 2^64 / golden ratio
}

func (c *chain) add(key uint64, place int) {
	h := c.hash(key)
	c.prev[place] = c.head[h]
	c.head[h] = int32(place)
}

func heads(context int) int { return 1 << bits.Len(uint(max(context, 2)-1)) }

// Cells returns the length of the memory that NewIndex needs for texts of at most
// so many tokens.
func Cells(context int) int { return 2 * (heads(context) + context) }

// NewIndex returns an empty index for texts of at most context tokens in
// mem, Cells(context) long and zero.
func NewIndex(context int, mem []int32) *Index {
	take := func(n int) (part []int32) {
		part, mem = mem[:n:n], mem[n:]
		return part
	}
	n := heads(context)
	return &Index{tokens: chain{take(n), take(context)}, pairs: chain{take(n), take(context)}}
}

// Reset forgets the text.
func (x *Index) Reset() {
	clear(x.tokens.head)
	clear(x.pairs.head)
	x.done = 0
}

func one(text []int32, place int) uint64 { return uint64(uint32(text[place-1])) }
func two(text []int32, place int) uint64 { return one(text, place-1)<<32 | one(text, place) }

// Draft sets dst to the tokens that are to follow the text, and returns how many
// of its last tokens stood where they were taken from, 0 if there is no such
// place. Then dst is not changed. Of the most recent places after the last two
// tokens of the text, that with the longest match is taken, and of equal ones the
// most recent; failing that, the most recent one after the last token. What
// follows a place near the end of the text begins again there, as often as it takes.
//
// Since the last Reset, every text must begin with the one before.
func (x *Index) Draft(dst, text []int32) (matched int) {
	end := len(text)
	for ; x.done < end-1; x.done++ { // the end itself is no place where the end stood before
		place := x.done + 1
		x.tokens.add(one(text, place), place)
		if place > 1 {
			x.pairs.add(two(text, place), place)
		}
	}
	place, matched := x.find(text)
	if matched == 0 {
		return 0
	}
	for i := range dst {
		if place+i < end {
			dst[i] = text[place+i]
		} else {
			dst[i] = dst[place+i-end]
		}
	}
	return matched
}

func (x *Index) find(text []int32) (place, matched int) {
	end := len(text)
	if end > 2 {
		key := two(text, end)
		for p, tries := x.pairs.head[x.pairs.hash(key)], 0; p > 0 && tries < maxTries && matched < MaxMatch; p = x.pairs.prev[p] {
			p := int(p)
			if two(text, p) != key {
				continue // another pair of the same hash
			}
			tries++
			if n := match(text, p); n > matched {
				place, matched = p, n
			}
		}
	}
	if matched > 0 || end < 2 {
		return place, matched
	}
	key := one(text, end)
	for p := x.tokens.head[x.tokens.hash(key)]; p > 0; p = x.tokens.prev[p] {
		if one(text, int(p)) == key {
			return int(p), 1
		}
	}
	return 0, 0
}

// match returns how many tokens in front of the place are those at the end of the text.
func match(text []int32, place int) (n int) {
	end := len(text)
	for n < min(place, MaxMatch) && text[place-1-n] == text[end-1-n] {
		n++
	}
	return n
}
