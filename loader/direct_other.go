//go:build !linux && !darwin && !windows

package loader

import "os"

// setDirect reports whether reads past the page cache can be switched: they
// cannot, for a file that is open already.
func setDirect(f *os.File, on bool) bool { return !on }

func reopenDirect(*os.File) *os.File { return nil }
func refusesDirect(error) bool       { return false }

// forgetCache and forget do nothing: the system has no way to ask for it.
func forgetCache(f *os.File, offset, size int64)   {}
func forget(f *os.File, mapped []byte, from int64) {}
