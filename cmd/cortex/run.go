package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/cache"
	"github.com/cortexsdr/cortex/examples/tales"
)

// runFlags are the flags of run.
type runFlags struct {
	model     modelFlags
	input     inputFlags
	sampling  samplingFlags
	speculate speculateFlags

	predict        int
	stop           []string
	ignoreEnd      bool
	noParseSpecial bool
	noPrompt       bool
	resume         string
	status         bool
	json           bool
	trace          string
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [MODEL] [PROMPT]",
		Short: "Continue a text",
		Long: `run continues PROMPT and writes the text to stdout as it comes. Without MODEL the
built-in model tells a story.

On a terminal, a line on stderr shows how far the prompt is read and how long
that will take, then the speed, the memory in use, and the bytes of weights that
were read. Ctrl-C ends the text; a second one kills.

With --resume, the progress on a long prompt is kept in FILE. After Ctrl-C, a crash
or a loss of power the same command goes on where the last layer was finished.`,
		Example: `  cortex run
  cortex run -p "The fox said to the crow" --temp 0
  cortex run model.gguf "The capital of France is" -n 32
  cortex run model.gguf -f prompt.txt --memory 8GiB -t 4 --seed 1
  cortex run model.gguf -f book.txt --memory 4GiB --resume book.checkpoint
  cortex run model.gguf -p "List:" --json | jq -r .text`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, f.model.take(args)) },
	}
	fs := cmd.Flags()
	f.model.add(fs)
	f.model.addSparsity(fs)
	f.input.add(fs, "prompt")
	fs.IntVarP(&f.predict, "predict", "n", -1, "most tokens `N` to generate; -1 goes on until the model or the context ends")
	f.model.addSizes(fs)
	f.sampling.add(fs)
	f.speculate.add(fs)
	fs.StringArrayVar(&f.stop, "stop", nil, "end before this `TEXT`; may be given several times")
	fs.BoolVar(&f.ignoreEnd, "ignore-eos", false, "go on when the model ends the text")
	fs.BoolVar(&f.noParseSpecial, "no-parse-special", false, "take the texts of special tokens in the prompt as they stand")
	fs.BoolVar(&f.noPrompt, "no-display-prompt", false, "write the generated text only")
	fs.StringVar(&f.resume, "resume", "", "keep the progress on the prompt in `FILE`, and go on from there if it exists")
	fs.BoolVar(&f.status, "status", false, "show the status even if stderr is no terminal")
	fs.BoolVar(&f.json, "json", false, "write one JSON object per token, and a last one with the statistics")
	fs.StringVar(&f.trace, "cache-trace", "", "write which blocks of weights were used to `FILE`, for cache-replay")
	return cmd
}

// tokenJSON is a line of --json.
type tokenJSON struct {
	ID   int32  `json:"id"`
	Text string `json:"text"`
}

// resultJSON is the last line of --json.
type resultJSON struct {
	Done      bool      `json:"done"` // always true
	Stop      string    `json:"stop"` // a cortex.StopReason or interrupted
	Generated int       `json:"generated"`
	Seed      uint64    `json:"seed"`
	Stats     statsJSON `json:"stats"`

	Forecast *forecastPart `json:"forecast,omitempty"` // of a streamed model
}

type statsJSON struct {
	PromptTokens    int64   `json:"prompt_tokens"`
	PromptSeconds   float64 `json:"prompt_seconds"`
	PromptRate      float64 `json:"prompt_tokens_per_second"`
	GeneratedTokens int64   `json:"generated_tokens"` // without the first, which comes out of the prompt's pass
	GenerateSeconds float64 `json:"generate_seconds"`
	GenerateRate    float64 `json:"generated_tokens_per_second"`
	GeneratePasses  int64   `json:"generate_passes"`
	DraftedTokens   int64   `json:"drafted_tokens"`
	AcceptedTokens  int64   `json:"accepted_tokens"`
	BytesRead       int64   `json:"bytes_read"`
	BytesStreamed   int64   `json:"bytes_streamed"`
	DiskRequests    int64   `json:"disk_requests"`
	BytesAhead      int64   `json:"bytes_ahead"`           // of these, for tokens that were not generated
	DiskRate        float64 `json:"disk_bytes_per_second"` // of what was streamed, while it was
	MemoryUsed      int64   `json:"memory_used"`
	MemoryPeak      int64   `json:"memory_peak"`
	MemoryLimit     int64   `json:"memory_limit"`
}

func newStatsJSON(st cortex.Stats) statsJSON {
	return statsJSON{
		PromptTokens: st.PromptTokens, PromptSeconds: st.PromptTime.Seconds(), PromptRate: st.PromptRate(),
		GeneratedTokens: st.GeneratedTokens, GenerateSeconds: st.GenerateTime.Seconds(), GenerateRate: st.GenerateRate(),
		GeneratePasses: st.GeneratePasses, DraftedTokens: st.DraftedTokens, AcceptedTokens: st.AcceptedTokens,
		BytesRead: st.BytesRead, BytesStreamed: st.BytesStreamed, DiskRequests: st.DiskRequests, BytesAhead: st.BytesAhead, DiskRate: st.DiskRate(),
		MemoryUsed: st.MemoryUsed, MemoryPeak: st.MemoryPeak, MemoryLimit: st.MemoryLimit,
	}
}

func (f *runFlags) run(cmd *cobra.Command, args []string) error {
	if f.predict == 0 || f.predict < -1 {
		return usagef("-n is a number of tokens from 1, or -1")
	}
	prompt, err := f.input.read(cmd, args)
	if err != nil {
		return err
	}
	if !f.input.given(cmd, args) && f.model.isBuiltin() {
		prompt = tales.Opening
	}

	scr := newScreen(cmd, f.status)
	defer scr.End()
	var trace cache.Trace
	if f.trace != "" {
		f.model.trace = trace.Add
	}
	m, err := f.model.openWith(cmd, scr, f.speculate.set)
	if err != nil {
		return err
	}
	defer m.Close()
	s, err := m.NewSession()
	if err != nil {
		return err
	}
	defer s.Close()

	forecast := m.Plan().Forecast(len(m.Tokenize(prompt, cortex.TokenizeOptions{AddSpecial: true, ParseSpecial: !f.noParseSpecial})))
	if p := m.Plan(); p.Streamed {
		fmt.Fprint(cmd.ErrOrStderr(), announce(p, forecast))
	}
	sampling := f.sampling.sampling()
	generated, first, err := f.generate(cmd.Context(), scr, m, s, prompt, sampling)
	stop := string(s.StopReason())
	if errors.Is(err, context.Canceled) {
		stop = interrupted
	} else if err != nil {
		return err
	}
	if f.trace != "" {
		if err := writeTrace(f.trace, &trace); err != nil {
			return err
		}
	}
	st := m.Stats()
	if f.json {
		r := resultJSON{Done: true, Stop: stop, Generated: generated, Seed: sampling.Seed, Stats: newStatsJSON(st)}
		if m.Plan().Streamed {
			j := newForecastJSON(forecast)
			r.Forecast = &j
		}
		if err := json.NewEncoder(scr).Encode(r); err != nil {
			return err
		}
	}
	scr.Done("%s; prompt %d, %.1f tokens/s; seed %d; %s", speed(st, first, generated), st.PromptTokens, st.PromptRate(),
		sampling.Seed, reasons[stop])
	return err
}

// generate writes the text and returns how many tokens were generated, and the statistics when the first was known.
func (f *runFlags) generate(ctx context.Context, scr *screen, m *cortex.Model, s *cortex.Session, prompt string,
	sampling *cortex.Sampling) (n int, first cortex.Stats, err error) {
	shown := f.json || f.noPrompt
	o := &cortex.GenerateOptions{
		MaxTokens:    max(0, f.predict),
		Sampling:     sampling,
		Stop:         f.stop,
		ParseSpecial: !f.noParseSpecial,
		IgnoreEnd:    f.ignoreEnd,
		Checkpoint:   f.resume,
		Progress: func(p cortex.Progress) {
			if !shown { // not before it is being read: then all options are known to be good
				shown = true
				fmt.Fprint(scr, prompt)
			}
			text := fmt.Sprintf("prompt: %d of %d tokens, %.1f tokens/s, %s", p.Tokens, p.TotalTokens,
				float64(p.Tokens)/max(p.Elapsed, time.Nanosecond).Seconds(), timeLeft(p.Remaining))
			if st := m.Stats(); st.BytesStreamed > 0 {
				text += fmt.Sprintf("; disk %.2f GB/s; %s", st.DiskRate()/1e9, memoryLine(st))
			}
			scr.Status("%s", text)
		},
	}
	encoder := json.NewEncoder(scr)
	encoder.SetEscapeHTML(false)
	for tok, err := range s.Generate(ctx, prompt, o) {
		if err != nil {
			return n, first, err
		}
		if tok.ID >= 0 { // not for text that was held back until the end
			n++
		}
		if f.json {
			err = encoder.Encode(tokenJSON{tok.ID, tok.Text})
		} else {
			_, err = fmt.Fprint(scr, tok.Text)
		}
		if err != nil {
			return n, first, err
		}
		st := m.Stats()
		if n <= 1 {
			first = st
		}
		scr.Status("%s", speed(st, first, n))
	}
	return n, first, nil
}

// announce says in two lines what to expect of a streamed model.
func announce(p cortex.Plan, f cortex.Forecast) string {
	about := ""
	if p.Sparsity > 0 {
		about = "about "
	}
	return fmt.Sprintf("streamed: %s of weights stay in memory, %s%s are read for every token at %.2f GB/s\n"+
		"expected: %s for the prompt of %d tokens, %s for each token after it; \"cortex plan\" says what would help\n",
		cortex.FormatBytes(p.PinnedBytes), about, cortex.FormatBytes(p.StreamedPerToken), p.Disk.BytesPerSecond/1e9,
		forTime(f.Prompt), f.PromptTokens, forTime(f.Token))
}

// forTime returns how long something takes, for people.
func forTime(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// speed is the status while tokens are generated. first are the statistics when the first of them was known.
func speed(st, first cortex.Stats, generated int) string {
	drafts := ""
	if st.DraftedTokens > 0 {
		drafts = fmt.Sprintf("; %.1f tokens per pass, %.0f %% of %d drafts right", st.TokensPerPass(), 100*st.AcceptanceRate(), st.DraftedTokens)
	}
	if st.BytesStreamed == 0 {
		return fmt.Sprintf("%d tokens, %.1f tokens/s; %s of %s; read %s", generated, st.GenerateRate(), cortex.FormatBytes(st.MemoryUsed),
			cortex.FormatBytes(st.MemoryLimit), cortex.FormatBytes(st.BytesRead)) + drafts
	}
	return fmt.Sprintf("%d tokens, %.2f tokens/s; disk %.2f GB/s, %s per token; %s", generated, st.GenerateRate(), st.DiskRate()/1e9,
		cortex.FormatBytes((st.BytesStreamed-first.BytesStreamed)/max(1, st.GeneratedTokens-first.GeneratedTokens)), memoryLine(st)) + drafts
}

// memoryLine says what the memory of a streamed model is used for.
func memoryLine(st cortex.Stats) string {
	var b strings.Builder
	for _, it := range st.Memory {
		if name := shortNames[it.Name]; name != "" {
			fmt.Fprintf(&b, "%s %s, ", name, cortex.FormatBytes(it.Bytes))
		}
	}
	fmt.Fprintf(&b, "in all %s of %s", cortex.FormatBytes(st.MemoryUsed), cortex.FormatBytes(st.MemoryLimit))
	return b.String()
}

// shortNames are what the status calls the parts of memory that it names.
var shortNames = map[string]string{"pinned weights": "pinned", "streaming ring": "ring", "KV cache": "KV", "activations": "activations"}

// interrupted is the stop reason of a text that Ctrl-C ended.
const interrupted = "interrupt"

// reasons says in words why a text ended.
var reasons = map[string]string{
	string(cortex.StopEnd):     "ended",
	string(cortex.StopText):    "stop text",
	string(cortex.StopLength):  "length reached",
	string(cortex.StopContext): "context full",
	interrupted:                "interrupted",
}
