package loader

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// populate pages b in, with large reads where the kernel can be asked for them
// (MADV_POPULATE_READ, Linux 5.14), one page fault after the other elsewhere.
func populate(b []byte) {
	if len(b) == 0 {
		return
	}
	// madvise wants whole pages. The mapping begins and ends on a page border,
	// so widening b to page borders stays inside it.
	page := uintptr(os.Getpagesize())
	p := unsafe.Pointer(unsafe.SliceData(b))
	head := uintptr(p) % page
	size := (head + uintptr(len(b)) + page - 1) / page * page
	whole := unsafe.Slice((*byte)(unsafe.Add(p, -int(head))), size)
	if unix.Madvise(whole, unix.MADV_POPULATE_READ) != nil {
		_ = unix.Madvise(whole, unix.MADV_WILLNEED) // advice only: touch finds out what is wrong
		touch(b)
	}
}

// hugePages asks for a mapped file in pages of 2 MiB. The kernel gives them to
// what it has yet to read, in file systems that can (ext4, XFS, Btrfs); they stay in
// the page cache, for all processes. Then the processor translates an address
// for every 2 MiB of weights instead of every 4 KiB, where it also stops
// fetching ahead. Advice only: kernels without huge pages refuse it.
func hugePages(mapped []byte) {
	if unix.Madvise(mapped, unix.MADV_HUGEPAGE) == nil {
		// Each page is read when it is touched: what is read ahead of that
		// comes in small pages.
		_ = unix.Madvise(mapped, unix.MADV_RANDOM)
	}
}
