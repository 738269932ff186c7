package tokenizer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/format"
)

// readHF reads the files of a Hugging Face directory.
func readHF(t testing.TB, dir string) HF {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if !os.IsNotExist(err) {
			require.NoError(t, err)
		}
		return data
	}
	return HF{Dir: dir + "/", Tokenizer: read(TokenizerFile), Config: read(ConfigFile), SpecialTokens: read(SpecialTokensFile),
		Model: read(ModelFile), Generation: read(GenerationFile)}
}

// TestHFTales compares the Hugging Face files of a real model with its GGUF file.
func TestHFTales(t *testing.T) {
	dir := shared(t, "models", "tales")
	c, err := FromHF(readHF(t, dir))
	require.NoError(t, err)
	require.Empty(t, c.Pipeline, "GGUF's keys say everything")

	data, err := os.ReadFile(filepath.Join(dir, "tales-f16.gguf"))
	require.NoError(t, err)
	f := parse(t, data)
	want, err := readConfig(f)
	require.NoError(t, err)
	require.Equal(t, want, c)

	wantTok, err := FromGGUF(f)
	require.NoError(t, err)
	tok, err := FromGGUF(parse(t, writeGGUF(t, c.Metadata())))
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "eval", "the-wind-in-the-willows.txt"))
	require.NoError(t, err)
	ids := tok.Encode(nil, string(text), everything)
	require.Len(t, ids, 90931+1)
	require.Equal(t, wantTok.Encode(nil, string(text), everything), ids)
	require.Equal(t, string(text), tok.Decode(ids, DecodeOptions{}))
	require.Equal(t, wantTok.EOG(), tok.EOG())
}

// smallHF returns a tokenizer.json of the given kind in parts, to be changed by tests: a byte-level vocabulary, or one of characters.
func smallHF(byteLevel bool) object {
	vocab := map[string]int32{}
	add := func(s string) int32 {
		if _, ok := vocab[s]; !ok {
			vocab[s] = int32(len(vocab))
		}
		return vocab[s]
	}
	special := func(s string) object {
		return object{"id": add(s), "content": s, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
	}
	model := object{"type": "BPE", "fuse_unk": false, "byte_fallback": !byteLevel, "ignore_merges": false}
	file := object{"version": "1.0", "model": model}
	added := []object{special("<unk>"), special("<s>"), special("</s>")}
	var merges []string
	if byteLevel {
		for _, r := range byteRunes {
			add(string(r))
		}
		merges = []string{"t h", "th e", "Ġ the", "a b"}
		file["pre_tokenizer"] = object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
		file["decoder"] = object{"type": "ByteLevel"}
	} else {
		for b := range 256 {
			add(fmt.Sprintf("<0x%02X>", b))
		}
		for _, s := range strings.Split("▁theab", "") {
			add(s)
		}
		merges = []string{"t h", "th e", "▁ the", "a b"}
		model["unk_token"] = "<unk>"
		file["normalizer"], file["decoder"] = spmNormalizer, spmDecoder
	}
	for _, m := range merges {
		add(strings.ReplaceAll(m, " ", ""))
	}
	tag := special("<tag>")
	tag["special"] = false
	file["added_tokens"] = append(added, tag)
	model["vocab"], model["merges"] = vocab, merges
	return file
}

// change sets a field in a tree of objects and lists, given by its path: "model.merges.0".
func change(t testing.TB, tree any, path string, value any) any {
	data, err := json.Marshal(tree)
	require.NoError(t, err)
	var root any
	require.NoError(t, json.Unmarshal(data, &root))
	at := root
	keys := strings.Split(path, ".")
	for i, key := range keys {
		last := i == len(keys)-1
		switch node := at.(type) {
		case map[string]any:
			if last {
				node[key] = value
			}
			at = node[key]
		case []any:
			n, err := strconv.Atoi(key)
			require.NoError(t, err)
			if last {
				node[n] = value
			}
			at = node[n]
		default:
			t.Fatal(path)
		}
	}
	return root
}

func marshal(t testing.TB, v any) []byte {
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return data
}

// newHF translates files and builds the tokenizer, from the metadata of a GGUF file, which must not lose anything.
func newHF(t testing.TB, files HF) (*Tokenizer, Config) {
	c, err := FromHF(files)
	require.NoError(t, err)
	f := parse(t, writeGGUF(t, c.Metadata()))
	again, err := readConfig(f)
	require.NoError(t, err)
	require.Equal(t, c, again)
	tok, err := FromGGUF(f)
	require.NoError(t, err)
	return tok, c
}

func TestHFSmall(t *testing.T) {
	bl, spm := smallHF(true), smallHF(false)
	// A way to write changes: path, value, path, value …
	with := func(tree any, changes ...any) any {
		for i := 0; i < len(changes); i += 2 {
			tree = change(t, tree, changes[i].(string), changes[i+1])
		}
		return tree
	}
	for _, c := range []struct {
		file     any
		text     string
		want     string // tokens, separated by spaces
		pipeline bool
	}{
		{bl, "the the<s>ab<tag>", "the Ġthe <s> ab <tag>", false},
		{with(bl, "model.merges", [][]string{{"a", "b"}}), "the ab", "t h e Ġ ab", false},
		{with(bl, "model.merges", []string{"#version: 0.2", "a b"}), "ab", "ab", false},
		{with(bl, "model.merges", []string{"t h", "th e", "h e", "t h"}, "model.vocab.he", 264), "the", "t he", false}, // the last of two alike counts
		{with(bl, "normalizer", object{"type": "NFC"}), "e\u0301", "Ã ©", true},
		{with(bl, "pre_tokenizer.add_prefix_space", true), "the the", "Ġthe Ġthe", true},
		{with(bl, "pre_tokenizer", sequence("pretokenizers", object{"type": "Split", "pattern": object{"String": "t"}, "behavior": "MergedWithPrevious", "invert": false},
			byteLevelPre(false))), "athe", "a t h e", true},
		{with(bl, "model.ignore_merges", true, "model.merges", []string{"t h"}), "the the", "the Ġthe", true},
		{with(bl, "added_tokens.3.lstrip", true), "ab  <tag> ab", "ab <tag> Ġ ab", true},
		{with(bl, "added_tokens.3.rstrip", true), "ab<tag> \u3000ab", "ab <tag> ab", true},
		{with(bl, "added_tokens.3.normalized", true, "added_tokens.3.content", "x<s>y", "model.vocab", with(bl["model"].(object)["vocab"], "x<s>y", 264), "added_tokens.3.id", 264), "x<s>y", "x <s> y", true},
		{with(bl, "added_tokens.3.content", "<s><", "model.vocab", with(bl["model"].(object)["vocab"], "<s><", 264), "added_tokens.3.id", 264), "<s><s>", "<s>< s >", true},

		{spm, "the the", "▁the ▁the", true},
		{spm, "", "", true},
		{spm, " the▁the", "▁ ▁the ▁the", true},
		{spm, "ab<s>ab<tag> the", "▁ ab <s> ▁ ab <tag> ▁ ▁the", true},
		{spm, "é", "▁ <0xC3> <0xA9>", true},
		{spm, "<0x41>", "▁ <0x3C> <0x30> <0x78> <0x34> <0x31> <0x3E>", true},
		{with(spm, "normalizer", object{"type": "Replace", "pattern": object{"String": " "}, "content": "▁"}), "the the", "the ▁the", true},
		{with(spm, "normalizer", nil, "pre_tokenizer", object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false}),
			"ab<s>ab", "▁ ab <s> ab", true},
		{with(spm, "normalizer", nil, "pre_tokenizer", object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}),
			" the<s>ab", "▁the <s> ▁ ab", true},
		// A token whose parts are tokens but no merge is never made.
		{with(spm, "model.merges", []string{"t h", "th e"}), "the", "▁ the", true},
		{with(spm, "model.merges", []string{"t h", "th e"}, "model.ignore_merges", true), "the", "▁the", true},
		{with(spm, "added_tokens.3.normalized", true), "<tag>ab <tag>", "<tag> ab <tag>", true}, // with the space that the normalizer puts in front
		{with(spm, "added_tokens.3.normalized", true), "ab<tag>", "▁ ab <0x3C> t a <0x67> <0x3E>", true},
	} {
		tok, config := newHF(t, HF{Tokenizer: marshal(t, c.file)})
		require.Equal(t, c.want, strings.Join(tok.texts(tok.Encode(nil, c.text, EncodeOptions{ParseSpecial: true})), " "), "%q %s", c.text, config.Pipeline)
		require.Equal(t, c.pipeline, config.Pipeline != "", "%q %s", c.text, config.Pipeline)
	}

	// A model whose name alone changes how its GGUF file is read.
	_, c := newHF(t, HF{Tokenizer: marshal(t, bl), Name: "My-Phi3"})
	require.NotEmpty(t, c.Pipeline)

	// Special tokens only when asked for, others always.
	for _, file := range []object{bl, spm} {
		tok, _ := newHF(t, HF{Tokenizer: marshal(t, file)})
		require.NotContains(t, tok.texts(tok.Encode(nil, "ab<s>", EncodeOptions{})), "<s>")
		require.Contains(t, tok.texts(tok.Encode(nil, "ab<tag>", EncodeOptions{})), "<tag>")
	}

	// What is taken away at the beginning of a text is up to the decoder.
	tok, _ := newHF(t, HF{Tokenizer: marshal(t, spm)})
	ids := tok.Encode(nil, "the ab", EncodeOptions{})
	require.Equal(t, "the ab", tok.Decode(ids, DecodeOptions{}))
	tok, _ = newHF(t, HF{Tokenizer: marshal(t, with(spm, "decoder.decoders", spmDecoder["decoders"].([]object)[:3]))})
	require.Equal(t, " the ab", tok.Decode(ids, DecodeOptions{}))
	tok, _ = newHF(t, HF{Tokenizer: marshal(t, with(spm, "decoder", object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}))})
	require.Equal(t, "the ab", tok.Decode(ids, DecodeOptions{}))
}

// TestHFRoles: tokens with a role, whether they are added to a text, and what ends a generation.
func TestHFRoles(t *testing.T) {
	bl, spm := smallHF(true), smallHF(false)
	const unk, bos, eos = 0, 1, 2
	id := func(file object, s string) int32 { return file["model"].(object)["vocab"].(map[string]int32)[s] }
	template := func(before, after string) object {
		var single []object
		tokens := object{}
		for _, s := range []string{before, "", after} {
			switch {
			case s != "":
				single = append(single, object{"SpecialToken": object{"id": s, "type_id": 0}})
				tokens[s] = object{"id": s, "ids": []int32{id(bl, s)}, "tokens": []string{s}}
			case len(single) == 0 || single[len(single)-1]["Sequence"] == nil && after != "":
				single = append(single, object{"Sequence": object{"id": "A", "type_id": 0}})
			}
		}
		if before != "" && after == "" {
			single = append(single, object{"Sequence": object{"id": "A", "type_id": 0}})
		}
		return object{"type": "TemplateProcessing", "single": single, "special_tokens": tokens}
	}
	for i, c := range []struct {
		post                      any
		config, special, model, g string
		bos, eos                  int32
		addBOS, addEOS            bool
		ends                      []int32
	}{
		{config: `{"bos_token":"<s>","eos_token":{"content":"</s>"}}`, bos: bos, eos: eos, ends: []int32{eos}},
		{special: `{"bos_token":"<s>","eos_token":"</s>"}`, bos: bos, eos: eos, ends: []int32{eos}},
		{config: `{"bos_token":null,"eos_token":"none"}`, special: `{"eos_token":"</s>"}`, model: `{"bos_token_id":5}`, bos: 5, eos: eos, ends: []int32{eos}},
		{model: `{"bos_token_id":1,"eos_token_id":[7,8]}`, g: `{"eos_token_id":[9,8]}`, bos: bos, eos: 7, ends: []int32{eos, 7, 8, 9}},
		{model: `{"eos_token_id":null,"pad_token_id":-1}`, bos: None, eos: None, ends: []int32{eos}},
		{post: template("<s>", ""), bos: bos, eos: None, addBOS: true, ends: []int32{eos}},
		{post: template("<s>", "</s>"), bos: bos, eos: eos, addBOS: true, addEOS: true, ends: []int32{eos}},
		{post: template("", "</s>"), config: `{"eos_token":"</s>"}`, bos: None, eos: eos, addEOS: true, ends: []int32{eos}},
		{post: sequence("processors", object{"type": "ByteLevel", "trim_offsets": false}, template("<s>", "")), bos: bos, eos: None, addBOS: true, ends: []int32{eos}},
		{post: template("<s>", ""), config: `{"bos_token":"<s>","tokenizer_class":"LlamaTokenizerFast","add_bos_token":false}`, bos: bos, eos: None, ends: []int32{eos}},
		{config: `{"bos_token":"<s>","eos_token":"</s>","tokenizer_class":"GemmaTokenizer","add_bos_token":true,"add_eos_token":true}`, bos: bos, eos: eos,
			addBOS: true, addEOS: true, ends: []int32{eos}},
		{config: `{"bos_token":"<s>","tokenizer_class":"PreTrainedTokenizerFast","add_bos_token":true}`, bos: bos, eos: None, ends: []int32{eos}},
	} {
		file := bl
		if i%2 == 1 && c.post == nil {
			file = spm
		}
		files := HF{Tokenizer: marshal(t, change(t, file, "post_processor", c.post))}
		for text, to := range map[string]*[]byte{c.config: &files.Config, c.special: &files.SpecialTokens, c.model: &files.Model, c.g: &files.Generation} {
			if text != "" {
				*to = []byte(text)
			}
		}
		tok, _ := newHF(t, files)
		require.Equal(t, []int32{c.bos, c.eos}, []int32{tok.ID(BOS), tok.ID(EOS)}, "case %d", i)
		require.Equal(t, []bool{c.addBOS, c.addEOS}, []bool{tok.AddsBOS(), tok.AddsEOS()}, "case %d", i)
		require.Equal(t, c.ends, tok.EOG(), "case %d", i)
	}

	// Flags in tokenizer_config.json override those of tokenizer.json; what has a role is special.
	tok, c := newHF(t, HF{Tokenizer: marshal(t, bl), Config: []byte(`{"added_tokens_decoder":{"` + fmt.Sprint(id(bl, "<tag>")) + `":{"content":"<tag>","lstrip":true,"special":false}}}`)})
	require.Equal(t, []string{"ab", "<tag>"}, tok.texts(tok.Encode(nil, "ab <tag>", EncodeOptions{})))
	require.NotEmpty(t, c.Pipeline)
	_, c = newHF(t, HF{Tokenizer: marshal(t, bl), Config: []byte(`{"additional_special_tokens":["<tag>","ab"]}`)})
	require.Equal(t, []TokenType{Control, Control}, []TokenType{c.Types[id(bl, "<tag>")], c.Types[id(bl, "ab")]})
	require.Equal(t, Unknown, func() TokenType { _, c := newHF(t, HF{Tokenizer: marshal(t, spm)}); return c.Types[unk] }())

	// A model may have more embeddings than there are tokens.
	n := len(bl["model"].(object)["vocab"].(map[string]int32))
	_, c = newHF(t, HF{Tokenizer: marshal(t, bl), Rows: n + 2})
	require.Equal(t, []string{fmt.Sprintf("[PAD%d]", n), fmt.Sprintf("[PAD%d]", n+1)}, c.Tokens[n:])
	require.Equal(t, []TokenType{Unused, Unused}, c.Types[n:])
}

// TestHFErrors: what can not be represented, or is wrong, is an error that names the file and the key.
func TestHFErrors(t *testing.T) {
	for _, c := range []struct {
		byteLevel bool
		path      string
		value     any
		kind      error
		key, text string
	}{
		{true, "model.type", "Unigram", format.ErrUnsupported, "model.type", "Unigram"},
		{true, "model.dropout", 0.1, format.ErrUnsupported, "model.dropout", "random"},
		{true, "model.continuing_subword_prefix", "##", format.ErrUnsupported, "model.continuing_subword_prefix", "##"},
		{true, "model.end_of_word_suffix", "</w>", format.ErrUnsupported, "model.end_of_word_suffix", "</w>"},
		{true, "model.vocab", []string{"a"}, format.ErrFormat, "model.vocab", "array"},
		{true, "model.vocab", object{}, format.ErrFormat, "model.merges", "no token"},
		{true, "model.vocab.a", 1, format.ErrFormat, "model.vocab", "token 1 is"},
		{true, "model.vocab.a", -1, format.ErrFormat, "model.vocab", "token"},
		{true, "model.vocab.zzz", 1 << 30, format.ErrFormat, "model.vocab", "token 1073741824, but there are"},
		{true, "model.merges.0", "t", format.ErrFormat, "model.merges", "two tokens"},
		{true, "model.merges.0", "t h e", format.ErrFormat, "model.merges", "two tokens"},
		{true, "model.merges.0", "q q", format.ErrFormat, "model.merges", `"qq"`},
		{true, "model.merges", [][]string{{"a"}}, format.ErrFormat, "model.merges", "1 parts"},
		{true, "model.merges", [][]string{{"", "a"}}, format.ErrFormat, "model.merges", "no token"},
		{true, "model.merges", 1, format.ErrFormat, "model.merges", "number"},
		{true, "model.unk_token", "<x>", format.ErrFormat, "model.unk_token", "<x>"},
		{true, "model", object{"type": "BPE", "byte_fallback": true, "vocab": object{"a": 3}, "merges": []string{}}, format.ErrUnsupported, "model.byte_fallback", "1 of 256"},
		{true, "model", object{"type": "BPE", "fuse_unk": true, "unk_token": "a", "vocab": object{"a": 3}, "merges": []string{}}, format.ErrUnsupported, "model.fuse_unk", "1 of 256"},
		{true, "normalizer", object{"type": "BertNormalizer", "lowercase": true}, format.ErrUnsupported, "normalizer", "lowercase"},
		{true, "normalizer", object{"type": "Lowercase"}, format.ErrUnsupported, "normalizer", "Lowercase"},
		{true, "pre_tokenizer", nil, format.ErrUnsupported, "decoder", `"ByteLevel"`},
		{true, "pre_tokenizer", object{"type": "UnicodeScripts"}, format.ErrUnsupported, "pre_tokenizer", "UnicodeScripts"},
		{true, "pre_tokenizer.use_regex", 1, format.ErrUnsupported, "pre_tokenizer", "number"},
		{true, "pre_tokenizer", sequence("pretokenizers", splitRegex(`\bx`), byteLevelPre(true)), format.ErrUnsupported, "pre_tokenizer", `\\b`},
		{true, "decoder", nil, format.ErrUnsupported, "decoder", "0 decoders"},
		{true, "decoder", object{"type": "WordPiece"}, format.ErrUnsupported, "decoder", "WordPiece"},
		{true, "post_processor", object{"type": "RobertaProcessing"}, format.ErrUnsupported, "post_processor", "RobertaProcessing"},
		{true, "post_processor", object{"type": "TemplateProcessing", "single": []object{}}, format.ErrFormat, "post_processor", "without the text"},
		{true, "post_processor", object{"type": "TemplateProcessing", "single": []object{{"SpecialToken": object{"id": "<s>"}}}}, format.ErrFormat, "post_processor", "ids"},
		{true, "post_processor", sequence("processors", addBOSTemplate("<s>", 1), addBOSTemplate("<s>", 1)), format.ErrUnsupported, "post_processor", "several templates"},
		{true, "added_tokens.0.single_word", true, format.ErrUnsupported, "added_tokens", "single_word"},
		{true, "added_tokens.0.id", 7, format.ErrFormat, "added_tokens", "has the id 0"},
		{true, "added_tokens.0.id", "7", format.ErrFormat, "added_tokens.id", "string"},
		{true, "added_tokens.0.content", strings.Repeat("x", 2000), format.ErrUnsupported, "added_tokens", "2000 bytes"},
		{true, "added_tokens.0.content", "other", format.ErrFormat, "added_tokens", "<unk>"},
		{false, "model.byte_fallback", false, format.ErrUnsupported, "model.byte_fallback", "256 of 256"},
		{false, "decoder", nil, format.ErrUnsupported, "decoder", "neither"},
		{false, "decoder", object{"type": "Strip", "content": "x", "start": 1}, format.ErrUnsupported, "decoder", "Strip"},
		{false, "decoder", object{"type": "BPEDecoder"}, format.ErrUnsupported, "decoder", "BPEDecoder"},
	} {
		_, err := FromHF(HF{Dir: "dir/", Tokenizer: marshal(t, change(t, smallHF(c.byteLevel), c.path, c.value)), Rows: 300})
		require.ErrorIs(t, err, c.kind, "%s %v", c.path, c.value)
		require.ErrorContains(t, err, c.text, "%s %v", c.path, c.value)
		var e *format.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, []string{"dir/tokenizer.json", c.key}, []string{e.File, e.Key}, "%s %v: %v", c.path, c.value, err)
	}

	small := marshal(t, smallHF(true))
	for _, c := range []struct {
		files HF
		kind  error
		file  string
	}{
		{HF{}, format.ErrMissing, TokenizerFile},
		{HF{Tokenizer: []byte("{")}, format.ErrFormat, TokenizerFile},
		{HF{Tokenizer: []byte("\"\xff\"")}, format.ErrFormat, TokenizerFile},
		{HF{Tokenizer: small, Config: []byte("[]")}, format.ErrFormat, ConfigFile},
		{HF{Tokenizer: small, Config: []byte(`{"added_tokens_decoder":{"x":{"content":"x"}}}`)}, format.ErrFormat, ConfigFile},
		{HF{Tokenizer: small, Config: []byte(`{"added_tokens_decoder":{"1":{"content":"x"}}}`)}, format.ErrFormat, ConfigFile},
		{HF{Tokenizer: small, Config: []byte(`{"add_prefix_space":true}`)}, format.ErrUnsupported, ConfigFile},
		{HF{Tokenizer: small, SpecialTokens: []byte(`{"bos_token":1}`)}, format.ErrFormat, SpecialTokensFile},
		{HF{Tokenizer: small, Model: []byte(`{"bos_token_id":100000}`)}, format.ErrFormat, ModelFile},
		{HF{Tokenizer: small, Generation: []byte(`{"eos_token_id":["a"]}`)}, format.ErrFormat, GenerationFile},
		{HF{Tokenizer: small, Rows: 10}, format.ErrFormat, TokenizerFile},
	} {
		_, err := FromHF(c.files)
		require.ErrorIs(t, err, c.kind, "%s", err)
		var e *format.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, c.file, e.File)
	}
}

// naiveBPE merges as it is defined: of all adjacent pairs always that of the lowest rank, of several the leftmost.
func naiveBPE(symbols []string, rank map[[2]string]int) []string {
	for {
		best, at := len(rank), -1
		for i := range len(symbols) - 1 {
			if r, ok := rank[[2]string{symbols[i], symbols[i+1]}]; ok && r < best {
				best, at = r, i
			}
		}
		if at < 0 {
			return symbols
		}
		symbols = slices.Concat(symbols[:at], []string{symbols[at] + symbols[at+1]}, symbols[at+2:])
	}
}

// TestHFMerges compares vocabularies of characters that have random merges with the definition. By scores they would come out differently.
func TestHFMerges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		file := smallHF(false)
		m := file["model"].(object)
		vocab := m["vocab"].(map[string]int32)
		symbols := strings.Split("▁ab", "")
		rank := map[[2]string]int{}
		var merges []string
		for range rapid.IntRange(0, 12).Draw(rt, "merges") {
			p := [2]string{rapid.SampledFrom(symbols).Draw(rt, "left"), rapid.SampledFrom(symbols).Draw(rt, "right")}
			if _, ok := rank[p]; ok || len(p[0]+p[1]) > 12 {
				continue
			}
			rank[p] = len(rank)
			merges = append(merges, p[0]+" "+p[1])
			if s := p[0] + p[1]; !slices.Contains(symbols, s) {
				symbols = append(symbols, s)
				if _, ok := vocab[s]; !ok {
					vocab[s] = int32(len(vocab))
				}
			}
		}
		m["merges"] = merges
		file["normalizer"] = nil
		tok, _ := newHF(t, HF{Tokenizer: marshal(t, file)})
		text := rapid.StringOfN(rapid.SampledFrom([]rune("▁aabbé")), 0, 20, -1).Draw(rt, "text")
		var want []string
		for i, part := range strings.Split(text, "é") {
			if i > 0 {
				want = append(want, "<0xC3>", "<0xA9>")
			}
			if part != "" {
				want = append(want, naiveBPE(strings.Split(part, ""), rank)...)
			}
		}
		require.Equal(rt, strings.Join(want, " "), strings.Join(tok.texts(tok.Encode(nil, text, EncodeOptions{})), " "))
	})
}

// FuzzFromHF translates damaged files, and uses the tokenizers that come out.
func FuzzFromHF(f *testing.F) {
	config := []byte(`{"bos_token":"<s>","eos_token":{"content":"</s>","lstrip":true},"added_tokens_decoder":{"1":{"content":"<s>"}}}`)
	model := []byte(`{"bos_token_id":1,"eos_token_id":[2,3]}`)
	for _, byteLevel := range []bool{true, false} {
		f.Add(marshal(f, smallHF(byteLevel)), config, model, "the ab<tag>")
		f.Add(marshal(f, change(f, smallHF(byteLevel), "post_processor", addBOSTemplate("<s>", 1))), []byte("{}"), []byte("{}"), "é")
	}
	f.Fuzz(func(t *testing.T, file, config, model []byte, text string) {
		c, err := FromHF(HF{Tokenizer: file, Config: config, Model: model, SpecialTokens: config, Generation: model})
		var e *format.Error
		if err != nil {
			require.ErrorAs(t, err, &e)
			require.NotEmpty(t, e.File)
			return
		}
		tok, err := New(c)
		if err != nil {
			require.ErrorAs(t, err, &e)
			return
		}
		if strings.Contains(c.Pipeline, "Regex") && len(text) > 20 { // some take exponential time
			return
		}
		for _, id := range tok.Encode(nil, text, everything) {
			require.True(t, id >= 0 && int(id) < tok.VocabSize())
		}
	})
}
