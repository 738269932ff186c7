package tokenizer

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// class is the set of Unicode properties of a character that pre-tokenizers ask for. Characters that are not assigned,
// and control characters that are not white space, have none.
type class uint8

const (
	letter class = 1 << iota // \p{L}
	mark                     // \p{M}
	number                   // \p{N}
	punct                    // \p{P}
	symbol                   // \p{S}
	space                    // \s: the property White_Space
)

// The characters that Unicode 15.1 added to 15.0, which is the version of package unicode; the tables of llama.cpp are
// those of 15.1.
var (
	newLetters = &unicode.RangeTable{R32: []unicode.Range32{{Lo: 0x2EBF0, Hi: 0x2EE5D, Stride: 1}}}
	newSymbols = &unicode.RangeTable{R16: []unicode.Range16{{Lo: 0x2FFC, Hi: 0x2FFF, Stride: 1}, {Lo: 0x31EF, Hi: 0x31EF, Stride: 1}}}
)

// The same for a regular expression.
const (
	letterRanges = "\U0002EBF0-\U0002EE5D"
	symbolRanges = "\u2FFC-\u2FFF\u31EF"
)

var classRanges = []struct {
	class  class
	ranges []*unicode.RangeTable
}{
	{letter, []*unicode.RangeTable{unicode.L, newLetters}},
	{mark, []*unicode.RangeTable{unicode.M}},
	{number, []*unicode.RangeTable{unicode.N}},
	{punct, []*unicode.RangeTable{unicode.P}},
	{symbol, []*unicode.RangeTable{unicode.S, newSymbols}},
	{space, []*unicode.RangeTable{unicode.White_Space}},
}

var asciiClass = func() (t [utf8.RuneSelf]class) {
	for r := range rune(utf8.RuneSelf) {
		for _, c := range classRanges {
			if unicode.In(r, c.ranges...) {
				t[r] |= c.class
			}
		}
	}
	return t
}()

// classTable gives the classes of all characters: page[index[r>>8]][r&255]. Most pages are alike, so it is small.
type classTable struct {
	index [(unicode.MaxRune + 1) / 256]uint8
	pages [][256]class
}

// classes builds the table when a text first needs it: it takes a millisecond or two, which a program that meets no
// character beyond ASCII should not spend.
var classes = sync.OnceValue(func() *classTable {
	flat := make([]class, unicode.MaxRune+1)
	for _, c := range classRanges {
		for _, t := range c.ranges {
			for _, r := range t.R16 {
				for i := rune(r.Lo); i <= rune(r.Hi); i += rune(r.Stride) {
					flat[i] |= c.class
				}
			}
			for _, r := range t.R32 {
				for i := rune(r.Lo); i <= rune(r.Hi); i += rune(r.Stride) {
					flat[i] |= c.class
				}
			}
		}
	}
	t := new(classTable)
	known := map[[256]class]uint8{}
	for i := range t.index {
		page := [256]class(flat[i*256:])
		p, ok := known[page]
		if !ok {
			p = uint8(len(t.pages))
			known[page] = p
			t.pages = append(t.pages, page)
		}
		t.index[i] = p
	}
	return t
})

// classOf returns the classes of a character.
func classOf(r rune) class {
	if r < utf8.RuneSelf {
		return asciiClass[r]
	}
	t := classes()
	return t.pages[t.index[r>>8]][r&255]
}

// classAt returns the classes of the character at byte i of s and its length in bytes, which is 0 at the end of s. A byte
// that is not valid UTF-8 counts as U+FFFD, a symbol.
func classAt(s string, i int) (class, int) {
	if i < len(s) && s[i] < utf8.RuneSelf {
		return asciiClass[s[i]], 1
	}
	return wideClassAt(s, i)
}

func wideClassAt(s string, i int) (class, int) {
	if i >= len(s) {
		return 0, 0
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	return classOf(r), n
}
