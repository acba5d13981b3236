package proxy

import (
	"context"
	"time"
)

// The stages of a shutdown.
const (
	// acceptTail is how long connections that the kernel has already
	// established are still accepted, so that none of them is reset.
	acceptTail = 20 * time.Millisecond
	// lastTail is how long those have that connected as the listeners closed, and
	// have not asked yet.
	lastTail = 100 * time.Millisecond
	// idleTail is how long a kept connection may still send a request, which
	// is answered with Connection: close: a client that sends just as we close
	// would otherwise lose it.
	idleTail = 500 * time.Millisecond
	// cutTail is how long what was cut may take to say goodbye: 8 s and this are less
	// than the 10 s behind which Docker kills.
	cutTail = 750 * time.Millisecond
)

// Shutdown ends the server: it answers what is in flight, and what comes meanwhile,
// with Connection: close, closes connections that stay idle, ends tunnels once
// nothing else is under way or it is time for their goodbye, stops accepting when all
// that is done or ctx is about to end, cuts what is left when it ends, and waits for
// every goroutine of the server.
// It returns ctx's error when something had to be cut.
func (s *Server) Shutdown(ctx context.Context) error {
	s.leaving.Store(true)
	s.letGo()
	s.retireAll()
	s.lastCall(ctx)

	tail := time.Now().Add(lastTail)
	s.closing.Store(true)
	s.quitOnce.Do(func() { close(s.quit) })
	s.stopAccepting()
	s.endTunnels()
	s.awaitIdle(ctx, tail)
	s.wakeIdle(0)

	left := s.awaitClients(ctx)
	if left > 0 {
		s.cutAll()
		end, cancel := context.WithTimeout(context.Background(), cutTail)
		s.awaitClients(end)
		cancel()
		s.closeAll()
	}
	s.mu.Lock()
	if s.stopWatch != nil {
		s.stopWatch()
	}
	s.mu.Unlock()
	s.running.Wait()
	if left > 0 {
		return ctx.Err()
	}
	return nil
}

func (s *Server) stopAccepting() {
	s.mu.Lock()
	for ln := range s.listeners {
		if d, ok := ln.(interface{ SetDeadline(time.Time) error }); ok {
			_ = d.SetDeadline(time.Now().Add(acceptTail))
		} else {
			_ = ln.Close()
		}
	}
	s.mu.Unlock()
	s.accepting.Wait()
}

// letGo answers the requests that wait at a closed gate: nobody can resume the
// service any more.
func (s *Server) letGo() {
	s.each(func(c *client) {
		if wait := c.waits.p.Load(); wait != nil && wait.gate && c.waits.clear(wait) {
			wait.kill(errStopping)
		}
	})
}

// awaitIdle gives kept connections their last chance to send a request.
func (s *Server) awaitIdle(ctx context.Context, until time.Time) {
	tail, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	s.awaitClients(tail)
}

// wakeIdle ends the wait of every client that has idled for at least d; those that
// become idle later see leaving by themselves.
func (s *Server) wakeIdle(d time.Duration) {
	until := time.Now().Add(-d).UnixNano()
	s.each(func(c *client) {
		if since := c.idleSince.Load(); since <= until {
			c.dismiss(since)
		}
	})
}

// awaitClients waits until no client is left, or ctx ends. It returns how many there
// are.
func (s *Server) awaitClients(ctx context.Context) (left int) {
	s.await(ctx, func() bool {
		left = s.census()
		return left == 0
	})
	return left
}

// census counts the clients.
func (s *Server) census() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seats.clients)
}

// cutAll ends what every client waits on, now or later.
func (s *Server) cutAll() {
	s.cut.Store(true)
	s.each(func(c *client) {
		if conn := c.waits.take(); conn != nil {
			conn.kill(errCut)
		}
	})
}

// endTunnels ends the tunnels, and those that are opened from now on.
func (s *Server) endTunnels() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.untunnel = true
	for t := range s.tunnels {
		t.target.kill(errCut)
	}
}

func (s *Server) closeAll() {
	s.each(func(c *client) { c.cutOff() })
}

func (s *Server) each(do func(*client)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.seats.clients {
		do(c)
		if c.http2 != nil {
			c.http2.group.each(do)
		}
	}
}

// retireAll tells clients that carry streams to open no more of them. One that has
// only just connected hears of it with its first.
func (s *Server) retireAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.seats.clients {
		if c.http2 != nil && c.http2.used() {
			c.http2.retire()
		}
	}
}

// keepsNone reports whether no connection is kept behind its answer.
func (s *Server) keepsNone() bool {
	return s.leaving.Load() || s.seats.crowded() || s.pressure.now() >= tight
}
