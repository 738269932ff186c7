package quant

import "github.com/cortexsdr/cortex/kernels"

// Kind is a channel-major type of weights.
type Kind uint8

// The kinds. A weight is d*v: of SDR8, v is an int8 of -127 to 127; of SDR4, v is T[c]-64 for a 4-bit code c. SDRW4 and SDRW8
// are the same but that the container leaves weights of 0 out where that saves bytes.
const (
	SDR4 Kind = iota
	SDR8
	SDRW4
	SDRW8
)

// Sparse reports whether weights of 0 are left out.
func (k Kind) Sparse() bool { return k >= SDRW4 }

// Dense returns the kind that has the same weights and leaves none out.
func (k Kind) Dense() Kind { return k % SDRW4 }

// GroupBytes is the size of a group's values.
const GroupBytes = 64

// Group returns the number of outputs that share a scale.
func (k Kind) Group() int { return [...]int{128, 64}[k.Dense()] }

// String returns the name of the kind: "SDR4".
func (k Kind) String() string { return [...]string{"SDR4", "SDR8", "SDRW4", "SDRW8"}[k] }

// Groups returns how many groups the outputs of a matrix fill.
func (k Kind) Groups(outputs int) int { return (outputs + k.Group() - 1) / k.Group() }

// Encoder quantizes groups. It is for one goroutine.
type Encoder struct {
	kind  Kind
	table Table
	tries []float32
	code  [256]uint8   // of the value nearest to w/d, by w/d in halves from -64 on
	value [256]float32 // T[code]-64

	// Of Slab: of the window at hand, in the order of quantizing, the errors of the channels, and those that are being
	// corrected; the group at hand.
	errors, lazy []float32
	kept         []float32 // weights of a channel, some of them 0
	values       [GroupBytes]byte
}

// NewEncoder returns an encoder. The table is for SDR4.
func NewEncoder(kind Kind, table Table) *Encoder {
	kind = kind.Dense()
	e := &Encoder{kind: kind, table: table, tries: tries[kind]}
	if kind == SDR4 {
		for i := range e.code {
			c := table.nearest(float64(i)/2 - 64)
			e.code[i], e.value[i] = uint8(c), float32(table[c])-zero
		}
	}
	return e
}

// The scales that are tried, as the factor by which the largest weight of a group goes beyond the end of the range.
// Weights are scarce at their extremes, so that cutting a few of them off often costs less than a coarser step.
var tries = [...][]float32{SDR4: {1, 1.15, 1.3}, SDR8: nil}

// Encode quantizes the weights of one group, which must be finite, and returns its scale as a binary16. The values are
// those of the smallest squared error that the search finds, never a larger one than with the scale at which the largest
// weight just fits.
func (e *Encoder) Encode(dst *[GroupBytes]byte, w []float32) uint16 {
	w = w[:e.kind.Group()]
	var most float32
	for _, x := range w {
		if x < 0 {
			x = -x
		}
		if x > most {
			most = x
		}
	}
	scale, best := uint16(0), float32(0)
	if most > 0 {
		low, high := float32(-127), float32(127)
		if e.kind == SDR4 {
			low, high = e.table.ends()
		}
		d, promise := most/high, float32(0)
		for _, f := range e.tries {
			for _, end := range [2]float32{low, high} {
				if wv, vv := e.project(w, most/(end*f)); wv*wv > promise*vv {
					d, promise = wv/vv, wv*wv/vv
				}
			}
		}
		scale, best = e.refine(w, d, 2)
		if fit, explained := e.refine(w, most/max(high, -low), 1); explained > best {
			scale = fit
		}
	}
	e.codes(dst, w, scale)
	return scale
}

// refine returns a scale near d and by how much the values nearest at it reduce the sum of squares: d itself, rounded, or
// the best one for the values that are nearest at it, and so on for some rounds.
func (e *Encoder) refine(w []float32, d float32, rounds int) (scale uint16, explained float32) {
	for range rounds {
		h := half(d)
		if d = kernels.HalfValue(h); d == 0 || d != d {
			break
		}
		wv, vv := e.project(w, d)
		if better := d * (2*wv - d*vv); better > explained {
			scale, explained = h, better
		}
		d = wv / vv // not a number if all are 0, which ends the loop
	}
	return scale, explained
}

// project returns <w, v> and <v, v> of the values v that are nearest to w at scale d.
func (e *Encoder) project(w []float32, d float32) (wv, vv float32) {
	if e.kind == SDR8 {
		inv := 1 / d
		for _, x := range w {
			v := round8(x * inv)
			wv += x * v
			vv += v * v
		}
		return wv, vv
	}
	inv := 2 / d
	var wv1, vv1 float32
	for i := 0; i+1 < len(w); i += 2 {
		x, x1 := w[i], w[i+1]
		v, v1 := e.value[halves(x*inv)], e.value[halves(x1*inv)]
		wv += x * v
		vv += v * v
		wv1 += x1 * v1
		vv1 += v1 * v1
	}
	return wv + wv1, vv + vv1
}

// halves returns the index in an encoder's tables of a number of halves.
func halves(x float32) uint8 { return uint8(min(max(int(x+128.5), 0), 255)) }

// round8 rounds to the nearest integer of -127 to 127. Few values are beyond them, so that the comparisons cost little.
func round8(x float32) float32 {
	if x > 127 {
		return 127
	}
	if x < -127 {
		return -127
	}
	const magic = 3 << 22 // a float32 of this size has no fraction
	return x + magic - magic
}

// codes writes the codes nearest to w.
func (e *Encoder) codes(dst *[GroupBytes]byte, w []float32, scale uint16) {
	var inv float32
	if d := kernels.HalfValue(scale); d != 0 {
		inv = 1 / d
	}
	if e.kind == SDR8 {
		for i, x := range w[:GroupBytes] {
			dst[i] = byte(int8(round8(x * inv)))
		}
		return
	}
	inv *= 2
	for i := range dst {
		dst[i] = e.code[halves(w[i]*inv)] | e.code[halves(w[i+GroupBytes]*inv)]<<4
	}
}

// Decode writes the weights of a group.
func (e *Encoder) Decode(dst []float32, src *[GroupBytes]byte, scale uint16) {
	d := kernels.HalfValue(scale)
	if e.kind == SDR8 {
		for i, b := range src {
			dst[i] = d * float32(int8(b))
		}
		return
	}
	for i, b := range src {
		dst[i] = d * (float32(e.table[b&15]) - zero)
		dst[i+GroupBytes] = d * (float32(e.table[b>>4]) - zero)
	}
}

// maxScale is the largest finite binary16.
const maxScale = 65504
