package perplexity

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/cortexsdr/cortex/format"
)

const (
	magic       = "_logits_"
	headerBytes = len(magic) + 3*4
	recordHead  = 2 * 4 // scale and minimum
	// deepest is how far below the likeliest token log probabilities are kept.
	deepest = 16
	levels  = math.MaxUint16
)

// Header says what a base file holds.
type Header struct {
	Context int // tokens per chunk
	Vocab   int
	Chunks  int
}

// records returns the number of predictions of the file.
func (h Header) records() int { return h.Chunks * Scored(h.Context) }

// recordBytes returns the size of one prediction.
func (h Header) recordBytes() int { return recordHead + 2*(h.Vocab+h.Vocab%2) }

// BaseWriter writes a base file.
type BaseWriter struct {
	w    *bufio.Writer
	h    Header
	left int // records to come
	buf  []byte
}

// NewBaseWriter writes the head of a base file for the given tokens, a whole
// number of chunks of context tokens each.
func NewBaseWriter(w io.Writer, context, vocab int, tokens []int32) (*BaseWriter, error) {
	h := Header{Context: context, Vocab: vocab, Chunks: len(tokens) / context}
	if len(tokens) != h.Chunks*context {
		panic("perplexity: tokens are not whole chunks")
	}
	b := &BaseWriter{w: bufio.NewWriterSize(w, 1<<20), h: h, left: h.records(), buf: make([]byte, h.recordBytes())}
	head := append(make([]byte, 0, headerBytes), magic...)
	for _, n := range []int{h.Context, h.Vocab, h.Chunks} {
		head = binary.LittleEndian.AppendUint32(head, uint32(n))
	}
	if _, err := b.w.Write(head); err != nil {
		return nil, err
	}
	return b, binary.Write(b.w, binary.LittleEndian, tokens)
}

// Write appends the prediction that logits make.
func (b *BaseWriter) Write(logits []float32) error {
	if len(logits) != b.h.Vocab || b.left == 0 {
		panic("perplexity: logits of another vocabulary, or too many")
	}
	b.left--
	top, low := logits[argmax(logits)], float32(math.Inf(1))
	for _, v := range logits {
		low = min(low, v)
	}
	low = max(low, top-deepest)
	scale := (top - low) / levels

	le := binary.LittleEndian
	le.PutUint32(b.buf, math.Float32bits(scale))
	le.PutUint32(b.buf[4:], math.Float32bits(float32(float64(low)-logSumExp(logits))))
	for i, v := range logits {
		var q uint16
		if v > low { // so scale is not 0
			q = uint16(min(levels, math.RoundToEven(float64((v-low)/scale))))
		}
		le.PutUint16(b.buf[recordHead+2*i:], q)
	}
	_, err := b.w.Write(b.buf)
	return err
}

// Close writes what is buffered. It fails if predictions are missing. The
// underlying writer stays open.
func (b *BaseWriter) Close() error {
	if b.left > 0 {
		return fmt.Errorf("%d of %d predictions are missing", b.left, b.h.records())
	}
	return b.w.Flush()
}

// BaseReader reads a base file.
type BaseReader struct {
	Header
	Tokens []int32 // Chunks*Context

	name   string
	r      *bufio.Reader
	offset int64
	buf    []byte
	logP   []float32
}

// NewBaseReader reads the head of a base file of size bytes. name is for errors.
func NewBaseReader(r io.Reader, name string, size int64) (*BaseReader, error) {
	b := &BaseReader{name: name, r: bufio.NewReaderSize(r, 1<<20)}
	var head [headerBytes]byte
	if err := b.read(head[:len(magic)]); err != nil {
		return nil, err
	}
	if string(head[:len(magic)]) != magic {
		return nil, &format.Error{File: name, Detail: "not a file of base logits: it does not begin with " + magic, Err: format.ErrFormat}
	}
	if err := b.read(head[len(magic):]); err != nil {
		return nil, err
	}
	var n [3]int64
	for i, field := range []struct {
		name  string
		least int64
	}{{"context", 3}, {"vocabulary", 1}, {"number of chunks", 1}} {
		at := len(magic) + 4*i
		n[i] = int64(int32(binary.LittleEndian.Uint32(head[at:])))
		if n[i] < field.least {
			return nil, &format.Error{File: name, Offset: int64(at), Detail: fmt.Sprintf("a %s of %d", field.name, n[i]), Err: format.ErrFormat}
		}
	}
	// As floats, because the product of three 32-bit counts may not fit in 64 bits.
	context, vocab, chunks := n[0], n[1], n[2]
	record := int64(recordHead) + 2*(vocab+vocab%2)
	need := float64(headerBytes) + float64(chunks)*(4*float64(context)+float64(Scored(int(context)))*float64(record))
	if need > float64(size) {
		return nil, &format.Error{File: name, Offset: size, Err: format.ErrFormat,
			Detail: fmt.Sprintf("%d chunks of %d tokens with a vocabulary of %d take %.0f bytes, the file has %d: it was cut short",
				chunks, context, vocab, need, size)}
	}
	b.Header = Header{Context: int(context), Vocab: int(vocab), Chunks: int(chunks)}

	raw := make([]byte, 4*context*chunks)
	if err := b.read(raw); err != nil {
		return nil, err
	}
	b.Tokens = make([]int32, context*chunks)
	for i := range b.Tokens {
		id := int32(binary.LittleEndian.Uint32(raw[4*i:]))
		if id < 0 || int(id) >= b.Vocab {
			return nil, &format.Error{File: name, Offset: int64(headerBytes + 4*i), Err: format.ErrFormat,
				Detail: fmt.Sprintf("token %d is not in the vocabulary of %d", id, b.Vocab)}
		}
		b.Tokens[i] = id
	}
	b.buf = make([]byte, b.recordBytes())
	b.logP = make([]float32, b.Vocab)
	return b, nil
}

// Next reads the next prediction: the logarithms of all tokens' probabilities.
// They are valid until the next call.
func (b *BaseReader) Next() ([]float32, error) {
	at := b.offset
	if err := b.read(b.buf); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	scale, low := math.Float32frombits(le.Uint32(b.buf)), math.Float32frombits(le.Uint32(b.buf[4:]))
	if !finite(scale) || !finite(low) || scale < 0 {
		return nil, &format.Error{File: b.name, Offset: at, Err: format.ErrFormat,
			Detail: fmt.Sprintf("scale %v and minimum %v of a prediction", scale, low)}
	}
	for i := range b.logP {
		b.logP[i] = scale*float32(le.Uint16(b.buf[recordHead+2*i:])) + low
	}
	return b.logP, nil
}

// read fills p.
func (b *BaseReader) read(p []byte) error {
	n, err := io.ReadFull(b.r, p)
	b.offset += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &format.Error{File: b.name, Offset: b.offset, Detail: "the file of base logits was cut short", Err: format.ErrFormat}
	}
	return err
}

func finite(f float32) bool { return !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) }
