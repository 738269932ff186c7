package cortex

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

// Extension is what the names of files end in.
const Extension = ".cortex"

// Options for NewWriter. The zero Options write one file.
type Options struct {
	// Shards is how many files are written; 0 and 1 mean a single one. The blocks of products
	// are dealt out evenly, so that shards on different disks are read at once.
	Shards int
	// ShardBytes, if not 0, is about the most that a file takes; they are filled one after the other. Shards must
	// be 0 then. A tensor that is kept in rows is never divided.
	ShardBytes int64
	// Dirs are the directories of the shards, the first in Dirs[0] and so on in turn; nil means that of the path.
	Dirs []string
	// Job describes what is written: the input files, their sizes and times, and every option that matters. If a
	// writer for the same path with the same Job and the same other Options was interrupted, NewWriter
	// continues its work; see [RowsWriter.Written] and [ProductWriter.Next]. If Job is empty, nothing can be continued.
	Job string
	// KeepJournal leaves the journal for [Finish] to remove: if what is still to be done to the set, such as an [Update], is
	// interrupted, a Writer of the same Job goes on, and makes of the set what it was when it was closed.
	KeepJournal bool
}

// Writer writes a file, or a set of shards, in bounded memory. The order of calls is
//
//	w, err := cortex.NewWriter("model.cortex", cortex.Options{Job: …})
//	defer w.Suspend()                            // does nothing after Close or Abort
//	r, err := w.AddRows(…); r.Write(…)           // a tensor that is kept in rows
//	p, err := w.AddProduct(…); p.WriteBlock(…)   // a product
//	…                                            // entries in the order of execution, each whole before the next
//	w.SetMetadata(…); w.SetThresholds(…)         // at any time
//	err = w.Close()
//
// Nothing has its final name before Close: a set can be opened only if it is whole and on the disk. A writer that
// was interrupted at any moment leaves temporary files and, if Options.Job is given, a journal, with which the next one continues. A Writer
// is for one goroutine.
//
// Errors are *format.Error values that name the tensor, for what cannot be written, or errors of the file system. After
// an error of a write, the Writer can only be suspended or aborted.
type Writer struct {
	base    string // the file's name, extension included
	o       Options
	meta    []gguf.KV
	entries []entry
	names   map[string]*Product // nil for tensors kept in rows
	shards  []*shard
	journal *journal
	open    *entry // that is not whole yet
	written int64
	err     error
}

// entry is a tensor or a product.
type entry struct {
	rows    *rows
	product *Product
	left    int64 // rows: bytes; product: blocks
}

// shard is a file that is being written.
type shard struct {
	f               *os.File
	temp            string
	end             int64 // of the pages that are taken
	small, smallEnd int64 // what is left of the page for small pieces
	blocks          int64 // bytes of blocks of products
}

// NewWriter returns a Writer for the file at path, which ends in [Extension], or for the shards
// name-00001-of-0000N.cortex in place of name.cortex. While another Writer or [Update] writes there, it fails with [ErrLocked].
func NewWriter(path string, o Options) (*Writer, error) {
	base := filepath.Base(path)
	if !strings.HasSuffix(base, Extension) || base == Extension {
		return nil, fmt.Errorf("%s: the name must end in %s", path, Extension)
	}
	if o.Shards < 0 || o.Shards > maxShards || o.ShardBytes < 0 || o.Shards > 0 && o.ShardBytes > 0 {
		return nil, fmt.Errorf("%s: %d shards of %d bytes; one of the two is 0, and at most %d can be written", path, o.Shards, o.ShardBytes, maxShards)
	}
	if len(o.Dirs) == 0 {
		o.Dirs = []string{filepath.Dir(path)}
	}
	w := &Writer{base: base, o: o, names: map[string]*Product{}}
	var err error
	if w.journal, err = openJournal(w.journalPath(), o); err != nil {
		return nil, err
	}
	for range max(1, o.Shards) {
		if err := w.addShard(); err != nil {
			return nil, errors.Join(err, w.Suspend())
		}
	}
	return w, nil
}

func (w *Writer) dir(shard int) string { return w.o.Dirs[shard%len(w.o.Dirs)] }

func (w *Writer) journalPath() string { return filepath.Join(w.dir(0), w.base+journalExtension) }

// tempPath returns the name of a shard while it is written.
func (w *Writer) tempPath(shard int) string {
	return filepath.Join(w.dir(shard), fmt.Sprintf("%s.%05d.tmp", w.base, shard+1))
}

// finalPath returns the name of a shard of so many.
func (w *Writer) finalPath(shard, shards int) string {
	return filepath.Join(w.dir(shard), shardName(w.base, shard, shards))
}

// shardName returns the name of a shard of the set that is called base: base itself if there is only one.
func shardName(base string, shard, shards int) string {
	if shards == 1 {
		return base
	}
	return fmt.Sprintf("%s-%05d-of-%05d%s", strings.TrimSuffix(base, Extension), shard+1, shards, Extension)
}

// addShard creates the next shard or, if a writer was interrupted, opens it as it was left.
func (w *Writer) addShard() error {
	i := len(w.shards)
	if i == maxShards {
		return fmt.Errorf("%s: more than %d shards", w.base, maxShards)
	}
	s := &shard{temp: w.tempPath(i), end: pageBytes}
	flags := os.O_RDWR | os.O_CREATE
	if w.journal.replaying() {
		if err := w.unseal(i); err != nil {
			return err
		}
	} else {
		flags |= os.O_TRUNC
	}
	var err error
	if s.f, err = os.OpenFile(s.temp, flags, 0o666); err != nil {
		return err
	}
	w.shards = append(w.shards, s)
	return nil
}

// unseal gives a shard its temporary name back if the writer was interrupted when some had their final ones.
func (w *Writer) unseal(i int) error {
	uuid, shards, ok := w.journal.sealed()
	if !ok || i >= shards {
		return nil
	}
	if _, err := os.Lstat(w.tempPath(i)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	path := w.finalPath(i, shards)
	p, err := openPart(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // what is missing is written again
	}
	if err != nil {
		return err
	}
	h, err := parseLonger(p)
	p.close()
	if err != nil || h.uuid != uuid || h.shard != i {
		return nil // somebody else's
	}
	return os.Rename(path, w.tempPath(i))
}

// SetMetadata sets the keys and values, in place of those set before. They are encoded when the Writer is closed; a value that
// cannot be is a *format.Error of Close that names the key.
func (w *Writer) SetMetadata(meta []gguf.KV) { w.meta = meta }

// SetThresholds sets the calibrated thresholds of the product that has the matrix, in ascending order of Sparsity.
func (w *Writer) SetThresholds(matrix string, list []Threshold) error {
	p := w.names[matrix]
	if p == nil {
		return &format.Error{Tensor: matrix, Detail: "is in no product", Err: format.ErrMissing}
	}
	if detail := p.checkThresholds(list); detail != "" {
		return &format.Error{Tensor: matrix, Detail: detail, Err: format.ErrFormat}
	}
	p.Thresholds = list
	return nil
}

// Written returns the bytes of tensors and products that are in place, those of an interrupted writer included as soon as they
// are found.
func (w *Writer) Written() int64 { return w.written }

// AddRows begins a tensor that is kept in rows, of ggml's type and with the shape in ggml's order.
func (w *Writer) AddRows(name string, typ format.Type, shape []int64) (*RowsWriter, error) {
	fail := func(kind error, text string, args ...any) (*RowsWriter, error) {
		return nil, &format.Error{Tensor: name, Detail: fmt.Sprintf(text, args...), Err: kind}
	}
	if len(shape) > maxDims {
		return fail(format.ErrFormat, "%d dimensions, at most %d can be written", len(shape), maxDims)
	}
	size, err := typ.Bytes(shape)
	if err != nil {
		e := err.(*format.Error)
		e.Tensor = name
		return nil, e
	}
	r := &rows{Tensor: format.Tensor{Name: name, Type: typ, Shape: shape, Size: size}, pieceBytes: rowsPiece}
	if err := w.begin(entry{rows: r, left: size}, r.spec(), name); err != nil {
		return nil, err
	}
	if r.Part, r.Offset, err = w.place(size, allBytes); err != nil {
		return nil, w.fails(err)
	}
	rw := &RowsWriter{w: w, e: w.open}
	return rw, w.replay(func(size int64, read putter) error {
		if size != min(r.pieceBytes, w.open.left) {
			return errNotWritten
		}
		_, crc, err := read(r.Part, r.Offset+rw.Written(), size)
		if err != nil {
			return err
		}
		r.crc = append(r.crc, crc)
		w.took(size, size)
		return nil
	})
}

// RowsWriter takes the bytes of a tensor.
type RowsWriter struct {
	w   *Writer
	e   *entry
	buf []byte
}

// Written returns how many bytes of the tensor have been taken: more than 0 at the beginning where an interrupted writer is
// continued. The next Write begins with that byte.
func (r *RowsWriter) Written() int64 { return r.e.rows.Size - r.e.left + int64(len(r.buf)) }

// Write takes the tensor's next bytes, in pieces of any size. The tensor is whole with its last byte.
func (r *RowsWriter) Write(p []byte) (int, error) {
	w, t := r.w, r.e.rows
	if w.err != nil {
		return 0, w.err
	}
	if int64(len(p)) > r.e.left-int64(len(r.buf)) {
		return 0, &format.Error{Tensor: t.Name, Detail: fmt.Sprintf("more than its %d bytes", t.Size), Err: format.ErrFormat}
	}
	total := len(p)
	for len(p) > 0 {
		want := min(t.pieceBytes, r.e.left) // bytes of this piece
		piece := p[:min(int64(len(p)), want-int64(len(r.buf)))]
		p = p[len(piece):]
		if int64(len(piece)) < want { // else it can be written as it is
			r.buf = append(r.buf, piece...)
			piece = r.buf
		}
		if int64(len(piece)) < want {
			break
		}
		crc, err := w.writePiece(t.Part, t.Offset+t.Size-r.e.left, piece)
		if err != nil {
			return total - len(p), err
		}
		r.buf = r.buf[:0]
		t.crc = append(t.crc, crc)
		w.took(want, want)
	}
	return total, nil
}

// AddProduct begins a product. Of p count Matrices, Type, Channels, Table, BlockChannels (0 means
// [DefaultBlockChannels]), Order and Thresholds; the rest is computed from the blocks.
func (w *Writer) AddProduct(p Product) (*ProductWriter, error) {
	p.Pieces, p.Order = nil, slices.Clone(p.Order)
	name := p.Name()
	byDefault := p.BlockChannels == 0
	if byDefault {
		p.BlockChannels = max(1, p.Channels)
	}
	detail, kind := p.check()
	if kind == nil {
		if detail = cmp.Or(checkOrder(p.Order, p.Channels), p.checkThresholds(p.Thresholds)); detail != "" {
			kind = format.ErrFormat
		}
	}
	if kind != nil {
		return nil, &format.Error{Tensor: name, Detail: detail, Err: kind}
	}
	if byDefault {
		p.BlockChannels = DefaultBlockChannels(p.Channels, p.Groups)
	}
	p.Norm, p.DMax = make([]float32, p.Channels), make([]float32, p.Channels)
	names := make([]string, len(p.Matrices))
	for i, m := range p.Matrices {
		names[i] = m.Name
	}
	if err := w.begin(entry{product: &p, left: int64(p.blocks())}, appendOrder(p.spec(), p.Order), names...); err != nil {
		return nil, err
	}
	pw := &ProductWriter{w: w, e: w.open}
	return pw, w.replay(pw.add)
}

// ProductWriter takes the blocks of a product.
type ProductWriter struct {
	w *Writer
	e *entry
}

// Next returns the first channel of the block that is to be written next: more than 0 at the beginning where an interrupted writer is
// continued, and Channels when the product is whole.
func (p *ProductWriter) Next() int {
	return min(p.e.product.Channels, len(p.e.product.Pieces)*p.e.product.BlockChannels)
}

// Layout returns the layout of the block that is to be written next. The product must not be whole.
func (p *ProductWriter) Layout() Layout { return p.e.product.Layout(len(p.e.product.Pieces)) }

// WriteBlock writes the next block, scales and values as [ProductWriter.Layout] says. Of a product of a sparse type it may also be
// a packed block ([AppendPacked]), which must be smaller.
func (p *ProductWriter) WriteBlock(block []byte) error {
	t := p.e.product
	fail := func(text string, args ...any) error {
		return &format.Error{Tensor: t.Name(), Detail: fmt.Sprintf(text, args...), Err: format.ErrFormat}
	}
	if p.w.err != nil {
		return p.w.err
	}
	if p.e.left == 0 {
		return fail("more than its %d blocks", t.blocks())
	}
	if detail := blockSize(t.Type, p.Layout(), int64(len(block))); detail != "" {
		return fail("block %d %s", len(t.Pieces), detail)
	}
	if detail := t.measure(len(t.Pieces), block); detail != "" {
		return fail("block %d: %s", len(t.Pieces), detail)
	}
	return p.add(int64(len(block)), func(part int, from, n int64) ([]byte, uint32, error) {
		crc, err := p.w.writePiece(part, from, block)
		return nil, crc, err
	})
}

// putter writes a piece, or reads it back and returns it, and returns its checksum.
type putter func(part int, from, n int64) (data []byte, crc uint32, err error)

// add places the next block, of so many bytes, and has put write it or read it back.
func (p *ProductWriter) add(size int64, put putter) error {
	t := p.e.product
	i := len(t.Pieces)
	if blockSize(t.Type, t.Layout(i), size) != "" {
		return errNotWritten
	}
	c := Piece{First: i * t.BlockChannels, Channels: t.blockChannels(i), Size: size}
	var err error
	undo := p.w.placement()
	if c.Part, c.Offset, err = p.w.place(c.Size, blockBytes); err != nil {
		return p.w.fails(err)
	}
	p.w.shards[c.Part].blocks += c.Size
	block, crc, err := put(c.Part, c.Offset, c.Size)
	if err == nil && block != nil && t.measure(i, block) != "" {
		err = errNotWritten
	}
	if err != nil {
		undo()
		return err
	}
	c.CRC = crc
	t.Pieces = append(t.Pieces, c)
	p.w.took(1, c.Size)
	return nil
}

// begin begins an entry, if the one before is whole and the names are new.
func (w *Writer) begin(e entry, spec []byte, names ...string) error {
	if w.err != nil {
		return w.err
	}
	if err := w.whole(); err != nil {
		return err
	}
	for i, name := range names {
		fail := func(text string, args ...any) error {
			for _, taken := range names[:i] {
				delete(w.names, taken)
			}
			return &format.Error{Tensor: name, Detail: fmt.Sprintf(text, args...), Err: format.ErrFormat}
		}
		switch _, taken := w.names[name]; {
		case name == "":
			return fail("the name is empty")
		case len(name) > maxName:
			return fail("the name has %d bytes, at most %d can be written", len(name), maxName)
		case taken:
			return fail("is given twice")
		}
		w.names[name] = e.product
	}
	kind := byte(entryRows)
	if e.product != nil {
		kind = entryProduct
	}
	spec = append([]byte{kind}, spec...)
	had := w.journal.had(spec)
	if !had {
		w.journal.drop()
	}
	if err := w.endReplay(); err != nil {
		return err
	}
	if !had {
		if err := w.journal.addEntry(spec); err != nil {
			return w.fails(err)
		}
	}
	w.entries = append(w.entries, e)
	w.open = &e
	return nil
}

// took notes that n bytes or blocks of the open entry are written.
func (w *Writer) took(n, bytes int64) {
	w.written += bytes
	if w.open.left -= n; w.open.left == 0 {
		w.open = nil
	}
}

// whole returns an error if the entry that was begun last is not whole.
func (w *Writer) whole() error {
	e := w.open
	switch {
	case e == nil:
		return nil
	case e.rows != nil:
		return &format.Error{Tensor: e.rows.Name, Detail: fmt.Sprintf("the last of its bytes, %d of %d, are not written", e.left, e.rows.Size), Err: format.ErrFormat}
	}
	return &format.Error{Tensor: e.product.Name(), Err: format.ErrFormat,
		Detail: fmt.Sprintf("%d of its %d blocks are not written", e.left, e.product.blocks())}
}

func (w *Writer) fails(err error) error {
	if w.err == nil {
		w.err = err
	}
	return err
}

// errNotWritten says that a piece is not what the journal says that was written.
var errNotWritten = errors.New("not written")

// replay has take read back the pieces of the open entry that an interrupted writer has written. With the first that is not as it
// was written, everything that it has written from there on is dropped.
func (w *Writer) replay(take func(size int64, read putter) error) error {
	for w.open != nil {
		size, want, ok := w.journal.piece()
		if !ok {
			break
		}
		err := take(size, func(part int, from, n int64) ([]byte, uint32, error) {
			data := make([]byte, n)
			if _, err := w.shards[part].f.ReadAt(data, from); err != nil || checksum(data) != want {
				return nil, 0, errNotWritten
			}
			return data, want, nil
		})
		if errors.Is(err, errNotWritten) {
			break
		}
		if err != nil {
			return err
		}
		w.journal.next()
	}
	if w.open != nil {
		w.journal.drop()
	}
	return w.endReplay()
}

// endReplay cuts off what an interrupted writer has left behind what is known to be right, once that is all found.
func (w *Writer) endReplay() error {
	cut, err := w.journal.end()
	if err != nil {
		return w.fails(err)
	}
	if !cut {
		return nil
	}
	for _, s := range w.shards {
		err := s.f.Truncate(s.end)
		if err == nil && s.small < s.smallEnd {
			_, err = s.f.WriteAt(make([]byte, s.smallEnd-s.small), s.small)
		}
		if err == nil {
			_, err = s.f.WriteAt(make([]byte, pageBytes), 0) // a header of files that were whole already
		}
		if err != nil {
			return w.fails(err)
		}
	}
	return nil
}

// placement returns a function that takes back what place does after it.
func (w *Writer) placement() (undo func()) {
	saved := make([]shard, len(w.shards))
	for i, s := range w.shards {
		saved[i] = *s
	}
	return func() {
		for i, s := range w.shards {
			if i < len(saved) {
				*s = saved[i]
			} else {
				*s = shard{f: s.f, temp: s.temp, end: pageBytes}
			}
		}
	}
}

// Of the shards, a piece goes to the one with the least load: a tensor kept in rows by all bytes, a block by those of blocks, as
// they are what is read for every token and must come from all disks at once.
func allBytes(s *shard) int64   { return s.end }
func blockBytes(s *shard) int64 { return s.blocks }

// place finds room for a piece. It depends on the sizes of all pieces before only.
func (w *Writer) place(size int64, load func(s *shard) int64) (part int, offset int64, err error) {
	if size > math.MaxInt64/4 {
		return 0, 0, fmt.Errorf("%s: %d bytes are too many for a file", w.base, size)
	}
	small := size < pageBytes
	pages := alignUp(size, pageBytes)
	if w.o.ShardBytes > 0 {
		part = len(w.shards) - 1
		s := w.shards[part]
		fits := small && s.small+size <= s.smallEnd || s.end+pages <= w.o.ShardBytes || s.end == pageBytes
		if !fits {
			if err := w.addShard(); err != nil {
				return 0, 0, err
			}
			part++
		}
	} else if !small {
		for i, s := range w.shards {
			if load(s) < load(w.shards[part]) {
				part = i
			}
		}
	}
	s := w.shards[part]
	if !small {
		offset = s.end
		s.end += pages
		return part, offset, nil
	}
	if s.small+size > s.smallEnd {
		s.small, s.smallEnd = s.end, s.end+pageBytes
		s.end += pageBytes
	}
	offset = s.small
	s.small = min(s.smallEnd, alignUp(s.small+size, smallAlign))
	return part, offset, nil
}

// writePiece writes a piece at its place and notes it in the journal.
func (w *Writer) writePiece(part int, at int64, data []byte) (crc uint32, err error) {
	if _, err = w.shards[part].f.WriteAt(data, at); err != nil {
		return 0, w.fails(err)
	}
	crc = checksum(data)
	if err = w.journal.addPiece(int64(len(data)), crc); err != nil {
		return 0, w.fails(err)
	}
	return crc, nil
}

// Close writes the index and the metadata, brings everything to the disk and gives the files their names, the first
// shard last. If it fails, the Writer can only be suspended or aborted.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	if err := w.whole(); err != nil {
		return err
	}
	w.journal.drop()
	if err := w.endReplay(); err != nil {
		return err
	}
	uuid, err := w.finish()
	if err == nil {
		err = w.journal.seal(uuid, len(w.shards))
	}
	if err != nil {
		return w.fails(err)
	}
	w.err = errClosed
	for _, s := range w.shards {
		err = errors.Join(err, s.f.Close())
	}
	if err == nil {
		err = w.rename()
	}
	if err != nil || w.o.KeepJournal {
		return errors.Join(err, w.journal.close())
	}
	return w.journal.remove()
}

// Unfinished reports whether a Writer has written the set whose first shard is at path, and was told to keep its journal.
func Unfinished(path string) bool {
	data, err := os.ReadFile(setName(path) + journalExtension)
	if err != nil {
		return false
	}
	p, err := openPart(path)
	if err != nil {
		return false
	}
	defer p.close()
	var fixed [32]byte // the header may be that of a file that an Update was making longer
	if _, err := p.file.ReadAt(fixed[:], 0); err != nil {
		return false
	}
	j := journal{pending: readRecords(data)}
	j.findSeal()
	return j.sealShards > 0 && j.sealUUID == UUID(fixed[16:])
}

// Finish removes the journal that was kept of the set whose first shard is at path.
func Finish(path string) error {
	f, err := openLocked(setName(path) + journalExtension)
	if err != nil {
		return err
	}
	return (&journal{f: f, path: f.Name()}).remove()
}

// rename gives the files their names. A set that has them already is no set from the moment when its first shard is gone.
func (w *Writer) rename() error {
	n := len(w.shards)
	if n > 1 {
		if err := os.Remove(w.finalPath(0, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for i := 1; i < n; i++ {
			if err := os.Rename(w.tempPath(i), w.finalPath(i, n)); err != nil {
				return err
			}
		}
		for _, dir := range w.o.Dirs { // before the first shard can be found
			if err := syncDir(dir); err != nil {
				return err
			}
		}
	}
	if err := os.Rename(w.tempPath(0), w.finalPath(0, n)); err != nil {
		return err
	}
	return syncDir(w.dir(0))
}

var errClosed = errors.New("the cortex.Writer is closed")

// Paths returns the names of the files that Close has written, the first shard first.
func (w *Writer) Paths() []string {
	paths := make([]string, len(w.shards))
	for i := range paths {
		paths[i] = w.finalPath(i, len(paths))
	}
	return paths
}

// finish writes sections and headers, and brings all files to the disk.
func (w *Writer) finish() (UUID, error) {
	first := w.shards[0]
	meta, err := gguf.AppendMetadata(nil, w.meta)
	if err != nil {
		return UUID{}, err
	}
	sw := sectionWriter{at: first.end}
	sw.add(kindMeta, mustKnow, meta)
	index, sides, orders, thresholds := w.encodeIndex()
	sw.add(kindIndex, mustKnow, index)
	sw.add(kindSides, mustKnow, sides)
	if orders != nil {
		sw.add(kindOrders, mustKnow, orders)
	}
	if thresholds != nil {
		sw.add(kindThresholds, 0, thresholds)
	}
	list := make([]shardInfo, len(w.shards))
	for i, s := range w.shards {
		list[i] = shardInfo{name: filepath.Base(w.finalPath(i, len(w.shards))), dir: relativeDir(w.dir(0), w.dir(i)), size: s.end}
	}
	sw.addShards(list)

	hash := sha256.New()
	for _, b := range sw.contents {
		hash.Write(b)
	}
	uuid := UUID(hash.Sum(nil)[:16])
	uuid[6], uuid[8] = uuid[6]&0x0f|0x80, uuid[8]&0x3f|0x80 // RFC 9562, version 8
	if err := sw.write(first.f); err != nil {
		return uuid, err
	}
	for i, s := range w.shards {
		h := header{major: major, minor: minor, uuid: uuid, shard: i, shards: len(w.shards), fileSize: list[i].size, tableCRC: checksum(nil)}
		if i == 0 {
			sw.describe(&h)
		}
		if err := s.f.Truncate(h.fileSize); err != nil {
			return uuid, err
		}
		if _, err := s.f.WriteAt(h.encode(), 0); err != nil {
			return uuid, err
		}
		if err := s.f.Sync(); err != nil {
			return uuid, err
		}
	}
	return uuid, nil
}

// encodeIndex returns the sections that describe the entries; orders and thresholds are nil if no product has any.
func (w *Writer) encodeIndex() (index, sides, orders, thresholds []byte) {
	var ordered, calibrated numbered
	index = appendUint64(nil, uint64(len(w.entries)))
	for i, e := range w.entries {
		if e.rows != nil {
			index = appendEntry(index, entryRows, e.rows.encode())
			continue
		}
		p := e.product
		index = appendEntry(index, entryProduct, p.encode(int64(len(sides))))
		sides = appendFloats(appendFloats(sides, p.Norm...), p.DMax...)
		if p.Order != nil {
			ordered.add(i, p)
		}
		if p.Thresholds != nil {
			calibrated.add(i, p)
		}
	}
	if ordered.products != nil {
		orders = encodeOrders(ordered.entries, ordered.products)
	}
	if calibrated.products != nil {
		thresholds = encodeThresholds(calibrated.entries, calibrated.products)
	}
	return index, sides, orders, thresholds
}

// numbered is products with the numbers of their entries in the index.
type numbered struct {
	entries  []int
	products []*Product
}

func (n *numbered) add(entry int, p *Product) {
	n.entries, n.products = append(n.entries, entry), append(n.products, p)
}

// Suspend closes the files and leaves everything for a later Writer of the same Job to continue. It does nothing after Close,
// Abort or Suspend.
func (w *Writer) Suspend() (err error) {
	if errors.Is(w.err, errClosed) {
		return nil
	}
	w.err = errClosed
	for _, s := range w.shards {
		err = errors.Join(err, s.f.Close())
	}
	return errors.Join(err, w.journal.close())
}

// Abort closes and removes everything that was written. It does nothing after Close, Abort or Suspend.
func (w *Writer) Abort() error {
	if errors.Is(w.err, errClosed) {
		return nil
	}
	w.err = errClosed
	var err error
	for _, s := range w.shards {
		err = errors.Join(err, s.f.Close(), os.Remove(s.temp))
	}
	return errors.Join(err, w.journal.remove())
}

// syncDir brings the names in a directory to the disk.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // which cannot, and does not need to
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// relativeDir returns the way from one directory to another with slashes; empty if they are the same or there is none.
func relativeDir(from, to string) string {
	from, err1 := filepath.Abs(from)
	to, err2 := filepath.Abs(to)
	rel, err := filepath.Rel(from, to)
	if errors.Join(err1, err2, err) != nil || rel == "." {
		return ""
	}
	return filepath.ToSlash(rel)
}
