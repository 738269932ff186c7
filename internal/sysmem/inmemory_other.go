//go:build !linux

package sysmem

func inMemory(string) bool { return false }
