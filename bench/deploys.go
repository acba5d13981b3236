package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"upfront/bench/load"
	"upfront/bench/peer"
)

// deploys measures the slowest thousandth at 70 % of a proxy's throughput, without deploys
// and with one a second: what it takes to move to another target while it runs, in
// the way that is each proxy's own.
func (b *bench) deploys() error {
	app, err := b.startTarget()
	if err != nil {
		return err
	}
	defer app.stop()
	const name = "a deploy a second at 70 % load"
	return b.interleave(name, max(b.rounds/4, 1), b.subjects(false), func(s subject) error {
		st, err := b.start(s, app, peer.Options{Swap: true})
		if err != nil {
			return err
		}
		defer st.stop()
		if !st.proxy.CanSwap() {
			return peer.CannotError("no way to another target while it runs")
		}
		return st.deploys(name, s.name)
	})
}

func (st *stage) deploys(scenario, name string) error {
	b := st.bench
	most, err := st.throughput()
	if err != nil {
		return err
	}
	job := small(latencyConnections)
	job.Address, job.Rate, job.Tolerate = st.address, 0.7*most, true
	l, err := load.Open(job)
	if err != nil {
		return err
	}
	defer l.Close()
	if _, err := l.Run(b.sizes.warm); err != nil {
		return err
	}
	long := time.Duration(b.sizes.deploys) * time.Second
	quiet, err := l.Run(long)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	deployed := make(chan deployed, 1)
	go func() { deployed <- st.deployEverySecond(ctx) }()
	var busy load.Result
	used, err := st.usage(func() (err error) {
		busy, err = l.Run(long)
		return err
	})
	cancel()
	done := <-deployed
	if err != nil || done.err != nil {
		return errors.Join(err, done.err)
	}
	disturbed := used.Disturbed()
	for _, one := range quantiles[1:] {
		without, with := milliseconds(&quiet.Latency, one.q), milliseconds(&busy.Latency, one.q)
		b.add(scenario, one.name+" without", "ms", name, without, disturbed)
		b.add(scenario, one.name+" with", "ms", name, with, disturbed)
		b.add(scenario, one.name+", with / without", "times", name, with/without, disturbed)
	}
	b.add(scenario, "rate", "requests/s", name, 0.7*most, "")
	b.add(scenario, "failed without", "requests", name, float64(quiet.Failed), "")
	b.add(scenario, "failed with", "requests", name, float64(busy.Failed), "")
	b.add(scenario, "deploys", "done", name, float64(done.count), "")
	return nil
}

type deployed struct {
	count int
	err   error
}

// deployEverySecond moves between two addresses of the target until ctx ends.
func (st *stage) deployEverySecond(ctx context.Context) (d deployed) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return d
		case <-tick.C:
		}
		target := fmt.Sprintf("127.0.0.%d:%d", 2-d.count%2, st.bench.port+1)
		if err := st.proxy.Swap(ctx, target); err != nil {
			if ctx.Err() == nil {
				d.err = err
			}
			return d
		}
		d.count++
	}
}
