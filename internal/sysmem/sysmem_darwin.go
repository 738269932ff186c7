package sysmem

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

func limit() int64 {
	pages := int64(0)
	for _, name := range []string{
		"vm.page_free_count",
		"vm.page_speculative_count",
		"vm.page_purgeable_count",
		"vm.page_pageable_external_count", // of files
	} {
		n, err := unix.SysctlUint32(name)
		if err != nil {
			return half()
		}
		pages += int64(n)
	}
	return pages * int64(os.Getpagesize())
}

// half returns half of the physical memory.
func half() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return Unknown
	}
	return int64(n / 2)
}

func cpus() int { return runtime.NumCPU() }

func resident() Usage {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return Usage{}
	}
	return Usage{Anonymous: r.Maxrss} // in bytes on this system
}
