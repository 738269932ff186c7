package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// What is not idle any more.
const (
	idleLoad   = 0.5  // processes that want to run
	idleOthers = 0.05 // share of the CPU time that other processes take
)

// writers write a report in one format.
var writers = map[string]func(io.Writer, *report) error{
	"json": writeJSON,
	"md":   writeMarkdown,
}

func writeJSON(w io.Writer, rep *report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(rep)
}

// writeMarkdown writes the tables that people read.
func writeMarkdown(w io.Writer, rep *report) error {
	var b strings.Builder
	m := rep.Machine
	fmt.Fprintf(&b, "%s, %s, %s, %d CPUs, %d threads on each side\n\n", rep.Date.Format("2006-01-02 15:04 MST"), m.OS, m.CPU, m.CPUs, rep.Threads)
	fmt.Fprintf(&b, "- %s, kernels %s, %s\n- %s, kernels %s\n\n", rep.Cortex, rep.ISA, rep.Go, rep.Peer, rep.PeerCPU)
	for _, text := range rep.warnings() {
		fmt.Fprintf(&b, "**Warning:** %s.\n\n", text)
	}

	b.WriteString("Tokens per second: median (smallest – largest) of the pairs.\n\n")
	table(&b, rep.Results, []column{
		{"pairs", func(r *result) string { return strconv.Itoa(len(r.Pairs)) }},
		{"peer", func(r *result) string { return r.Summary.Peer.String() }},
		{"cortex", func(r *result) string { return r.Summary.Cortex.String() }},
		{"cortex / peer", func(r *result) string { return r.Summary.Ratio.ratio() }},
	})

	b.WriteString("\nSeconds until the model is open and until the first token behind the prompt (of one token in tg tests), the file being in memory already; most memory resident, in MB.\n\n")
	table(&b, rep.Results, []column{
		{"open: peer", func(r *result) string { return seconds(r.Summary.PeerOpen.Median) }},
		{"cortex", func(r *result) string { return seconds(r.Summary.CortexOpen.Median) }},
		{"first token: peer", func(r *result) string { return seconds(r.Summary.PeerFirstToken.Median) }},
		{"cortex", func(r *result) string { return seconds(r.Summary.CortexFirstToken.Median) }},
		{"memory: peer", func(r *result) string { return megabytes(r.Summary.PeerPeakRSS) }},
		{"cortex", func(r *result) string { return megabytes(r.Summary.CortexPeakRSS) }},
		{"file", func(r *result) string { return megabytes(r.FileBytes) }},
		{"KV", func(r *result) string { return megabytes(r.KVBytes) }},
	})

	if with := rep.having(func(s *summary) bool { return s.Bandwidth != nil }); len(with) > 0 {
		b.WriteString("\nGB of weights read per second, beside a plain read of the same mapped file with as many threads.\n\n")
		table(&b, with, []column{
			{"plain read", func(r *result) string { return r.Summary.Bandwidth.Read.times(1e-9).String() }},
			{"peer", func(r *result) string { return r.Summary.Bandwidth.Peer.times(1e-9).String() }},
			{"of plain", func(r *result) string { return r.Summary.Bandwidth.PeerShare.ratio() }},
			{"cortex", func(r *result) string { return r.Summary.Bandwidth.Cortex.times(1e-9).String() }},
			{"of plain", func(r *result) string { return r.Summary.Bandwidth.CortexShare.ratio() }},
		})
	}
	if with := rep.having(func(s *summary) bool { return s.Noise != nil }); len(with) > 0 {
		b.WriteString("\nHow many times slower beside a process that keeps one core busy.\n\n")
		table(&b, with, []column{
			{"peer", func(r *result) string { return r.Summary.Noise.Peer.ratio() }},
			{"cortex", func(r *result) string { return r.Summary.Noise.Cortex.ratio() }},
			{"cortex / peer then", func(r *result) string { return r.Summary.Noise.Ratio.ratio() }},
		})
	}
	fmt.Fprintf(&b, "\nThe last commands:\n\n    %s\n    %s\n", rep.PeerCommand, rep.CortexCommand)
	_, err := io.WriteString(w, b.String())
	return err
}

// warnings says what the figures may suffer from.
func (rep *report) warnings() []string {
	var texts []string
	if rep.Machine.Load > idleLoad {
		texts = append(texts, fmt.Sprintf("the machine was not idle, with a load of %.2f in the minute before", rep.Machine.Load))
	}
	others := 0.0
	for _, r := range rep.Results {
		others = max(others, r.Summary.Others)
	}
	if others > idleOthers {
		texts = append(texts, fmt.Sprintf("other processes took up to %.0f %% of the CPU time during a run", 100*others))
	}
	return texts
}

// having returns the results whose summary has something.
func (rep *report) having(has func(*summary) bool) []*result {
	var with []*result
	for _, r := range rep.Results {
		if has(&r.Summary) {
			with = append(with, r)
		}
	}
	return with
}

// column is a column of a table.
type column struct {
	head string
	cell func(*result) string
}

// table writes a Markdown table with a line for every result.
func table(b *strings.Builder, results []*result, columns []column) {
	b.WriteString("| model | test |")
	for _, c := range columns {
		fmt.Fprintf(b, " %s |", c.head)
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" ---: |", len(columns)) + "\n")
	for _, r := range results {
		fmt.Fprintf(b, "| %s | %v |", r.Model, r.Test)
		for _, c := range columns {
			fmt.Fprintf(b, " %s |", c.cell(r))
		}
		b.WriteByte('\n')
	}
}

// times returns the spread in another unit.
func (s spread) times(f float64) spread { return spread{s.Median * f, s.Min * f, s.Max * f} }

// String returns the spread as text: "12.3 (12.1 – 12.6)".
func (s spread) String() string {
	return fmt.Sprintf("%s (%s – %s)", short(s.Median), short(s.Min), short(s.Max))
}

// ratio returns the spread of a ratio as text.
func (s spread) ratio() string { return fmt.Sprintf("%.2f (%.2f – %.2f)", s.Median, s.Min, s.Max) }

// short returns a number with at least three digits.
func short(x float64) string {
	switch {
	case x < 10:
		return fmt.Sprintf("%.2f", x)
	case x < 100:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

func seconds(x float64) string {
	if x < 1 {
		return fmt.Sprintf("%.3f", x)
	}
	return short(x)
}

func megabytes(n int64) string { return fmt.Sprintf("%.0f", float64(n)/1e6) }
