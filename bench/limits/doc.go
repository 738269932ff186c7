// Limits checks, on Linux, what cortex promises about memory, with the kernel as the judge: child processes run in a memory
// cgroup, whose highest charge counts. It must be able to make cgroups (version 1 or 2), so usually it must be root.
//
//	go run ./bench/limits soak -n 50 -seed 1 models/*.gguf
//	go run ./bench/limits peer -limit 3GB -pairs 3 -oracle PATH model.gguf
//	go run ./bench/limits disk model.gguf
//
// soak runs random combinations of model, limit, context, batch, type of KV cache and threads. The highest charge must not be above the
// limit, nothing may be killed, and a limit that is too small must be refused with one that works.
//
// peer runs llama.cpp (see bench/peer) and cortex alternately under the same limit, each after the model's file has been dropped from
// the page cache, and measures the disk before every pair.
//
// disk reads a file past the page cache with requests of several sizes, several of them in flight.
package main
