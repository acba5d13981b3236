package balancer

import (
	"context"
	"time"
)

// cutGrace is how long Drain waits, after it cut what was left, for the owners
// of the cut exchanges to release them.
const cutGrace = 5 * time.Second

// Drain asks the target to take no new requests and waits until it is empty or
// ctx ends; then it cuts what is left and waits for it to be released (bounded).
// It returns how many exchanges were cut; those that nobody released within the
// bound count as cut. The target stays draining. Idempotent; concurrent calls all
// wait. Undrain makes it return at once, without a cut.
func (t *Target) Drain(ctx context.Context) (cut int) {
	undrained := t.refuse()
	if t.awaitIdle(ctx, undrained) {
		return 0
	}
	cut, ending := t.cut(undrained)
	if !ending {
		return cut
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), cutGrace)
	defer cancel()
	if t.awaitIdle(grace, undrained) || isClosed(undrained) {
		return cut
	}
	return max(cut, int(t.InFlight()))
}

// Undrain lets a draining target take requests again. A Drain that is waiting
// returns; one that is cutting finishes the cut first. Idempotent.
func (t *Target) Undrain() {
	t.admin.Lock()
	defer t.admin.Unlock()
	if t.undrained == nil {
		return
	}
	t.draining.Store(false)
	close(t.undrained)
	t.undrained = nil
}

// WaitIdle waits until nothing is in flight or ctx ends, without asking the
// target to take no new requests (the gate does that for pause and stop). It
// reports whether the target became empty.
func (t *Target) WaitIdle(ctx context.Context) bool { return t.awaitIdle(ctx, nil) }

// refuse sets the flag and returns the channel that Undrain closes.
func (t *Target) refuse() (undrained <-chan struct{}) {
	t.admin.Lock()
	defer t.admin.Unlock()
	if t.undrained == nil {
		t.undrained = make(chan struct{})
		t.draining.Store(true)
	}
	return t.undrained
}

// cut ends what is in flight, unless the drain was called off meanwhile. It
// returns how many exchanges there were, and whether they are ending. Without a
// transport nothing can be ended, and what is in flight counts as cut.
func (t *Target) cut(undrained <-chan struct{}) (n int, ending bool) {
	t.admin.Lock()
	defer t.admin.Unlock()
	if isClosed(undrained) {
		return 0, false
	}
	if t.options.Transport == nil {
		return int(t.InFlight()), false
	}
	return t.options.Transport.Cut(), true
}

// awaitIdle waits until it sees nothing in flight; it gives up when ctx ends or
// stop is closed. It announces itself first and reads the count second, and
// Release does it the other way round: either we see zero, or Release sees us.
func (t *Target) awaitIdle(ctx context.Context, stop <-chan struct{}) bool {
	t.waiters.Add(1)
	defer t.waiters.Add(-1)
	for {
		// The channel first: what reaches zero after the look closes it.
		idle := t.nextIdle()
		// Woken is not enough, the count has to be looked at: the release that
		// wakes us may be older than a request which came before the flag.
		if t.inFlight.Load() == 0 {
			return true
		}
		select {
		case <-idle:
		case <-stop:
			return false
		case <-ctx.Done():
			return t.inFlight.Load() == 0
		}
	}
}

// nextIdle returns the channel that the next release to zero closes.
func (t *Target) nextIdle() <-chan struct{} {
	t.wake.Lock()
	defer t.wake.Unlock()
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	return t.idle
}

// wakeIdle tells every waiter that the count reached zero.
func (t *Target) wakeIdle() {
	t.wake.Lock()
	defer t.wake.Unlock()
	if t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
