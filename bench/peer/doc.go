// Command peer measures cortex against llama.cpp, on the same model file, with the
// same threads and the same work.
//
//	go run ./bench/peer -m model.gguf -t 2
//
// The two engines run alternately, each in a process of its own that opens the model,
// reads one prompt that does not count, and then does one test: llama.cpp through the
// program that install.sh builds, cortex through this program itself, which
// uses nothing but the public interface of package cortex. Two processes that follow
// each other are a pair. Speeds are medians over the pairs, with the smallest and the
// largest; the ratio is the median of the pairs' own ratios, so that a machine that gets
// slower meanwhile does not favour either side.
//
// Tests have llama-bench's names: pp512 is a prompt of 512 random tokens, tg128 is 128
// tokens generated one by one, tg64@4096 is 64 tokens behind 4096 others.
//
// Speeds are in tokens per second, times in seconds, memory in bytes unless a unit is
// given. Peak memory is what the operating system says of the ended process; it
// includes the mapped file.
package main
