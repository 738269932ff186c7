package cortex

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"

	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/cortexsdr/cortex/internal/model"
	"github.com/cortexsdr/cortex/internal/sparsity"
)

// SparsityAuto as Options.Sparsity stands for the most with which the model, when it was
// calibrated, lost no more than Options.MaxPerplexityLoss.
const SparsityAuto = -1

// MaxSparsity is the largest Options.Sparsity.
const MaxSparsity = 0.9

// DefaultPerplexityLoss is the loss that SparsityAuto allows if nothing else is said: 1 %.
const DefaultPerplexityLoss = 0.01

// SparsityRule says how the channels are chosen that take part in a product. A channel's
// score is the magnitude of its activation, times the norm of its weights.
type SparsityRule uint8

// The rules.
const (
	SparsityBest       SparsityRule = iota // SparsityCalibrated if the model is calibrated, otherwise SparsityNorm
	SparsityNorm                           // the channels with the highest scores, as many in each product (arXiv:2505.19427)
	SparsityMagnitude                      // those with the largest activations
	SparsityCalibrated                     // those with a score from a threshold on that was measured for each product (arXiv:2408.14690)
)

// Keys of the metadata of a calibrated model: for each level of sparsity that was
// tried, ascending, the perplexity beside that without sparsity.
const (
	KeySparsityLevels = "cortex.calibration.sparsity"
	KeySparsityRatios = "cortex.calibration.perplexity_ratio"
)

// checkSparsity returns an error for values that make no sense.
func (o *Options) checkSparsity() error {
	switch {
	case !(o.Sparsity >= 0 && o.Sparsity <= MaxSparsity) && o.Sparsity != SparsityAuto:
		return fmt.Errorf("%w: a sparsity of %v, want 0 to %v or SparsityAuto", ErrOptions, o.Sparsity, MaxSparsity)
	case !(o.MaxPerplexityLoss >= 0):
		return fmt.Errorf("%w: MaxPerplexityLoss is %v", ErrOptions, o.MaxPerplexityLoss)
	case o.SparsityRule > SparsityCalibrated:
		return fmt.Errorf("%w: unknown SparsityRule %d", ErrOptions, o.SparsityRule)
	}
	return nil
}

// setSparsity finds out what the options mean for the model.
func (m *Model) setSparsity(o Options) error {
	m.sparsePrompt = o.SparsePrompt
	level := o.Sparsity
	if level == SparsityAuto {
		loss := o.MaxPerplexityLoss
		if loss == 0 {
			loss = DefaultPerplexityLoss
		}
		var err error
		if level, err = m.autoSparsity(loss); err != nil {
			return err
		}
	}
	m.plan.Sparsity = level
	if level == 0 {
		return nil
	}
	if len(m.src.Products) == 0 {
		return fmt.Errorf("%w: Sparsity needs a model that is stored channel by channel, a .cortex file", ErrOptions)
	}
	calibrated := len(m.src.Products[0].Thresholds) > 0
	s := model.Sparsity{Level: level}
	keep := slices.Repeat([]float32{float32(1 - level)}, len(m.src.Products))
	switch rule := o.SparsityRule; {
	case rule == SparsityCalibrated && !calibrated:
		return fmt.Errorf("%w: SparsityCalibrated needs a calibrated model", ErrOptions)
	case rule == SparsityMagnitude:
		s.Selection = model.SelectMagnitude
	case rule != SparsityNorm && calibrated:
		s.Selection = model.SelectCalibrated
		s.Thresholds, s.Keep = m.thresholds(level)
		keep = s.Keep
	}
	for i := range m.src.Products {
		s.Blocks = append(s.Blocks, activeOf(m.src.Products[i].Thresholds, keep[i]))
	}
	m.model.SetSparsity(s)
	return nil
}

// thresholds returns those of all products for a level, and the shares of channels that are active with them.
func (m *Model) thresholds(level float64) (thresholds, keep []float32) {
	var levels []float64
	for _, t := range m.src.Products[0].Thresholds {
		levels = append(levels, float64(t.Sparsity))
	}
	table, dropped := make([][]float32, len(levels)), make([][]float32, len(levels))
	for _, p := range m.src.Products {
		for i := range levels {
			t := container.Threshold{Keep: 1} // a product that was not calibrated like the others stays dense
			if i < len(p.Thresholds) && p.Thresholds[i].Sparsity == m.src.Products[0].Thresholds[i].Sparsity {
				t = p.Thresholds[i]
			}
			table[i] = append(table[i], t.Value)
			dropped[i] = append(dropped[i], 1-t.Keep)
		}
	}
	keep = slices.Clone(sparsity.Between(levels, dropped, level))
	for i := range keep {
		keep[i] = 1 - keep[i]
	}
	return sparsity.Between(levels, table, level), keep
}

// activeOf returns the share of each block's channels that are active where keep is that of the product's, from what was measured
// with thresholds that keep more and fewer, in proportion; nil if nothing was measured.
func activeOf(list []container.Threshold, keep float32) (active []float32) {
	if len(list) == 0 || list[0].Active == nil {
		return nil
	}
	const all = 255
	blocks := len(list[0].Active)
	more, fewer := container.Threshold{Keep: 1, Active: bytes.Repeat([]byte{all}, blocks)}, container.Threshold{Active: make([]byte, blocks)}
	for _, t := range list { // in which ever fewer channels are active
		if t.Keep >= keep {
			more = t
		} else {
			fewer = t
			break
		}
	}
	f := float32(0)
	if more.Keep > keep {
		f = (more.Keep - keep) / (more.Keep - fewer.Keep)
	}
	for b := range blocks {
		active = append(active, (float32(more.Active[b])*(1-f)+float32(fewer.Active[b])*f)/all)
	}
	return active
}

// autoSparsity returns the largest level up to which the perplexity grew by no more
// than a share of loss, between two levels that were tried in proportion.
func (m *Model) autoSparsity(loss float64) (float64, error) {
	levels, err := gguf.Or(m.src.Floats, KeySparsityLevels, nil)
	if err != nil {
		return 0, err
	}
	ratios, err := gguf.Or(m.src.Floats, KeySparsityRatios, nil)
	if err != nil {
		return 0, err
	}
	if len(levels) == 0 || len(levels) != len(ratios) {
		return 0, fmt.Errorf("%w: SparsityAuto needs a calibrated model", ErrOptions)
	}
	last := 0.0
	for i, level := range levels {
		if !(level > last && level <= 1) || !(ratios[i] > 0) {
			return 0, &format.Error{File: m.src.Name(), Key: KeySparsityLevels, Err: format.ErrFormat,
				Detail: fmt.Sprintf("level %d, %v with a ratio of %v, is out of order or range", i, level, ratios[i])}
		}
		last = level
	}
	best, before := 0.0, 0.0 // the level, and the loss there
	for i, level := range levels {
		now := max(ratios[i]-1, before) // what is lost does not come back
		if now > loss {
			if now > before {
				best += (level - best) * (loss - before) / (now - before)
			}
			return min(best, MaxSparsity), nil
		}
		best, before = level, now
	}
	return min(best, MaxSparsity), nil
}

// logSparsity tells what was chosen.
func (m *Model) logSparsity(log *slog.Logger) {
	if m.plan.Sparsity > 0 {
		log.Info("channels are left out", "model", m.src.Name(), "sparsity", m.plan.Sparsity)
	}
}
