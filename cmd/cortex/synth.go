package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/internal/convert"
	"github.com/cortexsdr/cortex/internal/sysmem"
	"github.com/cortexsdr/cortex/internal/testmodel"
)

// tiny is the preset for trying things out: it is made and run in no time.
var tiny = testmodel.Config{
	Name: "random-tiny", Layers: 4, Dim: 256, Heads: 4, KVHeads: 2, FF: 768, Vocab: 1000, Context: 2048,
}

// synthPreset returns the shape that a preset names.
func synthPreset(name string) (testmodel.Config, bool) {
	if name == "tiny" {
		return tiny, true
	}
	c, ok := testmodel.Presets[name]
	return c, ok
}

// shapeFlags are the flags that change one number of a preset.
var shapeFlags = []struct {
	name, short, usage string
	field              func(*testmodel.Config) *int
}{
	{"layers", "", "layers `N`", func(c *testmodel.Config) *int { return &c.Layers }},
	{"dim", "", "width `N` of the residual stream", func(c *testmodel.Config) *int { return &c.Dim }},
	{"heads", "", "query heads `N`", func(c *testmodel.Config) *int { return &c.Heads }},
	{"kv-heads", "", "key-value heads `N`", func(c *testmodel.Config) *int { return &c.KVHeads }},
	{"head-dim", "", "width `N` of a head (default: --dim / --heads)", func(c *testmodel.Config) *int { return &c.HeadDim }},
	{"ff", "", "width `N` of the feed-forward part", func(c *testmodel.Config) *int { return &c.FF }},
	{"vocab", "", "tokens `N` of the vocabulary", func(c *testmodel.Config) *int { return &c.Vocab }},
	{"ctx-size", "c", "context of `N` tokens that the model says it was trained for", func(c *testmodel.Config) *int { return &c.Context }},
}

// synthFlags are the flags of synth.
type synthFlags struct {
	preset string
	typ    string
	seed   uint64
	pure   bool
	force  bool
	status bool
}

func newSynth() *cobra.Command {
	var f synthFlags
	cmd := &cobra.Command{
		Use:   "synth OUT",
		Short: "Make a model file with random weights",
		Long: `synth writes a model with random weights, to measure speed and memory with the
shape of a model but without its file. What such a model says makes no sense. The
weights are streamed to disk, so a model may be larger than the memory. The same
flags give the same file everywhere.

Presets have the shapes of SmolLM 135M, TinyLlama 1.1B, Llama 3 8B, Llama 2 13B and
Llama 3 70B; "tiny" is for trying things out. Flags for the shape change a preset.

Of SDR4 and SDR8, a .cortex file is written.

Types are ` + strings.Join(synthTypes(), ", ") + `.
As in the files that llama.cpp's quantizer makes, the output matrix of a quantized
model has 6 bits or more; --pure gives it the same type as all the others.`,
		Example: `  cortex synth --preset 1b --type Q4_0 1b-q4_0.gguf
  cortex synth --preset 1b --type SDR4 1b.cortex
  cortex synth --preset 70b --type Q4_K_M --layers 8 70b-8-layers.gguf
  cortex synth --dim 512 --heads 8 --ff 1536 --type F16 small.gguf`,
		Args: oneArg("which file is to be written?"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.preset, "preset", "tiny", "shape, one of `tiny|135m|1b|8b|13b|70b`")
	fs.StringVar(&f.typ, "type", "Q4_0", "`TYPE` of the weights, one of those above")
	for _, s := range shapeFlags {
		fs.IntP(s.name, s.short, 0, s.usage)
	}
	fs.Bool("tied", false, "the embedding is the output matrix too")
	fs.Uint64VarP(&f.seed, "seed", "s", 0, "seed of the random numbers")
	fs.BoolVar(&f.pure, "pure", false, "all matrices have the same type")
	fs.BoolVar(&f.force, "force", false, "overwrite a file that exists")
	fs.BoolVar(&f.status, "status", false, "show the status even if stderr is no terminal")
	return cmd
}

// synthTypes returns the names of types that --type knows.
func synthTypes() []string {
	var names []string
	for _, t := range testmodel.Types() {
		names = append(names, t.String())
	}
	return append(names, "Q4_K_M", "Q5_K_M", "SDR4", "SDR8")
}

// config returns the model that the flags ask for.
func (f *synthFlags) config(fs *pflag.FlagSet) (testmodel.Config, error) {
	c, ok := synthPreset(f.preset)
	if !ok {
		return c, usagef("--preset is tiny, 135m, 1b, 8b, 13b or 70b, not %q", f.preset)
	}
	for _, s := range shapeFlags {
		if !fs.Changed(s.name) {
			continue
		}
		n, err := fs.GetInt(s.name)
		if err != nil {
			return c, err
		}
		if n <= 0 {
			return c, usagef("--%s is at least 1, not %d", s.name, n)
		}
		*s.field(&c) = n
	}
	if fs.Changed("tied") {
		c.Tied, _ = fs.GetBool("tied")
	}
	c.Seed = f.seed
	if _, ok := productTypes[strings.ToLower(f.typ)]; ok {
		return c.WithType(format.F16.String()) // which is then converted
	}
	i := slices.IndexFunc(synthTypes(), func(name string) bool { return strings.EqualFold(name, f.typ) })
	if i < 0 {
		return c, usagef("--type is one of %s, not %q", strings.Join(synthTypes(), ", "), f.typ)
	}
	c, err := c.WithType(synthTypes()[i])
	if err != nil {
		return c, err
	}
	if !f.pure && c.Mix == "" {
		c.TypeOf = finerOutput(c)
	}
	return c, nil
}

// finerOutput gives the output matrix of a model whose matrices have a quantized
// type the type that llama.cpp's quantizer gives it.
func finerOutput(c testmodel.Config) func(tensor string) (format.Type, bool) {
	switch c.Type {
	case format.F32, format.F16, format.BF16, format.Q8_0:
		return nil
	}
	output := "output.weight"
	if c.Tied {
		output = "token_embd.weight"
	}
	finer := format.Q6_K
	if c.Dim%finer.BlockSize() != 0 {
		finer = format.Q8_0
	}
	return func(tensor string) (format.Type, bool) { return finer, tensor == output }
}

func (f *synthFlags) run(cmd *cobra.Command, path string) error {
	c, err := f.config(cmd.Flags())
	if err != nil {
		return err
	}
	if t, ok := productTypes[strings.ToLower(f.typ)]; ok {
		return f.channels(cmd, path, c, t)
	}
	weights, err := testmodel.Size(c)
	if err != nil {
		return usagef("%s", strings.TrimPrefix(err.Error(), "testmodel: "))
	}
	if err := f.mayWrite(path, weights+mostMetadata(c)); err != nil {
		return err
	}

	scr := newScreen(cmd, f.status)
	defer scr.End()
	start := time.Now()
	var written int64
	err = writeAtomically(path, func(w io.Writer) error {
		return testmodel.Write(&watchedWriter{ctx: cmd.Context(), w: w, seen: func(n int64) {
			written = n
			rate := float64(n) / time.Since(start).Seconds()
			scr.Status("writing: %s of %s, %s/s, %s", cortex.FormatBytes(n), cortex.FormatBytes(weights), cortex.FormatBytes(int64(rate)), rest(start, n, max(n, weights)))
		}}, c)
	})
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	scr.Done("%s: %s in %.1f s, %s/s", path, cortex.FormatBytes(written), seconds, cortex.FormatBytes(int64(float64(written)/seconds)))
	return nil
}

// channels makes a .cortex file.
func (f *synthFlags) channels(cmd *cobra.Command, path string, c testmodel.Config, t productType) error {
	if !strings.HasSuffix(path, container.Extension) {
		return usagef("a file of type %s ends in %s", f.typ, container.Extension)
	}
	m, err := testmodel.New(c)
	if err != nil {
		return usagef("%s", strings.TrimPrefix(err.Error(), "testmodel: "))
	}
	src := convert.FromRows(c.Name, m)
	o := convert.Options{Kind: t.kind, Output: t.output, Embedding: t.embedding, Threads: sysmem.CPUs(), Memory: sysmem.Limit() / 2}
	if f.pure {
		o.Output = t.kind
	}
	o.Job = fmt.Sprintf("random weights of seed %d", c.Seed)
	size, err := convert.Size(src, o)
	if err != nil {
		return err
	}
	if err := f.mayWrite(path, size+mostMetadata(c)); err != nil {
		return err
	}
	scr := newScreen(cmd, f.status)
	defer scr.End()
	start := time.Now()
	o.Progress = convertProgress(scr)
	r, err := convert.Convert(cmd.Context(), src, path, o)
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	scr.Done("%s: %s in %.1f s, %s/s", path, cortex.FormatBytes(r.Bytes), seconds, cortex.FormatBytes(int64(float64(r.Bytes)/seconds)))
	return nil
}

// mostMetadata is more than a file has beside its weights: most of it is the
// vocabulary, whose tokens, merges and scores take less than 100 bytes each.
func mostMetadata(c testmodel.Config) int64 { return 1<<20 + 100*int64(c.Vocab) }

// mayWrite says why a file of so many bytes should not be written.
func (f *synthFlags) mayWrite(path string, size int64) error {
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no ordinary file", path)
	case !f.force:
		return fmt.Errorf("%s exists, --force overwrites it", path)
	}
	dir := filepath.Dir(path)
	free, err := freeDisk(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if size > free {
		return fmt.Errorf("%s needs up to %s, only %s are free in %s", path, cortex.FormatBytes(size), cortex.FormatBytes(free), dir)
	}
	return nil
}

// writeAtomically has write make a file that appears under its name only when
// it is whole and on the disk.
func writeAtomically(path string, write func(io.Writer) error) (err error) {
	temp := fmt.Sprintf("%s.%d.tmp", path, os.Getpid())
	file, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp))
		}
	}()
	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// watchedWriter tells how much has been written, and stops when ctx ends.
type watchedWriter struct {
	ctx  context.Context
	w    io.Writer
	n    int64
	seen func(n int64)
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.w.Write(p)
	w.n += int64(n)
	w.seen(w.n)
	return n, err
}
