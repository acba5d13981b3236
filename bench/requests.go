package main

import (
	"fmt"
	"time"

	"upfront/bench/load"
	"upfront/bench/peer"
	"upfront/bench/report"
)

const echoSize = 64

func small(connections int) load.Job {
	return load.Job{Connections: connections, Requests: [][]byte{load.Get(peer.Host(0), "/")}}
}

func get(path string) load.Job {
	return load.Job{Connections: 64, Requests: [][]byte{load.Get(peer.Host(0), path)}}
}

func post(size int) load.Job {
	return load.Job{Connections: 64, Requests: [][]byte{load.Post(peer.Host(0), "/", size)}}
}

var (
	fresh = load.Job{Connections: 64, Fresh: true, Requests: [][]byte{load.GetOnce(peer.Host(0), "/")}}
	echo  = load.Job{
		Connections: 64, Handshake: load.Upgrade(peer.Host(0), "/echo"),
		Requests: [][]byte{load.Frame(echoSize)}, EchoSize: load.EchoOf(echoSize),
	}
)

// requests is a scenario that sends the requests of a job as fast as they are answered.
func requests(name string, job load.Job) func(*bench) error {
	return func(b *bench) error {
		o := peer.Options{WebSocket: job.Handshake != nil}
		return b.saturate(name, b.subjects(true), job, o)
	}
}

// saturate measures what a request costs, and how many a proxy answers at most.
func (b *bench) saturate(name string, subjects []subject, job load.Job, o peer.Options) error {
	target, err := b.startTarget()
	if err != nil {
		return err
	}
	defer target.stop()
	return b.interleave(name, b.rounds, subjects, func(s subject) error {
		st, err := b.start(s, target, o)
		if err != nil {
			return err
		}
		defer st.stop()
		return st.saturate(name, s.name, job)
	})
}

func (st *stage) saturate(scenario, name string, job load.Job) error {
	job.Address = st.address
	l, err := load.Open(job)
	if err != nil {
		return err
	}
	defer l.Close()
	return st.run(scenario, name, l.Run)
}

// run adds what a load costs, and how much of it is answered, once it is warm.
func (st *stage) run(scenario, name string, ask func(time.Duration) (load.Result, error)) error {
	b := st.bench
	if _, err := ask(b.sizes.warm); err != nil {
		return err
	}
	var got load.Result
	used, err := st.usage(func() (err error) {
		got, err = ask(b.duration)
		return err
	})
	if err != nil {
		return err
	}
	if got.Answered == 0 {
		return fmt.Errorf("nothing answered in %v", b.duration)
	}
	disturbed := used.Disturbed()
	each := func(cpu time.Duration) float64 { return float64(cpu) / float64(got.Answered) / 1e3 }
	if st.proxy != nil {
		b.add(scenario, report.CPU, "µs", name, each(used.Proxy), disturbed)
	}
	b.add(scenario, "throughput", "requests/s", name, got.PerSecond(), disturbed)
	b.result.Add(scenario, report.LoadCPU, "µs", name, each(used.Load), "")
	b.result.Add(scenario, report.TargetCPU, "µs", name, each(used.Target), "")
	return nil
}
