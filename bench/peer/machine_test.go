package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCPUModel(t *testing.T) {
	require.Equal(t, "Some CPU @ 2 GHz", cpuModel([]byte("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n\nprocessor\t: 1\n")))
	require.Equal(t, "implementer 0x41 part 0xd0c", cpuModel([]byte("CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n")))
	require.Equal(t, "unknown CPU", cpuModel(nil))
}

func TestParseStat(t *testing.T) {
	busy, ok := parseStat("cpu  100 20 3 9999 8888 1 2 4 77 66\ncpu0 5 5 5 5 5 5 5 5 5 5\n")
	require.True(t, ok)
	require.Equal(t, 1300*time.Millisecond, busy, "neither idle time nor that of guests, which is user time already")
	for _, bad := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8 9", "cpu a b c d e f g h i"} {
		_, ok := parseStat(bad)
		require.False(t, ok, bad)
	}
}
