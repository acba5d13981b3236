package balancer

import (
	"sync/atomic"
	"time"
)

// What a RetryBudget earns and holds, in thousandths of a retry.
const (
	retryCost      = 1000
	retryPerFirst  = retryCost / 5    // each request earns a fifth of a retry
	retryPerSecond = 10 * retryCost   // and so does time, for services with few requests
	retryMost      = 1000 * retryCost // what one dead target with many in flight may need at once
)

// RetryBudget bounds how often the requests of one service are sent again after a
// target may have seen them, so that targets in trouble do not get twice the load
// for it: a fifth of the requests and 10 a second, with 1000 saved up. It outlives
// the pools of the service. A nil budget allows everything. Safe for concurrent
// use.
type RetryBudget struct {
	saved  atomic.Int64 // thousandths of a retry
	filled atomic.Int64 // Unix nanoseconds up to which time has earned
}

// NewRetryBudget returns a budget that is full.
func NewRetryBudget() *RetryBudget {
	b := &RetryBudget{}
	b.saved.Store(retryMost)
	b.filled.Store(time.Now().UnixNano())
	return b
}

// Earn counts a request that is sent for the first time. With a full budget it is
// one atomic load.
func (b *RetryBudget) Earn() {
	if b == nil || b.saved.Load() >= retryMost {
		return
	}
	b.saved.Add(retryPerFirst) // beyond the most by what comes at the same time
}

// Spend reports whether a request may be sent once more, and counts that.
func (b *RetryBudget) Spend(now time.Time) bool {
	if b == nil {
		return true
	}
	b.fill(now.UnixNano())
	for {
		saved := b.saved.Load()
		if saved < retryCost {
			return false
		}
		if b.saved.CompareAndSwap(saved, saved-retryCost) {
			return true
		}
	}
}

// fill adds what the time since it was last called has earned.
func (b *RetryBudget) fill(now int64) {
	const unit = int64(time.Second) / retryPerSecond
	last := b.filled.Load()
	earned := (now - last) / unit
	if earned > 0 && b.filled.CompareAndSwap(last, last+earned*unit) {
		b.saved.Add(max(min(earned, retryMost-b.saved.Load()), 0))
	}
}
