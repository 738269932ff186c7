package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/kernels/openblas"
)

// benchFlags are the flags of bench.
type benchFlags struct {
	model   modelFlags
	prompt  []int
	gen     []int
	depth   []int
	threads []int
	batch   []int
	reps    int
	output  string
	noWarm  bool
	status  bool
}

func newBench() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench [MODEL]",
		Short: "Measure the speed of prompts and of generation",
		Long: `bench measures as llama-bench does: pp512 is a prompt of 512 random tokens, tg128
is 128 tokens generated one by one, "@ d1024" says that 1024 tokens stand before
them. Every figure is the mean of -r runs and their standard deviation, after one
run that does not count. Lists are separated by commas.`,
		Example: `  cortex bench model.gguf
  cortex bench model.gguf -p 128,512 -n 0 -t 1,2,4
  cortex bench model.gguf -d 0,4096 -o json`,
		RunE: f.model.alone(f.run),
	}
	fs := cmd.Flags()
	f.model.add(fs)
	f.model.addSparsity(fs)
	fs.IntSliceVarP(&f.prompt, "n-prompt", "p", []int{512}, "tokens `N` of the prompt; 0 is no such test")
	fs.IntSliceVarP(&f.gen, "n-gen", "n", []int{128}, "tokens `N` to generate; 0 is no such test")
	fs.IntSliceVarP(&f.depth, "n-depth", "d", []int{0}, "tokens `N` that stand before")
	fs.IntSliceVarP(&f.threads, "threads", "t", []int{0}, "threads `N`; 0 is the processors that are granted")
	fs.IntSliceVarP(&f.batch, "batch-size", "b", []int{0}, "prompt tokens `N` that pass the model together; 0 is 512")
	fs.IntVarP(&f.reps, "repetitions", "r", 5, "runs `N` of every test")
	fs.StringVarP(&f.output, "output", "o", "md", "`md|json|csv`")
	fs.BoolVar(&f.noWarm, "no-warmup", false, "do without the run that does not count")
	fs.BoolVar(&f.status, "status", false, "show the status even if stderr is no terminal")
	return cmd
}

// benchTest is one line of the table.
type benchTest struct{ prompt, gen, depth int }

func (t benchTest) String() string {
	name := fmt.Sprintf("pp%d", t.prompt)
	if t.gen > 0 {
		name = fmt.Sprintf("tg%d", t.gen)
	}
	if t.depth > 0 {
		name += fmt.Sprintf(" @ d%d", t.depth)
	}
	return name
}

// tests lists the tests that the flags ask for.
func (f *benchFlags) tests() []benchTest {
	var tests []benchTest
	for _, d := range f.depth {
		for _, n := range f.prompt {
			if n > 0 {
				tests = append(tests, benchTest{prompt: n, depth: d})
			}
		}
		for _, n := range f.gen {
			if n > 0 {
				tests = append(tests, benchTest{gen: n, depth: d})
			}
		}
	}
	return tests
}

// benchResult is what came out of one test. The names in JSON and CSV are those
// of llama-bench.
type benchResult struct {
	Build     string    `json:"build_commit"`
	File      string    `json:"model_filename"`
	Type      string    `json:"model_type"`
	Size      int64     `json:"model_size"`
	Params    int64     `json:"model_n_params"`
	Backend   string    `json:"backends"`
	Batch     int       `json:"n_batch"`
	Threads   int       `json:"n_threads"`
	CacheType string    `json:"type_k"`
	Prompt    int       `json:"n_prompt"`
	Gen       int       `json:"n_gen"`
	Depth     int       `json:"n_depth"`
	Time      time.Time `json:"test_time"`
	AvgNS     int64     `json:"avg_ns"`
	StddevNS  int64     `json:"stddev_ns"`
	AvgTS     float64   `json:"avg_ts"` // tokens per second
	StddevTS  float64   `json:"stddev_ts"`
	SamplesNS []int64   `json:"samples_ns"`
	SamplesTS []float64 `json:"samples_ts"`

	test benchTest
}

func (f *benchFlags) run(cmd *cobra.Command) error {
	newWriter, ok := benchWriters[f.output]
	if !ok {
		return usagef("-o is md, json or csv, not %q", f.output)
	}
	for _, list := range []struct {
		flag  string
		least int
		n     []int
	}{{"-p", 0, f.prompt}, {"-n", 0, f.gen}, {"-d", 0, f.depth}, {"-t", 0, f.threads}, {"-b", 0, f.batch}, {"-r", 1, []int{f.reps}}} {
		for _, n := range list.n {
			if n < list.least {
				return usagef("%s is at least %d, not %d", list.flag, list.least, n)
			}
		}
	}
	tests := f.tests()
	if len(tests) == 0 {
		return usagef("nothing to measure: -p and -n are 0")
	}

	scr := newScreen(cmd, f.status)
	defer scr.End()
	w := newWriter(scr)
	for _, batch := range f.batch {
		for _, threads := range f.threads {
			f.model.batch, f.model.threads = batch, threads
			if err := f.measure(cmd, scr, tests, w.add); err != nil {
				return err
			}
		}
	}
	return w.end()
}

// measure opens the model and runs the tests.
func (f *benchFlags) measure(cmd *cobra.Command, scr *screen, tests []benchTest, add func(*benchResult) error) error {
	f.model.context = 0
	for _, t := range tests {
		f.model.context = max(f.model.context, t.depth+t.prompt+t.gen)
	}
	m, err := f.model.open(cmd, scr)
	if err != nil {
		return err
	}
	defer m.Close()
	s, err := m.NewSession()
	if err != nil {
		return err
	}
	defer s.Close()
	b := bencher{flags: f, scr: scr, model: m, session: s, random: rand.New(rand.NewPCG(1, 2))}
	for _, t := range tests {
		r, err := b.test(cmd.Context(), t)
		if err != nil {
			return err
		}
		if err := add(r); err != nil {
			return err
		}
	}
	return nil
}

// bencher runs tests on an open model.
type bencher struct {
	flags   *benchFlags
	scr     *screen
	model   *cortex.Model
	session *cortex.Session
	random  *rand.Rand
}

// test runs one test with all its repetitions.
func (b *bencher) test(ctx context.Context, t benchTest) (*benchResult, error) {
	info, plan := b.model.Info(), b.model.Plan()
	r := &benchResult{Build: moduleVersion(), File: info.File, Type: info.Architecture + " " + info.Type(), Params: info.Parameters,
		Backend: backend(), Batch: plan.BatchSize, Threads: plan.Threads, CacheType: b.flags.model.cacheType,
		Prompt: t.prompt, Gen: t.gen, Depth: t.depth, Time: time.Now().UTC(), test: t}
	for _, typ := range info.Types {
		r.Size += typ.Bytes
	}
	if !b.flags.noWarm {
		b.scr.Status("%v: first run, which does not count", t)
		if _, err := b.once(ctx, benchTest{prompt: t.prompt, gen: min(t.gen, 1)}); err != nil {
			return nil, err
		}
	}
	for i := range b.flags.reps {
		b.scr.Status("%v: run %d of %d", t, i+1, b.flags.reps)
		d, err := b.once(ctx, t)
		if err != nil {
			return nil, err
		}
		r.SamplesNS = append(r.SamplesNS, d.Nanoseconds())
		r.SamplesTS = append(r.SamplesTS, float64(t.prompt+t.gen)/d.Seconds())
	}
	r.AvgTS, r.StddevTS = meanStddev(r.SamplesTS)
	ns := make([]float64, len(r.SamplesNS))
	for i, n := range r.SamplesNS {
		ns[i] = float64(n)
	}
	avg, stddev := meanStddev(ns)
	r.AvgNS, r.StddevNS = int64(avg), int64(stddev)
	return r, nil
}

// once runs a test once and returns how long it took, without what stands before.
func (b *bencher) once(ctx context.Context, t benchTest) (time.Duration, error) {
	b.session.Truncate(0)
	if err := b.eval(ctx, b.tokens(t.depth), 0); err != nil {
		return 0, err
	}
	prompt, gen := b.tokens(t.prompt), b.tokens(t.gen)
	start := time.Now()
	if err := b.eval(ctx, prompt, min(1, len(prompt))); err != nil {
		return 0, err
	}
	for i := range gen {
		if err := b.eval(ctx, gen[i:i+1], 1); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

func (b *bencher) eval(ctx context.Context, ids []int32, want int) error {
	if len(ids) == 0 {
		return nil
	}
	return b.session.Eval(ctx, ids, want, func(int, []float32) error { return nil })
}

// tokens returns n random tokens.
func (b *bencher) tokens(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = b.random.Int32N(int32(b.model.Info().Vocab))
	}
	return ids
}

// backend says what computes.
func backend() string {
	isa, _ := kernels.ISA()
	if _, _, ok := openblas.Found(); ok {
		return "CPU " + isa + " BLAS"
	}
	return "CPU " + isa
}

// meanStddev returns the mean and the standard deviation of a sample.
func meanStddev(x []float64) (mean, stddev float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	if len(x) < 2 {
		return mean, 0
	}
	for _, v := range x {
		stddev += (v - mean) * (v - mean) / float64(len(x)-1)
	}
	return mean, math.Sqrt(stddev)
}
