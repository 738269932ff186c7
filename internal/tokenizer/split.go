package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// stage cuts a text, which is not empty, into pieces and passes them on in order. A pre-tokenizer is a sequence of stages, each of which cuts
// the pieces of the one before.
type stage func(text string, emit func(piece string))

// cutter makes a stage of a function that returns the length of the first piece of a text, at least 1.
func cutter(first func(text string) int) stage {
	return func(text string, emit func(string)) {
		for text != "" {
			n := first(text)
			emit(text[:n])
			text = text[n:]
		}
	}
}

// skip returns the end of the run of characters that have any of the classes and begins at byte i of s.
func skip(s string, i int, any class) int {
	for {
		c, n := classAt(s, i)
		if c&any == 0 {
			return i
		}
		i += n
	}
}

// skipNot is skip for characters that have none of the classes.
func skipNot(s string, i int, none class) int {
	for {
		c, n := classAt(s, i)
		if n == 0 || c&none != 0 {
			return i
		}
		i += n
	}
}

// contraction returns the length of the English contraction that s begins with: 's 't 're 've 'm 'll 'd; 0 if none.
// fold: also in capitals.
func contraction(s string, fold bool) int {
	if s[0] != '\'' || len(s) < 2 {
		return 0
	}
	lower := func(i int) byte {
		if i >= len(s) {
			return 0
		}
		if fold && s[i] >= 'A' && s[i] <= 'Z' {
			return s[i] | 0x20
		}
		return s[i]
	}
	switch a, b := lower(1), lower(2); {
	case a == 's' || a == 't' || a == 'm' || a == 'd':
		return 2
	case a == 'r' && b == 'e' || a == 'v' && b == 'e' || a == 'l' && b == 'l':
		return 3
	}
	return 0
}

// whiteSpace returns the end of what \s+(?!\S)|\s+ matches at the beginning of s: all of the white space, but
// for the last character if text follows and there are others. 0: there is none.
func whiteSpace(s string) int {
	end, last := 0, 0
	for {
		c, n := classAt(s, end)
		if c&space == 0 {
			if n > 0 && last > 0 {
				return last
			}
			return end
		}
		last = end
		end += n
	}
}

// lines returns the end of what \s*[\r\n]+ matches at the beginning of s.
func lines(s string) int {
	return strings.LastIndexAny(s[:skip(s, 0, space)], "\r\n") + 1
}

// gpt2 cuts as the pattern of GPT-2 does:
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
func gpt2(s string) int {
	if n := contraction(s, false); n > 0 {
		return n
	}
	start := 0
	if s[0] == ' ' {
		start = 1
	}
	switch c, n := classAt(s, start); {
	case n == 0 || c&space != 0:
		return whiteSpace(s)
	case c&letter != 0:
		return skip(s, start+n, letter)
	case c&number != 0:
		return skip(s, start+n, number)
	default:
		return skipNot(s, start+n, space|letter|number)
	}
}

// words cuts as a family of patterns does, of which that of Llama 3 is one:
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
type words struct {
	whole  bool  // contractions are not cut off
	inner  class // of the characters of words: letter, or letter|mark
	digits int   // the most digits in a piece; 0: no bound
	bare   bool  // line ends are not attached to the punctuation before
}

func (w words) cut(s string) int {
	if n := contraction(s, true); n > 0 && !w.whole {
		return n
	}
	c, n := classAt(s, 0)
	if c&w.inner != 0 {
		return skip(s, n, w.inner)
	}
	isNewline := s[0] == '\r' || s[0] == '\n'
	if c&number == 0 && !isNewline {
		if c, n2 := classAt(s, n); c&w.inner != 0 {
			return skip(s, n+n2, w.inner)
		}
	}
	if c&number != 0 {
		for i := 1; i != w.digits; i++ {
			c, more := classAt(s, n)
			if c&number == 0 {
				break
			}
			n += more
		}
		return n
	}
	start := 0
	if s[0] == ' ' {
		start = 1
	}
	if end := skipNot(s, start, space|w.inner|number); end > start {
		for !w.bare && end < len(s) && (s[end] == '\r' || s[end] == '\n') {
			end++
		}
		return end
	}
	if end := lines(s); end > 0 {
		return end
	}
	return whiteSpace(s)
}

// deepSeek3 cuts as the last of DeepSeek V3's patterns does:
//
//	[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
func deepSeek3(s string) int {
	c, n := classAt(s, 0)
	if s[0] < utf8.RuneSelf && c&(punct|symbol) != 0 {
		end := 1
		for end < len(s) && s[end] < utf8.RuneSelf && asciiClass[s[end]]&letter != 0 {
			end++
		}
		if end > 1 {
			return end
		}
	}
	if c&(letter|mark) != 0 {
		return skip(s, n, letter|mark)
	}
	if s[0] != '\r' && s[0] != '\n' && c&(punct|symbol) == 0 {
		if c, n2 := classAt(s, n); c&(letter|mark) != 0 {
			return skip(s, n+n2, letter|mark)
		}
	}
	start := 0
	if s[0] == ' ' {
		start = 1
	}
	if end := skip(s, start, punct|symbol); end > start {
		for end < len(s) && (s[end] == '\r' || s[end] == '\n') {
			end++
		}
		return end
	}
	if end := lines(s); end > 0 {
		return end
	}
	if end := whiteSpace(s); end > 0 {
		return end
	}
	// Digits, and characters without a class, that no alternative matches stay together.
	for end := 0; ; {
		c, n := classAt(s, end)
		next, _ := classAt(s, end+n)
		if n == 0 || c&^number != 0 || next&(letter|mark) != 0 {
			return end
		}
		end += n
	}
}

// runs cuts out the runs of characters of a set; what is between them stays together.
type runs struct {
	set  *set
	lead bool // a run may have one character of white space in front
	most int  // the most characters of a run; 0: no bound
}

func (r runs) cut(s string) int {
	for i := 0; i < len(s); {
		in, n := r.set.at(s, i)
		if !in && r.lead {
			if c, _ := classAt(s, i); c&space != 0 {
				in, _ = r.set.at(s, i+n)
			}
		}
		switch {
		case in && i > 0:
			return i
		case in:
			return r.end(s, n)
		}
		i += n
	}
	return len(s)
}

// end returns the end of a run of which the first i bytes of s are known to be.
func (r runs) end(s string, i int) int {
	for k := 1; k != r.most; k++ {
		in, n := r.set.at(s, i)
		if !in {
			break
		}
		i += n
	}
	return i
}

// set is a set of characters: those of some classes and those of some ranges.
type set struct {
	classes class
	ranges  []rune // first and last of each, in order
	ascii   [utf8.RuneSelf]bool
}

func newSet(classes class, ranges []rune) *set {
	s := &set{classes: classes, ranges: ranges}
	for r := range rune(len(s.ascii)) {
		s.ascii[r] = s.has(r)
	}
	return s
}

// ranges returns the set of the characters of some ranges, each given by its first and its last character.
func ranges(pairs string) *set { return newSet(0, []rune(pairs)) }

// has reports whether a character is in the set.
func (s *set) has(r rune) bool {
	if classOf(r)&s.classes != 0 {
		return true
	}
	i, found := slices.BinarySearch(s.ranges, r)
	return found || i%2 == 1
}

// at reports whether the character at byte i of a text is in the set, and gives its length, 0 at the end of the text.
func (s *set) at(text string, i int) (in bool, n int) {
	if i >= len(text) {
		return false, 0
	}
	if text[i] < utf8.RuneSelf {
		return s.ascii[text[i]], 1
	}
	r, n := utf8.DecodeRuneInString(text[i:])
	return s.has(r), n
}

// trailingSpace cuts off the white space at the end of a text: \s+$.
func trailingSpace(s string) int {
	end := len(s)
	for end > 0 {
		r, n := utf8.DecodeLastRuneInString(s[:end])
		if classOf(r)&space == 0 {
			return end
		}
		end -= n
	}
	return len(s)
}

// threeDigits cuts out three ASCII digits at a time; what is between stays together.
func threeDigits(s string) int {
	n := 0 // digits that end before byte i
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			n = 0
			continue
		}
		if n++; n == 3 {
			if i >= 3 {
				return i - 2
			}
			return 3
		}
	}
	return len(s)
}
