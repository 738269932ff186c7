package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cortexsdr/cortex"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/format/gguf"
	"github.com/cortexsdr/cortex/loader"
)

// inspectFlags are the flags of inspect.
type inspectFlags struct {
	model modelFlags
	full  bool
	json  bool
}

func newInspect() *cobra.Command {
	var f inspectFlags
	cmd := &cobra.Command{
		Use:   "inspect [MODEL]",
		Short: "Show what a model file holds and how it would be laid out in memory",
		Long: `inspect shows a model file's metadata, its tensors with types, shapes and sizes,
totals by type, and the memory that running it would take. It reads the file's
head only, and also describes models that cannot be run.`,
		Example: `  cortex inspect model.gguf
  cortex inspect model.gguf --memory 8GiB -c 32768
  cortex inspect model.gguf --json | jq .plan.memory`,
		RunE: f.model.alone(f.run),
	}
	fs := cmd.Flags()
	f.model.add(fs)
	f.model.addSizes(fs)
	fs.BoolVar(&f.full, "full", false, "show long texts and arrays of the metadata whole")
	fs.BoolVar(&f.json, "json", false, "write JSON")
	return cmd
}

// inspectJSON is everything that inspect shows.
type inspectJSON struct {
	File     string         `json:"file"`
	Bytes    int64          `json:"bytes"`
	Format   string         `json:"format"` // with its version
	Model    *modelJSON     `json:"model,omitempty"`
	Metadata []metadataJSON `json:"metadata"`
	Tensors  []tensorJSON   `json:"tensors"`
	Types    []typeJSON     `json:"types"`
	Plan     *planJSON      `json:"plan,omitempty"`
	Refused  string         `json:"refused,omitempty"` // why the model cannot be run
}

type modelJSON struct {
	Name          string  `json:"name"`
	Architecture  string  `json:"architecture"`
	Parameters    int64   `json:"parameters"`
	BitsPerWeight float64 `json:"bits_per_weight"`
	Layers        int     `json:"layers"`
	Dim           int     `json:"dim"`
	Heads         int     `json:"heads"`
	KVHeads       int     `json:"kv_heads"`
	FeedForward   int     `json:"feed_forward"`
	Vocab         int     `json:"vocab"`
	ContextLength int     `json:"context_length"`
}

type metadataJSON struct {
	Key   string `json:"key"`
	Type  string `json:"type"`
	Value any    `json:"value"` // null for an array that is long, unless all is asked for
	text  string // for people
}

type tensorJSON struct {
	Name   string  `json:"name"`
	Type   string  `json:"type"`
	Shape  []int64 `json:"shape"`
	Bytes  int64   `json:"bytes"`
	Offset int64   `json:"offset"`
	Part   int     `json:"part"`
	// Product is the number of the product whose blocks hold this matrix too, from 0; its bytes are then this
	// matrix's share of them, and offset and part those of the product's first block.
	Product *int `json:"product,omitempty"`
}

type typeJSON struct {
	Type    string `json:"type"`
	Tensors int    `json:"tensors"`
	Values  int64  `json:"values"`
	Bytes   int64  `json:"bytes"`
}

type planJSON struct {
	MemoryLimit      int64        `json:"memory_limit"`
	MemoryTotal      int64        `json:"memory_total"`
	Memory           []memoryJSON `json:"memory"`
	ContextLength    int          `json:"context_length"`
	BatchSize        int          `json:"batch_size"`
	Threads          int          `json:"threads"`
	Layers           int          `json:"layers"`
	Steps            int          `json:"steps"`
	BytesPerToken    int64        `json:"bytes_per_token"`
	Streamed         bool         `json:"streamed"`
	PinnedBytes      int64        `json:"pinned_bytes"`       // weights that stay in memory; 0 if not streamed
	RingBytes        int64        `json:"ring_bytes"`         // buffers; likewise
	StreamedPerToken int64        `json:"streamed_per_token"` // at most read from the file; likewise
	MappedLimit      int64        `json:"mapped_limit"`       // with which nothing is streamed

	// Measured by plan only.
	DiskRate    float64 `json:"disk_bytes_per_second,omitempty"`
	DiskRequest int64   `json:"disk_request_bytes,omitempty"`
	DiskReaders int     `json:"disk_readers,omitempty"`
	MemoryRate  float64 `json:"memory_bytes_per_second,omitempty"`
	PromptRate  float64 `json:"prompt_tokens_per_second,omitempty"`
}

type memoryJSON struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

func (f *inspectFlags) run(cmd *cobra.Command) error {
	o, err := f.model.options(cmd, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	src, err := f.model.source()
	if err != nil {
		return err
	}
	defer src.Close()
	var r *inspectJSON
	err = src.Protect(func() error {
		r = f.describe(src)
		return nil
	})
	if err != nil {
		return err
	}

	info, plan, err := f.model.describe(o, cortex.Inspect)
	if err != nil {
		r.Refused = oneLine(err)
	} else {
		r.Model, r.Plan = newModelJSON(info), newPlanJSON(plan)
	}
	if f.json {
		return writeJSON(cmd, r)
	}
	return r.write(cmd.OutOrStdout(), plan)
}

// describe lists what is in the file.
func (f *inspectFlags) describe(src *loader.Source) *inspectJSON {
	r := &inspectJSON{File: src.Name(), Bytes: src.Size(), Format: src.Format}
	for _, key := range src.Keys() {
		v, _ := src.Get(key)
		m := metadataJSON{Key: key, Type: v.Type().String(), text: v.String()}
		if v.Type() == gguf.Array {
			m.Type = fmt.Sprintf("%v[%d]", v.Elem(), v.Len())
		}
		m.Value = plain(v, f.full)
		if s, ok := v.Text(); ok && f.full {
			m.text = s
		} else if v.Type() == gguf.Array && f.full {
			m.text = fmt.Sprint(m.Value)
		}
		r.Metadata = append(r.Metadata, m)
	}
	for _, t := range src.Tensors {
		r.Tensors = append(r.Tensors, tensorJSON{Name: t.Name, Type: t.Type.String(), Shape: t.Shape, Bytes: t.Size, Offset: t.Offset, Part: t.Part})
	}
	for i, p := range src.Products {
		r.Tensors = append(r.Tensors, matrices(i, p)...)
	}
	byType := map[string]int{} // index in r.Types
	for _, t := range r.Tensors {
		i, ok := byType[t.Type]
		if !ok {
			i = len(r.Types)
			byType[t.Type] = i
			r.Types = append(r.Types, typeJSON{Type: t.Type})
		}
		r.Types[i].Tensors++
		r.Types[i].Values += t.values()
		r.Types[i].Bytes += t.Bytes
	}
	slices.SortStableFunc(r.Types, func(a, b typeJSON) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return r
}

// matrices lists the matrices of a product, which share its bytes by their groups of outputs.
func matrices(number int, p container.Product) (list []tensorJSON) {
	size, before := p.Size(), int64(0)
	for i, m := range p.Matrices {
		to := size / int64(p.Groups) * int64(p.FirstGroup(i+1)) // no overflow: a group has some bytes of each channel
		if i == len(p.Matrices)-1 {
			to = size
		}
		list = append(list, tensorJSON{Name: m.Name, Type: p.Type.String(), Shape: p.Shape(i), Bytes: to - before,
			Offset: p.Pieces[0].Offset, Part: p.Pieces[0].Part, Product: &number})
		before = to
	}
	return list
}

// values returns the number of values of the tensor.
func (t tensorJSON) values() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// longArray is the most elements of an array that are shown unless all are asked
// for.
const longArray = 16

// plain returns a metadata value as JSON has it. An array that is long is nil
// unless full.
func plain(v gguf.Value, full bool) any {
	switch v.Type() {
	case gguf.Array:
		if v.Len() > longArray && !full {
			return nil
		}
		list := make([]any, 0, v.Len())
		for e := range v.Elements() {
			list = append(list, plain(e, full))
		}
		return list
	case gguf.String:
		s, _ := v.Text()
		return s
	case gguf.Bool:
		b, _ := v.Bool()
		return b
	case gguf.Float32, gguf.Float64:
		if x, _ := v.Float(); math.IsNaN(x) || math.IsInf(x, 0) {
			return v.String() // JSON has no such numbers
		}
	}
	return json.Number(v.String())
}

func newModelJSON(i cortex.Info) *modelJSON {
	return &modelJSON{Name: i.Name, Architecture: i.Architecture, Parameters: i.Parameters, BitsPerWeight: i.BitsPerWeight(),
		Layers: i.Layers, Dim: i.Dim, Heads: i.Heads, KVHeads: i.KVHeads, FeedForward: i.FeedForward, Vocab: i.Vocab,
		ContextLength: i.ContextLength}
}

func newPlanJSON(p cortex.Plan) *planJSON {
	j := &planJSON{MemoryLimit: p.MemoryLimit, MemoryTotal: p.Total(), ContextLength: p.ContextLength, BatchSize: p.BatchSize,
		Threads: p.Threads, Layers: p.Layers, Steps: p.Steps, BytesPerToken: p.BytesPerToken,
		Streamed: p.Streamed, PinnedBytes: p.PinnedBytes, RingBytes: p.RingBytes, StreamedPerToken: p.StreamedPerToken,
		MappedLimit: p.MappedLimit, DiskRate: p.Disk.BytesPerSecond, DiskRequest: p.Disk.Request, DiskReaders: p.Disk.Readers,
		MemoryRate: p.MemoryBytesPerSecond, PromptRate: p.PromptTokensPerSecond}
	for _, m := range p.Memory {
		j.Memory = append(j.Memory, memoryJSON(m))
	}
	return j
}

// write writes all of it for people.
func (r *inspectJSON) write(out io.Writer, plan cortex.Plan) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s: %s, %s\n", r.File, r.Format, cortex.FormatBytes(r.Bytes))
	if m := r.Model; m != nil {
		fmt.Fprintf(w, "%s, %s architecture, %s parameters, %.2f bits per weight\n", m.Name, m.Architecture, count(m.Parameters), m.BitsPerWeight)
		fmt.Fprintf(w, "%d layers of width %d, %d heads, %d key-value heads, feed-forward %d, vocabulary %d, trained for %d tokens\n",
			m.Layers, m.Dim, m.Heads, m.KVHeads, m.FeedForward, m.Vocab, m.ContextLength)
	}
	fmt.Fprintln(w, "\nMETADATA\tTYPE\tVALUE")
	for _, m := range r.Metadata {
		fmt.Fprintf(w, "%s\t%s\t%s\n", m.Key, m.Type, m.text)
	}
	w.Flush()
	fmt.Fprintln(w, "\nTENSOR\tTYPE\tSHAPE\tSIZE")
	for _, t := range r.Tensors {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.Name, t.Type, shape(t.Shape), cortex.FormatBytes(t.Bytes))
	}
	w.Flush()
	fmt.Fprintln(w, "\nTYPE\tTENSORS\tVALUES\tSIZE")
	for _, t := range r.Types {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", t.Type, t.Tensors, count(t.Values), cortex.FormatBytes(t.Bytes))
	}
	w.Flush()
	if r.Plan == nil {
		fmt.Fprintf(w, "\nThis model cannot be run: %s\n", r.Refused)
	} else {
		fmt.Fprintf(w, "\nMEMORY\n%s", plan)
	}
	return w.Flush()
}

// shape returns "256 x 4096".
func shape(dims []int64) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = fmt.Sprint(d)
	}
	return strings.Join(parts, " x ")
}

// count returns a number for people: "6.82 M".
func count(n int64) string {
	for _, u := range []struct {
		unit string
		size float64
	}{{"T", 1e12}, {"B", 1e9}, {"M", 1e6}, {"K", 1e3}} {
		if float64(n) >= u.size {
			return fmt.Sprintf("%.2f %s", float64(n)/u.size, u.unit)
		}
	}
	return fmt.Sprint(n)
}
