package model

import (
	"math"
	"sync/atomic"

	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
)

// Attention: for every token t and query head h, with the key-value head g that
// h belongs to,
//
//	y[t][h] = sum over i of softmax(q[t][h]·k[g][i]/√d) * v[g][i],  t-window < i <= t
//
// A tile is one key-value head and a block of tokens: all query heads that share
// the head and all tokens of the block read a page of keys and values together.
// Scores exist for a page at a time; a row's sum is kept relative to its largest
// score so far (Milakov and Gimelshein 2018, arXiv:1805.02867).
//
// The positions before a token fall into chunks of whole pages, each of which is
// summed on its own; then the chunks' sums are merged in order. So where there are
// few tiles, as in decoding, workers can share the chunks of one
// (Flash-Decoding, Dao et al. 2023). Chunks depend on the token's position only,
// and a row's sum on nothing else in its tile: results are the same bits however
// the work is shared out. As with the other products, passes of many tokens may
// use kernels of their own (see kernels.MulManyPanelsF16).

const (
	// maxChunks bounds the chunks of a token: they become longer with the
	// context, from leastChunk tokens on.
	maxChunks  = 16
	leastChunk = 2 * pageTokens

	// blockRows is about how many queries a tile has, and maxBlock the most
	// tokens: enough to make little of reading and widening keys and values.
	blockRows = 64
	maxBlock  = 32

	// partRows is the number of rows of chunks that there is room for when
	// chunks are shared out, per worker.
	partRows = 256

	// manyStep is the number of tokens of a step of the kernels for many rows.
	manyStep = 32

	// tilesPerWorker is the number of tiles from which on chunks are not shared out.
	tilesPerWorker = 4
)

// attention is what the attention steps of an exec need.
type attention struct {
	group  int // query heads of a key-value head
	block  int // tokens of a tile, a power of two that divides pageTokens
	stride int // of rows of sums: the value dim in whole panels

	shared partials       // of chunks that are shared out: [tile][chunk][row]
	left   []atomic.Int32 // by tile: chunks that are not done
	work   []attentionWork

	// The step.
	window int
	first  int // the first block of the batch, counted from position 0
	chunks int // that a tile is shared out in, 1 for none
	slot   int // rows of a chunk that is shared out
}

// attentionWork is a worker's scratch.
type attentionWork struct {
	q       []float32 // [row][key dim], scaled
	p       []float32 // [row][pageTokens]: scores, then their exponentials
	wide    []float32 // a panel of keys or values
	many    []byte    // scratch of the kernels for many rows
	sums    partials  // of all chunks so far and of the last one
	spans   []span
	rounded rounded
}

// partials are sums over some positions, by row: of exp(score-top) times the
// value, and of exp(score-top). A row without positions has the sum 0.
type partials struct {
	y        []float32 // [row][stride]
	top, sum []float32 // [row]
}

// rows returns n rows.
func (p partials) rows(from, n, stride int) partials {
	return partials{p.y[from*stride:][:n*stride], p.top[from:][:n], p.sum[from:][:n]}
}

func newAttention(c *Config) attention {
	a := attention{group: c.Heads / c.KVHeads, block: 1, stride: ceil(c.ValueDim, panel) * panel}
	for a.block < maxBlock && 2*a.block*a.group <= blockRows {
		a.block *= 2
	}
	return a
}

// rows returns the number of rows of a tile.
func (a *attention) rows() int { return a.block * a.group }

// workerBytes returns what take takes for each worker.
func (a *attention) workerBytes(c *Config) int64 {
	var r rounded
	rows := a.rows()
	return loader.SizeOf[float32](rows*c.KeyDim) + loader.SizeOf[float32](rows*pageTokens) +
		loader.SizeOf[float32](max(c.KeyDim, pageTokens)*panel) + loader.SizeOf[byte](a.manyBytes(c)) + a.partialBytes(2*rows) + a.partialBytes(partRows) + r.bytes(c)
}

func (a *attention) manyBytes(c *Config) int {
	return max(kernels.ManyPanelsScratch(c.KeyDim, pageTokens/panel), kernels.ManyPanelsScratch(pageTokens, a.stride/panel))
}

func (a *attention) partialBytes(rows int) int64 {
	return loader.SizeOf[float32](rows*a.stride) + 2*loader.SizeOf[float32](rows)
}

func (a *attention) take(buf *loader.Buffer, c *Config, workers int) {
	rows := a.rows()
	a.shared = a.takePartials(buf, workers*partRows)
	a.left = make([]atomic.Int32, workers*tilesPerWorker)
	for range workers {
		w := attentionWork{
			q:     loader.Take[float32](buf, rows*c.KeyDim),
			p:     loader.Take[float32](buf, rows*pageTokens),
			wide:  loader.Take[float32](buf, max(c.KeyDim, pageTokens)*panel),
			many:  loader.Take[byte](buf, a.manyBytes(c)),
			sums:  a.takePartials(buf, 2*rows),
			spans: make([]span, 0, 2*a.block+1),
		}
		w.rounded.take(buf, c)
		a.work = append(a.work, w)
	}
}

func (a *attention) takePartials(buf *loader.Buffer, rows int) partials {
	return partials{loader.Take[float32](buf, rows*a.stride), loader.Take[float32](buf, rows), loader.Take[float32](buf, rows)}
}

// enterKV has the pages present that the layer's tokens read and are stored in, and
// those of the next layer come.
func (e *exec) enterKV() error {
	if e.kv.spill == nil {
		return nil
	}
	lowest := func(layer int) int {
		e.att.window = e.m.window(layer)
		return e.lowest(e.pos) / pageTokens
	}
	layer := e.step.Layer
	if err := e.kv.enter(layer, lowest(layer), e.pos, e.n); err != nil {
		return err
	}
	e.kv.readAhead(layer, lowest((layer+1)%e.m.Layers))
	return nil
}

// storeTiles returns the number of tiles of a StoreKV step: one for each panel
// of keys that the batch touches, so that no two workers write to one.
func (e *exec) storeTiles() int { return (e.pos+e.n-1)/panel - e.pos/panel + 1 }

func (e *exec) storeTile(tile, worker int) {
	first := (e.pos/panel + tile) * panel
	for pos := max(first, e.pos); pos < min(first+panel, e.pos+e.n); pos++ {
		t := pos - e.pos
		e.kv.store(e.step.Layer, pos, e.slot(e.step.In[0], t), e.slot(e.step.In[1], t), &e.att.work[worker].rounded)
	}
}

// attentionTiles decides how the step's work is shared out and returns the
// number of tiles.
func (e *exec) attentionTiles() int {
	a := &e.att
	a.window = e.m.window(e.step.Layer)
	a.first = e.pos / a.block
	tiles := ((e.pos+e.n-1)/a.block - a.first + 1) * e.m.KVHeads
	a.chunks = 1
	if workers := e.pool.Workers(); workers > 1 && tiles < tilesPerWorker*workers {
		most := 1
		for tile := range tiles {
			b := e.attentionBlock(tile)
			most = max(most, b.lastChunk-b.firstChunk+1)
		}
		a.slot = min(e.n, a.block) * a.group
		if tiles*most*a.slot <= len(a.shared.top) {
			a.chunks = most
			for i := range tiles {
				a.left[i].Store(int32(most))
			}
		}
	}
	return tiles * a.chunks
}

// attentionBlock is a block of tokens and a key-value head.
type attentionBlock struct {
	head       int
	from, to   int // tokens of the batch
	pos        int // position of the first
	chunk      int // positions of a chunk
	firstChunk int
	lastChunk  int
}

func (e *exec) attentionBlock(tile int) (b attentionBlock) {
	a := &e.att
	// The last block, which takes the longest, comes first.
	last := (e.pos + e.n - 1) / a.block
	block := last - tile/e.m.KVHeads
	b.head = tile % e.m.KVHeads
	b.pos = max(block*a.block, e.pos)
	b.from = b.pos - e.pos
	b.to = min((block+1)*a.block, e.pos+e.n) - e.pos

	// The pages that a token reads; all tokens of a block are in the same page.
	pages := b.pos/pageTokens + 1
	if a.window > 0 {
		pages = min(pages, ceil(a.window, pageTokens)+1)
	}
	b.chunk = leastChunk
	for pages*pageTokens > maxChunks*b.chunk {
		b.chunk *= 2
	}
	b.firstChunk = e.lowest(b.pos) / b.chunk
	b.lastChunk = b.pos / b.chunk
	return b
}

// window returns the number of positions that a token reads in a layer, itself
// included; 0 means all.
func (c *Config) window(layer int) int {
	if layer < len(c.Windows) {
		return c.Windows[layer]
	}
	return 0
}

// lowest returns the first position that the token at pos reads.
func (e *exec) lowest(pos int) int {
	if e.att.window <= 0 {
		return 0
	}
	return max(0, pos+1-e.att.window)
}

func (e *exec) attentionTile(tile, worker int) {
	a, w := &e.att, &e.att.work[worker]
	i := tile / a.chunks
	b := e.attentionBlock(i)
	rows := (b.to - b.from) * a.group
	if a.chunks == 1 {
		sums, next := w.sums.rows(0, rows, a.stride), w.sums.rows(rows, rows, a.stride)
		e.scaleQueries(&b, w)
		e.sumChunk(&b, w, sums, b.firstChunk)
		for c := b.firstChunk + 1; c <= b.lastChunk; c++ {
			e.sumChunk(&b, w, next, c)
			a.merge(sums, next)
		}
		e.finish(&b, sums)
		return
	}
	part := func(chunk int) partials {
		return a.shared.rows((i*a.chunks+chunk)*a.slot, rows, a.stride)
	}
	if c := b.firstChunk + tile%a.chunks; c <= b.lastChunk {
		e.scaleQueries(&b, w)
		e.sumChunk(&b, w, part(c-b.firstChunk), c)
	}
	if a.left[i].Add(-1) == 0 { // the last of the chunks
		for c := 1; c <= b.lastChunk-b.firstChunk; c++ {
			a.merge(part(0), part(c))
		}
		e.finish(&b, part(0))
	}
}

// scaleQueries gathers the queries of a block, [token × query head][key dim],
// divided by the root of their length.
func (e *exec) scaleQueries(b *attentionBlock, w *attentionWork) {
	n := e.att.group * e.m.KeyDim
	for t := b.from; t < b.to; t++ {
		copy(w.q[(t-b.from)*n:], e.slot(e.step.In[0], t)[b.head*n:][:n])
	}
	kernels.Scale(w.q[:(b.to-b.from)*n], float32(1/math.Sqrt(float64(e.m.KeyDim))))
}

// sumChunk sets sums to those of one chunk.
func (e *exec) sumChunk(b *attentionBlock, w *attentionWork, sums partials, chunk int) {
	a, tokens := &e.att, b.to-b.from
	clear(sums.y)
	clear(sums.sum)
	for r := range sums.top {
		sums.top[r] = float32(math.Inf(-1))
	}
	end := min((chunk+1)*b.chunk, b.pos+tokens)
	for page := max(chunk*b.chunk, e.lowest(b.pos)) / pageTokens; page*pageTokens < end; page++ {
		start := page * pageTokens
		// reads returns the tokens of the page that token t of the block reads.
		reads := func(t int) (from, to int) {
			pos := b.pos + t
			return max(0, e.lowest(pos)-start), min(pageTokens, pos+1-start)
		}
		cell := e.kv.cell(e.step.Layer, page, b.head)
		from, _ := reads(0)
		_, to := reads(tokens - 1)
		e.kv.scores(w.p, w.q, tokens*a.group, cell, from, to, w, e.many)
		for t := range tokens {
			if from, to := reads(t); from < to {
				for r := t * a.group; r < (t+1)*a.group; r++ {
					a.exp(sums, r, w.p[r*pageTokens:][from:to])
				}
			}
		}

		spans := w.spans[:0]
		if e.many == manyAtOnce && e.kv.typ == KVF16 {
			spans = append(spans, a.wholeSpan(w.p, tokens, reads))
		} else {
			spans = a.exactSpans(spans, tokens, reads)
		}
		e.kv.accum(sums.y, w.p, a.stride, cell, spans, w, e.many)
	}
}

// wholeSpan is of all that any token of a block reads of a page, in steps of
// manyStep tokens. What a token does not read gets the weight 0, so it must be
// finite in the cache.
func (a *attention) wholeSpan(p []float32, tokens int, reads func(t int) (from, to int)) span {
	from, _ := reads(0)
	_, to := reads(tokens - 1)
	from -= from % manyStep
	for r := range tokens * a.group {
		first, end := reads(r / a.group)
		row := p[r*pageTokens:][:pageTokens]
		clear(row[from:min(first, to)])
		clear(row[max(from, min(end, to)):to])
	}
	return span{0, tokens * a.group, from, to}
}

// exactSpans are of what the tokens of a block read of a page: what all of them
// read together, and what is before and behind it for each token.
func (a *attention) exactSpans(spans []span, tokens int, reads func(t int) (from, to int)) []span {
	add := func(t, n, from, to int) {
		if from < to {
			spans = append(spans, span{t * a.group, n * a.group, from, to})
		}
	}
	from, _ := reads(tokens - 1)
	_, to := reads(0)
	if from >= to {
		for t := range tokens {
			from, to := reads(t)
			add(t, 1, from, to)
		}
		return spans
	}
	for t := range tokens {
		before, _ := reads(t)
		add(t, 1, before, from)
	}
	add(0, tokens, from, to)
	for t := range tokens {
		_, behind := reads(t)
		add(t, 1, to, behind)
	}
	return spans
}

// exp replaces scores by their exponentials relative to the largest score of the
// row so far, and adds them to its sum.
func (a *attention) exp(s partials, row int, scores []float32) {
	if m := kernels.Max(scores); m > s.top[row] {
		if s.sum[row] != 0 {
			rescale := exp32(s.top[row] - m)
			kernels.Scale(s.y[row*a.stride:][:a.stride], rescale)
			s.sum[row] *= rescale
		}
		s.top[row] = m
	}
	s.sum[row] += kernels.ExpSum(scores, s.top[row])
}

func exp32(x float32) float32 { return float32(math.Exp(float64(x))) }

// merge adds the sums of the chunk that follows. It changes both.
func (a *attention) merge(sums, next partials) {
	for r := range sums.top {
		y, add := sums.y[r*a.stride:][:a.stride], next.y[r*a.stride:][:a.stride]
		switch {
		case next.sum[r] == 0: // the row reads nothing of this chunk
		case sums.sum[r] == 0:
			copy(y, add)
			sums.top[r], sums.sum[r] = next.top[r], next.sum[r]
		case next.top[r] > sums.top[r]:
			rescale := exp32(sums.top[r] - next.top[r])
			kernels.Scale(y, rescale)
			kernels.Add(y, add)
			sums.top[r], sums.sum[r] = next.top[r], sums.sum[r]*rescale+next.sum[r]
		default:
			rescale := exp32(next.top[r] - sums.top[r])
			kernels.Scale(add, rescale)
			kernels.Add(y, add)
			sums.sum[r] += next.sum[r] * rescale
		}
	}
}

// finish writes the block's results: each row divided by its sum.
func (e *exec) finish(b *attentionBlock, sums partials) {
	a, vd := &e.att, e.m.ValueDim
	for t := b.from; t < b.to; t++ {
		y := e.slot(e.step.Out[0], t)[b.head*a.group*vd:][:a.group*vd]
		for h := range a.group {
			r := (t-b.from)*a.group + h
			out := y[h*vd:][:vd]
			copy(out, sums.y[r*a.stride:])
			kernels.Scale(out, 1/sums.sum[r])
		}
	}
}
