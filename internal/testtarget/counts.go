package testtarget

import (
	"sync"
	"time"
)

// Stats is what a target has seen so far. GET /stats answers it as JSON.
type Stats struct {
	Version string `json:"version"`
	// UpHits is how many requests /up got.
	UpHits int64 `json:"up_hits"`
	// Requests is how many requests all other paths but /stats got.
	Requests int64 `json:"requests"`
	// InFlight requests and WebSockets, of those counted in Requests.
	InFlight int64 `json:"in_flight"`
	// Connections that are open now.
	Connections int `json:"connections"`
	// FirstUp is when /up was first answered with 200, FirstRequest when the
	// first other request arrived. Zero before that.
	FirstUp      time.Time `json:"first_up,omitzero"`
	FirstRequest time.Time `json:"first_request,omitzero"`
}

type counts struct {
	mu    sync.Mutex
	stats Stats // guarded by mu; Version and Connections are not set here
}

func (c *counts) sawUp(status int, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.UpHits++
	if status == 200 && c.stats.FirstUp.IsZero() {
		c.stats.FirstUp = now
	}
}

func (c *counts) began(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Requests++
	c.stats.InFlight++
	if c.stats.FirstRequest.IsZero() {
		c.stats.FirstRequest = now
	}
}

func (c *counts) ended() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.InFlight--
}

// Stats returns what the target has seen so far.
func (t *Target) Stats() Stats {
	t.counts.mu.Lock()
	stats := t.counts.stats
	t.counts.mu.Unlock()
	stats.Version, stats.Connections = t.version, t.conns.count()
	return stats
}
