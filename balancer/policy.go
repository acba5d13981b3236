package balancer

import (
	"math/rand/v2"
	"slices"
)

// The policies of PoolOptions.
const (
	// RoundRobin gives each target its turn, in proportion to the weights and
	// without bursts.
	RoundRobin = "round_robin"
	// LeastConnections takes the target with the fewest requests in flight for
	// its weight; equals take turns.
	LeastConnections = "least_connections"
	// TwoChoices takes the less loaded of two random targets. Nearly as even as
	// LeastConnections, and its cost does not grow with the pool.
	TwoChoices = "two_choices"
)

// usable reports whether a choice may fall on t.
func usable(t *Target, tried []*Target, r regard) bool {
	return t.available(r) && !slices.Contains(tried, t)
}

// load is how busy a target is for its weight.
type load struct{ requests, weight uint64 }

// load is read once per choice. An idle target has none, whatever its weight, so
// that idle targets are equals; a busy one is judged as if it had the request
// already.
func (t *Target) load() load {
	n := uint64(max(t.inFlight.Load(), 0))
	if n > 0 {
		n++
	}
	return load{requests: n, weight: t.shareOfWeight()}
}

func (l load) less(other load) bool {
	return l.requests*other.weight < other.requests*l.weight
}

// lottery acquires a random usable target, by weight. It looks at every target,
// so it finds the one that is left when the quick ways have missed it.
func (p *Pool) lottery(tried []*Target, r regard) *Target {
	for {
		t := p.drawLot(tried, r)
		// acquire fails only when the target became unavailable since we
		// looked; then look again.
		if t == nil || t.acquire(r) {
			return t
		}
	}
}

// drawLot keeps one winner while it walks: each newcomer replaces it with the
// chance that its weight has among those seen so far.
func (p *Pool) drawLot(tried []*Target, r regard) (winner *Target) {
	var total uint64
	for _, t := range p.targets {
		if !usable(t, tried, r) {
			continue
		}
		weight := t.shareOfWeight()
		total += weight
		if total == weight || rand.Uint64N(total) < weight {
			winner = t
		}
	}
	return winner
}
