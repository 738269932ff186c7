package loader

import (
	"cmp"
	"time"
)

// flight is a read that a batch has begun.
type flight struct {
	slot *slot
	request
	need int // bytes that must come: the last page may be cut off by the end of the file
}

// readBatches is the life of the goroutine that fills the ring with batches of at most depth reads at once.
func (s *Stream) readBatches(depth int) {
	flights := make([]flight, depth)
	free := make([]int, depth) // tags
	for i := range free {
		free[i] = i
	}
	refused := make([]int, 0, depth)
	refuse := func(tag int) { refused = append(refused, tag) }
	end := func(tag, bytes int) { // called with s.mu
		f := &flights[tag]
		free = append(free, tag)
		var err error
		if bytes < f.need { // a read of its own says why, or gets along with a system that refused
			s.mu.Unlock()
			err = s.readPiece(s.order[f.slot.block], f.slot.mem, f.at, f.size)
			s.mu.Lock()
		}
		s.finish(f.slot, f.request, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for !s.closed && len(free) == depth && (s.busy >= s.depth || !s.readable()) {
			s.room.Wait()
		}
		if s.closed && len(free) == depth {
			return
		}
		for !s.closed && s.busy < s.depth && len(free) > 0 && s.readable() {
			slot, r := s.take()
			tag := free[len(free)-1]
			free = free[:len(free)-1]
			e := s.order[slot.block]
			from, _ := e.span()
			flights[tag] = flight{slot, r, int(min(r.size, e.Offset+e.Size-from-r.at))}
			if f := s.files[e.Part].direct(); f != nil {
				s.batch.add(tag, f, slot.mem[r.at:r.at+r.size], from+r.at)
			} else {
				refuse(tag)
			}
		}
		flying := depth - len(free)
		least := 1
		if flying == s.depth { // there may be more to read: in batches
			least = max(1, flying/4)
		}
		s.mu.Unlock()
		s.batch.submit(refuse)
		var ended []event
		if len(refused) == 0 {
			ended = s.batch.wait(least)
		}
		s.mu.Lock()
		for _, tag := range refused {
			end(tag, 0)
		}
		refused = refused[:0]
		for i := range ended {
			end(int(ended[i].tag), ended[i].bytes())
		}
	}
}

// timeBatches keeps readers reads in flight for costTime: add adds the next one with a tag, and ended is told how many bytes
// have come.
func (s *Stream) timeBatches(readers int, add func(tag int), ended func(tag, bytes int) error) (err error) {
	busy := 0
	begin := func(tag int) {
		add(tag)
		busy++
	}
	end := func(tag, bytes int) {
		busy--
		err = cmp.Or(err, ended(tag, bytes))
	}
	for tag := range readers {
		begin(tag)
	}
	for start := time.Now(); ; {
		s.batch.submit(func(tag int) { end(tag, 0) })
		if busy == 0 {
			return err
		}
		for _, e := range s.batch.wait(max(1, busy/4)) {
			end(int(e.tag), e.bytes())
			if err == nil && time.Since(start) < costTime {
				begin(int(e.tag))
			}
		}
	}
}
