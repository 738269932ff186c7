package sysmem

import "runtime"

// Unknown is what Limit returns where the system does not tell.
const Unknown = 2 << 30

// Usage is the part of the process's memory that is in RAM.
type Usage struct {
	Anonymous int64 // heap, stacks, read buffers: goes away only when the process frees it
	File      int64 // mapped files and shared memory
}

// Total is the sum of both parts.
func (u Usage) Total() int64 { return u.Anonymous + u.File }

// Limit returns how many bytes the process could take at this moment without pushing anything but cached file pages out of memory.
// What it holds already is not part of them.
func Limit() int64 { return limit() }

// CPUs returns on how many processors the process may run at the same time: at least 1.
func CPUs() int { return max(1, min(runtime.NumCPU(), cpus())) }

// Resident returns what the process holds at this moment.
func Resident() Usage { return resident() }
