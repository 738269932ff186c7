package model

import (
	"fmt"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/plan"
	"github.com/cortexsdr/cortex/internal/workers"
	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
)

// logitsSlot is the name of the slot of the plan that holds the result.
const logitsSlot = "logits"

// Layout is what a model will hold in memory, in bytes.
type Layout struct {
	Weights     int64 // matrices, served by the loader
	Pinned      int64 // norms and biases, as float32
	Activations int64 // for one batch
	PerWorker   int64 // scratch of each worker
}

// Model is a model that is ready to run. It is safe for concurrent use: passes
// of several sequences take turns.
type Model struct {
	Config
	Plan   *plan.Plan
	Layout Layout

	src  *loader.Source
	load *loader.Resident
	exec *exec
	turn chan struct{} // holds one token; whoever has it uses exec
	uses func(tensor string) bool
}

// Options for New.
type Options struct {
	Vocab int // tokens of the tokenizer
	Batch int // most tokens of one pass; 0 means DefaultBatch
}

// DefaultBatch is the number of prompt tokens that pass the model together.
const DefaultBatch = 512

// New builds the plan of a model and checks every tensor that it needs. No
// weights are read and little memory is allocated before Start.
func New(src *loader.Source, o Options) (*Model, error) {
	cfg, err := readConfig(src.File, o.Vocab)
	if err != nil {
		return nil, err
	}
	b := plan.NewBuilder(src.Tensor, src.TensorError)
	architectures[cfg.Arch](b, cfg)
	p, err := b.Plan()
	if err != nil {
		return nil, err
	}
	m := &Model{Config: *cfg, Plan: p, src: src, turn: make(chan struct{}, 1), uses: b.Used}
	m.turn <- struct{}{}

	order := make([]loader.Extent, len(p.Blocks))
	for i, blk := range p.Blocks {
		order[i] = loader.Extent{Part: blk.Part, Offset: blk.Offset, Size: blk.Size}
	}
	if m.load, err = loader.NewResident(src, order); err != nil {
		return nil, err
	}
	batch := o.Batch
	if batch <= 0 {
		batch = DefaultBatch
	}
	if m.exec, err = newExec(m, min(batch, cfg.ContextLength)); err != nil {
		return nil, err
	}
	m.Layout.Weights = weightBytes(p.Blocks)
	return m, nil
}

// weightBytes sums the blocks' sizes, counting a tensor that serves twice (a
// tied embedding) once.
func weightBytes(blocks []plan.Block) (n int64) {
	seen := map[string]bool{}
	for _, b := range blocks {
		if !seen[b.Tensor] {
			seen[b.Tensor] = true
			n += b.Size
		}
	}
	return n
}

// Start allocates the activations for passes on pool, which stays the
// caller's, reads the pinned vectors and then pages all weights in, telling
// progress (which may be nil) how far it is.
func (m *Model) Start(pool *workers.Pool, progress func(done, total int64)) error {
	if err := m.exec.start(pool); err != nil {
		return err
	}
	return m.load.Warm(progress)
}

// Close frees what the model itself holds; the source and the pool stay open.
// The model cannot be used after it.
func (m *Model) Close() error {
	<-m.turn
	return m.exec.close()
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
	err := m.src.Protect(func() error { return format.Dequantize(dst, m.src.Data(t), t.Type) })
	if err != nil {
		return nil, fmt.Errorf("tensor %s: %w", t.Name, err)
	}
	return dst, nil
}
