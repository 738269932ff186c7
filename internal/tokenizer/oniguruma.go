package tokenizer

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// translate compiles a regular expression of a tokenizer.json. These are Oniguruma's, in the syntax of Ruby, which agrees with that of
// .NET in most of what pre-tokenizers use but not in everything. Only what is known to mean the same in both passes; it is
// written as pattern wants it. Everything else is refused: it would cut some texts differently without anybody noticing. (One difference
// is left: where case does not matter, Oniguruma also takes U+017F for an s.)
func translate(expr string) (*regexp2.Regexp, error) {
	t := translator{in: expr}
	if err := t.run(); err != nil {
		return nil, unsupported("regular expression %s: %v", strconv.Quote(expr), err)
	}
	re, err := compile(t.out.String())
	if err != nil {
		return nil, unsupported("regular expression %s: %v", strconv.Quote(expr), err)
	}
	return re, nil
}

type translator struct {
	in  string
	pos int
	out strings.Builder
}

// rest is what is still to be read.
func (t *translator) rest() string { return t.in[t.pos:] }

// copy passes on n bytes.
func (t *translator) copy(n int) {
	t.out.WriteString(t.in[t.pos : t.pos+n])
	t.pos += n
}

// groups are the beginnings of groups that mean the same in both syntaxes.
var groups = []string{"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:"}

func (t *translator) run() error {
	for t.pos < len(t.in) {
		switch c := t.in[t.pos]; c {
		case '\\':
			if _, err := t.escape(false); err != nil {
				return err
			}
		case '[':
			if err := t.class(); err != nil {
				return err
			}
		case '(':
			if !strings.HasPrefix(t.rest(), "(?") {
				t.copy(1)
				continue
			}
			known := ""
			for _, g := range groups {
				if strings.HasPrefix(t.rest(), g) {
					known = g
				}
			}
			if known == "" {
				return fmt.Errorf("the group at byte %d", t.pos)
			}
			t.copy(len(known))
		case '$': // the end of any line
			t.out.WriteString(`(?=\n|\z)`)
			t.pos++
		case '^':
			return fmt.Errorf("^ at byte %d", t.pos)
		case '{', '+', '*', '?':
			if err := t.quantifier(); err != nil {
				return err
			}
		default:
			_, n := utf8.DecodeRuneInString(t.rest())
			t.copy(n)
		}
	}
	return nil
}

// quantifier reads one with the ? that may follow. What follows a repetition in braces, and a + after any, differ.
func (t *translator) quantifier() error {
	at, n := t.pos, 1
	braces := t.in[t.pos] == '{'
	if braces {
		end := strings.IndexByte(t.rest(), '}')
		if end < 0 {
			return fmt.Errorf("{ at byte %d", at)
		}
		low, high, _ := strings.Cut(t.rest()[1:end], ",")
		_, err := strconv.ParseUint(low, 10, 15)
		if err == nil && high != "" {
			_, err = strconv.ParseUint(high, 10, 15)
		}
		if err != nil {
			return fmt.Errorf("the repetition at byte %d", at)
		}
		n = end + 1
	}
	t.copy(n)
	if rest := t.rest(); rest != "" && (rest[0] == '+' || rest[0] == '*' || rest[0] == '{' || rest[0] == '?' && braces) {
		return fmt.Errorf("the possessive or repeated quantifier at byte %d", at)
	}
	if strings.HasPrefix(t.rest(), "?") {
		t.copy(1)
		if rest := t.rest(); rest != "" && strings.ContainsRune("+*?{", rune(rest[0])) {
			return fmt.Errorf("the repeated quantifier at byte %d", at)
		}
	}
	return nil
}

// properties are the classes of characters by Unicode that may be named.
var properties = func() map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq("L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp " +
		"Han Hiragana Katakana Hangul") {
		m[name] = true
	}
	return m
}()

// escape reads what a backslash begins. It reports whether that is a class of characters.
func (t *translator) escape(inClass bool) (isClass bool, err error) {
	at := t.pos
	bad := func() (bool, error) { return false, fmt.Errorf("the escape at byte %d", at) }
	if t.pos+1 == len(t.in) {
		return bad()
	}
	switch c := t.in[t.pos+1]; {
	case strings.IndexByte("sSdD", c) >= 0:
		t.copy(2)
		return true, nil
	case strings.IndexByte("rntfv", c) >= 0:
		t.copy(2)
		return false, nil
	case c == 'p' || c == 'P':
		end := strings.IndexByte(t.rest(), '}')
		if end < 0 || t.in[t.pos+2] != '{' || !properties[t.rest()[3:end]] || c == 'P' && inClass {
			return bad()
		}
		property := `\p` + t.rest()[2:end+1]
		switch {
		case inClass:
			t.out.WriteString(property)
		case c == 'P':
			t.out.WriteString("[^" + property + "]")
		default:
			t.out.WriteString("[" + property + "]")
		}
		t.pos += end + 1
		return true, nil
	case c == 'u' || c == 'x':
		hex, n := "", 0
		switch rest := t.rest()[2:]; {
		case c == 'u' && len(rest) >= 4:
			hex, n = rest[:4], 6
		case c == 'x' && strings.HasPrefix(rest, "{"):
			if end := strings.IndexByte(rest, '}'); end > 0 {
				hex, n = rest[1:end], 2+end+1
			}
		case c == 'x' && len(rest) >= 2 && rest[0] < '8': // from 0x80 on it is a byte, not a character
			hex, n = rest[:2], 4
		}
		r, err := strconv.ParseUint(hex, 16, 21)
		if err != nil || !utf8.ValidRune(rune(r)) {
			return bad()
		}
		t.writeRune(rune(r))
		t.pos += n
		return false, nil
	case c > ' ' && c < utf8.RuneSelf && asciiClass[c]&(letter|number) == 0 && c != 0x7F:
		t.copy(2)
		return false, nil
	}
	return bad()
}

// writeRune writes a character so that it stands for itself.
func (t *translator) writeRune(r rune) {
	if r < utf8.RuneSelf {
		fmt.Fprintf(&t.out, `\u%04X`, r)
	} else {
		t.out.WriteRune(r)
	}
}

// class reads a class in brackets.
func (t *translator) class() error {
	at := t.pos
	bad := func() error { return fmt.Errorf("the class at byte %d", at) }
	t.copy(1)
	if strings.HasPrefix(t.rest(), "^") {
		t.copy(1)
	}
	const (
		nothing  = iota // at the beginning, or after a range
		char            // a character, with which a range may begin
		set             // a class of characters
		openTo          // a - that makes a range with what comes next
		dashLast        // a - that stands for itself
	)
	state := nothing
	for first := true; ; first = false {
		rest := t.rest()
		switch {
		case rest == "" || first && rest[0] == ']' || rest[0] == '[' || strings.HasPrefix(rest, "&&"):
			return bad()
		case rest[0] == ']':
			t.copy(1)
			return nil
		case rest[0] == '-' && state != openTo:
			switch {
			case first || strings.HasPrefix(rest, "-]"):
				state = dashLast
			case state == char:
				state = openTo
			default: // syntaxes disagree
				return bad()
			}
			t.copy(1)
			continue
		}
		isClass := false
		if rest[0] == '\\' {
			var err error
			if isClass, err = t.escape(true); err != nil {
				return err
			}
		} else {
			_, n := utf8.DecodeRuneInString(rest)
			t.copy(n)
		}
		switch {
		case isClass && state == openTo:
			return bad()
		case isClass:
			state = set
		case state == openTo:
			state = nothing
		default:
			state = char
		}
	}
}
