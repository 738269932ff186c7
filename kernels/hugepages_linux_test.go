package kernels

import "syscall"

// hugePages asks for large pages, as package loader does for weights.
func hugePages(b []byte) { _ = syscall.Madvise(b, syscall.MADV_HUGEPAGE) }
