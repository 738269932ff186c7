package cache

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// layers is the trace of a decoder whose weights are read from first to last for every token.
func layers(n, tokens int) *Trace {
	t := &Trace{}
	for range tokens {
		for l := range n {
			t.Add(l, 1)
		}
	}
	return t
}

// What makes a decoder pin its weights: 80 layers, and room for 79.
func TestCyclicScan(t *testing.T) {
	trace := layers(80, 200)
	require.Zero(t, trace.Replay(NewLRU(79)).Hits, "LRU gives up every layer just before it is needed")

	pin := NewPin(78) // one layer passes through what is left
	for l := range 78 {
		pin.Use(l, 1, nil) // read when the model is opened
	}
	require.InDelta(t, 0.975, trace.Replay(pin).Rate(), 1e-9)
	require.InDelta(t, 0.982, trace.Belady(79).Rate(), 5e-4)
}

// Keys that are used often survive a scan of keys that are used once.
func TestScanResistance(t *testing.T) {
	hot := func(p Policy) float64 {
		trace := &Trace{}
		for i := range 20_000 {
			trace.Add(i%10, 1)
			if i%500 == 499 {
				for scan := range 100 {
					trace.Add(1000+i+scan, 1)
				}
			}
		}
		return trace.Replay(p).Rate()
	}
	lru := hot(NewLRU(50))
	require.Greater(t, hot(NewSegmentedLRU(50, DefaultProtected)), lru)
	require.Greater(t, hot(NewLFU(50, 1000)), lru)
}

// LFU forgets what was popular long ago.
func TestLFUDecays(t *testing.T) {
	p := NewLFU(2, 100)
	for range 1000 {
		p.Use(1, 1, nil)
	}
	for range 5000 {
		p.Use(2, 1, nil)
	}
	var evicted []int
	p.Use(3, 1, func(key int) { evicted = append(evicted, key) })
	require.Equal(t, []int{1}, evicted)
}

// Whatever is used, no policy holds more than its capacity, hits what it does not hold, or forgets to say what it gives up;
// none beats Belady with keys of one size, unless it lets keys pass.
func TestPoliciesProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.Int64Range(1, 20), 1, 12).Draw(t, "sizes")
		same := rapid.Bool().Draw(t, "same size")
		capacity := rapid.Int64Range(0, 60).Draw(t, "capacity")
		trace := &Trace{}
		for _, k := range rapid.SliceOfN(rapid.IntRange(0, len(sizes)-1), 0, 200).Draw(t, "keys") {
			if same {
				sizes[k] = 3
			}
			trace.Add(k, sizes[k])
		}
		best := trace.Belady(capacity)
		for _, c := range Policies {
			p, held := c.New(capacity), map[int]int64{}
			hits := 0
			for _, a := range trace.uses {
				_, had := held[a.Key]
				r := p.Use(a.Key, a.Size, func(key int) {
					if _, ok := held[key]; !ok {
						t.Fatalf("%s gives up %d, which it does not hold", c.Name, key)
					}
					delete(held, key)
				})
				if had != (r == Hit) {
					t.Fatalf("%s: key %d held %t, result %d", c.Name, a.Key, had, r)
				}
				if r == Kept {
					held[a.Key] = a.Size
				}
				if r == Hit {
					hits++
				}
				sum := int64(0)
				for _, n := range held {
					sum += n
				}
				if sum != p.Used() || sum > capacity {
					t.Fatalf("%s: uses %d, says %d, of %d", c.Name, sum, p.Used(), capacity)
				}
			}
			require.Equal(t, hits, trace.Replay(c.New(capacity)).Hits, c.Name)
			if _, passes := p.(*Pin); same && !passes {
				require.LessOrEqual(t, hits, best.Hits, c.Name)
			}
		}
	})
}

func TestTraceText(t *testing.T) {
	trace := layers(3, 2)
	var text bytes.Buffer
	n, err := trace.WriteTo(&text)
	require.NoError(t, err)
	require.EqualValues(t, text.Len(), n)
	again, err := ReadTrace(&text)
	require.NoError(t, err)
	require.Equal(t, trace.uses, again.uses)
	keys, uses := again.Size()
	require.Equal(t, []int64{3, 6}, []int64{keys, uses})
	for _, bad := range []string{"", "x", traceHead + "\n1", traceHead + "\n1 0", traceHead + "\n1 2 3", traceHead + "\n1 2\n1 3", traceHead + "\na b"} {
		_, err := ReadTrace(strings.NewReader(bad))
		require.ErrorIs(t, err, ErrTrace, "%q", bad)
	}
}

func FuzzReadTrace(f *testing.F) {
	f.Add(traceHead + "\n1 2\n3 4\n1 2\n")
	f.Add(traceHead + "\n-1 99999999999\n")
	f.Fuzz(func(t *testing.T, text string) {
		trace, err := ReadTrace(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, c := range Policies {
			trace.Replay(c.New(5))
		}
		var out bytes.Buffer
		_, err = trace.WriteTo(&out)
		require.NoError(t, err)
		again, err := ReadTrace(&out)
		require.NoError(t, err)
		require.Equal(t, trace.uses, again.uses)
	})
}
