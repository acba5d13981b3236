package main

import (
	"path/filepath"

	"upfront/bench/peer"
	"upfront/bench/report"
)

// unixTargets measures small GETs to a target over TCP, and to one at a unix socket, in
// turn.
func (b *bench) unixTargets() error {
	const over, beside = "GET, target over TCP", "GET, target at a unix socket"
	socket := peer.UnixTarget + filepath.Join(b.dir, "app.sock")
	tcp, err := b.startTarget()
	if err != nil {
		return err
	}
	defer tcp.stop()
	unix, err := b.startSelf("target", socket, socket)
	if err != nil {
		return err
	}
	defer unix.stop()
	subjects := b.subjects(false)
	err = b.interleave(beside, b.rounds, subjects, func(s subject) error {
		for _, one := range []struct {
			name   string
			target *process
			o      peer.Options
		}{{beside, unix, peer.Options{Target: socket}}, {over, tcp, peer.Options{}}} {
			st, err := b.start(s, one.target, one.o)
			if err != nil {
				return err
			}
			err = st.saturate(one.name, s.name, small(64))
			st.stop()
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range subjects {
		tcp, unix := b.result.Find(over, report.CPU, s.name), b.result.Find(beside, report.CPU, s.name)
		if tcp != nil && unix != nil && tcp.Median > 0 {
			b.add(beside, "CPU of that over TCP", "%", s.name, 100*unix.Median/tcp.Median, "")
		}
	}
	return nil
}
