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
	expr = strings.NewReplacer(`\p{L}`, `\p{L}`+letterRanges, `\p{Lo}`, `\p{Lo}`+letterRanges, `\p{S}`, `\p{S}`+symbolRanges).Replace(expr)
	// Compiled when a text first needs it. No limit for the stack, as it depends on the length of the text.
	compiled := sync.OnceValue(func() *regexp2.Regexp {
		return regexp2.MustCompile(expr, regexp2.OptionMaxBacktrackingStackSize(-1))
	})
	return func(text string, emit func(string)) {
		runes := []rune(text)
		at, pos := 0, 0 // the same place in runes and in text
		advance := func(to int) (piece string) {
			start := pos
			for ; at < to; at++ {
				_, n := utf8.DecodeRuneInString(text[pos:]) // a byte that is not valid is one rune, too
				pos += n
			}
			return text[start:pos]
		}
		err := compiled().FindRunesMatches(runes, 0, func(m regexp2.MatchView) bool {
			from, n, _ := m.GroupRange(0)
			if from > at {
				emit(advance(from))
			}
			if n > 0 {
				emit(advance(from + n))
			}
			return true
		})
		if err != nil || at < len(runes) { // an error is a time limit or a stack limit, and there are none
			emit(advance(len(runes)))
		}
	}
}
