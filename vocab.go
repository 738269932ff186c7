package cortex

import "github.com/cortexsdr/cortex/internal/tokenizer"

// BOS returns the token that the model wants in front of a text. ok is false if
// it wants none.
func (m *Model) BOS() (id int32, ok bool) {
	if !m.tok.AddsBOS() {
		return -1, false
	}
	return m.tok.ID(tokenizer.BOS), true
}
