package main

import (
	"upfront/bench/load"
	"upfront/bench/peer"
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
		b.result.Notes = append(b.result.Notes, name+": all proxies with the same settings, which the load insists on: "+load.Agreed+
			"; session tickets on, one for a full handshake (haproxy sends two).")
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
	l, err := load.OpenSecure(st.address, peer.Host(0), how, 64)
	if err != nil {
		return err
	}
	defer l.Close()
	return st.run(scenario, name, l.Run)
}
