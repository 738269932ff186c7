package cortex_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/testmodel"
	"github.com/cortexsdr/cortex/loader"
)

// larger writes a model of some MiB, more than a ring takes.
func larger(t testing.TB, tied bool, splits int) string {
	c := testmodel.Config{Name: "larger", Layers: 3, Dim: 512, Heads: 8, KVHeads: 2, FF: 1024, Vocab: 2000, Tied: tied,
		Type: format.F16, Splits: splits}
	paths, err := testmodel.WriteFiles(t.TempDir(), "larger", c)
	require.NoError(t, err)
	return paths[0]
}

// least returns the smallest memory limit that works.
func least(t require.TestingT, path string, o cortex.Options) int64 {
	o.MemoryLimit = 1
	_, _, err := cortex.Inspect(path, &o)
	var e *cortex.MemoryError
	require.ErrorAs(t, err, &e)
	return e.Need
}

func generate(t require.TestingT, m *cortex.Model, n int) (ids []int32) {
	for tok, err := range m.Generate(context.Background(), "once upon a time there was", &cortex.GenerateOptions{
		MaxTokens: n, Sampling: &cortex.Sampling{}, IgnoreEnd: true}) {
		require.NoError(t, err)
		ids = append(ids, tok.ID)
	}
	return ids
}

// A model that does not fit is streamed, from the smallest limit that is named up
// to what it takes mapped, with the same result and within the limit.
func TestStreamedModel(t *testing.T) {
	for _, c := range []struct {
		tied   bool
		splits int
	}{{false, 1}, {true, 2}} {
		path := larger(t, c.tied, c.splits)
		o := cortex.Options{Threads: 2, ContextLength: 256, BatchSize: 32}
		o.MemoryLimit = 1 << 30
		m, err := cortex.Open(path, &o)
		require.NoError(t, err)
		full := m.Plan()
		require.False(t, full.Streamed)
		want := generate(t, m, 3)
		require.Zero(t, m.Stats().BytesStreamed)
		require.NoError(t, m.Close())

		low := least(t, path, o)
		require.Less(t, low, full.Total())
		o.MemoryLimit = (low + full.Total()) / 2
		_, p, err := cortex.Inspect(path, &o)
		require.NoError(t, err)
		require.True(t, p.Streamed)
		require.Contains(t, p.Memory, cortex.MemoryItem{Name: "pinned weights", Bytes: p.PinnedBytes})
		require.Contains(t, p.Memory, cortex.MemoryItem{Name: "streaming ring", Bytes: p.RingBytes})
		require.Contains(t, p.String(), "streamed per token")
		require.Less(t, p.StreamedPerToken, p.BytesPerToken)

		o.MemoryLimit = low - 1
		_, err = cortex.Open(path, &o)
		require.ErrorIs(t, err, cortex.ErrMemoryLimit)

		limits := rapid.Int64Range(low, full.Total()-1)
		rapid.Check(t, func(t *rapid.T) {
			o.MemoryLimit = limits.Draw(t, "limit")
			o.Threads = rapid.IntRange(1, 3).Draw(t, "threads")
			o.MemoryLimit = max(o.MemoryLimit, least(t, path, o))
			m, err := cortex.Open(path, &o)
			require.NoError(t, err)
			defer func() { require.NoError(t, m.Close()) }()
			p := m.Plan()
			if p.Total() > o.MemoryLimit {
				t.Fatalf("the layout takes %d of %d", p.Total(), o.MemoryLimit)
			}
			require.Equal(t, want, generate(t, m, 3))
			st := m.Stats()
			require.LessOrEqual(t, st.MemoryPeak, o.MemoryLimit)
			if !p.Streamed { // more threads took more memory, and less is left over
				return
			}
			passes := st.GeneratedTokens + 1
			require.GreaterOrEqual(t, st.BytesStreamed, passes*(p.StreamedPerToken-16<<10))
			require.LessOrEqual(t, st.BytesStreamed, passes*p.StreamedPerToken+p.RingBytes+st.PromptTokens*16<<10)
		})
	}
}

// A session survives a file that is cut off under it: the call fails with an
// error that names the place, and everything can be closed.
func TestStreamedModelIsTruncated(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("truncating a mapped file is tested on linux")
	}
	path := larger(t, false, 1)
	o := cortex.Options{Threads: 2, ContextLength: 256, BatchSize: 32}
	o.MemoryLimit = least(t, path, o)
	m, err := cortex.Open(path, &o)
	require.NoError(t, err)
	n := 0
	for _, err = range m.Generate(context.Background(), "once", &cortex.GenerateOptions{MaxTokens: 10, IgnoreEnd: true}) {
		if n++; n == 2 {
			require.NoError(t, os.Truncate(path, 4<<20))
		}
	}
	require.ErrorIs(t, err, loader.ErrTruncated)
	var e *loader.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, filepath.Base(path), filepath.Base(e.File))
	require.NotEmpty(t, e.Tensor)
	require.NoError(t, m.Close())
}

// A streamed model has room for the sessions that the options name, and says what
// one more would need.
func TestSessionsOfStreamedModel(t *testing.T) {
	path := larger(t, false, 1)
	o := cortex.Options{Threads: 1, ContextLength: 256, BatchSize: 32, Sessions: 2}
	o.MemoryLimit = least(t, path, o) + 8<<20
	open := func() (*cortex.Model, []*cortex.Session, error) {
		m, err := cortex.Open(path, &o)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		require.True(t, m.Plan().Streamed)
		var sessions []*cortex.Session
		for range o.Sessions {
			s, err := m.NewSession()
			require.NoError(t, err)
			sessions = append(sessions, s)
		}
		s, err := m.NewSession()
		require.Nil(t, s)
		return m, sessions, err
	}
	_, _, err := open()
	var e *cortex.MemoryError
	require.ErrorAs(t, err, &e)
	require.ErrorContains(t, err, "Options.Sessions")
	require.LessOrEqual(t, e.Need, o.MemoryLimit, "the pinned weights could make room")

	o.Sessions, o.MemoryLimit = 3, max(e.Need, o.MemoryLimit)
	m, sessions, err := open()
	require.ErrorIs(t, err, cortex.ErrMemoryLimit)
	require.NoError(t, sessions[0].Eval(context.Background(), []int32{1, 2, 3}, 0, nil))
	var saved bytes.Buffer
	require.NoError(t, sessions[0].Save(&saved))
	require.NoError(t, sessions[1].Restore(&saved))
	require.Equal(t, 3, sessions[1].Len())
	require.LessOrEqual(t, m.Stats().MemoryPeak, o.MemoryLimit)

	o.Sessions = -1
	_, err = cortex.Open(path, &o)
	require.ErrorIs(t, err, cortex.ErrOptions)
}

func TestBytesAreNotStreamed(t *testing.T) {
	data, err := os.ReadFile(larger(t, false, 1))
	require.NoError(t, err)
	_, _, err = cortex.InspectBytes("m", data, &cortex.Options{Threads: 1, ContextLength: 256, BatchSize: 32, MemoryLimit: 40 << 20})
	var e *cortex.MemoryError
	require.True(t, errors.As(err, &e) && e.Need > int64(len(data)), "%v", err)
}

// A Progress that panics leaves neither goroutines nor memory behind, wherever it is called from: goleak looks.
func TestProgressPanics(t *testing.T) {
	path := larger(t, false, 1)
	o := cortex.Options{Threads: 2, ContextLength: 256, BatchSize: 32, Progress: func(cortex.Progress) { panic("enough") }}
	_, mapped, err := cortex.Inspect(path, &o)
	require.NoError(t, err)
	limit := (least(t, path, o) + mapped.Total()) / 2
	for _, limit := range []int64{limit, 1 << 30} {
		o.MemoryLimit = limit
		require.PanicsWithValue(t, "enough", func() { _, _ = cortex.Open(path, &o) })
	}

	o.Progress, o.MemoryLimit = nil, limit
	m, err := cortex.Open(path, &o)
	require.NoError(t, err)
	want := generate(t, m, 3)
	require.PanicsWithValue(t, "enough", func() {
		for range m.Generate(context.Background(), "once upon a time", &cortex.GenerateOptions{Progress: func(cortex.Progress) { panic("enough") }}) {
		}
	})
	require.Equal(t, want, generate(t, m, 3))
	require.NoError(t, m.Close())
}

// The forecast adds up, and what it says would help does.
func TestForecast(t *testing.T) {
	path := larger(t, false, 1)
	o := cortex.Options{Threads: 2, ContextLength: 256, BatchSize: 32}
	o.MemoryLimit = least(t, path, o) + 1<<20
	_, p, err := cortex.Measure(path, &o)
	require.NoError(t, err)
	require.True(t, p.Streamed)
	require.Positive(t, p.Disk.BytesPerSecond)
	require.Positive(t, p.Disk.Readers)
	require.Positive(t, p.MemoryBytesPerSecond)
	require.Positive(t, p.PromptTokensPerSecond)
	_, inspected, err := cortex.Inspect(path, &o)
	require.NoError(t, err)
	require.Equal(t, inspected.Memory, p.Memory, "measuring does not change the layout")
	m, err := cortex.Open(path, &o)
	require.NoError(t, err)
	require.Positive(t, m.Plan().Disk.BytesPerSecond)
	require.NoError(t, m.Close())

	p.Disk.BytesPerSecond, p.MemoryBytesPerSecond, p.PromptTokensPerSecond = 1e6, 1e9, 1000
	p.PromptReadsOnce = false
	f := p.Forecast(40)
	require.InEpsilon(t, float64(p.StreamedPerToken)/1e6, f.Disk.Seconds(), 1e-6)
	require.InEpsilon(t, f.Token.Seconds(), f.Disk.Seconds(), 0.01)
	require.InEpsilon(t, float64(p.BytesPerToken+40*p.KVBytesPerToken)/1e9, f.Compute.Seconds(), 1e-6)
	require.InEpsilon(t, 2*f.Token.Seconds(), f.Prompt.Seconds(), 0.01, "two batches, each of which waits for the disk")
	p.PromptReadsOnce = true
	require.Less(t, p.Forecast(40).Prompt, f.Token*11/10, "the second one does not")
	with := func(limit int64) cortex.Plan {
		o.MemoryLimit = limit
		_, p, err := cortex.Inspect(path, &o)
		require.NoError(t, err)
		return p
	}
	for _, a := range f.Advice {
		switch a.What {
		case "twice as fast":
			require.InDelta(t, f.Token.Seconds()/2, a.Token.Seconds(), 1e-3)
			require.LessOrEqual(t, with(a.MemoryLimit).StreamedPerToken, p.StreamedPerToken/2+64<<10)
			require.Greater(t, with(a.MemoryLimit-64<<10).StreamedPerToken, p.StreamedPerToken/2)
		case "nothing is streamed":
			require.False(t, with(a.MemoryLimit).Streamed)
			require.True(t, with(a.MemoryLimit-1).Streamed)
		}
	}
	require.Contains(t, f.String(), "nothing is streamed")
	require.Contains(t, f.String(), ".cortex file")
	require.NotContains(t, f.String(), "speculation", "which is on")
	p.DraftTokens = 0
	require.Contains(t, p.Forecast(40).String(), "speculation")
	p.Sparsity = 0.5
	require.NotContains(t, p.Forecast(40).String(), "channels")

	p.Disk.BytesPerSecond = 1e12 // the processors decide
	require.Equal(t, p.Forecast(0).Compute, p.Forecast(0).Token)
	require.Zero(t, inspected.Forecast(10).Token, "nothing was measured")
}

// A file that is replaced while it is in use goes on being read as it was.
func TestStreamedModelIsReplaced(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be replaced on windows")
	}
	path := larger(t, false, 1)
	o := cortex.Options{Threads: 2, ContextLength: 256, BatchSize: 32}
	o.MemoryLimit = least(t, path, o)
	m, err := cortex.Open(path, &o)
	require.NoError(t, err)
	want := generate(t, m, 3)
	other := path + ".new"
	require.NoError(t, os.WriteFile(other, make([]byte, 1000), 0o600))
	require.NoError(t, os.Rename(other, path))
	require.Equal(t, want, generate(t, m, 3))
	require.NoError(t, m.Close())
	_, err = cortex.Open(path, &o)
	require.ErrorIs(t, err, format.ErrFormat)
}
