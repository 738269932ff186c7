package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// group is a memory cgroup.
type group struct {
	dir string
	*files
}

// files are the names that a version of cgroups has for what is needed here.
type files struct {
	root                string
	limit, peak, events string
}

var versions = []files{
	{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"},
	{"/sys/fs/cgroup", "memory.max", "memory.peak", "memory.events"},
}

// newGroup makes a cgroup that may be charged with limit bytes.
func newGroup(limit int64) (*group, error) {
	for i := range versions {
		g := &group{dir: filepath.Join(versions[i].root, fmt.Sprintf("cortex-limits-%d", os.Getpid())), files: &versions[i]}
		if err := os.Mkdir(g.dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			continue
		}
		if err := os.WriteFile(filepath.Join(g.dir, g.limit), []byte(strconv.FormatInt(limit, 10)), 0o644); err != nil {
			g.remove()
			continue
		}
		return g, nil
	}
	return nil, errNoGroup
}

// remove removes the cgroup, whose processes may take a moment to be gone.
func (g *group) remove() {
	for range 100 {
		if err := os.Remove(g.dir); err == nil || errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// highest returns the highest charge there was, and how many processes were killed.
func (g *group) highest() (bytes, kills int64, err error) {
	text, err := os.ReadFile(filepath.Join(g.dir, g.peak))
	if err != nil {
		return 0, 0, err
	}
	if bytes, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err != nil {
		return 0, 0, err
	}
	if text, err = os.ReadFile(filepath.Join(g.dir, g.events)); err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "oom_kill %d", &kills); err == nil {
			break
		}
	}
	return bytes, kills, nil
}

// workEnter is the command with which this program enters a cgroup and becomes another.
const workEnter = "enter"

func enter(_ context.Context, args []string) error {
	if err := os.WriteFile(filepath.Join(args[0], "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		return err
	}
	return syscall.Exec(args[1], args[1:], os.Environ())
}

// outcome is how a process in a cgroup ended.
type outcome struct {
	peak   int64 // highest charge
	killed bool  // for its memory
	err    error // of the process, with what it wrote to stderr
}

// in runs a command in a cgroup of its own that may be charged with limit bytes, and reads what it prints as JSON into v.
func in(ctx context.Context, limit int64, v any, command ...string) (o outcome, err error) {
	g, err := newGroup(limit)
	if err != nil {
		return o, err
	}
	defer g.remove()
	exe, err := os.Executable()
	if err != nil {
		return o, err
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, exe, append([]string{workEnter, g.dir}, command...)...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		o.err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(errOut.Bytes()))
	}
	var kills int64
	if o.peak, kills, err = g.highest(); err != nil {
		return o, err
	}
	o.killed = kills > 0
	if o.err == nil {
		if err := json.Unmarshal(out.Bytes(), v); err != nil {
			return o, fmt.Errorf("%v: %w", command, err)
		}
	}
	return o, nil
}

// dropCache has the system forget what it has cached of a file.
func dropCache(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// openDirect opens a file for reads past the page cache.
func openDirect(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
}
