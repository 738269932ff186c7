package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// vt is a terminal that knows the sequences that a screen uses, and no others.
type vt struct {
	width, height int
	rows          [][]rune // all lines since the beginning; the last height of them can be reached
	row, col      int
	pending       bool // the last column is written: the next character begins a line
}

func newVT(width, height int) *vt { return &vt{width: width, height: height, rows: [][]rune{nil}} }

var sequence = regexp.MustCompile(`^\x1b\[(\d*)([A-Z])`)

func (v *vt) Write(p []byte) (int, error) {
	for s := string(p); s != ""; {
		if m := sequence.FindStringSubmatch(s); m != nil {
			s = s[len(m[0]):]
			n, err := strconv.Atoi(m[1])
			if err != nil {
				n = 1
			}
			v.control(m[2], n)
			continue
		}
		r := []rune(s)[0]
		s = s[len(string(r)):]
		switch {
		case r == '\r':
			v.col, v.pending = 0, false
		case r == '\n': // as the system's terminal driver has it: with a carriage return
			v.line()
		case r < ' ':
			return 0, fmt.Errorf("control character %q", r)
		default:
			if v.pending {
				v.line()
			}
			row := v.rows[v.row]
			for len(row) <= v.col {
				row = append(row, ' ')
			}
			row[v.col] = r
			v.rows[v.row] = row
			if v.col++; v.col == v.width {
				v.col, v.pending = v.width-1, true
			}
		}
	}
	return len(p), nil
}

func (v *vt) line() {
	v.col, v.pending = 0, false
	if v.row++; v.row == len(v.rows) {
		v.rows = append(v.rows, nil)
	}
}

func (v *vt) control(kind string, n int) {
	v.pending = false
	erase := func() { v.rows[v.row] = v.rows[v.row][:min(v.col, len(v.rows[v.row]))] }
	switch kind {
	case "K":
		erase()
	case "J":
		erase()
		for i := v.row + 1; i < len(v.rows); i++ {
			v.rows[i] = nil
		}
	case "A":
		v.row = max(v.row-n, len(v.rows)-v.height, 0)
	case "C":
		v.col = min(v.col+n, v.width-1)
	default:
		panic(kind)
	}
}

func (v *vt) String() string {
	var lines []string
	for _, r := range v.rows {
		lines = append(lines, strings.TrimRight(string(r), " "))
	}
	return strings.Join(lines, "\n")
}

// eager makes the next status be written.
func (s *screen) eager() { s.last = time.Time{} }

func TestStatusBelowTheText(t *testing.T) {
	term := newVT(20, 5)
	s := &screen{out: term, err: term, status: true, live: true, shared: true, width: func() int { return term.width }}
	status := func(text string) {
		s.eager()
		s.Status("%s", text)
	}
	status("opening")
	require.Equal(t, "opening", term.String())
	fmt.Fprint(s, "Once upon")
	require.Equal(t, "Once upon", term.String(), "the text takes its place")
	status("1 token")
	require.Equal(t, "Once upon\n1 token", term.String())
	fmt.Fprint(s, " a time")
	require.Equal(t, "Once upon a time\n1 token", term.String(), "the status stays while there is room")
	status("2 tokens")
	fmt.Fprint(s, " there was")
	require.Equal(t, "Once upon a time the\nre was", term.String(), "the text has come down")
	status("a status that is too long for the line")
	require.Equal(t, "Once upon a time the\nre was\na status that is to", term.String())
	fmt.Fprint(s, "\n\nThe ")
	status("4 tokens")
	fmt.Fprint(s, "fox")
	require.Equal(t, "Once upon a time the\nre was\n\nThe fox\n4 tokens", term.String())
	s.Done("%d tokens", 5)
	require.Equal(t, "Once upon a time the\nre was\n\nThe fox\n5 tokens\n", term.String())
}

// However text and status come, the text stands on the terminal as it is, and
// nothing is left of the status.
func TestTextIsNotHarmed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(4, 12).Draw(t, "width")
		term, plain := newVT(width, 6), newVT(width, 6)
		s := &screen{out: term, err: term, status: true, live: true, shared: true, width: func() int { return width }}
		for _, text := range rapid.SliceOf(rapid.StringOfN(rapid.RuneFrom([]rune("ab \n“é狐")), 0, 14, -1)).Draw(t, "texts") {
			fmt.Fprint(s, text)
			fmt.Fprint(plain, text)
			if rapid.Bool().Draw(t, "status") {
				s.eager()
				s.Status("status")
			}
		}
		s.End()
		if plain.col > 0 {
			fmt.Fprint(plain, "\n")
		}
		require.Equal(t, strings.TrimRight(plain.String(), "\n"), strings.TrimRight(term.String(), "\n"))
	})
}

func TestStatusBesideTheText(t *testing.T) {
	term := newVT(40, 5)
	var text bytes.Buffer
	s := &screen{out: &text, err: term, status: true, live: true, width: func() int { return term.width }}
	s.Status("one")
	fmt.Fprint(s, "some text\n")
	s.eager()
	s.Status("two")
	require.Equal(t, "two", term.String())
	s.Status("three")
	require.Equal(t, "two", term.String(), "not so soon")
	fmt.Fprintln(logWriter{s}, "log")
	require.Equal(t, "log\n", term.String())
	s.Status("three")
	require.Equal(t, "log\nthree", term.String())
	s.Done("done")
	require.Equal(t, "log\ndone\n", term.String())
	require.Equal(t, "some text\n", text.String())
}

func TestStatusInLines(t *testing.T) {
	var text, lines bytes.Buffer
	s := &screen{out: &text, err: &lines, status: true}
	s.Status("one")
	s.Status("two")
	fmt.Fprint(s, "text")
	s.Done("done")
	require.Equal(t, "one\ndone\n", lines.String())
	require.Equal(t, "text\n", text.String(), "the last line is ended")
}

func TestNoStatus(t *testing.T) {
	s := &screen{out: io.Discard, err: brokenPipe{}}
	s.Status("one")
	s.Done("done")
	require.False(t, s.shown)
}

func TestTimeLeft(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                        "0.0 s left",
		1500 * time.Millisecond:  "1.5 s left",
		12300 * time.Millisecond: "12s left",
		3723 * time.Second:       "1h2m3s left",
	} {
		require.Equal(t, want, timeLeft(d))
	}
}
