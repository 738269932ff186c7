package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/cortexsdr/cortex"
)

// benchWriter writes results in one format.
type benchWriter interface {
	add(*benchResult) error
	end() error
}

var benchWriters = map[string]func(io.Writer) benchWriter{
	"md":   func(w io.Writer) benchWriter { return &benchMarkdown{w: w} },
	"json": func(w io.Writer) benchWriter { return &benchJSON{w: w} },
	"csv":  func(w io.Writer) benchWriter { return &benchCSV{w: csv.NewWriter(w)} },
}

// benchColumns are the columns of the Markdown table.
var benchColumns = []struct {
	name  string
	width int // negative: to the left
	value func(*benchResult) string
}{
	{"model", -30, func(r *benchResult) string { return r.Type }},
	{"size", 10, func(r *benchResult) string { return cortex.FormatBytes(r.Size) }},
	{"params", 10, func(r *benchResult) string { return count(r.Params) }},
	{"backend", -19, func(r *benchResult) string { return r.Backend }},
	{"threads", 7, func(r *benchResult) string { return strconv.Itoa(r.Threads) }},
	{"test", 15, func(r *benchResult) string { return r.test.String() }},
	{"t/s", 20, func(r *benchResult) string { return fmt.Sprintf("%.2f ± %.2f", r.AvgTS, r.StddevTS) }},
}

// benchMarkdown writes a Markdown table, line by line.
type benchMarkdown struct {
	w     io.Writer
	begun bool
}

func (b *benchMarkdown) add(r *benchResult) error {
	if !b.begun {
		b.begun = true
		for _, c := range benchColumns {
			fmt.Fprintf(b.w, "| %*s ", c.width, c.name)
		}
		fmt.Fprintln(b.w, "|")
		for _, c := range benchColumns {
			rule := slices.Repeat([]byte{'-'}, max(c.width, -c.width))
			if c.width > 0 {
				rule[len(rule)-1] = ':'
			}
			fmt.Fprintf(b.w, "| %s ", rule)
		}
		fmt.Fprintln(b.w, "|")
	}
	for _, c := range benchColumns {
		fmt.Fprintf(b.w, "| %*s ", c.width, c.value(r))
	}
	_, err := fmt.Fprintln(b.w, "|")
	return err
}

func (b *benchMarkdown) end() error { return nil }

// benchJSON writes an array of results.
type benchJSON struct {
	w       io.Writer
	results []*benchResult
}

func (b *benchJSON) add(r *benchResult) error {
	b.results = append(b.results, r)
	return nil
}

func (b *benchJSON) end() error {
	e := json.NewEncoder(b.w)
	e.SetIndent("", "  ")
	return e.Encode(b.results)
}

// benchCSV writes one line per result, without the samples.
type benchCSV struct {
	w     *csv.Writer
	begun bool
}

func (b *benchCSV) add(r *benchResult) error {
	if !b.begun {
		b.begun = true
		_ = b.w.Write([]string{"build_commit", "model_filename", "model_type", "model_size", "model_n_params", "backends", "n_batch", "n_threads",
			"type_k", "n_prompt", "n_gen", "n_depth", "test_time", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts"})
	}
	var line []string
	for _, v := range []any{r.Build, r.File, r.Type, r.Size, r.Params, r.Backend, r.Batch, r.Threads,
		r.CacheType, r.Prompt, r.Gen, r.Depth, r.Time.Format(time.RFC3339), r.AvgNS, r.StddevNS, r.AvgTS, r.StddevTS} {
		line = append(line, fmt.Sprint(v))
	}
	_ = b.w.Write(line)
	b.w.Flush()
	return b.w.Error()
}

func (b *benchCSV) end() error { return nil }
