package cortex_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/cortex"
)

// begin writes the first n steps of the items, of which a step is a block or 100000 bytes, and returns the writer.
func begin(t require.TestingT, path string, o cortex.Options, items []item, n int) *cortex.Writer {
	w, err := cortex.NewWriter(path, o)
	require.NoError(t, err)
	w.SetMetadata(meta)
	for _, it := range items {
		if n == 0 {
			break
		}
		if it.blocks == nil {
			r, err := w.AddRows(it.rows.Name, it.rows.Type, it.rows.Shape)
			require.NoError(t, err)
			for left := it.data[r.Written():]; len(left) > 0 && n > 0; n-- {
				k, err := r.Write(left[:min(len(left), 100_000)])
				require.NoError(t, err)
				left = left[k:]
			}
			continue
		}
		p, err := w.AddProduct(it.product)
		require.NoError(t, err)
		for i := range it.blocks {
			if p.Next() <= i*it.product.BlockChannels && n > 0 {
				require.NoError(t, p.WriteBlock(it.blocks[i]))
				n--
			}
		}
	}
	return w
}

// contents returns the bytes of files.
func contents(t require.TestingT, paths []string) (all [][]byte) {
	for _, p := range paths {
		b, err := os.ReadFile(p)
		require.NoError(t, err)
		all = append(all, b)
	}
	return all
}

// A writer that continues the work of others, however often they were interrupted and whatever was lost of what they had
// written, makes the same files as one that was not.
func TestResume(t *testing.T) {
	items := small()
	options := []cortex.Options{{Job: "a"}, {Job: "a", Shards: 3}, {Job: "a", ShardBytes: 400_000}}
	var wants [][][]byte
	for _, o := range options {
		wants = append(wants, contents(t, write(t, filepath.Join(t.TempDir(), "m.cortex"), o, items)))
	}
	rapid.Check(t, func(rt *rapid.T) {
		mode := rapid.IntRange(0, len(options)-1).Draw(rt, "options")
		o, want := options[mode], wants[mode]
		dir := t.TempDir()
		path := filepath.Join(dir, "m.cortex")
		for range rapid.IntRange(1, 3).Draw(rt, "interruptions") {
			w := begin(rt, path, o, items, rapid.IntRange(0, 50).Draw(rt, "steps"))
			require.NoError(rt, w.Suspend())
			require.NoError(rt, w.Suspend(), "again does nothing")
			left, err := filepath.Glob(filepath.Join(dir, "*"))
			require.NoError(rt, err)
			for _, p := range left { // what a crash of the system may do to files that were not synced
				require.NotEqual(rt, cortex.Extension, filepath.Ext(p), "nothing has its name yet")
				switch rapid.IntRange(0, 5).Draw(rt, "damage of "+filepath.Base(p)) {
				case 0:
					info, err := os.Stat(p)
					require.NoError(rt, err)
					require.NoError(rt, os.Truncate(p, rapid.Int64Range(0, info.Size()).Draw(rt, "size")))
				case 1:
					b := contents(rt, []string{p})[0]
					if len(b) > 0 {
						at := rapid.IntRange(0, len(b)-1).Draw(rt, "at")
						clear(b[at:min(len(b), at+4096)])
						require.NoError(rt, os.WriteFile(p, b, 0o600))
					}
				}
			}
		}
		require.Equal(rt, want, contents(rt, finish(rt, path, o, items)))
		left, err := filepath.Glob(filepath.Join(dir, "*"))
		require.NoError(rt, err)
		require.Len(rt, left, len(want), "nothing is left behind: %v", left)
	})
}

// A writer that could not give all files their names leaves nothing that can be opened, and the next one goes on.
func TestResumeOfNaming(t *testing.T) {
	for _, o := range []cortex.Options{{Job: "a"}, {Job: "a", Shards: 3}} {
		path := filepath.Join(t.TempDir(), "m.cortex")
		want := write(t, filepath.Join(t.TempDir(), "m.cortex"), o, small())
		for stuck := range want {
			names := make([]string, len(want))
			for i := range want {
				names[i] = filepath.Join(filepath.Dir(path), filepath.Base(want[i]))
			}
			require.NoError(t, os.MkdirAll(filepath.Join(names[stuck], "x"), 0o777)) // what no file can replace
			w := begin(t, path, o, small(), 1<<30)
			require.Error(t, w.Close())
			require.NoError(t, w.Suspend())
			require.NoError(t, os.RemoveAll(names[stuck]))
			for i := range want {
				_, err := cortex.Find(names[i])
				require.Error(t, err)
			}
			require.Equal(t, contents(t, want), contents(t, finish(t, path, o, small())))
			for _, name := range names {
				require.NoError(t, os.Remove(name))
			}
		}
	}
}

func TestOneWriterAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.cortex")
	w, err := cortex.NewWriter(path, cortex.Options{Job: "a"})
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		_, err = cortex.NewWriter(path, cortex.Options{Job: "b"})
		require.ErrorContains(t, err, "m.cortex.journal: another process is writing")
	}
	require.NoError(t, w.Abort())
	w, err = cortex.NewWriter(path, cortex.Options{})
	require.NoError(t, err)
	require.NoError(t, w.Abort())
}

// finish writes what is missing.
func finish(t require.TestingT, path string, o cortex.Options, items []item) []string {
	w := begin(t, path, o, items, 1<<30)
	require.NoError(t, w.Close())
	require.NoError(t, w.Suspend(), "does nothing")
	require.NoError(t, w.Abort(), "does nothing")
	return w.Paths()
}

func TestResumeSkipsWhatIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.cortex")
	o := cortex.Options{Job: "a"}
	rows, product := small()[4], small()[2]
	require.NoError(t, begin(t, path, o, []item{rows}, 22).Suspend())
	w, err := cortex.NewWriter(path, o)
	require.NoError(t, err)
	r, err := w.AddRows(rows.rows.Name, rows.rows.Type, rows.rows.Shape)
	require.NoError(t, err)
	require.Equal(t, int64(2<<20), r.Written(), "of 2200000 bytes one whole piece")
	require.Equal(t, r.Written(), w.Written())
	_, err = r.Write(rows.data[r.Written():])
	require.NoError(t, err)
	p, err := w.AddProduct(product.product)
	require.NoError(t, err)
	require.Zero(t, p.Next())
	require.NoError(t, p.WriteBlock(product.blocks[0]))
	require.NoError(t, w.Suspend())

	// Another job, and another order of entries, begin anew.
	w, err = cortex.NewWriter(path, o)
	require.NoError(t, err)
	p, err = w.AddProduct(product.product)
	require.NoError(t, err)
	require.Zero(t, p.Next())
	require.NoError(t, w.Suspend())
	o.Job = "b"
	require.NoError(t, begin(t, path, o, []item{rows}, 22).Suspend())
	o.Job = "a"
	w, err = cortex.NewWriter(path, o)
	require.NoError(t, err)
	r, err = w.AddRows(rows.rows.Name, rows.rows.Type, rows.rows.Shape)
	require.NoError(t, err)
	require.Zero(t, r.Written())

	require.NoError(t, w.Abort())
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestMain lets the test's program be the writer that is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("CORTEX_TEST_WRITE"); path != "" {
		o := cortex.Options{Job: "a", Shards: 3}
		if os.Getenv("CORTEX_TEST_BYTES") != "" {
			o = cortex.Options{Job: "a", ShardBytes: 400_000}
		}
		w := begin(panics{}, path, o, small(), 1<<30)
		if err := w.Close(); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// panics is a test that panics when it fails.
type panics struct{}

func (panics) Errorf(text string, args ...any) { panic(fmt.Sprintf(text, args...)) }
func (panics) FailNow()                        { panic("failed") }

// A process that writes is killed again and again. What it leaves behind can never be opened unless it is whole, and in the
// end the files are as if nothing had happened.
func TestKilledWriter(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	for _, mode := range []string{"", "bytes"} {
		o := cortex.Options{Job: "a", Shards: 3}
		if mode != "" {
			o = cortex.Options{Job: "a", ShardBytes: 400_000}
		}
		want := contents(t, write(t, filepath.Join(t.TempDir(), "m.cortex"), o, small()))
		path := filepath.Join(t.TempDir(), "m.cortex")
		run := func(limit time.Duration) (killed bool) {
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), "CORTEX_TEST_WRITE="+path, "CORTEX_TEST_BYTES="+mode)
			var out bytes.Buffer
			cmd.Stderr = &out
			require.NoError(t, cmd.Start())
			timer := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
			err := cmd.Wait()
			timer.Stop()
			require.NotContains(t, out.String(), "panic")
			return err != nil
		}
		begun := time.Now()
		require.False(t, run(time.Minute), "how long it takes")
		whole := time.Since(begun)
		kills, runs := 0, 40
		if testing.Short() {
			runs = 8
		}
		for i := range runs {
			if i%8 == 0 { // anew
				names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
				require.NoError(t, err)
				for _, name := range names {
					require.NoError(t, os.Remove(name))
				}
			}
			if run(whole * time.Duration(i*7%runs) / time.Duration(runs)) {
				kills++
			}
			names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"+cortex.Extension))
			require.NoError(t, err)
			for _, name := range names {
				paths, err := cortex.Find(name)
				if err != nil { // the first shard, which comes last, is not there
					require.NotContains(t, strings.Join(names, " "), "-00001-of")
					require.True(t, errors.Is(err, fs.ErrNotExist) || errors.Is(err, format.ErrMissing), "%v", err)
					continue
				}
				require.Equal(t, want, contents(t, paths))
			}
		}
		t.Logf("killed %d times of %d, whole after %v", kills, runs, whole)
		run(time.Minute)
		paths, err := cortex.Find(strings.TrimSuffix(path, cortex.Extension) + fmt.Sprintf("-00001-of-%05d.cortex", len(want)))
		require.NoError(t, err)
		require.Equal(t, want, contents(t, paths))
	}
}

// A set that something is still to be done to is made anew by the next writer, whatever was done.
func TestUnfinished(t *testing.T) {
	for _, o := range []cortex.Options{{Job: "a"}, {Job: "a", Shards: 2}} {
		want := contents(t, write(t, filepath.Join(t.TempDir(), "m.cortex"), o, small()))
		o.KeepJournal = true
		path := filepath.Join(t.TempDir(), "m.cortex")
		paths := finish(t, path, o, small())
		require.True(t, cortex.Unfinished(paths[0]))
		require.NoError(t, cortex.Update(paths, nil, map[string][]cortex.Threshold{"q": {{Sparsity: 0.5}}, "gate": nil, "tiny": nil, "pruned4": nil, "pruned8": nil}))
		require.True(t, cortex.Unfinished(paths[0]))
		require.NotEqual(t, want, contents(t, paths))

		longer, err := os.OpenFile(paths[0], os.O_WRONLY|os.O_APPEND, 0) // as an Update leaves it that is interrupted
		require.NoError(t, err)
		_, err = longer.Write(make([]byte, 100))
		require.NoError(t, err)
		require.NoError(t, longer.Close())
		require.True(t, cortex.Unfinished(paths[0]))

		w := begin(t, path, o, small(), 0)
		require.NoFileExists(t, paths[0], "it has its temporary name again")
		require.NoError(t, w.Suspend())
		require.Equal(t, want, contents(t, finish(t, path, o, small())))
		require.NoError(t, cortex.Finish(paths[0]))
		require.False(t, cortex.Unfinished(paths[0]))
		require.NoFileExists(t, path+".journal")
		require.NoError(t, verify(paths...))
	}
}
