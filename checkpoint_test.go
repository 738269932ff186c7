package cortex_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/testmodel"
)

// longPrompt is of several hundred tokens.
var longPrompt = strings.Repeat("once upon a time there was a fox who said to the crow ", 12)

// readingFile writes a model of several layers.
func readingFile(t testing.TB) string {
	c := testmodel.Config{Name: "reading", Layers: 8, Dim: 256, Heads: 4, KVHeads: 2, FF: 512, Vocab: 2000, Type: format.Q4_0}
	paths, err := testmodel.WriteFiles(t.TempDir(), "reading", c)
	require.NoError(t, err)
	return paths[0]
}

// reading opens the model so that it is streamed.
func reading(t require.TestingT, path string) *cortex.Model {
	o := cortex.Options{Threads: 2, ContextLength: 1024, BatchSize: 64}
	o.MemoryLimit = least(t, path, o) + 200<<10
	m, err := cortex.Open(path, &o)
	require.NoError(t, err)
	return m
}

// read generates some tokens after the long prompt. before, if not nil, is called
// while the prompt is read.
func read(ctx context.Context, m *cortex.Model, prompt, checkpoint string, before func(cortex.Progress)) (ids []int32, err error) {
	for tok, err := range m.Generate(ctx, prompt, &cortex.GenerateOptions{MaxTokens: 5, Sampling: &cortex.Sampling{}, IgnoreEnd: true,
		Checkpoint: checkpoint, Progress: before}) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, tok.ID)
	}
	return ids, nil
}

const envReading = "CORTEX_TEST_READING" // model and checkpoint of a process that is to be killed

// A process that is killed again and again while it reads a prompt ends with the
// same tokens as one that is not.
func TestCheckpointSurvivesKill(t *testing.T) {
	if file, checkpoint, ok := strings.Cut(os.Getenv(envReading), "|"); ok {
		m := reading(t, file)
		ids, err := read(context.Background(), m, longPrompt, checkpoint, func(cortex.Progress) {
			time.Sleep(time.Millisecond) // gives the parent time
		})
		require.NoError(t, err)
		fmt.Println("read:", ids)
		require.NoError(t, m.Close())
		return
	}
	path := readingFile(t)
	m := reading(t, path)
	defer m.Close()
	ids, err := read(context.Background(), m, longPrompt, "", nil)
	require.NoError(t, err)
	want := fmt.Sprintln("read:", ids)

	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	killed, resumed := 0, 0
	patience := 20 * time.Millisecond // more after every kill
	if testing.Short() {
		patience = 200 * time.Millisecond
	}
	for {
		if _, err := os.Stat(checkpoint); err == nil {
			resumed++
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestCheckpointSurvivesKill$")
		cmd.Env = append(os.Environ(), envReading+"="+path+"|"+checkpoint)
		var out strings.Builder
		cmd.Stdout = &out
		require.NoError(t, cmd.Start())
		timer := time.AfterFunc(time.Duration(20+rand.IntN(150))*time.Millisecond+patience*time.Duration(killed), func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		if err == nil {
			require.Contains(t, out.String(), want)
			break
		}
		require.NotContains(t, out.String(), "FAIL")
		killed++
	}
	t.Logf("killed %d times, %d times with a checkpoint", killed, resumed)
	require.NoFileExists(t, checkpoint)
}

func TestCheckpointOfGenerate(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	path := readingFile(t)
	m := reading(t, path)
	want, err := read(ctx, m, longPrompt, "", nil)
	require.NoError(t, err)
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	// stopAt reads until the prompt's share f is done.
	stopAt := func(f float64) {
		c, cancel := context.WithCancel(ctx)
		defer cancel()
		first := -1.0
		_, err := read(c, m, longPrompt, checkpoint, func(p cortex.Progress) {
			if first < 0 {
				first = p.Fraction
			}
			if p.Fraction >= f {
				cancel()
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Greater(t, first, f-0.3, "it has begun anew")
		require.FileExists(t, checkpoint)
	}
	for _, f := range []float64{0.2, 0.4, 0.6, 0.8} {
		stopAt(f)
	}
	_, err = read(ctx, m, longPrompt+"and", checkpoint, nil)
	require.ErrorIs(t, err, cortex.ErrCheckpoint)
	require.ErrorContains(t, err, "another prompt")
	require.FileExists(t, checkpoint)

	// A model that is mapped goes on, another one does not.
	mapped, err := cortex.Open(path, &cortex.Options{Threads: 1, ContextLength: 1024, BatchSize: 100})
	require.NoError(t, err)
	require.False(t, mapped.Plan().Streamed)
	got, err := read(ctx, mapped, longPrompt, checkpoint, nil)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.NoFileExists(t, checkpoint)
	stopAt(0.2)
	other, err := cortex.Open(path, &cortex.Options{Threads: 1, ContextLength: 1024, BatchSize: 64, KVType: cortex.KVQ8})
	require.NoError(t, err)
	_, err = read(ctx, other, longPrompt, checkpoint, nil)
	require.ErrorIs(t, err, cortex.ErrCheckpoint)
	require.ErrorContains(t, err, "another model")

	// Damage, a text file, and a loop that is left.
	data, err := os.ReadFile(checkpoint)
	require.NoError(t, err)
	for _, bad := range [][]byte{{}, []byte("a letter to my aunt"), data[:len(data)/2]} {
		require.NoError(t, os.WriteFile(checkpoint, bad, 0o600))
		_, err = read(ctx, m, longPrompt, checkpoint, nil)
		require.ErrorIs(t, err, cortex.ErrCheckpoint)
	}
	require.NoError(t, os.Remove(checkpoint))
	for _, err := range m.Generate(ctx, longPrompt, &cortex.GenerateOptions{Checkpoint: checkpoint}) {
		require.NoError(t, err)
		break
	}
	require.FileExists(t, checkpoint)
	got, err = read(ctx, m, longPrompt, checkpoint, func(p cortex.Progress) { t.Error("the prompt is read again") })
	require.NoError(t, err)
	require.Equal(t, want, got)

	_, err = read(ctx, m, longPrompt, filepath.Join(checkpoint, "no", "directory"), nil)
	require.True(t, errors.Is(err, os.ErrNotExist), "%v", err)
	for _, m := range []*cortex.Model{m, mapped, other} {
		require.NoError(t, m.Close())
	}
}

// A session whose keys and values lie in a file for the most part generates the same,
// can be saved and restored, and leaves nothing behind.
func TestKVMemory(t *testing.T) {
	path, dir := readingFile(t), t.TempDir()
	m := reading(t, path)
	want, err := read(ctx, m, longPrompt, "", nil)
	require.NoError(t, err)
	require.NoError(t, m.Close())

	o := cortex.Options{Threads: 2, ContextLength: 4096, BatchSize: 64}
	full := least(t, path, o)
	o.KVMemory, o.SpillDir = 1, dir
	o.MemoryLimit = least(t, path, o)
	require.Less(t, o.MemoryLimit, full-8<<20)
	m, err = cortex.Open(path, &o)
	require.NoError(t, err)
	got, err := read(ctx, m, longPrompt, "", nil)
	require.NoError(t, err)
	require.Equal(t, want, got)
	s, err := m.NewSession()
	require.NoError(t, err)
	ids := m.Tokenize(longPrompt, cortex.TokenizeOptions{AddSpecial: true})
	require.NoError(t, s.Eval(ctx, ids, 0, nil))
	var saved bytes.Buffer
	require.NoError(t, s.Save(&saved))
	s.Truncate(0)
	require.NoError(t, s.Restore(&saved))
	got = nil
	for tok, err := range s.Generate(ctx, "", &cortex.GenerateOptions{MaxTokens: 5, Sampling: &cortex.Sampling{}, IgnoreEnd: true}) {
		require.NoError(t, err)
		got = append(got, tok.ID)
	}
	require.Equal(t, want, got)
	require.LessOrEqual(t, m.Stats().MemoryPeak, o.MemoryLimit)
	require.NoError(t, m.Close())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)

	o.SpillDir = filepath.Join(dir, "none")
	m, err = cortex.Open(path, &o)
	require.NoError(t, err)
	_, err = m.NewSession()
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Zero(t, m.Stats().Sessions)
	require.NoError(t, m.Close())
}

// A checkpoint that cannot be used leaves the text as it was: the prompt can be given again.
func TestCheckpointRefused(t *testing.T) {
	m, err := cortex.Open(readingFile(t), &cortex.Options{Threads: 1, ContextLength: 1024, BatchSize: 64})
	require.NoError(t, err)
	defer m.Close()
	s, err := m.NewSession()
	require.NoError(t, err)
	defer s.Close()
	generate := func(s *cortex.Session, prompt, checkpoint string) error {
		o := &cortex.GenerateOptions{MaxTokens: 2, Sampling: &cortex.Sampling{}, IgnoreEnd: true, Checkpoint: checkpoint}
		for _, err := range s.Generate(t.Context(), prompt, o) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	require.NoError(t, generate(s, "once upon a time", ""))
	text := s.Tokens()
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	require.NoError(t, os.WriteFile(checkpoint, []byte("a letter"), 0o600))
	require.ErrorIs(t, generate(s, longPrompt, checkpoint), cortex.ErrCheckpoint)
	require.Equal(t, text, s.Tokens())
	require.NoError(t, os.Remove(checkpoint))
	require.NoError(t, generate(s, longPrompt, checkpoint))
	want, err := m.NewSession()
	require.NoError(t, err)
	defer want.Close()
	require.NoError(t, generate(want, "once upon a time", ""))
	require.NoError(t, generate(want, longPrompt, ""))
	require.Equal(t, want.Tokens(), s.Tokens())

	// One for larger batches than there is room for.
	c, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err = read(c, m, longPrompt, checkpoint, func(p cortex.Progress) {
		if p.Fraction > 0.2 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	less, err := cortex.Open(m.Info().File, &cortex.Options{Threads: 1, ContextLength: 1024, BatchSize: 32})
	require.NoError(t, err)
	defer less.Close()
	small, err := less.NewSession()
	require.NoError(t, err)
	defer small.Close()
	require.ErrorIs(t, generate(small, longPrompt, checkpoint), cortex.ErrCheckpoint)
	require.Zero(t, small.Len())
	require.NoError(t, os.Remove(checkpoint))

	if runtime.GOOS == "windows" {
		return // which has no locks
	}
	other, err := m.NewSession()
	require.NoError(t, err)
	defer other.Close()
	o := &cortex.GenerateOptions{Checkpoint: checkpoint, IgnoreEnd: true}
	for _, err := range want.Generate(t.Context(), longPrompt, o) {
		require.NoError(t, err)
		require.ErrorIs(t, generate(other, longPrompt, checkpoint), cortex.ErrCheckpointLocked)
		require.Zero(t, other.Len())
		break
	}
}
