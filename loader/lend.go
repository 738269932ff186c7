package loader

import "unsafe"

// Lend gives away the memory of pinned blocks, the last ones of the order from
// block from on: at least n bytes, or what there is. Until Unlend, none of them may
// be acquired; rows that lie in them are read from the file. It is for the walk
// with a long prompt, which has much to keep between two layers and comes to the
// last blocks only when that is no longer needed.
//
// Like Acquire, Lend and Unlend are for one goroutine at a time.
func (s *Stream) Lend(from int, n int64) []byte {
	if len(s.lent) > 0 {
		panic("loader: memory is lent twice")
	}
	var size int64
	var first []byte
	for i := len(s.order) - 1; i >= from && size < n; i-- {
		if s.pins[i] != nil {
			s.lent = append(s.lent, i)
			first = s.pins[i] // pinned blocks lie in their order
			size += int64(len(first))
		}
	}
	return unsafe.Slice(unsafe.SliceData(first), size)
}

// Unlend takes the memory back and reads the blocks anew. After an error it can be
// tried again; until then they remain lent.
func (s *Stream) Unlend() error {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case len(s.lent) == 0:
		return nil
	}
	if err := s.readPins(s.lent); err != nil {
		return err
	}
	for _, b := range s.lent {
		s.blockBytes.Add(int64(len(s.pins[b])))
	}
	s.lent = s.lent[:0]
	return nil
}
