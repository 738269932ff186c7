//go:build linux && amd64

package kernels

import "syscall"

// amxPermitted asks the kernel to let this process use tile data, which are so
// large that they are saved only for who asks. It holds for all threads.
func amxPermitted() bool {
	const (
		archReqXCompPerm = 0x1023
		xfeatureTileData = 18
	)
	_, _, errno := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, archReqXCompPerm, xfeatureTileData, 0)
	return errno == 0
}
