package balancer

import (
	"errors"
	"slices"
	"sync/atomic"
)

// ErrNoTarget means that no target of the pool is available. Pool.Draining tells
// whether that is because the pool was replaced.
var ErrNoTarget = errors.New("no target available")

// PoolOptions is how a pool chooses.
type PoolOptions struct {
	// Policy is RoundRobin, LeastConnections or TwoChoices. Empty, or a name
	// that is none of them, is RoundRobin.
	Policy string
	// FailOpen sends requests to targets that are not healthy when no healthy
	// one can take them. Draining and full are respected all the same.
	FailOpen bool
}

// Pool is an immutable list of targets and the policy that chooses among them.
// Safe for concurrent use.
type Pool struct {
	targets  []*Target // set once in NewPool
	schedule []*Target // set once in NewPool; a cycle of weighted turns
	options  PoolOptions
	// slowStart: at least one target has it. Set once in NewPool.
	slowStart bool

	cursor atomic.Uint64 // the turn of round robin, and of equals
}

// NewPool makes a pool of targets, which may be in other pools as well. It keeps
// a copy of the list.
func NewPool(targets []*Target, o PoolOptions) *Pool {
	p := &Pool{targets: slices.Clone(targets), options: o}
	if len(targets) > 0 {
		p.schedule = schedule(p.targets)
	}
	for _, t := range targets {
		p.slowStart = p.slowStart || t.options.SlowStart > 0
	}
	return p
}

// Targets are the targets in the order given. The caller must not change the
// slice.
func (p *Pool) Targets() []*Target { return p.targets }

// Acquire chooses an available target that is not in tried, counts the request
// on it and returns it; the caller must Release it. ErrNoTarget when there is none.
// It takes no lock and never allocates.
func (p *Pool) Acquire(tried []*Target) (*Target, error) {
	if t := p.choose(tried, healthyOnly); t != nil {
		return t, nil
	}
	if p.options.FailOpen {
		if t := p.choose(tried, anyHealth); t != nil {
			return t, nil
		}
	}
	return nil, ErrNoTarget
}

// Draining reports whether every target of the pool is draining. Then the pool
// was probably replaced, and the request should look its route up again. False
// for an empty pool.
func (p *Pool) Draining() bool {
	for _, t := range p.targets {
		if !t.Draining() {
			return false
		}
	}
	return len(p.targets) > 0
}

// Takes reports whether a target that is not in tried takes requests, be it full at
// the moment.
func (p *Pool) Takes(tried []*Target) bool {
	r := healthyOnly
	if p.options.FailOpen {
		r = anyHealth
	}
	return slices.ContainsFunc(p.targets, func(t *Target) bool { return t.allowed(r) && !slices.Contains(tried, t) })
}

// choose is a switch and not an interface, because tried would escape through
// one and cost the caller an allocation per request.
func (p *Pool) choose(tried []*Target, r regard) *Target {
	switch p.options.Policy {
	case LeastConnections:
		return p.leastConnections(tried, r)
	case TwoChoices:
		return p.twoChoices(tried, r)
	default:
		return p.roundRobin(tried, r)
	}
}
