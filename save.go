package cortex

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/cortexsdr/cortex/format"
)

// A saved session is little-endian:
//
//	[8]byte   "cortexS1"
//	[32]byte  fingerprint of the model and the type of its KV cache
//	uint32    number of tokens
//	uint32    how many of them have been through the model
//	uint32    the tokens' ids, one after the other
//	…         the keys and values of those that have, in whole pages
//	uint32    CRC-32C of all that

const saveMagic = "cortexS1"

// ErrSaved says that a saved session cannot be restored: it is damaged, belongs
// to another model or KV type, or is longer than the context.
var ErrSaved = errors.New("saved session does not fit")

// Save writes the session's text and all that has been computed for it, so that
// [Session.Restore] goes on at once where it stands. The size is that of the KV
// cache for the session's tokens, rounded up to pages of 256.
func (s *Session) Save(w io.Writer) error {
	if err := s.save(w); err != nil {
		return fmt.Errorf("cortex: save session: %w", err)
	}
	return nil
}

func (s *Session) save(w io.Writer) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	s.settle()
	buf := bufio.NewWriter(w)
	sum := crc32.New(format.Castagnoli)
	out := io.MultiWriter(buf, sum)

	print, err := s.m.fingerprint()
	if err != nil {
		return err
	}
	head := append([]byte(saveMagic), print...)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(s.ids)))
	head = binary.LittleEndian.AppendUint32(head, uint32(s.kv.Len()))
	for _, id := range s.ids {
		head = binary.LittleEndian.AppendUint32(head, uint32(id))
	}
	if _, err := out.Write(head); err != nil {
		return err
	}
	for b, err := range s.kv.Bytes(s.kv.Len()) {
		if err != nil {
			return err
		}
		if _, err := out.Write(b); err != nil {
			return err
		}
	}
	if _, err := buf.Write(binary.LittleEndian.AppendUint32(nil, sum.Sum32())); err != nil {
		return err
	}
	return buf.Flush()
}

// Restore replaces the session's text by one that [Session.Save] has written,
// with the same model and KV type; number of threads, batch size and memory
// limit may differ. After an error that wraps ErrSaved or comes from r, the
// session is empty.
func (s *Session) Restore(r io.Reader) error {
	if err := s.restore(bufio.NewReader(r)); err != nil {
		return fmt.Errorf("cortex: restore session: %w", err)
	}
	return nil
}

func (s *Session) restore(r io.Reader) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	s.forget()
	s.ids = s.ids[:0]
	s.kv.Truncate(0)

	in := &summed{r: r, sum: crc32.New(format.Castagnoli)}
	head := make([]byte, len(saveMagic)+sha256.Size+8)
	if err := in.read(head); err != nil {
		return err
	}
	print, err := s.m.fingerprint()
	if err != nil {
		return err
	}
	ids := binary.LittleEndian.Uint32(head[len(head)-8:])
	done := binary.LittleEndian.Uint32(head[len(head)-4:])
	switch {
	case string(head[:len(saveMagic)]) != saveMagic:
		return fmt.Errorf("%w: it is none", ErrSaved)
	case string(head[len(saveMagic):len(head)-8]) != string(print):
		return fmt.Errorf("%w: it belongs to another model or KV type", ErrSaved)
	case int64(ids) > int64(s.kv.Cap()):
		return fmt.Errorf("%w: it has %d tokens, there is room for %d", ErrSaved, ids, s.kv.Cap())
	case done > ids:
		return fmt.Errorf("%w: it has computed %d of %d tokens", ErrSaved, done, ids)
	}
	list := make([]byte, 4*ids)
	if err := in.read(list); err != nil {
		return err
	}
	for b, err := range s.kv.Fill(int(done)) {
		if err != nil {
			return err
		}
		if err := in.read(b); err != nil {
			return err
		}
	}
	want := in.sum.Sum32()
	var got [4]byte
	if err := in.read(got[:]); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(got[:]) != want {
		return fmt.Errorf("%w: %w", ErrSaved, format.ErrChecksum)
	}
	for i := range int(ids) {
		id := int32(binary.LittleEndian.Uint32(list[4*i:]))
		if id < 0 || int(id) >= s.m.model.Vocab {
			s.ids = s.ids[:0]
			return fmt.Errorf("%w: token %d is not in the vocabulary", ErrSaved, id)
		}
		s.ids = append(s.ids, id)
	}
	s.kv.SetLen(int(done))
	return nil
}

// summed reads and keeps a checksum.
type summed struct {
	r   io.Reader
	sum hash.Hash32
}

func (s *summed) read(b []byte) error {
	if _, err := io.ReadFull(s.r, b); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return fmt.Errorf("%w: it is cut short", ErrSaved)
		}
		return err
	}
	s.sum.Write(b)
	return nil
}

// fingerprint tells models, and the forms of their KV caches, apart: by
// hyper-parameters, by name, type, shape, place and first bytes of every
// tensor, and by all that the file says of its products, checksums among it.
func (m *Model) fingerprint() (sum []byte, err error) {
	err = m.src.Protect(func() error {
		h := sha256.New()
		fmt.Fprintf(h, "%+v %v\n", m.model.Config, m.kvType)
		for _, t := range m.src.Tensors {
			first, err := m.model.Read(t, 0, min(t.Size, 64))
			if err != nil {
				return err
			}
			fmt.Fprintf(h, "%+v %x\n", t, first)
		}
		for i := range m.src.Products {
			p := &m.src.Products[i]
			fmt.Fprintf(h, "%v %v %v %v %v\n", p.Matrices, p.Type, p.Table, p.Pieces, p.Order)
		}
		sum = h.Sum(nil)
		return nil
	})
	return sum, err
}
