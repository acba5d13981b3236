package service

import (
	"context"
	"slices"

	"upfront/api"
	"upfront/internal/logfield"
)

// Remove takes one target, or the whole service when the request names none, out
// of rotation, drains it and forgets it. It waits for a deploy of the service
// that is under way.
func (r *Registry) Remove(ctx context.Context, name string, req api.RemoveRequest, progress func(api.Progress)) (*api.Result, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	req = req.WithDefaults()
	if err := removable(r.world.Load().entries[name], name, req.Target); err != nil {
		return nil, err
	}
	report := reporter(progress)
	own := &turn{name: name}
	if err := r.turns.take(ctx, own, false, func() { report.say(phaseQueued, nil) }); err != nil {
		return nil, err
	}
	defer r.turns.leave(own)

	var old []*member
	result := &api.Result{Service: name, Targets: []api.Target{}}
	err := r.commit(func(d *draft) error {
		cur := d.entries[name]
		if err := removable(cur, name, req.Target); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return left(ctx, name)
		}
		if req.Target == "" {
			old = cur.live.all()
			r.leave(d, old)
			r.forget(d, cur)
			return nil
		}
		m := find(cur.live.slot.all(), req.Target)
		old = []*member{m}
		r.leave(d, old)
		next := cur.clone()
		next.live = cur.live.with(cur.live.slot.without(m))
		result.Targets = next.live.targets()
		r.replan(d, next)
		return d.put(next)
	})
	if err != nil {
		return nil, err
	}
	r.turns.leave(own)
	if req.Target == "" {
		r.logger.Info("Service was removed", logfield.Service(name))
	} else {
		r.logger.Info("Target was removed", logfield.Service(name), logfield.Target(req.Target))
	}
	result.Drained = r.retire(old, req.DrainTimeout.Std(), report)
	return result, nil
}

// forget takes a service out of the draft. Its targets are the caller's to
// retire.
func (r *Registry) forget(d *draft, e *entry) {
	d.remove(e.live.Name)
	e.clone().endPending(d)
	// Requests that a paused gate holds go on, find no route any more and are
	// told so, instead of waiting for a resume that cannot come.
	d.after(func() {
		if e.live.Gate.State() == Paused {
			e.live.Gate.Resume()
		}
	})
}

// removable returns why the target, or the service when target is empty, cannot
// be removed over the socket.
func removable(e *entry, name, target string) error {
	switch {
	case e == nil:
		return notFound(name)
	case target == "" && e.declared != nil:
		return failure(api.CodeOwned, "", "the config file declares service %q: remove it there", name)
	case target == "":
		return nil
	case e.fixed():
		return ownedTargets(name)
	case find(e.live.slot.all(), target) == nil:
		return targetNotFound(name, target)
	case e.live.member(target) != nil && len(e.live.members) == 1:
		return failure(api.CodeInvalid, "--target",
			"target %q is the last one of service %q: remove the service itself with proxyctl remove %s",
			target, name, name)
	}
	return nil
}

// Drain asks a target, or every target when the request names none, to take no
// new requests, and waits until it is empty; at the drain timeout it cuts what
// is left. The target stays in the set, as draining, until Add puts it back or
// proxyd restarts. A caller that leaves does not end the drain.
func (r *Registry) Drain(_ context.Context, name string, req api.DrainRequest, progress func(api.Progress)) (*api.Result, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	req = req.WithDefaults()
	live := r.published(name)
	if live == nil {
		return nil, notFound(name)
	}
	members := live.all()
	if req.Target != "" {
		members = slices.DeleteFunc(members, func(m *member) bool { return m.spec.Address != req.Target })
		if len(members) == 0 {
			return nil, targetNotFound(name, req.Target)
		}
	}
	for _, m := range members {
		r.logger.Info("Target is drained", logfield.Service(name), logfield.Target(m.spec.Address))
	}
	drained := together(members, progress, func(m *member) api.Drained { return m.drain(req.DrainTimeout.Std()) })
	return &api.Result{Service: name, Targets: live.targets(), Drained: drained}, nil
}
