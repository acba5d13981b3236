package proxy

import (
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"upfront/proxy/http1"
)

// client is one connection that a client opened. It is read and written by the
// goroutine that runs it; an upload reads it on behalf of that goroutine.
type client struct {
	socket
	connInfo
	server  *Server
	key     netip.Addr // that c counts for; invalid while it counts for none; guarded by Server.mu
	trusted bool       // the peer is a trusted proxy; set once a request

	*workspace     // nil while no request is under way
	read, have int // in[read:have] has arrived and is not consumed

	waits   current     // what the exchange waits on
	left    atomic.Bool // written by leaveWatch
	watched int32       // set once by leaveWatch.add; 0 where there is none
	begun   bool        // HTTP/1 is spoken; owner: who runs it
	idles   bool        // the last wait ended without a request, and goes on without a goroutine
	stays   bool        // it could not be parked; owner: who runs it, until its next request
	parked  bool        // guarded by leaveWatch.mu; no goroutine runs it
	extra   bool        // it is one too many of its address; set once by admit
	version string      // of HTTP, where it is not that of each request; set once
	http2   *http2Conn  // guarded by Server.mu; set while it carries streams
	shares  *shares     // of a connection that carries streams, and theirs; nil elsewhere

	headSince time.Time    // when the first bytes of a head came that sniff has waited for; else zero; owner: who runs it
	idleSince atomic.Int64 // Unix nanoseconds; 0 while there is a request, dismissed once somebody ends the wait, inTunnel behind a 101
	last      bool         // the next answer is the last one

	getSpace func() []byte // bound once
	putSpace func()
}

func newClient(s *Server, conn net.Conn, l *listener) *client {
	c := &client{server: s}
	c.listener = l
	if l.tls == nil {
		c.init(conn)
	} else {
		c.initTLS(newTLSLayer(conn, l.tls, s.turns))
	}
	if s.boundsEach.Load() {
		boundUnsent(conn)
	}
	c.addr = addrPort(conn.RemoteAddr())
	c.port = portOf(conn.LocalAddr())
	c.getSpace, c.putSpace = c.space, c.rest
	return c
}

// run serves the requests of the connection one after the other, in the order
// in which they came.
func (c *client) run() {
	parked := false // then it may be another goroutine's already
	defer func() {
		if !parked {
			c.close()
		}
	}()
	defer c.survive()
	if !c.begun && !c.begin() {
		return
	}
	for {
		for c.awaitHead() {
			if !c.x.serve() {
				return
			}
		}
		if !c.idles {
			return
		}
		if parked = c.server.watch.park(c); parked || !c.stays && !c.lingers() && !c.recall() {
			return
		}
	}
}

// begin does what comes before the first request, and reports whether the client
// goes on in HTTP/1.
func (c *client) begin() bool {
	switch {
	case !c.greet():
		return false
	case c.extra:
		c.turnAway()
		return false
	case c.secure() && c.tls.protocol == protocolHTTP2:
		c.serveHTTP2()
		return false
	case c.secure() && c.tls.protocol == protocolACME:
		return false
	}
	switch c.sniff() {
	case endsUnasked:
		return false
	case asksHTTP2:
		c.serveHTTP2()
		return false
	case asksHTTP1:
	}
	c.begun = true
	return true
}

// survive makes a panic cost this connection and nothing else. What the exchange
// left in the workspace must not reach another client.
func (c *client) survive() {
	p := recover()
	if p == nil {
		return
	}
	c.server.counters.Panics.Add(1)
	c.server.log.Error("Panicked in a request", zap.Any("reason", p), zap.Stack("stack"))
	c.reset()
	if c.workspace != nil {
		c.x.abandon()
		c.workspace = nil
	}
}

// awaitHead waits for the next request head and scans it. It answers what is no
// request, and reports false when the connection is to be closed.
func (c *client) awaitHead() bool {
	if c.read == c.have && !c.awaitBytes() {
		return false
	}
	c.x.begin(c)
	if !c.headSince.IsZero() {
		c.x.start, c.headSince = c.headSince, time.Time{}
	}
	limits := c.server.settings.Load().headLimits()
	c.req.Reset()
	headBy := false
	for {
		done, bad := c.req.Scan(c.in[c.read:c.have], limits)
		if bad != nil {
			c.x.refuse(bad)
			return false
		}
		if done {
			c.read += c.req.Len()
			if headBy {
				c.x.now = time.Now()
			}
			return true
		}
		if !headBy {
			headBy = true
			c.armHead(c.x.start)
		}
		if err := c.readMore(limits); err != nil {
			if timedOut(err) {
				c.x.refuse(&http1.Error{Status: 408, Reason: "head did not arrive in time"})
			}
			return false
		}
	}
}

// armHead makes reads fail once a head whose first bytes came at since has had its time.
func (c *client) armHead(since time.Time) {
	c.readBy = time.Time{}
	if timeout := c.server.pressure.now().within(c.server.settings.Load().HeadTimeout); timeout > 0 {
		c.readBy = since.Add(timeout)
	}
	_ = c.SetReadDeadline(c.readBy)
}

// awaitBytes waits, without a buffer, for the first bytes of a request.
func (c *client) awaitBytes() bool {
	c.giveBack()
	idle, parks := c.idleTimeout()
	now := time.Now()
	if c.raw == nil || !c.readBy.IsZero() {
		c.armRead(now, idle)
	}
	since, before := now.UnixNano(), c.idleSince.Load()
	if c.idles && before > 0 {
		since = before // what woke it was no request
	}
	c.idles = false
	if c.stays && before == dismissed || !c.idleSince.CompareAndSwap(before, since) {
		_ = c.SetReadDeadline(time.Unix(1, 0)) // dismissed since it could not be parked
	}
	n, err := c.readLazy(c.getSpace, c.putSpace)
	if !c.idleSince.CompareAndSwap(since, 0) {
		c.last = true
		c.server.mu.Lock() // dismiss has set its deadline
		c.readBy = time.Time{}
		c.server.mu.Unlock()
	}
	if c.idles = parks && !c.last && err != nil && timedOut(err) && c.quiet() && !c.idledOut(since); c.idles {
		c.idleSince.Store(since)
		return false
	}
	if err != nil && timedOut(err) && (!c.quiet() || c.layer.begun()) { // it came at the last moment
		c.last = true
		c.readBy = time.Time{}
		c.armRead(time.Now(), idle)
		n, err = c.readLazy(c.getSpace, c.putSpace)
	}
	if err != nil {
		return false
	}
	c.idleSince.Store(0)
	c.stays = false
	c.have = n
	return true
}

// idledOut reports whether a wait that began at since has taken the idle timeout.
func (c *client) idledOut(since int64) bool {
	idle := c.server.settings.Load().IdleTimeout
	return idle > 0 && time.Now().UnixNano()-since > int64(idle)
}

// dismissed is what idleSince says once the wait for a request is to end, until a
// last one has come after all.
const dismissed = -1

// inTunnel is what idleSince says from the 101 on.
const inTunnel = -2

// dismiss ends the wait for a request that began at since, unless one has come,
// and reports whether it did. The caller holds Server.mu, so that the deadline
// that is set here never falls into a request.
func (c *client) dismiss(since int64) bool {
	if since <= 0 || !c.idleSince.CompareAndSwap(since, dismissed) {
		return false
	}
	if c.http2 != nil {
		c.http2.retire()
		return true
	}
	if c.server.watch.unpark(c) {
		c.server.running.Go(c.expire)
		return true
	}
	_ = c.SetReadDeadline(time.Unix(1, 0))
	return true
}

// space returns the free part of the buffer of what the client sent.
func (c *client) space() []byte {
	if c.workspace == nil {
		c.workspace = workspaces.Get().(*workspace)
		c.read, c.have = 0, 0
	}
	return c.in[c.have:]
}

// giveBack returns the workspace while nothing of a request is in it.
func (c *client) giveBack() {
	if c.workspace != nil && c.read == c.have {
		c.workspace.release()
		c.workspace = nil
		c.read, c.have = 0, 0
	}
}

// rest is called when nothing has come yet. A connection that brings its only
// request with it never needs a deadline.
func (c *client) rest() {
	c.giveBack()
	if !c.readBy.IsZero() {
		return
	}
	idle, _ := c.idleTimeout()
	c.armRead(time.Now(), idle)
	if c.idleSince.Load() == dismissed { // and dismiss has set its deadline before ours
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}

// idleTimeout is how long a goroutine waits for the next request, and whether the
// client is parked then rather than closed.
func (c *client) idleTimeout() (d time.Duration, parks bool) {
	if c.server.leaving.Load() {
		return idleTail, false
	}
	d = c.server.settings.Load().IdleTimeout
	if c.begun && c.watched != 0 && !c.stays && (d < 0 || d > parkAfter) {
		return parkAfter, true
	}
	return d, false
}

// readMore reads more of a head that is incomplete, behind what has arrived.
func (c *client) readMore(limits http1.Limits) error {
	if c.have == len(c.in) {
		c.makeRoom(limits.Bytes)
	}
	n, err := c.Read(c.in[c.have:])
	c.have += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// makeRoom moves the head to the front of the buffer, or doubles the buffer up
// to one byte more than a head may have.
func (c *client) makeRoom(limit int) {
	if c.read > 0 {
		c.have = copy(c.in, c.in[c.read:c.have])
		c.read = 0
		return
	}
	in := make([]byte, min(2*len(c.in), max(limit, len(c.in))+1))
	copy(in, c.in[:c.have])
	c.in = in
}

// buffered returns what has arrived behind the head.
func (c *client) buffered() []byte { return c.in[c.read:c.have] }

// watch makes conn the thing to kill when the client leaves or Shutdown cuts. It
// reports false when that has happened already.
func (c *client) watch(conn *targetConn) bool {
	c.waits.set(conn)
	var why error
	switch {
	case c.left.Load():
		why = errClientLeft
	case c.server.cut.Load():
		why = errStopping
	default:
		return true
	}
	if conn := c.waits.take(); conn != nil {
		conn.kill(why)
	}
	return false
}

// unwatch takes conn back, and reports false when it was killed.
func (c *client) unwatch(conn *targetConn) bool { return c.waits.clear(conn) }

// leave is called by leaveWatch, once, when the client has ended its side of the
// connection: nobody waits for the answer any more. That a client half-closes
// and still reads cannot be told apart; the peers judge as we do.
func (c *client) leave() {
	c.left.Store(true)
	if conn := c.waits.take(); conn != nil {
		conn.kill(errClientLeft)
	}
}

// The bounds of a lingering close.
const (
	lingerTime = 30 * time.Second
	lingerIdle = 2 * time.Second // without a byte
	// tunnelLinger is for the client of a tunnel, to whom its target's end matters
	// as soon as it could have read what came before.
	tunnelLinger = 500 * time.Millisecond
)

// linger lets the client read the last response although it is still sending:
// closing with unread bytes would reset the connection and may destroy what the
// client has not read yet (RFC 9112 §9.6). It takes at most d, and no buffer
// while the client is silent.
func (c *client) linger(d time.Duration) {
	c.closeWrite()
	var rest bodyReader
	rest.init(&c.socket)
	defer rest.discard()
	for now, end := time.Now(), time.Now().Add(d); now.Before(end); now = time.Now() {
		_ = c.SetReadDeadline(now.Add(min(lingerIdle, end.Sub(now))))
		if err := rest.more(); err != nil {
			return
		}
		rest.discard()
	}
}

func (c *client) close() {
	_ = c.Close()
	c.server.watch.remove(c)
	c.server.unseat(c)
	if c.workspace != nil {
		c.read = c.have
		c.giveBack()
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	}
	return netip.AddrPort{}
}

func portOf(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return strconv.Itoa(tcp.Port)
	}
	if a == nil {
		return ""
	}
	_, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	return port
}
