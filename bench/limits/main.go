package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/cortexsdr/cortex"
)

// errNoGroup says that there is no kernel to be the judge.
var errNoGroup = errors.New("no memory cgroup can be made: only Linux has them, and the controller must be mounted and writable")

// commands are what the first argument can be.
var commands = map[string]func(ctx context.Context, args []string) error{
	"soak": soak,
	"peer": peer,
	"disk": disk,

	// What this program starts itself for.
	workEnter: enter,
	workRun:   runJob,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var run func(context.Context, []string) error
	if len(os.Args) > 1 {
		run = commands[os.Args[1]]
	}
	if run == nil {
		fmt.Fprintln(os.Stderr, "usage: limits soak|peer|disk [flags] MODEL...")
		os.Exit(2)
	}
	if err := run(ctx, os.Args[2:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "limits:", err)
		os.Exit(1)
	}
}

// parseSize returns the bytes that a text such as "3GB" or "400MiB" means.
func parseSize(text string) (int64, error) {
	units := []struct {
		name string
		size float64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"GB", 1e9}, {"MB", 1e6}, {"B", 1}, {"", 1}}
	i := slices.IndexFunc(units, func(u struct {
		name string
		size float64
	}) bool {
		return strings.HasSuffix(text, u.name)
	})
	var n float64
	if _, err := fmt.Sscanf(strings.TrimSuffix(text, units[i].name)+" ", "%g ", &n); err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is no size such as 3GB or 400MiB", text)
	}
	return int64(n * units[i].size), nil
}

func size(n int64) string { return cortex.FormatBytes(n) }
