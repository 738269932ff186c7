package model

import (
	"fmt"
	"slices"

	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/internal/plan"
	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
)

// Products whose weights lie channel by channel: the input is turned into a sparse
// distributed representation, its active channels with their values, and only their
// weights are read. Sums are whole numbers, so neither the order of blocks nor the
// cut into tiles changes a result.

const (
	// channelVectors is the most vectors that share what is unpacked.
	channelVectors = kernels.SDRVectors
	// channelTokens is the number of tokens whose sums are held at once where weights
	// are resident, and read again for the next ones.
	channelTokens = 8 * channelVectors
	// tileGroups is the most groups of a tile.
	tileGroups = 16
	// tileChannelBytes is what one call of a kernel reads: see tileBytes.
	tileChannelBytes = 512 << 10
)

// channels is a step's product of this kind.
type channels struct {
	*plan.Channels
	kernel *kernels.SDR
	groups int // of a channel
	source *container.Product

	tiles  []channelTile
	bias   [][]float32 // by matrix
	blocks []kernels.SDRBlock
}

// channelTile is some groups of one matrix.
type channelTile struct {
	at, row, rows int // the matrix and the rows of it
	from, to      int // groups
	acc           int // where its sums begin among those of 8 vectors
}

// channelSizes is what these products need, worked out before anything is allocated.
type channelSizes struct {
	tokens  int // whose sums are held at once
	inputs  int // channels of the widest input
	sums    int // of 8 vectors
	scratch int // bytes
	results int // of a tile and 8 vectors
}

// channelWork is the memory that channelSizes has asked for, and what it is used for.
type channelWork struct {
	sets    [][]int32          // by token: memory for its active channels
	active  [][]int32          // by token: those of the product that is being run
	inputs  []kernels.SDRInput // by 8 tokens
	sums    []int32
	scratch [][]byte    // by worker
	results [][]float32 // by worker

	from, n int // the tokens that are being multiplied
	block   int // the first block that is held, and
	to      int // the one behind the last
}

// newChannels checks a product.
func (e *exec) newChannels(c *plan.Channels) (*channels, error) {
	kernel, ok := kernels.SDROf(c.Type)
	if !ok || c.Inputs > kernels.SDRChannels {
		return nil, &format.Error{File: e.m.src.Name(), Tensor: c.Matrices[0].Name, Offset: c.Pieces[0].Offset,
			Detail: fmt.Sprintf("no kernel for a product of type %s and %d channels", c.Type, c.Inputs), Err: format.ErrUnsupported}
	}
	ch := &channels{Channels: c, kernel: kernel, source: &e.m.src.Products[c.Index]}
	for _, m := range c.Matrices {
		ch.groups += ceil(m.Outputs, kernel.Group())
	}
	s := &e.channelSizes
	s.inputs = max(s.inputs, c.Inputs)
	s.sums = max(s.sums, ch.groups*kernel.AccLen(1, channelVectors))
	s.scratch = max(s.scratch, kernel.ScratchBytes(tileGroups, channelVectors))
	s.results = max(s.results, tileGroups*kernel.Group()*channelVectors)
	return ch, nil
}

// channelsOf returns the function that finds the products that src stores channel by
// channel.
func channelsOf(src *loader.Source) func(matrix string) (*plan.Channels, bool) {
	return func(matrix string) (*plan.Channels, bool) {
		i := slices.IndexFunc(src.Products, func(p container.Product) bool { return p.Matrices[0].Name == matrix })
		if i < 0 {
			return nil, false
		}
		p := &src.Products[i]
		c := &plan.Channels{Type: p.Type.String(), Inputs: p.Channels, Index: i}
		for _, m := range p.Matrices {
			c.Matrices = append(c.Matrices, plan.Matrix(m))
		}
		for _, piece := range p.Pieces {
			c.Pieces = append(c.Pieces, plan.Piece{Part: piece.Part, Offset: piece.Offset, Size: piece.Size,
				First: piece.First, Channels: piece.Channels, CRC: piece.CRC})
		}
		return c, true
	}
}

func (s *channelSizes) octets() int { return ceil(s.tokens, channelVectors) }

func (s *channelSizes) bytes() int64 {
	if s.inputs == 0 {
		return 0
	}
	n := int64(s.tokens) * loader.SizeOf[int32](s.inputs)
	n += int64(s.octets()) * (loader.SizeOf[int32](s.inputs) + loader.SizeOf[float32](s.inputs*channelVectors) + loader.SizeOf[float32](channelVectors))
	return n + loader.SizeOf[int32](s.octets()*s.sums)
}

func (s *channelSizes) workerBytes() int64 {
	if s.inputs == 0 {
		return 0
	}
	return loader.SizeOf[byte](s.scratch) + loader.SizeOf[float32](s.results)
}

func (s *channelSizes) take(buf *loader.Buffer, workers int) (w channelWork) {
	if s.inputs == 0 {
		return w
	}
	for range s.tokens {
		w.sets = append(w.sets, loader.Take[int32](buf, s.inputs))
	}
	w.active = make([][]int32, s.tokens)
	for range s.octets() {
		w.inputs = append(w.inputs, kernels.SDRInput{
			Index: loader.Take[int32](buf, s.inputs),
			X:     loader.Take[float32](buf, s.inputs*channelVectors),
			Scale: loader.Take[float32](buf, channelVectors),
		})
	}
	w.sums = loader.Take[int32](buf, s.octets()*s.sums)
	for range workers {
		w.scratch = append(w.scratch, loader.Take[byte](buf, s.scratch))
		w.results = append(w.results, loader.Take[float32](buf, s.results))
	}
	return w
}

// start reads the product's biases and cuts it into tiles.
func (c *channels) start(e *exec, s *step) (err error) {
	c.bias = make([][]float32, len(c.Matrices))
	for i, v := range s.V {
		if v != nil {
			if c.bias[i], err = e.m.vectorOf(v.Tensor); err != nil {
				return err
			}
		}
	}
	each := max(1, min(tileGroups, ceil(c.groups, 4*e.pool.Workers())))
	group, acc := 0, 0
	for at, m := range c.Matrices {
		size := c.kernel.Group()
		for row := 0; row < m.Outputs; row += each * size {
			rows := min(each*size, m.Outputs-row)
			n := ceil(rows, size)
			c.tiles = append(c.tiles, channelTile{at: at, row: row, rows: rows, from: group, to: group + n, acc: acc})
			group, acc = group+n, acc+c.kernel.AccLen(n, channelVectors)
		}
	}
	for _, p := range c.Pieces {
		c.blocks = append(c.blocks, kernels.SDRBlock{First: p.First, Channels: p.Channels, Groups: c.groups, Table: &c.source.Table})
	}
	return nil
}

// hold takes the bytes of a block, unless it is held, give gives them back.
func (c *channels) hold(e *exec, i int) error {
	if c.blocks[i].Values != nil {
		return nil
	}
	data, err := e.m.load.Acquire(c.Block + i)
	if err != nil {
		return err
	}
	b := &c.blocks[i]
	values := kernels.SDRGroupBytes * b.Channels * b.Groups
	b.Scales, b.Values = data[:2*b.Channels*b.Groups], data[len(data)-values:]
	return nil
}

func (c *channels) give(e *exec, i int) {
	if c.blocks[i].Values == nil {
		return
	}
	c.blocks[i].Scales, c.blocks[i].Values = nil, nil
	e.m.load.Release(c.Block + i)
}

// multiplyChannels runs a step that is such a product, for as many tokens at a time
// as there is room for sums.
func (e *exec) multiplyChannels(s *step) error {
	for from := 0; from < e.n; from += e.channelSizes.tokens {
		w := &e.channel
		w.from, w.n = from, min(e.channelSizes.tokens, e.n-from)
		clear(w.active)
		if e.sparse {
			if err := e.pool.Run(w.n, e.choose); err != nil {
				return err
			}
		}
		if err := e.pool.Run(ceil(w.n, channelVectors), e.encode); err != nil {
			return err
		}
		for o := range ceil(w.n, channelVectors) {
			e.m.read.Add(int64(len(w.inputs[o].Index)) * int64(s.channels.groups) * (kernels.SDRGroupBytes + 2))
		}
		clear(w.sums[:ceil(w.n, channelVectors)*e.channelSizes.sums])
		if err := e.multiplyBlocks(s.channels); err != nil {
			return err
		}
		if err := e.pool.Run(len(s.channels.tiles)*ceil(w.n, channelVectors), e.finishSums); err != nil {
			return err
		}
	}
	return nil
}

// multiplyBlocks adds up the products of all blocks: together where they are
// resident, one after the other where they are streamed.
func (e *exec) multiplyBlocks(c *channels) error {
	together := len(c.blocks)
	if e.m.streamed {
		together = 1
	}
	for i := 0; i < len(c.blocks); i += together {
		if err := e.ctx.Err(); err != nil {
			return err // a block may wait for the disk
		}
		if err := e.multiplyHeld(c, i, min(i+together, len(c.blocks))); err != nil {
			return err
		}
	}
	return nil
}

func (e *exec) multiplyHeld(c *channels, from, to int) (err error) {
	defer func() { // also when a tile panics
		for i := from; i < to && !e.held; i++ {
			c.give(e, i)
		}
	}()
	for i := from; i < to; i++ {
		if err = c.hold(e, i); err != nil {
			return err
		}
	}
	e.channel.block, e.channel.to = from, to
	if err := e.pool.Run(len(c.tiles), e.accumulate); err != nil {
		return e.explain(err)
	}
	return nil
}

// chooseTile chooses the active channels of one token.
func (e *exec) chooseTile(t, _ int) {
	w, c := &e.channel, e.step.channels
	x := e.slot(e.step.In[0], w.from+t)
	w.active[t] = e.sparsity.choose(c, w.sets[t], x)
}

// encodeTile makes the inputs of 8 tokens.
func (e *exec) encodeTile(octet, _ int) {
	w, c := &e.channel, e.step.channels
	from := octet * channelVectors
	to := min(from+channelVectors, w.n)
	x := e.slots[e.step.In[0]][(w.from+from)*c.Inputs : (w.from+to)*c.Inputs]
	active := w.active[from:to]
	if !e.sparse {
		active = nil
	}
	w.inputs[octet].Set(x, active, c.source.DMax)
}

// accumulateTile adds the products of the blocks that are held to the sums of some
// groups, block after block, some channels at a time, so that what was read for the
// first 8 tokens is in the cache for the next.
func (e *exec) accumulateTile(tile, worker int) {
	w, c := &e.channel, e.step.channels
	t := &c.tiles[tile]
	run := (t.to - t.from) * kernels.SDRGroupBytes
	octets := ceil(w.n, channelVectors)
	for b := w.block; b < w.to; b++ {
		block := &c.blocks[b]
		chunk := max(1, tileChannelBytes/run)
		for first := block.First; first < block.First+block.Channels; first += chunk {
			end := min(first+chunk, block.First+block.Channels)
			for o := range octets {
				in := &w.inputs[o]
				i0, _ := slices.BinarySearch(in.Index, int32(first))
				i1, _ := slices.BinarySearch(in.Index, int32(end))
				acc := w.sums[o*e.channelSizes.sums+t.acc:]
				c.kernel.Accumulate(acc, block, t.from, t.to, in, i0, i1, w.scratch[worker])
			}
		}
	}
}

// finishTile makes the results of some groups and 8 tokens out of their sums.
func (e *exec) finishTile(i, worker int) {
	w, s, c := &e.channel, e.step, e.step.channels
	octet, tile := i/len(c.tiles), &c.tiles[i%len(c.tiles)]
	slot := s.Out[tile.at]
	width := e.m.Plan.Slots[slot].Width
	in := &w.inputs[octet]
	first := w.from + octet*channelVectors
	out := e.slots[slot][first*width:]
	acc := w.sums[octet*e.channelSizes.sums+tile.acc:]
	y, stride := out[tile.row:], width
	if s.Op == plan.MatMulAdd {
		y, stride = w.results[worker], tile.rows
	}
	c.kernel.Finish(y, stride, acc, tile.to-tile.from, tile.rows, in)
	mat := matrix{bias: c.bias[tile.at]}
	for t := range in.M {
		mat.finish(s.Op, out[t*width+tile.row:][:tile.rows], y[t*stride:][:tile.rows], tile.row, tile.row+tile.rows)
	}
}
