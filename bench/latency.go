package main

import (
	"fmt"
	"time"

	"upfront/bench/hist"
	"upfront/bench/load"
	"upfront/bench/peer"
)

// latencyConnections are those of the open loops: more than are ever busy at half load.
const latencyConnections = 64

// quantiles are those that are told.
var quantiles = []struct {
	name string
	q    float64
}{{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}}

// latency measures what a proxy adds to the latency at half of its own throughput, and
// at a rate that is the same for all. What is added is over the same load without a proxy.
func (b *bench) latency() error {
	app, err := b.startTarget()
	if err != nil {
		return err
	}
	defer app.stop()
	direct, err := b.start(subject{}, app, peer.Options{})
	if err != nil {
		return err
	}
	return b.interleave("latency", b.rounds, b.subjects(false), func(s subject) error {
		st, err := b.start(s, app, peer.Options{})
		if err != nil {
			return err
		}
		defer st.stop()
		most, err := st.throughput()
		if err != nil {
			return err
		}
		for _, rate := range []struct {
			name   string
			second float64
		}{{"latency at half load", most / 2}, {fmt.Sprintf("latency at %d requests/s", sameRate), sameRate}} {
			if rate.second > 0.9*most {
				continue
			}
			if err := st.added(direct, rate.name, s.name, rate.second); err != nil {
				return err
			}
		}
		return nil
	})
}

// sameRate is one that every proxy on one core should be able to take; one that cannot,
// with a tenth to spare, is left out.
const sameRate = 5000

// added measures at one rate, through the proxy and directly.
func (st *stage) added(direct *stage, scenario, name string, rate float64) error {
	b := st.bench
	var through load.Result
	used, err := st.usage(func() (err error) {
		through, err = st.open(rate, b.duration)
		return err
	})
	if err != nil {
		return err
	}
	without, err := direct.open(rate, b.duration)
	if err != nil {
		return err
	}
	b.add(scenario, "rate", "requests/s", name, rate, used.Disturbed())
	for _, one := range quantiles {
		later := through.Latency.Quantile(one.q) - without.Latency.Quantile(one.q)
		b.add(scenario, one.name+" added", "µs later", name, float64(later)/1e3, used.Disturbed())
	}
	b.result.Add(scenario, "p99.9 in all", "µs in all", name, float64(through.Latency.Quantile(0.999))/1e3, used.Disturbed())
	return nil
}

// throughput is how many requests a second are answered at most, in a short try.
func (st *stage) throughput() (float64, error) {
	got, err := st.ask(small(latencyConnections), max(st.bench.duration/3, 100*time.Millisecond))
	return got.PerSecond(), err
}

// open sends small GETs at a rate, whatever comes back.
func (st *stage) open(rate float64, d time.Duration) (load.Result, error) {
	job := small(latencyConnections)
	job.Rate = rate
	return st.ask(job, d)
}

// ask runs a job for a time, once it is warm.
func (st *stage) ask(job load.Job, d time.Duration) (load.Result, error) {
	job.Address = st.address
	l, err := load.Open(job)
	if err != nil {
		return load.Result{}, err
	}
	defer l.Close()
	if _, err := l.Run(st.bench.sizes.warm); err != nil {
		return load.Result{}, err
	}
	return l.Run(d)
}

func milliseconds(h *hist.Histogram, q float64) float64 { return h.Quantile(q).Seconds() * 1e3 }
