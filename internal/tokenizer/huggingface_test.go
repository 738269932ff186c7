package tokenizer

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
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
