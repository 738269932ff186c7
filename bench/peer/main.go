package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
)

// defaultTests are the ones that cortex is judged by.
const defaultTests = "pp512,pp128,tg128,tg64@4096"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil && ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "peer: interrupted")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

// The words that come first where this program was started by itself.
const (
	workMeasure = "measure"
	workRead    = "read"
	workSpin    = "spin"
)

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case workMeasure:
			var j job
			return work(args[1], &j, func() (any, error) { return measure(ctx, j) })
		case workRead:
			var r readJob
			return work(args[1], &r, func() (any, error) { return readWeights(ctx, r) })
		case workSpin:
			spin()
		}
	}
	f, err := parseFlags(args)
	if err != nil {
		return err
	}
	if err := f.install(ctx); err != nil {
		return err
	}
	rep, err := f.compare(ctx)
	if err != nil {
		return err
	}
	return writers[f.output](os.Stdout, rep)
}

// work does what the JSON in text says, and prints what comes out as JSON.
func work(text string, job any, do func() (any, error)) error {
	if err := json.Unmarshal([]byte(text), job); err != nil {
		return err
	}
	out, err := do()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// flags are what the command line says.
type flags struct {
	models      []string
	tests       []spec
	pairs       int
	repetitions int
	threads     int
	oracle      string
	isa         string
	peerCPU     string
	bandwidth   bool
	noise       bool
	output      string
}

func parseFlags(args []string) (*flags, error) {
	var f flags
	fs := flag.NewFlagSet("peer", flag.ContinueOnError)
	fs.Func("m", "model `FILE`; may be given several times", func(s string) error {
		f.models = append(f.models, s)
		return nil
	})
	tests := fs.String("tests", defaultTests, "`list` of tests: ppN, tgN, behind a depth of context ppN@D, tgN@D")
	fs.IntVar(&f.pairs, "pairs", 5, "pairs `N` of each test")
	fs.IntVar(&f.repetitions, "r", 1, "repetitions `N` in each process, of which the median counts")
	fs.IntVar(&f.threads, "t", runtime.NumCPU(), "threads `N` of each side")
	fs.StringVar(&f.oracle, "oracle", "", "`PATH` of the peer's program (default: install.sh makes it in a cache folder)")
	fs.StringVar(&f.isa, "isa", "", "instruction set `level` that cortex is held to, such as avx2")
	fs.StringVar(&f.peerCPU, "peer-cpu", "", "`name` of the library that the peer is held to, such as haswell")
	fs.BoolVar(&f.bandwidth, "bandwidth", false, "compare with a plain read of the weights, too")
	fs.BoolVar(&f.noise, "noise", false, "measure again with a busy process on one core")
	fs.StringVar(&f.output, "o", "md", "`format` of the output: md or json")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	var err error
	if f.tests, err = parseSpecs(*tests); err != nil {
		return nil, err
	}
	switch {
	case fs.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case len(f.models) == 0:
		return nil, errors.New("no model; -m names one")
	case f.pairs < 1 || f.repetitions < 1 || f.threads < 1:
		return nil, errors.New("-pairs, -r and -t are at least 1")
	case writers[f.output] == nil:
		return nil, fmt.Errorf("-o is md or json, not %q", f.output)
	}
	for _, m := range f.models {
		if _, err := os.Stat(m); err != nil {
			return nil, err
		}
	}
	return &f, nil
}

// say tells the user how things are going.
func say(format string, args ...any) {
	fmt.Fprintln(os.Stderr, strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
}
