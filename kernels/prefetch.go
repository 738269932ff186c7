//go:build amd64 || arm64

package kernels

// Prefetch asks for the cache lines of b, one for every 64 bytes from its first,
// to be brought into the second cache. It reads nothing, so b may lie in memory
// that cannot be accessed, and it is only advice: nothing ever depends on it.
//
//go:noescape
func Prefetch(b []byte)
