package service

import (
	"context"
	"time"

	"go.uber.org/zap"

	"upfront/api"
	"upfront/balancer"
)

// SKELETON: signatures that other packages compile against.

type Options struct {
	// StatePath is the state file; "" keeps no state.
	StatePath string
	Logger    *zap.Logger
	// NewTransport makes the transport of one target; nil in tests.
	NewTransport func(address string) balancer.Transport
	// MaxPaused is how many requests one paused service may hold. Default 10000.
	MaxPaused int
}

// Registry is every service, and the table that requests read.
type Registry struct{}

// New reads the state file and returns a registry whose table is published. It
// starts nothing: Run does.
func New(o Options) (*Registry, error) { return nil, nil }

// Run probes the targets until ctx ends, then stops every probe and waits for them.
func (r *Registry) Run(ctx context.Context) error { return nil }

// Match finds the service for a request: one atomic load. prefix is the part of the
// path that the route matched. The returned Service is immutable.
func (r *Registry) Match(host, path []byte) (svc *Service, prefix string, ok bool) {
	return nil, "", false
}

// Service is one published version of a service. Immutable but for what the Gate,
// the targets and the counters hold. A request reads it once.
type Service struct {
	Name           string
	StripPrefix    bool
	TargetTimeout  time.Duration // <=0 off (defaults already applied)
	MaxRequestBody int64
	HealthPaths    []string // answered 200 while paused or stopped
	Pool           *balancer.Pool
	Gate           *Gate
}

type GateState int32

const (
	Running GateState = iota
	Paused
	Stopped
)

// Gate holds or refuses the requests of a service. It outlives the service's versions.
type Gate struct{}

// State is one atomic load.
func (g *Gate) State() GateState { return Running }

// Message is the maintenance message while stopped.
func (g *Gate) Message() string { return "" }

// Wait holds the caller while the gate is paused. It returns nil when resumed,
// ErrStopped, ErrPauseTimeout (max pause reached), ErrPauseFull (too many held), or
// ctx's error.
func (g *Gate) Wait(ctx context.Context) error { return nil }

// Calls of the control socket. progress may be nil; it is called from one goroutine.
func (r *Registry) Deploy(ctx context.Context, name string, req api.DeployRequest, progress func(api.Progress)) (*api.Result, error) {
	return nil, nil
}
func (r *Registry) Add(ctx context.Context, name string, req api.AddRequest, progress func(api.Progress)) (*api.Result, error) {
	return nil, nil
}
func (r *Registry) Remove(ctx context.Context, name string, req api.RemoveRequest, progress func(api.Progress)) (*api.Result, error) {
	return nil, nil
}
func (r *Registry) Drain(ctx context.Context, name string, req api.DrainRequest, progress func(api.Progress)) (*api.Result, error) {
	return nil, nil
}
func (r *Registry) Pause(ctx context.Context, name string, req api.PauseRequest, progress func(api.Progress)) (*api.Result, error) {
	return nil, nil
}
func (r *Registry) Stop(ctx context.Context, name string, req api.StopRequest, progress func(api.Progress)) (*api.Result, error) {
	return nil, nil
}
func (r *Registry) Resume(ctx context.Context, name string) (*api.Result, error) { return nil, nil }
func (r *Registry) Rollback(ctx context.Context, name string, req api.RollbackRequest, progress func(api.Progress)) (*api.Result, error) {
	return nil, nil
}
func (r *Registry) Services() []api.ServiceInfo                 { return nil }
func (r *Registry) Service(name string) (api.ServiceInfo, bool) { return api.ServiceInfo{}, false }
func (r *Registry) StateStatus() api.StateStatus                { return api.StateStatus{} }

// Declared is one service of the config file.
type Declared struct {
	Name string
	Spec api.Spec
	// Targets fixed by the file; nil when the control socket sets them.
	Targets       []api.Target
	DeployTimeout api.Duration
	DrainTimeout  api.Duration
}

// Check validates what a config file declares against itself and against the services
// that the socket owns, and changes nothing. Apply makes it live.
func (r *Registry) Check(declared []Declared) error { return nil }
func (r *Registry) Apply(declared []Declared) error { return nil }
