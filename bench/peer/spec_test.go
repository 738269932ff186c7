package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseSpec(t *testing.T) {
	for name, want := range map[string]spec{
		"pp512":     {Prompt: 512},
		"tg1":       {Gen: 1},
		"tg64@4096": {Gen: 64, Depth: 4096},
		"pp8@16":    {Prompt: 8, Depth: 16},
	} {
		got, err := parseSpec(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, name, got.String())
	}
	for _, bad := range []string{"", "pp", "512", "pp0", "pp-1", "tg1.5", "xx5", "tg5@", "tg5@-1", "tg5@x", "@5", "pp99999999", "tg1@99999999"} {
		_, err := parseSpec(bad)
		require.ErrorContains(t, err, "is no test", bad)
	}
}

func TestParseSpecs(t *testing.T) {
	specs, err := parseSpecs(defaultTests)
	require.NoError(t, err)
	require.Equal(t, []spec{{Prompt: 512}, {Prompt: 128}, {Gen: 128}, {Gen: 64, Depth: 4096}}, specs)
	specs, err = parseSpecs("pp1, tg2")
	require.NoError(t, err)
	require.Equal(t, []spec{{Prompt: 1}, {Gen: 2}}, specs)
	_, err = parseSpecs("pp1,,tg2")
	require.Error(t, err)
}
