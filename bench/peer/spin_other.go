//go:build !linux

package main

// pinToOneCore does nothing where a thread cannot be bound to a core.
func pinToOneCore() {}
