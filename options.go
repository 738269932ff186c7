package cortex

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/cortexsdr/cortex/internal/model"
	"github.com/cortexsdr/cortex/internal/sample"
)

// Options for [Open]. The zero value is the default for every field.
type Options struct {
	// MemoryLimit is the most bytes that the model may hold: weights, KV
	// caches of all sessions, activations, tokenizer. 0 means what the machine
	// or its cgroup has available, less a reserve for the rest of the program.
	// Weights that have no room are read from the disk again and again.
	MemoryLimit int64

	// Sessions is the number of sessions that there is to be room for at once,
	// those of Generate and Embed included. 0 means 1. More can be opened as
	// long as the limit has room for them; a model whose weights are read from
	// the disk again and again uses up what the named number leaves.
	Sessions int

	// Threads is the number of workers. 0 means the processors that the
	// process has been granted: affinity and cgroup quota are honoured.
	Threads int

	// ContextLength is the number of tokens that a session has room for. 0
	// means what the model was trained for, but at most DefaultContextLength,
	// and less where memory is short. A longer one than the model was trained
	// for is allowed.
	ContextLength int

	// BatchSize is the number of prompt tokens that pass the model together.
	// More make a prompt faster and take more memory. 0 means 512, 128 for a
	// model that is streamed, or less
	// where memory is short.
	BatchSize int

	// KVType is the precision in which keys and values are kept.
	KVType KVType

	// KVMemory, if not 0, is about the most memory of a session's keys and values. Where
	// all of them take more, the rest lies in a file that each session has in SpillDir and
	// is read for every token: for contexts that memory has no room for. Less than
	// is needed for two layers is taken for that.
	KVMemory int64

	// SpillDir is the directory of the files of KVMemory; "" is that for temporary
	// files or, if that lies in memory (tmpfs), /var/tmp or the user's cache directory. They are removed when a session is closed or the program ends. A full disk is
	// an error of the call that needs the room.
	SpillDir string

	// Speculate is the most tokens that are drafted for a pass, up to
	// MaxSpeculate: tokens that are likely to come, because the text has
	// gone on like this before or a small model says so, run through the model together with
	// the last one. The text is the same as without, for every seed; where drafts are
	// right, it comes faster. How many are worth it is measured all the time.
	// 0 means MaxSpeculate where it costs little, that is where weights are read from
	// the disk again and again, or where there is a Draft, and otherwise none.
	// A negative number means none.
	Speculate int

	// Draft, if not empty, is the file of a small model with the same vocabulary,
	// which drafts tokens where the text has not gone on like this before.
	// It stays in memory and counts against MemoryLimit.
	Draft string

	// Sparsity is the share of the input channels that products leave out when
	// tokens are generated, 0 to 0.9, or SparsityAuto. Their weights are not read, and
	// the result is not exact. It needs a model that is stored channel by
	// channel, a .cortex file. 0 is every channel.
	Sparsity float64

	// SparsityRule says which channels those are. The zero value is the best
	// rule that the model has been prepared for.
	SparsityRule SparsityRule

	// SparsePrompt has prompts of more than one token leave channels out too, and
	// Eval. It is for measuring: a prompt is not made faster by it.
	SparsePrompt bool

	// MaxPerplexityLoss is how much, as a share, the perplexity may have grown by
	// what SparsityAuto leaves out. 0 means DefaultPerplexityLoss.
	MaxPerplexityLoss float64

	// Progress, if not nil, is called while the model is being opened, from
	// the goroutine that called Open. Its bytes are those of the weights that
	// stay in memory.
	Progress func(Progress)

	// Trace, if not nil, is called for every block of weights whenever the kernels are about to use it, in memory or
	// not, with its number in the plan and its size: for example Add of a cache.Trace. It is called from the
	// goroutine that runs the model and must not use it.
	Trace func(block int, bytes int64)

	// Logger, if not nil, is told what may be of interest: tensors that are
	// not used, a context that is shorter than the model allows, weights that
	// have no room.
	Logger *slog.Logger
}

// DefaultContextLength is the longest context that is chosen without being asked for.
const DefaultContextLength = 4096

// KVType is the precision of the key-value cache.
type KVType uint8

// The precisions of a key-value cache.
const (
	KVF16 KVType = iota // half precision, the default
	KVF32               // single precision
	KVQ8                // 8 bits and a scale for every 32 values: 53 % of KVF16's memory
	KVQ4                // 4 bits and a scale for every 32 values: 28 % of KVF16's memory
)

// String returns "f16", "f32", "q8_0" or "q4_0".
func (t KVType) String() string { return model.KVType(t).String() }

// check returns an error for values that make no sense.
func (o *Options) check() error {
	if err := o.checkSparsity(); err != nil {
		return err
	}
	for name, v := range map[string]int64{
		"MemoryLimit":   o.MemoryLimit,
		"Threads":       int64(o.Threads),
		"ContextLength": int64(o.ContextLength),
		"BatchSize":     int64(o.BatchSize),
		"Sessions":      int64(o.Sessions),
		"KVMemory":      o.KVMemory,
	} {
		if v < 0 {
			return fmt.Errorf("%w: %s is negative", ErrOptions, name)
		}
	}
	switch {
	case o.Threads > maxThreads:
		return fmt.Errorf("%w: %d threads, at most %d", ErrOptions, o.Threads, maxThreads)
	case o.ContextLength > maxContext:
		return fmt.Errorf("%w: a context of %d tokens, at most %d", ErrOptions, o.ContextLength, maxContext)
	case o.Sessions > maxSessions:
		return fmt.Errorf("%w: %d sessions, at most %d", ErrOptions, o.Sessions, maxSessions)
	case o.Speculate > MaxSpeculate:
		return fmt.Errorf("%w: %d drafted tokens, at most %d", ErrOptions, o.Speculate, MaxSpeculate)
	case o.KVType > KVQ4:
		return fmt.Errorf("%w: unknown KVType %d", ErrOptions, o.KVType)
	}
	return nil
}

// sessions is the number of sessions that there is to be room for.
func (o *Options) sessions() int64 { return int64(max(1, o.Sessions)) }

const (
	maxThreads  = 1024
	maxContext  = 1 << 24
	maxSessions = 1 << 16
)

// Stage is what a [Progress] report is about.
type Stage string

// The stages.
const (
	StageOpen    Stage = "open"    // weights are being paged in
	StagePrefill Stage = "prefill" // the prompt is being read
)

// Progress reports how far a long operation is.
type Progress struct {
	Stage       Stage
	Fraction    float64       // 0 to 1
	Bytes       int64         // paged in so far (StageOpen), read by kernels so far (StagePrefill)
	TotalBytes  int64         // of the whole stage
	Tokens      int           // prompt tokens done (StagePrefill)
	TotalTokens int           // prompt tokens in all (StagePrefill)
	Elapsed     time.Duration // since the stage began
	Remaining   time.Duration // estimated
}

// estimate fills in Fraction and Remaining.
func (p *Progress) estimate(done, total float64, start time.Time) {
	p.Elapsed = time.Since(start)
	p.Fraction = 1
	if total > 0 {
		p.Fraction = min(1, done/total)
	}
	if p.Fraction > 0 {
		p.Remaining = time.Duration(float64(p.Elapsed) * (1 - p.Fraction) / p.Fraction)
	}
}

// Sampling says how the next token is drawn from the model's logits. The steps
// are taken in the order of the fields; a zero field switches its step off.
// The zero Sampling is greedy: always the most likely token.
type Sampling struct {
	LogitBias        map[int32]float32 // added to the logits of these tokens; -Inf forbids one
	RepeatLastN      int               // tokens that the penalties look back on; 0 means 64, -1 the whole context
	RepeatPenalty    float64           // divides the logits of tokens seen, 1 or 0 is off (Keskar et al. 2019)
	FrequencyPenalty float64           // subtracted for every time that a token was seen
	PresencePenalty  float64           // subtracted once for a token seen
	TopK             int               // keep the K likeliest tokens
	TypicalP         float64           // keep the typical tokens of this mass (Meister et al. 2022), 1 or 0 is off
	TopP             float64           // keep the likeliest tokens of this mass (Holtzman et al. 2019), 1 or 0 is off
	MinP             float64           // keep tokens at least MinP times as likely as the likeliest (Nguyen et al. 2024)
	Temperature      float64           // divides the logits; 0 picks the likeliest token
	Seed             uint64            // of the random numbers; 0 picks one at random
}

// DefaultSampling returns the sampling that is used where none is given: a
// temperature of 0.8 after top-k 40, top-p 0.95 and min-p 0.05.
func DefaultSampling() Sampling {
	return Sampling{TopK: 40, TopP: 0.95, MinP: 0.05, Temperature: 0.8}
}

// params converts to the form of package sample.
func (s Sampling) params() sample.Params {
	return sample.Params{
		Temperature: s.Temperature, TopK: s.TopK, TopP: s.TopP, MinP: s.MinP, TypicalP: s.TypicalP,
		RepeatPenalty: s.RepeatPenalty, RepeatLastN: s.RepeatLastN,
		FrequencyPenalty: s.FrequencyPenalty, PresencePenalty: s.PresencePenalty,
		Seed: s.Seed, LogitBias: s.LogitBias,
	}
}

// GenerateOptions for one call of Generate. The zero value, like nil, means the
// default for every field.
type GenerateOptions struct {
	// MaxTokens is the most tokens that are generated; 0 means until the model
	// ends the text itself or the context is full.
	MaxTokens int

	// Sampling says how tokens are drawn; nil means DefaultSampling.
	Sampling *Sampling

	// Stop lists texts that end the generation. The text from the first one
	// on is not yielded, even if it began inside an earlier token; it stays
	// part of the session's text.
	Stop []string

	// ParseSpecial makes the texts of special tokens in the prompt, such as
	// "<|user|>", mean those tokens. It is off by default, because a prompt may
	// hold text of strangers.
	ParseSpecial bool

	// IgnoreEnd goes on when the model ends the text, for measuring.
	IgnoreEnd bool

	// Checkpoint names a file in which the progress on the prompt is kept, layer by
	// layer. If a program has died while it read the prompt or generated, another that
	// generates with the same prompt, model and file goes on behind the last layer that
	// was finished. It takes the disk space of the prompt's KV cache and twice its residual
	// stream. The file is created if there is none, removed when the generation comes to
	// its end, and kept if an error or the caller ends it. A file that does not fit is
	// ErrCheckpoint, one in use by another session or process ErrCheckpointLocked, and is left alone; a disk without room the system's error.
	Checkpoint string

	// Progress, if not nil, is called while the prompt is read, from the
	// goroutine that ranges over the tokens. It is that session's turn: a call
	// that needs the model's turn as well, such as Generate, would wait forever.
	Progress func(Progress)
}
