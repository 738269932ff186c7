package tokenizer

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/cortexsdr/cortex/format"
)

// Tokenizer encodes text as token ids and decodes them. It may be used from many goroutines.
type Tokenizer struct {
	tokens []string // as in the vocabulary; only those of the Config, unlike the symbols of bpe
	types  []TokenType
	ids    [numRoles]int32
	ends   map[int32]bool // tokens that end a generation

	addBOS, addEOS, spacePrefix bool

	spaces   bool // text is written with U+2581 for spaces
	stages   []stage
	bpe      *bpe
	symbols  []string   // of bpe, from len(tokens) on: those that are no token
	byteIDs  [256]int32 // tokens for the bytes of text that has no other; None where there is none
	specials [2]*specials
	pipeline *pipeline // nil: specials and stages are all that happens to a text before BPE

	pieces    []byte // what each token stands for, one after the other
	pieceEnds []uint32
}

// New builds a tokenizer.
func New(c Config) (*Tokenizer, error) {
	if len(c.Tokens) == 0 {
		return nil, c.malformed(keyTokens, "no tokens")
	}
	if c.Scores != nil && len(c.Scores) < len(c.Tokens) {
		return nil, c.malformed(keyScores, "%d scores for %d tokens", len(c.Scores), len(c.Tokens))
	}
	if c.Types != nil && len(c.Types) < len(c.Tokens) {
		return nil, c.malformed(keyTypes, "%d types for %d tokens", len(c.Types), len(c.Tokens))
	}
	t := &Tokenizer{tokens: slices.Clone(c.Tokens), types: make([]TokenType, len(c.Tokens)), ends: map[int32]bool{}}
	for i := range t.tokens {
		if t.tokens[i] == "" {
			t.tokens[i] = "[EMPTY_" + strconv.Itoa(i) + "]"
		}
		t.types[i] = Normal
		if c.Types != nil && c.Types[i] != 0 { // some writers give no types, but zeros
			t.types[i] = c.Types[i]
		}
		if typ := t.types[i]; typ < Normal || typ > Byte {
			return nil, c.malformed(keyTypes, "token %d has type %d", i, typ)
		}
	}

	var def defaults
	var err error
	var spec *pipelineSpec
	if c.Pipeline != "" {
		if spec, err = c.parsePipeline(); err != nil {
			return nil, err
		}
		if t.pipeline, t.stages, err = spec.build(c.Model == "gpt2"); err != nil {
			var e *componentError
			errors.As(err, &e)
			return nil, c.errorf(e.kind, keyPipeline, "%s", e.text)
		}
	}
	switch c.Model {
	case "llama":
		def, err = t.initSentencePiece(&c)
	case "gpt2":
		def, err = t.initByteLevel(&c)
	default:
		err = c.errorf(format.ErrUnsupported, keyModel, "tokenizer model %q", c.Model)
	}
	if err != nil {
		return nil, err
	}
	if err := t.initRoles(&c, def); err != nil {
		return nil, err
	}
	t.initByteIDs()
	t.initPieces()
	if t.pipeline != nil {
		t.bpe.wholeFirst = spec.IgnoreMerges
		t.initPipeline(&c, spec)
	} else {
		t.initSpecials(&c)
	}
	return t, nil
}

// defaults are what holds where a Config says nothing.
type defaults struct {
	ids                         map[Role]int32
	addBOS, addEOS, spacePrefix bool
}

func or(flag *bool, def bool) bool {
	if flag != nil {
		return *flag
	}
	return def
}

// initRoles settles the tokens with a role, those that end a generation, the flags, and the token types that follow from it.
func (t *Tokenizer) initRoles(c *Config, def defaults) error {
	byText := t.findTexts()
	for r := range numRoles {
		id, ok := c.IDs[r]
		if !ok {
			id = t.defaultID(r, def, byText)
		}
		if id != None && (id < 0 || int(id) >= len(t.tokens)) {
			if r != PAD { // some files have a wrong one; nothing here depends on it
				return c.malformed(keyPrefix+roles[r].key, "there is no token %d, the vocabulary has %d", id, len(t.tokens))
			}
			id = None
		}
		t.ids[r] = id
		if roles[r].ends && id != None {
			t.ends[id] = true
		}
	}
	for _, s := range endTexts {
		if id, ok := byText[s]; ok {
			t.ends[id] = true
			t.types[id] = Control
		}
	}
	for _, s := range harmonyTexts {
		if id, ok := byText[s]; ok {
			t.types[id] = UserDefined
		}
	}

	// Where turns end with other tokens, these do not end one.
	ends := func(text string) bool {
		id, ok := byText[text]
		return ok && t.ends[id]
	}
	if calls := ends("<|call|>") || ends("<|calls|>"); calls && (ends("<|return|>") || ends("<|flush|>")) && ends("<|end|>") {
		id := byText["<|end|>"] // of a message, in the harmony format and that of Solar
		delete(t.ends, id)
		t.types[id] = UserDefined
	}
	if ends("<|tool_response>") && ends("</s>") {
		id := byText["</s>"] // a mark-up tag in the vocabulary of Gemma 4
		delete(t.ends, id)
		t.types[id] = Normal
	}

	t.addBOS, t.addEOS, t.spacePrefix = or(c.AddBOS, def.addBOS), or(c.AddEOS, def.addEOS), or(c.AddSpacePrefix, def.spacePrefix)
	if t.addBOS && t.ids[BOS] == None {
		return c.malformed(keyAddBOS, "true, but there is no %s", keyPrefix+roles[BOS].key)
	}
	if t.addEOS && t.ids[EOS] == None {
		return c.malformed(keyAddEOS, "true, but there is no %s", keyPrefix+roles[EOS].key)
	}
	return nil
}

// defaultID returns the token of a role that the Config does not give: the model's default, or one known by its text.
func (t *Tokenizer) defaultID(r Role, def defaults, byText map[string]int32) int32 {
	if id, ok := def.ids[r]; ok && int(id) < len(t.tokens) {
		return id
	}
	for _, s := range roles[r].texts {
		if id, ok := byText[s]; ok {
			t.types[id] = Control
			return id
		}
	}
	return None
}

// findTexts returns the ids of the tokens that are known by their texts.
func (t *Tokenizer) findTexts() map[string]int32 {
	known := map[string]bool{}
	for _, r := range roles {
		for _, s := range r.texts {
			known[s] = true
		}
	}
	for _, s := range slices.Concat(endTexts, harmonyTexts) {
		known[s] = true
	}
	ids := map[string]int32{}
	for i, s := range t.tokens {
		if known[s] {
			ids[s] = int32(i)
		}
	}
	return ids
}

// VocabSize returns the number of tokens.
func (t *Tokenizer) VocabSize() int { return len(t.tokens) }

// ID returns the token with a role, or None.
func (t *Tokenizer) ID(r Role) int32 { return t.ids[r] }

// AddsBOS reports whether Encode puts the BOS token first if asked to add special tokens.
func (t *Tokenizer) AddsBOS() bool { return t.addBOS }

// AddsEOS is AddsBOS for the EOS token, which comes last.
func (t *Tokenizer) AddsEOS() bool { return t.addEOS }

// IsEOG reports whether a token ends a generation: the end of the text, of a turn or of a message, or what follows a filled
// in middle.
func (t *Tokenizer) IsEOG(id int32) bool { return t.ends[id] }

// EOG returns all tokens that end a generation, in order.
func (t *Tokenizer) EOG() []int32 {
	ids := make([]int32, 0, len(t.ends))
	for id := range t.ends {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Token returns a token as the vocabulary writes it, and its type; "" and 0 if there is no such token. See Piece for the text it
// stands for.
func (t *Tokenizer) Token(id int32) (string, TokenType) {
	if id < 0 || int(id) >= len(t.tokens) {
		return "", 0
	}
	return t.tokens[id], t.types[id]
}

// EncodeOptions say how Encode treats special tokens. User-defined tokens are found in the text in any case.
type EncodeOptions struct {
	AddSpecial   bool // add the BOS token in front and the EOS token at the end, if the model is to have them
	ParseSpecial bool // read the names of control tokens, such as "<s>", as these tokens, not as text
}

// Encode appends the token ids of text to dst.
func (t *Tokenizer) Encode(dst []int32, text string, opt EncodeOptions) []int32 {
	if opt.AddSpecial && t.addBOS {
		dst = append(dst, t.ids[BOS])
	}
	all := 0
	if opt.ParseSpecial {
		all = 1
	}
	if t.pipeline != nil {
		t.pipeline.encode(&dst, text, all, t.emitter(&dst))
	} else {
		t.encode(&dst, text, all, t.emitter(&dst))
	}
	if opt.AddSpecial && t.addEOS {
		dst = append(dst, t.ids[EOS])
	}
	return dst
}

// encode appends the token ids of text to *dst, apart from BOS and EOS, as llama.cpp prepares it.
func (t *Tokenizer) encode(dst *[]int32, text string, all int, emit func(string)) {
	prefix := t.spacePrefix
	for _, f := range t.specials[all].cut(text) {
		if f.id != None {
			*dst = append(*dst, f.id)
			prefix = t.spacePrefix
			continue
		}
		if t.spaces {
			if strings.Contains(f.text, spaceMark) {
				f.text = strings.ReplaceAll(f.text, spaceMark, " ")
			}
			if prefix {
				f.text = " " + f.text
			}
		}
		emit(f.text)
		prefix = false
	}
}

// emitter returns a function that cuts text into pieces, stage by stage, and appends their tokens to *dst.
func (t *Tokenizer) emitter(dst *[]int32) func(string) {
	emit := func(piece string) { *dst = t.encodePiece(*dst, piece) }
	for _, s := range slices.Backward(t.stages) {
		next := emit
		emit = func(text string) { s(text, next) }
	}
	return emit
}

// encodePiece appends the tokens of a piece of text, in which anything may merge.
func (t *Tokenizer) encodePiece(dst []int32, piece string) []int32 {
	if len(t.symbols) == 0 && !t.spaces {
		return t.bpe.split(dst, piece) // every symbol is a token
	}
	start := len(dst)
	dst = t.bpe.split(dst, piece)
	i := slices.IndexFunc(dst[start:], func(id int32) bool { return id < 0 || int(id) >= len(t.tokens) })
	if i < 0 {
		return dst
	}
	rest := slices.Clone(dst[start+i:])
	dst = dst[:start+i]
	for _, id := range rest {
		switch {
		case id < 0:
			at := int(^id)
			dst = t.encodeBytes(dst, piece[at:at+t.bpe.charSize(piece[at:])])
		case int(id) >= len(t.tokens):
			dst = t.encodeBytes(dst, t.symbols[int(id)-len(t.tokens)])
		default:
			dst = append(dst, id)
		}
	}
	return dst
}

// encodeBytes appends the tokens of the bytes of a symbol that is no token: those that there are, or, if one is missing and there is
// an UNK token, that.
func (t *Tokenizer) encodeBytes(dst []int32, symbol string) []int32 {
	start := len(dst)
	for i := range len(symbol) {
		switch id := t.byteIDs[symbol[i]]; {
		case id != None:
			dst = append(dst, id)
		case t.ids[UNK] != None:
			return append(dst[:start], t.ids[UNK])
		}
	}
	return dst
}
