package sample

// Stops looks for strings that end a text which comes in pieces, where such a string may begin in one piece and end in another. It holds back
// no more of the text than what may still become one of them.
//
// The first string to be complete ends the text; of several that are complete with the same byte, the longest. So the result does not depend on how
// the text is cut, and no piece is asked for when the end is known.
type Stops struct {
	stops   []stop
	held    string // the end of the text so far that is the beginning of a string
	stopped bool
}

// stop is the state of the search for one string, by the algorithm of Knuth, Morris and Pratt.
type stop struct {
	text    string
	matched int // length of the longest prefix of text that the text so far ends with
	// borders[n] is the length of the longest proper prefix of text[:n] that is also a suffix of it.
	borders []int
}

// NewStops returns a search for the given strings. Empty strings are ignored. With no strings at all, all text is released at once.
func NewStops(stops []string) *Stops {
	s := new(Stops)
	for _, text := range stops {
		if text == "" {
			continue
		}
		t := stop{text: text, borders: make([]int, 2, len(text)+1)}
		for n := 1; n < len(text); n++ {
			t.borders = append(t.borders, t.extend(t.borders[n], text[n]))
		}
		s.stops = append(s.stops, t)
	}
	return s
}

// extend returns the length of the longest prefix of text that ends with c, after one of length n before c.
func (t *stop) extend(n int, c byte) int {
	for n > 0 && t.text[n] != c {
		n = t.borders[n]
	}
	if t.text[n] == c {
		n++
	}
	return n
}

// Next takes the next piece of the text and returns the text that is released by it, and whether a string has been found. Then what was released
// in all is the text before that string, and nothing more is ever released.
func (s *Stops) Next(piece string) (text string, stopped bool) {
	if s.stopped {
		return "", true
	}
	for i := range len(piece) {
		found := 0
		for j := range s.stops {
			t := &s.stops[j]
			if t.matched = t.extend(t.matched, piece[i]); t.matched == len(t.text) {
				found = max(found, t.matched)
			}
		}
		if found > 0 {
			text = s.release(piece[:i+1], found)
			s.stopped, s.held = true, ""
			return text, true
		}
	}
	hold := 0
	for _, t := range s.stops {
		hold = max(hold, t.matched)
	}
	return s.release(piece, hold), false
}

// release returns the held text and the piece but for the last hold bytes, which it holds.
func (s *Stops) release(piece string, hold int) string {
	if n := len(piece) - hold; n >= 0 {
		text := s.held + piece[:n] // no copy when nothing is held
		s.held = piece[n:]
		return text
	}
	all := s.held + piece
	n := len(all) - hold
	s.held = all[n:]
	return all[:n]
}

// Flush ends the text: it returns what is held back. The Stops is then ready for another text.
func (s *Stops) Flush() string {
	text := s.held
	s.held, s.stopped = "", false
	for i := range s.stops {
		s.stops[i].matched = 0
	}
	return text
}
