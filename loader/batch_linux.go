//go:build linux && (amd64 || arm64)

package loader

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch makes many reads past the page cache with one call of the system, io_submit(2), and waits for any of
// them with another. A goroutine for each would have a thread that waits, and when it is woken would wait for one of the
// runtime's processors, all of which multiply.
//
// Its methods are for one goroutine at a time.
type batch struct {
	context uintptr
	blocks  []controlBlock // by tag
	added   []*controlBlock
	events  []event
}

// controlBlock is struct iocb of linux/aio_abi.h on a little-endian machine.
type controlBlock struct {
	tag    uint64
	_      uint64
	opcode uint16
	_      int16
	file   uint32
	memory uintptr // outside of Go's heap
	bytes  uint64
	offset int64
	_      uint64
	_      uint64
}

// opRead is IOCB_CMD_PREAD.
const opRead = 0

// event is struct io_event.
type event struct {
	tag    uint64
	_      uint64
	result int64
	_      int64
}

// newBatch returns a batch of at most depth reads at once, or nil where the system refuses.
func newBatch(depth int) *batch {
	b := &batch{}
	if _, _, e := unix.Syscall(unix.SYS_IO_SETUP, uintptr(depth), uintptr(unsafe.Pointer(&b.context)), 0); e != 0 {
		return nil
	}
	b.blocks, b.added, b.events = make([]controlBlock, depth), make([]*controlBlock, 0, depth), make([]event, depth)
	// A sandbox may refuse any of the calls.
	_, _, e1 := unix.Syscall(unix.SYS_IO_SUBMIT, b.context, 0, 0)
	_, _, e2 := unix.Syscall6(unix.SYS_IO_GETEVENTS, b.context, 0, 1, uintptr(unsafe.Pointer(&b.events[0])), 0, 0)
	if e1 != 0 || e2 != 0 {
		b.close()
		return nil
	}
	return b
}

// add adds a read of mem, which lies outside of Go's heap, from offset on. tag, less than depth, is that of no other read.
func (b *batch) add(tag int, f *os.File, mem []byte, offset int64) {
	c := &b.blocks[tag]
	*c = controlBlock{tag: uint64(tag), opcode: opRead, file: uint32(f.Fd()), memory: uintptr(unsafe.Pointer(unsafe.SliceData(mem))),
		bytes: uint64(len(mem)), offset: offset}
	b.added = append(b.added, c)
}

// submit begins the reads that have been added and calls refused with the tags of those that the system does not take.
func (b *batch) submit(refused func(tag int)) {
	for list := b.added; len(list) > 0; {
		n, _, e := unix.Syscall(unix.SYS_IO_SUBMIT, b.context, uintptr(len(list)), uintptr(unsafe.Pointer(unsafe.SliceData(list))))
		if e != 0 {
			refused(int(list[0].tag))
			n = 1
		}
		list = list[n:]
	}
	b.added = b.added[:0]
}

// wait waits until at least least reads have ended, and returns all that have. They are valid until the next call.
func (b *batch) wait(least int) []event {
	for {
		n, _, e := unix.Syscall6(unix.SYS_IO_GETEVENTS, b.context, uintptr(least), uintptr(len(b.events)), uintptr(unsafe.Pointer(&b.events[0])), 0, 0)
		if e == 0 { // all that can happen is that a signal interrupts it
			return b.events[:n]
		}
	}
}

// bytes returns how many bytes were read, 0 if none could be.
func (e *event) bytes() int { return int(max(0, e.result)) }

// close waits for all reads and frees what the system has for them.
func (b *batch) close() { _, _, _ = unix.Syscall(unix.SYS_IO_DESTROY, b.context, 0, 0) }
