package cache

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestBudgetRefusesWhatDoesNotFit(t *testing.T) {
	b := NewBudget(100)
	require.NoError(t, b.Reserve("weights", 60))
	require.NoError(t, b.Reserve("kv", 40))
	err := b.Reserve("activations", 1)
	require.ErrorIs(t, err, ErrBudget)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, Error{Name: "activations", Want: 1, Used: 100, Limit: 100}, *e)
	require.Equal(t, int64(100), b.Used(), "a refused reservation changes nothing")

	b.Release("kv", 40)
	require.NoError(t, b.Reserve("activations", 40))
	require.Equal(t, []Item{{"weights", 60}, {"activations", 40}}, b.Items())
	require.Error(t, b.Reserve("huge", math.MaxInt64), "no overflow")
}

func TestBudgetMisusePanics(t *testing.T) {
	b := NewBudget(10)
	require.Panics(t, func() { _ = b.Reserve("a", -1) })
	require.Panics(t, func() { b.Release("a", 1) })
	require.NoError(t, b.Reserve("a", 2))
	require.Panics(t, func() { b.Release("a", 3) })
}

// A random walk against the obvious model: a map of names and their sum.
func TestBudgetProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(0, 1000).Draw(t, "limit")
		b, want, peak := NewBudget(limit), map[string]int64{}, int64(0)
		sum := func() (s int64) {
			for _, n := range want {
				s += n
			}
			return s
		}
		for range rapid.IntRange(0, 50).Draw(t, "steps") {
			name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")
			if rapid.Bool().Draw(t, "reserve") {
				n := rapid.Int64Range(0, 400).Draw(t, "n")
				err := b.Reserve(name, n)
				if (err == nil) != (sum()+n <= limit) {
					t.Fatalf("reserve %d with %d of %d used: %v", n, sum(), limit, err)
				}
				if err == nil {
					want[name] += n
				}
			} else {
				n := rapid.Int64Range(0, want[name]).Draw(t, "n")
				b.Release(name, n)
				want[name] -= n
			}
			peak = max(peak, sum())
			if b.Used() != sum() || b.Peak() != peak || b.Used() > limit {
				t.Fatalf("used %d, peak %d; want %d, %d of %d", b.Used(), b.Peak(), sum(), peak, limit)
			}
		}
	})
}

func TestBudgetConcurrent(t *testing.T) {
	b := NewBudget(8)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			name := fmt.Sprint(i)
			for range 100 {
				if b.Reserve(name, 3) == nil {
					b.Release(name, 3)
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, b.Used())
	require.LessOrEqual(t, b.Peak(), int64(8))
}

func ExampleBudget() {
	b := NewBudget(1 << 20)
	_ = b.Reserve("weights", 900<<10)
	err := b.Reserve("kv", 200<<10)
	fmt.Println(err)
	// Output: kv needs 204800 bytes, but 921600 of 1048576 are in use: memory budget exceeded
}
