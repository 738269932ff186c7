package convert

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/cortexsdr/cortex/internal/model"
	"github.com/cortexsdr/cortex/internal/plan"
	"github.com/cortexsdr/cortex/internal/quant"
)

// Options for [Convert].
type Options struct {
	Kind      quant.Kind  // of the products
	Output    quant.Kind  // of the product that gives the logits
	Embedding format.Type // of tables of which rows are looked up

	// GateFirst has the matrix behind a gate lie in rows, in the type of ggml's that is nearest, so that those of it are left
	// out that the gate makes small.
	GateFirst bool

	// Prune says which weights of the products of sparse kinds become 0: of each output those of the least magnitude or, with
	// Wanda, of the least magnitude times the norm of the channel's values over the calibration text. What becomes 0, and what has
	// been, stays 0.
	Prune quant.Pruning
	Wanda bool

	// PrunePairs has the two weights of a byte of SDRW4, those of outputs k and k + 64 of a group, become 0 together, by the root of
	// the sum of their squares. Of half of the weights, half of the bytes are left so, and not three quarters.
	PrunePairs bool

	// Bits, if not 0, is the most bits per weight on average. The types above are then where the choice begins: products are
	// raised to SDR8 and the embedding to Q8_0, those first that gain most per bit.
	Bits float64

	// Calibration, if not nil, makes quantization minimize the errors of the products instead of those of the weights.
	Calibration *Calibration
	// HotFirst has the channels of a product lie in the order of how often they are active over the calibration text, if there is one.
	HotFirst bool

	Shards     int // as in cortex.Options, as are the two below
	ShardBytes int64
	Dirs       []string
	// Job tells this model from all others that have the same metadata and tensors. If it is empty, a conversion that was interrupted
	// cannot be continued.
	Job string
	// KeepJournal leaves it to the caller to call container.Finish, when he has done to the file what he has to: until then the
	// conversion counts as interrupted.
	KeepJournal bool

	Threads int
	Memory  int64 // most bytes to take
	// Progress, if not nil, is called now and then.
	Progress func(Progress)
}

// Progress says how far a conversion is.
type Progress struct {
	Stage       string // what is being done
	Done, Total int64  // weights
}

// Result describes what was written.
type Result struct {
	Paths   []string
	Entries []Entry // in the order of the file
	Weights int64   // in all of them
	Bytes   int64   // that they take
}

// Entry is a tensor, or the matrices of a product.
type Entry struct {
	Names   []string
	Type    string
	Weights int64
	Bytes   int64
}

// Bits returns the bits per weight of an entry.
func (e Entry) Bits() float64 { return 8 * float64(e.Bytes) / float64(e.Weights) }

// Bits returns the bits per weight of everything.
func (r *Result) Bits() float64 { return 8 * float64(r.Bytes) / float64(r.Weights) }

// Convert writes a model into the container at path. Its entries come in the order of the plan, and the matrices that the plan
// multiplies with the same vector become one product. A conversion that was interrupted goes on where it stopped.
func Convert(ctx context.Context, src Source, path string, o Options) (_ *Result, err error) {
	c, err := newConversion(ctx, src, o)
	if err != nil {
		return nil, err
	}
	if o.Bits > 0 {
		if err := c.allot(); err != nil {
			return nil, err
		}
	}
	c.stage = "converting"
	if c.w, err = container.NewWriter(path, container.Options{Shards: o.Shards, ShardBytes: o.ShardBytes, Dirs: o.Dirs, Job: c.job(), KeepJournal: o.KeepJournal}); err != nil {
		return nil, err
	}
	defer func() {
		if closing := c.w.Suspend(); err == nil {
			err = closing
		}
	}()
	r := &Result{}
	for i := range c.entries {
		e := &c.entries[i]
		before := c.w.Written()
		if e.product {
			err = c.writeProduct(e)
		} else {
			err = c.writeRows(e)
		}
		if err != nil {
			return nil, err
		}
		done := Entry{Names: e.names(), Type: e.typeName(), Weights: e.weights(), Bytes: c.w.Written() - before}
		r.Entries = append(r.Entries, done)
		r.Weights += done.Weights
		r.Bytes += done.Bytes
	}
	c.w.SetMetadata(c.metadata())
	if err := c.w.Close(); err != nil {
		return nil, err
	}
	r.Paths = c.w.Paths()
	return r, nil
}

// Size returns how many bytes the weights will take at most if no types are raised, without padding between them.
func Size(src Source, o Options) (n int64, err error) {
	c, err := newConversion(context.Background(), src, o)
	if err != nil {
		return 0, err
	}
	for i := range c.entries {
		e := &c.entries[i]
		n += e.bytes(e.kind, e.rows)
	}
	return n, nil
}

// conversion is a conversion that is going on.
type conversion struct {
	ctx     context.Context
	src     Source
	o       Options
	w       *container.Writer
	entries []entry
	stage   string
	done    int64 // weights
	total   int64
}

// entry is what becomes an entry of the container.
type entry struct {
	product  bool
	matrices []format.Tensor // of a product; otherwise the tensor
	kind     quant.Kind      // of a product
	rows     format.Type     // otherwise
	spend    bool            // rows that may get more bits: a table of which rows are looked up, or a matrix behind a gate
	output   bool            // the product that gives the logits, if it is no tied embedding
}

func (e *entry) names() (names []string) {
	for _, t := range e.matrices {
		names = append(names, t.Name)
	}
	return names
}

func (e *entry) typeName() string {
	if e.product {
		return e.kind.String()
	}
	return e.rows.String()
}

func (e *entry) channels() int { return int(e.matrices[0].Shape[0]) }

func (e *entry) weights() (n int64) {
	for _, t := range e.matrices {
		n += t.Rows() * t.Shape[0]
	}
	return n
}

// groups returns how many groups of outputs all matrices have if they are of a kind.
func (e *entry) groups(kind quant.Kind) (n int) {
	for _, t := range e.matrices {
		n += kind.Groups(int(t.Rows()))
	}
	return n
}

func newConversion(ctx context.Context, src Source, o Options) (*conversion, error) {
	if !quant.CanRows(o.Embedding) {
		return nil, fmt.Errorf("embeddings cannot be written as %v", o.Embedding)
	}
	if o.Wanda && o.Calibration == nil {
		return nil, errors.New("pruning by inputs needs a calibration")
	}
	o.Threads = max(1, o.Threads)
	c := &conversion{ctx: ctx, src: src, o: o}
	return c, c.addEntries()
}

// addEntries makes a list of what is to be written out of the plan.
func (c *conversion) addEntries() error {
	p, tensors, err := planOf(c.src)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	add := func(e entry) {
		for _, name := range e.names() {
			if seen[name] {
				return // a tied embedding, which comes twice
			}
			seen[name] = true
		}
		if !e.product {
			e.fit()
		}
		c.entries = append(c.entries, e)
		c.total += e.weights()
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		e := entry{}
		for _, w := range s.W {
			e.matrices = append(e.matrices, tensors[w.Name])
		}
		switch {
		case s.Op == plan.Embed:
			e.rows, e.spend = c.o.Embedding, true
			add(e)
		case len(s.W) > 0 && e.channels() > container.MaxChannels:
			for _, t := range e.matrices {
				add(entry{matrices: []format.Tensor{t}, rows: format.Q8_0})
			}
		case s.Gated && c.o.GateFirst:
			add(entry{matrices: e.matrices[:1], product: true, kind: c.o.Kind})
			add(entry{matrices: e.matrices[1:], rows: rowType(c.o.Kind), spend: true})
		case len(s.W) > 0:
			e.product, e.kind = true, c.o.Kind
			if s.Layer == p.Layers {
				e.kind, e.output = c.o.Output, true
			}
			add(e)
		}
		for _, v := range s.V {
			if v != nil {
				add(entry{matrices: []format.Tensor{tensors[v.Name]}, rows: format.F16})
			}
		}
	}
	// What the plan does not read but the model may, such as the divisors of a rotary embedding, is small and stays exact.
	for _, t := range c.src.Tensors() {
		if !seen[t.Name] && len(t.Shape) == 1 {
			add(entry{matrices: []format.Tensor{t}, rows: format.F32})
		}
	}
	return nil
}

// rowType returns the type for rows that comes nearest to a kind of products.
func rowType(kind quant.Kind) format.Type {
	if kind.Dense() == quant.SDR4 {
		return format.Q4_0
	}
	return format.Q8_0
}

// fit takes a type for rows that are no whole blocks of the one asked for.
func (e *entry) fit() {
	if e.matrices[0].Shape[0]%int64(e.rows.BlockSize()) != 0 {
		e.rows = format.F16
	}
}

// planOf returns the plan of a model and its tensors by name.
func planOf(src Source) (*plan.Plan, map[string]format.Tensor, error) {
	data, err := gguf.AppendMetadata(nil, src.Metadata())
	if err != nil {
		return nil, nil, err
	}
	meta, err := gguf.ParseMetadata(src.Name(), data, 0)
	if err != nil {
		return nil, nil, err
	}
	tensors := map[string]format.Tensor{}
	for _, t := range src.Tensors() {
		tensors[t.Name] = t
	}
	p, err := model.PlanOf(meta, func(name string) (format.Tensor, bool) {
		t, ok := tensors[name]
		return t, ok
	}, func(tensor, detail string) error {
		return &format.Error{File: src.Name(), Tensor: tensor, Detail: detail, Err: format.ErrFormat}
	})
	return p, tensors, err
}

// dropped are the beginnings of keys that say how the source is stored.
var dropped = []string{"general.file_type", "general.quantization_version", "general.alignment", "split.", "quantize.", "cortex."}

// metadata returns the source's keys, but for those that say how it is stored, and what the conversion adds.
func (c *conversion) metadata() []gguf.KV {
	kvs := slices.DeleteFunc(c.src.Metadata(), func(kv gguf.KV) bool {
		return slices.ContainsFunc(dropped, func(prefix string) bool { return strings.HasPrefix(kv.Key, prefix) })
	})
	kvs = append(kvs, gguf.KV{Key: "cortex.calibrated", Value: c.o.Calibration != nil})
	if c.o.Prune != (quant.Pruning{}) {
		by := "magnitude"
		if c.o.Wanda {
			by = "wanda"
		}
		kvs = append(kvs, gguf.KV{Key: "cortex.pruned", Value: c.o.Prune.String() + " by " + by})
	}
	return kvs
}

// job describes everything that the result depends on, or nothing if the caller does not.
func (c *conversion) job() string {
	if c.o.Job == "" {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d %q\n", version, c.o.Job)
	if c.o.Calibration != nil {
		fmt.Fprintf(h, "calibrated with %d tokens, windows of %d, hot first %t\n", c.o.Calibration.Tokens, c.o.Calibration.Window, c.o.HotFirst)
	}
	if c.o.Kind.Sparse() || c.o.Output.Sparse() {
		fmt.Fprintf(h, "pruned by %v, %t, pairs %t\n", c.o.Prune, c.o.Wanda, c.o.PrunePairs)
	}
	for _, e := range c.entries {
		fmt.Fprintf(h, "%s %+v\n", e.typeName(), e.matrices)
	}
	for _, kv := range c.src.Metadata() {
		fmt.Fprintf(h, "%q %v\n", kv.Key, kv.Value)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// version is to be raised when quantization changes, so that no file is begun with one version and ended with another.
const version = 2

// tell reports progress.
func (c *conversion) tell() {
	if c.o.Progress != nil {
		c.o.Progress(Progress{Stage: c.stage, Done: c.done, Total: c.total})
	}
}
