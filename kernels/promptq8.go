//go:build amd64 || arm64

package kernels

import (
	"encoding/binary"
	"math"
)

// Weights as whole numbers, for products with 8-bit activations. Every
// quantized type is unpacked to the same form, a row at a time. The types that
// matter most have assembly for it (see promptq8_unpack_*.s), the others take
// eight weights in one operation on 64 bits where the format allows it.

// A q8Row is where weights of one row go: weight j is
//
//	d[j/block] * scale[j/group] * q[j] + min[j/group]
//
// with the block of the type and the group of its q8Type.
type q8Row struct {
	q     []byte    // of signed numbers
	d     []float32 // of each block
	scale []int16   // of each group; types with 32 weights per block have none
	min   []float32 // of each group; set if the type has minimums
}

// A q8Type says how weights of a type are unpacked: by unpack, or straight into a
// panel by the assembly that rowPutters has for the type.
type q8Type struct {
	unpack func(r q8Row, w []byte) // whole blocks, as many as r.d
	group  int                     // weights that share scale and minimum
	mins   bool
	// The numbers are within 8 bits. Those of all other types are so small
	// that sums of a group with 8-bit activations, two of each four products,
	// stay within 16 bits: ±16 in groups of 32, ±32 in groups of 16.
	wide bool
}

var q8Types = map[string]q8Type{
	"Q4_0":   {unpack: unpackQ4_0, group: 32},
	"Q4_1":   {unpack: unpackQ4_1, group: 32, mins: true},
	"Q5_0":   {unpack: unpackQ5_0, group: 32},
	"Q5_1":   {unpack: unpackQ5_1, group: 32, mins: true},
	"Q8_0":   {unpack: unpackQ8_0, group: 32, wide: true},
	"IQ4_NL": {unpack: unpackIQ4_NL, group: 32, wide: true},
	"MXFP4":  {unpack: unpackMXFP4, group: 32},
	"Q2_K":   {unpack: unpackQ2_K, group: 16, mins: true},
	"Q3_K":   {unpack: unpackQ3_K, group: 16},
	"Q4_K":   {unpack: unpackQ4_K, group: 32, mins: true},
	"Q5_K":   {unpack: unpackQ5_K, group: 32, mins: true},
	"Q6_K":   {unpack: unpackQ6_K, group: 16},
	"IQ4_XS": {unpack: unpackIQ4_XS, group: 32, wide: true},
	"TQ1_0":  {unpack: unpackTQ1_0, group: 32},
	"TQ2_0":  {unpack: unpackTQ2_0, group: 32},
}

// Eight bytes at once.
const (
	bytes01 = 0x0101010101010101
	bytes80 = 0x80 * bytes01
)

// less takes c from each byte of x. The bytes are below 128, c is at most 128.
func less(x uint64, c uint64) uint64 { return ((x | bytes80) - c*bytes01) ^ bytes80 }

func u64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

func putU64(b []byte, x uint64) { binary.LittleEndian.PutUint64(b, x) }

// unpackNibbles writes the low halves of the 16 bytes of w, then the high ones,
// each with a fifth bit, less c.
func unpackNibbles(q, w []byte, fifth uint32, c uint64) {
	const mask = 15 * bytes01
	_, _ = q[31], w[15]
	a, b := u64(w), u64(w[8:])
	putU64(q, less(a&mask|spread(fifth), c))
	putU64(q[8:], less(b&mask|spread(fifth>>8), c))
	putU64(q[16:], less(a>>4&mask|spread(fifth>>16), c))
	putU64(q[24:], less(b>>4&mask|spread(fifth>>24), c))
}

// spread puts each of the low 8 bits of x into bit 4 of a byte.
func spread(x uint32) uint64 { return fifthBits[uint8(x)] }

var fifthBits = func() (t [256]uint64) {
	for i := range t {
		for b := range 8 {
			t[i] |= uint64(i>>b&1) << (8*b + 4)
		}
	}
	return t
}()

func unpackQ4_0(r q8Row, w []byte) {
	for b := range r.d {
		w, q := w[b*18:][:18], r.q[b*32:][:32]
		r.d[b] = half(w)
		unpackNibbles(q, w[2:], 0, 8)
	}
}

func unpackQ8_0(r q8Row, w []byte) {
	for b := range r.d {
		w := w[b*34:][:34]
		r.d[b] = half(w)
		copy(r.q[b*32:][:32], w[2:])
	}
}

func unpackQ4_1(r q8Row, w []byte) {
	for b := range r.d {
		w := w[b*20:][:20]
		r.d[b], r.min[b] = half(w), half(w[2:])
		unpackNibbles(r.q[b*32:][:32], w[4:], 0, 0)
	}
}

func unpackQ5_0(r q8Row, w []byte) {
	for b := range r.d {
		w := w[b*22:][:22]
		r.d[b] = half(w)
		unpackNibbles(r.q[b*32:][:32], w[6:], u32(w[2:]), 16)
	}
}

func unpackQ5_1(r q8Row, w []byte) {
	for b := range r.d {
		w := w[b*24:][:24]
		d := half(w)
		r.d[b], r.min[b] = d, half(w[2:])+16*d
		unpackNibbles(r.q[b*32:][:32], w[8:], u32(w[4:]), 16)
	}
}

// unpackLevels writes 32 weights that are 4-bit indices of levels.
func unpackLevels(q, w []byte, levels *[16]int8) { levelsQ8(q[:32], w[:16], levels) }

func unpackIQ4_NL(r q8Row, w []byte) {
	for b := range r.d {
		w := w[b*18:][:18]
		r.d[b] = half(w)
		unpackLevels(r.q[b*32:], w[2:], &iq4Values)
	}
}

func unpackMXFP4(r q8Row, w []byte) {
	for b := range r.d {
		w := w[b*17:][:17]
		r.d[b] = float32(math.Ldexp(1, int(w[0])-128))
		unpackLevels(r.q[b*32:], w[1:], &fp4Values)
	}
}

func unpackQ2_K(r q8Row, w []byte) {
	for b := range r.d {
		w := w[b*84:][:84]
		d, dmin := half(w[80:]), half(w[82:])
		r.d[b] = d
		for g, s := range w[:16] {
			r.scale[b*16+g], r.min[b*16+g] = int16(s&15), -dmin*float32(s>>4)
		}
		unpackTwos(r.q[b*256:], w[16:80], nil, 0)
	}
}

// unpackTwos writes 256 numbers of two bits, with a third bit if there are any,
// less c. Each 32 bytes hold four runs of 32 weights; bit r of byte j of the
// third bits belongs to weight j of run r of 8.
func unpackTwos(q, w, third []byte, c uint64) {
	for i := 0; i < 64; i += 8 {
		x, h := u64(w[i:]), uint64(0)
		if third != nil {
			h = u64(third[i%32:]) >> (i / 32 * 4)
		}
		for run := range 4 {
			putU64(q[i/32*128+run*32+i%32:], less(x>>(2*run)&(3*bytes01)|h>>run&bytes01<<2, c))
		}
	}
}

func unpackQ3_K(r q8Row, w []byte) {
	for b := range r.d {
		w := w[b*110:][:110]
		scales := w[96:108]
		r.d[b] = half(w[108:])
		for g := range 16 { // see dotQ3_K
			scale := scales[g%8]>>(g/8*4)&15 | scales[8+g%4]>>(g/4*2)&3<<4
			r.scale[b*16+g] = int16(scale) - 32
		}
		unpackTwos(r.q[b*256:], w[32:96], w[:32], 4)
	}
}

func unpackQ4_K(r q8Row, w []byte) {
	const mask = 15 * bytes01
	for b := range r.d {
		w, q := w[b*144:][:144], r.q[b*256:][:256]
		unpackScales4(r, b, w, 0)
		for j := 0; j < 128; j += 8 {
			x, to := u64(w[16+j:]), q[j/32*64+j%32:]
			putU64(to, x&mask)
			putU64(to[32:], x>>4&mask)
		}
	}
}

func unpackQ5_K(r q8Row, w []byte) {
	const mask = 15 * bytes01
	for b := range r.d {
		w, q := w[b*176:][:176], r.q[b*256:][:256]
		unpackScales4(r, b, w, 16)
		for j := 0; j < 128; j += 8 {
			x, h, to := u64(w[48+j:]), u64(w[16+j%32:])>>(j/32*2), q[j/32*64+j%32:]
			putU64(to, less(x&mask|h&bytes01<<4, 16))
			putU64(to[32:], less(x>>4&mask|h>>1&bytes01<<4, 16))
		}
	}
}

// unpackScales4 unpacks the scales of a block of Q4_K or Q5_K. The numbers are
// offset less than those of the type, which the minimums make up for.
func unpackScales4(r q8Row, b int, w []byte, offset float32) {
	d, dmin := half(w), half(w[2:])
	r.d[b] = d
	for g := range 8 {
		scale, minimum := scaleMin4(w[4:16], g)
		r.scale[b*8+g], r.min[b*8+g] = int16(scale), float32(offset*d*float32(scale))-dmin*float32(minimum)
	}
}

func unpackQ6_K(r q8Row, w []byte) {
	const mask = 15 * bytes01
	for b := range r.d {
		w, q := w[b*210:][:210], r.q[b*256:][:256]
		r.d[b] = half(w[208:])
		for g, s := range w[192:208] {
			r.scale[b*16+g] = int16(int8(s))
		}
		for j := 0; j < 64; j += 8 { // see dotQ6_K
			at := j/32*64 + j%32
			low, low32, high, to := u64(w[at:]), u64(w[at+32:]), u64(w[128+j:]), q[j/32*128+j%32:]
			putU64(to, less(low&mask|high<<4&(0x30*bytes01), 32))
			putU64(to[32:], less(low32&mask|high<<2&(0x30*bytes01), 32))
			putU64(to[64:], less(low>>4&mask|high&(0x30*bytes01), 32))
			putU64(to[96:], less(low32>>4&mask|high>>2&(0x30*bytes01), 32))
		}
	}
}

func unpackIQ4_XS(r q8Row, w []byte) {
	for b := range r.d {
		w := w[b*136:][:136]
		high := u16(w[2:])
		r.d[b] = half(w)
		for g := range 8 {
			scale := int16(w[4+g/2]>>(g%2*4)&15) | int16(high>>(2*g)&3)<<4
			r.scale[b*8+g] = scale - 32
			unpackLevels(r.q[b*256+g*32:], w[8+g*16:], &iq4Values)
		}
	}
}

func unpackTQ1_0(r q8Row, w []byte) {
	for b := range r.d {
		w, q := w[b*54:][:54], r.q[b*256:][:256]
		r.d[b] = half(w[52:])
		for g := range 8 {
			r.scale[b*8+g] = 1
		}
		for _, part := range [3]struct{ at, size, digits int }{{0, 32, 5}, {32, 16, 5}, {48, 4, 4}} {
			for l := range part.digits {
				for j, v := range w[part.at:][:part.size] {
					q[j] = byte(uint16(v*pow3[l])*3>>8) - 1 // see trits
				}
				q = q[part.size:]
			}
		}
	}
}

func unpackTQ2_0(r q8Row, w []byte) {
	for b := range r.d {
		w := w[b*66:][:66]
		r.d[b] = half(w[64:])
		for g := range 8 {
			r.scale[b*8+g] = 1
		}
		unpackTwos(r.q[b*256:], w[:64], nil, 1)
	}
}
