package cache

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A computation for tests: every step turns piece i of the state into value(step,
// i), and its part of the result is value(step, -1).
type computation struct {
	layout CheckpointLayout
	size   []int // of each piece
}

func newComputation(pieces int) computation {
	c := computation{layout: CheckpointLayout{Key: []byte("the key"), Pieces: pieces, PieceBytes: 5000, Parts: 6, PartBytes: 9000}}
	for i := range pieces {
		c.size = append(c.size, 5000-i*700)
	}
	return c
}

func value(step, i, size int) []byte {
	b := make([]byte, size)
	for j := range b {
		b[j] = byte(step*31 + i*7 + j)
	}
	return b
}

// run goes on from where the checkpoint is, checks the state, and ends at the
// first error.
func (c computation) run(t require.TestingT, cp *Checkpoint) error {
	for step := cp.Step(); step < c.layout.Parts; step++ {
		for i, size := range c.size {
			got := make([]byte, size)
			if step > 0 {
				if err := cp.Load(i, got); err != nil {
					return err
				}
				require.Equal(t, value(step, i, size), got)
			}
			for _, v := range [][]byte{value(step+100, i, size), value(step+1, i, size)} { // in two goes
				if err := cp.Store(i, v); err != nil {
					return err
				}
				if err := cp.Load(i, got); err != nil {
					return err
				}
				require.Equal(t, v, got)
			}
		}
		part := value(step, -1, 9000)
		if err := cp.StorePart(part[:1], part[1:8000], part[8000:]); err != nil {
			return err
		}
		if err := cp.Commit(); err != nil {
			return err
		}
		require.Equal(t, step+1, cp.Step())
	}
	return nil
}

// check looks at the result.
func (c computation) check(t require.TestingT, cp *Checkpoint) {
	require.Equal(t, c.layout.Parts, cp.Step())
	for i := range c.layout.Parts {
		part := make([]byte, 9000)
		require.NoError(t, cp.LoadPart(i, part[:10], part[10:]))
		require.Equal(t, value(i, -1, 9000), part)
	}
	for i, size := range c.size {
		got := make([]byte, size)
		require.NoError(t, cp.Load(i, got))
		require.Equal(t, value(c.layout.Parts, i, size), got)
	}
}

func TestCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c")
	c := newComputation(3)
	cp, err := CreateCheckpoint(path, c.layout)
	require.NoError(t, err)
	require.Zero(t, cp.Step())
	require.NoError(t, c.run(t, cp))
	c.check(t, cp)
	require.NoError(t, cp.Close())
	cp, err = OpenCheckpoint(path)
	require.NoError(t, err)
	require.Equal(t, c.layout, cp.CheckpointLayout)
	c.check(t, cp)
	require.Error(t, cp.LoadPart(0, make([]byte, 8999)), "another size than was stored")
	require.Panics(t, func() { _ = cp.Commit() }, "nothing was stored")
	require.Panics(t, func() { _ = cp.Store(0, make([]byte, 5001)) })
	require.NoError(t, cp.Remove())
	_, err = OpenCheckpoint(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Empty(t, entries, "nothing is left behind")
	_, err = CreateCheckpoint(filepath.Join(path, "no", "such", "directory"), c.layout)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = CreateCheckpoint(path, CheckpointLayout{Pieces: 1, PieceBytes: 1 << 50})
	require.Error(t, err)
}

// crashing loses the power: from some write on, only a part of that one and a
// random choice of those since the last sync is on the disk.
type crashing struct {
	*os.File
	left int
	keep func() bool
	lost []lostWrite
}

type lostWrite struct {
	at  int64
	old []byte
}

var errCrash = errors.New("crash")

func (f *crashing) WriteAt(b []byte, at int64) (int, error) {
	f.left--
	old := make([]byte, len(b))
	if _, err := f.File.ReadAt(old, at); err != nil {
		return 0, err
	}
	f.lost = append(f.lost, lostWrite{at, old})
	if _, err := f.File.WriteAt(b, at); err != nil {
		return 0, err
	}
	if f.left > 0 {
		return len(b), nil
	}
	for _, w := range f.lost { // in parts, as the system writes pages
		for from := 0; from < len(w.old); from += 512 {
			if !f.keep() {
				if _, err := f.File.WriteAt(w.old[from:min(from+512, len(w.old))], w.at+int64(from)); err != nil {
					return 0, err
				}
			}
		}
	}
	return 0, errCrash
}

func (f *crashing) Sync() error {
	f.lost = nil
	return nil
}

// Whenever the power fails, the computation goes on from a step that was
// committed and ends with the same result.
func TestCheckpointSurvivesCrashes(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "c")
		c := newComputation(rapid.IntRange(1, 3).Draw(t, "pieces"))
		cp, err := CreateCheckpoint(path, c.layout)
		require.NoError(t, err)
		for done, step := false, 0; !done; step = cp.Step() {
			require.GreaterOrEqual(t, cp.Step(), step)
			step = cp.Step()
			cp.f = &crashing{File: cp.f.(*os.File), left: rapid.IntRange(1, 60).Draw(t, "writes"), keep: func() bool { return rapid.Bool().Draw(t, "kept") }}
			if err := c.run(t, cp); err != nil {
				require.ErrorIs(t, err, errCrash)
			} else {
				done = true
			}
			require.GreaterOrEqual(t, cp.Step(), step)
			require.NoError(t, cp.Close())
			before := cp.Step()
			cp, err = OpenCheckpoint(path)
			require.NoError(t, err)
			require.GreaterOrEqual(t, cp.Step(), before, "a commit that has returned is lost")
		}
		c.check(t, cp)
		require.NoError(t, cp.Remove())
	})
}

// full is a disk that fills up.
type full struct {
	*os.File
	left int
}

func (f *full) WriteAt(b []byte, at int64) (int, error) {
	if f.left--; f.left < 0 {
		return 0, syscall.ENOSPC
	}
	return f.File.WriteAt(b, at)
}

func TestCheckpointOnFullDisk(t *testing.T) {
	c := newComputation(2)
	for writes := range 20 {
		path := filepath.Join(t.TempDir(), "c")
		cp, err := CreateCheckpoint(path, c.layout)
		require.NoError(t, err)
		file := cp.f.(*os.File)
		cp.f = &full{file, writes}
		err = c.run(t, cp)
		require.ErrorIs(t, err, syscall.ENOSPC)
		var e *CheckpointError
		require.ErrorAs(t, err, &e)
		require.Equal(t, path, e.File)
		require.NoError(t, cp.Close())
		cp, err = OpenCheckpoint(path) // with room again
		require.NoError(t, err)
		require.NoError(t, c.run(t, cp))
		c.check(t, cp)
		require.NoError(t, cp.Close())
	}
}

// A flipped bit is found where it matters, wherever it is.
func TestDamagedCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c")
	c := newComputation(2)
	cp, err := CreateCheckpoint(path, c.layout)
	require.NoError(t, err)
	require.NoError(t, c.run(t, cp))
	require.NoError(t, cp.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for at := 0; at < len(whole); at += 1 + at%97 {
		whole[at] ^= 0x10
		require.NoError(t, os.WriteFile(path, whole, 0o600))
		whole[at] ^= 0x10
		cp, err := OpenCheckpoint(path)
		if err != nil {
			require.ErrorIs(t, err, ErrCheckpoint)
			continue
		}
		part, piece, err := make([]byte, 9000), make([]byte, 5000), error(nil)
		for i := 0; i < cp.Step() && err == nil; i++ {
			if err = cp.LoadPart(i, part); err == nil {
				require.Equal(t, value(i, -1, 9000), part)
			}
		}
		for i := 0; i < cp.Pieces && cp.Step() > 0 && err == nil; i++ {
			if err = cp.Load(i, piece[:c.size[i]]); err == nil {
				require.Equal(t, value(cp.Step(), i, c.size[i]), piece[:c.size[i]])
			}
		}
		if err != nil {
			require.ErrorIs(t, err, ErrCheckpoint)
		}
		require.NoError(t, cp.Close())
	}
	for n := range len(whole) / 1000 {
		require.NoError(t, os.WriteFile(path, whole[:n*1000], 0o600))
		_, err := OpenCheckpoint(path)
		require.ErrorIs(t, err, ErrCheckpoint)
	}
}

func FuzzOpenCheckpoint(f *testing.F) {
	path := filepath.Join(f.TempDir(), "c")
	cp, err := CreateCheckpoint(path, CheckpointLayout{Key: []byte("k"), Pieces: 1, PieceBytes: 10, Parts: 2, PartBytes: 20})
	require.NoError(f, err)
	require.NoError(f, cp.Store(0, []byte("state")))
	require.NoError(f, cp.StorePart([]byte("result")))
	require.NoError(f, cp.Commit())
	require.NoError(f, cp.Close())
	whole, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(whole)
	f.Add(whole[:100])
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "c")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		cp, err := OpenCheckpoint(path)
		if err != nil {
			require.ErrorIs(t, err, ErrCheckpoint)
			return
		}
		if cp.Step() > 0 && cp.Pieces > 0 {
			_ = cp.Load(0, make([]byte, 5))
			_ = cp.LoadPart(0, make([]byte, 6))
		}
		require.NoError(t, cp.Close())
	})
}

// Who finds a checkpoint open, in whatever way, gets an error and leaves it as it is.
func TestCheckpointLocked(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the standard library cannot lock files there")
	}
	c := newComputation(2)
	path := filepath.Join(t.TempDir(), "c")
	first, err := CreateCheckpoint(path, c.layout)
	require.NoError(t, err)
	refused := func() {
		t.Helper()
		for _, open := range []func() (*Checkpoint, error){
			func() (*Checkpoint, error) { return OpenCheckpoint(path) },
			func() (*Checkpoint, error) { return CreateCheckpoint(path, c.layout) },
		} {
			_, err := open()
			require.ErrorIs(t, err, ErrCheckpointLocked)
			require.NotErrorIs(t, err, ErrCheckpoint)
			var e *CheckpointError
			require.ErrorAs(t, err, &e)
			require.Equal(t, path, e.File)
		}
	}
	refused()
	require.NoError(t, first.Close())
	second, err := OpenCheckpoint(path)
	require.NoError(t, err)
	refused()
	require.NoError(t, c.run(t, second))
	require.NoError(t, second.Remove())
	left, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Empty(t, left)
}
