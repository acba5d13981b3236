package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Generator runs workers and counts what became of their requests.
type Generator struct {
	options Options // set once in New
	counts  counts
	left    atomic.Int64 // requests that may still start, when limited
}

// New returns a generator that has not started.
func New(o Options) (*Generator, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	g := &Generator{options: o}
	g.left.Store(o.Requests)
	g.counts.init(o)
	return g, nil
}

// Run makes requests until ctx ends or the limit of requests is reached, and
// lets those under way finish. Failed requests are in the report, not in the
// error, which is always nil today. Run is for one call.
func (g *Generator) Run(ctx context.Context) error {
	g.counts.begin(time.Now())
	var wait sync.WaitGroup
	for _, group := range g.options.Workers {
		for i := range group.Connections {
			w := newWorker(g, group, i)
			wait.Go(func() { w.run(ctx) })
		}
	}
	wait.Wait()
	g.counts.end(time.Now())
	return nil
}

// Report says what happened so far; it can be called at any time.
func (g *Generator) Report() *Report { return g.counts.report(time.Now()) }

// take reports whether one more request may start.
func (g *Generator) take() bool {
	return g.options.Requests <= 0 || g.left.Add(-1) >= 0
}

// Run makes requests as o says and returns the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	g, err := New(o)
	if err != nil {
		return nil, err
	}
	if err := g.Run(ctx); err != nil {
		return nil, err
	}
	return g.Report(), nil
}
