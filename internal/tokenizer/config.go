package tokenizer

import (
	"fmt"

	"github.com/cortexsdr/cortex/format"
)

// TokenType is what a token is for, with the numbers that GGUF files store.
type TokenType int32

// The token types.
const (
	Normal      TokenType = 1 // text
	Unknown     TokenType = 2 // stands for text that the vocabulary can not express
	Control     TokenType = 3 // has a meaning for the model and is no text, such as the end of a turn
	UserDefined TokenType = 4 // text that is never split and is looked for before everything else
	Unused      TokenType = 5 // not given to the model in training
	Byte        TokenType = 6 // a single byte, with a text such as <0x0A>
)

// Role is a special use that a vocabulary has one token for.
type Role int

// The roles.
const (
	BOS       Role = iota // beginning of a text
	EOS                   // end of a text
	EOT                   // end of a turn of a chat
	EOM                   // end of a message, to be continued in the same turn
	UNK                   // text that the vocabulary can not express
	PAD                   // filler
	FIMPrefix             // fill in the middle: the text before
	FIMSuffix             // the text after
	FIMMiddle             // the text to be filled in
	FIMPad                // filler
	FIMRepo               // name of a repository
	FIMFile               // border between files
	numRoles
)

// None is the id of a token that is not there.
const None int32 = -1

// roles gives each role its metadata key, and the texts by which the token is known in files without that key, the best
// first. Tokens of a role that ends do not continue a text: generation stops at them.
var roles = [numRoles]struct {
	key   string
	ends  bool
	texts []string
}{
	BOS: {key: "bos_token_id"},
	EOS: {key: "eos_token_id", ends: true},
	EOT: {key: "eot_token_id", ends: true, texts: []string{"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>",
		"<|end_of_text|>", "<EOT>", "_<EOT>", "[EOT]", "<｜end▁of▁sentence｜>", "<end_of_utterance>"}},
	EOM:       {key: "eom_token_id", ends: true, texts: []string{"<|eom_id|>"}},
	UNK:       {key: "unknown_token_id"},
	PAD:       {key: "padding_token_id"},
	FIMPrefix: {key: "fim_pre_token_id", texts: []string{"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>", "<|code_prefix|>", "<|prefix|>"}},
	FIMSuffix: {key: "fim_suf_token_id", texts: []string{"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>", "<|code_suffix|>", "<|suffix|>"}},
	FIMMiddle: {key: "fim_mid_token_id", texts: []string{"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>", "<|code_middle|>", "<|middle|>"}},
	FIMPad:    {key: "fim_pad_token_id", ends: true, texts: []string{"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"}},
	FIMRepo:   {key: "fim_rep_token_id", ends: true, texts: []string{"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}},
	FIMFile:   {key: "fim_sep_token_id", ends: true, texts: []string{"<|file_sep|>"}},
}

// endTexts are the texts of tokens that end a generation in whatever vocabulary they are.
var endTexts = []string{"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>",
	"<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>",
	"<turn|>", "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~["}

// harmonyTexts are control tokens by which programs take apart the answers of models in the harmony format, so they are shown.
var harmonyTexts = []string{"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"}

// Config describes a vocabulary. Where a field says nothing the model's default holds, which is that of llama.cpp.
type Config struct {
	File   string      // its name, for error messages
	Model  string      // "llama" (SentencePiece) or "gpt2" (byte-level BPE)
	Pre    string      // name of the pre-tokenizer, for gpt2; "": default
	Tokens []string    // by id
	Scores []float32   // by id, for llama: the highest is merged first; nil: all equal
	Types  []TokenType // by id; nil: all Normal
	Merges []string    // for gpt2: two tokens with a space between, the first to be merged first

	IDs map[Role]int32 // None: the vocabulary has no such token

	AddBOS, AddEOS *bool // whether Encode adds them
	AddSpacePrefix *bool // for llama: whether text gets a space in front
	IgnoreMerges   *bool // for gpt2: whether a piece that is a token is that token, whatever the merges make of it

	LStrip, RStrip []int32 // control and user-defined tokens that swallow the white space before, after them in the text

	// Pipeline, if not empty, is JSON that says how text is prepared, in the notation of tokenizer.json, as FromHF makes it. It takes the
	// place of Pre, AddSpacePrefix (but for decoding), IgnoreMerges, LStrip and RStrip, and Merges take that of Scores.
	Pipeline string
}

// Keys of the metadata that errors name.
const (
	keyPrefix = "tokenizer.ggml."
	keyModel  = keyPrefix + "model"
	keyPre    = keyPrefix + "pre"
	keyTokens = keyPrefix + "tokens"
	keyScores = keyPrefix + "scores"
	keyTypes  = keyPrefix + "token_type"
	keyMerges = keyPrefix + "merges"
	keyAddBOS = keyPrefix + "add_bos_token"
	keyAddEOS = keyPrefix + "add_eos_token"
	keySpace  = keyPrefix + "add_space_prefix"

	// Not a key of GGUF: Config.Pipeline. Readers that do not know it go by the others, which say as much as they can.
	keyPipeline = "tokenizer.cortex.pipeline"
)

func (c *Config) errorf(kind error, key, text string, args ...any) error {
	return &format.Error{File: c.File, Key: key, Detail: fmt.Sprintf(text, args...), Err: kind}
}

func (c *Config) malformed(key, text string, args ...any) error {
	return c.errorf(format.ErrFormat, key, text, args...)
}
