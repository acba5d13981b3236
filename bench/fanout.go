package main

import (
	"fmt"
	"time"

	"upfront/bench/hist"
	"upfront/bench/load"
	"upfront/bench/peer"
	"upfront/bench/report"
	"upfront/bench/target"
)

// fanOut measures server-sent events: one target, many clients, each event to all.
func (b *bench) fanOut() error {
	name := fmt.Sprintf("events to %d clients", b.sizes.streams)
	app, err := b.startTarget()
	if err != nil {
		return err
	}
	defer app.stop()
	return b.interleave(name, b.rounds, b.subjects(true), func(s subject) error {
		st, err := b.start(s, app, peer.Options{Streams: true})
		if err != nil {
			return err
		}
		defer st.stop()
		return st.fanOut(name, s.name)
	})
}

func (st *stage) fanOut(scenario, name string) error {
	b := st.bench
	streams, err := load.OpenStreams(st.address, load.Get(peer.Host(0), "/events"), b.sizes.streams, target.EventMark)
	if err != nil {
		return err
	}
	defer streams.Close()
	if _, _, err := streams.Run(b.sizes.warm + 2*target.Interval); err != nil {
		return err
	}
	var events int
	var late hist.Histogram
	used, err := st.usage(func() (err error) {
		events, late, err = streams.Run(b.duration)
		return err
	})
	if err != nil {
		return err
	}
	// What a proxy gathers comes late, or not at all in this time.
	if want := int(b.duration/target.Interval-1) * b.sizes.streams; events < want/2 {
		return fmt.Errorf("%d events in %v, want about %d", events, b.duration, want)
	}
	disturbed := used.Disturbed()
	each := func(cpu time.Duration) float64 { return float64(cpu) / float64(events) / 1e3 }
	if st.proxy != nil {
		b.add(scenario, report.CPU, "µs", name, each(used.Proxy), disturbed)
	}
	b.add(scenario, "from due to here, p50", "ms", name, milliseconds(&late, 0.5), disturbed)
	b.add(scenario, "from due to here, p99", "ms", name, milliseconds(&late, 0.99), disturbed)
	b.result.Add(scenario, report.LoadCPU, "µs", name, each(used.Load), "")
	b.result.Add(scenario, report.TargetCPU, "µs", name, each(used.Target), "")
	return nil
}
