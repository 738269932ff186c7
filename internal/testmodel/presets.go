package testmodel

// Presets are the shapes of well-known models, by size, without their weights. Their matrices are F32: set Type
// or Mix, or use [Config.WithType].
var Presets = map[string]Config{
	"135m": { // SmolLM 135M
		Name: "random-135m", Layers: 30, Dim: 576, Heads: 9, KVHeads: 3, FF: 1536, Vocab: 49152, Context: 2048,
		Tied: true, RopeTheta: 10000, Pre: "smollm",
	},
	"1b": { // TinyLlama 1.1B
		Name: "random-1b", Layers: 22, Dim: 2048, Heads: 32, KVHeads: 4, FF: 5632, Vocab: 32000, Context: 2048,
		RopeTheta: 10000, Tokenizer: SPM,
	},
	"8b": { // Llama 3 8B
		Name: "random-8b", Layers: 32, Dim: 4096, Heads: 32, KVHeads: 8, FF: 14336, Vocab: 128256, Context: 8192,
		RopeTheta: 500000,
	},
	"13b": { // Llama 2 13B
		Name: "random-13b", Layers: 40, Dim: 5120, Heads: 40, FF: 13824, Vocab: 32000, Context: 4096,
		RopeTheta: 10000, Tokenizer: SPM,
	},
	"70b": { // Llama 3 70B
		Name: "random-70b", Layers: 80, Dim: 8192, Heads: 64, KVHeads: 8, FF: 28672, Vocab: 128256, Context: 8192,
		RopeTheta: 500000,
	},
}

// Tiny returns small shapes that differ in what engines get wrong: heads that share keys, head sizes, tied output,
// vocabularies that are no multiple of a block, biases, rope scaling, kinds of tokenizer. Rows are
// multiples of 256, so that every type fits. The Names are fit for test and file names.
func Tiny() []Config {
	return []Config{
		{Name: "gqa1-hd64", Layers: 2, Dim: 256, Heads: 4, FF: 512, Vocab: 320},
		{Name: "gqa4-hd64-tied", Layers: 2, Dim: 256, Heads: 4, KVHeads: 1, FF: 512, Vocab: 333, Tied: true},
		{Name: "gqa8-hd128", Layers: 2, Dim: 256, Heads: 8, KVHeads: 1, HeadDim: 128, FF: 512, Vocab: 333},
		{Name: "gqa4-hd80-spm", Layers: 2, Dim: 256, Heads: 16, KVHeads: 4, HeadDim: 80, FF: 512, Vocab: 419, Tokenizer: SPM},
		{Name: "gqa2-hd128-spm-tied", Layers: 3, Dim: 256, Heads: 2, KVHeads: 1, FF: 768, Vocab: 1001, Tied: true, Tokenizer: SPM, RMSEps: 1e-6},
		{Name: "bias", Layers: 2, Dim: 256, Heads: 4, KVHeads: 2, FF: 512, Vocab: 320, AttnBias: true, MLPBias: true},
		{Name: "linear", Layers: 2, Dim: 256, Heads: 4, KVHeads: 2, FF: 512, Vocab: 320,
			Rope: RopeScaling{Kind: RopeLinear, Factor: 4}},
		{Name: "llama3", Layers: 2, Dim: 256, Heads: 4, KVHeads: 2, FF: 512, Vocab: 320, RopeTheta: 500000,
			Rope: RopeScaling{Kind: RopeLlama3, Factor: 8, OriginalContext: 256}},
		{Name: "yarn", Layers: 2, Dim: 256, Heads: 4, KVHeads: 2, FF: 512, Vocab: 320,
			Rope: RopeScaling{Kind: RopeYaRN, Factor: 4, OriginalContext: 256, AttnFactor: 1.1, BetaFast: 16, BetaSlow: 2}},
	}
}
