package proxy

import (
	"errors"
	"sync/atomic"
	"time"

	"upfront/balancer"
	"upfront/proxy/http1"
	"upfront/service"
)

// exchange is one request and its response. It lives in the workspace of its
// client and belongs to the goroutine that runs the client.
type exchange struct {
	c        *client
	settings *Settings // those at the start
	start    time.Time // when the first bytes of the head were read
	now      time.Time // of the last wait's end, near enough for deadlines

	svc    *service.Service // nil until a route matched
	prefix string           // of the path, that the route matched
	target *balancer.Target // held while not nil
	last   *balancer.Target // the one tried last, for the log
	conn   *targetConn      // in use while not nil
	tried  triedTargets
	failed *Error        // of the last attempt
	fresh  bool          // the next attempt must not use a kept connection
	burnt  bool          // conn must not be kept
	lasts  bool          // the bodies are streams that may be silent for long; set by send
	place  service.Place // in the line behind a pause
	drawn  visitor       // valid when drew
	drew   bool          // the client has no name that a rollout knows it by

	id     requestID
	flight *atomic.Int64 // of the service, while the request counts there
	up     upload
	down   bodyReader

	status   int        // that the client was sent; 0 while there is none
	sent     int64      // body bytes to the client, with framing
	ahead    *readAhead // while the client has less of the response than we
	leads    bool       // the response may be read ahead
	location string     // of a redirect
	started  bool       // a byte of the final response went out
	close    bool       // the client's connection ends with this exchange
	linger   bool       // … and the client may still be sending
	err      *Error

	contentType    [64]byte // of the response, for the log
	contentTypeLen int
	logged         []byte // of the response, what the service wants in the log; nil is nothing
}

// begin makes x ready for the request whose first bytes have arrived.
func (x *exchange) begin(c *client) {
	down, up := x.down, x.up.reader
	now := time.Now()
	*x = exchange{c: c, settings: c.server.settings.Load(), start: now, now: now, down: down}
	x.up.reader = up
	x.down.share, x.up.reader.share = nil, nil
	if c.shares != nil {
		x.down.share, x.up.reader.share = &c.shares.down, &c.shares.up
	}
}

// serve runs the exchange and reports whether the connection can take another.
func (x *exchange) serve() bool {
	x.identify()
	err := x.up.begin(x)
	if err == nil {
		err = x.prove()
	}
	if err == nil {
		err = x.route()
	}
	if err == nil {
		err = x.judgeHost()
	}
	if err == nil {
		err = x.shed()
	}
	if err == nil {
		err = x.elsewhere()
	}
	if err == nil {
		err = x.up.admit(x.svc.MaxRequestBody, x.c.req.ContentLength())
	}
	if err == nil {
		err = x.gather()
	}
	if err == nil {
		err = x.attempts()
	}
	err = x.catchUp(err)
	if err != nil {
		x.fail(err)
	}
	again := x.finish()
	x.measure()
	x.record()
	if !again && x.linger && x.status != 499 {
		x.c.linger(x.lingerTime())
	}
	return again
}

// route finds the service of the request.
func (x *exchange) route() *Error {
	req := &x.c.req
	path := req.Path
	if path[0] == '*' {
		path = rootPath
	}
	if err := x.askedOfUs(path); err != nil {
		return err
	}
	svc, prefix, ok := x.c.server.routes.Match(req.Host, path)
	if !ok {
		x.svc = nil // it may have had one, which was removed while it was held
		return &Error{Op: "route", Source: FromClient, Status: 404, Err: errNoRoute}
	}
	x.svc, x.prefix = svc, prefix
	x.board()
	if svc.ForwardsAlways || svc.ForwardsNever {
		x.trust()
	}
	return nil
}

var rootPath = []byte("/")

// acquire chooses a target and counts the request on it. A deploy may replace the
// pool, and the gate may close, between the look at the table and the count: then
// the table is read again, so that no request is lost to the moment.
func (x *exchange) acquire() *Error {
	for n := 0; n < maxRoutes; n++ {
		if x.svc.Gate.State() != service.Running {
			if err := x.hold(); err != nil {
				return err
			}
			continue
		}
		target, err := x.choose()
		if err == nil {
			// Counted first and looked at the gate second: either a pause
			// waits for us, or we see that it is paused.
			if x.svc.Gate.State() == service.Running {
				x.target, x.last = target, target
				return nil
			}
			target.Release()
			continue
		}
		if x.takes() { // but it is full
			switch waited, err := x.awaitRoom(); {
			case err != nil:
				return err
			case waited:
				n--
				continue
			}
		}
		seen := x.svc
		if err := x.route(); err != nil {
			return err
		}
		if x.svc == seen {
			break
		}
	}
	if x.failed != nil {
		return x.failed
	}
	return &Error{Op: "balance", Source: FromProxy, Status: 503, Err: balancer.ErrNoTarget}
}

// maxRoutes bounds how often one request reads the table anew.
const maxRoutes = 16

// ended is the error of an exchange that was ended from outside.
func (x *exchange) ended(op string, cause error) *Error {
	var err *Error
	switch {
	case cause == nil: // leave has taken the connection and not said why yet
		return &Error{Op: op, Source: FromClient, Status: 499, Err: errClientLeft}
	case errors.As(cause, &err):
		return err
	case errors.Is(cause, errClientLeft):
		return &Error{Op: op, Source: FromClient, Status: 499, Err: cause}
	case errors.Is(cause, errStopping):
		return &Error{Op: op, Source: FromProxy, Status: 503, Err: cause}
	case x.svc != nil && x.svc.Gate.State() == service.Stopped:
		// Cut by the stop itself: its message says more than a timeout.
		return &Error{Op: op, Source: FromProxy, Status: 503, Err: errStopped}
	}
	return &Error{Op: op, Source: FromProxy, Status: 504, Err: cause}
}

// finish settles the connection to the client and reports whether it can take
// another request.
func (x *exchange) finish() bool {
	if !x.up.taken() {
		x.close, x.linger = true, true
	}
	x.up.reader.discard()
	x.up.drop()
	x.down.discard()
	if x.c.read < x.c.have {
		x.linger = true // it sends on, and may not have read what it asked before
	}
	return !x.close
}

// abandon gives back what a panic left held.
func (x *exchange) abandon() {
	x.land()
	x.up.stop(x)
	x.giveUp()
	x.releaseTarget()
	x.place.End()
	x.abandonAhead()
	x.up.drop()
}

func (x *exchange) releaseTarget() {
	if x.target != nil {
		x.target.Release()
		x.target = nil
	}
}

// refuse answers what is no request.
func (x *exchange) refuse(bad *http1.Error) {
	x.close, x.linger = true, true
	x.c.server.counters.BadRequests.Add(1)
	x.err = &Error{Op: "read head", Source: FromClient, Status: bad.Status, Err: bad}
	x.id.make()
	x.respond(x.err)
	x.record()
	if x.linger {
		x.c.linger(x.lingerTime())
	}
}

// lingerTime is how long the client may go on sending. One that was too slow has
// little under way, and where others wait or memory is short its place is needed.
func (x *exchange) lingerTime() time.Duration {
	s, limit := x.c.server, lingerTime
	switch {
	case x.status == 101:
		limit = tunnelLinger
	case s.closing.Load():
		limit = lastWords
	case x.status == 408 || s.seats.crowded():
		limit = lingerIdle
	}
	return s.pressure.now().within(limit)
}
