package service

import (
	"sync"
	"time"
)

// The first probes of many targets that begin together are spread: else thousands of
// connections, and a stack for each, would be there at once, and again at each interval.
const (
	paceBurst = 64                     // begin at once
	paceGap   = 200 * time.Microsecond // between two of those that come behind
)

// pace says when a target that begins to be probed has its turn. The zero value is
// ready. Safe for concurrent use.
type pace struct {
	mu   sync.Mutex
	next time.Time // guarded by mu; when the next turn is, if the burst were used up
}

// wait returns how long the turn is away from now, and takes it.
func (p *pace) wait(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.next
	if earliest := now.Add(-(paceBurst - 1) * paceGap); at.Before(earliest) {
		at = earliest
	}
	p.next = at.Add(paceGap)
	return max(0, at.Sub(now))
}
