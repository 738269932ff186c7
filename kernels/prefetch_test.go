package kernels

import (
	"os"
	"testing"
	"unsafe"
)

// Prefetching is only advice: it takes any length, and memory that cannot be read.
func TestPrefetch(t *testing.T) {
	b := make([]byte, 1000)
	for n := range len(b) {
		Prefetch(b[n:])
	}
	Prefetch(nil)
	region, err := guarded(os.Getpagesize())
	if err != nil {
		t.Skip("no unreadable memory on this system: ", err)
	}
	if fault := caught(func() { Prefetch(unsafe.Slice(&region[0], 2*len(region))) }); fault != nil {
		t.Fatal(fault)
	}
}
