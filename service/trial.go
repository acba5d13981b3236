package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"upfront/api"
	"upfront/health"
)

// errStale: the spec changed while the targets were probed as the old one says.
var errStale = errors.New("spec changed")

// trial brings new targets into a service once all of them are healthy.
type trial struct {
	name    string
	timeout time.Duration
	force   bool // the targets need not be healthy
	// want returns what to probe, judged against the entries of the moment. It
	// is asked before probing, and again under the lock before publishing.
	want func(*world) (api.Spec, []api.Target, error)
	// enter makes the healthy members part of the draft.
	enter func(*draft, api.Spec, []*member) error
}

// run returns how long the targets took to become healthy and how long
// publishing took. When it fails nothing was published, and no probe and no
// connection of the new targets is left.
func (t trial) run(ctx context.Context, r *Registry, report reporter) (waited, switched time.Duration, err error) {
	start := time.Now()
	late, cancel := context.WithTimeout(context.Background(), t.timeout)
	defer cancel()
	for {
		waited, switched, err = t.attempt(ctx, r, start, late.Done(), report)
		if !errors.Is(err, errStale) {
			return waited, switched, err
		}
	}
}

func (t trial) attempt(ctx context.Context, r *Registry, start time.Time, timeout <-chan struct{}, report reporter) (
	waited, switched time.Duration, err error,
) {
	spec, targets, err := t.want(r.world.Load())
	if err != nil {
		return 0, 0, err
	}
	members, changed := r.newMembers(t.name, spec, targets, health.Starting)
	defer func() {
		if err != nil {
			discard(members)
		}
	}()
	for _, m := range members {
		m.start()
	}
	if !t.force {
		err = t.await(ctx, r, members, changed, timeout, report)
	}
	if err != nil {
		return 0, 0, err
	}
	waited = time.Since(start)
	report.say(phaseSwitching, members)
	begun := time.Now()
	err = r.commit(func(d *draft) error {
		if ctx.Err() != nil {
			return left(ctx, t.name)
		}
		now, _, err := t.want(d.asWorld())
		if err != nil {
			return err
		}
		if !traitsOf(now).equal(traitsOf(spec)) {
			return errStale
		}
		return t.enter(d, now, members)
	})
	return waited, time.Since(begun), err
}

// await returns nil as soon as every member is healthy. It waits for the
// monitors' word, so that a ready app gets its traffic at once.
func (t trial) await(ctx context.Context, r *Registry, members []*member, changed <-chan struct{},
	timeout <-chan struct{}, report reporter,
) error {
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	for {
		report.say(phaseProbing, members)
		if len(unready(members)) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-timeout:
			if not := unready(members); len(not) > 0 {
				return unhealthy(not, t.timeout)
			}
			return nil // at the last moment
		case <-ctx.Done():
			return left(ctx, t.name)
		case <-r.crew.ending:
			return stopping()
		}
	}
}

// newMembers makes the members of one set; changed receives after each change of
// a verdict among them.
func (r *Registry) newMembers(name string, spec api.Spec, targets []api.Target, initial health.Status) (
	members []*member, changed chan struct{},
) {
	changed = make(chan struct{}, 1)
	members = make([]*member, len(targets))
	for i, target := range targets {
		members[i] = r.newMember(name, spec, target, initial, changed)
	}
	return members, changed
}

func unready(members []*member) []*member {
	var not []*member
	for _, m := range members {
		if m.target.Health() != health.Healthy {
			not = append(not, m)
		}
	}
	return not
}

// unhealthy is the sentence that a failed deploy ends with; members are those
// that are not healthy.
func unhealthy(members []*member, timeout time.Duration) error {
	var text strings.Builder
	for i, m := range members {
		if i == 0 {
			fmt.Fprintf(&text, "target %s not healthy within --deploy-timeout=%s: last probe: %s",
				m.spec.Address, timeout, m.lastProbe())
			continue
		}
		fmt.Fprintf(&text, "; target %s: last probe: %s", m.spec.Address, m.lastProbe())
	}
	return &api.Error{Code: api.CodeUnhealthy, Message: text.String(), Flag: "--deploy-timeout"}
}

// discard forgets members that were started but never published.
func discard(members []*member) {
	for _, m := range members {
		m.cancel()
	}
	for _, m := range members {
		m.discard()
	}
}
