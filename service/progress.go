package service

import (
	"sync"
	"time"

	"upfront/api"
)

// progressInterval is how often a waiting call says what it sees.
const progressInterval = 100 * time.Millisecond

// The phases of a waiting call.
const (
	phaseQueued    = "queued"
	phaseProbing   = "probing"
	phaseSwitching = "switching"
	phaseDraining  = "draining"
)

// reporter passes progress on; nil passes nothing.
type reporter func(api.Progress)

func (r reporter) say(phase string, members []*member) {
	if r == nil {
		return
	}
	p := api.Progress{Phase: phase}
	for _, m := range members {
		p.Targets = append(p.Targets, m.progress())
	}
	r(p)
}

// together does work for every member at the same time, reports until all of it
// is done, and returns what each came to, in the order of members.
func together(members []*member, report reporter, work func(*member) api.Drained) []api.Drained {
	if len(members) == 0 {
		return nil
	}
	results := make([]api.Drained, len(members))
	var wg sync.WaitGroup
	for i, m := range members {
		wg.Go(func() { results[i] = work(m) })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		wg.Wait()
	}()
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	for {
		report.say(phaseDraining, members)
		select {
		case <-done:
			return results
		case <-tick.C:
		}
	}
}
