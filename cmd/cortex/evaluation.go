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

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/internal/perplexity"
)

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

// errShort says that a text has not even one chunk.
var errShort = errors.New("the text is too short")

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
		return fmt.Errorf("%w: it has %d tokens, one chunk takes %d", errShort, len(e.tokens), context)
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
		e.scr.Status("chunk %d of %d, %s", i+1, chunks, rest(start, int64(i+1), int64(chunks)))
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
