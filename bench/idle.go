package main

import (
	"fmt"
	"time"

	"upfront/bench/load"
	"upfront/bench/machine"
	"upfront/bench/peer"
)

// idleConnections measures what a proxy takes at rest, and what a kept connection takes
// while nothing is asked on it.
func (b *bench) idleConnections() error {
	name := fmt.Sprintf("%d idle connections", b.sizes.idle)
	app, err := b.startTarget()
	if err != nil {
		return err
	}
	defer app.stop()
	return b.interleave(name, min(b.rounds, 3), b.subjects(false), func(s subject) error {
		st, err := b.start(s, app, peer.Options{})
		if err != nil {
			return err
		}
		defer st.stop()
		return st.idle(name, s.name)
	})
}

func (st *stage) idle(scenario, name string) error {
	b := st.bench
	rest, err := machine.MemoryKB(st.proxy.PID())
	if err != nil {
		return err
	}
	if _, err := st.throughput(); err != nil { // warm: buffers that are kept are no idle connection's
		return err
	}
	before, err := machine.MemoryKB(st.proxy.PID())
	if err != nil {
		return err
	}
	const together = 100
	for opened := 0; opened < b.sizes.idle; opened += together {
		job := small(min(together, b.sizes.idle-opened))
		job.Address = st.address
		l, err := load.Open(job)
		if err != nil {
			return err
		}
		defer l.Close()                     //nolint:revive // all stay open until the end
		if _, err := l.Run(0); err != nil { // one that never asked is not a kept one
			return err
		}
	}
	time.Sleep(2 * b.sizes.settle / 5) // for collectors and what is released when idle
	after, err := machine.MemoryKB(st.proxy.PID())
	if err != nil {
		return err
	}
	b.add(scenario, "of one", "KB", name, float64(after-before)/float64(b.sizes.idle), "")
	b.add(scenario, "the proxy with all", "MB", name, float64(after)/1024, "")
	b.add(scenario, "the proxy at rest, started", "MB", name, float64(rest)/1024, "")
	b.add(scenario, "the proxy after load", "MB", name, float64(before)/1024, "")
	return nil
}
