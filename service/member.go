package service

import (
	"context"
	"reflect"
	"time"

	"go.uber.org/zap"

	"upfront/api"
	"upfront/balancer"
	"upfront/dial"
	"upfront/health"
	"upfront/internal/logfield"
)

// member is one target of a service together with what probes it. Versions of a
// service share their members; a deploy always makes new ones.
type member struct {
	registry *Registry
	service  string
	spec     api.Target
	traits   traits
	target   *balancer.Target
	dialer   *dial.Dialer
	monitor  *health.Monitor

	changed chan<- struct{}    // capacity 1: a verdict of the set changed; may be nil
	onEnd   func(func())       // has a function called when cancel was
	cancel  context.CancelFunc // asks the probes to end
	stopped chan struct{}      // closed when the probes have ended
}

// traits is the part of a spec that a member is made from; a spec that differs
// in any of it needs new members.
type traits struct {
	check       api.HealthCheck
	tls         api.TargetTLS
	maxInFlight int
	slowStart   api.Duration
}

func traitsOf(spec api.Spec) traits {
	return traits{check: spec.HealthCheck, tls: targetTLS(spec), maxInFlight: spec.MaxInFlight, slowStart: spec.SlowStart}
}

func (t traits) equal(o traits) bool { return reflect.DeepEqual(t, o) }

// newMember makes a target and its monitor. Nothing is probed before start.
func (r *Registry) newMember(service string, spec api.Spec, target api.Target, initial health.Status, changed chan<- struct{}) *member {
	m := &member{
		registry: r,
		service:  service,
		spec:     target,
		traits:   traitsOf(spec),
		changed:  changed,
		dialer:   newDialer(spec, target.Address),
		stopped:  make(chan struct{}),
	}
	probing, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	m.onEnd = func(end func()) { context.AfterFunc(probing, end) }
	var transport balancer.Transport
	if r.options.NewTransport != nil {
		transport = r.options.NewTransport(m.dialer)
	}
	probed := healthOptions(spec.HealthCheck, m.dialer, initial)
	probed.Crowd = r.crowd
	m.monitor = health.NewMonitor(probed, m.onChange)
	m.target = balancer.NewTarget(balancer.TargetOptions{
		Address:     target.Address,
		Weight:      target.Weight,
		MaxInFlight: spec.MaxInFlight,
		SlowStart:   spec.SlowStart.Std(),
		Health:      initial,
		Transport:   transport,
		OnSuspect:   m.suspect,
	})
	return m
}

// healthOptions translates a health check that has its defaults and is valid.
func healthOptions(check api.HealthCheck, dialer *dial.Dialer, initial health.Status) health.Options {
	low, high, err := api.ParseStatus(check.Status)
	if err != nil {
		panic("BUG: health check was not validated: " + err.Error())
	}
	return health.Options{
		Address:          dialer.Host(),
		Dial:             probes(dialer, check.Port),
		Paths:            check.Paths,
		GRPC:             check.GRPC,
		Port:             check.Port,
		Host:             check.Host,
		Headers:          check.Headers,
		Interval:         check.Interval.Std(),
		Timeout:          check.Timeout.Std(),
		HealthyThreshold: check.HealthyThreshold,
		MaxAttempts:      check.MaxAttempts,
		StatusMin:        low,
		StatusMax:        high,
		Body:             check.Body,
		Initial:          initial,
	}
}

// suspect hands the evidence of traffic to the monitor, unless no other target
// could take over: then a doubtful target still serves better than none, and only
// its probes decide, each on a connection of its own.
func (m *member) suspect(reason string) {
	if live := m.registry.published(m.service); live != nil && live.liveBeside(m) {
		m.monitor.Suspect(reason)
		return
	}
	m.monitor.Distrust()
}

// onChange is called by the monitor's goroutine.
func (m *member) onChange(c health.Change) {
	m.target.SetHealth(c.To)
	select {
	case m.changed <- struct{}{}:
	default:
	}
	fields := []zap.Field{
		logfield.Service(m.service), logfield.Target(m.spec.Address),
		logfield.PreviousState(c.From.String()), logfield.Reason(c.Reason),
	}
	if c.To == health.Healthy {
		m.registry.logger.Info("Target became healthy", fields...)
		return
	}
	m.registry.logger.Info("Target became unhealthy", fields...)
	if live := m.registry.published(m.service); live != nil && live.has(m) && !live.live() {
		m.registry.logger.Warn("Service has no healthy target left",
			logfield.Service(m.service), logfield.Reason(c.Reason))
	}
}

// start lets the probes begin, now or when Run starts.
func (m *member) start() {
	if !m.registry.crew.keep(m.probe) {
		close(m.stopped)
	}
}

// probe runs the monitor until stop or the end of the registry, in no goroutine of
// its own.
func (m *member) probe(ctx context.Context, done func()) {
	// New targets do not wait for those that serve already, of which a restart may have
	// thousands.
	pace := &m.registry.pace
	if m.monitor.Status() == health.Healthy {
		pace = &m.registry.again
	}
	m.monitor.Start(pace.wait(time.Now()))
	forget := context.AfterFunc(ctx, m.cancel)
	m.onEnd(func() {
		defer done()
		defer close(m.stopped)
		forget()
		m.monitor.Stop()
	})
}

// stop ends the probes and waits for them. Only for a member that was started.
func (m *member) stop() {
	m.cancel()
	select {
	case <-m.registry.crew.begun:
		<-m.stopped
	default: // not running yet: it will end as soon as it begins
	}
}

// discard forgets a member that was never published. Only for one that was
// started.
func (m *member) discard() {
	m.stop()
	m.close()
}

func (m *member) close() {
	m.cancel()
	m.target.Close()
}

// drain empties the target within timeout, cuts what is left, and says what
// became of it.
func (m *member) drain(timeout time.Duration) api.Drained {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	start := time.Now()
	cut := m.target.Drain(ctx)
	return api.Drained{Target: m.spec.Address, Waited: api.Duration(time.Since(start)), Cut: cut}
}

func (m *member) live() bool {
	return m.target.Health() == health.Healthy && !m.target.Draining()
}

// lastProbe is one sentence about the last probe, or about its absence.
func (m *member) lastProbe() string {
	if last, ok := m.monitor.Last(); ok {
		return last.String()
	}
	if m.traits.check.GRPC != nil {
		return "no answer yet to POST " + health.GRPCPath
	}
	return "no answer yet to GET " + m.traits.check.Paths[0]
}

func (m *member) progress() api.TargetProgress {
	return api.TargetProgress{
		Target:   m.spec.Address,
		Health:   m.monitor.Status().String(),
		Probe:    m.lastProbe(),
		InFlight: m.target.InFlight(),
	}
}
