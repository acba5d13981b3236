package main

import (
	"fmt"
	"time"

	"upfront/bench/load"
	"upfront/bench/peer"
	"upfront/bench/report"
)

// secure is a scenario over TLS, with small GETs by 64 clients.
func secure(name string, how load.Security) func(*bench) error {
	return func(b *bench) error {
		certificate, err := peer.MakeCertificate(b.dir)
		if err != nil {
			return err
		}
		app, err := b.startTarget()
		if err != nil {
			return err
		}
		defer app.stop()
		return b.interleave(name, b.rounds, b.subjects(false), func(s subject) error {
			st, err := b.start(s, app, peer.Options{TLS: certificate})
			if err != nil {
				return err
			}
			defer st.stop()
			return st.secure(name, s.name, how)
		})
	}
}

func (st *stage) secure(scenario, name string, how load.Security) error {
	b := st.bench
	l, err := load.OpenSecure(st.address, peer.Host(0), how, 64)
	if err != nil {
		return err
	}
	defer l.Close()
	if _, err := l.Run(b.sizes.warm); err != nil {
		return err
	}
	var got load.Result
	used, err := st.usage(func() (err error) {
		got, err = l.Run(b.duration)
		return err
	})
	if err != nil {
		return err
	}
	if got.Answered == 0 {
		return fmt.Errorf("nothing answered in %v", b.duration)
	}
	each := func(cpu time.Duration) float64 { return float64(cpu) / float64(got.Answered) / 1e3 }
	b.add(scenario, report.CPU, "µs", name, each(used.Proxy), used.Disturbed())
	b.add(scenario, "throughput", "requests/s", name, got.PerSecond(), used.Disturbed())
	b.result.Add(scenario, report.LoadCPU, "µs", name, each(used.Load), "")
	b.result.Add(scenario, report.TargetCPU, "µs", name, each(used.Target), "")
	return nil
}
