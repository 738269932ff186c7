package quant

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/kernels"
)

var kinds = []Kind{SDR4, SDR8}

// normal returns n normally distributed values.
func normal(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 0))
	w := make([]float32, n)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	return w
}

// roundTrip returns what is read of a group, and the sum of the squared errors.
func roundTrip(e *Encoder, w []float32) (q []float32, cost float64) {
	var values [GroupBytes]byte
	scale := e.Encode(&values, w)
	q = make([]float32, e.kind.Group())
	e.Decode(q, &values, scale)
	return q, squares(w, q)
}

func squares(w, q []float32) (sum float64) {
	for i, x := range w {
		sum += (float64(x) - float64(q[i])) * (float64(x) - float64(q[i]))
	}
	return sum
}

// The search is never worse than the scale at which the largest weight just fits, whatever the weights.
func TestEncodeIsNotWorseThanLargest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		table := rapid.SampledFrom([]Table{Linear, Default}).Draw(t, "table")
		e := NewEncoder(kind, table)
		unit := float32(math.Pow(10, rapid.Float64Range(-9, 5).Draw(t, "exponent")))
		w := make([]float32, kind.Group())
		for i := range w {
			w[i] = unit * rapid.SampledFrom([]float32{0, 1, -1, 0.5, rapid.Float32Range(-1, 1).Draw(t, "w")}).Draw(t, "which")
		}
		_, cost := roundTrip(e, w)

		var most float32
		for _, x := range w {
			most = max(most, x, -x)
		}
		low, high := float32(-127), float32(127)
		if kind == SDR4 {
			low, high = table.ends()
		}
		var values [GroupBytes]byte
		scale := half(most / max(high, -low))
		e.codes(&values, w, scale)
		q := make([]float32, len(w))
		e.Decode(q, &values, scale)
		if plain := squares(w, q); cost > plain*(1+1e-3)+1e-20 {
			t.Fatalf("error %g, with the largest weight's scale %g", cost, plain)
		}
	})
}

// Weights that can be represented come back as they were.
func TestEncodeExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := kernels.HalfValue(uint16(rapid.IntRange(0x1000, 0x7000).Draw(t, "scale"))) // normal numbers
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		e := NewEncoder(kind, Default)
		w := make([]float32, kind.Group())
		for i := range w {
			v := float32(rapid.IntRange(-127, 127).Draw(t, "v"))
			if kind == SDR4 {
				v = float32(Default[rapid.IntRange(0, 15).Draw(t, "c")]) - zero
			}
			w[i] = d * v
		}
		w[0] = d * 127
		if kind == SDR4 {
			w[0] = d * -64 // the end of the range, so that the search meets the scale
		}
		if q, cost := roundTrip(e, w); cost != 0 {
			t.Fatalf("%v became %v", w, q)
		}
	})
}

func TestEncodeExtremes(t *testing.T) {
	for _, kind := range kinds {
		e := NewEncoder(kind, Default)
		for name, x := range map[string]float32{
			"zero": 0, "tiny": 1e-30, "smallest": math.SmallestNonzeroFloat32, "large": 1e6, "larger than any scale": 1e9,
		} {
			w := make([]float32, kind.Group())
			for i := range w {
				w[i] = x * float32(1-i%2*2)
			}
			q, _ := roundTrip(e, w)
			for i := range q {
				require.False(t, q[i]-q[i] != 0, "%v, %s: %v", kind, name, q[i])
				require.LessOrEqual(t, float64(q[i])*float64(q[i]), 1.2*float64(w[i])*float64(w[i])+1e-30, "%v, %s", kind, name)
				require.GreaterOrEqual(t, q[i]*w[i], float32(0), "%v, %s: the sign", kind, name)
			}
		}
	}
}

// Relative errors of normally distributed weights, as measured.
func TestEncodeError(t *testing.T) {
	const groups = 500
	for _, c := range []struct {
		kind Kind
		t    Table
		want float64
	}{{SDR4, Linear, 0.0985}, {SDR4, Default, 0.0885}, {SDR8, Default, 0.006}} {
		e := NewEncoder(c.kind, c.t)
		w := normal(1, groups*c.kind.Group())
		var cost float64
		for at := 0; at < len(w); at += c.kind.Group() {
			_, err := roundTrip(e, w[at:][:c.kind.Group()])
			cost += err
		}
		relative := math.Sqrt(cost / squares(w, make([]float32, len(w))))
		require.Less(t, relative, c.want, "%v %v", c.kind, c.t)
		require.Greater(t, relative, 0.9*c.want, "%v %v", c.kind, c.t)
	}
}

func TestEncodeDoesNotAllocate(t *testing.T) {
	for _, kind := range kinds {
		e, w := NewEncoder(kind, Default), normal(2, kind.Group())
		var values [GroupBytes]byte
		require.Zero(t, testing.AllocsPerRun(10, func() { e.Encode(&values, w) }))
	}
}

func TestFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := normal(rapid.Uint64().Draw(t, "seed"), 16*128)
		switch rapid.IntRange(0, 3).Draw(t, "shape") {
		case 0: // heavy tails
			for i := range w {
				w[i] *= w[i] * w[i]
			}
		case 1: // one side
			for i := range w {
				w[i] = max(w[i], 0)
			}
		case 2: // few values
			for i := range w {
				w[i] = float32(math.Round(float64(w[i])))
			}
		}
		table := Fit(w)
		if !table.valid() {
			t.Fatalf("%v", table)
		}
	})
	require.Equal(t, Default, Fit(nil))
	require.Equal(t, Default, Fit(make([]float32, 1280)))
	require.True(t, Default.valid())
	require.True(t, Linear.valid())
}

// A fitted table is better for the weights that it is fitted to than one for normally distributed weights.
func TestFitPays(t *testing.T) {
	w := normal(3, 128*256)
	for i, x := range w { // heavy tails
		w[i] = x * x * x
	}
	cost := func(table Table) (sum float64) {
		e := NewEncoder(SDR4, table)
		for at := 0; at < len(w); at += 128 {
			_, c := roundTrip(e, w[at:][:128])
			sum += c
		}
		return sum
	}
	require.Less(t, cost(Fit(w)), 0.8*cost(Default))
}

func BenchmarkEncode(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind.String(), func(b *testing.B) {
			e, w := NewEncoder(kind, Default), normal(2, kind.Group())
			var values [GroupBytes]byte
			for b.Loop() {
				e.Encode(&values, w)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(w)), "ns/weight")
		})
	}
}
