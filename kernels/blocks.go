package kernels

import "math"

// The references for quantized weights: one function per type that multiplies
// one block of weights with the activations at the same place. The dot products
// are integers; each block is scaled once, in float32.

// A blockDot multiplies a block of weights w with the activations q, which have
// the scale d and the sums s, as [Acts] has them in the type's layout.
type blockDot func(w []byte, q []int8, d float32, s []int16) float32

// matvecRef is the reference of a quantized type: blocks are added in order.
func matvecRef(l Layout, blockBytes int, dot blockDot) quantMV {
	block, sums := l.Block(), l.Block()/l.SumBlock()
	return quantEach(func(y []float32, w []byte, q []int8, d []float32, s []int16) {
		for r := range y {
			var sum float32
			for b := range d {
				sum += dot(w[:blockBytes], q[b*block:][:block], d[b], s[b*sums:][:sums])
				w = w[blockBytes:]
			}
			y[r] = sum
		}
	})
}

// half reads a binary16 number.
func half(b []byte) float32 { return f16ToF32(u16(b)) }

// Types with 32 weights per block. A byte of 4-bit weights holds weight j in
// its low half and weight j+16 in its high half.

// Q4_0: scale, 16 bytes. Weight: scale * (nibble-8).
func dotQ4_0(w []byte, q []int8, d float32, _ []int16) float32 {
	var sum int32
	for j, b := range w[2:18] {
		sum += (int32(b&15)-8)*int32(q[j]) + (int32(b>>4)-8)*int32(q[j+16])
	}
	return half(w) * d * float32(sum)
}

// Q4_1: scale, minimum, 16 bytes. Weight: scale*nibble + minimum.
func dotQ4_1(w []byte, q []int8, d float32, s []int16) float32 {
	var sum int32
	for j, b := range w[4:20] {
		sum += int32(b&15)*int32(q[j]) + int32(b>>4)*int32(q[j+16])
	}
	return float32(half(w)*d*float32(sum)) + float32(half(w[2:])*f16ToF32(uint16(s[0])))
}

// Q5_0: scale, 32 fifth bits, 16 bytes. Weight: scale * (5 bits - 16).
func dotQ5_0(w []byte, q []int8, d float32, _ []int16) float32 {
	var sum int32
	high := u32(w[2:])
	for j, b := range w[6:22] {
		lo := int32(b&15) | int32(high>>j&1)<<4
		hi := int32(b>>4) | int32(high>>(j+16)&1)<<4
		sum += (lo-16)*int32(q[j]) + (hi-16)*int32(q[j+16])
	}
	return half(w) * d * float32(sum)
}

// Q5_1: scale, minimum, 32 fifth bits, 16 bytes. Weight: scale * 5 bits + minimum.
func dotQ5_1(w []byte, q []int8, d float32, s []int16) float32 {
	var sum int32
	high := u32(w[4:])
	for j, b := range w[8:24] {
		lo := int32(b&15) | int32(high>>j&1)<<4
		hi := int32(b>>4) | int32(high>>(j+16)&1)<<4
		sum += lo*int32(q[j]) + hi*int32(q[j+16])
	}
	return float32(half(w)*d*float32(sum)) + float32(half(w[2:])*f16ToF32(uint16(s[0])))
}

// Q8_0: scale, 32 signed bytes.
func dotQ8_0(w []byte, q []int8, d float32, _ []int16) float32 {
	var sum int32
	for j, b := range w[2:34] {
		sum += int32(int8(b)) * int32(q[j])
	}
	return half(w) * d * float32(sum)
}

// iq4Values are the 16 levels of IQ4_NL and IQ4_XS.
var iq4Values = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// fp4Values are the levels of MXFP4, E2M1 numbers, doubled so that they are integers.
var fp4Values = [16]int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// lookup is the dot product of 32 weights that are 4-bit indices of levels.
func lookup(levels *[16]int8, w []byte, q []int8) (sum int32) {
	for j, b := range w[:16] {
		sum += int32(levels[b&15])*int32(q[j]) + int32(levels[b>>4])*int32(q[j+16])
	}
	return sum
}

// IQ4_NL: scale, 16 bytes. Weight: scale * level.
func dotIQ4_NL(w []byte, q []int8, d float32, _ []int16) float32 {
	return half(w) * d * float32(lookup(&iq4Values, w[2:], q))
}

// MXFP4: E8M0 scale (a biased power of two), 16 bytes. Weight: scale/2 * doubled level.
func dotMXFP4(w []byte, q []int8, d float32, _ []int16) float32 {
	scale := float32(math.Ldexp(1, int(w[0])-128))
	return scale * d * float32(lookup(&fp4Values, w[1:], q))
}

// Types with 256 weights per block.

// scaleMin4 returns scale and minimum number j of 8, 6 bits each, of the 12
// bytes that Q4_K and Q5_K pack them in: the first four pairs lie in the low 6
// bits of bytes 0-3 (scales) and 4-7 (minimums); of the others bytes 8-11 have
// the low 4 bits and the top 2 bits of bytes 0-7 the rest.
func scaleMin4(w []byte, j int) (scale, minimum int32) {
	if j < 4 {
		return int32(w[j] & 63), int32(w[j+4] & 63)
	}
	return int32(w[j+4]&15 | w[j-4]>>6<<4), int32(w[j+4]>>4 | w[j]>>6<<4)
}

// Q4_K: scale, scale of the minimums, 12 bytes of scales and minimums of the 8
// groups of 32, 128 bytes. Weight: scale*group scale*nibble - group minimum.
// 32 bytes hold two groups, one in the low and one in the high halves.
func dotQ4_K(w []byte, q []int8, d float32, s []int16) float32 {
	var sum, mins int32
	for g := range 8 {
		scale, minimum := scaleMin4(w[4:16], g)
		var dot int32
		for j, b := range w[16+g/2*32:][:32] {
			dot += int32(b>>(g%2*4)&15) * int32(q[g*32+j])
		}
		sum += scale * dot
		mins += minimum * (int32(s[2*g]) + int32(s[2*g+1]))
	}
	return float32(half(w)*d*float32(sum)) - float32(half(w[2:])*d*float32(mins))
}

// Q5_K: as Q4_K, with 32 bytes of fifth bits (bit g of byte j belongs to weight
// j of group g) before the 128 bytes.
func dotQ5_K(w []byte, q []int8, d float32, s []int16) float32 {
	var sum, mins int32
	high := w[16:48]
	for g := range 8 {
		scale, minimum := scaleMin4(w[4:16], g)
		var dot int32
		for j, b := range w[48+g/2*32:][:32] {
			dot += int32(b>>(g%2*4)&15|high[j]>>g&1<<4) * int32(q[g*32+j])
		}
		sum += scale * dot
		mins += minimum * (int32(s[2*g]) + int32(s[2*g+1]))
	}
	return float32(half(w)*d*float32(sum)) - float32(half(w[2:])*d*float32(mins))
}

// Q6_K: 128 bytes of low halves, 64 bytes of upper 2 bits, 16 signed group
// scales, scale. Weight: scale * group scale * (6 bits - 32). Each half of the
// block has 64 + 32 bytes for four runs of 32 weights; the runs are the low
// halves of bytes 0-31 and 32-63, then the high halves.
func dotQ6_K(w []byte, q []int8, d float32, _ []int16) float32 {
	var sum int32
	for g := range 16 { // groups of 16 weights
		run := g / 2 % 4
		low := w[g/8*64+run%2*32+g%2*16:][:16]
		high := w[128+g/8*32+g%2*16:][:16]
		var dot int32
		for j := range 16 {
			v := int32(low[j]>>(run/2*4)&15 | high[j]>>(run*2)&3<<4)
			dot += (v - 32) * int32(q[g*16+j])
		}
		sum += int32(int8(w[192+g])) * dot
	}
	return half(w[208:]) * d * float32(sum)
}

// Q2_K: 16 group scales (low half) and minimums (high half), 64 bytes, scale,
// scale of the minimums. Weight: scale*group scale*2 bits - group minimum. Each
// half of the block has 32 bytes, whose bit pairs are four runs of 32 weights.
func dotQ2_K(w []byte, q []int8, d float32, s []int16) float32 {
	var sum, mins int32
	for g := range 16 { // groups of 16 weights
		var dot int32
		for j, b := range w[16+g/8*32+g%2*16:][:16] {
			dot += int32(b>>(g/2%4*2)&3) * int32(q[g*16+j])
		}
		sum += int32(w[g]&15) * dot
		mins += int32(w[g]>>4) * int32(s[g])
	}
	return float32(half(w[80:])*d*float32(sum)) - float32(half(w[82:])*d*float32(mins))
}

// Q3_K: 32 bytes of third bits (bit r of byte j belongs to weight j of run r),
// 64 bytes of lower 2 bits as in Q2_K, 12 bytes of 6-bit group scales, scale.
// Weight: scale * (group scale - 32) * (3 bits - 4).
func dotQ3_K(w []byte, q []int8, d float32, _ []int16) float32 {
	var sum int32
	scales := w[96:108]
	for g := range 16 { // groups of 16 weights
		high := w[g%2*16:][:16]
		var dot int32
		for j, b := range w[32+g/8*32+g%2*16:][:16] {
			v := int32(b>>(g/2%4*2)&3 | high[j]>>(g/2)&1<<2)
			dot += (v - 4) * int32(q[g*16+j])
		}
		// The low 4 bits of scale g are in bytes 0-7, the upper 2 in bytes 8-11.
		scale := scales[g%8]>>(g/8*4)&15 | scales[8+g%4]>>(g/4*2)&3<<4
		sum += (int32(scale) - 32) * dot
	}
	return half(w[108:]) * d * float32(sum)
}

// IQ4_XS: scale, 2 bytes with the upper 2 bits and 4 bytes with the low 4 bits
// of the 8 group scales, 128 bytes. Weight: scale * (group scale - 32) * level.
// Each group of 32 is packed as in IQ4_NL.
func dotIQ4_XS(w []byte, q []int8, d float32, _ []int16) float32 {
	var sum int32
	high := u16(w[2:])
	for g := range 8 {
		scale := int32(w[4+g/2]>>(g%2*4)&15) | int32(high>>(2*g)&3)<<4
		sum += (scale - 32) * lookup(&iq4Values, w[8+g*16:], q[g*32:])
	}
	return half(w) * d * float32(sum)
}

// pow3 are the powers of three that move digit l of a TQ1_0 byte to the front.
var pow3 = [5]uint8{1, 3, 9, 27, 81}

// trits is the dot product of the base-3 digits of w, each less one, with q. A
// byte is a fraction of 256 in base 3: digit l of byte j is weight l*len(w)+j.
func trits(w []byte, digits int, q []int8) (sum int32) {
	for l := range digits {
		for j, b := range w {
			digit := int32(uint16(b*pow3[l]) * 3 >> 8) // the product wraps: earlier digits drop out
			sum += (digit - 1) * int32(q[l*len(w)+j])
		}
	}
	return sum
}

// TQ1_0: 32 and 16 bytes of five weights each, 4 bytes of four, scale. Weight:
// scale * (digit-1).
func dotTQ1_0(w []byte, q []int8, d float32, _ []int16) float32 {
	sum := trits(w[:32], 5, q) + trits(w[32:48], 5, q[160:]) + trits(w[48:52], 4, q[240:])
	return half(w[52:]) * d * float32(sum)
}

// TQ2_0: 64 bytes, scale. Weight: scale * (2 bits - 1). Each half of the block
// has 32 bytes, whose bit pairs are four runs of 32 weights.
func dotTQ2_0(w []byte, q []int8, d float32, _ []int16) float32 {
	var sum int32
	for run := range 8 {
		for j, b := range w[run/4*32:][:32] {
			sum += (int32(b>>(run%4*2)&3) - 1) * int32(q[run*32+j])
		}
	}
	return half(w[64:]) * d * float32(sum)
}
