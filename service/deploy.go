package service

import (
	"context"

	"go.uber.org/zap"

	"upfront/api"
	"upfront/internal/logfield"
)

// Deploy replaces the whole set of targets of a service, and its spec, once the
// new targets are all healthy; the first deploy of a name creates the service.
//
// When it returns an error nothing was changed. When it returns a result all
// traffic goes to the new targets, and the old ones are empty and closed. ctx
// cancels a deploy that is not published yet; after that the drain goes on to
// its end.
//
// Deploys of one service take turns from the first probe to the publication; the
// drain comes after the turn, so that a quick second deploy need not wait for
// it. A service that the config file declares without targets keeps the spec of
// the file, whatever the request says.
func (r *Registry) Deploy(ctx context.Context, name string, req api.DeployRequest, progress func(api.Progress)) (*api.Result, error) {
	if err := api.ValidateName(name); err != nil {
		return nil, err
	}
	if err := req.Validate(); err != nil {
		return nil, err
	}
	spec, err := normalSpec(req.Spec)
	if err != nil {
		return nil, err
	}
	req = req.WithDefaults()
	if err := checkTLS(spec); err != nil {
		return nil, err
	}
	files, err := r.readFiles(spec)
	if err != nil {
		return nil, err
	}
	return r.replace(ctx, replacement{
		name: name, deploy: req.DeployTimeout, drain: req.DrainTimeout, supersede: req.Supersede, force: req.Force,
		files: func(api.Spec) onDisk { return files },
		set: func(w *world) (api.Spec, []api.Target, int, error) {
			all := whole(req.Targets, req.Readers)
			effective, err := deployable(w, name, spec)
			if err == nil {
				err = effective.Fits(all...)
			}
			return effective, all, len(req.Readers), err
		},
	}, progress)
}

// Rollback deploys the set of targets that the last deploy replaced, if they
// still answer their probes. Afterwards a rollback leads back.
func (r *Registry) Rollback(ctx context.Context, name string, req api.RollbackRequest, progress func(api.Progress)) (*api.Result, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	req = req.WithDefaults()
	return r.replace(ctx, replacement{
		name: name, deploy: req.DeployTimeout, drain: req.DrainTimeout,
		files: func(spec api.Spec) onDisk { return r.findFiles(name, spec) },
		set: func(w *world) (api.Spec, []api.Target, int, error) {
			e := w.entries[name]
			switch {
			case e == nil:
				return api.Spec{}, nil, 0, notFound(name)
			case e.fixed():
				return api.Spec{}, nil, 0, ownedTargets(name)
			case e.previous == nil:
				return api.Spec{}, nil, 0, failure(api.CodeNoPrevious, "",
					"service %q has no previous targets to roll back to: deploy them with proxyctl deploy", name)
			}
			spec, err := deployable(w, name, e.previous.Spec)
			return spec, whole(e.previous.Targets, e.previous.Readers), len(e.previous.Readers), err
		},
	}, progress)
}

// replacement is what deploy and rollback have in common.
type replacement struct {
	name          string
	deploy, drain api.Duration
	supersede     bool
	force         bool // waits for no target
	// set returns the targets, of which the last so many are readers.
	set   func(*world) (spec api.Spec, targets []api.Target, readers int, err error)
	files func(api.Spec) onDisk // asked once, without a lock
}

func (r *Registry) replace(ctx context.Context, p replacement, report reporter) (*api.Result, error) {
	// Judged before it queues, so that a wrong request fails at once and cannot
	// supersede a right one.
	if _, _, _, err := p.set(r.world.Load()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	own := &turn{name: p.name, supersede: cancel}
	if err := r.turns.take(ctx, own, p.supersede, func() { report.say(phaseQueued, nil) }); err != nil {
		return nil, err
	}
	defer r.turns.leave(own)

	spec, _, _, err := p.set(r.world.Load())
	if err != nil {
		return nil, err
	}
	files := p.files(spec)
	var old []*member
	var live *Service
	result := &api.Result{Service: p.name}
	readers := 0
	waited, switched, err := trial{
		name: p.name, timeout: p.deploy.Std(), force: p.force,
		want: func(w *world) (spec api.Spec, targets []api.Target, err error) {
			spec, targets, readers, err = p.set(w)
			return spec, targets, err
		},
		enter: func(d *draft, spec api.Spec, members []*member) error {
			next, replaced := r.succeed(d.entries[p.name], p.name, spec, files, split(members, readers))
			live, old, result.Targets, result.Readers = next.live, replaced, next.live.targets(), specsOf(next.live.readers)
			next.endPending(d)
			r.leave(d, old)
			return d.put(next)
		},
	}.run(ctx, r, report)
	if err != nil {
		return nil, err
	}
	r.turns.leave(own)
	r.logger.Info("Service was deployed", logfield.Service(p.name),
		logfield.Duration(waited), zap.Int("targets", len(result.Targets)))
	result.Warnings = r.warnOfCertificates(live)
	result.Waited, result.Switched = api.Duration(waited), api.Duration(switched)
	result.Drained = r.retire(old, p.drain.Std(), report)
	return result, nil
}

// succeed returns the entry that follows cur (nil for a new service) when
// active replaces its active slot, and those that leave it.
func (r *Registry) succeed(cur *entry, name string, spec api.Spec, files onDisk, active slot) (
	next *entry, old []*member,
) {
	next = &entry{}
	kept := r.newLasting()
	if cur != nil {
		next = cur.clone()
		kept, old = cur.live.lasting(), cur.live.slot.all()
		if len(old) > 0 {
			next.previous = &api.PreviousState{
				Spec: cur.live.spec, Targets: cur.live.targets(), Readers: specsOf(cur.live.readers),
			}
		}
	}
	next.restored, next.problem = false, ""
	if next.declared != nil { // the spec is the file's, and so is what it names
		files = cur.live.files
	}
	next.live = newService(name, spec, files, active, kept)
	return next, old
}

// deployable returns the spec that a deploy of name has to follow, or why there
// cannot be one.
func deployable(w *world, name string, asked api.Spec) (api.Spec, error) {
	spec := asked
	if e := w.entries[name]; e != nil && e.declared != nil {
		if e.fixed() {
			return spec, ownedTargets(name)
		}
		spec = e.declared.Spec
	}
	return spec, w.conflict(name, spec)
}
