//go:build !linux && !darwin && !windows

package sysmem

import "runtime"

func limit() int64    { return Unknown }
func cpus() int       { return runtime.NumCPU() }
func resident() Usage { return Usage{} }
