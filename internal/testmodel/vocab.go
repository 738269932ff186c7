package testmodel

import (
	"fmt"

	"github.com/cortexsdr/cortex/format/gguf"
)

// Tokenizer is a kind of vocabulary, named as in the key tokenizer.ggml.model.
type Tokenizer string

// The kinds of vocabulary.
const (
	// BPE is a byte-level vocabulary: the 256 bytes, merges of lower-case letters with an optional
	// space before them, and at the end the control tokens <|bos|> and <|eos|>.
	BPE Tokenizer = "gpt2"
	// SPM is a vocabulary with scores: <unk>, <s>, </s>, the 256 bytes for fallback, "▁", lower-case letters,
	// and words made of these.
	SPM Tokenizer = "llama"
)

// Token types of tokenizer.ggml.token_type.
const (
	normalToken  int32 = 1
	unknownToken int32 = 2
	controlToken int32 = 3
	byteToken    int32 = 6
)

// mostWordBytes keeps tokens as short as real ones are.
const mostWordBytes = 12

type vocab struct {
	kind     Tokenizer
	tokens   []string
	types    []int32
	scores   []float32 // SPM only
	merges   []string  // BPE only
	bos, eos int
	silent   []bool // tokens that the model should not say
}

// smallest returns the fewest tokens that a vocabulary can have, or 0 for an unknown kind.
func (k Tokenizer) smallest() int {
	switch k {
	case BPE:
		return 256 + 2
	case SPM:
		return 3 + 256 + 1 + 26
	}
	return 0
}

// newVocab makes a vocabulary of exactly n tokens.
func newVocab(kind Tokenizer, n int, seed uint64) *vocab {
	v := &vocab{kind: kind}
	switch kind {
	case BPE:
		var letters []string
		for i := range 256 {
			v.add(byteChar(byte(i)), normalToken, i < ' ' || i > '~')
		}
		for c := 'a'; c <= 'z'; c++ {
			letters = append(letters, string(c))
		}
		v.grow(byteChar(' '), letters, n-2, seed)
		v.bos, v.eos = n-2, n-1
		v.add("<|bos|>", controlToken, true)
		v.add("<|eos|>", controlToken, true)
	case SPM:
		v.add("<unk>", unknownToken, true)
		v.bos, v.eos = 1, 2
		v.add("<s>", controlToken, true)
		v.add("</s>", controlToken, true)
		for i := range 256 {
			v.add(fmt.Sprintf("<0x%02X>", i), byteToken, i < ' ' || i > '~')
		}
		const space = "▁"
		v.add(space, normalToken, false)
		var letters []string
		for c := 'a'; c <= 'z'; c++ {
			letters = append(letters, string(c))
			v.add(string(c), normalToken, false)
		}
		v.grow(space, letters, n, seed)
		// Merges were made in the order of their rank; a score is minus the rank. Letters are never merged into.
		v.scores = make([]float32, n)
		for i := SPM.smallest(); i < n; i++ {
			v.scores[i] = float32(SPM.smallest() - i)
		}
	}
	return v
}

func (v *vocab) add(token string, typ int32, silent bool) {
	v.tokens = append(v.tokens, token)
	v.types = append(v.types, typ)
	v.silent = append(v.silent, silent)
}

// grow adds words until there are n tokens. Each is two earlier ones put together, the first of which may
// begin with a space; so every word can be reached by merging.
func (v *vocab) grow(space string, letters []string, n int, seed uint64) {
	r := rng(mix64(seed ^ uint64(n)))
	first, second := letters, letters // what a word can begin and go on with
	known := map[string]bool{}
	for len(v.tokens) < n {
		// Early words are short; they are preferred, or soon all new words would be too long.
		a, b := first[r.intn(r.intn(len(first))+1)], second[r.intn(r.intn(len(second))+1)]
		if r.intn(3) == 0 {
			a = space
		}
		word := a + b
		if len(word) > mostWordBytes || known[word] {
			continue
		}
		known[word] = true
		v.add(word, normalToken, false)
		v.merges = append(v.merges, a+" "+b)
		first = append(first, word)
		if word[0] >= 'a' && a[0] <= 'z' {
			second = append(second, word)
		}
	}
}

// byteChar returns the character that stands for a byte in byte-level vocabularies: GPT-2's mapping, in which
// visible characters of Latin-1 stand for themselves, and the others for the characters from 256 on.
func byteChar(b byte) string { return string(byteChars[b]) }

var byteChars = func() (chars [256]rune) {
	next := rune(256)
	for i := range chars {
		chars[i] = rune(i)
		if i <= ' ' || i > '~' && i < '¡' || i == 0xad {
			chars[i] = next
			next++
		}
	}
	return chars
}()

// meta returns the tokenizer's metadata.
func (v *vocab) meta(pre string) []gguf.KV {
	kv := []gguf.KV{{Key: "tokenizer.ggml.model", Value: string(v.kind)}}
	if v.kind == BPE {
		kv = append(kv, gguf.KV{Key: "tokenizer.ggml.pre", Value: pre})
	} else {
		kv = append(kv, gguf.KV{Key: "tokenizer.ggml.pre", Value: "default"})
	}
	kv = append(kv, gguf.KV{Key: "tokenizer.ggml.tokens", Value: v.tokens})
	if v.kind == SPM {
		kv = append(kv, gguf.KV{Key: "tokenizer.ggml.scores", Value: v.scores})
	}
	kv = append(kv, gguf.KV{Key: "tokenizer.ggml.token_type", Value: v.types})
	if v.kind == BPE {
		kv = append(kv, gguf.KV{Key: "tokenizer.ggml.merges", Value: v.merges})
	}
	kv = append(kv,
		gguf.KV{Key: "tokenizer.ggml.bos_token_id", Value: uint32(v.bos)},
		gguf.KV{Key: "tokenizer.ggml.eos_token_id", Value: uint32(v.eos)})
	if v.kind == SPM {
		kv = append(kv,
			gguf.KV{Key: "tokenizer.ggml.unknown_token_id", Value: uint32(0)},
			gguf.KV{Key: "tokenizer.ggml.add_space_prefix", Value: true})
	}
	return append(kv,
		gguf.KV{Key: "tokenizer.ggml.add_bos_token", Value: true},
		gguf.KV{Key: "tokenizer.ggml.add_eos_token", Value: false})
}
