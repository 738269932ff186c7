package model

import (
	"context"
	"slices"
	"time"

	"github.com/cortexsdr/cortex/internal/plan"
)

// measureTime is how long Measure multiplies with one vector, and with many, unless the
// weights that are in memory have been gone through as often as measureWalks says.
const (
	measureTime  = 80 * time.Millisecond
	measureWalks = 4
)

// measureTokens is the number of vectors that stand for a prompt: more of them are hardly faster each.
const measureTokens = 64

// Measure returns how fast the products of the plan of a streamed model are, with weights that are in memory. It
// takes a fraction of a second and is for the time between Start and the first pass.
func (m *Model) Measure() (plan.Rates, error) {
	<-m.turn
	defer func() { m.turn <- struct{}{} }()
	m.stream.Settle() // the readers take processor time
	r, err := m.exec.measure()
	r.Disk = m.stream.Disk().BytesPerSecond
	return r, err
}

func (e *exec) measure() (r plan.Rates, err error) {
	e.ctx = context.Background()
	if r.Memory, err = e.timeProducts(1); err != nil {
		return r, err
	}
	tokens := min(e.batch, measureTokens)
	perByte, err := e.timeProducts(tokens)
	if layers := e.m.Plan.BytesPerPass(0) - e.m.tailBytes(); layers > 0 {
		r.Prompt = perByte * float64(tokens) / float64(layers)
	}
	return r, err
}

// tailBytes returns the size of the matrices after the last layer, which prompts do not go through.
func (m *Model) tailBytes() (n int64) {
	for _, s := range m.Plan.Steps {
		if s.Layer == m.Layers {
			for _, w := range s.W {
				n += w.Size
			}
			if s.C != nil {
				n += s.C.Size()
			}
		}
	}
	return n
}

// timeProducts returns how many bytes of weights per second are multiplied with tokens vectors. It takes the
// layers in an order in which the types of weights, which change along them, are mixed.
func (e *exec) timeProducts(tokens int) (rate float64, err error) {
	const stride = 8
	e.n, e.many = tokens, tilingFor(tokens)
	samples := timings{}
	var took time.Duration
	for phase := range measureWalks * stride {
		for i := range e.steps {
			s := &e.steps[i]
			if s.Layer%stride != phase%stride || len(s.rounds) == 0 && s.channels == nil || tokens > 1 && s.Layer == e.m.Layers || took > measureTime {
				continue
			}
			e.step = s
			if s.channels != nil {
				d, err := e.timeChannels(s.channels, samples)
				if err != nil {
					return 0, err
				}
				took += d
				continue
			}
			if err := e.packInput(s); err != nil {
				return 0, err
			}
			for j := range s.rounds {
				n, d, err := e.timeRound(&s.rounds[j])
				if err != nil {
					return 0, err
				}
				samples.add(s.rounds[j].blocks[0].product.String(), n, d)
				took += d
			}
		}
	}
	return samples.rate(), nil
}

// timings are what was measured, by the type of weights.
type timings map[string][]timing

type timing struct {
	bytes int64
	took  time.Duration
}

func (t timings) add(typ string, bytes int64, took time.Duration) {
	if bytes > 0 && took > 0 {
		t[typ] = append(t[typ], timing{bytes, took})
	}
}

// rate returns bytes per second of all types in the proportion in which they were measured, or 0 if none was. Of each it is the upper
// quartile: others who use the processors for a moment only make some products slower.
func (t timings) rate() float64 {
	var all, seconds float64
	for _, list := range t {
		var rates []float64
		var bytes float64
		for _, s := range list {
			rates = append(rates, float64(s.bytes)/s.took.Seconds())
			bytes += float64(s.bytes)
		}
		slices.Sort(rates)
		all += bytes
		seconds += bytes / rates[len(rates)*3/4]
	}
	if all == 0 {
		return 0
	}
	return all / seconds
}

// timeRound runs a round whose blocks are in memory, and returns their size and the time, or 0.
func (e *exec) timeRound(r *round) (bytes int64, took time.Duration, err error) {
	for i := range r.blocks {
		b := &r.blocks[i]
		if b.data = e.m.stream.Peek(b.index); b.data == nil {
			return 0, 0, nil
		}
		defer func() { b.data = nil }()
	}
	e.round = r
	start := time.Now()
	err = e.pool.Run(r.tiles[e.many], e.tile[e.step.Op])
	return r.bytes(), time.Since(start), err
}

// timeChannels runs a product with all channels of its blocks that are in memory, and returns the time.
func (e *exec) timeChannels(c *channels, samples timings) (took time.Duration, err error) {
	w := &e.channel
	w.from, w.n = 0, min(e.channelSizes.tokens, e.n)
	clear(w.active)
	w.product++
	if err := e.pool.Run(ceil(w.n, channelVectors), e.encode); err != nil {
		return 0, err
	}
	for i := range c.blocks {
		data := e.m.stream.Peek(c.Block + i)
		if data == nil {
			continue
		}
		c.view(i, data)
		start := time.Now()
		err := e.multiplyViewed(c, i, i+1)
		d := time.Since(start)
		c.view(i, nil)
		if err != nil {
			return 0, err
		}
		samples.add(c.kernel.String(), int64(len(data)), d)
		took += d
	}
	return took, nil
}

// bytes returns the size of the round's blocks.
func (r *round) bytes() (n int64) {
	for _, b := range r.blocks {
		n += int64(b.rows) * int64(b.rowBytes)
	}
	return n
}
