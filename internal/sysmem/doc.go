// Package sysmem tells how much memory and how many processors this process really has.
//
// A container sees the memory and the processors of the whole machine; what it may use is written in the limits of its control
// groups. All numbers of memory are bytes.
//
// # Linux
//
// [Limit] is the least of MemAvailable (proc(5)) and of what is left at each level of the process's cgroups, from its own up to the
// highest that is mounted. Version 1 and version 2 hierarchies are both looked at, so that hybrid set-ups need no special case:
//
//	version 2  the lesser of memory.max and memory.high, less memory.current (Documentation/admin-guide/cgroup-v2.rst of the kernel)
//	version 1  the lesser of memory.limit_in_bytes and hierarchical_memory_limit of memory.stat, less memory.usage_in_bytes
//	           (Documentation/admin-guide/cgroup-v1/memory.rst)
//
// Pages of files do not count as used, because the kernel drops them when memory is needed. [CPUs] is the least of the processors of the affinity mask
// and of the CPU quota at each level, rounded up (cpu.max; cpu.cfs_quota_us and cpu.cfs_period_us).
// [Resident] comes from /proc/self/statm.
//
// # Other systems
//
//	darwin   Limit counts free, speculative, purgeable and file-backed pages (sysctl vm.page_*), or half of hw.memsize where the kernel does not
//	         tell them. Resident is the peak since the start of the process, all of it counted as anonymous.
//	windows  Limit is the available physical memory (GlobalMemoryStatusEx), or the memory limit of the process's job if that is less.
//	         Resident is the working set (GetProcessMemoryInfo).
//	others   Limit is [Unknown], Resident is zero.
//
// CPUs is runtime.NumCPU there.
//
// There are no errors: what cannot be read or makes no sense does not limit.
package sysmem
