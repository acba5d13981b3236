package daemon

import (
	"io/fs"
	"math"
	"path"
	"runtime/debug"
	"strconv"
	"strings"

	"go.uber.org/zap"
)

// limitMemory makes the limit of our container, or of the unit, known to the
// runtime, unless GOMEMLIMIT says one: the rest of it is for what the runtime does
// not count.
func (d *daemon) limitMemory(s system, root fs.FS) {
	if s.getenv("GOMEMLIMIT") != "" {
		return
	}
	limit := cgroupLimit(root)
	if limit == 0 {
		return
	}
	debug.SetMemoryLimit(limit / 10 * 9)
	d.log.Info("Took the memory limit of the control group",
		zap.Int64("limit", limit), zap.Int64("gomemlimit", limit/10*9))
}

// cgroupLimit is how many bytes of memory our control group may have, of version 2
// or 1; 0 where it may have as many as the machine has, or is not known.
func cgroupLimit(root fs.FS) int64 {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	lowest := machineMemory(root)
	for line := range strings.Lines(string(text)) {
		// hierarchy-ID:controllers:path
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(parts) < 3:
		case parts[1] == "":
			lowest = lowestLimit(root, lowest, "sys/fs/cgroup", parts[2], "memory.max")
		case strings.Contains(","+parts[1]+",", ",memory,"):
			lowest = lowestLimit(root, lowest, "sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes")
		}
	}
	if lowest == machineMemory(root) {
		return 0
	}
	return lowest
}

// lowestLimit is the least of lowest and what the group and those above it say. In
// a container the path may be that of the machine, of which nothing is there but
// the top.
func lowestLimit(root fs.FS, lowest int64, mount, group, file string) int64 {
	for group = path.Clean("/" + group); ; group = path.Dir(group) {
		if n := readNumber(root, path.Join(mount, group, file)); n > 0 {
			lowest = min(lowest, n)
		}
		if group == "/" {
			return lowest
		}
	}
}

// readNumber is 0 where the file is not there or says max.
func readNumber(root fs.FS, name string) int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// machineMemory is all that the machine has.
func machineMemory(root fs.FS) int64 {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return math.MaxInt64
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "MemTotal:"); found {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err == nil && kb > 0 {
				return kb << 10
			}
		}
	}
	return math.MaxInt64
}
