package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpuTime is what the kernel charged to every thread of a process group so far.
func cpuTime(pgid int) (time.Duration, error) {
	var total time.Duration
	err := eachProcess(pgid, func(proc string) error {
		tasks, err := filepath.Glob(filepath.Join(proc, "task", "*", "schedstat"))
		for _, task := range tasks {
			data, readErr := os.ReadFile(task)
			if readErr != nil {
				continue // the thread has just ended
			}
			ns, _ := strconv.ParseInt(strings.Fields(string(data))[0], 10, 64)
			total += time.Duration(ns)
		}
		return err
	})
	return total, err
}

// residentKB is the memory of a process group that belongs to it alone.
func residentKB(pgid int) (int, error) {
	total := 0
	err := eachProcess(pgid, func(proc string) error {
		data, err := os.ReadFile(filepath.Join(proc, "smaps_rollup"))
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(data)) {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				kb, _ := strconv.Atoi(strings.Fields(rest)[0])
				total += kb
			}
		}
		return nil
	})
	return total, err
}

func eachProcess(pgid int, do func(proc string) error) error {
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	found := false
	for _, proc := range procs {
		data, err := os.ReadFile(filepath.Join(proc, "stat"))
		if err != nil {
			continue
		}
		// The fields behind the command's name, which may hold anything.
		text := string(data)
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		if fields[2] != strconv.Itoa(pgid) {
			continue
		}
		found = true
		if err := do(proc); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("process group %d is gone", pgid)
	}
	return nil
}
