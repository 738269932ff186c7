package kernels

import (
	"fmt"
	"math"
)

// Products of channel-major weights with a vector given by its active entries, a
// sparse distributed representation. The weights of a channel, an entry of the
// vector, lie together, so what an inactive channel would have been multiplied with
// is not read.
//
// A channel is a run of groups, each of 64 bytes of weights with one scale d in
// binary16. Byte i of a group of SDR8 is v of output i, whose weight is d*v. Byte i
// of a group of SDR4 holds a 4-bit code of output i in its low half and one of
// output i+64 in the high half; v is Table[code]-64.
//
// Results are exact up to the last step and so the same bits for any order of the
// channels, any split into calls and every instruction set: the scale is multiplied
// into the activation, and what comes out is rounded to a whole number q of 15 bits,
// which is multiplied as two numbers of 8 bits, q = 128*hi + lo. The two have sums
// of their own, H and L:
//
//	s = max over active j of |x[j]|*dmax[j] / 16256, r = 1/s
//	q[j][g] = RoundToEven(x[j]*r * d[j][g]), at most 16256 in magnitude
//	hi = (q+64)>>7, lo = q - 128*hi                      // -127..127, -64..63
//	H[o] = sum over active j of hi[j][o/Group]*v[j][o]
//	L[o] = sum over active j of lo[j][o/Group]*v[j][o]
//	y[o] = H[o]*(128*s) + L[o]*s
//
// All other operations are in float32, each rounded. If s is too small for r to be
// finite, s and with it y are 0. If s is not finite, because an active x[j] is not
// or because |x[j]|*dmax[j] is too large, y is NaN.

const (
	// SDRGroupBytes is the size of the weights of a channel that share a scale.
	SDRGroupBytes = 64
	// SDRVectors is the most vectors of an [SDRInput].
	SDRVectors = 64
	// SDRChannels is the most active channels: with more, sums might overflow.
	SDRChannels = 1 << 16
)

const (
	sdrMax  = 127 * 128 // the largest q
	sdrZero = 64        // what entries of a table are too large by
)

// An SDR multiplies channel-major weights of one type.
type SDR struct {
	typ    string
	group  int // outputs
	sparse bool
	fam    *family[*sdrBody]
	dense  *SDR // of a sparse one, for blocks that are not packed; sums lie in the same way
}

// sdrBody is how a row of the table multiplies. How sums lie in acc is its own
// affair; zeros are sums of nothing. Arguments are checked: everything is positive,
// slices have at least the elements that belong to them.
type sdrBody struct {
	accLen     func(groups, m int) int
	scratch    func(groups, m int) int // bytes
	accumulate func(acc []int32, b *SDRBlock, g0, g1 int, in *SDRInput, i0, i1 int, scratch []byte)
	finish     func(y []float32, stride int, acc []int32, groups, from, rows int, in *SDRInput, scratch []byte)
	add        func(acc, more []int32, groups, from, to, m int)
}

var (
	sdr4 = newSDR("SDR4", 2*SDRGroupBytes, nil, sdr4Ref)
	sdr8 = newSDR("SDR8", SDRGroupBytes, nil, sdr8Ref)
	sdrs = map[string]*SDR{
		"SDR4":  sdr4,
		"SDR8":  sdr8,
		"SDRW4": newSDR("SDRW4", 2*SDRGroupBytes, sdr4, sdr4Ref),
		"SDRW8": newSDR("SDRW8", SDRGroupBytes, sdr8, sdr8Ref),
	}
)

// newSDR makes a type, a sparse one if it is given the dense one that it belongs to.
func newSDR(typ string, group int, dense *SDR, values sdrValues) *SDR {
	sparse := dense != nil
	return &SDR{typ, group, sparse, newFamily("product", typ, sdrRef(group, sparse, values)), dense}
}

// SDROf returns the product of weights of the named type, "SDR4", "SDR8", "SDRW4" or
// "SDRW8", and whether there is one. The last two hold only bytes that are not all 0, see
// [SDR.Pack], or take blocks of the first two, those without Starts, as they are.
func SDROf(typ string) (*SDR, bool) {
	p, ok := sdrs[typ]
	return p, ok
}

// String returns the name of the weight type.
func (p *SDR) String() string { return p.typ }

// Group returns the number of outputs of a group.
func (p *SDR) Group() int { return p.group }

// An SDRInput is M vectors given by their active entries, made by [SDRInput.Set].
// It is read only by products, which may run on several goroutines.
type SDRInput struct {
	M     int
	Index []int32   // active channels, of any of the vectors; ascending
	X     []float32 // X[i*M+t] is x[j]*r of vector t and channel j = Index[i], 0 if not active in t
	Scale []float32 // s of each vector
}

// Set makes in the len(x)/len(dmax) vectors x[t*len(dmax):][:len(dmax)], at most
// [SDRVectors]. active[t] are the active channels of vector t, ascending; if active
// is nil, all are. dmax holds the largest magnitude of the scales of each channel.
// Memory of in is used again; what it has room for is not allocated.
//
//go:noinline
func (in *SDRInput) Set(x []float32, active [][]int32, dmax []float32) {
	n := len(dmax)
	if n == 0 || len(x)%n != 0 || len(x)/n > SDRVectors || active != nil && len(active) != len(x)/n {
		panic(fmt.Sprintf("kernels: %d values of vectors of %d, active sets of %d", len(x), n, len(active)))
	}
	in.M = len(x) / n
	in.union(active, n)
	in.Scale = resize(in.Scale, in.M)
	in.X = resize(in.X, len(in.Index)*in.M)
	if in.M == 1 {
		in.setOne(x, active, dmax)
		return
	}
	clear(in.X)
	for t := range in.M {
		x := x[t*n:][:n]
		if active == nil {
			in.setDense(t, x, dmax)
		} else {
			in.setActive(t, x, active[t], dmax)
		}
	}
}

// union sets Index.
func (in *SDRInput) union(active [][]int32, n int) {
	in.Index = in.Index[:0]
	switch {
	case active == nil:
		in.All(n)
	case len(active) == 1:
		in.Index = append(in.Index, active[0]...)
	default:
		var at [SDRVectors]int
		for {
			next := int32(math.MaxInt32)
			for t, a := range active {
				if at[t] < len(a) {
					next = min(next, a[at[t]])
				}
			}
			if next == math.MaxInt32 {
				break
			}
			in.Index = append(in.Index, next)
			for t, a := range active {
				if at[t] < len(a) && a[at[t]] == next {
					at[t]++
				}
			}
		}
	}
	if len(in.Index) > SDRChannels {
		panic(fmt.Sprintf("kernels: %d active channels, more than %d", len(in.Index), SDRChannels))
	}
}

// All sets Index to all of n channels.
func (in *SDRInput) All(n int) {
	if len(in.Index) == n && n > 0 && in.Index[0] == 0 && int(in.Index[n-1]) == n-1 {
		return // an ascending list that begins and ends like this is all of them
	}
	in.Index = resize(in.Index, n)
	for j := range in.Index {
		in.Index[j] = int32(j)
	}
}

// setOne makes the only vector.
func (in *SDRInput) setOne(x []float32, active [][]int32, dmax []float32) {
	var index []int32
	if active != nil {
		index = in.Index
	}
	if r := in.setScale(0, gather.fn(in.X, x, dmax, index)); r != 0 {
		Scale(in.X, r)
	} else {
		clear(in.X)
	}
}

func (in *SDRInput) setDense(t int, x, dmax []float32) {
	var most uint32
	for j, v := range x {
		most = max(most, magnitude(v*dmax[j]))
	}
	if r := in.setScale(t, most); r != 0 {
		for j, v := range x {
			in.X[j*in.M+t] = v * r
		}
	}
}

func (in *SDRInput) setActive(t int, x []float32, active []int32, dmax []float32) {
	var most uint32
	for _, j := range active {
		most = max(most, magnitude(x[j]*dmax[j]))
	}
	if r := in.setScale(t, most); r != 0 {
		i := 0
		for _, j := range active {
			for in.Index[i] != j {
				i++
			}
			in.X[i*in.M+t] = x[j] * r
		}
	}
}

// setScale sets the scale of vector t, whose largest value has the given bits, and
// returns its inverse, 0 if the vector is to be zero.
func (in *SDRInput) setScale(t int, most uint32) (r float32) {
	s := math.Float32frombits(most) / sdrMax
	switch {
	case most >= infBits:
		in.Scale[t] = float32(math.NaN())
	case s < 0x1p-126:
		in.Scale[t] = 0
	default:
		in.Scale[t], r = s, 1/s
	}
	return r
}

// magnitude returns the bits of |v|, which order as the magnitudes do. Those of
// infinity are infBits, those of a NaN are more.
func magnitude(v float32) uint32 { return math.Float32bits(v) &^ (1 << 31) }

// resize returns a slice of n elements that uses the memory of s if it is enough.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// An SDRBlock is the weights of some channels as they are stored.
//
// Next is the block whose channels follow, of as many groups and packed as this one is. While
// channels of this block are multiplied, those of Next that are active after them are fetched into
// the cache. For that its fields have to be set and its bytes to be there, Starts and Offsets
// included; if they are not, nothing is fetched and results are the same.
type SDRBlock struct {
	Scales   []byte    // [Channels][Groups] binary16
	Values   []byte    // [Channels][Groups][SDRGroupBytes], or what Pack makes of it
	First    int       // the channel that the block begins with
	Channels int       // of the block
	Groups   int       // of a channel
	Table    *[16]byte // of SDR4, 0..127
	Starts   []byte    // of SDRW4 and SDRW8, see Pack; nil if the block is not packed
	Offsets  []byte
	Next     *SDRBlock // see below; may be nil
}

// complete reports whether the bytes of all channels are there, packed or not.
func (b *SDRBlock) complete(packed bool) bool {
	weights := b.Channels * b.Groups
	switch {
	case b.Channels < 0 || len(b.Scales) < 2*weights:
		return false
	case packed:
		return len(b.Starts) >= 4*b.Channels && len(b.Offsets) >= 2*weights && len(b.Values) >= sdrwRun
	}
	return len(b.Values) >= SDRGroupBytes*weights
}

// TileGroups returns how many groups a tile of a product with m vectors should have: wide
// tiles read longer runs of memory, but the sums of a tile have to stay in the second cache.
func (p *SDR) TileGroups(m int) int { return max(4, min(96, 256/m)) }

// AccLen returns how many sums Accumulate needs for some groups and m vectors.
func (p *SDR) AccLen(groups, m int) int { return p.fam.fn.accLen(groups, m) }

// ScratchBytes returns the size of the memory that Accumulate and Finish need for themselves.
func (p *SDR) ScratchBytes(groups, m int) int { return p.fam.fn.scratch(groups, m) + line - 1 }

// Accumulate adds the products of the active channels in.Index[i0:i1], all of which
// are in b, with the weights of groups g0 up to g1 to acc, of AccLen(g1-g0, in.M)
// elements:
//
//	for i := i0; i < i1; i++ {
//		j := in.Index[i] - b.First
//		for g := g0; g < g1; g++ {
//			for t := range in.M {
//				q := clamp(RoundToEven(in.X[i*in.M+t] * b.Scales[j][g]), -16256, 16256)
//				hi := (q+64) >> 7
//				for o := range p.Group() {
//					H[t][g-g0][o] += hi * v[j][g][o]
//					L[t][g-g0][o] += (q - 128*hi) * v[j][g][o]
//				}
//			}
//		}
//	}
//
// The caller has set acc to 0 before the first call. How sums lie in it is known to
// Finish only. scratch has at least ScratchBytes(g1-g0, in.M) bytes and is for one
// call at a time.
//
//go:noinline
func (p *SDR) Accumulate(acc []int32, b *SDRBlock, g0, g1 int, in *SDRInput, i0, i1 int, scratch []byte) {
	if g0 < 0 || g1 < g0 || g1 > b.Groups || i0 < 0 || i1 < i0 || i1 > len(in.Index) || in.M < 1 || in.M > SDRVectors ||
		len(in.Index) > SDRChannels || len(in.X) < len(in.Index)*in.M {
		panic(fmt.Sprintf("kernels: groups %d to %d of %d, entries %d to %d of %d, %d vectors", g0, g1, b.Groups, i0, i1, len(in.Index), in.M))
	}
	if g0 == g1 || i0 == i1 {
		return
	}
	if p.sparse && b.Starts == nil {
		p = p.dense
	}
	if !b.complete(p.sparse) {
		panic(fmt.Sprintf("kernels: %d bytes of scales and %d of weights for %d channels of %d groups", len(b.Scales), len(b.Values), b.Channels, b.Groups))
	}
	for _, j := range in.Index[i0:i1] {
		if int(j) < b.First || int(j) >= b.First+b.Channels {
			panic(fmt.Sprintf("kernels: channel %d is not among the %d from %d on", j, b.Channels, b.First))
		}
	}
	body := p.fam.fn
	body.accumulate(first(acc, body.accLen(g1-g0, in.M)), b, g0, g1, in, i0, i1, aligned(scratch, int64(body.scratch(g1-g0, in.M))))
}

// Add adds other sums of the same groups and m vectors, those of groups from up to to, to acc.
//
//go:noinline
func (p *SDR) Add(acc, more []int32, groups, from, to, m int) {
	if from < 0 || to < from || to > groups || m < 1 || m > SDRVectors {
		panic(fmt.Sprintf("kernels: sums of groups %d to %d of %d, %d vectors", from, to, groups, m))
	}
	n := p.AccLen(groups, m)
	p.fam.fn.add(first(acc, n), first(more, n), groups, from, to, m)
}

// Finish makes results out of the sums of some groups, from group from on, of which the last
// may have outputs that are not wanted: rows is at most (groups-from)*Group(). scratch is as
// for Accumulate.
//
//	for t := range in.M {
//		for o := range rows {
//			y[t*stride+o] = H[t][from*Group+o]*(128*in.Scale[t]) + L[t][from*Group+o]*in.Scale[t]
//		}
//	}
//
//go:noinline
func (p *SDR) Finish(y []float32, stride int, acc []int32, groups, from, rows int, in *SDRInput, scratch []byte) {
	if from < 0 || rows < 0 || rows > (groups-from)*p.group || in.M < 1 || in.M > SDRVectors || in.M > 1 && stride < rows {
		panic(fmt.Sprintf("kernels: %d results from group %d of %d on and %d vectors at a stride of %d", rows, from, groups, in.M, stride))
	}
	if rows == 0 {
		return
	}
	body := p.fam.fn
	body.finish(first(y, (in.M-1)*stride+rows), stride, first(acc, body.accLen(groups, in.M)), groups, from, rows, in, aligned(scratch, int64(body.scratch(groups, in.M))))
}

var (
	addInts = newFamily("addInts", "", addInts_ref)
	gather  = newFamily("gather", "", gather_ref)
	places  = newFamily("places", "", places_ref)
)

// addInts_ref adds x to y; they are as long.
func addInts_ref(y, x []int32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += x[i]
	}
}

// gather_ref sets y to the elements of x at index, or to all if index is nil, and returns the
// largest magnitude of the products of these and those of d as bits. Elements that x does not
// have panic or are 0.
func gather_ref(y, x, d []float32, index []int32) (most uint32) {
	for i := range y {
		j := i
		if index != nil {
			j = int(index[i])
		}
		y[i] = x[j]
		most = max(most, magnitude(x[j]*d[j]))
	}
	return most
}

// places_ref sets y to where channels begin that are size bytes long, the first of which begins
// at base; there are no more of them than elements of y.
func places_ref(y []uintptr, channels []int32, base, size uintptr) {
	for i, j := range channels {
		y[i] = base + uintptr(j)*size
	}
}

// sdrValues unpacks a group.
type sdrValues func(v *[2 * SDRGroupBytes]int32, w []byte, table *[16]byte)

func sdr4Ref(v *[2 * SDRGroupBytes]int32, w []byte, table *[16]byte) {
	for i, c := range w[:SDRGroupBytes] {
		v[i] = int32(table[c&15]) - sdrZero
		v[i+SDRGroupBytes] = int32(table[c>>4]) - sdrZero
	}
}

func sdr8Ref(v *[2 * SDRGroupBytes]int32, w []byte, _ *[16]byte) {
	for i, c := range w[:SDRGroupBytes] {
		v[i] = int32(int8(c))
	}
}

// sdrRef is the reference of a type. Its sums are H and then L of the outputs of a
// group, group after group for each vector.
func sdrRef(group int, sparse bool, values sdrValues) *sdrBody {
	return &sdrBody{
		accLen:  func(groups, m int) int { return m * groups * 2 * group },
		scratch: func(int, int) int { return 0 },
		accumulate: func(acc []int32, b *SDRBlock, g0, g1 int, in *SDRInput, i0, i1 int, _ []byte) {
			var v [2 * SDRGroupBytes]int32
			var line [SDRGroupBytes]byte
			zero := zeroByte(group, b.Table)
			for i := i0; i < i1; i++ {
				j := int(in.Index[i]) - b.First
				for g := g0; g < g1; g++ {
					at := j*b.Groups + g
					d := f16ToF32(u16(b.Scales[2*at:]))
					weights := line[:]
					if sparse {
						sdrwUnpack(line[:], b, j, g, zero)
					} else {
						weights = b.Values[SDRGroupBytes*at:]
					}
					values(&v, weights, b.Table)
					for t, x := range in.X[i*in.M:][:in.M] {
						hi, lo := sdrLevels(x * d)
						sums := acc[(t*(g1-g0)+g-g0)*2*group:]
						for o, v := range v[:group] {
							sums[o] += hi * v
							sums[group+o] += lo * v
						}
					}
				}
			}
		},
		add: func(acc, more []int32, groups, from, to, m int) {
			for t := range m {
				at, end := (t*groups+from)*2*group, (t*groups+to)*2*group
				addInts_ref(acc[at:end], more[at:end])
			}
		},
		finish: func(y []float32, stride int, acc []int32, groups, from, rows int, in *SDRInput, _ []byte) {
			for t, s := range in.Scale[:in.M] {
				for o := range rows {
					sums := acc[(t*groups+from+o/group)*2*group+o%group:]
					y[t*stride+o] = float32(float32(sums[0])*(128*s)) + float32(float32(sums[group])*s)
				}
			}
		},
	}
}

// sdrLevels returns q of a product of activation and scale, 128*hi + lo. A NaN,
// which only a damaged scale makes, counts as too large.
func sdrLevels(v float32) (hi, lo int32) {
	switch {
	case v < -sdrMax:
		v = -sdrMax
	case !(v <= sdrMax):
		v = sdrMax
	}
	q := int32(math.RoundToEven(float64(v)))
	hi = (q + 64) >> 7
	return hi, q - hi*128
}
