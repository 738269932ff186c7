package kernels

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// attentionWalks: the size of a product is its depth, rows and panels follow from it.
func attentionWalks() []walker {
	return []walker{
		panelWalk[float32]{walk[panelProduct[float32]]{panelsF32, upTo(130)[1:], 0,
			panelProblem(1, func(r *rand.Rand, n int) ([]float32, operand) { return vectors(r, false, n) }), callPanels[float32]}},
		panelWalk[uint16]{walk[panelProduct[uint16]]{panelsF16, upTo(130)[1:], 0,
			panelProblem(1, func(r *rand.Rand, n int) ([]float32, operand) { return vectors(r, true, n) }), callPanels[uint16]}},
		manyWalk(),
		q8Walk(q8Columns, func(rows int) int { return (rows + 31) / 32 * 16 }),
		q8Walk(q8Rows, func(rows int) int { return rows }),
	}
}

// panelWalk measures the shapes of attention: scores and sums of a page of 256
// tokens, for the queries of one token and of many.
type panelWalk[T float32 | uint16] struct{ walk[panelProduct[T]] }

func (w panelWalk[T]) bench(b *testing.B) {
	for _, r := range w.fam.rows {
		for _, dim := range []int{64, 128} {
			for _, rows := range []int{1, 4, 8, 64} {
				for _, of := range []string{"keys", "values"} {
					if r.isa == ref && (dim != 128 || rows != 1) {
						continue
					}
					b.Run(fmt.Sprintf("op=panels/type=%s/isa=%s/of=%s/dim=%d/rows=%d", w.fam.typ, r.isa.name, of, dim, rows), func(b *testing.B) {
						available(b, r.isa)
						s := PanelShape{Rows: rows, Depth: dim, Panels: 256 / PanelWidth}
						if of == "values" {
							s.Depth, s.Panels = 256, dim/PanelWidth
						}
						s.StrideA, s.StrideB, s.StrideC = s.Depth, s.Depth*PanelWidth, s.Panels*PanelWidth
						rnd := rand.New(rand.NewPCG(1, 2))
						c, a, panels := make([]float32, rows*s.StrideC), floats(rnd, rows*s.StrideA), make([]T, s.Panels*s.StrideB)
						b.SetBytes(int64(len(asBytes(panels))))
						b.ReportAllocs()
						for b.Loop() {
							r.fn(c, a, panels, s)
						}
						b.ReportMetric(float64(b.N)*float64(rows*256*dim)/b.Elapsed().Seconds()/1e9, "GMAC/s")
					})
				}
			}
		}
	}
}

// manyWalk allows for a being rounded to 16 bits.
func manyWalk() walker {
	exact := panelProblem(1<<8, func(r *rand.Rand, n int) ([]float32, operand) { return vectors(r, true, n) })
	lengths := upTo(130)
	return walk[*manyPanels]{manyF16, lengths[1 : len(lengths)-1], 256,
		func(r *rand.Rand, depth int) problem {
			p := exact(r, depth)
			s := panelShape(p.ops[3])
			scratch := 0
			for _, row := range manyF16.rows {
				scratch = max(scratch, row.fn.scratch(s.Depth, s.Panels))
			}
			p.ops = append(p.ops, out(make([]byte, scratch)))
			return p
		},
		func(m *manyPanels, o []operand) {
			s := panelShape(o[3])
			m.run(as[float32](o[0]), as[float32](o[1]), as[uint16](o[2]), s, o[4].data[len(o[4].data)-m.scratch(s.Depth, s.Panels):])
		}}
}

// panelProblem allows errors of that many units in the last of 24 bits of the sum
// of absolute values.
func panelProblem(ulps float64, random func(r *rand.Rand, n int) ([]float32, operand)) func(r *rand.Rand, depth int) problem {
	return func(r *rand.Rand, depth int) problem {
		s := PanelShape{Rows: depth%37 + 1, Depth: depth, Panels: depth%3 + 1, Add: depth%2 == 0}
		s.StrideA = depth + r.IntN(3)*5
		s.StrideB = depth*PanelWidth + r.IntN(3)*5
		s.StrideC = s.Panels*PanelWidth + r.IntN(3)*5
		if depth > 1000 {
			s.Rows = 5
		}
		a, c := floats(r, (s.Rows-1)*s.StrideA+depth), floats(r, (s.Rows-1)*s.StrideC+s.Panels*PanelWidth)
		b, data := random(r, (s.Panels-1)*s.StrideB+depth*PanelWidth)
		old := append([]float32(nil), c...)
		bound := func(i int) float64 {
			row, col := i/s.StrideC, i%s.StrideC
			if col >= s.Panels*PanelWidth {
				return 0 // between the rows
			}
			sum := math.Abs(float64(old[i]))
			for i := range depth {
				sum += math.Abs(float64(a[row*s.StrideA+i]) * float64(b[col/PanelWidth*s.StrideB+i*PanelWidth+col%PanelWidth]))
			}
			return ulps * eps * sum
		}
		return problem{[]operand{out(c), in(a), data, in(s.numbers())}, len(data.data), within(0, bound)}
	}
}

// numbers and panelShape carry a shape through an operand.
func (s PanelShape) numbers() []int64 {
	add := 0
	if s.Add {
		add = 1
	}
	return []int64{int64(s.Rows), int64(s.Depth), int64(s.Panels), int64(s.StrideA), int64(s.StrideB), int64(s.StrideC), int64(add)}
}

func panelShape(o operand) PanelShape {
	n := func(i int) int { return int(binary.NativeEndian.Uint64(o.data[8*i:])) }
	return PanelShape{n(0), n(1), n(2), n(3), n(4), n(5), n(6) != 0}
}

func callPanels[T float32 | uint16](fn panelProduct[T], o []operand) {
	fn(as[float32](o[0]), as[float32](o[1]), as[T](o[2]), panelShape(o[3]))
}

type q8Unpack = func(dst []float32, q []int8, d []uint16)

func q8Walk(f *family[q8Unpack], scales func(rows int) int) walker {
	return walk[q8Unpack]{f, upTo(130)[1:], 256,
		func(r *rand.Rand, rows int) problem {
			q := make([]int8, rows*PanelWidth)
			for i := range q {
				q[i] = int8(r.Uint32())
			}
			return problem{[]operand{out(make([]float32, len(q))), in(q), in(halves(r, scales(rows)))}, len(q), exact}
		},
		func(fn q8Unpack, o []operand) { fn(as[float32](o[0]), as[int8](o[1]), as[uint16](o[2])) }}
}

// TestPanels compares products with a plain loop and checks that bits do not
// depend on how rows, depth and panels are divided, nor on the type of panels.
func TestPanels(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	s := PanelShape{Rows: 23, Depth: 75, Panels: 3, StrideA: 80, StrideB: 75*PanelWidth + 7, StrideC: 3*PanelWidth + 1}
	a, half := floats(r, s.Rows*s.StrideA), halves(r, s.Panels*s.StrideB)
	b := make([]float32, len(half))
	F16ToF32(b, half)
	want := make([]float32, s.Rows*s.StrideC)
	MulPanelsF32(want, a, b, s)
	for i := range s.Rows {
		for j := range s.Panels * PanelWidth {
			sum := 0.0
			for k := range s.Depth {
				sum += float64(a[i*s.StrideA+k]) * float64(b[j/PanelWidth*s.StrideB+k*PanelWidth+j%PanelWidth])
			}
			require.InDelta(t, sum, want[i*s.StrideC+j], 1e-4)
		}
	}
	got := make([]float32, len(want))
	MulPanelsF16(got, a, half, s)
	require.Equal(t, want, got, "in binary16")

	for size := 1; size < s.Rows; size++ {
		clear(got)
		for i := 0; i < s.Rows; i += size {
			part := s
			part.Rows = min(size, s.Rows-i)
			MulPanelsF16(got[i*s.StrideC:], a[i*s.StrideA:], half, part)
		}
		require.Equal(t, want, got, "%d rows at a time", size)
	}
	for size := 1; size < s.Depth; size++ {
		for i := 0; i < s.Depth; i += size {
			part := s
			part.Depth, part.Add = min(size, s.Depth-i), i > 0
			MulPanelsF16(got, a[i:], half[i*PanelWidth:], part)
		}
		require.Equal(t, want, got, "%d of the depth at a time", size)
	}
	clear(got)
	for p := range s.Panels {
		part := s
		part.Panels = 1
		MulPanelsF16(got[p*PanelWidth:], a, half[p*s.StrideB:], part)
	}
	require.Equal(t, want, got, "a panel at a time")
}

func TestPanelsOfNothing(t *testing.T) {
	c := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}
	s := PanelShape{Rows: 1, Panels: 1, StrideC: PanelWidth, Add: true}
	MulPanelsF32(c, nil, nil, s)
	require.Equal(t, float32(1), c[0])
	s.Add = false
	MulPanelsF32(c, nil, nil, s)
	require.Equal(t, make([]float32, 16), c[:16], "sums of nothing")
	require.Equal(t, float32(17), c[16])
	s.Panels = 0
	MulPanelsF32(nil, nil, nil, s)

	s = PanelShape{Rows: 2, Depth: 3, Panels: 1, StrideA: 3, StrideB: 48, StrideC: 16}
	a, b := make([]float32, 6), make([]uint16, 48)
	c = make([]float32, 32)
	MulPanelsF16(c, a, b, s)
	require.Panics(t, func() { MulPanelsF16(c[:31], a, b, s) }, "the capacity does not count")
	require.Panics(t, func() { MulPanelsF16(c, a[:5], b, s) })
	require.Panics(t, func() { MulPanelsF16(c, a, b[:47], s) })
	s.StrideB = 47
	require.Panics(t, func() { MulPanelsF16(c, a, b, s) }, "panels that overlap")
}

func TestUnpackQ8(t *testing.T) {
	q, d, dst := make([]int8, 33*16), make([]uint16, 33), make([]float32, 33*16)
	for i := range q {
		q[i] = int8(i)
	}
	for i := range d {
		d[i] = f32ToF16(float32(i) / 4)
	}
	UnpackQ8Columns(dst, q, d)
	require.Equal(t, float32(17)*0.25, dst[17])
	require.Equal(t, float32(5)*(16+5)/4, dst[32*16+5], "row 32 has scales of its own")
	UnpackQ8Rows(dst, q, d)
	require.Equal(t, float32(17)*0.25, dst[17])
	require.Equal(t, float32(5)*8, dst[32*16+5])
	require.Panics(t, func() { UnpackQ8Rows(dst, q, d[:32]) }, "the capacity does not count")
	require.Panics(t, func() { UnpackQ8Columns(dst, q, d[:31]) })
	require.Panics(t, func() { UnpackQ8Rows(dst[:17], q, d) })
}
