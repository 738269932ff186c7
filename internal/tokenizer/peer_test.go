package tokenizer

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format/gguf"
)

// peer returns the program made by bench/peer/install.sh, through which llama.cpp answers: CORTEX_PEER.
func peer(t *testing.T) string {
	path := os.Getenv("CORTEX_PEER")
	if path == "" {
		require.NotEqual(t, "1", os.Getenv("CORTEX_REQUIRE_PEER"), "CORTEX_PEER does not name the peer's oracle")
		t.Skip("CORTEX_PEER does not name the peer's oracle, which bench/peer/install.sh makes")
	}
	return path
}

// peerIDs returns llama.cpp's ids of texts, which must not contain NUL.
func peerIDs(t *testing.T, oracle, model string, texts []string, opt EncodeOptions) [][]int32 {
	args := []string{"tokenize", model}
	if opt.AddSpecial {
		args = append(args, "--special")
	}
	if opt.ParseSpecial {
		args = append(args, "--parse-special")
	}
	cmd := exec.Command(oracle, args...)
	cmd.Stdin = strings.NewReader(strings.Join(texts, "\x00") + "\x00")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var all [][]int32
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		ids := []int32{}
		for _, w := range strings.Fields(s.Text()) {
			id, err := strconv.Atoi(w)
			require.NoError(t, err)
			ids = append(ids, int32(id))
		}
		all = append(all, ids)
	}
	require.Len(t, all, len(texts))
	return all
}

var everything = EncodeOptions{AddSpecial: true, ParseSpecial: true}

// compareWithPeer encodes random texts.
func compareWithPeer(t *testing.T, path string, maker *textMaker, n int, opts ...EncodeOptions) {
	oracle := peer(t)
	tok := open(t, path)
	texts := make([]string, n)
	for i := range texts {
		texts[i] = maker.text()
	}
	for _, opt := range opts {
		differ := 0
		for i, want := range peerIDs(t, oracle, path, texts, opt) {
			got := tok.Encode([]int32{}, texts[i], opt)
			if bytes.Equal(asBytes(got), asBytes(want)) {
				continue
			}
			if differ++; differ <= 5 {
				t.Errorf("%q %+v\n got %v %q\nwant %v %q", texts[i], opt, got, tok.words(got), want, tok.words(want))
			}
		}
		if differ > 0 {
			t.Errorf("%d of %d differ", differ, n)
		}
	}
}

func asBytes(ids []int32) (b []byte) {
	for _, id := range ids {
		b = strconv.AppendInt(b, int64(id), 10)
		b = append(b, ' ')
	}
	return b
}

func (t *Tokenizer) words(ids []int32) (w []string) {
	for _, id := range ids {
		w = append(w, string(t.Piece(id)))
	}
	return w
}

// TestPeer compares ids with those of llama.cpp, for every vocabulary.
func TestPeer(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 1000
	}
	peer(t)
	for i, name := range vocabs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := vocabPath(t, name)
			tok := open(t, path)
			compareWithPeer(t, path, newTextMaker(uint64(i), specialNames(tok)...), n, EncodeOptions{}, everything)
		})
	}
	t.Run("tales", func(t *testing.T) {
		path := shared(t, "models", "tales", "tales-q4_0.gguf")
		compareWithPeer(t, path, newTextMaker(99, specialNames(open(t, path))...), n, EncodeOptions{}, everything)
	})
}

// specialNames returns the names of some of a vocabulary's special tokens.
func specialNames(tok *Tokenizer) (names []string) {
	for i, typ := range tok.types {
		if typ != Normal && typ != Byte && len(names) < 60 {
			_, first := utf8.DecodeRuneInString(tok.tokens[i])
			names = append(names, tok.tokens[i], tok.tokens[i][first:])
		}
	}
	return names
}

// pairVocabulary returns the metadata of a byte-level vocabulary in which any two bytes merge, in a random order: wherever a text
// is cut into pieces shows in the tokens.
func pairVocabulary(pre string) []gguf.KV {
	tokens, types := []string{}, []int32{}
	for _, r := range byteRunes {
		tokens, types = append(tokens, string(r)), append(types, int32(Normal))
	}
	merges := []string{}
	for _, a := range byteRunes {
		for _, b := range byteRunes {
			tokens, types = append(tokens, string(a)+string(b)), append(types, int32(Normal))
			merges = append(merges, string(a)+" "+string(b))
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	rnd.Shuffle(len(merges), func(i, j int) { merges[i], merges[j] = merges[j], merges[i] })
	tokens, types = append(tokens, "<|endoftext|>"), append(types, int32(Control))
	return []gguf.KV{
		{Key: "general.architecture", Value: "llama"},
		{Key: "llama.block_count", Value: uint32(1)},
		{Key: "llama.context_length", Value: uint32(64)},
		{Key: "llama.embedding_length", Value: uint32(64)},
		{Key: "llama.feed_forward_length", Value: uint32(64)},
		{Key: "llama.attention.head_count", Value: uint32(1)},
		{Key: "llama.attention.layer_norm_rms_epsilon", Value: float32(1e-5)},
		{Key: keyModel, Value: "gpt2"},
		{Key: keyPre, Value: pre},
		{Key: keyTokens, Value: tokens},
		{Key: keyTypes, Value: types},
		{Key: keyMerges, Value: merges},
		{Key: keyPrefix + roles[BOS].key, Value: uint32(len(tokens) - 1)},
		{Key: keyPrefix + roles[EOS].key, Value: uint32(len(tokens) - 1)},
	}
}

// unlikePeer are the pre-tokenizers for which llama.cpp only approximates the model's own pattern, with the characters that
// it treats as the model does: of those beyond ASCII it does not tell small letters from capitals, and marks are no
// letters; in the last two it does not tell small letters from capitals at all.
var unlikePeer = map[string]func(r rune) bool{
	"gpt-4o": isASCII, "llama4": isASCII, "kanana2": isASCII, "minimax-m2": isASCII, "talkie": isASCII, "tekken": isASCII,
	"granite-embed-multi-97m": isASCII, "youtu": isSmall, "kimi-k2": isSmall,
}

func isASCII(r rune) bool { return r < utf8.RuneSelf }

func isSmall(r rune) bool { return isASCII(r) && (r < 'A' || r > 'Z') }

// TestPeerPre compares the pre-tokenizers.
func TestPeerPre(t *testing.T) {
	peer(t)
	for _, pre := range preTokenizers {
		for i, name := range strings.Fields(pre.names) {
			n := 400
			if i > 0 || testing.Short() {
				n = 50 // enough to see whether the name means the same
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "vocab.gguf")
				out, err := os.Create(path)
				require.NoError(t, err)
				w, err := gguf.NewWriter(out, pairVocabulary(name), nil)
				require.NoError(t, err)
				require.NoError(t, w.Close())
				require.NoError(t, out.Close())
				maker := newTextMaker(7, "<|endoftext|>", "<|endoftext")
				maker.only = unlikePeer[name]
				compareWithPeer(t, path, maker, n, everything)
			})
		}
	}
}
