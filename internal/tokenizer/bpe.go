package tokenizer

import "math"

// bpe splits text into symbols: the tokens of a vocabulary, and those strings that are no token but take part in merges. It
// is not changed after newBPE. The package documentation describes the method.
type bpe struct {
	trie     *trie              // all symbols, by number
	symbols  []symbolInfo       // by number
	merges   []int32            // hash table of the symbols that merges make, by their two parts; -1 if free
	filter   []uint64           // a bit for each hash of two parts: most pairs that are asked for do not merge
	shift    uint               // 64 - log2(len(merges))
	charSize func(s string) int // length of the basic symbol, known or not, that a text begins with

	wholeFirst bool // a text that is a symbol is that symbol, whatever merging makes of it
}

// symbolInfo describes a symbol. A merged symbol remembers the last merge that makes it when its text is encoded alone: in
// any text in which it occurs it is made in that way.
type symbolInfo struct {
	left, right int32 // its parts
	rank        int32 // of that merge: the lowest is applied first
	time        int32 // the highest rank of all merges that it takes: merges are applied in the order of their times

	// With the symbol on one side of a border, leftSide or rightSide: merges across the border that rank lower than this are applied
	// before that merge, if the pair is there before it.
	before [2]int32

	shorter int32 // the longest other symbol that the text begins with and that encoding can give; -1: none
	size    int32 // of the text, in bytes
}

// Ranks and times of symbols that are not merged. Real ranks are between.
const (
	basic       = -1            // a byte of a byte-level vocabulary, a character of another
	unreachable = math.MaxInt32 // encoding never gives the symbol
)

// The sides of a border between two symbols.
const (
	leftSide  = 0
	rightSide = 1
)

// filterBits: the filter has 2^filterBits bits for each place of the hash table, at least twice that for each merge.
const filterBits = 3

// slot returns where the search for the merge of two symbols begins, and its bit of the filter.
func (b *bpe) slot(left, right int32) (slot, bit uint64) {
	h := uint64(left)*hashMul + uint64(right)*hashMul2
	return h >> b.shift, h >> (b.shift - filterBits)
}

// merged returns the rank of the merge of two symbols, or unreachable if they do not merge.
func (b *bpe) merged(left, right int32) int32 {
	i, bit := b.slot(left, right)
	if b.filter[bit/64]&(1<<(bit%64)) == 0 {
		return unreachable
	}
	for ; ; i++ {
		to := b.merges[i&uint64(len(b.merges)-1)]
		if to < 0 {
			return unreachable
		}
		if s := &b.symbols[to]; s.left == left && s.right == right {
			return s.rank
		}
	}
}

// meets reports whether encoding the texts of two symbols together comes to these two, merged or not in the end.
func (b *bpe) meets(left, right int32) bool {
	for {
		l, r := &b.symbols[left], &b.symbols[right]
		switch {
		case l.time > r.time:
			// The last merge was that of the left symbol. Before it, its right part stood at the border.
			left = l.right
			if b.merged(left, right) < l.before[leftSide] {
				return false
			}
		case r.time != basic:
			// Of merges at the same time the leftmost comes first, so the right symbol's was the last.
			right = r.left
			if b.merged(left, right) < r.before[rightSide] {
				return false
			}
		default:
			return true
		}
	}
}

// adjacent reports whether encoding the texts of two symbols together gives these two.
func (b *bpe) adjacent(left, right int32) bool {
	return b.merged(left, right) == unreachable && b.meets(left, right)
}

// longest returns the longest symbol that s begins with and that encoding can give, and the number of the one that is the
// whole of s, whether encoding gives it or not; -1 if there is none.
func (b *bpe) longest(s string) (best, whole int32) {
	best = -1
	node := uint32(0)
	for i := range len(s) {
		if node = b.trie.step(node, s[i]); node == 0 {
			return best, -1
		}
		if id := b.trie.at(node); id >= 0 && b.symbols[id].rank != unreachable {
			best = id
		}
	}
	return best, b.trie.at(node)
}

// split appends the symbols of text to dst. For a character that no symbol begins with it appends ^i, i being the index of its
// first byte in text.
func (b *bpe) split(dst []int32, text string) []int32 {
	var (
		dead bitset    // positions at which the symbols of the whole text have no border
		room [4]uint64 // for it, so that it allocates nothing for most pieces
	)
	start := len(dst)
	pos := 0
	// At every step dst[start:] are the symbols of text[:pos].
	for pos < len(text) {
		next, whole := b.longest(text[pos:])
		if pos == 0 && whole >= 0 && b.wholeFirst {
			return append(dst, whole)
		}
		if next < 0 {
			dst = append(dst, ^int32(pos))
			pos += b.charSize(text[pos:])
			start = len(dst) // nothing merges with an unknown character
			continue
		}
		for {
			s := &b.symbols[next]
			end := pos + int(s.size)
			if !dead.has(end) && (len(dst) == start || b.adjacent(dst[len(dst)-1], next)) {
				dst = append(dst, next)
				pos = end
				break
			}
			if s.shorter >= 0 {
				next = s.shorter
				continue
			}
			if dead == nil {
				if dead = room[:]; len(text) >= 64*len(room) {
					dead = make(bitset, len(text)/64+1)
				}
			}
			dead.add(pos)
			next = dst[len(dst)-1]
			dst = dst[:len(dst)-1]
			pos -= int(b.symbols[next].size)
		}
	}
	return dst
}

// bitset is a set of positions in a text; nil is an empty one.
type bitset []uint64

func (s bitset) has(i int) bool { return s != nil && s[i/64]&(1<<(i%64)) != 0 }

func (s bitset) add(i int) { s[i/64] |= 1 << (i % 64) }
