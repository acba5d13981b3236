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
	// Gate holds or refuses requests. Never nil; the same for every version.
	Gate *Gate
	// Retries bounds how often requests are sent again. The same for every
	// version; nil is no bound.
	Retries *balancer.RetryBudget

	spec    api.Spec // with defaults
	files   onDisk
	routes  []route.Route
	members []*member // in the order of the pool
}

// newService returns a version of the service name that sends to members. spec
// has its defaults.
func newService(name string, spec api.Spec, files onDisk, members []*member, kept lasting) *Service {
	targets := make([]*balancer.Target, len(members))
	for i, m := range members {
		targets[i] = m.target
	}
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
		Pool: balancer.NewPool(targets, balancer.PoolOptions{
			Policy:   string(spec.Policy),
			FailOpen: spec.FailOpen,
		}),
		Gate:    kept.gate,
		Retries: kept.retries,
		spec:    spec,
		files:   files,
		routes:  routes(spec),
		members: members,
	}
}

// lasting is what all versions of a service share.
type lasting struct {
	gate    *Gate
	retries *balancer.RetryBudget
}

// newLasting is that of a new service.
func (r *Registry) newLasting() lasting {
	return lasting{gate: NewGate(r.options.MaxPaused), retries: balancer.NewRetryBudget()}
}

// lasting is what the next version takes over.
func (s *Service) lasting() lasting { return lasting{gate: s.Gate, retries: s.Retries} }

// with returns a version that differs from s in its members only.
func (s *Service) with(members []*member) *Service {
	return newService(s.Name, s.spec, s.files, members, s.lasting())
}

// targets returns the addresses and weights of the service's targets.
func (s *Service) targets() []api.Target {
	all := make([]api.Target, len(s.members))
	for i, m := range s.members {
		all[i] = m.spec
	}
	return all
}

// member returns the target with address, or nil.
func (s *Service) member(address string) *member {
	for _, m := range s.members {
		if m.spec.Address == address {
			return m
		}
	}
	return nil
}

// live reports whether a target of the service takes requests for being healthy
// and not draining.
func (s *Service) live() bool {
	for _, m := range s.members {
		if m.live() {
			return true
		}
	}
	return false
}

// liveBeside reports whether a target other than m's takes requests.
func (s *Service) liveBeside(m *member) bool {
	return slices.ContainsFunc(s.members, func(o *member) bool { return o != m && o.live() })
}

// has reports whether m is one of the targets.
func (s *Service) has(m *member) bool { return slices.Contains(s.members, m) }
