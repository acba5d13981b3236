package health

import (
	"sync"
	"time"
)

// alarm is a timer that may be set again from anywhere, and whose calls can be waited
// for. It is set before begin and after end to no effect.
type alarm struct {
	mu    sync.Mutex
	timer *time.Timer    // guarded by mu; nil before begin
	ended bool           // guarded by mu
	calls sync.WaitGroup // the one to come, and those under way; added to under mu
}

// begin has ring called after d, in a goroutine of its own, and after every set.
func (a *alarm) begin(d time.Duration, ring func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls.Add(1)
	a.timer = time.AfterFunc(d, func() {
		defer a.calls.Done()
		ring()
	})
}

// set has it ring after d, and not when it was set to before.
func (a *alarm) set(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil && !a.ended && !a.timer.Reset(d) {
		a.calls.Add(1) // the call before has begun, and counts for itself
	}
}

// join counts a call that comes from elsewhere, and whose end calls leave. It reports
// false after end: there is to be none.
func (a *alarm) join() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.ended {
		a.calls.Add(1)
	}
	return !a.ended
}

func (a *alarm) leave() { a.calls.Done() }

// end lets no further call begin.
func (a *alarm) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	if a.timer != nil && a.timer.Stop() {
		a.calls.Done()
	}
}

// wait returns when no call is under way. Only after end.
func (a *alarm) wait() { a.calls.Wait() }
