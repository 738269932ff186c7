package tokenizer

import (
	"cmp"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

// object is a JSON object.
type object map[string]any

func sequence(kind string, list ...object) object {
	return object{"type": "Sequence", kind: list}
}

func splitRegex(expr string) object {
	return object{"type": "Split", "pattern": object{"Regex": expr}, "behavior": "Isolated", "invert": false}
}

func byteLevelPre(regex bool) object {
	return object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex}
}

// The parts of a SentencePiece vocabulary as Llama 2 has them.
var (
	spmNormalizer = sequence("normalizers", object{"type": "Prepend", "prepend": "▁"},
		object{"type": "Replace", "pattern": object{"String": " "}, "content": "▁"})
	spmDecoder = sequence("decoders", object{"type": "Replace", "pattern": object{"String": "▁"}, "content": " "},
		object{"type": "ByteFallback"}, object{"type": "Fuse"}, object{"type": "Strip", "content": " ", "start": 1, "stop": 0})
)

// addBOSTemplate is the post-processor of a model that gets a token in front of each text.
func addBOSTemplate(text string, id int32) object {
	special := object{"SpecialToken": object{"id": text, "type_id": 0}}
	a, b := object{"Sequence": object{"id": "A", "type_id": 0}}, object{"Sequence": object{"id": "B", "type_id": 1}}
	return object{"type": "TemplateProcessing", "single": []object{special, a}, "pair": []object{special, a, special, b},
		"special_tokens": object{text: object{"id": text, "ids": []int32{id}, "tokens": []string{text}}}}
}

// families are the published structures of tokenizer.json files, for vocabularies of which there are GGUF files.
var families = map[string]struct {
	file         object // without vocabulary, merges and added tokens
	ignoreMerges bool
	byteFallback bool
	pairs        bool   // merges are lists of two
	added        object // flags of the added tokens
	pre          string // the name that has to be found
	pipeline     bool   // whether GGUF's keys do not say everything

	same func(text string) bool // texts for which the tokenizer of the GGUF file does the same; nil: all
}{
	"gpt-2": {file: object{"pre_tokenizer": object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
		"post_processor": object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false}},
		added: object{"normalized": true}, pre: "gpt-2"},
	"llama-bpe": {file: object{"pre_tokenizer": sequence("pretokenizers", splitRegex(patternWords3), byteLevelPre(false)),
		"post_processor": sequence("processors", object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
			addBOSTemplate("<|begin_of_text|>", 128000))},
		ignoreMerges: true, pre: "llama-bpe"},
	"qwen2": {file: object{"normalizer": object{"type": "NFC"},
		"pre_tokenizer":  sequence("pretokenizers", splitRegex(patternWords1), byteLevelPre(false)),
		"post_processor": byteLevelPre(false)},
		pairs: true, pre: "qwen2", pipeline: true,
		// It takes the plain token </s> for a special one, and leaves out the normalizer.
		same: func(text string) bool { return norm.NFC.IsNormalString(text) && !strings.Contains(text, "</s>") }},
	"deepseek-llm": {file: object{"normalizer": sequence("normalizers"),
		"pre_tokenizer": sequence("pretokenizers", splitRegex(`[\r\n]`), splitRegex(`\s?[`+classText(casedLetters)+`]+`),
			splitRegex(`\s?[!-/:-~！-／：-～‘-‟　-。]+`), splitRegex(`\s+$`), splitRegex(`[一-龥ࠀ-一가-퟿]+`),
			object{"type": "Digits", "individual_digits": true}, byteLevelPre(false)),
		"post_processor": addBOSTemplate("<｜begin▁of▁sentence｜>", 100000)},
		pre: customPre, pipeline: true,
		// The pattern has characters between U+2000 and U+3000 that are white space; GGUF's pre-tokenizer leaves them out.
		same: func(text string) bool {
			return !strings.ContainsFunc(text, func(r rune) bool { return r >= 0x800 && unicode.IsSpace(r) })
		}},
	"llama-spm": {file: object{"normalizer": spmNormalizer, "pre_tokenizer": nil, "decoder": spmDecoder, "post_processor": addBOSTemplate("<s>", 1)},
		byteFallback: true, pipeline: true},
	"phi-3": {file: object{"normalizer": spmNormalizer, "decoder": spmDecoder, "post_processor": addBOSTemplate("<s>", 1)},
		byteFallback: true, pairs: true, added: object{"rstrip": true}, pipeline: true,
		// It lets special tokens swallow the white space of ASCII only.
		same: func(text string) bool {
			return !strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 && unicode.IsSpace(r) })
		}},
}

// classText writes ranges of characters as a regular expression does.
func classText(ranges []rune) string {
	var b strings.Builder
	for i := 0; i < len(ranges); i += 2 {
		b.WriteRune(ranges[i])
		if ranges[i+1] > ranges[i] {
			b.WriteString("-" + string(ranges[i+1]))
		}
	}
	return b.String()
}

// makeHF writes the vocabulary of a GGUF file as a tokenizer.json.
func makeHF(t testing.TB, name string, c *Config) HF {
	fam := families[name]
	vocab := map[string]int32{}
	var added []object
	for i, s := range c.Tokens {
		typ := c.Types[i]
		if typ == Control || typ == UserDefined || typ == Unknown {
			a := object{"id": i, "content": s, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": typ != UserDefined}
			for k, v := range fam.added {
				a[k] = v.(bool) && !slices.Contains([]string{"<unk>", "<s>"}, s)
			}
			added = append(added, a)
		}
		if typ != Unused && !(c.Model == "gpt2" && typ != Normal) {
			vocab[s] = int32(i)
		}
	}
	merges := c.Merges
	if c.Model == "llama" {
		merges = mergesOfScores(vocab, c)
	}
	file := object{"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added, "decoder": byteLevelPre(true)}
	for k, v := range fam.file {
		file[k] = v
	}
	m := object{"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil, "fuse_unk": fam.byteFallback,
		"byte_fallback": fam.byteFallback, "ignore_merges": fam.ignoreMerges, "vocab": vocab, "merges": merges}
	if fam.byteFallback {
		m["unk_token"] = "<unk>"
	}
	if fam.pairs {
		var pairs [][]string
		for _, s := range merges {
			pairs = append(pairs, strings.Split(s, " "))
		}
		m["merges"] = pairs
	}
	file["model"] = m
	data, err := json.Marshal(file)
	require.NoError(t, err)
	return HF{Tokenizer: data, Rows: len(c.Tokens)}
}

// mergesOfScores lists the merges of a SentencePiece vocabulary as published files have them: all pairs of tokens whose union is one, by its
// score, and of equal ones that with the longer left part first.
func mergesOfScores(vocab map[string]int32, c *Config) []string {
	type pair struct {
		left, right string
		score       float32
	}
	var pairs []pair
	for s, id := range vocab {
		if c.Types[id] != Normal {
			continue
		}
		for i := 1; i < len(s); i++ {
			_, left := vocab[s[:i]]
			_, right := vocab[s[i:]]
			if left && right {
				pairs = append(pairs, pair{s[:i], s[i:], c.Scores[id]})
			}
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(len(b.left), len(a.left)), cmp.Compare(len(b.right), len(a.right)),
			strings.Compare(a.left, b.left))
	})
	var merges []string
	for _, p := range pairs {
		merges = append(merges, p.left+" "+p.right)
	}
	return merges
}

// TestHFFamilies translates the published structures with real vocabularies, and compares with the vectors that come with these and with
// the tokenizers of the GGUF files.
func TestHFFamilies(t *testing.T) {
	for name, fam := range families {
		t.Run(name, func(t *testing.T) {
			path := vocabPath(t, name)
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			f := parse(t, data)
			want, err := readConfig(f)
			require.NoError(t, err)
			c, err := FromHF(makeHF(t, name, &want))
			require.NoError(t, err)
			require.Equal(t, want.Model, c.Model)
			require.Equal(t, want.Tokens, c.Tokens)
			require.Equal(t, fam.pre, c.Pre)
			require.Equal(t, fam.pipeline, c.Pipeline != "", c.Pipeline)
			if c.Model == "gpt2" {
				require.Equal(t, want.Merges, c.Merges)
			}
			tok, err := FromGGUF(parse(t, writeGGUF(t, c.Metadata())))
			require.NoError(t, err)

			input, err := os.ReadFile(path + ".inp")
			require.NoError(t, err)
			output, err := os.ReadFile(path + ".out")
			require.NoError(t, err)
			lines := strings.Split(string(output), "\n")
			for i, text := range strings.Split(string(input), "\n__ggml_vocab_test__\n") {
				ids := []int32{}
				for _, s := range strings.Fields(lines[i]) {
					id, err := strconv.Atoi(s)
					require.NoError(t, err)
					ids = append(ids, int32(id))
				}
				require.Equal(t, ids, tok.Encode([]int32{}, text, EncodeOptions{}), "text %d: %q", i, text)
			}

			wantTok, err := FromGGUF(f)
			require.NoError(t, err)
			book, err := os.ReadFile(shared(t, "models", "tales", "eval", "the-wind-in-the-willows.txt"))
			require.NoError(t, err)
			texts := []string{string(book[:20000])}
			maker := newTextMaker(1, "<|user|>", "<s>", "<unk>", "<|end|>", "<|endoftext|>", "<|begin_of_text|>", " <|im_end|>\n")
			for range 300 {
				texts = append(texts, string([]rune(maker.text())))
			}
			for _, text := range texts {
				if fam.same == nil || fam.same(text) {
					require.Equal(t, wantTok.Encode(nil, text, everything), tok.Encode(nil, text, everything), "%q", text)
				}
			}
		})
	}
}
