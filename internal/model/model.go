package model

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync/atomic"
	"time"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/cortexsdr/cortex/internal/plan"
	"github.com/cortexsdr/cortex/internal/workers"
	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
)

// logitsSlot is the name of the slot of the plan that holds the result.
const logitsSlot = "logits"

// Layout is what a model will hold in memory, in bytes.
type Layout struct {
	Weights     int64 // matrices that are mapped, or the least in which they can be streamed
	Mapped      int64 // matrices, however they are read
	Fair        int64 // the same, or what lets them be streamed at a fair speed
	Vectors     int64 // norms and biases, as float32
	Activations int64 // for one batch
	PerWorker   int64 // scratch of each worker
}

// Model is a model that is ready to run. It is safe for concurrent use: passes
// of several sequences take turns.
type Model struct {
	Config
	Plan   *plan.Plan
	Layout Layout
	Trace  func(block int, bytes int64) // may be nil; called for every block that is about to be used

	src  *loader.Source
	exec *exec
	turn chan struct{} // holds one token; whoever has it uses exec
	uses func(tensor string) bool

	load     weights             // where weights are streamed, from Start on
	order    []loader.Extent     // the plan's blocks
	streamed bool                // what follows is for streamed weights
	stream   *loader.Stream      // load
	layout   loader.StreamLayout // its memory
	read     atomic.Int64
	tail     int // the first block of the steps after the last layer
}

// weights serves the plan's blocks by their index.
type weights interface {
	Acquire(block int) ([]byte, error)
	Release(block int)
	Lookup(block int, at, size int64) ([]byte, error)
	Warm(progress func(done, total int64)) error
	Close() error
}

// Options for New.
type Options struct {
	Vocab int // tokens of the tokenizer
	Batch int // most tokens of one pass; 0 means DefaultBatch

	// StreamBlock, if not 0, has the weights streamed in blocks of about as many
	// bytes at most. The caller must then say in how much memory: see Model.Stream.
	StreamBlock int64
}

// DefaultStreamBlock is the size of streamed blocks: a request that keeps a disk
// busy for about a millisecond, in which kernels multiply as much.
const DefaultStreamBlock = 2 << 20

// DefaultBatch is the number of prompt tokens that pass the model together.
const DefaultBatch = 512

// PlanOf returns the plan of a model whose tensors, all of them in rows, find
// finds; fail makes the error for one that is missing or has the wrong shape.
func PlanOf(meta *gguf.Metadata, find func(name string) (format.Tensor, bool), fail func(tensor, detail string) error) (*plan.Plan, error) {
	t, ok := find(embedding)
	if !ok || len(t.Shape) != 2 {
		return nil, fail(embedding, "missing or no matrix")
	}
	cfg, err := readConfig(meta, int(t.Shape[1]))
	if err != nil {
		return nil, err
	}
	b := plan.NewBuilder(find, fail)
	architectures[cfg.Arch](b, cfg)
	return b.Plan()
}

// embedding is the tensor of the tokens' embeddings, in every architecture.
const embedding = "token_embd.weight"

// New builds the plan of a model and checks every tensor that it needs. No
// weights are read and little memory is allocated before Start.
func New(src *loader.Source, o Options) (*Model, error) {
	cfg, err := readConfig(src.Metadata, o.Vocab)
	if err != nil {
		return nil, err
	}
	b := plan.NewBuilder(src.Tensor, src.TensorError)
	b.Channels = channelsOf(src)
	architectures[cfg.Arch](b, cfg)
	p, err := b.Plan()
	if err != nil {
		return nil, err
	}
	m := &Model{Config: *cfg, Plan: p, src: src, turn: make(chan struct{}, 1), uses: b.Used}
	m.turn <- struct{}{}

	m.Layout.Mapped = weightBytes(p.Blocks)
	m.streamed = o.StreamBlock > 0
	if m.streamed {
		p.Cut(o.StreamBlock, kernels.RowGroup)
	}
	m.order = make([]loader.Extent, len(p.Blocks))
	for i, blk := range p.Blocks {
		m.order[i] = loader.Extent{Part: blk.Part, Offset: blk.Offset, Size: blk.Size, Checked: blk.Channels, CRC: blk.CRC}
		if blk.Lookup {
			m.order[i].Row = blk.RowBytes
		}
	}
	if m.streamed {
		m.markRuns()
		m.Layout.Weights, m.Layout.Fair = loader.LeastStream(m.order), loader.FairStream(m.order)
		for _, s := range slices.Backward(p.Steps) {
			switch {
			case s.Layer != m.Layers:
			case s.C != nil:
				m.tail = s.C.Block
			case len(s.W) > 0:
				m.tail = s.W[0].Block
			}
		}
	} else {
		m.Layout.Weights, m.Layout.Fair = m.Layout.Mapped, m.Layout.Mapped
		if m.load, err = loader.NewResident(src, m.order); err != nil {
			return nil, err
		}
	}
	batch := o.Batch
	if batch <= 0 {
		batch = DefaultBatch
	}
	if m.exec, err = newExec(m, min(batch, cfg.ContextLength)); err != nil {
		return nil, err
	}
	return m, nil
}

// markRuns says of the blocks of products where their channels lie, but for packed ones, whose channels are
// not all of a size, and of matrices behind a gate where their rows do.
func (m *Model) markRuns() {
	for _, s := range m.Plan.Steps {
		if s.Op == plan.MatMul && len(s.In) > 1 { // whose rows may be left out
			for _, w := range s.W {
				for b := range w.Blocks() {
					m.order[w.Block+b].Runs = loader.Runs{Bytes: w.RowBytes(), First: b * w.BlockRows, Count: min(w.BlockRows, int(w.Rows())-b*w.BlockRows)}
				}
			}
		}
		if s.C == nil {
			continue
		}
		for i, piece := range s.C.Pieces {
			if !s.C.Packed(i) {
				l := s.C.Layout(i)
				m.order[s.C.Block+i].Runs = loader.Runs{Values: l.Values, Bytes: int64(l.Groups) * kernels.SDRGroupBytes,
					First: piece.First, Count: piece.Channels}
			}
		}
	}
}

// Stream divides memory, at least Layout.Weights, between weights that stay and
// a ring of about ring bytes through which the others are streamed. It has prompts
// of up to context tokens in mind, and the sparsity that has been set.
func (m *Model) Stream(memory, ring int64, context int) loader.StreamLayout {
	m.layout = loader.LayOutStream(m.order, memory, ring, m.prompt(context), m.exec.active)
	return m.layout
}

// prompt says what prompts of up to context tokens want of the memory.
func (m *Model) prompt(context int) loader.Prompt {
	e := m.exec
	p := loader.Prompt{Tail: m.tail}
	if batches := ceil(context, e.batch); batches > 1 {
		p.Lend = int64(batches-1) * int64(e.batch*m.Dim) * 4
		for i := range e.parts {
			from, to := e.parts[i].blocks(e.steps)
			p.Runs = append(p.Runs, [2]int{from, to})
		}
	}
	return p
}

// MemoryToStream returns the least memory for Stream with which a walk along the plan reads at most bytes.
func (m *Model) MemoryToStream(bytes, ring int64, context int) int64 {
	low, p := m.Layout.Weights, m.prompt(context)
	return low + int64(sort.Search(int(max(0, m.Layout.Mapped+ring)), func(more int) bool {
		return loader.LayOutStream(m.order, low+int64(more), ring, p, nil).PassBytes <= bytes
	}))
}

// Streamed reports whether weights are streamed.
func (m *Model) Streamed() bool { return m.streamed }

// StreamedPerPass returns how many bytes are at most read from the file for one pass
// of n tokens, as long as there is nothing to be read in vain: the spans of rows
// that are looked up count as if they lay as badly as possible.
func (m *Model) StreamedPerPass(n int) int64 {
	return m.layout.PassBytes + int64(n)*m.layout.RowBytes
}

// SparseStreamed returns how many bytes are about read from the file for a token with the sparsity that has been
// set, by the layout of Stream, from a disk with such a gap, and how many bytes of whole blocks it would read in that time.
func (m *Model) SparseStreamed(gap int64) (bytes, cost int64) {
	bytes, cost = m.layout.Sparse(m.order, m.exec.active, gap)
	return bytes + m.layout.RowBytes, cost + m.layout.RowBytes
}

// BytesStreamed returns how many bytes of weights have been read from the file,
// ahead of their use, but for those that stay.
func (m *Model) BytesStreamed() int64 {
	if m.stream == nil {
		return 0
	}
	blocks, rows := m.stream.BytesRead()
	return blocks + rows
}

// BytesAhead returns how many of the bytes of BytesStreamed wait for the steps that come next.
func (m *Model) BytesAhead() int64 {
	if m.stream == nil {
		return 0
	}
	return m.stream.BytesAhead()
}

// BytesRead returns how many bytes of weights the kernels have gone through.
func (m *Model) BytesRead() int64 { return m.read.Load() }

// DiskTime returns for how long weights have been read from the file ahead of their use.
func (m *Model) DiskTime() time.Duration {
	if m.stream == nil {
		return 0
	}
	return m.stream.DiskTime()
}

// DiskRequests returns by how many requests.
func (m *Model) DiskRequests() int64 {
	if m.stream == nil {
		return 0
	}
	return m.stream.Requests()
}

// Disk returns how the disk is read, of a streamed model that has been started.
func (m *Model) Disk() loader.Disk {
	if m.stream == nil {
		return loader.Disk{}
	}
	return m.stream.Disk()
}

// weightBytes sums the blocks' sizes, counting a tensor that serves twice (a
// tied embedding) once.
func weightBytes(blocks []plan.Block) (n int64) {
	seen := map[string]bool{}
	for _, b := range blocks {
		if !seen[b.Tensor] || b.Channels {
			seen[b.Tensor] = true
			n += b.Size
		}
	}
	return n
}

// Start allocates the activations for passes on pool, which stays the
// caller's, reads the pinned vectors and then pages all weights in, or reads those
// that stay, telling progress (which may be nil) how far it is.
func (m *Model) Start(pool *workers.Pool, progress func(done, total int64)) error {
	if m.streamed {
		s, err := loader.NewStream(m.src, m.order, m.layout)
		if err != nil {
			return err
		}
		m.load, m.stream = s, s
		m.src.ForgetHead()
	}
	if err := m.exec.start(pool); err != nil {
		return err
	}
	if err := m.load.Warm(progress); err != nil {
		return err
	}
	if m.streamed {
		m.src.ForgetHead() // what the system was still reading ahead the first time
	}
	return nil
}

// Close frees what the model itself holds; the source and the pool stay open.
// The model cannot be used after it.
func (m *Model) Close() (err error) {
	<-m.turn
	if m.load != nil {
		err = m.load.Close()
	}
	return errors.Join(err, m.exec.close())
}

// Uses reports whether the model reads the tensor.
func (m *Model) Uses(tensor string) bool { return tensor == ropeDivisors || m.uses(tensor) }

// Batch returns the most tokens that one pass takes.
func (m *Model) Batch() int { return m.exec.batch }

// product returns the kernels for a matrix's type.
func product(t format.Tensor) (*kernels.Product, bool) { return kernels.ProductOf(t.Type.String()) }

// vectorOf returns a small tensor as float32.
func (m *Model) vectorOf(t format.Tensor) ([]float32, error) {
	dst := make([]float32, t.Size/int64(t.Type.BlockBytes())*int64(t.Type.BlockSize()))
	err := m.src.Protect(func() error {
		src, err := m.Read(t, 0, t.Size)
		if err != nil {
			return err
		}
		return format.Dequantize(dst, src, t.Type)
	})
	if err != nil {
		return nil, fmt.Errorf("tensor %s: %w", t.Name, err)
	}
	return dst, nil
}

// Read returns size bytes of a tensor from byte at on, in the mapping where the
// model is not streamed.
func (m *Model) Read(t format.Tensor, at, size int64) ([]byte, error) {
	if m.stream != nil {
		return m.stream.Read(loader.Extent{Part: t.Part, Offset: t.Offset + at, Size: size})
	}
	return m.src.Data(t)[at:][:size], nil
}
