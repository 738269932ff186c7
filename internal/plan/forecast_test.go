package plan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTime(t *testing.T) {
	r := Rates{Disk: 1e9, Memory: 10e9, Prompt: 100}
	for _, c := range []struct {
		name          string
		rates         Rates
		work          Work
		disk, compute time.Duration
	}{
		{"the disk is slower", r, Work{Tokens: 1, Streamed: 2e9, Weights: 5e9}, 2 * time.Second, 500 * time.Millisecond},
		{"both are as slow", r, Work{Tokens: 1, Streamed: 1e9, Weights: 10e9}, time.Second, time.Second},
		{"memory is slower", r, Work{Tokens: 1, Streamed: 1e8, Weights: 5e9}, 100 * time.Millisecond, 500 * time.Millisecond},
		{"many tokens", r, Work{Tokens: 300, Streamed: 2e9, Weights: 5e9}, 2 * time.Second, 3 * time.Second},
		{"a long context", r, Work{Tokens: 1, Weights: 5e9, KV: 5e9}, 0, time.Second},
		{"nothing is known", Rates{}, Work{Tokens: 1, Streamed: 1, Weights: 1, KV: 1}, 0, 0},
	} {
		all, disk, compute := c.rates.Time(c.work)
		require.Equal(t, c.disk, disk, c.name)
		require.Equal(t, c.compute, compute, c.name)
		slower, faster := max(c.disk, c.compute), min(c.disk, c.compute)
		require.GreaterOrEqual(t, all, slower, c.name)
		require.LessOrEqual(t, all, slower*126/100, c.name)
		if faster <= slower/3 {
			require.LessOrEqual(t, all, slower*102/100, c.name)
		}
	}
}
