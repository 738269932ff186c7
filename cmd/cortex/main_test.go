package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// asProgram makes the test binary behave as the program itself.
const asProgram = "CORTEX_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// result is what a command line left behind.
type result struct {
	out, err string
	status   int
}

// cortexIn runs a command line with a standard input.
func cortexIn(ctx context.Context, in string, args ...string) result {
	var out, errOut bytes.Buffer
	status := execute(ctx, args, strings.NewReader(in), &out, &errOut)
	return result{out.String(), errOut.String(), status}
}

// cortexOK runs a command line that must succeed, and returns what is on stdout.
func cortexOK(t testing.TB, args ...string) string {
	t.Helper()
	r := cortexIn(context.Background(), "", args...)
	require.Zero(t, r.status, r.err)
	require.Empty(t, r.err, "nothing is said where stderr is no terminal")
	return r.out
}

// shared returns the path of a file of the folder that is kept beside the
// repository, and skips the test where it is missing.
func shared(t testing.TB, path ...string) string {
	t.Helper()
	name := filepath.Join(append([]string{"..", "..", "..", "shared"}, path...)...)
	if _, err := os.Stat(name); err != nil {
		if os.Getenv("CORTEX_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skipf("no file %s", name)
	}
	return name
}

func TestUsageErrors(t *testing.T) {
	for _, c := range []struct {
		args string
		want string // part of the message
	}{
		{"rnu", `unknown command "rnu"; did you mean run?`},
		{"nonsense", `unknown command "nonsense"`},
		{"--nonsense", "unknown flag: --nonsense"},
		{"run --nonsense", `cortex run --help`},
		{"run a b c", `unexpected argument "c"`},
		{"run tales text -p text", "given twice"},
		{"run -p text -f file", "given twice"},
		{"run -n 0", "-n is"},
		{"run -n many", "many"},
		{"run --memory 3XB", "want a size such as 3GiB"},
		{"run --memory -5", "want a size"},
		{"run --speculate 15", "auto, off or a number from 1 to 14"},
		{"run --speculate 0", "auto, off or a number"},
		{"run --speculate often", "auto, off or a number"},
		{"run --speculate off --draft x.gguf", "of no use"},
		{"run --cache-type q8", "f16, f32, q8_0 or q4_0"},
		{"run --temp -1", "Temperature"},
		{"run --top-p 2", "TopP"},
		{"run -c -1", "ContextLength"},
		{"run -t -1", "Threads"},
		{"tokenize --ids --count -p text", "ids"},
		{"inspect tales more", `unexpected argument "more"`},
		{"perplexity", "-f FILE"},
		{"perplexity tales -f x --kl-divergence-base y", "text"},
		{"perplexity -p text -c 2", "-c"},
		{"perplexity -p text --chunks 0", "--chunks"},
		{"perplexity -p text --kl-divergence", "--kl-divergence-base"},
		{"perplexity -p text --save-kl-base x --kl-divergence-base y", "save-kl-base"},
		{"bench -o xml", "md, json or csv"},
		{"bench -p 0 -n 0", "nothing to measure"},
		{"bench -r 0", "-r"},
		{"bench -p 8,-1", "-p"},
		{"kernels now", `unexpected argument "now"`},
		{"version now", `unexpected argument "now"`},
	} {
		args := strings.Fields(c.args)
		for i := range args {
			if args[i] == "text" || args[i] == "file" || args[i] == "x" || args[i] == "y" {
				args[i] = filepath.Join(t.TempDir(), args[i]) // nothing is to be made here
			}
		}
		r := cortexIn(context.Background(), "", args...)
		require.Equal(t, exitUsage, r.status, "%s: %s", c.args, r.err)
		require.Contains(t, r.err, c.want, c.args)
		requireOneLine(t, r.err)
		require.Empty(t, r.out, c.args)
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.gguf")
	require.NoError(t, os.WriteFile(broken, []byte("GGUF but not really"), 0o600))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"run", filepath.Join(dir, "missing.gguf")}, "the first argument is the model"},
		{[]string{"run", broken}, "broken.gguf"},
		{[]string{"inspect", broken}, "broken.gguf"},
		{[]string{"tokenize", broken, "text"}, "broken.gguf"},
		{[]string{"run", "-f", filepath.Join(dir, "missing.txt")}, "missing.txt"},
		{[]string{"run", "--memory", "1MiB"}, "memory limit too small"},
		{[]string{"run", "-c", "4", "-p", "a b c d e f g h"}, "context"},
		{[]string{"perplexity", "-p", "too short"}, "one chunk takes 512"},
		{[]string{"perplexity", "--kl-divergence-base", broken}, "_logits_"},
		{[]string{"perplexity", "--kl-divergence-base", filepath.Join(dir, "missing.kld")}, "missing.kld"},
		{[]string{"perplexity", "-p", "a b c d e", "-c", "4", "--save-logits", filepath.Join(dir, "missing", "x")}, "missing"},
	} {
		r := cortexIn(context.Background(), "", c.args...)
		require.Equal(t, exitError, r.status, "%q: %s", c.args, r.err)
		require.Contains(t, r.err, c.want, c.args)
		requireOneLine(t, r.err)
	}
}

func requireOneLine(t *testing.T, message string) {
	t.Helper()
	require.True(t, strings.HasPrefix(message, "cortex: "), message)
	require.False(t, strings.HasPrefix(message, "cortex: cortex:"), message)
	require.Equal(t, 1, strings.Count(message, "\n"), message)
	require.True(t, strings.HasSuffix(message, "\n"), message)
}

func TestHelp(t *testing.T) {
	root, _ := newRoot()
	for _, c := range root.Commands() {
		help := cortexOK(t, c.Name(), "--help")
		require.Contains(t, help, "Usage:\n  cortex "+c.Name())
		if c.Name() != "version" {
			require.Contains(t, help, "Examples:\n  cortex "+c.Name(), "examples of %s", c.Name())
		}
	}
	require.Contains(t, cortexOK(t), "Available Commands:")
	require.Contains(t, cortexOK(t, "completion", "bash"), "__start_cortex")
}

func TestVersion(t *testing.T) {
	want := cortexOK(t, "version")
	require.Regexp(t, `^cortex \S+, go\S+ `+runtime.GOOS+"/"+runtime.GOARCH+`, kernels \w+\n$`, want)
	require.Equal(t, want, cortexOK(t, "--version"))
}

func TestFlagNames(t *testing.T) {
	for _, c := range []struct{ args, flag, want string }{
		{"-m x.gguf", "model", "x.gguf"},
		{"-p text", "prompt", "text"},
		{"-f file", "file", "file"},
		{"-n 5", "predict", "5"},
		{"--n-predict 5", "predict", "5"},
		{"-c 1024", "ctx-size", "1024"},
		{"--ctx_size 1024", "ctx-size", "1024"},
		{"-t 3", "threads", "3"},
		{"-b 64", "batch-size", "64"},
		{"--temp 0.5", "temp", "0.5"},
		{"--temperature 0.5", "temp", "0.5"},
		{"--top-k 7", "top-k", "7"},
		{"--top_p 0.7", "top-p", "0.7"},
		{"--min-p 0.1", "min-p", "0.1"},
		{"--typical 0.9", "typical", "0.9"},
		{"--typical-p 0.9", "typical", "0.9"},
		{"--repeat-penalty 1.1", "repeat-penalty", "1.1"},
		{"--repeat-last-n 32", "repeat-last-n", "32"},
		{"--presence-penalty 0.1", "presence-penalty", "0.1"},
		{"--frequency-penalty 0.2", "frequency-penalty", "0.2"},
		{"--seed 42", "seed", "42"},
		{"-s 42", "seed", "42"},
		{"--ignore-eos", "ignore-eos", "true"},
		{"--reverse-prompt User:", "stop", "[User:]"},
		{"--memory 2GiB", "memory", "2.0 GiB"},
		{"--memory-limit 2GiB", "memory", "2.0 GiB"},
		{"--cache-type-k f32", "cache-type", "f32"},
	} {
		root, _ := newRoot()
		run, _, err := root.Find([]string{"run"})
		require.NoError(t, err)
		require.NoError(t, run.ParseFlags(strings.Fields(c.args)), c.args)
		require.Equal(t, c.want, run.Flags().Lookup(c.flag).Value.String(), c.args)
	}
}

func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no way to send Ctrl-C to another process")
	}
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) { interrupt(t, sig) })
	}
}

func interrupt(t *testing.T, sig os.Signal) {
	cmd := exec.Command(os.Args[0], "run", "--ignore-eos", "-c", "100000", "--seed", "1", "--status")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	killer := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer killer.Stop()

	text := make([]byte, 1)
	_, err = out.Read(text)
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Signal(sig))
	var rest bytes.Buffer
	_, err = rest.ReadFrom(out)
	require.NoError(t, err)
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	require.Equal(t, exitInterrupted, exit.ExitCode(), errOut.String())
	require.Contains(t, errOut.String(), "interrupted")
	require.NotContains(t, errOut.String(), "cortex:")
	require.True(t, strings.HasSuffix(rest.String(), "\n"), "the line is ended")
}

func TestInterruptWhileWaitingForInput(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	var out, errOut bytes.Buffer
	require.Equal(t, exitInterrupted, execute(ctx, []string{"run", "-f", "-"}, r, &out, &errOut))
	require.Empty(t, errOut.String())
	require.NoError(t, w.Close()) // ends the reading that was left behind
}
