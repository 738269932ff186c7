package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cortexsdr/cortex/internal/plan"
	"github.com/cortexsdr/cortex/internal/workers"
	"github.com/cortexsdr/cortex/loader"
	"github.com/stretchr/testify/require"
)

// attentionBench runs the two steps of attention of one layer without a model
// around them.
type attentionBench struct {
	e         *exec
	store, at *step
}

func newAttentionBench(t testing.TB, c Config, typ KVType, tokens, batch, threads int) *attentionBench {
	t.Helper()
	const q, k, v, y = 0, 1, 2, 3
	widths := []int{q: c.Heads * c.KeyDim, k: c.KVHeads * c.KeyDim, v: c.KVHeads * c.ValueDim, y: c.Heads * c.ValueDim}
	e := &exec{m: &Model{Config: c, Plan: &plan.Plan{}}, batch: batch, att: newAttention(&c), pool: workers.New(threads, nil)}
	for _, w := range widths {
		e.m.Plan.Slots = append(e.m.Plan.Slots, plan.SlotInfo{Width: w})
		e.slots = append(e.slots, make([]float32, batch*w))
	}
	buf, err := loader.NewBuffer(int64(threads) * e.att.workerBytes(&c))
	require.NoError(t, err)
	e.att.take(buf, &c, threads)
	e.kv, err = c.NewKV(tokens, typ)
	require.NoError(t, err)
	t.Cleanup(func() {
		e.pool.Close()
		require.NoError(t, buf.Close())
		require.NoError(t, e.kv.Close())
	})
	last := c.Layers - 1
	return &attentionBench{e,
		&step{Step: plan.Step{Layer: last, In: []plan.Slot{k, v}}},
		&step{Step: plan.Step{Layer: last, In: []plan.Slot{q}, Out: []plan.Slot{y}}}}
}

// run stores the keys and values of n tokens at pos and computes what they
// attend to.
func (b *attentionBench) run(t testing.TB, pos, n int) []float32 {
	e := b.e
	e.pos, e.n = pos, n
	e.step = b.store
	require.NoError(t, e.pool.Run(e.storeTiles(), e.storeTile))
	b.attend(t)
	return e.slots[3][:n*e.m.Heads*e.m.ValueDim]
}

func (b *attentionBench) attend(t testing.TB) {
	b.e.step = b.at
	if err := b.e.pool.Run(b.e.attentionTiles(), b.e.attentionTile); err != nil {
		t.Fatal(err)
	}
}

// sequence holds the queries, keys and values of a sequence, as the slots do.
type sequence [3][]float32

func randomSequence(c *Config, tokens int) (s sequence) {
	r := rand.New(rand.NewPCG(uint64(tokens), uint64(c.Heads)))
	for i, width := range []int{c.Heads * c.KeyDim, c.KVHeads * c.KeyDim, c.KVHeads * c.ValueDim} {
		s[i] = make([]float32, tokens*width)
		for j := range s[i] {
			s[i][j] = float32(r.NormFloat64())
		}
	}
	return s
}

// load puts tokens from to to of the sequence into the slots.
func (s sequence) load(b *attentionBench, from, to int) {
	for i, data := range s {
		w := b.e.m.Plan.Slots[i].Width
		copy(b.e.slots[i], data[from*w:to*w])
	}
}

// all runs the sequence in batches of the given sizes, the last one repeated.
func (s sequence) all(t testing.TB, b *attentionBench, tokens int, batches ...int) (out []float32) {
	for pos := 0; pos < tokens; {
		n := min(batches[0], tokens-pos)
		if len(batches) > 1 {
			batches = batches[1:]
		}
		s.load(b, pos, pos+n)
		out = append(out, b.run(t, pos, n)...)
		pos += n
	}
	return out
}

// naive computes one token's attention from the formula.
func (s sequence) naive(c *Config, pos, window int) []float64 {
	y := make([]float64, c.Heads*c.ValueDim)
	first := 0
	if window > 0 {
		first = max(0, pos+1-window)
	}
	for h := range c.Heads {
		g := h * c.KVHeads / c.Heads
		p, sum := make([]float64, pos+1), 0.0
		for i := first; i <= pos; i++ {
			for j := range c.KeyDim {
				p[i] += float64(s[0][(pos*c.Heads+h)*c.KeyDim+j]) * float64(s[1][(i*c.KVHeads+g)*c.KeyDim+j])
			}
			p[i] = math.Exp(p[i] / math.Sqrt(float64(c.KeyDim)))
			sum += p[i]
		}
		for i := first; i <= pos; i++ {
			for j := range c.ValueDim {
				y[h*c.ValueDim+j] += p[i] / sum * float64(s[2][(i*c.KVHeads+g)*c.ValueDim+j])
			}
		}
	}
	return y
}

var attentionShapes = []Config{
	{Layers: 1, Heads: 4, KVHeads: 4, KeyDim: 64, ValueDim: 64},
	{Layers: 2, Heads: 8, KVHeads: 1, KeyDim: 64, ValueDim: 64},
	{Layers: 1, Heads: 14, KVHeads: 2, KeyDim: 80, ValueDim: 80},
	{Layers: 1, Heads: 10, KVHeads: 2, KeyDim: 96, ValueDim: 128},
	{Layers: 1, Heads: 2, KVHeads: 1, KeyDim: 256, ValueDim: 72},
	{Layers: 1, Heads: 3, KVHeads: 1, KeyDim: 10, ValueDim: 7},
	{Layers: 1, Heads: 80, KVHeads: 1, KeyDim: 8, ValueDim: 16}, // more rows than blockRows
}

// kvStores are the types of a cache, and the tilings that make a difference to them.
var kvStores = []struct {
	typ  KVType
	many tiling
}{{KVF16, oneByOne}, {KVF16, manyAtOnce}, {KVF32, oneByOne}, {KVQ8, oneByOne}, {KVQ4, oneByOne}}

// The formula for every shape, type and window, over several pages.
func TestAttentionEqualsFormula(t *testing.T) {
	tokens := 600
	if testing.Short() {
		tokens = 290
	}
	most := [...]float64{KVF16: 1e-3, KVF32: 2e-6, KVQ8: 2e-2, KVQ4: 0.3}
	for i, c := range attentionShapes {
		s := randomSequence(&c, tokens)
		for j, window := range []int{0, 256, 5, 1, 270} {
			if testing.Short() && j != i%5 {
				continue
			}
			c.Windows = []int{window, window}
			for _, store := range kvStores {
				b := newAttentionBench(t, c, store.typ, tokens, tokens, 2)
				b.e.many = store.many
				got := s.all(t, b, tokens, 3, 250, tokens)
				w := c.Heads * c.ValueDim
				for _, pos := range []int{0, 1, 2, 3, 15, 16, 100, 252, 253, 255, 256, 257, tokens - 1, 511, 512} {
					if pos >= tokens {
						continue
					}
					require.Less(t, distance(got[pos*w:][:w], s.naive(&c, pos, window)), most[store.typ],
						"%+v, %+v, window %d, position %d", c, store, window, pos)
				}
			}
		}
	}
}

// The same bits however a sequence is cut into batches and however many workers
// there are: with several chunks, with chunks of several pages, and with a
// window that begins within a chunk.
func TestAttentionSameBits(t *testing.T) {
	for _, test := range []struct {
		c       Config
		before  int // tokens in a first batch
		tokens  int // after it
		windows []int
	}{
		{Config{Layers: 1, Heads: 8, KVHeads: 1, KeyDim: 64, ValueDim: 64}, 0, leastChunk + 100, []int{0, 300}},
		{Config{Layers: 1, Heads: 2, KVHeads: 2, KeyDim: 32, ValueDim: 48}, leastChunk - 200, leastChunk, []int{0, 100}},
		{Config{Layers: 1, Heads: 2, KVHeads: 1, KeyDim: 8, ValueDim: 16}, maxChunks*leastChunk - 100, 200, []int{0, maxChunks*leastChunk/2 + 10}},
	} {
		for i, window := range test.windows {
			for _, store := range kvStores {
				if testing.Short() && (store.typ == KVF32 || i > 0) {
					continue
				}
				c := test.c
				c.Windows = []int{window}
				tokens := test.before + test.tokens
				s := randomSequence(&c, tokens)
				var want []float32
				for _, division := range []struct {
					threads int
					batches []int
				}{{1, []int{512}}, {2, []int{512}}, {3, []int{1}}, {8, []int{40, 1, 1, 7, 64, 3}}, {16, []int{test.tokens - 5, 5}}} {
					if test.before > 0 {
						division.batches = slices.Insert(slices.Clone(division.batches), 0, test.before)
					}
					b := newAttentionBench(t, c, store.typ, tokens, tokens, division.threads)
					b.e.many = store.many
					got := s.all(t, b, tokens, division.batches...)
					if want == nil {
						want = slices.Clone(got)
					}
					for i := range want {
						if math.Float32bits(want[i]) != math.Float32bits(got[i]) {
							t.Fatalf("%+v, %+v, %+v: token %d: got %v, want %v", c, store, division, i/(c.Heads*c.ValueDim), got[i], want[i])
						}
					}
				}
			}
		}
	}
}

// A token does not read what is behind it or outside its window, be it what it
// may: infinities there change nothing.
func TestAttentionReadsOnlyItsWindow(t *testing.T) {
	const tokens, window = 600, 70
	c := Config{Layers: 1, Heads: 4, KVHeads: 2, KeyDim: 32, ValueDim: 32, Windows: []int{window}}
	s := randomSequence(&c, tokens)
	for _, typ := range []KVType{KVF16, KVF32} {
		want := s.all(t, newAttentionBench(t, c, typ, tokens, tokens, 2), tokens, tokens)
		damaged := sequence{s[0], slices.Clone(s[1]), slices.Clone(s[2])}
		for _, pos := range []int{100, 300, 599} {
			for i := range c.KVHeads * c.KeyDim {
				damaged[1][pos*c.KVHeads*c.KeyDim+i] = float32(math.Inf(1))
				damaged[2][pos*c.KVHeads*c.ValueDim+i] = float32(math.NaN())
			}
		}
		got := damaged.all(t, newAttentionBench(t, c, typ, tokens, tokens, 2), tokens, tokens)
		w := c.Heads * c.ValueDim
		for pos := range tokens {
			reads := pos >= 100 && pos < 100+window || pos >= 300 && pos < 300+window || pos >= 599
			if reads {
				require.True(t, math.IsNaN(float64(got[pos*w])), "position %d reads the damage", pos)
			} else {
				require.Equal(t, want[pos*w:][:w], got[pos*w:][:w], "position %d", pos)
			}
		}
	}
}

func TestAttentionDoesNotAllocate(t *testing.T) {
	c := Config{Layers: 1, Heads: 8, KVHeads: 2, KeyDim: 64, ValueDim: 64}
	for _, store := range kvStores {
		b := newAttentionBench(t, c, store.typ, 1200, 1200, 2)
		b.e.many = store.many
		s := randomSequence(&c, 1200)
		s.all(t, b, 1200, 1000)
		for _, n := range []int{1, 3, 150} {
			b.e.pos, b.e.n = 1000, n
			tile := b.e.attentionTile
			require.Zero(t, testing.AllocsPerRun(20, func() {
				b.e.step = b.at
				if err := b.e.pool.Run(b.e.attentionTiles(), tile); err != nil {
					t.Fatal(err)
				}
			}), "%+v, %d tokens", store, n)
		}
	}
}

// BenchmarkAttention measures the attention step of one layer: decoding one
// token or a few, and a prompt. GB/s counts the keys and values once.
func BenchmarkAttention(b *testing.B) {
	for _, shape := range []struct {
		name string
		Config
	}{
		{"1b", Config{Layers: 1, Heads: 32, KVHeads: 4, KeyDim: 64, ValueDim: 64}},
		{"8b", Config{Layers: 1, Heads: 32, KVHeads: 8, KeyDim: 128, ValueDim: 128}},
		{"13b", Config{Layers: 1, Heads: 40, KVHeads: 40, KeyDim: 128, ValueDim: 128}},
	} {
		for _, typ := range []KVType{KVF16, KVF32, KVQ8, KVQ4} {
			for _, work := range []struct{ pos, n int }{{4095, 1}, {4088, 8}, {0, 512}} {
				for _, threads := range []int{1, 2} {
					b.Run(fmt.Sprintf("shape=%s/kv=%v/pos=%d/tokens=%d/threads=%d", shape.name, typ, work.pos, work.n, threads), func(b *testing.B) {
						c := shape.Config
						c.Layers = 8 // so that decoding finds nothing in the cache
						bed := newAttentionBench(b, c, typ, work.pos+work.n, work.n, threads)
						s := randomSequence(&c, work.n)
						s.load(bed, 0, work.n)
						for layer := range c.Layers {
							bed.store.Layer = layer
							for pos := 0; pos < work.pos+work.n; pos += work.n {
								bed.e.pos, bed.e.n, bed.e.step = pos, min(work.n, work.pos+work.n-pos), bed.store
								require.NoError(b, bed.e.pool.Run(bed.e.storeTiles(), bed.e.storeTile))
							}
						}
						bed.e.pos, bed.e.n, bed.e.many = work.pos, work.n, tilingFor(work.n)
						pairs := 0.0 // of a query and a key
						for pos := work.pos; pos < work.pos+work.n; pos++ {
							pairs += float64(pos+1) * float64(c.Heads)
						}
						one := c
						one.Layers = 1
						bytes := float64(one.KVBytes(work.pos+work.n, typ))
						b.ReportAllocs()
						layer := 0
						for b.Loop() {
							bed.at.Layer = layer
							bed.attend(b)
							layer = (layer + 1) % c.Layers
						}
						seconds := b.Elapsed().Seconds() / float64(b.N)
						b.ReportMetric(pairs*float64(c.KeyDim+c.ValueDim)/seconds/1e9, "GMAC/s")
						b.ReportMetric(bytes/seconds/1e9, "GB/s")
					})
				}
			}
		}
	}
}
