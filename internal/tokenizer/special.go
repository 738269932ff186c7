package tokenizer

import (
	"cmp"
	"slices"
	"strings"
)

// specials are the tokens that are looked for in a text before everything else.
type specials struct {
	trie    *trie
	list    []special // in the order of the trie: a longer one, and of equally long ones that with the lower id, comes later
	starts  [256]bool // bytes that one begins with
	initial string    // that byte, if there is only one
}

type special struct {
	id             int32
	text           string
	lstrip, rstrip bool
}

// fragment is a part of a text: a special token, or text if id is None.
type fragment struct {
	id   int32
	text string
}

// initSpecials collects the tokens that Encode finds always, and those that it finds if it is to parse special ones.
func (t *Tokenizer) initSpecials(c *Config) {
	lstrip, rstrip := idSet(c.LStrip), idSet(c.RStrip)
	var always, all []special
	for i, s := range t.tokens {
		id := int32(i)
		sp := special{id: id, text: s, lstrip: lstrip[id], rstrip: rstrip[id]}
		switch t.types[i] {
		case UserDefined:
			always = append(always, sp)
			all = append(all, sp)
		case Control, Unknown:
			all = append(all, sp)
		}
	}
	t.specials = [2]*specials{newSpecials(always), newSpecials(all)}
}

func idSet(ids []int32) map[int32]bool {
	m := make(map[int32]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}

func newSpecials(list []special) *specials {
	slices.SortFunc(list, func(a, b special) int {
		return cmp.Or(cmp.Compare(len(a.text), len(b.text)), cmp.Compare(b.id, a.id))
	})
	s := &specials{trie: newTrie(len(list), 0), list: list}
	var first []byte
	for i, sp := range list {
		s.trie.add(sp.text, int32(i))
		if b := sp.text[0]; !s.starts[b] {
			s.starts[b] = true
			first = append(first, b)
		}
	}
	if len(first) == 1 {
		s.initial = string(first)
	}
	return s
}

// cut takes the special tokens out of a text: everywhere the longest first, then others in what is left, as llama.cpp does.
func (s *specials) cut(text string) []fragment {
	if text == "" {
		return nil
	}
	parts := []fragment{{None, text}}
	for _, i := range s.occurring(text) {
		parts = s.list[i].cut(parts)
	}
	return parts
}

// occurring returns the indices of the special tokens whose texts are in a text, from the last to the first.
func (s *specials) occurring(text string) []int32 {
	var found []int32
	for i := 0; i < len(text); i++ {
		if s.initial != "" {
			n := strings.IndexByte(text[i:], s.initial[0])
			if n < 0 {
				break
			}
			i += n
		} else if !s.starts[text[i]] {
			continue
		}
		node := uint32(0)
		for j := i; j < len(text); j++ {
			if node = s.trie.step(node, text[j]); node == 0 {
				break
			}
			if k := s.trie.at(node); k >= 0 {
				if at, ok := slices.BinarySearch(found, k); !ok {
					found = slices.Insert(found, at, k)
				}
			}
		}
	}
	slices.Reverse(found)
	return found
}

// cut takes one special token out of all parts.
func (sp *special) cut(parts []fragment) []fragment {
	var out []fragment
	for _, p := range parts {
		if p.id != None {
			out = append(out, p)
			continue
		}
		rest := p.text
		for {
			left, right, found := strings.Cut(rest, sp.text)
			if !found {
				break
			}
			if sp.lstrip {
				left = strings.TrimRight(left, asciiSpace)
			}
			if sp.rstrip {
				right = strings.TrimLeft(right, asciiSpace)
			}
			if left != "" {
				out = append(out, fragment{None, left})
			}
			out = append(out, fragment{sp.id, sp.text})
			rest = right
		}
		if rest != "" {
			out = append(out, fragment{None, rest})
		}
	}
	return out
}

// asciiSpace is the white space that special tokens swallow.
const asciiSpace = " \t\n\v\f\r"
