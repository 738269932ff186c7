package sample

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// cut returns the text before the first stop string to be complete, by looking at every prefix of the whole text.
func cut(text string, stops []string) (released string, stopped bool) {
	for end := range len(text) + 1 {
		longest := 0
		for _, s := range stops {
			if s != "" && strings.HasSuffix(text[:end], s) {
				longest = max(longest, len(s))
			}
		}
		if longest > 0 {
			return text[:end-longest], true
		}
	}
	return text, false
}

// held returns the length of the longest end of the text that may become a stop string.
func held(text string, stops []string) int {
	longest := 0
	for _, s := range stops {
		for n := range len(s) {
			if strings.HasSuffix(text, s[:n]) {
				longest = max(longest, n)
			}
		}
	}
	return longest
}

// checkStops feeds the pieces and compares with the search in the whole text.
func checkStops(t require.TestingT, s *Stops, pieces, stops []string) {
	text, released := "", ""
	for _, piece := range pieces {
		text += piece
		out, stopped := s.Next(piece)
		released += out
		want, found := cut(text, stops)
		require.Equal(t, found, stopped, "%q of %q", text, stops)
		if !found {
			want = text[:len(text)-held(text, stops)]
		}
		require.Equal(t, want, released, "%q of %q", text, stops)
	}
	want, _ := cut(text, stops)
	require.Equal(t, want, released+s.Flush(), "%q of %q", text, stops)
}

func TestStops(t *testing.T) {
	for _, c := range []struct{ stops, pieces []string }{
		{nil, []string{"a", "", "b"}},
		{[]string{"", ""}, []string{"a", "", "b"}},
		{[]string{"</s>"}, []string{"text", " <", "/", "p> <", "/s", "> more"}},
		{[]string{"</s>"}, []string{"</s", "</s>"}},
		{[]string{"aab"}, []string{"a", "a", "a", "a", "b"}},
		{[]string{"abcd", "bc"}, []string{"ab", "c", "d"}},
		{[]string{"abcd", "bcd", "d"}, []string{"xabcd"}},
		{[]string{"abcabd"}, []string{"abcab", "cab", "d"}},
		{[]string{"ä\n\n"}, []string{"ä", "\n", "ä\n", "\n"}},
		{[]string{"\n"}, []string{"one\ntwo\n"}},
		{[]string{"abab", "baba"}, []string{"a", "b", "a", "c", "bab", "a"}},
	} {
		s := NewStops(c.stops)
		checkStops(t, s, c.pieces, c.stops)
		checkStops(t, s, c.pieces, c.stops) // Flush has made it as new
	}
}

func TestStopsReleaseNothingAfterTheEnd(t *testing.T) {
	s := NewStops([]string{"."})
	text, stopped := s.Next("one. two.")
	require.Equal(t, "one", text)
	require.True(t, stopped)
	text, stopped = s.Next("three")
	require.Empty(t, text)
	require.True(t, stopped)
	require.Empty(t, s.Flush())
}

func TestStopsProperty(t *testing.T) {
	piece := rapid.StringOfN(rapid.SampledFrom([]rune("abä")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		stops := rapid.SliceOfN(piece, 0, 4).Draw(t, "stops")
		checkStops(t, NewStops(stops), rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), stops)
	})
}

// A character is either released whole or held back whole, if pieces are whole characters.
func TestStopsKeepCharactersWhole(t *testing.T) {
	s := NewStops([]string{"\xe4\xba"}) // not a whole character, but then it must not split one unless it is found
	text, stopped := s.Next("äß")
	require.False(t, stopped)
	require.True(t, utf8.ValidString(text))
}

func TestStopsDoNotAllocate(t *testing.T) {
	s := NewStops([]string{"</s>", "\nUser:"})
	require.Zero(t, testing.AllocsPerRun(100, func() { s.Next(" word") }))
}

func FuzzStops(f *testing.F) {
	f.Add("one</s>two", "</s>", "tw", uint64(0b1011))
	f.Add("aaaaab", "aab", "ab", ^uint64(0))
	f.Add("\xff\xfe\x00", "\xfe", "", uint64(1))
	f.Fuzz(func(t *testing.T, text, stop1, stop2 string, cuts uint64) {
		var pieces []string
		from := 0
		for i := range len(text) {
			if cuts>>(i%64)&1 == 1 {
				pieces = append(pieces, text[from:i])
				from = i
			}
		}
		stops := []string{stop1, stop2}
		checkStops(t, NewStops(stops), append(pieces, text[from:]), stops)
	})
}

func BenchmarkStops(b *testing.B) {
	s := NewStops([]string{"</s>", "<|im_end|>", "\nUser:", "\n\n\n"})
	const piece = " a piece of text <of> some length\n"
	b.SetBytes(int64(len(piece)))
	b.ReportAllocs()
	for b.Loop() {
		s.Next(piece)
	}
}
