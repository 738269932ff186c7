package cortex

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cortexsdr/cortex/format"
)

// baseName returns the last element of a path, with the separators of every system.
func baseName(path string) string { return path[strings.LastIndexAny(path, `/\:`)+1:] }

// Find returns the paths of all shards of the set that the file at path is one of, in their order, for the caller to
// open and hand to [Parse]. They are looked for beside the first shard, then in dirs, then where they were written. A shard
// that is not there is a *format.Error that wraps format.ErrMissing and names it.
func Find(path string, dirs ...string) ([]string, error) {
	p, err := openPart(path)
	if err != nil {
		return nil, err
	}
	defer p.close()
	h, err := parseHeader(p)
	if err != nil {
		return nil, err
	}
	if h.shard > 0 {
		return findFirst(path, h, dirs)
	}
	paths := []string{path}
	if h.shards == 1 {
		return paths, nil
	}
	f := &File{parts: []part{p}}
	if f.sections, err = h.parseSections(p); err != nil {
		return nil, err
	}
	list, ok, err := f.section(kindShards)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &format.Error{File: path, Detail: fmt.Sprintf("section %v is missing", kindShards), Err: format.ErrMissing}
	}
	shards, err := parseShards(&list)
	if err != nil {
		return nil, err
	}
	if len(shards) != h.shards {
		return nil, list.Malformed(0, "%d shards are listed, there are %d", len(shards), h.shards)
	}
	here := filepath.Dir(path)
	for i, s := range shards[1:] {
		there := filepath.FromSlash(s.dir)
		if !filepath.IsAbs(there) {
			there = filepath.Join(here, there)
		}
		found, err := lookFor(s.name, h, i+1, append(append([]string{here}, dirs...), there))
		if err != nil {
			return nil, err
		}
		if found == "" {
			return nil, missing(path, i+1, h.shards, s.name)
		}
		paths = append(paths, found)
	}
	return paths, nil
}

// findFirst is Find for a shard that is not the first.
func findFirst(path string, h *header, dirs []string) ([]string, error) {
	here, name := filepath.Split(path)
	prefix, ok := strings.CutSuffix(name, shardName(Extension, h.shard, h.shards))
	if !ok {
		return nil, &format.Error{File: path, Err: format.ErrMissing,
			Detail: fmt.Sprintf("is shard %d of %d, and its name does not end in %s, which would tell that of the first", h.shard+1, h.shards, shardName(Extension, h.shard, h.shards))}
	}
	name = shardName(prefix+Extension, 0, h.shards)
	first, err := lookFor(name, h, 0, append([]string{here}, dirs...))
	if err != nil {
		return nil, err
	}
	if first == "" {
		return nil, missing(path, 0, h.shards, name)
	}
	return Find(first, append([]string{here}, dirs...)...)
}

func missing(path string, shard, shards int, name string) error {
	return &format.Error{File: path, Detail: fmt.Sprintf("shard %d of %d is missing: %s", shard+1, shards, name), Err: format.ErrMissing}
}

// lookFor returns the path of a shard of the set of h in the first directory that has it, or nothing.
func lookFor(name string, h *header, shard int, dirs []string) (string, error) {
	var other error // a file of that name that is something else
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		p, err := openPart(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		found, err := parseHeader(p)
		p.close()
		if err == nil && found.uuid == h.uuid && found.shard == shard && found.shards == h.shards {
			return path, nil
		}
		if err == nil {
			err = &format.Error{File: path, Offset: 16, Err: format.ErrFormat,
				Detail: fmt.Sprintf("is shard %d of the set %v, not shard %d of %v", found.shard+1, found.uuid, shard+1, h.uuid)}
		}
		if other == nil {
			other = err
		}
	}
	return "", other
}
