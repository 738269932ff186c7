//go:build !linux

package main

// forgetCached does nothing: the system has no way to ask for it.
func forgetCached(path string) error { return nil }
