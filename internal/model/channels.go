package model

import (
	"fmt"
	"slices"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/plan"
	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
)

// Products whose weights lie channel by channel: the input is turned into a sparse
// distributed representation, its active channels with their values, and only their
// weights are read. Sums are whole numbers, so neither the order of blocks nor the
// cut into tiles changes a result.
//
// The products of a few vectors are shared out among the workers by channels: each
// reads its weights in one stream, and has sums of its own. Those of many vectors are
// shared out by groups of outputs, as sums are what there is most of then.

const (
	// channelVectors is the most vectors that share what is unpacked.
	channelVectors = kernels.SDRVectors
	// channelTokens is the number of tokens whose sums are held at once where weights
	// are resident, and read again for the next ones.
	channelTokens = channelVectors
	// fewVectors is the most vectors of a product that is shared out by channels.
	fewVectors = 8
	// tileChannelBytes is what one call of a kernel reads: see tileBytes.
	tileChannelBytes = 256 << 10
	// shareBytes is what a share of a product of one vector reads. The next share is fetched
	// meanwhile: the more it is, the earlier lines are fetched and the more of them are lost again.
	shareBytes = 96 << 10
)

// channels is a step's product of this kind.
type channels struct {
	*plan.Channels
	kernel *kernels.SDR
	bytes  int64 // of a channel, on average

	one    channelCut  // for one vector
	few    channelCut  // for at most fewVectors
	many   channelCut  // for at most channelVectors
	bias   [][]float32 // by matrix
	blocks []kernels.SDRBlock
}

// channelCut is how a product is cut.
type channelCut struct {
	tiles []channelTile
	parts []channelPart
}

// channelTile is some groups, which are multiplied together.
type channelTile struct {
	from, to int // groups
	acc      int // where their sums begin
}

// channelPart is some groups of a tile that belong to one matrix, which are finished together.
type channelPart struct {
	tile          int
	from, to      int // groups of the tile
	at, row, rows int // the matrix and the rows of it
}

// partGroups is the most groups of a part.
const partGroups = 16

// channelSizes is what these products need, worked out before anything is allocated.
type channelSizes struct {
	tokens  int // whose sums are held at once
	inputs  int // channels of the widest input
	ordered int // of the widest one that is brought in another order
	vectors int // most of an input
	sums    int // of all groups and channelVectors vectors
	few     int // of all groups and fewVectors vectors
	scratch int // bytes
	results int // of a tile
}

// channelWork is the memory that channelSizes has asked for, and what it is used for.
type channelWork struct {
	sets    [][]int32          // by token: memory for its active channels
	active  [][]int32          // by token: those of the product that is being run
	ordered []float32          // inputs of tokens in the order of the channels, if that is not that of the values
	inputs  []kernels.SDRInput // by channelVectors tokens
	sums    []int32
	own     [][]int32   // by worker: sums of a few vectors
	scratch [][]byte    // by worker
	results [][]float32 // by worker

	from, n int        // the tokens that are being multiplied
	block   int        // the first block that is held, and
	to      int        // the one behind the last
	shares  []share    // of these, for few vectors
	product int        // number of the product that is being run
	last    []numbered // by worker: the last one that it has sums of
}

// share is some of the active channels of a block.
type share struct {
	block    int
	from, to int // entries of the input
}

// numbered is a number with a cache line of its own.
type numbered struct {
	number int
	_      [56]byte
}

// newChannels checks a product.
func (e *exec) newChannels(c *plan.Channels) (*channels, error) {
	kernel, ok := kernels.SDROf(c.Type.String())
	if !ok || c.Product.Channels > kernels.SDRChannels {
		return nil, &format.Error{File: e.m.src.Name(), Tensor: c.Matrices[0].Name, Offset: c.Pieces[0].Offset,
			Detail: fmt.Sprintf("no kernel for a product of type %s and %d channels", c.Type, c.Product.Channels), Err: format.ErrUnsupported}
	}
	ch := &channels{Channels: c, kernel: kernel}
	for i, p := range c.Pieces {
		if ch.Packed(i) {
			ch.bytes += p.Size
		} else {
			ch.bytes += int64(p.Channels) * int64(ch.Groups) * (kernels.SDRGroupBytes + 2)
		}
	}
	ch.bytes /= int64(c.Product.Channels)
	s := &e.channelSizes
	s.inputs = max(s.inputs, c.Product.Channels)
	s.ordered = max(s.ordered, len(c.Order))
	var one, few, many int
	ch.one, one = ch.cut(1)
	ch.few, few = ch.cut(min(fewVectors, s.vectors))
	ch.many, many = ch.cut(s.vectors)
	s.few, s.sums = max(s.few, one, few), max(s.sums, many)
	for _, c := range []struct {
		channelCut
		vectors int // at most
	}{{ch.one, 1}, {ch.few, min(fewVectors, s.vectors)}, {ch.many, s.vectors}} {
		for _, t := range []channelTile{c.tiles[0], c.tiles[len(c.tiles)-1]} { // the others are like the first
			for m := 1; m <= c.vectors; m++ {
				s.scratch = max(s.scratch, kernel.ScratchBytes(t.to-t.from, m))
			}
		}
		for _, p := range c.parts {
			s.results = max(s.results, p.rows*c.vectors)
		}
	}
	return ch, nil
}

// cut cuts the product into tiles for at most so many vectors, and returns how many
// sums they have together.
func (c *channels) cut(vectors int) (cut channelCut, sums int) {
	each, size := c.kernel.TileGroups(vectors), c.kernel.Group()
	for from := 0; from < c.Groups; from += each {
		to := min(from+each, c.Groups)
		cut.tiles = append(cut.tiles, channelTile{from, to, sums})
		sums += c.kernel.AccLen(to-from, vectors)
	}
	group := 0 // the first of the matrix
	for at, m := range c.Matrices {
		for row := 0; row < m.Outputs; {
			g := group + row/size
			tile := g / each
			from := g - tile*each
			to := min(from+partGroups, each)
			rows := min((to-from)*size, m.Outputs-row)
			cut.parts = append(cut.parts, channelPart{tile, from, from + ceil(rows, size), at, row, rows})
			row += rows
		}
		group += ceil(m.Outputs, size)
	}
	return cut, sums
}

// cutFor returns the cut for so many vectors.
func (c *channels) cutFor(vectors int) *channelCut {
	switch {
	case vectors == 1:
		return &c.one
	case vectors <= fewVectors:
		return &c.few
	}
	return &c.many
}

// channelsOf returns the function that finds the products that src stores channel by
// channel.
func channelsOf(src *loader.Source) func(matrix string) (*plan.Channels, bool) {
	return func(matrix string) (*plan.Channels, bool) {
		i, at, ok := src.Product(matrix)
		if !ok || at > 0 {
			return nil, false
		}
		return &plan.Channels{Product: &src.Products[i], Index: i}, true
	}
}

// batches returns how many inputs there are.
func (s *channelSizes) batches() int { return ceil(s.tokens, channelVectors) }

func (s *channelSizes) bytes() int64 {
	if s.inputs == 0 {
		return 0
	}
	n := int64(s.tokens)*loader.SizeOf[int32](s.inputs) + loader.SizeOf[float32](s.tokens*s.ordered)
	n += int64(s.batches()) * (loader.SizeOf[int32](s.inputs) + loader.SizeOf[float32](s.inputs*s.vectors) + loader.SizeOf[float32](s.vectors))
	return n + loader.SizeOf[int32](s.batches()*s.sums)
}

func (s *channelSizes) workerBytes() int64 {
	if s.inputs == 0 {
		return 0
	}
	return loader.SizeOf[int32](s.few) + loader.SizeOf[byte](s.scratch) + loader.SizeOf[float32](s.results)
}

func (s *channelSizes) take(buf *loader.Buffer, workers int) (w channelWork) {
	if s.inputs == 0 {
		return w
	}
	for range s.tokens {
		w.sets = append(w.sets, loader.Take[int32](buf, s.inputs))
	}
	w.active = make([][]int32, s.tokens)
	w.ordered = loader.Take[float32](buf, s.tokens*s.ordered)
	for range s.batches() {
		w.inputs = append(w.inputs, kernels.SDRInput{
			Index: loader.Take[int32](buf, s.inputs),
			X:     loader.Take[float32](buf, s.inputs*s.vectors),
			Scale: loader.Take[float32](buf, s.vectors),
		})
	}
	w.sums = loader.Take[int32](buf, s.batches()*s.sums)
	for range workers {
		w.own = append(w.own, loader.Take[int32](buf, s.few))
		w.scratch = append(w.scratch, loader.Take[byte](buf, s.scratch))
		w.results = append(w.results, loader.Take[float32](buf, s.results))
	}
	w.last = make([]numbered, workers)
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
	for _, p := range c.Pieces {
		c.blocks = append(c.blocks, kernels.SDRBlock{First: p.First, Channels: p.Channels, Groups: c.Groups, Table: &c.Table})
	}
	if !e.m.streamed { // what is read after a block is known
		for i := range len(c.blocks) - 1 {
			if c.Packed(i) == c.Packed(i+1) {
				c.blocks[i].Next = &c.blocks[i+1]
			}
		}
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
	c.view(i, data)
	return nil
}

// view makes data the bytes of a block, or nil.
func (c *channels) view(i int, data []byte) {
	b := &c.blocks[i]
	if b.Scales, b.Values, b.Starts, b.Offsets = nil, nil, nil, nil; data != nil {
		b.Scales, b.Values, b.Starts, b.Offsets = c.Product.Block(i, data)
	}
}

func (c *channels) give(e *exec, i int) {
	if c.blocks[i].Values == nil {
		return
	}
	c.view(i, nil)
	e.m.load.Release(c.Block + i)
}

// multiplyChannels runs a step that is such a product, for as many tokens at a time
// as there is room for sums.
func (e *exec) multiplyChannels(s *step) error {
	e.fetchAhead(s)
	for from := 0; from < e.n; from += e.channelSizes.tokens {
		w := &e.channel
		w.from, w.n = from, min(e.channelSizes.tokens, e.n-from)
		clear(w.active)
		if e.sparse || s.channels.Order != nil {
			if err := e.pool.Run(w.n, e.prepare); err != nil {
				return err
			}
		}
		batches := ceil(w.n, channelVectors)
		if err := e.pool.Run(batches, e.encode); err != nil {
			return err
		}
		for b := range batches {
			e.m.read.Add(int64(len(w.inputs[b].Index)) * s.channels.bytes)
		}
		w.product++
		if w.n > fewVectors {
			clear(w.sums[:batches*e.channelSizes.sums])
		}
		e.selectChannels(s.channels)
		if err := e.multiplyBlocks(s.channels); err != nil {
			return err
		}
		if err := e.pool.Run(len(s.channels.cutFor(w.n).parts)*batches, e.finishSums); err != nil {
			return err
		}
	}
	return nil
}

// selectChannels tells a loader which channels are active. Blocks that stay for tokens that are still to come
// are read as a whole, and those for many tokens: hardly a channel is active for none of them.
func (e *exec) selectChannels(c *channels) {
	if !e.sparse || e.m.stream == nil {
		return
	}
	var index []int32
	if !e.held && e.n <= channelVectors {
		index = e.channel.inputs[0].Index
	}
	e.m.stream.Select(c.Block, c.Block+len(c.blocks), index)
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
	if e.m.Trace != nil {
		for i := from; i < to; i++ {
			e.m.Trace(c.Block+i, c.Pieces[i].Size)
		}
	}
	return e.multiplyViewed(c, from, to)
}

// multiplyViewed adds up the products of blocks whose bytes are there.
func (e *exec) multiplyViewed(c *channels, from, to int) error {
	w := &e.channel
	w.block, w.to = from, to
	run, tiles := e.accumulate, len(c.many.tiles)
	if w.n <= fewVectors {
		w.shareOut(c, e.pool.Workers())
		run, tiles = e.accumulateFew, len(w.shares)
	}
	if err := e.pool.Run(tiles, run); err != nil {
		return e.explain(err)
	}
	return nil
}

// shareOut cuts the active channels of the blocks that are held into shares: some for
// each worker, none of which takes long.
func (w *channelWork) shareOut(c *channels, workers int) {
	index := w.inputs[0].Index
	first, _ := slices.BinarySearch(index, int32(c.blocks[w.block].First))
	last := &c.blocks[w.to-1]
	end, _ := slices.BinarySearch(index, int32(last.First+last.Channels))
	bytes := tileChannelBytes
	if w.n == 1 {
		bytes = shareBytes
	}
	most := max(8, bytes/(c.Groups*kernels.SDRGroupBytes))
	most = max(4, min(ceil(end-first, 4*workers), most)&^3) // four channels are multiplied together
	w.shares = w.shares[:0]
	for b := w.block; b < w.to; b++ {
		n := int32(c.blocks[b].First + c.blocks[b].Channels)
		end, _ := slices.BinarySearch(index, n)
		for first < end {
			to := min(first+most, end)
			w.shares = append(w.shares, share{b, first, to})
			first = to
		}
	}
}

// prepareTile brings the input of one token into the order of the channels and chooses the active ones.
func (e *exec) prepareTile(t, _ int) {
	w, c := &e.channel, e.step.channels
	x := e.vectors(t, t+1)
	if c.Order != nil {
		value := e.slot(e.step.In[0], w.from+t)
		for j, v := range c.Order {
			x[j] = value[v]
		}
	}
	if e.sparse {
		w.active[t] = e.sparsity.choose(c, w.sets[t], x)
	}
}

// vectors returns the inputs of the tokens from up to to (exclusive) of those that are multiplied, in the order of the channels,
// once they have been prepared.
func (e *exec) vectors(from, to int) []float32 {
	w, c := &e.channel, e.step.channels
	n := c.Product.Channels
	if c.Order != nil {
		return w.ordered[from*n : to*n]
	}
	return e.slots[e.step.In[0]][(w.from+from)*n : (w.from+to)*n]
}

// encodeTile makes an input.
func (e *exec) encodeTile(batch, _ int) {
	w, c := &e.channel, e.step.channels
	from := batch * channelVectors
	to := min(from+channelVectors, w.n)
	active := w.active[from:to]
	if !e.sparse {
		active = nil
	}
	w.inputs[batch].Set(e.vectors(from, to), active, c.DMax)
}

// accumulateTile adds the products of the blocks that are held to the sums of some
// groups, block after block, some channels at a time, so that what was read for the
// first tokens is in the cache for the next.
func (e *exec) accumulateTile(tile, worker int) {
	w, c := &e.channel, e.step.channels
	t := &c.many.tiles[tile]
	chunk := max(1, tileChannelBytes/((t.to-t.from)*kernels.SDRGroupBytes*min(w.n, channelVectors)/fewVectors))
	for b := w.block; b < w.to; b++ {
		block := &c.blocks[b]
		for first := block.First; first < block.First+block.Channels; first += chunk {
			end := min(first+chunk, block.First+block.Channels)
			for i := range ceil(w.n, channelVectors) {
				in := &w.inputs[i]
				from, _ := slices.BinarySearch(in.Index, int32(first))
				to, _ := slices.BinarySearch(in.Index, int32(end))
				c.kernel.Accumulate(w.sums[i*e.channelSizes.sums+t.acc:], block, t.from, t.to, in, from, to, w.scratch[worker])
			}
		}
	}
}

// accumulateShare adds the products of some channels to the sums of all groups that
// are the worker's own.
func (e *exec) accumulateShare(i, worker int) {
	w, c := &e.channel, e.step.channels
	s, own := &w.shares[i], w.own[worker]
	fresh := w.last[worker].number != w.product
	w.last[worker].number = w.product
	tiles := c.cutFor(w.n).tiles
	for i := range tiles {
		t := &tiles[i]
		if fresh {
			clear(own[t.acc:][:c.kernel.AccLen(t.to-t.from, w.n)])
		}
		c.kernel.Accumulate(own[t.acc:], &c.blocks[s.block], t.from, t.to, &w.inputs[0], s.from, s.to, w.scratch[worker])
	}
}

// sumsOf returns the sums of a tile and a batch. Those of few vectors have been added up,
// for the groups of a part.
func (w *channelWork) sumsOf(c *channels, t *channelTile, p *channelPart, batch, size int) []int32 {
	if w.n > fewVectors {
		return w.sums[batch*size+t.acc:]
	}
	var all []int32
	for i := range w.own {
		if w.last[i].number != w.product {
			continue
		}
		own := w.own[i][t.acc:]
		if all == nil {
			all = own
			continue
		}
		c.kernel.Add(all, own, t.to-t.from, p.from, p.to, w.n)
	}
	return all
}

// finishTile makes the results of a part out of its sums.
func (e *exec) finishTile(i, worker int) {
	w, s, c := &e.channel, e.step, e.step.channels
	cut := c.cutFor(w.n)
	batch, part := i/len(cut.parts), &cut.parts[i%len(cut.parts)]
	tile := &cut.tiles[part.tile]
	slot := s.Out[part.at]
	width := e.m.Plan.Slots[slot].Width
	in := &w.inputs[batch]
	out := e.slots[slot][(w.from+batch*channelVectors)*width+part.row:]
	y, stride := out, width
	if s.Op == plan.MatMulAdd {
		y, stride = w.results[worker], part.rows
	}
	acc := w.sumsOf(c, tile, part, batch, e.channelSizes.sums)
	if acc == nil { // no channel is active
		for t := range in.M {
			clear(y[t*stride:][:part.rows])
		}
	} else {
		c.kernel.Finish(y, stride, acc, tile.to-tile.from, part.from, part.rows, in, w.scratch[worker])
	}
	mat := matrix{bias: c.bias[part.at]}
	for t := range in.M {
		mat.finish(s.Op, out[t*width:][:part.rows], y[t*stride:][:part.rows], part.row, part.row+part.rows)
	}
}
