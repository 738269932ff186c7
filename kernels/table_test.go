package kernels

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChooseLevel(t *testing.T) {
	top := 0
	for i, l := range ladder {
		if l.have {
			top = i
		}
	}
	level, unknown := chooseLevel("")
	require.Equal(t, top, level)
	require.Empty(t, unknown)

	level, unknown = chooseLevel("ref")
	require.Zero(t, level)
	require.Empty(t, unknown)

	level, unknown = chooseLevel("sse9")
	require.Equal(t, top, level, "an unknown name changes nothing")
	require.Equal(t, "sse9", unknown)

	for i, l := range ladder {
		level, unknown = chooseLevel(l.name)
		require.LessOrEqual(t, level, i, "%s can only lower the level", l.name)
		require.True(t, ladder[level].have)
		require.Empty(t, unknown)
	}
}

func TestLadder(t *testing.T) {
	require.Same(t, ref, ladder[0])
	for i, l := range ladder[1:] {
		require.NotEmpty(t, l.needs, l.name)
		for _, below := range ladder[:i+1] {
			if l.have {
				require.True(t, below.have, "%s includes %s", l.name, below.name)
			}
		}
	}
}

func TestRows(t *testing.T) {
	active := map[string]string{}
	place := map[string]int{}
	names := map[string]bool{}
	for _, r := range Rows() {
		require.Equal(t, r.Family+"_"+r.ISA, r.Name)
		require.False(t, names[r.Name], "%s is there twice", r.Name)
		names[r.Name] = true
		at := slices.IndexFunc(ladder, func(l *isa) bool { return l.name == r.ISA })
		if before, ok := place[r.Family]; ok {
			require.Greater(t, at, before, "rows of %s are not in order", r.Family)
		} else {
			require.Equal(t, "ref", r.ISA, "the reference of %s comes first", r.Family)
		}
		place[r.Family] = at
		if r.Active {
			require.True(t, r.Available, r.Name)
			require.Empty(t, active[r.Family], "two active rows in %s", r.Family)
			active[r.Family] = r.ISA
		}
	}
	require.Len(t, active, len(families))
	require.Contains(t, active, "matvecQ4_0")
}

// TestEnvironment runs this test program with CORTEX_ISA set.
func TestEnvironment(t *testing.T) {
	if os.Getenv("CORTEX_TEST_CHILD") != "" {
		name, ignored := ISA()
		_, _ = os.Stdout.WriteString("isa " + name + " ignored " + ignored + "\n")
		for _, r := range Rows() {
			if r.Active && r.ISA != "ref" {
				_, _ = os.Stdout.WriteString("active " + r.Name + "\n")
			}
		}
		return
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	run := func(isa string) string {
		cmd := exec.Command(exe, "-test.run=^TestEnvironment$")
		cmd.Env = append(os.Environ(), "CORTEX_TEST_CHILD=1", "CORTEX_ISA="+isa)
		out, err := cmd.CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Skipf("cannot run this program again: %v", err) // under an emulator
		}
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	require.Contains(t, run("ref"), "isa ref ignored \n")
	require.NotContains(t, run("ref"), "active")
	require.Contains(t, run("sse9"), "ignored sse9\n")
	for _, l := range ladder[1:] {
		if l.have {
			require.Contains(t, run(l.name), "isa "+l.name+" ignored \n")
		}
	}
	if len(ladder) > 1 && ladder[1].have {
		out := run(ladder[1].name)
		require.Contains(t, out, "active matvecQ4_0_"+ladder[1].name)
		require.Equal(t, strings.Count(out, "active "), strings.Count(out, "_"+ladder[1].name+"\n"))
	}
}
