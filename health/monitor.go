package health

import (
	"context"
	"sync/atomic"
	"time"
)

// Change is a verdict that differs from the one before.
type Change struct {
	From, To Status
	// Reason is what the deciding probe saw, in one sentence, or what Suspect
	// was told.
	Reason string
}

// Monitor keeps the status of one target: it probes the target again and again
// and judges what it sees, from Start to Stop. A monitor that waits for its next
// probe holds no goroutine. Status, Since, Last and Suspect are cheap and safe for
// concurrent use, before, during and after that.
type Monitor struct {
	o        Options      // with defaults; immutable
	prober   prober       // immutable
	onChange func(Change) // immutable; called by the holder of loop.turn only

	suspicion  atomic.Pointer[string] // the first that nobody has taken yet
	distrusted atomic.Bool            // by Distrust; nobody has taken it yet
	status     atomic.Pointer[statusSince]
	last       atomic.Pointer[Result]

	loop loop
}

type statusSince struct {
	status Status
	since  time.Time
}

// NewMonitor returns a monitor whose status is o.Initial. It starts nothing: Start
// does. onChange may be nil; it is called from a goroutine of the monitor, one call
// after the other, in order, only when the status changed and when Status says so
// already; probing waits until it returns. It must not call Stop.
func NewMonitor(o Options, onChange func(Change)) *Monitor {
	o = o.withDefaults()
	if o.GRPC != nil {
		return newMonitor(o, newGRPCProber(o), onChange)
	}
	return newMonitor(o, newHTTPProber(o), onChange)
}

func newMonitor(o Options, p prober, onChange func(Change)) *Monitor {
	if onChange == nil {
		onChange = func(Change) {}
	}
	m := &Monitor{o: o, prober: p, onChange: onChange}
	m.loop.tracker = newTracker(m.o)
	m.status.Store(&statusSince{o.Initial, time.Now()})
	return m
}

// Status is the latest verdict. After Stop it stays what it was.
func (m *Monitor) Status() Status { return m.status.Load().status }

// Since is when Status became what it is.
func (m *Monitor) Since() time.Time { return m.status.Load().since }

// Last returns the last probe's result; ok is false before the first probe.
func (m *Monitor) Last() (r Result, ok bool) {
	if last := m.last.Load(); last != nil {
		return *last, true
	}
	return Result{}, false
}

// Suspect reports evidence of traffic, such as "connection reset". It turns a
// healthy target unhealthy at once, and has it probed at once: one good probe that
// started after the evidence makes it healthy again. On a target that is not
// healthy it does nothing. It never blocks.
func (m *Monitor) Suspect(reason string) {
	if m.Status() == Healthy && m.suspicion.CompareAndSwap(nil, &reason) {
		m.loop.alarm.set(0)
	}
}

// Distrust has the probes to come, or the one under way, connect anew: traffic had
// trouble with the target, which a kept connection might hide. It never blocks.
func (m *Monitor) Distrust() {
	m.distrusted.Store(true)
	m.loop.alarm.set(0)
}

// Run probes the target from now until ctx ends, and returns when no probe runs any more.
// Call either it or Start, once.
func (m *Monitor) Run(ctx context.Context) {
	m.Start(0)
	<-ctx.Done()
	m.Stop()
}
