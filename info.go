package cortex

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cortexsdr/cortex/format/gguf"
)

// Info describes a model.
type Info struct {
	Name          string // general.name, may be empty
	Architecture  string // "llama"
	File          string // as it was opened
	FileBytes     int64  // of all parts
	Parameters    int64  // values in all tensors
	Layers        int
	Dim           int // width of the residual stream
	Heads         int // query heads
	KVHeads       int // key-value heads
	FeedForward   int // width of the feed-forward layer
	Vocab         int // tokens
	ContextLength int // tokens that the model was trained for
	Types         []TypeCount
	ChatTemplate  string // tokenizer.chat_template, may be empty
	ByChannels    bool   // products are stored channel by channel, so that channels can be left out
	Calibrated    bool   // thresholds for that have been measured
}

// TypeCount says how much of a model is stored in one type.
type TypeCount struct {
	Type    string // ggml's name, "Q4_K", or that of weights stored channel by channel, "SDR4"
	Tensors int
	Bytes   int64
}

// BitsPerWeight returns the average size of a parameter in bits.
func (i Info) BitsPerWeight() float64 {
	var bytes int64
	for _, t := range i.Types {
		bytes += t.Bytes
	}
	return 8 * float64(bytes) / float64(max(i.Parameters, 1))
}

// Type returns the type that most of the model is stored in.
func (i Info) Type() string {
	if len(i.Types) == 0 {
		return ""
	}
	return i.Types[0].Type
}

// describe fills in m.info.
func (m *Model) describe() {
	c := &m.model.Config
	m.info = Info{Name: c.Name, Architecture: c.Arch, File: m.src.Name(), FileBytes: m.src.Size(), Layers: c.Layers, Dim: c.Dim,
		Heads: c.Heads, KVHeads: c.KVHeads, FeedForward: c.FF, Vocab: c.Vocab, ContextLength: c.ContextLength}
	m.info.ChatTemplate, _ = gguf.Or(m.src.String, "tokenizer.chat_template", "")
	count := map[string]*TypeCount{}
	add := func(name string, tensors int, bytes, values int64) {
		if count[name] == nil {
			count[name] = &TypeCount{Type: name}
		}
		count[name].Tensors += tensors
		count[name].Bytes += bytes
		m.info.Parameters += values
	}
	for _, t := range m.src.Tensors {
		add(t.Type.String(), 1, t.Size, t.Rows()*t.Shape[0])
	}
	m.info.ByChannels = len(m.src.Products) > 0
	m.info.Calibrated = m.info.ByChannels && len(m.src.Products[0].Thresholds) > 0
	for _, p := range m.src.Products {
		var values int64
		for _, matrix := range p.Matrices {
			values += int64(p.Channels) * int64(matrix.Outputs)
		}
		add(p.Type.String(), len(p.Matrices), p.Size(), values)
	}
	for _, c := range count {
		m.info.Types = append(m.info.Types, *c)
	}
	slices.SortFunc(m.info.Types, func(a, b TypeCount) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), strings.Compare(a.Type, b.Type))
	})
}

// Stats are running totals.
type Stats struct {
	PromptTokens    int64         // tokens read
	PromptTime      time.Duration // spent on them
	GeneratedTokens int64         // but for each generation's first, which comes out of the prompt's pass
	GenerateTime    time.Duration // spent on them
	GeneratePasses  int64         // of weights, for them; fewer than tokens where drafts were right
	DraftedTokens   int64         // that went through the model before it had said them
	AcceptedTokens  int64         // of these, what it then said itself
	BytesRead       int64         // of weights that the kernels went through
	BytesStreamed   int64         // of weights that were read from the file since they have no room, ahead of their use
	BytesAhead      int64         // of BytesStreamed, what has not been used yet: the ring, which already has the beginning of the next pass
	DiskTime        time.Duration // with at least one read in flight that is ahead of its use
	DiskRequests    int64         // how many reads DiskTime is of; those of single rows of tables are not among them
	Memory          []MemoryItem  // what MemoryUsed is made of
	MemoryUsed      int64         // reserved of MemoryLimit now
	MemoryPeak      int64         // most that was ever reserved
	MemoryLimit     int64
	Resident        int64 // of the whole process now, as the system counts it: memory and file pages
	Sessions        int   // open now
}

// PromptRate returns prompt tokens per second.
func (s Stats) PromptRate() float64 { return rate(s.PromptTokens, s.PromptTime) }

// GenerateRate returns generated tokens per second.
func (s Stats) GenerateRate() float64 { return rate(s.GeneratedTokens, s.GenerateTime) }

// TokensPerPass returns how many tokens a pass has given on average, 1 without
// drafts.
func (s Stats) TokensPerPass() float64 {
	return float64(s.GeneratedTokens) / float64(max(s.GeneratePasses, 1))
}

// AcceptanceRate returns the share of drafted tokens that were accepted.
func (s Stats) AcceptanceRate() float64 {
	return float64(s.AcceptedTokens) / float64(max(s.DraftedTokens, 1))
}

// DiskRate returns the bytes streamed per second of DiskTime.
func (s Stats) DiskRate() float64 { return rate(s.BytesStreamed, s.DiskTime) }

func rate(n int64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// MemoryItem is one part of a memory layout.
type MemoryItem struct {
	Name  string
	Bytes int64
}

// Plan says how a model's memory is laid out and what a token costs.
type Plan struct {
	MemoryLimit   int64
	Memory        []MemoryItem // with one session
	ContextLength int          // tokens of a session
	BatchSize     int          // prompt tokens of a pass
	Threads       int
	Layers        int
	Steps         int     // operations per pass
	BytesPerToken int64   // of weights that kernels go through for one generated token, if no channel is left out
	Sparsity      float64 // the share of channels that are left out
	DraftTokens   int     // most that are drafted for a pass, 0 is none
	channels      bool    // there are some that could be left out

	// Of a model that is streamed. Memory has PinnedBytes and RingBytes too.
	Streamed         bool
	PinnedBytes      int64 // weights that stay in memory
	RingBytes        int64 // buffers through which the others pass
	StreamedPerToken int64 // read from the file for one generated token, in whole pages: at most, or about if channels are left out
	streamedPerBatch int64 // at most read for a batch of a prompt
	diskPerToken     int64 // what the disk would read, in whole blocks, in the time that it needs for StreamedPerToken
	PromptReadsOnce  bool  // a prompt reads as much, rather than as much for every batch
	Disk             Disk  // how the file is read; measured by Open and Measure, not by Inspect

	// What forecasts are made of: see Forecast.
	HalfLimit             int64   // the smallest MemoryLimit with which half as much is streamed, with this context and batch
	MappedLimit           int64   // likewise, nothing
	KVBytesPerToken       int64   // of keys and values, for one token of the context
	MemoryBytesPerSecond  float64 // of weights in memory that kernels go through for a token; 0 if not measured
	PromptTokensPerSecond float64 // of a long prompt, if all weights were in memory; 0 if not measured
}

// Disk says how fast the file of a streamed model is read, and how.
type Disk struct {
	BytesPerSecond float64 // of direct reads as streaming does them, while the model was opened
	Request        int64   // most bytes of a request
	Readers        int     // requests in flight
	Gap            int64   // bytes between active channels that are read sooner than another request; 0 if none are left out
}

// Total returns the bytes of all parts of the layout.
func (p Plan) Total() (n int64) {
	for _, it := range p.Memory {
		n += it.Bytes
	}
	return n
}

// String returns the layout as a table.
func (p Plan) String() string {
	var b strings.Builder
	for _, it := range p.Memory {
		fmt.Fprintf(&b, "%-18s %12s\n", it.Name, FormatBytes(it.Bytes))
	}
	fmt.Fprintf(&b, "%-18s %12s of %s\n", "total", FormatBytes(p.Total()), FormatBytes(p.MemoryLimit))
	fmt.Fprintf(&b, "%-18s %12s\n", "read per token", FormatBytes(p.BytesPerToken))
	if p.Streamed {
		about := ""
		if p.Sparsity > 0 {
			about = " about"
		}
		fmt.Fprintf(&b, "%-18s %12s%s\n", "streamed per token", FormatBytes(p.StreamedPerToken), about)
	}
	fmt.Fprintf(&b, "%d layers in %d steps, context of %d tokens, batches of %d, %d threads\n",
		p.Layers, p.Steps, p.ContextLength, p.BatchSize, p.Threads)
	return b.String()
}

// FormatBytes returns a size as text for people: "7.0 MiB", "512 B".
func FormatBytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB"} {
		if v < 999.95 {
			break
		}
		v, unit = v/1024, next
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}
