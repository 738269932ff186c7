package plan

import (
	"fmt"
	"iter"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/cortex"
)

// Op is what a step does.
type Op uint8

// The operations, with the meaning of a step's fields. In and Out are
// activation slots, W the matrices, V the vectors.
const (
	Embed     Op = iota // Out[0] = rows of W[0] picked by the token ids
	Norm                // Out[0] = RMSNorm(In[0]) * V[0]
	MatMul              // Out[i] = W[i]·In[0] + V[i]        for every i; see Builder.GatedMatMul for In[1]
	MatMulAdd           // Out[0] += W[0]·In[0] + V[0]
	RoPE                // In[i] is rotated in place by the token's position, for every i
	StoreKV             // the layer's cache gets In[0] as keys and In[1] as values
	Attention           // Out[0] = softmax(In[0]·keys) · values, every head
	SiLUMul             // In[0] = silu(In[0]) * In[1]

	// Ops is the number of operations.
	Ops
)

var opNames = [...]string{"embed", "norm", "matmul", "matmul_add", "rope", "store_kv", "attention", "silu_mul"}

func (op Op) String() string { return opNames[op] }

// Slot names an activation buffer of the plan: its index in Plan.Slots.
type Slot int

// SlotInfo describes an activation buffer.
type SlotInfo struct {
	Name  string
	Width int // values per token
}

// Weight is a matrix that a step reads, [Shape[0] inputs, Shape[1] outputs] in
// ggml's order of dimensions.
type Weight struct {
	format.Tensor
	Block     int // the index of its first block in Plan.Blocks
	BlockRows int // rows of a block; of the last one, those that are left
}

// Blocks returns the number of blocks that the matrix is cut into.
func (w Weight) Blocks() int { return (int(w.Rows()) + w.BlockRows - 1) / w.BlockRows }

// Block is the unit in which the loader delivers weights: a matrix, or some of its rows.
type Block struct {
	Tensor       string
	Part         int   // which part of a split file
	Offset, Size int64 // in that part
	// Lookup marks a table of which a pass reads only single rows (the token
	// embedding), RowBytes each.
	Lookup   bool
	RowBytes int64
	// Channels marks a piece of a product that is stored channel by channel.
	Channels bool
	CRC      uint32 // of such a piece: CRC-32C of its bytes
}

// Channels is a product whose matrices are stored together, input channel by input
// channel. All matrices of the step are in it.
type Channels struct {
	*cortex.Product
	Index int // the product's number in the file
	Block int // the index of its first piece in Plan.Blocks
}

// Vector is a small tensor (a norm's weights, a bias) that is kept in memory as
// float32 for good. A nil *Vector is a bias that the model does not have.
type Vector struct {
	format.Tensor
}

// Step is one operation of the plan.
type Step struct {
	Op      Op
	Layer   int // 0-based; -1 before the first layer, Plan.Layers after the last
	In, Out []Slot
	W       []Weight
	V       []*Vector
	C       *Channels // in place of W where a product is stored channel by channel
	Gated   bool      // Out[0] is the gate of Out[1], or of the next step's Out[0]
}

// Matrices returns the names of the matrices that the step reads.
func (s *Step) Matrices() (names []string) {
	for _, w := range s.W {
		names = append(names, w.Name)
	}
	if s.C != nil {
		for _, m := range s.C.Matrices {
			names = append(names, m.Name)
		}
	}
	return names
}

// Plan is the whole pass of one batch of tokens through the model.
type Plan struct {
	Layers int
	Slots  []SlotInfo
	Steps  []Step
	Blocks []Block // in the order of execution
}

// BytesPerPass returns how many bytes of weights one pass of n tokens reads:
// every matrix once, and one row per token of each lookup table.
func (p *Plan) BytesPerPass(n int) (bytes int64) {
	for _, b := range p.Blocks {
		if b.Lookup {
			bytes += b.RowBytes * int64(n)
		} else {
			bytes += b.Size
		}
	}
	return bytes
}

// Cut cuts every matrix but the lookup tables and what is stored channel by channel into blocks of at most bytes, of
// about the same size, whose numbers of rows are multiples of rows; if that many
// rows take more, a block has that many. It is called once.
func (p *Plan) Cut(bytes int64, rows int) {
	whole := p.Blocks
	p.Blocks = nil
	for i := range p.Steps {
		if c := p.Steps[i].C; c != nil { // in pieces already
			first := c.Block
			c.Block = len(p.Blocks)
			p.Blocks = append(p.Blocks, whole[first:first+len(c.Pieces)]...)
		}
		for j := range p.Steps[i].W {
			w := &p.Steps[i].W[j]
			b := whole[w.Block]
			w.Block = len(p.Blocks)
			if b.Lookup {
				p.Blocks = append(p.Blocks, b)
				continue
			}
			w.BlockRows = evenRows(w.Rows(), max(1, bytes/b.RowBytes), int64(rows))
			for left := b.Size; left > 0; left -= b.Size {
				b.Size = min(left, int64(w.BlockRows)*b.RowBytes)
				p.Blocks = append(p.Blocks, b)
				b.Offset += b.Size
			}
		}
	}
}

// evenRows returns how many rows pieces of at most most rows have if as few of
// them as possible are to have about the same size: a multiple of multiple.
func evenRows(rows, most, multiple int64) int {
	most = max(1, most/multiple) * multiple
	pieces := (rows + most - 1) / most
	each := (rows + pieces - 1) / pieces
	return int((each + multiple - 1) / multiple * multiple)
}

// Builder writes a plan. Its methods append one step each; a tensor that is
// missing or has the wrong shape is remembered as the error that Plan returns.
type Builder struct {
	find func(name string) (format.Tensor, bool)
	fail func(tensor, detail string) error

	// Channels, if not nil, finds the product that is stored channel by channel
	// and has the named matrix as its first.
	Channels func(matrix string) (*Channels, bool)

	plan  Plan
	layer int
	used  map[string]bool
	err   error
}

// NewBuilder returns a Builder that looks tensors up with find and reports a
// bad one as fail(its name, what is wrong with it).
func NewBuilder(find func(name string) (format.Tensor, bool), fail func(tensor, detail string) error) *Builder {
	return &Builder{find: find, fail: fail, layer: -1, used: map[string]bool{}}
}

// Layers yields the numbers of n layers. The steps appended meanwhile belong to
// the layer that was yielded last, and those after the loop to none. The loop
// ends at the first error: n is what a file claims, and there may be no such layers.
func (b *Builder) Layers(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		b.plan.Layers = n
		for b.layer = range n {
			if b.err != nil || !yield(b.layer) {
				return
			}
		}
		b.layer = n
	}
}

// Name returns the name of a tensor of the current layer: "blk.3.attn_q.weight"
// for "attn_q.weight".
func (b *Builder) Name(tensor string) string { return fmt.Sprintf("blk.%d.%s", b.layer, tensor) }

// Slot adds an activation buffer of width values per token.
func (b *Builder) Slot(name string, width int) Slot {
	b.plan.Slots = append(b.plan.Slots, SlotInfo{Name: name, Width: width})
	return Slot(len(b.plan.Slots) - 1)
}

// Has reports whether the model has the tensor.
func (b *Builder) Has(tensor string) bool {
	if _, ok := b.find(tensor); ok {
		return true
	}
	_, ok := b.product(tensor)
	return ok
}

func (b *Builder) product(matrix string) (*Channels, bool) {
	if b.Channels == nil {
		return nil, false
	}
	return b.Channels(matrix)
}

// Used reports whether a step reads the tensor.
func (b *Builder) Used(tensor string) bool { return b.used[tensor] }

// Embed appends out = the rows of the tensor for the tokens.
func (b *Builder) Embed(out Slot, tensor string, vocab int) {
	w := b.weight(tensor, b.width(out), vocab, true)
	b.add(Step{Op: Embed, Out: []Slot{out}, W: []Weight{w}})
}

// Norm appends out = RMSNorm(in) * tensor.
func (b *Builder) Norm(out, in Slot, tensor string) {
	b.add(Step{Op: Norm, In: []Slot{in}, Out: []Slot{out}, V: []*Vector{b.vector(tensor, b.width(in), true)}})
}

// Product names one of the matrices that are multiplied with the same input,
// and the slot for its result. Matrix is the tensor's name without ".weight";
// a tensor of the same name with ".bias" is added where the model has it.
type Product struct {
	Out    Slot
	Matrix string
}

// MatMul appends out = matrix·in for every product, as one step.
func (b *Builder) MatMul(in Slot, products ...Product) {
	b.multiply(MatMul, in, products...)
}

// GatedMatMul appends gate = matrix·in and up = matrix·in, whose outputs will be multiplied with a function of the gate's, as one step.
// Where the gate is a product of its own that is stored channel by channel, there are two: the second has the gate as In[1], by
// which it may leave out outputs that will hardly matter.
func (b *Builder) GatedMatMul(in Slot, gate, up Product) {
	if c, ok := b.product(gate.Matrix + ".weight"); ok && len(c.Matrices) == 1 {
		b.multiply(MatMul, in, gate)
		b.multiply(MatMul, in, up)
		last := &b.plan.Steps[len(b.plan.Steps)-1]
		last.In = append(last.In, gate.Out)
		b.plan.Steps[len(b.plan.Steps)-2].Gated = true
		return
	}
	b.multiply(MatMul, in, gate, up)
	b.plan.Steps[len(b.plan.Steps)-1].Gated = true
}

func (b *Builder) multiply(op Op, in Slot, products ...Product) {
	s := Step{Op: op, In: []Slot{in}}
	c, ok := b.product(products[0].Matrix + ".weight")
	if ok {
		s.C = c
		b.checkChannels(c, in, products)
	}
	for _, p := range products {
		s.Out = append(s.Out, p.Out)
		if !ok {
			s.W = append(s.W, b.weight(p.Matrix+".weight", b.width(in), b.width(p.Out), false))
		}
		s.V = append(s.V, b.vector(p.Matrix+".bias", b.width(p.Out), false))
	}
	b.add(s)
}

// checkChannels compares a stored product with what a step multiplies and
// appends its blocks.
func (b *Builder) checkChannels(c *Channels, in Slot, products []Product) {
	name := c.Matrices[0].Name
	if c.Product.Channels != b.width(in) || len(c.Matrices) != len(products) {
		b.fails(name, fmt.Sprintf("a product of %d matrices and %d inputs, want %d and %d", len(c.Matrices), c.Product.Channels, len(products), b.width(in)))
		return
	}
	for i, p := range products {
		m := c.Matrices[i]
		if m.Name != p.Matrix+".weight" || m.Outputs != b.width(p.Out) {
			b.fails(name, fmt.Sprintf("matrix %d of the product is %s with %d outputs, want %s with %d", i, m.Name, m.Outputs, p.Matrix+".weight", b.width(p.Out)))
			return
		}
		b.used[m.Name] = true
	}
	c.Block = len(b.plan.Blocks)
	for _, p := range c.Pieces {
		b.plan.Blocks = append(b.plan.Blocks, Block{Tensor: name, Part: p.Part, Offset: p.Offset, Size: p.Size, Channels: true, CRC: p.CRC})
	}
}

// MatMulAdd appends out += matrix·in, the end of a residual branch.
func (b *Builder) MatMulAdd(out, in Slot, matrix string) {
	b.multiply(MatMulAdd, in, Product{Out: out, Matrix: matrix})
}

// RoPE appends the rotation of the slots by each token's position.
func (b *Builder) RoPE(slots ...Slot) { b.add(Step{Op: RoPE, In: slots}) }

// StoreKV appends the storing of keys and values in the layer's cache.
func (b *Builder) StoreKV(k, v Slot) { b.add(Step{Op: StoreKV, In: []Slot{k, v}}) }

// Attention appends out = attention of the queries over the layer's cache.
func (b *Builder) Attention(out, q Slot) {
	b.add(Step{Op: Attention, In: []Slot{q}, Out: []Slot{out}})
}

// SiLUMul appends gate = silu(gate) * up.
func (b *Builder) SiLUMul(gate, up Slot) { b.add(Step{Op: SiLUMul, In: []Slot{gate, up}}) }

// Plan returns the finished plan, or the first error.
func (b *Builder) Plan() (*Plan, error) {
	if b.err != nil {
		return nil, b.err
	}
	return &b.plan, nil
}

func (b *Builder) add(s Step) {
	s.Layer = b.layer
	b.plan.Steps = append(b.plan.Steps, s)
}

func (b *Builder) width(s Slot) int { return b.plan.Slots[s].Width }

// weight looks up a matrix of [in, out] and appends its block.
func (b *Builder) weight(name string, in, out int, lookup bool) Weight {
	t, ok := b.tensor(name, true, int64(in), int64(out))
	if !ok {
		return Weight{}
	}
	b.plan.Blocks = append(b.plan.Blocks, Block{Tensor: name, Part: t.Part, Offset: t.Offset, Size: t.Size,
		Lookup: lookup, RowBytes: t.RowBytes()})
	return Weight{Tensor: t, Block: len(b.plan.Blocks) - 1, BlockRows: int(t.Rows())}
}

func (b *Builder) vector(name string, n int, required bool) *Vector {
	t, ok := b.tensor(name, required, int64(n))
	if !ok {
		return nil
	}
	return &Vector{Tensor: t}
}

// tensor looks a tensor up and checks its shape.
func (b *Builder) tensor(name string, required bool, shape ...int64) (format.Tensor, bool) {
	t, ok := b.find(name)
	if !ok {
		if required {
			b.fails(name, "missing")
		}
		return t, false
	}
	b.used[name] = true
	for i := range max(len(shape), len(t.Shape)) {
		if dim(shape, i) != dim(t.Shape, i) {
			b.fails(name, fmt.Sprintf("shape %v, want %v", t.Shape, shape))
			return t, false
		}
	}
	return t, true
}

func (b *Builder) fails(tensor, detail string) {
	if b.err == nil {
		b.err = b.fail(tensor, detail)
	}
}

// dim returns dimension i of a shape; those that are not named are 1.
func dim(shape []int64, i int) int64 {
	if i < len(shape) {
		return shape[i]
	}
	return 1
}
