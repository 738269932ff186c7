package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// screen writes text to one stream and a status of one line to another, which
// may be the same terminal. There the status stands on the line below the text
// and is drawn anew as the text goes on.
type screen struct {
	out, err io.Writer
	status   bool       // show a status
	live     bool       // err is a terminal: the status is redrawn in place
	shared   bool       // out is a terminal too
	width    func() int // columns of the terminal

	open  bool      // the last line of the text has no end yet
	col   int       // where its next character goes on a terminal; unknownColumn if that is not clear
	shown bool      // a status is on the terminal
	last  time.Time // when the status was written
}

const (
	unknownColumn = -1
	tabStop       = 8
	liveInterval  = 100 * time.Millisecond
	lineInterval  = 5 * time.Second // where the status cannot be redrawn and every one takes a line
)

// newScreen returns the screen of a command. force shows the status even where
// it is not seen on a terminal.
func newScreen(cmd *cobra.Command, force bool) *screen {
	s := &screen{out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), status: force, last: time.Now()} // short stages show none
	if f, ok := terminal(s.err); ok && understandsEscapes(f) {
		s.status, s.live = true, true
		_, s.shared = terminal(s.out)
		s.width = func() int {
			if w, _, err := term.GetSize(int(f.Fd())); err == nil {
				return w
			}
			return 80
		}
	}
	return s
}

// terminal returns w's file if w is a terminal.
func terminal(w any) (*os.File, bool) {
	f, ok := w.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// Write writes text.
func (s *screen) Write(p []byte) (int, error) {
	if s.live && s.shared {
		col, lines := s.advance(string(p))
		if s.shown && (s.col == 0 || lines) { // the text would run into the status
			s.clear()
		}
		s.col = col
	}
	if len(p) > 0 {
		s.open = p[len(p)-1] != '\n'
	}
	return s.out.Write(p)
}

// advance returns the column behind a text, and whether it comes to a further line
// or to the very end of its own, or may do so.
func (s *screen) advance(text string) (col int, lines bool) {
	col = s.col
	width := s.width()
	for _, r := range text {
		if r == '\n' {
			col, lines = 0, true
			continue
		}
		if col == unknownColumn {
			continue
		}
		if col >= width {
			col, lines = 0, true
		}
		switch {
		case r == '\t':
			col = min((col/tabStop+1)*tabStop, width-1)
		case oneColumn(r):
			col++
		default:
			col = unknownColumn
		}
	}
	// In the last column, clearing what follows would clear the character there.
	return col, lines || col >= width || col == unknownColumn
}

// oneColumn reports whether every terminal shows r in one column. It need not
// know all that are: in doubt the status waits for the next line.
func oneColumn(r rune) bool {
	return r >= ' ' && r < 0x7f || r >= 0xa0 && r < 0x300 && r != 0xad || r >= 0x2010 && r <= 0x2027
}

// Status shows where things stand, unless it did a moment ago.
func (s *screen) Status(format string, args ...any) {
	if !s.status {
		return
	}
	interval := lineInterval
	if s.live {
		interval = liveInterval
	}
	now := time.Now()
	if now.Sub(s.last) < interval {
		return
	}
	s.last = now
	line := fmt.Sprintf(format, args...)
	if !s.live {
		fmt.Fprintln(s.err, line)
		return
	}
	width := s.width()
	line = cut(line, width-1)
	switch {
	case !s.shared || s.col == 0:
		fmt.Fprintf(s.err, "\r\x1b[K%s\r", line)
	case s.col > 0 && s.col < width:
		// Down a line, which scrolls if need be, and back to where the text goes on.
		fmt.Fprintf(s.err, "\r\n\x1b[K%s\r\x1b[A\x1b[%dC", line, s.col)
	default:
		return
	}
	s.shown = true
}

// Done ends the text's last line and shows the last status, which stays.
func (s *screen) Done(format string, args ...any) {
	s.End()
	if s.status {
		fmt.Fprintf(s.err, format+"\n", args...)
	}
}

// End takes the status away and ends the text's last line.
func (s *screen) End() {
	s.clear()
	if s.open {
		fmt.Fprintln(s.out)
		s.open, s.col = false, 0
	}
}

// clear takes the status away, which stands where the cursor is or below it.
func (s *screen) clear() {
	if s.shown {
		fmt.Fprint(s.err, "\x1b[J")
		s.shown, s.last = false, time.Time{} // the next one comes at once
	}
}

// logWriter writes to the screen's stderr, on lines of their own.
type logWriter struct{ s *screen }

func (w logWriter) Write(p []byte) (int, error) {
	w.s.clear()
	return w.s.err.Write(p)
}

// cut returns the first n characters of a line.
func cut(line string, n int) string {
	if utf8.RuneCountInString(line) <= n {
		return line
	}
	var b strings.Builder
	for _, r := range line {
		if n--; n < 0 {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// rest says how long what is left of total will take at the speed since start.
func rest(start time.Time, done, total int64) string {
	return timeLeft(time.Duration(float64(time.Since(start)) * float64(total-done) / float64(done)))
}

// timeLeft says how long something will take.
func timeLeft(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1f s left", d.Seconds())
	}
	return d.Round(time.Second).String() + " left"
}
