package service

import (
	"context"
	"time"
)

// passAtOnce is how many of the requests that a pause held may be on their way to a
// target at once when it is over. All of them together would find its queue of
// connections full (Puma's has room for 1024), or the targets at max_in_flight.
const passAtOnce = 64

// Place is a place among the requests on their way. Whoever has one Ends it once the
// request is sent, or will not be. The zero value is none.
type Place struct {
	line  chan struct{} // nil: none
	until time.Time
}

// Held reports whether p is a place, and may still wait for room on a target.
func (p *Place) Held() bool { return p.line != nil && time.Now().Before(p.until) }

// End gives the place to the next one in line. Idempotent.
func (p *Place) End() {
	if p.line != nil {
		<-p.line
		p.line = nil
	}
}

// join waits in line after the pause, for as long as a request may be held.
func (p *phase) join(ctx context.Context) (Place, error) {
	place := Place{line: p.line, until: p.ended.Add(p.maxPause)}
	select {
	case p.line <- struct{}{}:
		return place, nil
	default:
	}
	timer := time.NewTimer(time.Until(place.until))
	defer timer.Stop()
	select {
	case p.line <- struct{}{}:
		return place, nil
	case <-ctx.Done():
		return Place{}, ctx.Err()
	case <-timer.C:
		return Place{}, ErrPauseTimeout
	}
}

// Crowded reports whether requests that a pause held are still on their way. Those
// that find the targets full may Join them, lest they fail for their sake; but no
// longer than a request may be held, for a service that is overloaded without a
// pause has to say so at once.
func (g *Gate) Crowded() bool {
	p := g.last.Load()
	return p != nil && len(p.line) > 0 && time.Since(p.ended) < p.maxPause
}

// Join waits in line behind the requests that the last pause held. The errors are
// Wait's.
func (g *Gate) Join(ctx context.Context) (Place, error) {
	defer g.held.Add(-1)
	if g.held.Add(1) > g.limit() {
		return Place{}, ErrPauseFull
	}
	if p := g.last.Load(); p != nil {
		return p.join(ctx)
	}
	return Place{}, nil
}
