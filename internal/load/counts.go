package load

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
)

// counts is everything that is counted, by all workers.
type counts struct {
	mu          sync.Mutex
	address     string              // set once in init
	maxFailures int                 // set once in init
	began       time.Time           // guarded by mu
	ended       time.Time           // guarded by mu; zero while running
	modes       map[Mode]*modeCount // guarded by mu
	versions    map[string]*Version // guarded by mu
	failures    []Failure           // guarded by mu; at most maxFailures
}

type modeCount struct {
	ModeReport
	latency, firstByte Histogram
}

func (c *counts) init(o Options) {
	c.address, c.maxFailures = o.Address, o.MaxFailures
	c.modes, c.versions = map[Mode]*modeCount{}, map[string]*Version{}
	for _, w := range o.Workers {
		m := c.modes[w.Mode]
		if m == nil {
			m = &modeCount{ModeReport: ModeReport{Mode: w.Mode}}
			c.modes[w.Mode] = m
		}
		m.Workers += w.Connections
	}
}

func (c *counts) begin(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.began = now
}

func (c *counts) end(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = now
}

func (c *counts) add(mode Mode, r result) {
	if r.err != nil {
		c.fail(mode, r)
		return
	}
	now := r.sent.Add(r.latency)
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.modes[mode]
	m.Requests++
	m.Bytes += int64(r.bytes)
	m.latency.Add(r.latency)
	if mode == Stream {
		m.firstByte.Add(r.firstByte)
	}
	v := c.versions[r.version]
	if v == nil {
		v = &Version{Name: r.version, First: now}
		c.versions[r.version] = v
	}
	v.Requests++
	if now.Before(v.First) {
		v.First = now
	}
	if now.After(v.Last) {
		v.Last = now
	}
	// Messages of a WebSocket stay where it was opened, however late.
	if mode != WebSocket && r.sent.After(v.LastSent) {
		v.LastSent = r.sent
	}
}

// fail counts a failed request; one that failed is counted as a request too.
func (c *counts) fail(mode Mode, r result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.modes[mode]
	m.Requests++
	m.Failed++
	if len(c.failures) < c.maxFailures {
		c.failures = append(c.failures, Failure{
			At: time.Now(), Sent: r.sent, Mode: mode, Cause: r.err.Error(),
			Version: r.version, LocalPort: r.port, Reused: r.reused,
		})
	}
}

func (c *counts) connected(mode Mode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.modes[mode].Connections++
}

func (c *counts) reconnected(mode Mode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.modes[mode].Reconnected++
}

func (c *counts) moved() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.modes[WebSocket].Moved++
}

func (c *counts) report(now time.Time) *Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended.IsZero() {
		now = c.ended
	}
	r := &Report{Address: c.address, Began: c.began, Ended: now, Failures: slices.Clone(c.failures)}
	var all Histogram
	for _, mode := range Modes {
		m := c.modes[mode]
		if m == nil {
			continue
		}
		m.Latency, m.FirstByte = quantiles(&m.latency), quantiles(&m.firstByte)
		r.Modes = append(r.Modes, m.ModeReport)
		r.Requests += m.Requests
		r.Failed += m.Failed
		if mode == KeepAlive || mode == NewConnections {
			all.Merge(&m.latency)
		}
	}
	r.Latency = quantiles(&all)
	for _, v := range c.versions {
		r.Versions = append(r.Versions, *v)
	}
	slices.SortFunc(r.Versions, func(a, b Version) int {
		return cmp.Or(a.First.Compare(b.First), strings.Compare(a.Name, b.Name))
	})
	return r
}
