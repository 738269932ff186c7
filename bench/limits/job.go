package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cortexsdr/cortex"
)

// workRun is the command with which this program runs a model.
const workRun = "run"

// job is what a process does with cortex. Its options are those of cortex.
type job struct {
	Model   string
	Limit   int64
	Context int
	Batch   int
	Threads int
	KV      cortex.KVType
	Prompt  int // tokens
	Gen     int

	Speculate int // negative for plain decoding
}

// done is what it reports.
type done struct {
	Refused  int64 // the limit that is asked for instead, if the job's is too small
	Plan     cortex.Plan
	Forecast float64 // seconds per token
	Token    float64 // seconds, measured
	Prompt   float64 // seconds
	Streamed int64   // bytes per token
	DiskRate float64 // bytes per second, from the first token to the last
	Stats    cortex.Stats
}

func runJob(ctx context.Context, args []string) error {
	var j job
	if err := json.Unmarshal([]byte(args[0]), &j); err != nil {
		return err
	}
	d, err := j.run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(d)
}

func (j *job) options() *cortex.Options {
	return &cortex.Options{MemoryLimit: j.Limit, ContextLength: j.Context, BatchSize: j.Batch, Threads: j.Threads, KVType: j.KV,
		Speculate: j.Speculate}
}

// run opens the model, reads a prompt of random tokens and generates after it.
func (j *job) run(ctx context.Context) (*done, error) {
	m, err := cortex.Open(j.Model, j.options())
	var refused *cortex.MemoryError
	if errors.As(err, &refused) {
		return &done{Refused: refused.Need}, nil
	}
	if err != nil {
		return nil, err
	}
	defer m.Close()
	s, err := m.NewSession()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	d := &done{Plan: m.Plan(), Forecast: m.Plan().Forecast(j.Prompt).Token.Seconds()}
	if j.Prompt > 1 {
		ids := make([]int32, j.Prompt-1)
		for i := range ids {
			ids[i] = int32((i*7919 + 13) % m.Info().Vocab)
		}
		start := time.Now()
		if err := s.Eval(ctx, ids, 0, nil); err != nil {
			return nil, err
		}
		d.Prompt = time.Since(start).Seconds()
	}
	var first time.Time
	var before cortex.Stats
	n := 0
	for _, err := range s.Generate(ctx, strings.Repeat("a", 1), &cortex.GenerateOptions{MaxTokens: j.Gen, Sampling: &cortex.Sampling{}, IgnoreEnd: true}) {
		if err != nil {
			return nil, err
		}
		if n++; n == 1 {
			first, before = time.Now(), m.Stats()
		}
	}
	d.Stats = m.Stats()
	if n > 1 {
		took := time.Since(first).Seconds()
		d.Token = took / float64(n-1)
		d.Streamed = (d.Stats.BytesStreamed - before.BytesStreamed) / int64(n-1)
		d.DiskRate = float64(d.Stats.BytesStreamed-before.BytesStreamed) / took
	}
	if n != j.Gen && s.StopReason() != cortex.StopContext {
		return nil, fmt.Errorf("%d tokens generated, not %d", n, j.Gen)
	}
	return d, nil
}

// start runs the job in a cgroup that may be charged with limit bytes.
func (j job) start(ctx context.Context, limit int64) (d done, o outcome, err error) {
	exe, err := os.Executable()
	if err != nil {
		return d, o, err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return d, o, err
	}
	o, err = in(ctx, limit, &d, exe, workRun, string(text))
	return d, o, err
}
