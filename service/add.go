package service

import (
	"context"
	"slices"

	"upfront/api"
	"upfront/internal/logfield"
)

// Add joins one more target to a service once it is healthy. A target that is
// draining is put back once a probe finds it healthy.
func (r *Registry) Add(ctx context.Context, name string, req api.AddRequest, progress func(api.Progress)) (*api.Result, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	req = req.WithDefaults()
	if _, err := addable(r.world.Load(), name, req.Target); err != nil {
		return nil, err
	}
	report := reporter(progress)
	own := &turn{name: name}
	if err := r.turns.take(ctx, own, false, func() { report.say(phaseQueued, nil) }); err != nil {
		return nil, err
	}
	defer r.turns.leave(own)

	var spare []*member // probed, then not needed
	defer func() { discard(spare) }()
	result := &api.Result{Service: name}
	enter := func(d *draft, _ api.Spec, members []*member) error {
		cur := d.entries[name]
		if m := cur.live.member(req.Target.Address); m != nil { // draining, or addable had refused it
			result.Targets = cur.live.targets()
			spare = members
			d.after(m.target.Undrain)
			return nil
		}
		next := cur.clone()
		next.live = cur.live.with(slot{members: slices.Concat(cur.live.members, members), readers: cur.live.readers})
		result.Targets = next.live.targets()
		r.replan(d, next)
		return d.put(next)
	}
	waited, switched, err := trial{
		name: name, timeout: req.DeployTimeout.Std(), enter: enter,
		want: func(w *world) (api.Spec, []api.Target, error) {
			spec, err := addable(w, name, req.Target)
			return spec, []api.Target{req.Target}, err
		},
	}.run(ctx, r, report)
	if err != nil {
		return nil, err
	}
	r.logger.Info("Target was added", logfield.Service(name), logfield.Target(req.Target.Address))
	result.Waited, result.Switched = api.Duration(waited), api.Duration(switched)
	return result, nil
}

// addable returns the spec that a new target of the service has to follow, or
// why it cannot join.
func addable(w *world, name string, target api.Target) (api.Spec, error) {
	e := w.entries[name]
	if e == nil {
		return api.Spec{}, notFound(name)
	}
	if err := e.live.spec.Fits(target); err != nil {
		return api.Spec{}, err
	}
	m := e.live.member(target.Address)
	switch {
	case m != nil && m.target.Draining():
		return e.live.spec, nil // put back, which leaves the set as the file fixes it
	case e.fixed():
		return api.Spec{}, ownedTargets(name)
	case m != nil || find(e.live.readers, target.Address) != nil:
		return api.Spec{}, failure(api.CodeInvalid, "--target", "target %q is already one of service %q: nothing to do",
			target.Address, name)
	}
	return e.live.spec, nil
}
