package tokenizer

import (
	"math/rand/v2"
	"strings"
	"unicode"
	"unicode/utf8"
)

// textMaker makes random texts that are hard on tokenizers: mixtures of scripts, marks, digits, white space, emoji, control
// characters, contractions and the names of special tokens.
type textMaker struct {
	rnd   *rand.Rand
	names []string          // of special tokens
	only  func(r rune) bool // if not nil, characters for which it is false are left out
}

func newTextMaker(seed uint64, names ...string) *textMaker {
	return &textMaker{rnd: rand.New(rand.NewPCG(seed, 0)), names: names}
}

func (m *textMaker) pick(s ...string) string { return s[m.rnd.IntN(len(s))] }

// runes returns up to most characters between lo and hi.
func (m *textMaker) runes(lo, hi rune, most int) string {
	var b strings.Builder
	for range 1 + m.rnd.IntN(most) {
		if r := lo + rune(m.rnd.IntN(int(hi-lo)+1)); r != 0 && utf8.ValidRune(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// of returns up to most characters of a table.
func (m *textMaker) of(t *unicode.RangeTable, most int) string {
	var b strings.Builder
	for range 1 + m.rnd.IntN(most) {
		i := m.rnd.IntN(len(t.R16) + len(t.R32))
		if i < len(t.R16) {
			r := t.R16[i]
			b.WriteRune(rune(r.Lo) + rune(r.Stride)*rune(m.rnd.IntN(int(r.Hi-r.Lo)/int(r.Stride)+1)))
		} else {
			r := t.R32[i-len(t.R16)]
			b.WriteRune(rune(r.Lo) + rune(r.Stride)*rune(m.rnd.IntN(int(r.Hi-r.Lo)/int(r.Stride)+1)))
		}
	}
	return b.String()
}

var scripts = [][2]rune{
	{0xA0, 0xFF}, {0x100, 0x24F}, {0x250, 0x2FF}, {0x300, 0x36F}, {0x370, 0x3FF}, {0x400, 0x4FF}, {0x530, 0x58F}, {0x590, 0x5FF},
	{0x600, 0x6FF}, {0x900, 0x97F}, {0xE00, 0xE7F}, {0x1000, 0x109F}, {0x10A0, 0x10FF}, {0x1100, 0x11FF}, {0x13A0, 0x13FF},
	{0x1780, 0x17FF}, {0x1C90, 0x1CBF}, {0x1E00, 0x1EFF}, {0x1F00, 0x1FFF}, {0x2000, 0x206F}, {0x2100, 0x214F}, {0x2500, 0x25FF},
	{0x2C00, 0x2C7F}, {0x2FF0, 0x303F}, {0x3040, 0x30FF}, {0x3100, 0x318F}, {0x31C0, 0x31EF}, {0x4E00, 0x9FFF}, {0xA640, 0xA69F},
	{0xAC00, 0xD7A3}, {0xF900, 0xFAFF}, {0xFB00, 0xFB4F}, {0xFE00, 0xFE4F}, {0xFF00, 0xFFEF}, {0x10400, 0x104FF}, {0x1D400, 0x1D7FF},
	{0x1F300, 0x1FAFF}, {0x20000, 0x2A6DF}, {0x2EBF0, 0x2EE5D}, {0xE0020, 0xE007F},
}

var commonWords = strings.Fields("the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which you were her all she there would their we him been has when who will no more if out so said what up its about into than them can only other time new some could these two may first then do any like my now over such our man me even most made after also did many off before must well back through years where much your way down should because long each just state those people too mr how little good world make very year still see own work men day get here old life both between being under three never know same last another while us might great go come since against right came take used himself few house use")

// part returns a piece of text of one kind.
func (m *textMaker) part() string {
	switch m.rnd.IntN(24) {
	case 0, 1:
		w := m.pick(commonWords...)
		switch m.rnd.IntN(4) {
		case 0:
			w = strings.ToUpper(w)
		case 1:
			w = strings.ToUpper(w[:1]) + w[1:]
		}
		return m.pick("", " ", " ", " ") + w
	case 2:
		return m.runes('a', 'z', 12)
	case 3:
		return m.runes('0', '9', 9)
	case 4:
		return m.runes(' ', '~', 8)
	case 5:
		return strings.Repeat(m.pick(" ", " ", "\n", "\t", "\r\n", "\r", "\v", "\f"), 1+m.rnd.IntN(m.rnd.IntN(40)+1))
	case 6:
		return m.pick("'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'Ve", "'M", "'lL", "'D", "'r", "'", "'x", "''s", "'ſ")
	case 7:
		return strings.Repeat(m.pick(strings.Split("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "")...), 1+m.rnd.IntN(6))
	case 8:
		if len(m.names) > 0 {
			return m.pick(m.names...)
		}
		return "<|x|>"
	case 9:
		return m.runes(1, 31, 3)
	case 10:
		return m.pick("http://", "foo_bar(", "x += 1;", "\n    return", "</s>", "<s>", "<unk>", "<0x0A>", "1,234.56", "e.g.", "I'm", "DON'T", "snake_case", "camelCaseWord", "XMLHttp")
	case 11:
		return m.pick(" ", "  ", "\n", "\n\n", " \n", "\n ", "\t ", "  \n  ")
	case 12, 13, 14:
		s := scripts[m.rnd.IntN(len(scripts))]
		return m.runes(s[0], s[1], 8)
	case 15:
		return m.of(unicode.L, 5)
	case 16:
		return m.of(unicode.N, 5)
	case 17:
		return m.of(unicode.M, 4)
	case 18:
		return m.of(unicode.P, 4)
	case 19:
		return m.of(unicode.S, 4)
	case 20:
		return m.of(unicode.White_Space, 5)
	case 21:
		return m.pick("👩‍👩‍👧", "🏳️‍🌈", "👍🏽", "🇩🇪🇫🇷", "😀", "❤️", "1️⃣", "\u200d", "\u200b", "\ufeff", "é", "é", "ｶﾞ", "ﷺ", "Ⅻ", "½", "٣٤", "१२३", "𝟙𝟚", "µ", "K", "Å", "ß", "İ", "ı", "ǅ")
	case 22:
		return m.runes(1, unicode.MaxRune, 3) // mostly not assigned
	default:
		return m.pick("▁", "▁▁", "Ġ", "Ċ", "。", "，", "！", "　", "«", "»", "“", "”", "’s", "—", "…")
	}
}

// text returns a random text without NUL.
func (m *textMaker) text() string {
	var b strings.Builder
	for range 1 + m.rnd.IntN(12) {
		b.WriteString(m.part())
	}
	if m.only == nil {
		return b.String()
	}
	return strings.Map(func(r rune) rune {
		if m.only(r) {
			return r
		}
		return -1
	}, b.String())
}
