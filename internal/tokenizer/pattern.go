package tokenizer

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// pattern is a stage that cuts a text at the matches of a regular expression, in the syntax of .NET; what is between matches
// stays together. It serves for pre-tokenizers that have no splitter of their own: it is slower by far. \p{L}, \p{Lo} and \p{S}
// must be in brackets, where the characters are added that package unicode does not know.
func pattern(expr string) stage {
	// Compiled when a text first needs it.
	compiled := sync.OnceValue(func() *regexp2.Regexp {
		re, err := compile(expr)
		if err != nil {
			panic(err)
		}
		return re
	})
	return func(text string, emit func(string)) { isolated(matches(compiled()), text, emit) }
}

// compile compiles a regular expression as pattern takes it. No limit for the stack, as it depends on the length of the text.
func compile(expr string) (*regexp2.Regexp, error) {
	expr = strings.NewReplacer(`\p{L}`, `\p{L}`+letterRanges, `\p{Lo}`, `\p{Lo}`+letterRanges, `\p{S}`, `\p{S}`+symbolRanges).Replace(expr)
	return regexp2.Compile(expr, regexp2.OptionMaxBacktrackingStackSize(-1))
}

// finder calls match for each of the places that it finds in a text, in order. They do not overlap and may be empty.
type finder func(text string, match func(from, to int))

// matches finds the matches of a regular expression.
func matches(re *regexp2.Regexp) finder {
	return func(text string, match func(from, to int)) {
		at, pos := 0, 0 // the same place in runes and in text
		advance := func(to int) int {
			for ; at < to; at++ {
				_, n := utf8.DecodeRuneInString(text[pos:]) // a byte that is not valid is one rune, too
				pos += n
			}
			return pos
		}
		// An error is a time limit or a stack limit, and there are none.
		_ = re.FindRunesMatches([]rune(text), 0, func(m regexp2.MatchView) bool {
			from, n, _ := m.GroupRange(0)
			start := advance(from)
			match(start, advance(from+n))
			return true
		})
	}
}

// isolated cuts a text at both ends of what is found.
func isolated(find finder, text string, emit func(string)) {
	at := 0
	find(text, func(from, to int) {
		if from > at {
			emit(text[at:from])
		}
		if to > from {
			emit(text[from:to])
		}
		at = to
	})
	if at < len(text) {
		emit(text[at:])
	}
}
