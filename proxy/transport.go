package proxy

import (
	"context"
	"slices"
	"sync"
	"time"

	"upfront/balancer"
	"upfront/dial"
)

// targetIdle is how long an unused connection to a target is kept: less than
// the shortest keep-alive timeout of the usual app servers (Node: 5s), so that
// we nearly always close first and no request meets a dying connection.
const targetIdle = 4 * time.Second

// near is the longest round trip to a target on this machine, containers included.
const near = 50 * time.Microsecond

// transport is the connections to one target. It belongs to one
// balancer.Target: a deploy makes new ones, so nothing of an old target is ever
// reused for a new one, even at the same address.
type transport struct {
	address        string
	dialer         *dial.Dialer
	connectTimeout func() time.Duration

	// mu is held for a push or a pop: 25 ns of the request, measured
	// uncontended; a lock-free stack would allocate.
	mu     sync.Mutex
	idle   []*targetConn            // guarded by mu; last used last
	open   map[*targetConn]struct{} // guarded by mu; idle and in use
	closed bool                     // guarded by mu
	sweep  *time.Timer              // guarded by mu; runs while there are idle ones
	room   *room                    // guarded by mu; nil until the first dial of a server

	trust trust
}

// NewTransport makes the connections to one target that speaks HTTP/1.1 over TCP.
// connectTimeout is asked at every dial; a name is resolved at every dial.
func NewTransport(address string, connectTimeout func() time.Duration) balancer.Transport {
	return NewTransportBy(dial.New(dial.Options{Address: address}), connectTimeout)
}

// NewTransportBy makes the connections to one target as dialer does, which it closes
// in the end.
func NewTransportBy(dialer *dial.Dialer, connectTimeout func() time.Duration) balancer.Transport {
	return &transport{
		address:        dialer.Name(),
		dialer:         dialer,
		connectTimeout: connectTimeout,
		open:           make(map[*targetConn]struct{}),
	}
}

// take returns a kept connection that is still silent, or nil. Requests that
// must not be sent twice get one that is trusted with them, or none.
func (t *transport) take(now time.Time, once bool) *targetConn {
	for {
		t.mu.Lock()
		n := len(t.idle)
		if n == 0 {
			t.mu.Unlock()
			return nil
		}
		if once && !t.trusts(now, t.idle[n-1]) {
			spare := t.spare(now)
			t.mu.Unlock()
			if spare != nil {
				t.discard(spare)
			}
			return nil
		}
		conn := t.idle[n-1]
		t.idle[n-1] = nil
		t.idle = t.idle[:n-1]
		conn.busy = true
		t.mu.Unlock()
		// What arrived while nothing was asked is not an answer: an early or
		// surplus response must never reach the next client.
		if conn.quiet() {
			t.trust.open(now.Sub(conn.idleSince))
			conn.uses++
			return conn
		}
		t.trust.closed(now, now.Sub(conn.idleSince))
		t.discard(conn)
	}
}

// trusts reports whether conn has idled so little that the target will not close
// it now. The connection that has idled longest shows for how long the target
// keeps them. The caller holds mu.
func (t *transport) trusts(now time.Time, conn *targetConn) bool {
	idled := max(now.Sub(conn.idleSince), 0) // it may have been put back since
	if idled < t.trust.fresh(now) {
		return true
	}
	oldest := t.idle[0]
	if age := now.Sub(oldest.idleSince); oldest.quiet() {
		t.trust.open(age)
	} else {
		t.trust.closed(now, age)
	}
	return idled < t.trust.fresh(now)
}

// spare takes out an idle connection whose place one takes that is dialled now,
// or nil when the only one is still to show how long the target keeps it. The
// caller holds mu.
func (t *transport) spare(now time.Time) *targetConn {
	i := 0
	if t.trust.fresh(now) < freshFor && t.idle[0].quiet() {
		i = 1
	}
	if i == len(t.idle) {
		return nil
	}
	conn := t.idle[i]
	t.idle = slices.Delete(t.idle, i, i+1)
	return conn
}

// newConn makes a connection that dial then connects. The two are apart so that
// the wait for the dial can be ended from outside.
func (t *transport) newConn() *targetConn {
	conn := &targetConn{transport: t, busy: true}
	t.mu.Lock()
	t.open[conn] = struct{}{}
	room := t.room
	t.mu.Unlock()
	if room != nil {
		room.take()
	}
	return conn
}

// within makes the connections to come count in room. One transport has one room.
func (t *transport) within(r *room) {
	t.mu.Lock()
	// Those that share their way to the target take no descriptor.
	enters := t.room == nil && !t.closed && !t.dialer.Multiplexes()
	if enters {
		t.room = r
	}
	t.mu.Unlock()
	if !enters {
		return
	}
	r.enter(t)
	t.mu.Lock()
	closed := t.closed
	t.mu.Unlock()
	if closed { // meanwhile
		r.leave(t)
	}
}

// forget takes conn, which is about to be closed, out of the count. The caller
// holds mu.
func (t *transport) forget(conn *targetConn) {
	if _, open := t.open[conn]; !open {
		return
	}
	delete(t.open, conn)
	if t.room != nil {
		t.room.giveBack()
	}
}

// idleSince is when the connection that idles longest was used last.
func (t *transport) idleSince() (since time.Time, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.idle) == 0 {
		return time.Time{}, false
	}
	return t.idle[0].idleSince, true
}

// closeOldest closes that connection, and reports whether there was one.
func (t *transport) closeOldest() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.idle) == 0 {
		return false
	}
	t.forget(t.idle[0])
	_ = t.idle[0].Close()
	t.idle = slices.Delete(t.idle, 0, 1)
	return true
}

// dial connects conn. It gives up when ctx ends.
func (t *transport) dial(ctx context.Context, conn *targetConn) error {
	if timeout := t.connectTimeout(); timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	c, err := t.dialer.Dial(ctx)
	if err != nil {
		return err
	}
	conn.init(c)
	return nil
}

// put keeps conn for the next exchange. Its response must have ended exactly at
// the last byte that was read.
func (t *transport) put(conn *targetConn, now time.Time) {
	conn.idleSince = now
	t.mu.Lock()
	if t.closed || conn.dead.Load() {
		t.mu.Unlock()
		t.discard(conn)
		return
	}
	conn.busy = false
	conn.mark()
	t.idle = append(t.idle, conn)
	if t.sweep == nil {
		t.sweep = time.AfterFunc(targetIdle, t.closeIdle)
	}
	t.mu.Unlock()
}

// discard closes conn for good.
func (t *transport) discard(conn *targetConn) {
	if conn.Conn != nil {
		_ = conn.Close()
	}
	t.mu.Lock()
	t.forget(conn)
	t.mu.Unlock()
}

// closeIdle closes what has been idle for too long, and comes again while any
// is left.
func (t *transport) closeIdle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	oldest := time.Now().Add(-targetIdle)
	old := 0
	for old < len(t.idle) && !t.idle[old].idleSince.After(oldest) {
		if t.idle[old].quiet() {
			t.trust.open(targetIdle)
		}
		t.forget(t.idle[old])
		_ = t.idle[old].Close()
		old++
	}
	n := copy(t.idle, t.idle[old:])
	clear(t.idle[n:])
	t.idle = t.idle[:n]
	if n == 0 {
		t.sweep = nil
		return
	}
	t.sweep.Reset(max(t.idle[0].idleSince.Sub(oldest), 100*time.Millisecond))
}

// Cut ends every exchange and tunnel that is under way.
func (t *transport) Cut() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	cut := 0
	for conn := range t.open {
		if conn.busy {
			conn.kill(errCut)
			cut++
		}
	}
	return cut
}

// Close closes the idle connections; those in use are closed when they are
// given back.
func (t *transport) Close() {
	t.mu.Lock()
	t.closed = true
	if t.sweep != nil {
		t.sweep.Stop()
	}
	for _, conn := range t.idle {
		t.forget(conn)
		_ = conn.Close()
	}
	t.idle = nil
	room := t.room
	t.mu.Unlock()
	t.dialer.Close()
	if room != nil {
		room.leave(t)
	}
}
