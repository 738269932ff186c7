package cortex

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/cortexsdr/cortex/format"
)

// Product is the matrices of one step that are multiplied with the same vector of Channels values, stored together:
// for every input channel its weights to all outputs. The outputs are those of the matrices, one after the other, each
// matrix padded with zero weights to whole groups.
type Product struct {
	Matrices      []Matrix
	Type          Type
	Channels      int      // values of the input
	Groups        int      // groups of outputs of all matrices
	Table         [16]byte // SDR4, SDRW4: the weight of code c is scale*(Table[c]-64); zeros for other types
	BlockChannels int      // channels of every block but the last
	Pieces        []Piece  // the blocks, in the order of the channels

	// Order says which value of the input each channel is multiplied with, if not each with that of its own number (nil): channels
	// may lie in any order, such as those first that are active most often.
	Order []uint16

	// Of each channel: the L2 norm of its weights, and the largest magnitude of its scales.
	Norm, DMax []float32

	// Thresholds are the calibrated ones, in ascending order of Sparsity; nil if the product was not calibrated.
	Thresholds []Threshold
}

// Matrix is one of the matrices of a product.
type Matrix struct {
	Name    string // of the tensor that it was: "blk.0.attn_q.weight"
	Outputs int
}

// Piece is one block of a product.
type Piece struct {
	Part         int   // which of the files it is in
	Offset, Size int64 // bytes, in that file
	CRC          uint32
	First        int // its first channel
	Channels     int
}

// Threshold says which channels of a product are active in a run of a given sparsity.
type Threshold struct {
	Sparsity float32 // of the whole run: the share of weight bytes that are not read, 0 to 1
	Keep     float32 // the share of this product's channels that are active, 0 to 1
	Value    float32 // channels of |x|*Norm below are not active
	Active   []byte  // of each block: the share of its channels that are active, in 255ths; nil if that was not measured
}

// Name returns the names of the matrices, joined with "+".
func (p *Product) Name() string {
	names := make([]string, len(p.Matrices))
	for i, m := range p.Matrices {
		names[i] = m.Name
	}
	return strings.Join(names, "+")
}

// FirstGroup returns the first group of matrix i; of i == len(Matrices), Groups.
func (p *Product) FirstGroup(i int) int { return groupsOf(p.Type, p.Matrices[:i]) }

// Shape returns the shape of matrix i in ggml's order: channels, outputs.
func (p *Product) Shape(i int) []int64 {
	return []int64{int64(p.Channels), int64(p.Matrices[i].Outputs)}
}

// Size returns the bytes of all blocks.
func (p *Product) Size() (n int64) {
	for _, b := range p.Pieces {
		n += b.Size
	}
	return n
}

// Packed reports whether block i is packed, see [PackedLayout]. It is if that makes it smaller.
func (p *Product) Packed(i int) bool { return p.Pieces[i].Size < p.Layout(i).Size }

// Block returns the parts of block i, whose bytes are data, as kernels take them: scales [channels][groups] and values and, if it is
// packed, starts [channels] and offsets [channels][groups].
func (p *Product) Block(i int, data []byte) (scales, values, starts, offsets []byte) {
	l := p.Layout(i)
	scales = data[:2*l.Channels*l.Groups]
	if !p.Packed(i) {
		return scales, data[l.Values:], nil, nil
	}
	k := NewPackedLayout(l.Channels, l.Groups)
	return scales, data[k.Values:], data[k.Starts:k.Offsets], data[k.Offsets:][:2*l.Channels*l.Groups]
}

// Layout returns the layout of block i, if it is not packed.
func (p *Product) Layout(i int) Layout { return NewLayout(p.blockChannels(i), p.Groups) }

// blocks returns the number of blocks.
func (p *Product) blocks() int { return (p.Channels + p.BlockChannels - 1) / p.BlockChannels }

// blockChannels returns the number of channels of block i.
func (p *Product) blockChannels(i int) int {
	return min(p.BlockChannels, p.Channels-i*p.BlockChannels)
}

func groupsOf(t Type, matrices []Matrix) (groups int) {
	for _, m := range matrices {
		groups += (m.Outputs + t.Group() - 1) / t.Group()
	}
	return groups
}

// check checks everything of a product but its pieces and tables, computes Groups, and returns what is wrong and its kind.
func (p *Product) check() (detail string, kind error) {
	if p.Type.Group() == 0 {
		return fmt.Sprintf("unknown type %d of a product", uint32(p.Type)), format.ErrUnsupported
	}
	if p.Channels < 1 || p.Channels > MaxChannels {
		return fmt.Sprintf("%d channels, want 1 to %d", p.Channels, MaxChannels), format.ErrFormat
	}
	if p.BlockChannels < 1 || p.BlockChannels > p.Channels {
		return fmt.Sprintf("blocks of %d channels, want 1 to %d", p.BlockChannels, p.Channels), format.ErrFormat
	}
	if len(p.Matrices) == 0 {
		return "a product without matrices", format.ErrFormat
	}
	left := maxGroups
	for _, m := range p.Matrices {
		if m.Outputs < 1 || m.Outputs > maxGroups || groupsOf(p.Type, []Matrix{m}) > left {
			return fmt.Sprintf("%d outputs, want 1 to %d of all matrices", m.Outputs, maxGroups), format.ErrFormat
		}
		left -= groupsOf(p.Type, []Matrix{m})
	}
	p.Groups = maxGroups - left
	if p.Type.coded() {
		zero := false
		for c, t := range p.Table {
			if t > 127 {
				return fmt.Sprintf("value %d of the table is %d, more than 127", c, t), format.ErrFormat
			}
			zero = zero || t == zeroLevel
		}
		if !zero {
			return fmt.Sprintf("the table lacks %d, which stands for a weight of zero", zeroLevel), format.ErrFormat
		}
	} else if p.Table != [16]byte{} {
		return fmt.Sprintf("a table of values, which %v has not", p.Type), format.ErrFormat
	}
	return "", nil
}

// zeroLevel is the entry of a table that stands for a weight of zero.
const zeroLevel = 64

// measure computes Norm and DMax of the channels of block i from its bytes. It returns what is wrong with them, if anything.
func (p *Product) measure(i int, block []byte) (detail string) {
	l := p.Layout(i)
	coded := p.Type.coded()
	g := groups{values: block[l.Values:]}
	next := g.dense
	if int64(len(block)) < l.Size {
		k := NewPackedLayout(l.Channels, l.Groups)
		g.starts, g.offsets, g.values = block[k.Starts:k.Offsets], block[k.Offsets:k.Values], block[k.Values:]
		next = g.packed
	}
	if !coded && !p.Type.Sparse() && bytes.IndexByte(g.values, 0x80) >= 0 {
		return "a weight is -128 times its scale, want -127 to 127"
	}
	square := func(v int) uint32 { return uint32(v * v) }
	for b := range g.bytes {
		if g.bytes[b] = square(int(int8(b))); coded {
			g.bytes[b] = square(int(p.Table[b&15])-zeroLevel) + square(int(p.Table[b>>4])-zeroLevel)
		}
	}
	scales := make([]float32, l.Groups)
	for j := range l.Channels {
		// F16 takes any number of values, so this cannot fail.
		_ = format.Dequantize(scales, block[2*j*l.Groups:][:2*l.Groups], format.F16)
		var sum float64
		var most float32
		for k, d := range scales {
			if d-d != 0 { // NaN and infinities
				return fmt.Sprintf("the scale of channel %d, group %d is %v", p.BlockChannels*i+j, k, d)
			}
			n, ok := next(k == 0)
			if !ok {
				return fmt.Sprintf("the weights of channel %d, group %d are not where they belong", p.BlockChannels*i+j, k)
			}
			sum += float64(d) * float64(d) * float64(n)
			most = max(most, abs(d))
		}
		at := p.BlockChannels*i + j
		p.Norm[at], p.DMax[at] = float32(math.Sqrt(sum)), most
	}
	if g.starts != nil && (len(g.values)-g.at < runTail || len(g.values)-g.at >= runTail+smallAlign || notZero(g.values[g.at:]) >= 0) {
		return "the weights do not end with the block"
	}
	gap := block[2*l.Channels*l.Groups : l.Values]
	if at := notZero(gap); at >= 0 {
		return fmt.Sprintf("byte %d between scales and values is %d, not 0", 2*l.Channels*l.Groups+at, gap[at])
	}
	return ""
}

// groups goes through the groups of a block, in their order.
type groups struct {
	bytes  [256]uint32 // of each byte of a dense group, the sum of the squares of its weights, in units of the scale
	values []byte
	at     int // where the next group begins in values

	// Of a packed block, what remains of them. Offsets may end with zeros that belong to no group.
	starts, offsets []byte
	start           int // where the channel begins
}

// dense returns the sum of the squares of the weights of the next group of a block that is not packed.
func (g *groups) dense(bool) (sum uint32, ok bool) {
	for _, b := range g.values[g.at:][:GroupBytes] {
		sum += g.bytes[b]
	}
	g.at += GroupBytes
	return sum, true
}

// packed is dense for a packed block. first tells that the group is its channel's first. ok is false if the group's run is not
// behind the one before, or does not end early enough.
func (g *groups) packed(first bool) (sum uint32, ok bool) {
	le := binary.LittleEndian
	if first {
		g.start = g.at
		if le.Uint32(g.starts) != uint32(g.at) {
			return 0, false
		}
		g.starts = g.starts[4:]
	}
	if 2*int(le.Uint16(g.offsets)) != g.at-g.start || len(g.values)-g.at < runTail {
		return 0, false
	}
	g.offsets = g.offsets[2:]
	run := g.values[g.at:]
	n := bits.OnesCount64(le.Uint64(run))
	for _, b := range run[runHead:][:n] {
		sum += g.bytes[b]
	}
	g.at += (runHead + n + 1) &^ 1
	return sum, true
}

// notZero returns the index of the first byte that is not 0, or -1.
func notZero(b []byte) int {
	return slices.IndexFunc(b, func(x byte) bool { return x != 0 })
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }
