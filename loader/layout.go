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
	Gap         int64 // that of [Disk]; 0 has it measured
	Held        bool  // the ring has room for what is not pinned of each run of Prompt
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
	// A ring larger than this part of what is streamed would take more from the pinned blocks than it brings.
	streamedPerRing = 8
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

// Prompt says what the walk with a long prompt wants of the memory, beyond what
// the walk with one token does (see Stream.Lend).
type Prompt struct {
	Runs [][2]int // blocks from [0] up to [1] of the order (exclusive) that are held together
	Tail int      // the first block that is acquired only when all runs are done
	Lend int64    // bytes of pinned blocks from Tail on, whose memory can be lent until then
}

// LayOutStream divides memory, at least LeastStream(order), between pinned blocks
// and a ring of about ring bytes, less where memory is short, and more if p's runs
// do not fit in it but in memory.
//
// The order is walked over and over, so every pinned block saves as many bytes
// per walk as would be read of it. That is less of blocks that are read by runs, the less the fewer of their channels are
// active. Those of which most is saved are pinned first.
// But for those that are to be lent, those of which about as much is saved are spread evenly along the order: the disk would idle, the ring
// being full, while the kernels pass a long run of pinned blocks. It would idle, too, while it is not known
// which runs to read: some of what lies just before them is left to be read then.
func LayOutStream(order []Extent, memory, ring int64, p Prompt, active Shares) StreamLayout {
	total, slot, row := sizes(order)
	left, slots := memory-row, 0
	if total > left {
		ring = min(ring, max(fairSlots*slot, (total-left)/streamedPerRing))
		slots = int(max(minSlots, min(ring, max(left/4, min(left, fairSlots*slot)))/slot))
	}
	first := layOut(order, memory, slots, p, active)
	for l := first; ; l = layOut(order, memory, slots, p, active) {
		longest := 0
		for _, r := range p.Runs {
			n := 0
			for i := r[0]; i < r[1]; i++ {
				if order[i].Row == 0 && !l.Pinned[i] {
					n++
				}
			}
			longest = max(longest, n)
		}
		if longest <= l.Slots {
			l.Held = len(p.Runs) > 0
			return l
		}
		if slots = longest; int64(slots)*slot > left {
			return first
		}
	}
}

// likelyGap is about that of the disk on which docs/streaming.md measures. The true one is known only when the pinned
// blocks have been read, and would hardly change which they are: the shorter a block's runs, the less is saved by
// reading them, with any gap.
const likelyGap = 40 << 10

const (
	// saveGrades is how many grades of blocks there are, by what is saved of each of their bytes.
	saveGrades = 16
	// readWhileWaiting is the grade of blocks that are left for the disk to read while it is not known which
	// runs of those behind them to read: a part in waitingPart of what is multiplied in that time.
	readWhileWaiting = -1
	waitingPart      = 8
)

// grades returns the grade of each block. Those of the highest are pinned first.
func grades(order []Extent, active Shares) []int {
	grade := make([]int, len(order))
	var ahead []int // blocks since the last one that is read by runs, which are read as a whole
	var bytes int64 // of them
	for i, e := range order {
		if e.Row > 0 {
			continue
		}
		share := active.of(i, 1)
		grade[i] = int(saveGrades * e.saves(share, likelyGap))
		if !e.byRuns(share, likelyGap) {
			_, n := e.span()
			ahead, bytes = append(ahead, i), bytes+n
			continue
		}
		left := bytes / waitingPart
		for len(ahead) > 0 {
			last := ahead[len(ahead)-1]
			_, n := order[last].span()
			if left -= n; left < 0 {
				break
			}
			grade[last], ahead = readWhileWaiting, ahead[:len(ahead)-1]
		}
		ahead, bytes = ahead[:0], 0
	}
	return grade
}

// layOut is LayOutStream with the slots given.
func layOut(order []Extent, memory int64, slots int, p Prompt, active Shares) StreamLayout {
	total, slot, row := sizes(order)
	l := StreamLayout{Pinned: make([]bool, len(order)), RowBytes: row}
	left := memory - row
	if slots > 0 {
		l.Slots, l.SlotBytes = slots, slot
		left -= int64(slots) * slot
	}
	pin := func(i int, most int64) bool {
		_, n := order[i].span()
		if order[i].Row > 0 || l.Pinned[i] || l.PinnedBytes+n > most {
			return false
		}
		l.Pinned[i] = true
		l.PinnedBytes += n
		return true
	}
	for i := len(order) - 1; i >= p.Tail && l.PinnedBytes < p.Lend && pin(i, left); i-- {
	}
	grade := grades(order, active)
	for g := saveGrades; g >= readWhileWaiting; g-- {
		free := func(i int) bool { return order[i].Row == 0 && !l.Pinned[i] && grade[i] == g }
		var all, passed int64
		for i, e := range order {
			if free(i) {
				_, n := e.span()
				all += n
			}
		}
		if all == 0 {
			continue
		}
		before := l.PinnedBytes
		room := float64(min(all, left-before))
		for i, e := range order {
			if free(i) {
				_, n := e.span()
				passed += n
				pin(i, before+int64(room*(float64(passed)/float64(all))))
			}
		}
		for i := range order { // what rounding has left
			if free(i) {
				pin(i, left)
			}
		}
	}
	l.PassBytes = total - l.PinnedBytes
	return l
}
