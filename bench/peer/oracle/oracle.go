package oracle

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Find returns the program's path. It skips the test where there is none.
func Find(t testing.TB) string {
	t.Helper()
	path := os.Getenv("CORTEX_PEER")
	switch {
	case path != "":
	case os.Getenv("CORTEX_REQUIRE_PEER") == "1":
		t.Fatal("CORTEX_PEER does not name the peer's oracle, which bench/peer/install.sh makes")
	default:
		t.Skip("CORTEX_PEER does not name the peer's oracle, which bench/peer/install.sh makes")
	}
	return path
}

// TokenizeOptions for [Tokenize], as in llama.cpp.
type TokenizeOptions struct {
	AddSpecial   bool // begin and end with the tokens that the model wants there
	ParseSpecial bool // the texts of special tokens mean those tokens
}

// Tokenize returns the ids of each text. model is a GGUF file, of which only the
// vocabulary is needed. No text may contain a NUL byte, which ends one.
func Tokenize(t testing.TB, model string, texts []string, o TokenizeOptions) [][]int32 {
	t.Helper()
	args := []string{"tokenize", model}
	if o.AddSpecial {
		args = append(args, "--special")
	}
	if o.ParseSpecial {
		args = append(args, "--parse-special")
	}
	for _, text := range texts {
		if strings.Contains(text, "\x00") {
			t.Fatalf("a text contains a NUL byte: %q", text)
		}
	}
	all := make([][]int32, len(texts))
	for i, line := range lines(t, run(t, strings.Join(texts, "\x00")+"\x00", args...), len(texts)) {
		all[i] = ids(t, line)
	}
	return all
}

// Continuation is what llama.cpp finds likeliest after a prompt.
type Continuation struct {
	IDs     []int32
	Margins []float32 // how far each token's logit is above the second largest
}

// Greedy continues each prompt by n tokens, always with the likeliest one,
// whether it ends the text or not. kv is the type of keys and values, "f16" or
// "f32"; with f32 there is no flash attention, which would round to f16 again.
func Greedy(t testing.TB, model string, prompts [][]int32, n int, kv string) []Continuation {
	t.Helper()
	var in strings.Builder
	for _, p := range prompts {
		writeIDs(&in, p)
	}
	out := run(t, in.String(), "greedy", model, "-n", strconv.Itoa(n), "--margins", "-t", "1", "--kv", kv)
	all := make([]Continuation, len(prompts))
	for i, line := range lines(t, out, len(prompts)) {
		left, right, _ := strings.Cut(line, "\t")
		c := &all[i]
		c.IDs = ids(t, left)
		for _, word := range strings.Fields(right) {
			f, err := strconv.ParseFloat(word, 32)
			must(t, err)
			c.Margins = append(c.Margins, float32(f))
		}
		if len(c.IDs) != n || len(c.Margins) != n {
			t.Fatalf("the oracle gave %d tokens and %d margins, not %d", len(c.IDs), len(c.Margins), n)
		}
	}
	return all
}

// Logits returns the logits after each of the ids, one row of the vocabulary
// for each.
func Logits(t testing.TB, model string, ids []int32) [][]float32 {
	t.Helper()
	var in strings.Builder
	writeIDs(&in, ids)
	file := filepath.Join(t.TempDir(), "logits")
	run(t, in.String(), "logits", model, "-o", file, "-c", strconv.Itoa(max(4, len(ids))), "-t", "1")
	raw, err := os.ReadFile(file)
	must(t, err)
	all := make([]float32, len(raw)/4)
	_, err = binary.Decode(raw, binary.LittleEndian, all)
	must(t, err)
	rows := make([][]float32, len(ids))
	vocab := len(all) / len(ids)
	for i := range rows {
		rows[i] = all[i*vocab : (i+1)*vocab]
	}
	return rows
}

// Score is the perplexity of a text, as llama-perplexity defines it.
type Score struct {
	Perplexity float64
	Error      float64 // standard error of the perplexity
	Chunks     int
	Scored     int // tokens
}

// Perplexity scores the first chunks of context tokens of a text file.
func Perplexity(t testing.TB, model, text string, context, chunks int) Score {
	t.Helper()
	return score(t, "perplexity", model, text, context, chunks)
}

// KLDBase does what [Perplexity] does and writes the predictions to the file out,
// in the format that package perplexity reads.
func KLDBase(t testing.TB, model, text string, context, chunks int, out string) Score {
	t.Helper()
	return score(t, "kld-base", model, text, context, chunks, "-o", out)
}

func score(t testing.TB, command, model, text string, context, chunks int, more ...string) (s Score) {
	t.Helper()
	args := append([]string{command, model, "-f", text, "-c", strconv.Itoa(context), "--chunks", strconv.Itoa(chunks), "-t", "1"}, more...)
	must(t, json.Unmarshal([]byte(run(t, "", args...)), &s))
	return s
}

// run returns what the program writes to stdout.
func run(t testing.TB, in string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Find(t), args...)
	cmd.Stdin = strings.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, &stderr)
	}
	return string(out)
}

// lines cuts text into n lines.
func lines(t testing.TB, text string, n int) []string {
	t.Helper()
	all := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(all) != n {
		t.Fatalf("the oracle gave %d lines, not %d", len(all), n)
	}
	return all
}

// ids reads a line of token ids.
func ids(t testing.TB, line string) []int32 {
	t.Helper()
	all := []int32{}
	for _, word := range strings.Fields(line) {
		id, err := strconv.ParseInt(word, 10, 32)
		must(t, err)
		all = append(all, int32(id))
	}
	return all
}

// writeIDs writes a line of token ids.
func writeIDs(b *strings.Builder, ids []int32) {
	for _, id := range ids {
		b.WriteString(strconv.Itoa(int(id)))
		b.WriteByte(' ')
	}
	b.WriteByte('\n')
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
