package proxy

import (
	"io"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// tunnel carries the bytes of an upgraded connection in both directions. Each
// side may end its half; the tunnel is over when both have, when nothing moved
// for the tunnel timeout, or when a drain ends it.
type tunnel struct {
	client *socket
	target *targetConn
	framed bool          // a WebSocket; else nothing is known of what is inside
	idle   time.Duration // how long both sides may be silent
	stall  time.Duration // how long a side may take nothing of what it is sent

	began  time.Time     // what moved and endBy count from: the clock on the wall may jump
	moved  atomic.Int64  // nanoseconds; when the last byte moved, in either direction
	half   atomic.Bool   // one side is done; the other may still send
	ending atomic.Bool   // a drain wants it to end
	ended  chan struct{} // closed when ending is set
	endBy  atomic.Int64  // nanoseconds; when the frame that is under way then must have ended
	over   atomic.Bool   // what either side sends has no reader any more

	frames frames // of what the target sends; owner: toClient
	answer frames // of what the client sends, for its close frame; owner: toTarget
	early  []byte // what the client sent with its head; owner: toTarget
	up     bodyReader
	down   *bodyReader
}

// The times of a tunnel.
const (
	// halfClosed is how long one side may stay silent once the other is done.
	halfClosed = 30 * time.Second
	// goodbye is how long a frame may take to end before the close frame, and
	// the client to answer it.
	goodbye = time.Second
)

// switchProtocols passes a 101 on and becomes the tunnel (RFC 9110 §7.8).
func (x *exchange) switchProtocols() *Error {
	c, res := x.c, &x.c.res
	protocol := x.protocol()
	if protocol == "" || !res.SwitchesTo(protocol) {
		return x.badResponse(errSwitched)
	}
	if x.up.join(x); !x.up.finished() {
		return x.badResponse(errSwitchedEarly)
	}
	c.out = appendStatusLine(c.out[:0], res)
	c.out = res.AppendKept(c.out, keepFromTarget)
	c.out = x.appendCookies(c.out, false)
	c.out = append(appendUpgrade(c.out, protocol), "\r\n"...)
	x.down.consume(res.Len())
	t := &tunnel{
		client: &c.socket, target: x.conn, framed: protocol == webSocket,
		idle: x.settings.TunnelTimeout, stall: x.settings.BodyTimeout,
		began: time.Now(), ended: make(chan struct{}), early: c.buffered(), down: &x.down,
	}
	t.up.init(&c.socket)
	t.client.took, t.target.took = t.noteMove, t.noteMove
	c.read = c.have
	// From here on the tunnel itself notices that the client leaves: a client
	// that has the answer may half-close and still take the other half.
	if !c.unwatch(x.conn) || !x.conn.carry(t) {
		return x.ended("tunnel", x.conn.killed())
	}
	x.status, x.started, x.close = 101, true, true
	if err := t.write(t.client, c.out); err != nil {
		return &Error{Op: "write", Source: FromClient, Status: 499, Err: cause(err)}
	}
	c.idleSince.Store(inTunnel)
	c.server.openTunnel(t)
	t.run(c.server)
	c.server.closeTunnel(t)
	x.giveUp()
	x.linger = true // the client may still be sending, and must not lose what came last
	return nil
}

// run moves bytes until the tunnel is over.
func (t *tunnel) run(s *Server) {
	t.client.noticeDeath(t.stall)
	t.target.noticeDeath(t.stall)
	t.noteMove()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer t.survive(s)
		t.toTarget()
	}()
	func() {
		defer t.survive(s)
		t.toClient()
	}()
	select {
	case <-done:
	case <-t.ended:
		t.seeOut(done)
	}
	<-done
}

// survive keeps a panic to this tunnel.
func (t *tunnel) survive(s *Server) {
	if p := recover(); p != nil {
		s.counters.Panics.Add(1)
		s.log.Error("Panicked in a tunnel", zap.Any("reason", p), zap.Stack("stack"))
		_ = t.client.Close()
		t.stop()
	}
}

// stop ends both directions at once. The client's connection stays open, for what
// it was sent may not have arrived yet.
func (t *tunnel) stop() {
	t.over.Store(true)
	_ = t.target.Close()
	_ = t.client.SetReadDeadline(time.Unix(1, 0)) // wakes toTarget
}

// toTarget moves what the client sends.
func (t *tunnel) toTarget() {
	defer t.up.discard()
	for b := t.early; ; b = t.up.bytes() {
		if len(b) > 0 {
			if err := t.write(&t.target.socket, b); err != nil {
				if timedOut(err) {
					t.stop() // half a message went out
				}
				return // else the target is gone, which toClient sees
			}
			t.answer.walk(b)
			t.up.discard()
			if t.ending.Load() && t.answer.closed && t.answer.between() {
				t.target.closeWrite() // both have said goodbye
				return
			}
		}
		if err := t.read(&t.up, t.client); err != nil {
			if err != io.EOF {
				// The client is gone, or both were silent for too long: nothing
				// that the target still sends has a reader.
				t.stop()
				return
			}
			t.target.closeWrite()
			t.half.Store(true)
			_ = t.target.SetReadDeadline(time.Now().Add(halfClosed))
			return
		}
	}
}

// toClient moves what the target sends, and puts the close frame behind it when
// the tunnel is to end.
func (t *tunnel) toClient() {
	defer t.down.discard()
	for {
		if b := t.follow(t.down.bytes()); len(b) > 0 {
			if err := t.write(t.client, b); err != nil {
				_ = t.client.Close()
				t.stop()
				return
			}
		}
		t.down.discard()
		if t.mayEnd() {
			t.sayGoodbye()
			return
		}
		err := t.read(t.down, &t.target.socket)
		switch {
		case err == nil:
		case err == io.EOF:
			// The target is done; the client may still be sending.
			t.client.closeWrite()
			t.half.Store(true)
			_ = t.client.SetReadDeadline(time.Now().Add(halfClosed))
			return
		case timedOut(err) && t.mayEnd():
			// The goodbye comes next.
		default:
			t.stop()
			return
		}
	}
}

// mayEnd reports whether the tunnel is to end and stands where it can.
func (t *tunnel) mayEnd() bool { return t.ending.Load() && t.frames.between() }

// follow walks what the target sent, and cuts what comes behind the frame at which
// the tunnel is to end.
func (t *tunnel) follow(b []byte) []byte {
	switch {
	case !t.framed:
	case t.ending.Load():
		return b[:t.frames.walkOut(b)]
	default:
		t.frames.walk(b)
	}
	return b
}

// end makes the tunnel end between two frames; it does not wait. It is called once.
func (t *tunnel) end() {
	by := time.Now().Add(goodbye)
	t.endBy.Store(int64(by.Sub(t.began)))
	t.ending.Store(true)
	close(t.ended)
	// Wakes toClient, which may also wait for a client that takes nothing.
	_ = t.target.SetReadDeadline(time.Unix(1, 0))
	_ = t.client.SetWriteDeadline(by)
}

// sayGoodbye sends the close frame, unless the target did. The client answers it,
// and toTarget passes the answer on.
func (t *tunnel) sayGoodbye() {
	if t.framed && !t.frames.closed {
		if err := t.write(t.client, goingAway); err != nil {
			_ = t.client.Close()
		}
	}
}

// seeOut waits, for no longer than a goodbye takes, until toTarget is done. What the
// target still sends is read and dropped: closing with unread bytes would reset the
// connection, and the client's answer may not have arrived yet.
func (t *tunnel) seeOut(done <-chan struct{}) {
	if t.framed {
		answered := time.NewTimer(goodbye)
		defer answered.Stop()
		_ = t.target.SetReadDeadline(time.Now().Add(goodbye))
		for t.down.more() == nil {
			t.down.discard()
		}
		select {
		case <-done:
		case <-answered.C:
		}
	}
	t.stop()
}

// write sends b to a side. The time is for each piece that it takes, not for all.
func (t *tunnel) write(s *socket, b []byte) error {
	s.armWrite(time.Now(), t.stall)
	if t.ending.Load() { // and end sets its deadline, if not just now
		_ = s.SetWriteDeadline(time.Now().Add(goodbye))
	}
	n, err := s.Write(b)
	if n > 0 {
		t.noteMove()
	}
	return err
}

// read waits for bytes of one side. A side that is silent while the other talks
// is not idle; but the target gets no more than the time of a goodbye for a frame at
// which the tunnel is to end.
func (t *tunnel) read(r *bodyReader, s *socket) error {
	for {
		t.arm(r, s)
		if t.ending.Load() || t.half.Load() {
			s.readBy = time.Time{} // somebody else set a deadline, perhaps just before ours
			t.arm(r, s)
		}
		if t.over.Load() { // else stop comes now, and its deadline after ours
			return os.ErrDeadlineExceeded
		}
		err := r.more()
		late := r == t.down && t.ending.Load() && t.untilEnd() <= 0
		switch {
		case late && !t.mayEnd():
			return os.ErrDeadlineExceeded
		case err == nil:
			t.noteMove()
			return nil
		case !timedOut(err) || t.over.Load():
			return err
		case r == t.down && t.ending.Load():
			if t.mayEnd() {
				return err
			}
			continue
		}
		if patience := t.patience(); patience > 0 && t.silence() >= patience {
			return err
		}
	}
}

// arm sets the deadline of the next read.
func (t *tunnel) arm(r *bodyReader, s *socket) {
	if r == t.down && t.ending.Load() {
		s.armRead(time.Now(), max(t.untilEnd(), time.Millisecond))
		return
	}
	patience := t.patience()
	if patience > 0 {
		patience = max(patience-t.silence(), time.Millisecond)
	}
	s.armRead(time.Now(), patience)
}

// patience is how long both sides may be silent.
func (t *tunnel) patience() time.Duration {
	if t.half.Load() && (t.idle < 0 || t.idle > halfClosed) {
		return halfClosed
	}
	return t.idle
}

func (t *tunnel) noteMove() { t.moved.Store(int64(time.Since(t.began))) }

// silence is how long nothing has moved.
func (t *tunnel) silence() time.Duration {
	return time.Since(t.began) - time.Duration(t.moved.Load())
}

// untilEnd is how long the frame may still take at which the tunnel is to end.
func (t *tunnel) untilEnd() time.Duration {
	return time.Duration(t.endBy.Load()) - time.Since(t.began)
}
