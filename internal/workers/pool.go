package workers

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/cpu"
)

// Pool is a fixed number of workers: the goroutine that calls Run and n-1 of the pool's own.
// All methods may be called from several goroutines at once.
type Pool struct {
	mu      sync.Mutex // held by Run and Close
	stopped sync.WaitGroup
	helpers []gate // of workers 1, 2, …
	caller  gate   // of worker 0

	// The job. Written by Run before it raises the shares' todo; read only by goroutines that hold a tile, and Run does
	// not return before every tile is given back.
	fn     func(tile, worker int)
	shares []share // by worker

	failure atomic.Pointer[failure] // the first of the job
	spin    atomic.Bool             // whether waiting goroutines may spin
	closed  atomic.Bool

	// Written by all workers, so it has a cache line of its own (and the neighbour that the prefetcher takes along).
	_    [2]cpu.CacheLinePad
	left atomic.Int64 // tiles that are not done
	_    [2]cpu.CacheLinePad
}

// share is a run of neighbouring tiles that one worker takes from the first to the last. Weights lie in the order of tiles, so
// each worker reads memory in one stream, and what is fetched ahead at the end of a tile is what the same core needs next.
// Workers that have come to the end of their share take tiles from those of others.
type share struct {
	end  int          // number of the tile behind the last
	todo atomic.Int64 // tiles that nobody has taken; negative when workers have asked in vain
	_    [2]cpu.CacheLinePad
}

// FaultError says that a tile read or wrote memory that could not be accessed, such as a page of a mapping
// that lies beyond the present end of its file.
type FaultError struct {
	Addr uintptr // the address of the access
}

func (e *FaultError) Error() string { return fmt.Sprintf("memory fault at address %#x", e.Addr) }

// PanicError is the value with which Run panics when a tile has panicked.
type PanicError struct {
	Value any    // what the tile panicked with
	Stack []byte // the stack of the goroutine that ran the tile, as text
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("panic in a worker: %v\n\n%s", e.Value, e.Stack)
}

// Unwrap returns Value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// errGoexit stands for the panic value of a tile that ended its goroutine without a panic. The pool then has one goroutine less.
var errGoexit = errors.New("a tile called runtime.Goexit")

// failure is how a job ended that was not completed: one of the two is set.
type failure struct {
	fault *FaultError
	panic *PanicError
}

// New starts a pool of n workers, of which the caller of Run is one. It panics if n < 1.
// Close must be called to end the goroutines.
//
// Workers that wait call idle, which may be nil, over and over again as long as it returns true, at any time and from
// several goroutines at once. It should return within a microsecond.
func New(n int, idle func(worker int) bool) *Pool {
	if n < 1 {
		panic(fmt.Sprintf("workers: a pool of %d workers", n))
	}
	p := &Pool{helpers: make([]gate, n-1), shares: make([]share, n)}
	if idle == nil {
		idle = func(int) bool { return false }
	}
	p.caller.init(func() bool { return p.left.Load() == 0 }, func() bool { return idle(0) })
	p.stopped.Add(n - 1)
	for i := range p.helpers {
		p.helpers[i].init(p.wanted, func() bool { return idle(i + 1) })
		go p.help(i + 1)
	}
	return p
}

// Workers returns the number of workers: the second argument of a tile function is always less.
func (p *Pool) Workers() int { return len(p.helpers) + 1 }

// Share returns the tiles that a worker begins with, from up to to (exclusive), when all there are are as many as tiles.
// The caller of Run, worker 0, always has one.
func (p *Pool) Share(worker, tiles int) (from, to int) {
	n := p.Workers()
	return (worker*tiles + n - 1) / n, ((worker+1)*tiles + n - 1) / n
}

// Run calls fn(tile, worker) once for each tile in [0, tiles) and returns when all calls have returned. Calls with the same worker
// number never overlap. Each worker takes neighbouring tiles in ascending order, as long as there are any. Run allocates nothing if
// fn is a value made beforehand.
//
// If a tile faults, the tiles that have not begun are dropped and Run returns a *FaultError. If a tile panics otherwise, they are dropped
// too and Run panics with a *PanicError. The pool can be used again in both cases.
//
// Calls from several goroutines wait for one another, so fn must not call Run of the same pool. Run panics after Close.
func (p *Pool) Run(tiles int, fn func(tile, worker int)) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Load() {
		panic("workers: Run after Close")
	}
	if tiles <= 0 {
		return nil
	}

	// Deferred, because a tile may end this goroutine (runtime.Goexit, as testing.T.FailNow does) while others still run.
	exiting := true
	defer func() {
		p.caller.wait(&p.spin)
		p.fn = nil
		switch f := p.failure.Swap(nil); {
		case f == nil || exiting:
		case f.fault != nil:
			err = f.fault
		default:
			panic(f.panic)
		}
	}()

	p.fn = fn
	p.spin.Store(runtime.GOMAXPROCS(0) > len(p.helpers) && runtime.NumCPU() > len(p.helpers))
	p.left.Store(int64(tiles))
	for w := range p.shares {
		if from, to := p.Share(w, tiles); to > from {
			p.shares[w].end = to
			p.shares[w].todo.Store(int64(to - from))
		}
	}
	// Only now, because whoever is woken may find his own share taken by one who came late from the last job, and then
	// must see all the others.
	for w := range p.helpers {
		if from, to := p.Share(w+1, tiles); to > from {
			p.helpers[w].wake()
		}
	}

	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	p.work(0)
	exiting = false
	return nil
}

// Close ends the goroutines of the pool and returns when they have ended. It waits for a Run in progress.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed.Store(true)
	for i := range p.helpers {
		p.helpers[i].wake()
	}
	p.stopped.Wait()
}

// help is the life of one of the pool's own workers.
func (p *Pool) help(worker int) {
	defer p.stopped.Done()
	debug.SetPanicOnFault(true)
	for !p.closed.Load() {
		p.work(worker)
		p.helpers[worker-1].wait(&p.spin)
	}
}

// wanted reports whether the pool's own workers have a reason to be awake.
func (p *Pool) wanted() bool {
	for w := range p.shares {
		if p.shares[w].todo.Load() > 0 {
			return true
		}
	}
	return p.closed.Load()
}

// work runs tiles as long as there are any. It recovers panics.
func (p *Pool) work(worker int) {
	taken := int64(0) // not yet subtracted from left
	completed := false
	defer func() {
		if !completed {
			p.fail(recover())
			for w := range p.shares {
				taken += max(0, p.shares[w].todo.Swap(0)) // this goroutine answers for the dropped tiles
			}
		}
		if taken > 0 && p.left.Add(-taken) == 0 {
			p.caller.wake()
		}
	}()
	// A worker that comes late, when the job it was woken for is done and perhaps the next one has begun, takes part in the next one:
	// a tile always belongs to the job that is current, and holding it keeps that job current.
	for i := range p.shares {
		s := &p.shares[(worker+i)%len(p.shares)]
		for s.todo.Load() > 0 { // so that asking in vain writes nothing
			n := s.todo.Add(-1)
			if n < 0 {
				break
			}
			taken++
			p.fn(s.end-1-int(n), worker)
		}
	}
	completed = true
}

// fail records why a tile did not return. Only the first failure of a job counts.
func (p *Pool) fail(value any) {
	f := new(failure)
	switch v := value.(type) {
	case interface { // what the runtime panics with under SetPanicOnFault; a nil dereference has no Addr
		runtime.Error
		Addr() uintptr
	}:
		f.fault = &FaultError{Addr: v.Addr()}
	case nil:
		f.panic = &PanicError{Value: errGoexit, Stack: debug.Stack()}
	default:
		f.panic = &PanicError{Value: v, Stack: debug.Stack()}
	}
	p.failure.CompareAndSwap(nil, f)
}
