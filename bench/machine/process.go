package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is what /proc/PID/stat says of one.
type process struct {
	pid, parent, group int
	waitedFor          time.Duration // CPU of children that have ended
}

// parseStat reads the text of /proc/PID/stat.
func parseStat(text string) (p process, err error) {
	open, end := strings.IndexByte(text, ' '), strings.LastIndexByte(text, ')')
	if open < 0 || end < 0 {
		return p, fmt.Errorf("parse stat %q", text)
	}
	// The command's name stands in brackets, and may hold anything.
	fields := strings.Fields(text[end+1:])
	if len(fields) < 15 {
		return p, fmt.Errorf("parse stat %q", text)
	}
	p.pid, _ = strconv.Atoi(text[:open])
	p.parent, _ = strconv.Atoi(fields[1])
	p.group, _ = strconv.Atoi(fields[2])
	user, _ := strconv.Atoi(fields[13])
	system, _ := strconv.Atoi(fields[14])
	const tick = 10 * time.Millisecond // USER_HZ, which is 100 on every Linux
	p.waitedFor = time.Duration(user+system) * tick
	return p, nil
}

// tree is a process and all that descend from it or are of its group.
func tree(root int) ([]process, error) {
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var all []process
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has just ended
		}
		p, err := parseStat(string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	found := descendants(all, root)
	if len(found) == 0 {
		return nil, fmt.Errorf("process %d is gone", root)
	}
	return found, nil
}

func descendants(all []process, root int) (found []process) {
	in := map[int]bool{root: true}
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if !in[p.pid] && (in[p.parent] || p.group == root) {
				in[p.pid], grown = true, true
			}
		}
	}
	for _, p := range all {
		if in[p.pid] {
			found = append(found, p)
		}
	}
	return found
}

// CPU is what the kernel charged so far to a process and all that descend from it.
func CPU(root int) (total time.Duration, err error) {
	processes, err := tree(root)
	if err != nil {
		return 0, err
	}
	for _, p := range processes {
		cpu, err := cpuOf(p.pid)
		if err != nil {
			continue // it has just ended
		}
		total += cpu + p.waitedFor
	}
	return total, nil
}

// MemoryKB is the memory of a process and all that descend from it: what is theirs
// alone, and their part of what they share (Pss).
func MemoryKB(root int) (total int, err error) {
	processes, err := tree(root)
	if err != nil {
		return 0, err
	}
	for _, p := range processes {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid))
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				kb, _ := strconv.Atoi(strings.Fields(rest)[0])
				total += kb
			}
		}
	}
	return total, nil
}
