//go:build amd64 || arm64

package kernels

import (
	"encoding/binary"
	"slices"
	"unsafe"
)

// How assembly multiplies channel-major weights. A call's channels are taken by 64,
// four of which (a quad) are the depth of a dot product of bytes. For the groups of the
// tile and each quad, fold makes the two numbers of the activations, then one
// multiplies. Several vectors have the quads of a group unpacked once, into a panel that
// stays in the first cache. The fold of many vectors goes by vectors instead of groups, so
// that narrow tiles will do, whose sums stay in the second cache:
//
//	x       [vector][quad]{ hi [group][channel of the quad], lo [group][channel of the quad] } int8
//	        or, of one group, [quad]{ hi [vector][channel of the quad], lo [vector][channel of the quad] }
//	panel   [half of the codes][quad][register] 64 bytes
//	acc     [group][vector]{ H, L } int32, and the sums of the activations behind them:
//	        [vector]{ hi [group], lo [group] } int32
//	        or [group]{ hi [vector], lo [vector] }
//
// Numbers of groups and vectors are rounded up to 16 in x and in the sums of activations. H and
// L are the sums of the group's outputs in the order in which the instructions leave them. They
// may have too much of the sums of activations, if weights are multiplied as unsigned bytes.

// sdrEntries is how many active channels are multiplied at a time. Their weights, and those of
// as many that follow, have to stay in the second cache.
const sdrEntries = 64

// sdrMany is the least number of vectors that are many.
const sdrMany = 16

// sdrTiles is the functions of a row.
type sdrTiles struct {
	group int
	fold  sdrFold
	// one multiplies one vector; channels at next, one more than offsets, are fetched.
	one sdrOne
	// finish writes whole groups. stride and sumStride are the number of bytes from group to
	// group of acc and of sums.
	finish sdrFinish
	panels *sdrPanels // nil: several vectors go one by one
	expand sdrExpand  // of the sparse types
	packed sdrPacked  // multiplies one vector of the sparse types without expand; nil if there is none
}

type (
	sdrOne    func(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)
	sdrFinish func(y *float32, acc, sums *int32, half, stride, sumStride, groups int, s128, s float32)
	sdrUnpack func(panel, values *byte, offsets *uintptr, next *uintptr, quads, at, size int, table *[16]byte)
)

// An sdrExpand unpacks the runs of group g of some channels, all of which are in b, to lines of
// the dense type; zero is the byte of weights that are 0.
type sdrExpand func(lines []byte, b *SDRBlock, channels []int32, g int, zero byte)

// An sdrPacked multiplies one vector with packed weights, of whose channels the first runs are
// at runs, and none behind last. runs becomes where those behind the last group are. Of each
// channel at next, one more than runs, size bytes are fetched. zero is the byte of weights that
// are 0.
type sdrPacked func(acc *int32, last *byte, runs *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride, size int, table *[16]byte, zero byte)

// An sdrExpandLine makes the 64 bytes of a group of the dense type of a run; zero is the byte of weights that are 0.
type sdrExpandLine func(line, run *byte, places *[256][8]byte, zero byte)

// sdrExpandBy makes the lines one after the other.
func sdrExpandBy(expand sdrExpandLine) sdrExpand {
	return func(lines []byte, b *SDRBlock, channels []int32, g int, zero byte) {
		for e, j := range channels {
			line, run := lines[SDRGroupBytes*e:][:SDRGroupBytes], b.Values[sdrwStart(b, int(j)-b.First, g):][:sdrwRun]
			expand(&line[0], &run[0], &sdrwPlaces, zero)
		}
	}
}

// sdrPanels is the functions for several vectors.
type sdrPanels struct {
	// foldMany is fold for m vectors and one group. rows is the activations, stride bytes
	// from channel to channel, the last of them at end.
	foldMany func(x *uint32, sums *int32, scales *byte, offsets *uintptr, rows, end *float32, quads, m, stride int)
	// unpack makes a panel of a group. Four lines for each quad are fetched at next, from
	// byte at on; a channel has size bytes.
	unpack sdrUnpack
	// multiply adds the products of half a panel with m vectors to their sums. L is level
	// bytes behind H, vectors are stride bytes apart; in x lo is half bytes behind hi, quads and
	// vectors are quadStride and xStride bytes apart.
	multiply func(acc *int32, panel *byte, x *uint32, quads, m, level, stride, half, quadStride, xStride int)
}

func padded(n int) int { return (n + 15) &^ 15 }

func (k *sdrTiles) many(m int) bool { return k.panels != nil && m >= sdrMany }

func (k *sdrTiles) accLen(groups, m int) int {
	sums := m * padded(groups)
	if k.many(m) {
		sums = groups * padded(m)
	}
	return 2 * (m*groups*k.group + sums)
}

func (k *sdrTiles) scratch(groups, m int) int {
	width := m * padded(groups)
	if k.many(m) {
		width = padded(m)
	}
	return int(unsafe.Sizeof(sdrChunk{})) + 2*sdrEntries*width
}

// sdrChunk is the channels that are multiplied at a time. The activations x follow.
type sdrChunk struct {
	panel    [sdrEntries * 2 * SDRGroupBytes]byte
	lines    [sdrEntries * SDRGroupBytes]byte // what was expanded
	zero     byte                             // for that: the byte of weights that are 0
	channels [sdrEntries]int32                // of the product
	offsets  [sdrEntries]uintptr              // from the first weights of the tile, in bytes
	next     [sdrEntries + 1]uintptr          // weights to be fetched, of the channels that come next
	scales   [sdrEntries + 1]uintptr          // their scales
	runs     [sdrEntries]uintptr              // addresses of the next runs of packed weights
	in       [sdrEntries]float32
}

func (k sdrTiles) body() *sdrBody {
	return &sdrBody{k.accLen, k.scratch, k.accumulate, k.finishAll, k.add}
}

func (k *sdrTiles) accumulate(acc []int32, b *SDRBlock, g0, g1 int, in *SDRInput, i0, i1 int, scratch []byte) {
	c := (*sdrChunk)(unsafe.Pointer(unsafe.SliceData(scratch)))
	x := viewU32(scratch[unsafe.Sizeof(*c):])
	// Chunks of equal size, of whole quads.
	size := ceil(ceil(i1-i0, ceil(i1-i0, sdrEntries)), 4) * 4
	for i := i0; i < i1; i += size {
		entries := min(size, i1-i)
		quads := ceil(entries, 4)
		c.place(b, in.Index[i:][:entries])
		switch {
		case k.expand == nil:
			c.fetch(b, g0, in.Index[i+entries:], 4*quads+1)
		case k.packed != nil && in.M == 1:
			c.placePacked(b, g0, 4*quads)
			c.fetchPacked(b, g0, in.Index[i+entries:], 4*quads+1)
		default:
			c.noFetch(0, len(c.next))
			c.zero = zeroByte(k.group, b.Table)
		}
		switch {
		case k.many(in.M):
			k.addMany(acc, b, g0, g1, in, i, entries, c, x)
		case in.M > 1 && k.panels != nil:
			k.addFew(acc, b, g0, g1, in, i, entries, c, x)
		default:
			k.addEach(acc, b, g0, g1, in, i, entries, c, x)
		}
	}
}

// foldGroups folds the activations of a chunk for the groups of a tile.
func (k *sdrTiles) foldGroups(x []uint32, sums []int32, b *SDRBlock, g0, g1 int, in *SDRInput, t, i, entries int, c *sdrChunk) {
	quads, width := ceil(entries, 4), padded(g1-g0)
	from := &in.X[i*in.M]
	if in.M > 1 || entries%4 != 0 {
		for e := range 4 * quads {
			c.in[e] = in.X[(i+min(e, entries-1))*in.M+t]
		}
		from = &c.in[0]
	}
	k.fold(&x[t*quads*2*width], &sums[t*2*width], &b.Scales[2*g0], &c.offsets[0], from, quads, g1-g0, 4*width, ^uint32(0)>>(8*(4*quads-entries)), &c.next[0], &c.scales[0])
}

// addEach multiplies one vector after the other.
func (k *sdrTiles) addEach(acc []int32, b *SDRBlock, g0, g1 int, in *SDRInput, i, entries int, c *sdrChunk, x []uint32) {
	quads, groups, width := ceil(entries, 4), g1-g0, padded(g1-g0)
	for t := range in.M {
		k.foldGroups(x, acc[in.M*2*groups*k.group:], b, g0, g1, in, t, i, entries, c)
		sums, x := acc[t*2*k.group:], x[t*quads*2*width:]
		if k.expand == nil {
			k.one(&sums[0], &b.Values[SDRGroupBytes*g0], &c.offsets[0], &c.next[0], quads, &x[0], 4*width, groups, 4*in.M*2*k.group, b.Table)
			continue
		}
		if k.packed != nil && in.M == 1 {
			size := len(b.Values)/b.Channels*groups/b.Groups + SDRGroupBytes // of a channel, on average
			k.packed(&sums[0], &b.Values[len(b.Values)-sdrwRun], &c.runs[0], &c.next[0], quads, &x[0], 4*width, groups, 4*2*k.group, size, b.Table, zeroByte(k.group, b.Table))
			continue
		}
		for g := range groups {
			k.expandChunk(c, b, g0, g, groups, quads, in, i+entries)
			k.one(&sums[g*in.M*2*k.group], &c.lines[0], &lineOffsets[0], &c.next[0], quads, &x[g], 4*width, 1, 0, b.Table)
		}
	}
}

// lineOffsets is where lines of expanded weights begin.
var lineOffsets = func() (o [sdrEntries]uintptr) {
	for i := range o {
		o[i] = uintptr(i) * SDRGroupBytes
	}
	return o
}()

// expandChunk expands a group of the chunk and fetches a part of the runs of the entries from
// next on.
func (k *sdrTiles) expandChunk(c *sdrChunk, b *SDRBlock, g0, g, groups, quads int, in *SDRInput, next int) {
	k.expand(c.lines[:], b, c.channels[:4*quads], g0+g, c.zero)
	following := b.following(true)
	for e := 4 * quads * g / groups; e < 4*quads*(g+1)/groups; e++ {
		if next+e >= len(in.Index) {
			return
		}
		from, j := b, int(in.Index[next+e])-b.First
		if j >= b.Channels && following != nil {
			from, j = following, j-b.Channels
		}
		if j < from.Channels {
			start := sdrwStart(from, j, g0)
			end := sdrwStart(from, j, g0+groups-1) + sdrwRun
			Prefetch(from.Values[start:max(start, end)])
		}
	}
}

// addFew multiplies vectors whose activations are folded by groups.
func (k *sdrTiles) addFew(acc []int32, b *SDRBlock, g0, g1 int, in *SDRInput, i, entries int, c *sdrChunk, x []uint32) {
	quads, groups, width := ceil(entries, 4), g1-g0, padded(g1-g0)
	for t := range in.M {
		k.foldGroups(x, acc[in.M*2*groups*k.group:], b, g0, g1, in, t, i, entries, c)
	}
	for g := range groups {
		k.unpack(c, b, g0, g, groups, quads, in, i+entries)
		k.multiply(acc, c, g, in.M, x[g:], quads, 4*width, 4*quads*2*width)
	}
}

// addMany multiplies vectors whose activations are folded by vectors, group by group.
func (k *sdrTiles) addMany(acc []int32, b *SDRBlock, g0, g1 int, in *SDRInput, i, entries int, c *sdrChunk, x []uint32) {
	quads, groups, width := ceil(entries, 4), g1-g0, padded(in.M)
	sums := acc[in.M*2*groups*k.group:]
	for g := range groups {
		k.unpack(c, b, g0, g, groups, quads, in, i+entries)
		k.panels.foldMany(&x[0], &sums[g*2*width], &b.Scales[2*(g0+g)], &c.offsets[0], &in.X[i*in.M], &in.X[(i+entries-1)*in.M], quads, in.M, 4*in.M)
		k.multiply(acc, c, g, in.M, x, quads, 4*width, 4)
	}
}

// unpack makes the panel of a group of the chunk; next is the entry behind it.
func (k *sdrTiles) unpack(c *sdrChunk, b *SDRBlock, g0, g, groups, quads int, in *SDRInput, next int) {
	if k.expand != nil {
		k.expandChunk(c, b, g0, g, groups, quads, in, next)
		k.panels.unpack(&c.panel[0], &c.lines[0], &lineOffsets[0], &c.next[0], quads, 0, SDRGroupBytes, b.Table)
		return
	}
	steps := ceil(groups, 4) // of four lines, in which a channel is fetched
	at := g * quads
	k.panels.unpack(&c.panel[0], &b.Values[SDRGroupBytes*(g0+g)], &c.offsets[0], &c.next[at/steps], quads, at%steps*4*SDRGroupBytes, groups*SDRGroupBytes, b.Table)
}

func (k *sdrTiles) multiply(acc []int32, c *sdrChunk, g, m int, x []uint32, quads, half, xStride int) {
	for part := range k.group / SDRGroupBytes {
		k.panels.multiply(&acc[g*m*2*k.group+part*SDRGroupBytes], &c.panel[part*quads*4*SDRGroupBytes], &x[0], quads, m, 4*k.group, 8*k.group, half, 2*half, xStride)
	}
}

// place sets channels and offsets. What a quad lacks is the last channel again, whose
// activations are ANDed with 0.
func (c *sdrChunk) place(b *SDRBlock, channels []int32) {
	n := copy(c.channels[:], channels)
	for ; n%4 != 0; n++ {
		c.channels[n] = c.channels[n-1]
	}
	size := b.Groups * SDRGroupBytes
	places.fn(c.offsets[:n], c.channels[:n], uintptr(-b.First*size), uintptr(size))
}

// in returns how many of the first channels are in b.
func (b *SDRBlock) in(channels []int32) int {
	end := int32(b.First + b.Channels)
	if n := len(channels); n == 0 || channels[n-1] < end {
		return n
	}
	n, _ := slices.BinarySearch(channels, end)
	return n
}

// following returns the block behind b if its channels can be fetched, or nil.
func (b *SDRBlock) following(packed bool) *SDRBlock {
	next := b.Next
	if next == nil || next.First != b.First+b.Channels || next.Groups != b.Groups || !next.complete(packed) {
		return nil
	}
	return next
}

// fetch sets next and scales to the first n of the channels, in b and the blocks that follow.
func (c *sdrChunk) fetch(b *SDRBlock, g0 int, channels []int32, n int) {
	channels = channels[:min(n, len(channels))]
	e := 0
	for ; b != nil && len(channels) > 0; b = b.following(false) {
		k := b.in(channels)
		size := uintptr(b.Groups * SDRGroupBytes)
		values := uintptr(unsafe.Pointer(unsafe.SliceData(b.Values))) + uintptr(g0*SDRGroupBytes)
		scales := uintptr(unsafe.Pointer(unsafe.SliceData(b.Scales))) + uintptr(2*g0)
		places.fn(c.next[e:e+k], channels[:k], values-uintptr(b.First)*size, size)
		places.fn(c.scales[e:e+k], channels[:k], scales-uintptr(b.First)*(size/32), size/32)
		channels, e = channels[k:], e+k
	}
	c.noFetch(e, n)
}

// noFetch sets next and scales from e up to n to what is there already.
func (c *sdrChunk) noFetch(e, n int) {
	here := uintptr(unsafe.Pointer(c))
	next, scales := c.next[e:n], c.scales[e:n]
	for i := range next {
		next[i], scales[i] = here, here
	}
}

// placePacked sets the first n runs to those of the channels.
func (c *sdrChunk) placePacked(b *SDRBlock, g0, n int) {
	c.start(c.runs[:n], b, c.channels[:n], 0)
	if g0 == 0 {
		return
	}
	for e, j := range c.channels[:n] {
		c.runs[e] += uintptr(2 * int(u16(b.Offsets[2*((int(j)-b.First)*b.Groups+g0):])))
	}
}

// start sets y to the addresses of the first runs of channels of b, which has at least one, plus
// more.
func (c *sdrChunk) start(y []uintptr, b *SDRBlock, channels []int32, more int) {
	values := uintptr(unsafe.Pointer(unsafe.SliceData(b.Values))) + uintptr(more)
	starts, first := unsafe.Slice((*[4]byte)(b.Starts[:4*b.Channels]), b.Channels), b.First
	for i, j := range channels {
		y[i] = values + uintptr(binary.LittleEndian.Uint32(starts[int(j)-first][:]))
	}
}

// fetchPacked is fetch for packed blocks. Where the runs of group g0 begin is only estimated
// there: offsets are not in the cache.
func (c *sdrChunk) fetchPacked(b *SDRBlock, g0 int, channels []int32, n int) {
	channels = channels[:min(n, len(channels))]
	e := 0
	for ; b != nil && len(channels) > 0; b = b.following(true) {
		k := b.in(channels)
		if k == 0 { // of b, which may have none
			continue
		}
		size := uintptr(2 * b.Groups)
		scales := uintptr(unsafe.Pointer(unsafe.SliceData(b.Scales))) + uintptr(2*g0)
		places.fn(c.scales[e:e+k], channels[:k], scales-uintptr(b.First)*size, size)
		c.start(c.next[e:e+k], b, channels[:k], len(b.Values)/b.Channels*g0/b.Groups)
		channels, e = channels[k:], e+k
	}
	c.noFetch(e, n)
}

func (k *sdrTiles) add(acc, more []int32, groups, from, to, m int) {
	accStride := m * 2 * k.group
	addInts.fn(acc[from*accStride:to*accStride], more[from*accStride:to*accStride])
	// The sums of activations.
	acc, more = acc[accStride*groups:], more[accStride*groups:]
	if k.many(m) {
		each := 2 * padded(m)
		addInts.fn(acc[from*each:to*each], more[from*each:to*each])
		return
	}
	for i := range 2 * m {
		at, end := i*padded(groups)+from, i*padded(groups)+to
		addInts.fn(acc[at:end], more[at:end])
	}
}

func (k *sdrTiles) finishAll(y []float32, stride int, acc []int32, groups, from, rows int, in *SDRInput, scratch []byte) {
	accStride := in.M * 2 * k.group
	// The sums of activations: of a group, from hi to lo, from vector to vector.
	sums, group, half, vector := acc[accStride*groups:], 1, padded(groups), 2*padded(groups)
	if k.many(in.M) {
		group, half, vector = 2*padded(in.M), padded(in.M), 1
	}
	for t, s := range in.Scale[:in.M] {
		y := y[t*stride:][:rows]
		acc, sums := acc[from*accStride+t*2*k.group:], sums[from*group+t*vector:]
		whole := rows / k.group
		if whole > 0 {
			k.finish(&y[0], &acc[0], &sums[0], 4*half, 4*accStride, 4*group, whole, 128*s, s)
		}
		if rest := y[whole*k.group:]; len(rest) > 0 {
			last := (*[2 * SDRGroupBytes]float32)(unsafe.Pointer(unsafe.SliceData(scratch)))
			k.finish(&last[0], &acc[whole*accStride], &sums[whole*group], 4*half, 4*accStride, 4*group, 1, 128*s, s)
			copy(rest, last[:])
		}
	}
}

// An sdrFold makes the activations of quads for groups; those of the last quad are ANDed
// with last. From hi to lo of x there are half bytes. Channels are offsets in bytes of
// weights. Meanwhile it may fetch the scales of as many quads from nextScales, and the
// beginnings of some weights of next.
type sdrFold func(x *uint32, sums *int32, scales *byte, offsets *uintptr, in *float32, quads, groups, half int, last uint32, next, nextScales *uintptr)

// sdrFoldBy makes the fold of any number of groups out of one for a multiple of step.
func sdrFoldBy(step int, fold func(x *uint32, sums *int32, scales *byte, offsets *uintptr, in *float32, quads, groups, half int, last uint32)) sdrFold {
	return func(x *uint32, sums *int32, scales *byte, offsets *uintptr, in *float32, quads, groups, half int, last uint32, _, _ *uintptr) {
		whole := groups / step * step
		if whole > 0 {
			fold(x, sums, scales, offsets, in, quads, whole, half, last)
		}
		if whole == groups {
			return
		}
		padded := half / 4
		xs, totals := unsafe.Slice(x, quads*2*padded), unsafe.Slice(sums, 2*padded)
		for q := range quads {
			mask := ^uint32(0)
			if q == quads-1 {
				mask = last
			}
			for g := whole; g < groups; g++ {
				var hi, lo uint32
				for c := range 4 {
					at := int(unsafe.Slice(offsets, 4*quads)[4*q+c]/32) + 2*g
					d := f16ToF32(*(*uint16)(unsafe.Add(unsafe.Pointer(scales), at)))
					h, l := sdrLevels(unsafe.Slice(in, 4*quads)[4*q+c] * d)
					hi |= uint32(uint8(h)) << (8 * c)
					lo |= uint32(uint8(l)) << (8 * c)
				}
				hi, lo = hi&mask, lo&mask
				xs[2*q*padded+g], xs[(2*q+1)*padded+g] = hi, lo
				totals[g] += sumBytes(hi)
				totals[padded+g] += sumBytes(lo)
			}
		}
	}
}

// sumBytes adds four signed bytes.
func sumBytes(x uint32) int32 {
	return int32(int8(x)) + int32(int8(x>>8)) + int32(int8(x>>16)) + int32(int8(x>>24))
}

func viewU32(b []byte) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}
