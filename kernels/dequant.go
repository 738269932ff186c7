package kernels

import "math"

// The references that turn weights into numbers: one function per type that
// writes the values of one block.

// A dequantizer writes the len(dst) weights of one block w.
type dequantizer func(dst []float32, w []byte)

// dequantizers has the same types as products.
var dequantizers = map[string]dequantizer{
	"F32":    dequantF32,
	"F16":    dequantF16,
	"BF16":   dequantBF16,
	"Q4_0":   dequantQ4_0,
	"Q4_1":   dequantQ4_1,
	"Q5_0":   dequantQ5_0,
	"Q5_1":   dequantQ5_1,
	"Q8_0":   dequantQ8_0,
	"IQ4_NL": dequantIQ4_NL,
	"MXFP4":  dequantMXFP4,
	"Q2_K":   dequantQ2_K,
	"Q3_K":   dequantQ3_K,
	"Q4_K":   dequantQ4_K,
	"Q5_K":   dequantQ5_K,
	"Q6_K":   dequantQ6_K,
	"IQ4_XS": dequantIQ4_XS,
	"TQ1_0":  dequantTQ1_0,
	"TQ2_0":  dequantTQ2_0,
}

// dequantRow writes the weights of a row, block by block.
func dequantRow(dst []float32, w []byte, block, blockBytes int, dequant dequantizer) {
	for len(dst) > 0 {
		dequant(dst[:block], w[:blockBytes])
		dst, w = dst[block:], w[blockBytes:]
	}
}

func dequantF32(dst []float32, w []byte) { dst[0] = math.Float32frombits(u32(w)) }

func dequantF16(dst []float32, w []byte) { dst[0] = half(w) }

func dequantBF16(dst []float32, w []byte) { dst[0] = bf16ToF32(u16(w)) }

func dequantQ4_0(dst []float32, w []byte) {
	d := half(w)
	for j, b := range w[2:18] {
		dst[j] = d * float32(int(b&15)-8)
		dst[j+16] = d * float32(int(b>>4)-8)
	}
}

func dequantQ4_1(dst []float32, w []byte) {
	d, m := half(w), half(w[2:])
	for j, b := range w[4:20] {
		dst[j] = float32(d*float32(b&15)) + m
		dst[j+16] = float32(d*float32(b>>4)) + m
	}
}

func dequantQ5_0(dst []float32, w []byte) {
	d, high := half(w), u32(w[2:])
	for j, b := range w[6:22] {
		dst[j] = d * float32(int(b&15)|int(high>>j&1)<<4-16)
		dst[j+16] = d * float32(int(b>>4)|int(high>>(j+16)&1)<<4-16)
	}
}

func dequantQ5_1(dst []float32, w []byte) {
	d, m, high := half(w), half(w[2:]), u32(w[4:])
	for j, b := range w[8:24] {
		dst[j] = float32(d*float32(int(b&15)|int(high>>j&1)<<4)) + m
		dst[j+16] = float32(d*float32(int(b>>4)|int(high>>(j+16)&1)<<4)) + m
	}
}

func dequantQ8_0(dst []float32, w []byte) {
	d := half(w)
	for j, b := range w[2:34] {
		dst[j] = d * float32(int8(b))
	}
}

// dequantLevels writes 32 weights that are 4-bit indices of levels.
func dequantLevels(dst []float32, d float32, levels *[16]int8, w []byte) {
	for j, b := range w[:16] {
		dst[j] = d * float32(levels[b&15])
		dst[j+16] = d * float32(levels[b>>4])
	}
}

func dequantIQ4_NL(dst []float32, w []byte) { dequantLevels(dst, half(w), &iq4Values, w[2:]) }

func dequantMXFP4(dst []float32, w []byte) {
	dequantLevels(dst, float32(math.Ldexp(1, int(w[0])-128)), &fp4Values, w[1:])
}

func dequantQ2_K(dst []float32, w []byte) {
	d, dmin := half(w[80:]), half(w[82:])
	for g := range 16 {
		scale, m := d*float32(w[g]&15), dmin*float32(w[g]>>4)
		for j, b := range w[16+g/8*32+g%2*16:][:16] {
			dst[g*16+j] = float32(scale*float32(b>>(g/2%4*2)&3)) - m
		}
	}
}

func dequantQ3_K(dst []float32, w []byte) {
	d, scales := half(w[108:]), w[96:108]
	for g := range 16 {
		scale := scales[g%8]>>(g/8*4)&15 | scales[8+g%4]>>(g/4*2)&3<<4
		high, s := w[g%2*16:][:16], d*float32(int(scale)-32)
		for j, b := range w[32+g/8*32+g%2*16:][:16] {
			dst[g*16+j] = s * float32(int(b>>(g/2%4*2)&3|high[j]>>(g/2)&1<<2)-4)
		}
	}
}

func dequantQ4_K(dst []float32, w []byte) {
	d, dmin := half(w), half(w[2:])
	for g := range 8 {
		scale, minimum := scaleMin4(w[4:16], g)
		s, m := d*float32(scale), dmin*float32(minimum)
		for j, b := range w[16+g/2*32:][:32] {
			dst[g*32+j] = float32(s*float32(b>>(g%2*4)&15)) - m
		}
	}
}

func dequantQ5_K(dst []float32, w []byte) {
	d, dmin, high := half(w), half(w[2:]), w[16:48]
	for g := range 8 {
		scale, minimum := scaleMin4(w[4:16], g)
		s, m := d*float32(scale), dmin*float32(minimum)
		for j, b := range w[48+g/2*32:][:32] {
			dst[g*32+j] = float32(s*float32(b>>(g%2*4)&15|high[j]>>g&1<<4)) - m
		}
	}
}

func dequantQ6_K(dst []float32, w []byte) {
	d := half(w[208:])
	for g := range 16 {
		run := g / 2 % 4
		low := w[g/8*64+run%2*32+g%2*16:][:16]
		high := w[128+g/8*32+g%2*16:][:16]
		s := d * float32(int8(w[192+g]))
		for j := range 16 {
			dst[g*16+j] = s * float32(int(low[j]>>(run/2*4)&15|high[j]>>(run*2)&3<<4)-32)
		}
	}
}

func dequantIQ4_XS(dst []float32, w []byte) {
	d, high := half(w), u16(w[2:])
	for g := range 8 {
		scale := int(w[4+g/2]>>(g%2*4)&15) | int(high>>(2*g)&3)<<4
		dequantLevels(dst[g*32:], d*float32(scale-32), &iq4Values, w[8+g*16:])
	}
}

func dequantTQ1_0(dst []float32, w []byte) {
	d := half(w[52:])
	for _, part := range [3]struct{ at, size, digits int }{{0, 32, 5}, {32, 16, 5}, {48, 4, 4}} {
		for l := range part.digits {
			for j, b := range w[part.at:][:part.size] {
				digit := int(uint16(b*pow3[l]) * 3 >> 8) // see trits
				dst[j] = d * float32(digit-1)
			}
			dst = dst[part.size:]
		}
	}
}

func dequantTQ2_0(dst []float32, w []byte) {
	d := half(w[64:])
	for run := range 8 {
		for j, b := range w[run/4*32:][:32] {
			dst[run*32+j] = d * float32(int(b>>(run%4*2)&3)-1)
		}
	}
}
