// Package workers runs the tiles of one operation on a fixed set of goroutines and waits for all of them.
//
// One token of a decoder is several hundred operations, each a few tens of microseconds to a few milliseconds long, and
// each must end before the next begins. The barrier between them therefore has to cost microseconds at most, and nothing
// may be allocated for it. A [Pool] reaches this in three ways:
//
//   - Every worker has a run of neighbouring tiles of its own, handed out by an atomic counter, and takes from the others'
//     when it has come to its end. A goroutine that comes late finds nothing left and delays nobody: [Pool.Run] waits for
//     tiles, not for goroutines. So a core that another process keeps busy costs its share of the work and no more.
//   - Who waits, spins for some tens of microseconds with the processor's pause instruction, so that the next operation
//     of the same token finds everybody awake, and then sleeps until it is woken.
//   - Nobody spins when there are fewer cores (or a smaller GOMAXPROCS) than workers: the spinning would only take the
//     time of the goroutine that it waits for.
//
// Which goroutine runs a tile differs from run to run. Results stay the same bits for every number of workers if a tile's
// result depends on the tile alone; the worker's number is only for choosing scratch memory.
//
// Tiles read memory-mapped files, and reading a page that the file has lost (it was truncated, or its disk failed) is a fault
// that would normally end the process. Run turns it into a [*FaultError]. Every other panic is raised again in the goroutine
// that called Run, as a [*PanicError] that holds the stack of the goroutine where it happened.
package workers
