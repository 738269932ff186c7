package kernels

// Products of 8-bit numbers on arm64, all of them signed. Where the layout is Q8x256
// the sums of groups are multiplied by their whole scales and added up in 32 bits.

var q8Packings = map[q8Packing]*packing{
	{Q8x32, 4, 1}:  q8Packing{Q8x32, 4, 1}.packing("q8x32"),
	{Q8x256, 4, 1}: q8Packing{Q8x256, 4, 1}.packing("q8x256"),
	{Q8x32, 8, 1}:  q8Packing{Q8x32, 8, 1}.packing("q8x32x8"),
	{Q8x256, 8, 1}: q8Packing{Q8x256, 8, 1}.packing("q8x256x8"),
}

var rowPutters = map[string]rowPutter{
	"Q4_0": putRowQ4_0_neon,
	"Q8_0": putRowQ8_0_neon,
	"Q4_K": putRowQ4_K_neon,
	"Q5_K": putRowQ5_K_neon,
	"Q6_K": putRowQ6_K_neon,
}

// The functions that the scheme calls directly, so that its operands stay on the
// stack.

func (p q8Packing) quantize(q []int8, d []float32, s []int16, x []float32) {
	if p.layout == Q8x32 {
		quantizeQ8x32_neon(q, d, s, x)
	} else {
		quantizeQ8x256_neon(q, d, s, x)
	}
}

// interleave writes the numbers of four vectors, which start 256 bytes apart, the
// way that they are packed; step is stepBytes.
func (p q8Packing) interleave(dst []byte, q []int8, steps, step int) {
	if p.run == 4 {
		interleaveQ8x4_neon(dst, q, steps, step)
	} else {
		interleaveQ8x8_neon(dst, q, steps, step)
	}
}

func levelsQ8(q, w []byte, levels *[16]int8) { levelsQ8_neon(q, w, levels) }

func minsQ8(sums, mins, packed []byte, minStep, step, groups, steps int) {
	minsQ8_neon(sums, mins, packed, minStep, step, groups, steps)
}

// wholeScale is a whole scale as it is in a panel.
func wholeScale(s int16) uint32 { return uint32(int32(s)) }

// A q8Kernel is a product of panels and what makes them.
type q8Kernel struct {
	transpose func(panel, q []byte, steps int)
	dot       func(sums, panel, packed []byte, step, groups, steps int)
}

// q8Kernels are the kernels of a level for each kind of types.
type q8Kernels struct {
	level   *isa
	run     int
	x32     q8Kernel // of the layout Q8x32
	x256x32 q8Kernel // of the layout Q8x256, in groups of 32
	x256x16 q8Kernel // in groups of 16
}

// addQ8Rows adds the rows for quantized weights.
func addQ8Rows(typ string, p *Product) {
	t, ok := q8Types[typ]
	if !ok {
		return
	}
	lowest := q8Kernels{neon, 4,
		q8Kernel{transposeQ8x32x4_neon, dotQ8x32_neon},
		q8Kernel{transposeQ8x32x4_neon, dotQ8x256x32_neon},
		q8Kernel{transposeQ8x16x4_neon, dotQ8x256x16_neon}}
	if t.wide {
		lowest.x32.dot, lowest.x256x32.dot = dotQ8x32wide_neon, dotQ8x256x32wide_neon
	}
	for _, k := range []q8Kernels{
		lowest,
		{dotprod, 4,
			q8Kernel{transposeQ8x32x4_neon, dotQ8x32_dotprod},
			q8Kernel{transposeQ8x32x4_neon, dotQ8x256x32_dotprod},
			q8Kernel{transposeQ8x16x4_neon, dotQ8x256x16_dotprod}},
		{i8mm, 8,
			q8Kernel{transposeQ8x32x8_neon, dotQ8x32_i8mm},
			q8Kernel{transposeQ8x32x8_neon, dotQ8x256x32_i8mm},
			q8Kernel{transposeQ8x16x8_neon, dotQ8x256x16_i8mm}},
	} {
		kernel := k.x32
		switch {
		case p.layout == Q8x256 && t.group == 32:
			kernel = k.x256x32
		case p.layout == Q8x256:
			kernel = k.x256x16
		}
		gemms[typ].add(k.level, newQ8(p, q8GEMM{
			packing:    q8Packing{p.q8Layout(), k.run, 1},
			panels:     1,
			wholeScale: p.layout == Q8x256,
			transpose:  kernel.transpose,
			dot:        kernel.dot,
		}))
	}
}

// promptq8_pack_arm64.s

//go:noescape
func interleaveQ8x4_neon(dst []byte, q []int8, steps, step int)

//go:noescape
func interleaveQ8x8_neon(dst []byte, q []int8, steps, step int)

//go:noescape
func transposeQ8x32x4_neon(panel, q []byte, steps int)

//go:noescape
func transposeQ8x16x4_neon(panel, q []byte, steps int)

//go:noescape
func transposeQ8x32x8_neon(panel, q []byte, steps int)

//go:noescape
func transposeQ8x16x8_neon(panel, q []byte, steps int)

// levelsQ8_neon writes the levels of the low halves of 16 bytes, then those of the
// high ones.
//
//go:noescape
func levelsQ8_neon(q, w []byte, levels *[16]int8)

// promptq8_dot_arm64.s

//go:noescape
func dotQ8x32_neon(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func dotQ8x32wide_neon(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func dotQ8x256x32_neon(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func dotQ8x256x32wide_neon(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func dotQ8x256x16_neon(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func dotQ8x32_dotprod(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func dotQ8x256x32_dotprod(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func dotQ8x256x16_dotprod(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func dotQ8x32_i8mm(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func dotQ8x256x32_i8mm(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func dotQ8x256x16_i8mm(sums, panel, packed []byte, step, groups, steps int)

//go:noescape
func minsQ8_neon(sums, mins, packed []byte, minStep, step, groups, steps int)

// promptq8_unpack_arm64.s

//go:noescape
func putRowQ4_0_neon(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)

//go:noescape
func putRowQ8_0_neon(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)

//go:noescape
func putRowQ4_K_neon(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)

//go:noescape
func putRowQ5_K_neon(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)

//go:noescape
func putRowQ6_K_neon(panel, mins, q, w []byte, blocks, groupBytes int, whole bool)
