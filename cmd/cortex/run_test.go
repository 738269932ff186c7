package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/examples/tales"
)

func TestRunTellsAStory(t *testing.T) {
	story := cortexOK(t, "run", "-n", "40", "--seed", "1")
	require.True(t, strings.HasPrefix(story, tales.Opening), story)
	require.True(t, strings.HasSuffix(story, "\n"))
	require.Greater(t, len(strings.Fields(story)), 20)
	require.Equal(t, story, cortexOK(t, "run", "-n", "40", "--seed", "1", "-t", "1"), "the same seed, the same text")
	require.NotEqual(t, story, cortexOK(t, "run", "-n", "40", "--seed", "2"))
	require.NotEqual(t, cortexOK(t, "run", "-n", "40"), cortexOK(t, "run", "-n", "40"), "no seed, another text")
	require.Equal(t, cortexOK(t, "run", "-n", "40", "--seed", "0"), cortexOK(t, "run", "-n", "40", "--seed", "0"), "0 is a seed")
}

func TestRunWaysToGiveThePrompt(t *testing.T) {
	const prompt = "The fox said to the crow"
	args := []string{"run", "-n", "8", "--temp", "0"}
	want := cortexOK(t, append(args, "-p", prompt)...)
	require.True(t, strings.HasPrefix(want, prompt))
	require.Equal(t, want, cortexOK(t, append(args, "tales", prompt)...))
	require.Equal(t, want, cortexOK(t, append(args, "-m", "tales", prompt)...))

	file := filepath.Join(t.TempDir(), "prompt.txt")
	require.NoError(t, os.WriteFile(file, []byte(prompt+"\n"), 0o600))
	require.Equal(t, want, cortexOK(t, append(args, "-f", file)...), "the newline at the end is no part of it")
	require.Equal(t, want, cortexIn(context.Background(), prompt, append(args, "-f", "-")...).out)

	model := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, os.WriteFile(model, tales.GGUF, 0o600))
	require.Equal(t, want, cortexOK(t, append(args, model, prompt)...))
	require.Equal(t, want, prompt+cortexOK(t, append(args, "-p", prompt, "--no-display-prompt")...))
}

func TestRunOptions(t *testing.T) {
	greedy := cortexOK(t, "run", "-n", "30", "--temp", "0", "--no-display-prompt")
	words := strings.Fields(greedy)
	before, _, found := strings.Cut(greedy, words[5])
	require.True(t, found)
	require.Equal(t, strings.TrimSuffix(before, "\n"),
		strings.TrimSuffix(cortexOK(t, "run", "-n", "30", "--temp", "0", "--no-display-prompt", "--stop", words[5]), "\n"))

	require.NotEqual(t, greedy, cortexOK(t, "run", "-n", "30", "--temp", "0", "--no-display-prompt", "--repeat-penalty", "2"))
	require.Equal(t, greedy, cortexOK(t, "run", "-n", "30", "--temp", "0", "--no-display-prompt", "--repeat-penalty", "2", "--repeat-last-n", "0"))
	require.Equal(t, greedy, cortexOK(t, "run", "-n", "30", "--top-k", "1", "--no-display-prompt"))

	// <|user|> is one token, or text.
	require.Equal(t, int64(2), lastLine(t, "run", "-n", "1", "--json", "-p", "<|user|>").Stats.PromptTokens)
	require.Greater(t, lastLine(t, "run", "-n", "1", "--json", "-p", "<|user|>", "--no-parse-special").Stats.PromptTokens, int64(2))
}

// lastLine runs a command with --json and returns its last line.
func lastLine(t *testing.T, args ...string) resultJSON {
	t.Helper()
	_, last := readRunJSON(t, cortexOK(t, args...))
	return last
}

// readRunJSON reads what run --json wrote.
func readRunJSON(t *testing.T, out string) (tokens []tokenJSON, last resultJSON) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	for _, line := range lines[:len(lines)-1] {
		var tok tokenJSON
		require.NoError(t, json.Unmarshal([]byte(line), &tok), line)
		tokens = append(tokens, tok)
	}
	d := json.NewDecoder(strings.NewReader(lines[len(lines)-1]))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&last))
	require.True(t, last.Done)
	return tokens, last
}

func TestRunJSON(t *testing.T) {
	args := []string{"run", "-n", "12", "--seed", "5", "-p", "The fox"}
	tokens, last := readRunJSON(t, cortexOK(t, append(args, "--json")...))
	var text strings.Builder
	for _, tok := range tokens {
		text.WriteString(tok.Text)
	}
	require.Equal(t, strings.TrimSpace(cortexOK(t, append(args, "--no-display-prompt")...)), strings.TrimSpace(text.String()))
	require.Len(t, tokens, 12)
	require.Equal(t, 12, last.Generated)
	require.Equal(t, "length", last.Stop)
	require.Equal(t, uint64(5), last.Seed)
	require.Equal(t, int64(3), last.Stats.PromptTokens)
	require.Equal(t, int64(11), last.Stats.GeneratedTokens)
	require.Positive(t, last.Stats.GenerateRate)
	require.Positive(t, last.Stats.BytesRead)
	require.LessOrEqual(t, last.Stats.MemoryPeak, last.Stats.MemoryLimit)

	again := lastLine(t, "run", "-n", "4", "--json")
	require.NotZero(t, again.Seed, "a random seed is told, so that the text can be had again")
	require.Equal(t, "context", lastLine(t, "run", "-c", "16", "--json", "--ignore-eos").Stop)
}

func TestRunStatus(t *testing.T) {
	r := cortexIn(context.Background(), "", "run", "-n", "4", "--seed", "9", "--status", "--memory", "1GiB")
	require.Zero(t, r.status)
	require.Regexp(t, `^4 tokens, [\d.]+ tokens/s; [\d.]+ MiB of 1\.0 GiB; read [\d.]+ MiB; prompt 5, [\d.]+ tokens/s; seed 9; length reached\n$`, r.err)
}

func TestRunLogs(t *testing.T) {
	r := cortexIn(context.Background(), "", "run", "-n", "1", "-v")
	require.Zero(t, r.status)
	require.Contains(t, r.err, `msg="model opened"`)
}

func TestRunInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var lines []string
	out := &lineWriter{each: func(line string) {
		lines = append(lines, line)
		if len(lines) == 3 {
			cancel()
		}
	}}
	var errOut strings.Builder
	status := execute(ctx, []string{"run", "--ignore-eos", "-c", "50000", "--json"}, strings.NewReader(""), out, &errOut)
	require.Equal(t, exitInterrupted, status)
	require.Empty(t, errOut.String())
	_, last := readRunJSON(t, strings.Join(lines, ""))
	require.Equal(t, interrupted, last.Stop)
	require.Equal(t, len(lines)-1, last.Generated)
}

// lineWriter hands on every line.
type lineWriter struct {
	each func(line string)
	buf  strings.Builder
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.buf.Write(p)
	r := bufio.NewReader(strings.NewReader(w.buf.String()))
	w.buf.Reset()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			w.buf.WriteString(line)
			return len(p), nil
		}
		w.each(line)
	}
}

func TestRunToABrokenPipe(t *testing.T) {
	var errOut strings.Builder
	status := execute(context.Background(), []string{"run", "-n", "4"}, strings.NewReader(""), brokenPipe{}, &errOut)
	require.Equal(t, exitError, status)
	require.Contains(t, errOut.String(), os.ErrClosed.Error())
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

// Drafts change the speed, not the text.
func TestRunSpeculates(t *testing.T) {
	model := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, os.WriteFile(model, tales.GGUF, 0o600))
	const again = "The fox said to the crow: no. The crow said to the fox: no. "
	args := []string{"run", "-n", "100", "--temp", "0", "--ignore-eos", "-c", "256", "-p", strings.Repeat(again, 3)}
	want := cortexOK(t, append(args, "--speculate", "off")...)
	for _, more := range [][]string{{}, {"--speculate", "4"}, {"--draft", model}, {"--draft", model, "--speculate", "14"}} {
		require.Equal(t, want, cortexOK(t, append(args, more...)...), "%v", more)
	}

	st := lastLine(t, append(args, "--json")...).Stats
	require.Equal(t, st.GeneratedTokens, st.GeneratePasses, "what is mapped does without")
	require.Zero(t, st.DraftedTokens)
	st = lastLine(t, append(args, "--json", "--draft", model)...).Stats
	require.Equal(t, int64(99), st.GeneratedTokens)
	require.Less(t, st.GeneratePasses, st.GeneratedTokens)
	require.Positive(t, st.AcceptedTokens)
	require.LessOrEqual(t, st.AcceptedTokens, st.DraftedTokens)
	require.Equal(t, st.GeneratedTokens-st.GeneratePasses, st.AcceptedTokens, "a pass gives a token, and what was accepted")

	r := cortexIn(context.Background(), "", append(args, "--status", "--draft", model)...)
	require.Zero(t, r.status)
	require.Regexp(t, `; \d\.\d tokens per pass, \d+ % of \d+ drafts right; `, r.err)
}
