//go:build !linux || !(amd64 || arm64)

package loader

import "os"

// batch is for systems that make many reads with one call.
type batch struct{}

type event struct{ tag uint64 }

func newBatch(int) *batch { return nil }

func (*batch) add(int, *os.File, []byte, int64) {}

func (*batch) submit(func(tag int)) {}

func (*batch) wait(int) []event { return nil }

func (*event) bytes() int { return 0 }

func (*batch) close() {}
