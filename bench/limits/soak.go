package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"

	"github.com/cortexsdr/cortex"
)

// slack is how much more than the limit a cgroup may be charged with, so that what is too much shows as
// such, and is not taken from the page cache.
const slack = 256 << 20

func soak(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("soak", flag.ContinueOnError)
	n := fs.Int("n", 50, "combinations `N`")
	seed := fs.Uint64("seed", 1, "`seed` of the random numbers")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() == 0 {
		return errors.New("no models")
	}
	random := rand.New(rand.NewPCG(*seed, 0))
	bad := 0
	for i := range *n {
		j, err := randomJob(random, fs.Args())
		if err != nil {
			return err
		}
		report, err := j.check(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		verdict := "ok"
		if err != nil {
			verdict = "BAD: " + err.Error()
			bad++
		}
		fmt.Printf("%2d %-16s %s: %s\n", i+1, filepath.Base(j.Model), report, verdict)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d failed", bad, *n)
	}
	return nil
}

// randomJob returns a job with a limit between less than what can work and more than what the model takes.
func randomJob(r *rand.Rand, models []string) (j job, err error) {
	j = job{
		Model:   models[r.IntN(len(models))],
		Context: 16 + r.IntN(4080),
		Batch:   []int{0, 0, 16, 128}[r.IntN(4)],
		Threads: 1 + r.IntN(4),
		KV:      cortex.KVType(r.IntN(3)),
		Limit:   1,
		Gen:     4,
	}
	var least *cortex.MemoryError
	if _, _, err := cortex.Inspect(j.Model, j.options()); !errors.As(err, &least) {
		return j, fmt.Errorf("%s: a limit of one byte is not refused: %w", j.Model, err)
	}
	j.Limit = 1 << 50
	_, p, err := cortex.Inspect(j.Model, j.options())
	if err != nil {
		return j, err
	}
	j.Limit = int64(float64(least.Need)*0.9) + r.Int64N(int64(float64(p.Total())*1.1)-int64(float64(least.Need)*0.9))
	// A prompt that fills the context, or what can be read in some seconds.
	j.Prompt = min(j.Context-j.Gen, 1+int(64e9/p.BytesPerToken))
	return j, nil
}

// check runs the job and returns what is wrong with it.
func (j job) check(ctx context.Context) (report string, err error) {
	report = fmt.Sprintf("limit %s, context %d, batch %d, %d threads, KV %v, prompt %d", size(j.Limit), j.Context, j.Batch, j.Threads, j.KV, j.Prompt)
	for range 2 {
		if err := dropCache(j.Model); err != nil {
			return report, err
		}
		d, o, err := j.start(ctx, j.Limit+slack)
		if err != nil {
			return report, err
		}
		switch {
		case o.killed:
			return report, errors.New("killed")
		case o.err != nil:
			return report, o.err
		case d.Refused > 0 && d.Refused <= j.Limit:
			return report, fmt.Errorf("refused, though %s is said to work", size(d.Refused))
		case d.Refused > 0:
			report += fmt.Sprintf("; refused, %s asked for", size(d.Refused))
			j.Limit = d.Refused
			continue
		}
		report += fmt.Sprintf("; peak %s, %s below", size(o.peak), size(j.Limit-o.peak))
		if d.Plan.Streamed {
			report += ", streamed"
		}
		if o.peak > j.Limit {
			return report, fmt.Errorf("%s above the limit: %s", size(o.peak-j.Limit), d.Plan)
		}
		// The very limit must not kill either.
		if err := dropCache(j.Model); err != nil {
			return report, err
		}
		if _, o, err = j.start(ctx, j.Limit); err == nil && (o.killed || o.err != nil) {
			err = fmt.Errorf("with the limit itself: killed %t, %w", o.killed, o.err)
		}
		return report, err
	}
	return report, errors.New("refused twice")
}
