package cortex

import (
	"fmt"
	"strings"
	"time"

	"github.com/cortexsdr/cortex/internal/plan"
)

// Forecast says how long a model is expected to take. It is made from a [Plan] that [Open] or [Measure]
// returned; what was not measured is left out of it.
type Forecast struct {
	Token   time.Duration // from one generated token to the next, at the end of the prompt
	Disk    time.Duration // of that, with the disk at work
	Compute time.Duration // of that, with the processors at work

	PromptTokens int
	Prompt       time.Duration // until the prompt is read and the first token known

	Advice []Advice // what would make generating faster, the least effort first
}

// Advice is something that would make a streamed model generate faster.
type Advice struct {
	What        string
	MemoryLimit int64         // that it needs; 0 is the present one
	Token       time.Duration // what it would bring; 0 if that depends on the text
}

// Forecast returns what to expect of a prompt of so many tokens and what is generated after it.
func (p Plan) Forecast(prompt int) Forecast {
	f := Forecast{PromptTokens: prompt}
	r := p.rates()
	token := p.work(1, prompt)
	f.Token, f.Disk, f.Compute = r.Time(token)
	var passes []plan.Work
	batch := max(1, p.BatchSize) // a zero Plan has none
	for done := 0; done < prompt; done += batch {
		w := p.work(min(batch, prompt-done), done)
		if last := len(passes) - 1; last >= 0 && p.PromptReadsOnce { // one pass, layer by layer
			passes[last].Tokens += w.Tokens
			passes[last].KV += w.KV
			continue
		}
		passes = append(passes, w)
	}
	for _, w := range passes {
		all, _, _ := r.Time(w)
		f.Prompt += all
	}
	if p.Streamed && f.Token > 0 {
		f.Advice = p.advice(r, token, f)
	}
	return f
}

func (p Plan) rates() plan.Rates {
	return plan.Rates{Disk: p.Disk.BytesPerSecond, Memory: p.MemoryBytesPerSecond, Prompt: p.PromptTokensPerSecond}
}

// work returns what a pass of tokens that follow context tokens has to do.
func (p Plan) work(tokens, context int) plan.Work {
	streamed, weights := p.diskPerToken, float64(p.BytesPerToken)
	if tokens == 1 {
		weights *= 1 - p.Sparsity
	} else { // all channels
		streamed = max(streamed, p.streamedPerBatch)
	}
	return plan.Work{Tokens: tokens, Streamed: streamed, Weights: int64(weights), KV: p.KVBytesPerToken * int64(context)}
}

// advice lists what would help.
func (p Plan) advice(r plan.Rates, token plan.Work, f Forecast) (list []Advice) {
	half := token
	half.Streamed /= 2
	t, _, _ := r.Time(half)
	if f.Compute <= f.Token/2 && p.HalfLimit < p.MappedLimit {
		list = append(list, Advice{What: "twice as fast", MemoryLimit: p.HalfLimit, Token: t})
	}
	list = append(list, Advice{What: "nothing is streamed", MemoryLimit: p.MappedLimit, Token: f.Compute})
	switch {
	case f.Disk <= f.Compute || p.Sparsity > 0: // it would not help, or does already
	case p.channels:
		list = append(list, Advice{What: "a sparsity of 0.5, so that half the channels are read, at best", Token: t})
	default:
		list = append(list, Advice{What: "a .cortex file of which half the channels are read, at best", Token: t})
	}
	// As many tokens can be checked in one pass as the processors manage while the disk reads.
	if n := int(f.Disk.Seconds() * r.Prompt); n > 1 && p.DraftTokens == 0 {
		list = append(list, Advice{What: fmt.Sprintf("speculation, which can check %d tokens while the disk reads", n)})
	}
	return list
}

// String returns the forecast in two lines, and one for each advice.
func (f Forecast) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s per token", seconds(f.Token))
	if f.Token > 0 {
		fmt.Fprintf(&b, " (%.2f tokens/s): the disk works %s, the processors %s", 1/f.Token.Seconds(), seconds(f.Disk), seconds(f.Compute))
	}
	fmt.Fprintf(&b, "\n%s for a prompt of %d tokens\n", seconds(f.Prompt), f.PromptTokens)
	for _, a := range f.Advice {
		b.WriteString("  ")
		if a.MemoryLimit > 0 {
			fmt.Fprintf(&b, "with a limit of %s: ", FormatBytes(a.MemoryLimit))
		}
		b.WriteString(a.What)
		if a.Token > 0 {
			fmt.Fprintf(&b, ", %s per token", seconds(a.Token))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// seconds returns a time for people: three digits of it.
func seconds(d time.Duration) string {
	switch {
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.3g ms", d.Seconds()*1e3)
	case d < 100*time.Second:
		return fmt.Sprintf("%.3g s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// weightBytes returns what the layout has for weights.
func (p Plan) weightBytes() (n int64) {
	for _, it := range p.Memory {
		switch it.Name {
		case memWeights, memPinned, memRing:
			n += it.Bytes
		}
	}
	return n
}
