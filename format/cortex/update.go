package cortex

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

// Update gives a set other thresholds, those of every product by the name of its first matrix, and sets some keys of the metadata. The
// weights stay where they are. paths are those that [Find] returns. Nobody may read the set meanwhile; while another Update or a
// [Writer] writes it, Update fails with [ErrLocked].
//
// What is new is appended to the first file and brought to the disk before the header, which is written at once, names it. If that
// is interrupted the file is longer than its header says and cannot be opened; the next Update mends it. Update needs to create a file
// beside the set, by which it is locked.
func Update(paths []string, set []gguf.KV, thresholds map[string][]Threshold) (err error) {
	unlock, err := lockSet(paths[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	out, err := os.OpenFile(paths[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := mend(paths[0], out); err != nil {
		return err
	}
	parts, err := openParts(paths)
	defer closeParts(parts)
	if err != nil {
		return err
	}
	f, err := parse(parts)
	if err != nil {
		return err
	}
	if n := f.headers[0].size; n != headerBytes {
		return &format.Error{File: paths[0], Detail: fmt.Sprintf("a header of %d bytes, of a later version", n), Err: format.ErrUnsupported}
	}
	sw, err := f.updated(set, thresholds)
	if err != nil {
		return err
	}
	old := f.headers[0]
	if err := sw.write(out); err != nil {
		return errors.Join(err, out.Truncate(old.fileSize))
	}
	if err := out.Sync(); err != nil {
		return err
	}
	h := *old
	sw.describe(&h)
	if _, err := out.WriteAt(h.encode(), 0); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	// What is in no table must be zero.
	gone := []section{{offset: old.table, size: old.tableBytes()}}
	for _, s := range f.sections {
		if !slices.ContainsFunc(sw.sections, func(n section) bool { return n.offset == s.offset }) {
			gone = append(gone, s)
		}
	}
	for _, s := range gone {
		if _, err := out.WriteAt(make([]byte, s.size), s.offset); err != nil {
			return err
		}
	}
	return out.Sync()
}

// mend takes away what an interrupted Update has left behind the end of a file.
func mend(path string, out *os.File) error {
	info, err := out.Stat()
	if err != nil {
		return err
	}
	h, err := parseLonger(part{name: path, size: info.Size(), file: out})
	if err != nil || h.fileSize == info.Size() {
		return nil // Parse says what is wrong, if anything is
	}
	return out.Truncate(h.fileSize)
}

// updated returns the sections of the first file as they will be.
func (f *File) updated(set []gguf.KV, thresholds map[string][]Threshold) (*sectionWriter, error) {
	keys := map[string]any{}
	for _, kv := range set {
		keys[kv.Key] = kv.Value
	}
	var meta []gguf.KV
	for _, key := range f.Keys() {
		v, _ := f.Get(key)
		kv := gguf.KV{Key: key, Value: v}
		if n, ok := keys[key]; ok {
			kv.Value = n
			delete(keys, key)
		}
		meta = append(meta, kv)
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		meta = append(meta, gguf.KV{Key: key, Value: keys[key]})
	}
	encodedMeta, err := gguf.AppendMetadata(nil, meta)
	if err != nil {
		return nil, err
	}
	products := make([]*Product, len(f.Products))
	for i := range f.Products {
		p := f.Products[i]
		list, ok := thresholds[p.Matrices[0].Name]
		if !ok {
			return nil, &format.Error{File: f.parts[0].name, Tensor: p.Name(), Detail: "no thresholds are given", Err: format.ErrMissing}
		}
		if detail := p.checkThresholds(list); detail != "" {
			return nil, &format.Error{File: f.parts[0].name, Tensor: p.Name(), Detail: detail, Err: format.ErrFormat}
		}
		p.Thresholds = list
		products[i] = &p
	}
	sw := &sectionWriter{at: alignUp(f.headers[0].fileSize, smallAlign)}
	for _, s := range f.sections {
		if s.kind != kindMeta && s.kind != kindThresholds && s.kind != kindShards {
			sw.keep(s)
		}
	}
	sw.add(kindMeta, mustKnow, encodedMeta)
	sw.add(kindThresholds, 0, encodeThresholds(f.entries, products))
	sw.addShards(slices.Clone(f.shards))
	return sw, nil
}
