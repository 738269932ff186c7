package kernels

import "math"

// f16ToF32 returns the value of an IEEE 754 binary16 number. Exact.
func f16ToF32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	switch e := h & 0x7c00; e {
	case 0: // zero and subnormal: a whole number of 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(h&0x3ff)*0x1p-24))
	case 0x7c00: // infinity and NaN, which becomes quiet
		b := sign | 0x7f800000 | uint32(h&0x3ff)<<13
		if h&0x3ff != 0 {
			b |= 0x400000
		}
		return math.Float32frombits(b)
	default: // the exponent's bias grows from 15 to 127
		return math.Float32frombits(sign | (uint32(h&0x7fff)<<13 + 112<<23))
	}
}

// f32ToF16 rounds to the nearest binary16 number, ties to even, as the F16C and
// FCVTN instructions do.
func f32ToF16(f float32) uint16 {
	b := math.Float32bits(f)
	sign, abs := uint16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case abs > 0x7f800000: // NaN: quiet, with the upper bits of its payload
		return sign | 0x7e00 | uint16(abs>>13)&0x3ff
	case abs >= 0x477ff000: // 65520 and above round to infinity
		return sign | 0x7c00
	case abs < 0x38800000: // below 2^-14: adding 0.5, whose last place is 2^-24, rounds
		return sign | uint16(math.Float32bits(math.Float32frombits(abs)+0.5)-0x3f000000)
	default: // half of the last place, less one if the kept part is even
		return sign | uint16((abs-112<<23+0xfff+abs>>13&1)>>13)
	}
}

// bf16ToF32 returns the value of a bfloat16 number, the upper half of a float32.
func bf16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// f32ToBF16 rounds to the nearest bfloat16 number, ties to even. A NaN stays one.
func f32ToBF16(f float32) uint16 {
	b := math.Float32bits(f)
	if f != f {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

func u16(b []byte) uint16 { return uint16(b[0]) | uint16(b[1])<<8 }

func u32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// Half returns the binary16 number nearest to f, ties to even.
func Half(f float32) uint16 { return f32ToF16(f) }

// HalfValue returns the value of a binary16 number.
func HalfValue(h uint16) float32 { return f16ToF32(h) }
