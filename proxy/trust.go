package proxy

import (
	"sync/atomic"
	"time"
)

// trust is how long a connection to a target may have idled to be given a request
// that must not be sent twice. A target may close a connection at the very moment
// at which a request is sent on it, which no look beforehand can rule out: so such
// a request stays well clear of the time for which this target has been seen to
// keep connections. Trust is earned from nothing, and lost with the first
// connection that was closed sooner.
type trust struct {
	survived atomic.Int64 // nanoseconds that a connection idled and was still open
	quick    atomic.Int64 // Unix nanoseconds; when one was last seen closed before leastSurvived
}

// Trusted is the fourth part of what was survived, and freshFor at most. A target
// that was not seen to keep connections for leastSurvived is not trusted at all, nor
// one that was seen to close them sooner, for a while: on a busy machine either side
// may be late by much of that.
const (
	trustPart     = 4
	freshFor      = time.Second
	leastSurvived = 500 * time.Millisecond
	quickFor      = 10 * time.Second
)

// fresh returns how long a connection may have idled.
func (t *trust) fresh(now time.Time) time.Duration {
	survived := time.Duration(t.survived.Load())
	if survived < leastSurvived || now.UnixNano()-t.quick.Load() < int64(quickFor) {
		return 0
	}
	return min(survived/trustPart, freshFor)
}

// open notes that a connection was still open after it had idled for so long.
func (t *trust) open(idled time.Duration) {
	for {
		seen := t.survived.Load()
		if int64(idled) <= seen || t.survived.CompareAndSwap(seen, int64(idled)) {
			return
		}
	}
}

// closed notes that the target had closed one by now, which had idled for so long.
func (t *trust) closed(now time.Time, idled time.Duration) {
	if idled < leastSurvived {
		t.quick.Store(now.UnixNano())
	}
	for {
		seen := t.survived.Load()
		if int64(idled) >= seen || t.survived.CompareAndSwap(seen, int64(idled)) {
			return
		}
	}
}
