package sysmem

import (
	"bytes"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// system is the root directory of a Linux system.
type system struct{ fs.FS }

// none is a limit that does not limit.
const none = math.MaxInt64

// text returns the content of a file, which is empty if it cannot be read. The name begins with a slash.
func (s system) text(name string) string {
	data, _ := fs.ReadFile(s, strings.TrimPrefix(name, "/"))
	return string(bytes.TrimSpace(data))
}

// number parses a count that a limit is made of. It returns none for "max", for what version 1 says instead, which is "-1" or a number near
// 2^63, and for whatever is no count.
func number(text string) int64 {
	n, err := strconv.ParseUint(text, 10, 62)
	if err != nil {
		return none
	}
	return int64(n)
}

// value returns the number at a key of a text of lines "key number" or "key: number unit".
func value(text, key string) (n int64, ok bool) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || strings.TrimSuffix(f[0], ":") != key {
			continue
		}
		if n = number(f[1]); n == none {
			return 0, false
		}
		if len(f) > 2 && f[2] == "kB" {
			n = multiply(n, 1024)
		}
		return n, true
	}
	return 0, false
}

// multiply returns a*b for counts, or none if that is too large.
func multiply(a, b int64) int64 {
	if b != 0 && a > none/b {
		return none
	}
	return a * b
}

// memory returns how many bytes are available, none if nothing tells.
func (s system) memory() int64 {
	n := s.machineMemory()
	for _, dir := range s.levels("memory") {
		n = min(n, s.memoryV1(dir))
	}
	for _, dir := range s.levels(unified) {
		n = min(n, s.memoryV2(dir))
	}
	return n
}

// machineMemory returns what the machine has available. Kernels before 3.14 tell only what it has.
func (s system) machineMemory() int64 {
	text := s.text("/proc/meminfo")
	for _, key := range []string{"MemAvailable", "MemTotal"} {
		if n, ok := value(text, key); ok {
			return n
		}
	}
	return none
}

// memoryV1 returns what one level of a version 1 hierarchy leaves.
func (s system) memoryV1(dir string) int64 {
	stat := s.text(dir + "/memory.stat")
	limit := number(s.text(dir + "/memory.limit_in_bytes"))
	if n, ok := value(stat, "hierarchical_memory_limit"); ok {
		limit = min(limit, n) // levels that are not mounted here limit too
	}
	return left(limit, s.text(dir+"/memory.usage_in_bytes"), stat, "total_active_file", "total_inactive_file")
}

// memoryV2 returns what one level of a version 2 hierarchy leaves.
func (s system) memoryV2(dir string) int64 {
	limit := min(number(s.text(dir+"/memory.max")), number(s.text(dir+"/memory.high")))
	return left(limit, s.text(dir+"/memory.current"), s.text(dir+"/memory.stat"), "active_file", "inactive_file")
}

// left returns what usage, less the pages of files that stat tells at the keys, leaves of a limit.
func left(limit int64, usage, stat string, keys ...string) int64 {
	used := number(usage)
	if limit == none || used == none {
		return limit
	}
	for _, key := range keys {
		n, _ := value(stat, key)
		used = max(0, used-n)
	}
	return max(0, limit-used)
}

// cpus returns the number of processors of the CPU quota, rounded up, a large number if there is none.
func (s system) cpus() int {
	n := int64(math.MaxInt32)
	for _, dir := range s.levels("cpu") {
		n = min(n, quota(s.text(dir+"/cpu.cfs_quota_us"), s.text(dir+"/cpu.cfs_period_us")))
	}
	for _, dir := range s.levels(unified) {
		limit, period, _ := strings.Cut(s.text(dir+"/cpu.max"), " ")
		n = min(n, quota(limit, period))
	}
	return int(n)
}

// quota returns limit/period rounded up.
func quota(limit, period string) int64 {
	l, p := number(limit), number(period)
	if l == none || p == none || l == 0 || p == 0 {
		return none
	}
	return (l-1)/p + 1
}

// resident returns the resident memory of the process.
func (s system) resident(pageSize int64) Usage {
	f := strings.Fields(s.text("/proc/self/statm")) // size, resident, shared, …, in pages
	if len(f) < 3 {
		return Usage{}
	}
	all, shared := number(f[1]), number(f[2])
	if all == none || shared > all {
		return Usage{}
	}
	return Usage{Anonymous: multiply(all-shared, pageSize), File: multiply(shared, pageSize)}
}

// unified stands for the version 2 hierarchy where otherwise a version 1 controller is named.
const unified = ""

// levels returns the directories of the process's cgroups in the hierarchy of a controller, the process's own first, up to the mount point.
// There are none if the hierarchy does not exist or is not mounted.
func (s system) levels(controller string) []string {
	group, ok := s.group(controller)
	if !ok {
		return nil
	}
	mount, dir := s.mount(controller, group)
	if mount == "" {
		return nil
	}
	levels := []string{dir}
	for dir != mount {
		dir = path.Dir(dir)
		levels = append(levels, dir)
	}
	return levels
}

// group returns the path of the process's cgroup in its hierarchy.
func (s system) group(controller string) (group string, ok bool) {
	for line := range strings.Lines(s.text("/proc/self/cgroup")) {
		// hierarchy ":" controllers ":" path; version 2 has hierarchy 0 and no controllers
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) == 3 && (controller == unified && f[0] == "0" && f[1] == "" || controller != unified && has(f[1], controller)) {
			return f[2], true
		}
	}
	return "", false
}

// mount returns where a hierarchy is mounted, and the directory of a group in it: the mount point itself if the group is not below the root
// of the mount, as it is for a process outside its cgroup namespace. A container may see only the part of the hierarchy below its own group.
func (s system) mount(controller, group string) (mount, dir string) {
	for line := range strings.Lines(s.text("/proc/self/mountinfo")) {
		// id parent device root mountpoint options tags… "-" type source options
		left, right, _ := strings.Cut(line, " - ")
		f, g := strings.Fields(left), strings.Fields(right)
		if len(f) < 5 || len(g) < 3 {
			continue
		}
		if controller == unified && g[0] != "cgroup2" || controller != unified && (g[0] != "cgroup" || !has(g[2], controller)) {
			continue
		}
		root, point := unescape(f[3]), path.Clean(unescape(f[4]))
		if below, ok := cutRoot(group, root); ok {
			return point, path.Join(point, below)
		}
		if mount == "" {
			mount, dir = point, point
		}
	}
	return mount, dir
}

// cutRoot returns the part of a cgroup's path below a root.
func cutRoot(group, root string) (below string, ok bool) {
	below, ok = strings.CutPrefix(group, strings.TrimSuffix(root, "/"))
	if !ok || below != "" && below[0] != '/' || strings.Contains(group, "/..") {
		return "", false
	}
	return below, true
}

// has reports whether a list with commas contains a name.
func has(list, name string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if item == name {
			return true
		}
	}
	return false
}

// unescape resolves the octal escapes of /proc/self/mountinfo: \040 is a space.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
