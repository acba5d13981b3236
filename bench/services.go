package main

import (
	"fmt"

	"upfront/bench/load"
	"upfront/bench/peer"
)

// services measures small GETs when there are many services: each client asks for its
// own, and, of the most, each request for another.
func (b *bench) services() error {
	for i, n := range b.sizes.services {
		job := small(64)
		job.Requests = nil
		for c := range job.Connections {
			job.Requests = append(job.Requests, load.Get(peer.Host(c*n/job.Connections), "/"))
		}
		name := fmt.Sprintf("%d services", n)
		if n == 1 {
			name = "1 service"
		}
		if err := b.saturate(name, b.subjects(false), job, peer.Options{Services: n}); err != nil {
			return err
		}
		if i < len(b.sizes.services)-1 {
			continue
		}
		job.Requests, job.Rotate = nil, true
		for s := range n {
			job.Requests = append(job.Requests, load.Get(peer.Host(s), "/"))
		}
		name = fmt.Sprintf("%d services, another for each request", n)
		if err := b.saturate(name, b.subjects(false), job, peer.Options{Services: n}); err != nil {
			return err
		}
	}
	return nil
}
