package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cortexsdr/cortex"
)

// planFlags are the flags of plan.
type planFlags struct {
	model  modelFlags
	prompt int
	json   bool
}

func newPlan() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan [MODEL]",
		Short: "Say what a model would do under a memory limit, and how fast",
		Long: `plan shows how a model would be laid out under a memory limit: what stays in
memory, what is streamed from the file for every token, and through how much of
a ring. It measures the disk and the processors for a second or two and says how
long a token and a prompt will take, and what would make it faster.`,
		Example: `  cortex plan model.gguf --memory 4GiB
  cortex plan model.gguf --memory 4GiB -c 8192 --prompt 4096
  cortex plan model.gguf --memory 4GiB --json | jq .forecast.seconds_per_token`,
		RunE: f.model.alone(f.run),
	}
	fs := cmd.Flags()
	f.model.add(fs)
	f.model.addSizes(fs)
	fs.IntVarP(&f.prompt, "prompt", "p", 128, "tokens `N` of the prompt that is forecast")
	fs.BoolVar(&f.json, "json", false, "write JSON")
	return cmd
}

// forecastJSON is everything that plan shows.
type forecastJSON struct {
	File     string       `json:"file"`
	Bytes    int64        `json:"bytes"`
	Plan     *planJSON    `json:"plan"`
	Forecast forecastPart `json:"forecast"`
}

type forecastPart struct {
	SecondsPerToken float64      `json:"seconds_per_token"`
	DiskSeconds     float64      `json:"disk_seconds_per_token"`
	ComputeSeconds  float64      `json:"compute_seconds_per_token"`
	PromptTokens    int          `json:"prompt_tokens"`
	PromptSeconds   float64      `json:"prompt_seconds"`
	Advice          []adviceJSON `json:"advice"`
}

type adviceJSON struct {
	What            string  `json:"what"`
	MemoryLimit     int64   `json:"memory_limit,omitempty"`
	SecondsPerToken float64 `json:"seconds_per_token,omitempty"`
}

func (f *planFlags) run(cmd *cobra.Command) error {
	o, err := f.model.options(cmd, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if f.prompt < 0 {
		return usagef("--prompt is a number of tokens")
	}
	info, plan, err := f.model.describe(o, cortex.Measure)
	if err != nil {
		return f.model.explain(err)
	}
	forecast := plan.Forecast(f.prompt)
	if f.json {
		return writeJSON(cmd, forecastJSON{File: info.File, Bytes: info.FileBytes, Plan: newPlanJSON(plan), Forecast: newForecastJSON(forecast)})
	}
	return writePlan(cmd.OutOrStdout(), info, plan, forecast)
}

func newForecastJSON(f cortex.Forecast) forecastPart {
	j := forecastPart{SecondsPerToken: f.Token.Seconds(), DiskSeconds: f.Disk.Seconds(), ComputeSeconds: f.Compute.Seconds(),
		PromptTokens: f.PromptTokens, PromptSeconds: f.Prompt.Seconds(), Advice: []adviceJSON{}}
	for _, a := range f.Advice {
		j.Advice = append(j.Advice, adviceJSON{What: a.What, MemoryLimit: a.MemoryLimit, SecondsPerToken: a.Token.Seconds()})
	}
	return j
}

// writePlan writes all of it for people.
func writePlan(w io.Writer, info cortex.Info, p cortex.Plan, f cortex.Forecast) error {
	fmt.Fprintf(w, "%s: %s\n\nMEMORY\n%s", info.File, cortex.FormatBytes(info.FileBytes), p)
	if p.Streamed {
		fmt.Fprintf(w, "\nDISK\n%s\n", disk(p.Disk))
	}
	if f.Token > 0 {
		fmt.Fprintf(w, "\nFORECAST\n%s", f)
	}
	return nil
}

// disk describes how a disk is read.
func disk(d cortex.Disk) string {
	return fmt.Sprintf("%.2f GB/s, measured with %d requests of %s in flight", d.BytesPerSecond/1e9, d.Readers, cortex.FormatBytes(d.Request))
}
