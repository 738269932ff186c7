package cortex

import (
	"errors"

	"github.com/cortexsdr/cortex/internal/model"
	"github.com/cortexsdr/cortex/internal/sysmem"
	"github.com/cortexsdr/cortex/internal/tokenizer"
	"github.com/cortexsdr/cortex/loader"
)

// Inspect says what [Open] would find and how it would lay out the memory. It
// reads the file's head, checks every tensor that the model needs and returns at
// once, whatever the size of the weights. o may be nil. Errors are those of Open.
func Inspect(path string, o *Options) (Info, Plan, error) {
	src, err := loader.Open(path)
	if err != nil {
		return Info{}, Plan{}, fileError("inspect", path, err)
	}
	return inspect(src, path, o)
}

// InspectBytes is Inspect for a model that is in memory, as [OpenBytes] is Open.
func InspectBytes(name string, data []byte, o *Options) (Info, Plan, error) {
	src, err := loader.FromBytes(name, data)
	if err != nil {
		return Info{}, Plan{}, fileError("inspect", name, err)
	}
	return inspect(src, name, o)
}

// inspect closes src.
func inspect(src *loader.Source, name string, o *Options) (Info, Plan, error) {
	m, _, err := prepare(src, o)
	if m != nil && m.draft != nil {
		err = errors.Join(err, m.draft.Close())
	}
	if err = errors.Join(err, src.Close()); err != nil {
		return Info{}, Plan{}, fileError("inspect", name, err)
	}
	return m.info, m.plan, nil
}

// Measure is [Inspect] that also finds out how fast the disk and the kernels are, so that [Plan.Forecast] can say
// what to expect. It reads some hundred MiB of the weights and takes a second or two, and no more memory than the
// limit. Errors are those of [Open].
func Measure(path string, o *Options) (Info, Plan, error) {
	src, err := loader.Open(path)
	if err != nil {
		return Info{}, Plan{}, fileError("measure", path, err)
	}
	m, err := measure(src, o)
	if m != nil {
		err = errors.Join(err, m.Close())
	}
	if err = errors.Join(err, src.Close()); err != nil {
		return Info{}, Plan{}, fileError("measure", path, err)
	}
	return m.info, m.plan, nil
}

// sampleBytes is how many bytes of weights are measured with: more than caches hold.
const sampleBytes = 192 << 20

// measure opens the model with a sample of the weights in memory, as if it were streamed in any case. The caller
// closes what it returns, also with an error.
func measure(src *loader.Source, opt *Options) (*Model, error) {
	m, o, err := prepare(src, opt)
	if err != nil {
		return nil, err
	}
	room := m.plan.MemoryLimit - m.plan.Total() + m.plan.weightBytes()
	sampled, err := model.New(src, model.Options{Vocab: m.tok.VocabSize(), Batch: m.plan.BatchSize, StreamBlock: model.DefaultStreamBlock})
	if err != nil {
		return m, err
	}
	planned := m.model
	sampled.SetSparsity(planned.Sparsity())
	m.model = sampled
	if room < m.model.Layout.Weights {
		return m, nil // a small model that fits, and would not have room for a ring
	}
	m.model.Stream(min(room, m.model.Layout.Fair+sampleBytes), ringBytes, m.plan.ContextLength)
	if err := m.start(o.Threads, nil); err != nil {
		return m, err
	}
	m.expectReads(planned)
	return m, nil
}

// reserveShare is the share of the free memory that is left to the rest of the
// program where no limit is given: one sixteenth.
const reserveShare = 16

// prepare returns a model that is checked and planned, but holds nothing yet
// that must be freed, and the options that it will run with.
func prepare(src *loader.Source, opt *Options) (*Model, Options, error) {
	var o Options
	if opt != nil {
		o = *opt
	}
	if err := o.check(); err != nil {
		return nil, o, err
	}
	if o.Threads == 0 {
		o.Threads = sysmem.CPUs()
	}
	if o.MemoryLimit == 0 {
		free := sysmem.Limit()
		o.MemoryLimit = free - free/reserveShare
	}
	m := &Model{src: src, kvType: o.KVType, kvMemory: o.KVMemory, spillDir: o.SpillDir, speculate: o.Speculate, sessions: map[*Session]struct{}{}}
	m.life.free = m.free
	err := src.Protect(func() (err error) {
		if m.tok, err = tokenizer.FromGGUF(src.Metadata); err != nil {
			return err
		}
		if o.Draft != "" && o.Speculate >= 0 {
			if m.draft, err = prepareDraft(o.Draft, src, o.KVType); err != nil {
				return err
			}
		}
		return m.layOut(o)
	})
	if err != nil {
		if m.draft != nil {
			err = errors.Join(err, m.draft.Close())
		}
		return nil, o, err
	}
	m.describe()
	return m, o, nil
}
