package testmodel

import (
	"encoding/binary"
	"math"

	"github.com/cortexsdr/cortex/format"
)

// rng is splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). Every row of a
// tensor starts its own, so that a row depends only on the seed, the tensor's name and the row's number.
type rng uint64

func (r *rng) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	return mix64(uint64(*r))
}

func mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// read fills b with random bytes.
func (r *rng) read(b []byte) {
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, r.next())
		b = b[8:]
	}
	for x := r.next(); len(b) > 0; b = b[1:] {
		b[0] = byte(x)
		x >>= 8
	}
}

// intn returns a number from 0 to n-1; n must be far below 2^32.
func (r *rng) intn(n int) int { return int(r.next() >> 32 * uint64(n) >> 32) }

// normals are random numbers that are nearly normal, sums of 8 uniform ones, with a mean of exactly 0 and a
// mean square of 1. They are made with integers and one square root, so that they are the same everywhere.
var normals = func() (z [4096]float32) {
	var sums [len(z)]int64
	var squares int64
	r := rng(0)
	for i := 0; i < len(z); i += 2 {
		var sum int64
		for range 8 {
			sum += int64(r.next()>>48) - 1<<15
		}
		sums[i], sums[i+1] = sum, -sum
		squares += 2 * (sum * sum)
	}
	rms := math.Sqrt(float64(squares) / float64(len(z)))
	for i, sum := range sums {
		z[i] = float32(float64(sum) / rms)
	}
	return z
}()

// normal returns a number drawn from normals, with the low half of its mantissa changed at random so that values
// have all the digits that their type can hold. It uses 32 bits of x.
func normal(x uint64) float32 {
	z := normals[x%uint64(len(normals))]
	return math.Float32frombits(math.Float32bits(z) ^ uint32(x)>>20)
}

// scales are what the blocks of a row draw from.
type scales struct {
	mean, std float32     // of float types
	d, m      [256]uint16 // block scales and minima, in the type's own encoding
}

// coder makes rows of one tensor type.
type coder struct {
	fill func(row []byte, s *scales, r *rng)

	// unit is the root mean square of the decoded values when block scales are 1 on average: the
	// deviation of random quants, which the tests check against the decoder.
	unit float64

	// min is the mean block minimum, in block scales, that makes the values' mean 0. Types without a
	// minimum whose quants have another mean than 0 get scales of either sign instead.
	min    float64
	signed bool

	fileType uint32 // llama.cpp's number of a file in this type, for general.file_type
}

// coders has every type that a generated file can hold.
var coders = map[format.Type]coder{
	format.F32:    {fill: fillF32, fileType: 0},
	format.F16:    {fill: fillF16, fileType: 1},
	format.BF16:   {fill: fillBF16, fileType: 32},
	format.Q4_0:   {fill: blocks(18, scaleAt(0)), unit: 4.68, signed: true, fileType: 2},
	format.Q4_1:   {fill: blocks(20, scaleMinAt(0)), unit: 4.66, min: -7.5, fileType: 3},
	format.Q5_0:   {fill: blocks(22, scaleAt(0)), unit: 9.34, signed: true, fileType: 8},
	format.Q5_1:   {fill: blocks(24, scaleMinAt(0)), unit: 9.33, min: -15.5, fileType: 9},
	format.Q8_0:   {fill: blocks(34, patchQ8_0), unit: 74.8, fileType: 7},
	format.Q2_K:   {fill: blocks(84, patchQ2_K), unit: 10.6, min: 1.42, fileType: 10},
	format.Q3_K:   {fill: blocks(110, scaleAt(108)), unit: 43.5, signed: true, fileType: 11},
	format.Q4_K:   {fill: blocks(144, patchQ4_K), unit: 151.4, min: 7.62, fileType: 14},
	format.Q5_K:   {fill: blocks(176, patchQ4_K), unit: 302.7, min: 15.75, fileType: 16},
	format.Q6_K:   {fill: blocks(210, scaleAt(208)), unit: 1373, signed: true, fileType: 18},
	format.IQ4_NL: {fill: blocks(18, scaleAt(0)), unit: 68.1, signed: true, fileType: 25},
	format.IQ4_XS: {fill: blocks(136, scaleAt(0)), unit: 1255, signed: true, fileType: 30},
	format.MXFP4:  {fill: blocks(17, patchMXFP4), unit: 5.85, fileType: 38},
	format.TQ1_0:  {fill: blocks(54, patchTQ1_0), unit: 0.825, fileType: 36},
	format.TQ2_0:  {fill: blocks(66, patchTQ2_0), unit: 0.825, fileType: 37},
}

// newScales returns what rows of type t need for decoded values of the given mean and standard deviation. Only
// F32 can have a mean other than 0.
func newScales(t format.Type, mean, std float64) *scales {
	s := &scales{mean: float32(mean), std: float32(std)}
	c := coders[t]
	if c.unit == 0 {
		return s
	}
	d := std / c.unit
	if t == format.MXFP4 {
		s.powersOfTwo(d)
		return s
	}
	// Blocks differ: their scales are spread over ±25 %.
	for i := range s.d {
		spread := 0.75 + 0.5*float64(i)/255
		s.d[i] = toFloat16(float32(d * spread))
		s.m[i] = toFloat16(float32(d * c.min * spread))
		if c.signed && i%2 == 1 {
			s.d[i] |= 0x8000
		}
	}
	return s
}

// powersOfTwo sets the block scales of MXFP4, which are powers of two: the one below d and the one above it, so
// often each that the root mean square is d. An exponent e stands for 2^(e-128), as MXFP4 values are doubled in
// memory to be integers.
func (s *scales) powersOfTwo(d float64) {
	frac, exp := math.Frexp(d) // d = frac * 2^exp, and 0.5 <= frac < 1
	above := int(math.Round((4*frac*frac - 1) / 3 * 256))
	for i := range s.d {
		s.d[i] = uint16(exp - 1 + 128)
		if i < above {
			s.d[i]++
		}
	}
}

func fillF32(row []byte, s *scales, r *rng) {
	for ; len(row) >= 8; row = row[8:] {
		x := r.next()
		binary.LittleEndian.PutUint32(row, math.Float32bits(s.value(x)))
		binary.LittleEndian.PutUint32(row[4:], math.Float32bits(s.value(x>>32)))
	}
	if len(row) > 0 {
		binary.LittleEndian.PutUint32(row, math.Float32bits(s.value(r.next())))
	}
}

func fillF16(row []byte, s *scales, r *rng) {
	for ; len(row) >= 4; row = row[4:] {
		x := r.next()
		binary.LittleEndian.PutUint32(row, uint32(toFloat16(s.value(x)))|uint32(toFloat16(s.value(x>>32)))<<16)
	}
	if len(row) > 0 {
		binary.LittleEndian.PutUint16(row, toFloat16(s.value(r.next())))
	}
}

func fillBF16(row []byte, s *scales, r *rng) {
	for ; len(row) >= 4; row = row[4:] {
		x := r.next()
		binary.LittleEndian.PutUint32(row, uint32(toBFloat16(s.value(x)))|uint32(toBFloat16(s.value(x>>32)))<<16)
	}
	if len(row) > 0 {
		binary.LittleEndian.PutUint16(row, toBFloat16(s.value(r.next())))
	}
}

// value returns a value of a float type. The conversion keeps compilers from fusing the product with the sum,
// which would change the result on some machines.
func (s *scales) value(x uint64) float32 { return s.mean + float32(s.std*normal(x)) }

// toFloat16 returns the nearest half-precision number, ties to even. |x| must be below 65520.
func toFloat16(x float32) uint16 {
	b := math.Float32bits(x)
	sign := uint16(b >> 16 & 0x8000)
	b &^= 1 << 31
	if b < 0x38800000 { // below 2^-14: subnormal, in steps of 2^-24, which are the steps of floats from 0.5 to 1
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-0x3f000000)
	}
	b += 0xfff + b>>13&1
	return sign | uint16((b-0x38000000)>>13)
}

// toBFloat16 returns the nearest bfloat16 number, ties to even.
func toBFloat16(x float32) uint16 {
	b := math.Float32bits(x)
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// blocks makes a row of random bytes and has patch set what is not random in each block of the given size.
// The last argument of patch is random.
func blocks(size int, patch func(block []byte, s *scales, x uint64)) func([]byte, *scales, *rng) {
	return func(row []byte, s *scales, r *rng) {
		r.read(row)
		for ; len(row) > 0; row = row[size:] {
			patch(row[:size:size], s, r.next())
		}
	}
}

// scaleAt is for blocks whose only rule is a scale at byte i.
func scaleAt(i int) func([]byte, *scales, uint64) {
	return func(b []byte, s *scales, x uint64) {
		binary.LittleEndian.PutUint16(b[i:], s.d[byte(x)])
	}
}

// scaleMinAt is for blocks with a scale at byte i and a minimum after it, which is within a few percent of what takes
// out the mean of the quants: were it free, all values of a block would lean to one side.
func scaleMinAt(i int) func([]byte, *scales, uint64) {
	return func(b []byte, s *scales, x uint64) {
		binary.LittleEndian.PutUint16(b[i:], s.d[byte(x)])
		binary.LittleEndian.PutUint16(b[i+2:], s.m[byte(x)^byte(x>>8)&15])
	}
}

// patchQ8_0 sets the scale and keeps quants in -127..127, as quantizers do.
func patchQ8_0(b []byte, s *scales, x uint64) {
	binary.LittleEndian.PutUint16(b, s.d[byte(x)])
	for q := b[2:]; len(q) > 0; q = q[8:] {
		w := binary.LittleEndian.Uint64(q)
		const high = lanes * 0x80
		// A byte of v is 0 where q is -128. The test may take a 1 above a 0 for a 0 as well, and then the quant
		// -127 becomes -126: no harm.
		v := w ^ high
		binary.LittleEndian.PutUint64(q, w+(v-lanes)&^v&high>>7)
	}
}

// patchQ2_K sets the scales and minima of the 16 sub-blocks. The scale is in the low 4 bits of a byte, a number from 4
// to 14, the minimum in the high 4. It is the scale or 1 more, so that it takes out the mean of the quants.
func patchQ2_K(b []byte, s *scales, x uint64) {
	for i := 0; i < 16; i += 8 {
		r := binary.LittleEndian.Uint64(b[i:])
		sc := lanes*4 + r&(lanes*7) + r>>3&(lanes*3)
		m := sc + r>>5&lanes
		binary.LittleEndian.PutUint64(b[i:], sc|m<<4)
	}
	scaleMinAt(80)(b, s, x)
}

// lanes times a byte is a word of that byte.
const lanes = 0x0101010101010101

// patchQ4_K sets the scales and minima of the 8 sub-blocks of Q4_K and Q5_K. They have 6 bits: the scales are from 8
// to 53, the minima at most 4 less or 3 more. Those of the first four sub-blocks are in the low bits of bytes
// 4-7 and 8-11; of the last four, the low 4 bits are in bytes 12-15 and the upper 2 on top of the first ones.
func patchQ4_K(b []byte, s *scales, x uint64) {
	scaleMinAt(0)(b, s, x)
	r := binary.LittleEndian.Uint64(b[4:])
	sc := lanes*8 + r&(lanes*31) + r>>5&(lanes*7)<<1
	r = uint64(binary.LittleEndian.Uint32(b[12:])) | x>>16<<32
	m := sc - lanes*4 + r&(lanes*7)
	upper := func(v uint64) uint32 { return uint32(v>>32) & 0x30303030 << 2 }
	lower := func(v uint64) uint32 { return uint32(v>>32) & 0x0f0f0f0f }
	binary.LittleEndian.PutUint32(b[4:], uint32(sc)|upper(sc))
	binary.LittleEndian.PutUint32(b[8:], uint32(m)|upper(m))
	binary.LittleEndian.PutUint32(b[12:], lower(sc)|lower(m)<<4)
}

func patchMXFP4(b []byte, s *scales, x uint64) { b[0] = byte(s.d[byte(x)]) }

// ternary turns a random byte into one that holds ternary digits, in the packings of TQ1_0 (5 digits, or 4 in its
// last bytes: the number's base-3 fraction in 256ths, rounded up) and TQ2_0 (4 digits of 2 bits).
var ternary = func() (t struct{ five, four, pairs [256]byte }) {
	for i := range 256 {
		t.five[i] = byte((i*243/256*256 + 242) / 243)
		n := i * 81 / 256
		t.four[i] = byte((n*3*256 + 242) / 243)
		for k := 0; k < 8; k += 2 {
			t.pairs[i] |= byte(n % 3 << k)
			n /= 3
		}
	}
	return t
}()

func patchTQ1_0(b []byte, s *scales, x uint64) {
	for i, q := range b[:48] {
		b[i] = ternary.five[q]
	}
	for i, q := range b[48:52] {
		b[48+i] = ternary.four[q]
	}
	binary.LittleEndian.PutUint16(b[52:], s.d[byte(x)])
}

func patchTQ2_0(b []byte, s *scales, x uint64) {
	for i, q := range b[:64] {
		b[i] = ternary.pairs[q]
	}
	binary.LittleEndian.PutUint16(b[64:], s.d[byte(x)])
}
