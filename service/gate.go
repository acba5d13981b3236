package service

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"upfront/api"
)

// What Gate.Wait ends with, apart from nil and the context's error.
var (
	// ErrStopped: the service is stopped; answer with the maintenance page.
	ErrStopped = errors.New("service is stopped")
	// ErrPauseTimeout: the request was held for as long as max pause allows.
	ErrPauseTimeout = errors.New("service stayed paused for longer than a request is held")
	// ErrPauseFull: the paused service already holds as many requests as it may.
	ErrPauseFull = errors.New("service is paused and holds too many requests")
)

// DefaultMaxPaused is how many requests one paused service holds.
const DefaultMaxPaused = 10_000

// GateState says what a gate does with a request. The zero value is Running.
type GateState int32

// The states of a gate.
const (
	Running GateState = iota // lets requests through
	Paused                   // holds them
	Stopped                  // refuses them
)

// String returns the word that users see and the state file keeps.
func (s GateState) String() string {
	switch s {
	case Paused:
		return "paused"
	case Stopped:
		return "stopped"
	default:
		return "running"
	}
}

// Gate holds or refuses the requests of a service. It outlives the service's
// versions, so that a deploy of a paused service does not let requests slip
// through. The zero value is running and holds DefaultMaxPaused requests.
type Gate struct {
	maxPaused int64                 // set once in NewGate; 0 means the default
	held      atomic.Int64          // requests inside Wait
	closed    atomic.Pointer[phase] // nil while running; replaced under mu
	last      atomic.Pointer[phase] // the pause that ended last; replaced under mu
	mu        sync.Mutex            // orders the changes
}

// phase is one uninterrupted time of a gate being paused or stopped. Immutable, but
// for ended.
type phase struct {
	state    GateState
	message  string
	maxPause time.Duration
	over     chan struct{} // closed when another phase begins, or none
	line     chan struct{} // of a pause: has an element for each Place
	ended    time.Time     // written before over is closed; read after
}

// NewGate returns a running gate that holds up to maxPaused requests while it is
// paused; 0 or less means DefaultMaxPaused.
func NewGate(maxPaused int) *Gate { return &Gate{maxPaused: int64(max(maxPaused, 0))} }

// State is one atomic load.
func (g *Gate) State() GateState {
	if p := g.closed.Load(); p != nil {
		return p.state
	}
	return Running
}

// Message is the maintenance message while stopped.
func (g *Gate) Message() string {
	if p := g.closed.Load(); p != nil {
		return p.message
	}
	return ""
}

// Wait holds the caller while the gate is paused, and then until it is its turn. It
// returns nil when the gate runs, with a Place for who was held; or ErrStopped,
// ErrPauseTimeout, ErrPauseFull, or ctx's error.
func (g *Gate) Wait(ctx context.Context) (Place, error) {
	p := g.closed.Load()
	if p == nil {
		return Place{}, nil
	}
	if p.state == Stopped {
		return Place{}, ErrStopped
	}
	defer g.held.Add(-1)
	if g.held.Add(1) > g.limit() {
		return Place{}, ErrPauseFull
	}
	start := time.Now()
	for {
		if p.state == Stopped {
			return Place{}, ErrStopped
		}
		if err := p.wait(ctx, start); err != nil {
			return Place{}, err
		}
		next := g.closed.Load()
		if next == nil {
			place, err := p.join(ctx)
			if next = g.closed.Load(); err != nil || next == nil {
				return place, err
			}
			place.End() // closed again meanwhile
		}
		p = next
	}
}

func (g *Gate) limit() int64 {
	if g.maxPaused == 0 {
		return DefaultMaxPaused
	}
	return g.maxPaused
}

// wait returns nil when the phase is over.
func (p *phase) wait(ctx context.Context, start time.Time) error {
	timer := time.NewTimer(time.Until(start.Add(p.maxPause)))
	defer timer.Stop()
	select {
	case <-p.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ErrPauseTimeout
	}
}

// Held is how many requests are being held.
func (g *Gate) Held() int64 { return g.held.Load() }

// Pause holds requests from now on, each for up to maxPause; 0 or less means
// api.DefaultMaxPause.
func (g *Gate) Pause(maxPause time.Duration) {
	if maxPause <= 0 {
		maxPause = api.DefaultMaxPause.Std()
	}
	g.enter(&phase{state: Paused, maxPause: maxPause, over: make(chan struct{}), line: make(chan struct{}, passAtOnce)})
}

// Stop refuses requests from now on, those that are held included.
func (g *Gate) Stop(message string) {
	g.enter(&phase{state: Stopped, message: message, over: make(chan struct{})})
}

// Resume lets requests through from now on; those that are held go in line, so that
// they do not arrive all at once.
func (g *Gate) Resume() { g.enter(nil) }

func (g *Gate) enter(next *phase) {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := g.closed.Load()
	if last != nil {
		last.ended = time.Now()
		if last.state == Paused {
			g.last.Store(last)
		}
	}
	g.closed.Store(next)
	if last != nil {
		close(last.over)
	}
}

// during calls f unless phase p is over, and lets it not end meanwhile.
func (g *Gate) during(p *phase, f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed.Load() == p {
		f()
	}
}

// restore puts the gate into the state that was saved.
func (g *Gate) restore(s api.GateState) {
	switch s.State {
	case Paused.String():
		g.Pause(s.MaxPause.Std())
	case Stopped.String():
		g.Stop(s.Message)
	default:
		g.Resume()
	}
}
