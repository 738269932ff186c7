package main

import (
	"encoding/json"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKernels(t *testing.T) {
	var k kernelsJSON
	require.NoError(t, json.Unmarshal([]byte(cortexOK(t, "kernels", "--json")), &k))
	require.Equal(t, runtime.GOARCH, k.Arch)
	active := map[string]int{}
	for _, r := range k.Kernels {
		active[r.Family] += 0
		if r.Active {
			active[r.Family]++
			require.True(t, r.Available, r.Name)
		}
	}
	require.NotEmpty(t, active)
	for family, n := range active {
		require.Equal(t, 1, n, "rows of %s in use", family)
	}

	out := cortexOK(t, "kernels")
	require.Contains(t, out, k.Arch+", instruction set level "+k.ISA)
	require.Contains(t, out, "OpenBLAS: ")
	for _, r := range k.Kernels {
		require.Regexp(t, `(?m)^`+r.Family+` +`+r.ISA+` +(active|available|not on this processor) `, out)
	}
}
