package service

import (
	"errors"
	"fmt"
	"reflect"

	"upfront/api"
	"upfront/route"
)

// Declared is one service of the config file.
type Declared struct {
	Name string
	// Spec wins over the spec of any deploy.
	Spec api.Spec
	// Targets fixed by the file; nil when the control socket sets them.
	Targets []api.Target
	// Readers are fixed targets that only read; only with Targets.
	Readers []api.Target
	// DeployTimeout after which targets that are not healthy are a problem; they
	// keep being probed. Default 30s.
	DeployTimeout api.Duration
	// DrainTimeout for targets that the file no longer names. Default 30s.
	DrainTimeout api.Duration
}

// Check validates what a config file declares, against itself and against the
// services that the socket owns, and changes nothing. It returns every problem,
// joined.
func (r *Registry) Check(declared []Declared) error {
	_, err := check(r.world.Load().entries, declared)
	return err
}

// Apply makes declared what the config file owns, all of it or, on any error,
// nothing. It never waits for a probe and never loses a request:
//
//   - a service that did not change keeps everything;
//   - a changed spec is live at once, with the same targets;
//   - new targets, and targets whose health check changed, are probed first and
//     replace the old ones once all are healthy (at once when no old one is
//     healthy); until then ServiceInfo.Problem says what is missing;
//   - a service that the file declared with its targets and no longer does is
//     removed, and drained in the background; one whose targets were deployed over
//     the socket stays, as the socket's;
//   - a service that the socket owned is taken over, with its targets when the
//     file names none;
//   - folders of error pages are read anew. One that cannot be read costs only the
//     pages; ServiceInfo.Problem says so.
func (r *Registry) Apply(declared []Declared) error {
	files := r.findDeclared(declared)
	return r.commit(func(d *draft) error {
		declared, err := check(d.entries, declared)
		if err != nil {
			return err
		}
		named := make(map[string]bool, len(declared))
		for _, want := range declared {
			named[want.Name] = true
		}
		for name, e := range d.entries {
			if (e.declared == nil && !e.restored) || named[name] {
				continue
			}
			if !e.leaves() {
				if err := disown(d, e); err != nil {
					return err
				}
				continue
			}
			drain := api.DefaultDrainTimeout
			if e.declared != nil {
				drain = e.declared.DrainTimeout
			}
			r.leave(d, e.live.all())
			r.forget(d, e)
			d.after(func() { r.retireLater(e.live.all(), drain.Std()) })
		}
		for _, want := range declared {
			if err := r.declare(d, want, files[want.Name]); err != nil {
				return err
			}
		}
		return nil
	})
}

// disown makes a service that the file no longer names the socket's, as it is.
func disown(d *draft, e *entry) error {
	next := e.clone()
	next.endPending(d)
	next.declared = nil
	return d.put(next)
}

// declare makes one service of the draft what the file says.
func (r *Registry) declare(d *draft, want Declared, files onDisk) error {
	cur := d.entries[want.Name]
	if cur != nil && cur.declared != nil && reflect.DeepEqual(*cur.declared, want) {
		return repaint(d, cur, files.pages)
	}
	next := &entry{}
	var active slot
	kept := r.newLasting()
	if cur != nil {
		next = cur.clone()
		active, kept = cur.live.slot, cur.live.lasting()
	}
	next.endPending(d)
	next.declared, next.restored, next.problem = &want, false, ""
	next.live = newService(want.Name, want.Spec, files, active, kept)
	targets, readers := want.Targets, want.Readers
	if targets == nil {
		targets, readers = next.live.targets(), specsOf(next.live.readers)
	} else {
		next.previous = nil // rollback is the file's to do
	}
	r.settle(d, next, targets, readers, want.DeployTimeout.Std(), want.DrainTimeout.Std())
	return d.put(next)
}

// repaint gives a service that did not change the pages that its folder has now.
func repaint(d *draft, cur *entry, pages errorPages) error {
	if cur.live.files.pages.set.Equal(pages.set) && cur.live.files.pages.problem == pages.problem {
		return nil
	}
	next := cur.clone()
	files := cur.live.files // certificates are watched
	files.pages = pages
	next.live = newService(cur.live.Name, cur.live.spec, files, cur.live.slot, cur.live.lasting())
	return d.put(next)
}

// check returns declared in its normal form, or every reason why it cannot be
// applied to entries, joined.
func check(entries map[string]*entry, declared []Declared) ([]Declared, error) {
	var problems []error
	seen := make(map[string]bool, len(declared))
	for _, want := range declared {
		if seen[want.Name] {
			problems = append(problems, declaredError(want.Name, errors.New("is declared twice: keep one of them")))
		}
		seen[want.Name] = true
	}
	owners := make(map[route.Route]string)
	for name, e := range entries {
		if seen[name] || e.leaves() {
			continue
		}
		for _, at := range e.live.routes {
			owners[at] = name
		}
	}
	normal := make([]Declared, 0, len(declared))
	for _, want := range declared {
		want, err := want.normal()
		if err != nil {
			problems = append(problems, declaredError(want.Name, err))
			continue
		}
		for _, at := range routes(want.Spec) {
			if other, taken := owners[at]; taken && other != want.Name {
				problems = append(problems, declaredError(want.Name, conflictError(other, at)))
				break
			}
			owners[at] = want.Name
		}
		normal = append(normal, want)
	}
	return normal, errors.Join(problems...)
}

func declaredError(name string, err error) error { return fmt.Errorf("service %q: %w", name, err) }

// normal validates d and returns it with its defaults; its name in any case.
func (d Declared) normal() (Declared, error) {
	if err := api.ValidateName(d.Name); err != nil {
		return d, err
	}
	if d.Targets != nil {
		if err := api.ValidateTargets(d.Targets); err != nil {
			return d, err
		}
		if err := api.ValidateReaders(d.Readers); err != nil {
			return d, err
		}
	}
	timeouts := api.RollbackRequest{DeployTimeout: d.DeployTimeout, DrainTimeout: d.DrainTimeout}
	if err := timeouts.Validate(); err != nil {
		return d, err
	}
	spec, err := normalSpec(d.Spec)
	if err != nil {
		return d, err
	}
	if err := spec.Fits(whole(d.Targets, d.Readers)...); err != nil {
		return d, err
	}
	timeouts = timeouts.WithDefaults()
	fixed := api.DeployRequest{Targets: d.Targets, Readers: d.Readers}.WithDefaults()
	return Declared{
		Name: d.Name, Spec: spec, Targets: fixed.Targets, Readers: fixed.Readers,
		DeployTimeout: timeouts.DeployTimeout, DrainTimeout: timeouts.DrainTimeout,
	}, nil
}
