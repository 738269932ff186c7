package tokenizer

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format/gguf"
)

// shared returns the path of a file in the folder of test data beside the repository. It skips the test if it is not there,
// unless the environment says that it has to be.
func shared(t testing.TB, path ...string) string {
	t.Helper()
	p := filepath.Join(append([]string{"..", "..", "..", "shared"}, path...)...)
	if _, err := os.Stat(p); err != nil {
		if os.Getenv("CORTEX_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skipf("no test data: %v", err)
	}
	return p
}

// open builds the tokenizer of a GGUF file.
func open(t testing.TB, path string) *Tokenizer {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	f, err := gguf.Parse(gguf.Part{Name: path, Data: data})
	require.NoError(t, err)
	tok, err := FromGGUF(f.Metadata)
	require.NoError(t, err)
	return tok
}

var vocabs = []string{"deepseek-llm", "gpt-2", "llama-bpe", "llama-spm", "phi-3", "qwen2"}

func vocabPath(t testing.TB, name string) string {
	return shared(t, "vocab", "ggml-vocab-"+name+".gguf")
}

// TestVectors compares with the ids that come with the vocabularies.
func TestVectors(t *testing.T) {
	for _, name := range vocabs {
		t.Run(name, func(t *testing.T) {
			path := vocabPath(t, name)
			tok := open(t, path)
			input, err := os.ReadFile(path + ".inp")
			require.NoError(t, err)
			output, err := os.ReadFile(path + ".out")
			require.NoError(t, err)

			texts := strings.Split(string(input), "\n__ggml_vocab_test__\n")
			lines := strings.Split(string(output), "\n")
			require.Greater(t, len(texts), 40)
			require.GreaterOrEqual(t, len(lines), len(texts))
			for i, text := range texts {
				want := []int32{}
				for _, s := range strings.Fields(lines[i]) {
					id, err := strconv.Atoi(s)
					require.NoError(t, err)
					want = append(want, int32(id))
				}
				got := tok.Encode([]int32{}, text, EncodeOptions{})
				require.Equal(t, want, got, "text %d: %q", i, text)
			}
		})
	}
}
