package health

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// loop is what a monitor does between Start and Stop. The runtime's timers are the
// schedule of all monitors: a goroutine runs from the time when a probe is due until
// its result is judged, and none in between.
type loop struct {
	// turn is held while something is judged and told, never during a probe: one
	// that hangs holds up neither the evidence of traffic nor Stop.
	turn    sync.Mutex
	tracker tracker        // guarded by turn
	timer   *time.Timer    // set by Start, reset under turn; calls probe
	ending  bool           // guarded by turn
	running sync.WaitGroup // of the probe under way; added to under turn
	// cancel ends the probe under way; nil when there is none. Guarded by turn.
	cancel context.CancelFunc
	// proves is whether the result of the probe under way says anything: evidence of
	// traffic that came after its start outdoes it. Guarded by turn.
	proves bool
	// young is whether the probe under way counts in young. Guarded by turn.
	young bool
	// due is when the next probe may start. Guarded by turn.
	due time.Time
	// started is when the last probe did. Guarded by turn.
	started time.Time
	// suspected is when traffic last asked for a probe. Guarded by turn.
	suspected time.Time
}

// Start begins to probe the target: the first time when first has passed (a target that
// is Healthy from the start up to half a second later), then by schedule, and never
// twice at the same time. Zero is at once. Call it once.
func (m *Monitor) Start(first time.Duration) {
	l := &m.loop
	if m.o.Initial == Healthy {
		first += jitter(min(m.o.Interval, restoredWait), 0, 1, rand.Float64())
	}
	l.turn.Lock()
	l.due = time.Now().Add(first)
	l.timer = time.AfterFunc(first, m.probe)
	l.turn.Unlock()
	m.look()
}

// Stop ends the probing, and returns when no probe runs any more. Only after Start.
func (m *Monitor) Stop() {
	l := &m.loop
	l.turn.Lock()
	l.ending = true
	l.timer.Stop()
	if l.cancel != nil {
		l.cancel()
	}
	l.turn.Unlock()
	l.running.Wait()
}

// probe runs one probe, judges its result and plans the next one.
func (m *Monitor) probe() {
	l := &m.loop
	ctx, ok := m.begin()
	if !ok {
		return
	}
	defer l.running.Done()
	r := m.prober.Probe(ctx)
	l.turn.Lock()
	defer l.turn.Unlock()
	l.cancel()
	l.cancel = nil
	l.age()
	switch {
	case l.ending: // the probe failed because we did
	case l.proves:
		m.finish(r)
	default:
		l.plan(l.suspected)
	}
}

// begin reports whether there is to be a probe, which then counts as under way.
func (m *Monitor) begin() (context.Context, bool) {
	l := &m.loop
	l.turn.Lock()
	defer l.turn.Unlock()
	now := time.Now()
	switch {
	case l.ending:
		return nil, false
	case l.cancel != nil: // it has been under way for youngFor
		l.age()
		return nil, false
	case now.Before(l.due): // the timer fired before it was set anew
		return nil, false
	case !takePlace():
		l.plan(now.Add(jitter(placeWait, 0.5, 1.5, rand.Float64())))
		return nil, false
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel, l.proves, l.started, l.young = cancel, true, now, true
	l.timer.Reset(youngFor)
	l.running.Add(1)
	return ctx, true
}

// finish judges the result of a probe and plans the next one. The caller holds turn.
func (m *Monitor) finish(r Result) {
	l := &m.loop
	m.last.Store(&r)
	// A probe that found no descriptor says nothing about the target: clients
	// that use them all up must not take every target out.
	if !noDescriptor(r.Err) && l.tracker.observe(r.OK) {
		m.changed(r.String())
	}
	age := l.started.Sub(m.Since())
	next := wait(m.o.Interval, l.tracker.status, l.tracker.unsettled(), age, rand.Float64())
	// Counted from the start of the probe: one that took long adds nothing.
	l.plan(l.started.Add(next))
}

// plan sets when the next probe starts. The caller holds turn.
func (l *loop) plan(at time.Time) {
	l.due = at
	l.timer.Reset(time.Until(at))
}

// age gives the place of the probe under way to another. The caller holds turn.
func (l *loop) age() {
	if l.young {
		l.young = false
		givePlace()
	}
}

// look has the suspicion taken, if there is one, by a goroutine of its own: whoever
// reports evidence does not wait for a turn. That goroutine may come after Stop, and
// then only sees that it is late.
func (m *Monitor) look() {
	if m.suspicion.Load() != nil {
		time.AfterFunc(0, m.suspect)
	}
}

// suspect takes evidence of traffic. A probe under way started before it, so
// what that one sees proves nothing: it makes room for one that does.
func (m *Monitor) suspect() {
	l := &m.loop
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.ending || l.timer == nil { // Start looks again
		return
	}
	reason := m.suspicion.Swap(nil)
	if reason == nil || !l.tracker.suspect() {
		return
	}
	m.changed(*reason)
	at := l.suspected.Add(suspectWait)
	if now := time.Now(); at.Before(now) {
		at = now
	}
	l.suspected = at
	if l.cancel != nil {
		l.proves = false
		l.cancel() // probe goes on from there
		return
	}
	l.plan(at)
}

// changed publishes the tracker's status and tells onChange. The caller holds turn.
func (m *Monitor) changed(reason string) {
	from, to := m.Status(), m.loop.tracker.status
	m.status.Store(&statusSince{to, time.Now()})
	m.onChange(Change{From: from, To: to, Reason: reason})
}
