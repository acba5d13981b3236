package main

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"upfront/bench/load"
	"upfront/bench/machine"
	"upfront/bench/peer"
)

const (
	// quickRate is how many requests a second the clients send that are not slow, on
	// quickConnections.
	quickRate        = 500
	quickConnections = 16
	// headsWithin is how long slow heads are waited for to be cut.
	headsWithin = 15 * time.Second
	// maxWindows is how many windows are measured until one is not disturbed.
	maxWindows = 6
)

// slowClients measures what quick clients notice of many slow ones, in windows that
// lie between quiet ones, and what the slow ones cost. By slowhttptest, when tool is
// set; else by a generator of our own that does the same and costs next to nothing.
func slowClients(tool bool) func(*bench) error {
	return func(b *bench) error {
		by := ""
		if tool {
			if _, err := exec.LookPath("slowhttptest"); err != nil {
				return errors.New("slowhttptest is not installed (apt-get install slowhttptest): " +
					"scenario slow does the same without it")
			}
			by = " by slowhttptest"
			b.result.Notes = append(b.result.Notes, fmt.Sprintf("slowhttptest may run for %d %% of the time, "+
				"on the core of the load, and only when nobody else wants that.", toolShare))
		}
		if b.sizes.slow < b.slow {
			b.result.Notes = append(b.result.Notes, fmt.Sprintf("A process may have too few descriptors for %d slow "+
				"clients (ulimit -Hn): there are %d.", b.slow, b.sizes.slow))
		}
		app, err := b.startTarget()
		if err != nil {
			return err
		}
		defer app.stop()
		for _, kind := range load.Slownesses {
			if !slices.Contains(strings.Split(b.attacks, ","), kind.Name) {
				continue
			}
			name := fmt.Sprintf("slow %s%s (%s), %d connections", kind.Name, by, kind.Flags[0], b.sizes.slow)
			subjects := b.subjects(true)
			err := b.interleave(name, b.rounds, subjects, func(s subject) error {
				st, err := b.start(s, app, peer.Options{})
				if err != nil {
					return err
				}
				defer st.stop()
				return st.slow(name, s.name, kind, tool)
			})
			if err != nil {
				return err
			}
			for _, s := range subjects {
				b.addRise(name, s.name)
			}
		}
		return nil
	}
}

// noticed are the quantiles that so few requests have.
var noticed = quantiles[:2]

// addRise compares the medians of the windows: one hiccup of the machine decides nothing.
func (b *bench) addRise(scenario, name string) {
	for _, one := range noticed {
		quiet, under := b.result.Find(scenario, one.name+" quiet", name), b.result.Find(scenario, one.name+" under attack", name)
		if quiet != nil && under != nil && quiet.Median > 0 {
			b.add(scenario, one.name+" rises", "%", name, 100*(under.Median/quiet.Median-1), "")
		}
	}
}

// slow is one round: a quiet window, and one under attack.
func (st *stage) slow(scenario, name string, kind load.Slowness, tool bool) error {
	b := st.bench
	if _, err := st.quick(b.sizes.warm); err != nil {
		return err
	}
	if err := st.window(scenario, name, "quiet"); err != nil {
		return err
	}
	before, err := st.memory()
	if err != nil {
		return err
	}
	first := b.result.Find(scenario, connectionsHeld, name) == nil
	attack, err := b.startSlow(kind, st.address, tool)
	if err != nil {
		return err
	}
	defer attack.stop()
	if err := attack.await(st.port()); err != nil {
		return err
	}
	full, err := st.memory()
	if err != nil {
		return err
	}
	time.Sleep(3 * b.sizes.warm) // what comes with the opening is over
	if err := st.window(scenario, name, "under attack"); err != nil {
		return err
	}
	held, err := machine.Connections(st.port())
	if err != nil {
		return err
	}
	after, err := st.memory()
	if err != nil {
		return err
	}
	b.add(scenario, connectionsHeld, "connections", name, float64(held), "")
	if st.proxy != nil {
		b.add(scenario, "memory of one", "KB", name, float64(max(full, after)-before)/float64(max(held, 1)), "")
	}
	if first && kind.Name == "heads" && !tool && st.proxy != nil {
		return st.awaitCut(scenario, name, attack)
	}
	return attack.stop()
}

const connectionsHeld = "held at the end"

func (st *stage) memory() (int, error) {
	if st.proxy == nil {
		return 0, nil
	}
	return machine.MemoryKB(st.proxy.PID())
}

func (st *stage) port() int {
	_, port, _ := strings.Cut(st.address, ":")
	n, _ := strconv.Atoi(port)
	return n
}

// quick sends what quick clients ask.
func (st *stage) quick(d time.Duration) (load.Result, error) {
	job := small(quickConnections)
	job.Rate, job.Tolerate = quickRate, true
	return st.ask(job, d)
}

// window measures quick clients for a time. Where the hypervisor takes some of it,
// another is measured, for one such window decides a quantile of few requests.
func (st *stage) window(scenario, name, when string) error {
	b := st.bench
	var got load.Result
	disturbed := ""
	var used machine.Usage
	for range maxWindows {
		var err error
		used, err = st.usage(func() (err error) {
			got, err = st.quick(b.duration)
			return err
		})
		if err != nil {
			return err
		}
		disturbed = used.Robbed()
		if disturbed == "" {
			break
		}
	}
	if disturbed == "" && when == "quiet" { // else the slow clients are the others
		disturbed = used.Disturbed()
	}
	if got.Answered == 0 {
		b.result.Notes = append(b.result.Notes, fmt.Sprintf("%s: %s answered nothing %s.", scenario, name, when))
	}
	for _, one := range noticed {
		if got.Answered == 0 {
			break
		}
		b.add(scenario, one.name+" "+when, "ms", name, milliseconds(&got.Latency, one.q), disturbed)
	}
	if st.proxy != nil {
		b.add(scenario, "CPU "+when, "% of a core", name, 100*used.Proxy.Seconds()/used.Elapsed.Seconds(), disturbed)
	}
	if got.Failed > 0 {
		b.add(scenario, "requests failed "+when, "requests", name, float64(got.Failed), "")
	}
	return nil
}

// awaitCut waits until all slow heads are cut, and says how long the last lived.
func (st *stage) awaitCut(scenario, name string, attack *slowAttack) error {
	for end := time.Now().Add(headsWithin); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if n, err := machine.Connections(st.port()); err != nil || n == 0 {
			break
		}
	}
	if err := attack.stop(); err != nil {
		return err
	}
	b, became := st.bench, attack.became
	if became.Cut < became.Opened {
		b.result.Notes = append(b.result.Notes, fmt.Sprintf("%s, %s: %d of %d were not cut within %v.",
			strings.Replace(scenario, "slow heads", "heads", 1), name, became.Opened-became.Cut, became.Opened, headsWithin))
		return nil
	}
	b.add(scenario, "the last head cut after", "s", name, became.Last.Seconds(), "")
	return nil
}
