package proxy

import "time"

// attempts sends the request until an attempt succeeds or may not be repeated.
// It is the only place that decides "again?" and "elsewhere?".
func (x *exchange) attempts() *Error {
	x.svc.Retries.Earn()
	for n := 1; ; n++ {
		if err := x.acquire(); err != nil {
			return err
		}
		if n > 1 {
			if !x.affords() {
				x.releaseTarget()
				return x.failed
			}
			x.c.server.counters.Retries.Add(1)
		}
		err := x.forward()
		x.judge(err)
		x.releaseTarget()
		if err == nil || !x.again(err, n) {
			return err
		}
		x.failed, x.now = err, time.Now()
	}
}

// again reports whether the request may be sent once more, and prepares for it.
// Never once a byte of the response went out, or a byte of the body was taken
// from the client that is not at hand any more; and a request that the target
// may have seen only when twice means the same as once (RFC 9110 §9.2.2).
func (x *exchange) again(err *Error, n int) bool {
	if x.started || x.up.consumed || n == maxAttempts || x.c.left.Load() {
		return false
	}
	if err.Retry == RetryNever || err.Retry == RetryIdempotent && !x.c.req.Idempotent() {
		return false
	}
	if err.Stale {
		x.fresh = true
	} else {
		x.tried.add(x.last)
	}
	return true
}

// affords reports whether the service's budget has an attempt more, and takes it.
// What reached no target costs nothing: it puts no load on any.
func (x *exchange) affords() bool {
	if x.failed.Retry == RetryAlways || x.svc.Retries.Spend(x.now) {
		return true
	}
	x.c.server.counters.RetriesRefused.Add(1)
	return false
}

// judge hands the outcome to the target's health. A response that makes no sense
// is no evidence: anybody who finds the path that gives it could take a target
// out of rotation.
func (x *exchange) judge(err *Error) {
	switch {
	case err == nil:
		x.target.Succeeded()
	case err.Source == FromTarget && !err.Stale && err.Op != opReadResponse:
		x.target.Failed(err.Op + ": " + err.Err.Error())
	}
}
