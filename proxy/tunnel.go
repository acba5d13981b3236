package proxy

import (
	"io"
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
	idle   time.Duration

	moved  atomic.Int64 // Unix nanoseconds of the last byte, in either direction
	half   atomic.Bool  // one side is done; the other may still send
	ending atomic.Bool  // a drain wants it to end

	frames frames // of what the target sends; owner: toClient
	answer frames // of what the client sends, for its close frame; owner: toTarget
	early  []byte // what the client sent with its head; owner: toTarget
	up     bodyReader
	down   *bodyReader
}

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
	c.out = append(appendUpgrade(c.out, protocol), "\r\n"...)
	x.down.consume(res.Len())
	t := &tunnel{client: &c.socket, target: x.conn, idle: x.settings.TunnelTimeout, down: &x.down}
	t.up.init(&c.socket)
	t.early = c.buffered()
	c.read = c.have
	// From here on the tunnel itself notices that the client leaves: a client
	// that has the answer may half-close and still take the other half.
	if !c.unwatch(x.conn) || !x.conn.carry(t) {
		return x.ended("tunnel", x.conn.killed())
	}
	x.status, x.started, x.close = 101, true, true
	if err := x.toClient(c.out, nil); err != nil {
		return err
	}
	c.server.openTunnel(t)
	t.run(c.server)
	c.server.closeTunnel(t)
	x.giveUp()
	return nil
}

// run moves bytes until the tunnel is over.
func (t *tunnel) run(s *Server) {
	t.moved.Store(time.Now().UnixNano())
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
	if t.ending.Load() {
		answered := time.NewTimer(goodbye)
		select {
		case <-done:
		case <-answered.C:
		}
		answered.Stop()
		_ = t.target.Close()
		_ = t.client.SetReadDeadline(time.Unix(1, 0))
	}
	<-done
}

// survive keeps a panic to this tunnel.
func (t *tunnel) survive(s *Server) {
	if p := recover(); p != nil {
		s.counters.Panics.Add(1)
		s.log.Error("Panicked in a tunnel", zap.Any("reason", p), zap.Stack("stack"))
		t.abort()
	}
}

// abort ends both connections at once.
func (t *tunnel) abort() {
	_ = t.target.Close()
	_ = t.client.Close()
}

// toTarget moves what the client sends.
func (t *tunnel) toTarget() {
	defer t.up.discard()
	for b := t.early; ; b = t.up.bytes() {
		if len(b) > 0 {
			t.target.armWrite(time.Now(), tunnelWrite)
			if _, err := t.target.Write(b); err != nil {
				if timedOut(err) {
					_ = t.target.Close() // half a message went out
				}
				return
			}
			t.answer.walk(b)
			t.up.discard()
			if t.answer.closed && t.ending.Load() {
				return // both have said goodbye
			}
		}
		if err := t.read(&t.up, t.client); err != nil {
			if err == io.EOF {
				t.target.closeWrite()
				t.half.Store(true)
				_ = t.target.SetReadDeadline(time.Now().Add(halfClosed))
				return
			}
			// The client is gone, or both were silent for too long: nothing
			// that the target still sends has a reader.
			_ = t.target.Close()
			return
		}
	}
}

// tunnelWrite is how long a peer may take to take what the other sent.
const tunnelWrite = 30 * time.Second

// toClient moves what the target sends, and puts the close frame behind it when
// the tunnel is to end.
func (t *tunnel) toClient() {
	defer t.down.discard()
	for {
		if b := t.follow(t.down.bytes()); len(b) > 0 {
			t.client.armWrite(time.Now(), tunnelWrite)
			if _, err := t.client.Write(b); err != nil {
				_ = t.client.Close()
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
			_ = t.client.Close()
			return
		}
	}
}

// mayEnd reports whether the tunnel is to end and stands where it can.
func (t *tunnel) mayEnd() bool {
	return t.ending.Load() && (t.frames.between() || t.frames.closed)
}

// follow walks what the target sent, and cuts what comes behind the frame at which
// the tunnel is to end.
func (t *tunnel) follow(b []byte) []byte {
	if t.ending.Load() {
		return b[:t.frames.walkOut(b)]
	}
	t.frames.walk(b)
	return b
}

// halfClosed is how long one side may stay silent once the other is done.
const halfClosed = 30 * time.Second

// patience is how long both sides may be silent.
func (t *tunnel) patience() time.Duration {
	switch {
	case t.ending.Load():
		return goodbye
	case t.half.Load() && (t.idle < 0 || t.idle > halfClosed):
		return halfClosed
	}
	return t.idle
}

// read waits for bytes of one side. A side that is silent while the other talks
// is not idle; but one that stops inside a frame at which the tunnel is to end
// gets no more than the time for its goodbye.
func (t *tunnel) read(r *bodyReader, s *socket) error {
	var last time.Time // when a frame must go on that is to be the last
	for {
		t.arm(s)
		ending := r == t.down && t.ending.Load()
		if ending && last.IsZero() {
			last = time.Now().Add(goodbye)
		}
		if ending || t.half.Load() {
			s.readBy = time.Time{} // the other set a deadline, perhaps just before ours
			t.arm(s)
		}
		err := r.more()
		if err == nil {
			t.moved.Store(time.Now().UnixNano())
			return nil
		}
		switch {
		case !timedOut(err), ending && (t.mayEnd() || !time.Now().Before(last)):
			return err
		case r == t.down && t.ending.Load():
			continue
		}
		if patience := t.patience(); patience > 0 && t.silence() >= patience {
			return err
		}
	}
}

func (t *tunnel) arm(s *socket) {
	patience := t.patience()
	if patience > 0 {
		patience = max(patience-t.silence(), time.Millisecond)
	}
	s.armRead(time.Now(), patience)
}

func (t *tunnel) silence() time.Duration { return time.Since(time.Unix(0, t.moved.Load())) }

// goodbye is how long a frame may take to end before the close frame, and the
// client to answer it.
const goodbye = time.Second

// end makes the tunnel end between two frames; it does not wait.
func (t *tunnel) end() {
	t.moved.Store(time.Now().UnixNano()) // the goodbye's time begins
	t.ending.Store(true)
	_ = t.target.SetReadDeadline(time.Unix(1, 0)) // wakes toClient
}

// sayGoodbye sends the close frame. The client answers it, and toTarget passes the
// answer on.
func (t *tunnel) sayGoodbye() {
	if !t.frames.closed {
		t.client.armWrite(time.Now(), goodbye)
		if _, err := t.client.Write(goingAway); err != nil {
			_ = t.client.Close()
			return
		}
	}
}
