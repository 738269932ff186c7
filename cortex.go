package cortex

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cortexsdr/cortex/cache"
	"github.com/cortexsdr/cortex/internal/chat"
	"github.com/cortexsdr/cortex/internal/model"
	"github.com/cortexsdr/cortex/internal/sysmem"
	"github.com/cortexsdr/cortex/internal/tokenizer"
	"github.com/cortexsdr/cortex/internal/workers"
	"github.com/cortexsdr/cortex/loader"
)

// Model is an open model. It is safe for concurrent use: sessions take turns, a
// batch of tokens at a time, or a whole prompt where weights are streamed.
type Model struct {
	src          *loader.Source
	tok          *tokenizer.Tokenizer
	model        *model.Model
	pool         *workers.Pool
	budget       *cache.Budget
	plan         Plan
	info         Info
	kvType       KVType
	kvMemory     int64 // Options.KVMemory
	spillDir     string
	sparsePrompt bool
	stats        counters
	life         lifetime

	speculate int    // Options.Speculate
	draft     *Model // of Options.Draft, or nil

	chatOnce sync.Once // guards the two below
	chat     *chat.Template
	chatErr  error

	mu       sync.Mutex
	sessions map[*Session]struct{} // open ones; nil after Close
}

// counters are the running totals behind Stats.
type counters struct {
	promptTokens, generatedTokens atomic.Int64
	promptTime, generateTime      atomic.Int64 // nanoseconds
	generatePasses                atomic.Int64
	draftedTokens, acceptedTokens atomic.Int64
}

// The names under which memory is reserved in the budget.
const (
	memWeights     = "weights"
	memPinned      = "pinned weights" // of a model that is streamed
	memRing        = "streaming ring"
	memVectors     = "norms and biases"
	memActivations = "activations"
	memTokenizer   = "tokenizer"
	memRuntime     = "runtime"
	memKV          = "KV cache"
	memDraft       = "draft model"
)

// runtimeBytes is what the Go runtime and the code of a small program take:
// stacks, garbage, mapped text.
const runtimeBytes = 24 << 20

// tokenBytes is what the tokenizer holds for each token of the vocabulary, with
// its merges: 134 to 266 bytes were measured for those of well-known models.
const tokenBytes = 300

// Open opens the model file at path; of a model split into several files
// (name-00001-of-00009.gguf), any one of them. o may be nil.
//
// A model that fits into the memory limit is mapped. One that does not is
// streamed: weights that have room are read once and stay, the others are read
// again for every pass, past the system's cache of files.
//
// The file must not be changed while the model is open. Errors
// wrap format.ErrFormat, format.ErrUnsupported, loader.ErrTruncated,
// ErrMemoryLimit, ErrOptions or those of package os.
func Open(path string, o *Options) (*Model, error) {
	src, err := loader.Open(path)
	if err != nil {
		return nil, fileError("open", path, err)
	}
	opened := false
	defer func() { // also when the caller's Progress panics
		if !opened {
			src.Close()
		}
	}()
	m, err := open(src, o)
	if err != nil {
		return nil, fileError("open", path, err)
	}
	opened = true
	return m, nil
}

// OpenBytes opens a model that is in memory, for example one embedded in the
// program. data is used in place and must not change; name is for errors. o may
// be nil.
func OpenBytes(name string, data []byte, o *Options) (*Model, error) {
	src, err := loader.FromBytes(name, data)
	if err != nil {
		return nil, fileError("open", name, err)
	}
	m, err := open(src, o)
	if err != nil {
		return nil, fileError("open", name, err)
	}
	return m, nil
}

func open(src *loader.Source, opt *Options) (*Model, error) {
	m, o, err := prepare(src, opt)
	if err != nil {
		return nil, err
	}
	if o.Logger != nil {
		for _, t := range src.Tensors {
			if !m.model.Uses(t.Name) {
				o.Logger.Info("tensor is not used", "model", src.Name(), "tensor", t.Name)
			}
		}
		o.Logger.Info("model opened", "model", src.Name(), "context", m.plan.ContextLength, "batch", m.plan.BatchSize,
			"threads", m.plan.Threads, "memory", m.budget.Used(), "limit", m.budget.Limit())
		if m.plan.Streamed {
			o.Logger.Warn("model does not fit into the memory limit and is streamed", "model", src.Name(),
				"pinned", m.plan.PinnedBytes, "per token", m.plan.StreamedPerToken)
		}
		m.logSparsity(o.Logger)
		if n := m.plan.ContextLength; o.ContextLength == 0 && n < m.model.ContextLength {
			o.Logger.Warn("context is shorter than the model allows", "model", src.Name(), "context", n, "trained", m.model.ContextLength)
		}
	}

	m.model.Trace = o.Trace
	if err := m.start(o.Threads, openProgress(o.Progress)); err != nil {
		return nil, err
	}
	m.expectReads(m.model)
	if m.plan.Streamed && o.Logger != nil {
		o.Logger.Info("disk measured", "model", src.Name(), "bytes per second", int64(m.plan.Disk.BytesPerSecond),
			"request", m.plan.Disk.Request, "readers", m.plan.Disk.Readers, "gap", m.plan.Disk.Gap, "per token", m.plan.Forecast(0).Token)
	}
	if m.draft != nil {
		if err := m.draft.start(o.Threads, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("draft model: %w", err), m.Close())
		}
	}
	return m, nil
}

// start makes the model ready to run. Where that fails, or the caller's Progress panics, nothing is left but the source.
func (m *Model) start(threads int, progress func(done, total int64)) (err error) {
	m.pool = workers.New(threads, m.model.Ahead)
	started := false
	defer func() {
		if !started {
			err = errors.Join(err, m.Close())
		}
	}()
	if err := m.model.Start(m.pool, progress); err != nil {
		return err
	}
	if m.model.Streamed() {
		if err := m.measure(); err != nil {
			return err
		}
	}
	started = true
	return nil
}

// measure adds to the plan how fast the disk and the kernels are.
func (m *Model) measure() error {
	r, err := m.model.Measure()
	m.plan.Disk = Disk(m.model.Disk())
	m.plan.MemoryBytesPerSecond, m.plan.PromptTokensPerSecond = r.Memory, r.Prompt
	return err
}

// expectReads adds to the plan what a token reads with channels left out, by the layout of planned, from the disk that was measured.
func (m *Model) expectReads(planned *model.Model) {
	if m.plan.Streamed && m.plan.Sparsity > 0 {
		m.plan.StreamedPerToken, m.plan.diskPerToken = planned.SparseStreamed(m.plan.Disk.Gap)
	}
}

// openProgress adapts the caller's progress function to the loader's.
func openProgress(report func(Progress)) func(done, total int64) {
	if report == nil {
		return nil
	}
	start := time.Now()
	return func(done, total int64) {
		p := Progress{Stage: StageOpen, Bytes: done, TotalBytes: total}
		p.estimate(float64(done), float64(total), start)
		report(p)
	}
}

// layOut builds the model and decides what memory goes where.
func (m *Model) layOut(o Options) error {
	context, err := m.choose(o)
	if err != nil {
		return err
	}
	m.plan = Plan{ContextLength: context, BatchSize: m.model.Batch(), Threads: o.Threads, DraftTokens: m.drafts(), channels: len(m.src.Products) > 0}
	if err := m.setSparsity(o); err != nil {
		return err
	}
	if m.model.Streamed() {
		l := m.model.Stream(o.MemoryLimit-m.fixedBytes(o.Threads)-o.sessions()*m.sessionBytes(context)+m.model.Layout.Weights, ringBytes, context)
		m.plan.Streamed, m.plan.StreamedPerToken = true, m.model.StreamedPerPass(1)
		m.plan.streamedPerBatch, m.plan.diskPerToken = m.plan.StreamedPerToken, m.plan.StreamedPerToken
		m.plan.PromptReadsOnce = l.Held
		m.plan.PinnedBytes, m.plan.RingBytes = l.PinnedBytes, l.RingBytes()
	}
	m.budget = cache.NewBudget(o.MemoryLimit)
	for _, it := range m.fixed(o.Threads) {
		if err := m.budget.Reserve(it.Name, it.Bytes); err != nil {
			return err
		}
	}
	if m.draft != nil {
		m.draft.layOutDraft(context)
	}
	m.plan.MemoryLimit = o.MemoryLimit
	for _, it := range append(m.fixed(o.Threads), cache.Item{Name: memKV, Bytes: o.sessions() * m.sessionBytes(m.plan.ContextLength)}) {
		m.plan.Memory = append(m.plan.Memory, MemoryItem(it))
	}
	m.plan.Layers = m.model.Layers
	m.plan.Steps = len(m.model.Plan.Steps)
	m.plan.BytesPerToken = m.model.Plan.BytesPerPass(1)
	m.plan.KVBytesPerToken = m.model.KVBytes(minContext, model.KVType(m.kvType)) / minContext
	if m.plan.Streamed {
		m.plan.HalfLimit = m.plan.Total() - m.plan.weightBytes() + m.model.MemoryToStream(m.plan.StreamedPerToken/2, ringBytes, context)
	}
	m.plan.MappedLimit = m.plan.Total() - m.plan.weightBytes() + m.model.Layout.Mapped -
		o.sessions()*(m.aheadBytes(context, m.drafts())-m.aheadBytes(context, m.draftsIf(false)))
	return nil
}

// The least context and batch that are chosen without being asked for. Down to
// fairBatch, smaller batches cost little speed, so the context is cut only then.
const (
	minContext  = 256
	fairBatch   = 64
	minBatch    = 32
	streamBatch = 128 // most of a streamed model: the activations of more would take room from weights for every token
)

// ringBytes is how much of the limit a ring takes, if there is enough: what a fast
// disk delivers while the kernels are busy without weights.
const ringBytes = 32 << 20

// choose builds the model, mapped if that fits and otherwise streamed, and
// returns the length of its context.
func (m *Model) choose(o Options) (context int, err error) {
	context, err = m.fit(o, 0)
	var mapped, streamed *MemoryError
	if !errors.As(err, &mapped) || !m.src.Mapped() {
		return context, err
	}
	context, err = m.fit(o, model.DefaultStreamBlock)
	if errors.As(err, &streamed) && streamed.Need > mapped.Need {
		err = mapped // a small model, less than what a ring takes
	}
	return context, err
}

// fit builds the model for the largest batch, and returns the longest context,
// that the options name or the memory limit allows. streamBlock is that of
// [model.Options].
func (m *Model) fit(o Options, streamBlock int64) (context int, err error) {
	batch, last := o.BatchSize, true
	if batch == 0 {
		batch, last = model.DefaultBatch, false
		if streamBlock > 0 {
			batch = streamBatch
		}
	}
	for ; ; batch /= 2 {
		last = last || batch <= minBatch
		if m.model, err = model.New(m.src, model.Options{Vocab: m.tok.VocabSize(), Batch: batch, StreamBlock: streamBlock}); err != nil {
			return 0, err
		}
		most, least := o.ContextLength, o.ContextLength
		if most == 0 {
			most = min(m.model.ContextLength, DefaultContextLength)
			least = min(most, minContext)
			if batch > fairBatch && !last {
				least = most
			}
		}
		need := int64(0)
		for context = most; context >= least; context = shorter(context, least) {
			need = m.fixedBytes(o.Threads) + o.sessions()*m.sessionBytes(context)
			wish := need + m.model.Layout.Fair - m.model.Layout.Weights
			if wish <= o.MemoryLimit || need <= o.MemoryLimit && last && context == least {
				return context, nil
			}
		}
		if last {
			return 0, &MemoryError{Limit: o.MemoryLimit, Need: need,
				What: fmt.Sprintf("the model with a context of %d tokens and batches of %d", least, batch)}
		}
	}
}

// shorter returns the next whole number of pages below context, least before
// what is less, and then something less.
func shorter(context, least int) int {
	next := (context - 1) / minContext * minContext
	if next < least && context > least {
		return least
	}
	return next
}

// fixed lists what the model holds whatever sessions there are.
func (m *Model) fixed(threads int) []cache.Item {
	items := []cache.Item{{Name: memWeights, Bytes: m.model.Layout.Weights}}
	if m.plan.Streamed {
		items = []cache.Item{{Name: memPinned, Bytes: m.plan.PinnedBytes}, {Name: memRing, Bytes: m.plan.RingBytes}}
	}
	if m.draft != nil {
		items = append(items, cache.Item{Name: memDraft, Bytes: m.draft.draftBytes(threads)})
	}
	return append(items, []cache.Item{
		{Name: memVectors, Bytes: m.model.Layout.Vectors},
		{Name: memActivations, Bytes: m.model.Layout.Activations + int64(threads)*m.model.Layout.PerWorker},
		{Name: memTokenizer, Bytes: int64(m.tok.VocabSize()) * tokenBytes},
		{Name: memRuntime, Bytes: runtimeBytes},
	}...)
}

func (m *Model) fixedBytes(threads int) (n int64) {
	for _, it := range m.fixed(threads) {
		n += it.Bytes
	}
	return n
}

// sessionBytes is what a session holds: its KV cache, logits, and what drafting takes.
func (m *Model) sessionBytes(context int) int64 {
	n := m.kvBytes(context) + m.aheadBytes(context, m.drafts())
	if m.draft != nil {
		n += m.draft.sessionBytes(context) + 4*int64(m.model.Vocab)
	}
	return n
}

// kvBytes is the memory of a session's KV cache, which newKV makes.
func (m *Model) kvBytes(context int) int64 {
	if m.kvMemory > 0 {
		return m.model.SpilledKVBytes(context, model.KVType(m.kvType), m.kvMemory)
	}
	return m.model.KVBytes(context, model.KVType(m.kvType))
}

// spills returns the directory of the files of KV caches: unless one was named, that for temporary files, or another one if that lies in
// memory, where a file would be part of what it is to save.
func (m *Model) spills() string {
	if m.spillDir != "" {
		return m.spillDir
	}
	places := []string{os.TempDir()}
	if runtime.GOOS != "windows" {
		places = append(places, "/var/tmp")
	}
	if dir, err := os.UserCacheDir(); err == nil {
		places = append(places, dir)
	}
	return sysmem.OnDisk(places...)
}

func (m *Model) newKV(context int) (*model.KV, error) {
	if m.kvMemory > 0 {
		return m.model.NewSpilledKV(context, model.KVType(m.kvType), m.kvMemory, m.spills())
	}
	return m.model.NewKV(context, model.KVType(m.kvType))
}

// Close ends all sessions and frees everything. It does not wait for calls in
// progress on other goroutines: they end with ErrClosed at their next token, and
// what they use is freed then. A second Close does nothing.
func (m *Model) Close() error {
	m.mu.Lock()
	sessions := slices.Collect(maps.Keys(m.sessions))
	m.sessions = nil
	m.mu.Unlock()
	var errs []error
	for _, s := range sessions {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, m.life.close())...)
}

// free gives everything back. No session is left when it is called.
func (m *Model) free() error {
	var err error
	if m.draft != nil {
		err = m.draft.Close()
	}
	err = errors.Join(err, m.model.Close())
	if m.pool != nil {
		m.pool.Close()
	}
	return errors.Join(err, m.src.Close())
}

// Generate continues the prompt in a session of its own. It is short for
// NewSession, Generate and Close.
func (m *Model) Generate(ctx context.Context, prompt string, o *GenerateOptions) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		s, err := m.NewSession()
		if err != nil {
			yield(Token{ID: -1}, err)
			return
		}
		defer s.Close()
		s.Generate(ctx, prompt, o)(yield)
	}
}

// TokenizeOptions for [Model.Tokenize].
type TokenizeOptions struct {
	AddSpecial   bool // begin and end with the tokens that the model wants there
	ParseSpecial bool // the texts of special tokens mean those tokens
}

// Tokenize returns the ids of text's tokens.
func (m *Model) Tokenize(text string, o TokenizeOptions) []int32 {
	return m.tok.Encode(nil, text, tokenizer.EncodeOptions(o))
}

// Detokenize returns the text of tokens. Special tokens have none. Ids that are
// not in the vocabulary are left out.
func (m *Model) Detokenize(ids []int32) string { return m.tok.Decode(ids, tokenizer.DecodeOptions{}) }

// IsEnd reports whether a token ends a text or a turn of a chat.
func (m *Model) IsEnd(id int32) bool { return m.tok.IsEOG(id) }

// Info returns what is known of the model.
func (m *Model) Info() Info {
	info := m.info
	info.Types = slices.Clone(info.Types)
	return info
}

// Plan returns how the memory is laid out and what a token costs.
func (m *Model) Plan() Plan {
	p := m.plan
	p.Memory = slices.Clone(p.Memory)
	return p
}

// Stats returns running totals of all sessions since Open.
func (m *Model) Stats() Stats {
	st := Stats{
		PromptTokens:    m.stats.promptTokens.Load(),
		PromptTime:      time.Duration(m.stats.promptTime.Load()),
		GeneratedTokens: m.stats.generatedTokens.Load(),
		GenerateTime:    time.Duration(m.stats.generateTime.Load()),
		GeneratePasses:  m.stats.generatePasses.Load(),
		DraftedTokens:   m.stats.draftedTokens.Load(),
		AcceptedTokens:  m.stats.acceptedTokens.Load(),
		BytesRead:       m.model.BytesRead(),
		BytesStreamed:   m.model.BytesStreamed(),
		BytesAhead:      m.model.BytesAhead(),
		DiskTime:        m.model.DiskTime(),
		DiskRequests:    m.model.DiskRequests(),
		MemoryUsed:      m.budget.Used(),
		MemoryPeak:      m.budget.Peak(),
		MemoryLimit:     m.budget.Limit(),
		Resident:        sysmem.Resident().Total(),
	}
	for _, it := range m.budget.Items() {
		st.Memory = append(st.Memory, MemoryItem(it))
	}
	m.mu.Lock()
	st.Sessions = len(m.sessions)
	m.mu.Unlock()
	return st
}
