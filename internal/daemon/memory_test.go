package daemon

import (
	"math"
	"runtime/debug"
	"testing"
	"testing/fstest"

	"go.uber.org/zap"
)

func TestCgroupLimit(t *testing.T) {
	const gib = 1 << 30
	files := func(pairs ...string) fstest.MapFS {
		all := fstest.MapFS{"proc/meminfo": {Data: []byte("MemFree: 5 kB\nMemTotal:       8388608 kB\n")}}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
		}
		return all
	}
	for _, c := range []struct {
		name string
		root fstest.MapFS
		want int64
	}{
		{"no control groups", files(), 0},
		{"nothing at all", fstest.MapFS{}, 0},
		{"version 2", files("proc/self/cgroup", "0::/app\n", "sys/fs/cgroup/app/memory.max", "1073741824\n"), gib},
		{"version 2, no limit", files("proc/self/cgroup", "0::/app\n", "sys/fs/cgroup/app/memory.max", "max\n"), 0},
		{"version 2, a group above", files("proc/self/cgroup", "0::/a/b/c\n",
			"sys/fs/cgroup/a/b/memory.max", "max\n", "sys/fs/cgroup/a/memory.max", "1073741824\n", "sys/fs/cgroup/a/b/c/memory.max", "2147483648\n"), gib},
		{"a container", files("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "1073741824\n"), gib},
		{"a container that sees the machine's path", files("proc/self/cgroup", "0::/docker/0123\n", "sys/fs/cgroup/memory.max", "1073741824\n"), gib},
		{"more than the machine has", files("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "17179869184\n"), 0},
		{"version 1", files("proc/self/cgroup", "12:cpu,cpuacct:/x\n5:memory:/app\n1:name=systemd:/x\n0::/x\n",
			"sys/fs/cgroup/memory/app/memory.limit_in_bytes", "1073741824\n"), gib},
		{"version 1, no limit", files("proc/self/cgroup", "5:memory:/app\n",
			"sys/fs/cgroup/memory/app/memory.limit_in_bytes", "9223372036854771712\n"), 0},
		{"nonsense", files("proc/self/cgroup", "x\n0::/../..\n::\n", "sys/fs/cgroup/memory.max", "many\n"), 0},
		{"a machine that does not say", fstest.MapFS{
			"proc/self/cgroup":         {Data: []byte("0::/\n")},
			"sys/fs/cgroup/memory.max": {Data: []byte("1073741824")},
		}, gib},
	} {
		if got := cgroupLimit(c.root); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestDaemon_limitMemory_leavesGOMEMLIMITAlone(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	root := fstest.MapFS{
		"proc/self/cgroup":         {Data: []byte("0::/\n")},
		"sys/fs/cgroup/memory.max": {Data: []byte("1000000000000\n")},
	}
	for _, c := range []struct {
		variable string
		want     int64
	}{{"1GiB", math.MaxInt64}, {"", 900_000_000_000}} {
		debug.SetMemoryLimit(math.MaxInt64)
		d := &daemon{log: zap.NewNop()}
		d.limitMemory(system{getenv: func(string) string { return c.variable }}, root)
		if got := debug.SetMemoryLimit(-1); got != c.want {
			t.Errorf("GOMEMLIMIT=%q: got %d, want %d", c.variable, got, c.want)
		}
	}
}
