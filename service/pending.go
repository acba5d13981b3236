package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"upfront/api"
	"upfront/health"
	"upfront/internal/logfield"
)

// pendingInterval is how often a pending set looks at what it is not told of:
// that the live targets have died, or that the state file can be written again.
const pendingInterval = 500 * time.Millisecond

// pending is a set of targets that the config file asks for and that is not
// healthy yet. Until it is, the targets before it stay; nobody waits for it, so
// it keeps being probed until it is healthy or no longer asked for.
type pending struct {
	registry      *Registry
	name          string
	set           slot      // in order: kept ones and fresh ones
	fresh         []*member // those of set that nobody uses yet
	changed       <-chan struct{}
	deploy, drain time.Duration
	over          chan struct{} // closed once another plan replaces this one
}

// run probes the fresh targets and publishes the set when it is ready.
func (p *pending) run(ctx context.Context) {
	for _, m := range p.fresh {
		m.start()
	}
	timer := time.NewTimer(p.deploy)
	defer timer.Stop()
	tick := time.NewTicker(pendingInterval)
	defer tick.Stop()
	for {
		if p.ready() && p.publish() {
			return
		}
		select {
		case <-p.changed:
		case <-tick.C:
		case <-timer.C:
			if not := unready(p.fresh); len(not) > 0 {
				p.complain(fmt.Sprintf("the old targets stay: %s", unhealthy(not, p.deploy)))
			}
		case <-p.over:
			discard(p.fresh)
			return
		case <-ctx.Done():
			discard(p.fresh)
			return
		}
	}
}

// ready reports whether publishing the set can only make things better.
func (p *pending) ready() bool {
	waiting := len(unready(p.fresh))
	if waiting == 0 {
		return true
	}
	live := p.registry.published(p.name)
	return live != nil && !live.live() && waiting < len(p.fresh)
}

// missing is one sentence about the targets that are not healthy yet; empty when
// all are.
func (p *pending) missing() string {
	var text strings.Builder
	for _, m := range unready(p.fresh) {
		if text.Len() > 0 {
			text.WriteString("; ")
		}
		fmt.Fprintf(&text, "new target %s is not healthy yet: last probe: %s", m.spec.Address, m.lastProbe())
	}
	return text.String()
}

// publish reports whether the set is live, and then has emptied the old one.
func (p *pending) publish() bool {
	var old []*member
	err := p.registry.commit(func(d *draft) error {
		cur := d.entries[p.name]
		if cur == nil || cur.pending != p {
			return errStale // over is closed, or about to be
		}
		next := cur.clone()
		next.pending, next.problem = nil, ""
		next.live = cur.live.with(p.set)
		old = without(cur.live.slot.all(), p.set.all())
		p.registry.leave(d, old)
		return d.put(next)
	})
	if err != nil {
		if err != errStale { //nolint:errorlint // it is the edit's own value
			p.complain(err.Error())
		}
		return false
	}
	p.registry.logger.Info("Targets of the config file are live", logfield.Service(p.name))
	p.registry.retire(old, p.drain, nil)
	return true
}

// complain notes why the set is not live yet; the same problem is told once.
func (p *pending) complain(problem string) {
	told := false
	err := p.registry.commit(func(d *draft) error {
		cur := d.entries[p.name]
		if cur == nil || cur.pending != p || cur.problem == problem {
			return nil
		}
		told = true
		next := cur.clone()
		next.problem = problem
		return d.put(next)
	})
	if told {
		p.registry.logger.Warn("Targets of the config file are not live",
			logfield.Service(p.name), logfield.Reason(problem), zap.NamedError("error", err))
	}
}

// endPending drops what e waits for, once d is published.
func (e *entry) endPending(d *draft) {
	p := e.pending
	if p == nil {
		return
	}
	e.pending, e.problem = nil, ""
	d.after(func() { close(p.over) })
}

// replan plans anew what next waits for, after its live targets have changed.
func (r *Registry) replan(d *draft, next *entry) {
	p := next.pending
	if p == nil {
		return
	}
	next.endPending(d)
	r.settle(d, next, next.live.targets(), specsOf(next.live.readers), p.deploy, p.drain)
}

// settle makes targets and readers those of next: at once when they are all there
// already or when there is nothing healthy to lose, else as soon as they are
// healthy. Targets that stay keep their probes, counts and health.
func (r *Registry) settle(d *draft, next *entry, targets, readers []api.Target, deploy, drain time.Duration) {
	live := next.live
	changed := make(chan struct{}, 1)
	var fresh []*member
	among := func(now []*member, want []api.Target) (set []*member) {
		for _, target := range want {
			m := find(now, target.Address)
			if m == nil || m.spec != target || !m.traits.equal(traitsOf(live.spec)) {
				m = r.newMember(live.Name, live.spec, target, health.Starting, changed)
				fresh = append(fresh, m)
			}
			set = append(set, m)
		}
		return set
	}
	set := slot{members: among(live.members, targets), readers: among(live.readers, readers)}
	d.otherwise(func() {
		for _, m := range fresh {
			m.close()
		}
	})
	if len(fresh) > 0 && live.live() {
		p := &pending{
			registry: r, name: live.Name, set: set, fresh: fresh, changed: changed,
			deploy: deploy, drain: drain, over: make(chan struct{}),
		}
		next.pending = p
		d.after(func() {
			if !r.crew.start(p.run) {
				for _, m := range fresh {
					m.close()
				}
			}
		})
		return
	}
	next.live = live.with(set)
	r.leave(d, without(live.slot.all(), set.all()))
	d.after(func() {
		for _, m := range fresh {
			m.start()
		}
		r.retireLater(without(live.slot.all(), set.all()), drain)
	})
}

// retireLater retires members in the background; Run waits for it.
func (r *Registry) retireLater(members []*member, drain time.Duration) {
	if len(members) == 0 {
		return
	}
	work := func(context.Context) { r.retire(members, drain, nil) }
	if !r.crew.start(work) {
		discard(members) // proxyd is stopping: its own shutdown drains
	}
}

// without returns the members that are not in others.
func without(members, others []*member) []*member {
	var rest []*member
	for _, m := range members {
		if !slices.Contains(others, m) {
			rest = append(rest, m)
		}
	}
	return rest
}
