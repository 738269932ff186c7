package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// machine describes where the measuring is done.
type machine struct {
	OS   string  `json:"os"` // and architecture: linux/amd64
	CPU  string  `json:"cpu"`
	CPUs int     `json:"cpus"` // that the process may use
	Load float64 `json:"load"` // processes that wanted to run in the minute before; -1 if not known
}

func thisMachine() machine {
	m := machine{OS: runtime.GOOS + "/" + runtime.GOARCH, CPU: "unknown CPU", CPUs: runtime.NumCPU(), Load: -1}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = cpuModel(info)
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		first, _, _ := strings.Cut(string(text), " ")
		if load, err := strconv.ParseFloat(first, 64); err == nil {
			m.Load = load
		}
	}
	return m
}

// cpuModel returns the processor's name from the text of /proc/cpuinfo. On arm64 there
// is none, but numbers.
func cpuModel(info []byte) string {
	found := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(info)); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		found[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	if name := found["model name"]; name != "" {
		return name
	}
	if part := found["CPU part"]; part != "" {
		return "implementer " + found["CPU implementer"] + " part " + part
	}
	return "unknown CPU"
}

// busyTime returns the CPU time that all processes together have used, and whether it is known.
func busyTime() (time.Duration, bool) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, false
	}
	return parseStat(string(stat))
}

// parseStat reads the first line of /proc/stat: "cpu", then user, nice, system, idle, iowait, irq, softirq and steal
// time. Stolen time was used by somebody, too.
func parseStat(stat string) (busy time.Duration, ok bool) {
	const (
		ticks        = 100 // per second, on every architecture that Go knows
		idle, iowait = 4, 5
		steal        = 8
	)
	line, _, _ := strings.Cut(stat, "\n")
	f := strings.Fields(line)
	if len(f) <= steal || f[0] != "cpu" {
		return 0, false
	}
	for i := 1; i <= steal; i++ {
		n, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			return 0, false
		}
		if i != idle && i != iowait {
			busy += time.Duration(n) * time.Second / ticks
		}
	}
	return busy, true
}

// version returns the version of cortex that is in this program. Versions of a working tree come from git, which
// "go run" does not record.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return "cortex " + info.Main.Version
	}
	out, err := exec.Command("git", "-C", sourceDir(), "describe", "--always", "--dirty", "--tags").Output()
	if err != nil {
		return "cortex (devel)"
	}
	return "cortex " + strings.TrimSpace(string(out))
}

// sourceDir returns the folder of this file when the program was built.
func sourceDir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}
