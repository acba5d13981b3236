package service

import (
	"slices"
	"time"

	"upfront/api"
	"upfront/balancer"
	"upfront/page"
	"upfront/route"
)

// Service is one published version of a service. Immutable but for what the
// Gate and the targets hold; a request reads it once.
type Service struct {
	Name string
	// StripPrefix cuts the matched path prefix before the target sees the path.
	StripPrefix bool
	// TargetTimeout until the first byte of an answer; 0 or less is off.
	TargetTimeout time.Duration
	// MaxRequestBody in bytes; 0 is no limit.
	MaxRequestBody int64
	// BufferRequests reads a body whole before a target is chosen.
	BufferRequests bool
	// BufferResponses reads ahead of a client that is slower than its target.
	BufferResponses bool
	// BufferMemory is how many bytes of one buffered body stay in memory.
	BufferMemory int64
	// MaxResponseBody in bytes; 0 is no limit.
	MaxResponseBody int64
	// ReplayBody in bytes: a body announced to be no larger is read whole before
	// the first attempt; 0 is off.
	ReplayBody int64
	// HealthPaths are answered 200 while the service is paused or stopped.
	HealthPaths []string
	// ErrorPages take the place of the built-in ones. Nil is none.
	ErrorPages *page.Set
	// TLS of the service's hosts. Nil is none.
	TLS *TLS
	// CanonicalHost is where clients of the other hosts are redirected to; empty is
	// nowhere.
	CanonicalHost string
	// Pool chooses a target. Never nil; without targets while the service is
	// declared in the config file but not deployed yet.
	Pool *balancer.Pool
	// Readers take requests that read, before Pool. Nil is none.
	Readers *balancer.Pool
	// Rollout takes a part of the requests, before Readers and Pool. Nil is none.
	Rollout *Rollout
	// WriterAffinity is how long after a request that writes the reads of the same
	// client go to Pool; 0 or less is off.
	WriterAffinity time.Duration
	// ReadWebSockets lets Readers take WebSockets.
	ReadWebSockets bool
	// ForwardsAlways keeps X-Forwarded-* of everybody where no trusted proxies are
	// configured; ForwardsNever keeps those of nobody.
	ForwardsAlways, ForwardsNever bool
	// ClientIPHeader names the client's address; empty is none.
	ClientIPHeader string
	// ScopeCookiePaths puts the prefix before the paths of cookies; only together
	// with StripPrefix.
	ScopeCookiePaths bool
	// LogRequestHeaders and LogResponseHeaders are for the access log.
	LogRequestHeaders, LogResponseHeaders []LoggedHeader
	// UncountedPaths, as targets see them, are not counted in metrics.
	UncountedPaths []string
	// PublishHealth answers for the health of the service on every host.
	PublishHealth bool
	// Gate holds or refuses requests. Never nil; the same for every version.
	Gate *Gate
	// Retries bounds how often requests are sent again. The same for every
	// version; nil is no bound.
	Retries *balancer.RetryBudget

	spec   api.Spec // with defaults
	files  onDisk
	routes []route.Route
	slot   // the active one; members in the order of the pool
}

// newService returns a version of the service name that sends to those in active.
// spec has its defaults.
func newService(name string, spec api.Spec, files onDisk, active slot, kept lasting) *Service {
	return &Service{
		Name:            name,
		StripPrefix:     !spec.KeepPathPrefix,
		TargetTimeout:   spec.TargetTimeout.Std(),
		MaxRequestBody:  spec.MaxRequestBody,
		BufferRequests:  spec.BufferRequests,
		BufferResponses: spec.BufferResponses,
		BufferMemory:    spec.BufferMemory,
		MaxResponseBody: spec.MaxResponseBody,
		ReplayBody:      spec.ReplayBody,
		HealthPaths:     spec.HealthCheck.Paths,
		ErrorPages:      files.pages.set,
		TLS:             files.tls(spec),
		CanonicalHost:   spec.CanonicalHost,
		Pool: balancer.NewPool(targetsOf(active.members), balancer.PoolOptions{
			Policy:   string(spec.Policy),
			FailOpen: spec.FailOpen,
		}),
		Readers:        spare(active.readers, spec),
		Rollout:        newRollout(kept.rollout, spec),
		WriterAffinity: spec.WriterAffinityTimeout.Std(),
		ReadWebSockets: spec.ReadTargetWebSockets,

		ForwardsAlways:     spec.ForwardHeaders != nil && *spec.ForwardHeaders,
		ForwardsNever:      spec.ForwardHeaders != nil && !*spec.ForwardHeaders,
		ClientIPHeader:     spec.ClientIPHeader,
		ScopeCookiePaths:   spec.ScopeCookiePaths && !spec.KeepPathPrefix,
		LogRequestHeaders:  LoggedHeaders("req", spec.LogRequestHeaders),
		LogResponseHeaders: LoggedHeaders("resp", spec.LogResponseHeaders),
		UncountedPaths:     spec.ExcludeMetricsPaths,
		PublishHealth:      spec.PublishHealthCheck,

		Gate:    kept.gate,
		Retries: kept.retries,
		spec:    spec,
		files:   files,
		routes:  routes(spec),
		slot:    active,
	}
}

// lasting is what all versions of a service share.
type lasting struct {
	gate    *Gate
	retries *balancer.RetryBudget
	rollout rolloutSlot
}

// newLasting is that of a new service.
func (r *Registry) newLasting() lasting {
	return lasting{gate: NewGate(r.options.MaxPaused), retries: balancer.NewRetryBudget()}
}

// lasting is what the next version takes over.
func (s *Service) lasting() lasting {
	kept := lasting{gate: s.Gate, retries: s.Retries}
	if s.Rollout != nil {
		kept.rollout = s.Rollout.rolloutSlot
	}
	return kept
}

// with returns a version that differs from s in its active targets only.
func (s *Service) with(active slot) *Service {
	return newService(s.Name, s.spec, s.files, active, s.lasting())
}

// targets returns the addresses and weights of the service's active targets that
// are no readers.
func (s *Service) targets() []api.Target { return specsOf(s.members) }

// member returns the target with address that is no reader and in the active slot,
// or nil.
func (s *Service) member(address string) *member { return find(s.members, address) }

// all is every target of the service, in both slots.
func (s *Service) all() []*member {
	all := s.slot.all()
	if s.Rollout != nil {
		all = append(all, s.Rollout.all()...)
	}
	return all
}

// live reports whether a target of the service takes every request for being
// healthy and not draining.
func (s *Service) live() bool { return slices.ContainsFunc(s.members, (*member).live) }

// Serves reports whether a target takes requests, or would once the gate lets them
// through.
func (s *Service) Serves() bool { return s.live() }

// liveBeside reports whether a target other than m's takes the requests that m's
// does: readers and rollout targets are stood in for by those of Pool.
func (s *Service) liveBeside(m *member) bool {
	return slices.ContainsFunc(s.members, func(o *member) bool { return o != m && o.live() })
}

// has reports whether m is one of the targets of Pool.
func (s *Service) has(m *member) bool { return slices.Contains(s.members, m) }
