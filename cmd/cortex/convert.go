package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/examples/tales"
	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/internal/convert"
	"github.com/cortexsdr/cortex/internal/quant"
	"github.com/cortexsdr/cortex/internal/sysmem"
	"github.com/cortexsdr/cortex/loader"
)

// convertFlags are the flags of convert.
type convertFlags struct {
	typ, output, embedding string
	bits                   float64
	calibrate              string
	tokens                 int
	thresholds, gateFirst  bool
	hotFirst               bool
	prune, pruneBy         string
	prunePairs             bool
	shards                 string
	dirs                   []string
	memory                 size
	threads                int
	force                  bool
	status                 bool
}

// productType is a value of --type.
type productType struct {
	kind, output quant.Kind
	embedding    format.Type
}

var productTypes = map[string]productType{
	"sdr4": {quant.SDR4, quant.SDR8, format.Q8_0},
	"sdr8": {quant.SDR8, quant.SDR8, format.Q8_0},
	// The output matrix is not pruned unless that is asked for.
	"sdrw4": {quant.SDRW4, quant.SDR8, format.Q8_0},
	"sdrw8": {quant.SDRW8, quant.SDR8, format.Q8_0},
}

func newConvert() *cobra.Command {
	var f convertFlags
	cmd := &cobra.Command{
		Use:   "convert IN OUT" + container.Extension,
		Short: "Convert a model into the channel-major container",
		Long: `convert writes a model into a .cortex file, whose matrices lie channel after channel,
so that --sparsity of the other commands can leave channels out. IN is a GGUF or .cortex
file or a directory with a Hugging Face model (config.json, safetensors); "tales" is
built in.

The matrices get 4 or 8 bits per weight (--type), the output matrix 8 and the embedding
8.5 unless other flags say otherwise; norms and biases get 16. With --calibrate, a
text is run through the model first, and quantization then minimizes what the errors do to
the results, not the errors themselves: worth it for sdr4. Then the new file is calibrated
as by "cortex calibrate", with the same text, so that it is ready for --sparsity, and the
channels lie in the order of how often they are active, so that those that are read from
the disk lie together. With --bits, the types are chosen so that all weights together take at most so many bits on average.

Of a model many of whose weights are 0, sdrw4 and sdrw8 leave out the bytes of which all
weights are, in those blocks in which that saves a twentieth of them. A byte of sdrw4 has two
weights: with --prune-pairs they become 0 together, which makes the file smaller and faster,
and worse. --prune makes weights 0: a share of those of every
output, or all but N of each M that follow each other (2:4). They are those of the least
magnitude or, with --prune-by wanda, of the least magnitude times the norm of what they
are multiplied with over the text of --calibrate. The output matrix is pruned only
if --output-type is one of these types, too.

A conversion that was interrupted, in whatever way, goes on where it stopped when it
is started again with the same flags.`,
		Example: `  cortex convert model-f16.gguf model.cortex
  cortex convert model-f16.gguf model.cortex --calibrate text.txt --bits 4.9
  cortex convert model-f16.gguf model.cortex --type sdrw8 --prune 50% --prune-by wanda --calibrate text.txt
  cortex convert ./llama model.cortex --type sdr8 --shards 2 --dirs /disk1,/disk2`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("two arguments are needed: the model and the file to write")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0], args[1]) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.typ, "type", "sdr4", "`TYPE` of the matrices: sdr4, sdr8, sdrw4 or sdrw8")
	fs.StringVar(&f.output, "output-type", "", "`TYPE` of the output matrix (default sdr8, with --bits that of the others)")
	fs.StringVar(&f.embedding, "embedding-type", "", "`TYPE` of the embedding: q4_0, q5_0, q8_0 or f16 (default q8_0, with --bits q4_0)")
	fs.Float64Var(&f.bits, "bits", 0, "most bits per weight `N`, of all weights together")
	fs.StringVar(&f.calibrate, "calibrate", "", "calibrate with the text in `FILE`, the standard input if it is -")
	fs.IntVar(&f.tokens, "calibrate-tokens", 1<<16, "most tokens `N` of that text")
	fs.BoolVar(&f.thresholds, "thresholds", true, "with --calibrate, prepare the file for --sparsity too")
	fs.BoolVar(&f.hotFirst, "hot-first", true, "with --calibrate, store the channels of a product in the order of how often they are active")
	fs.BoolVar(&f.gateFirst, "gate-first", false, "store the matrix behind each gate in rows (q4_0 or q8_0, with --bits also q5_0), so that --sparsity leaves out what the gate makes small")
	fs.StringVar(&f.prune, "prune", "", "weights that become 0, `SHARE` such as 50% or a pattern such as 2:4, for --type sdrw4 and sdrw8")
	fs.StringVar(&f.pruneBy, "prune-by", "magnitude", "`SCORE` by which they are chosen: magnitude or wanda")
	fs.BoolVar(&f.prunePairs, "prune-pairs", false, "with --type sdrw4, have the two weights of a byte become 0 together")
	fs.StringVar(&f.shards, "shards", "", "write several files, `N` or of at most a size such as 4GiB")
	fs.StringSliceVar(&f.dirs, "dirs", nil, "`DIRS` for the shards, in turn, separated by commas")
	fs.Var(&f.memory, "memory", "most memory to use, such as 2GiB (default: half of what the machine has free)")
	fs.IntVarP(&f.threads, "threads", "t", 0, "threads `N` (default: the processors that are granted)")
	fs.BoolVar(&f.force, "force", false, "overwrite a file that exists")
	fs.BoolVar(&f.status, "status", false, "show the status even if stderr is no terminal")
	return cmd
}

// options returns what the flags ask for.
func (f *convertFlags) options(cmd *cobra.Command) (o convert.Options, err error) {
	t, ok := productTypes[strings.ToLower(f.typ)]
	if !ok {
		return o, usagef("--type is sdr4, sdr8, sdrw4 or sdrw8, not %q", f.typ)
	}
	o = convert.Options{Kind: t.kind, Output: t.output, Embedding: t.embedding, Bits: f.bits, Dirs: f.dirs, GateFirst: f.gateFirst, HotFirst: f.hotFirst}
	if f.bits > 0 { // begin with the smallest
		o.Output, o.Embedding = t.kind, format.Q4_0
	}
	if f.output != "" {
		t, ok := productTypes[strings.ToLower(f.output)]
		if !ok {
			return o, usagef("--output-type is sdr4, sdr8, sdrw4 or sdrw8, not %q", f.output)
		}
		o.Output = t.kind
	}
	if err := f.pruning(&o); err != nil {
		return o, err
	}
	if f.embedding != "" {
		if o.Embedding, err = format.ParseType(f.embedding); err != nil || !quant.CanRows(o.Embedding) {
			return o, usagef("--embedding-type is q4_0, q5_0, q8_0 or f16, not %q", f.embedding)
		}
	}
	switch n, err := strconv.Atoi(f.shards); {
	case f.shards == "":
	case err == nil && n >= 1:
		o.Shards = n
	default:
		if o.ShardBytes, err = parseSize(f.shards); err != nil || o.ShardBytes <= 0 {
			return o, usagef("--shards is a number of files or a size such as 4GiB, not %q", f.shards)
		}
	}
	if f.bits < 0 || f.tokens < 1 || f.threads < 0 {
		return o, usagef("--bits, --calibrate-tokens and --threads are positive numbers")
	}
	if o.Threads = f.threads; o.Threads == 0 {
		o.Threads = sysmem.CPUs()
	}
	if o.Memory = int64(f.memory); o.Memory == 0 {
		o.Memory = sysmem.Limit() / 2
	}
	o.KeepJournal = f.calibrate != "" && f.thresholds
	return o, nil
}

// pruning sets what is pruned.
func (f *convertFlags) pruning(o *convert.Options) (err error) {
	sparse := o.Kind.Sparse() || o.Output.Sparse()
	if f.prune != "" {
		if o.Prune, err = quant.ParsePruning(f.prune); err != nil {
			return usagef("--prune: %v", err)
		}
	}
	o.Wanda, o.PrunePairs = f.pruneBy == "wanda", f.prunePairs
	switch {
	case f.prune != "" && !sparse:
		return usagef("--prune is for --type sdrw4 and sdrw8")
	case f.pruneBy != "magnitude" && !o.Wanda:
		return usagef("--prune-by is magnitude or wanda, not %q", f.pruneBy)
	case o.Wanda && (f.prune == "" || f.calibrate == ""):
		return usagef("--prune-by wanda needs --prune and --calibrate")
	case f.prunePairs && (f.prune == "" || o.Kind != quant.SDRW4 && o.Output != quant.SDRW4):
		return usagef("--prune-pairs is for --prune and --type sdrw4")
	case sparse && f.gateFirst:
		return usagef("--gate-first is for --type sdr4 and sdr8")
	case sparse && f.bits > 0:
		return usagef("--bits is for --type sdr4 and sdr8")
	}
	return nil
}

func (f *convertFlags) run(cmd *cobra.Command, in, out string) (err error) {
	o, err := f.options(cmd)
	if err != nil {
		return err
	}
	if !strings.HasSuffix(out, container.Extension) {
		return usagef("the name of the file to write ends in %s, not %q", container.Extension, out)
	}
	if _, err := os.Stat(out); err == nil && !f.force && !container.Unfinished(out) {
		return fmt.Errorf("%s exists, --force overwrites it", out)
	}
	var text string
	if f.calibrate != "" {
		if text, err = readFile(cmd, f.calibrate); err != nil {
			return err
		}
	}
	src, err := f.source(in)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	if o.Job, err = f.job(in, text); err != nil {
		return err
	}
	scr := newScreen(cmd, f.status)
	defer scr.End()
	start := time.Now()
	r, err := f.convert(cmd, in, out, src, o, text, scr)
	if err != nil {
		return err
	}
	if err := f.report(scr, r, time.Since(start)); err != nil || !o.KeepJournal {
		return err
	}
	if err := f.prepare(cmd, scr, r.Paths[0], o, text); err != nil {
		return fmt.Errorf("%s is converted but not calibrated, which the same command and cortex calibrate do: %w", r.Paths[0], err)
	}
	return container.Finish(r.Paths[0])
}

// convert does the conversion, but for what is to be done to the new file.
func (f *convertFlags) convert(cmd *cobra.Command, in, out string, src convert.Source, o convert.Options, text string, scr *screen) (_ *convert.Result, err error) {
	if f.calibrate != "" {
		if o.Calibration, err = f.moments(cmd, in, src, o, text, scr); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, o.Calibration.Close()) }()
	}
	o.Progress = convertProgress(scr)
	return convert.Convert(cmd.Context(), src, out, o)
}

// prepare calibrates the new file, as the command calibrate does.
func (f *convertFlags) prepare(cmd *cobra.Command, scr *screen, path string, o convert.Options, text string) error {
	c := calibration{
		model:  modelFlags{path: path, memory: size(o.Memory), context: perplexityContext, threads: o.Threads, cacheType: cortex.KVF16.String()}, // as by default
		levels: defaultLevels,
		chunks: max(1, f.tokens/4/perplexityContext),
	}
	levels, err := c.run(cmd, scr, text)
	if errors.Is(err, errShort) {
		_, err := fmt.Fprintf(scr, "no perplexities for --sparsity auto: %v\n", err)
		return err
	}
	if err == nil {
		writeLevels(scr, levels)
	}
	return err
}

// source opens the model.
func (f *convertFlags) source(in string) (convert.Source, error) {
	m := modelFlags{path: in}
	if !m.isBuiltin() {
		src, err := convert.Open(in)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", in, err)
		}
		return src, nil
	}
	src, err := loader.FromBytes(tales.Name, tales.GGUF)
	if err != nil {
		return nil, err
	}
	return convert.FromLoader(src)
}

// job tells the model's files, as they are, and the calibration text from all others.
func (f *convertFlags) job(in, text string) (string, error) {
	var b strings.Builder
	names := []string{in}
	if info, err := os.Stat(in); err == nil && info.IsDir() {
		if names, err = filepath.Glob(filepath.Join(in, "*")); err != nil {
			return "", err
		}
	}
	if f.calibrate != "" {
		fmt.Fprintf(&b, "%x %t\n", sha256.Sum256([]byte(text)), f.thresholds)
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) { // the built-in model
			fmt.Fprintf(&b, "%s %s\n", name, version())
			continue
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
	}
	return b.String(), nil
}

// moments runs the text through the model.
func (f *convertFlags) moments(cmd *cobra.Command, in string, src convert.Source, o convert.Options, text string, scr *screen) (_ *convert.Calibration, err error) {
	c, err := convert.NewCalibration(src, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if info, err := os.Stat(in); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s: a directory cannot be run; convert it to sdr8 first, and that with --calibrate", in)
	}
	mf := modelFlags{path: in, memory: size(max(o.Memory-c.Bytes(), 64<<20)), context: calibrationContext, batch: calibrationContext, threads: o.Threads, cacheType: cortex.KVF16.String()} // as by default
	m, err := mf.open(cmd, scr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	return c, f.observe(cmd.Context(), m, c, text, scr)
}

// calibrationContext is the length of the pieces of text that are run through the model, each after the token that begins a
// text.
const calibrationContext = 512

func (f *convertFlags) observe(ctx context.Context, m *cortex.Model, c *convert.Calibration, text string, scr *screen) error {
	ids := m.Tokenize(text, cortex.TokenizeOptions{})
	if len(ids) == 0 {
		return errors.New("the calibration text is empty")
	}
	ids = ids[:min(len(ids), f.tokens)]
	length := m.Plan().ContextLength
	if _, ok := m.BOS(); ok {
		length--
	}
	start := time.Now()
	return observe(ctx, m, ids, length, c.Add, func(done int) {
		scr.Status("calibrating: %d of %d tokens, %s, %s in use", done, len(ids), rest(start, int64(done), int64(len(ids))), cortex.FormatBytes(sysmem.Resident().Total()))
	})
}

// convertProgress shows how far a conversion is.
func convertProgress(scr *screen) func(convert.Progress) {
	begin, first, stage := time.Now(), int64(0), ""
	return func(p convert.Progress) {
		if p.Stage != stage {
			// What an interrupted conversion had done counts for no speed.
			begin, first, stage = time.Now(), p.Done, p.Stage
		}
		if p.Done == first {
			return
		}
		scr.Status("%s: %.1f of %.1f million weights (%d %%), %s, %s in use", p.Stage, float64(p.Done)/1e6, float64(p.Total)/1e6,
			100*p.Done/p.Total, rest(begin, p.Done-first, p.Total-first), cortex.FormatBytes(sysmem.Resident().Total()))
	}
}

// report says what was written.
func (f *convertFlags) report(scr *screen, r *convert.Result, took time.Duration) error {
	scr.End()
	type sum struct{ entries, weights, bytes int64 }
	sums := map[string]sum{}
	for _, e := range r.Entries {
		s := sums[e.Type]
		sums[e.Type] = sum{s.entries + 1, s.weights + e.Weights, s.bytes + e.Bytes}
	}
	for _, typ := range slices.Sorted(maps.Keys(sums)) {
		s := sums[typ]
		fmt.Fprintf(scr, "%-5s %4d entries, %10.3f million weights, %s\n", typ, s.entries, float64(s.weights)/1e6, cortex.FormatBytes(s.bytes))
	}
	_, err := fmt.Fprintf(scr, "%s: %s, %.3f bits per weight, in %.1f s\n", strings.Join(r.Paths, " "), cortex.FormatBytes(r.Bytes), r.Bits(), took.Seconds())
	return err
}
