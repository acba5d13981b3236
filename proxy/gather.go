package proxy

import (
	"errors"
	"net"
	"time"

	"upfront/service"
)

// gather reads the body whole where the service wants that, before a target is
// chosen: a slow client occupies none, and the body is at hand for every attempt.
// Like an exchange it waits at a closed gate with the body unread.
func (x *exchange) gather() *Error {
	if !x.gathers() {
		return nil
	}
	for n := 0; n < maxRoutes && x.svc.Gate.State() != service.Running; n++ {
		if err := x.hold(); err != nil {
			return err
		}
	}
	if err := x.up.admit(x.svc.MaxRequestBody, x.c.req.ContentLength()); err != nil {
		return err
	}
	turn := x.place
	x.place.End() // others go on while the body comes
	if err := x.invite(); err != nil {
		return err
	}
	x.up.spool = &spool{room: x.svc.BufferMemory, disk: &x.c.server.spools}
	if err := x.spoolBody(); err != nil {
		return err
	}
	// That may have taken long: what is deployed now decides.
	x.now = time.Now()
	again := x.route
	if turn.Held() && x.svc.Gate.State() == service.Running {
		again = x.joinLine
	}
	if err := again(); err != nil {
		return err
	}
	return x.up.admit(x.svc.MaxRequestBody, x.c.req.ContentLength())
}

// gathers reports whether there is something to gather.
func (x *exchange) gathers() bool {
	if x.up.flow.done() {
		return false
	}
	n := x.c.req.ContentLength()
	return x.svc.BufferRequests || n > 0 && n <= x.svc.ReplayBody
}

// invite sends the 100 that the client waits for: here it is we who read the
// body, and the target is not to be asked any more (RFC 9110 §10.1.1).
func (x *exchange) invite() *Error {
	c := x.c
	if !c.req.Continue {
		return nil
	}
	c.req.Continue = false
	if len(x.up.first) > 0 || c.read < c.have {
		return nil // it did not wait
	}
	c.out = append(c.out[:0], "HTTP/1.1 100 Continue\r\n\r\n"...)
	return x.toClient(c.out, nil)
}

// spoolBody reads the rest of the body, and can be ended from outside.
func (x *exchange) spoolBody() *Error {
	wait := &targetConn{} // stands in for a connection: what leave and Shutdown can end
	wait.guard(func() {
		x.up.halt.Store(true)
		_ = x.c.SetReadDeadline(time.Unix(1, 0))
	})
	x.c.watch(wait)
	err := x.up.fill(x)
	x.c.unwatch(wait)
	cause := wait.unguard()
	if err != nil {
		x.close, x.linger = true, true // what follows the body was not looked for
	}
	if cause == nil {
		return err
	}
	x.c.readBy = time.Time{} // of a deadline that was set here
	_ = x.c.SetReadDeadline(time.Time{})
	if errors.Is(cause, errCut) {
		cause = errStopping // only a shutdown cuts what is on no target
	}
	return x.ended("read body", cause)
}

// fill moves the rest of the body to the spool.
func (u *upload) fill(x *exchange) *Error {
	u.takeOver(x.c)
	for {
		keep, used, bad := u.flow.walk(u.reader.bytes())
		if bad != nil {
			return u.malformed(bad)
		}
		if u.tooLarge() {
			return errorTooLarge()
		}
		if keep > 0 {
			if err := u.spool.append(u.reader.bytes()[:keep]); err != nil {
				x.c.server.spools.failed(x.c.server.log, err)
				return &Error{Op: "spool body", Source: FromProxy, Status: 503, Err: err}
			}
		}
		u.reader.consume(used)
		if u.flow.done() {
			u.settle(x)
			return nil
		}
		u.reader.release()
		if err := u.await(x); err != nil {
			return u.clientFailed(x, err)
		}
	}
}

// small reports whether the spool goes out with the head in one call.
func (u *upload) small() bool {
	return u.spool != nil && u.spool.stored == 0 && u.spool.size() <= bodyBuffer
}

// writeSmall writes the head, and all of a body that was spooled.
func (u *upload) writeSmall(s *socket, head []byte) (int, error) {
	pieces := net.Buffers{head, u.first}
	pieces = append(pieces, u.spool.pieces...)
	n, err := pieces.WriteTo(s.Conn)
	return int(n), err
}

// sendSpool sends what was spooled to the target.
func (u *upload) sendSpool(x *exchange, conn *targetConn) *Error {
	for sent := int64(0); sent < u.spool.size(); {
		piece, err := u.spool.at(sent)
		if err != nil {
			x.c.server.spools.failed(x.c.server.log, err)
			return &Error{Op: "read spool", Source: FromProxy, Status: 500, Err: err}
		}
		if failed := u.toTarget(x, conn, piece); failed != nil {
			return failed
		}
		sent += int64(len(piece))
	}
	return nil
}

// spareSpool gives the spool back as soon as it is sent: there is no other attempt.
// Either we see that the upload has ended, or it sees that we do not need it.
func (u *upload) spareSpool() {
	u.spare.Store(true)
	if !u.running || u.ended.Load() != 0 {
		u.drop()
	}
}

// drop gives the spool back, once.
func (u *upload) drop() {
	if u.spool != nil && u.freed.CompareAndSwap(false, true) {
		u.spool.close()
	}
}
