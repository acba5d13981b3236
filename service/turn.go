package service

import (
	"context"
	"slices"
	"sync"
)

// turns lets the calls that change the targets of one service go one after the
// other, first come first served. Calls on different services never meet.
type turns struct {
	mu    sync.Mutex
	lines map[string][]*turn // guarded by mu; the first of a line has its turn
}

// turn is one call in the line of a service.
type turn struct {
	name  string
	ready chan struct{} // closed when it is first
	// supersede ends the call; nil when a newer deploy has to wait for it.
	supersede context.CancelCauseFunc
}

// take waits until the call is first in the line of the service name. The caller
// leaves when it is done. With supersede, those before it that allow it are
// ended. queued is called when there is something to wait for.
func (t *turns) take(ctx context.Context, own *turn, supersede bool, queued func()) error {
	own.ready = make(chan struct{})
	t.mu.Lock()
	if t.lines == nil {
		t.lines = make(map[string][]*turn)
	}
	line := t.lines[own.name]
	if supersede {
		for _, other := range line {
			if other.supersede != nil {
				other.supersede(errSuperseded)
			}
		}
	}
	t.lines[own.name] = append(line, own)
	t.mu.Unlock()
	if len(line) == 0 {
		return nil
	}
	queued()
	select {
	case <-own.ready:
		return nil
	case <-ctx.Done():
		t.leave(own)
		return left(ctx, own.name)
	}
}

// leave gives the turn on, or gives up waiting for it. Leaving twice is harmless.
func (t *turns) leave(own *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := t.lines[own.name]
	i := slices.Index(line, own)
	if i < 0 {
		return
	}
	line = slices.Delete(line, i, i+1)
	if len(line) == 0 {
		delete(t.lines, own.name)
		return
	}
	t.lines[own.name] = line
	if i == 0 {
		close(line[0].ready)
	}
}
