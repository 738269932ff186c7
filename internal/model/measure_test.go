package model

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is slow for a moment does not count, and types of weights count by their bytes.
func TestTimingsRate(t *testing.T) {
	require.Zero(t, timings{}.rate())
	s := timings{}
	s.add("nothing", 0, 0)
	require.Zero(t, s.rate())
	for i := range 8 {
		took := time.Millisecond
		if i%2 == 0 {
			took *= 100
		}
		s.add("fast", 2e6, took)
		s.add("slow", 1e6, took)
	}
	require.InEpsilon(t, 24e6/(8*1e-3+8*1e-3), s.rate(), 1e-9)
}
