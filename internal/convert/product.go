package convert

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/internal/quant"
	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
)

// A product is made group by group: some rows of a matrix, all of them contiguous in most sources, are read, turned into
// channels and quantized, and every channel's group is put at its place in the product's blocks, which are then written. The
// blocks are in memory meanwhile; where that is not enough for all of them, the groups are quantized once for each part of
// the blocks.

// writeProduct writes a product, or what is left of it.
func (c *conversion) writeProduct(e *entry) error {
	q, err := c.newQuantizer(e)
	if err != nil {
		return err
	}
	defer q.close()
	matrices := make([]container.Matrix, len(e.matrices))
	for i, t := range e.matrices {
		matrices[i] = container.Matrix{Name: t.Name, Outputs: int(t.Rows())}
	}
	p := container.Product{Matrices: matrices, Type: kinds[e.kind], Channels: e.channels()}
	p.BlockChannels = container.DefaultBlockChannels(p.Channels, q.groups)
	if e.kind.Dense() == quant.SDR4 {
		p.Table = q.table
	}
	if c.o.HotFirst {
		p.Order = c.o.Calibration.order(e.matrices[0].Name, p.Channels)
		q.placeBy(p.Order)
	}
	w, err := c.w.AddProduct(p)
	if err != nil {
		return err
	}
	most := max(c.o.Memory-q.memory(), 1)
	before := c.done
	for w.Next() < p.Channels {
		from := w.Next()
		to, size := from, int64(0)
		for to < p.Channels {
			n := min(p.BlockChannels, p.Channels-to)
			block := container.NewLayout(n, q.groups).Size
			if to > from && size+block > most {
				break
			}
			to, size = to+n, size+block
		}
		if err := c.writeChannels(q, w, p.BlockChannels, from, to, size); err != nil {
			return err
		}
		c.done = before + e.weights()*int64(to)/int64(p.Channels)
		c.tell()
	}
	c.done = before + e.weights()
	return nil
}

// writeChannels makes and writes the blocks of the channels from up to to, which take size bytes.
func (c *conversion) writeChannels(q *quantizer, w *container.ProductWriter, blockChannels, from, to int, size int64) error {
	buf, err := loader.NewBuffer(size)
	if err != nil {
		return err
	}
	defer buf.Close()
	buf.HugePages()
	memory := loader.Take[byte](buf, int(size))
	var blocks []block
	for at := from; at < to; at += blockChannels {
		l := container.NewLayout(min(blockChannels, to-at), q.groups)
		blocks = append(blocks, block{l, memory[:l.Size]})
		memory = memory[l.Size:]
	}
	share := q.e.weights() * int64(to-from) / int64(q.e.channels()) / int64(q.groups)
	err = q.each(func(w *quantizerWork, group int) {
		put := func(channel int, values *[quant.GroupBytes]byte, scale uint16) {
			if q.place != nil {
				channel = int(q.place[channel])
			}
			if channel < from || channel >= to {
				return
			}
			b := &blocks[(channel-from)/blockChannels]
			at := (channel-from)%blockChannels*q.groups + group
			binary.LittleEndian.PutUint16(b.data[2*at:], scale)
			copy(b.data[b.Values+int64(at)*quant.GroupBytes:], values[:])
		}
		if q.feedback != nil {
			w.encoder.Slab(w.slab, w.keep, q.feedback, put) // all channels, as each bears on the others
			return
		}
		size := q.kind.Group()
		var keep []bool
		if w.keep != nil {
			keep = w.keep[from*size : to*size]
		}
		w.encoder.Slab(w.slab[from*size:to*size], keep, nil, func(i int, values *[quant.GroupBytes]byte, scale uint16) { put(from+i, values, scale) })
	}, func() { c.done += share; c.tell() })
	if err != nil {
		return err
	}
	var pack packer
	for _, b := range blocks {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		data := b.data
		if q.kind.Sparse() {
			data = pack.smaller(q, &b)
		}
		if err := w.WriteBlock(data); err != nil {
			return err
		}
	}
	return nil
}

// block is a block in memory.
type block struct {
	container.Layout
	data []byte
}

// packer leaves out weights of 0.
type packer struct {
	packed kernels.SDRBlock
	data   []byte
}

// mostPacked is the most groups that a channel of a packed block has: offsets are 16 bits in units of 2 bytes, and
// a group takes at most 72.
const mostPacked = 2 * 0xffff / 72

// mostShare is the largest share of its bytes that a block is packed to. Bytes that are not read from a disk are worth the time that unpacking
// takes; from memory it pays from some 0.7 of the bytes of SDRW4 on, and 0.9 of SDRW8 (docs/kernels.md). With half of the weights 0, here and
// there, it is 0.92 for SDRW4.
const mostShare = 0.95

// smaller returns the block packed, if that is smaller by enough, or else as it is.
func (p *packer) smaller(q *quantizer, b *block) []byte {
	kernel, ok := kernels.SDROf(q.kind.String())
	if !ok || b.Groups > mostPacked {
		return b.data
	}
	table := [16]byte(q.table)
	dense := kernels.SDRBlock{Scales: b.data[:2*b.Channels*b.Groups], Values: b.data[b.Values:], Channels: b.Channels, Groups: b.Groups, Table: &table}
	if float64(kernel.PackedSize(&dense)) > mostShare*float64(b.Size) {
		return b.data
	}
	kernel.Pack(&p.packed, &dense)
	p.data = container.AppendPacked(p.data[:0], b.Channels, b.Groups, dense.Scales, p.packed.Starts, p.packed.Offsets, p.packed.Values)
	if float64(len(p.data)) > mostShare*float64(b.Size) {
		return b.data
	}
	return p.data
}

// quantizer quantizes the groups of a product.
type quantizer struct {
	c        *conversion
	e        *entry
	kind     quant.Kind
	groups   int
	table    quant.Table
	feedback *quant.Feedback
	place    []uint16  // where each channel goes that there is feedback for; nil if they stay where they are
	norms    []float32 // of the input's channels, by which weights are pruned; nil if they do not count
	buf      *loader.Buffer
	workers  []quantizerWork
}

// quantizerWork is the memory of a worker.
type quantizerWork struct {
	rows, slab []float32
	keep       []bool    // as slab, of a sparse kind: which weights do not become 0
	pairs      []float32 // where weights are left out in pairs: the lengths of a row of them
	index      []int32
	raw        []byte
	encoder    *quant.Encoder
}

// newQuantizer prepares the quantization of a product. It must be closed.
func (c *conversion) newQuantizer(e *entry) (_ *quantizer, err error) {
	q := &quantizer{c: c, e: e, kind: e.kind, groups: e.groups(e.kind), table: quant.Default}
	n, group := e.channels(), e.kind.Group()
	moments := c.o.Calibration.of(e.matrices[0].Name, n)
	size := int64(c.o.Threads) * 2 * loader.SizeOf[float32](n*group)
	if e.kind.Sparse() {
		size += int64(c.o.Threads) * loader.SizeOf[bool](n*group)
	}
	pairs := c.o.PrunePairs && e.kind == quant.SDRW4
	if pairs {
		size += int64(c.o.Threads) * loader.SizeOf[float32](n)
	}
	if moments != nil {
		size += loader.SizeOf[float32](moments.Values())
	}
	if q.buf, err = loader.NewBuffer(size); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			q.close()
		}
	}()
	q.buf.HugePages()
	for range c.o.Threads {
		w := quantizerWork{rows: loader.Take[float32](q.buf, n*group), slab: loader.Take[float32](q.buf, n*group)}
		if e.kind.Sparse() {
			w.keep = loader.Take[bool](q.buf, n*group)
		}
		if pairs {
			w.pairs = loader.Take[float32](q.buf, n)
		}
		q.workers = append(q.workers, w)
	}
	if e.kind.Sparse() && c.o.Wanda {
		if moments == nil {
			return nil, &format.Error{File: c.src.Name(), Tensor: e.matrices[0].Name, Err: format.ErrMissing,
				Detail: "weights cannot be pruned by their inputs without a calibration"}
		}
		q.norms = moments.Norms()
	}
	if moments != nil {
		if q.feedback, err = newFeedback(moments, loader.Take[float32](q.buf, moments.Values())); err != nil {
			return nil, err
		}
	}
	if e.kind.Dense() == quant.SDR4 {
		if q.table, err = q.fit(); err != nil {
			return nil, err
		}
	}
	for i := range q.workers {
		q.workers[i].encoder = quant.NewEncoder(e.kind, q.table)
	}
	return q, nil
}

// newFeedback works moments out. Its scratch, which may be more than all else, is gone when the blocks come.
func newFeedback(m *quant.Moments, memory []float32) (_ *quant.Feedback, err error) {
	scratch, err := loader.NewBuffer(loader.SizeOf[float64](m.Scratch()))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, scratch.Close()) }()
	scratch.HugePages()
	return quant.NewFeedback(m, memory, loader.Take[float64](scratch, m.Scratch()))
}

// placeBy has channels lie in an order, which may be nil.
func (q *quantizer) placeBy(order []uint16) {
	if order == nil {
		return
	}
	q.place = make([]uint16, len(order))
	for at, channel := range order {
		q.place[channel] = uint16(at)
	}
}

func (q *quantizer) close() error { return q.buf.Close() }

// memory returns how much is taken besides the blocks.
func (q *quantizer) memory() int64 {
	return q.c.o.workMemory(q.e.channels()) + 4*int64(q.feedback.Values()) + q.c.o.Calibration.Bytes()
}

// workMemory returns what it takes to quantize a product of so many channels, besides blocks and what calibration needs.
func (o *Options) workMemory(channels int) int64 {
	each := int64(2*4 + 4) // bytes for a weight
	if o.Kind.Sparse() || o.Output.Sparse() {
		each++
	}
	group := max(o.Kind.Group(), o.Output.Group())
	return int64(max(1, o.Threads))*each*int64(channels)*int64(group) + fixedMemory
}

// fixedMemory is what the program takes whatever it converts: code, stacks, metadata, garbage.
const fixedMemory = 96 << 20

// fitGroups is how many groups of how many outputs a table is fitted to.
const (
	fitSlabs  = 8
	fitGroups = 512
)

// fit returns a table for the product's weights, from a sample of them.
func (q *quantizer) fit() (quant.Table, error) {
	n, size := q.e.channels(), q.kind.Group()
	var sample []float32
	w := &q.workers[0]
	slabs := min(fitSlabs, q.groups)
	for i := range slabs {
		if err := q.read(w, i*q.groups/slabs); err != nil {
			return quant.Table{}, err
		}
		take := min(n, fitGroups/slabs)
		for j := range take {
			at := j * n / take * size
			sample = append(sample, w.slab[at:][:size]...)
			if w.keep == nil {
				continue
			}
			for o, keep := range w.keep[at:][:size] {
				if !keep {
					sample[len(sample)-size+o] = 0
				}
			}
		}
	}
	return quant.Fit(sample), nil
}

// each calls do for every group, which is in w.slab, on all workers, and done after it, on one at a time.
func (q *quantizer) each(do func(w *quantizerWork, group int), done func()) error {
	var next atomic.Int64
	var mu sync.Mutex
	var failed error
	parallel(len(q.workers), func(i int) {
		w := &q.workers[i]
		for {
			group := int(next.Add(1)) - 1
			if group >= q.groups {
				return
			}
			err := q.c.ctx.Err()
			if err == nil {
				err = q.read(w, group)
			}
			if err == nil {
				do(w, group)
			}
			mu.Lock()
			if err != nil {
				failed = errors.Join(failed, err)
				next.Store(int64(q.groups))
			} else {
				done()
			}
			mu.Unlock()
		}
	})
	return failed
}

// read reads the rows of a group and turns them into channels, in w.slab, and of a sparse kind says in w.keep which
// weights stay. Outputs that the matrix does not have are 0.
func (q *quantizer) read(w *quantizerWork, group int) (err error) {
	size, n := q.kind.Group(), q.e.channels()
	at := 0
	for group >= q.kind.Groups(int(q.e.matrices[at].Rows())) {
		group -= q.kind.Groups(int(q.e.matrices[at].Rows()))
		at++
	}
	t := q.e.matrices[at]
	first := group * size
	rows := min(size, int(t.Rows())-first)
	if w.raw, err = q.c.src.ReadRows(w.rows[:rows*n], t, first, first+rows, w.raw); err != nil {
		return err
	}
	clear(w.rows[rows*n : size*n])
	if w.keep != nil {
		clear(w.keep)
		step := size // from a weight to that of the same byte which stays or goes with it
		if w.pairs != nil {
			step = size / 2
		}
		for r := range min(rows, step) {
			scores := w.rows[r*n:][:n]
			if w.pairs != nil {
				lengths(w.pairs, scores, w.rows[(r+step)*n:][:n])
				scores = w.pairs
			}
			w.index = q.c.o.Prune.Select(w.index, scores, q.norms)
			for _, j := range w.index {
				for o := r; o < size; o += step {
					w.keep[int(j)*size+o] = w.rows[o*n+int(j)] != 0 // also where feedback would make up for others
				}
			}
		}
	}
	if bad := transpose(w.slab, w.rows, size, n); bad {
		return notFinite(q.c.src, t, w.rows[:rows*n], first)
	}
	return nil
}

// lengths makes dst[j] the length of (a[j], b[j]).
func lengths(dst, a, b []float32) {
	for j := range dst {
		dst[j] = float32(math.Hypot(float64(a[j]), float64(b[j])))
	}
}

// notFinite returns the error that names a value that is no finite number.
func notFinite(src Source, t format.Tensor, values []float32, row int) error {
	n := int(t.Shape[0])
	for i, v := range values {
		if v-v != 0 {
			return &format.Error{File: src.Name(), Tensor: t.Name, Offset: t.Offset, Err: format.ErrFormat,
				Detail: fmt.Sprintf("the weight of output %d and input %d is %v", row+i/n, i%n, v)}
		}
	}
	return nil
}

// transpose turns rows of n values into dst, [n][rows], and reports whether any is not finite. rows is a multiple of 8.
func transpose(dst, src []float32, rows, n int) bool {
	var odd float32
	for r := 0; r < rows; r += 8 {
		a, b, c, d := src[r*n:][:n], src[(r+1)*n:][:n], src[(r+2)*n:][:n], src[(r+3)*n:][:n]
		e, f, g, h := src[(r+4)*n:][:n], src[(r+5)*n:][:n], src[(r+6)*n:][:n], src[(r+7)*n:][:n]
		for j := range a {
			to := dst[j*rows+r:][:8]
			to[0], to[1], to[2], to[3] = a[j], b[j], c[j], d[j]
			to[4], to[5], to[6], to[7] = e[j], f[j], g[j], h[j]
			// 0 unless one of them is not finite.
			odd += (a[j] - a[j]) + (b[j] - b[j]) + (c[j] - c[j]) + (d[j] - d[j]) + (e[j] - e[j]) + (f[j] - f[j]) + (g[j] - g[j]) + (h[j] - h[j])
		}
	}
	return odd != 0
}
