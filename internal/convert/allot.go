package convert

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/internal/quant"
)

// raise is one way to spend bits: an entry with a better type.
type raise struct {
	entry      int
	kind       quant.Kind
	from, rows format.Type // the same for a product
	bytes      int64       // that it takes
	gain       float64     // by how much the error falls
}

// layerShare is by how much an error of the products of one step, relative to them in the mean square, lets the model's
// predictions diverge, in nats: what was measured with a small model for every kind of step, within a factor of two.
const layerShare = 0.13

// allot raises types as long as there are bits to spend, where most divergence is saved per byte. Divergence is estimated from the
// errors of the products over the calibration tokens or, if there are none, from those of the weights.
func (c *conversion) allot() error {
	if c.o.Kind.Sparse() || c.o.Output.Sparse() {
		return errors.New("a number of bits cannot be kept to where weights are left out: how many is known too late")
	}
	spent, weights := int64(0), int64(0)
	var ways []raise
	c.stage = "measuring"
	for i := range c.entries {
		e := &c.entries[i]
		spent += e.bytes(e.kind, e.rows)
		weights += e.weights()
		list, err := c.ways(i)
		if err != nil {
			return err
		}
		ways = append(ways, list...)
	}
	c.done = 0
	most := int64(c.o.Bits * float64(weights) / 8)
	if spent > most {
		return fmt.Errorf("%.3f bits per weight are too few: the smallest types take %.3f", c.o.Bits, 8*float64(spent)/float64(weights))
	}
	slices.SortStableFunc(ways, func(a, b raise) int {
		return cmp.Compare(b.gain/float64(b.bytes), a.gain/float64(a.bytes))
	})
	for _, w := range ways {
		e := &c.entries[w.entry]
		if spent+w.bytes > most || e.rows != w.from {
			continue
		}
		spent += w.bytes
		e.kind, e.rows = w.kind, w.rows
	}
	return nil
}

// bytes returns how many bytes of the container the entry takes in a type: of a product, kind, otherwise rows.
func (e *entry) bytes(kind quant.Kind, rows format.Type) int64 {
	if !e.product {
		size, err := rows.Bytes(e.matrices[0].Shape)
		if err != nil {
			return 0 // fit has seen to it that rows are whole blocks
		}
		return size
	}
	n, groups := e.channels(), e.groups(kind)
	each := container.DefaultBlockChannels(n, groups)
	size := int64(n/each) * container.NewLayout(each, groups).Size
	if n%each > 0 {
		size += container.NewLayout(n%each, groups).Size
	}
	return size
}

// finerRows are the next better types of tables.
var finerRows = map[format.Type]format.Type{format.Q4_0: format.Q5_0, format.Q5_0: format.Q8_0}

// ways returns the ways to spend bits on an entry.
func (c *conversion) ways(i int) (list []raise, err error) {
	e := &c.entries[i]
	switch {
	case e.product && e.kind == quant.SDR4:
		w := raise{entry: i, kind: quant.SDR8, bytes: e.bytes(quant.SDR8, 0) - e.bytes(quant.SDR4, 0)}
		if w.gain, err = c.measure(i); err != nil {
			return nil, err
		}
		list = append(list, w)
	case e.spend:
		worse, err := c.measureRows(e, e.rows)
		for from := e.rows; err == nil; {
			to, ok := finerRows[from]
			if !ok {
				break
			}
			var better float64
			better, err = c.measureRows(e, to)
			list = append(list, raise{entry: i, from: from, rows: to, bytes: e.bytes(0, to) - e.bytes(0, from), gain: layerShare * (worse - better)})
			from, worse = to, better
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// sampledRows is how many rows of a table are measured.
const sampledRows = 2048

// measureRows returns the error of a table's weights relative to them in a type.
func (c *conversion) measureRows(e *entry, typ format.Type) (float64, error) {
	t := e.matrices[0]
	n, rows := int(t.Shape[0]), int(t.Rows())
	x, y := make([]float32, n), make([]float32, n)
	b := make([]byte, n/typ.BlockSize()*typ.BlockBytes())
	var raw []byte
	var err error
	var cost, signal float64
	for i := range min(rows, sampledRows) {
		row := i * rows / min(rows, sampledRows)
		if raw, err = c.src.ReadRows(x, t, row, row+1, raw); err == nil {
			err = quant.Rows(b, x, typ)
		}
		if err == nil {
			err = format.Dequantize(y, b, typ)
		}
		if err != nil {
			return 0, err
		}
		for j, v := range x {
			cost += float64(v-y[j]) * float64(v-y[j])
			signal += float64(v) * float64(v)
		}
	}
	if signal == 0 {
		return 0, nil
	}
	return cost / signal, nil
}

// measure returns the divergence that a product causes in its type.
func (c *conversion) measure(i int) (float64, error) {
	e := &c.entries[i]
	q, err := c.newQuantizer(e)
	if err != nil {
		return 0, err
	}
	share := e.weights() / int64(q.groups)
	costs, signals := make([]float64, q.groups), make([]float64, q.groups)
	err = q.each(func(w *quantizerWork, group int) {
		costs[group] = w.encoder.Slab(w.slab, w.keep, q.feedback, func(int, *[quant.GroupBytes]byte, uint16) {})
		signals[group] = w.encoder.Signal(w.slab, q.feedback)
	}, func() { c.done += share; c.tell() })
	if err := errors.Join(err, q.close()); err != nil {
		return 0, err
	}
	// In the order of the groups, so that the sums are the same whatever the number of threads.
	cost, signal := 0.0, 0.0
	for g := range costs {
		cost, signal = cost+costs[g], signal+signals[g]
	}
	switch m := c.o.Calibration.of(e.matrices[0].Name, e.channels()); {
	case signal == 0:
		return 0, nil
	case e.output && m != nil:
		// Logits with errors of variance v diverge by about v/2.
		return cost / float64(m.Tokens) / float64(e.weights()/int64(e.channels())) / 2, nil
	}
	return layerShare * cost / signal, nil
}
