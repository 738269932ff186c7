//go:build amd64 || arm64

package kernels

import "unsafe"

// How assembly multiplies channel-major weights. A call's channels are taken by 32,
// four of which (a quad) are the depth of a dot product of bytes. For the groups of the
// tile and each quad, fold makes the two numbers of the activations, then one or few
// multiplies:
//
//	x       [vector][quad]{ hi [group][channel of the quad], lo [group][channel of the quad] } int8
//	acc     [group][vector]{ H, L } int32, and the sums of the activations behind them:
//	        [vector]{ hi [group], lo [group] } int32
//
// Numbers of groups are rounded up to 16 in x and in the sums of activations. H and L are the
// sums of the group's outputs in the order in which the instructions leave them. They have too
// much of the sums of activations: weights are multiplied as unsigned bytes.

// sdrEntries is how many active channels are multiplied at a time. Their weights, and those of
// as many that follow, have to stay in the second cache.
const sdrEntries = 64

// sdrTiles is the functions of a row.
type sdrTiles struct {
	group int
	// fold makes activations of quads; the last of them are ANDed with last. half is the
	// number of bytes of the groups of x. Channels are offsets in bytes of weights.
	fold sdrFold
	// one multiplies one vector; channels at next, one more than offsets, are fetched.
	one func(acc *int32, values *byte, offsets *int, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)
	// finish writes whole groups. stride is the number of bytes from group to group of acc.
	finish func(y *float32, acc, sums *int32, half, stride, groups int, s128, s float32)
}

func sdrPadded(groups int) int { return (groups + 15) &^ 15 }

func (k *sdrTiles) accLen(groups, m int) int {
	return m * 2 * (groups*k.group + sdrPadded(groups))
}

func (k *sdrTiles) scratch(groups, m int) int {
	return int(unsafe.Sizeof(sdrChunk{})) + m*2*sdrEntries*sdrPadded(groups)
}

// sdrChunk is the channels that are multiplied at a time. The activations x follow.
type sdrChunk struct {
	offsets [sdrEntries]int         // from the first weights of the tile, in bytes
	next    [sdrEntries + 1]uintptr // weights to be fetched, of the channels that come next
	in      [SDRVectors][sdrEntries]float32
}

func (k *sdrTiles) body() *sdrBody {
	return &sdrBody{k.accLen, k.scratch, k.accumulate, k.finishAll}
}

func (k *sdrTiles) accumulate(acc []int32, b *SDRBlock, g0, g1 int, in *SDRInput, i0, i1 int, scratch []byte) {
	c := (*sdrChunk)(unsafe.Pointer(unsafe.SliceData(scratch)))
	groups, padded := g1-g0, sdrPadded(g1-g0)
	x := unsafe.Slice((*uint32)(unsafe.Pointer(&scratch[unsafe.Sizeof(*c)])), in.M*2*sdrEntries/4*padded)
	sums := acc[in.M*2*groups*k.group:]
	scales, values := &b.Scales[2*g0], &b.Values[SDRGroupBytes*g0]
	// Chunks of equal size, of whole quads.
	size := ceil(ceil(i1-i0, ceil(i1-i0, sdrEntries)), 4) * 4
	for i := i0; i < i1; i += size {
		entries := min(size, i1-i)
		quads := ceil(entries, 4)
		for e := range 4 * quads { // what a quad lacks is a channel again, whose activations are ANDed with 0
			at := min(i+e, i1-1)
			c.offsets[e] = (int(in.Index[at]) - b.First) * b.Groups * SDRGroupBytes
			for t := range in.M {
				c.in[t][e] = in.X[at*in.M+t]
			}
		}
		c.fetch(b, g0, in, i+entries, 4*quads+1)
		for t := range in.M {
			x := &x[t*2*sdrEntries/4*padded]
			k.fold(x, &sums[t*2*padded], scales, &c.offsets[0], &c.in[t][0], quads, groups, 4*padded, ^uint32(0)>>(8*uint(4*quads-entries)))
			k.one(&acc[t*2*k.group], values, &c.offsets[0], &c.next[0], quads, x, 4*padded, groups, 4*in.M*2*k.group, b.Table)
		}
	}
}

// fetch sets next to the weights of n channels from entry i on, those of the last again if
// there are fewer.
func (c *sdrChunk) fetch(b *SDRBlock, g0 int, in *SDRInput, i, n int) {
	var last uintptr
	for e := range n {
		if i+e < len(in.Index) {
			j := int(in.Index[i+e]) - b.First
			if j >= b.Channels && b.Next != nil {
				j -= b.Channels
				b = b.Next
			}
			if j < b.Channels {
				last = uintptr(unsafe.Pointer(unsafe.SliceData(b.Values))) + uintptr((j*b.Groups+g0)*SDRGroupBytes)
			}
		}
		c.next[e] = last
	}
}

func (k *sdrTiles) finishAll(y []float32, stride int, acc []int32, groups, rows int, in *SDRInput) {
	padded, accStride := sdrPadded(groups), in.M*2*k.group
	sums := acc[accStride*groups:]
	for t, s := range in.Scale[:in.M] {
		y := y[t*stride:][:rows]
		acc, sums := acc[t*2*k.group:], sums[t*2*padded:]
		whole := rows / k.group
		if whole > 0 {
			k.finish(&y[0], &acc[0], &sums[0], 4*padded, 4*accStride, whole, 128*s, s)
		}
		if rest := y[whole*k.group:]; len(rest) > 0 {
			var last [2 * SDRGroupBytes]float32
			k.finish(&last[0], &acc[whole*accStride], &sums[whole], 4*padded, 4*accStride, 1, 128*s, s)
			copy(rest, last[:])
		}
	}
}

// An sdrFold is sdrTiles.fold.
type sdrFold func(x *uint32, sums *int32, scales *byte, offsets *int, in *float32, quads, groups, half int, last uint32)

// sdrFoldBy makes the fold of any number of groups out of one for a multiple of step.
func sdrFoldBy(step int, fold sdrFold) sdrFold {
	return func(x *uint32, sums *int32, scales *byte, offsets *int, in *float32, quads, groups, half int, last uint32) {
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
					at := unsafe.Slice(offsets, 4*quads)[4*q+c]/32 + 2*g
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
