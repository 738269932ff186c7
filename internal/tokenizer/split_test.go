package tokenizer

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func cut(s stage, text string) []string {
	pieces := []string{}
	s(text, func(p string) { pieces = append(pieces, p) })
	return pieces
}

// splitters are the hand-written stages, each with the regular expression that it stands for.
var splitters = []struct {
	name  string
	stage stage
	expr  string
}{
	{"gpt2", byGPT2, `'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`},
	{"llama", byWords, endings + `|[^\r\n\p{L}\p{N}]?[\p{L}]+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`},
	{"qwen2", byWords1, endings + `|[^\r\n\p{L}\p{N}]?[\p{L}]+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`},
	{"bailingmoe", byWords1, `'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?[\p{L}]+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`},
	{"qwen35", cutter(words{inner: letter | mark, digits: 1}.cut), endings + `|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`},
	{"minicpm5", cutter(words{inner: letter}.cut), endings + `|[^\r\n\p{L}\p{N}]?[\p{L}]+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`},
	{"seed-coder", cutter(words{inner: letter, digits: 1, bare: true}.cut), endings + `|[^\r\n\p{L}\p{N}]?[\p{L}]+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+`},
	{"ufakzeka", cutter(words{inner: letter, digits: 1, whole: true}.cut), `[^\r\n\p{L}\p{N}]?[\p{L}]+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`},
	{"deepseek-v3", byDeepSeek3, `[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_` + "`" + `{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`},
	{"three digits", cutter(threeDigits), `[0-9][0-9][0-9]`},
	{"trailing space", cutter(trailingSpace), `\s+\z`},
	{"numbers", byNumbers, `\p{N}+`},
	{"digit", byDigit, `\p{N}`},
	{"3 numbers", by3Digits, `\p{N}{1,3}`},
	{"newline", byNewline, `[\r\n]`},
	{"line", byLine, `[^\n]+|[\n]+`},
	{"kana", byHanKana, `[一-龥\u3040-\u309f\u30a0-\u30ff]+`},
	{"letters", cutter(runs{set: newSet(letter, nil), lead: true}.cut), `\s?[\p{L}]+`},
	{"punctuation", cutter(runs{set: newSet(punct, []rune("$$++<>^^``||~~"))}.cut), `[\p{P}\$\+<=>\^~\|` + "`" + `]+`},
	{"deepseek punctuation", cutter(runs{set: ranges("!/:~‘‟\u3001。！／：～"), lead: true}.cut), `\s?[!-/:-~！-／：-～‘-‟、-。]+`},
}

func TestSplitters(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 500
	}
	for _, s := range splitters {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			want := pattern(s.expr)
			maker := newTextMaker(11)
			for range n {
				text := maker.text()
				if maker.rnd.IntN(8) == 0 {
					text += "\xe2\x82" + text // bytes that are no UTF-8
				}
				pieces := cut(s.stage, text)
				require.Equal(t, text, strings.Join(pieces, ""))
				require.Equal(t, cut(want, text), pieces, "%q", text)
			}
		})
	}
}

func TestLaterCharacters(t *testing.T) {
	for r, want := range map[rune]class{
		0x2EBF0: letter, 0x2EE5D: letter, 0x2EE5E: 0, 0x2FFB: symbol, 0x2FFC: symbol, 0x2FFF: symbol, 0x31EF: symbol, 0x31F0: letter,
	} {
		require.Equal(t, want, classOf(r), "%U", r)
	}
	require.Equal(t, []string{"-", "\U0002EBF0a", "-"}, cut(pattern(`[\p{L}]+`), "-\U0002EBF0a-"))
	require.Equal(t, []string{"a", "\U0002EE5D"}, cut(pattern(`[\p{Lo}]+`), "a\U0002EE5D"))
	require.Equal(t, []string{"a", "\u2FFC\u31EF", "a"}, cut(pattern(`[\p{S}]+`), "a\u2FFC\u31EFa"))
}

// TestClasses compares the table with package unicode.
func TestClasses(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		if unicode.In(r, newLetters, newSymbols) {
			continue
		}
		var want class
		for _, c := range []struct {
			class class
			is    bool
		}{{letter, unicode.IsLetter(r)}, {mark, unicode.IsMark(r)}, {number, unicode.IsNumber(r)}, {punct, unicode.IsPunct(r)},
			{symbol, unicode.IsSymbol(r)}, {space, unicode.IsSpace(r)}} {
			if c.is {
				want |= c.class
			}
		}
		if classOf(r) != want {
			t.Fatalf("%U: %b, not %b", r, classOf(r), want)
		}
		if utf8.ValidRune(r) {
			c, n := classAt("x"+string(r), 1)
			require.True(t, c == want && n == utf8.RuneLen(r))
		}
	}
	c, n := classAt("a", 1)
	require.True(t, c == 0 && n == 0)
	c, n = classAt("\xff", 0)
	require.True(t, c == symbol && n == 1)
}

// TestStagesKeepText checks that no pre-tokenizer loses a byte, of whatever text, or makes an empty piece.
func TestStagesKeepText(t *testing.T) {
	for _, pre := range preTokenizers {
		name, _, _ := strings.Cut(pre.names, " ")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				text := string(rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "bytes")) +
					rapid.StringOf(rapid.SampledFrom([]rune("aA1٣ \n\r\t　'.中あё́"))).Draw(t, "text")
				pieces := []string{text}
				for _, s := range pre.stages {
					next := []string{}
					for _, p := range pieces {
						if p != "" {
							next = append(next, cut(s, p)...)
						}
					}
					pieces = next
				}
				require.Equal(t, text, strings.Join(pieces, ""))
				require.NotContains(t, append(pieces[:0:0], pieces...), "")
			})
		})
	}
}

func TestPreTokenizerNames(t *testing.T) {
	seen := map[string]bool{}
	for _, pre := range preTokenizers {
		for name := range strings.FieldsSeq(pre.names) {
			require.False(t, seen[name], name)
			seen[name] = true
			p, err := findPre(&Config{Pre: name})
			require.NoError(t, err)
			require.Equal(t, pre.names, p.names)
		}
	}
	p, err := findPre(&Config{})
	require.NoError(t, err)
	require.Equal(t, "default", p.names)
	for _, s := range preTokenizers {
		require.NotEmpty(t, s.stages, fmt.Sprint(s.names))
	}
}
