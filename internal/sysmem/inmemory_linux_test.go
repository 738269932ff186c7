package sysmem

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnDisk(t *testing.T) {
	const memory = "/dev/shm"
	if !InMemory(memory) {
		t.Skip("no tmpfs at " + memory)
	}
	disk := t.TempDir()
	if InMemory(disk) {
		t.Skip("temporary files lie in memory")
	}
	none := filepath.Join(disk, "none")
	require.False(t, InMemory(none))
	require.Equal(t, disk, OnDisk(memory, none, disk))
	require.Equal(t, disk, OnDisk(disk, memory))
	require.Equal(t, memory, OnDisk(memory, none))
	require.Equal(t, disk, OnDisk("/proc", disk), "nobody can write there")
}
