package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

// ErrCheckpoint is wrapped by errors that say that a file is no checkpoint, or a
// damaged one.
var ErrCheckpoint = errors.New("unusable checkpoint")

// ErrCheckpointLocked says that another process, or another part of this one, has the checkpoint open. It comes in a [CheckpointError].
var ErrCheckpointLocked = errors.New("the checkpoint is in use")

// CheckpointError says what is wrong with a checkpoint file, and where. It wraps
// [ErrCheckpoint], [ErrCheckpointLocked] or an error of the operating system, such as that of a full disk.
type CheckpointError struct {
	File   string
	Offset int64 // 0 where it is the file as a whole
	Err    error
}

func (e *CheckpointError) Error() string {
	if e.Offset == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s: offset %d: %v", e.File, e.Offset, e.Err)
}

func (e *CheckpointError) Unwrap() error { return e.Err }

// CheckpointLayout is what a checkpoint has room for.
type CheckpointLayout struct {
	Key        []byte // tells what is computed, from what
	Pieces     int    // of the state
	PieceBytes int64
	Parts      int // results, one of each step
	PartBytes  int64
}

// Checkpoint is a file that keeps how far a computation of many steps has come,
// for the computation to be taken up again after a crash or a loss of power. A step
// turns one state into the next, piece by piece, and has one part of the result.
//
// The file is little-endian. Everything begins at a multiple of 4096 bytes:
//
//	header   [8]byte "cortexC1", uint32 version, uint32 length of the key,
//	         uint32 pieces, uint32 parts, uint64 bytes of a piece, uint64 bytes
//	         of a part, the key, uint32 CRC-32C of all that
//	commit   two: uint32 steps done, uint32 the header's CRC, uint32 CRC-32C
//	parts    records
//	state    two: a record for each piece
//
// and a record is 32 bytes (uint32 index, uint32 step, uint64 bytes, uint32
// CRC-32C of the data, uint32 the header's CRC, uint32 zero, uint32 CRC-32C of
// these) and the data. Step n reads state n%2 and writes state (n+1)%2, then
// commit (n+1)%2: what was committed before stays whole until the new commit is
// on the disk. The file gets its name when its header is on the disk. While it is
// open, an empty file beside it, with ".lock" behind its name, is locked.
//
// A Checkpoint is for one goroutine at a time.
type Checkpoint struct {
	CheckpointLayout
	path   string
	f      checkpointFile
	locked *os.File
	id     uint32 // the header's CRC
	header int64  // bytes of the header
	step   int
	fresh  []bool // by piece: whether this step has stored it
	dirty  int64  // bytes written since the last sync
}

type checkpointFile interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
	Close() error
}

const (
	checkpointMagic   = "cortexC1"
	checkpointVersion = 1

	fixedHeader = 40 // bytes before the key
	recordHead  = 32
	pageBytes   = 4096

	// maxDirty bounds what is in the system's cache of files on its way to the disk.
	maxDirty = 16 << 20

	// The most that a header may claim, which keeps sums from overflowing.
	maxKey   = 1 << 28
	maxCount = 1 << 20
	maxBytes = 1 << 40
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli) // format.Castagnoli, of which this package must not know

func wholePages(n int64) int64 { return (n + pageBytes - 1) / pageBytes * pageBytes }

func (l *CheckpointLayout) headerBytes() int64 {
	return wholePages(fixedHeader + int64(len(l.Key)) + 4)
}

// Places of the file.
func (c *Checkpoint) commitAt(step int) int64 { return c.header + int64(step%2)*pageBytes }
func (c *Checkpoint) partAt(i int) int64 {
	return c.header + 2*pageBytes + int64(i)*wholePages(recordHead+c.PartBytes)
}
func (c *Checkpoint) pieceAt(step, i int) int64 {
	return c.partAt(c.Parts) + int64(step%2*c.Pieces+i)*wholePages(recordHead+c.PieceBytes)
}
func (c *Checkpoint) size() int64 { return c.pieceAt(1, c.Pieces) }

// CreateCheckpoint makes a file at path, in place of one that there may be and nobody has open, with
// no step done. The disk space is taken at once where the system can do that.
func CreateCheckpoint(path string, l CheckpointLayout) (_ *Checkpoint, err error) {
	if l.Pieces < 0 || l.Pieces > maxCount || l.Parts < 0 || l.Parts > maxCount || l.PieceBytes < 0 || l.PieceBytes > maxBytes ||
		l.PartBytes < 0 || l.PartBytes > maxBytes || len(l.Key) > maxKey {
		return nil, fmt.Errorf("cache: a checkpoint of %d×%d and %d×%d bytes", l.Pieces, l.PieceBytes, l.Parts, l.PartBytes)
	}
	locked, err := lockCheckpoint(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			unlock(locked)
		}
	}()
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = &CheckpointError{File: path, Err: err}
		}
	}()
	head := make([]byte, l.headerBytes())
	n := copy(head, checkpointMagic)
	b := binary.LittleEndian.AppendUint32(head[:n], checkpointVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(l.Key)))
	b = binary.LittleEndian.AppendUint32(b, uint32(l.Pieces))
	b = binary.LittleEndian.AppendUint32(b, uint32(l.Parts))
	b = binary.LittleEndian.AppendUint64(b, uint64(l.PieceBytes))
	b = binary.LittleEndian.AppendUint64(b, uint64(l.PartBytes))
	b = append(b, l.Key...)
	id := crc32.Checksum(b, castagnoli)
	binary.LittleEndian.AppendUint32(b, id)
	c := newCheckpoint(path, f, l, id)
	err = f.Truncate(c.size())
	if err == nil {
		err = reserveSpace(f, c.size())
	}
	if err == nil {
		_, err = f.WriteAt(head, 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Close() // some systems rename no open file
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, err
	}
	return openCheckpoint(path, locked)
}

// lockCheckpoint locks the file beside a checkpoint, which it makes if there is none.
func lockCheckpoint(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		if err := lock(f); err != nil {
			f.Close()
			return nil, &CheckpointError{File: path, Err: err}
		}
		opened, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, err
		}
		if now, err := os.Stat(f.Name()); err == nil && os.SameFile(opened, now) {
			return f, nil
		}
		f.Close() // it was removed between opening and locking
	}
}

// unlock removes the file and then closes it, so that what is removed is locked; where systems refuse that, the other way round.
// A file that is not empty is somebody else's, and stays.
func unlock(f *os.File) {
	if info, err := f.Stat(); err != nil || info.Size() > 0 {
		f.Close()
		return
	}
	if os.Remove(f.Name()) != nil {
		f.Close()
		os.Remove(f.Name())
		return
	}
	f.Close()
}

func newCheckpoint(path string, f checkpointFile, l CheckpointLayout, id uint32) *Checkpoint {
	return &Checkpoint{CheckpointLayout: l, path: path, f: f, id: id, header: l.headerBytes(), fresh: make([]bool, l.Pieces)}
}

// OpenCheckpoint opens the file at path. It is the caller's to look whether the
// layout, and above all the key, is the wanted one.
func OpenCheckpoint(path string) (*Checkpoint, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	locked, err := lockCheckpoint(path)
	if err != nil {
		return nil, err
	}
	c, err := openCheckpoint(path, locked)
	if err != nil {
		unlock(locked)
	}
	return c, err
}

func openCheckpoint(path string, locked *os.File) (*Checkpoint, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	c, err := readCheckpoint(path, f)
	if err != nil {
		f.Close()
		return nil, err
	}
	c.locked = locked
	return c, nil
}

func readCheckpoint(path string, f *os.File) (*Checkpoint, error) {
	bad := func(at int64, detail string) error {
		return &CheckpointError{File: path, Offset: at, Err: fmt.Errorf("%w: %s", ErrCheckpoint, detail)}
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var fixed [fixedHeader]byte
	if _, err := f.ReadAt(fixed[:], 0); err != nil && err != io.EOF {
		return nil, &CheckpointError{File: path, Err: err}
	}
	u32 := func(at int) int64 { return int64(binary.LittleEndian.Uint32(fixed[at:])) }
	u64 := func(at int) uint64 { return binary.LittleEndian.Uint64(fixed[at:]) }
	key, pieces, parts := u32(12), u32(16), u32(20)
	switch {
	case string(fixed[:8]) != checkpointMagic:
		return nil, bad(0, "it is no checkpoint")
	case u32(8) != checkpointVersion:
		return nil, bad(8, fmt.Sprintf("version %d", u32(8)))
	case key > maxKey || fixedHeader+key+4 > info.Size():
		return nil, bad(12, "the file is cut short")
	case pieces > maxCount || parts > maxCount || u64(24) > maxBytes || u64(32) > maxBytes:
		return nil, bad(16, "impossible sizes")
	}
	head := make([]byte, fixedHeader+key+4)
	if _, err := f.ReadAt(head, 0); err != nil {
		return nil, &CheckpointError{File: path, Err: err}
	}
	end := len(head) - 4
	id := crc32.Checksum(head[:end], castagnoli)
	if binary.LittleEndian.Uint32(head[end:]) != id {
		return nil, bad(int64(end), "damaged header")
	}
	c := newCheckpoint(path, f, CheckpointLayout{Key: head[fixedHeader:end], PieceBytes: int64(u64(24)), PartBytes: int64(u64(32))}, id)
	c.Parts, c.Pieces = int(parts), int(pieces)
	if c.size() != info.Size() {
		return nil, bad(info.Size(), "the file is cut short")
	}
	c.fresh = make([]bool, c.Pieces)
	for i := range 2 {
		var b [12]byte
		if _, err := f.ReadAt(b[:], c.commitAt(i)); err != nil {
			return nil, &CheckpointError{File: path, Offset: c.commitAt(i), Err: err}
		}
		step := int(binary.LittleEndian.Uint32(b[:]))
		if crc32.Checksum(b[:8], castagnoli) == binary.LittleEndian.Uint32(b[8:]) && binary.LittleEndian.Uint32(b[4:]) == id &&
			step%2 == i && step <= c.Parts {
			c.step = max(c.step, step)
		} // otherwise nothing was committed here, or its writing was cut off: then the other one counts
	}
	return c, nil
}

// Path returns the file's name.
func (c *Checkpoint) Path() string { return c.path }

// Step returns the number of steps that are done.
func (c *Checkpoint) Step() int { return c.step }

// Restart forgets what has been stored since the last commit.
func (c *Checkpoint) Restart() { clear(c.fresh) }

// Store writes a piece, of at most PieceBytes, of the state that the present step
// makes. A piece may be stored several times.
func (c *Checkpoint) Store(i int, piece []byte) error {
	c.fresh[i] = true
	return c.write(c.pieceAt(c.step+1, i), c.PieceBytes, i, c.step+1, piece)
}

// Load reads a piece: as Store has written it in the present step, or else as the
// last commit has it.
func (c *Checkpoint) Load(i int, piece []byte) error {
	step := c.step
	if c.fresh[i] {
		step++
	}
	return c.read(c.pieceAt(step, i), c.PieceBytes, i, step, piece)
}

// StorePart writes the present step's part of the result, of at most PartBytes.
func (c *Checkpoint) StorePart(data ...[]byte) error {
	return c.write(c.partAt(c.step), c.PartBytes, c.step, c.step+1, data...)
}

// LoadPart reads part i, of a step that is done.
func (c *Checkpoint) LoadPart(i int, data ...[]byte) error {
	return c.read(c.partAt(i), c.PartBytes, i, i+1, data...)
}

// Commit ends a step, all pieces and the part of which have been stored. When it
// returns, they are on the disk.
func (c *Checkpoint) Commit() error {
	for i, fresh := range c.fresh {
		if !fresh {
			panic(fmt.Sprintf("cache: commit without piece %d", i))
		}
	}
	if err := c.sync(); err != nil {
		return err
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(c.step+1))
	b = binary.LittleEndian.AppendUint32(b, c.id)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if _, err := c.f.WriteAt(b, c.commitAt(c.step+1)); err != nil {
		return c.failed(c.commitAt(c.step+1), err)
	}
	if err := c.sync(); err != nil {
		return err
	}
	c.step++
	clear(c.fresh)
	return nil
}

// Close closes the file, which stays as it is.
func (c *Checkpoint) Close() error {
	defer c.unlock()
	return c.f.Close()
}

func (c *Checkpoint) unlock() {
	if c.locked != nil {
		unlock(c.locked)
		c.locked = nil
	}
}

// Remove closes and removes the file.
func (c *Checkpoint) Remove() error {
	defer c.unlock()
	return errors.Join(c.f.Close(), os.Remove(c.path))
}

func (c *Checkpoint) failed(at int64, err error) error {
	return &CheckpointError{File: c.path, Offset: at, Err: err}
}

func (c *Checkpoint) sync() error {
	c.dirty = 0
	if err := c.f.Sync(); err != nil {
		return c.failed(0, err)
	}
	if f, ok := c.f.(*os.File); ok {
		forgetCache(f)
	}
	return nil
}

// head is the head of a record.
func (c *Checkpoint) head(index, step int, data [][]byte) (head []byte, size int64) {
	var sum uint32
	for _, d := range data {
		sum = crc32.Update(sum, castagnoli, d)
		size += int64(len(d))
	}
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, recordHead), uint32(index))
	b = binary.LittleEndian.AppendUint32(b, uint32(step))
	b = binary.LittleEndian.AppendUint64(b, uint64(size))
	b = binary.LittleEndian.AppendUint32(b, sum)
	b = binary.LittleEndian.AppendUint32(b, c.id)
	b = binary.LittleEndian.AppendUint32(b, 0)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), size
}

func (c *Checkpoint) write(at, most int64, index, step int, data ...[]byte) error {
	head, size := c.head(index, step, data)
	if size > most {
		panic(fmt.Sprintf("cache: a record of %d bytes, room for %d", size, most))
	}
	if _, err := c.f.WriteAt(head, at); err != nil {
		return c.failed(at, err)
	}
	at += recordHead
	for _, d := range data {
		for len(d) > 0 {
			n := min(len(d), maxDirty)
			if _, err := c.f.WriteAt(d[:n], at); err != nil {
				return c.failed(at, err)
			}
			at += int64(n)
			d = d[n:]
			if c.dirty += int64(n); c.dirty >= maxDirty {
				if err := c.sync(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (c *Checkpoint) read(at, most int64, index, step int, data ...[]byte) error {
	start := at
	var stored [recordHead]byte
	if _, err := c.f.ReadAt(stored[:], at); err != nil {
		return c.failed(at, err)
	}
	at += recordHead
	for _, d := range data {
		if _, err := c.f.ReadAt(d, at); err != nil {
			return c.failed(at, err)
		}
		at += int64(len(d))
	}
	head, size := c.head(index, step, data)
	if size > most || string(head) != string(stored[:]) {
		return c.failed(start, fmt.Errorf("%w: damaged data of step %d", ErrCheckpoint, step))
	}
	if f, ok := c.f.(*os.File); ok && size >= maxDirty/16 {
		forgetCache(f)
	}
	return nil
}
