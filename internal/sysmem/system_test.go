package sysmem

import (
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// files makes a system of the files' contents. Names begin with a slash.
func files(contents map[string]string) system {
	m := fstest.MapFS{}
	for name, text := range contents {
		m[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Data: []byte(text)}
	}
	return system{m}
}

const (
	mib     = 1 << 20
	noCPUs  = math.MaxInt32 // no quota
	meminfo = "MemTotal:       16384000 kB\nMemFree:         1000000 kB\nMemAvailable:    8192000 kB\nBuffers:           1 kB\n"
	avail   = 8192000 << 10

	// A machine with version 2 only.
	mountV2 = "22 1 0:21 / /proc rw,nosuid - proc proc rw\n" +
		"35 28 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
	// A machine with version 1 controllers, two of them in one hierarchy, and an empty version 2 hierarchy beside them.
	mountV1 = "30 23 0:26 / /sys/fs/cgroup ro,nosuid shared:8 - tmpfs tmpfs ro,mode=755\n" +
		"31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw\n" +
		"32 30 0:28 / /sys/fs/cgroup/systemd rw,nosuid shared:10 - cgroup cgroup rw,xattr,name=systemd\n" +
		"33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:11 - cgroup cgroup rw,cpu,cpuacct\n" +
		"34 30 0:31 / /sys/fs/cgroup/memory rw,nosuid shared:12 - cgroup cgroup rw,memory\n"
)

func TestSystem(t *testing.T) {
	for _, c := range []struct {
		name   string
		files  map[string]string
		memory int64
		cpus   int
	}{
		{"nothing at all", nil, none, noCPUs},
		{"no cgroups", map[string]string{"/proc/meminfo": meminfo}, avail, noCPUs},
		{"a kernel before 3.14", map[string]string{"/proc/meminfo": "MemTotal: 2048 kB\nMemFree: 12 kB\n"}, 2 * mib, noCPUs},
		{"v2, root cgroup", map[string]string{
			"/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": mountV2,
			"/sys/fs/cgroup/memory.stat": "anon 1\n",
		}, avail, noCPUs},
		{"v2, container with a namespace", map[string]string{
			"/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": mountV2,
			"/sys/fs/cgroup/memory.max": "1073741824\n", "/sys/fs/cgroup/memory.current": "104857600\n", "/sys/fs/cgroup/memory.high": "max\n",
			"/sys/fs/cgroup/cpu.max": "150000 100000\n",
		}, 924 * mib, 2},
		{"v2, pages of files are not used", map[string]string{
			"/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": mountV2,
			"/sys/fs/cgroup/memory.max": "1073741824\n", "/sys/fs/cgroup/memory.current": "1073741824\n",
			"/sys/fs/cgroup/memory.stat": "anon 1\nfile 734003200\ninactive_anon 3\nactive_file 209715200\ninactive_file 419430400\n",
		}, 600 * mib, noCPUs},
		{"v2, memory.high is less", map[string]string{
			"/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/a\n", "/proc/self/mountinfo": mountV2,
			"/sys/fs/cgroup/a/memory.max": "1073741824\n", "/sys/fs/cgroup/a/memory.high": "536870912\n", "/sys/fs/cgroup/a/memory.current": "0\n",
		}, 512 * mib, noCPUs},
		{"v2, the parent's limit is less", map[string]string{
			"/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/user.slice/user-0.slice/session-1.scope\n", "/proc/self/mountinfo": mountV2,
			"/sys/fs/cgroup/user.slice/user-0.slice/session-1.scope/memory.max":     "2147483648\n",
			"/sys/fs/cgroup/user.slice/user-0.slice/session-1.scope/memory.current": "10485760\n",
			"/sys/fs/cgroup/user.slice/user-0.slice/session-1.scope/cpu.max":        "max 100000\n",
			"/sys/fs/cgroup/user.slice/user-0.slice/memory.max":                     "max\n",
			"/sys/fs/cgroup/user.slice/memory.max":                                  "1073741824\n",
			"/sys/fs/cgroup/user.slice/memory.current":                              "943718400\n",
			"/sys/fs/cgroup/user.slice/cpu.max":                                     "50000 100000\n",
		}, 124 * mib, 1},
		{"v2, nothing is left", map[string]string{
			"/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/a\n", "/proc/self/mountinfo": mountV2,
			"/sys/fs/cgroup/a/memory.max": "1048576\n", "/sys/fs/cgroup/a/memory.current": "2097152\n",
		}, 0, noCPUs},
		{"v2, the machine has less than the limit", map[string]string{
			"/proc/meminfo": "MemTotal: 2048 kB\nMemAvailable: 1024 kB\n", "/proc/self/cgroup": "0::/a\n", "/proc/self/mountinfo": mountV2,
			"/sys/fs/cgroup/a/memory.max": "1073741824\n",
		}, mib, noCPUs},
		{"v2, a process outside its namespace", map[string]string{
			"/proc/self/cgroup": "0::/../../other\n", "/proc/self/mountinfo": mountV2,
			"/sys/fs/cgroup/memory.max": "1048576\n", "/other/memory.max": "1\n",
		}, mib, noCPUs},
		{"v2, a mount point with a space", map[string]string{
			"/proc/self/cgroup": "0::/a b\n", "/proc/self/mountinfo": `35 28 0:30 / /mnt/my\040cgroup rw - cgroup2 none rw` + "\n",
			"/mnt/my cgroup/a b/memory.max": "1048576\n",
		}, mib, noCPUs},
		{"v2, not mounted", map[string]string{"/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/a\n", "/proc/self/mountinfo": ""}, avail, noCPUs},
		{"v1, no limit", map[string]string{
			"/proc/self/cgroup": "4:memory:/\n3:cpu,cpuacct:/\n1:name=systemd:/\n0::/\n", "/proc/self/mountinfo": mountV1,
			"/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "/sys/fs/cgroup/memory/memory.usage_in_bytes": "5\n",
			"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n", "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
		}, none, noCPUs},
		{"v1, container without a namespace", map[string]string{
			"/proc/meminfo":     meminfo,
			"/proc/self/cgroup": "12:memory:/docker/abc\n11:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/system.slice/containerd.service\n",
			"/proc/self/mountinfo": "1 0 0:1 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:10 - cgroup cgroup rw,cpu,cpuacct\n" +
				"2 0 0:2 /docker/abc /sys/fs/cgroup/memory ro,nosuid master:16 - cgroup cgroup rw,memory\n",
			"/sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n", "/sys/fs/cgroup/memory/memory.usage_in_bytes": "209715200\n",
			"/sys/fs/cgroup/memory/memory.stat":           "active_file 1\nhierarchical_memory_limit 536870912\ntotal_active_file 52428800\ntotal_inactive_file 52428800\n",
			"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000\n", "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
		}, 412 * mib, 2},
		{"v1, a level that is not mounted limits", map[string]string{
			"/proc/self/cgroup":                           "5:memory:/kubepods/pod1/c1\n",
			"/proc/self/mountinfo":                        "2 0 0:2 /kubepods/pod1/c1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			"/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "/sys/fs/cgroup/memory/memory.usage_in_bytes": "1048576\n",
			"/sys/fs/cgroup/memory/memory.stat": "hierarchical_memory_limit 104857600\n",
		}, 99 * mib, noCPUs},
		{"hybrid: memory in v1, cpu in v2", map[string]string{
			"/proc/meminfo": meminfo, "/proc/self/cgroup": "9:name=systemd:/\n4:memory:/a/b\n0::/a\n", "/proc/self/mountinfo": mountV1,
			"/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "209715200\n",
			"/sys/fs/cgroup/memory/a/memory.limit_in_bytes":   "104857600\n",
			"/sys/fs/cgroup/unified/a/cpu.max":                "250000 100000\n",
		}, 100 * mib, 3},
		{"both versions limit", map[string]string{
			"/proc/self/cgroup": "4:memory:/a\n3:cpu,cpuacct:/a\n0::/a\n", "/proc/self/mountinfo": mountV1,
			"/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "2097152\n", "/sys/fs/cgroup/unified/a/memory.max": "1048576\n",
			"/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "100000\n", "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
			"/sys/fs/cgroup/unified/a/cpu.max": "300000 100000\n",
		}, mib, 1},
		{"nonsense", map[string]string{
			"/proc/meminfo": "MemAvailable:\nMemTotal: -5 kB\n\n:\n", "/proc/self/cgroup": "\n:\n0:\n0::\n4:memory\n",
			"/proc/self/mountinfo":      "-\n - \n1 2 3 - cgroup2\n1 2 3 / /sys/fs/cgroup - cgroup2 none rw\n",
			"/sys/fs/cgroup/memory.max": "lots", "/sys/fs/cgroup/cpu.max": "1",
		}, none, noCPUs},
		{"numbers that overflow", map[string]string{
			"/proc/meminfo": "MemAvailable: 4611686018427387900 kB\n", "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": mountV2,
			"/sys/fs/cgroup/memory.max": "18446744073709551615\n", "/sys/fs/cgroup/memory.current": "99999999999999999999\n",
			"/sys/fs/cgroup/cpu.max": "4611686018427387903 1\n",
		}, none, noCPUs},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := files(c.files)
			require.Equal(t, c.memory, s.memory())
			require.Equal(t, c.cpus, s.cpus())
		})
	}
}

func TestResidentOfSystem(t *testing.T) {
	for text, want := range map[string]Usage{
		"1000 300 100 5 0 123 0\n": {Anonymous: 200 * 4096, File: 100 * 4096},
		"":                         {},
		"1 2":                      {},
		"1 2 x":                    {},
		"1 x x":                    {},
		"1 2 3":                    {},
	} {
		require.Equal(t, want, files(map[string]string{"/proc/self/statm": text}).resident(4096), "%q", text)
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		`/a`: `/a`, `/a\040b`: `/a b`, `\134`: `\`, `\11`: `\11`, `\999`: `\999`, `\`: `\`, `a\0401\012`: "a 1\n", `\777`: `\777`,
	} {
		require.Equal(t, want, unescape(in), "%q", in)
	}
}

// What this very machine says.
func TestHere(t *testing.T) {
	require.GreaterOrEqual(t, CPUs(), 1)
	require.LessOrEqual(t, CPUs(), runtime.NumCPU())
	require.Greater(t, Limit(), int64(16*mib))
	require.Less(t, Limit(), int64(1<<50))

	switch runtime.GOOS {
	case "linux", "windows":
	default:
		t.Skip("the current resident memory is not known on this system")
	}
	if _, err := os.Stat("/proc/self/statm"); runtime.GOOS == "linux" && err != nil {
		t.Skip("no /proc")
	}
	before := Resident()
	require.Equal(t, before.Anonymous+before.File, before.Total())
	require.Greater(t, before.Total(), int64(mib))
	hog := make([]byte, 64*mib)
	for i := 0; i < len(hog); i += 512 {
		hog[i] = 1
	}
	grown := Resident().Anonymous - before.Anonymous
	require.Greater(t, grown, int64(48*mib))
	require.Less(t, grown, int64(512*mib)) // the race detector keeps notes of its own
	runtime.KeepAlive(hog)
}

func FuzzSystem(f *testing.F) {
	f.Add(meminfo, "0::/a\n", mountV2, "1048576\n", "anon 1\nactive_file 2\n", "150000 100000\n", "7 6 5")
	f.Add(meminfo, "4:memory:/a/..\n3:cpu,cpuacct:/a\n0::/../b\n", mountV1, "max", "hierarchical_memory_limit 5\n", "max 1\n", "")
	f.Add("MemTotal: 1 kB", "0::/a/b", `1 1 0:1 / a/../.. rw - cgroup2 x y`, "-1", "\n", "9 0", "1")
	f.Fuzz(func(t *testing.T, meminfo, cgroup, mountinfo, limit, stat, cpu, statm string) {
		s := files(map[string]string{
			"/proc/meminfo": meminfo, "/proc/self/cgroup": cgroup, "/proc/self/mountinfo": mountinfo, "/proc/self/statm": statm,
			"/sys/fs/cgroup/memory.max": limit, "/sys/fs/cgroup/memory.current": cpu, "/sys/fs/cgroup/memory.stat": stat,
			"/sys/fs/cgroup/a/memory.high": limit, "/sys/fs/cgroup/cpu.max": cpu, "/sys/fs/cgroup/a/cpu.max": cpu,
			"/sys/fs/cgroup/memory/memory.limit_in_bytes": limit, "/sys/fs/cgroup/memory/memory.stat": stat,
			"/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": limit, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": cpu,
		})
		require.GreaterOrEqual(t, s.memory(), int64(0))
		require.GreaterOrEqual(t, s.cpus(), 1)
		u := s.resident(4096)
		require.GreaterOrEqual(t, u.Anonymous, int64(0))
		require.GreaterOrEqual(t, u.File, int64(0))
		unescape(mountinfo)
	})
}
