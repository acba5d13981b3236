package service

import (
	"context"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"upfront/api"
	"upfront/balancer"
	"upfront/cert"
	"upfront/dial"
	"upfront/health"
	"upfront/route"
)

// Options of a Registry.
type Options struct {
	// StatePath is the state file; "" keeps no state.
	StatePath string
	// Logger for what changes by itself. Default zap.NewNop().
	Logger *zap.Logger
	// Certificates is told of those of the services, whenever they change. Nil:
	// there is no listener for TLS, and nothing can be deployed with it.
	Certificates *cert.Store
	// NewTransport makes the transport of one target, which closes the dialer. The
	// registry closes it once the target is drained. May be nil in tests.
	NewTransport func(*dial.Dialer) balancer.Transport
	// Published is called behind every publication, while the next one waits. Nil is
	// nobody.
	Published func()
	// Takeover is asked once for the services to begin with when there is no state
	// file yet. Nil begins with none.
	Takeover TakeoverState
	// TakeoverAgain is asked at the start, when there is a state file, whether
	// Takeover has what is newer. Nil is no.
	TakeoverAgain func() bool
	// Mirror is told of what the state file says, at the start and behind every write
	// of it, one call at a time. Nil is nobody.
	Mirror func([]api.ServiceState)
	// Room has the descriptors of connections that are kept between probes. Nil: none is
	// kept.
	Room health.Room
	// MaxPaused is how many requests one paused service may hold. Default 10000.
	MaxPaused int
}

// Registry is every service, and the table that requests read.
//
// The calls of the control socket may come at any time, also before Run; what
// they need probed is probed once Run runs.
type Registry struct {
	options Options
	logger  *zap.Logger
	crew    *crew
	crowd   *health.Crowd // of all targets
	pace    pace          // of the first probes of new targets
	again   pace          // of those that serve already
	turns   turns
	leaving leaving
	store   *store // nil without a state file

	world atomic.Pointer[world] // written by commit
	mu    sync.Mutex            // held by commit: one publication at a time
}

// New reads the state file and returns a registry whose table is published. It
// starts nothing: Run does. A state file that is damaged is not an error (see
// StateStatus); one that belongs to another proxyd or to a later version is.
func New(o Options) (*Registry, error) {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	r := &Registry{options: o, logger: o.Logger, crew: newCrew(), crowd: health.NewCrowd(o.Room)}
	r.world.Store(&world{entries: map[string]*entry{}, owners: map[route.Route]string{}})
	if err := r.restore(); err != nil {
		return nil, err
	}
	return r, nil
}

// ShedProbe closes a connection that is kept for the next probe, and reports whether
// there was one. It never blocks.
func (r *Registry) ShedProbe() bool { return r.crowd.Shed() }

// Run probes the targets until ctx ends, then stops every probe, waits for them
// and for drains under way, and gives the state file free. It is called once,
// and always returns nil.
func (r *Registry) Run(ctx context.Context) error {
	r.crew.run(ctx)
	if r.store != nil {
		r.store.close()
	}
	return nil
}

// Match finds the service for a request: one atomic load. prefix is the part of
// the path that the route matched. The returned Service is immutable.
//
// A path that can be read in several ways (dot segments, doubled or encoded
// slashes, backslashes, parameters) matches only when all of them lead to the same
// route; else what one service guards could be reached through another.
func (r *Registry) Match(host, path []byte) (svc *Service, prefix string, ok bool) {
	table := r.world.Load().table
	if table == nil {
		return nil, "", false
	}
	if !table.Agrees(host, path) {
		return nil, "", false
	}
	return table.Match(host, path)
}

// Published finds a service whose health is published, by name; nil when there is
// none.
func (r *Registry) Published(name []byte) *Service {
	if e := r.world.Load().entries[string(name)]; e != nil && e.live.PublishHealth {
		return e.live
	}
	return nil
}

// published returns the live version of a service, or nil.
func (r *Registry) published(name string) *Service {
	if e := r.world.Load().entries[name]; e != nil {
		return e.live
	}
	return nil
}

// commit lets edit change a draft of the world, writes the state durably and
// publishes the draft with one pointer store. When anything fails, nothing is
// published. The lock is never held while probing or draining.
func (r *Registry) commit(edit func(*draft) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.world.Load().draft()
	next, err := r.write(d, edit)
	if err != nil {
		for _, f := range d.instead {
			f()
		}
		return err
	}
	if d.sealed {
		r.publishCertificates(next)
	}
	r.world.Store(next)
	for _, f := range d.then {
		f()
	}
	if r.options.Published != nil {
		r.options.Published()
	}
	return nil
}

// publishCertificates comes before the routes: a host that is served has its
// certificate.
func (r *Registry) publishCertificates(w *world) {
	if r.options.Certificates != nil {
		r.options.Certificates.Publish(w.certificates())
	}
}

// write edits d and returns the world that it describes, with the state file
// saying the same.
func (r *Registry) write(d *draft, edit func(*draft) error) (*world, error) {
	if err := edit(d); err != nil {
		return nil, err
	}
	next, err := d.finish()
	if err != nil {
		return nil, failure(api.CodeInternal, "", "%s", err)
	}
	if d.changed && r.store != nil {
		if err := r.store.save(next); err != nil {
			return nil, failure(api.CodeState, "",
				"the state file cannot be written, so nothing was changed: %s", err)
		}
		r.mirror(next)
	}
	return next, nil
}
