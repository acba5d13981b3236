package api

import (
	"maps"
	"slices"
	"strings"
)

// The defaults of a Spec and its HealthCheck.
const (
	DefaultHealthPath       = "/up"
	DefaultHealthInterval   = Duration(1e9)
	DefaultHealthTimeout    = Duration(5e9)
	DefaultHealthyThreshold = 1
	DefaultMaxAttempts      = 3
	DefaultHealthStatus     = "200-299"
	DefaultTargetTimeout    = Duration(30e9)
	DefaultBufferMemory     = 1 << 20
	DefaultTargetPort       = 80
	DefaultTargetTLSPort    = 443
	DefaultWeight           = 1
	// DefaultWriterAffinityTimeout is kamal-proxy's.
	DefaultWriterAffinityTimeout = Duration(1e9)
)

// WithDefaults returns s with every zero field set to its documented default
// and its hosts and path prefixes in the one form in which they are compared:
// hosts in lower case without a trailing dot, prefixes with a leading and
// without a trailing slash. It shares nothing with s, and applying it twice
// changes nothing.
func (s Spec) WithDefaults() Spec {
	s.Hosts = mapEach(s.Hosts, normalHost)
	s.PathPrefixes = mapEach(s.PathPrefixes, normalPrefix)
	if len(s.PathPrefixes) == 0 {
		s.PathPrefixes = []string{"/"}
	}
	s.CanonicalHost = normalHost(s.CanonicalHost)
	s.TLS = s.TLS.withDefaults()
	s.HealthCheck = s.HealthCheck.WithDefaults()
	s.TargetTLS = clonePointer(s.TargetTLS)
	if s.Policy == "" {
		s.Policy = PolicyRoundRobin
	}
	if s.TargetTimeout == 0 {
		s.TargetTimeout = DefaultTargetTimeout
	}
	if s.BufferMemory == 0 {
		s.BufferMemory = DefaultBufferMemory
	}
	if s.WriterAffinityTimeout == 0 {
		s.WriterAffinityTimeout = DefaultWriterAffinityTimeout
	}
	if s.ForwardHeaders != nil {
		s.ForwardHeaders = new(*s.ForwardHeaders)
	}
	s.LogRequestHeaders = mapEach(s.LogRequestHeaders, same)
	s.LogResponseHeaders = mapEach(s.LogResponseHeaders, same)
	s.ExcludeMetricsPaths = mapEach(s.ExcludeMetricsPaths, same)
	return s
}

// WithDefaults returns h with every zero field set to its documented default.
// It shares nothing with h.
func (h HealthCheck) WithDefaults() HealthCheck {
	h.Paths = slices.Clone(h.Paths)
	if len(h.Paths) == 0 {
		h.Paths = []string{DefaultHealthPath}
	}
	h.Headers = maps.Clone(h.Headers)
	h.GRPC = clonePointer(h.GRPC)
	if h.Interval == 0 {
		h.Interval = DefaultHealthInterval
	}
	if h.Timeout == 0 {
		h.Timeout = DefaultHealthTimeout
	}
	if h.HealthyThreshold == 0 {
		h.HealthyThreshold = DefaultHealthyThreshold
	}
	if h.MaxAttempts == 0 {
		h.MaxAttempts = DefaultMaxAttempts
	}
	if h.Status == "" {
		h.Status = DefaultHealthStatus
	}
	return h
}

// WithDefaults returns t with weight 1 when it has none, and its address in the one
// form in which addresses are compared. One that is not valid is left as it is;
// Validate says why.
func (t Target) WithDefaults() Target {
	if address, err := ParseAddress(t.Address); err == nil {
		t.Address = address
	}
	if t.Weight == 0 {
		t.Weight = DefaultWeight
	}
	return t
}

// WithDefaults returns r with its timeouts, spec and targets completed.
func (r DeployRequest) WithDefaults() DeployRequest {
	r.Spec = r.Spec.WithDefaults()
	r.Targets = mapEach(r.Targets, Target.WithDefaults)
	r.Readers = mapEach(r.Readers, Target.WithDefaults)
	r.DeployTimeout = orDefault(r.DeployTimeout, DefaultDeployTimeout)
	r.DrainTimeout = orDefault(r.DrainTimeout, DefaultDrainTimeout)
	return r
}

// WithDefaults returns r with its timeout and target completed.
func (r AddRequest) WithDefaults() AddRequest {
	r.Target = r.Target.WithDefaults()
	r.DeployTimeout = orDefault(r.DeployTimeout, DefaultDeployTimeout)
	return r
}

// WithDefaults returns r with its timeout and the address of its target in its one form.
func (r RemoveRequest) WithDefaults() RemoveRequest {
	r.Target = defaultAddress(r.Target)
	r.DrainTimeout = orDefault(r.DrainTimeout, DefaultDrainTimeout)
	return r
}

// WithDefaults returns r with its timeout and the address of its target in its one form.
func (r DrainRequest) WithDefaults() DrainRequest {
	r.Target = defaultAddress(r.Target)
	r.DrainTimeout = orDefault(r.DrainTimeout, DefaultDrainTimeout)
	return r
}

// WithDefaults returns r with its timeouts completed.
func (r PauseRequest) WithDefaults() PauseRequest {
	r.DrainTimeout = orDefault(r.DrainTimeout, DefaultDrainTimeout)
	r.MaxPause = orDefault(r.MaxPause, DefaultMaxPause)
	return r
}

// WithDefaults returns r with its timeout completed, and the lines of its message
// ended in one way.
func (r StopRequest) WithDefaults() StopRequest {
	r.Message = normalLines(r.Message)
	r.DrainTimeout = orDefault(r.DrainTimeout, DefaultDrainTimeout)
	return r
}

// WithDefaults returns r with its timeouts completed.
func (r RollbackRequest) WithDefaults() RollbackRequest {
	r.DeployTimeout = orDefault(r.DeployTimeout, DefaultDeployTimeout)
	r.DrainTimeout = orDefault(r.DrainTimeout, DefaultDrainTimeout)
	return r
}

func orDefault(d, fallback Duration) Duration {
	if d == 0 {
		return fallback
	}
	return d
}

func defaultAddress(address string) string {
	if parsed, err := ParseAddress(address); err == nil {
		return parsed
	}
	return address
}

func normalLines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

func normalHost(host string) string {
	return strings.TrimSuffix(strings.ToLower(strings.TrimSpace(host)), ".")
}

func normalPrefix(prefix string) string {
	prefix = "/" + strings.TrimPrefix(strings.TrimSpace(prefix), "/")
	if prefix == "/" {
		return prefix
	}
	return strings.TrimSuffix(prefix, "/")
}

// clonePointer returns a pointer to a copy of what p points to, nil for nil.
func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

func same(text string) string { return text }

// mapEach returns a new slice, nil for an empty one, so that an absent list and
// an empty one compare equal.
func mapEach[T any](in []T, each func(T) T) []T {
	if len(in) == 0 {
		return nil
	}
	out := make([]T, len(in))
	for i, v := range in {
		out[i] = each(v)
	}
	return out
}
