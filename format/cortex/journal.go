package cortex

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cortexsdr/cortex/format"
)

// journal tells what of a set has been written: a header that names the job, and then a record for every entry that was begun and
// every piece that was written, in their order. Where the pieces are follows from their sizes.
//
// A record is the length of its payload, a checksum of the payload and of all records before, and the payload; so the journal
// ends where a record was not written whole, and what a longer one has left behind the end does not count. Nothing of the
// journal is believed of the pieces but their checksums: they are read back.
type journal struct {
	f       *os.File // nil after close
	path    string
	pos     int64  // end of the records that count
	sum     uint32 // checksum of all of them
	pending []record
	replay  bool // the shards may hold more than the records that count say

	sealUUID   UUID
	sealShards int
}

// record is a record of an earlier writer.
type record struct {
	payload []byte
	end     int64
	sum     uint32
}

// The kinds of records, the first byte of their payload.
const (
	recordHeader = 'H' // the rest is the job
	recordEntry  = 'E' // the rest is the kind and what identifies it
	recordPiece  = 'P' // the rest is the size and the checksum
	recordSeal   = 'S' // the set is whole; the rest is its UUID and the number of shards
)

const recordHead = 4 + 4

// journalExtension is what the journal's name has behind that of the set.
const journalExtension = ".journal"

// errHeld says that a file is locked.
var errHeld = errors.New("locked")

// journalVersion is to be raised when pieces are placed in another way, or records change.
const journalVersion = 2

// jobOf returns what must be the same for a writer to continue the work of another.
func jobOf(o Options) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32([]byte{recordHeader}, journalVersion)
	b = le.AppendUint32(b, uint32(max(1, o.Shards)))
	b = le.AppendUint64(b, uint64(o.ShardBytes))
	b = appendText(b, o.Job)
	for _, dir := range o.Dirs {
		abs, err := filepath.Abs(dir)
		if err != nil {
			abs = dir
		}
		b = appendText(b, abs)
	}
	return b
}

// openJournal opens the journal at path if it is that of the same job, and otherwise begins a new one.
func openJournal(path string, o Options) (*journal, error) {
	f, err := openLocked(path)
	if err != nil {
		return nil, err
	}
	j := &journal{f: f, path: path}
	data, err := io.ReadAll(f)
	records := readRecords(data)
	job := jobOf(o)
	if err == nil && (o.Job == "" || len(records) == 0 || !bytes.Equal(records[0].payload, job)) {
		records = nil
		if err = f.Truncate(0); err == nil {
			err = j.add(job)
		}
	}
	if err != nil {
		return nil, errors.Join(err, j.close())
	}
	if records == nil {
		return j, nil
	}
	j.pending, j.replay = records, true
	j.findSeal()
	j.next() // the header
	return j, nil
}

// findSeal looks for the record that says that an earlier writer had begun to give the files their names.
func (j *journal) findSeal() {
	for _, r := range j.pending {
		if p := r.payload; p[0] == recordSeal && len(p) == 1+16+4 {
			j.sealUUID, j.sealShards = UUID(p[1:17]), int(binary.LittleEndian.Uint32(p[17:]))
		}
	}
}

// ErrLocked says that another process, or another part of this one, is writing the set. It comes in a *format.Error that names the
// file by which it is locked.
var ErrLocked = errors.New("the set is being written")

// lockSet locks the set whose first shard is at path until unlock is called, as a Writer does that would write it.
func lockSet(path string) (unlock func() error, err error) {
	f, err := openLocked(setName(path) + journalExtension)
	if err != nil {
		return nil, err
	}
	j := &journal{f: f, path: f.Name()}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, j.close())
	}
	if info.Size() > 0 { // that of a Writer that was interrupted, which the next one needs
		return j.close, nil
	}
	return j.remove, nil
}

// setName returns the path that a Writer was given who has written the first shard at path.
func setName(path string) string {
	i := strings.LastIndex(path, "-00001-of-")
	var shards int
	if i < 0 {
		return path
	}
	if n, _ := fmt.Sscanf(path[i:], "-00001-of-%05d"+Extension, &shards); n == 1 && path[i:] == shardName(Extension, 0, shards) {
		return path[:i] + Extension
	}
	return path
}

// openLocked opens or creates a file that no other writer has open.
func openLocked(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		if err := lock(f); err != nil {
			if errors.Is(err, errHeld) {
				err = &format.Error{File: path, Detail: "another process is writing", Err: ErrLocked}
			} else {
				err = fmt.Errorf("lock %s: %w", path, err)
			}
			return nil, errors.Join(err, f.Close())
		}
		opened, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if now, err := os.Stat(path); err == nil && os.SameFile(opened, now) {
			return f, nil
		}
		if err := f.Close(); err != nil { // it was removed between opening and locking
			return nil, err
		}
	}
}

// readRecords returns the records that are whole.
func readRecords(data []byte) (list []record) {
	var sum uint32
	for at := 0; len(data)-at > recordHead; {
		n := binary.LittleEndian.Uint32(data[at:])
		want := binary.LittleEndian.Uint32(data[at+4:])
		if n == 0 || int64(n) > int64(len(data)-at-recordHead) {
			break
		}
		payload := data[at+recordHead:][:n:n]
		if sum = crc32.Update(sum, format.Castagnoli, payload); sum != want {
			break
		}
		at += recordHead + int(n)
		list = append(list, record{payload: payload, end: int64(at), sum: sum})
	}
	return list
}

// add appends a record.
func (j *journal) add(payload []byte) error {
	sum := crc32.Update(j.sum, format.Castagnoli, payload)
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, recordHead+len(payload)), uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, sum)
	b = append(b, payload...)
	if _, err := j.f.WriteAt(b, j.pos); err != nil {
		return err
	}
	j.pos, j.sum = j.pos+int64(len(b)), sum
	return nil
}

// next goes past the next record of an earlier writer.
func (j *journal) next() {
	j.pos, j.sum = j.pending[0].end, j.pending[0].sum
	j.pending = j.pending[1:]
}

// replaying reports whether the files of an earlier writer are being continued, and its end has not been found yet.
func (j *journal) replaying() bool { return j.replay }

// sealed returns what the set was called that an earlier writer had begun to give its names.
func (j *journal) sealed() (uuid UUID, shards int, ok bool) {
	return j.sealUUID, j.sealShards, j.sealShards > 0
}

// had goes past the next record if it says that this entry was begun.
func (j *journal) had(spec []byte) bool {
	if len(j.pending) == 0 || j.pending[0].payload[0] != recordEntry || !bytes.Equal(j.pending[0].payload[1:], spec) {
		return false
	}
	j.next()
	return true
}

func (j *journal) addEntry(spec []byte) error { return j.add(append([]byte{recordEntry}, spec...)) }

// piece returns size and checksum of the next piece that an earlier writer has written.
func (j *journal) piece() (size int64, crc uint32, ok bool) {
	if len(j.pending) == 0 {
		return 0, 0, false
	}
	p := j.pending[0].payload
	if p[0] != recordPiece || len(p) != 1+8+4 {
		return 0, 0, false
	}
	return int64(binary.LittleEndian.Uint64(p[1:])), binary.LittleEndian.Uint32(p[9:]), true
}

func (j *journal) addPiece(size int64, crc uint32) error {
	return j.add(binary.LittleEndian.AppendUint32(appendUint64([]byte{recordPiece}, uint64(size)), crc))
}

// drop forgets the rest of what an earlier writer has written.
func (j *journal) drop() { j.pending = nil }

// end reports whether the end of what an earlier writer has written has just been reached, and cuts the journal off there.
func (j *journal) end() (reached bool, err error) {
	if !j.replay || len(j.pending) > 0 {
		return false, nil
	}
	j.replay = false
	return true, j.f.Truncate(j.pos)
}

// seal notes that all shards are whole and on the disk, before they get their names.
func (j *journal) seal(uuid UUID, shards int) error {
	err := j.add(binary.LittleEndian.AppendUint32(append([]byte{recordSeal}, uuid[:]...), uint32(shards)))
	return errors.Join(err, j.f.Sync())
}

// close closes the journal, which stays.
func (j *journal) close() error {
	if j.f == nil {
		return nil
	}
	err := j.f.Close()
	j.f = nil
	return err
}

// remove removes the journal and closes it, in this order, so that what is removed is locked; where systems refuse that, the other way round.
func (j *journal) remove() error {
	if os.Remove(j.path) == nil {
		return j.close()
	}
	return errors.Join(j.close(), os.Remove(j.path))
}
