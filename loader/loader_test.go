package loader

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"unsafe"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write makes a GGUF file with one F32 tensor per name, of n values each, and
// the given metadata besides.
func write(t *testing.T, path string, n int64, meta []gguf.KV, names ...string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	var tensors []format.Tensor
	for _, name := range names {
		tensors = append(tensors, format.Tensor{Name: name, Type: format.F32, Shape: []int64{n}})
	}
	w, err := gguf.NewWriter(f, meta, tensors)
	require.NoError(t, err)
	for i := range tensors {
		b := make([]byte, 4*n)
		for j := range b {
			b[j] = byte(i + 1)
		}
		_, err := w.Write(b)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, f.Close())
}

func extents(s *Source) (order []Extent) {
	for _, t := range s.Tensors {
		order = append(order, Extent{Part: t.Part, Offset: t.Offset, Size: t.Size})
	}
	return order
}

func TestResidentServesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	write(t, path, 50_000, nil, "a", "b", "c")
	s, err := Open(path)
	require.NoError(t, err)
	defer s.Close()
	require.True(t, s.Mapped())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, info.Size(), s.Size())

	r, err := NewResident(s, extents(s))
	require.NoError(t, err)
	for i := range 3 {
		b, err := r.Acquire(i)
		require.NoError(t, err)
		require.Len(t, b, 200_000)
		require.Equal(t, byte(i+1), b[0])
		require.Equal(t, byte(i+1), b[len(b)-1])
		r.Release(i)
	}

	var last, calls int64
	require.NoError(t, r.Warm(func(done, total int64) {
		require.Greater(t, done, last)
		require.Equal(t, int64(600_000), total)
		last, calls = done, calls+1
	}))
	require.Equal(t, int64(600_000), last)
	require.Equal(t, int64(3), calls)

	twice, err := NewResident(s, append(extents(s), extents(s)...))
	require.NoError(t, err)
	require.NoError(t, twice.Warm(func(done, total int64) {
		last = done
		require.Equal(t, int64(600_000), total)
	}))
	require.Equal(t, int64(600_000), last, "every block once")

	require.NoError(t, s.Close())
	_, err = r.Acquire(0)
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, s.Close(), "a second Close does nothing")
}

func TestResidentRefusesBlocksOutsideTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	write(t, path, 8, nil, "a")
	s, err := Open(path)
	require.NoError(t, err)
	defer s.Close()
	for _, e := range []Extent{
		{Part: 1}, {Part: -1}, {Offset: -1, Size: 1}, {Size: -1}, {Size: s.Size() + 1}, {Offset: s.Size(), Size: 1},
		{Offset: 1<<63 - 1, Size: 1<<63 - 1},
	} {
		_, err := NewResident(s, []Extent{e})
		require.Error(t, err, "%+v", e)
	}
}

func TestOpenSplit(t *testing.T) {
	dir := t.TempDir()
	name := func(i int) string { return filepath.Join(dir, fmt.Sprintf("m-%05d-of-00003.gguf", i)) }
	for i := 1; i <= 3; i++ {
		write(t, name(i), 16, []gguf.KV{
			{Key: "split.no", Value: uint16(i - 1)},
			{Key: "split.count", Value: uint16(3)},
			{Key: "split.tensors.count", Value: int32(3)},
		}, fmt.Sprint("t", i))
	}
	for i := 1; i <= 3; i++ { // any part leads to all
		s, err := Open(name(i))
		require.NoError(t, err)
		require.Len(t, s.Tensors, 3)
		r, err := NewResident(s, extents(s))
		require.NoError(t, err)
		for j := range 3 {
			b, err := r.Acquire(j)
			require.NoError(t, err)
			require.Equal(t, s.Data(s.Tensors[j]), b)
		}
		require.NoError(t, s.Close())
	}
	require.NoError(t, os.Remove(name(2)))
	_, err := Open(name(3))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "m-00002-of-00003.gguf")
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "none.gguf"))
	require.ErrorIs(t, err, os.ErrNotExist)

	_, err = Open(dir)
	require.ErrorIs(t, err, format.ErrFormat)

	empty := filepath.Join(dir, "empty.gguf")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	_, err = Open(empty)
	require.ErrorIs(t, err, format.ErrFormat)
	require.ErrorContains(t, err, "empty.gguf")

	_, err = FromBytes("bytes", []byte("GGUF"))
	require.ErrorIs(t, err, format.ErrFormat)
}

func TestFaultsBecomeErrors(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("truncating a mapped file is tested on linux")
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	write(t, path, 100_000, nil, "first", "second")
	s, err := Open(path)
	require.NoError(t, err)
	defer s.Close()
	second, _ := s.Tensor("second")
	require.NoError(t, os.Truncate(path, second.Offset+8192))

	r, err := NewResident(s, extents(s))
	require.NoError(t, err)
	err = r.Warm(nil)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, err, ErrTruncated)
	require.Equal(t, "second", e.Tensor)
	require.Equal(t, path, e.File)
	require.Greater(t, e.Offset, second.Offset)
	require.ErrorContains(t, err, "m.gguf: tensor second: offset ")

	// Other panics are not swallowed, and errors pass.
	require.PanicsWithValue(t, "boom", func() { _ = s.Protect(func() error { panic("boom") }) })
	boom := errors.New("boom")
	require.ErrorIs(t, s.Protect(func() error { return boom }), boom)
	require.Nil(t, s.Fault(uintptr(unsafe.Pointer(&boom))), "an address outside the mapping")
}

func TestBuffer(t *testing.T) {
	b, err := NewBuffer(SizeOf[float32](100) + SizeOf[int8](1) + SizeOf[uint16](7))
	require.NoError(t, err)
	f, i, u := Take[float32](b, 100), Take[int8](b, 1), Take[uint16](b, 7)
	require.Len(t, f, 100)
	require.Len(t, i, 1)
	require.Len(t, u, 7)
	for j := range f {
		require.Zero(t, f[j])
		f[j] = 1
	}
	require.Zero(t, u[0], "the slices do not overlap")
	for _, p := range []unsafe.Pointer{unsafe.Pointer(&f[0]), unsafe.Pointer(&i[0]), unsafe.Pointer(&u[0])} {
		require.Zero(t, uintptr(p)%lineBytes)
	}
	require.Panics(t, func() { Take[int8](b, 1) })
	require.NoError(t, b.Close())
	require.NoError(t, b.Close())

	empty, err := NewBuffer(0)
	require.NoError(t, err)
	require.Empty(t, Take[int8](empty, 0))
	_, err = NewBuffer(-1)
	require.Error(t, err)
}
