package quant

import (
	"fmt"
	"math"
	"slices"

	"github.com/cortexsdr/cortex/kernels"
)

// Moments are the second moments of a product's input, the sums over tokens of x_i*x_j, for channels i and j of the same
// window: a block-diagonal part of XᵀX, so that wide products need little memory.
type Moments struct {
	Channels, Window int
	Tokens           int
	sums             []float32 // of window i, its square from i*Window*Window on
}

// NewMoments returns moments of nothing yet, for windows of at most so many channels. sums is the zeroed memory for them,
// [MomentValues] values.
func NewMoments(channels, window int, sums []float32) *Moments {
	window = min(window, channels)
	return &Moments{Channels: channels, Window: window, sums: sums[:MomentValues(channels, window)]}
}

// MomentValues returns how many float32 values Moments hold.
func MomentValues(channels, window int) (n int) {
	for at := 0; at < channels; at += window {
		size := min(window, channels-at)
		n += size * size
	}
	return n
}

// Values returns how many values the moments are.
func (m *Moments) Values() int { return len(m.sums) }

// Add adds the inputs of some tokens, [tokens][channels], to every workers-th window, from the one that worker says on. It is
// called once for each worker.
func (m *Moments) Add(x []float32, worker, workers int) {
	tokens := len(x) / m.Channels
	for at := worker * m.Window; at < m.Channels; at += workers * m.Window {
		h, size := m.of(at)
		kernels.SGEMM(true, false, size, size, tokens, 1, x[at:], m.Channels, x[at:], m.Channels, 1, h, size)
	}
	if worker == 0 {
		m.Tokens += tokens
	}
}

// of returns the moments of the window that begins at a channel, [size][size].
func (m *Moments) of(at int) (h []float32, size int) {
	size = min(m.Window, m.Channels-at)
	return m.sums[at*m.Window:][:size*size], size
}

// Feedback says how much of a channel's error the following channels of its window make up for.
//
// With the second moments H of the input, errors E (weights less their quantized values) cost the products EᵀHE. Where H =
// R·D·Rᵀ, R being unit upper triangular and D diagonal, that is the sum over channels j of D_j·(E_j + Σ_{k<j} R_kj·E_k)², and so
// channel j is best quantized as W_j + Σ_{k<j} R_kj·E_k: GPTQ in the form of LDLQ (Chee et al. 2023, arXiv:2307.13304).
type Feedback struct {
	Channels, Window int
	order            []int32   // channels in the order of quantizing
	r                []float32 // of each window, R
	d                []float32 // of each channel in the order, D
}

// Damping is what is added to the diagonal of the moments, in units of its mean, so that few or one-sided calibration
// tokens do not lead to large corrections.
const Damping = 0.02

// Scratch returns how many values NewFeedback needs while it works.
func (m *Moments) Scratch() int { return m.Window * m.Window }

// NewFeedback works the moments out, in memory for [MomentValues] values and with scratch of [Moments.Scratch]. It fails if they are not
// finite.
func NewFeedback(m *Moments, memory []float32, scratch []float64) (*Feedback, error) {
	f := &Feedback{Channels: m.Channels, Window: m.Window,
		order: make([]int32, m.Channels), r: memory[:len(m.sums)], d: make([]float32, m.Channels)}
	a := scratch[:m.Scratch()]
	for at := 0; at < m.Channels; at += m.Window {
		h, n := m.of(at)
		order := f.order[at:][:n]
		trace := 0.0
		for i := range order {
			order[i] = int32(i)
			trace += float64(h[i*(n+1)])
		}
		if math.IsNaN(trace) || math.IsInf(trace, 0) {
			return nil, fmt.Errorf("quant: the second moments of channels %d to %d are not finite", at, at+n-1)
		}
		// The loudest first: their errors have the most channels left to make up for them.
		slices.SortStableFunc(order, func(i, j int32) int {
			switch di, dj := h[int(i)*(n+1)], h[int(j)*(n+1)]; {
			case di > dj:
				return -1
			case di < dj:
				return 1
			}
			return 0
		})
		damp := Damping * trace / float64(n)
		if damp == 0 {
			damp = 1 // no input at all: no channel bears on another
		}
		for i, p := range order {
			for j, q := range order {
				a[i*n+j] = float64(h[int(p)*n+int(q)])
			}
			a[i*(n+1)] += damp
		}
		r := f.r[at*m.Window:][:n*n]
		factor(a[:n*n], n)
		for i := range order {
			f.d[at+i] = float32(a[i*(n+1)])
			clear(r[i*n : i*(n+1)])
			for j := i; j < n; j++ {
				r[i*n+j] = float32(a[i*n+j])
			}
			r[i*(n+1)] = 1
			order[i] += int32(at)
		}
	}
	return f, nil
}

// Values returns how many values f keeps; 0 if f is nil.
func (f *Feedback) Values() int {
	if f == nil {
		return 0
	}
	return len(f.r)
}

// window returns how many channels have errors at a time.
func (f *Feedback) window() int {
	if f == nil {
		return 1
	}
	return f.Window
}

// factor replaces the symmetric matrix a of n rows by D on the diagonal and R above it.
func factor(a []float64, n int) {
	column := make([]float64, n)
	for j := n - 1; j >= 0; j-- {
		d := a[j*n+j]
		for i := range j {
			column[i] = a[i*n+j]
		}
		for i := range j {
			c := column[i] / d
			row := a[i*n : i*n+j]
			for k := i; k < j; k++ {
				row[k] -= c * column[k]
			}
			a[i*n+j] = c
		}
	}
}

// lazyChannels is how many channels are corrected together for the errors of those before them.
const lazyChannels = 32

// Slab quantizes one group of every channel: w is [channels][group], finite. put is called once for each channel with its
// values and scale. Without feedback (nil), channels are independent. keep, if not nil, has the weights that are not to
// become 0, as w; with feedback, the others make up for those that are, as in SparseGPT (Frantar and Alistarh 2023,
// arXiv:2301.00774).
//
// It returns what the errors cost: the sum over calibration tokens of the squared errors of the group's outputs or, without
// feedback, that of the squared errors of the weights.
func (e *Encoder) Slab(w []float32, keep []bool, f *Feedback, put func(channel int, values *[GroupBytes]byte, scale uint16)) (cost float64) {
	group := e.kind.Group()
	e.errors = slices.Grow(e.errors[:0], f.window()*group)[:f.window()*group]
	if f == nil {
		for j := 0; j*group < len(w); j++ {
			x := w[j*group:][:group]
			scale := e.encodeKept(x, keep, j)
			put(j, &e.values, scale)
			cost += e.error(e.errors, x, x, scale)
		}
		return cost
	}
	e.lazy = slices.Grow(e.lazy[:0], lazyChannels*group)[:lazyChannels*group]
	for at := 0; at < f.Channels; at += f.Window {
		n := min(f.Window, f.Channels-at)
		cost += e.window(w, keep, f.order[at:][:n], f.r[at*f.Window:][:n*n], f.d[at:][:n], put)
	}
	return cost
}

// window quantizes the channels of a window.
func (e *Encoder) window(w []float32, keep []bool, order []int32, r, d []float32, put func(channel int, values *[GroupBytes]byte, scale uint16)) (cost float64) {
	group, n := e.kind.Group(), len(order)
	for from := 0; from < n; from += lazyChannels {
		to := min(from+lazyChannels, n)
		for i, j := range order[from:to] {
			copy(e.lazy[i*group:][:group], w[int(j)*group:])
		}
		// What the channels before the block ask for, and then, one by one, those of the block.
		kernels.SGEMM(true, false, to-from, group, from, 1, r[from:], n, e.errors, group, 1, e.lazy, group)
		for i := from; i < to; i++ {
			j := int(order[i])
			x := e.lazy[(i-from)*group:][:group]
			for k := from; k < i; k++ {
				axpy(x, r[k*n+i], e.errors[k*group:][:group])
			}
			scale := e.encodeKept(x, keep, j)
			put(j, &e.values, scale)
			cost += float64(d[i]) * e.error(e.errors[i*group:][:group], w[j*group:][:group], x, scale)
		}
	}
	return cost
}

// encodeKept encodes those weights of channel j that are to be kept, the others as 0.
func (e *Encoder) encodeKept(x []float32, keep []bool, j int) (scale uint16) {
	if keep == nil {
		return e.Encode(&e.values, x)
	}
	e.kept = append(e.kept[:0], x...)
	for o, k := range keep[j*len(x):][:len(x)] {
		if !k {
			e.kept[o] = 0
		}
	}
	return e.Encode(&e.values, e.kept)
}

// error writes the differences of w and of what has just been encoded to errs, and returns the squared distance of the
// latter from x, for which it was encoded.
func (e *Encoder) error(errs, w, x []float32, scale uint16) float64 {
	w, x = w[:len(errs)], x[:len(errs)]
	e.Decode(errs, &e.values, scale)
	var sum float32
	for o, q := range errs {
		sum += (x[o] - q) * (x[o] - q)
		errs[o] = w[o] - q
	}
	return float64(sum)
}

// Signal returns what [Encoder.Slab] would if it quantized all weights to 0.
func (e *Encoder) Signal(w []float32, f *Feedback) (sum float64) {
	if f == nil {
		for _, x := range w {
			sum += float64(x) * float64(x)
		}
		return sum
	}
	group := e.kind.Group()
	e.errors = slices.Grow(e.errors[:0], f.Window*group)[:f.Window*group]
	e.lazy = slices.Grow(e.lazy[:0], lazyChannels*group)[:lazyChannels*group]
	for at := 0; at < f.Channels; at += f.Window {
		n := min(f.Window, f.Channels-at)
		for i, j := range f.order[at:][:n] {
			copy(e.errors[i*group:][:group], w[int(j)*group:])
		}
		for from := 0; from < n; from += lazyChannels {
			to := min(from+lazyChannels, n)
			kernels.SGEMM(true, false, to-from, group, to, 1, f.r[at*f.Window+from:], n, e.errors, group, 0, e.lazy, group)
			for i := from; i < to; i++ {
				var squares float32
				for _, x := range e.lazy[(i-from)*group:][:group] {
					squares += x * x
				}
				sum += float64(f.d[at+i]) * float64(squares)
			}
		}
	}
	return sum
}

// axpy adds a*x to y.
func axpy(y []float32, a float32, x []float32) {
	x = x[:len(y)]
	for i, v := range x {
		y[i] += a * v
	}
}
