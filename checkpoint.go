package cortex

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cortexsdr/cortex/cache"
)

// ErrCheckpoint says that the file of GenerateOptions.Checkpoint is no checkpoint,
// is damaged, or belongs to something else: another model, KV type, sparsity or
// prompt. A [*cache.CheckpointError] may say more.
var ErrCheckpoint = cache.ErrCheckpoint

// ErrCheckpointLocked says that the file of GenerateOptions.Checkpoint is in use by another session or process.
var ErrCheckpointLocked = cache.ErrCheckpointLocked

// openCheckpoint opens the checkpoint of the text that is about to be read, or
// creates it.
func (s *Session) openCheckpoint(path string) (*cache.Checkpoint, error) {
	key, err := s.checkpointKey()
	if err != nil {
		return nil, err
	}
	c, err := cache.OpenCheckpoint(path)
	if errors.Is(err, fs.ErrNotExist) {
		return cache.CreateCheckpoint(path, s.m.model.CheckpointLayout(s.kv, len(s.ids)-s.kv.Len(), key))
	}
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(c.Key, key) {
		what := "prompt"
		if len(c.Key) < sha256.Size || !bytes.Equal(c.Key[:sha256.Size], key[:sha256.Size]) {
			what = "model, KV type or sparsity"
		}
		c.Close()
		return nil, &cache.CheckpointError{File: path, Err: fmt.Errorf("%w: it belongs to another %s", ErrCheckpoint, what)}
	}
	return c, nil
}

// checkpointKey tells what is read: a hash of the model and how it is used, then the number of tokens that
// have been read before and all tokens of the text.
func (s *Session) checkpointKey() ([]byte, error) {
	print, err := s.m.fingerprint()
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	h.Write(print)
	if s.m.sparsePrompt {
		sparsity := s.m.model.Sparsity()
		sparsity.Blocks = nil // which say what is read from the disk, not what is computed
		fmt.Fprintf(h, "%+v", sparsity)
	}
	key := binary.LittleEndian.AppendUint32(h.Sum(nil), uint32(s.kv.Len()))
	for _, id := range s.ids {
		key = binary.LittleEndian.AppendUint32(key, uint32(id))
	}
	return key, nil
}

// endCheckpoint closes the generation's checkpoint, and removes it if the text has
// come to its end. A file that cannot be removed does no harm.
func (g *generation) endCheckpoint(stop StopReason) {
	switch {
	case g.checkpoint == nil:
	case stop == StopNone || stop == StopBreak:
		_ = g.checkpoint.Close()
	default:
		_ = g.checkpoint.Remove()
	}
}
