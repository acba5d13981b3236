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
	alarm alarm // rings when there is something to do

	// turn is held while something is judged and told, never during a probe: one
	// that hangs holds up neither the evidence of traffic nor Stop. It guards all below.
	turn      sync.Mutex
	tracker   tracker
	ending    bool
	asking    bool               // a probe is under way on kept
	cancel    context.CancelFunc // ends the probe under way on a new connection; nil when there is none
	proves    bool               // the result of the probe on a new connection says something: no evidence came after its start
	young     bool               // the probe under way has a place
	kept      *kept              // nil when there is none
	alone     int                // how many probes still have a connection of their own, whoever else keeps one
	due       time.Time          // when the next probe may start
	started   time.Time          // when the last probe did
	suspected time.Time          // when traffic last asked for a probe
}

// Start begins to probe the target: the first time when first has passed (a target that
// is Healthy from the start up to half a second later), then by schedule, and never
// twice at the same time. Zero is at once. Call it once.
func (m *Monitor) Start(first time.Duration) {
	l := &m.loop
	if m.o.Initial == Healthy {
		first += jitter(min(m.o.Interval, restoredWait), 0, 1, rand.Float64())
	}
	m.o.Crowd.probed.Add(1)
	l.turn.Lock()
	l.due = time.Now().Add(first)
	l.turn.Unlock()
	l.alarm.begin(first, m.ring)
	if m.suspicion.Load() != nil {
		l.alarm.set(0)
	}
}

// Stop ends the probing, and returns when no probe runs any more. Only after Start, and
// once.
func (m *Monitor) Stop() {
	l := &m.loop
	l.turn.Lock()
	l.ending = true
	l.alarm.end()
	if l.cancel != nil {
		l.cancel()
	}
	m.forget()
	l.turn.Unlock()
	l.alarm.wait()
	m.o.Crowd.probed.Add(-1)
}

// ring does what is due. A probe on the kept connection goes from one ring to the next,
// and holds no goroutine; one on a new connection is run here.
func (m *Monitor) ring() {
	if ctx, keep, ok := m.begin(); ok {
		m.end(m.prober.Probe(ctx, keep))
	}
}

// begin takes the evidence of traffic, goes on with what is under way, and reports
// whether a probe on a new connection is to be run, and whether that may be kept.
func (m *Monitor) begin() (ctx context.Context, keep, ok bool) {
	l := &m.loop
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.ending {
		return nil, false, false
	}
	m.weigh()
	now := time.Now()
	switch {
	case l.cancel != nil:
		m.grow(now)
	case l.asking:
		if m.look(now) {
			return m.anew()
		}
	case now.Before(l.due): // it rang for evidence that was none
		l.plan(l.due)
	case m.reusable():
		l.started, l.asking = now, true
		l.kept.asks--
		if !l.kept.send(0) {
			return m.anew()
		}
		m.o.Crowd.await(m)
	default:
		return m.start(now)
	}
	return nil, false, false
}

// start starts a probe on a new connection, if there is a place. The caller holds turn.
func (m *Monitor) start(now time.Time) (ctx context.Context, keep, ok bool) {
	l := &m.loop
	m.forget()
	l.young = m.o.Crowd.takePlace()
	if !l.young && !l.tracker.urgent() {
		l.plan(now.Add(jitter(placeWait, 0.5, 1.5, rand.Float64())))
		return nil, false, false
	}
	l.started = now
	return m.connect()
}

// connect is how a probe is run on a new connection. The caller holds turn.
func (m *Monitor) connect() (ctx context.Context, keep, ok bool) {
	l := &m.loop
	// It was late when the processor was: that is not for the target to pay.
	deadline := l.started.Add(m.o.Timeout)
	if least := time.Now().Add(m.o.Timeout / 2); deadline.Before(least) {
		deadline = least
	}
	ctx, l.cancel = context.WithDeadline(context.Background(), deadline)
	l.proves = true
	l.alarm.set(youngFor)
	keep = l.alone == 0 && l.tracker.settled() && m.o.Crowd.many() && m.keptWait() >= 2*firstLook
	l.alone = max(l.alone-1, 0)
	return ctx, keep, true
}

// reusable reports whether the next probe may go on the kept connection. The caller
// holds turn.
func (m *Monitor) reusable() bool {
	k := m.loop.kept
	return k != nil && k.asks > 0 && !k.shed.Load() && m.o.Crowd.many()
}

// look looks for the answer on the kept connection, and reports whether a new one has to
// be asked instead. The caller holds turn.
func (m *Monitor) look(now time.Time) bool {
	l := &m.loop
	r, found := l.kept.look()
	waited := now.Sub(l.started)
	switch {
	case found == answered && l.kept.last():
		l.asking = false
		r.At, r.Duration = l.started, waited
		m.judge(r)
		m.planNext()
	case found == answered && l.kept.send(l.kept.path+1):
		l.alarm.set(firstLook)
	case found == silent && waited < m.keptWait():
		l.alarm.set(min(max(waited, firstLook), m.keptWait()-waited))
	default:
		return true
	}
	return false
}

// anew goes on with the probe under way, whose kept connection gave no good answer, on a
// new one: within the same timeout, so that nothing is judged later. The caller holds
// turn.
func (m *Monitor) anew() (ctx context.Context, keep, ok bool) {
	if !m.loop.kept.shed.Load() {
		m.loop.alone = aloneFor
	}
	m.forget()
	return m.connect()
}

// end judges a probe on a new connection, and plans the next one, which may go on k.
func (m *Monitor) end(r Result, k *kept) {
	l := &m.loop
	l.turn.Lock()
	defer l.turn.Unlock()
	l.cancel()
	l.cancel = nil
	m.age()
	if !l.ending && l.proves {
		m.judge(r)
	}
	m.hold(k)
	switch {
	case l.ending: // the probe failed because we did
	case l.proves:
		m.planNext()
	default:
		l.plan(l.suspected)
	}
}

// judge takes the result of a probe. The caller holds turn.
func (m *Monitor) judge(r Result) {
	m.last.Store(&r)
	// A probe that found no descriptor says nothing about the target: clients
	// that use them all up must not take every target out.
	if !noDescriptor(r.Err) && m.loop.tracker.observe(r.OK) {
		m.changed(r.String())
	}
}

// hold keeps k, or closes it. The caller holds turn.
func (m *Monitor) hold(k *kept) {
	l := &m.loop
	switch {
	case k == nil:
	case l.ending, !l.proves, !l.tracker.settled(), !m.o.Crowd.keep(k):
		k.close()
	default:
		l.kept = k
	}
}

// forget closes the connection that is kept, if there is one. The caller holds turn.
func (m *Monitor) forget() {
	l := &m.loop
	l.asking = false
	if l.kept != nil {
		m.o.Crowd.release(l.kept)
		l.kept = nil
	}
}

// keptWait is how long a kept connection may take to answer.
func (m *Monitor) keptWait() time.Duration { return m.o.Timeout / keptPart }

// grow has a probe on a new connection give its place up when it is no longer young. The
// caller holds turn.
func (m *Monitor) grow(now time.Time) {
	if left := m.loop.started.Add(youngFor).Sub(now); left > 0 && m.loop.young {
		m.loop.alarm.set(left) // it rang for evidence
		return
	}
	m.age()
}

// age gives the place of the probe under way to another. The caller holds turn.
func (m *Monitor) age() {
	if m.loop.young {
		m.loop.young = false
		m.o.Crowd.givePlace()
	}
}

// planNext plans the probe that follows by schedule. The caller holds turn.
func (m *Monitor) planNext() {
	l := &m.loop
	age := l.started.Sub(m.Since())
	next := wait(m.o.Interval, l.tracker.status, l.tracker.unsettled(), age, rand.Float64())
	// Counted from the start of the probe: one that took long adds nothing.
	at := l.started.Add(next)
	if l.tracker.settled() && m.o.Crowd.many() {
		at = gather(at, m.o.Interval)
	}
	l.plan(at)
}

// plan sets when the next probe starts. The caller holds turn.
func (l *loop) plan(at time.Time) {
	l.due = at
	l.alarm.set(time.Until(at))
}

// weigh takes evidence of traffic. A probe under way started before it, so
// what that one sees proves nothing: it makes room for one that does. The caller holds
// turn.
func (m *Monitor) weigh() {
	l := &m.loop
	if m.distrusted.Swap(false) {
		m.distrust()
	}
	reason := m.suspicion.Swap(nil)
	if reason == nil || !l.tracker.suspect() {
		return
	}
	m.distrust()
	m.changed(*reason)
	at := l.suspected.Add(suspectWait)
	if now := time.Now(); at.Before(now) {
		at = now
	}
	l.suspected = at
	if l.cancel != nil {
		l.proves = false
		l.cancel() // end goes on from there
		return
	}
	l.due = at
}

// distrust forgets the kept connection, and what is asked on it is due at once. The
// caller holds turn.
func (m *Monitor) distrust() {
	l := &m.loop
	if l.kept == nil {
		return
	}
	l.alone = aloneFor
	if l.asking {
		l.due = l.started
	}
	m.forget()
}

// changed publishes the tracker's status and tells onChange. The caller holds turn.
func (m *Monitor) changed(reason string) {
	from, to := m.Status(), m.loop.tracker.status
	m.status.Store(&statusSince{to, time.Now()})
	m.onChange(Change{From: from, To: to, Reason: reason})
}
