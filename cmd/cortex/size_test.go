package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0":       0,
		"1":       1,
		"123B":    123,
		"1K":      1 << 10,
		"1kB":     1000,
		"1KiB":    1 << 10,
		"512M":    512 << 20,
		"512m":    512 << 20,
		"4GB":     4e9,
		"3GiB":    3 << 30,
		"3 GiB":   3 << 30,
		"1.5G":    3 << 29,
		".5KiB":   512,
		"2T":      2 << 40,
		"2TB":     2e12,
		"1.0 TiB": 1 << 40,
	} {
		got, err := parseSize(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "B", "GiB", "-1", "+1", "1e9", "0x10", "1XB", "1GBB", "1 2", "1.2.3", "NaN", "Inf", "1_000", "99999999999T", "GiB3", "٣GiB"} {
		_, err := parseSize(text)
		require.Error(t, err, text)
	}
}

func TestParseSizeProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 1<<20).Draw(t, "n")
		unit := rapid.SampledFrom([]string{"", "B", "K", "KB", "KiB", "M", "MB", "MiB", "G", "GB", "GiB"}).Draw(t, "unit")
		space := rapid.SampledFrom([]string{"", " "}).Draw(t, "space")
		change := rapid.SampledFrom([]func(string) string{strings.ToLower, strings.ToUpper, strings.Clone}).Draw(t, "case")
		got, err := parseSize(fmt.Sprintf("%d%s%s", n, space, change(unit)))
		require.NoError(t, err)
		require.Equal(t, n*int64(sizeUnits[strings.ToLower(unit)]), got)
	})
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"3GiB", "1.5k", "", "-1", "1e400G"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseSize(s)
		if err != nil {
			require.Zero(t, n)
			return
		}
		require.GreaterOrEqual(t, n, int64(0))
		v := size(0)
		require.NoError(t, v.Set(s))
		require.Equal(t, n, int64(v))
	})
}
