package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/kernels"
)

// output is what a process that measured prints, as JSON. The oracle's has the same
// names, and some more.
type output struct {
	Peer       string    `json:"peer"` // its name and version; of the oracle only
	CPU        string    `json:"cpu"`  // what the kernels are for
	Prompt     []float64 `json:"pp_tokens_per_second"`
	Gen        []float64 `json:"tg_tokens_per_second"`
	Open       float64   `json:"load_seconds"`        // until the first token could be read
	FirstToken float64   `json:"first_token_seconds"` // from the same start, with the first prompt read

	// Of cortex only.
	FileBytes     int64 `json:"file_bytes"`
	KVBytes       int64 `json:"kv_bytes"`
	BytesPerToken int64 `json:"bytes_per_token"`
}

// job is what one process has to do.
type job struct {
	Model       string
	Threads     int
	Repetitions int
	Test        spec
}

// measure does the job with cortex. It is the counterpart of the oracle's command
// bench: the tokens are the same, and so is what is run before the clock is started.
func measure(ctx context.Context, j job) (*output, error) {
	start := time.Now()
	m, err := cortex.Open(j.Model, &cortex.Options{
		Threads:       j.Threads,
		ContextLength: j.Test.Depth + max(j.Test.Prompt, j.Test.Gen) + 1,
	})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	s, err := m.NewSession()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	isa, _ := kernels.ISA()
	plan := m.Plan()
	out := &output{CPU: isa, Open: time.Since(start).Seconds(), FileBytes: m.Info().FileBytes, BytesPerToken: plan.BytesPerToken}
	for _, it := range plan.Memory {
		if it.Name == "KV cache" {
			out.KVBytes = it.Bytes
		}
	}

	ids := benchTokens(m, j.Test.Depth+max(j.Test.Prompt, 1))
	if err := s.Eval(ctx, ids[:max(j.Test.Prompt, 1)], 1, likeliest); err != nil {
		return nil, err
	}
	out.FirstToken = time.Since(start).Seconds()
	s.Truncate(0)

	for range j.Repetitions {
		if j.Test.Prompt > 0 {
			if err := rewind(ctx, s, ids[:j.Test.Depth]); err != nil {
				return nil, err
			}
			start = time.Now()
			if err := s.Eval(ctx, ids[j.Test.Depth:], 1, likeliest); err != nil {
				return nil, err
			}
			out.Prompt = append(out.Prompt, float64(j.Test.Prompt)/time.Since(start).Seconds())
			continue
		}
		// Generate begins by running the text's last token, so there is one more than
		// the depth: n tokens take n passes, the first at the position after the depth.
		if err := rewind(ctx, s, ids[:j.Test.Depth+1]); err != nil {
			return nil, err
		}
		start = time.Now()
		if err := generate(ctx, s, j.Test.Gen); err != nil {
			return nil, err
		}
		out.Gen = append(out.Gen, float64(j.Test.Gen)/time.Since(start).Seconds())
	}
	return out, nil
}

// rewind makes ids the session's text.
func rewind(ctx context.Context, s *cortex.Session, ids []int32) error {
	if s.Len() > len(ids) {
		s.Truncate(len(ids))
	}
	if s.Len() == len(ids) {
		return nil
	}
	return s.Eval(ctx, ids[s.Len():], 0, likeliest)
}

// generate continues the session's text greedily by n tokens.
func generate(ctx context.Context, s *cortex.Session, n int) error {
	o := &cortex.GenerateOptions{MaxTokens: n, Sampling: &cortex.Sampling{}, IgnoreEnd: true}
	made := 0
	for _, err := range s.Generate(ctx, "", o) {
		if err != nil {
			return err
		}
		made++
	}
	if made != n {
		return fmt.Errorf("%d tokens generated, not %d: %s", made, n, s.StopReason())
	}
	return nil
}

// likeliest looks for the best token, as whoever wants the next one must.
func likeliest(_ int, logits []float32) error {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	if v := logits[best]; v != v {
		return fmt.Errorf("logit %d is NaN", best)
	}
	return nil
}

// benchTokens returns n random tokens, those of the oracle.
func benchTokens(m *cortex.Model, n int) []int32 {
	ids := make([]int32, n)
	state, vocab := uint32(1), uint32(m.Info().Vocab)
	for i := range ids {
		state = state*1664525 + 1013904223
		ids[i] = int32((state >> 8) % vocab)
	}
	if begin := m.Tokenize("", cortex.TokenizeOptions{AddSpecial: true}); len(begin) > 0 {
		ids[0] = begin[0]
	}
	return ids
}
