package tokenizer

import "math/bits"

// trie holds a set of byte strings, numbered from 0, and finds those that a text begins with.
//
// It is a tree of nodes with an edge for each next byte. String i ends at node i+1, so that a node tells whether a string
// ends there by its number alone. All edges are in one hash table.
type trie struct {
	strings uint32      // how many numbers strings have; nodes up to this end one
	nodes   uint32      // nodes made so far, those reserved for the ends of strings included
	root    [256]uint32 // the edges of node 0: most steps are the first of a search
	edges   []uint64    // to<<36 | from<<8 | byte; 0 if free
	used    int         // edges that are not free
	shift   uint        // 64 - log2(len(edges))
}

const (
	edgeKey = 1<<36 - 1 // the bits of an edge that say where it starts
	maxNode = 1<<28 - 1 // an edge has 28 bits for a node

	// Odd numbers without pattern: multiplying by them spreads keys over the high bits.
	hashMul  = 0x9E3779B97F4A7C15
	hashMul2 = 0xD6E8FEB86659FD93
)

// newTrie returns a trie for n strings of size bytes, that are to be added in order of length.
func newTrie(n, size int) *trie {
	t := &trie{strings: uint32(n), nodes: uint32(n)}
	t.resize(max(12, uint(bits.Len(uint(size/2))))) // about half of the bytes begin another string, too
	return t
}

func (t *trie) resize(log2 uint) {
	old := t.edges
	t.edges = make([]uint64, 1<<log2)
	t.shift = 64 - log2
	for _, e := range old {
		if e != 0 {
			t.place(e)
		}
	}
}

func (t *trie) place(edge uint64) {
	i := edge & edgeKey * hashMul >> t.shift
	for t.edges[i] != 0 {
		i = (i + 1) & uint64(len(t.edges)-1)
	}
	t.edges[i] = edge
}

// add adds string number id, which must not be empty. If the string is there already, under another number, that one stays and is
// returned. Strings must be added in order of length: a node that a string ends at is not made as an inner one before.
func (t *trie) add(s string, id int32) int32 {
	node := uint32(0)
	for i := range len(s) {
		to := t.step(node, s[i])
		if to == 0 {
			if i == len(s)-1 {
				to = uint32(id) + 1
			} else {
				t.nodes++
				to = t.nodes
			}
			t.link(node, s[i], to)
		}
		node = to
	}
	return int32(node) - 1
}

func (t *trie) link(from uint32, b byte, to uint32) {
	if from == 0 {
		t.root[b] = to
		return
	}
	if t.used >= len(t.edges)/8*5 {
		t.resize(uint(bits.Len(uint(len(t.edges)))))
	}
	t.used++
	t.place(uint64(to)<<36 | uint64(from)<<8 | uint64(b))
}

// step returns the node that follows on byte b, or 0 if there is none.
func (t *trie) step(node uint32, b byte) uint32 {
	if node == 0 {
		return t.root[b]
	}
	key := uint64(node)<<8 | uint64(b)
	for i := key * hashMul >> t.shift; ; i++ {
		e := t.edges[i&uint64(len(t.edges)-1)]
		if e&edgeKey == key {
			return uint32(e >> 36)
		}
		if e == 0 {
			return 0
		}
	}
}

// walk follows s from a node and returns where it ends, or 0 if it leaves the trie.
func (t *trie) walk(node uint32, s string) uint32 {
	for i := range len(s) {
		if node = t.step(node, s[i]); node == 0 {
			return 0
		}
	}
	return node
}

// at returns the number of the string that ends at a node, or -1 if none does.
func (t *trie) at(node uint32) int32 {
	if node > t.strings {
		return -1
	}
	return int32(node) - 1
}

// find returns the number of s, or -1 if it is not there. The empty string is never there.
func (t *trie) find(s string) int32 { return t.at(t.walk(0, s)) }
