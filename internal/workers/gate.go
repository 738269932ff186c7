package workers

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/cpu"
)

const (
	// spinFor is how long a waiting goroutine spins before it sleeps: longer than what lies between two operations of a token, and
	// about what falling asleep and being woken costs, so that waiting in vain at most doubles that cost.
	spinFor = 30 * time.Microsecond
	// spinPolls is the number of polls between two looks at the clock, each of which costs as much as several polls.
	spinPolls = 16
)

// gate is where one goroutine waits. Others wake it after they have changed what it waits for.
type gate struct {
	ready  func() bool   // what it waits for
	idle   func() bool   // what it does meanwhile, until false
	asleep atomic.Bool   // set with Swap alone: emulators of arm64 on amd64 let a load pass a store before it, of atomics too
	token  chan struct{} // one for each change of asleep from true to false that was made by wake
	_      [2]cpu.CacheLinePad
}

func (g *gate) init(ready, idle func() bool) {
	g.ready, g.idle, g.token = ready, idle, make(chan struct{}, 1)
}

// wait returns when what the goroutine waits for holds.
func (g *gate) wait(spin *atomic.Bool) {
	for !g.ready() {
		if spin.Load() && g.spin() {
			return
		}
		g.asleep.Swap(true)
		// What was awaited may have come between the last look and the Swap, and then nobody saw a sleeper to wake.
		// If a waker did see one, its token must be taken.
		if g.ready() && g.asleep.CompareAndSwap(true, false) {
			return
		}
		<-g.token
	}
}

// wake wakes the goroutine if it sleeps. The token may reach it late, when it waits for something else: wait looks again.
func (g *gate) wake() {
	if g.asleep.Swap(false) {
		g.token <- struct{}{}
	}
}

// spin polls for a while and reports whether what was waited for held in the end.
func (g *gate) spin() bool {
	for start := time.Now(); time.Since(start) < spinFor; {
		for range spinPolls {
			if g.ready() {
				return true
			}
			if !g.idle() {
				pause()
			}
		}
	}
	return false
}
