//go:build !amd64 && !arm64

package workers

import "runtime"

// pause lets other goroutines run: there is no assembly for this architecture.
func pause() { runtime.Gosched() }
