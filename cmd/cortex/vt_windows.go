package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// understandsEscapes switches the console's escape sequences on and reports
// whether it has any.
func understandsEscapes(f *os.File) bool {
	h := windows.Handle(f.Fd())
	var mode uint32
	if windows.GetConsoleMode(h, &mode) != nil {
		return false
	}
	return windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
