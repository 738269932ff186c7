package cortex_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/cortex"
)

// mini is a model of few bytes, with padding of every kind.
func mini() []item {
	rng := rand.New(rand.NewPCG(3, 4))
	return []item{
		newRows(rng, "norm", format.F16, 33),
		newProduct(rng, cortex.SDR4, 5, 2, cortex.Matrix{Name: "q", Outputs: 129}),
		newProduct(rng, cortex.SDR8, 600, 0, cortex.Matrix{Name: "o", Outputs: 100}),
		newRows(rng, "embedding", format.F32, 20, 1000),
	}
}

func verify(paths ...string) error { return cortex.Verify(context.Background(), paths, nil) }

func TestVerify(t *testing.T) {
	paths := write(t, filepath.Join(t.TempDir(), "m.cortex"), cortex.Options{Shards: 2}, small())
	var last, all int64
	require.NoError(t, cortex.Verify(context.Background(), paths, func(done, total int64) {
		require.Greater(t, done, last)
		last, all = done, total
	}))
	var size int64
	for _, p := range paths {
		info, err := os.Stat(p)
		require.NoError(t, err)
		size += info.Size()
	}
	require.Equal(t, size, last)
	require.Equal(t, size, all)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, cortex.Verify(ctx, paths, nil), context.Canceled)
}

// Any bit that flips is found, in any byte of any file.
func TestVerifyFindsFlippedBits(t *testing.T) {
	paths := write(t, filepath.Join(t.TempDir(), "m.cortex"), cortex.Options{Shards: 2}, mini())
	files := parts(t, paths...)
	flip := func(t require.TestingT, file, at, bit int) {
		f, err := os.OpenFile(paths[file], os.O_WRONLY, 0)
		require.NoError(t, err)
		defer f.Close()
		b := files[file].Data[at]
		_, err = f.WriteAt([]byte{b ^ 1<<bit}, int64(at))
		require.NoError(t, err)
		err = verify(paths...)
		var e *format.Error
		require.ErrorAs(t, err, &e, "byte %d, bit %d of %s", at, bit, paths[file])
		require.Equal(t, paths[file], e.File)
		_, err = f.WriteAt([]byte{b}, int64(at))
		require.NoError(t, err)
	}
	for file := range files {
		for at := range 132 { // the header and a bit more
			flip(t, file, at, at%8)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		file := rapid.IntRange(0, len(files)-1).Draw(t, "file")
		at := rapid.IntRange(0, len(files[file].Data)-1).Draw(t, "at")
		flip(t, file, at, rapid.IntRange(0, 7).Draw(t, "bit"))
	})
	for at := len(files[0].Data) - 3000; at < len(files[0].Data); at++ { // the sections
		flip(t, 0, at, at%8)
	}
	require.NoError(t, verify(paths...), "all is as it was")
}

func TestVerifyNamesWhatIsWrong(t *testing.T) {
	paths := write(t, filepath.Join(t.TempDir(), "m.cortex"), cortex.Options{}, mini())
	files := parts(t, paths...)
	f, err := cortex.Parse(files...)
	require.NoError(t, err)
	damage := func(offsets ...int64) error {
		data := append([]byte(nil), files[0].Data...)
		for _, at := range offsets {
			data[at] ^= 0x10
		}
		require.NoError(t, os.WriteFile(paths[0], data, 0o600))
		return verify(paths...)
	}
	q, o, norm := f.Products[0].Pieces[1], f.Products[1].Pieces[0], f.Tensors[0]
	err = damage(q.Offset+5, o.Offset, norm.Offset)
	require.ErrorIs(t, err, format.ErrChecksum)
	require.ErrorContains(t, err, "m.cortex: tensor q: block 1, channels 2 to 3: the checksum is ")
	require.ErrorContains(t, err, "m.cortex: tensor o: block 0, channels 0 to 599: the checksum is ")
	require.ErrorContains(t, err, "m.cortex: tensor norm: piece 0: the checksum is ")
	var e *format.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, norm.Offset, e.Offset)

	require.ErrorContains(t, damage(norm.Offset+norm.Size), "m.cortex: is 16, where nothing is (at byte ")
	require.ErrorContains(t, damage(1000), "m.cortex: is 16, where nothing is (at byte 1000)")

	var many []int64
	for _, p := range f.Products[1].Pieces {
		many = append(many, p.Offset)
	}
	for at := int64(200); at < 4000; at += 200 {
		many = append(many, at)
	}
	require.Less(t, len(damage(many...).(interface{ Unwrap() []error }).Unwrap()), 20)
	require.True(t, errors.Is(damage(8), format.ErrUnsupported), "another major version")
	require.NoError(t, damage())

	require.NoError(t, os.Truncate(paths[0], int64(len(files[0].Data)-1)))
	require.ErrorIs(t, verify(paths...), format.ErrFormat)
	require.ErrorIs(t, verify(filepath.Join(t.TempDir(), "none.cortex")), os.ErrNotExist)
	require.ErrorIs(t, verify(t.TempDir()), format.ErrFormat)
	require.ErrorIs(t, verify(), format.ErrMissing)
}
