package sysmem

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

var host = system{os.DirFS("/")}

func limit() int64 {
	if n := host.memory(); n < math.MaxInt64 {
		return n
	}
	return Unknown
}

func cpus() int {
	n := host.cpus()
	var set unix.CPUSet
	// The mask may have changed since the process started, which is when runtime.NumCPU looked. It fails with more than 1024 processors.
	if unix.SchedGetaffinity(0, &set) == nil && set.Count() > 0 {
		n = min(n, set.Count())
	}
	return n
}

func resident() Usage { return host.resident(int64(os.Getpagesize())) }

func inMemory(dir string) bool {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return false
	}
	return uint32(st.Type) == unix.TMPFS_MAGIC || uint32(st.Type) == unix.RAMFS_MAGIC
}
