//go:build !linux && amd64

package kernels

// amxPermitted tells whether the system lets programs use tiles. How to ask is
// known for Linux only.
func amxPermitted() bool { return false }
