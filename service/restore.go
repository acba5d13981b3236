package service

import (
	"errors"
	"fmt"

	"go.uber.org/zap"

	"upfront/api"
	"upfront/health"
	"upfront/internal/logfield"
)

// restore publishes what the state file holds. Its targets count as healthy, as
// they were when they were saved, so that the first request after a restart is
// answered at once; their probes begin with Run.
func (r *Registry) restore() error {
	if r.options.StatePath == "" {
		return nil
	}
	store, err := openStore(r.options.StatePath)
	if err != nil {
		return err
	}
	found, err := store.load()
	if err != nil {
		store.close()
		return err
	}
	switch again := r.options.TakeoverAgain; {
	case store.status().Source == sourceNone && store.status().Problem == "":
		found = store.takeOver(r.options.Takeover)
	case again != nil && again():
		if newer := store.takeOver(r.options.Takeover); newer.unsaved {
			found = newer
		}
	}
	d := r.world.Load().draft()
	for _, rec := range found.records {
		if err := r.revive(d, rec); err != nil {
			store.note(store.partial(), fmt.Errorf("service %q is lost: %w", rec.Name, err))
		}
	}
	w, err := d.finish()
	if err != nil {
		store.close()
		return err
	}
	if found.unsaved {
		_ = store.save(w) // a failure is part of the store's status
	}
	r.store = store
	if len(w.names) > 0 { // else there may be something to save that we could not read
		r.mirror(w)
	}
	r.publishCertificates(w)
	r.world.Store(w)
	r.logRestored(len(w.names))
	return nil
}

// revive adds one saved service to the draft; one that cannot be added leaves
// the others alone.
func (r *Registry) revive(d *draft, rec record) error {
	if d.entries[rec.Name] != nil {
		return errors.New("it is there twice")
	}
	spec, err := normalSpec(rec.Spec)
	if err != nil {
		return err
	}
	if err := d.asWorld().conflict(rec.Name, spec); err != nil {
		return err
	}
	active := r.reviveSlot(rec.Name, spec, rec.Targets, rec.Readers)
	kept := r.newLasting()
	kept.gate.restore(rec.Gate)
	kept.rollout = r.reviveRollout(rec.Name, spec, rec.Rollout)
	e := &entry{
		live:     newService(rec.Name, spec, r.findFiles(rec.Name, spec), active, kept),
		previous: rec.Previous,
		gate:     rec.Gate,
		restored: rec.Declared,
	}
	if e.previous != nil && !usable(e.previous) {
		e.previous = nil
	}
	if err := d.put(e); err != nil {
		return err
	}
	for _, m := range e.live.all() {
		m.start() // waits for Run
	}
	return nil
}

func (r *Registry) reviveSlot(name string, spec api.Spec, targets, readers []api.Target) slot {
	req := api.DeployRequest{Targets: targets, Readers: readers}.WithDefaults()
	members, _ := r.newMembers(name, spec, whole(req.Targets, req.Readers), health.Healthy)
	return split(members, len(req.Readers))
}

// reviveRollout returns an empty slot for one that cannot be what it was: the
// service itself is worth more than its rollout.
func (r *Registry) reviveRollout(name string, spec api.Spec, s *api.RolloutState) rolloutSlot {
	if s == nil {
		return rolloutSlot{}
	}
	err := api.RolloutDeployRequest{Targets: s.Targets, Readers: s.Readers}.Validate()
	if err == nil {
		err = s.Split.Validate()
	}
	if err != nil {
		r.logger.Error("Rollout was not restored, all requests go to the active targets",
			logfield.Service(name), logfield.Error(err))
		return rolloutSlot{}
	}
	return rolloutSlot{slot: r.reviveSlot(name, spec, s.Targets, s.Readers), takes: s.Split}
}

func (r *Registry) logRestored(count int) {
	status := r.store.status()
	fields := []zap.Field{logfield.Path(status.Path), logfield.State(status.Source), zap.Int("services", count)}
	switch {
	case status.Source == sourceTakeover:
		r.logger.Info("Took over the state of kamal-proxy", fields...)
		if status.Problem != "" {
			r.logger.Error("Some of the state was not taken over", append(fields, logfield.Reason(status.Problem))...)
		}
	case status.Problem != "":
		r.logger.Error("State file was damaged", append(fields, logfield.Reason(status.Problem))...)
	case status.Source == sourceNone:
		r.logger.Info("No previous state to restore", fields...)
	default:
		r.logger.Info("Restored the previous state", fields...)
	}
}

// StateStatus says where the state came from at start, and what is wrong with
// the state file.
func (r *Registry) StateStatus() api.StateStatus {
	if r.store == nil {
		return api.StateStatus{Source: sourceNone}
	}
	return r.store.status()
}

// usable reports whether a rollback could deploy p.
func usable(p *api.PreviousState) bool {
	_, err := normalSpec(p.Spec)
	return err == nil && api.ValidateTargets(p.Targets) == nil && api.ValidateReaders(p.Readers) == nil
}
