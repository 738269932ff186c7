package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cortexsdr/cortex/loader"
)

// diskBytes are read at a time.
const diskBytes = 256 << 20

// diskRate reads so many bytes of a file past the page cache, from a place on, and returns the bytes per second.
func diskRate(f *os.File, from, bytes int64, request, readers int) (float64, error) {
	buf, err := loader.NewBuffer(int64(request) * int64(readers))
	if err != nil {
		return 0, err
	}
	defer buf.Close()
	buf.HugePages()
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, readers)
	pieces := make([][]byte, readers)
	for i := range pieces {
		pieces[i] = loader.Take[byte](buf, request)
		clear(pieces[i]) // the first touch of memory takes time
	}
	start := time.Now()
	for i := range readers {
		wg.Go(func() {
			for at := next.Add(int64(request)) - int64(request); at < bytes && errs[i] == nil; at = next.Add(int64(request)) - int64(request) {
				_, errs[i] = f.ReadAt(pieces[i], from+at)
			}
		})
	}
	wg.Wait()
	return float64(bytes) / time.Since(start).Seconds(), errors.Join(errs...)
}

func disk(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("disk", flag.ContinueOnError)
	runs := fs.Int("r", 5, "runs `N`, of which the median counts")
	if err := fs.Parse(args); err != nil {
		return err
	}
	f, err := openDirect(fs.Arg(0))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < 2*diskBytes {
		return fmt.Errorf("%s is too small", fs.Arg(0))
	}
	requests, readers := []int{256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20}, []int{1, 2, 4, 8}
	rates := map[[2]int][]float64{}
	from := int64(0)
	for range *runs { // one after the other, as the disk changes with time
		for _, q := range requests {
			for _, n := range readers {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				rate, err := diskRate(f, from, diskBytes, q, n)
				if err != nil {
					return err
				}
				rates[[2]int{q, n}] = append(rates[[2]int{q, n}], rate)
				if from += diskBytes; from+diskBytes > info.Size() {
					from = 0
				}
			}
		}
	}
	fmt.Println("GB/s, median (least to most); columns are requests in flight")
	fmt.Printf("%-8s", "request")
	for _, n := range readers {
		fmt.Printf("%20d", n)
	}
	fmt.Println()
	for _, q := range requests {
		fmt.Printf("%-8s", fmt.Sprintf("%dK", q>>10))
		for _, n := range readers {
			r := slices.Sorted(slices.Values(rates[[2]int{q, n}]))
			fmt.Printf("%20s", fmt.Sprintf("%.2f (%.2f-%.2f)", r[len(r)/2]/1e9, r[0]/1e9, r[len(r)-1]/1e9))
		}
		fmt.Println()
	}
	return nil
}
