package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/cortexsdr/cortex"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/cortexsdr/cortex/internal/sparsity"
)

// calibration finds out which input channels a model in a .cortex file can do without, and writes it there.
type calibration struct {
	model  modelFlags
	levels []float64
	chunks int // most of each half of the text; -1 takes all
}

// calibrateFlags are the flags of calibrate.
type calibrateFlags struct {
	calibration
	input  inputFlags
	status bool
	json   bool
}

// defaultLevels are the levels of sparsity that are prepared unless others are asked for.
var defaultLevels = []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}

func newCalibrate() *cobra.Command {
	f := calibrateFlags{calibration: calibration{model: modelFlags{context: perplexityContext}}}
	cmd := &cobra.Command{
		Use:   "calibrate MODEL.cortex -f FILE",
		Short: "Measure which input channels a model can do without",
		Long: `calibrate runs a text through a model and writes into its file, for each level of
sparsity, the score from which on an input channel takes part in a product: its
activation times the norm of its weights. All products lose the same share of the
energy of their scores, so that those whose input is concentrated in few channels
leave out more.

The first half of the text serves for that, the second for the perplexity at each
level, by which --sparsity auto chooses.`,
		Example: `  cortex calibrate model.cortex -f text.txt
  cortex run model.cortex "The capital of France is" --sparsity auto --max-ppl-loss 1`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, f.model.take(args)) },
	}
	fs := cmd.Flags()
	f.model.add(fs)
	f.input.add(fs, "text")
	f.model.addSizes(fs)
	fs.Float64SliceVar(&f.levels, "levels", defaultLevels, "`LEVELS` of sparsity to prepare")
	fs.IntVar(&f.chunks, "chunks", -1, "most chunks `N` of each half of the text; -1 takes all")
	fs.BoolVar(&f.status, "status", false, "show the status even if stderr is no terminal")
	fs.BoolVar(&f.json, "json", false, "write the result as JSON")
	return cmd
}

// calibrationLevel is a line of the result.
type calibrationLevel struct {
	Sparsity        float64 `json:"sparsity"`
	Energy          float64 `json:"energy_lost"`      // of the scores of every product, at least
	PerplexityRatio float64 `json:"perplexity_ratio"` // to that of the dense model
}

func (f *calibrateFlags) run(cmd *cobra.Command, args []string) error {
	for i, l := range f.levels {
		if !(l > 0 && l <= cortex.MaxSparsity) || i > 0 && l <= f.levels[i-1] {
			return usagef("--levels are ascending numbers up to %v", cortex.MaxSparsity)
		}
	}
	if len(f.levels) == 0 || f.model.isBuiltin() || f.chunks == 0 || f.chunks < -1 {
		return usagef("a .cortex file and at least one level and chunk are needed")
	}
	if f.model.context < 3 {
		return usagef("-c must be at least 3")
	}
	if !f.input.given(cmd, args) {
		return usagef("a text is needed: -f FILE")
	}
	text, err := f.input.read(cmd, args)
	if err != nil {
		return err
	}
	scr := newScreen(cmd, f.status)
	defer scr.End()
	levels, err := f.calibration.run(cmd, scr, text)
	if err != nil {
		return err
	}
	if f.json {
		return writeJSON(cmd, levels)
	}
	writeLevels(scr, levels)
	return nil
}

func writeLevels(scr *screen, levels []calibrationLevel) {
	scr.End()
	fmt.Fprintf(scr, "%8s %12s %16s\n", "sparsity", "energy lost", "perplexity ratio")
	for _, l := range levels {
		fmt.Fprintf(scr, "%8.2f %11.3f%% %16.4f\n", l.Sparsity, 100*l.Energy, l.PerplexityRatio)
	}
}

// run takes the thresholds from the first half of a text and the perplexities from the second. The thresholds are in the file also where it
// fails with errShort, as the second half is too short.
func (f *calibration) run(cmd *cobra.Command, scr *screen, text string) ([]calibrationLevel, error) {
	paths, err := container.Find(f.model.path)
	if err != nil {
		return nil, f.model.explain(err)
	}
	half := len(text) / 2
	for half < len(text) && text[half]&0xc0 == 0x80 { // inside a character
		half++
	}
	thresholds, levels, err := f.measure(cmd, scr, text[:half])
	if err != nil {
		return nil, err
	}
	// The thresholds first: the perplexity is that of the file. That of earlier ones does not hold any more.
	update := func(levels, ratios []float64) error {
		return container.Update(paths, []gguf.KV{{Key: cortex.KeySparsityLevels, Value: levels}, {Key: cortex.KeySparsityRatios, Value: ratios}}, thresholds)
	}
	if err := update([]float64{}, []float64{}); err != nil {
		return nil, err
	}
	dense, err := f.perplexity(cmd, scr, text[half:], "0")
	if err != nil {
		return nil, err
	}
	var tried, ratios []float64
	for i := range levels {
		l := &levels[i]
		ppl, err := f.perplexity(cmd, scr, text[half:], fmt.Sprint(l.Sparsity))
		if err != nil {
			return nil, err
		}
		l.PerplexityRatio = ppl / dense
		tried, ratios = append(tried, l.Sparsity), append(ratios, l.PerplexityRatio)
	}
	if err := update(tried, ratios); err != nil {
		return nil, err
	}
	return levels, nil
}

// measure runs a text through the model and returns the thresholds of each product,
// by the name of its first matrix.
func (f *calibration) measure(cmd *cobra.Command, scr *screen, text string) (map[string][]container.Threshold, []calibrationLevel, error) {
	src, err := f.model.source()
	if err != nil {
		return nil, nil, err
	}
	products := src.Products // norms and names are copies
	rows := map[string]int64{}
	for _, t := range src.Tensors {
		rows[t.Name] = t.Size
	}
	if err := src.Close(); err != nil {
		return nil, nil, err
	}
	at := map[string]int{}
	bytes, norms := make([]int64, len(products)), make([][]float32, len(products))
	hists := make([]*sparsity.Histogram, len(products))
	for i := range products {
		at[products[i].Matrices[0].Name], bytes[i], hists[i] = i, products[i].Size(), &sparsity.Histogram{}
		norms[i] = products[i].ByValue(products[i].Norm)
		// Rows behind a gate are left out with the channels of the product that comes after them.
		bytes[i] += rows[strings.Replace(products[i].Matrices[0].Name, "ffn_down", "ffn_up", 1)]
	}
	m, err := f.model.open(cmd, scr)
	if err != nil {
		return nil, nil, err
	}
	defer m.Close()
	size := f.model.context - 1
	ids := m.Tokenize(text, cortex.TokenizeOptions{})
	if f.chunks > 0 {
		ids = ids[:min(len(ids), min(f.chunks, len(ids))*size)]
	}
	if len(ids) == 0 {
		return nil, nil, fmt.Errorf("%w: its first half is empty", errShort)
	}
	start, chunks := time.Now(), (len(ids)+size-1)/size
	err = observe(cmd.Context(), m, ids, size, func(tensors []string, x []float32) {
		i, ok := at[tensors[0]]
		if !ok {
			return // a product that is kept in rows
		}
		norm := norms[i]
		var all sync.WaitGroup // one part of the vectors for each thread
		n := len(x) / len(norm)
		parts := min(n, m.Plan().Threads)
		sums := make([]sparsity.Histogram, parts)
		for p := range parts {
			all.Go(func() {
				for t := p; t < n; t += parts {
					sums[p].Add(x[t*len(norm):][:len(norm)], norm)
				}
			})
		}
		all.Wait()
		for p := range sums {
			hists[i].Merge(&sums[p])
		}
	}, func(done int) {
		chunk := (done + size - 1) / size
		scr.Status("calibration: chunk %d of %d, %s", chunk, chunks, rest(start, int64(chunk), int64(chunks)))
	})
	if err != nil {
		return nil, nil, err
	}
	thresholds := map[string][]container.Threshold{}
	var levels []calibrationLevel
	for _, level := range f.levels {
		values, energy := sparsity.Thresholds(hists, bytes, level)
		levels = append(levels, calibrationLevel{Sparsity: level, Energy: energy})
		for i, v := range values {
			name := products[i].Matrices[0].Name
			thresholds[name] = append(thresholds[name], container.Threshold{Sparsity: float32(level), Keep: float32(1 - hists[i].Below(v)), Value: v})
		}
	}
	ids = ids[:min(len(ids), activeTokens)]
	return thresholds, levels, countActive(cmd.Context(), m, ids, size, products, thresholds, func(done int) {
		scr.Status("calibration: which blocks are active, token %d of %d", done, len(ids))
	})
}

// activeTokens is the most tokens that countActive is given: of the hundreds of channels of a block, they tell the share to a fraction of a percent.
const activeTokens = 8192

// countActive runs tokens through the model, size at a time, and adds to the thresholds of the products how many of the channels of
// each block are active with them.
func countActive(ctx context.Context, m *cortex.Model, ids []int32, size int, products []container.Product, thresholds map[string][]container.Threshold,
	progress func(done int)) error {
	type active struct {
		*container.Product
		vectors int
		counts  [][]int // by block: scores, by how many thresholds they reach
	}
	all := map[string]*active{}
	for i := range products {
		p := &products[i]
		a := &active{Product: p}
		for range p.Pieces {
			a.counts = append(a.counts, make([]int, len(thresholds[p.Matrices[0].Name])+1))
		}
		all[p.Matrices[0].Name] = a
	}
	err := observe(ctx, m, ids, size, func(tensors []string, x []float32) {
		a, ok := all[tensors[0]]
		if !ok {
			return // a product that is kept in rows
		}
		list := thresholds[tensors[0]]
		a.vectors += len(x) / a.Channels
		var blocks sync.WaitGroup
		for b, piece := range a.Pieces {
			blocks.Go(func() {
				for x := x; len(x) > 0; x = x[a.Channels:] {
					for j := piece.First; j < piece.First+piece.Channels; j++ {
						score, reached := float32(math.Abs(float64(x[a.Value(j)])))*a.Norm[j], 0
						for _, t := range list {
							if score < t.Value {
								break
							}
							reached++
						}
						a.counts[b][reached]++
					}
				}
			})
		}
		blocks.Wait()
	}, progress)
	for name, a := range all {
		if a.vectors == 0 {
			continue
		}
		for k := range thresholds[name] {
			t := &thresholds[name][k]
			for b, counts := range a.counts {
				n := 0
				for _, c := range counts[k+1:] {
					n += c
				}
				t.Active = append(t.Active, byte(math.Round(255*float64(n)/float64(a.vectors*a.Pieces[b].Channels))))
			}
		}
	}
	return err
}

// observe runs tokens through the model, size at a time and each time after the token that begins a text, hands the inputs
// of the products to each, and tells done how many tokens have passed.
func observe(ctx context.Context, m *cortex.Model, ids []int32, size int, each func(tensors []string, x []float32), done func(tokens int)) error {
	s, err := m.NewSession()
	if err != nil {
		return err
	}
	defer s.Close()
	bos, hasBOS := m.BOS()
	passed := 0
	for piece := range slices.Chunk(ids, size) {
		passed += len(piece)
		if hasBOS {
			piece = append([]int32{bos}, piece...)
		}
		s.Truncate(0)
		if err := s.Observe(ctx, piece, each); err != nil {
			return err
		}
		done(passed)
	}
	return nil
}

// perplexity returns the perplexity of the text at a level of sparsity.
func (f *calibration) perplexity(cmd *cobra.Command, scr *screen, text, level string) (float64, error) {
	model := f.model
	model.sparsity, model.rule, model.sparsePrompt = level, "calibrated", true
	if level == "0" {
		model.rule = "best"
	}
	m, err := model.open(cmd, scr)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	e := evaluation{scr: scr, quiet: true, model: m}
	if err := e.cut(text, f.model.context, f.chunks); err != nil {
		return 0, err
	}
	err = e.run(cmd.Context())
	return e.score.PPL().Value, err
}
