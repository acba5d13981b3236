package service

import (
	"context"
	"sync"
)

// task begins some work, does not wait for it, and has done called at its end.
type task func(ctx context.Context, done func())

// crew is every goroutine that outlives the call which wanted it: probes, and
// the background work of Apply. Run starts what was handed in before it, and
// waits for all of it at its end.
type crew struct {
	begun  chan struct{} // closed when run starts
	ending chan struct{} // closed when run's context has ended

	mu      sync.Mutex
	launch  func(task) // guarded by mu; nil before run
	waiting []task     // guarded by mu; handed in before run
	ended   bool       // guarded by mu
	wg      sync.WaitGroup
}

func newCrew() *crew {
	return &crew{begun: make(chan struct{}), ending: make(chan struct{})}
}

// start runs work in a goroutine of its own, now or when run starts. It reports
// false when the crew has ended; work is not called then.
func (c *crew) start(work func(context.Context)) bool {
	return c.keep(func(ctx context.Context, done func()) {
		go func() {
			defer done()
			work(ctx)
		}()
	})
}

// keep is start for work that needs no goroutine while it waits.
func (c *crew) keep(begin task) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return false
	case c.launch == nil:
		c.waiting = append(c.waiting, begin)
	default:
		c.launch(begin)
	}
	return true
}

// run works until ctx ends, then refuses new work and waits for the rest.
func (c *crew) run(ctx context.Context) {
	c.mu.Lock()
	c.launch = func(begin task) {
		c.wg.Add(1)
		begin(ctx, c.wg.Done)
	}
	for _, begin := range c.waiting {
		c.launch(begin)
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
