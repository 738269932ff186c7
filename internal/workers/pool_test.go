package workers

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newPool returns a pool that is closed when the test ends.
func newPool(t testing.TB, n int) *Pool {
	p := New(n, nil)
	t.Cleanup(p.Close)
	return p
}

// sizes are pools of one worker, of as many as there are cores, and of many more.
func sizes() []int {
	return slices.Compact([]int{1, 2, max(2, runtime.NumCPU()), 4*runtime.NumCPU() + 3})
}

// checkRun runs a job and checks that every tile is run once, by a worker that does nothing else at that time.
func checkRun(t require.TestingT, p *Pool, tiles int) {
	runs := make([]int, max(0, tiles)) // not atomic: the race detector sees overlapping calls for a tile
	busy := make([]int, p.Workers())
	err := p.Run(tiles, func(tile, worker int) {
		busy[worker]++
		runs[tile]++
		busy[worker]--
	})
	require.NoError(t, err)
	for tile, n := range runs {
		require.Equal(t, 1, n, "runs of tile %d", tile)
	}
	require.Equal(t, make([]int, p.Workers()), busy)
}

func TestEveryTileOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := New(rapid.IntRange(1, 9).Draw(t, "workers"), nil)
		defer p.Close()
		for _, tiles := range rapid.SliceOfN(rapid.IntRange(-1, 300), 0, 20).Draw(t, "tiles") {
			checkRun(t, p, tiles)
		}
	})
}

func TestCallersAtOnce(t *testing.T) {
	for _, n := range sizes() {
		p := newPool(t, n)
		var callers sync.WaitGroup
		for range 5 {
			callers.Go(func() {
				for i := range 100 {
					checkRun(t, p, i)
				}
			})
		}
		callers.Wait()
	}
}

// Goroutines that sleep, that are falling asleep and that spin must all be reached.
func TestPausesBetweenRuns(t *testing.T) {
	for _, n := range sizes() {
		p := newPool(t, n)
		for i := range 200 {
			for start := time.Now(); time.Since(start) < time.Duration(i)*spinFor/100; {
				runtime.Gosched()
			}
			checkRun(t, p, 2*n)
		}
	}
}

func TestMoreWorkersThanCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	p := newPool(t, 8)
	for range 100 {
		checkRun(t, p, 20)
	}
	require.False(t, p.spin.Load(), "spinning with a GOMAXPROCS of 1")
	runtime.GOMAXPROCS(4 * runtime.NumCPU())
	q := newPool(t, runtime.NumCPU()+1)
	checkRun(t, q, 20)
	require.False(t, q.spin.Load(), "spinning with fewer cores than workers")
}

// All workers take part: each tile waits until as many tiles run as there are workers.
func TestAllWorkersRun(t *testing.T) {
	const n = 5
	p := newPool(t, n)
	for range 20 {
		meet := together(n)
		var seen [n]bool
		require.NoError(t, p.Run(n, func(_, worker int) {
			seen[worker] = true
			meet()
		}))
		require.Equal(t, [n]bool{true, true, true, true, true}, seen)
	}
}

func TestTilesAscend(t *testing.T) {
	p := newPool(t, 1)
	var order []int
	require.NoError(t, p.Run(5, func(tile, _ int) { order = append(order, tile) }))
	require.Equal(t, []int{0, 1, 2, 3, 4}, order)
}

// panicOf returns what f panics with.
func panicOf(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

func explode(value any) { panic(value) }

// together returns a function that returns when n goroutines are in it: called by each of the first n tiles, it gives each of n workers one.
func together(n int) func() {
	var inside sync.WaitGroup
	inside.Add(n)
	return func() {
		inside.Done()
		inside.Wait()
	}
}

// untaken returns the number of tiles that nobody has taken.
func (p *Pool) untaken() (n int64) {
	for i := range p.shares {
		n += max(0, p.shares[i].todo.Load())
	}
	return n
}

// failOne runs a job of many tiles in which every worker has one tile and worker bad calls fail in it. It returns what Run returns.
// The tiles that nobody has begun must be dropped.
func failOne(p *Pool, bad int, fail func()) error {
	meet := together(p.Workers())
	var begun atomic.Int32
	return p.Run(1000, func(_, worker int) {
		if int(begun.Add(1)) > p.Workers() {
			panic("a tile was begun after the failure")
		}
		meet()
		if worker == bad {
			fail()
		}
		for p.untaken() > 0 {
			runtime.Gosched()
		}
	})
}

func TestPanic(t *testing.T) {
	cause := errors.New("cause")
	for _, n := range sizes() {
		p := newPool(t, n)
		for bad := range n {
			value := panicOf(func() {
				_ = failOne(p, bad, func() { explode(fmt.Errorf("wrapped: %w", cause)) })
			})
			err, _ := value.(*PanicError)
			require.NotNil(t, err, "panic value: %v", value)
			require.ErrorIs(t, err, cause)
			require.Contains(t, string(err.Stack), "explode", "the stack of the place")
			require.Contains(t, err.Error(), "wrapped: cause")
			require.Contains(t, err.Error(), string(err.Stack))
			checkRun(t, p, 50)
		}
	}
}

// A nil pointer is a mistake of the program, not of a file.
func TestNilDereferenceIsNoFault(t *testing.T) {
	p := newPool(t, 2)
	value := panicOf(func() { _ = p.Run(1, func(int, int) { var x *int; *x = 1 }) })
	require.IsType(t, &PanicError{}, value)
	var fault runtime.Error
	require.ErrorAs(t, value.(error), &fault)
	require.Nil(t, (&PanicError{Value: "text"}).Unwrap())
}

func TestGoexit(t *testing.T) {
	// In a worker of the pool: Run must say so and not wait for ever.
	p := newPool(t, 3)
	value := panicOf(func() { _ = failOne(p, 1, runtime.Goexit) })
	require.IsType(t, &PanicError{}, value)
	require.ErrorIs(t, value.(error), errGoexit)
	checkRun(t, p, 50)

	// In the caller: its goroutine ends, and the pool stays usable.
	p = newPool(t, 3)
	var caller sync.WaitGroup
	caller.Go(func() {
		_ = failOne(p, 0, runtime.Goexit)
		t.Error("Run returned")
	})
	caller.Wait()
	checkRun(t, p, 50)
}

func TestSetPanicOnFaultIsRestored(t *testing.T) {
	p := newPool(t, 1)
	for _, before := range []bool{false, true} {
		debug.SetPanicOnFault(before)
		require.NoError(t, p.Run(1, func(int, int) {
			require.True(t, debug.SetPanicOnFault(true))
		}))
		require.Equal(t, before, debug.SetPanicOnFault(false))
	}
}

func TestClose(t *testing.T) {
	for _, n := range sizes() {
		p := New(n, nil)
		checkRun(t, p, 10)
		p.Close()
		p.Close()
		require.Panics(t, func() { _ = p.Run(1, func(int, int) {}) })
	}
	require.Panics(t, func() { New(0, nil) })
}

func TestRunDoesNotAllocate(t *testing.T) {
	for _, n := range sizes() {
		p := newPool(t, n)
		var sum atomic.Int64
		fn := func(tile, _ int) { sum.Add(int64(tile)) }
		run := func() { _ = p.Run(n, fn) }
		require.Zero(t, testing.AllocsPerRun(100, run))

		// AllocsPerRun lowers GOMAXPROCS to 1. The process may allocate a little of its own accord.
		const runs = 1000
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			run()
		}
		runtime.ReadMemStats(&after)
		require.Less(t, after.Mallocs-before.Mallocs, uint64(runs/10))
	}
}

// BenchmarkRun is the cost of the barrier: jobs of one empty tile per worker, one after the other, and with pauses in which
// the goroutines fall asleep.
func BenchmarkRun(b *testing.B) {
	fn := func(int, int) {}
	for _, n := range sizes() {
		b.Run(fmt.Sprintf("workers=%d", n), func(b *testing.B) {
			p := newPool(b, n)
			b.ReportAllocs()
			for b.Loop() {
				_ = p.Run(n, fn)
			}
		})
	}
	b.Run("asleep", func(b *testing.B) {
		p := newPool(b, runtime.NumCPU())
		b.ReportAllocs()
		var inside time.Duration
		for b.Loop() {
			time.Sleep(4 * spinFor)
			start := time.Now()
			_ = p.Run(p.Workers(), fn)
			inside += time.Since(start)
		}
		b.ReportMetric(float64(inside.Nanoseconds())/float64(b.N), "ns/run")
	})
}

// BenchmarkTiles is a job of many short tiles, each some microseconds of arithmetic.
func BenchmarkTiles(b *testing.B) {
	var sinks [64]struct {
		v uint64
		_ [56]byte
	}
	fn := func(tile, worker int) {
		x := uint64(tile)
		for range 2000 {
			x = x*6364136223846793005 + 1442695040888963407
		}
		sinks[worker%len(sinks)].v += x
	}
	for _, n := range sizes() {
		b.Run(fmt.Sprintf("workers=%d", n), func(b *testing.B) {
			p := newPool(b, n)
			b.ReportAllocs()
			for b.Loop() {
				_ = p.Run(64, fn)
			}
		})
	}
}

// Who waits does what idle says as long as there is something to do, and sees that its wait is over meanwhile.
func TestIdle(t *testing.T) {
	var g gate
	pieces := 0
	g.init(func() bool { return pieces == 5 }, func() bool { pieces++; return true })
	require.True(t, g.spin())
	require.Equal(t, 5, pieces)
	g.init(func() bool { return false }, func() bool { return false })
	require.False(t, g.spin())
}

// The shares are all tiles, in order, and the caller always has one.
func TestShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Pool{helpers: make([]gate, rapid.IntRange(0, 8).Draw(t, "helpers"))}
		tiles, next := rapid.IntRange(1, 100).Draw(t, "tiles"), 0
		for w := range p.Workers() {
			from, to := p.Share(w, tiles)
			require.Equal(t, next, from)
			require.GreaterOrEqual(t, to, from)
			require.LessOrEqual(t, to-from, tiles/p.Workers()+1)
			require.True(t, w > 0 || to > from)
			next = to
		}
		require.Equal(t, tiles, next)
	})
}
