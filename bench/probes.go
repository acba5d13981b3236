package main

import (
	"fmt"
	"time"

	"upfront/bench/load"
	"upfront/bench/machine"
	"upfront/bench/peer"
)

// probes measures what it costs to know of many targets whether they are well.
func (b *bench) probes() error {
	for _, n := range b.sizes.probed {
		o := peer.Options{}
		for i := range n {
			o.Probed = append(o.Probed, peer.ProbedTarget(i, b.port+1))
		}
		name := fmt.Sprintf("%d targets probed every %v", n, peer.ProbeInterval)
		app, err := b.startTarget()
		if err != nil {
			return err
		}
		err = b.interleave(name, min(b.rounds, 3), b.subjects(false), func(s subject) error {
			st, err := b.start(s, app, o)
			if err != nil {
				return err
			}
			defer st.stop()
			return st.probes(name, s.name)
		})
		app.stop()
		if err != nil {
			return err
		}
	}
	return nil
}

func (st *stage) probes(scenario, name string) error {
	b := st.bench
	time.Sleep(b.sizes.settle) // until it goes on evenly
	before, err := load.Served(st.bench.address(1))
	if err != nil {
		return err
	}
	used, err := st.usage(func() error {
		time.Sleep(b.sizes.settle)
		return nil
	})
	if err != nil {
		return err
	}
	after, err := load.Served(st.bench.address(1))
	if err != nil {
		return err
	}
	kb, err := machine.MemoryKB(st.proxy.PID())
	if err != nil {
		return err
	}
	seconds := used.Elapsed.Seconds()
	b.add(scenario, "CPU", "% of a core", name, 100*used.Proxy.Seconds()/seconds, used.Disturbed())
	b.add(scenario, "memory", "MB", name, float64(kb)/1024, "")
	b.add(scenario, "probes that came", "1/s", name, float64(after-before)/seconds, "")
	return nil
}
