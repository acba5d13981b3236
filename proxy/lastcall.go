package proxy

import (
	"context"
	"time"
)

// The times of the last call.
const (
	// fresh is how long what is under way may have been when the listeners are
	// closed: it will not take much longer, for most of it ends within that time.
	fresh = 100 * time.Millisecond
	// finish is how long what came at the last moment has, behind the listeners,
	// before it is cut.
	finish = 500 * time.Millisecond
	// farewell is how long before the end tunnels are told at the latest: both halves
	// of their goodbye fit into it, and the listeners stay open meanwhile.
	farewell = finish + 2*goodbye
	// lookInterval is how often Shutdown looks whether what it waits for is over.
	lookInterval = 10 * time.Millisecond
)

// lastCall serves on, new clients included, until what was under way is done.
// Whoever is refused has nobody else to ask: so the time that a download takes to end
// is no time without a proxy, and the listeners are closed when the end of the process
// is near. Each answer says Connection: close, and those that idle are sent away, so
// that they come back to whoever comes behind us.
func (s *Server) lastCall(ctx context.Context) {
	tail := time.Now().Add(idleTail)
	left := timeLeft(ctx)
	accept, cancel := endBefore(ctx, min(finish, left/8))
	defer cancel()
	tunnel, cancel := endBefore(ctx, min(farewell, left/3))
	defer cancel()
	half, cancel := endBefore(ctx, left/2) // the other is for who comes meanwhile
	defer cancel()

	old := s.atWork()
	s.awaitDone(tunnel, old)
	s.awaitQuiet(half)
	s.awaitIdle(accept, tail)
	s.wakeIdle(idleTail) // whoever has only just connected is about to ask
	s.seeTunnelsOut(accept)
	s.awaitDone(accept, old)
	s.awaitQuiet(half)
}

// timeLeft is how long ctx still has; 0 if it has no end.
func timeLeft(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return time.Until(end)
}

// endBefore ends d before ctx does.
func endBefore(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-d))
}

// awaitQuiet waits for a moment at which what is under way has begun only just. Where
// requests take longer as a rule there is no such moment, so what is fresh is judged
// less strictly from second to second.
func (s *Server) awaitQuiet(ctx context.Context) {
	began := time.Now()
	for ctx.Err() == nil {
		now := time.Now()
		s.awaitDone(ctx, s.atWork())
		if time.Since(now) <= max(fresh, time.Since(began)/10) {
			return
		}
	}
}

// awaitDone waits until old, which it empties, are done.
func (s *Server) awaitDone(ctx context.Context, old map[*client]struct{}) {
	s.await(ctx, func() bool { return s.areDone(old) })
}

// seeTunnelsOut ends the tunnels that there are. Some clients take their time for
// that.
func (s *Server) seeTunnelsOut(ctx context.Context) {
	s.mu.Lock()
	old := make([]*tunnel, 0, len(s.tunnels))
	for t := range s.tunnels {
		old = append(old, t)
		t.target.kill(errCut)
	}
	s.mu.Unlock()
	s.await(ctx, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for len(old) > 0 {
			if _, open := s.tunnels[old[0]]; open {
				return false
			}
			old = old[1:]
		}
		return true
	})
}

// atWork are the clients that have a request under way, or are about to say what
// they want: no tunnels.
func (s *Server) atWork() map[*client]struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[*client]struct{})
	for c := range s.seats.clients {
		if c.idleSince.Load() == 0 {
			all[c] = struct{}{}
		}
	}
	return all
}

// areDone forgets those of old that are not at work any more, and reports whether
// that is all of them.
func (s *Server) areDone(old map[*client]struct{}) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range old {
		if _, here := s.seats.clients[c]; !here || c.idleSince.Load() != 0 {
			delete(old, c)
		}
	}
	return len(old) == 0
}

// await looks until done says so, or ctx ends.
func (s *Server) await(ctx context.Context, done func() bool) {
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
