package perplexity

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/format"
)

func TestBaseFileLayout(t *testing.T) {
	var file bytes.Buffer
	w, err := NewBaseWriter(&file, 4, 3, []int32{2, 1, 0, 1})
	require.NoError(t, err)
	require.NoError(t, w.Write([]float32{0, 1, -20})) // the last is deeper than 16 below the first
	require.NoError(t, w.Close())

	lse := math.Log(1 + math.E + math.Exp(-20))
	want := []byte("_logits_")
	for _, v := range []any{
		[]int32{4, 3, 1},    // context, vocabulary, chunks
		[]int32{2, 1, 0, 1}, // tokens
		float32(16.0 / 65535), float32(-15 - lse),
		[]uint16{65535 * 15 / 16, 65535, 0, 0}, // one of padding
	} {
		var err error
		want, err = binary.Append(want, binary.LittleEndian, v)
		require.NoError(t, err)
	}
	require.Equal(t, want, file.Bytes())
}

func TestBaseFileRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		context := rapid.IntRange(3, 9).Draw(t, "context")
		vocab := rapid.IntRange(1, 20).Draw(t, "vocab")
		chunks := rapid.IntRange(1, 3).Draw(t, "chunks")
		tokens := rapid.SliceOfN(rapid.Int32Range(0, int32(vocab-1)), context*chunks, context*chunks).Draw(t, "tokens")
		logits := rapid.SliceOfN(rapid.SliceOfN(rapid.Float32Range(-40, 40), vocab, vocab),
			chunks*Scored(context), chunks*Scored(context)).Draw(t, "logits")

		var file bytes.Buffer
		w, err := NewBaseWriter(&file, context, vocab, tokens)
		require.NoError(t, err)
		for _, l := range logits {
			require.NoError(t, w.Write(l))
		}
		require.NoError(t, w.Close())

		r, err := NewBaseReader(bytes.NewReader(file.Bytes()), "base", int64(file.Len()))
		require.NoError(t, err)
		require.Equal(t, Header{Context: context, Vocab: vocab, Chunks: chunks}, r.Header)
		require.Equal(t, tokens, r.Tokens)
		for _, l := range logits {
			got, err := r.Next()
			require.NoError(t, err)
			lse, top := logSumExp(l), float64(l[argmax(l)])
			for i, v := range l {
				want := max(float64(v), top-deepest) - lse
				require.InDelta(t, want, got[i], deepest/65535.0/2+2e-5, "token %d", i)
			}
		}
		_, err = r.Next()
		require.ErrorIs(t, err, format.ErrFormat, "nothing is left")
	})
}

func TestBaseWriterMissesPredictions(t *testing.T) {
	w, err := NewBaseWriter(io.Discard, 4, 2, []int32{0, 1, 0, 1})
	require.NoError(t, err)
	require.ErrorContains(t, w.Close(), "1 of 1 predictions are missing")
	require.Panics(t, func() { w.Write([]float32{1}) }, "another vocabulary")
	require.Panics(t, func() { _, _ = NewBaseWriter(io.Discard, 4, 2, []int32{0}) }, "no whole chunk")
}

func TestDamagedBaseFile(t *testing.T) {
	file := sampleBase(t)
	read := func(file []byte) error {
		r, err := NewBaseReader(bytes.NewReader(file), "base.kld", int64(len(file)))
		for err == nil {
			if _, err = r.Next(); err == nil && r.offset == int64(len(file)) {
				return nil
			}
		}
		return err
	}
	require.NoError(t, read(file))

	for n := range file {
		err := read(file[:n])
		var detail *format.Error
		require.ErrorAs(t, err, &detail, "cut to %d bytes", n)
		require.ErrorIs(t, err, format.ErrFormat)
		require.Equal(t, "base.kld", detail.File)
	}
	set := func(at int, v uint32) []byte {
		f := bytes.Clone(file)
		binary.LittleEndian.PutUint32(f[at:], v)
		return f
	}
	for what, file := range map[string][]byte{
		"magic":          set(0, 0),
		"no context":     set(8, 2),
		"no vocabulary":  set(12, 0),
		"no chunks":      set(16, 0),
		"minus chunks":   set(16, math.MaxUint32),
		"giant context":  set(8, math.MaxInt32),
		"giant vocab":    set(12, math.MaxInt32),
		"giant chunks":   set(16, math.MaxInt32),
		"giant all":      append(append([]byte(magic), bytes.Repeat([]byte{0xff, 0xff, 0xff, 0x7f}, 3)...), make([]byte, 100)...),
		"token too big":  set(20, 3),
		"token negative": set(24, math.MaxUint32),
		"scale NaN":      set(36, math.Float32bits(float32(math.NaN()))),
		"scale negative": set(36, math.Float32bits(-1)),
		"minimum Inf":    set(40, math.Float32bits(float32(math.Inf(-1)))),
	} {
		require.ErrorIs(t, read(file), format.ErrFormat, what)
	}
}

func sampleBase(t testing.TB) []byte {
	var file bytes.Buffer
	w, err := NewBaseWriter(&file, 4, 3, []int32{2, 1, 0, 1})
	require.NoError(t, err)
	require.NoError(t, w.Write([]float32{0, 1, 2}))
	require.NoError(t, w.Close())
	return file.Bytes()
}

func FuzzBaseReader(f *testing.F) {
	f.Add(sampleBase(f))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := NewBaseReader(bytes.NewReader(file), "base", int64(len(file)))
		if err != nil {
			require.ErrorIs(t, err, format.ErrFormat)
			return
		}
		for range r.records() {
			logP, err := r.Next()
			if err != nil {
				require.ErrorIs(t, err, format.ErrFormat)
				return
			}
			require.Len(t, logP, r.Vocab)
		}
	})
}
