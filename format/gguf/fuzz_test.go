package gguf_test

import "testing"

// FuzzParse reads everything of whatever parses, alone and as one of two parts, and checks the form of the errors.
func FuzzParse(f *testing.F) {
	f.Add(small().bytes(), []byte{})
	parts := splitImages(2)
	f.Add(parts[0].bytes(), parts[1].bytes())
	for _, c := range malformed {
		if data := c.im.bytes(); len(data) < 4096 {
			f.Add(data, data)
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		read(t, a)
		read(t, a, b)
	})
}
