package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/cortexsdr/cortex/format"
)

// pipelineSpec is what Config.Pipeline holds: the parts of a tokenizer.json that GGUF has no keys for, in the notation of that file.
type pipelineSpec struct {
	Normalizer   *component `json:"normalizer,omitempty"`
	PreTokenizer *component `json:"pre_tokenizer,omitempty"`
	IgnoreMerges bool       `json:"ignore_merges,omitempty"`
	Normalized   []int32    `json:"normalized,omitempty"` // added tokens that are looked for in normalized text
	LStrip       []int32    `json:"lstrip,omitempty"`     // that swallow the white space before them
	RStrip       []int32    `json:"rstrip,omitempty"`     // after them
	Ends         []int32    `json:"eos_token_id,omitempty"`
}

// component is a normalizer, a pre-tokenizer or a decoder of a tokenizer.json: which fields count depends on its type.
type component struct {
	Type string `json:"type"`

	// Sequence
	Normalizers   []component `json:"normalizers,omitempty"`
	PreTokenizers []component `json:"pretokenizers,omitempty"`
	Decoders      []component `json:"decoders,omitempty"`

	Pattern    *splitPattern `json:"pattern,omitempty"`           // Split, Replace
	Behavior   string        `json:"behavior,omitempty"`          // Split, Punctuation
	Invert     bool          `json:"invert,omitempty"`            // Split
	Content    string        `json:"content,omitempty"`           // Replace, the decoder Strip
	Prepend    string        `json:"prepend,omitempty"`           // Prepend
	Left       bool          `json:"strip_left,omitempty"`        // the normalizer Strip
	Right      bool          `json:"strip_right,omitempty"`       //
	Start      int           `json:"start,omitempty"`             // the decoder Strip
	Stop       int           `json:"stop,omitempty"`              //
	Delimiter  string        `json:"delimiter,omitempty"`         // CharDelimiterSplit
	Individual bool          `json:"individual_digits,omitempty"` // Digits

	AddPrefixSpace *bool  `json:"add_prefix_space,omitempty"` // ByteLevel, Metaspace
	UseRegex       *bool  `json:"use_regex,omitempty"`        // ByteLevel
	TrimOffsets    *bool  `json:"trim_offsets,omitempty"`     // ByteLevel; it changes no token
	Replacement    string `json:"replacement,omitempty"`      // Metaspace
	StrRep         string `json:"str_rep,omitempty"`          // Metaspace of old files: the same again
	PrependScheme  string `json:"prepend_scheme,omitempty"`   // Metaspace
	Split          *bool  `json:"split,omitempty"`            // Metaspace
}

// splitPattern is a text or a regular expression.
type splitPattern struct {
	String *string `json:"String,omitempty"`
	Regex  *string `json:"Regex,omitempty"`
}

// maxNesting bounds how deep components may lie in each other: real files have one or two levels.
const maxNesting = 16

// componentError says which component of a tokenizer.json is not supported, or wrong, and why.
type componentError struct {
	kind error
	text string
}

func (e *componentError) Error() string { return e.text }

func unsupported(text string, args ...any) error {
	return &componentError{format.ErrUnsupported, fmt.Sprintf(text, args...)}
}

func wrong(text string, args ...any) error {
	return &componentError{format.ErrFormat, fmt.Sprintf(text, args...)}
}

// flatten appends the components of a tree of sequences in their order.
func (c *component) flatten(dst []component, children func(*component) []component, depth int) ([]component, error) {
	switch {
	case c == nil:
		return dst, nil
	case c.Type != "Sequence":
		return append(dst, *c), nil
	case depth == maxNesting:
		return nil, unsupported("sequences nested more than %d deep", maxNesting)
	}
	var err error
	for _, child := range children(c) {
		if dst, err = child.flatten(dst, children, depth+1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func (c *component) normalizers() ([]component, error) {
	return c.flatten(nil, func(c *component) []component { return c.Normalizers }, 0)
}

func (c *component) preTokenizers() ([]component, error) {
	return c.flatten(nil, func(c *component) []component { return c.PreTokenizers }, 0)
}

func (c *component) decoders() ([]component, error) {
	return c.flatten(nil, func(c *component) []component { return c.Decoders }, 0)
}

// unicodeForms are the normal forms of Unicode. Unlike the library tokenizers, package norm puts U+034F into a run of more than thirty
// combining marks.
var unicodeForms = map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}

// normalizer returns what a normalizer, which is no sequence, does to a text.
func (c *component) normalizer() (func(string) string, error) {
	if form, ok := unicodeForms[c.Type]; ok {
		return form.String, nil
	}
	switch c.Type {
	case "Prepend":
		return func(s string) string {
			if s == "" {
				return s
			}
			return c.Prepend + s
		}, nil
	case "Replace":
		find, err := c.Pattern.finder()
		if err != nil {
			return nil, err
		}
		return func(s string) string {
			var b strings.Builder
			at := 0
			find(s, func(from, to int) {
				b.WriteString(s[at:from])
				b.WriteString(c.Content)
				at = to
			})
			b.WriteString(s[at:])
			return b.String()
		}, nil
	case "Strip":
		return func(s string) string {
			if c.Left {
				s = strings.TrimLeftFunc(s, isSpace)
			}
			if c.Right {
				s = strings.TrimRightFunc(s, isSpace)
			}
			return s
		}, nil
	}
	return nil, unsupported("normalizer %q", c.Type)
}

func isSpace(r rune) bool { return classOf(r)&space != 0 }

// finder returns what finds a pattern in a text.
func (p *splitPattern) finder() (finder, error) {
	switch {
	case p == nil || (p.String == nil) == (p.Regex == nil):
		return nil, wrong("pattern is neither a string nor a regular expression")
	case p.Regex != nil:
		re, err := translate(*p.Regex)
		if err != nil {
			return nil, err
		}
		return matches(re), nil
	case *p.String == "":
		return nil, unsupported("an empty pattern")
	}
	return func(text string, match func(from, to int)) {
		for at := 0; ; {
			i := strings.Index(text[at:], *p.String)
			if i < 0 {
				return
			}
			match(at+i, at+i+len(*p.String))
			at += i + len(*p.String)
		}
	}, nil
}

// characters finds the characters of a set, one by one.
func characters(in func(r rune) bool) finder {
	return func(text string, match func(from, to int)) {
		for i := 0; i < len(text); {
			r, n := utf8.DecodeRuneInString(text[i:])
			if in(r) {
				match(i, i+n)
			}
			i += n
		}
	}
}

// behaviors are the ways to cut a text at what is found in it.
var behaviors = map[string]bool{"Removed": true, "Isolated": true, "Contiguous": true, "MergedWithPrevious": true, "MergedWithNext": true}

// splitter is the stage that cuts a text as a behavior says. inverted: what is found and what is between change places.
func splitter(find finder, behavior string, inverted bool) (stage, error) {
	switch {
	case !behaviors[behavior]:
		return nil, unsupported("behavior %q", behavior)
	case behavior == "Isolated":
		return func(text string, emit func(string)) { isolated(find, text, emit) }, nil
	}
	type part struct {
		from, to int
		found    bool
	}
	return func(text string, emit func(string)) {
		var parts []part
		at := 0
		find(text, func(from, to int) {
			if from > at {
				parts = append(parts, part{at, from, inverted})
			}
			if to > from {
				parts = append(parts, part{from, to, !inverted})
			}
			at = to
		})
		if at < len(text) {
			parts = append(parts, part{at, len(text), inverted})
		}
		var out []part
		switch behavior {
		case "Removed":
			out = slices.DeleteFunc(parts, func(p part) bool { return p.found })
		case "Contiguous":
			for _, p := range parts {
				if n := len(out); n > 0 && out[n-1].found == p.found {
					out[n-1].to = p.to
				} else {
					out = append(out, p)
				}
			}
		case "MergedWithPrevious": // of several in a row only the first is
			for i, p := range parts {
				if n := len(out); p.found && n > 0 && !parts[i-1].found {
					out[n-1].to = p.to
				} else {
					out = append(out, p)
				}
			}
		case "MergedWithNext": // of several in a row only the last is
			for i, p := range slices.Backward(parts) {
				if n := len(out); p.found && n > 0 && !parts[i+1].found {
					out[n-1].from = p.from
				} else {
					out = append(out, p)
				}
			}
			slices.Reverse(out)
		}
		for _, p := range out {
			emit(text[p.from:p.to])
		}
	}, nil
}

// isPunct is what the pre-tokenizer Punctuation takes for it: the symbols of ASCII, too.
func isPunct(r rune) bool {
	c := classOf(r)
	return c&punct != 0 || r < utf8.RuneSelf && c&symbol != 0
}

// stages appends the stages of a pre-tokenizer, which is no sequence.
func (c *component) stages(dst []stage) ([]stage, error) {
	var find finder
	behavior, inverted := c.Behavior, false
	switch c.Type {
	case "Split":
		if s := c.known(); s != nil {
			return append(dst, s), nil
		}
		var err error
		if find, err = c.Pattern.finder(); err != nil {
			return nil, err
		}
		inverted = c.Invert
	case "Digits":
		if c.Individual {
			return append(dst, byDigit), nil
		}
		return append(dst, byNumbers), nil
	case "Punctuation":
		find = characters(isPunct)
		if behavior == "" {
			behavior = "Isolated"
		}
	case "WhitespaceSplit":
		find, behavior = characters(isSpace), "Removed"
	case "CharDelimiterSplit":
		d, n := utf8.DecodeRuneInString(c.Delimiter)
		if n == 0 || n < len(c.Delimiter) {
			return nil, wrong("delimiter %q is not one character", c.Delimiter)
		}
		find, behavior = characters(func(r rune) bool { return r == d }), "Removed"
	case "ByteLevel":
		if c.AddPrefixSpace != nil && *c.AddPrefixSpace {
			dst = append(dst, func(text string, emit func(string)) {
				if text[0] != ' ' {
					text = " " + text
				}
				emit(text)
			})
		}
		if c.UseRegex == nil || *c.UseRegex {
			dst = append(dst, byGPT2)
		}
		return dst, nil
	default:
		return nil, unsupported("pre-tokenizer %q", c.Type)
	}
	s, err := splitter(find, behavior, inverted)
	return append(dst, s), err
}

// knownPatterns have a splitter of their own, which is much faster than the general one. Those that cover every text, so that nothing is
// between matches, are in coveringPatterns.
var knownPatterns = map[string]stage{
	patternGPT2:      byGPT2,
	patternWords3:    byWords,
	patternWords1:    byWords1,
	patternMarks:     byWordsMarks,
	patternDeepSeek3: byDeepSeek3,
	`\p{N}`:          byDigit,
	`\p{N}+`:         byNumbers,
	`\p{N}{1,3}`:     by3Digits,
	`[一-龥぀-ゟ゠-ヿ]+`:   byHanKana,
}

var coveringPatterns = map[string]bool{patternGPT2: true, patternWords3: true, patternWords1: true, patternMarks: true}

// The patterns of models, as their tokenizer.json files have them.
const (
	contractionsAnyCase = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
	lineEndsAndSpaces   = `|\s*[\r\n]+|\s+(?!\S)|\s+`

	patternGPT2      = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	patternWords3    = contractionsAnyCase + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*` + lineEndsAndSpaces // Llama 3
	patternWords1    = contractionsAnyCase + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*` + lineEndsAndSpaces      // Qwen 2
	patternMarks     = contractionsAnyCase + `|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*` + lineEndsAndSpaces
	patternDeepSeek3 = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*" + lineEndsAndSpaces
)

// known returns the splitter of a Split with a known pattern, if it has one.
func (c *component) known() stage {
	if c.Pattern == nil || c.Pattern.Regex == nil {
		return nil
	}
	expr := *c.Pattern.Regex
	if c.Behavior == "Isolated" && !c.Invert || coveringPatterns[expr] && c.Behavior == "Removed" && c.Invert {
		return knownPatterns[expr]
	}
	return nil
}

// metaspace is the pre-tokenizer that writes spaces as another character, and puts one in front.
type metaspace struct {
	mark   string
	scheme string // "always", "first": at the beginning of the text only, "never"
}

// metaspace returns what a pre-tokenizer of that type does to a text before it is cut, and the stage that cuts it, if any.
func (c *component) metaspace() (*metaspace, stage, error) {
	m := &metaspace{mark: c.Replacement, scheme: c.PrependScheme}
	if utf8.RuneCountInString(m.mark) != 1 {
		return nil, nil, wrong("replacement %q is not one character", m.mark)
	}
	switch {
	case m.scheme == "" && c.AddPrefixSpace != nil && !*c.AddPrefixSpace:
		m.scheme = "never"
	case m.scheme == "":
		m.scheme = "always"
	case m.scheme != "always" && m.scheme != "first" && m.scheme != "never":
		return nil, nil, unsupported("prepend_scheme %q", m.scheme)
	case c.AddPrefixSpace != nil && !*c.AddPrefixSpace && m.scheme != "never":
		return nil, nil, wrong("add_prefix_space is false, prepend_scheme %q", m.scheme)
	}
	if c.Split != nil && !*c.Split {
		return m, nil, nil
	}
	find, err := (&splitPattern{String: &m.mark}).finder()
	if err != nil {
		return nil, nil, err
	}
	cut, err := splitter(find, "MergedWithNext", false)
	return m, cut, err
}

func (m *metaspace) apply(text string, first bool) string {
	text = strings.ReplaceAll(text, " ", m.mark)
	if (m.scheme == "always" || m.scheme == "first" && first) && !strings.HasPrefix(text, m.mark) {
		text = m.mark + text
	}
	return text
}

// pipeline is what happens to a text before BPE in the order of the library tokenizers: added tokens are cut out of the text as it
// is, the rest is normalized, the other added tokens are cut out, and the pre-tokenizers, which are the Tokenizer's stages, cut what is left.
type pipeline struct {
	normalizers []func(string) string
	metaspace   *metaspace   // nil: none
	raw, normal [2]*specials // as Tokenizer.specials: those looked for always, and all
}

func (p *pipeline) normalize(s string) string {
	for _, n := range p.normalizers {
		s = n(s)
	}
	return s
}

// parsePipeline reads a Config's pipeline.
func (c *Config) parsePipeline() (*pipelineSpec, error) {
	spec := new(pipelineSpec)
	if err := strictJSON([]byte(c.Pipeline), spec); err != nil {
		return nil, c.malformed(keyPipeline, "%v", err)
	}
	for _, ids := range [][]int32{spec.Normalized, spec.LStrip, spec.RStrip, spec.Ends} {
		for _, id := range ids {
			if id < 0 || int(id) >= len(c.Tokens) {
				return nil, c.malformed(keyPipeline, "there is no token %d", id)
			}
		}
	}
	return spec, nil
}

// strictJSON decodes one JSON value that has no fields besides those of the type.
func strictJSON(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errors.New("not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("text follows the JSON value")
	}
	return nil
}

// build makes the pipeline and the stages of its pre-tokenizers. byteLevel: the vocabulary is one, so that the last pre-tokenizer has to be
// ByteLevel; otherwise none may.
func (s *pipelineSpec) build(byteLevel bool) (*pipeline, []stage, error) {
	p := new(pipeline)
	list, err := s.Normalizer.normalizers()
	if err != nil {
		return nil, nil, err
	}
	for _, c := range list {
		n, err := c.normalizer()
		if err != nil {
			return nil, nil, err
		}
		p.normalizers = append(p.normalizers, n)
	}
	if list, err = s.PreTokenizer.preTokenizers(); err != nil {
		return nil, nil, err
	}
	var stages []stage
	last := len(list) - 1
	if byteLevel && (last < 0 || list[last].Type != "ByteLevel") {
		return nil, nil, unsupported("a byte-level vocabulary whose last pre-tokenizer is not ByteLevel")
	}
	for i, c := range list {
		switch {
		case c.Type == "Metaspace" && i == 0:
			var cut stage
			if p.metaspace, cut, err = c.metaspace(); cut != nil {
				stages = append(stages, cut)
			}
		case c.Type == "Metaspace":
			err = unsupported("a pre-tokenizer Metaspace that is not the first")
		case c.Type == "ByteLevel" && !(byteLevel && i == last):
			err = unsupported("a pre-tokenizer ByteLevel that is not the last of a byte-level vocabulary")
		default:
			stages, err = c.stages(stages)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return p, stages, nil
}

// initPipeline sets up the pipeline, once everything else but the specials is.
func (t *Tokenizer) initPipeline(c *Config, spec *pipelineSpec) {
	lstrip, rstrip, normalized := idSet(spec.LStrip), idSet(spec.RStrip), idSet(spec.Normalized)
	for _, id := range spec.Ends {
		t.ends[id] = true
	}
	for all := range 2 {
		var raw, normal []special
		for i, s := range c.Tokens {
			// Which tokens are added is up to the Config. The types may have been changed since, and say which are control tokens.
			id := int32(i)
			added := i < len(c.Types) && (c.Types[i] == Control || c.Types[i] == UserDefined || c.Types[i] == Unknown)
			if s == "" || !added || all == 0 && t.types[i] != UserDefined {
				continue
			}
			sp := special{id: id, text: s, lstrip: lstrip[id], rstrip: rstrip[id]}
			if !normalized[id] {
				raw = append(raw, sp)
			} else if sp.text = t.pipeline.normalize(s); sp.text != "" {
				normal = append(normal, sp)
			}
		}
		t.pipeline.raw[all], t.pipeline.normal[all] = newSpecials(raw), newSpecials(normal)
	}
}

// encode appends the token ids of text to *dst, apart from BOS and EOS.
func (p *pipeline) encode(dst *[]int32, text string, all int, emit func(string)) {
	for i, f := range p.raw[all].leftmost(text) {
		if f.id != None {
			*dst = append(*dst, f.id)
			continue
		}
		for j, g := range p.normal[all].leftmost(p.normalize(f.text)) {
			if g.id != None {
				*dst = append(*dst, g.id)
				continue
			}
			piece := g.text
			if p.metaspace != nil {
				piece = p.metaspace.apply(piece, i == 0 && j == 0)
			}
			emit(piece)
		}
	}
}

// leftmost takes the special tokens out of a text from left to right, at each place the longest, as the library tokenizers does.
func (s *specials) leftmost(text string) []fragment {
	var out []fragment
	done := 0 // bytes of text that are in out
	for i := 0; i < len(text); {
		best, n := int32(-1), 0
		node := uint32(0)
		for j := i; j < len(text) && (j > i || s.starts[text[i]]); j++ {
			if node = s.trie.step(node, text[j]); node == 0 {
				break
			}
			if k := s.trie.at(node); k >= 0 {
				best, n = k, j+1-i
			}
		}
		if best < 0 {
			i++
			continue
		}
		sp, start, end := &s.list[best], i, i+n
		if sp.lstrip {
			start = max(done, len(strings.TrimRightFunc(text[:start], isSpace)))
		}
		if sp.rstrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], isSpace))
		}
		if start > done {
			out = append(out, fragment{None, text[done:start]})
		}
		out = append(out, fragment{sp.id, sp.text})
		done, i = end, end
	}
	if done < len(text) {
		out = append(out, fragment{None, text[done:]})
	}
	return out
}
