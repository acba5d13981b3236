package proxy

import (
	"sync/atomic"
	"time"

	"upfront/proxy/http1"
)

// upload is the body of a request on its way to the target. What arrived with
// the head is sent with the head; the rest is moved by a goroutine of its own,
// so that the response can flow at the same time.
type upload struct {
	flow  flow
	first []byte // what arrived with the head; stays at hand for another attempt
	spool *spool // the rest, where it was gathered before the first attempt, and at hand as well

	reader   bodyReader
	pace     pace
	limit    int64 // of the body's size, 0 for none
	consumed bool  // bytes were taken from the client that are not at hand any more; owner: run, then who joined it

	running bool          // the goroutine was started and not joined yet
	done    chan struct{} // closed when run returns
	halt    atomic.Bool   // written by stop, or who ends a gather, before it wakes who reads
	ended   atomic.Int64  // Unix nanoseconds; when the body was complete, 0 before
	err     *Error        // why run gave up; valid once done is closed
	whole   atomic.Bool   // the client has sent all of it; written by run
	spare   atomic.Bool   // no attempt can need the spool any more; written by relay
	freed   atomic.Bool   // the spool was given back
	asked   atomic.Bool   // the client waits for a 100; cleared by who ends that
	invited atomic.Int64  // Unix nanoseconds; when it was sent one, 0 before
}

// begin takes what has arrived of the body, before anything else can end the
// exchange: bytes of a body must never be read as the next request.
func (u *upload) begin(x *exchange) *Error {
	req := &x.c.req
	switch {
	case req.Chunked():
		u.flow.kind = http1.Chunked
	case req.ContentLength() > 0:
		u.flow.kind, u.flow.left = http1.Fixed, req.ContentLength()
	default:
		return nil
	}
	at := x.c.buffered()
	keep, used, bad := u.flow.walk(at)
	if bad != nil {
		return u.malformed(bad)
	}
	u.first = at[:keep]
	u.pace = pace{rate: x.settings.BodyRate, grace: x.settings.BodyGrace, got: int64(keep)}
	x.c.read += used
	return nil
}

// admit holds what is known of the body's size against the service's limit.
func (u *upload) admit(limit int64, announced int64) *Error {
	u.limit = limit
	if limit > 0 && announced > limit || u.tooLarge() {
		return errorTooLarge()
	}
	return nil
}

// taken reports whether the client has nothing of the body left to send. A target
// answers as soon as it has the last byte, which may be before run knows that the
// byte was sent.
func (u *upload) taken() bool {
	if u.running {
		return u.whole.Load()
	}
	return u.flow.done()
}

// finished reports whether the body was sent whole.
func (u *upload) finished() bool {
	if u.running && u.ended.Load() == 0 {
		return false
	}
	return u.err == nil && u.flow.done()
}

func (u *upload) malformed(bad *http1.Error) *Error {
	return &Error{Op: "read body", Source: FromClient, Status: bad.Status, Err: bad}
}

func errorTooLarge() *Error {
	return &Error{Op: "read body", Source: FromClient, Status: 413, Err: errBodyTooLarge}
}

// tooLarge reports whether a chunked body has grown beyond the limit.
func (u *upload) tooLarge() bool { return u.limit > 0 && u.flow.chunks.Size > u.limit }

// start moves the rest of the body in a goroutine, which stop or join ends.
func (u *upload) start(x *exchange) {
	if u.running {
		return
	}
	u.running, u.err = true, nil
	u.ended.Store(0)
	u.halt.Store(false)
	u.asked.Store(x.c.req.Continue && len(u.first) == 0 && u.invited.Load() == 0)
	u.done = make(chan struct{})
	u.whole.Store(u.flow.done())
	if u.spool == nil {
		u.consumed = u.takeOver(x.c) || u.consumed
	}
	// All that the goroutine uses of x stays as it is until it was joined.
	go u.run(x, x.conn)
}

// takeOver makes u read what the client sends from here on. It reports whether it
// took bytes that had arrived: a chunk's line that is incomplete.
func (u *upload) takeOver(c *client) bool {
	u.reader.init(&c.socket)
	rest := c.buffered()
	if len(rest) == 0 {
		return false
	}
	u.reader.have = copy(u.reader.space(), rest)
	c.read = c.have
	return true
}

// run moves the body until it is complete or one side fails.
func (u *upload) run(x *exchange, conn *targetConn) {
	defer close(u.done)
	defer func() {
		if p := recover(); p != nil {
			u.err = &Error{Op: "read body", Source: FromProxy, Status: 500, Err: errPanic}
			u.flow = flow{kind: http1.Fixed, left: 1} // where the body ends is not known any more
			x.c.server.counters.Panics.Add(1)
			conn.kill(u.err)
		}
	}()
	if u.err = u.move(x, conn); u.err != nil && u.err.Source != FromTarget {
		conn.kill(u.err) // wakes whoever waits for the response
	}
	u.ended.Store(time.Now().UnixNano())
	if u.spare.Load() {
		u.drop()
	}
}

func (u *upload) move(x *exchange, conn *targetConn) *Error {
	if u.spool != nil {
		return u.sendSpool(x, conn)
	}
	for {
		keep, used, bad := u.flow.walk(u.reader.bytes())
		if bad != nil {
			return u.malformed(bad)
		}
		failed := u.pass(x, conn, keep)
		// Passed on or not, these bytes are the body's: settle must not find them.
		u.reader.consume(used)
		if failed != nil {
			return failed
		}
		if u.flow.done() {
			return nil
		}
		u.reader.pass()
		if err := u.await(x); err != nil {
			return u.clientFailed(x, err)
		}
		u.consumed = true
		u.asked.Store(false)
	}
}

// pass sends the first keep bytes of what waits to the target.
func (u *upload) pass(x *exchange, conn *targetConn, keep int) *Error {
	if u.tooLarge() {
		return errorTooLarge()
	}
	if u.flow.done() {
		u.whole.Store(true)
	}
	if keep == 0 {
		return nil
	}
	return u.toTarget(x, conn, u.reader.bytes()[:keep])
}

func (u *upload) toTarget(x *exchange, conn *targetConn, piece []byte) *Error {
	conn.sent.Add(int64(len(piece)))
	if _, err := x.c.targetSender.send(&conn.socket, &piece, nil, x.settings.BodyTimeout); err != nil {
		return &Error{Op: "send body", Target: conn.transport.address, Source: FromTarget, Status: 502, Err: cause(err)}
	}
	return nil
}

func (u *upload) clientFailed(x *exchange, err error) *Error {
	failed := &Error{Op: "read body", Source: FromClient, Status: 499, Err: cause(err)}
	if timedOut(err) {
		failed.Status = 408
	}
	if err == errTooSlow { //nolint:errorlint // it is await's own value
		failed.Status = 408
		x.c.server.counters.SlowBodies.Add(1)
	}
	return failed
}

// uploadTail is how long an upload may go on once the response is complete: a
// target that answers early may still want to read all of it.
const uploadTail = time.Second

// join waits for an upload whose response is complete, and stops it if it takes
// too long.
func (u *upload) join(x *exchange) {
	if !u.running {
		return
	}
	select {
	case <-u.done:
		u.joined(x)
		return
	default:
	}
	if !x.linger {
		timer := time.NewTimer(uploadTail)
		defer timer.Stop()
		select {
		case <-u.done:
		case <-timer.C:
		}
	}
	u.stop(x)
}

// stop ends the upload, wherever it is, and waits for it.
func (u *upload) stop(x *exchange) {
	if !u.running {
		return
	}
	select {
	case <-u.done:
	default:
		x.conn.kill(errUploadStopped)
		u.halt.Store(true)
		_ = x.c.SetReadDeadline(time.Unix(1, 0))
		<-u.done
		x.c.readBy = time.Time{}
		_ = x.c.SetReadDeadline(time.Time{})
	}
	u.joined(x)
}

// joined is called once run has returned.
func (u *upload) joined(x *exchange) {
	u.running = false
	if u.invited.Load() != 0 { // and the deadline may be invite's
		x.c.readBy = time.Time{}
		_ = x.c.SetReadDeadline(time.Time{})
	}
	u.settle(x)
}

// settle gives bytes behind the body, the next request, back to the client's
// buffer.
func (u *upload) settle(x *exchange) {
	rest := u.reader.bytes()
	if !u.flow.done() || len(rest) == 0 {
		return
	}
	c := x.c
	// The head stays where it is: the log still reads it.
	if c.have+len(rest) > len(c.in) {
		in := make([]byte, len(rest)+headBuffer)
		c.read, c.have = 0, copy(in, rest)
		c.in = in
		return
	}
	c.read = c.have
	c.have += copy(c.in[c.have:], rest)
}
