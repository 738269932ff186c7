package cortex

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/cortexsdr/cortex/format"
)

// Type is how the weights of a product are stored, with the number that files have for it.
type Type uint32

// The types of products.
const (
	SDR4 Type = 1 // 4-bit codes of a table of 16 values, groups of 128 outputs
	SDR8 Type = 2 // 8-bit values, groups of 64 outputs

	// SDRW4 and SDRW8 are SDR4 and SDR8, but that blocks may be packed: they hold only the bytes of weights that are not all zero.
	SDRW4 Type = 3
	SDRW8 Type = 4
)

// GroupBytes is the number of bytes of a group: the weights of one channel to [Type.Group] consecutive outputs.
const GroupBytes = 64

// types gives each type its name, the outputs of a group, 0 for numbers that are no types, and whether blocks may be packed.
var types = [...]struct {
	name   string
	group  int
	sparse bool
}{
	SDR4:  {"SDR4", 128, false},
	SDR8:  {"SDR8", 64, false},
	SDRW4: {"SDRW4", 128, true},
	SDRW8: {"SDRW8", 64, true},
}

// String returns the type's name: "SDR4".
func (t Type) String() string {
	if t.Group() > 0 {
		return types[t].name
	}
	return "Type(" + strconv.FormatUint(uint64(t), 10) + ")"
}

// Group returns the number of outputs of a group, 0 if the type is not known.
func (t Type) Group() int {
	if int64(t) < int64(len(types)) {
		return types[t].group
	}
	return 0
}

// Sparse reports whether blocks of the type may be packed.
func (t Type) Sparse() bool { return t.Group() > 0 && types[t].sparse }

// coded reports whether weights are codes of 4 bits.
func (t Type) coded() bool { return t.Group() == 2*GroupBytes }

// ParseType returns the type of that name; case does not matter. Its error wraps format.ErrUnsupported.
func ParseType(name string) (Type, error) {
	for t := range types {
		if types[t].group > 0 && strings.EqualFold(types[t].name, name) {
			return Type(t), nil
		}
	}
	return 0, &format.Error{Detail: fmt.Sprintf("unknown type %q of a product", name), Err: format.ErrUnsupported}
}

// MaxChannels is the most channels of a product: with more, the 32-bit sums of its integer product could overflow.
const MaxChannels = 65536

// maxGroups bounds the groups of a product so that no size overflows.
const maxGroups = math.MaxInt32

// Layout is where scales and values lie in a block of so many channels and groups:
//
//	scales  [Channels][Groups]     binary16, then zeros up to byte Values
//	values  [Channels][Groups][64] bytes, from byte Values to byte Size
type Layout struct {
	Channels, Groups int
	Values, Size     int64
}

// NewLayout returns the layout of a block of 1 to [MaxChannels] channels. Values is a multiple of 64, and of 4096 where the values
// take 64 KiB or more, so that they can be read from a disk and mapped on their own.
func NewLayout(channels, groups int) Layout {
	n := int64(channels) * int64(groups)
	align := int64(smallAlign)
	if n*GroupBytes >= pageBytes {
		align = 4096
	}
	values := alignUp(2*n, align)
	return Layout{Channels: channels, Groups: groups, Values: values, Size: values + n*GroupBytes}
}

// PackedLayout is where things lie in a packed block of so many channels and groups:
//
//	scales   [channels][groups]  binary16, then zeros up to byte Starts
//	starts   [channels]          uint32, from byte Starts
//	offsets  [channels][groups]  uint16, from byte Offsets, then zeros up to byte Values
//	values                       from byte Values: a run for every group, channel after channel, and zeros
//
// The runs and what starts and offsets say of them are those of the SDRW types of package kernels.
type PackedLayout struct {
	Starts, Offsets, Values int64
}

// NewPackedLayout returns the layout of a packed block.
func NewPackedLayout(channels, groups int) PackedLayout {
	starts := NewLayout(channels, groups).Values
	offsets := starts + 4*int64(channels)
	return PackedLayout{Starts: starts, Offsets: offsets, Values: alignUp(offsets+2*int64(channels)*int64(groups), smallAlign)}
}

// runTail is how many zeros there are at least behind the runs of a packed block: the size of the longest run, so that as much can be
// read from the beginning of any.
const runTail = runHead + GroupBytes

// runHead is the size of a run without weights.
const runHead = 8

// AppendPacked appends a packed block to b.
func AppendPacked(b []byte, channels, groups int, scales, starts, offsets, values []byte) []byte {
	l := NewPackedLayout(channels, groups)
	begin := len(b)
	b = append(b, scales...)
	for _, part := range []struct {
		at   int64
		data []byte
	}{{l.Starts, starts}, {l.Offsets, offsets}, {l.Values, values}} {
		b = append(b, make([]byte, begin+int(part.at)-len(b))...)
		b = append(b, part.data...)
	}
	size := int(alignUp(int64(len(b)-begin), smallAlign))
	return append(b, make([]byte, begin+size-len(b))...)
}

// blockSize returns what is wrong with a block of a type that has this size, if anything.
func blockSize(t Type, l Layout, size int64) string {
	switch {
	case size == l.Size:
		return ""
	case !t.Sparse():
		return fmt.Sprintf("has %d bytes, want %d", size, l.Size)
	}
	min := alignUp(NewPackedLayout(l.Channels, l.Groups).Values+runHead*int64(l.Channels)*int64(l.Groups)+runTail, smallAlign)
	if size < min || size > l.Size || size%smallAlign != 0 {
		return fmt.Sprintf("has %d bytes, want %d, or if it is packed a multiple of %d from %d on", size, l.Size, smallAlign, min)
	}
	return ""
}

// DefaultBlockBytes is what a block of a product takes at most, unless a single channel takes more.
const DefaultBlockBytes = 2 << 20

// channelMultiple divides the default number of channels of a block: kernels take this many together.
const channelMultiple = 8

// DefaultBlockChannels returns how many channels the blocks of a product have, all but the last, if they are to be of
// at most [DefaultBlockBytes] each, of about that size, and so that as little as possible of their last pages is empty.
func DefaultBlockChannels(channels, groups int) int {
	perChannel := int64(groups) * (2 + GroupBytes)
	most := int(max(1, (DefaultBlockBytes-4096)/perChannel/channelMultiple)) * channelMultiple
	if most >= channels {
		return channels
	}
	pages := func(n int) int64 { // of n channels
		return alignUp(NewLayout(n, groups).Size, pageBytes)
	}
	best, least := 0, int64(math.MaxInt64)
	for n := most; n > most/2; n -= channelMultiple {
		total := int64(channels/n) * pages(n)
		if left := channels % n; left > 0 {
			total += pages(left)
		}
		if total < least {
			best, least = n, total
		}
	}
	return best
}

// alignUp rounds n up to a multiple of align, a power of two.
func alignUp(n, align int64) int64 { return (n + align - 1) &^ (align - 1) }
