package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cortexsdr/cortex"
)

// qualityFlags are the flags of quality.
type qualityFlags struct {
	model    modelFlags // but for the path
	input    inputFlags
	sparsity []float64
	rules    []string
	chunks   int
	tokens   int
	plot     string
	status   bool
	json     bool
}

func newQuality() *cobra.Command {
	f := qualityFlags{model: modelFlags{context: perplexityContext}}
	cmd := &cobra.Command{
		Use:   "quality MODEL... -f FILE",
		Short: "Compare types and sparsities: perplexity, divergence, size, speed",
		Long: `quality measures several files of one model on a text and writes a table. The first
file, usually an unquantized one, is what the others are compared with. Files that
are stored channel by channel are measured at every level of --sparsity, with every
--rule that they are prepared for.`,
		Example: `  cortex quality model-f16.gguf model-q4_k_m.gguf model-sdr4.cortex -f text.txt
  cortex quality model-f16.gguf model.cortex -f text.txt --sparsity 0,0.3,0.5 --plot quality.svg`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.input.file, "file", "f", "", "read the text from `FILE`, from the standard input if it is -")
	fs.Var(&f.model.memory, "memory", "most memory to use, such as 3GiB, 4GB, 512M (default: what the machine has free)")
	f.model.addSizes(fs)
	f.model.cacheType = cortex.KVF16.String()
	fs.Float64SliceVar(&f.sparsity, "sparsity", []float64{0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}, "`LEVELS` of sparsity")
	fs.StringSliceVar(&f.rules, "rules", []string{"magnitude", "norm", "calibrated"}, "`RULES` by which channels are left out")
	fs.IntVar(&f.chunks, "chunks", -1, "most chunks `N` of the text; -1 takes all")
	fs.IntVarP(&f.tokens, "predict", "n", 32, "tokens `N` to generate for the speed; 0 leaves it out")
	fs.StringVar(&f.plot, "plot", "", "draw perplexity against sparsity into `FILE`, an SVG")
	fs.BoolVar(&f.status, "status", false, "show the status even if stderr is no terminal")
	fs.BoolVar(&f.json, "json", false, "write the result as JSON")
	return cmd
}

// qualityRow is a line of the table.
type qualityRow struct {
	File          string  `json:"file"`
	Type          string  `json:"type"`
	BitsPerWeight float64 `json:"bits_per_weight"`
	Sparsity      float64 `json:"sparsity"`
	Rule          string  `json:"rule"` // empty where nothing is left out
	PPL           float64 `json:"ppl"`
	PPLError      float64 `json:"ppl_error"`
	PPLRatio      float64 `json:"ppl_ratio"` // to that of the first file
	KLD           float64 `json:"kld"`       // mean divergence from the first file
	SameTop       float64 `json:"same_top"`  // share of positions with the same likeliest token
	BytesPerToken int64   `json:"bytes_per_token"`
	Rate          float64 `json:"tokens_per_second"`
}

func (f *qualityFlags) run(cmd *cobra.Command, files []string) (err error) {
	if len(files) == 0 || f.input.file == "" {
		return usagef("at least one model and -f FILE are needed")
	}
	if f.model.context < 3 {
		return usagef("-c must be at least 3")
	}
	if f.chunks == 0 || f.chunks < -1 || f.tokens < 0 {
		return usagef("--chunks is a number from 1, or -1; -n is at least 0")
	}
	for i, l := range f.sparsity {
		if !(l >= 0 && l <= cortex.MaxSparsity) || i > 0 && l <= f.sparsity[i-1] {
			return usagef("--sparsity is a list of ascending numbers from 0 to %v", cortex.MaxSparsity)
		}
	}
	for _, r := range f.rules {
		if _, ok := rules[r]; !ok || r == "best" {
			return usagef("--rules are norm, magnitude and calibrated, not %q", r)
		}
	}
	text, err := readFile(cmd, f.input.file)
	if err != nil {
		return err
	}
	base, err := os.CreateTemp("", "cortex-quality-*")
	if err != nil {
		return err
	}
	base.Close()
	defer os.Remove(base.Name())

	scr := newScreen(cmd, f.status)
	defer scr.End()
	q := quality{f: f, cmd: cmd, scr: scr, text: text, base: base.Name()}
	for _, path := range files {
		if err := q.file(path); err != nil {
			return err
		}
	}
	if f.plot != "" {
		if err := os.WriteFile(f.plot, []byte(qualityPlot(q.rows)), 0o666); err != nil {
			return err
		}
	}
	if f.json {
		return writeJSON(cmd, q.rows)
	}
	scr.End()
	return q.write()
}

// quality is a run of the command.
type quality struct {
	f    *qualityFlags
	cmd  *cobra.Command
	scr  *screen
	text string
	base string // the file with the first model's predictions
	rows []qualityRow
}

// file measures one file at every level and with every rule that makes sense for it.
func (q *quality) file(path string) error {
	f := modelFlags{path: path}
	info, _, err := f.describe(nil, cortex.Inspect)
	if err != nil {
		return f.explain(err)
	}
	if !info.ByChannels {
		return q.measure(path, 0, "")
	}
	for _, level := range q.f.sparsity {
		if level == 0 {
			if err := q.measure(path, 0, ""); err != nil {
				return err
			}
			continue
		}
		for _, rule := range q.f.rules {
			if rule == "calibrated" && !info.Calibrated {
				continue
			}
			if err := q.measure(path, level, rule); err != nil {
				return err
			}
		}
	}
	return nil
}

func (q *quality) measure(path string, level float64, rule string) (err error) {
	flags := q.f.model
	flags.path, flags.sparsity, flags.rule, flags.sparsePrompt = path, fmt.Sprint(level), "best", true
	if rule != "" {
		flags.rule = rule
	}
	m, err := flags.open(q.cmd, q.scr)
	if err != nil {
		return err
	}
	defer m.Close()
	e := evaluation{scr: q.scr, quiet: true, model: m}
	first := len(q.rows) == 0
	if !first {
		file, err := e.openBase(q.base)
		if err != nil {
			return err
		}
		defer file.Close()
	}
	if err := e.cut(q.text, q.f.model.context, q.f.chunks); err != nil {
		return err
	}
	if first {
		if err := e.save(q.base, ""); err != nil {
			return err
		}
	}
	err = e.run(q.cmd.Context())
	if closing := e.close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	info, r := m.Info(), e.result()
	row := qualityRow{File: filepath.Base(path), Type: info.Type(), BitsPerWeight: info.BitsPerWeight(), Sparsity: level, Rule: rule,
		PPL: r.PPL.Value, PPLError: r.PPL.Error, PPLRatio: 1, SameTop: 1, BytesPerToken: m.Plan().BytesPerToken}
	if !first {
		row.PPLRatio = r.PPL.Value / q.rows[0].PPL
		row.KLD, row.SameTop = r.Divergence.KLD.Value, r.Divergence.SameTop.Value
	}
	if q.f.tokens > 0 {
		if err := q.speed(q.cmd.Context(), m, &row); err != nil {
			return err
		}
	}
	q.rows = append(q.rows, row)
	return nil
}

// speed has the model generate some tokens.
func (q *quality) speed(ctx context.Context, m *cortex.Model, row *qualityRow) error {
	s, err := m.NewSession()
	if err != nil {
		return err
	}
	defer s.Close()
	opening := q.text[:min(len(q.text), 200)]
	var before cortex.Stats
	n := 0
	for _, err := range s.Generate(ctx, opening, &cortex.GenerateOptions{MaxTokens: q.f.tokens + 1, Sampling: &cortex.Sampling{}, IgnoreEnd: true}) {
		if err != nil {
			return err
		}
		if n++; n == 1 { // it comes out of the prompt
			before = m.Stats()
		}
	}
	after := m.Stats()
	if made := after.GeneratedTokens - before.GeneratedTokens; made > 0 {
		row.Rate = float64(made) / (after.GenerateTime - before.GenerateTime).Seconds()
		row.BytesPerToken = (after.BytesRead - before.BytesRead) / made
	}
	return nil
}

func (q *quality) write() error {
	var b strings.Builder
	b.WriteString("| file | type | bits/weight | sparsity | rule | perplexity | ratio | KL divergence | same top | read/token | tokens/s |\n")
	b.WriteString("| --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, r := range q.rows {
		fmt.Fprintf(&b, "| %s | %s | %.2f | %.2f | %s | %.4f ± %.4f | %.4f | %.5f | %.2f %% | %s | %.1f |\n", r.File, r.Type, r.BitsPerWeight,
			r.Sparsity, r.Rule, r.PPL, r.PPLError, r.PPLRatio, r.KLD, 100*r.SameTop, cortex.FormatBytes(r.BytesPerToken), r.Rate)
	}
	_, err := fmt.Fprint(q.scr, b.String())
	return err
}

// qualityPlot draws the ratio of perplexities against sparsity, a line for each
// file and rule.
func qualityPlot(rows []qualityRow) string {
	const width, height, left, bottom, top, right = 720, 420, 60, 40, 20, 200
	type point struct{ x, y float64 }
	lines := map[string][]point{}
	var names []string
	mostX, mostY := 0.1, 1.05
	for _, r := range rows {
		ruleNames := []string{r.Rule}
		if r.Rule == "" { // where nothing is left out, all rules of the file begin
			ruleNames = nil
			for _, o := range rows {
				if o.File == r.File && o.Rule != "" && !slices.Contains(ruleNames, o.Rule) {
					ruleNames = append(ruleNames, o.Rule)
				}
			}
		}
		for _, rule := range ruleNames {
			name := r.File + ", " + rule
			if lines[name] == nil {
				names = append(names, name)
			}
			lines[name] = append(lines[name], point{r.Sparsity, r.PPLRatio})
		}
		mostX, mostY = max(mostX, r.Sparsity), max(mostY, r.PPLRatio)
	}
	mostY = min(mostY, 3) // what is worse makes the rest flat
	x := func(v float64) float64 { return left + v/mostX*(width-left-right) }
	y := func(v float64) float64 {
		low := 0.95
		return top + (1-(min(v, mostY)-low)/(mostY-low))*(height-top-bottom)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	for i := range 6 {
		v := mostX * float64(i) / 5
		fmt.Fprintf(&b, `<text x="%.0f" y="%d" text-anchor="middle">%.2f</text>`+"\n", x(v), height-bottom+16, v)
		u := 1 + (mostY-1)*float64(i)/5
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.2f</text>`+"\n",
			left, width-right, y(u), y(u), left-6, y(u)+4, u)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d">sparsity</text><text x="4" y="14">perplexity, to that of the first file</text>`+"\n", left, height-6)
	colors := []string{"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf"}
	for i, name := range names {
		color := colors[i%len(colors)]
		var path []string
		for _, p := range lines[name] {
			if !math.IsNaN(p.y) {
				path = append(path, fmt.Sprintf("%.1f,%.1f", x(p.x), y(p.y)))
			}
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(path, " "), color)
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", width-right+8, top+16*(i+1), color, escapeXML.Replace(name))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

var escapeXML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
