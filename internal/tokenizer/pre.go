package tokenizer

import (
	"strings"

	"github.com/cortexsdr/cortex/format"
)

// preTokenizer is a pre-tokenizer, and what else its names stand for.
type preTokenizer struct {
	names        string // separated by spaces
	stages       []stage
	ignoreMerges bool // default of Config.IgnoreMerges
	addBOS       bool // default of Config.AddBOS
	noBOS        bool // no token is BOS by default
}

// Stages that several pre-tokenizers have.
var (
	byGPT2       = cutter(gpt2)
	byWords      = cutter(words{inner: letter, digits: 3}.cut)
	byWords1     = cutter(words{inner: letter, digits: 1}.cut)
	byWordsMarks = cutter(words{inner: letter | mark, digits: 1}.cut)
	byDeepSeek3  = cutter(deepSeek3)
	byNumbers    = cutter(runs{set: newSet(number, nil)}.cut)
	byDigit      = cutter(runs{set: newSet(number, nil), most: 1}.cut)
	by3Digits    = cutter(runs{set: newSet(number, nil), most: 3}.cut)
	byNewline    = cutter(runs{set: ranges("\n\n\r\r"), most: 1}.cut)
	byLine       = cutter(runs{set: ranges("\n\n")}.cut)
	byHanKana    = cutter(runs{set: ranges("\u3040\u30ff一龥")}.cut)
	byEastAsian  = cutter(runs{set: newSet(0, eastAsian)}.cut)
	byPoro       = pattern(` ?[^(\s|.,!?…。，、।۔،)]+`)
)

// Endings of English contractions, in small letters and capitals.
const endings = `(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])`

// preTokenizers are known by the names of llama.cpp. The stages are those of the models' own tokenizer.json files.
var preTokenizers = []preTokenizer{
	{names: "default", stages: []stage{cutter(runs{set: newSet(punct, []rune("$$++<>^^||~~"))}.cut), byGPT2, byNumbers, cutter(threeDigits)}},
	{names: "gpt-2 phi-2 jina-es jina-de jina-v2-es jina-v2-de gigachat a.x-4.0 mellum modern-bert exaone4 mpt olmo jais trillion granite-docling", stages: []stage{byGPT2}},
	{names: "starcoder refact command-r smollm codeshell exaone minerva-7b mellum2", stages: []stage{byDigit, byGPT2}},
	{names: "falcon", stages: []stage{cutter(runs{set: newSet(punct, []rune("$$++<>^^``||~~"))}.cut), byGPT2, cutter(threeDigits)}},

	{names: "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano", stages: []stage{byWords}, ignoreMerges: true, addBOS: true},
	{names: "dbrx smaug-bpe", stages: []stage{byWords}},
	{names: "glm4 chatglm-bpe", stages: []stage{byWords}, noBOS: true},
	{names: "qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2 bailingmoe bailingmoe2 llada-moe", stages: []stage{byWords1}},
	{names: "qwen35", stages: []stage{byWordsMarks}},
	{names: "minicpm5", stages: []stage{by3Digits, cutter(words{inner: letter}.cut)}, ignoreMerges: true},
	{names: "laguna", stages: []stage{byLine, byWords1}},
	{names: "seed-coder", stages: []stage{cutter(words{inner: letter, digits: 1, bare: true}.cut)}},
	{names: "ufakzeka", stages: []stage{cutter(words{inner: letter, digits: 1, whole: true}.cut)}},
	{names: "jais-2", stages: []stage{pattern(endings + `|[^\r\n\p{L}\p{N}]?[\p{L}]+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+` +
		`|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s`)}},
	{names: "exaone-moe", stages: []stage{pattern(endings + `|[^\r\n\p{L}\p{N}]?(?:[\p{L}]\p{M}*(?: [\p{L}]\p{M}*)*)+` +
		`|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+`)}},

	{names: "deepseek-llm", stages: []stage{byNewline, cutter(runs{set: newSet(0, casedLetters), lead: true}.cut),
		cutter(runs{set: ranges("!/:~‘‟\u3001。！／：～"), lead: true}.cut), cutter(trailingSpace), byEastAsian, byNumbers}},
	{names: "deepseek-coder", stages: []stage{byNewline, cutter(runs{set: newSet(letter, nil), lead: true}.cut),
		cutter(runs{set: newSet(punct, nil), lead: true}.cut), byEastAsian, byDigit}},
	{names: "deepseek-v3 hunyuan-dense joyai-llm hy_v4", stages: []stage{by3Digits, byHanKana, byDeepSeek3}},

	{names: "gpt-4o llama4 kanana2 minimax-m2 talkie", stages: []stage{casedWords(endings+`?`, `\p{N}{1,3}`, `[\r\n/]*`)}},
	{names: "tekken", stages: []stage{casedWords(``, `\p{N}`, `[\r\n/]*`)}, ignoreMerges: true, addBOS: true},
	{names: "granite-embed-multi-97m", stages: []stage{casedWords(endings+`?`, `\p{N}{1,3}`, `[\r\n/]*`)}, ignoreMerges: true},
	{names: "youtu", stages: []stage{pattern(`[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\u3040-\u309f\u30a0-\u30ff]+`),
		casedWords(endings+`?`, `\p{N}`, `[\r\n/]*`)}, ignoreMerges: true},
	{names: "kimi-k2", stages: []stage{pattern(`[\p{Han}]+` +
		`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}-[\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}-[\p{Han}]]+` + endings + `?` +
		`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}-[\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}-[\p{Han}]]*` + endings + `?` +
		`|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`)}},

	{names: "bloom poro-chat gpt3-finnish", stages: []stage{byPoro}},
	{names: "viking", stages: []stage{byPoro, byDigit}},
	{names: "chameleon", stages: []stage{pattern(`<sentinel:[0-9]+>`), pattern(`(?:IMGIMG)[A-I]{1,4}Z`), pattern(`[\t\n]|    |  `),
		byDigit, pattern(`[\p{P}!-/:-@\[-` + "`" + `{-~]`), byGPT2}, addBOS: true},
}

// casedWords is the pattern of GPT-4o and its relatives: a word may begin with capitals, but capitals within begin another.
func casedWords(ending, numbers, lineEnds string) stage {
	return pattern(`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` + ending +
		`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*` + ending +
		`|` + numbers + `| ?[^\s\p{L}\p{N}]+` + lineEnds + `|\s*[\r\n]+|\s+(?!\S)|\s+`)
}

// findPre returns the pre-tokenizer that a Config names.
func findPre(c *Config) (*preTokenizer, error) {
	name := c.Pre
	if name == "" {
		name = "default"
	}
	for i := range preTokenizers {
		for known := range strings.FieldsSeq(preTokenizers[i].names) {
			if name == known {
				return &preTokenizers[i], nil
			}
		}
	}
	return nil, c.errorf(format.ErrUnsupported, keyPre, "unknown pre-tokenizer %q", name)
}

// eastAsian are the characters from U+0800 to U+9FA5 and the Hangul syllables, without white space.
var eastAsian = []rune{
	0x800, 0x167F, 0x1681, 0x1FFF, 0x200B, 0x2027, 0x202A, 0x202E, 0x2030, 0x205E, 0x2060, 0x2FFF, 0x3001, 0x9FA5, 0xAC00, 0xD7FF,
}

// casedLetters are the letters that DeepSeek's pattern lists: those with small and capital forms, as of Unicode 11, but for
// the small letters of Armenian and Georgian.
var casedLetters = []rune{
	0x41, 0x5A, 0x61, 0x7A, 0xB5, 0xB5, 0xC0, 0xD6, 0xD8, 0xF6, 0xF8, 0x1BA, 0x1BC, 0x1BF, 0x1C4, 0x293, 0x295, 0x2AF,
	0x370, 0x373, 0x376, 0x377, 0x37B, 0x37D, 0x37F, 0x37F, 0x386, 0x386, 0x388, 0x38A, 0x38C, 0x38C, 0x38E, 0x3A1,
	0x3A3, 0x3F5, 0x3F7, 0x481, 0x48A, 0x52F, 0x531, 0x556, 0x10A0, 0x10C5, 0x13A0, 0x13F5, 0x13F8, 0x13FD, 0x1C90, 0x1CBA,
	0x1CBD, 0x1CBF, 0x1D00, 0x1D2B, 0x1D6B, 0x1D77, 0x1D79, 0x1D9A, 0x1E00, 0x1F15, 0x1F18, 0x1F1D, 0x1F20, 0x1F45,
	0x1F48, 0x1F4D, 0x1F50, 0x1F57, 0x1F59, 0x1F59, 0x1F5B, 0x1F5B, 0x1F5D, 0x1F5D, 0x1F5F, 0x1F7D, 0x1F80, 0x1FB4,
	0x1FB6, 0x1FBC, 0x1FBE, 0x1FBE, 0x1FC2, 0x1FC4, 0x1FC6, 0x1FCC, 0x1FD0, 0x1FD3, 0x1FD6, 0x1FDB, 0x1FE0, 0x1FEC,
	0x1FF2, 0x1FF4, 0x1FF6, 0x1FFC, 0x2102, 0x2102, 0x2107, 0x2107, 0x210A, 0x2113, 0x2115, 0x2115, 0x2119, 0x211D,
	0x2124, 0x2124, 0x2126, 0x2126, 0x2128, 0x2128, 0x212A, 0x212D, 0x212F, 0x2134, 0x2139, 0x2139, 0x213C, 0x213F,
	0x2145, 0x2149, 0x214E, 0x214E, 0x2183, 0x2184, 0x2C00, 0x2C7B, 0x2C7E, 0x2CE4, 0x2CEB, 0x2CEE, 0x2CF2, 0x2CF3,
	0xA640, 0xA66D, 0xA680, 0xA69B, 0xA722, 0xA76F, 0xA771, 0xA787, 0xA78B, 0xA78E, 0xAB70, 0xABBF, 0xFB00, 0xFB06,
	0xFB13, 0xFB17, 0xFF21, 0xFF3A, 0xFF41, 0xFF5A, 0x10400, 0x1044F, 0x104B0, 0x104D3, 0x104D8, 0x104FB, 0x10C80, 0x10CB2,
	0x10CC0, 0x10CF2, 0x118A0, 0x118DF, 0x1E900, 0x1E943,
}
