package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// report is everything that came out.
type report struct {
	Date          time.Time `json:"date"`
	Machine       machine   `json:"machine"`
	Threads       int       `json:"threads"`
	Cortex        string    `json:"cortex"` // version
	Go            string    `json:"go"`
	ISA           string    `json:"isa"` // of cortex's kernels
	Peer          string    `json:"peer"`
	PeerCPU       string    `json:"peer_cpu"` // of the peer's kernels
	CortexCommand string    `json:"cortex_command"`
	PeerCommand   string    `json:"peer_command"`
	Results       []*result `json:"results"`
}

// result is one test on one model.
type result struct {
	Model         string  `json:"model"`
	Test          spec    `json:"test"`
	FileBytes     int64   `json:"file_bytes"`
	KVBytes       int64   `json:"kv_bytes"`
	BytesPerToken int64   `json:"bytes_per_token"` // of weights
	Summary       summary `json:"summary"`
	Pairs         []pair  `json:"pairs"`
}

// pair is what ran one after the other.
type pair struct {
	Peer        sample  `json:"peer"`
	Cortex      sample  `json:"cortex"`
	NoisyPeer   *sample `json:"noisy_peer,omitempty"` // beside a busy process
	NoisyCortex *sample `json:"noisy_cortex,omitempty"`
	Read        float64 `json:"plain_read,omitempty"` // bytes per second
}

// sample is what one process measured.
type sample struct {
	Rate       float64 `json:"tokens_per_second"`
	Open       float64 `json:"load_seconds"`
	FirstToken float64 `json:"first_token_seconds"`
	PeakRSS    int64   `json:"peak_rss_bytes"`
	Others     float64 `json:"others_share_of_cpu"` // CPU time of other processes meanwhile
}

// compare runs all tests on all models.
func (f *flags) compare(ctx context.Context) (*report, error) {
	rep := &report{Date: time.Now().UTC().Truncate(time.Second), Machine: thisMachine(), Threads: f.threads, Cortex: version(), Go: runtime.Version()}
	if rep.Machine.Load > idleLoad {
		say("warning: the machine is not idle: a load of %.2f in the last minute", rep.Machine.Load)
	}
	for _, model := range f.models {
		// Reading the file brings it into memory, so that neither side waits for a disk. It is read anew, because a file
		// that has just been written lies in memory in small pages, other than after the next start of the machine.
		if _, err := f.read(ctx, readJob{Model: model, Threads: f.threads, Fresh: true}); err != nil {
			return nil, err
		}
		for _, test := range f.tests {
			r, err := f.test(ctx, rep, model, test)
			if err != nil {
				return nil, fmt.Errorf("%s: %v: %w", filepath.Base(model), test, err)
			}
			rep.Results = append(rep.Results, r)
		}
	}
	return rep, nil
}

func (f *flags) test(ctx context.Context, rep *report, model string, test spec) (*result, error) {
	r := &result{Model: filepath.Base(model), Test: test}
	j := job{Model: model, Threads: f.threads, Repetitions: f.repetitions, Test: test}
	for i := range f.pairs {
		var p pair
		var err error
		if p.Peer, p.Cortex, err = f.both(ctx, rep, r, j); err != nil {
			return nil, err
		}
		say("%s %v, pair %d of %d: peer %s, cortex %s, ratio %.3f", r.Model, test, i+1, f.pairs,
			short(p.Peer.Rate), short(p.Cortex.Rate), p.Cortex.Rate/p.Peer.Rate)
		if f.bandwidth && test.Gen > 0 {
			if p.Read, err = f.read(ctx, readJob{Model: model, Threads: f.threads, Passes: readPasses}); err != nil {
				return nil, err
			}
			say("  plain read %s GB/s, cortex %s GB/s", short(p.Read/1e9), short(p.Cortex.Rate*float64(r.BytesPerToken)/1e9))
		}
		if f.noise {
			if p.NoisyPeer, p.NoisyCortex, err = f.noisy(ctx, rep, r, j); err != nil {
				return nil, err
			}
			say("  beside a busy process: peer %s, cortex %s", short(p.NoisyPeer.Rate), short(p.NoisyCortex.Rate))
		}
		r.Pairs = append(r.Pairs, p)
	}
	r.Summary = r.summarize()
	return r, nil
}

// both has first the peer and then cortex do a job.
func (f *flags) both(ctx context.Context, rep *report, r *result, j job) (peer, cortex sample, err error) {
	cmd := f.peerCommand(ctx, j)
	rep.PeerCommand = commandLine(cmd)
	out, peer, err := runMeasuring(cmd)
	if err != nil {
		return peer, cortex, fmt.Errorf("the peer: %w", err)
	}
	rep.Peer, rep.PeerCPU = out.Peer, out.CPU

	cmd, err = f.cortexCommand(ctx, j)
	if err != nil {
		return peer, cortex, err
	}
	rep.CortexCommand = commandLine(cmd)
	out, cortex, err = runMeasuring(cmd)
	if err != nil {
		return peer, cortex, fmt.Errorf("cortex: %w", err)
	}
	rep.ISA = out.CPU
	r.FileBytes, r.KVBytes, r.BytesPerToken = out.FileBytes, out.KVBytes, out.BytesPerToken
	return peer, cortex, nil
}

// noisy is both, beside a process that keeps one core busy.
func (f *flags) noisy(ctx context.Context, rep *report, r *result, j job) (peer, cortex *sample, err error) {
	busy, err := f.self(ctx, workSpin, nil)
	if err != nil {
		return nil, nil, err
	}
	stdin, err := busy.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := busy.Start(); err != nil {
		return nil, nil, err
	}
	p, c, err := f.both(ctx, rep, r, j)
	stdin.Close()
	if waitErr := busy.Wait(); err == nil && waitErr != nil {
		err = fmt.Errorf("the busy process: %w", waitErr)
	}
	p.Others, c.Others = 0, 0
	return &p, &c, err
}

// readPasses is how often the weights are read to see how fast that is; the median counts.
const readPasses = 3

// read has a process read the weights and returns how many bytes per second it read.
// It must not be this process, whose size counts for those that it starts: see peakRSS.
func (f *flags) read(ctx context.Context, j readJob) (float64, error) {
	cmd, err := f.self(ctx, workRead, j)
	if err != nil {
		return 0, err
	}
	var out readResult
	if err := runJSON(cmd, &out); err != nil {
		return 0, err
	}
	return spreadOf(out.Rates).Median, nil
}

// peerCommand returns the command with which the peer does a job.
func (f *flags) peerCommand(ctx context.Context, j job) *exec.Cmd {
	args := []string{"bench", j.Model, "-t", strconv.Itoa(j.Threads), "-p", strconv.Itoa(j.Test.Prompt), "-n", strconv.Itoa(j.Test.Gen),
		"-r", strconv.Itoa(j.Repetitions), "--depth", strconv.Itoa(j.Test.Depth)}
	if f.peerCPU != "" {
		args = append(args, "--cpu", f.peerCPU)
	}
	return exec.CommandContext(ctx, f.oracle, args...)
}

// cortexCommand returns the command with which cortex does a job.
func (f *flags) cortexCommand(ctx context.Context, j job) (*exec.Cmd, error) {
	cmd, err := f.self(ctx, workMeasure, j)
	if err == nil && f.isa != "" {
		cmd.Env = append(os.Environ(), "CORTEX_ISA="+f.isa)
		if core := openBLASCores[f.isa]; core != "" {
			cmd.Env = append(cmd.Env, "OPENBLAS_CORETYPE="+core)
		}
	}
	return cmd, err
}

// openBLASCores are the processors that OpenBLAS has to take this one for at a level. It
// knows nothing of CORTEX_ISA.
var openBLASCores = map[string]string{"avx2": "Haswell", "avx512": "SkylakeX", "avx512vnni": "SkylakeX"}

// self returns a command that starts this program to do some work.
func (f *flags) self(ctx context.Context, work string, job any) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, exe, work, string(text)), nil
}

// runMeasuring runs a process that measures, and adds what the operating system knows of it.
func runMeasuring(cmd *exec.Cmd) (out output, s sample, err error) {
	before, known := busyTime()
	start := time.Now()
	if err := runJSON(cmd, &out); err != nil {
		return out, s, err
	}
	wall := time.Since(start)
	after, _ := busyTime()
	state := cmd.ProcessState
	s = sample{Rate: spreadOf(append(out.Prompt, out.Gen...)).Median, Open: out.Open, FirstToken: out.FirstToken, PeakRSS: peakRSS(state)}
	if s.Rate <= 0 || math.IsInf(s.Rate, 0) || math.IsNaN(s.Rate) {
		return out, s, fmt.Errorf("%s: no speed in the output", commandLine(cmd))
	}
	if known {
		others := after - before - state.UserTime() - state.SystemTime()
		s.Others = max(0, others.Seconds()/(wall.Seconds()*float64(runtime.NumCPU())))
	}
	return out, s, nil
}

// runJSON runs a process and reads what it prints.
func runJSON(cmd *exec.Cmd, v any) error {
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", commandLine(cmd), err, bytes.TrimSpace(errOut.Bytes()))
	}
	if err := json.Unmarshal(out.Bytes(), v); err != nil {
		return fmt.Errorf("%s: %w", commandLine(cmd), err)
	}
	return nil
}

// commandLine returns a command as it would be typed.
func commandLine(cmd *exec.Cmd) string {
	words := slices.Clone(cmd.Env[min(len(cmd.Env), len(os.Environ())):]) // what was added to the environment
	for i, arg := range cmd.Args {
		if i == 0 {
			arg = filepath.Base(arg)
		}
		if strings.ContainsAny(arg, " \"{}'") {
			arg = "'" + arg + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

// install finds the peer's program, or makes it.
func (f *flags) install(ctx context.Context) error {
	if f.oracle != "" {
		return nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	script := filepath.Join(sourceDir(), "install.sh")
	if _, err := os.Stat(script); err != nil {
		return fmt.Errorf("%w; -oracle names the peer's program", err)
	}
	dir := filepath.Join(cache, "cortex", "peer")
	say("the peer is in %s, where %s puts it", dir, script)
	cmd := exec.CommandContext(ctx, script, dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", script, err)
	}
	f.oracle = strings.TrimSpace(string(out))
	return nil
}
