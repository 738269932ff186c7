package loader

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// slowDisk answers after a time that depends on how many requests wait for it.
type slowDisk struct {
	io.ReaderAt
	ticket chan struct{} // holds one token for each request that is served at once
	each   time.Duration
}

func (d *slowDisk) ReadAt(b []byte, at int64) (int, error) {
	<-d.ticket
	time.Sleep(d.each)
	d.ticket <- struct{}{}
	return d.ReaderAt.ReadAt(b, at)
}

// A disk that serves eight requests as fast as one is read by eight readers, one that serves
// a single request is not read by more than there are by default.
func TestWarmFindsTheReaders(t *testing.T) {
	src := openOne(t)
	for _, c := range []struct{ serves, readers int }{{8, 8}, {1, 4}} {
		synctest.Test(t, func(t *testing.T) {
			blocks := order(src, 500)
			s := newStream(t, src, blocks, 1<<20, 1<<20)
			defer s.Close()
			disk := &slowDisk{ReaderAt: s.files[0].ReaderAt, ticket: make(chan struct{}, c.serves), each: time.Millisecond}
			for range c.serves {
				disk.ticket <- struct{}{}
			}
			s.files[0].ReaderAt = disk
			require.NoError(t, s.Warm(nil))
			require.Equal(t, c.readers, s.Disk().Readers)
			size := float64(blocks[1].spanSize())
			require.InEpsilon(t, size*float64(c.serves)/disk.each.Seconds(), s.Disk().BytesPerSecond, 0.3)
			require.NoError(t, s.walk())
		})
	}
}

// The probe takes about a second of a slow disk's time, and what is pinned is read once.
func TestWarmOfSlowDisk(t *testing.T) {
	src := openOne(t)
	synctest.Test(t, func(t *testing.T) {
		blocks := order(src, 1000)
		s := newStream(t, src, blocks, 20_000, 10_000)
		defer s.Close()
		disk := &slowDisk{ReaderAt: s.files[0].ReaderAt, ticket: make(chan struct{}, 1), each: 50 * time.Millisecond}
		disk.ticket <- struct{}{}
		s.files[0].ReaderAt = disk
		start := time.Now()
		var last int64
		require.NoError(t, s.Warm(func(done, total int64) { last = done }))
		require.Equal(t, s.layout.PinnedBytes, last)
		require.Less(t, time.Since(start), 2500*time.Millisecond)
		require.NoError(t, s.walk())
	})
}

// A progress function that panics leaves no goroutine behind: goleak looks for them.
func TestWarmProgressPanics(t *testing.T) {
	src := openOne(t)
	s := newStream(t, src, order(src, 1000), 60_000, 10_000)
	require.PanicsWithValue(t, "enough", func() { _ = s.Warm(func(done, total int64) { panic("enough") }) })
	require.NoError(t, s.Close())

	all := order(src, 1000)
	for i := range all {
		all[i].Row = 0
	}
	r, err := NewResident(src, all)
	require.NoError(t, err)
	require.PanicsWithValue(t, "enough", func() { _ = r.Warm(func(done, total int64) { panic("enough") }) })
}

// A block read by several requests is served when the last one has ended, and fails when one of them does.
func TestStreamReadsBlocksInPieces(t *testing.T) {
	src := openOne(t)
	s := newStream(t, src, order(src, 40_000), 0, 0)
	defer s.Close()
	require.NoError(t, s.Warm(nil))
	s.Settle()
	s.mu.Lock()
	s.reading = reading{requests: 4, readers: 8}
	s.mu.Unlock()
	for range 4 {
		s.readers.Go(s.readAhead)
	}
	check := func() {
		for range 3 {
			for i, e := range s.order {
				if e.Row > 0 {
					continue
				}
				b, err := s.Acquire(i)
				require.NoError(t, err)
				require.Equal(t, src.parts[e.Part].data[e.Offset:e.Offset+e.Size], b)
				s.Release(i)
			}
		}
	}
	check()
	inner, boom := s.files[0].ReaderAt, errors.New("boom")
	bad := s.order[3].Offset + 20_000
	s.Settle()
	s.files[0].ReaderAt = readerFunc(func(b []byte, at int64) (int, error) {
		if at <= bad && bad < at+int64(len(b)) {
			return 0, boom
		}
		return inner.ReadAt(b, at)
	})
	var err error
	for range 3 {
		err = errors.Join(err, s.walk())
	}
	require.ErrorIs(t, err, boom)
	s.mu.Lock()
	for s.busy > 0 {
		s.ready.Wait()
	}
	s.files[0].ReaderAt = inner
	s.mu.Unlock()
	check()
}
