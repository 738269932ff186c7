package plan

import (
	"math"
	"time"
)

// Rates are how fast a machine is. A rate of 0 is not known, and what it would say is left out.
type Rates struct {
	Disk   float64 // bytes per second read from the file, past the page cache
	Memory float64 // bytes per second of weights in memory that are multiplied with one vector
	Prompt float64 // tokens of a prompt per second, with all weights in memory
}

// Work is what a pass of the model has to do.
type Work struct {
	Tokens   int
	Streamed int64 // bytes read from the file, or that could be read in the time of smaller requests
	Weights  int64 // bytes of weights that are multiplied
	KV       int64 // bytes of keys and values that attention goes through
}

// Time returns how long the work takes, and how much of that time the disk and the processors are busy. Both
// work at the same time, since reading runs ahead, so the slower one decides. Where both take about as long they
// get into each other's way, however: reading takes processor time and bandwidth of memory, and now and then one
// waits for the other. The cubic mean comes close to what was measured for that (1.25 times the slower one if both
// are as slow, 1.01 times it if one is three times as slow as the other).
//
// Likewise, few tokens wait for weights to come from memory, and many for the processors.
func (r Rates) Time(w Work) (all, disk, compute time.Duration) {
	disk = seconds(w.Streamed, r.Disk)
	compute = max(seconds(w.Weights, r.Memory), seconds(int64(w.Tokens), r.Prompt)) + seconds(w.KV, r.Memory)
	d, c := disk.Seconds(), compute.Seconds()
	all = time.Duration(math.Cbrt(d*d*d+c*c*c) * float64(time.Second))
	return max(all, disk, compute), disk, compute
}

func seconds(n int64, rate float64) time.Duration {
	if rate <= 0 {
		return 0
	}
	return time.Duration(float64(n) / rate * float64(time.Second))
}
