package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/internal/perplexity"
)

// perplexityFlags are the flags of perplexity.
type perplexityFlags struct {
	model  modelFlags
	input  inputFlags
	chunks int

	saveLogits string
	saveBase   string
	base       string
	compare    bool
	status     bool
	json       bool
}

// perplexityContext is llama-perplexity's context, and so that of the figures
// that people compare.
const perplexityContext = 512

func newPerplexity() *cobra.Command {
	f := perplexityFlags{model: modelFlags{context: perplexityContext}}
	cmd := &cobra.Command{
		Use:   "perplexity [MODEL] -f FILE",
		Short: "Measure how well a model predicts a text",
		Long: `perplexity measures a model on a text as llama-perplexity does: the text is cut into
chunks of -c tokens, the first of each is replaced by the model's
beginning-of-text token if it has one, and the second half of each chunk is
scored. Less is better; only figures of the same text, context and tokenizer
compare.

With --kl-divergence-base it compares the model's predictions with those in a
file that --save-kl-base (or llama-perplexity) wrote with another model, usually
the same one unquantized; the text is then that of the file.`,
		Example: `  cortex perplexity model.gguf -f wiki.test.raw
  cortex perplexity model.gguf -f wiki.test.raw --chunks 20 -c 2048
  cortex perplexity model-f16.gguf -f wiki.test.raw --save-kl-base f16.kld
  cortex perplexity model-q4.gguf --kl-divergence-base f16.kld`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, f.model.take(args)) },
	}
	fs := cmd.Flags()
	f.model.add(fs)
	f.input.add(fs, "text")
	f.model.addSizes(fs)
	fs.IntVar(&f.chunks, "chunks", -1, "most chunks `N` to score; -1 scores all")
	fs.StringVar(&f.saveLogits, "save-logits", "", "write the logits of the scored positions to `FILE`: raw float32, [positions][vocabulary]")
	fs.StringVar(&f.saveBase, "save-kl-base", "", "write the predictions to `FILE`, in llama.cpp's format")
	fs.StringVar(&f.base, "kl-divergence-base", "", "compare with the predictions in `FILE`")
	fs.BoolVar(&f.compare, "kl-divergence", false, "implied by --kl-divergence-base")
	fs.BoolVar(&f.status, "status", false, "show the status even if stderr is no terminal")
	fs.BoolVar(&f.json, "json", false, "write the result as JSON")
	_ = fs.MarkHidden("kl-divergence")
	cmd.MarkFlagsMutuallyExclusive("save-kl-base", "kl-divergence-base")
	return cmd
}

func (f *perplexityFlags) run(cmd *cobra.Command, args []string) error {
	switch {
	case f.base == "" && f.compare:
		return usagef("--kl-divergence needs --kl-divergence-base FILE")
	case f.base != "" && f.input.given(cmd, args):
		return usagef("the text is that of --kl-divergence-base; give no other")
	case f.base == "" && !f.input.given(cmd, args):
		return usagef("a text is needed: -f FILE")
	case f.model.context < 3:
		return usagef("-c must be at least 3")
	case f.chunks == 0 || f.chunks < -1:
		return usagef("--chunks is a number from 1, or -1")
	}
	text, err := f.input.read(cmd, args)
	if err != nil {
		return err
	}

	e := evaluation{scr: newScreen(cmd, f.status), quiet: f.json}
	defer e.scr.End()
	if f.base != "" {
		file, err := e.openBase(f.base)
		if err != nil {
			return err
		}
		defer file.Close()
		if cmd.Flags().Changed("ctx-size") && f.model.context != e.base.Context {
			return usagef("%s was made with a context of %d, not %d", f.base, e.base.Context, f.model.context)
		}
		f.model.context = e.base.Context
	}
	if e.model, err = f.model.open(cmd, e.scr); err != nil {
		return err
	}
	defer e.model.Close()
	if err := e.cut(text, f.model.context, f.chunks); err != nil {
		return err
	}
	if err := e.save(f.saveBase, f.saveLogits); err != nil {
		return err
	}
	err = e.run(cmd.Context())
	if closing := e.close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	if f.json {
		return writeJSON(cmd, e.result())
	}
	return e.write()
}

// evaluation is one run of a model over a text.
type evaluation struct {
	model   *cortex.Model
	scr     *screen
	quiet   bool // show no running estimate
	context int
	tokens  []int32 // whole chunks of context tokens

	score      perplexity.Score
	base       *perplexity.BaseReader // nil if there is nothing to compare with
	divergence perplexity.Divergence

	sinks   []func(logits []float32) error // get the logits of every scored position
	closers []func() error
}

// openBase opens the file to compare with; its caller closes it.
func (e *evaluation) openBase(name string) (*os.File, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	var st os.FileInfo
	if st, err = file.Stat(); err == nil {
		e.base, err = perplexity.NewBaseReader(file, name, st.Size())
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// cut makes the chunks out of the text, or takes those of the base.
func (e *evaluation) cut(text string, context, most int) error {
	e.context = context
	if e.base != nil {
		if vocab := e.model.Info().Vocab; vocab != e.base.Vocab {
			return fmt.Errorf("the base has a vocabulary of %d tokens, the model one of %d", e.base.Vocab, vocab)
		}
		e.tokens = e.base.Tokens
	} else {
		e.tokens = e.model.Tokenize(text, cortex.TokenizeOptions{AddSpecial: true})
	}
	chunks := len(e.tokens) / context
	if chunks == 0 {
		return fmt.Errorf("the text has %d tokens, one chunk takes %d", len(e.tokens), context)
	}
	if most > 0 {
		chunks = min(chunks, most)
	}
	e.tokens = e.tokens[:chunks*context]
	return nil
}

// save begins the files that are asked for.
func (e *evaluation) save(base, logits string) error {
	if base != "" {
		file, err := e.create(base)
		if err != nil {
			return err
		}
		w, err := perplexity.NewBaseWriter(file, e.context, e.model.Info().Vocab, e.tokens)
		if err != nil {
			return err
		}
		e.sinks = append(e.sinks, w.Write)
		e.closers = append(e.closers, w.Close)
	}
	if logits != "" {
		file, err := e.create(logits)
		if err != nil {
			return err
		}
		w := bufio.NewWriterSize(file, 1<<20)
		var buf []byte
		e.sinks = append(e.sinks, func(logits []float32) error {
			buf = buf[:0]
			for _, v := range logits {
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
			}
			_, err := w.Write(buf)
			return err
		})
		e.closers = append(e.closers, w.Flush)
	}
	return nil
}

// create makes a file that close closes.
func (e *evaluation) create(name string) (*os.File, error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	e.closers = append(e.closers, file.Close)
	return file, nil
}

// close ends the files, the last thing begun first.
func (e *evaluation) close() error {
	var errs []error
	for _, c := range slices.Backward(e.closers) {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// run scores all chunks.
func (e *evaluation) run(ctx context.Context) error {
	s, err := e.model.NewSession()
	if err != nil {
		return err
	}
	defer s.Close()
	start, chunks := time.Now(), len(e.tokens)/e.context
	e.scr.Status("%d chunks of %d tokens", chunks, e.context)
	ids := make([]int32, e.context-1) // the last token is predicted only
	for i, chunk := range slices.Collect(slices.Chunk(e.tokens, e.context)) {
		copy(ids, chunk)
		if bos, ok := e.model.BOS(); ok {
			ids[0] = bos
		}
		s.Truncate(0)
		err := s.Eval(ctx, ids, perplexity.Scored(e.context), func(i int, logits []float32) error {
			return e.add(logits, chunk[i+1])
		})
		if err != nil {
			return err
		}
		if err := e.running(i + 1); err != nil {
			return err
		}
		left := time.Duration(float64(time.Since(start)) / float64(i+1) * float64(chunks-i-1))
		e.scr.Status("chunk %d of %d, %s", i+1, chunks, timeLeft(left))
	}
	return nil
}

// add takes in the prediction of one token.
func (e *evaluation) add(logits []float32, id int32) error {
	e.score.Add(logits, id)
	if e.base != nil {
		base, err := e.base.Next()
		if err != nil {
			return err
		}
		e.divergence.Add(logits, base, id)
	}
	for _, sink := range e.sinks {
		if err := sink(logits); err != nil {
			return err
		}
	}
	return nil
}

// running writes the estimate after a number of chunks.
func (e *evaluation) running(chunks int) (err error) {
	switch {
	case e.quiet:
	case e.base == nil:
		_, err = fmt.Fprintf(e.scr, "[%d]%.4f,", chunks, e.score.PPL().Value)
	default:
		if chunks == 1 {
			fmt.Fprintln(e.scr, "chunk             PPL               ln(PPL(Q)/PPL(base))          KL divergence              Δp RMS            same top")
		}
		r := e.divergence.Report()
		_, err = fmt.Fprintf(e.scr, "%4d    %9.4f ± %9.4f    %10.5f ± %10.5f    %10.5f ± %10.5f    %6.3f ± %6.3f %%    %6.3f ± %6.3f %%\n", chunks,
			r.PPL.Value, r.PPL.Error, r.LogPPLRatio.Value, r.LogPPLRatio.Error, r.KLD.Value, r.KLD.Error,
			100*r.DiffRMS.Value, 100*r.DiffRMS.Error, 100*r.SameTop.Value, 100*r.SameTop.Error)
	}
	return err
}

// perplexityJSON is the result as JSON.
type perplexityJSON struct {
	PPL        perplexity.Estimate `json:"ppl"`
	Chunks     int                 `json:"chunks"`
	Context    int                 `json:"context"`
	Scored     int                 `json:"scored"` // tokens
	Divergence *perplexity.Report  `json:"divergence,omitempty"`
}

func (e *evaluation) result() perplexityJSON {
	r := perplexityJSON{PPL: e.score.PPL(), Chunks: len(e.tokens) / e.context, Context: e.context, Scored: e.score.Count()}
	if e.base != nil {
		d := e.divergence.Report()
		r.Divergence = &d
	}
	return r
}

// write writes the result for people.
func (e *evaluation) write() error {
	e.scr.End()
	r := e.result()
	if d := r.Divergence; d != nil {
		return writeDivergence(e.scr, d)
	}
	_, err := fmt.Fprintf(e.scr, "Final estimate: PPL = %.4f ± %.5f\n", r.PPL.Value, r.PPL.Error)
	return err
}

func writeDivergence(out io.Writer, d *perplexity.Report) error {
	w := bufio.NewWriter(out)
	estimate := func(name string, e perplexity.Estimate) {
		fmt.Fprintf(w, "%-27s %11.6f ± %.6f\n", name, e.Value, e.Error)
	}
	percent := func(name string, e perplexity.Estimate) {
		fmt.Fprintf(w, "%-27s %10.3f%% ± %.3f%%\n", name, 100*e.Value, 100*e.Error)
	}
	value := func(name string, v float64) { fmt.Fprintf(w, "%-27s %11.6f\n", name, v) }

	fmt.Fprintln(w, "\n====== Perplexity ======")
	estimate("PPL(Q)", d.PPL)
	estimate("PPL(base)", d.BasePPL)
	estimate("ln(PPL(Q)/PPL(base))", d.LogPPLRatio)
	fmt.Fprintf(w, "%-27s %10.2f%%\n", "correlation of ln(PPL)", 100*d.Correlation)
	fmt.Fprintln(w, "\n====== KL divergence ======")
	estimate("mean KLD", d.KLD)
	value("maximum KLD", d.KLDMax)
	value("99.9% KLD", d.KLDP999)
	value("99.0% KLD", d.KLDP99)
	value("95.0% KLD", d.KLDP95)
	value("median KLD", d.KLDMedian)
	value("minimum KLD", d.KLDMin)
	fmt.Fprintln(w, "\n====== Token probabilities ======")
	percent("mean Δp", d.DiffMean)
	percent("RMS Δp", d.DiffRMS)
	fmt.Fprintf(w, "%-27s %10.3f%%\n", "maximum Δp", 100*d.DiffMax)
	fmt.Fprintf(w, "%-27s %10.3f%%\n", "minimum Δp", 100*d.DiffMin)
	percent("same top token", d.SameTop)
	return w.Flush()
}
