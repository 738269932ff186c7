package main

import (
	"math/bits"
	"syscall"
	"unsafe"
)

// pinToOneCore binds the thread to the first of the cores that it may use, so that the
// scheduler cannot move it out of the way of others.
func pinToOneCore() {
	var mask [16]uint64
	size := unsafe.Sizeof(mask)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, size, uintptr(unsafe.Pointer(&mask))); errno != 0 {
		return // a busy process that may be moved is still one
	}
	first := true
	for i, word := range mask {
		mask[i] = 0
		if first && word != 0 {
			mask[i], first = 1<<bits.TrailingZeros64(word), false
		}
	}
	_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, size, uintptr(unsafe.Pointer(&mask)))
}
