package proxy

// unasked is the error for what a kept connection's target said before it had a
// byte of the request. It may do what the request asks all the same, unless it says
// that it reads no more.
func (x *exchange) unasked() *Error {
	err := &Error{
		Op: opReadResponse, Target: x.target.Address(), Source: FromTarget, Status: 502,
		Retry: RetryIdempotent, Stale: true, Err: errUnasked,
	}
	x.c.res.Reset()
	if done, bad := x.c.res.Scan(x.down.bytes(), responseLimits); done && bad == nil && x.c.res.Goodbye() {
		err.Retry = RetryAlways
	}
	return err
}

// isGoodbye reports whether the answer is that of a target which was tired of
// waiting for a request on a kept connection, and has not read ours (RFC 9110
// §15.5.9), and whether ours may be sent again. On a new connection nothing was
// waited for: it is what the target says to this request.
func (x *exchange) isGoodbye() bool {
	return x.conn.uses > 0 && x.c.res.Goodbye() && !x.conn.transport.dialer.Multiplexes() &&
		x.c.req.Idempotent() && (!x.up.running || x.up.spool != nil)
}

// goodbye is the error for such an answer. When the request may not be sent again
// after all, its status is the one that stands.
func (x *exchange) goodbye() *Error {
	x.conn.transport.trust.closed(x.now, x.now.Sub(x.conn.idleSince))
	return &Error{
		Op: opReadResponse, Target: x.target.Address(), Source: FromTarget, Status: 408,
		Retry: RetryIdempotent, Stale: true, Err: errTired,
	}
}
