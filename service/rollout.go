package service

import (
	"context"
	"math"
	"slices"

	"go.uber.org/zap"

	"upfront/api"
	"upfront/balancer"
	"upfront/internal/logfield"
)

// Rollout is the targets that take a part of a service's requests. Immutable.
type Rollout struct {
	// Readers take requests that read, before Pool. Nil is none.
	Readers *balancer.Pool
	// Pool is never nil.
	Pool *balancer.Pool
	rolloutSlot
	below float64 // visitors whose hash is not above it; negative is none
}

// rolloutSlot is the targets in the rollout slot of a service, and the requests
// that they take. Empty when there is no rollout.
type rolloutSlot struct {
	slot
	takes api.Split
}

// newRollout returns nil for an empty slot.
func newRollout(s rolloutSlot, spec api.Spec) *Rollout {
	if len(s.members) == 0 {
		return nil
	}
	r := NewRollout(spare(s.members, spec), spare(s.readers, spec), s.takes)
	r.slot = s.slot
	return r
}

// NewRollout makes a rollout of pools that somebody else looks after, for tests.
func NewRollout(pool, readers *balancer.Pool, takes api.Split) *Rollout {
	return &Rollout{Pool: pool, Readers: readers, rolloutSlot: rolloutSlot{takes: takes}, below: belowOf(takes.Percent)}
}

// belowOf is the highest hash of the visitors that percent takes.
func belowOf(percent int) float64 {
	if percent == 0 {
		return -1
	}
	return float64(math.MaxUint32) * (float64(percent) / 100)
}

// Sends reports whether any request goes to the rollout.
func (r *Rollout) Sends() bool { return r.takes.Sends() }

// Headers are those that take a request to the rollout. The caller must not change
// them.
func (r *Rollout) Headers() []api.HeaderMatch { return r.takes.Headers }

// Random reports whether requests without the cookie that tells visitors apart are
// given one.
func (r *Rollout) Random() bool { return r.takes.Random && r.takes.Percent > 0 }

// Takes reports whether the rollout takes the requests of a visitor. It judges as
// kamal-proxy does, so that a change of the proxy moves nobody.
func (r *Rollout) Takes(visitor []byte) bool {
	if len(visitor) == 0 {
		return false
	}
	if slices.Contains(r.takes.List, string(visitor)) {
		return true
	}
	return float64(fnv32a(visitor)) <= r.below
}

// fnv32a is hash/fnv's New32a without its allocation.
func fnv32a(text []byte) uint32 {
	hash := uint32(2166136261)
	for _, c := range text {
		hash = (hash ^ uint32(c)) * 16777619
	}
	return hash
}

// state is what the state file keeps of the slot; nil for an empty one.
func (r *Rollout) state() *api.RolloutState {
	if r == nil {
		return nil
	}
	return &api.RolloutState{Targets: specsOf(r.members), Readers: specsOf(r.readers), Split: r.takes}
}

// RolloutDeploy replaces the targets in the rollout slot of a service once the new
// ones are all healthy. Which requests they take stays as it is: none, unless
// RolloutSet said otherwise. As with Deploy, an error means that nothing changed.
func (r *Registry) RolloutDeploy(ctx context.Context, name string, req api.RolloutDeployRequest, progress func(api.Progress)) (*api.Result, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	req = req.WithDefaults()
	if _, err := deployed(r.world.Load(), name); err != nil {
		return nil, err
	}
	report := reporter(progress)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	own := &turn{name: rolloutTurn(name), supersede: cancel}
	if err := r.turns.take(ctx, own, req.Supersede, func() { report.say(phaseQueued, nil) }); err != nil {
		return nil, err
	}
	defer r.turns.leave(own)

	var old []*member
	result := &api.Result{Service: name}
	waited, switched, err := trial{
		name: name, timeout: req.DeployTimeout.Std(),
		want: func(w *world) (api.Spec, []api.Target, error) {
			e, err := deployed(w, name)
			if err != nil {
				return api.Spec{}, nil, err
			}
			all := whole(req.Targets, req.Readers)
			return e.live.spec, all, e.live.spec.Fits(all...)
		},
		enter: func(d *draft, _ api.Spec, members []*member) error {
			next := split(members, len(req.Readers))
			result.Targets, result.Readers = specsOf(next.members), specsOf(next.readers)
			replaced, err := r.setRollout(d, name, func(s *rolloutSlot) { s.slot = next })
			old = replaced
			return err
		},
	}.run(ctx, r, report)
	if err != nil {
		return nil, err
	}
	r.turns.leave(own)
	r.logger.Info("Rollout was deployed", logfield.Service(name),
		logfield.Duration(waited), zap.Int("targets", len(result.Targets)+len(result.Readers)))
	result.Waited, result.Switched = api.Duration(waited), api.Duration(switched)
	result.Drained = r.retire(old, req.DrainTimeout.Std(), report)
	return result, nil
}

// RolloutSet says which requests the rollout targets of a service take.
func (r *Registry) RolloutSet(ctx context.Context, name string, req api.RolloutSetRequest) (*api.Result, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	result := &api.Result{Service: name}
	err := r.commit(func(d *draft) error {
		e, err := deployed(d.asWorld(), name)
		if err != nil {
			return err
		}
		if e.live.Rollout == nil {
			return noRollout(name)
		}
		if ctx.Err() != nil {
			return left(ctx, name)
		}
		result.Targets, result.Readers = specsOf(e.live.Rollout.members), specsOf(e.live.Rollout.readers)
		_, err = r.setRollout(d, name, func(s *rolloutSlot) { s.takes = req.Split })
		return err
	})
	if err != nil {
		return nil, err
	}
	r.logger.Info("Rollout was set", logfield.Service(name), zap.Int("percent", req.Split.Percent),
		zap.Int("list", len(req.Split.List)), zap.Int("headers", len(req.Split.Headers)), zap.Bool("random", req.Split.Random))
	return result, nil
}

// RolloutStop sends every request to the active targets, then drains and forgets
// those of the rollout, and a rollout deploy that waits ends. Without a rollout it
// does nothing.
func (r *Registry) RolloutStop(ctx context.Context, name string, req api.RolloutStopRequest, progress func(api.Progress)) (*api.Result, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	req = req.WithDefaults()
	report := reporter(progress)
	own := &turn{name: rolloutTurn(name)}
	if err := r.turns.take(ctx, own, true, func() { report.say(phaseQueued, nil) }); err != nil {
		return nil, err
	}
	defer r.turns.leave(own)
	var old []*member
	result := &api.Result{Service: name}
	err := r.commit(func(d *draft) error {
		e, err := deployed(d.asWorld(), name)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return left(ctx, name)
		}
		result.Targets, result.Readers = e.live.targets(), specsOf(e.live.readers)
		old, err = r.setRollout(d, name, func(s *rolloutSlot) { *s = rolloutSlot{} })
		return err
	})
	if err != nil {
		return nil, err
	}
	r.turns.leave(own)
	r.logger.Info("Rollout was stopped", logfield.Service(name))
	result.Drained = r.retire(old, req.DrainTimeout.Std(), report)
	return result, nil
}

// setRollout publishes with d what edit makes of the rollout slot, and returns the
// targets that are in it no longer.
func (r *Registry) setRollout(d *draft, name string, edit func(*rolloutSlot)) (old []*member, err error) {
	cur := d.entries[name]
	kept := cur.live.lasting()
	before := kept.rollout.all()
	edit(&kept.rollout)
	old = without(before, kept.rollout.all())
	next := cur.clone()
	next.live = newService(name, cur.live.spec, cur.live.files, cur.live.slot, kept)
	r.leave(d, old)
	return old, d.put(next)
}

// deployed returns the entry of a service that has targets to fall back to.
func deployed(w *world, name string) (*entry, error) {
	e := w.entries[name]
	if e == nil || len(e.live.members) == 0 {
		return nil, notFound(name)
	}
	return e, nil
}

// rolloutTurn is the line of the calls that change the rollout slot of a service:
// they and those of the active slot do not wait for each other. No service has such
// a name.
func rolloutTurn(name string) string { return name + " rollout" }
