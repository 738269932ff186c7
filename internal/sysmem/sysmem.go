package sysmem

import (
	"errors"
	"os"
	"runtime"
)

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

// InMemory reports whether the files of a directory lie in memory and count as such, as those of Linux's tmpfs do. It is false
// where that cannot be told.
func InMemory(dir string) bool { return inMemory(dir) }

// OnDisk returns the first of some directories that takes files and does not lie in memory, or the first of all if there is none.
func OnDisk(dirs ...string) string {
	for _, dir := range dirs {
		if !InMemory(dir) && takesFiles(dir) {
			return dir
		}
	}
	return dirs[0]
}

func takesFiles(dir string) bool {
	f, err := os.CreateTemp(dir, "cortex-*")
	if err != nil {
		return false
	}
	return errors.Join(f.Close(), os.Remove(f.Name())) == nil
}
