package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
)

// peerRun is what the oracle prints.
type peerRun struct {
	Peer string    `json:"peer"`
	Gen  []float64 `json:"tg_tokens_per_second"`
}

// peer compares plain decoding with that of llama.cpp under a limit. Its weights are mapped and left in the layout of the file: any other
// setting needs more memory than the file, and is killed.
func peer(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("peer", flag.ContinueOnError)
	limitText := fs.String("limit", "3GB", "`SIZE` of memory for either")
	pairs := fs.Int("pairs", 3, "pairs `N`")
	tokens := fs.Int("n", 16, "tokens `N` of cortex")
	peerTokens := fs.Int("peer-n", 8, "tokens `N` of the peer")
	length := fs.Int("c", 512, "context of `N` tokens")
	threads := fs.Int("t", runtime.NumCPU(), "threads `N` of each")
	oracle := fs.String("oracle", os.Getenv("CORTEX_PEER"), "`PATH` of the peer's program, which bench/peer/install.sh makes")
	if err := fs.Parse(args); err != nil {
		return err
	}
	limit, err := parseSize(*limitText)
	switch {
	case err != nil:
		return err
	case fs.NArg() != 1:
		return errors.New("want one model")
	case *oracle == "":
		return errors.New("-oracle names the peer's program")
	}
	model := fs.Arg(0)
	info, err := os.Stat(model)
	if err != nil {
		return err
	}
	f, err := openDirect(model)
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Printf("%s, %s, limit %s\n", filepath.Base(model), size(info.Size()), size(limit))
	fmt.Println("disk GB/s | peer tokens/s | cortex tokens/s | ratio | streamed per token / (weights - pinned) | streamed GB/s / disk | forecast / measured | peak")
	var ratios []float64
	for range *pairs {
		rate, err := diskRate(f, 0, min(info.Size(), 1<<30)/(8<<20)*(8<<20), 2<<20, 4)
		if err != nil {
			return err
		}
		p, err := runPeer(ctx, *oracle, model, limit, *threads, *peerTokens)
		if err != nil {
			return err
		}
		if err := dropCache(model); err != nil {
			return err
		}
		d, o, err := job{Model: model, Limit: limit, Context: *length, Threads: *threads, Gen: *tokens, Speculate: -1}.start(ctx, limit)
		if err = errors.Join(err, o.err); err != nil {
			return err
		}
		if d.Refused > 0 {
			return fmt.Errorf("cortex asks for %s", size(d.Refused))
		}
		ratio := 1 / d.Token / p
		ratios = append(ratios, ratio)
		rest := max(1, d.Plan.BytesPerToken-d.Plan.PinnedBytes) // the file but for the table of tokens, of which one row is read
		fmt.Printf("%.2f | %.3f | %.3f | %.2f | %.3f | %.2f | %.2f | %s\n", rate/1e9, p, 1/d.Token, ratio,
			float64(d.Streamed)/float64(rest), d.DiskRate/rate, d.Forecast/d.Token, size(o.peak))
	}
	slices.Sort(ratios)
	fmt.Printf("median ratio %.2f\n", ratios[len(ratios)/2])
	return nil
}

// runPeer returns the peer's tokens per second.
func runPeer(ctx context.Context, oracle, model string, limit int64, threads, tokens int) (float64, error) {
	if err := dropCache(model); err != nil {
		return 0, err
	}
	var r peerRun
	o, err := in(ctx, limit, &r, oracle, "bench", model, "--no-repack", "-p", "0", "-n", strconv.Itoa(tokens), "-r", "1", "-t", strconv.Itoa(threads))
	switch {
	case err != nil:
		return 0, err
	case o.killed:
		return 0, errors.New("the peer was killed")
	case o.err != nil:
		return 0, fmt.Errorf("the peer: %w", o.err)
	case len(r.Gen) == 0:
		return 0, errors.New("the peer measured nothing")
	}
	return r.Gen[0], nil
}
