package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cortexsdr/cortex/format"
)

// The files of a Hugging Face directory that describe a vocabulary.
const (
	TokenizerFile     = "tokenizer.json"
	ConfigFile        = "tokenizer_config.json"
	SpecialTokensFile = "special_tokens_map.json"
	ModelFile         = "config.json"
	GenerationFile    = "generation_config.json"
)

// HF holds the texts of these files. All but Tokenizer may be nil: not there.
type HF struct {
	Dir           string // in front of the files' names, in error messages
	Name          string // of the model: the general.name that its metadata will have
	Tokenizer     []byte
	Config        []byte
	SpecialTokens []byte
	Model         []byte
	Generation    []byte

	// Rows is how many tokens the model has embeddings for, often more than the vocabulary: the Config is filled up to it with unused
	// tokens. 0: as many as the vocabulary.
	Rows int
}

// hfVocab is a tokenizer.json, as far as it is read here. Components are read later, strictly.
type hfVocab struct {
	Added         []hfAdded       `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         struct {
		Type         string           `json:"type"`
		Vocab        json.RawMessage  `json:"vocab"`
		Merges       json.RawMessage  `json:"merges"`
		Dropout      *float64         `json:"dropout"`
		Unknown      *string          `json:"unk_token"`
		Prefix       *string          `json:"continuing_subword_prefix"`
		Suffix       *string          `json:"end_of_word_suffix"`
		FuseUnknown  bool             `json:"fuse_unk"`
		ByteFallback bool             `json:"byte_fallback"`
		IgnoreMerges bool             `json:"ignore_merges"`
		vocab        map[string]int32 // Vocab
	} `json:"model"`
}

// hfAdded is a token that was added to the vocabulary of the model.
type hfAdded struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// maxAdded bounds the length of added tokens in bytes: some checks of them take quadratic time.
const maxAdded = 1024

// hfToken is how the other files name a token: by its text, or with flags.
type hfToken struct {
	Content string
	flags   *hfAdded // nil: only the text is given
}

func (t *hfToken) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '{' {
		t.flags = new(hfAdded)
		err := json.Unmarshal(data, t.flags)
		t.Content = t.flags.Content
		return err
	}
	return json.Unmarshal(data, &t.Content)
}

// hfSpecial is what tokenizer_config.json and special_tokens_map.json say of the tokens with a role.
type hfSpecial struct {
	BOS *hfToken `json:"bos_token"`
	EOS *hfToken `json:"eos_token"`
	UNK *hfToken `json:"unk_token"`
	PAD *hfToken `json:"pad_token"`
}

// hfConfig is tokenizer_config.json.
type hfConfig struct {
	hfSpecial
	Additional     []*hfToken         `json:"additional_special_tokens"`
	Class          string             `json:"tokenizer_class"`
	AddBOS         *bool              `json:"add_bos_token"`
	AddEOS         *bool              `json:"add_eos_token"`
	AddPrefixSpace *bool              `json:"add_prefix_space"`
	Added          map[string]hfAdded `json:"added_tokens_decoder"`
}

// hfIDs is one token id or a list of them.
type hfIDs []int32

func (ids *hfIDs) UnmarshalJSON(data []byte) error {
	var list []int32
	if len(data) > 0 && data[0] == '[' {
		err := json.Unmarshal(data, &list)
		*ids = list
		return err
	}
	var id *int32
	err := json.Unmarshal(data, &id)
	if id != nil {
		*ids = hfIDs{*id}
	}
	return err
}

// hfModel is what config.json and generation_config.json say of token ids.
type hfModel struct {
	BOS hfIDs `json:"bos_token_id"`
	EOS hfIDs `json:"eos_token_id"`
	PAD hfIDs `json:"pad_token_id"`
}

// hfReader translates the files of a directory.
type hfReader struct {
	HF
	vocab      hfVocab
	config     hfConfig
	special    hfSpecial
	model      hfModel
	generation hfModel

	byteLevel bool
	bytes     int // how many of the 256 bytes there is a token for
	added     []hfAdded
	spec      pipelineSpec
	out       Config
}

// FromHF translates the description of a vocabulary in a Hugging Face directory. [New] builds a tokenizer of the result that gives the same ids
// as the library tokenizers, for valid UTF-8; what can not be so is refused with format.ErrUnsupported. Config.Pipeline is set
// only where GGUF's keys do not say everything. It always is for vocabularies of characters (SentencePiece's, as Llama 2 has): their
// list of merges is not the same as scores, by which any two tokens merge whose union is one, ties going to the leftmost.
func FromHF(files HF) (Config, error) {
	r := &hfReader{HF: files}
	for _, step := range []func() error{r.read, r.addTokens, r.components, r.tokens, r.merges, r.roles, r.template, r.finish} {
		if err := step(); err != nil {
			return Config{}, err
		}
	}
	return r.out, nil
}

func (r *hfReader) errorf(kind error, file, key, text string, args ...any) error {
	return &format.Error{File: r.Dir + file, Key: key, Detail: fmt.Sprintf(text, args...), Err: kind}
}

func (r *hfReader) malformed(key, text string, args ...any) error {
	return r.errorf(format.ErrFormat, TokenizerFile, key, text, args...)
}

func (r *hfReader) unsupported(key, text string, args ...any) error {
	return r.errorf(format.ErrUnsupported, TokenizerFile, key, text, args...)
}

// decode decodes the JSON of a file.
func (r *hfReader) decode(file string, data []byte, v any) error {
	if !utf8.Valid(data) {
		return r.errorf(format.ErrFormat, file, "", "not valid UTF-8")
	}
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	e := &format.Error{File: r.Dir + file, Detail: err.Error(), Err: format.ErrFormat}
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		e.Offset = syntax.Offset
	} else if typ := (*json.UnmarshalTypeError)(nil); errors.As(err, &typ) {
		e.Offset, e.Key = typ.Offset, typ.Field
	}
	return e
}

// read decodes the files.
func (r *hfReader) read() error {
	if r.Tokenizer == nil {
		return r.errorf(format.ErrMissing, TokenizerFile, "", "missing")
	}
	for _, f := range []struct {
		name string
		data []byte
		into any
	}{
		{TokenizerFile, r.Tokenizer, &r.vocab},
		{ConfigFile, r.Config, &r.config},
		{SpecialTokensFile, r.SpecialTokens, &r.special},
		{ModelFile, r.Model, &r.model},
		{GenerationFile, r.Generation, &r.generation},
	} {
		if f.data == nil {
			continue
		}
		if err := r.decode(f.name, f.data, f.into); err != nil {
			return err
		}
	}
	m := &r.vocab.Model
	if m.Type != "BPE" && (m.Type != "" || m.Merges == nil) {
		return r.unsupported("model.type", "a tokenizer of type %q, only BPE is read", m.Type)
	}
	if m.Dropout != nil && *m.Dropout != 0 {
		return r.unsupported("model.dropout", "merges that are left out at random")
	}
	for key, s := range map[string]*string{"model.continuing_subword_prefix": m.Prefix, "model.end_of_word_suffix": m.Suffix} {
		if s != nil && *s != "" {
			return r.unsupported(key, "%q", *s)
		}
	}
	if err := json.Unmarshal(m.Vocab, &m.vocab); err != nil {
		return r.malformed("model.vocab", "%v", err)
	}
	return nil
}

// addTokens collects the added tokens. What tokenizer_config.json says of them overrides tokenizer.json, as in the library transformers.
func (r *hfReader) addTokens() error {
	byID := map[int32]int{}
	byText := map[string]int32{}
	add := func(file, key string, a hfAdded) error {
		if a.Content == "" {
			return nil // never found in a text
		}
		if id, ok := r.vocab.Model.vocab[a.Content]; ok && id != a.ID {
			return r.errorf(format.ErrFormat, file, key, "token %d, %q, has the id %d in the vocabulary", a.ID, a.Content, id)
		}
		if id, ok := byText[a.Content]; ok && id != a.ID {
			return r.errorf(format.ErrFormat, file, key, "token %d, %q, has the id %d, too", a.ID, a.Content, id)
		}
		if a.SingleWord {
			return r.errorf(format.ErrUnsupported, file, key, "token %q is single_word", a.Content)
		}
		if len(a.Content) > maxAdded {
			return r.errorf(format.ErrUnsupported, file, key, "token %d has %d bytes, more than %d", a.ID, len(a.Content), maxAdded)
		}
		if i, ok := byID[a.ID]; ok {
			if r.added[i].Content != a.Content {
				return r.errorf(format.ErrFormat, file, key, "token %d is %q and %q", a.ID, r.added[i].Content, a.Content)
			}
			a.Special = a.Special || r.added[i].Special // once special, always special
			r.added[i] = a
			return nil
		}
		byID[a.ID], byText[a.Content] = len(r.added), a.ID
		r.added = append(r.added, a)
		return nil
	}
	for _, a := range r.vocab.Added {
		if err := add(TokenizerFile, "added_tokens", a); err != nil {
			return err
		}
	}
	const decoder = "added_tokens_decoder"
	var list []hfAdded
	for text, a := range r.config.Added {
		id, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return r.errorf(format.ErrFormat, ConfigFile, decoder, "%q is no token id", text)
		}
		a.ID = int32(id)
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b hfAdded) int { return int(a.ID) - int(b.ID) })
	for _, a := range list {
		if err := add(ConfigFile, decoder, a); err != nil {
			return err
		}
	}
	// Tokens with a role are special. If only their names are given, the flags are those they had, or none.
	for _, t := range append([]*hfToken{r.config.BOS, r.config.EOS, r.config.UNK, r.config.PAD}, r.config.Additional...) {
		if t == nil {
			continue
		}
		id, isAdded := byText[t.Content]
		if !isAdded {
			var known bool
			if id, known = r.vocab.Model.vocab[t.Content]; !known {
				continue
			}
		}
		a := hfAdded{Content: t.Content}
		switch {
		case t.flags != nil && (!isAdded || r.config.Added == nil): // the notation before added_tokens_decoder
			a = *t.flags
		case isAdded:
			a = r.added[byID[id]]
		}
		a.ID, a.Special = id, true
		if err := add(ConfigFile, "special tokens", a); err != nil {
			return err
		}
	}
	return nil
}

// component reads a normalizer, pre-tokenizer or decoder; nil if it is null.
func (r *hfReader) component(key string, raw json.RawMessage) (*component, error) {
	if raw == nil || string(raw) == "null" {
		return nil, nil
	}
	c := new(component)
	if err := strictJSON(raw, c); err != nil {
		return nil, r.unsupported(key, "%v", err)
	}
	return c, nil
}

// explain makes an error about the value of a key of an error that says what is wrong with a component.
func (r *hfReader) explain(key string, err error) error {
	if e := (*componentError)(nil); errors.As(err, &e) {
		return r.errorf(e.kind, TokenizerFile, key, "%s", e.text)
	}
	return err
}

// components reads normalizer, pre-tokenizer and decoder, checks that the tokenizer can do what they say, and settles of which kind the
// vocabulary is.
func (r *hfReader) components() (err error) {
	if r.spec.Normalizer, err = r.component("normalizer", r.vocab.Normalizer); err != nil {
		return err
	}
	if r.spec.PreTokenizer, err = r.component("pre_tokenizer", r.vocab.PreTokenizer); err != nil {
		return err
	}
	decoder, err := r.component("decoder", r.vocab.Decoder)
	if err != nil {
		return err
	}

	// Each alone first, so that the error names the right key.
	if _, _, err := (&pipelineSpec{Normalizer: r.spec.Normalizer}).build(false); err != nil {
		return r.explain("normalizer", err)
	}
	pre, err := r.spec.PreTokenizer.preTokenizers()
	if err != nil {
		return r.explain("pre_tokenizer", err)
	}
	r.byteLevel = slices.ContainsFunc(pre, func(c component) bool { return c.Type == "ByteLevel" })
	if _, _, err := r.spec.build(r.byteLevel); err != nil {
		return r.explain("pre_tokenizer", err)
	}
	if flag := r.config.AddPrefixSpace; flag != nil && r.byteLevel {
		last := pre[len(pre)-1]
		if last.AddPrefixSpace != nil && *last.AddPrefixSpace != *flag {
			return r.errorf(format.ErrUnsupported, ConfigFile, "add_prefix_space", "%v, but tokenizer.json says otherwise", *flag)
		}
	}
	decoders, err := decoder.decoders()
	if err != nil {
		return r.explain("decoder", err)
	}
	if r.byteLevel {
		r.out.Model = "gpt2"
		return r.byteLevelDecoder(decoders)
	}
	r.out.Model = "llama"
	return r.characterDecoder(decoders)
}

// byteLevelDecoder checks that the decoder of a byte-level vocabulary is the usual one.
func (r *hfReader) byteLevelDecoder(decoders []component) error {
	n := 0
	for _, d := range decoders {
		switch d.Type {
		case "ByteLevel":
			n++
		case "Fuse":
		default:
			return r.unsupported("decoder", "decoder %q of a byte-level vocabulary", d.Type)
		}
	}
	if n != 1 {
		return r.unsupported("decoder", "%d decoders ByteLevel of a byte-level vocabulary", n)
	}
	return nil
}

// characterDecoder finds out from the decoder of a vocabulary of characters whether a space is taken away at the beginning of a text.
func (r *hfReader) characterDecoder(decoders []component) error {
	spaces, strip := false, false
	for _, d := range decoders {
		switch {
		case d.Type == "Replace" && d.Pattern != nil && d.Pattern.String != nil && *d.Pattern.String == spaceMark && d.Content == " ":
			spaces = true
		case d.Type == "Metaspace" && d.Replacement == spaceMark:
			m, _, err := d.metaspace()
			if err != nil {
				return r.explain("decoder", err)
			}
			spaces, strip = true, m.scheme != "never"
		case d.Type == "ByteFallback" || d.Type == "Fuse":
		case d.Type == "Strip" && d.Content == " " && d.Start == 1 && d.Stop == 0:
			strip = true
		default:
			return r.unsupported("decoder", "decoder %q of a vocabulary of characters", d.Type)
		}
	}
	if !spaces {
		return r.unsupported("decoder", "a vocabulary that is neither byte-level nor has %s for spaces", spaceMark)
	}
	r.out.AddSpacePrefix = &strip
	return nil
}

// tokens lays out the tokens by id, with their types.
func (r *hfReader) tokens() error {
	texts := map[int32]string{}
	most := int32(-1)
	for text, id := range r.vocab.Model.vocab {
		if other, ok := texts[id]; ok {
			return r.malformed("model.vocab", "token %d is %q and %q", id, min(text, other), max(text, other))
		}
		texts[id] = text
		most = max(most, id)
	}
	for _, a := range r.added {
		if other, ok := texts[a.ID]; ok && other != a.Content {
			return r.malformed("added_tokens", "token %d is %q and, in the vocabulary, %q", a.ID, a.Content, other)
		}
		texts[a.ID] = a.Content
		most = max(most, a.ID)
	}
	if len(texts) == 0 {
		return r.malformed("model.vocab", "no tokens")
	}
	n := r.Rows
	if n == 0 {
		n = len(texts)
	}
	for id := range texts {
		if id < 0 || int(id) >= n {
			return r.malformed("model.vocab", "token %d, but there are %d", max(id, most), n)
		}
	}

	unknown := int32(None)
	if u := r.vocab.Model.Unknown; u != nil {
		id, ok := r.vocab.Model.vocab[*u]
		if !ok {
			return r.malformed("model.unk_token", "%q is not in the vocabulary", *u)
		}
		unknown = id
	}
	r.out.IDs = map[Role]int32{UNK: unknown}
	r.out.Tokens = make([]string, n)
	r.out.Types = make([]TokenType, n)
	for i := range n {
		text, ok := texts[int32(i)]
		r.out.Tokens[i], r.out.Types[i] = text, Normal
		if !ok {
			r.out.Tokens[i], r.out.Types[i] = "[PAD"+strconv.Itoa(i)+"]", Unused
			continue
		}
		if _, isByte := byteToken(text); isByte && !r.byteLevel {
			r.out.Types[i] = Byte
			r.bytes++
		}
	}
	for _, a := range r.added {
		typ := UserDefined
		if a.Special {
			typ = Control
			if a.ID == unknown && !r.byteLevel {
				typ = Unknown
			}
		}
		r.out.Types[a.ID] = typ
		if a.LStrip {
			r.spec.LStrip = append(r.spec.LStrip, a.ID)
		}
		if a.RStrip {
			r.spec.RStrip = append(r.spec.RStrip, a.ID)
		}
		if a.Normalized {
			r.spec.Normalized = append(r.spec.Normalized, a.ID)
		}
	}
	if r.spec.Normalizer == nil && len(r.spec.Normalized) == len(r.added) {
		r.spec.Normalized = nil // there is nothing that they could come before or after
	}
	if r.spec.RStrip != nil {
		for _, a := range r.added {
			if first, _ := utf8.DecodeRuneInString(a.Content); isSpace(first) {
				return r.unsupported("added_tokens", "token %q begins with white space, and %q swallows some after it", a.Content, r.out.Tokens[r.spec.RStrip[0]])
			}
		}
	}
	return r.checkUnknown()
}

// checkUnknown checks that what has no token comes out as the library has it.
func (r *hfReader) checkUnknown() error {
	m := &r.vocab.Model
	if r.byteLevel {
		for _, c := range byteRunes {
			if _, ok := m.vocab[string(c)]; ok {
				r.bytes++
			}
		}
		switch {
		case r.bytes == len(byteRunes): // everything has a token
		case m.ByteFallback:
			return r.unsupported("model.byte_fallback", "true, for a byte-level vocabulary with %d of 256 bytes", r.bytes)
		case m.FuseUnknown && m.Unknown != nil:
			return r.unsupported("model.fuse_unk", "true, for a byte-level vocabulary with %d of 256 bytes", r.bytes)
		}
		return nil
	}
	if !m.ByteFallback || r.bytes < len(byteRunes) {
		return r.unsupported("model.byte_fallback", "%v, with tokens for %d of 256 bytes: some text has no tokens", m.ByteFallback, r.bytes)
	}
	return nil
}

// merges reads the merges: each a text with a space in it, or a list of two.
func (r *hfReader) merges() error {
	const key = "model.merges"
	var pairs [][2]string
	var lines []string
	if err := json.Unmarshal(r.vocab.Model.Merges, &lines); err == nil {
		for _, line := range lines {
			if strings.HasPrefix(line, "#version") {
				continue
			}
			left, right, ok := strings.Cut(line, " ")
			if !ok || strings.Contains(right, " ") {
				return r.malformed(key, "merge %d, %q, is not two tokens with a space between", len(pairs), line)
			}
			pairs = append(pairs, [2]string{left, right})
		}
	} else {
		var list [][]string
		if err := json.Unmarshal(r.vocab.Model.Merges, &list); err != nil {
			return r.malformed(key, "%v", err)
		}
		for i, p := range list {
			if len(p) != 2 {
				return r.malformed(key, "merge %d has %d parts", i, len(p))
			}
			pairs = append(pairs, [2]string(p))
		}
	}
	last := make(map[[2]string]int, len(pairs)) // of several alike, the last counts
	for i, p := range pairs {
		last[p] = i
		for _, s := range [3]string{p[0], p[1], p[0] + p[1]} {
			if _, ok := r.vocab.Model.vocab[s]; !ok {
				return r.malformed(key, "merge %d: there is no token %q", i, s)
			}
		}
		if p[0] == "" || p[1] == "" {
			return r.malformed(key, "merge %d has an empty part", i)
		}
		if strings.Contains(p[0], " ") || strings.Contains(p[1], " ") {
			return r.unsupported(key, "merge %d, of %q and %q: a token with a space in it", i, p[0], p[1])
		}
	}
	r.out.Merges = make([]string, 0, len(pairs))
	for i, p := range pairs {
		if last[p] == i {
			r.out.Merges = append(r.out.Merges, p[0]+" "+p[1])
		}
	}
	if !r.byteLevel {
		r.out.Scores = r.scores(pairs)
	}
	return nil
}

// scores returns a score for each token that makes SentencePiece's BPE come near the merges: the rank of the first that makes it,
// negative. They are for readers that do not know Config.Pipeline.
func (r *hfReader) scores(pairs [][2]string) []float32 {
	scores := make([]float32, len(r.out.Tokens))
	for i := range scores {
		if r.out.Types[i] == Normal {
			scores[i] = -float32(len(pairs))
		}
	}
	for i, p := range slices.Backward(pairs) {
		if id := r.vocab.Model.vocab[p[0]+p[1]]; r.out.Types[id] == Normal {
			scores[id] = -float32(i)
		}
	}
	return scores
}

// roles settles the tokens with a role. The tokenizer's own files come before the model's.
func (r *hfReader) roles() error {
	ids := make(map[string]int32, len(r.out.Tokens))
	for i, s := range r.out.Tokens {
		if r.out.Types[i] != Unused {
			ids[s] = int32(i)
		}
	}
	for _, role := range []struct {
		role   Role
		tokens [2]*hfToken
		ids    [2]hfIDs
	}{
		{BOS, [2]*hfToken{r.config.BOS, r.special.BOS}, [2]hfIDs{r.model.BOS, r.generation.BOS}},
		{EOS, [2]*hfToken{r.config.EOS, r.special.EOS}, [2]hfIDs{r.model.EOS, r.generation.EOS}},
		{UNK, [2]*hfToken{r.config.UNK, r.special.UNK}, [2]hfIDs{}},
		{PAD, [2]*hfToken{r.config.PAD, r.special.PAD}, [2]hfIDs{r.model.PAD, r.generation.PAD}},
	} {
		id := None
		for _, t := range role.tokens {
			if t == nil || id != None {
				continue
			}
			if known, ok := ids[t.Content]; ok {
				id = known
			}
		}
		for i, list := range role.ids {
			for _, other := range list {
				if role.role == PAD && int(other) >= len(r.out.Tokens) {
					continue // some files have a wrong one; nothing here depends on it
				}
				if int(other) >= len(r.out.Tokens) || other < -1 {
					return r.errorf(format.ErrFormat, []string{ModelFile, GenerationFile}[i], roles[role.role].key, "there is no token %d", other)
				}
				if id == None {
					id = other
				}
			}
		}
		if _, ok := r.out.IDs[role.role]; !ok || role.role == UNK && r.out.IDs[UNK] == None && id != None && !r.byteLevel {
			r.out.IDs[role.role] = id
		}
	}
	if r.byteLevel && r.bytes == len(byteRunes) {
		delete(r.out.IDs, UNK) // nothing is unknown
	}
	if r.out.IDs[PAD] == None {
		delete(r.out.IDs, PAD)
	}

	// Other tokens that end a generation.
	known := map[string]bool{}
	for _, s := range endTexts {
		known[s] = true
	}
	for _, id := range slices.Concat(r.generation.EOS, r.model.EOS) {
		text := ""
		if id >= 0 {
			text = r.out.Tokens[id]
		}
		eot, ok := r.out.IDs[EOT]
		switch {
		case id < 0 || id == r.out.IDs[EOS] || ok && id == eot || slices.Contains(r.spec.Ends, id):
		case !ok && slices.Contains(roles[EOT].texts, text):
			r.out.IDs[EOT] = id
		case known[text]:
		default:
			r.spec.Ends = append(r.spec.Ends, id)
		}
	}
	return nil
}

// hfPost is a post-processor.
type hfPost struct {
	Type       string   `json:"type"`
	Processors []hfPost `json:"processors"`
	Single     []struct {
		SpecialToken *struct {
			ID string `json:"id"`
		}
		Sequence *struct {
			ID string `json:"id"`
		}
	} `json:"single"`
	SpecialTokens map[string]struct {
		IDs []int32 `json:"ids"`
	} `json:"special_tokens"`
}

// template finds out whether BOS and EOS are added to a text.
func (r *hfReader) template() error {
	const key = "post_processor"
	bos, eos, seen := None, None, false
	var walk func(p *hfPost, depth int) error
	walk = func(p *hfPost, depth int) error {
		switch {
		case p.Type == "ByteLevel": // only concerns where tokens were in the text
			return nil
		case p.Type == "Sequence" && depth < maxNesting:
			for i := range p.Processors {
				if err := walk(&p.Processors[i], depth+1); err != nil {
					return err
				}
			}
			return nil
		case p.Type != "TemplateProcessing":
			return r.unsupported(key, "post-processor %q", p.Type)
		case seen:
			return r.unsupported(key, "several templates")
		}
		seen = true
		text := false
		for _, piece := range p.Single {
			if piece.SpecialToken == nil {
				if text || piece.Sequence == nil || piece.Sequence.ID != "A" {
					return r.unsupported(key, "a template that is not the text once")
				}
				text = true
				continue
			}
			name := piece.SpecialToken.ID
			list := p.SpecialTokens[name].IDs
			if len(list) != 1 || list[0] < 0 || int(list[0]) >= len(r.out.Tokens) {
				return r.malformed(key, "the token %q of the template has the ids %v", name, list)
			}
			to := &bos
			if text {
				to = &eos
			}
			if *to != None {
				return r.unsupported(key, "a template with several tokens before or after the text")
			}
			*to = list[0]
		}
		if !text {
			return r.malformed(key, "a template without the text")
		}
		return nil
	}
	if raw := r.vocab.PostProcessor; raw != nil && string(raw) != "null" {
		var p hfPost
		if err := json.Unmarshal(raw, &p); err != nil {
			return r.malformed(key, "%v", err)
		}
		if err := walk(&p, 0); err != nil {
			return err
		}
	}
	// Some classes of the library transformers make their own template of these flags.
	switch strings.TrimSuffix(r.config.Class, "Fast") {
	case "LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer":
		for _, f := range []struct {
			flag *bool
			id   *int32
			role Role
		}{{r.config.AddBOS, &bos, BOS}, {r.config.AddEOS, &eos, EOS}} {
			switch {
			case f.flag == nil:
			case !*f.flag:
				*f.id = None
			case *f.id == None:
				*f.id = r.out.IDs[f.role]
			}
		}
	}
	addBOS, addEOS := bos != None, eos != None
	r.out.AddBOS, r.out.AddEOS = &addBOS, &addEOS
	for role, id := range map[Role]int32{BOS: bos, EOS: eos} {
		switch {
		case id == None:
		case r.out.IDs[role] == None:
			r.out.IDs[role] = id
		case r.out.IDs[role] != id:
			return r.unsupported(key, "the template adds token %d, but %s is %d", id, roles[role].key, r.out.IDs[role])
		}
	}
	return nil
}

// hfNames are the pre-tokenizers that GGUF has names for, by the components of tokenizer.json that they stand for. Where one name goes with
// ignore_merges and another without, both are here.
var hfNames = []struct {
	name string
	pre  []component // the last, ByteLevel, left out
}{
	{"gpt-2", []component{isolatedRegex(patternGPT2)}},
	{"llama-bpe", []component{isolatedRegex(patternWords3)}},
	{"smaug-bpe", []component{isolatedRegex(patternWords3)}},
	{"qwen2", []component{isolatedRegex(patternWords1)}},
	{"qwen35", []component{isolatedRegex(patternMarks)}},
	{"starcoder", []component{{Type: "Digits", Individual: true}, isolatedRegex(patternGPT2)}},
	{"deepseek-v3", []component{isolatedRegex(`\p{N}{1,3}`), isolatedRegex(`[一-龥぀-ゟ゠-ヿ]+`), isolatedRegex(patternDeepSeek3)}},
}

func isolatedRegex(expr string) component {
	return component{Type: "Split", Pattern: &splitPattern{Regex: &expr}, Behavior: "Isolated"}
}

// customPre is the name of a pre-tokenizer that GGUF has none for. Other readers refuse it, as they should.
const customPre = "cortex-custom"

// preName returns the name of the pre-tokenizer, and whether the name says it all.
func (r *hfReader) preName() (name string, exact bool) {
	list, _ := r.spec.PreTokenizer.preTokenizers()
	var pre []component
	for i, c := range list {
		if i < len(list)-1 {
			if c.Type == "Split" && c.known() != nil {
				c.Behavior, c.Invert = "Isolated", false
			}
			pre = append(pre, c)
			continue
		}
		if c.AddPrefixSpace != nil && *c.AddPrefixSpace {
			return customPre, false
		}
		if c.UseRegex == nil || *c.UseRegex {
			pre = append(pre, isolatedRegex(patternGPT2))
		}
	}
	for _, known := range hfNames {
		if reflect.DeepEqual(known.pre, pre) {
			p, err := findPre(&Config{Pre: known.name})
			exact = err == nil && p.ignoreMerges == r.vocab.Model.IgnoreMerges
			if name = known.name; exact {
				break
			}
		}
	}
	if name == "" {
		return customPre, false
	}
	return name, exact
}

// finish settles whether GGUF's keys say everything, and writes the pipeline if not.
func (r *hfReader) finish() error {
	r.spec.IgnoreMerges = r.vocab.Model.IgnoreMerges
	exact := false
	if r.byteLevel {
		r.out.Pre, exact = r.preName()
	}
	exact = exact && r.spec.Normalizer == nil && r.spec.LStrip == nil && r.spec.RStrip == nil && r.spec.Ends == nil &&
		r.spec.Normalized == nil && !r.overlap() && !r.namesPlainToken() && !isPhi3(r.Name)
	if exact {
		return nil
	}
	text, err := json.Marshal(&r.spec)
	r.out.Pipeline = string(text)
	return err
}

// overlap reports whether it may matter in which order added tokens are looked for in a text: whether one can begin within another.
func (r *hfReader) overlap() bool {
	prefixes := map[string]bool{}
	for _, a := range r.added {
		for i := 1; i < len(a.Content); i++ {
			prefixes[a.Content[:i]] = true
		}
	}
	for _, a := range r.added {
		for i := 1; i < len(a.Content); i++ {
			if prefixes[a.Content[i:]] {
				return true
			}
		}
	}
	return false
}

// namesPlainToken reports whether a token has a text by which llama.cpp takes it for a special one although it is none.
func (r *hfReader) namesPlainToken() bool {
	special := map[string]bool{}
	for _, s := range slices.Concat(endTexts, harmonyTexts) {
		special[s] = true
	}
	for _, role := range roles {
		for _, s := range role.texts {
			special[s] = true
		}
	}
	for i, s := range r.out.Tokens {
		if r.out.Types[i] == Normal && special[s] {
			return true
		}
	}
	return false
}
