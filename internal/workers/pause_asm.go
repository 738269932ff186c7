//go:build amd64 || arm64

package workers

// pause tells the processor that this is a spinning loop: it takes some tens of cycles, saves power and leaves the core's
// resources to the other hardware thread.
//
//go:noescape
func pause()
