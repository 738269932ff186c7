package kernels

// Products of 8-bit numbers on amd64. VPMADDUBSW and VPDPBUSD multiply four unsigned
// bytes with signed ones; here the activations are the unsigned ones, their numbers
// plus 128. What that adds to each sum of a group of products, 128 times the sum
// of the weights, is known when the weights are unpacked; the sums start with
// minus that. Sums may overflow on the way, not in the end.
//
// With AVX2, whose sums have 16 bits, whole scales are two equal numbers of 16 bits,
// for VPMADDWD. VNNI, whose sums have 32 bits from the start, has no instruction
// for whole scales that would pay.
//
// Numbers of 8 bits are too large for VPMADDUBSW. For them weights and activations
// are made 16 bits wide for VPMADDWD, two values of a row in place of four, and
// there is no excess.

var q8Packings = map[q8Packing]*packing{
	{Q8x32, 4, 1}:  q8Packing{Q8x32, 4, 1}.packing("q8x32"),
	{Q8x256, 4, 1}: q8Packing{Q8x256, 4, 1}.packing("q8x256"),
	{Q8x32, 2, 2}:  q8Packing{Q8x32, 2, 2}.packing("q8x32wide"),
	{Q8x256, 2, 2}: q8Packing{Q8x256, 2, 2}.packing("q8x256wide"),
}

var rowPutters = map[string]rowPutter{
	"Q4_0": putRowQ4_0_avx2,
	"Q8_0": putRowQ8_0_avx2,
	"Q4_K": putRowQ4_K_avx2,
	"Q5_K": putRowQ5_K_avx2,
	"Q6_K": putRowQ6_K_avx2,
}

// The functions that the scheme calls directly, so that its operands stay on the
// stack.

func (p q8Packing) quantize(q []int8, d []float32, s []int16, x []float32) {
	if p.layout == Q8x32 {
		quantizeQ8x32_avx2(q, d, s, x)
	} else {
		quantizeQ8x256_avx2(q, d, s, x)
	}
}

// interleave writes the numbers of four vectors, which start 256 bytes apart, the
// way that they are packed; step is stepBytes.
func (p q8Packing) interleave(dst []byte, q []int8, steps, step int) {
	if p.width == 1 {
		interleaveQ8_avx2(dst, q, steps, step)
	} else {
		interleaveQ16_avx2(dst, q, steps, step)
	}
}

func levelsQ8(q, w []byte, levels *[16]int8) { levelsQ8_avx2(q, w, levels) }

func minsQ8(sums, mins, packed []byte, minStep, step, groups, steps int) {
	minsQ8_avx2(sums, mins, packed, minStep, step, groups, steps)
}

// wholeScale is a whole scale as it is in a panel.
func wholeScale(s int16) uint32 { return uint32(uint16(s)) * 0x10001 }

// addQ8Rows adds the rows for quantized weights.
func addQ8Rows(typ string, p *Product) {
	t, ok := q8Types[typ]
	if !ok {
		return
	}
	narrow := q8GEMM{packing: q8Packing{p.q8Layout(), 4, 1}, excess: true, panels: 1}
	lower := narrow
	switch {
	case t.wide:
		lower.packing, lower.excess = q8Packing{p.q8Layout(), 2, 2}, false
		lower.transpose, lower.dot = transposeQ16_avx2, dotQ16_avx2
	case p.q8Layout() == Q8x32:
		lower.transpose, lower.dot = transposeQ8x32_avx2, dotQ8x32_avx2
	case t.group == 32:
		lower.wholeScale = true
		lower.transpose, lower.dot = transposeQ8x32_avx2, dotQ8x256x32_avx2
	default:
		lower.wholeScale = true
		lower.transpose, lower.dot = transposeQ8x16_avx2, dotQ8x256x16_avx2
	}
	gemms[typ].add(avx2, newQ8(p, lower))

	upper := narrow
	upper.panels = 2
	upper.transpose, upper.dot = transposeQ8x32_avx512vnni, dotQ8x32_avx512vnni
	if t.group == 16 {
		upper.transpose, upper.dot = transposeQ8x16_avx512vnni, dotQ8x16_avx512vnni
	}
	gemms[typ].add(avx512vnni, newQ8(p, upper))
}

// promptq8_pack_amd64.s

//go:noescape
func interleaveQ8_avx2(dst []byte, q []int8, steps, step int)

//go:noescape
func interleaveQ16_avx2(dst []byte, q []int8, steps, step int)

//go:noescape
func transposeQ8x32_avx2(panel, q []byte, steps int)

//go:noescape
func transposeQ8x16_avx2(panel, q []byte, steps int)

//go:noescape
func transposeQ8x32_avx512vnni(panel, q []byte, steps int)

//go:noescape
func transposeQ8x16_avx512vnni(panel, q []byte, steps int)

//go:noescape
func transposeQ16_avx2(panel, q []byte, steps int)

// promptq8_avx2_amd64.s

//go:noescape
func dotQ8x32_avx2(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func dotQ8x256x32_avx2(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func dotQ8x256x16_avx2(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func dotQ16_avx2(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func minsQ8_avx2(sums, mins, packed []byte, minStep, step, groups, steps int)

// promptq8_avx512vnni_amd64.s

//go:noescape
func dotQ8x32_avx512vnni(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func dotQ8x16_avx512vnni(sums, panel, packed []byte, step, groups, steps int)

// promptq8_unpack_amd64.s

//go:noescape
func putRowQ4_0_avx2(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)

//go:noescape
func putRowQ8_0_avx2(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)

//go:noescape
func putRowQ4_K_avx2(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)

//go:noescape
func putRowQ5_K_avx2(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)

//go:noescape
func putRowQ6_K_avx2(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)

// levelsQ8_avx2 writes the levels of the low halves of 16 bytes, then those of
// the high ones.
//
//go:noescape
func levelsQ8_avx2(q, w []byte, levels *[16]int8)
