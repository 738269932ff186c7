package kernels

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// The walk tests and measures every row of every family. Operands lie in memory
// between unreadable pages; each row must give what the reference gives and
// leave everything else as it was.

// A walker walks one family.
type walker interface {
	name() string
	test(t *testing.T)
	fault(t *testing.T)
	bench(b *testing.B)
}

// A walk is the walker of a family with functions of type F.
type walk[F any] struct {
	fam     *family[F]
	lengths []int // the sizes to test, in any unit that problem understands
	size    int   // the size to measure
	problem func(r *rand.Rand, size int) problem
	call    func(fn F, o []operand)
}

// A problem is the operands of one call and the test of its results.
type problem struct {
	ops     []operand
	bytes   int                             // what the benchmark counts
	compare func(want, got []operand) error // of the outputs
}

// An operand is the bytes of one slice. Functions that return a value get an
// operand to put it in.
type operand struct {
	data []byte
	out  bool
}

func in[T any](s []T) operand  { return operand{asBytes(s), false} }
func out[T any](s []T) operand { return operand{asBytes(s), true} }

func asBytes[T any](s []T) []byte {
	var v T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(v)))
}

// as views an operand, wherever it lies, as a slice of T.
func as[T any](o operand) []T {
	var v T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(o.data))), len(o.data)/int(unsafe.Sizeof(v)))
}

func (w walk[F]) name() string { return w.fam.op + w.fam.typ }

// available skips the test of a row that this processor lacks.
func available(t testing.TB, l *isa) {
	if l.have {
		return
	}
	if os.Getenv("CORTEX_REQUIRE_ISA") == "1" {
		t.Fatalf("this processor has no %s: it needs %v", l.name, l.needs)
	}
	t.Skipf("this processor has no %s: it needs %v", l.name, l.needs)
}

func (w walk[F]) test(t *testing.T) {
	for _, r := range w.fam.rows {
		t.Run("isa="+r.isa.name, func(t *testing.T) {
			available(t, r.isa)
			mem := newArena(t)
			rnd := rand.New(rand.NewPCG(1, 2))
			run := func(size int, at func(i int, o operand) int) {
				t.Helper()
				p := w.problem(rnd, size)
				want := clone(p.ops)
				w.call(w.fam.rows[0].fn, want)
				got := mem.place(t, p.ops, at)
				mem.run(t, fmt.Sprint("size ", size), func() { w.call(r.fn, got) })
				mem.intact(t, p.ops, got)
				if err := p.compare(want, got); err != nil {
					t.Fatalf("size %d: %v", size, err)
				}
			}
			for _, size := range w.lengths {
				run(size, mem.atEnd)
				if r.isa == ref {
					continue // Go checks its own bounds
				}
				run(size, mem.atStart)
				if !testing.Short() {
					run(size, func(int, operand) int { return rnd.IntN(200) })
				}
			}
			if r.isa == ref {
				return
			}
			step := 1
			if testing.Short() {
				step = 7
			}
			for _, size := range w.lengths[len(w.lengths)/2:][:2] {
				for mis := 0; mis < 64; mis += step {
					run(size, func(i int, o operand) int { return 64 + mis })
					run(size, func(i int, o operand) int { return 64 + (mis*(i+1)+i)%64 })
				}
			}
		})
	}
}

// fault gives each row operands that cannot be read or written, one at a time.
// A mapped file that shrinks has that effect, and must end in a panic that can
// be recovered.
func (w walk[F]) fault(t *testing.T) {
	for _, r := range w.fam.rows {
		t.Run("isa="+r.isa.name, func(t *testing.T) {
			available(t, r.isa)
			mem := newArena(t)
			if !mem.guarded {
				t.Skip("no unreadable memory on this system")
			}
			p := w.problem(rand.New(rand.NewPCG(1, 2)), w.lengths[3])
			faults := 0
			for i := range p.ops {
				ops := mem.place(t, p.ops, mem.atStart)
				region := mem.regions[i]
				guard := unsafe.Add(unsafe.Pointer(unsafe.SliceData(region)), len(region))
				ops[i].data = unsafe.Slice((*byte)(guard), len(ops[i].data))
				if fault := caught(func() { w.call(r.fn, ops) }); fault != nil {
					require.Implements(t, (*runtime.Error)(nil), fault)
					require.ErrorContains(t, fault.(error), "memory address")
					faults++
				}
			}
			require.NotZero(t, faults, "no operand was touched")
			// Nothing is left behind that would disturb the next call.
			want, got := clone(p.ops), clone(p.ops)
			w.call(w.fam.rows[0].fn, want)
			w.call(r.fn, got)
			require.NoError(t, p.compare(want, got))
		})
	}
}

func (w walk[F]) bench(b *testing.B) {
	for _, r := range w.fam.rows {
		typ := w.fam.typ
		if typ == "" {
			typ = "F32"
		}
		b.Run(fmt.Sprintf("op=%s/type=%s/isa=%s/n=%d", w.fam.op, typ, r.isa.name, w.size), func(b *testing.B) {
			available(b, r.isa)
			p := w.problem(rand.New(rand.NewPCG(1, 2)), w.size)
			b.SetBytes(int64(p.bytes))
			b.ReportAllocs()
			for b.Loop() {
				w.call(r.fn, p.ops)
			}
		})
	}
}

func clone(ops []operand) []operand {
	out := make([]operand, len(ops))
	for i, o := range ops {
		out[i] = operand{bytes.Clone(o.data), o.out}
	}
	return out
}

// An arena is memory for operands, one region each.
type arena struct {
	regions [][]byte
	guarded bool
}

const (
	regionSize = 1 << 20
	canary     = 0xA5
)

var theArena *arena

// newArena returns the arena, which lives as long as the process.
func newArena(t *testing.T) *arena {
	if theArena == nil {
		theArena = &arena{guarded: true}
		for range 8 {
			region, err := guarded(regionSize)
			if err != nil {
				theArena.guarded = false
				region = make([]byte, regionSize)
			}
			theArena.regions = append(theArena.regions, region)
		}
	}
	if !theArena.guarded {
		t.Log("operands do not end at unreadable memory: none on this system")
	}
	return theArena
}

func (a *arena) atStart(int, operand) int   { return 0 }
func (a *arena) atEnd(i int, o operand) int { return len(a.regions[i]) - len(o.data) }

// beside returns the bytes of region i next to an operand that lies from at to
// end, 256 on each side as far as there are.
func (a *arena) beside(i, at, end int) [2][]byte {
	region := a.regions[i]
	return [2][]byte{region[max(0, at-256):at], region[end:min(len(region), end+256)]}
}

// place copies the operands to where at says, operand i into region i, and
// marks the bytes around them.
func (a *arena) place(t *testing.T, ops []operand, at func(i int, o operand) int) []operand {
	placed := make([]operand, len(ops))
	for i, o := range ops {
		region, p := a.regions[i], at(i, o)
		require.LessOrEqual(t, p+len(o.data), len(region), "operand %d is too long for the arena", i)
		for _, s := range a.beside(i, p, p+len(o.data)) {
			for j := range s {
				s[j] = canary
			}
		}
		placed[i] = operand{region[p : p+len(o.data)], o.out}
		copy(placed[i].data, o.data)
	}
	return placed
}

// intact checks that inputs are unchanged and nothing around the operands was
// written.
func (a *arena) intact(t *testing.T, before, after []operand) {
	t.Helper()
	for i, o := range after {
		if !o.out && !bytes.Equal(before[i].data, o.data) {
			t.Fatalf("input %d was written to", i)
		}
		if len(o.data) == 0 {
			continue
		}
		p := int(uintptr(unsafe.Pointer(&o.data[0])) - uintptr(unsafe.Pointer(&a.regions[i][0])))
		for side, s := range a.beside(i, p, p+len(o.data)) {
			for j, b := range s {
				if b != canary {
					t.Fatalf("operand %d of %d bytes: byte %d of the %d %s it was written to",
						i, len(o.data), j, len(s), [2]string{"before", "behind"}[side])
				}
			}
		}
	}
}

// run calls f and turns a fault into a failure.
func (a *arena) run(t *testing.T, what string, f func()) {
	t.Helper()
	if fault := caught(f); fault != nil {
		t.Fatalf("%s: %v", what, fault)
	}
}

// caught calls f and returns what it panics with, memory faults included.
func caught(f func()) (fault any) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { fault = recover() }()
	f()
	return nil
}

func TestWalk(t *testing.T) {
	walked := map[string]bool{}
	for _, w := range walks() {
		walked[w.name()] = true
		t.Run(w.name(), w.test)
	}
	for _, f := range families {
		name := f.list()[0].Family
		require.True(t, walked[name], "family %s is not part of the walk", name)
	}
}

func TestFault(t *testing.T) {
	for _, w := range walks() {
		t.Run(w.name(), w.fault)
	}
}

func BenchmarkKernels(b *testing.B) {
	for _, w := range walks() {
		w.bench(b)
	}
}
