package loader

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/format/gguf"
)

// order cuts the tensors into blocks of size bytes, and has the first be a
// table of rows too, as a tied embedding is.
func order(s *Source, size int64) []Extent {
	t := s.Tensors[0]
	blocks := []Extent{{Part: t.Part, Offset: t.Offset, Size: t.Size, Row: 16}}
	for _, t := range s.Tensors {
		for at := int64(0); at < t.Size; at += size {
			blocks = append(blocks, Extent{Part: t.Part, Offset: t.Offset + at, Size: min(size, t.Size-at)})
		}
	}
	return blocks
}

// newStream returns a stream in memory bytes more than the least, not warm yet.
func newStream(t require.TestingT, src *Source, blocks []Extent, more, ring int64) *Stream {
	s, err := NewStream(src, blocks, LayOutStream(blocks, LeastStream(blocks)+more, ring, Prompt{}, nil))
	require.NoError(t, err)
	return s
}

// settled waits until the ring is full.
func (s *Stream) settled(t require.TestingT) {
	full := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.busy == 0 && s.next == s.freed+len(s.slots)
	}
	for end := time.Now().Add(10 * time.Second); !full(); time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(end), "the ring does not fill")
	}
}

func TestStreamServesTheFile(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"m-00001-of-00002.gguf", "m-00002-of-00002.gguf"} {
		write(t, filepath.Join(dir, name), 30_000, []gguf.KV{
			{Key: "split.no", Value: uint16(i)}, {Key: "split.count", Value: uint16(2)}, {Key: "split.tensors.count", Value: int32(4)},
		}, name[:7]+"a", name[:7]+"b")
	}
	src, err := Open(filepath.Join(dir, "m-00001-of-00002.gguf"))
	require.NoError(t, err)
	defer src.Close()
	rapid.Check(t, func(t *rapid.T) {
		blocks := order(src, rapid.Int64Range(1000, 50_000).Draw(t, "block"))
		s := newStream(t, src, blocks, rapid.Int64Range(0, 500_000).Draw(t, "more"), rapid.Int64Range(0, 200_000).Draw(t, "ring"))
		defer s.Close()
		buffered := rapid.Bool().Draw(t, "buffered")
		for _, f := range s.files {
			f.buffered.Store(f.buffered.Load() || buffered)
		}
		var last int64
		require.NoError(t, s.Warm(func(done, total int64) {
			require.Greater(t, done, last)
			require.Equal(t, s.layout.PinnedBytes, total)
			last = done
		}))
		require.Equal(t, s.layout.PinnedBytes, last)
		require.EqualValues(t, s.layout.Bytes(), len(s.buf.region), "all memory there is")

		// Walks along the order, the last blocks none, one or several times, and
		// some with a jump, as a pass that ends early.
		const walks = 3
		s.settled(t)
		before, _ := s.BytesRead()
		want, jumps := int64(0), 0
		tail := rapid.IntRange(2, len(blocks)-1).Draw(t, "tail")
		acquire := func(from, to int) {
			for i := from; i < to; i++ {
				e := blocks[i]
				b, err := s.Acquire(i)
				require.NoError(t, err)
				require.Equal(t, src.parts[e.Part].data[e.Offset:e.Offset+e.Size], b)
				s.Release(i)
				if !s.layout.Pinned[i] {
					want += e.spanSize()
				}
				if rapid.IntRange(0, 100).Draw(t, "jump") == 0 {
					jumps++
					break
				}
			}
		}
		times := 1
		for range walks {
			row := rapid.Int64Range(0, blocks[0].Size/16-1).Draw(t, "row") * 16
			b, err := s.Lookup(0, row, 16)
			require.NoError(t, err)
			require.Equal(t, src.Data(src.Tensors[0])[row:][:16], b)
			times = rapid.IntRange(0, 2).Draw(t, "times")
			s.Repeat(tail, times)
			acquire(1, tail)
			for range times {
				acquire(tail, len(blocks))
			}
		}
		s.settled(t)
		after, _ := s.BytesRead()
		// The ring holds the same as before, unless it is ahead of the calls of Repeat.
		if body, _ := slices.BinarySearch(s.cycle, tail); jumps == 0 && body >= len(s.slots) {
			require.Equal(t, want, after-before, "nothing is read twice or in vain")
		}
	})
}

func TestLayOutStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var blocks []Extent
		at := int64(0)
		for range rapid.IntRange(0, 60).Draw(t, "blocks") {
			e := Extent{Offset: at, Size: rapid.Int64Range(1, 20_000).Draw(t, "size")}
			if rapid.IntRange(0, 20).Draw(t, "table") == 0 {
				e.Row = rapid.Int64Range(1, 9000).Draw(t, "row")
			} else if rapid.Bool().Draw(t, "runs") {
				e.Runs = Runs{Bytes: 64 << rapid.IntRange(4, 14).Draw(t, "run bytes"), Count: rapid.IntRange(1, 100).Draw(t, "channels")}
			}
			at += e.Size
			blocks = append(blocks, e)
		}
		least := LeastStream(blocks)
		memory := least + rapid.Int64Range(0, 2*at+1).Draw(t, "more")
		tail := rapid.IntRange(0, len(blocks)).Draw(t, "tail")
		p := Prompt{Tail: tail, Lend: rapid.Int64Range(0, at+1).Draw(t, "lend")}
		for from := 0; from < tail; {
			to := rapid.IntRange(from+1, tail).Draw(t, "run")
			p.Runs = append(p.Runs, [2]int{from, to})
			from = to
		}
		active := Shares(rapid.SliceOfN(rapid.Float32Range(0.01, 1), len(blocks), len(blocks)).Draw(t, "active"))
		if rapid.Bool().Draw(t, "all") {
			active = nil
		}
		l := LayOutStream(blocks, memory, rapid.Int64Range(0, at+1).Draw(t, "ring"), p, active)
		require.LessOrEqual(t, l.Bytes(), memory)
		var pinned, streamed int64
		for i, e := range blocks {
			_, n := e.span()
			switch {
			case e.Row > 0:
				require.False(t, l.Pinned[i])
				require.LessOrEqual(t, Extent{Offset: directAlign - 1, Size: e.Row}.spanSize(), l.RowBytes)
			case l.Pinned[i]:
				pinned += n
			default:
				streamed += n
				require.LessOrEqual(t, n, l.SlotBytes)
				require.GreaterOrEqual(t, l.Slots, minSlots)
				require.Greater(t, l.Bytes()+n, memory, "another one would have fitted")
			}
		}
		for _, r := range p.Runs {
			n := 0
			for i := r[0]; i < r[1]; i++ {
				if blocks[i].Row == 0 && !l.Pinned[i] {
					n++
				}
			}
			require.False(t, l.Held && n > l.Slots, "a run does not fit")
		}
		require.Equal(t, pinned, l.PinnedBytes)
		require.Equal(t, streamed, l.PassBytes)
	})
}

func (e Extent) spanSize() int64 {
	_, n := e.span()
	return n
}

// Pinned blocks are spread along the order.
func TestPinnedBlocksAreSpread(t *testing.T) {
	var blocks []Extent
	for i := range int64(100) {
		blocks = append(blocks, Extent{Offset: i * 8192, Size: 8192})
	}
	l := LayOutStream(blocks, 50*8192+4*8192, 4*8192, Prompt{}, nil)
	require.Equal(t, 4, l.Slots)
	run := 0
	for _, p := range l.Pinned {
		if run++; !p {
			run = 0
		}
		require.LessOrEqual(t, run, 2)
	}
	require.Equal(t, int64(50*8192), l.PinnedBytes)
}

// Where channels are left out, what is read as a whole is pinned first.
func TestShortRunsArePinnedFirst(t *testing.T) {
	var blocks []Extent
	for i := range int64(40) {
		e := Extent{Offset: i * 81920, Size: 81920, Runs: Runs{Bytes: 4096, Count: 20}}
		if i%2 == 1 {
			e.Runs = Runs{Bytes: 81920 / 4, Count: 4}
		}
		blocks = append(blocks, e)
	}
	memory := int64(30*81920 + 4*81920)
	pinned := func(active float32) (n [2]int) {
		for i, p := range LayOutStream(blocks, memory, 4*81920, Prompt{}, slices.Repeat(Shares{active}, 40)).Pinned {
			if p {
				n[i%2]++
			}
		}
		return n
	}
	require.Equal(t, 30, pinned(1)[0]+pinned(1)[1])
	require.Positive(t, pinned(1)[1]-10)
	require.Equal(t, [2]int{20, 10}, pinned(0.2))
}

// Of blocks that are read by runs, those are pinned first whose channels are active most often, as they save most.
func TestHotBlocksArePinnedFirst(t *testing.T) {
	var blocks []Extent
	var active Shares
	for i := range int64(40) {
		blocks = append(blocks, Extent{Offset: i * 81920, Size: 81920, Runs: Runs{Bytes: 81920 / 4, Count: 4}})
		active = append(active, 0.1+0.2*float32(i%4))
	}
	l := LayOutStream(blocks, 25*81920+4*81920, 4*81920, Prompt{}, active)
	var n [4]int
	for i, p := range l.Pinned {
		if p {
			n[i%4]++
		}
	}
	require.Equal(t, [4]int{0, 5, 10, 10}, n)
	read, _ := l.Sparse(blocks, active, 0)
	evenly, _ := (&StreamLayout{Pinned: slices.Repeat([]bool{true, true, true, false, false, true, false, true}, 5)}).Sparse(blocks, active, 0)
	require.Less(t, read, evenly*3/4)
}

// What lies before blocks that are read by runs is not all pinned as long as some of these are not.
func TestSomethingIsReadWhileRunsAreNotKnown(t *testing.T) {
	var blocks []Extent
	var active Shares
	const layer, whole = 30, 20 // blocks
	for i := range int64(16 * layer) {
		e := Extent{Offset: i * 81920, Size: 81920}
		if i%layer >= whole {
			e.Runs = Runs{Bytes: 81920 / 4, Count: 4}
		}
		blocks, active = append(blocks, e), append(active, 0.2)
	}
	for _, c := range []struct{ pins, runs int }{{200, 0}, {16 * 18, 0}, {16*18 + 13, 13}, {16 * 28, 160}, {16*28 + 3, 160}} {
		l := LayOutStream(blocks, int64(c.pins+8)*81920, 8*81920, Prompt{}, active)
		require.Equal(t, 8, l.Slots)
		var all, runs int
		for i, p := range l.Pinned {
			if p {
				all++
				if i%layer >= whole {
					runs++
				}
			}
			if i%layer >= 18 && i%layer < whole && c.pins <= 16*28 {
				require.False(t, p, "block %d", i)
			}
		}
		require.Equal(t, c.pins, all)
		require.Equal(t, c.runs, runs)
	}
}

// failing is a file whose reads end as they are told to.
type failing struct {
	io.ReaderAt
	err   atomic.Pointer[error]
	short atomic.Bool
}

func (f *failing) ReadAt(b []byte, at int64) (int, error) {
	if e := f.err.Load(); e != nil {
		return 0, *e
	}
	n, err := f.ReaderAt.ReadAt(b, at)
	if f.short.Load() {
		n = min(n, len(b)/2)
	}
	return n, err
}

func openOne(t *testing.T) *Source {
	path := filepath.Join(t.TempDir(), "m.gguf")
	write(t, path, 50_000, nil, "first", "second")
	src, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, src.Close()) })
	return src
}

// walk acquires every block of the order once, up to the first error.
func (s *Stream) walk() error {
	for i, e := range s.order {
		if e.Row > 0 {
			continue
		}
		if _, err := s.Acquire(i); err != nil {
			return err
		}
		s.Release(i)
	}
	return nil
}

func TestStreamReportsErrors(t *testing.T) {
	src := openOne(t)
	blocks := order(src, 10_000)
	s := newStream(t, src, blocks, 50_000, 50_000)
	defer s.Close()
	f := &failing{ReaderAt: s.files[0].ReaderAt}
	s.files[0].ReaderAt = f
	boom := errors.New("boom")

	f.err.Store(&boom)
	require.ErrorIs(t, s.Warm(nil), boom, "pinned blocks")
	f.err.Store(nil)
	require.NoError(t, s.Warm(nil))
	require.NoError(t, s.walk())

	f.err.Store(&boom)
	var err error
	for range 2 { // the first may get along with what has been read
		err = errors.Join(err, s.walk())
	}
	var e *Error
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, err, boom)
	require.Equal(t, src.Name(), e.File)
	require.NotEmpty(t, e.Tensor)
	_, err = s.Lookup(0, 0, 16)
	if s.layout.Pinned[1] {
		require.NoError(t, err)
	} else {
		require.ErrorIs(t, err, boom)
	}

	f.err.Store(nil)
	f.short.Store(true)
	for range 2 {
		err = s.walk()
	}
	require.ErrorIs(t, err, ErrTruncated)
	f.short.Store(false)
	require.NoError(t, s.walk(), "errors pass")
	require.NoError(t, s.walk())
}

// A system that refuses direct reads when they come gets others.
func TestStreamFallsBackToBufferedReads(t *testing.T) {
	src := openOne(t)
	s := newStream(t, src, order(src, 10_000), 0, 0)
	defer s.Close()
	f := &failing{ReaderAt: s.files[0].ReaderAt}
	refused := error(&os.PathError{Op: "read", Err: syscall.EINVAL})
	f.err.Store(&refused)
	var calls atomic.Int32
	s.files[0].ReaderAt = readerFunc(func(b []byte, at int64) (int, error) {
		if calls.Add(1) > 1 {
			f.err.Store(nil)
		}
		return f.ReadAt(b, at)
	})
	s.files[0].buffered.Store(false)
	_, err := s.Lookup(0, 0, 16)
	require.NoError(t, err)
	require.True(t, s.files[0].buffered.Load())
	require.NoError(t, s.Warm(nil))
	require.NoError(t, s.walk())
}

type readerFunc func(b []byte, at int64) (int, error)

func (f readerFunc) ReadAt(b []byte, at int64) (int, error) { return f(b, at) }

// Close ends an Acquire that waits for a slow disk, and the readers.
func TestStreamCloseWhileWaiting(t *testing.T) {
	src := openOne(t)
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, src, order(src, 10_000), 0, 0)
		inner := s.files[0].ReaderAt
		s.files[0].ReaderAt = readerFunc(func(b []byte, at int64) (int, error) {
			time.Sleep(time.Minute)
			return inner.ReadAt(b, at)
		})
		require.NoError(t, s.Warm(nil))
		got := make(chan error)
		go func() {
			_, err := s.Acquire(1)
			got <- err
		}()
		time.Sleep(time.Second)
		go func() { require.NoError(t, s.Close()) }()
		start := time.Now()
		require.ErrorIs(t, <-got, ErrClosed)
		require.Zero(t, time.Since(start), "at once")
		synctest.Wait()
		time.Sleep(time.Hour)
		_, err := s.Acquire(1)
		require.ErrorIs(t, err, ErrClosed)
		require.NoError(t, s.Close())
	})
}

func TestStreamMisuse(t *testing.T) {
	src := openOne(t)
	blocks := order(src, 10_000)
	s := newStream(t, src, blocks, 0, 0)
	defer s.Close()
	require.NoError(t, s.Warm(nil))
	require.Panics(t, func() { _, _ = s.Acquire(0) })
	i := slices.IndexFunc(s.place, func(p int) bool { return p >= 0 })
	require.Panics(t, func() { s.Release(i) })

	mem, err := FromBytes("m", src.parts[0].data)
	require.NoError(t, err)
	_, err = NewStream(mem, blocks, s.layout)
	require.Error(t, err)
	_, err = NewStream(src, []Extent{{Part: 9}}, s.layout)
	require.Error(t, err)
}

// What was touched through the mapping is given back, and can be read again.
func TestForget(t *testing.T) {
	src := openOne(t)
	want := slices.Clone(src.parts[0].data)
	src.ForgetHead()
	require.Equal(t, want, src.parts[0].data)
	mem, err := FromBytes("m", want)
	require.NoError(t, err)
	mem.ForgetHead()
}

// The memory of the last pinned blocks can be used for something else and given back.
func TestLend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	write(t, path, 100_000, nil, "a", "b")
	src, err := Open(path)
	require.NoError(t, err)
	defer src.Close()
	blocks := order(src, 8192)
	tail := len(blocks) - 6
	p := Prompt{Tail: tail, Lend: 20_000}
	s, err := NewStream(src, blocks, LayOutStream(blocks, LeastStream(blocks)+60_000, 0, p, nil))
	require.NoError(t, err)
	defer s.Close()
	f := &failing{ReaderAt: s.files[0].ReaderAt}
	s.files[0].ReaderAt = f // before Warm starts to read
	require.NoError(t, s.Warm(nil))
	serves := func(from int) {
		for i := from; i < len(blocks); i++ {
			b, err := s.Acquire(i)
			require.NoError(t, err)
			e := blocks[i]
			require.Equal(t, src.parts[e.Part].data[e.Offset:e.Offset+e.Size], b)
			s.Release(i)
		}
	}
	serves(1)
	for _, n := range []int64{0, 1, 20_000, 1 << 30} {
		mem := s.Lend(tail, n)
		require.GreaterOrEqual(t, int64(len(mem)), min(n, p.Lend))
		for i := range mem {
			mem[i] = 0xAA
		}
		last := s.lent
		if n > 0 {
			require.Panics(t, func() { _, _ = s.Acquire(last[0]) })
		}
		require.NoError(t, s.Unlend())
		require.NoError(t, s.Unlend())
		serves(1)
	}

	// What cannot be read again stays lent.
	require.NotEmpty(t, s.Lend(tail, 20_000))
	broken := error(syscall.EIO)
	f.err.Store(&broken)
	require.ErrorIs(t, s.Unlend(), syscall.EIO)
	f.err.Store(nil)
	require.NoError(t, s.Unlend())
}

// A block of a product that is acquired without a selection is read as a whole, also if it is the only one that is streamed
// and was selected in the walk before.
func TestAcquireWithoutSelection(t *testing.T) {
	src := openOne(t)
	e := Extent{Offset: 4096, Size: 64 << 10}
	e.Runs = Runs{Bytes: 4096, Count: 16}
	s, err := NewStream(src, []Extent{e}, StreamLayout{Pinned: []bool{false}, Slots: 2, SlotBytes: e.Size})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Warm(nil))
	s.mu.Lock()
	s.active, s.byRuns[0] = Shares{0.1}, true // as Selective finds where reading runs pays
	s.mu.Unlock()
	for range 3 { // the ring may hold whole blocks still
		s.Select(0, 1, []int32{3})
		_, err = s.Acquire(0)
		require.NoError(t, err)
		s.Release(0)
	}

	var got []byte
	done := make(chan error, 1)
	go func() {
		var err error
		got, err = s.Acquire(0)
		done <- err
	}()
	select {
	case err := <-done:
		require.NoError(t, err)
		require.Equal(t, src.parts[0].data[e.Offset:][:e.Size], got)
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for a selection")
	}
}
