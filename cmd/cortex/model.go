package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/examples/tales"
	"github.com/cortexsdr/cortex/loader"
)

// builtin is the name of the built-in model on the command line.
const builtin = "tales"

// modelFlags are the flags of commands that use a model.
type modelFlags struct {
	path      string
	memory    size
	cacheType string
	kvMemory  size
	spill     string
	threads   int
	context   int
	batch     int

	sparsity     string
	rule         string
	loss         float64
	sparsePrompt bool

	trace func(block int, bytes int64) // for cortex.Options
}

// addPath adds the flag that names the model.
func (f *modelFlags) addPath(fs *pflag.FlagSet) {
	fs.StringVarP(&f.path, "model", "m", "", "model `FILE`, of a split one any part; \""+builtin+"\" is built in (default "+builtin+")")
}

// add adds the flags of every command that runs the model.
func (f *modelFlags) add(fs *pflag.FlagSet) {
	f.addPath(fs)
	fs.Var(&f.memory, "memory", "most memory to use, such as 3GiB, 4GB, 512M (default: what the machine has free)")
	fs.StringVar(&f.cacheType, "cache-type", "f16", "`TYPE` of the key-value cache: f16, f32, q8_0 or q4_0")
	fs.Var(&f.kvMemory, "kv-memory", "most memory for the key-value cache; the rest lies in a file (default: all of it is in memory)")
	fs.StringVar(&f.spill, "spill-dir", "", "`DIRECTORY` of the file of --kv-memory (default: that for temporary files, or another one if that lies in memory)")
}

// addSizes adds the flags that take one number.
func (f *modelFlags) addSizes(fs *pflag.FlagSet) {
	fs.IntVarP(&f.threads, "threads", "t", 0, "threads `N` (default: the processors that are granted)")
	context := "context of `N` tokens"
	if f.context == 0 {
		context += fmt.Sprintf(", prompt and reply together (default: the model's, at most %d)", cortex.DefaultContextLength)
	}
	fs.IntVarP(&f.context, "ctx-size", "c", f.context, context)
	fs.IntVarP(&f.batch, "batch-size", "b", 0, "prompt tokens `N` that pass the model together (default 512; streamed 128)")
}

// rules are the values of --sparsity-rule.
var rules = map[string]cortex.SparsityRule{
	"best":       cortex.SparsityBest,
	"norm":       cortex.SparsityNorm,
	"magnitude":  cortex.SparsityMagnitude,
	"calibrated": cortex.SparsityCalibrated,
}

// addSparsity adds the flags that leave channels out.
func (f *modelFlags) addSparsity(fs *pflag.FlagSet) {
	fs.StringVar(&f.sparsity, "sparsity", "0", "leave out this `SHARE` of the input channels, 0 to 0.9, or auto; needs a .cortex file")
	fs.StringVar(&f.rule, "sparsity-rule", "best", "which ones: by norm, magnitude, calibrated, or the best of these that the file is prepared for")
	fs.Float64Var(&f.loss, "max-ppl-loss", 100*cortex.DefaultPerplexityLoss, "what --sparsity auto may cost, in percent of the perplexity")
}

// sparse sets the options that leave channels out.
func (f *modelFlags) sparse(o *cortex.Options) error {
	switch f.sparsity {
	case "":
		return nil
	case "auto":
		o.Sparsity = cortex.SparsityAuto
	default:
		var err error
		if o.Sparsity, err = strconv.ParseFloat(f.sparsity, 64); err != nil || !(o.Sparsity >= 0) {
			return usagef("--sparsity is a number from 0 to %v, or auto, not %q", cortex.MaxSparsity, f.sparsity)
		}
	}
	rule, ok := rules[f.rule]
	if !ok {
		return usagef("--sparsity-rule is best, norm, magnitude or calibrated, not %q", f.rule)
	}
	o.SparsityRule, o.MaxPerplexityLoss, o.SparsePrompt = rule, f.loss/100, f.sparsePrompt
	if f.loss == 0 {
		o.MaxPerplexityLoss = math.SmallestNonzeroFloat64 // 0 would be the default
	}
	return nil
}

// take takes the model's name from the front of the arguments if no flag gave
// it, and returns the rest.
func (f *modelFlags) take(args []string) []string {
	if f.path == "" && len(args) > 0 {
		f.path, args = args[0], args[1:]
	}
	return args
}

// alone makes a command of a function that needs no argument but the model.
func (f *modelFlags) alone(run func(cmd *cobra.Command) error) func(cmd *cobra.Command, args []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if args = f.take(args); len(args) > 0 {
			return usagef("unexpected argument %q", args[0])
		}
		return run(cmd)
	}
}

// isBuiltin reports whether the model is the one that is built in.
func (f *modelFlags) isBuiltin() bool {
	if f.path == builtin {
		_, err := os.Stat(builtin)
		return errors.Is(err, fs.ErrNotExist)
	}
	return f.path == ""
}

// options returns the options for opening the model. Logs go to log if they are
// asked for.
func (f *modelFlags) options(cmd *cobra.Command, log io.Writer) (*cortex.Options, error) {
	o := &cortex.Options{
		MemoryLimit:   int64(f.memory),
		Threads:       f.threads,
		ContextLength: f.context,
		BatchSize:     f.batch,
		KVMemory:      int64(f.kvMemory),
		SpillDir:      f.spill,
		Trace:         f.trace,
	}
	switch f.cacheType {
	case cortex.KVF16.String():
		o.KVType = cortex.KVF16
	case cortex.KVF32.String():
		o.KVType = cortex.KVF32
	case cortex.KVQ8.String():
		o.KVType = cortex.KVQ8
	case cortex.KVQ4.String():
		o.KVType = cortex.KVQ4
	default:
		return nil, usagef("--cache-type is f16, f32, q8_0 or q4_0, not %q", f.cacheType)
	}
	if err := f.sparse(o); err != nil {
		return nil, err
	}
	if verbose, _ := cmd.Flags().GetBool("verbose"); verbose {
		o.Logger = slog.New(slog.NewTextHandler(log, nil))
	}
	return o, nil
}

// describe describes the model without opening it, one in a file by cortex.Inspect or cortex.Measure.
func (f *modelFlags) describe(o *cortex.Options, file func(string, *cortex.Options) (cortex.Info, cortex.Plan, error)) (cortex.Info, cortex.Plan, error) {
	if f.isBuiltin() {
		return cortex.InspectBytes(tales.Name, tales.GGUF, o)
	}
	return file(f.path, o)
}

// open opens the model and shows on s how far that is.
func (f *modelFlags) open(cmd *cobra.Command, s *screen) (*cortex.Model, error) {
	return f.openWith(cmd, s, func(o *cortex.Options) error {
		o.Speculate = -1 // nothing is generated, and the memory is of more use otherwise
		return nil
	})
}

// openWith does the same, with options that other flags set.
func (f *modelFlags) openWith(cmd *cobra.Command, s *screen, set func(*cortex.Options) error) (*cortex.Model, error) {
	o, err := f.options(cmd, logWriter{s})
	if err != nil {
		return nil, err
	}
	if err := set(o); err != nil {
		return nil, err
	}
	o.Progress = func(p cortex.Progress) {
		s.Status("opening: %s of %s, %s", cortex.FormatBytes(p.Bytes), cortex.FormatBytes(p.TotalBytes), timeLeft(p.Remaining))
	}
	if f.isBuiltin() {
		return cortex.OpenBytes(tales.Name, tales.GGUF, o)
	}
	m, err := cortex.Open(f.path, o)
	return m, f.explain(err)
}

// source opens the model's file without anything that is needed to run it.
func (f *modelFlags) source() (*loader.Source, error) {
	if f.isBuiltin() {
		return loader.FromBytes(tales.Name, tales.GGUF)
	}
	src, err := loader.Open(f.path)
	if err != nil {
		return nil, f.explain(fmt.Errorf("open %s: %w", f.path, err))
	}
	return src, nil
}

// explain adds a hint to the error of opening a model that is not there: it may
// be a prompt.
func (f *modelFlags) explain(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (the first argument is the model; %q names the built-in one)", err, builtin)
	}
	return err
}
