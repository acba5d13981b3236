package proxy

import (
	"errors"
	"io"
	"net"
	"time"

	"upfront/dial"
)

// forward is one attempt: connect, send, receive. Afterwards x.conn is nil, and
// the connection is kept for the next exchange or closed.
func (x *exchange) forward() *Error {
	t, ok := x.target.Transport().(*transport)
	if !ok {
		panic("BUG: a target whose transport is not proxy's")
	}
	if err := x.connect(t); err != nil {
		return err
	}
	x.down.init(&x.conn.socket)
	sent, sendErr := x.send()
	x.place.End()
	// Nothing is an answer to what was not sent at all.
	if sendErr != nil && (sent == 0 || timedOut(sendErr)) {
		err := x.blame("send", sendErr)
		x.giveUp()
		return err
	}
	// A target that refuses a request early closes its connection, perhaps
	// before all was sent; its answer is there to be read all the same.
	x.burnt = sendErr != nil
	err := x.receive()
	if err != nil {
		if sendErr != nil && !x.started && errors.Is(err.Err, errEarlyClose) {
			err.Op, err.Err = "send", sendErr
		}
		x.up.stop(x)
		x.giveUp()
		return err
	}
	return nil
}

// connect gives x a connection to the target: one that was kept, else a new one.
func (x *exchange) connect(t *transport) *Error {
	var conn *targetConn
	if !x.fresh {
		// A body that is not all at hand can be sent only once, too.
		once := !x.c.req.Idempotent() || !x.up.flow.done()
		if once {
			x.now = time.Now() // it matters for how long a connection has idled
		}
		conn = t.take(x.now, once)
	}
	kept := conn != nil
	if !kept {
		t.within(&x.c.server.room)
		conn = t.newConn()
	}
	x.conn = conn
	if !x.c.watch(conn) {
		why := conn.killed()
		x.giveUp()
		return x.ended("connect", why)
	}
	if kept {
		return nil
	}
	if !t.dialer.Multiplexes() {
		x.c.server.counters.Dials.Add(1)
	}
	err := conn.connect()
	if scarce(err) && x.c.server.makeRoomNow() {
		err = conn.connect()
	}
	x.now = time.Now()
	if err == nil {
		return nil
	}
	if cause := conn.killed(); cause != nil {
		x.giveUp()
		return x.ended("connect", cause)
	}
	x.giveUp()
	x.c.server.counters.DialErrors.Add(1)
	failed := &Error{Op: "connect", Target: t.address, Source: FromTarget, Status: 502, Retry: RetryAlways, Err: cause(err)}
	switch {
	case timedOut(err):
		failed.Status = 504
	case ours(err):
		failed.Source, failed.Status = FromProxy, 503
	}
	return failed
}

// send writes the head and the part of the body that is at hand, and starts the
// upload of the rest.
func (x *exchange) send() (sent int, err error) {
	c := x.c
	x.lasts = x.calls()
	c.out = x.appendRequestHead(c.out[:0])
	if x.up.small() {
		x.conn.armWrite(x.now, x.settings.BodyTimeout)
		sent, err = x.up.writeSmall(&x.conn.socket, c.out)
	} else {
		sent, err = c.targetSender.send(&x.conn.socket, &c.out, x.up.first, x.settings.BodyTimeout)
	}
	x.conn.sent.Store(int64(sent))
	if err != nil || x.up.small() {
		return sent, err
	}
	// What the client sends is at hand once: it is not spent on a kept connection
	// that the target was closing.
	if x.up.spool != nil || !x.up.flow.done() && !(x.conn.uses > 0 && x.conn.ended()) {
		x.up.start(x)
	}
	return sent, nil
}

// giveUp closes the connection to the target, if there is one.
func (x *exchange) giveUp() {
	if x.conn != nil {
		x.c.unwatch(x.conn)
		x.conn.transport.discard(x.conn)
		x.conn = nil
		x.down.discard()
	}
}

// keep puts the connection to the target back for the next exchange.
func (x *exchange) keep() {
	if !x.c.unwatch(x.conn) {
		x.conn.transport.discard(x.conn)
	} else {
		x.conn.transport.put(x.conn, time.Now())
	}
	x.conn = nil
}

// blame turns what went wrong on the connection to the target before the client
// saw a byte into an Error.
func (x *exchange) blame(op string, err error) *Error {
	if why := x.conn.killed(); why != nil {
		return x.ended(op, why)
	}
	failed := &Error{Op: op, Target: x.target.Address(), Source: FromTarget, Status: 502, Err: cause(err)}
	if never, ok := errors.AsType[*dial.UnprocessedError](err); ok && !x.started {
		failed.Err, failed.Retry, failed.Stale = never, RetryAlways, true
		return failed
	}
	switch {
	case timedOut(err):
		failed.Status = 504
		return failed
	case x.down.have == 0:
		failed.Retry = RetryIdempotent
		ended := errors.Is(err, io.EOF)
		if ended {
			failed.Err = errEarlyClose
		}
		if failed.Stale = x.conn.uses > 0; failed.Stale {
			x.conn.transport.trust.closed(x.now, x.now.Sub(x.conn.idleSince))
		}
		// Nothing was sent, or the target had closed before it came, and reads no more.
		if x.conn.sent.Load() == 0 || ended && x.conn.untouched() {
			failed.Retry = RetryAlways
		}
	}
	return failed
}

// cause strips the addresses that package net puts before a cause: they stand in
// the log line already.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err
	}
	return err
}
