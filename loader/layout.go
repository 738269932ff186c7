package loader

// directAlign is the alignment, in files and in memory, of what is read past the
// page cache: the largest that common devices ask for.
const directAlign = 4096

// span returns the aligned run of bytes that holds the block.
func (e Extent) span() (from, size int64) {
	from = e.Offset &^ (directAlign - 1)
	return from, alignUp(e.Offset+e.Size) - from
}

func alignUp(n int64) int64 { return (n + directAlign - 1) &^ (directAlign - 1) }

// StreamLayout divides memory between blocks that are kept and the ring through
// which the others pass.
type StreamLayout struct {
	Pinned      []bool // by block
	PinnedBytes int64
	Slots       int // of the ring; 0 where everything is pinned
	SlotBytes   int64
	RowBytes    int64 // memory for a row of a table
	PassBytes   int64 // read from the file for one walk along the order, rows of tables not counted
}

// RingBytes returns the memory of the ring, and of what else passes through.
func (l *StreamLayout) RingBytes() int64 { return int64(l.Slots)*l.SlotBytes + l.RowBytes }

// Bytes returns all memory of the stream.
func (l *StreamLayout) Bytes() int64 { return l.PinnedBytes + l.RingBytes() }

// minSlots lets the next block be read while the kernels use one. With fairSlots
// reads follow one another closely, which is worth more than as many pinned blocks.
const (
	minSlots  = 2
	fairSlots = 8
)

// sizes sums up the blocks.
func sizes(order []Extent) (total, slot, row int64) {
	for _, e := range order {
		if e.Row > 0 {
			row = max(row, alignUp(e.Row+directAlign-1)) // wherever it begins
			continue
		}
		_, n := e.span()
		total, slot = total+n, max(slot, n)
	}
	return total, slot, row
}

// LeastStream returns the least memory in which the blocks can be streamed.
func LeastStream(order []Extent) int64 {
	total, slot, row := sizes(order)
	return min(total, minSlots*slot) + row
}

// FairStream returns the memory from which on the ring is not what streaming waits for.
func FairStream(order []Extent) int64 {
	total, slot, row := sizes(order)
	return min(total, fairSlots*slot) + row
}

// LayOutStream divides memory, at least LeastStream(order), between pinned blocks
// and a ring of about ring bytes, less where memory is short.
//
// The order is walked over and over, so every pinned block saves as many bytes
// per walk as it has, whichever it is. The pinned ones are spread evenly along the
// order: the disk would idle, the ring being full, while the kernels pass a long
// run of pinned blocks.
func LayOutStream(order []Extent, memory, ring int64) StreamLayout {
	total, slot, row := sizes(order)
	l := StreamLayout{Pinned: make([]bool, len(order)), RowBytes: row}
	left := memory - row
	if total > left {
		l.SlotBytes = slot
		l.Slots = int(max(minSlots, min(ring, max(left/4, min(left, fairSlots*slot)))/slot))
		left -= int64(l.Slots) * slot
	}
	pin := func(i int, most int64) {
		_, n := order[i].span()
		if order[i].Row == 0 && !l.Pinned[i] && l.PinnedBytes+n <= most {
			l.Pinned[i] = true
			l.PinnedBytes += n
		}
	}
	var passed int64
	for i, e := range order {
		if e.Row == 0 {
			_, n := e.span()
			passed += n
			pin(i, int64(float64(left)*(float64(passed)/float64(total))))
		}
	}
	for i := range order { // what rounding has left
		pin(i, left)
	}
	l.PassBytes = total - l.PinnedBytes
	return l
}
