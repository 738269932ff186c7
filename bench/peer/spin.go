package main

import (
	"io"
	"os"
	"runtime"
)

// spin keeps one core busy until stdin ends, which is when the program that started
// this one stops it or dies.
func spin() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	runtime.LockOSThread()
	pinToOneCore()
	for x := uint64(1); ; {
		for range 1 << 16 {
			x = x*6364136223846793005 + 1442695040888963407
		}
		runtime.KeepAlive(x)
	}
}
