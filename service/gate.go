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
	mu        sync.Mutex            // orders the changes
}

// phase is one uninterrupted time of a gate being paused or stopped. Immutable.
type phase struct {
	state    GateState
	message  string
	maxPause time.Duration
	over     chan struct{} // closed when another phase begins, or none
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

// Wait holds the caller while the gate is paused. It returns nil when the gate
// runs, ErrStopped, ErrPauseTimeout, ErrPauseFull, or ctx's error.
func (g *Gate) Wait(ctx context.Context) error {
	p := g.closed.Load()
	if p == nil {
		return nil
	}
	if p.state == Stopped {
		return ErrStopped
	}
	limit := g.maxPaused
	if limit == 0 {
		limit = DefaultMaxPaused
	}
	defer g.held.Add(-1)
	if g.held.Add(1) > limit {
		return ErrPauseFull
	}
	start := time.Now()
	for p != nil {
		if p.state == Stopped {
			return ErrStopped
		}
		if err := p.wait(ctx, start); err != nil {
			return err
		}
		p = g.closed.Load()
	}
	return nil
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
	g.enter(&phase{state: Paused, maxPause: maxPause, over: make(chan struct{})})
}

// Stop refuses requests from now on, those that are held included.
func (g *Gate) Stop(message string) {
	g.enter(&phase{state: Stopped, message: message, over: make(chan struct{})})
}

// Resume lets requests through from now on, those that are held first.
func (g *Gate) Resume() { g.enter(nil) }

func (g *Gate) enter(next *phase) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if last := g.closed.Swap(next); last != nil {
		close(last.over)
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
