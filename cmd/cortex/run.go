package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cortexsdr/cortex"
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
	MemoryUsed      int64   `json:"memory_used"`
	MemoryPeak      int64   `json:"memory_peak"`
	MemoryLimit     int64   `json:"memory_limit"`
}

func newStatsJSON(st cortex.Stats) statsJSON {
	return statsJSON{
		PromptTokens: st.PromptTokens, PromptSeconds: st.PromptTime.Seconds(), PromptRate: st.PromptRate(),
		GeneratedTokens: st.GeneratedTokens, GenerateSeconds: st.GenerateTime.Seconds(), GenerateRate: st.GenerateRate(),
		GeneratePasses: st.GeneratePasses, DraftedTokens: st.DraftedTokens, AcceptedTokens: st.AcceptedTokens,
		BytesRead: st.BytesRead, BytesStreamed: st.BytesStreamed, MemoryUsed: st.MemoryUsed, MemoryPeak: st.MemoryPeak, MemoryLimit: st.MemoryLimit,
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

	sampling := f.sampling.sampling()
	generated, err := f.generate(cmd.Context(), scr, m, s, prompt, sampling)
	stop := string(s.StopReason())
	if errors.Is(err, context.Canceled) {
		stop = interrupted
	} else if err != nil {
		return err
	}
	st := m.Stats()
	if f.json {
		r := resultJSON{Done: true, Stop: stop, Generated: generated, Seed: sampling.Seed, Stats: newStatsJSON(st)}
		if err := json.NewEncoder(scr).Encode(r); err != nil {
			return err
		}
	}
	scr.Done("%s; prompt %d, %.1f tokens/s; seed %d; %s", speed(st, generated), st.PromptTokens, st.PromptRate(),
		sampling.Seed, reasons[stop])
	return err
}

// generate writes the text and returns how many tokens were generated.
func (f *runFlags) generate(ctx context.Context, scr *screen, m *cortex.Model, s *cortex.Session, prompt string,
	sampling *cortex.Sampling) (n int, err error) {
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
			scr.Status("prompt: %d of %d tokens, %.1f tokens/s, %s", p.Tokens, p.TotalTokens,
				float64(p.Tokens)/max(p.Elapsed, time.Nanosecond).Seconds(), timeLeft(p.Remaining))
		},
	}
	encoder := json.NewEncoder(scr)
	encoder.SetEscapeHTML(false)
	for tok, err := range s.Generate(ctx, prompt, o) {
		if err != nil {
			return n, err
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
			return n, err
		}
		scr.Status("%s", speed(m.Stats(), n))
	}
	return n, nil
}

// speed is the status while tokens are generated.
func speed(st cortex.Stats, generated int) string {
	text := fmt.Sprintf("%d tokens, %.1f tokens/s; %s of %s; read %s", generated, st.GenerateRate(),
		cortex.FormatBytes(st.MemoryUsed), cortex.FormatBytes(st.MemoryLimit), cortex.FormatBytes(st.BytesRead))
	if st.BytesStreamed > 0 {
		text += fmt.Sprintf(", %s from the disk", cortex.FormatBytes(st.BytesStreamed))
	}
	if st.DraftedTokens > 0 {
		text += fmt.Sprintf("; %.1f tokens per pass, %.0f %% of %d drafts right", st.TokensPerPass(), 100*st.AcceptanceRate(), st.DraftedTokens)
	}
	return text
}

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
