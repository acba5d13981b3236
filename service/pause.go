package service

import (
	"context"
	"time"

	"upfront/api"
	"upfront/internal/logfield"
)

// Pause holds new requests of a service and waits until nothing is in flight.
// What is still in flight at the drain timeout (a WebSocket, say) is left alone.
// A caller that leaves does not undo the pause.
func (r *Registry) Pause(_ context.Context, name string, req api.PauseRequest, progress func(api.Progress)) (*api.Result, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	req = req.WithDefaults()
	live, p, err := r.setGate(name, api.GateState{State: Paused.String(), MaxPause: req.MaxPause})
	if err != nil {
		return nil, err
	}
	drained := r.quiet(live, p, req.DrainTimeout.Std(), false, progress)
	return &api.Result{Service: name, Targets: live.targets(), Drained: drained}, nil
}

// Stop answers every new request of a service with the maintenance page and
// waits until nothing is in flight; at the drain timeout it cuts what is left.
// A caller that leaves does not undo the stop.
func (r *Registry) Stop(_ context.Context, name string, req api.StopRequest, progress func(api.Progress)) (*api.Result, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	req = req.WithDefaults()
	live, p, err := r.setGate(name, api.GateState{State: Stopped.String(), Message: req.Message})
	if err != nil {
		return nil, err
	}
	drained := r.quiet(live, p, req.DrainTimeout.Std(), true, progress)
	return &api.Result{Service: name, Targets: live.targets(), Drained: drained}, nil
}

// Resume lets the requests of a service through again, those that are held first.
func (r *Registry) Resume(_ context.Context, name string) (*api.Result, error) {
	live, _, err := r.setGate(name, api.GateState{})
	if err != nil {
		return nil, err
	}
	return &api.Result{Service: name, Targets: live.targets()}, nil
}

// setGate writes the new state of the gate down, and then makes it so. It
// returns the phase that began; nil when the gate runs.
func (r *Registry) setGate(name string, state api.GateState) (live *Service, p *phase, err error) {
	err = r.commit(func(d *draft) error {
		cur := d.entries[name]
		if cur == nil {
			return notFound(name)
		}
		live = cur.live
		next := cur.clone()
		next.gate = state
		d.after(func() {
			live.Gate.restore(state)
			p = live.Gate.closed.Load()
		})
		return d.put(next)
	})
	if err == nil {
		r.logger.Info("Service gate changed", logfield.Service(name), logfield.State(live.Gate.State().String()))
	}
	return live, p, err
}

// quiet waits until the targets, and those that are leaving, are idle, timeout has passed or phase p of the
// gate is over. Only while p lasts may it cut: after a resume, what is in flight
// is new.
func (r *Registry) quiet(live *Service, p *phase, timeout time.Duration, cut bool, report reporter) []api.Drained {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		select {
		case <-p.over:
			cancel()
		case <-ctx.Done():
		}
	}()
	drained := together(append(r.leaving.of(live.Name), live.all()...), report, func(m *member) api.Drained {
		start := time.Now()
		out := api.Drained{Target: m.spec.Address}
		if !m.target.WaitIdle(ctx) {
			live.Gate.during(p, func() {
				if transport := m.target.Transport(); cut && transport != nil {
					out.Cut = transport.Cut()
				} else {
					out.Left = int(m.target.InFlight())
				}
			})
		}
		out.Waited = api.Duration(time.Since(start))
		return out
	})
	cancel()
	<-watching
	return drained
}
