package convert

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/internal/testmodel"
)

// childPath names the file that a child process converts into.
const childPath = "CORTEX_TEST_CONVERT"

func large(c *testmodel.Config) { c.Layers, c.Dim, c.FF = 2, 288, 768 }

// child converts in a process that is killed.
func child(t *testing.T, path string) {
	o := defaults
	o.Job, o.Shards = "kill", 2
	o.Progress = func(Progress) { time.Sleep(time.Millisecond) } // so that there is a time to be killed at
	_, err := Convert(context.Background(), small(t, large), path, o)
	require.NoError(t, err)
}

// A conversion that is killed at any moment, again and again, leaves nothing that opens, and ends with the same bytes.
func TestKilled(t *testing.T) {
	if path := os.Getenv(childPath); path != "" {
		child(t, path)
		return
	}
	o := defaults
	o.Shards = 2
	r, err := Convert(context.Background(), small(t, large), filepath.Join(t.TempDir(), "m.cortex"), o)
	require.NoError(t, err)

	dir := t.TempDir()
	path := filepath.Join(dir, "m.cortex")
	first := filepath.Join(dir, "m-00001-of-00002.cortex")
	rng := rand.New(rand.NewPCG(1, 1))
	killed := 0
	for tries := 0; ; tries++ {
		require.Less(t, tries, 100, "it never ends")
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), childPath+"="+path)
		require.NoError(t, cmd.Start())
		patience := time.AfterFunc(time.Duration(10+rng.IntN(15*(tries+2)))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		patience.Stop()
		if err == nil {
			break
		}
		killed++
		if found, err := container.Find(first); err == nil { // killed when its work was done
			require.NoError(t, container.Verify(context.Background(), found, nil))
			break
		}
	}
	require.Positive(t, killed)
	paths, err := container.Find(first)
	require.NoError(t, err)
	require.NoError(t, container.Verify(context.Background(), paths, nil))
	for i, p := range paths {
		want, err := os.ReadFile(r.Paths[i])
		require.NoError(t, err)
		got, err := os.ReadFile(p)
		require.NoError(t, err)
		require.True(t, string(want) == string(got), "shard %d", i+1)
	}
	_ = os.Remove(path + ".journal") // which the last one may have been about to do
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.ElementsMatch(t, paths, left)
}
