package convert

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cortexsdr/cortex/internal/plan"
	"github.com/cortexsdr/cortex/internal/quant"
	"github.com/cortexsdr/cortex/loader"
)

// Calibration holds the second moments of the inputs of a model's products, over a calibration text, and how often their channels
// are active. It must be closed.
type Calibration struct {
	Tokens  int // of the text, so far
	Window  int // see quant.Moments
	threads int
	buf     *loader.Buffer
	size    int64
	moments map[string]*quant.Moments // by each of the product's matrices
	active  map[string]*activity      // likewise
	workers []counter
}

// windows are the sizes of windows that are considered, the best first.
var windows = []int{4096, 2048, 1024, 512, 256, 128}

// NewCalibration returns a calibration of nothing yet for a conversion with these options, of which Calibration need not be set. Its
// windows are the largest of which the moments take at most half of the memory, and with which feedback can be worked out in the rest.
func NewCalibration(src Source, o Options) (*Calibration, error) {
	p, _, err := planOf(src)
	if err != nil {
		return nil, err
	}
	threads := max(1, o.Threads)
	c := &Calibration{threads: threads, moments: map[string]*quant.Moments{}, active: map[string]*activity{}, workers: make([]counter, threads)}
	for _, c.Window = range windows {
		most := int64(0) // what the product that needs most takes besides
		c.size = 0
		for _, s := range p.Steps {
			if !isProduct(s) {
				continue
			}
			n := int(s.W[0].Shape[0])
			moments := loader.SizeOf[float32](quant.MomentValues(n, c.Window))
			c.size += moments + activityBytes(n)
			window := min(c.Window, n)
			most = max(most, moments+loader.SizeOf[float64](window*window)+o.workMemory(n))
		}
		if c.size <= o.Memory/2 && c.size+most <= o.Memory {
			break
		}
	}
	if c.size > o.Memory/2 {
		return nil, fmt.Errorf("calibration needs %d bytes for second moments, %d are allowed: half of the memory", c.size, o.Memory/2)
	}
	if c.buf, err = loader.NewBuffer(c.size); err != nil {
		return nil, err
	}
	c.buf.HugePages()
	for i := range p.Steps {
		s := &p.Steps[i]
		if !isProduct(*s) {
			continue
		}
		n := int(s.W[0].Shape[0])
		m := quant.NewMoments(n, c.Window, loader.Take[float32](c.buf, quant.MomentValues(n, c.Window)))
		a, err := newActivity(src, s.Matrices(), n, c.buf)
		if err != nil {
			return nil, errors.Join(err, c.buf.Close())
		}
		for _, name := range s.Matrices() {
			c.moments[name], c.active[name] = m, a
		}
	}
	return c, nil
}

// isProduct reports whether a step multiplies matrices with its input.
func isProduct(s plan.Step) bool { return s.Op == plan.MatMul || s.Op == plan.MatMulAdd }

// Add adds inputs of the product of the named matrices, vectors one after the other.
func (c *Calibration) Add(matrices []string, x []float32) {
	if m := c.moments[matrices[0]]; m != nil {
		parallel(c.threads, func(i int) { m.Add(x, i, c.threads) })
		c.active[matrices[0]].add(x, c.workers)
		c.Tokens = max(c.Tokens, m.Tokens)
	}
}

// Close frees the memory.
func (c *Calibration) Close() error {
	c.moments, c.active = nil, nil
	return c.buf.Close()
}

// of returns the moments of a product's input of n channels, or nil if there are none.
func (c *Calibration) of(matrix string, n int) *quant.Moments {
	if c == nil {
		return nil
	}
	m := c.moments[matrix]
	if m == nil || m.Channels != n || m.Tokens == 0 {
		return nil
	}
	return m
}

// order returns the channels of a product, those first that are active most often, or nil if that is not known.
func (c *Calibration) order(matrix string, n int) []uint16 {
	m := c.of(matrix, n)
	if m == nil {
		return nil
	}
	return c.active[matrix].order(m)
}

// Bytes returns how much memory the calibration takes.
func (c *Calibration) Bytes() int64 {
	if c == nil {
		return 0
	}
	return c.size
}

// parallel calls f(0) to f(n-1) at once.
func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
