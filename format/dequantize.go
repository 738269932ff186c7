package format

import (
	"encoding/binary"
	"math"
)

// Dequantize decodes src, a whole number of blocks of type t, into dst, whose length must be the number of
// values in them. It fails with ErrUnsupported if there is no decoder for t, and with ErrFormat if the lengths do not
// fit; dst is then unchanged. It allocates nothing, and its results are the same bits on every machine (but for the
// payload of a NaN).
func Dequantize(dst []float32, src []byte, t Type) error {
	if err := t.Check(); err != nil {
		return err
	}
	if int64(t) >= int64(len(decoders)) || decoders[t] == nil {
		return unsupportedf("tensor type %v (%d) cannot be decoded", t, uint32(t))
	}
	blocks := len(dst) / t.BlockSize()
	if len(dst)%t.BlockSize() != 0 || len(src) != blocks*t.BlockBytes() {
		return formatf("%d bytes of %v for %d values, but a block is %d bytes for %d values",
			len(src), t, len(dst), t.BlockBytes(), t.BlockSize())
	}
	decoders[t](dst, src)
	return nil
}

// decoders holds a function for each type that can be decoded. Each is called with a whole number of blocks, and
// with a dst that fits them.
var decoders = [...]func(dst []float32, src []byte){
	F32:    decodeF32,
	F16:    decodeF16,
	Q4_0:   decodeQ4_0,
	Q4_1:   decodeQ4_1,
	Q5_0:   decodeQ5_0,
	Q5_1:   decodeQ5_1,
	Q8_0:   decodeQ8_0,
	Q2_K:   decodeQ2_K,
	Q3_K:   decodeQ3_K,
	Q4_K:   decodeQ4_K,
	Q5_K:   decodeQ5_K,
	Q6_K:   decodeQ6_K,
	IQ4_NL: decodeIQ4_NL,
	IQ4_XS: decodeIQ4_XS,
	I8:     decodeI8,
	I16:    decodeI16,
	I32:    decodeI32,
	I64:    decodeI64,
	F64:    decodeF64,
	BF16:   decodeBF16,
	TQ1_0:  decodeTQ1_0,
	TQ2_0:  decodeTQ2_0,
	MXFP4:  decodeMXFP4,
}

// The decoders below write every product that is added to or subtracted from something as float32(a*b): the
// conversion keeps the compiler from fusing the two operations on machines that could, which would round once
// instead of twice and give other bits there.

func decodeF32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func decodeF64(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
	}
}

func decodeF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = f16(src[2*i:])
	}
}

func decodeBF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
	}
}

func decodeI8(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(int8(src[i]))
	}
}

func decodeI16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(int16(binary.LittleEndian.Uint16(src[2*i:])))
	}
}

func decodeI32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(int32(binary.LittleEndian.Uint32(src[4*i:])))
	}
}

func decodeI64(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(int64(binary.LittleEndian.Uint64(src[8*i:])))
	}
}

// f16 decodes the IEEE 754 half-precision number at the front of b. It never multiplies subnormal numbers, which a C
// library in the same process may have told the processor to treat as zero.
func f16(b []byte) float32 {
	h := binary.LittleEndian.Uint16(b)
	sign, rest := uint32(h&0x8000)<<16, uint32(h&0x7fff)
	const minNormal, infinity = 0x0400, 0x7c00
	switch {
	case rest-minNormal < infinity-minNormal: // the exponent's bias is 15 here and 127 in float32
		return math.Float32frombits(sign | rest<<13 + (127-15)<<23)
	case rest < minNormal: // zero, or subnormal: a multiple of 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(rest)*0x1p-24))
	default: // infinity or NaN
		return math.Float32frombits(sign | 0xff<<23 | rest<<13)
	}
}

// Block of Q4_0: scale d (f16), 16 bytes qs. Value j is in the low half of qs[j], value 16+j in the high one.
// x = d * (q - 8)
func decodeQ4_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[18:] {
		d := f16(src)
		y, qs := (*[32]float32)(dst), (*[16]byte)(src[2:])
		for j, q := range qs {
			y[j] = d * float32(int(q&15)-8)
			y[j+16] = d * float32(int(q>>4)-8)
		}
	}
}

// Block of Q4_1: scale d and minimum m (f16), then as Q4_0.
// x = d * q + m
func decodeQ4_1(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[20:] {
		d, m := f16(src), f16(src[2:])
		y, qs := (*[32]float32)(dst), (*[16]byte)(src[4:])
		for j, q := range qs {
			y[j] = float32(d*float32(q&15)) + m
			y[j+16] = float32(d*float32(q>>4)) + m
		}
	}
}

// Block of Q5_0: scale d (f16), qh (uint32) with the fifth bit of value j in bit j, then 16 bytes as Q4_0.
// x = d * (q - 16)
func decodeQ5_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[22:] {
		d, qh := f16(src), binary.LittleEndian.Uint32(src[2:])
		y, qs := (*[32]float32)(dst), (*[16]byte)(src[6:])
		for j, q := range qs {
			y[j] = d * float32(int(q&15)|int(qh>>j&1<<4)-16)
			y[j+16] = d * float32(int(q>>4)|int(qh>>(j+16)&1<<4)-16)
		}
	}
}

// Block of Q5_1: scale d and minimum m (f16), then as Q5_0.
// x = d * q + m
func decodeQ5_1(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[24:] {
		d, m, qh := f16(src), f16(src[2:]), binary.LittleEndian.Uint32(src[4:])
		y, qs := (*[32]float32)(dst), (*[16]byte)(src[8:])
		for j, q := range qs {
			y[j] = float32(d*float32(uint32(q&15)|qh>>j&1<<4)) + m
			y[j+16] = float32(d*float32(uint32(q>>4)|qh>>(j+16)&1<<4)) + m
		}
	}
}

// Block of Q8_0: scale d (f16), 32 int8.
// x = d * q
func decodeQ8_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[34:] {
		d := f16(src)
		y, qs := (*[32]float32)(dst), (*[32]byte)(src[2:])
		for j, q := range qs {
			y[j] = d * float32(int8(q))
		}
	}
}

// The K types have blocks of 256 values in sub-blocks of 16 or 32, each with a small integer scale of its own. Their 2-bit
// and 3-bit quants lie in two halves of 128 values: byte l of a half's 32 holds values l, 32+l, 64+l and 96+l, from
// the low bits up.

// Block of Q2_K: 16 bytes with a 4-bit scale and a 4-bit minimum of each 16 values, 64 bytes of 2-bit quants, d and
// dmin (f16).
// x = d * scale * q - dmin * min
func decodeQ2_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[256:], src[84:] {
		scales := (*[16]byte)(src)
		d, dmin := f16(src[80:]), f16(src[82:])
		for i, s := range scales {
			dl, ml := d*float32(s&15), dmin*float32(s>>4)
			y, qs, shift := (*[16]float32)(dst[16*i:]), twoBits(src[16:], i), i%8/2*2
			for l, q := range qs {
				y[l] = float32(dl*float32(q>>shift&3)) - ml
			}
		}
	}
}

// twoBits returns the 16 bytes that hold sub-block i of 2-bit quants, in bits 2*(i%8/2) and up.
func twoBits(qs []byte, i int) *[16]byte { return (*[16]byte)(qs[i/8*32+i%2*16:]) }

// Block of Q3_K: 32 bytes with the third bit of the quants (bit k of byte l for value 32*k+l, set if the quant is not
// negative), 64 bytes of 2-bit quants, 12 bytes of 6-bit scales of each 16 values, d (f16).
// x = d * (scale - 32) * (q - 4)
func decodeQ3_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[256:], src[110:] {
		scales := (*[12]byte)(src[96:])
		d := f16(src[108:])
		for i := range 16 {
			// Low 4 bits: of scales 0-7 in the low halves of bytes 0-7, of scales 8-15 in the high ones. High 2
			// bits: of scales i, i+4, i+8 and i+12 in byte 8+i.
			sc := scales[i%8]>>(i/8*4)&15 | scales[8+i%4]>>(i/4*2)&3<<4
			dl := d * float32(int(sc)-32)
			y, qs, shift := (*[16]float32)(dst[16*i:]), twoBits(src[32:], i), i%8/2*2
			hs, bit := (*[16]byte)(src[i%2*16:]), i/2
			for l, q := range qs {
				y[l] = dl * float32(int(q>>shift&3|hs[l]>>bit&1<<2)-4)
			}
		}
	}
}

// scaleMin unpacks the 6-bit scale and minimum of sub-block i, of the eight of a Q4_K or Q5_K block.
func scaleMin(s *[12]byte, i int) (scale, min float32) {
	if i < 4 {
		return float32(s[i] & 63), float32(s[i+4] & 63)
	}
	return float32(s[i+4]&15 | s[i-4]>>6<<4), float32(s[i+4]>>4 | s[i]>>6<<4)
}

// Block of Q4_K: d and dmin (f16), 12 bytes of 6-bit scales and minima of each 32 values, 128 bytes of 4-bit quants. Each
// 32 bytes hold 64 values: the first 32 in the low halves, the next 32 in the high ones.
// x = d * scale * q - dmin * min
func decodeQ4_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[256:], src[144:] {
		d, dmin, scales := f16(src), f16(src[2:]), (*[12]byte)(src[4:])
		for i := range 8 {
			s, m := scaleMin(scales, i)
			dl, ml := d*s, dmin*m
			y, qs, shift := (*[32]float32)(dst[32*i:]), (*[32]byte)(src[16+i/2*32:]), i%2*4
			for l, q := range qs {
				y[l] = float32(dl*float32(q>>shift&15)) - ml
			}
		}
	}
}

// Block of Q5_K: as Q4_K, with 32 bytes of fifth bits before the quants: bit i of byte l for value 32*i+l.
func decodeQ5_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[256:], src[176:] {
		d, dmin, scales, hs := f16(src), f16(src[2:]), (*[12]byte)(src[4:]), (*[32]byte)(src[16:])
		for i := range 8 {
			s, m := scaleMin(scales, i)
			dl, ml := d*s, dmin*m
			y, qs, shift := (*[32]float32)(dst[32*i:]), (*[32]byte)(src[48+i/2*32:]), i%2*4
			for l, q := range qs {
				y[l] = float32(dl*float32(q>>shift&15|hs[l]>>i&1<<4)) - ml
			}
		}
	}
}

// Block of Q6_K: 128 bytes of low 4 bits, 64 bytes of high 2 bits, 16 int8 scales of each 16 values, d (f16). In each half of
// 128 values, 64 bytes hold the low bits of values 0-63 in their low halves and of values 64-127 in their high
// ones; the high bits lie as 2-bit quants do.
// x = d * scale * (q - 32)
func decodeQ6_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[256:], src[210:] {
		scales := (*[16]byte)(src[192:])
		d := f16(src[208:])
		for i, sc := range scales {
			dl := d * float32(int8(sc))
			y := (*[16]float32)(dst[16*i:])
			ls, lshift := (*[16]byte)(src[i/8*64+i%4*16:]), i%8/4*4
			hs, hshift := twoBits(src[128:], i), i%8/2*2
			for l, q := range ls {
				y[l] = dl * float32(int(q>>lshift&15|hs[l]>>hshift&3<<4)-32)
			}
		}
	}
}

// iq4Values are the values that the 4-bit quants of IQ4_NL and IQ4_XS stand for: closer together around zero.
var iq4Values = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// Block of IQ4_NL: as Q4_0, but the quants are indices into iq4Values.
// x = d * iq4Values[q]
func decodeIQ4_NL(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[18:] {
		lookup16((*[32]float32)(dst), f16(src), &iq4Values, (*[16]byte)(src[2:]))
	}
}

// Block of IQ4_XS: d (f16), the high 2 bits of eight 6-bit scales (uint16), their low 4 bits (4 bytes), and eight
// sub-blocks of 16 bytes as IQ4_NL's.
// x = d * (scale - 32) * iq4Values[q]
func decodeIQ4_XS(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[256:], src[136:] {
		d, high, low := f16(src), binary.LittleEndian.Uint16(src[2:]), (*[4]byte)(src[4:])
		for i := range 8 {
			sc := int(low[i/2]>>(i%2*4)&15) | int(high>>(2*i)&3<<4)
			lookup16((*[32]float32)(dst[32*i:]), d*float32(sc-32), &iq4Values, (*[16]byte)(src[8+16*i:]))
		}
	}
}

// mxfp4Values are twice the values of E2M1, which has 2 bits of exponent and one of fraction.
var mxfp4Values = [16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// Block of MXFP4: the scale as a power of two, 2^(e-127) (E8M0, one byte), 16 bytes laid out as Q4_0's quants.
// x = 2^(e-128) * mxfp4Values[q]
//
// The MX specification makes e = 255 a NaN; ggml reads it as any other power, and so do we.
func decodeMXFP4(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[17:] {
		lookup16((*[32]float32)(dst), halfE8M0(src[0]), &mxfp4Values, (*[16]byte)(src[1:]))
	}
}

// halfE8M0 returns 2^(e-128).
func halfE8M0(e byte) float32 {
	if e < 2 { // below the smallest normal float32, 2^-126
		return math.Float32frombits(1 << 21 << e)
	}
	return math.Float32frombits(uint32(e-1) << 23)
}

// lookup16 sets y[j] to d times the value of the low half of qs[j], and y[16+j] to that of the high one.
func lookup16(y *[32]float32, d float32, values *[16]float32, qs *[16]byte) {
	for j, q := range qs {
		y[j] = d * values[q&15]
		y[j+16] = d * values[q>>4]
	}
}

// Block of TQ1_0: ternary digits, five to a byte in 48 bytes and four to a byte in 4, then d (f16). The bytes form
// groups of 32, 16 and 4; digit n of byte l in a group is its value n*(bytes of the group)+l. A byte holds the digits
// as the fraction 0.abcde in base 3, times 256 and rounded up: multiplying by 3^n modulo 256 drops n digits, and the
// next one is what multiplying by 3 then carries out of the byte.
// x = d * (q - 1)
func decodeTQ1_0(dst []float32, src []byte) {
	for ; len(dst) > 0; src = src[54:] {
		d := f16(src[52:])
		dst = decodeTernary(dst, src[:32], 5, d)
		dst = decodeTernary(dst, src[32:48], 5, d)
		dst = decodeTernary(dst, src[48:52], 4, d)
	}
}

// decodeTernary decodes one group of a TQ1_0 block and returns what is left of dst.
func decodeTernary(dst []float32, group []byte, digits int, d float32) []float32 {
	power := byte(1)
	for range digits {
		for l, b := range group {
			dst[l] = d * float32(int(uint16(b*power)*3>>8)-1)
		}
		dst = dst[len(group):]
		power *= 3
	}
	return dst
}

// Block of TQ2_0: 64 bytes of 2-bit quants laid out as those of the K types, d (f16).
// x = d * (q - 1)
func decodeTQ2_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[256:], src[66:] {
		d := f16(src[64:])
		for i := range 16 {
			y, qs, shift := (*[16]float32)(dst[16*i:]), twoBits(src, i), i%8/2*2
			for l, q := range qs {
				y[l] = d * float32(int(q>>shift&3)-1)
			}
		}
	}
}
