package proxy

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"upfront/proxy/http1"
)

// readAhead is the part of a response that the target has sent and the client has
// not taken. It comes to be when a write would have to wait, and ends when the
// client has caught up. Meanwhile a goroutine of its own writes to the client, so
// that the target is free as soon as it has sent everything.
type readAhead struct {
	c       *client
	timeout time.Duration // of a write without progress
	done    chan struct{} // closed when run returns
	halt    atomic.Bool   // written by stop, before it wakes run
	err     *Error        // why run gave up; valid once done is closed

	mu     sync.Mutex
	spool  spool // guarded by mu
	sent   int64 // guarded by mu; how much of the spool the client was sent
	caught bool  // guarded by mu; the client has everything, and run ends
}

// mayLead reports whether a response of known length may be read ahead of the
// client. Its target can say that it does not want that, as to nginx; the field
// goes on to the client, for there may be an nginx in front of us.
func (x *exchange) mayLead(body *flow) bool {
	if !x.svc.BufferResponses || body.kind != http1.Fixed || x.c.raw == nil && x.fits(body) {
		return false
	}
	res := &x.c.res
	for i := range res.Fields() {
		f := &res.Fields()[i]
		if name := res.Name(f); len(name) == len(accelBuffering) && bytes.EqualFold(name, accelBuffering) {
			return !bytes.EqualFold(res.Value(f), []byte("no"))
		}
	}
	return true
}

// fits reports whether a body has come whole and waits for nothing in a stream, where
// what is no more than this is sent only once the exchange is over.
func (x *exchange) fits(body *flow) bool {
	return body.left <= streamHolds && int64(x.down.have-x.c.res.Len()) >= body.left
}

var accelBuffering = []byte("X-Accel-Buffering")

// lead passes a piece of the response on without waiting for the client: what it
// does not take at once is kept.
func (x *exchange) lead(head, piece []byte) *Error {
	if x.ahead != nil {
		kept, err := x.leadOn(piece)
		if kept || err != nil {
			return err
		}
	}
	c := x.c
	if !x.leads {
		return x.toClient(head, piece)
	}
	c.armWrite(time.Now(), x.settings.BodyTimeout)
	n, kept, err := c.sendNow(head, piece)
	if err != nil {
		return &Error{Op: "write", Source: FromClient, Status: 499, Err: cause(err)}
	}
	if n == len(head)+len(piece) && !kept {
		return nil
	}
	h := min(n, len(head))
	return x.fallBehind(head[h:], piece[n-h:])
}

// fallBehind starts to read ahead with what the client did not take.
func (x *exchange) fallBehind(head, piece []byte) *Error {
	a := &readAhead{
		c: x.c, timeout: x.settings.BodyTimeout, done: make(chan struct{}),
		spool: spool{room: x.svc.BufferMemory, disk: &x.c.server.spools},
	}
	err := a.spool.append(head)
	if err == nil {
		err = a.spool.append(piece)
	}
	if err != nil {
		a.spool.close()
		x.leadNoMore(err)
		return x.toClient(head, piece)
	}
	x.ahead = a
	go a.run()
	return nil
}

// sendNow writes what the client takes at once and returns how much that is. Where
// there is TLS that is everything, for what was encrypted cannot be sent otherwise;
// kept says that the client has yet to take some of it. A stream cannot be asked, and
// takes nothing at once.
func (c *client) sendNow(head, piece []byte) (n int, kept bool, err error) {
	switch {
	case c.layer != nil:
		kept, err = c.layer.sendNow(&c.socket, &c.clientSender, head, piece)
		return len(head) + len(piece), kept, err
	case c.raw == nil:
		return 0, false, nil
	}
	n, err = c.clientSender.sendNow(&c.socket, head, piece)
	return n, false, err
}

// leadNoMore goes back to waiting for the client, for want of a disk.
func (x *exchange) leadNoMore(err error) {
	x.leads = false
	x.c.server.spools.failed(x.c.server.log, err)
}

// leadOn keeps a piece behind those that wait. It reports false once the client
// has caught up; when there is no room for the piece, it waits for that.
func (x *exchange) leadOn(piece []byte) (kept bool, failed *Error) {
	a := x.ahead
	kept, err := a.keep(piece)
	if kept {
		return true, nil
	}
	if err != nil {
		x.leadNoMore(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	x.conn.guard(cancel) // the target may be cut meanwhile
	select {
	case <-a.done:
	case <-ctx.Done():
	}
	if cause := x.conn.unguard(); cause != nil {
		return false, x.ended("read body", cause)
	}
	x.ahead = nil
	a.spool.close()
	return false, a.err
}

// keep adds a piece, unless there is no room for it, or the client has caught up.
func (a *readAhead) keep(piece []byte) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.caught || a.spool.stored+int64(len(piece)) > a.spool.disk.most {
		return false, nil
	}
	err := a.spool.append(piece)
	return err == nil, err
}

// run writes to the client until it has caught up, or fails.
func (a *readAhead) run() {
	defer close(a.done)
	defer func() {
		if p := recover(); p != nil {
			a.c.server.counters.Panics.Add(1)
			a.c.server.log.Error("Panicked in a response", zap.Any("reason", p), zap.Stack("stack"))
			a.fail(&Error{Op: "write", Source: FromProxy, Status: 500, Err: errPanic})
		}
	}()
	if !a.write(nil) { // what TLS has kept
		return
	}
	for {
		piece, err := a.next()
		if err != nil {
			a.c.server.spools.failed(a.c.server.log, err)
			a.fail(&Error{Op: "read spool", Source: FromProxy, Status: 500, Err: err})
			return
		}
		if len(piece) == 0 || !a.write(piece) {
			return
		}
	}
}

// write sends a piece, and reports whether that went well.
func (a *readAhead) write(piece []byte) bool {
	if len(piece) == 0 && a.c.layer == nil {
		return true
	}
	a.c.armWrite(time.Now(), a.timeout)
	if a.halt.Load() { // or stop comes now, and its deadline after ours
		a.fail(&Error{Op: "write", Source: FromClient, Status: 499, Err: errClientLeft})
		return false
	}
	n, err := a.c.Write(piece)
	a.mu.Lock()
	a.sent += int64(n)
	a.mu.Unlock()
	if err != nil {
		a.fail(&Error{Op: "write", Source: FromClient, Status: 499, Err: cause(err)})
	}
	return err == nil
}

// next returns what is to be written next, nothing when the client has caught up.
func (a *readAhead) next() ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spool.free(a.sent)
	if a.sent == a.spool.size() {
		a.caught = true
		return nil, nil
	}
	return a.spool.at(a.sent)
}

// fail wakes the exchange, if it waits for the target.
func (a *readAhead) fail(err *Error) {
	a.err = err
	if conn := a.c.waits.take(); conn != nil {
		conn.kill(err)
	}
}

// stop ends run, wherever it is.
func (a *readAhead) stop() {
	a.halt.Store(true)
	_ = a.c.SetWriteDeadline(time.Unix(1, 0))
}

// catchUp waits until the client has what was read ahead of it, with the target
// free already. Of a response that broke off it gets all that came.
func (x *exchange) catchUp(err *Error) *Error {
	a := x.ahead
	if a == nil {
		return err
	}
	x.down.discard()
	wait := &targetConn{} // stands in for a connection: what leave and Shutdown can end
	wait.guard(a.stop)
	x.c.watch(wait) // and stop at once, if the client has left
	<-a.done
	x.c.unwatch(wait)
	cause := wait.unguard()
	if a.halt.Load() {
		x.c.writeBy = time.Time{}
		_ = x.c.SetWriteDeadline(time.Time{})
	}
	x.sent = max(x.sent-(a.spool.size()-a.sent), 0)
	x.ahead = nil
	a.spool.close()
	switch {
	case err != nil:
		return err
	case a.err != nil && cause != nil:
		return x.ended("write", cause)
	}
	return a.err
}

// abandonAhead ends what a panic left running. The client's connection is closed.
func (x *exchange) abandonAhead() {
	if a := x.ahead; a != nil {
		a.stop()
		<-a.done
		x.ahead = nil
		a.spool.close()
	}
}
