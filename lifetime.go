package cortex

import "sync"

// lifetime frees something once: when it has been closed and nobody uses it any
// more. Closing never waits, so that it may be called from inside a loop over
// generated tokens.
type lifetime struct {
	free func() error

	mu     sync.Mutex
	users  int
	closed bool
}

// enter begins a use. It fails with ErrClosed after close.
func (l *lifetime) enter() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.users++
	return nil
}

// leave ends a use.
func (l *lifetime) leave() {
	l.mu.Lock()
	l.users--
	last := l.closed && l.users == 0
	l.mu.Unlock()
	if last {
		_ = l.free() // unmapping memory that is mapped; whoever called Close has gone on
	}
}

// close frees now, or at the end of the last use. A second close does nothing.
func (l *lifetime) close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	now := l.users == 0
	l.mu.Unlock()
	if now {
		return l.free()
	}
	return nil
}

// isClosed reports whether close was called.
func (l *lifetime) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}
