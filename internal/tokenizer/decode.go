package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// DecodeOptions say how ids become text.
type DecodeOptions struct {
	Special  bool // show control tokens, by their names, and unknown ones; otherwise they are left out
	Continue bool // the ids continue a text; otherwise a space that Encode put in front of the text is taken away
}

// Piece returns the bytes that a token stands for, which need not be whole characters; for control tokens and unknown ones
// their names. It returns nil if there is no such token. The bytes must not be changed.
func (t *Tokenizer) Piece(id int32) []byte {
	if id < 0 || int(id) >= len(t.tokens) {
		return nil
	}
	start, end := uint32(0), t.pieceEnds[id]
	if id > 0 {
		start = t.pieceEnds[id-1]
	}
	return t.pieces[start:end:end]
}

// Decode returns the text of ids. Bytes that are not valid UTF-8 become U+FFFD each. Ids that are not in the vocabulary
// are left out.
func (t *Tokenizer) Decode(ids []int32, opt DecodeOptions) string {
	d := t.NewDecoder(opt)
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(d.Next(id))
	}
	b.WriteString(d.Flush())
	return b.String()
}

// Decoder turns ids into text one by one: what its calls return is, put together, what Decode returns.
type Decoder struct {
	t       *Tokenizer
	opt     DecodeOptions
	started bool   // some text has been decoded
	pending []byte // the beginning of a character
}

// NewDecoder returns a Decoder that stands at the beginning of a text, or within one if opt says so.
func (t *Tokenizer) NewDecoder(opt DecodeOptions) *Decoder {
	return &Decoder{t: t, opt: opt, started: opt.Continue || !t.spacePrefix}
}

// Next returns the text that is complete with a token. The beginning of a character whose other bytes
// are still to come is held back.
func (d *Decoder) Next(id int32) string {
	piece := d.t.Piece(id)
	if piece == nil {
		return ""
	}
	if typ := d.t.types[id]; typ == Control || typ == Unknown {
		if !d.opt.Special {
			return ""
		}
	} else if !d.started {
		d.started = true
		if typ != UserDefined && len(piece) > 0 && piece[0] == ' ' {
			piece = piece[1:]
		}
	}
	if len(d.pending) == 0 && utf8.Valid(piece) {
		return string(piece)
	}
	d.pending = append(d.pending, piece...)
	return d.take(false)
}

// Flush returns what was held back, as U+FFFD, at the end of the text.
func (d *Decoder) Flush() string { return d.take(true) }

// take returns the text of the pending bytes, but for the beginning of a character unless all is wanted.
func (d *Decoder) take(all bool) string {
	var b strings.Builder
	p := d.pending
	for len(p) > 0 && (all || utf8.FullRune(p)) {
		r, n := utf8.DecodeRune(p)
		b.WriteRune(r)
		p = p[n:]
	}
	d.pending = append(d.pending[:0], p...)
	return b.String()
}
