// Package tokenizer turns text into the token ids that a model was trained on, and back.
//
// A [Tokenizer] is built from a plain [Config], which [FromGGUF] fills from the tokenizer.ggml.* keys of a GGUF
// file. There are two kinds of vocabulary:
//
//   - "gpt2": byte-level BPE. A pre-tokenizer, chosen by name, cuts the text into pieces (words, numbers,
//     punctuation, white space); in each piece the pairs of adjacent symbols are merged in the order of the list of merges,
//     beginning with single bytes.
//   - "llama": SentencePiece's BPE. The text is one piece, whose spaces are written as U+2581; the pair whose
//     union has the highest score is merged first, beginning with characters. A character that is
//     not in the vocabulary becomes the tokens of its UTF-8 bytes.
//
// Control and user-defined tokens are cut out of the text before all this. Ids are meant to equal those of
// llama.cpp, flags and special tokens have its defaults, and pre-tokenizers its names. Two things are handled better:
// bytes that are not valid UTF-8 keep their value (llama.cpp makes them U+FFFD in a byte-level vocabulary), and where
// llama.cpp only approximates a pre-tokenizer's pattern, as it says itself, the pattern that the model was trained with is used.
//
// # Hugging Face
//
// [FromHF] translates tokenizer.json and the files beside it into a Config, whose [Config.Metadata] are GGUF's keys again. The result
// gives the ids of the library tokenizers. Where GGUF's keys cannot say everything, the key tokenizer.cortex.pipeline holds
// the rest as JSON in the notation of tokenizer.json: the objects normalizer and pre_tokenizer as they are there; ignore_merges; the
// ids of added tokens with the flags normalized, lstrip and rstrip; and as eos_token_id further tokens that end a generation.
// Readers that know the key take the text through these steps: added tokens are cut out from left to right, the longest first where
// several begin; the rest is normalized, and added tokens with the flag normalized are cut out of it; then come the
// pre-tokenizers, and BPE by tokenizer.ggml.merges, also for the model "llama", whose tokens keep U+2581. Others find the nearest that
// GGUF has, or a name of a pre-tokenizer that they do not know. Compared with llama.cpp's way this makes a difference where
// text is not in the normal form, around special tokens next to Unicode's white space, for plain tokens that look like
// special ones ("</s>" in Qwen 2's vocabulary), and, where not all pairs of tokens are merges whose union is one, for SentencePiece's
// vocabularies; that of Llama 2 has all.
//
// # Method
//
// BPE merges, of all adjacent pairs, always the one of the lowest rank, and of several the leftmost. The result is the only
// sequence of symbols in which every two neighbours, encoded together, come out as these two: up to the first merge
// across a border, what happens on one side of it does not depend on the other. So a text is encoded from left to right, without
// a queue of pairs. The longest symbol that the rest of the text begins with is taken if its border with the
// symbol before holds, otherwise a shorter one; if none is left, one step is taken back. No border is tried twice, so that
// the time is linear in the length of the text, however long its words are.
//
// Whether a border holds is found by undoing the merges of its two sides, the latest first, and asking each time whether
// the two symbols that then met would have been merged earlier. A merge is applied when its parts are there and its rank comes up.
// That time is its rank, unless it ranks before a merge that makes one of its parts, as some do in Llama 3's vocabulary: then it is
// applied at once when the later part is made. Which merges make a symbol, and when, is computed when the vocabulary is
// loaded. Any table of merges is handled, and tests compare random ones with the definition.
//
// # Sources
//
//   - Sennrich, Haddow, Birch: Neural Machine Translation of Rare Words with Subword Units, 2016 (BPE)
//   - Radford et al.: Language Models are Unsupervised Multitask Learners, 2019 (byte-level BPE)
//   - Kudo, Richardson: SentencePiece, 2018
//   - Berglund, van der Merwe: Formalizing BPE Tokenization, 2023 (encoding as a property of neighbouring tokens)
//   - The GGUF specification, and the names and defaults of llama.cpp
//
// Errors of [New], [FromGGUF] and [FromHF] are *format.Error values that name the file and the metadata key.
package tokenizer
