//go:build linux && (amd64 || arm64)

package loader

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A batch reads what the file has, says how much that is, and which reads the system does not take.
func TestBatch(t *testing.T) {
	const page, depth = directAlign, 5
	b := newBatch(depth)
	if b == nil {
		t.Skip("the system has no asynchronous reads")
	}
	defer b.close()
	path := filepath.Join(t.TempDir(), "f")
	data := make([]byte, 3*page+100)
	for i := range data {
		data[i] = byte(i / page)
	}
	require.NoError(t, os.WriteFile(path, data, 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	closed, err := os.Open(path)
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	buf, err := NewBuffer(depth * page)
	require.NoError(t, err)
	defer func() { require.NoError(t, buf.Close()) }()
	mem := Take[byte](buf, depth*page)
	at := func(tag int) []byte { return mem[tag*page:][:page] }

	for range 3 {
		clear(mem)
		for _, tag := range []int{3, 0, 1} { // the last page is cut off
			b.add(tag, f, at(tag), int64(tag)*page)
		}
		b.add(2, closed, at(2), 0)
		b.add(4, f, at(4), 100*page)
		var refused []int
		b.submit(func(tag int) { refused = append(refused, tag) })
		require.Equal(t, []int{2}, refused)
		got := map[int]int{}
		for len(got) < 4 {
			for _, e := range b.wait(1) {
				got[int(e.tag)] = e.bytes()
			}
		}
		require.Equal(t, map[int]int{0: page, 1: page, 3: 100, 4: 0}, got)
		for _, tag := range []int{0, 1, 3} {
			require.Equal(t, data[tag*page:min(len(data), (tag+1)*page)], at(tag)[:got[tag]])
		}
	}
	require.Equal(t, 0, (&event{result: -5}).bytes())
	require.Nil(t, newBatch(1<<30), "more than a system has")
}

// Where direct reads are refused only when the ring is at work, it goes on with others.
func TestStreamFallsBackFromBatches(t *testing.T) {
	src := openOne(t)
	s := newStream(t, src, order(src, 10_000), 0, 0)
	defer s.Close()
	require.NoError(t, s.Warm(nil))
	if s.batch == nil {
		t.Skip("the system has no asynchronous direct reads here")
	}
	require.NoError(t, s.walk())
	s.files[0].buffered.Store(true)
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
