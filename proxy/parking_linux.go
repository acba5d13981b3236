package proxy

import (
	"syscall"
	"time"
)

// sweepInterval is how often parked clients are looked through for those that have
// idled for too long.
const sweepInterval = time.Second

// park makes the watch wait for c's next request, and reports true when the calling
// goroutine must not touch c any more. Where the system watches no more descriptors it
// leaves c to its goroutine.
func (w *leaveWatch) park(c *client) bool {
	w.mu.Lock()
	const untilSomething = syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT
	err := w.control(c, syscall.EPOLL_CTL_MOD, untilSomething)
	if err != nil { // the watch may not have come to c yet
		err = w.control(c, syscall.EPOLL_CTL_ADD, untilSomething)
	}
	c.parked = err == nil
	c.stays = err != nil && c.idleSince.Load() != dismissed
	if c.parked && w.sweepAt.IsZero() {
		w.sweepAt = time.Now().Add(sweepInterval)
		if len(w.fresh) == 0 {
			_ = w.file.SetReadDeadline(w.sweepAt) // wakes run
		}
	}
	parked := c.parked
	w.mu.Unlock()
	// Published first and looked at second: whoever ends idle clients has seen that c
	// is parked, or we see that it was to end.
	if parked && (c.server.leaving.Load() || c.idleSince.Load() == dismissed) {
		return !w.unpark(c)
	}
	return parked
}

// unpark reports true when c was parked: then the caller has to run it.
func (w *leaveWatch) unpark(c *client) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !c.parked {
		return false
	}
	c.parked = false
	_ = w.control(c, syscall.EPOLL_CTL_MOD, untilEnd) // an end that came is reported again
	return true
}

// closeExpired ends the parked clients that have idled for too long.
func (w *leaveWatch) closeExpired() {
	var expired []*client
	now := time.Now()
	w.mu.Lock()
	if w.sweepAt.IsZero() || now.Before(w.sweepAt) {
		w.mu.Unlock()
		return
	}
	w.sweepAt = time.Time{}
	for _, c := range w.clients {
		if !c.parked {
			continue
		}
		w.sweepAt = now.Add(sweepInterval)
		idle := int64(c.server.settings.Load().IdleTimeout)
		if since := c.idleSince.Load(); since > 0 && idle > 0 && now.UnixNano()-since > idle {
			expired = append(expired, c)
		}
	}
	w.mu.Unlock()
	for _, c := range expired {
		if w.unpark(c) {
			c.server.running.Go(c.expire)
		}
	}
}
