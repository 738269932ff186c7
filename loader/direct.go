package loader

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
)

// directFile reads a part past the page cache where the system lets it, and
// otherwise through it, giving the pages back at once. It is safe for concurrent
// use. What it is asked for is aligned.
type directFile struct {
	io.ReaderAt
	file     *os.File
	own      *os.File // file, opened anew where an open one cannot be switched; nil elsewhere
	buffered atomic.Bool
}

func newDirectFile(f *os.File) *directFile {
	d := &directFile{ReaderAt: f, file: f, own: reopenDirect(f)}
	if d.own != nil {
		d.ReaderAt = d.own
		return d
	}
	d.buffered.Store(!setDirect(f, true))
	return d
}

// Close closes what was opened for direct reads alone.
func (d *directFile) Close() error {
	if d.own == nil {
		return nil
	}
	return d.own.Close()
}

// direct returns the file that is read past the page cache, or nil if it is not.
func (d *directFile) direct() *os.File {
	if f, ok := d.ReaderAt.(*os.File); ok && !d.buffered.Load() {
		return f
	}
	return nil
}

// readAt reads in the way that is known to work.
func (d *directFile) readAt(b []byte, offset int64) (int, error) {
	if d.own != nil && d.buffered.Load() {
		return d.file.ReadAt(b, offset)
	}
	return d.ReadAt(b, offset)
}

// read fills b, of which need bytes must be there, from offset on. It returns
// how many bytes could be read, at least need if there is no error.
func (d *directFile) read(b []byte, offset int64, need int) (int, error) {
	n, err := d.readAt(b, offset)
	if n < need && refusesDirect(err) {
		// Some file systems refuse direct reads only when they come, or those that go on
		// behind a short one. Others may be reading meanwhile: they come here too.
		setDirect(d.file, false)
		d.buffered.Store(true)
		n, err = d.readAt(b, offset)
	}
	if d.buffered.Load() {
		forgetCache(d.file, offset, int64(len(b)))
	}
	switch {
	case n >= need: // the span may reach beyond the end of the file
		return n, nil
	case err == nil, errors.Is(err, io.EOF):
		return n, ErrTruncated
	}
	return n, err
}

// Forget gives back what the system's cache of files keeps of a range of a file that is on
// the disk. It is advice.
func Forget(f *os.File, offset, size int64) { forgetCache(f, offset, size) }
