package proxy

import (
	"sync/atomic"
	"time"
)

// seldom keeps what may happen at every request from filling the log. The zero value
// is ready, and the first time is due at once.
type seldom struct{ last atomic.Int64 } // Unix nanoseconds

// due reports whether it is time to say it again, and counts that it was said.
func (s *seldom) due(every time.Duration) bool {
	now, last := time.Now().UnixNano(), s.last.Load()
	return now-last >= int64(every) && s.last.CompareAndSwap(last, now)
}
