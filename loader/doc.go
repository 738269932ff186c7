// Package loader makes the right weight block resident at the right time.
//
// A [Source] is an opened model file: all its parts, mapped read-only. The
// executor names the blocks it will read, in the order of execution, as a list
// of [Extent]s, and then acquires and releases them by their index in that
// list. [Resident] serves them straight from the mapping (no copy, shared
// between processes); it is the right loader for a model that fits in memory. [Stream]
// serves a model that does not: it keeps some blocks and reads the others again and
// again, past the page cache, through a ring of buffers, ahead of their use.
//
// A mapped file can shrink or fail under the reader. The fault that follows is
// turned into an [Error] by [Source.Fault] or [Protect], never into a crash.
//
// All offsets and sizes are in bytes.
package loader
