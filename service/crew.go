package service

import (
	"context"
	"sync"
)

// crew is every goroutine that outlives the call which wanted it: probes, and
// the background work of Apply. Run starts what was handed in before it, and
// waits for all of it at its end.
type crew struct {
	begun  chan struct{} // closed when run starts
	ending chan struct{} // closed when run's context has ended

	mu      sync.Mutex
	launch  func(func(context.Context)) // guarded by mu; nil before run
	waiting []func(context.Context)     // guarded by mu; handed in before run
	ended   bool                        // guarded by mu
	wg      sync.WaitGroup
}

func newCrew() *crew {
	return &crew{begun: make(chan struct{}), ending: make(chan struct{})}
}

// start runs work in a goroutine of its own, now or when run starts. It reports
// false when the crew has ended; work is not called then.
func (c *crew) start(work func(context.Context)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return false
	case c.launch == nil:
		c.waiting = append(c.waiting, work)
	default:
		c.launch(work)
	}
	return true
}

// run works until ctx ends, then refuses new work and waits for the rest.
func (c *crew) run(ctx context.Context) {
	c.mu.Lock()
	c.launch = func(work func(context.Context)) {
		c.wg.Go(func() { work(ctx) })
	}
	for _, work := range c.waiting {
		c.launch(work)
	}
	c.waiting = nil
	close(c.begun)
	c.mu.Unlock()

	<-ctx.Done()
	close(c.ending)
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.wg.Wait()
}
