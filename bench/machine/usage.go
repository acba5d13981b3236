package machine

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Sample is what was charged to whom until a moment.
type Sample struct {
	At                 time.Time
	Proxy, Target, Own time.Duration
	Busy, Stolen       time.Duration // of all cores, whoever had them
}

// Take takes a sample of the process trees of a proxy and a target; 0 is none.
func Take(proxy, target int) (s Sample, err error) {
	s.At = time.Now()
	for _, one := range []struct {
		pid int
		cpu *time.Duration
	}{{target, &s.Target}, {proxy, &s.Proxy}} {
		if one.pid == 0 {
			continue
		}
		if *one.cpu, err = CPU(one.pid); err != nil {
			return s, err
		}
	}
	if s.Own, err = ownCPU(); err != nil {
		return s, err
	}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return s, err
	}
	s.Busy, s.Stolen, err = parseBusy(string(text))
	return s, err
}

// parseBusy reads the first line of /proc/stat.
func parseBusy(text string) (busy, stolen time.Duration, err error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, 0, fmt.Errorf("parse /proc/stat: %q", line)
	}
	const tick = 10 * time.Millisecond
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("parse /proc/stat: %w", err)
		}
		switch i {
		case 3, 4: // idle, waiting for a disk
		case 7:
			stolen += time.Duration(n) * tick
		default:
			busy += time.Duration(n) * tick
		}
	}
	return busy, stolen, nil
}

// Usage is what was charged between two samples.
type Usage struct {
	Elapsed             time.Duration
	Proxy, Target, Load time.Duration
	Others, Stolen      time.Duration
}

// Since is what was charged since an earlier sample.
func (s Sample) Since(before Sample) Usage {
	u := Usage{
		Elapsed: s.At.Sub(before.At),
		Proxy:   s.Proxy - before.Proxy,
		Target:  s.Target - before.Target,
		Load:    s.Own - before.Own,
		Stolen:  s.Stolen - before.Stolen,
	}
	u.Others = max(s.Busy-before.Busy-u.Proxy-u.Target-u.Load, 0)
	return u
}

// The shares of a core from which on a round counts as disturbed. /proc/stat counts
// in ticks, and the bench itself cannot be told from others between two samples:
// less would flag quiet machines.
const (
	maxOthers = 0.05
	maxStolen = 0.01

	ticks = 40 * time.Millisecond // what counting in ticks may be off
)

// Disturbed says what disturbed the machine meanwhile; "" is nothing.
func (u Usage) Disturbed() string {
	if others := u.Others - ticks; float64(others) > maxOthers*float64(u.Elapsed) {
		return fmt.Sprintf("other processes took %.0f %% of a core", 100*float64(u.Others)/float64(u.Elapsed))
	}
	return u.Robbed()
}

// Robbed says what the hypervisor took meanwhile; "" is nothing.
func (u Usage) Robbed() string {
	if stolen := u.Stolen - ticks/2; float64(stolen) > maxStolen*float64(u.Elapsed) {
		return fmt.Sprintf("the hypervisor took %.0f %% of a core", 100*float64(u.Stolen)/float64(u.Elapsed))
	}
	return ""
}
