package quant

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/kernels"
)

// rowTypes are the types that Rows writes; levels is what a block's values reach on the negative side, 0 for plain types.
var rowTypes = map[format.Type]struct{ levels float32 }{
	format.F32: {}, format.F16: {}, format.Q4_0: {8}, format.Q5_0: {16}, format.Q8_0: {127},
}

// CanRows reports whether [Rows] writes the type.
func CanRows(t format.Type) bool {
	_, ok := rowTypes[t]
	return ok
}

// Rows encodes w, whole blocks of ggml's type t, into dst: F32, F16, Q4_0, Q5_0 or Q8_0. Scales of the quantized types are
// searched so that the squared error is small. Values beyond those of F16 are an error where they matter, as are those that
// are not finite.
func Rows(dst []byte, w []float32, t format.Type) error {
	row, ok := rowTypes[t]
	if !ok {
		return fmt.Errorf("quant: no rows of type %v are written", t)
	}
	n, size := t.BlockSize(), t.BlockBytes()
	if len(w)%n != 0 || len(dst) != len(w)/n*size {
		return fmt.Errorf("quant: %d values of %v do not fit into %d bytes", len(w), t, len(dst))
	}
	var block rowBlock
	for i := 0; i < len(w); i += n {
		x, out := w[i:i+n], dst[i/n*size:][:size]
		for _, v := range x {
			if v-v != 0 || (t != format.F32 && max(v, -v) >= 65520) {
				return fmt.Errorf("quant: value %v is beyond %v", v, t)
			}
		}
		switch t {
		case format.F32:
			binary.LittleEndian.PutUint32(out, math.Float32bits(x[0]))
		case format.F16:
			binary.LittleEndian.PutUint16(out, half(x[0]))
		case format.Q8_0:
			block.search(x, -row.levels, row.levels)
			binary.LittleEndian.PutUint16(out, block.scale)
			for j, q := range block.q {
				out[2+j] = byte(int8(q))
			}
		case format.Q4_0:
			block.search(x, -row.levels, row.levels-1)
			binary.LittleEndian.PutUint16(out, block.scale)
			for j := range 16 {
				out[2+j] = byte(block.q[j]+8) | byte(block.q[j+16]+8)<<4
			}
		case format.Q5_0:
			block.search(x, -row.levels, row.levels-1)
			binary.LittleEndian.PutUint16(out, block.scale)
			var high uint32
			for j := range 16 {
				lo, hi := uint32(block.q[j]+16), uint32(block.q[j+16]+16)
				out[6+j] = byte(lo&15 | hi&15<<4)
				high |= lo>>4<<j | hi>>4<<(j+16)
			}
			binary.LittleEndian.PutUint32(out[2:], high)
		}
	}
	return nil
}

// rowBlock is a block of 32 values as integers with a scale.
type rowBlock struct {
	scale uint16
	q     [32]int32
}

// rowTries are the scales that are tried, as the factor by which the largest value goes beyond the end of the range.
var rowTries = [...]float32{1, 0.9, 0.95, 1.05, 1.1, 1.15}

// search finds the scale and the integers of low to high whose squared error is small.
func (b *rowBlock) search(x []float32, low, high float32) {
	var most float32 // by magnitude, with its sign
	for _, v := range x {
		if max(v, -v) > max(most, -most) {
			most = v
		}
	}
	b.scale, b.q = 0, [32]int32{}
	if most == 0 {
		return
	}
	tries := rowTries[:]
	if low == -127 {
		tries = tries[:1]
	}
	best := float32(0) // how much of the squares' sum is explained
	for _, f := range tries {
		d := most / (low * f)
		for range 2 {
			scale := half(d)
			if d = kernels.HalfValue(scale); d == 0 || d-d != 0 {
				break
			}
			inv, xq, qq := 1/d, float32(0), float32(0)
			for _, v := range x {
				q := min(max(nearest(v*inv), low), high)
				xq += v * q
				qq += q * q
			}
			if explained := d * (2*xq - d*qq); explained > best {
				best, b.scale = explained, scale
			}
			d = xq / qq // not a number if all are 0, which ends the loop
		}
	}
	if d := kernels.HalfValue(b.scale); d != 0 {
		for i, v := range x {
			b.q[i] = int32(min(max(nearest(v/d), low), high))
		}
	}
}

// half returns the nearest binary16, at most the largest finite one.
func half(d float32) uint16 { return kernels.Half(min(max(d, -maxScale), maxScale)) }

// nearest rounds to the nearest integer. What is far beyond the integers of a float32 only stays large.
func nearest(x float32) float32 {
	const magic = 3 << 22 // a float32 of this size has no fraction
	return min(max(x, -1<<21), 1<<21) + magic - magic
}
