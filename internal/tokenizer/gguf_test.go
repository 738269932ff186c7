package tokenizer

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

// metadata returns the keys of a GGUF file with the vocabulary.
func metadata(c Config) []gguf.KV {
	types := make([]int32, len(c.Types))
	for i, typ := range c.Types {
		types[i] = int32(typ)
	}
	meta := []gguf.KV{{Key: keyModel, Value: c.Model}, {Key: keyTokens, Value: c.Tokens}, {Key: keyTypes, Value: types}}
	if c.Pre != "" {
		meta = append(meta, gguf.KV{Key: keyPre, Value: c.Pre})
	}
	if c.Scores != nil {
		meta = append(meta, gguf.KV{Key: keyScores, Value: c.Scores})
	}
	if c.Merges != nil {
		meta = append(meta, gguf.KV{Key: keyMerges, Value: c.Merges})
	}
	for r := range numRoles {
		if id, ok := c.IDs[r]; ok {
			meta = append(meta, gguf.KV{Key: keyPrefix + roles[r].key, Value: uint32(id)})
		}
	}
	return meta
}

func writeGGUF(t testing.TB, meta []gguf.KV) []byte {
	var b bytes.Buffer
	w, err := gguf.NewWriter(&b, meta, nil)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func parse(t testing.TB, data []byte) *gguf.Metadata {
	f, err := gguf.Parse(gguf.Part{Name: "v.gguf", Data: data})
	require.NoError(t, err)
	return f.Metadata
}

func TestFromGGUF(t *testing.T) {
	for _, c := range []Config{byteLevel(), sentencePiece()} {
		want := mustNew(t, c)
		meta := append(metadata(c), gguf.KV{Key: "general.name", Value: "v"}, gguf.KV{Key: keyAddEOS, Value: true},
			gguf.KV{Key: keyAddBOS, Value: false}, gguf.KV{Key: keySpace, Value: false}, gguf.KV{Key: keyPrefix + roles[PAD].key, Value: uint32(5)},
			gguf.KV{Key: keyPrefix + roles[EOM].key, Value: uint32(math.MaxUint32)})
		tok, err := FromGGUF(parse(t, writeGGUF(t, meta)))
		require.NoError(t, err)
		require.Equal(t, want.tokens, tok.tokens)
		require.Equal(t, want.types, tok.types)
		require.Equal(t, []int32{want.ID(BOS), want.ID(EOS), 5, None}, []int32{tok.ID(BOS), tok.ID(EOS), tok.ID(PAD), tok.ID(EOM)})
		require.True(t, tok.AddsEOS())
		require.False(t, tok.AddsBOS())
		text := "the abab<tag>low"
		got := tok.Encode(nil, text, EncodeOptions{AddSpecial: true})
		require.Equal(t, text+"</s>", tok.Decode(got, DecodeOptions{Special: true}))
	}
}

// TestPhi3: of Phi-3's special tokens all but a few swallow white space.
func TestPhi3(t *testing.T) {
	for name, swallows := range map[string]bool{"Phi-3 Mini": true, "phi3": true, "phi-2": false} {
		c := sentencePiece()
		c.Tokens[258], c.Types[258] = "<|user|>", Control
		tok, err := FromGGUF(parse(t, writeGGUF(t, append(metadata(c), gguf.KV{Key: "general.name", Value: name}))))
		require.NoError(t, err)
		opt := EncodeOptions{ParseSpecial: true}
		require.Equal(t, swallows, slices.Equal(tok.Encode(nil, "<|user|> a", opt), tok.Encode(nil, "<|user|>a", opt)))
		require.Equal(t, swallows, slices.Equal(tok.Encode(nil, "</s>\na", opt), tok.Encode(nil, "</s>a", opt)))
		require.NotEqual(t, tok.Encode(nil, "<s> a", opt), tok.Encode(nil, "<s>a", opt))
	}
}

func TestBadMetadata(t *testing.T) {
	for _, c := range []struct {
		key   string
		value any // nil: the key is left out
		kind  error
		text  string
	}{
		{keyModel, nil, format.ErrMissing, "missing"},
		{keyModel, uint32(1), format.ErrFormat, "not a string"},
		{keyModel, "t5", format.ErrUnsupported, `"t5"`},
		{keyPre, int32(1), format.ErrFormat, "not a string"},
		{keyPre, "x", format.ErrUnsupported, `"x"`},
		{keyTokens, nil, format.ErrMissing, "missing"},
		{keyTokens, []int32{1}, format.ErrFormat, "strings"},
		{keyScores, []string{"a"}, format.ErrFormat, "floats"},
		{keyScores, []float32{1}, format.ErrFormat, "1 scores"},
		{keyTypes, []float32{1}, format.ErrFormat, "integers"},
		{keyTypes, []int32{1}, format.ErrFormat, "1 types"},
		{keyTypes, []int64{1 << 40}, format.ErrFormat, "token 0 has type 1099511627776"},
		{keyMerges, []int32{1}, format.ErrFormat, "strings"},
		{keyMerges, nil, format.ErrMissing, "missing"},
		{keyPrefix + "bos_token_id", "1", format.ErrFormat, "integer"},
		{keyPrefix + "bos_token_id", uint32(100000), format.ErrFormat, "no token 100000"},
		{keyPrefix + "eos_token_id", uint64(1 << 40), format.ErrFormat, "no token 1099511627776"},
		{keyAddBOS, "yes", format.ErrFormat, "bool"},
		{"general.name", uint8(1), format.ErrFormat, "not a string"},
	} {
		meta := slices.DeleteFunc(metadata(byteLevel()), func(kv gguf.KV) bool { return kv.Key == c.key })
		if c.value != nil {
			meta = append(meta, gguf.KV{Key: c.key, Value: c.value})
		}
		_, err := FromGGUF(parse(t, writeGGUF(t, meta)))
		require.ErrorIs(t, err, c.kind, "%s %v", c.key, c.value)
		var e *format.Error
		require.True(t, errors.As(err, &e))
		require.Equal(t, "v.gguf", e.File)
		require.Equal(t, c.key, e.Key)
		require.Equal(t, c.value != nil, e.Offset > 0)
		require.ErrorContains(t, err, c.text)
	}
}

// TestAllocation: a small file does not make a large tokenizer.
func TestAllocation(t *testing.T) {
	for _, c := range []Config{byteLevel(), sentencePiece()} {
		c.Tokens, c.Types, c.Scores = c.Tokens[:20], c.Types[:20], c.Scores[:min(20, len(c.Scores))]
		c.Merges = c.Merges[:min(2, len(c.Merges))]
		c.IDs = nil
		f := parse(t, writeGGUF(t, metadata(c)))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := FromGGUF(f)
		runtime.ReadMemStats(&after)
		require.NoError(t, err)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	}
}

// FuzzFromGGUF builds tokenizers from damaged files, and uses those that come out.
func FuzzFromGGUF(f *testing.F) {
	for _, c := range []Config{byteLevel(), sentencePiece()} {
		c.Tokens, c.Types, c.Scores = c.Tokens[:40], c.Types[:40], c.Scores[:min(40, len(c.Scores))]
		c.Merges = c.Merges[:min(3, len(c.Merges))]
		c.IDs = nil
		f.Add(writeGGUF(f, metadata(c)), "the abab")
	}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		file, err := gguf.Parse(gguf.Part{Name: "v.gguf", Data: data})
		if err != nil {
			return
		}
		tok, err := FromGGUF(file.Metadata)
		if err != nil {
			var e *format.Error
			require.True(t, errors.As(err, &e), "%v", err)
			require.NotEmpty(t, e.Key)
			return
		}
		for _, id := range tok.Encode(nil, text, EncodeOptions{AddSpecial: true, ParseSpecial: true}) {
			require.True(t, id >= 0 && int(id) < tok.VocabSize())
		}
	})
}

// FuzzEncode checks, for each kind of vocabulary, that ids are tokens, that nothing of the text is lost, and that a text
// without special tokens is encoded as BPE is defined.
func FuzzEncode(f *testing.F) {
	var toks []*Tokenizer
	for _, pre := range []string{"gpt-2", "llama-bpe", "qwen2", "deepseek-llm", "deepseek-v3", "default", "gpt-4o"} {
		c := byteLevel()
		c.Pre, c.AddBOS = pre, new(false)
		toks = append(toks, mustNew(f, c))
	}
	spm := mustNew(f, sentencePiece())
	for _, s := range []string{"the abab lowlow", "  \n\t ", "é中文😀", "<tag><s></s>", "\xff\xfe\xe2\x82", "I'LL pay 1234.56!!!\r\n\r\n", "▁▁ ▁"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, tok := range toks {
			ids := tok.Encode(nil, text, EncodeOptions{AddSpecial: true})
			var raw []byte
			for _, id := range ids {
				require.True(t, id >= 0 && int(id) < tok.VocabSize())
				raw = append(raw, tok.Piece(id)...)
			}
			require.Equal(t, text, string(raw))
			require.Equal(t, string([]rune(text)), tok.Decode(ids, DecodeOptions{}))
			_ = tok.Encode(nil, text, EncodeOptions{ParseSpecial: true})
		}
		var raw []byte
		for _, id := range spm.Encode(nil, text, EncodeOptions{}) {
			require.True(t, id >= 0 && int(id) < spm.VocabSize())
			raw = append(raw, spm.Piece(id)...)
		}
		if !bytes.Contains([]byte(text), []byte(spaceMark)) && !bytes.Contains([]byte(text), []byte("<tag>")) && text != "" {
			require.Equal(t, " "+text, string(raw))
		}
	})
}
