package health

import (
	"context"
	"math/rand/v2"
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
// and judges what it sees. Run does the work; the other methods are cheap and
// safe for concurrent use, before, during and after Run.
type Monitor struct {
	o        Options      // with defaults; immutable
	prober   prober       // immutable
	onChange func(Change) // immutable; called by Run only
	suspects chan string  // to Run; one is enough, the rest say the same

	status atomic.Pointer[statusSince] // written by NewMonitor, then by Run only
	last   atomic.Pointer[Result]      // written by Run only
}

type statusSince struct {
	status Status
	since  time.Time
}

// NewMonitor returns a monitor whose status is o.Initial. It starts nothing: Run
// does. onChange may be nil; Run calls it from its own goroutine, one call after
// the other, in order, only when the status changed and when Status says so
// already; probing waits until it returns.
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
	m := &Monitor{o: o, prober: p, onChange: onChange, suspects: make(chan string, 1)}
	m.status.Store(&statusSince{o.Initial, time.Now()})
	return m
}

// Status is the latest verdict. After Run it stays what it was.
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

// Suspect reports evidence of traffic, such as "connection reset". Run turns a
// healthy target unhealthy at once, and probes it at once: one good probe that
// started after the evidence makes it healthy again. On a target that is not
// healthy it does nothing. It never blocks.
func (m *Monitor) Suspect(reason string) {
	if m.Status() != Healthy {
		return
	}
	select {
	case m.suspects <- reason:
	default: // Run has not looked yet
	}
}

// Run probes the target until ctx ends: the first time at once (a target that
// is Healthy from the start within half a second), then by schedule, and never
// twice at the same time. It returns when no probe runs any more. Call it once.
func (m *Monitor) Run(ctx context.Context) {
	l := &loop{Monitor: m, tracker: newTracker(m.o), results: make(chan Result, 1)}
	first := time.Duration(0)
	if m.o.Initial == Healthy {
		first = jitter(min(m.o.Interval, restoredWait), 0, 1, rand.Float64())
	}
	l.timer = time.NewTimer(first)
	defer l.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			l.abort()
			return
		case <-l.timer.C:
			l.start(ctx)
		case r := <-l.results:
			l.cancel()
			l.cancel = nil
			if ctx.Err() == nil { // else the probe failed because we did
				l.finish(r)
			}
		case reason := <-m.suspects:
			l.suspect(reason)
		}
	}
}

// loop is the state of one Run; its goroutine owns it.
type loop struct {
	*Monitor
	tracker tracker
	timer   *time.Timer
	// results brings the one probe under way home.
	results chan Result
	// cancel ends the probe under way; nil when there is none.
	cancel context.CancelFunc
	// started is when the last probe did.
	started time.Time
	// suspected is when traffic last asked for a probe.
	suspected time.Time
}

// start runs a probe beside the loop, so that a probe that hangs holds up
// neither the evidence of traffic nor the end of Run.
func (l *loop) start(ctx context.Context) {
	ctx, l.cancel = context.WithCancel(ctx)
	l.started = time.Now()
	go l.probe(ctx)
}

func (l *loop) probe(ctx context.Context) { l.results <- l.prober.Probe(ctx) }

// abort ends the probe under way, if there is one, and drops its result.
func (l *loop) abort() {
	if l.cancel != nil {
		l.cancel()
		<-l.results
		l.cancel = nil
	}
}

// finish judges the result of a probe and plans the next one.
func (l *loop) finish(r Result) {
	l.last.Store(&r)
	// A probe that found no descriptor says nothing about the target: clients
	// that use them all up must not take every target out.
	if !noDescriptor(r.Err) && l.tracker.observe(r.OK) {
		l.changed(r.String())
	}
	age := l.started.Sub(l.Since())
	next := wait(l.o.Interval, l.tracker.status, l.tracker.unsettled(), age, rand.Float64())
	// Counted from the start of the probe: one that took long adds nothing.
	l.timer.Reset(time.Until(l.started.Add(next)))
}

// suspect takes evidence of traffic. A probe under way started before it, so
// what that one sees proves nothing: it makes room for one that does.
func (l *loop) suspect(reason string) {
	if !l.tracker.suspect() {
		return
	}
	l.changed(reason)
	l.abort()
	at := l.suspected.Add(suspectWait)
	if now := time.Now(); at.Before(now) {
		at = now
	}
	l.suspected = at
	l.timer.Reset(time.Until(at))
}

// changed publishes the tracker's status and tells onChange.
func (l *loop) changed(reason string) {
	from, to := l.Status(), l.tracker.status
	l.status.Store(&statusSince{to, time.Now()})
	l.onChange(Change{From: from, To: to, Reason: reason})
}
