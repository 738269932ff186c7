package convert

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/internal/quant"
	"github.com/cortexsdr/cortex/internal/testmodel"
)

// small has matrices whose outputs are no whole groups, and a hidden width that is no multiple of a block's channels.
func small(t testing.TB, change func(*testmodel.Config)) Source {
	c := testmodel.Config{Layers: 2, Dim: 96, Heads: 3, KVHeads: 1, FF: 200, Vocab: 300, Type: format.F16}
	if change != nil {
		change(&c)
	}
	m, err := testmodel.New(c)
	require.NoError(t, err)
	return FromRows("small", m)
}

var defaults = Options{Kind: quant.SDR4, Output: quant.SDR8, Embedding: format.Q8_0, Threads: 2, Memory: 1 << 30}

func run(t testing.TB, src Source, o Options) (string, *Result) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.cortex")
	r, err := Convert(context.Background(), src, path, o)
	require.NoError(t, err)
	require.NoError(t, container.Verify(context.Background(), r.Paths, nil))
	return path, r
}

// values reads a tensor.
func values(t testing.TB, src Source, x format.Tensor) []float32 {
	t.Helper()
	w := make([]float32, x.Rows()*x.Shape[0])
	_, err := src.ReadRows(w, x, 0, int(x.Rows()), nil)
	require.NoError(t, err)
	return w
}

// distances returns the error of every tensor of got relative to those of want.
func distances(t testing.TB, want, got Source) map[string]float64 {
	t.Helper()
	tensors := map[string]format.Tensor{}
	for _, x := range got.Tensors() {
		tensors[x.Name] = x
	}
	result := map[string]float64{}
	for _, x := range want.Tensors() {
		y, ok := tensors[x.Name]
		require.True(t, ok, x.Name)
		require.Equal(t, x.Shape, y.Shape, x.Name)
		a, b := values(t, want, x), values(t, got, y)
		var cost, signal float64
		for i := range a {
			cost += math.Pow(float64(a[i]-b[i]), 2)
			signal += math.Pow(float64(a[i]), 2)
		}
		result[x.Name] = math.Sqrt(cost / signal)
	}
	require.Len(t, tensors, len(result))
	return result
}

func open(t testing.TB, path string) Source {
	t.Helper()
	src, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, src.Close()) })
	return src
}

func TestConvert(t *testing.T) {
	src := small(t, nil)
	path, r := run(t, src, defaults)
	got := open(t, path)
	for name, d := range distances(t, src, got) {
		switch {
		case name == "output.weight" || name == "token_embd.weight":
			require.Less(t, d, 0.01, name)
		case filepath.Ext(name) == ".weight" && d > 0.001:
			require.Less(t, d, 0.1, name)
		}
	}
	// The entries, in the order of the plan.
	var names []string
	for _, e := range r.Entries {
		names = append(names, e.Type+" "+e.Names[0])
	}
	require.Equal(t, []string{"Q8_0 token_embd.weight", "F16 blk.0.attn_norm.weight", "SDR4 blk.0.attn_q.weight", "SDR4 blk.0.attn_output.weight",
		"F16 blk.0.ffn_norm.weight", "SDR4 blk.0.ffn_gate.weight", "SDR4 blk.0.ffn_down.weight"}, names[:7])
	require.Equal(t, "SDR8 output.weight", names[len(names)-1])
	require.Equal(t, []string{"blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight"}, r.Entries[2].Names)

	// All keys but those that say how the source is stored.
	keys := map[string]bool{}
	for _, kv := range got.Metadata() {
		keys[kv.Key] = true
	}
	for _, kv := range src.Metadata() {
		require.Equal(t, kv.Key != "general.file_type" && kv.Key != "general.quantization_version", keys[kv.Key], kv.Key)
	}
}

// The container is a source, too.
func TestConvertContainer(t *testing.T) {
	src := small(t, nil)
	o := defaults
	o.Kind = quant.SDR8
	eight, _ := run(t, src, o)
	four, _ := run(t, open(t, eight), defaults)
	for name, d := range distances(t, src, open(t, four)) {
		require.Less(t, d, 0.1, name)
	}
	same, _ := run(t, open(t, eight), o)
	for name, d := range distances(t, open(t, eight), open(t, same)) {
		require.Less(t, d, 1e-3, name) // the scales are found again
	}
}

func TestConvertTied(t *testing.T) {
	_, r := run(t, small(t, func(c *testmodel.Config) { c.Tied = true }), defaults)
	rows := 0
	for _, e := range r.Entries {
		if e.Names[0] == "token_embd.weight" {
			rows++
		}
		require.NotEqual(t, "output.weight", e.Names[0])
	}
	require.Equal(t, 1, rows)
}

// The product of the last layer is not taken for the one that gives the logits, which a tied model does not have.
func TestOutputEntry(t *testing.T) {
	for _, tied := range []bool{false, true} {
		c, err := newConversion(context.Background(), small(t, func(c *testmodel.Config) { c.Tied = tied }), defaults)
		require.NoError(t, err)
		var outputs []string
		for _, e := range c.entries {
			if e.output {
				outputs = append(outputs, e.names()...)
			}
		}
		if tied {
			require.Empty(t, outputs)
		} else {
			require.Equal(t, []string{"output.weight"}, outputs)
		}
	}
}

// The bytes depend neither on the threads nor on the memory.
func TestConvertIsDeterministic(t *testing.T) {
	src := small(t, func(c *testmodel.Config) { c.Layers, c.Dim, c.FF, c.Vocab = 1, 576, 2000, 400 })
	c, err := NewCalibration(src, defaults)
	require.NoError(t, err)
	defer c.Close()
	p, _, err := planOf(src)
	require.NoError(t, err)
	for i := range p.Steps {
		if isProduct(p.Steps[i]) {
			x := make([]float32, 5*p.Steps[i].W[0].Shape[0])
			for j := range x {
				x[j] = float32(j*j%17) - 8
			}
			c.Add(p.Steps[i].Matrices(), x)
		}
	}
	for _, calibration := range []*Calibration{nil, c} {
		var want []byte
		for _, o := range []Options{{Threads: 1, Memory: 1 << 30}, {Threads: 3, Memory: 1 << 30}, {Threads: 2, Memory: 1}} {
			o.Kind, o.Output, o.Embedding, o.Calibration, o.HotFirst = quant.SDR4, quant.SDR4, format.Q5_0, calibration, true
			path, _ := run(t, src, o)
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			if want == nil {
				want = got
			}
			require.True(t, string(want) == string(got), "%+v", o)
		}
	}
}

// The matrix behind a gate lies in rows if that is asked for; with bits to spend, it gets some. The file is a source as any other.
func TestGateFirst(t *testing.T) {
	src := small(t, nil)
	o := defaults
	o.GateFirst = true
	path, r := run(t, src, o)
	types := func(r *Result) map[string]string {
		types := map[string]string{}
		for _, e := range r.Entries {
			types[strings.Join(e.Names, " ")] = e.Type
		}
		return types
	}
	require.Equal(t, "SDR4", types(r)["blk.1.ffn_gate.weight"])
	require.Equal(t, "Q4_0", types(r)["blk.1.ffn_up.weight"])
	got, err := Open(path)
	require.NoError(t, err)
	defer got.Close()
	for name, d := range distances(t, src, got) {
		require.Less(t, d, 0.1, name)
	}
	_, plain := run(t, got, defaults)
	require.Equal(t, "SDR4", types(plain)["blk.1.ffn_gate.weight blk.1.ffn_up.weight"])

	o.Kind = quant.SDR8
	_, most := run(t, src, o)
	require.Equal(t, "Q8_0", types(most)["blk.1.ffn_up.weight"])
	o.Kind, o.Bits = quant.SDR4, most.Bits()
	_, mixed := run(t, src, o)
	require.Equal(t, "Q8_0", types(mixed)["blk.1.ffn_up.weight"])
}

func TestBits(t *testing.T) {
	src := small(t, nil)
	o := defaults
	o.Output, o.Embedding = quant.SDR4, format.Q4_0
	_, least := run(t, src, o)
	o.Kind, o.Output, o.Embedding = quant.SDR8, quant.SDR8, format.Q8_0
	_, most := run(t, src, o)

	last := 0.0
	for _, share := range []float64{0, 0.3, 0.7, 1} {
		o := defaults
		o.Output, o.Embedding = quant.SDR4, format.Q4_0
		o.Bits = least.Bits() + share*(most.Bits()-least.Bits()) + 1e-6
		_, r := run(t, src, o)
		require.LessOrEqual(t, r.Bits(), o.Bits)
		require.Greater(t, r.Bits(), last)
		last = r.Bits()
	}
	require.Equal(t, most.Bits(), last)

	o = defaults
	o.Bits = 3
	_, err := Convert(context.Background(), src, filepath.Join(t.TempDir(), "m.cortex"), o)
	require.ErrorContains(t, err, "too few")
}

// odd is a source one of whose weights is not finite.
type odd struct{ Source }

func (s odd) ReadRows(dst []float32, t format.Tensor, from, to int, scratch []byte) ([]byte, error) {
	scratch, err := s.Source.ReadRows(dst, t, from, to, scratch)
	if t.Name == "blk.1.ffn_up.weight" && from <= 150 && 150 < to {
		dst[(150-from)*int(t.Shape[0])+7] = float32(math.Inf(1))
	}
	return scratch, err
}

func TestConvertNotFinite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.cortex")
	_, err := Convert(context.Background(), odd{small(t, nil)}, path, defaults)
	require.ErrorIs(t, err, format.ErrFormat)
	require.ErrorContains(t, err, "small: tensor blk.1.ffn_up.weight: the weight of output 150 and input 7 is +Inf")
	require.NoFileExists(t, path)
}

func TestConvertCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	o := defaults
	calls := 0
	o.Progress = func(Progress) {
		if calls++; calls == 3 {
			cancel()
		}
	}
	path := filepath.Join(t.TempDir(), "m.cortex")
	_, err := Convert(ctx, small(t, nil), path, o)
	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, path)
}

func TestOpenErrors(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "none.gguf"))
	require.True(t, errors.Is(err, os.ErrNotExist))
	_, err = Open(t.TempDir())
	require.Error(t, err)
}

// What working feedback out takes is part of the memory. A wide model of one layer is where it is the most of it.
func TestFeedbackMemory(t *testing.T) {
	shape := testmodel.Presets["8b"]
	shape.Type, shape.Layers = format.F16, 1
	m, err := testmodel.New(shape)
	require.NoError(t, err)
	src := FromRows("wide", m)
	for _, memory := range []int64{600 << 20, 930 << 20, 940 << 20} {
		o := defaults
		o.Memory = memory
		c, err := NewCalibration(src, o)
		require.NoError(t, err)
		fits := func(window int) bool {
			var all, most int64
			for n, products := range map[int]int{shape.Dim: 4, shape.FF: 1} {
				moments := 4 * int64(quant.MomentValues(n, window))
				all += int64(products) * moments
				slabs := 3 * 4 * n * 128 * o.Threads // rows, channels, and what the encoder takes
				most = max(most, moments+8*int64(window*window)+int64(slabs)+fixedMemory)
			}
			return all <= memory/2 && all+most <= memory
		}
		require.True(t, fits(c.Window), "%d bytes", memory)
		if c.Window < windows[0] {
			require.False(t, fits(2*c.Window), "%d bytes", memory)
		}
		require.NoError(t, c.Close())
	}
}
