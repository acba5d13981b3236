package service

import (
	"context"

	"upfront/api"
)

// SKELETON: what is not written yet.

type (
	turns   struct{}
	store   struct{}
	pending struct{}
)

func (s *store) save(*world) error { return nil }
func (s *store) close()            {}
func (r *Registry) restore() error { return nil }

func encodeRecord(*entry) ([]byte, error) { return nil, nil }

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
